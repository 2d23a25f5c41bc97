"""The class's facts: how it did, exercise by exercise and check by check."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autograder.course import CheckInfo
from autograder.report._sheet import CheckLine, ExercisePart, Sheet

__all__ = ["CheckRate", "ClassFacts", "ExerciseRate", "class_facts"]


@dataclass(frozen=True)
class CheckRate:
    """How often one check passed, over those for whom it ran."""

    id: str
    sentence: str
    max_points: float
    visible: bool
    passed: int
    failed: int
    undecided: int
    follow_through: int

    @property
    def share(self) -> float | None:
        """The share of those decided that passed, or None if none was."""
        decided = self.passed + self.failed
        return self.passed / decided if decided else None


@dataclass(frozen=True)
class ExerciseRate:
    """How one exercise went."""

    name: str
    max_points: float
    mean: float | None
    full: int
    none: int
    changed: int
    checks: tuple[CheckRate, ...]


@dataclass(frozen=True)
class ClassFacts:
    """All of it, for one assignment.

    Attributes:
        scores: What the exercises earned, of everyone who is graded.
        mistakes: Exercise, recognised mistake and how many made it; most frequent first.
        unmarked: How many cells still wait for a tutor.
    """

    sheets: tuple[Sheet, ...]
    scores: tuple[float, ...]
    exercises: tuple[ExerciseRate, ...]
    mistakes: tuple[tuple[str, str, int], ...]
    modes: tuple[tuple[str, int], ...]
    unmarked: int

    def count(self, status: str) -> int:
        """How many submissions have a status."""
        return sum(sheet.status == status for sheet in self.sheets)

    def of_status(self, status: str) -> list[Sheet]:
        """The submissions of a status, by name."""
        return [sheet for sheet in self.sheets if sheet.status == status]

    @property
    def repaired(self) -> list[Sheet]:
        """The submissions in which intake put something right."""
        return [sheet for sheet in self.sheets if sheet.repairs]

    @property
    def rechecks(self) -> list[tuple[Sheet, ExercisePart]]:
        """Where a tutor's score hides what the checks have found since."""
        return [(sheet, part) for sheet in self.sheets for part in sheet.exercises if part.recheck]

    @property
    def any_by_hand(self) -> bool:
        """Whether a tutor changed the score of any exercise."""
        return any(exercise.changed for exercise in self.exercises)

    @property
    def mean(self) -> float | None:
        """The mean of `scores`."""
        return statistics.fmean(self.scores) if self.scores else None

    @property
    def median(self) -> float | None:
        """The median of `scores`."""
        return statistics.median(self.scores) if self.scores else None

    @property
    def seconds(self) -> float:
        """Wall-clock time over all submissions."""
        return sum(sheet.seconds for sheet in self.sheets)

    @property
    def slowest(self) -> Sheet | None:
        """The submission that took longest."""
        return max(self.sheets, key=lambda sheet: sheet.seconds, default=None)


def class_facts(sheets: Sequence[Sheet], checks: Mapping[str, CheckInfo]) -> ClassFacts:
    """Returns the class's facts from the students'."""
    sheets = tuple(sorted(sheets, key=lambda sheet: sheet.student))
    names = dict.fromkeys(part.name for sheet in sheets for part in sheet.exercises)
    mistakes = Counter(
        (part.name, line.mistake)
        for sheet in sheets
        for part in sheet.exercises
        for line in {line.mistake: line for line in part.checks if line.mistake}.values()
    )
    graded = [sheet.automatic for sheet in sheets if sheet.status == "graded"]
    return ClassFacts(
        sheets=sheets,
        scores=tuple(score for score in graded if score is not None),
        exercises=tuple(_exercise(name, sheets, checks) for name in names),
        mistakes=tuple((name, str(mistake), n) for (name, mistake), n in mistakes.most_common()),
        modes=tuple(Counter(s.sandbox for s in sheets if s.status != "refused").most_common()),
        unmarked=sum(
            part.points is None
            for sheet in sheets
            if sheet.status != "refused"
            for part in sheet.manual
        ),
    )


def _exercise(name: str, sheets: Sequence[Sheet], checks: Mapping[str, CheckInfo]) -> ExerciseRate:
    parts = [part for sheet in sheets for part in sheet.exercises if part.name == name]
    graded = [part for part in parts if Sheet.counts(part)]
    decided = [part for part in graded if not part.open_points]
    lines: dict[str, list[CheckLine]] = {}
    for check in checks.values():
        if check.exercise == name:
            lines[check.id] = []
    for part in graded:
        for line in part.checks:
            lines.setdefault(line.id, []).append(line)
    return ExerciseRate(
        name=name,
        max_points=max(part.max_points for part in parts),
        mean=statistics.fmean(part.points for part in decided) if decided else None,
        full=sum(part.points >= part.max_points for part in decided),
        none=sum(part.points == 0 for part in decided),
        changed=sum(part.by_hand is not None for part in graded),
        checks=tuple(_rate(lines[identity]) for identity in lines if lines[identity]),
    )


def _rate(lines: Sequence[CheckLine]) -> CheckRate:
    outcomes = Counter(line.outcome for line in lines)
    return CheckRate(
        id=lines[0].id,
        sentence=lines[0].sentence,
        max_points=lines[0].max_points,
        visible=lines[0].visible,
        passed=outcomes["passed"],
        failed=outcomes["failed"],
        undecided=outcomes["undecided"],
        follow_through=sum(line.follow_through for line in lines),
    )
