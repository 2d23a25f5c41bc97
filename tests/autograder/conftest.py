"""What the tests of the framework share: a small course of their own."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from autograder.course import Course, find_course

# A course is data to these tests: its hidden checks need a submission.
collect_ignore = ["toy_course"]

TOY_COURSE = Path(__file__).parent / "toy_course"


@pytest.fixture
def toy_course(tmp_path: Path) -> Course:
    """A course with one assignment, `a90_toy`, in a folder of its own.

    It has two exercises in NumPy (`sigmoid` with `log_sigmoid`, and `entropy`), one manual cell,
    a cell that the grader never runs, a data file, hidden checks, mistakes and alternatives.
    """
    root = tmp_path / "course"
    shutil.copytree(TOY_COURSE, root, ignore=shutil.ignore_patterns("__pycache__"))
    return find_course(root)


@pytest.fixture
def hand_in() -> Callable[..., Path]:
    """Writes a submission made from the release; some cells have another text, some are gone."""

    def write(
        course: Course,
        student: str,
        answers: Mapping[str, str] | None = None,
        without: tuple[str, ...] = (),
        name: str = "a90_toy",
    ) -> Path:
        cells = []
        for cell in course.assignment(name).cells:
            source = (answers or {}).get(cell.grade_id or cell.id, cell.released)
            entry = {"id": cell.id, "cell_type": cell.cell_type, "metadata": dict(cell.metadata)}
            entry |= {"source": source}
            if cell.cell_type == "code":
                entry |= {"outputs": [], "execution_count": None}
            if (cell.grade_id or cell.id) not in without:
                cells.append(entry)
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
        path = course.submitted_folder(student, name) / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return path

    return write
