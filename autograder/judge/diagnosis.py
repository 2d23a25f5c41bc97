"""Diagnosis: which catalogued mistake reproduces what a submission returned.

A failed check is asked again of each mistake of its exercise, with the same inputs and seeds, in
a process that runs no student code. A mistake agrees if it returns the same in all answers, or,
where random draws come out differently, if its draws have the law of the student's.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np

from autograder.checks import Evidence, default_tolerance
from autograder.errors import CheckFailed, RunEnded
from autograder.judge.catalogue import Entry
from autograder.judge.reference import Reference
from autograder.judge.run import Run
from autograder.judge.session import Checks, Finding
from autograder.judge.student import Student, Transport
from autograder.sandbox.wire import Message

__all__ = ["Connect", "Diagnosis", "Exchange", "recognised"]

Exchange = tuple[Message, Message]
Connect = Callable[[Transport, str, str], Student]


class _Differs(Exception):
    """A mistake answered something else than the student, and there is no law to compare."""


class _Apart(Exception):
    """Random draws came out otherwise, and what the mistake will show is known already."""


class _NotPlaced(Exception):
    """The code of a mistake did not run to its end."""


class _Placed:
    """A mistake in the place of the right answer, put there when it is first asked.

    Under one name of seeds a check asks a mistake the same for each student; what it has answered
    is not asked again.
    """

    def __init__(
        self, run: Run, mistake: Entry, cell: str, answered: dict[str, list[Exchange]]
    ) -> None:
        """Asks nothing yet.

        Args:
            run: A run of the reference.
            mistake: What stands in the place of the right answer.
            cell: The right answer's cell.
            answered: By check, what the mistake has answered already; is added to.
        """
        self._run = run
        self._mistake = mistake
        self._cell = cell
        self._answered = answered
        self._is_placed = False

    def asked_by(self, check: str) -> "_Answering":
        return _Answering(self, self._answered.setdefault(check, []))

    def exchange(self, message: Message) -> Message:
        if not self._is_placed:
            self._is_placed = True
            if not self._run.execute(self._mistake.source):
                raise _NotPlaced
        return self._run.exchange(message)

    def put_back(self) -> None:
        if self._is_placed:
            with contextlib.suppress(RunEnded):
                self._run.execute(self._cell)


class _Answering:
    """A transport to a mistake, for one check."""

    def __init__(self, placed: _Placed, answered: list[Exchange]) -> None:
        self._placed = placed
        self._answered = answered
        self._count = 0

    def exchange(self, message: Message) -> Message:
        self._count += 1
        if self._count <= len(self._answered):
            request, reply = self._answered[self._count - 1]
            if _alike(request, message):
                return reply
        reply = self._placed.exchange(message)
        if self._count > len(self._answered):
            self._answered.append((message, reply))
        return reply


class _Replay:
    """A transport to a mistake that compares its answers with the student's.

    Attributes:
        apart: Whether random draws came out otherwise: from there on only laws can be compared.
    """

    def __init__(self, transport: Transport, finding: Finding, known: bool) -> None:
        """Asks nothing yet.

        Args:
            transport: The way to the mistake.
            finding: What the student answered.
            known: Whether to stop where draws come apart, since the rest is known.
        """
        self._transport = transport
        self._exchanges = finding.exchanges
        self._has_law = finding.failure is not None and finding.failure.evidence is not None
        self._known = known
        self._count = 0
        self.apart = False

    def exchange(self, message: Message) -> Message:
        reply = self._transport.exchange(message)
        if self.apart:
            return reply
        if self._count == len(self._exchanges):
            raise _Differs
        request, seen = self._exchanges[self._count]
        self._count += 1
        if not (_alike(request, message) and _alike(seen, reply)):
            if not (self._has_law and _draws(message.fields["arguments"])):
                raise _Differs
            self.apart = True
            if self._known:
                raise _Apart
        return reply

    @property
    def same(self) -> bool:
        """Whether all answers were the student's."""
        return not self.apart and self._count == len(self._exchanges)


class Diagnosis:
    """Compares submissions with the catalogued mistakes of an assignment, one after another."""

    def __init__(self, checks: Checks, reference: Reference, connect: Connect) -> None:
        """Compares nothing yet.

        Args:
            checks: The collected checks.
            reference: Where the mistakes, and what they need, come from.
            connect: Returns the student to speak to, over a transport, with the seeds of a name,
                for a check's id.
        """
        self._checks = checks
        self._reference = reference
        self._connect = connect
        self._cells = {answer.exercise: answer.cell for answer in reference.answers}
        # Whether a mistake fails a check does not depend on whom it is compared with.
        self._known: dict[tuple[str, str, str], bool] = {}
        # Nor does what it answers and shows under the seeds of one name, which a proof uses again
        # and again.
        self._seed_name = ""
        self._answered: dict[tuple[str, str], dict[str, list[Exchange]]] = {}
        self._shown: dict[tuple[str, str, str], BaseException | None] = {}

    def matches(
        self, findings: Mapping[str, Finding], seed_name: str, run: Run
    ) -> dict[str, list[Entry]]:
        """Returns, for each failed check, the mistakes that agree with what it saw.

        A mistake agrees with all failed checks of its exercise that it fails itself, or with none;
        and the student has failed every check that names it.

        Args:
            findings: What each check found, by its id.
            seed_name: Whose seeds were used.
            run: A run of the reference, not yet started.
        """
        if seed_name != self._seed_name:
            self._seed_name = seed_name
            self._answered.clear()
            self._shown.clear()
        found: dict[str, list[Entry]] = {}
        for exercise, ids in self._checks.by_exercise.items():
            own = [findings[id] for id in ids if id in findings]
            failed = {f.result.id for f in own if f.result.outcome == "failed"}
            asked = [f for f in own if f.result.id in failed and _can_be_compared(f)]
            for mistake in self._reference.mistakes if asked else ():
                if mistake.exercise == exercise and self._checks.naming(mistake) <= failed:
                    for id in self._agreeing(mistake, asked, run):
                        found.setdefault(id, []).append(mistake)
        return found

    def _agreeing(self, mistake: Entry, asked: Sequence[Finding], run: Run) -> list[str]:
        """Puts a mistake in the place of the right answer, and returns where it agrees."""
        naming = self._checks.naming(mistake)
        # First those that it is sure to fail, and of them the quick ones: most mistakes are told
        # apart by them. What agrees does not depend on the order.
        order = sorted(asked, key=lambda f: (f.result.id not in naming, f.seconds))
        answered = self._answered.setdefault((mistake.exercise, mistake.name), {})
        placed = _Placed(run, mistake, self._cells[mistake.exercise], answered)
        agreeing = []
        try:
            for finding in order:
                how = self._compared(mistake, finding, placed)
                if how == "agrees":
                    agreeing.append(finding.result.id)
                elif how == "fails" or (
                    how == "differs" and self._fails(mistake, finding, placed)
                ):
                    agreeing = []
                    break
        except RunEnded:
            # It ended its process; the next one starts with the right answers.
            return []
        except _NotPlaced:
            agreeing = []
        placed.put_back()
        return agreeing

    def _compared(
        self, mistake: Entry, finding: Finding, placed: _Placed
    ) -> Literal["agrees", "fails", "passes", "differs"]:
        """Asks the mistake what the student was asked; "differs" leaves open if it passes."""
        id = finding.result.id
        key = (mistake.exercise, mistake.name, id)
        replay = _Replay(placed.asked_by(id), finding, key in self._shown)
        raised = self._checks.attempt(id, self._connect(replay, self._seed_name, id))
        if isinstance(raised, RunEnded | _NotPlaced):
            raise raised
        if isinstance(raised, _Differs):
            return "differs"
        if isinstance(raised, _Apart):
            raised = self._shown[key]
        elif replay.apart:
            # A traceback would keep what the check had in hand.
            self._shown[key] = raised and raised.with_traceback(None)
        if not isinstance(raised, CheckFailed):
            return "passes" if raised is None else "fails"
        if not replay.apart:
            return "agrees" if replay.same else "fails"
        seen = cast(Evidence | None, finding.failure.evidence if finding.failure else None)
        made = cast(Evidence | None, raised.evidence)
        if seen is None or made is None or not seen.agrees(made):
            return "fails"
        return "agrees"

    def _fails(self, mistake: Entry, finding: Finding, placed: _Placed) -> bool:
        """Whether a mistake fails a check; asked once, with seeds of nobody's."""
        id = finding.result.id
        if id in self._checks.naming(mistake):
            return True
        key = (mistake.exercise, mistake.name, id)
        if key not in self._known:
            raised = self._checks.attempt(id, self._connect(placed, "", id))
            if isinstance(raised, RunEnded | _NotPlaced):
                raise raised
            self._known[key] = raised is not None
        return self._known[key]


def recognised(matches: Iterable[Entry], left_out: Entry | None = None) -> Entry | None:
    """Returns the mistake to name: the only one that agrees; those with one hint count as one.

    Args:
        matches: The mistakes that agree.
        left_out: One to leave out, with all that have its hint: so the proof measures how often a
            mistake that is not in the catalogue gets another one's name.
    """
    hints: dict[str, Entry] = {}
    for mistake in matches:
        if left_out is None or mistake.hint != left_out.hint:
            hints.setdefault(mistake.hint, mistake)
    return next(iter(hints.values())) if len(hints) == 1 else None


def _can_be_compared(finding: Finding) -> bool:
    """Whether student code returned something to the very end: an exception says what it is."""
    return bool(
        finding.failure is not None
        and finding.exchanges
        and finding.exchanges[-1][1].kind == "arrays"
    )


def _draws(leaf: Any) -> bool:  # noqa: ANN401
    """Whether a generator is among packed arguments."""
    if isinstance(leaf, dict):
        return "rng" in leaf or any(_draws(item) for item in leaf.values())
    return isinstance(leaf, list) and any(_draws(item) for item in leaf)


def _alike(one: Message, other: Message) -> bool:
    """Whether two messages say the same, within the tolerance of their numbers."""
    same = (one.kind, _said(one)) == (other.kind, _said(other))
    pairs = zip(one.arrays, other.arrays, strict=False)
    return same and len(one.arrays) == len(other.arrays) and all(_close(a, b) for a, b in pairs)


def _said(message: Message) -> Mapping[str, Any]:
    if message.kind != "error":
        # Whether arguments were changed in place is a hint, not an answer.
        return {name: value for name, value in message.fields.items() if name != "changed"}
    # Where and in which words an exception was raised is the student's own.
    return {name: message.fields.get(name) for name in ("error", "type")}


def _close(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind not in "fc":
        return np.array_equal(one, other)
    finite = np.abs(one[np.isfinite(one)])
    scale = float(np.max(finite, initial=0.0)) or 1.0
    tolerance = default_tolerance(one.dtype) * scale
    return bool(np.allclose(one, other, rtol=0.0, atol=tolerance, equal_nan=True))
