"""One submission's run: its cells, executed in a process of their own, kept ready for probes."""

import contextlib
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from autograder.errors import ProtocolError, RunEnded
from autograder.sandbox import wire
from autograder.sandbox.outputs import Outputs

__all__ = ["Budget", "Cell", "CellRun", "Run"]

# Each end of the process costs one cell its run; a notebook that ends it more often is given up.
RESTARTS = 5
# What a submission may be asked, and may answer, while its checks run once.
_EXCHANGES = 10_000
_BYTES = 2 * 2**30
_FORBIDDEN_CALL = "SIGSYS"

_NOTE_NAMES = "_lgm_names = dict(globals())"
_NAMES_AS_NOTED = """
for _lgm_name in set(globals()) - set(_lgm_names) - {"_lgm_names"}:
    del globals()[_lgm_name]
globals().update(_lgm_names)
"""

_SENTENCES = {
    "TIMEOUT": "it ran longer than {seconds:g} seconds and was stopped",
    "MEMORY": "it used more memory than a submission may and was stopped",
    "LIMIT": "it broke a limit on what a submission may use and was stopped",
    "CRASHED": "it ended the Python process{how}",
    "PROTOCOL": "what came back was not a result",
}


class _Exhausted(ProtocolError):
    """The submission has been asked, or has answered, as much as it may."""


class Link(Protocol):
    """What the judge needs of the slot that watches over the processes."""

    def spawn(self) -> socket.socket:
        """Returns the end of a fresh student process; an older one is killed first."""

    def printed(self) -> list[dict[str, Any]]:
        """Returns, as nbformat outputs, what was written past Python since the last call."""

    def end(self) -> dict[str, Any]:
        """Kills the student process and tells how it ended."""


@dataclass(frozen=True)
class Cell:
    """A code cell to run, as intake left it."""

    id: str
    source: str


@dataclass(frozen=True)
class Budget:
    """Wall-clock seconds for a cell, a probe and the whole submission.

    Attributes:
        rounds: How often the checks run; what may be asked and answered, and the time of the
            whole, grow with it.
    """

    cell: float
    probe: float
    submission: float
    rounds: int = 1


@dataclass
class CellRun:
    """What running one cell showed.

    Attributes:
        outcome: "done", "error", or the class of the end ("TIMEOUT", "CRASHED", ...).
        outputs: nbformat outputs; display material.
    """

    outcome: str
    outputs: list[dict[str, Any]] = field(default_factory=list)


class Run:
    """A submission whose cells have been run, in a process that answers probes.

    A cell that ends the process is left out, and the cells before and after it are run again in
    a fresh one. A probe that ends the process leaves a fresh one for the next probe.

    Attributes:
        cells: By id, what running the cells showed.
        ends: The classes in which the process ended so far.
        noticed: Sentences on what looks like an attack, for the tutor.
    """

    def __init__(self, link: Link, cells: Sequence[Cell], budget: Budget) -> None:
        """Takes the code cells in order; nothing runs before `start`."""
        self._link = link
        self._cells = list(cells)
        self._budget = budget
        self._end_of_time = time.monotonic() + budget.submission * budget.rounds
        self._first = len(self._cells)
        self._left_out: set[str] = set()
        self._given_up = False
        self._socket: socket.socket | None = None
        self._as_started: socket.socket | None = None
        self._sequence = 0
        self._received = 0
        self.cells: dict[str, CellRun] = {}
        self.ends: set[str] = set()
        self.noticed: set[str] = set()

    def start(self) -> None:
        """Runs the cells.

        Raises:
            SandboxFailure: If a process of ours died.
        """
        for _ in range(RESTARTS + 1):
            self._socket = self._link.spawn()
            if all(self._run_cell(cell) for cell in self._cells if cell.id not in self._left_out):
                return
        self._given_up = True

    def vary(self, cells: Sequence[Cell]) -> None:
        """Runs other cells after those of the start, in the place of those that varied before.

        What these have bound, replaced or deleted among the names of the notebook is as it was
        after the start. For code of ours only: what else they have changed stays.

        Raises:
            SandboxFailure: If a process of ours died.
        """
        for cell in self._cells[self._first :]:
            self.cells.pop(cell.id, None)
        del self._cells[self._first :]
        with contextlib.suppress(RunEnded):
            if self._socket is None or self._socket is not self._as_started:
                # None, or one where others have varied before the names were noted.
                self._stop()
                self.start()
                self.execute(_NOTE_NAMES)
                self._as_started = self._socket
            else:
                self.execute(_NAMES_AS_NOTED)
        self._cells += cells
        if self._socket is None or not all(self._run_cell(cell) for cell in cells):
            self.start()

    def execute(self, source: str) -> bool:
        """Runs code of ours after the cells; returns whether it ran to its end.

        Raises:
            RunEnded: If the process ended, or did not answer in time.
            SandboxFailure: If a process of ours died.
        """
        self._ensure_started()
        deadline = self._deadline(self._budget.cell)
        fields = {"id": "", "source": source, "seconds": self._budget.cell}
        try:
            self._send(wire.Message("cell", fields), deadline)
            while (reply := self._receive(deadline)).kind == "output":
                pass
        except (OSError, ProtocolError) as problem:
            raise self._ended(problem, "your code", self._budget.cell) from problem
        return reply.kind == "done"

    def exchange(self, message: wire.Message) -> wire.Message:
        """Sends a probe and returns the answer; the transport of `Student`.

        Raises:
            RunEnded: If the process ended, or did not answer in time.
            SandboxFailure: If a process of ours died.
        """
        self._ensure_started()
        deadline = self._deadline(self._budget.probe)
        try:
            self._send(message, deadline)
            return self._receive(deadline)
        except (OSError, ProtocolError) as problem:
            raise self._ended(problem, "your code", self._budget.probe) from problem

    def unfinished(self) -> dict[str, tuple[str, str, str]]:
        """Returns the cells that did not run to their end, by id.

        Of each: its source, its outcome, and the exception's name ("error"; student code may have
        chosen it) or a sentence of ours.
        """
        found = {}
        for cell in self._cells:
            run = self.cells.get(cell.id)
            if run is None or run.outcome == "done":
                continue
            errors = [output for output in run.outputs if output["output_type"] == "error"]
            key = "ename" if run.outcome == "error" else "evalue"
            what = str(errors[-1][key]).removeprefix("this cell: ") if errors else ""
            found[cell.id] = (cell.source, run.outcome, what)
        return found

    def close(self) -> None:
        """Ends the process."""
        self._stop()

    def _ensure_started(self) -> None:
        if self._socket is None and not self._given_up:
            self.start()

    def _run_cell(self, cell: Cell) -> bool:
        run = self.cells[cell.id] = CellRun("done")
        outputs = Outputs(run.outputs)
        seconds = self._budget.cell
        deadline = self._deadline(seconds)
        fields = {"id": cell.id, "source": cell.source, "seconds": seconds}
        try:
            self._send(wire.Message("cell", fields), deadline)
            while (reply := self._receive(deadline)).kind == "output":
                outputs.add(reply.fields)
            if reply.kind not in ("done", "error"):
                raise ProtocolError(f"a message of kind {reply.kind!r} at the end of a cell")
            run.outputs += self._link.printed()
        except (OSError, ProtocolError) as problem:
            ended = self._ended(problem, "this cell", seconds)
            run.outcome = ended.result_class
            run.outputs += self._link.printed()
            run.outputs.append(_error(ended.result_class, str(ended)))
            self._left_out.add(cell.id)
            return False
        if reply.kind == "error":
            run.outcome = "error"
        return True

    def _deadline(self, seconds: float) -> float:
        return min(time.monotonic() + seconds, self._end_of_time)

    def _connection(self) -> socket.socket:
        if self._socket is None:
            if "LIMIT" in self.ends:
                raise RunEnded("LIMIT", _SENTENCES["LIMIT"])
            raise RunEnded("CRASHED", "your notebook ended the Python process again and again")
        return self._socket

    def _send(self, message: wire.Message, deadline: float) -> None:
        self._sequence += 1
        if self._sequence > _EXCHANGES * self._budget.rounds:
            raise _Exhausted(f"more than {_EXCHANGES} exchanges")
        wire.send(self._connection(), replace(message, sequence=self._sequence), deadline)

    def _receive(self, deadline: float) -> wire.Message:
        reply = wire.receive(self._connection(), deadline)
        self._received += sum(array.nbytes for array in reply.arrays)
        if self._received > _BYTES * self._budget.rounds:
            raise _Exhausted(f"answers of more than {_BYTES} bytes")
        if reply.sequence != self._sequence:
            # Sent early, or twice: no answer to what was asked.
            raise ProtocolError(f"the answer to request {reply.sequence}")
        return reply

    def _ended(self, problem: Exception, subject: str, seconds: float) -> RunEnded:
        how = self._stop()
        result_class = how.get("class", "CRASHED")
        if result_class == "OK":
            timed_out = isinstance(problem, TimeoutError)
            result_class = "TIMEOUT" if timed_out else "PROTOCOL"
        if isinstance(problem, _Exhausted):
            self._given_up = True
            result_class = "LIMIT"
        self.ends.add(result_class)
        if result_class == "PROTOCOL":
            self.noticed.add(f"{subject}: it answered out of turn, or in bytes that are no answer")
        if how.get("signal") == _FORBIDDEN_CALL:
            self.noticed.add(f"{subject}: it used a table of system calls that nobody needs")
        if time.monotonic() >= self._end_of_time:
            return RunEnded(
                "TIMEOUT",
                f"the notebook as a whole ran longer than {self._budget.submission:g} seconds",
            )
        signal = f" (signal {how['signal']})" if how.get("signal") else ""
        sentence = _SENTENCES[result_class].format(seconds=seconds, how=signal)
        return RunEnded(result_class, f"{subject}: {sentence}")

    def _stop(self) -> Mapping[str, Any]:
        if self._socket is None:
            return {}
        self._socket.close()
        self._socket = None
        return self._link.end()


def _error(name: str, text: str) -> dict[str, Any]:
    return {
        "output_type": "error",
        "ename": name.capitalize(),
        "evalue": text,
        "traceback": [text[0].upper() + text[1:] + "."],
    }
