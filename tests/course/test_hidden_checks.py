"""The hidden checks of every assignment give all points to the reference, in this process."""

import importlib

import numpy as np
import pytest

from autograder.checks import Seeds
from autograder.course import checks_of
from autograder.judge.session import collected
from autograder.judge.student import LocalTransport, Student


def functions_of(assignment):
    """The reference's functions, under the names that students give theirs."""
    module = importlib.import_module(f"reference.{assignment.name.partition('_')[2]}")
    return {
        name: getattr(module, name)
        for exercise in assignment.exercises
        for name in exercise.functions
    }


@pytest.fixture
def judged(course, assignment):
    """Judges functions; returns the results and findings by check."""

    def judge(functions, seed_name="ada"):
        points = {exercise.name: exercise.points for exercise in assignment.exercises}

        def use(checks):
            def connect(_, check):
                seeds = Seeds(b"\x05" * 32, seed_name, assignment.name, check)
                return Student(LocalTransport(functions), seeds, checks.arrays_as)

            return checks.run(connect)

        return collected(course.hidden_folder(assignment.name), points, use)

    return judge


def test_the_reference_earns_everything_under_fresh_seeds(assignment, judged):
    for seed_name in ("ada", "bob"):
        results, findings = judged(functions_of(assignment), seed_name)
        wrong = {
            name: (finding.result.message, finding.log)
            for name, finding in findings.items()
            if finding.result.outcome != "passed"
        }
        assert wrong == {}
        assert sum(exercise.points for exercise in results) == assignment.automatic_points


def test_functions_that_do_nothing_earn_nothing(assignment, judged):
    def stub(*_):
        raise NotImplementedError("Write your code here.")

    results, findings = judged(dict.fromkeys(functions_of(assignment), stub))
    assert {exercise.points for exercise in results} == {0}
    assert {finding.result.outcome for finding in findings.values()} == {"failed"}


def test_plausible_constants_earn_nothing(assignment, judged):
    """Zeros of any one shape are no solution of anything."""
    results, _ = judged(dict.fromkeys(functions_of(assignment), lambda *_: np.zeros(7)))
    assert {exercise.points for exercise in results} == {0}


def test_a_third_of_the_points_is_visible(course, assignment):
    checks = checks_of(course, assignment)
    for exercise in assignment.exercises:
        own = [check for check in checks if check.exercise == exercise.name]
        visible = sum(check.points for check in own if check.visible)
        assert 0.2 <= visible / exercise.points <= 0.4, exercise.name
        assert len(own) >= 3, exercise.name


def test_every_check_says_what_it_checks_in_a_sentence(course, assignment):
    for check in checks_of(course, assignment):
        assert 10 < len(check.sentence) < 160, check.id
        assert check.sentence.endswith("."), check.id
