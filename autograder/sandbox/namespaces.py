"""Namespaces: no network, no other process, own users, IPC objects, host name and control groups.

What is not in a namespace cannot be named from inside it: no address of a network, no process id,
no key of shared memory. One kill of its first process ends all that run in it, and nothing
outlives it.
"""

import os

from autograder.sandbox import _linux

__all__ = [
    "INSIDE",
    "NEW_ALL",
    "NEW_MOUNTS",
    "enter_mapped_namespace",
    "enter_user_namespace",
    "forbid_namespaces",
    "limit_objects",
]

NEW_MOUNTS = 0x00020000
_NEW_USER = 0x10000000
_NEW_CGROUP, _NEW_UTS, _NEW_IPC = 0x02000000, 0x04000000, 0x08000000
_NEW_PID, _NEW_NET = 0x20000000, 0x40000000
NEW_ALL = NEW_MOUNTS | _NEW_USER | _NEW_CGROUP | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET

# Who a process is inside, whoever it is outside.
INSIDE = 1000

# What the kernel counts by user, and so would be missing elsewhere on the machine.
_OBJECTS = {"max_inotify_instances": 16, "max_inotify_watches": 1024}


def enter_user_namespace(flags: int) -> None:
    """Gives this process a user namespace, and others of `flags`, in which it is `INSIDE`.

    Only the caller's own user and group are mapped. The process must have a single thread.
    """
    user, group = os.geteuid(), os.getegid()
    _linux.unshare(flags | _NEW_USER)
    # The files written below belong to root for a process that is not dumpable.
    _linux.set_dumpable(True)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{INSIDE} {user} 1")
    _write("/proc/self/gid_map", f"{INSIDE} {group} 1")


def enter_mapped_namespace(flags: int, first: int, count: int) -> None:
    """As `enter_user_namespace`, for root: gives up root, and maps `count` ids to `first`, ….

    Processes inside can be of different users, from `INSIDE` on.
    """
    own = os.getpid()
    ready, go = os.pipe()
    helper = os.fork()
    if helper == 0:
        # Only who is root outside may map ids that are not its own.
        os.close(go)
        try:
            if os.read(ready, 1):
                _write(f"/proc/{own}/setgroups", "deny")
                _write(f"/proc/{own}/uid_map", f"{INSIDE} {first} {count}")
                _write(f"/proc/{own}/gid_map", f"{INSIDE} {first} {count}")
                os._exit(0)
        finally:
            os._exit(1)
    os.close(ready)
    with os.fdopen(go, "wb", 0) as pipe:
        os.setgroups([])
        os.setresgid(first, first, first)
        os.setresuid(first, first, first)
        _linux.unshare(flags | _NEW_USER)
        pipe.write(b"+")
        _, status = os.waitpid(helper, 0)
    if status:
        raise OSError("the ids of a user namespace could not be mapped")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    except OSError as problem:
        raise OSError(problem.errno, f"{path}: {problem.strerror}") from problem
    finally:
        os.close(descriptor)


def forbid_namespaces() -> None:
    """Forbids further user namespaces below this one; needs the capabilities of its first process.

    In a namespace of its own a process would be its root, with much more of the kernel in reach.
    """
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")


def limit_objects() -> None:
    """Limits what a namespace may have of the grader's own share; needs the same capabilities."""
    for name, most in _OBJECTS.items():
        with open(f"/proc/sys/user/{name}", "w") as file:
            file.write(str(most))
