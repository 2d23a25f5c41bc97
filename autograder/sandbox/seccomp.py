"""Which system calls a student process may make: the filter, from a table.

Everything is allowed but what is listed: what reaches into the kernel or into other processes, and
what makes objects that no namespace keeps apart.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from autograder.sandbox import _linux

__all__ = [
    "ARCHITECTURES",
    "ALLOW",
    "KILL",
    "NUMBERS",
    "NUMBERS_OUTSIDE",
    "Architecture",
    "filter_program",
    "restrict_calls",
]

ALLOW, KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

# Name: number on x86-64, on aarch64; None where there is no such call.
NUMBERS: dict[str, tuple[int | None, int | None]] = {
    # keys, tracing, other processes
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "userfaultfd": (323, 282),
    # io_uring, which does other calls past this filter
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # shared memory and messages that no process needs to hold, and so nobody counts
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    # other cores than the slot's own
    "sched_setaffinity": (203, 122),
    # rules and filters of its own, which hold memory that nobody counts
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
    "seccomp": (317, 277),
    # mounts and roots
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "setns": (308, 268),
    "unshare": (272, 97),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # the kernel itself
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "personality": (135, 92),
    "iopl": (172, None),
    "ioperm": (173, None),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "sysfs": (139, None),
    "ustat": (136, None),
    "uselib": (134, None),
    "vhangup": (153, 58),
    "fanotify_init": (300, 262),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "mknod": (133, None),
    "mknodat": (259, 33),
    # clock and names
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "settimeofday": (164, 170),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "connect": (42, 203),
}
# What acts, by name or number, on what a process of the same user owns outside. Denied as well
# where neither view nor namespaces keep it away.
NUMBERS_OUTSIDE: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
}
# Allowed for the process itself only: its first argument.
_SIGNALS: dict[str, tuple[int, int]] = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
}
# Denied for some arguments, or with another error; see `_special`.
_SPECIAL: dict[str, tuple[int, int]] = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "setsockopt": (54, 208),
    "prctl": (157, 167),
    "ioctl": (16, 29),
    "setrlimit": (160, 164),
    "prlimit64": (302, 261),
}
# mseal; whatever is newer does not exist, and programs go on without it.
_HIGHEST = 462
# x32: a second table of calls, with numbers from here on.
_X32 = 0x40000000

_NEW_NAMESPACES = 0x7E020000
_AF_UNIX, _RLIMIT_CORE = 1, 4
_SO_SNDBUF, _SO_SNDBUFFORCE = 7, 32
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

# Classic BPF: load a word of the call, compare, return.
_LOAD, _EQUAL, _GREATER, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_INSTRUCTION = struct.Struct("=HBBI")
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _MODE_FILTER = 4, 22, 2

_Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


@dataclass(frozen=True)
class Architecture:
    """One processor family: the kernel's word for it, and its column in the tables."""

    audit: int
    column: int


ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, 0),
    "aarch64": Architecture(0xC00000B7, 1),
}


def filter_program(machine: str, only: int | None = None) -> bytes:
    """Returns the filter for what `platform.machine` names.

    Args:
        machine: "x86_64" or "aarch64".
        only: Where neither view nor namespaces keep things apart: the id of the process that is
            filtered. Then nothing outside can be signalled, or changed in mode, owner, times,
            attributes or priority, by name or number.

    Raises:
        KeyError: For another machine.
    """
    architecture = ARCHITECTURES[machine]
    instructions = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture.audit),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, KILL),
        (_GREATER, 0, 1, _HIGHEST),
        (_RETURN, 0, 0, _error(errno.ENOSYS)),
    ]
    for numbers in (NUMBERS if only is None else NUMBERS | NUMBERS_OUTSIDE).values():
        number = numbers[architecture.column]
        if number is not None:
            instructions += _if_number(number, [(_RETURN, 0, 0, _error(errno.EPERM))])
    if only is not None:
        itself = (
            _argument(0),
            (_EQUAL, 1, 0, only),
            (_RETURN, 0, 0, _error(errno.EPERM)),
            (_RETURN, 0, 0, ALLOW),
        )
        for both in _SIGNALS.values():
            instructions += _if_number(both[architecture.column], list(itself))
        # The process id whose limits are meant; 0 is the process itself.
        instructions += _if_number(
            _SPECIAL["prlimit64"][architecture.column],
            [
                _argument(0),
                (_EQUAL, 2, 0, 0),
                (_EQUAL, 1, 0, only),
                (_RETURN, 0, 0, _error(errno.EPERM)),
                (_LOAD, 0, 0, _NUMBER),
            ],
        )
    for name, both in _SPECIAL.items():
        instructions += _if_number(both[architecture.column], list(_special(name)))
    instructions.append((_RETURN, 0, 0, ALLOW))
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in instructions)


def restrict_calls(only: int | None = None) -> None:
    """Puts the filter in place, for this process and all that it starts, for good.

    `only` is as for `filter_program`.
    """
    content = filter_program(platform.machine(), only)
    buffer = ctypes.create_string_buffer(content, len(content))
    program = _Program(len(content) // _INSTRUCTION.size, ctypes.addressof(buffer))
    _linux.process_control("SET_SECCOMP", _PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(program))


def _error(number: int) -> int:
    return _ERRNO | number


def _if_number(number: int, then: list[_Instruction]) -> list[_Instruction]:
    return [(_EQUAL, 0, len(then), number), *then]


def _argument(index: int, high: bool = False) -> _Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index + 4 * high)


def _special(name: str) -> Iterator[_Instruction]:
    """The instructions for one call; the last one returns."""
    denied = (_RETURN, 0, 0, _error(errno.EPERM))
    no_family = (_RETURN, 0, 0, _error(errno.EAFNOSUPPORT))
    allowed = (_RETURN, 0, 0, ALLOW)
    match name:
        case "clone":
            yield from (_argument(0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), denied, allowed)
        case "clone3":
            # Its flags lie in memory, where no filter looks: the C library then uses clone.
            yield (_RETURN, 0, 0, _error(errno.ENOSYS))
        case "socket":
            yield no_family
        case "socketpair":
            yield from (_argument(0), (_EQUAL, 0, 1, _AF_UNIX), allowed, no_family)
        case "setsockopt":
            # How much a socket holds, which is memory that only its number tells of.
            yield from (_argument(2), (_EQUAL, 1, 0, _SO_SNDBUF), (_EQUAL, 0, 1, _SO_SNDBUFFORCE))
            yield from (denied, allowed)
        case "prctl":
            # To hide from the watch what it uses; and filters of its own.
            yield from (_argument(0), (_EQUAL, 1, 0, _PR_SET_DUMPABLE))
            yield from ((_EQUAL, 0, 1, _PR_SET_SECCOMP), denied, allowed)
        case "ioctl":
            # Puts characters into the terminal of whoever started this.
            yield from (_argument(1), (_EQUAL, 1, 0, _TIOCSTI), (_EQUAL, 0, 1, _TIOCLINUX))
            yield from (denied, allowed)
        case "setrlimit":
            yield from (_argument(0), (_EQUAL, 0, 1, _RLIMIT_CORE), denied, allowed)
        case "prlimit64":
            yield from (_argument(1), (_EQUAL, 1, 0, _RLIMIT_CORE), allowed)
            # A new value is a pointer that is not null.
            yield from (_argument(2), (_EQUAL, 0, 3, 0), _argument(2, high=True))
            yield from ((_EQUAL, 0, 1, 0), allowed, denied)
