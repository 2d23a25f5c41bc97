"""G. Escape and network."""

import platform

from autograder.sandbox.seccomp import ARCHITECTURES, NUMBERS
from tests.adversarial.case import Case

__all__ = ["CASES"]

_COLUMN = ARCHITECTURES[platform.machine()].column
_CLONE = (56, 220)[_COLUMN]


def _calls(*names: str) -> str:
    """Makes system calls with arguments that the kernel would refuse in another way."""
    numbers = {name: NUMBERS[name][_COLUMN] for name in names}
    return (
        f"for name, number in {numbers!r}.items():\n"
        "    if number is not None:\n"
        "        ctypes.set_errno(0)\n"
        "        got = libc.syscall(ctypes.c_long(number), 0, 0, 0, 0, 0, 0)\n"
        "        if got != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):\n"
        "            obtained.append(name)\n"
    )


# mov eax, 20 (getpid in the old table); int 0x80; ret
_OLD_TABLE = """
import mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex("b814000000cd80c3"))
address = ctypes.addressof(ctypes.c_char.from_buffer(code))
attempt("int 0x80", lambda: ctypes.CFUNCTYPE(ctypes.c_int)(address)() > 0)
"""
_X32 = "attempt('x32', lambda: libc.syscall(ctypes.c_long(0x40000000 + 39)) > 0)"

_ON_X86 = (
    (
        Case("G07", "the old table of calls", _OLD_TABLE, ends="crashed", stops=("seccomp",)),
        Case("G07", "the x32 table of calls", _X32, ends="crashed"),
    )
    if _COLUMN == 0
    else ()
)

CASES = (
    Case(
        "G01",
        "every way to a network",
        "import urllib.request\n"
        "for family in (socket.AF_INET, socket.AF_INET6):\n"
        "    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):\n"
        "        attempt((family, kind), lambda: socket.socket(family, kind))\n"
        "attempt('dns', lambda: socket.getaddrinfo('example.org', 80))\n"
        "attempt('http', lambda: urllib.request.urlopen('http://127.0.0.1:1', timeout=2))\n",
        stops=("seccomp",),
        seconds=12,
    ),
    Case(
        "G01",
        "fetch a data set",
        "import keras\ntry:\n    keras.datasets.mnist.load_data()\n    obtained.append('data')\n"
        "except Exception as problem:\n    print(problem)",
        tensorflow=True,
        seconds=30,
    ),
    Case(
        "G02",
        "other families of sockets",
        "for family in range(1, 46):\n"
        "    for kind in (1, 2, 3, 5):\n"
        "        attempt(family, lambda: socket.socket(family, kind))\n"
        "    if family != socket.AF_UNIX:\n"
        "        attempt(('pair', family), lambda: socket.socketpair(family))",
        stops=("seccomp",),
    ),
    Case(
        "G04",
        "namespaces and mounts",
        "attempt('unshare', lambda: libc.unshare(0x10000000) == 0)\n"
        f"number = ctypes.c_long({_CLONE})\n"
        "attempt('clone', lambda: libc.syscall(number, 0x10000000 | 17, 0, 0, 0, 0) >= 0)\n"
        "attempt('mount', lambda: libc.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0)\n"
        "attempt('bind', lambda: libc.mount(b'/', b'/tmp', None, 0x5000, None) == 0)\n"
        "attempt('umount', lambda: libc.umount2(b'/tmp', 2) == 0)\n"
        "attempt('chroot', lambda: os.chroot('/tmp') is None)\n"
        + _calls("setns", "fsopen", "mount_setattr", "pivot_root", "open_tree", "move_mount"),
    ),
    Case(
        "G04",
        "mount over what it sees",
        "attempt('mount', lambda: libc.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0)\n",
        stops=("privileges", "landlock", "seccomp"),
    ),
    Case(
        "G06",
        "reach into the kernel",
        _calls(*[name for name in NUMBERS if name not in ("umount2", "connect", "seccomp")]),
        stops=("seccomp",),
    ),
    *_ON_X86,
    Case(
        "G08",
        "programs with privileges",
        "attempt('setuid', lambda: os.setuid(0) or True)\n"
        "attempt('setgid', lambda: os.setgid(0) or True)\n"
        "for program in ('su', 'sudo', 'mount', 'passwd', 'ping', 'newuidmap'):\n"
        "    try:\n"
        "        out = subprocess.run([program, '--version' if program != 'su' else '-c', 'id'],"
        " capture_output=True, timeout=5, stdin=subprocess.DEVNULL).stdout\n"
        "        if b'uid=0' in out: obtained.append(program)\n"
        "    except (OSError, subprocess.SubprocessError):\n        pass\n"
        "status = dict(l.split(':', 1) for l in open('/proc/self/status'))\n"
        "obtained += [n for n in ('CapEff', 'CapPrm', 'CapInh', 'CapAmb') if int(status[n], 16)]\n"
        "if int(status['CapBnd'], 16): obtained.append('CapBnd')\n",
        stops=("privileges",),
    ),
    Case(
        "G10",
        "type into the terminal",
        "import fcntl, termios\n"
        "attempt('tty', lambda: os.open('/dev/tty', os.O_RDWR))\n"
        "for number in range(4):\n"
        "    attempt(number, lambda: fcntl.ioctl(number, termios.TIOCSTI, b'x') or True)\n"
        "    attempt(number, lambda: os.ttyname(number))",
    ),
    Case(
        "G11",
        "dump core",
        "import resource\n"
        "attempt('limit', lambda: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)) or True)\n"
        "if resource.getrlimit(resource.RLIMIT_CORE) != (1, 1): obtained.append('limit')\n"
        "os.chdir('/tmp')\n"
        "if os.fork() == 0: os.abort()\nos.wait()\n"
        "obtained += glob.glob('/tmp/core*')",
        stops=("budgets",),
    ),
    Case(
        "G12",
        "run machine code of its own",
        "descriptor = os.memfd_create('x')\n"
        "os.write(descriptor, open('/bin/true', 'rb').read())\n"
        "print(subprocess.run([f'/proc/self/fd/{descriptor}'], pass_fds=[descriptor]).returncode)",
    ),
)
