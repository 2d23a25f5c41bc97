"""The toy course's release, and a student who hands something in."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course
from autograder.intake import Submission, read_submission

NAME = "a90_toy"


@pytest.fixture
def released(toy_course: Course) -> dict[str, Any]:
    """The notebook as students get it."""
    cells = []
    for cell in toy_course.assignment(NAME).cells:
        entry = {
            "cell_type": cell.cell_type,
            "id": cell.id,
            "metadata": copy.deepcopy(dict(cell.metadata)),
            "source": cell.released,
        }
        if cell.cell_type == "code":
            entry |= {"execution_count": None, "outputs": []}
        cells.append(entry)
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def folder(toy_course: Course) -> Path:
    """The folder of a submission, empty."""
    place = toy_course.submitted_folder("ada", NAME)
    place.mkdir(parents=True)
    return place


@pytest.fixture
def read(toy_course: Course, folder: Path) -> Callable[[Any], Submission]:
    """Hands a notebook in, or bytes in its place, and reads the submission."""
    assignment = toy_course.assignment(NAME)

    def read(notebook: Any) -> Submission:
        content = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
        (folder / f"{NAME}.ipynb").write_bytes(content)
        return read_submission(toy_course, assignment, "ada")

    return read
