"""Thresholds: the rate of strikes under the right law is at most 1 %."""

import numpy as np
import pytest
from scipy import stats

from autograder.checks._null import rank, simulations, thresholds
from autograder.checks._staged import BOUND, products_strike, strikes_by_mean


def upper(strikes, runs):
    """The Clopper-Pearson upper bound of a rate, 99 %."""
    return stats.beta.ppf(0.99, strikes + 1, runs - strikes)


@pytest.mark.parametrize(
    ("count", "due"), [(10_000, 65), (20_000, 150), (100_000, 885), (1000, 1)]
)
def test_the_rank_is_the_largest_that_keeps_the_rate(count, due):
    assert rank(count) == due
    assert stats.beta.ppf(1 - 1e-4, due, count + 1 - due) <= 0.01
    assert stats.beta.ppf(1 - 1e-4, due + 1, count - due) > 0.01


def test_five_strikes_are_the_declared_bound():
    assert pytest.approx(1e-10) == BOUND


def test_simulations_stay_within_the_budget_and_its_ends():
    assert simulations(1) == 20_000
    assert simulations(10**9) == 1_000
    assert simulations(1000) == 4_000


def test_what_was_simulated_is_kept():
    calls = []

    def simulate(generator):
        calls.append(1)
        return {"t": generator.random(1000)}

    first = thresholds(("test", 1), 1000, simulate)
    assert thresholds(("test", 1), 1000, simulate) == first
    assert len(calls) == 1
    assert first["t"] > 0.99


def test_a_simulated_threshold_strikes_in_at_most_one_case_of_a_hundred():
    limit = thresholds(("test", 2), 20_000, lambda g: {"t": g.chisquare(7, 20_000)})["t"]
    values = np.random.default_rng(1).chisquare(7, 100_000)
    assert upper((values > limit).sum(), len(values)) < 0.01


@pytest.mark.parametrize(
    "law",
    [
        lambda g: g.normal(size=1000),
        lambda g: g.integers(0, 2, 1000) - 0.5,
        # As skewed as weights of importance sampling may be: standard deviation 1, mean 1.
        lambda g: g.lognormal(-0.5 * np.log(2), np.sqrt(np.log(2)), 1000) - 1,
        lambda g: g.exponential(size=1000) - 1,
    ],
)
def test_the_mean_strikes_in_at_most_one_case_of_a_hundred(law):
    generator = np.random.default_rng(2)
    strikes = sum(strikes_by_mean(law(generator)) for _ in range(4000))
    assert upper(strikes, 4000) < 0.013


def test_a_mean_that_is_off_strikes():
    x = np.random.default_rng(3).normal(0.3, 1, 1000)
    assert strikes_by_mean(x)
    assert strikes_by_mean(x, side=1)
    assert not strikes_by_mean(-x, side=1)
    assert strikes_by_mean(np.full(10, 0.1))
    assert not strikes_by_mean(np.zeros(10))


def test_independent_rows_strike_in_at_most_one_case_of_a_hundred():
    generator = np.random.default_rng(4)
    strikes = sum(products_strike(generator.normal(size=(500, 3))) for _ in range(4000))
    assert upper(strikes, 4000) < 0.01


@pytest.mark.parametrize(
    "together",
    [
        lambda g: np.tile(g.normal(size=(1, 3)), (500, 1)),
        lambda g: np.repeat(g.normal(size=(250, 3)), 2, axis=0),
        lambda g: (lambda z: np.concatenate([z, -z]))(g.normal(size=(250, 3))),
        lambda g: g.normal(size=(500, 3)) + g.normal(size=(1, 3)),
    ],
)
def test_rows_that_share_noise_strike_nearly_always(together):
    generator = np.random.default_rng(5)
    assert sum(products_strike(together(generator)) for _ in range(100)) >= 90
