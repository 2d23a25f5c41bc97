"""`expect_mean`: unbiased estimators pass whatever their variance, biased ones fail."""

import numpy as np
import pytest
from scipy import stats

from autograder.checks import numpy_rng, sampling
from autograder.checks._mean import betting_wins
from autograder.errors import CheckFailed


def weights(n, rng):
    return rng.lognormal(-0.5 * np.log(2), np.sqrt(np.log(2)), n)


def expect_one(submit, function, seed="ada", due=1.0, **options):
    student, stages = submit(f=function, seed=seed)
    sampling.expect_mean(student.f, due, stages, **options)
    return student


@pytest.mark.parametrize(
    "function",
    [
        weights,
        lambda n, rng: rng.normal(1, 0.01, n),
        lambda n, rng: rng.exponential(size=n).astype(np.float32),
        lambda n, rng: np.ones(n),
        lambda n, rng: rng.binomial(2, 0.5, n),
    ],
)
def test_right_means_never_fail(submit, function):
    for seed in range(150):
        expect_one(submit, function, str(seed))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda n, rng: 1.2 * weights(n, rng), "the mean is 1."),
        (lambda n, rng: np.log(weights(n, rng)), "times what it should be"),
        (lambda n, rng: np.full(n, 1.001), "the mean is 1 times"),
        (lambda n, rng: np.full(n, weights(1, rng)[0]), "values of one call are the same"),
        (lambda n, rng: weights(n, np.random.default_rng(1)), "returned the same"),
        (lambda n, rng: weights(n, rng)[:, np.newaxis], "shape (1000, 1)"),
        (lambda n, rng: weights(1, rng), "shape (1,)"),
    ],
)
def test_wrong_means_fail_under_every_seed(submit, function, words):
    for seed in range(20):
        with pytest.raises(CheckFailed) as caught:
            expect_one(submit, function, str(seed))
        assert words in caught.value.seen


def test_draws_that_can_be_enumerated_are_exact(submit):
    def right(n, rng):
        return (rng.random((n, 3)) < 0.3).sum(1) / 0.9

    student = expect_one(submit, right)
    assert student.bounds == ()
    with pytest.raises(CheckFailed, match="the mean is 1.1"):
        expect_one(submit, lambda n, rng: (rng.random((n, 3)) < 0.33).sum(1) / 0.9)


def test_columns_are_tested_together(submit):
    due = np.array([1.0, -2.0])
    expect_one(submit, lambda n, rng: rng.normal(due, 1, (n, 2)), due=due)
    with pytest.raises(CheckFailed, match="entry 1 of the mean"):
        expect_one(submit, lambda n, rng: rng.normal([1, -2.6], 1, (n, 2)), due=due)


def test_at_most_has_one_side(submit):
    for mean in (0.5, 0.99, 1.0):
        student, stages = submit(f=lambda n, rng, mean=mean: rng.normal(mean, 1, n))
        sampling.expect_mean_at_most(student.f, 1.0, stages)
    student, stages = submit(f=lambda n, rng: rng.normal(1.4, 1, n))
    with pytest.raises(CheckFailed, match="above the bound"):
        sampling.expect_mean_at_most(student.f, 1.0, stages)


def test_bounded_values_are_bet_on(submit):
    def right(n, rng):
        return 2 * rng.beta(2, 2, n)

    for seed in range(100):
        expect_one(submit, right, str(seed), bounds=(0.0, 2.0))
    for wrong in (lambda n, rng: 2 * rng.beta(2, 3, n), lambda n, rng: 2 * rng.beta(3, 2, n)):
        for seed in range(20):
            with pytest.raises(CheckFailed, match="times what it should be"):
                expect_one(submit, wrong, str(seed), bounds=(0.0, 2.0))
    with pytest.raises(CheckFailed, match="lie elsewhere"):
        expect_one(submit, lambda n, rng: 3 * right(n, rng), bounds=(0.0, 2.0))


@pytest.mark.parametrize("mean", [0.5, 0.05, 0.9])
def test_betting_wins_no_oftener_than_its_risk(mean):
    generator = np.random.default_rng(1)
    risk, runs = 0.05, 1500
    wins = sum(
        betting_wins((generator.random((400, 1)) < mean) * 1.0, np.array([mean]), risk)
        for _ in range(runs)
    )
    # The right rate is at most 0.05: as many wins are improbable.
    assert stats.binom.sf(wins - 1, runs, risk) > 1e-4


def test_the_call_may_be_a_function_of_the_check(submit):
    student, stages = submit(f=lambda n, scale, rng: scale * weights(n, rng))
    sampling.expect_mean(lambda n, rng=numpy_rng: student.f(n, 2.0, rng), 2.0, stages)
