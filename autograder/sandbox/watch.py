"""How much memory a submission uses, over all its processes."""

import os
import stat
from collections.abc import Iterator

__all__ = ["memory", "pid_of", "processes"]

_PROCESSES_LIMIT = 5_000
# What `st_blocks` counts in, whatever the file system.
_BLOCK = 512


def pid_of(pidfd: int) -> int:
    """Returns the process id behind a pidfd, as seen from here; -1 once it has ended."""
    with open(f"/proc/self/fdinfo/{pidfd}") as file:
        for line in file:
            if line.startswith("Pid:"):
                return int(line.split()[1])
    return -1


def processes(first: int) -> list[int]:
    """Returns a process and its descendants; those that come and go meanwhile may be missing."""
    found, index = [first], 0
    while index < len(found) < _PROCESSES_LIMIT:
        found += _children(found[index])
        index += 1
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                children += [int(child) for child in file.read().split()]
    except OSError:
        # It has ended.
        pass
    return children


def memory(first: int) -> int:
    """Returns the bytes that a process and its descendants use; shared ones in equal parts.

    With those of files in memory that have no name; files with one are limited by where they lie.
    """
    found = processes(first)
    files = {file for pid in found for file in _nameless_files(pid)}
    return sum(_proportional(pid) for pid in found) + sum(size for _, _, size in files)


def _nameless_files(pid: int) -> Iterator[tuple[int, int, int]]:
    """Yields device, number and bytes of the open files that are in no folder."""
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            file = os.stat(f"/proc/{pid}/fd/{name}")
            if stat.S_ISREG(file.st_mode) and file.st_nlink == 0:
                yield file.st_dev, file.st_ino, file.st_blocks * _BLOCK
    except OSError:
        # The process, or the file, has gone.
        return


def _proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        # It has ended, or is one of ours that nobody may look into.
        pass
    return 0
