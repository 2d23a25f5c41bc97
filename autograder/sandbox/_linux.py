"""The kernel's calls that Python lacks, through the C library.

Each raises OSError, with the name of the call in its text.
"""

import ctypes
import os

__all__ = [
    "MS_BIND",
    "MS_NODEV",
    "MS_NOEXEC",
    "MS_NOSUID",
    "MS_PRIVATE",
    "MS_REC",
    "NEW_ALL",
    "NEW_MOUNTS",
    "become_subreaper",
    "detach",
    "die_with_parent",
    "drop_capabilities",
    "enter_user_namespace",
    "forbid_new_privileges",
    "keep_capabilities",
    "mount",
    "pivot_root",
    "process_control",
    "restrict_mount",
    "set_dumpable",
    "system_call",
    "unshare",
]

NEW_MOUNTS = 0x00020000
NEW_USER = 0x10000000
_NEW_CGROUP, _NEW_UTS, _NEW_IPC = 0x02000000, 0x04000000, 0x08000000
_NEW_PID, _NEW_NET = 0x20000000, 0x40000000
NEW_ALL = NEW_MOUNTS | NEW_USER | _NEW_CGROUP | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET

MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x2, 0x4, 0x8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 0x1, 0x2, 0x4
_AT_RECURSIVE, _AT_FDCWD = 0x8000, -100
_MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_SECUREBITS, _PR_SET_CHILD_SUBREAPER = 28, 36
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 38, 47
_PR_CAP_AMBIENT_RAISE, _PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
# No root user, no set-uid fix-up, no ambient capabilities; each with its lock.
_SECUREBITS_ALL = 0b11101111
_CAPABILITY_VERSION = 0x20080522

# Numbers from 424 on are the same on every architecture.
_MOUNT_SETATTR = 442

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def _checked(result: int, call: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result


def system_call(name: str, number: int, *arguments: object) -> int:
    """Makes a system call that the C library has no function for."""
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments), name)


def process_control(name: str, option: int, *arguments: int) -> None:
    """Calls `prctl`."""
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    _checked(_libc.prctl(option, *padded), f"prctl {name}")


def enter_user_namespace(flags: int, inside: int) -> None:
    """Gives this process a user namespace, and others of `flags`, in which it is `inside`.

    Only the caller's own user and group are mapped. The process must have a single thread.
    """
    user, group = os.geteuid(), os.getegid()
    unshare(flags | NEW_USER)
    # The files written below belong to root for a process that is not dumpable.
    set_dumpable(True)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{inside} {user} 1")
    _write("/proc/self/gid_map", f"{inside} {group} 1")


def unshare(flags: int) -> None:
    """Gives this process namespaces of its own."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    except OSError as problem:
        raise OSError(problem.errno, f"{path}: {problem.strerror}") from problem
    finally:
        os.close(descriptor)


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mounts a file system, or binds one place to another."""
    names = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    result = _libc.mount(*names, ctypes.c_ulong(flags), os.fsencode(options) or None)
    _checked(result, f"mount of {target}")


def restrict_mount(
    target: str, recursive: bool = False, devices: bool = False, read_only: bool = True
) -> None:
    """Makes a mount read-only, without set-uid programs and, by default, without devices."""
    wanted = _ATTR_NOSUID | (_ATTR_RDONLY if read_only else 0) | (0 if devices else _ATTR_NODEV)
    attributes = _MountAttributes(set=wanted)
    system_call(
        f"mount_setattr of {target}",
        _MOUNT_SETATTR,
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )


def pivot_root(new_root: str, old_root: str) -> None:
    """Makes `new_root` the root; the old one is at `old_root`, below it."""
    _checked(_libc.pivot_root(os.fsencode(new_root), os.fsencode(old_root)), "pivot_root")


def detach(target: str) -> None:
    """Unmounts a whole tree."""
    _checked(_libc.umount2(os.fsencode(target), _MNT_DETACH), f"umount of {target}")


def set_dumpable(dumpable: bool) -> None:
    """Says whether other processes of the same user may look into this one."""
    process_control("SET_DUMPABLE", _PR_SET_DUMPABLE, int(dumpable))


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process when the thread that forked it ends.

    A change of credentials undoes this. `parent` is the parent's process id as seen from here (0
    from within a new process namespace), to notice one that has ended already.
    """
    process_control("SET_PDEATHSIG", _PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:
        os._exit(1)


def become_subreaper() -> None:
    """Has descendants whose parent ends become children of this process."""
    process_control("SET_CHILD_SUBREAPER", _PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_privileges() -> None:
    """Makes set-uid programs and file capabilities useless from here on."""
    process_control("SET_NO_NEW_PRIVS", _PR_SET_NO_NEW_PRIVS, 1)


def keep_capabilities() -> None:
    """Has the program that this process becomes keep its capabilities, though it is not root."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    # Effective, permitted, inheritable; of 32 each, the lower ones first.
    sets = (ctypes.c_uint32 * 6)()
    _checked(_libc.capget(header, sets), "capget")
    for half in (0, 3):
        sets[half + 2] = sets[half + 1]
    _checked(_libc.capset(header, sets), "capset")
    for capability in range(64):
        if sets[1 + 3 * (capability // 32)] >> capability % 32 & 1:
            process_control("CAP_AMBIENT", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def drop_capabilities() -> None:
    """Gives up every capability in every set, for good."""
    with open("/proc/sys/kernel/cap_last_cap") as file:
        last = int(file.read())
    process_control("CAP_AMBIENT", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    for capability in range(last + 1):
        process_control("CAPBSET_DROP", _PR_CAPBSET_DROP, capability)
    process_control("SET_SECUREBITS", _PR_SET_SECUREBITS, _SECUREBITS_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
