"""Seeds decide nothing: right samplers pass the statistical checks under all of them.

A regrading runs the statistical checks of an exercise with the seeds of another student.
"""

import pytest
import tensorflow as tf
from scipy import stats

from autograder.checks import Seeds
from autograder.judge.session import collected
from autograder.judge.student import LocalTransport, Student
from autograder.verify.record import load
from reference import rbm

CHECKS = {
    "gibbs_k": (
        "test_one_sweep_has_the_law_of_the_model",
        "test_two_sweeps_have_the_law_of_the_model",
    ),
    "pcd_step": ("test_pcd_chain_follows_the_old_parameters", "test_pcd_two_steps_are_two_sweeps"),
    "ais_log_partition": ("test_ais_weights_are_unbiased",),
    "rbm_impute": ("test_impute_has_the_conditional_mean",),
}
# They draw other numbers, or in another order, and in ways that cannot be enumerated.
ALTERNATIVES = {
    "gibbs_k": ("gibbs_comparing_logits", "gibbs_with_all_noise_at_once"),
    "pcd_step": ("pcd_compiled", "pcd_in_numpy"),
    "ais_log_partition": ("ais_with_logistic_noise", "ais_with_runs_as_columns"),
    "rbm_impute": ("impute_by_gibbs_steps", "impute_in_numpy"),
}


def not_enumerable(function):
    """Returns the function on a generator made from the one given: only draws show its law."""

    def call(*arguments):
        *others, rng = arguments
        seed = int(rng.uniform_full_int((), dtype=tf.int64))
        return function(*others, tf.random.Generator.from_seed(seed))

    return call


class Regrading:
    """The statistical checks of the assignment, in this process, for any sampler and seeds."""

    def __init__(self, assignment, checks):
        self.assignment = assignment
        self.checks = checks
        self.functions = {
            name: getattr(rbm, name)
            for exercise in assignment.exercises
            for name in exercise.functions
        }

    def samplers(self, exercise):
        """Returns right solutions of an exercise by name: enumerable, and three that are not."""
        right = self.functions[exercise]
        found = {"reference": right, "reference, not enumerable": not_enumerable(right)}
        for record in self.checks.alternatives:
            if record.name in ALTERNATIVES[exercise]:
                # In a notebook it finds the functions of the exercises before.
                space = record.solution.__globals__
                space.update({k: f for k, f in self.functions.items() if k not in space})
                found[record.name] = record.solution
        return found

    def failures(self, exercise, sampler, students):
        """Returns how often a check fails, and the first failure."""
        functions = {**self.functions, exercise: sampler}
        failed = []
        for student in students:
            for check in CHECKS[exercise]:
                seeds = Seeds(b"\x07" * 32, student, self.assignment.name, check)
                asked = Student(LocalTransport(functions), seeds, self.checks.arrays_as)
                raised = self.checks.attempt(check, asked)
                if raised is not None:
                    failed.append((check, student, raised))
        return failed


@pytest.fixture
def regraded(course):
    """Hands the statistical checks to a function and returns what that returns."""
    assignment = course.assignment("a04_rbm")
    points = {exercise.name: exercise.points for exercise in assignment.exercises}

    def regrade(use):
        return collected(
            course.hidden_folder(assignment.name),
            points,
            lambda checks: use(Regrading(assignment, checks)),
        )

    return regrade


def assert_never_fails(regraded, exercise, count):
    """Regrades the right samplers of an exercise, each `count` times."""

    def failures(regrading):
        samplers = regrading.samplers(exercise)
        assert len(samplers) == 2 + len(ALTERNATIVES[exercise])
        return {
            name: failed
            for name, sampler in samplers.items()
            if (failed := regrading.failures(exercise, sampler, map(str, range(count))))
        }

    assert regraded(failures) == {}


@pytest.mark.parametrize("exercise", CHECKS)
def test_right_samplers_pass_under_fresh_seeds(regraded, exercise):
    assert_never_fails(regraded, exercise, 2)


@pytest.mark.thorough
@pytest.mark.parametrize("exercise", CHECKS)
def test_right_samplers_pass_two_thousand_times(regraded, exercise):
    assert_never_fails(regraded, exercise, 500)


def assert_near_misses_fail_as_often_as_claimed(course, regraded, count):
    """Compares how often slightly wrong samplers fail with what the calibration record says.

    As many failures as in the record, or more or fewer by chance: Fisher's exact test.
    """
    record = load(course, "a04_rbm")
    claimed = {
        (check.id, check.exercise, miss.name): miss.staged
        for check in record.checks
        for miss in check.near_misses
    }
    assert {check for check, *_ in claimed} == {
        id for several in CHECKS.values() for id in several
    }

    def measured(regrading):
        functions = {(m.exercise, m.name): m.solution for m in regrading.checks.near_misses}
        found = {}
        for exercise, name in dict.fromkeys(key[1:] for key in claimed):
            sampler = not_enumerable(functions[exercise, name])
            failed = regrading.failures(exercise, sampler, map(str, range(count)))
            for check in CHECKS[exercise]:
                found[check, exercise, name] = sum(id == check for id, _, _ in failed)
        return found

    for key, failed in regraded(measured).items():
        staged = claimed[key]
        table = [[failed, count - failed], [staged.failed, staged.runs - staged.failed]]
        assert stats.fisher_exact(table).pvalue > 1e-6, (key, table)


def test_slightly_wrong_samplers_fail_as_often_as_claimed(course, regraded):
    assert_near_misses_fail_as_often_as_claimed(course, regraded, 8)


@pytest.mark.thorough
def test_slightly_wrong_samplers_fail_as_often_as_claimed_in_many_runs(course, regraded):
    assert_near_misses_fail_as_often_as_claimed(course, regraded, 200)
