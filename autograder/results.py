"""What grading found, as frozen records, to and from JSON.

One `SubmissionResult` per submission; it is what `lgm grade --json` prints and what
`results.json` holds. Gradebook, feedback and reports are derived from it.
"""

import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from autograder.errors import GraderError

__all__ = [
    "SCHEMA",
    "CheckResult",
    "ExerciseResult",
    "Mark",
    "Outcome",
    "Status",
    "SubmissionResult",
    "document",
    "load",
    "save",
    "write_atomically",
]

SCHEMA = 1
Outcome = Literal["passed", "failed", "undecided"]
Status = Literal["graded", "refused", "undecided"]
OUTCOMES = ("passed", "failed", "undecided")
STATUSES = ("graded", "refused", "undecided")


def _tidy(points: float) -> float | int:
    """Whole points read as whole numbers."""
    return int(points) if float(points).is_integer() else float(points)


@dataclass(frozen=True)
class CheckResult:
    """One check of one exercise.

    Attributes:
        id: The check function's name, unique in its assignment.
        points: What it earned, in points; 0 unless passed.
        message: What the student reads if it did not pass, a few short lines.
        mistake: The catalogued mistake that was recognised, or None.
        follow_through: Whether the points came with an earlier exercise put right.
    """

    id: str
    outcome: Outcome
    points: float
    max_points: float
    message: str | None = None
    mistake: str | None = None
    follow_through: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for an outcome or points that cannot be."""
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome is one of {OUTCOMES}. Received: {self.outcome!r}")
        if not (math.isfinite(self.points) and 0 <= self.points <= self.max_points):
            raise ValueError(f"points lie in [0, {self.max_points}]. Received: {self.points!r}")
        if self.outcome != "passed" and self.points != 0:
            raise ValueError(f"a check that is {self.outcome} earns nothing: {self.points!r}")


@dataclass(frozen=True)
class ExerciseResult:
    """The checks of one exercise, in the order in which they ran."""

    name: str
    max_points: float
    checks: tuple[CheckResult, ...]

    @property
    def points(self) -> float:
        """The sum over its checks, in points."""
        return sum(check.points for check in self.checks)

    @property
    def undecided(self) -> bool:
        """Whether any check is undecided."""
        return any(check.outcome == "undecided" for check in self.checks)


@dataclass(frozen=True)
class SubmissionResult:
    """One submission.

    Attributes:
        sandbox: The mode in which it ran ("full", ...), or "none" where nothing ran.
        seconds: Wall-clock time spent on it.
        repairs: Sentences on what intake put right.
        reason: Why it was refused or is undecided, else None.
        conditions: How it was isolated, in detail; in `results.json` only.
        noticed: What looks like an attack, in sentences for the tutor; in `results.json` only.
    """

    student: str
    assignment: str
    status: Status
    max_score: float
    sandbox: str
    seconds: float
    exercises: tuple[ExerciseResult, ...] = ()
    repairs: tuple[str, ...] = ()
    cached: bool = False
    reason: str | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict, compare=False)
    noticed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for a status that is none."""
        if self.status not in STATUSES:
            raise ValueError(f"status is one of {STATUSES}. Received: {self.status!r}")

    @property
    def score(self) -> float | None:
        """The automatic points, of what is decided; None if refused."""
        if self.status == "refused":
            return None
        return sum(exercise.points for exercise in self.exercises)

    def to_json(self) -> dict[str, Any]:
        """Returns the submission's entry in the document of `lgm grade --json`."""
        entry: dict[str, Any] = {"student": self.student, "status": self.status}
        if self.reason is not None:
            entry["reason"] = self.reason
        entry |= {
            "score": None if self.score is None else _tidy(self.score),
            "max_score": _tidy(self.max_score),
            "sandbox": self.sandbox,
            "seconds": round(self.seconds, 3),
            "cached": self.cached,
            "repairs": list(self.repairs),
            "exercises": [
                {
                    "name": exercise.name,
                    "points": _tidy(exercise.points),
                    "max_points": _tidy(exercise.max_points),
                    "checks": [
                        asdict(check)
                        | {"points": _tidy(check.points), "max_points": _tidy(check.max_points)}
                        for check in exercise.checks
                    ],
                }
                for exercise in self.exercises
            ],
        }
        return entry

    @classmethod
    def from_json(cls, assignment: str, entry: dict[str, Any]) -> "SubmissionResult":
        """Reads what `to_json` wrote. Raises ValueError, KeyError or TypeError otherwise."""
        return cls(
            student=entry["student"],
            assignment=assignment,
            status=entry["status"],
            max_score=entry["max_score"],
            sandbox=entry["sandbox"],
            seconds=entry["seconds"],
            exercises=tuple(
                ExerciseResult(
                    exercise["name"],
                    exercise["max_points"],
                    tuple(CheckResult(**check) for check in exercise["checks"]),
                )
                for exercise in entry["exercises"]
            ),
            repairs=tuple(entry["repairs"]),
            cached=entry["cached"],
            reason=entry.get("reason"),
            conditions=entry.get("conditions", {}),
            noticed=tuple(entry.get("noticed", ())),
        )


@dataclass(frozen=True)
class Mark:
    """What the gradebook holds for one graded cell of one student, in points.

    Attributes:
        auto: The automatic score, or None where there is none.
        manual: The score given by hand, or None; where given, it is the one that counts.
        comment: What the tutor wrote, or None.
        needs_manual: Whether a tutor still has to look at it.
    """

    auto: float | None
    manual: float | None
    extra: float
    max: float
    comment: str | None = None
    needs_manual: bool = False

    @property
    def points(self) -> float:
        """What counts: the score by hand, else the automatic one, plus extra credit."""
        score = self.manual if self.manual is not None else self.auto
        return (score or 0.0) + self.extra


def document(assignment: str, results: list[SubmissionResult]) -> dict[str, Any]:
    """Returns the document that `lgm grade --json` prints."""
    return {
        "schema": SCHEMA,
        "assignment": assignment,
        "submissions": [result.to_json() for result in results],
    }


def save(result: SubmissionResult, path: Path) -> None:
    """Writes one submission's document, whole or not at all."""
    content = document(result.assignment, [result])
    content["submissions"][0] |= {
        "conditions": dict(result.conditions),
        "noticed": list(result.noticed),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    # A message may hold half of a character, which no file can.
    write_atomically(path, (text + "\n").encode("utf-8", "replace"))


def load(path: Path) -> SubmissionResult:
    """Reads what `save` wrote.

    Raises:
        GraderError: If the file is not such a document.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']!r}, expected {SCHEMA}")
        (entry,) = content["submissions"]
        return SubmissionResult.from_json(content["assignment"], entry)
    except (ValueError, KeyError, TypeError) as problem:
        raise GraderError(
            f"{path} is not a result of this version ({problem}). Grade the submission again."
        ) from problem


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Writes a file so that a reader, or a crash, sees the old content or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
