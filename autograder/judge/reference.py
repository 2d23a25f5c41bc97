"""The reference as text, for processes in which no other copy of it exists.

The coordinator takes the texts from the course; the judge sends them, for follow-through, into
a fork whose only product is passed or failed, and, for diagnosis, into one that never runs
student code.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from autograder.course import Assignment, Course
from autograder.course.reference_source import importable, replacement, solution_code
from autograder.judge.catalogue import Entry, entries

__all__ = ["Answer", "Reference", "reference_of"]


@dataclass(frozen=True)
class Answer:
    """The right answer to one exercise.

    Attributes:
        functions: The functions that it defines.
        cell: The solution cell, filled in as a student's would be: its functions call each other
            and those of earlier exercises, so that a mistake in one shows in all of them.
        replacement: The functions as code that runs without the reference and without the
            functions of earlier exercises.
    """

    exercise: str
    functions: tuple[str, ...]
    cell: str
    replacement: str


@dataclass(frozen=True)
class Reference:
    """An assignment, answered.

    Attributes:
        package: Code after which the reference can be imported.
        given: The code cells before the first exercise.
        answers: In the order of the notebook.
        mistakes: The catalogue's, in its order, those that a check can see.
    """

    package: str
    given: tuple[str, ...]
    answers: tuple[Answer, ...]
    mistakes: tuple[Entry, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns it for the judge's settings."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Reference":
        """Reads what `to_json` made, once JSON has made lists of tuples."""
        answers = [
            Answer(**{**answer, "functions": tuple(answer["functions"])})
            for answer in document["answers"]
        ]
        mistakes = tuple(Entry(**entry) for entry in document["mistakes"])
        return cls(document["package"], tuple(document["given"]), tuple(answers), mistakes)


def reference_of(course: Course, assignment: Assignment) -> Reference:
    """Reads the texts of an assignment.

    Raises:
        UsageError: If a solution calls what the reference has not.
        DoesNotHold: If the catalogue names an exercise or function that there is not.
    """
    given = []
    for cell in assignment.cells:
        if cell.kind == "solution":
            break
        if cell.runs:
            given.append(cell.source)
    answers = tuple(
        Answer(e.name, e.functions, solution_code(course, e), replacement(course, e))
        for e in assignment.exercises
    )
    mistakes = tuple(
        entry
        for entry in entries(course, assignment)
        if entry.kind == "mistake" and not entry.undetectable
    )
    return Reference(importable(course), tuple(given), answers, mistakes)
