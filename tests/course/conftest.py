"""What the tests of the course share: the course itself, and each of its assignments."""

from pathlib import Path

import pytest

from autograder.course import Assignment, Course, find_course

COURSE = find_course(Path(__file__).parents[2])


@pytest.fixture(scope="session")
def course() -> Course:
    """The course of this repository."""
    return COURSE


@pytest.fixture(params=COURSE.assignments(), ids=lambda assignment: assignment.name)
def assignment(request: pytest.FixtureRequest) -> Assignment:
    """Each assignment in turn."""
    return request.param
