"""What the tests of the framework share: a small course of their own."""

import functools
import json
import os
import shutil
import sys
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


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty gradebook to copy: making one starts a program and takes a second."""
    from nbgrader.api import Gradebook

    path = tmp_path_factory.mktemp("gradebook") / "gradebook.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        Gradebook(f"sqlite:///{path}").close()
    return path


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


@pytest.fixture
def light_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the grader's processes import NumPy only, which is all that the toy course needs."""
    from autograder.judge import grader

    monkeypatch.setattr(grader, "Policy", functools.partial(grader.Policy, modules=("numpy",)))
