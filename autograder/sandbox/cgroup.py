"""Exact limits where this machine delegates a control group (version 2): all is counted.

Without one, the watch adds up what processes use; with one, the kernel counts every page, its own
for sockets, pipes and locks among them, and ends a student process rather than anything else. Who
grades under `systemd-run --user --scope -p Delegate=yes lgm grade …` has one.
"""

import contextlib
import itertools
import os
from pathlib import Path

from autograder.sandbox.policy import Limits

__all__ = ["ControlGroup", "delegated_group"]

_CONTROLLERS = ("memory", "pids", "cpu")
_MEBIBYTE = 2**20
# Beside the submission's own: the process that it is forked from, and those that keep it.
_OURS_MEBIBYTES = 1024
_OUR_PROCESSES = 8
# Of 100 for whatever else runs on this machine.
_WEIGHT = 20

_numbers = itertools.count()


class ControlGroup:
    """The group of one slot: its zygote, and all that is forked from it."""

    def __init__(self, parent: Path, limits: Limits) -> None:
        """Makes a group below a delegated one.

        Raises:
            OSError: If the machine refuses.
        """
        self._folder = parent / f"lgm-{os.getpid()}-{next(_numbers)}"
        self._folder.mkdir()
        memory = (limits.memory_mebibytes + _OURS_MEBIBYTES) * _MEBIBYTE
        self._write("memory.max", memory)
        self._write("memory.swap.max", 0)
        self._write("pids.max", limits.processes + _OUR_PROCESSES)
        self._write("cpu.weight", _WEIGHT)
        self._kills = self._ended_for_memory()

    def add(self, pid: int) -> None:
        """Puts a process into it; what it forks from here on is in it, too."""
        self._write("cgroup.procs", pid)

    def ran_out(self) -> bool:
        """Whether the kernel has ended a process of it for memory since this was last asked."""
        before, self._kills = self._kills, self._ended_for_memory()
        return self._kills > before

    def close(self) -> None:
        """Removes it; its processes have ended."""
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _write(self, name: str, value: int) -> None:
        (self._folder / name).write_text(f"{value}\n", encoding="ascii")

    def _ended_for_memory(self) -> int:
        try:
            lines = (self._folder / "memory.events").read_text(encoding="ascii").splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def delegated_group(
    groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> Path | None:
    """Returns the control group in which this process may make others, or None.

    This process moves to a group of its own below it, since the kernel lets only groups without
    processes have limited ones below them.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
        (path,) = (line[len("0::") :] for line in lines if line.startswith("0::"))
        folder = groups / path.lstrip("/")
        there = (folder / "cgroup.controllers").read_text(encoding="ascii").split()
        # The root of all groups is nobody's to divide.
        if path == "/" or not set(_CONTROLLERS) <= set(there):
            return None
        ours = folder / "lgm"
        ours.mkdir(exist_ok=True)
        (ours / "cgroup.procs").write_text(f"{os.getpid()}\n", encoding="ascii")
        wanted = " ".join(f"+{name}" for name in _CONTROLLERS)
        (folder / "cgroup.subtree_control").write_text(wanted, encoding="ascii")
    except (OSError, ValueError):
        return None
    return folder
