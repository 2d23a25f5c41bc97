"""F. Resources: memory, disks, output, descriptors, cores."""

from tests.adversarial.case import Case

__all__ = ["CASES"]

CASES = (
    Case(
        "F01",
        "more memory than there is",
        "x = bytearray(2**44)",
        ends="error",
    ),
    Case("F01", "a long list", "x = [0] * 10**12", ends="error"),
    Case("F01", "memory bit by bit", "x = []\nwhile True: x.append(b'x' * 2**20)", ends="error"),
    Case(
        "F01",
        "memory in several processes",
        "for _ in range(4):\n    if os.fork() == 0:\n        x = b'x' * (250 * 2**20)\n"
        "        time.sleep(100)\ntime.sleep(2)\nobtained.append('1000 MB')",
        ends="memory",
        stops=("watch",),
    ),
    Case(
        "F01",
        "memory in files",
        "import tempfile\nfor folder in ('/tmp', '/dev/shm', '.'):\n    try:\n"
        "        with open(f'{folder}/big', 'wb') as file:\n"
        "            for _ in range(250): file.write(bytes(2**20))\n"
        "    except OSError:\n        pass\n"
        "x = b'x' * (450 * 2**20)\ntime.sleep(2)\nobtained.append('1000 MB')",
        ends="memory",
        stops=("watch",),
    ),
    Case(
        "F01",
        "memory in sockets",
        "kept = []\ndef fill():\n    for _ in range(100):\n"
        "        a, b = socket.socketpair()\n        a.setblocking(False)\n"
        "        kept.extend((a, b))\n        try:\n"
        "            a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**30)\n"
        "        except OSError:\n            pass\n        try:\n"
        "            while True: a.send(bytes(2**16))\n        except OSError:\n            pass\n"
        "for _ in range(39):\n    if os.fork() == 0:\n        fill()\n        time.sleep(100)\n"
        "time.sleep(1)\nobtained.append('1.6 GB')",
        ends="memory",
        stops=("watch",),
        seconds=12,
    ),
    Case(
        "F04",
        "a tensor of gigabytes",
        "import tensorflow as tf\nx = tf.zeros([1 << 16, 1 << 16])",
        ends="error",
        tensorflow=True,
        seconds=40,
    ),
    Case(
        "F05",
        "fill every folder",
        "for folder in ('.', '/tmp', '/dev/shm'):\n"
        "    try:\n        with open(f'{folder}/sparse', 'wb') as file: file.truncate(2**40)\n"
        "        obtained.append('a file of 1 TB')\n    except OSError:\n        pass\n"
        "    try:\n        for n in range(30_000): open(f'{folder}/{n}', 'w').close()\n"
        "        obtained.append('30000 files')\n    except OSError:\n        pass\n",
        stops=("budgets",),
        seconds=20,
    ),
    Case(
        "F05",
        "deep folders and long names",
        "path = '/tmp'\n"
        "name = 'd' * 200\n"
        "try:\n    for n in range(3000):\n        os.mkdir(name)\n        os.chdir(name)\n"
        "except OSError as problem:\n    print(problem)\n",
        score=10,
    ),
    Case(
        "F06",
        "print without end",
        "while True: print('x' * 10_000)",
        ends="timeout",
    ),
    Case("F06", "one long line", "print('x' * 2**28)", seconds=20),
    Case(
        "F06",
        "write past Python without end",
        "import os\nwhile True: os.write(1, b'x' * 100_000)",
        ends="timeout",
    ),
    Case(
        "F06",
        "thousands of displays",
        "from IPython.display import display, update_display, clear_output\n"
        "for n in range(5_000):\n    display(n, display_id='x')\n"
        "    update_display(n, display_id='x')\n    clear_output()",
        seconds=20,
        ends="done",
    ),
    Case(
        "F06",
        "a picture of 200 MB",
        "from IPython.display import display, Image\n"
        "display(Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + bytes(200 * 2**20), format='png'))",
        ends="error",
        seconds=20,
    ),
    Case(
        "F08",
        "every descriptor",
        "import select\nkept = []\ndef more(make):\n    try:\n        for _ in range(5000):\n"
        "            kept.append(make())\n    except OSError:\n        pass\n"
        "    return len(kept) >= 5000\n"
        "attempt('files', lambda: more(lambda: open('/dev/null')))\n",
        stops=("budgets",),
    ),
    Case(
        "F08",
        "what tells of changed files",
        "made = 0\nwhile made < 100 and libc.inotify_init() >= 0: made += 1\n"
        "if made > 16: obtained.append(made)",
        stops=("budgets",),
    ),
    Case(
        "F08",
        "a hundred thousand threads",
        "threading.stack_size(65536)\nstarted = []\n"
        "try:\n    for _ in range(100_000):\n"
        "        t = threading.Thread(target=time.sleep, args=(100,), daemon=True)\n"
        "        t.start()\n        started.append(t)\n        if len(started) > 2000: break\n"
        "except RuntimeError:\n    pass\n"
        "if len(started) > 2000: obtained.append(len(started))",
        stops=("budgets",),
    ),
    Case(
        "F08",
        "timers and queued signals",
        "class Event(ctypes.Structure):\n    _fields_ = [('x', ctypes.c_long * 8)]\n"
        "event = Event()\n"
        "made = 0\nfor _ in range(20_000):\n    timer = ctypes.c_void_p()\n"
        "    if libc.timer_create(1, None, ctypes.byref(timer)) != 0: break\n    made += 1\n"
        "if made >= 20_000: obtained.append(made)",
        stops=("budgets",),
    ),
    Case(
        "F09",
        "all cores",
        "attempt('cores', lambda: os.sched_setaffinity(0, range(64)) or "
        "len(os.sched_getaffinity(0)) > 1)",
        stops=("seccomp",),
    ),
    Case("F09", "go first", "attempt('nice', lambda: os.nice(-1) < 5)\n"),
)
