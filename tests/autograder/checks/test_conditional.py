"""`conditional`: right conditional samplers pass, and errors that cancel in the pool are seen."""

import numpy as np
import pytest
from scipy import stats

from autograder.checks import sampling
from autograder.errors import CheckFailed

CONDITIONS = np.linspace(-2.0, 2.0, 5)


def given(x, z):
    return stats.norm.cdf(x, z[:, np.newaxis], 1.0)


LAW = sampling.conditional(given, CONDITIONS)


def conditions(n):
    return np.resize(CONDITIONS, n)[:, np.newaxis]


def right(n, rng):
    return conditions(n) + rng.normal(size=(n, 2))


def expect(submit, function, seed="ada", law=LAW):
    student, stages = submit(f=function, seed=seed)
    sampling.expect_law(sampling.draws(student.f, 1000, stages), law)
    return student


def test_right_samplers_never_fail(submit):
    for seed in range(200):
        student = expect(submit, right, str(seed))
    assert len(student.bounds) == 3


WRONG = {
    "scale": (lambda n, rng: conditions(n) + 1.2 * rng.normal(size=(n, 2)), "law over all"),
    "shift": (lambda n, rng: conditions(n) + 0.2 + rng.normal(size=(n, 2)), "law over all"),
    # Too much given one condition and too little given another: the pool is right.
    "opposite": (
        lambda n, rng: conditions(n) + 0.3 * np.sign(conditions(n)) + rng.normal(size=(n, 2)),
        "given each condition",
    ),
    "the condition ignored": (lambda n, rng: rng.normal(size=(n, 2)), "law over all"),
    "noise shared by the rows": (
        lambda n, rng: conditions(n) + rng.normal(size=(1, 2)) + 0 * rng.normal(size=(n, 2)),
        "independence of the rows",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_samplers_fail_under_every_seed(submit, name):
    function, words = WRONG[name]
    for seed in range(10):
        with pytest.raises(CheckFailed) as caught:
            expect(submit, function, str(seed))
        assert words in caught.value.property


def test_many_conditions_are_counted_in_bins(submit):
    many = np.linspace(-2.0, 2.0, 100)
    law = sampling.conditional(given, many)
    expect(submit, lambda n, rng: np.resize(many, n)[:, None] + rng.normal(size=(n, 1)), law=law)
    with pytest.raises(CheckFailed):
        expect(submit, lambda n, rng: rng.normal(size=(n, 1)), law=law)
