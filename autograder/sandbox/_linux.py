"""The kernel's calls that Python lacks, through the C library.

Each raises OSError, with the name of the call in its text.
"""

import ctypes
import os
from collections.abc import Collection

__all__ = [
    "CHANGE_IDS",
    "MS_BIND",
    "MS_NODEV",
    "MS_NOEXEC",
    "MS_NOSUID",
    "MS_PRIVATE",
    "MS_REC",
    "become_subreaper",
    "detach",
    "die_with_parent",
    "drop_capabilities",
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
# CAP_SETGID and CAP_SETUID.
CHANGE_IDS = (6, 7)

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


def unshare(flags: int) -> None:
    """Gives this process namespaces of its own."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


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


def keep_capabilities(only: Collection[int] = range(64)) -> None:
    """Has the program that this process becomes keep its capabilities, though it is not root."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    # Effective, permitted, inheritable; of 32 each, the lower ones first.
    sets = (ctypes.c_uint32 * 6)()
    _checked(_libc.capget(header, sets), "capget")
    for half in (0, 3):
        sets[half + 2] = sets[half + 1]
    _checked(_libc.capset(header, sets), "capset")
    for capability in range(64):
        held = sets[1 + 3 * (capability // 32)] >> capability % 32 & 1
        if held and capability in only:
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
