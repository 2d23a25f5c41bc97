"""What the gradebook's tests share: a course with an empty gradebook, and canned results."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from autograder.course import Course
from autograder.results import CheckResult, ExerciseResult, SubmissionResult

CHECKS = {
    "sigmoid": (
        ("test_sigmoid_of_zero", 2),
        ("test_sigmoid_is_the_logistic_function", 3),
        ("test_log_sigmoid_stays_finite", 1),
    ),
    "entropy": (
        ("test_entropy_of_a_fair_coin", 1),
        ("test_entropy_matches_the_definition", 3),
    ),
}


@pytest.fixture
def course(toy_course: Course, empty_gradebook: Path) -> Course:
    """The toy course with an empty gradebook, which takes a second to make."""
    shutil.copy(empty_gradebook, toy_course.root / "gradebook.db")
    return toy_course


@pytest.fixture
def result() -> Callable[..., SubmissionResult]:
    """Makes results of the toy assignment, all passed but for what is said."""

    def make(student: str = "ada", status: str = "graded", **outcomes: str) -> SubmissionResult:
        exercises = tuple(
            ExerciseResult(
                exercise,
                sum(points for _, points in checks),
                tuple(
                    CheckResult(
                        name,
                        outcome := outcomes.get(name, "passed"),
                        points if outcome == "passed" else 0,
                        points,
                        None if outcome == "passed" else f"{name} is {outcome}",
                    )
                    for name, points in checks
                ),
            )
            for exercise, checks in CHECKS.items()
        )
        if status == "refused":
            return SubmissionResult(
                student, "a90_toy", "refused", 10, "none", 0.1, reason="not a notebook"
            )
        return SubmissionResult(student, "a90_toy", status, 10, "full", 0.5, exercises)

    return make


@pytest.fixture
def query(course: Course) -> Callable[..., list[tuple]]:
    """Runs a statement on the gradebook, as another program would."""

    def run(statement: str, *parameters: object) -> list[tuple]:
        with closing(sqlite3.connect(course.root / "gradebook.db")) as database, database:
            return database.execute(statement, parameters).fetchall()

    return run
