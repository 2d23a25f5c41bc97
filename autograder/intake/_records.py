"""What intake makes of a submission."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.course import Kind

__all__ = ["Submission", "SubmittedCell"]


@dataclass(frozen=True)
class SubmittedCell:
    """A cell of a submission, after repairs.

    Attributes:
        id: The assignment's id of the cell; one of our own for a cell that the student added.
        kind: What the cell is in the assignment; "given" or "text" for the student's own.
        grade_id: nbgrader's name of the cell, or None.
        source: Its text: the student's, or the assignment's where the cell is given.
        run: Whether the grader runs it.
    """

    id: str
    kind: Kind
    grade_id: str | None
    source: str
    run: bool


@dataclass(frozen=True)
class Submission:
    """A submission that can be graded.

    Attributes:
        cells: In the order in which they were handed in, the missing ones put back.
        repairs: What was put right, a sentence each, for the student and the tutor.
        notebook: The same cells as a notebook of nbformat 4.5 that is safe to show. It has no
            outputs but those of cells that the grader never runs.
        files: The student's own files beside the notebook, by their path in the folder.
    """

    student: str
    assignment: str
    cells: tuple[SubmittedCell, ...]
    repairs: tuple[str, ...]
    notebook: dict[str, Any]
    files: Mapping[str, Path] = field(default_factory=dict)
