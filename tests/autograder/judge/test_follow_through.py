"""An early mistake is paid for once, and no right answer can be had by breaking another one."""

import textwrap

import pytest

from autograder.checks import Seeds
from autograder.errors import RunEnded
from autograder.judge.follow_through import followed_through
from autograder.judge.reference import Answer, Reference
from autograder.judge.session import collected
from autograder.judge.student import LocalTransport, Student
from tests.autograder.judge.conftest import LocalRun

WRONG_SIGMOID = """
def sigmoid(logit):
    return 0.9 / (1.0 + np.exp(-np.asarray(logit)))

def log_sigmoid(logit):
    return np.log(sigmoid(logit))
"""
RIGHT_ENTROPY = """
def entropy(logit):
    return np.logaddexp(0.0, logit) - logit * sigmoid(logit)
"""


def outcomes(verdict):
    return {
        check.id: (check.outcome, check.points, check.follow_through)
        for exercise in verdict.exercises
        for check in exercise.checks
    }


def points(verdict):
    return {exercise.name: exercise.points for exercise in verdict.exercises}


def test_what_is_right_given_an_earlier_exercise_earns_its_points(graded):
    verdict = graded({"sigmoid": WRONG_SIGMOID, "entropy": RIGHT_ENTROPY})
    assert points(verdict) == {"sigmoid": 0, "entropy": 4}
    found = outcomes(verdict)
    assert found["test_entropy_matches_the_definition"] == ("passed", 3, True)
    assert found["test_sigmoid_is_the_logistic_function"] == ("failed", 0, False)


def test_what_is_wrong_by_itself_earns_nothing_and_keeps_its_message(graded):
    wrong = RIGHT_ENTROPY.replace("logit *", "2 * logit *")
    alone = graded({"entropy": wrong})
    both = graded({"sigmoid": WRONG_SIGMOID, "entropy": wrong})
    assert points(both)["entropy"] == points(alone)["entropy"]
    found = outcomes(both)["test_entropy_matches_the_definition"]
    assert found == ("failed", 0, False)
    (check,) = (
        c
        for e in both.exercises
        for c in e.checks
        if c.id == "test_entropy_matches_the_definition"
    )
    assert check.message.startswith("call   entropy(logit (4,))\nseen   ")


def test_nothing_is_asked_again_where_nothing_earlier_failed(graded):
    verdict = graded({"entropy": "def entropy(logit):\n    return 0.0 * logit\n"})
    assert points(verdict) == {"sigmoid": 6, "entropy": 0}
    assert not any(through for _, _, through in outcomes(verdict).values())


def test_a_helper_of_the_name_of_one_of_the_reference_stays_the_students(graded):
    helper = "def _bounded(x):\n    return 1.0\n\n\n"
    own = (
        f"{helper}def entropy(logit):\n    return _bounded(0) * ({RIGHT_ENTROPY[-52:].strip()})\n"
    )
    own = f"{helper}{RIGHT_ENTROPY}".replace("return np", "return _bounded(0) * np", 1)
    own = own.replace("- logit", "- _bounded(0) * logit")
    verdict = graded({"sigmoid": WRONG_SIGMOID, "entropy": own})
    assert points(verdict) == {"sigmoid": 0, "entropy": 4}


def test_outputs_of_the_fork_are_shown_to_nobody(graded):
    tell = """
import inspect
def entropy(logit):
    print("SEEN", sigmoid.__module__, sigmoid(0.0))
    return np.logaddexp(0.0, logit) - logit * sigmoid(logit)
print("CELL", sigmoid(0.0))
"""
    verdict = graded({"sigmoid": WRONG_SIGMOID, "entropy": tell})
    assert points(verdict)["entropy"] == 4
    shown = str(verdict.outputs) + str(verdict.log) + str(verdict.exercises)
    assert "CELL 0.45" in shown
    assert "SEEN" not in shown
    assert "CELL 0.5" not in shown


# Looks through all functions in memory for another one of its own name.
THIEF = """
import gc, types
def entropy(logit):
    for found in gc.get_objects():
        if isinstance(found, types.FunctionType) and found.__name__ == "entropy":
            if found is not entropy:
                return found(logit)
    return 0.0 * logit
"""


def test_the_answer_to_an_exercise_is_not_in_the_fork_that_judges_it(graded):
    verdict = graded({"sigmoid": WRONG_SIGMOID, "entropy": THIEF})
    assert points(verdict) == {"sigmoid": 0, "entropy": 0}


def test_a_fork_that_dies_leaves_what_was_found(graded):
    dying = """
import os
def entropy(logit):
    if sigmoid(0.0) == 0.5:
        os._exit(3)
    return 0.0 * logit
"""
    verdict = graded({"sigmoid": WRONG_SIGMOID, "entropy": dying})
    assert verdict.undecided is None
    assert points(verdict) == {"sigmoid": 0, "entropy": 0}


CHECKS = '''
import numpy as np
from autograder.checks import exercise, expect

@exercise("one", points=1)
def test_one(student):
    """`one` is 1."""
    expect(student.one()).equals(1)

@exercise("two", points=1, depends_on=("one",))
def test_two(student):
    """`two` is twice `one`."""
    expect(student.two()).equals(2)

@exercise("three", points=1, depends_on=("one",))
def test_three(student):
    """`three` is `one` and the student's own `two`."""
    expect(student.three()).equals(STUDENTS_TWO + 1)

@exercise("four", points=1, depends_on=("one", "two", "three"))
def test_four(student):
    """`four` is the sum of all."""
    expect(student.four()).equals(6)
'''
CELLS = """
def one(): return 7
def two(): return one() + 2
def three(): return two() + one()
def four(): return one() + two() + three()
"""


def answer(name, code):
    return Answer(name, (name,), "", f"def {name}():\n    return {code}\n")


REFERENCE = Reference(
    "", (), (answer("one", 1), answer("two", 2), answer("three", 3), answer("four", 6)), ()
)


def asked_again(tmp_path, students_two, cells=CELLS):
    """The checks that earn their points by follow-through."""
    text = CHECKS.replace("STUDENTS_TWO", str(students_two))
    (tmp_path / "test_numbers.py").write_text(textwrap.dedent(text), encoding="utf-8")
    namespace = {}
    exec(cells, namespace)

    def student(transport, check):
        return Student(transport, Seeds(b"s" * 32, "ada", "a90_toy", check))

    def use(checks):
        _, findings = checks.run(lambda _, id: student(LocalTransport(namespace), id))
        run = LocalRun(cells)
        found = followed_through(checks, findings, REFERENCE, run, student)
        return {id for id, f in found.items() if f.result.follow_through}

    return collected(tmp_path, dict.fromkeys(["one", "two", "three", "four"], 1), use)


def test_only_what_a_check_depends_on_is_replaced_and_put_back_afterwards(tmp_path):
    # two: 1 + 2 is wrong by itself; three sees the student's two, since it does not name it.
    assert asked_again(tmp_path, students_two=3) == {"test_three", "test_four"}
    assert asked_again(tmp_path, students_two=2) == {"test_four"}


def test_an_exercise_without_any_answer_is_put_right_too(tmp_path):
    cells = CELLS.replace("def one(): return 7\n", "")
    assert asked_again(tmp_path, 3, cells) == {"test_three", "test_four"}


def test_code_that_ends_its_process_costs_its_own_check_only(tmp_path):
    class Once(LocalRun):
        def execute(self, source):
            if not self.started:
                self.started = 1
                raise RunEnded("CRASHED", "gone")
            return super().execute(source)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "LocalRun", Once)
        # The first to be asked again is test_two, which would have failed anyway.
        assert asked_again(tmp_path, 3) == {"test_three", "test_four"}
