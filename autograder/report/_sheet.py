"""One student's facts: what earned how much, what is still open."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from autograder.course import Assignment, CheckInfo, ManualCell
from autograder.results import CheckResult, ExerciseResult, Mark, Outcome, Status, SubmissionResult

__all__ = ["CheckLine", "ExercisePart", "ManualPart", "Sheet", "sheet"]

# The words at the beginning of a message's lines, and what stands before them on a page.
_LABELS = {"what": "Property", "call": "Call", "seen": "Seen", "due": "Expected", "hint": "Hint"}
_LINE = re.compile(rf"({'|'.join(_LABELS)})(?:\s+|$)(.*)", re.DOTALL)

# A message is a few short lines; whatever is longer helps nobody.
_LINES = 8
_LINE_CHARACTERS = 600


@dataclass(frozen=True)
class CheckLine:
    """One check, as a page shows it.

    Attributes:
        sentence: What should be true; the check's id where its declaration is gone.
        lines: The message's lines, each with its label, in order.
    """

    id: str
    sentence: str
    outcome: Outcome
    points: float
    max_points: float
    lines: tuple[tuple[str, str], ...]
    mistake: str | None
    follow_through: bool
    visible: bool


@dataclass(frozen=True)
class ExercisePart:
    """One exercise: its checks, and what a tutor made of it.

    Attributes:
        points: What counts: the score given by hand, else what the checks earned; extra included.
        automatic: What the checks earned, or None where none ran.
        by_hand: The score that a tutor put in its place, or None.
        recheck: Whether the checks give something else since then.
        undecided: Whether a check is undecided, and no tutor has settled it.
        open_points: What undecided checks may still add.
        comments: What the tutor wrote.
    """

    name: str
    points: float
    max_points: float
    automatic: float | None
    by_hand: float | None
    recheck: bool
    undecided: bool
    extra: float
    open_points: float
    checks: tuple[CheckLine, ...]
    comments: tuple[str, ...]


@dataclass(frozen=True)
class ManualPart:
    """One cell that a tutor marks.

    Attributes:
        points: What it earned, or None while it is not marked.
        untouched: Whether it earned nothing because nothing was written.
    """

    name: str
    points: float | None
    max_points: float
    extra: float
    untouched: bool
    comment: str | None


@dataclass(frozen=True)
class Sheet:
    """All of it, for one student and assignment."""

    student: str
    status: Status
    reason: str | None
    exercises: tuple[ExercisePart, ...]
    manual: tuple[ManualPart, ...]
    repairs: tuple[str, ...]
    max_points: float
    seconds: float
    sandbox: str
    noticed: tuple[str, ...]

    @property
    def points(self) -> float | None:
        """What is earned so far; None if the submission was refused and nobody marked it."""
        if self.automatic is None and self.by_hand is None and self.status == "refused":
            return None
        return (self.automatic or 0.0) + (self.by_hand or 0.0)

    @property
    def open_points(self) -> float:
        """What may still be added, by a tutor's mark or by what is undecided."""
        if self.status == "refused":
            return 0.0
        undecided = sum(part.open_points for part in self.exercises)
        return undecided + sum(part.max_points for part in self.manual if part.points is None)

    @property
    def automatic(self) -> float | None:
        """What the exercises earned, tutors' changes included; None if none was graded."""
        parts = [part.points for part in self.exercises if self.counts(part)]
        return sum(parts) if parts else None

    @property
    def by_hand(self) -> float | None:
        """What the cells that a tutor marks earned so far; None if none is marked."""
        marked = [part.points for part in self.manual if part.points is not None]
        return sum(marked) if marked else None

    @staticmethod
    def counts(part: ExercisePart) -> bool:
        """Whether anybody, check or tutor, has graded an exercise."""
        return part.automatic is not None or part.by_hand is not None


def sheet(
    assignment: Assignment,
    checks: Mapping[str, CheckInfo],
    result: SubmissionResult,
    marks: Mapping[str, Mark],
) -> Sheet:
    """Returns a student's facts.

    Args:
        assignment: The assignment; its order is the pages' order.
        checks: The declared checks by id.
        result: What grading found.
        marks: What the gradebook holds for this student, by grade_id.
    """
    graded = {exercise.name: exercise for exercise in result.exercises}
    exercises = []
    for exercise in assignment.exercises:
        found = graded.pop(exercise.name, ExerciseResult(exercise.name, exercise.points, ()))
        exercises.append(_exercise(found, checks, marks))
    # What was graded and is no longer in the notebook was earned all the same.
    exercises += [_exercise(found, checks, marks) for found in graded.values()]
    return Sheet(
        student=result.student,
        status=result.status,
        reason=result.reason,
        exercises=tuple(exercises),
        manual=tuple(_manual(cell, marks.get(cell.grade_id)) for cell in assignment.manual),
        repairs=result.repairs,
        max_points=sum(part.max_points for part in exercises)
        + sum(cell.points for cell in assignment.manual),
        seconds=result.seconds,
        sandbox=result.sandbox,
        noticed=result.noticed,
    )


def _exercise(
    found: ExerciseResult, checks: Mapping[str, CheckInfo], marks: Mapping[str, Mark]
) -> ExercisePart:
    cells = [marks.get(f"test_{found.name}"), marks.get(found.name)]
    by_hand = next((mark.manual for mark in cells if mark and mark.manual is not None), None)
    extra = sum(mark.extra for mark in cells if mark)
    undecided = (check.max_points for check in found.checks if check.outcome == "undecided")
    return ExercisePart(
        name=found.name,
        points=(found.points if by_hand is None else by_hand) + extra,
        max_points=found.max_points,
        automatic=found.points if found.checks else None,
        by_hand=by_hand,
        recheck=by_hand is not None and any(mark.needs_manual for mark in cells if mark),
        undecided=by_hand is None and found.undecided,
        extra=extra,
        open_points=sum(undecided) if by_hand is None else 0.0,
        checks=tuple(_check(check, checks.get(check.id)) for check in found.checks),
        comments=tuple(mark.comment for mark in cells if mark and mark.comment),
    )


def _check(found: CheckResult, declared: CheckInfo | None) -> CheckLine:
    return CheckLine(
        id=found.id,
        sentence=declared.sentence if declared and declared.sentence else found.id,
        outcome=found.outcome,
        points=found.points,
        max_points=found.max_points,
        lines=_lines(found.message or "") if found.outcome != "passed" else (),
        mistake=found.mistake,
        follow_through=found.follow_through,
        visible=bool(declared and declared.visible),
    )


def _lines(message: str) -> tuple[tuple[str, str], ...]:
    lines = []
    for line in message.split("\n")[:_LINES]:
        match = _LINE.match(line.strip())
        label, text = (_LABELS[match[1]], match[2]) if match else ("", line.strip())
        if len(text) > _LINE_CHARACTERS:
            text = f"{text[:_LINE_CHARACTERS]} …"
        if text:
            lines.append((label, text))
    return tuple(lines)


def _manual(cell: ManualCell, mark: Mark | None) -> ManualPart:
    by_hand = mark is not None and mark.manual is not None
    # nbgrader gives an untouched answer 0 by itself; all else waits for a tutor.
    untouched = mark is not None and not by_hand and mark.auto == 0 and not mark.needs_manual
    return ManualPart(
        name=cell.grade_id.removeprefix("manual_").replace("_", " "),
        points=mark.points if mark is not None and (by_hand or untouched) else None,
        max_points=cell.points,
        extra=mark.extra if mark is not None else 0.0,
        untouched=untouched,
        comment=(mark.comment or None) if mark is not None else None,
    )
