"""Diagnosis: which catalogued mistake reproduces what a submission returned.

A failed check is asked again of each mistake of its exercise, with the same inputs and seeds, in
a process that runs no student code. A mistake agrees if it returns the same in all answers, or,
where random draws come out differently, if its draws have the law of the student's.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from autograder.checks import Evidence, default_tolerance
from autograder.errors import CheckFailed, RunEnded
from autograder.judge.catalogue import Entry
from autograder.judge.reference import Reference
from autograder.judge.run import Run
from autograder.judge.session import Checks, Finding
from autograder.judge.student import Student, Transport
from autograder.sandbox.wire import Message

__all__ = ["Exchange", "matching_mistakes", "recognised"]

Exchange = tuple[Message, Message]


class _Replay:
    """A transport to a mistake that compares its answers with the student's.

    Attributes:
        differs: Whether an answer without chance in it was another one.
        apart: Whether random draws came out otherwise: from there on only laws can be compared.
    """

    def __init__(self, transport: Transport, exchanges: Sequence[Exchange]) -> None:
        self._transport = transport
        self._exchanges = list(exchanges)
        self._count = 0
        self.differs = False
        self.apart = False

    def exchange(self, message: Message) -> Message:
        reply = self._transport.exchange(message)
        if self.apart or self.differs:
            return reply
        if self._count == len(self._exchanges):
            self.differs = True
            return reply
        request, seen = self._exchanges[self._count]
        self._count += 1
        if not (_alike(request, message) and _alike(seen, reply)):
            self.apart = _draws(message.fields["arguments"])
            self.differs = not self.apart
        return reply

    @property
    def same(self) -> bool:
        """Whether all answers were the student's."""
        return not (self.apart or self.differs) and self._count == len(self._exchanges)


def matching_mistakes(
    checks: Checks,
    findings: Mapping[str, Finding],
    reference: Reference,
    run: Run,
    connect: Callable[[Transport, str], Student],
) -> dict[str, list[Entry]]:
    """Returns, for each failed check, the mistakes that agree with what it saw.

    A mistake agrees with all failed checks of its exercise that it fails itself, or with none; and
    the student has failed every check that names it.

    Args:
        checks: The collected checks.
        findings: What each check found, by its id.
        reference: Where the mistakes, and what they need, come from.
        run: A run of `reference_cells`, not yet started.
        connect: Returns the student to speak to, over a transport, for a check's id.
    """
    matches: dict[str, list[Entry]] = {}
    cells = {answer.exercise: answer.cell for answer in reference.answers}
    for exercise, ids in checks.by_exercise.items():
        failed = {id for id in ids if id in findings and findings[id].result.outcome == "failed"}
        asked = [findings[id] for id in ids if id in failed and _can_be_compared(findings[id])]
        for mistake in reference.mistakes if asked else ():
            if mistake.exercise != exercise:
                continue
            naming = checks.naming(mistake)
            if not naming <= failed:
                continue
            try:
                if run.execute(mistake.source):
                    # First those that it is sure to fail: most mistakes are told apart by them.
                    order = sorted(asked, key=lambda finding: finding.result.id not in naming)
                    for id in _agreeing(checks, order, run, connect):
                        matches.setdefault(id, []).append(mistake)
                run.execute(cells[exercise])
            except RunEnded:
                # It ended its process; the next one starts with the right answers.
                continue
    return matches


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


def _agreeing(
    checks: Checks,
    asked: Sequence[Finding],
    run: Run,
    connect: Callable[[Transport, str], Student],
) -> list[str]:
    agreeing = []
    for finding in asked:
        replay = _Replay(run, finding.exchanges)
        raised = checks.attempt(finding.result.id, connect(replay, finding.result.id))
        if isinstance(raised, RunEnded):
            raise raised
        if raised is None:
            continue
        if not isinstance(raised, CheckFailed) or not _agree(finding, raised, replay):
            return []
        agreeing.append(finding.result.id)
    return agreeing


def _agree(finding: Finding, raised: CheckFailed, replay: _Replay) -> bool:
    if not replay.apart:
        return replay.same
    seen = cast(Evidence | None, finding.failure.evidence if finding.failure else None)
    made = cast(Evidence | None, raised.evidence)
    return seen is not None and made is not None and seen.agrees(made)


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
        return message.fields
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
