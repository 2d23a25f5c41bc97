"""What a submission uses, over all its processes."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

__all__ = ["Use", "pid_of", "processes", "use"]

_PROCESSES_LIMIT = 5_000
# What `st_blocks` counts in, whatever the file system.
_BLOCK = 512
# What the kernel keeps of each file in memory, beside its content.
_FILE_BYTES = 1024


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


@dataclass(frozen=True)
class Use:
    """What a process and its descendants use.

    Attributes:
        memory: Bytes; above the limit with shared ones in equal parts, below it perhaps counted
            more than once.
        unseen: The processes of which it cannot be told.
    """

    memory: int
    unseen: frozenset[int]


def use(first: int, limit: int, folders: Iterable[str] = ()) -> Use:
    """Finds out what a process and its descendants use.

    With what lies in files in memory, and what their sockets may hold. A file that is mapped as
    well counts twice. What is beyond the limit is not added up any more.

    Args:
        first: The process; one of ours.
        limit: How many bytes they may use.
        folders: File systems in memory that are theirs alone, as they see them.
    """
    found = processes(first)
    # What is resident is told at once. To share it out, the kernel walks through every page,
    # which takes longer than most cells; that is needed only where it may decide.
    used = _added_up(found, limit, folders, _resident)
    return used if used.memory <= limit else _added_up(found, limit, folders, _proportional)


def _added_up(
    found: list[int], limit: int, folders: Iterable[str], memory_of: Callable[[int], int]
) -> Use:
    first = found[0]
    devices, memory = _filled(found, folders)
    unseen = set()
    kept: dict[tuple[int, int], int] = {}
    for pid in found:
        memory += memory_of(pid)
        try:
            for device, number, size in _open(pid):
                if device not in devices and (device, number) not in kept:
                    kept[device, number] = size
                    memory += size
        except PermissionError:
            if pid != first:
                unseen.add(pid)
        except OSError:
            # The process, or the file, has gone.
            pass
        if memory > limit:
            break
    return Use(memory, frozenset(unseen))


def _filled(pids: Iterable[int], folders: Iterable[str]) -> tuple[set[int], int]:
    """Returns the numbers of the folders' file systems, and the bytes that are used in them."""
    for pid in pids:
        devices, used = set(), 0
        try:
            for folder in folders:
                path = f"/proc/{pid}/root{folder}"
                devices.add(os.stat(path).st_dev)
                status = os.statvfs(path)
                used += (status.f_blocks - status.f_bfree) * status.f_frsize
                used += (status.f_files - status.f_ffree) * _FILE_BYTES
        except OSError:
            # It has ended, or is one of ours that nobody may look into.
            continue
        return devices, used
    return set(), 0


def _open(pid: int) -> Iterator[tuple[int, int, int]]:
    """Yields device, number and bytes of open sockets, and of files that are in no folder."""
    for name in os.listdir(f"/proc/{pid}/fd"):
        file = os.stat(f"/proc/{pid}/fd/{name}")
        if stat.S_ISREG(file.st_mode) and file.st_nlink == 0:
            yield file.st_dev, file.st_ino, file.st_blocks * _BLOCK
        elif stat.S_ISSOCK(file.st_mode):
            yield file.st_dev, file.st_ino, _socket_bytes()


@cache
def _socket_bytes() -> int:
    """What a socket holds at most; the filter lets nobody raise it."""
    with open("/proc/sys/net/core/wmem_default") as file:
        return int(file.read())


def _resident(pid: int) -> int:
    """What is in memory or has been swapped out, shared or not, and the tables that say where."""
    return _told(pid, (("status", ("VmRSS:", "VmSwap:", "VmPTE:")),))


def _proportional(pid: int) -> int:
    """The same, with what is shared in equal parts."""
    return _told(pid, (("smaps_rollup", ("Pss:", "SwapPss:")), ("status", ("VmPTE:",))))


def _told(pid: int, sources: Iterable[tuple[str, tuple[str, ...]]]) -> int:
    total = 0
    try:
        for name, wanted in sources:
            with open(f"/proc/{pid}/{name}") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith(wanted))
    except OSError:
        # It has ended, or is one of ours that nobody may look into.
        pass
    return total * 1024
