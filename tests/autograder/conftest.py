"""What the tests of the framework share: a small course of their own."""

import os
import shutil
import sys
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
