"""E. Control flow: cells that end, kill, hang or break what they run in."""

from tests.adversarial.case import RIGHT, Case

__all__ = ["CASES"]

_BUSY = {"ends": "timeout", "seconds": 8.0}

CASES = (
    *(
        Case("E01", f"raise {name}", f"raise {name}", ends="error")
        for name in ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException")
    ),
    Case("E01", "leave", "sys.exit(0)", ends="error"),
    Case(
        "E01",
        "raise whatever it is asked",
        answers={
            **RIGHT,
            "sigmoid": "import sys\ndef sigmoid(logit): sys.exit(0)\n"
            "def log_sigmoid(logit): raise KeyboardInterrupt\n",
        },
        score=4,
    ),
    Case("E02", "exit at once", "os._exit(0)", ends="crashed"),
    Case("E02", "abort", "os.abort()", ends="crashed"),
    Case("E02", "segmentation fault", "ctypes.string_at(0)", ends="crashed"),
    Case(
        "E02",
        "recursion without end",
        "sys.setrecursionlimit(10**9)\ndef f(): return f() + 1\n"
        "class A:\n    def __repr__(self): return repr(self)\nrepr(A())\nf()",
        ends="crashed",
        seconds=15,
    ),
    Case(
        "E02",
        "exit when asked",
        answers={
            **RIGHT,
            "sigmoid": "import os\ndef sigmoid(logit): os._exit(0)\n"
            "def log_sigmoid(logit): os.kill(os.getpid(), 11)\n",
        },
        score=4,
        seconds=20,
    ),
    Case(
        "E03",
        "kill whatever there is",
        "for pid in (os.getppid(), 1, -1, *range(2, 300)):\n"
        "    if pid not in (os.getpid(), 0):\n"
        "        for number in (signal.SIGKILL, signal.SIGSTOP):\n"
        "            try:\n                os.kill(pid, number)\n"
        "            except (ProcessLookupError, PermissionError):\n                pass\n"
        "try:\n    os.kill(1, 0)\nexcept PermissionError:\n    pass\n"
        "except ProcessLookupError:\n    obtained.append('init')",
    ),
    Case(
        "E03",
        "reach a process of the machine",
        "for pid in {*range(1, 300)} - {os.getpid(), 1}:\n"
        "    attempt(pid, lambda: os.kill(pid, 0) or True)",
        stops=("namespaces",),
    ),
    Case("E05", "an endless loop", "while True: pass", **_BUSY),
    Case("E05", "sleep", "time.sleep(1e6)", **_BUSY),
    Case("E05", "sleep in C", "ctypes.PyDLL(None).sleep(1000)", **_BUSY),
    Case("E05", "a regular expression", "re.match('(a+)+$', 'a' * 60 + 'b')", **_BUSY),
    Case("E05", "a number", "10 ** 10 ** 8 % 7", ends="timeout", seconds=8),
    Case(
        "E05",
        "ignore every signal and loop",
        "for n in range(1, 65):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\n"
        "while True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass",
        **_BUSY,
    ),
    Case(
        "E05",
        "loop when asked",
        answers={
            **RIGHT,
            "sigmoid": "def sigmoid(logit):\n    while True: pass\n"
            "def log_sigmoid(logit): return -np.logaddexp(0, -logit)\n",
        },
        # What builds on it gets the reference's.
        score=4,
        seconds=40,
    ),
    Case(
        "E06",
        "a deadlock of threads",
        "lock = threading.Lock()\nlock.acquire()\n"
        "threading.Thread(target=lock.acquire).start()\n"
        "import atexit\natexit.register(time.sleep, 1000)\n"
        "class Slow:\n    def __del__(self): time.sleep(1000)\nslow = Slow()",
    ),
    Case(
        "E06",
        "an event loop without end",
        "import asyncio\nasync def main():\n    while True: await asyncio.sleep(0)\n"
        "asyncio.get_event_loop_policy().new_event_loop().run_until_complete(main())",
        **_BUSY,
    ),
    Case(
        "E08",
        "a fork bomb",
        "while True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
        **_BUSY,
    ),
    Case(
        "E08",
        "more processes than allowed",
        "def started():\n    count = 0\n    try:\n"
        "        for _ in range(300):\n            if os.fork() == 0: time.sleep(1000)\n"
        "            count += 1\n    except OSError:\n        pass\n    return count >= 300\n"
        "attempt('300 processes', started)",
        stops=("budgets",),
    ),
    Case(
        "E10",
        "change the process",
        "import locale, warnings, resource\nimport numpy as np\n"
        "os.chdir('/')\nos.umask(0)\nsys.setrecursionlimit(200)\nnp.seterr(all='raise')\n"
        "warnings.simplefilter('error')\nlocale.setlocale(locale.LC_ALL, 'C')\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
        "os.environ.clear()\nsys.path.clear()\nsys.stdout = sys.stderr = None",
        # What it broke for itself stays broken.
        at_most=True,
    ),
    Case(
        "E11",
        "crash TensorFlow",
        "import tensorflow as tf\n"
        "for raw in (lambda: tf.raw_ops.Gather(params=[1.0], indices=[9]),\n"
        "            lambda: tf.constant(1.0, shape=[2**40]),\n"
        "            lambda: tf.reshape(tf.zeros(4), [-1, -1])):\n"
        "    try:\n        raw()\n    except Exception:\n        pass",
        tensorflow=True,
        seconds=30,
    ),
    Case(
        "E13",
        "pools of processes and threads",
        "import concurrent.futures, multiprocessing\n"
        "with multiprocessing.get_context('fork').Pool(4) as pool:\n"
        "    assert pool.map(abs, [-1, 2]) == [1, 2]\n"
        "with concurrent.futures.ThreadPoolExecutor(8) as pool:\n"
        "    assert list(pool.map(abs, [-1, 2])) == [1, 2]\n"
        "print(subprocess.run(['echo', 'hello'], capture_output=True).stdout)",
        seconds=20,
    ),
)
