"""A second barrier for files, signals and sockets, which does not depend on namespaces: Landlock.

A mount namespace alone does not stop a process that holds a descriptor from outside.
"""

import ctypes
import os
from collections.abc import Iterable

from autograder.sandbox import _linux

__all__ = ["SCOPES_SINCE", "landlock_version", "restrict_files"]

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR = 1 << 4, 1 << 5, 1 << 6, 1 << 7
_MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK = 1 << 8, 1 << 9, 1 << 10, 1 << 11
_MAKE_SYM, _REFER, _TRUNCATE, _IOCTL_DEV = 1 << 12, 1 << 13, 1 << 14, 1 << 15
# From which version of Landlock on each is known.
_SINCE = {_REFER: 2, _TRUNCATE: 3, _IOCTL_DEV: 5}
_ALL = (1 << 16) - 1

_READING = _EXECUTE | _READ_FILE | _READ_DIR
_WRITING = _ALL & ~(_MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV)
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
# Bind and connect over TCP; nothing is permitted.
_NETWORK, _NETWORK_SINCE = 0b11, 4
# Abstract local sockets and signals of whoever is outside.
_SCOPES, SCOPES_SINCE = 0b11, 6


class _Ruleset(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("files", "network", "scopes")]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def landlock_version() -> int:
    """Returns the version of Landlock that this kernel has; 0 if none."""
    try:
        return _linux.system_call(
            "landlock", _CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION)
        )
    except OSError:
        return 0


def restrict_files(
    writable: Iterable[str], devices: Iterable[str], readable: Iterable[str] = ("/",)
) -> None:
    """Lets this process, for good, read and write below some places only.

    Also: no device files, no TCP, no signal or abstract socket to a process outside (from
    version `SCOPES_SINCE` on).

    Args:
        writable: Folders.
        devices: Device files that may be written to.
        readable: Folders and files; all that the process sees by default.
    """
    version = landlock_version()
    if version == 0:
        raise OSError(f"Landlock {os.strerror(38)}")
    known = _ALL
    for right, since in _SINCE.items():
        known &= ~right if version < since else _ALL
    ruleset = _Ruleset(
        files=known,
        network=_NETWORK if version >= _NETWORK_SINCE else 0,
        scopes=_SCOPES if version >= SCOPES_SINCE else 0,
    )
    descriptor = _linux.system_call(
        "landlock_create_ruleset",
        _CREATE_RULESET,
        ctypes.byref(ruleset),
        ctypes.c_size_t(ctypes.sizeof(ruleset)),
        ctypes.c_uint32(0),
    )
    try:
        for path in readable:
            _allow(descriptor, path, _READING & known)
        for path in writable:
            _allow(descriptor, path, _WRITING & known)
        for path in devices:
            _allow(descriptor, path, _WRITING & known)
        _linux.system_call(
            "landlock_restrict_self", _RESTRICT_SELF, ctypes.c_int(descriptor), ctypes.c_uint32(0)
        )
    finally:
        os.close(descriptor)


def _allow(ruleset: int, path: str, rights: int) -> None:
    folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    if not os.path.isdir(path):
        rights &= _OF_FILES
    try:
        rule = _Beneath(allowed=rights, folder=folder)
        _linux.system_call(
            f"landlock_add_rule for {path}",
            _ADD_RULE,
            ctypes.c_int(ruleset),
            ctypes.c_int(_PATH_BENEATH),
            ctypes.byref(rule),
            ctypes.c_uint32(0),
        )
    finally:
        os.close(folder)
