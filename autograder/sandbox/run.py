"""The processes of one run, as the slot holds them: started, drained, watched, ended."""

import contextlib
import fcntl
import os
import select
import signal
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from autograder.errors import SandboxFailure
from autograder.sandbox import watch
from autograder.sandbox.channel import Channel, pair

__all__ = ["StudentRun"]

_SPAWN_SECONDS = 30.0
_END_SECONDS = 30.0
# Between the end of a connection and that of the process.
_EXIT_SECONDS = 2.0
# Of what is written past Python, between two cells.
_PRINTED_LIMIT = 2**18
_PIPE_SIZE = 2**20
_DRAIN_SECONDS = 0.1

# The kernel ends a process with these for what it used, not for what it did.
_LIMIT_SIGNALS = {signal.SIGXCPU, signal.SIGXFSZ}


@dataclass
class _Printed:
    """What came from a process's own stdout or stderr; what is too much is thrown away."""

    name: str
    descriptor: int
    kept: bytearray = field(default_factory=bytearray)
    total: int = 0
    ended: bool = False

    @property
    def full(self) -> bool:
        return self.total > _PRINTED_LIMIT

    def drain(self) -> None:
        try:
            chunk = os.read(self.descriptor, _PIPE_SIZE)
        except BlockingIOError:
            return
        self.ended = not chunk
        self.total += len(chunk)
        self.kept += chunk[: max(_PRINTED_LIMIT - len(self.kept), 0)]

    def take(self) -> str:
        text = bytes(self.kept).decode("utf-8", "replace")
        note = "\n[output truncated]\n" if self.full else ""
        self.kept, self.total = bytearray(), 0
        return text + note


class StudentRun:
    """One student process and whatever it starts."""

    def __init__(self, pidfd: int, report: Channel, printed: tuple[_Printed, ...]) -> None:
        """Takes what `start` has made."""
        self._pidfd = pidfd
        self._pid = watch.pid_of(pidfd)
        self._report = report
        self._printed = printed
        self._killed_for: str | None = None
        self._ended: dict[str, Any] | None = None
        self._told_status = False
        self._unseen: frozenset[int] = frozenset()
        self._next_drain = self._next_watch = 0.0

    @classmethod
    def start(cls, zygote: Channel) -> tuple["StudentRun", socket.socket]:
        """Starts a student process, locked down and ready.

        Returns:
            The run, and the judge's end of the wire.

        Raises:
            SandboxFailure: If a step of the way there failed.
        """
        deadline = time.monotonic() + _SPAWN_SECONDS
        try:
            with contextlib.ExitStack() as kept, contextlib.ExitStack() as given:
                report, report_theirs = pair()
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
                for stack, end in (
                    (kept, report), (given, report_theirs), (kept, ours), (given, theirs)
                ):  # fmt: skip
                    stack.callback(end.close)
                printed, writers = [], []
                for name in ("stdout", "stderr"):
                    reader, writer = os.pipe()
                    kept.callback(os.close, reader)
                    given.callback(os.close, writer)
                    os.set_blocking(reader, False)
                    with contextlib.suppress(OSError):
                        # An ordinary user may have used up what pipes may hold.
                        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
                    printed.append(_Printed(name, reader))
                    writers.append(writer)
                zygote.send({}, [theirs.fileno(), *writers, report_theirs.fileno()], deadline)
                given.close()
                pidfd = -1
                said: set[str] = set()
                while not said.issuperset(("process", "ready")):
                    content, descriptors = report.receive(deadline)
                    if "failed" in content or "status" in content:
                        raise SandboxFailure(str(content.get("failed", "it ended at once")))
                    said |= set(content)
                    for pidfd in descriptors:
                        kept.callback(os.close, pidfd)
                run = cls(pidfd, report, tuple(printed))
                kept.pop_all()
                return run, ours
        except (OSError, SandboxFailure) as problem:
            raise SandboxFailure(f"No student process could be started: {problem}.") from problem

    def sources(self) -> list[int]:
        """Returns the descriptors that are worth waking up for."""
        return [p.descriptor for p in self._printed if not (p.full or p.ended)]

    def drain(self) -> None:
        """Takes what was printed. What prints too much is slowed down, not kept."""
        now = time.monotonic()
        slow = now >= self._next_drain
        if slow:
            self._next_drain = now + _DRAIN_SECONDS
        for printed in self._printed:
            if not printed.ended and (slow or not printed.full):
                printed.drain()

    def printed(self) -> list[dict[str, Any]]:
        """Returns, as nbformat outputs, what was printed since the last call."""
        outputs = []
        for printed in self._printed:
            if not printed.ended:
                printed.drain()
            if text := printed.take():
                outputs.append({"output_type": "stream", "name": printed.name, "text": text})
        return outputs

    def watch(self, limit: int, folders: Iterable[str], every: float) -> None:
        """Kills all of it if it uses more than `limit` bytes of memory; looks now and then.

        Also if a process hides what it uses. `folders` are file systems in memory that only this
        run has.
        """
        now = time.monotonic()
        if now < self._next_watch or self._killed_for or self._ended:
            return
        self._next_watch = now + every
        used = watch.use(self._pid, limit, folders)
        if used.memory > limit:
            self.kill_for("MEMORY")
        elif used.unseen & self._unseen:
            # Twice: a program that may not be looked into may also have ended since.
            self.kill_for("LIMIT")
        self._unseen = used.unseen

    def kill_for(self, result_class: str) -> None:
        """Kills all of it; how it ended is told by the class."""
        if not self._ended:
            self._killed_for = result_class
            self._kill()

    def end(self, gone: bool = False) -> dict[str, Any]:
        """Kills all of it, waits until nothing is left, and tells how it ended.

        Args:
            gone: Whether it has closed its connection, so that its end is to be waited for.

        Raises:
            SandboxFailure: If something is left.
        """
        if self._ended is None:
            status = self._status(time.monotonic() + (_EXIT_SECONDS if gone else 0.0))
            self._kill()
            self._wait_for_end(time.monotonic() + _END_SECONDS)
            self._ended = self._described(status)
        return self._ended

    @property
    def cleared(self) -> bool:
        """Whether its keeper lived to clear up after it, where no namespace ends with it."""
        return self._told_status

    def close(self) -> None:
        """Ends it, and lets go of every descriptor."""
        try:
            self.end()
        finally:
            self._report.close()
            os.close(self._pidfd)
            for printed in self._printed:
                os.close(printed.descriptor)

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _status(self, deadline: float) -> int | None:
        """Returns the exit status, if the process has ended by itself by the deadline."""
        poll = select.poll()
        poll.register(self._report.fileno(), select.POLLIN)
        wait = max(deadline - time.monotonic(), 0.0)
        if not poll.poll(1000 * wait):
            return None
        try:
            content, _ = self._report.receive(deadline + _END_SECONDS)
        except ConnectionError:
            return None
        self._told_status = "status" in content
        return int(content.get("status", 0))

    def _wait_for_end(self, deadline: float) -> None:
        """Waits until no process holds the report any more: then there is none."""
        try:
            while True:
                content, _ = self._report.receive(deadline)
                self._told_status |= "status" in content
        except ConnectionError:
            return
        except TimeoutError as problem:
            raise SandboxFailure("A student process could not be ended.") from problem

    def _described(self, status: int | None) -> dict[str, Any]:
        if self._killed_for is not None:
            return {"class": self._killed_for, "signal": None}
        if status is None:
            return {"class": "OK", "signal": None}
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        name = None if number is None else signal.Signals(number).name
        return {"class": "LIMIT" if number in _LIMIT_SIGNALS else "CRASHED", "signal": name}
