"""What student code might try, each a function that returns what it obtained, or None.

The self-test runs this text as a cell, in a student process; nothing of it runs anywhere else. The
first line of a function's docstring says what is tried. `TARGETS` is set in front of it.
"""

import contextlib
import ctypes
import json
import os
import resource
import socket
import stat
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable
from typing import Any

TARGETS: dict[str, Any] = globals().get("TARGETS", {})
libc = ctypes.CDLL(None, use_errno=True)


_HOST = ("/etc/shadow", "/etc/ssh", "/etc/hostname", "/boot", "/var", "/sys", "/mnt", "/media")


def _readable(paths: Iterable[str]) -> list[str]:
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            os.close(descriptor)
            if os.path.isdir(path):
                os.listdir(path)
            found.append(path)
    return found


def read_hidden_files() -> object:
    """Read hidden checks, the reference, the framework and the grader's own files."""
    return _readable(TARGETS["paths"])


def name_hidden_files() -> object:
    """Find out where they are."""
    return [path for path in TARGETS["paths"] if os.path.lexists(path)]


def read_host_files() -> object:
    """Read files of this machine: accounts, mounted disks, other people's homes."""
    return _readable(_HOST)


def name_host_files() -> object:
    """Find out which there are."""
    return [path for path in _HOST if os.path.lexists(path)]


def write_outside() -> object:
    """Write, create or delete files outside the working folder."""
    folders = ["/", "/usr", "/etc", "/dev", "/opt", "/home", sys.prefix, sys.base_prefix]
    folders += [sysconfig.get_paths()["purelib"], "/proc/sys/kernel"]
    got = []
    for folder in folders:
        try:
            os.close(os.open(os.path.join(folder, ".lgm"), os.O_CREAT | os.O_WRONLY))
            got.append(folder)
        except OSError:
            pass
    for path in [os.__file__, "/etc/passwd", *TARGETS["public"]]:
        try:
            os.close(os.open(path, os.O_WRONLY))
            got.append(path)
        except OSError:
            pass
    return got


def list_processes() -> object:
    """List processes other than its own and those that keep it."""
    own = {os.getpid(), os.getppid(), 1}
    return [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in own]


def signal_the_grader() -> object:
    """Send a signal to the grader's process."""
    os.kill(TARGETS["grader"], 0)
    return "the signal was taken"


def look_into_init() -> object:
    """Look into the process that watches over it."""
    got = []
    for path in ("/proc/1/mem", "/proc/1/environ", "/proc/1/maps"):
        try:
            os.close(os.open(path, os.O_RDONLY))
            got.append(path)
        except OSError:
            pass
    if libc.ptrace(16, 1, 0, 0) == 0:
        got.append("ptrace")
    return got


def read_environment() -> object:
    """Find names, places or secrets in the environment or the command line."""
    told = open("/proc/self/environ").read() + open("/proc/self/cmdline").read()
    told += "".join(f"{name}={value}\n" for name, value in os.environ.items())
    return [word for word in TARGETS["words"] if word in told]


def scan_memory() -> object:
    """Find in its own memory what only the judge has."""
    wanted, found, buffer = TARGETS["secret_start"].encode(), 0, bytearray(2**20)
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            area, rights, _, _, inode, *_ = line.split()
            if not rights.startswith("rw") or inode != "0":
                continue
            start, end = (int(number, 16) for number in area.split("-"))
            memory.seek(start)
            while start < end:
                count = memory.readinto(memoryview(buffer)[: end - start])
                place = buffer.find(wanted, 0, count)
                while place >= 0:
                    # What is looked for is in memory, too; the secret itself goes on.
                    rest = buffer[place + len(wanted) :][:16]
                    found += len(rest) == 16 and rest.isalnum()
                    place = buffer.find(wanted, place + 1, count)
                start += count
    return found


def inherit_descriptors() -> object:
    """Find an open file or folder among the descriptors it was given."""
    got = []
    for name in os.listdir("/proc/self/fd"):
        try:
            mode = os.fstat(int(name)).st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or int(name) > 3:
            got.append(name)
    return got


def reach_the_network() -> object:
    """Connect to a server on this machine over TCP."""
    with socket.create_connection(("127.0.0.1", TARGETS["port"]), timeout=1):
        return "it answered"


def send_a_datagram() -> object:
    """Send a datagram to an address outside."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("192.0.2.1", 53))
    return "it was sent"


def reach_local_sockets() -> object:
    """Connect to a local socket of this machine."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + TARGETS["socket"])
    return "it answered"


def mount_a_file_system() -> object:
    """Mount or unmount a file system."""
    mounted = libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) == 0
    return mounted or libc.umount2(b"/tmp", 2) == 0


def make_namespaces() -> object:
    """Make namespaces of its own, to be their root."""
    return [hex(kind) for kind in (0x10000000, 0x20000, 0x40000000) if libc.unshare(kind) == 0]


def become_root() -> object:
    """Become another user, or change the root folder."""
    worked = []
    for name, argument in (("setuid", 0), ("setgid", 0), ("chroot", "/tmp")):
        with contextlib.suppress(OSError):
            getattr(os, name)(argument)
            worked.append(name)
    return worked


def _status() -> dict[str, str]:
    with open("/proc/self/status") as file:
        return dict(line.split(":", 1) for line in file)


def keep_capabilities() -> object:
    """Find a capability, or a way to new ones, that was left."""
    lines = _status()
    names = ("CapInh", "CapPrm", "CapEff", "CapAmb")
    return [n for n in names if int(lines[n], 16)] + ["new ones"] * (
        lines["NoNewPrivs"].strip() != "1"
    )


def leave_a_way_to_capabilities() -> object:
    """Leave open which capabilities a program could gain, if new ones were permitted."""
    return int(_status()["CapBnd"], 16)


def make_a_device() -> object:
    """Make a device file."""
    os.mknod("/tmp/device", 0o600 | stat.S_IFBLK, os.makedev(254, 0))
    return "it was made"


def raise_limits() -> object:
    """Raise a limit on what it may use."""
    got = []
    for name in ("RLIMIT_DATA", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_FSIZE"):
        _, hard = resource.getrlimit(getattr(resource, name))
        if hard == resource.RLIM_INFINITY:
            got.append(f"{name} is not set")
            continue
        try:
            resource.setrlimit(getattr(resource, name), (hard + 1, hard + 1))
            got.append(name)
        except (OSError, ValueError):
            pass
    return got


def start_too_many() -> object:
    """Start more processes and threads than allowed."""
    threading.stack_size(2**16)
    release = threading.Event()
    threads = []
    try:
        for _ in range(TARGETS["processes"] + 8):
            thread = threading.Thread(target=release.wait, daemon=True)
            thread.start()
            threads.append(thread)
    except RuntimeError:
        return None
    finally:
        release.set()
        threading.stack_size(0)
    return f"{len(threads)} were started"


def use_too_much_memory() -> object:
    """Take more memory than allowed."""
    block = bytearray(TARGETS["data"])
    return f"{len(block)} bytes"


def write_too_large_a_file() -> object:
    """Write a larger file than allowed, or find a larger disk."""
    with open("/tmp/large", "wb") as file:
        try:
            file.truncate(2**34)
            return "16 GiB"
        except OSError:
            pass
    sizes = {place: os.statvfs(place) for place in (".", "/tmp", "/dev/shm")}
    return [place for place, s in sizes.items() if s.f_blocks * s.f_frsize > 2**29]


def open_the_terminal() -> object:
    """Open the terminal of whoever grades."""
    os.close(os.open("/dev/tty", os.O_RDWR))
    return "it was opened"


def leave_something() -> object:
    """Leave a file for the next submission; the next one looks for it."""
    found = [name for name in ("/tmp/left", "/dev/shm/left") if os.path.exists(name)]
    for name in ("/tmp/left", "/dev/shm/left"):
        open(name, "w").close()
    return found


def obtained(attack: Callable[[], object]) -> str | None:
    """Returns what an attack obtained, in a few words, or None."""
    try:
        got = attack()
    except (OSError, MemoryError, ValueError):
        return None
    return str(got)[:200] if got else None


def report(names: list[str]) -> None:
    """Prints what each attack obtained."""
    print(json.dumps({name: obtained(globals()[name]) for name in names}))
