"""`expect_mean`: the expectation of an estimator, whatever its variance."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from autograder.checks._enumerate import enumerated
from autograder.checks._evidence import MeanEvidence
from autograder.checks._probe import drawing, drawn
from autograder.checks._seeds import Method, Stages
from autograder.checks._seen import called_as
from autograder.checks._staged import BOUND, Draws, Property, run_stages, strikes_by_mean
from autograder.checks._values import default_tolerance
from autograder.checks._words import number
from autograder.errors import CheckFailed

__all__ = ["expect_mean", "expect_mean_at_most"]

ROWS = 2**14


def expect_mean(
    call: Callable[..., Any],
    due: ArrayLike,
    stages: Stages,
    bounds: tuple[float, float] | None = None,
    replicates: int = 1000,
) -> None:
    """Holds that the mean of an estimator is right.

    Exact where the draws can be enumerated. Else, for values with stated bounds, by betting: a
    gambler who bets against the due mean gets rich only if it is wrong, whatever the law. Else by
    the staged test with Student's t, which wants unbiased replicates (weights, not their
    logarithms) whose standard deviation is not more than about the mean.

    Args:
        call: Takes a number of replicates, and a generator; returns one independent value (or
            row of values) for each.
        due: The right mean: a number, or one for each column.
        stages: The source of seeds.
        bounds: Between which all values lie, by the exercise.
        replicates: How many to draw; four times as many on later stages.

    Raises:
        CheckFailed: If the mean is another one.
    """
    _Estimator(call, due, stages, replicates, side=0).expect(bounds)


def expect_mean_at_most(
    call: Callable[..., Any],
    limit: ArrayLike,
    stages: Stages,
    bounds: tuple[float, float] | None = None,
    replicates: int = 1000,
) -> None:
    """Holds that the mean of an estimator is at most `limit`; else as `expect_mean`."""
    _Estimator(call, limit, stages, replicates, side=1).expect(bounds)


class _Estimator(Property[np.ndarray]):
    """One estimator and what its mean must be; also the property that the stages test."""

    name = "the mean"
    method: Method = "asymptotic"

    def __init__(
        self,
        call: Callable[..., Any],
        right: ArrayLike,
        stages: Stages,
        replicates: int,
        side: int,
    ) -> None:
        self._call = call
        self._right = np.asarray(right, np.float64)
        self._stages = stages
        self._side = side
        self._draws = Draws(call, replicates, stages)
        self.due = "at most the bound, in the mean" if side else "the right value, in the mean"

    def expect(self, bounds: tuple[float, float] | None) -> None:
        if self._expect_exactly():
            return
        first = self._draws[0]
        if first.shape[1:] != self._right.shape:
            due = f"shape {(len(first), *self._right.shape)}"
            raise CheckFailed(None, f"shape {first.shape}", due, self._draws.call)
        if np.ptp(first, axis=0).any():
            self._draws.expect_fresh()
        if bounds is None:
            run_stages(self._draws.__getitem__, [self], self._stages, lambda: self._draws.call)
        else:
            self._expect_no_gain(first, bounds)

    def _expect_exactly(self) -> bool:
        if self._stages.observation is not None:
            return False
        marker = drawing(self._call)
        law = enumerated(
            lambda index, generator: drawn(self._call, (len(index),), generator), marker, 1, ROWS
        )
        if law is None or not np.any(law.probability < 1):
            return False
        mean = law.mean()[0]
        if mean.shape != self._right.shape:
            return False
        if not self._close(mean, 1e-5):
            exactly = MeanEvidence(mean=mean.ravel())
            self._fail(self._seen(mean, None), called_as(law.result), exactly)
        return True

    def _expect_no_gain(self, values: np.ndarray, bounds: tuple[float, float]) -> None:
        low, high = bounds
        outside = (values < low) | (values > high)
        if outside.any():
            seen = f"{int(outside.sum())} of {outside.size} values lie elsewhere"
            due = f"values from {number(low)} to {number(high)}"
            raise CheckFailed(None, seen, due, self._draws.call)
        self._stages.tested(self.name, BOUND, "betting")
        if self._stages.observation is not None:
            # One test at the whole bound: there are no stages whose strikes could be counted.
            return
        scaled = (values.reshape(len(values), -1) - low) / (high - low)
        right = (np.broadcast_to(self._right, values.shape[1:]).ravel() - low) / (high - low)
        if betting_wins(scaled, right, BOUND, one_sided=bool(self._side)):
            self._fail(self.effect([values]), self._draws.call, self.evidence([values]))

    def strikes(self, values: np.ndarray) -> bool:
        mean = values.mean(axis=0, dtype=np.float64)
        if self._close(mean, default_tolerance(values.dtype)):
            # Also what an estimator without any variance comes to, up to rounding.
            return False
        return strikes_by_mean(values.astype(np.float64) - self._right, self._side)

    def effect(self, samples: list[np.ndarray]) -> str:
        values = np.concatenate(samples).astype(np.float64)
        if not np.ptp(samples[0], axis=0).any() and np.ptp(values, axis=0).any():
            return f"all {len(samples[0])} values of one call are the same"
        half = stats.norm.ppf(0.995) * values.std(axis=0, ddof=1) / np.sqrt(len(values))
        return self._seen(values.mean(axis=0), half)

    def evidence(self, samples: list[np.ndarray]) -> MeanEvidence:
        values = np.concatenate(samples).astype(np.float64)
        return MeanEvidence(values=values.reshape(len(values), -1))

    def _close(self, mean: np.ndarray, tolerance: float) -> bool:
        scale = float(np.max(np.abs(self._right), initial=0.0)) or 1.0
        off = mean - self._right
        return bool(np.all((off if self._side else np.abs(off)) <= tolerance * scale))

    def _seen(self, mean: np.ndarray, half: np.ndarray | None) -> str:
        """Says how far off the mean is, as a ratio where there is one."""
        mean, right = np.atleast_1d(mean), np.atleast_1d(np.broadcast_to(self._right, mean.shape))
        off = np.abs(mean - right)
        scores = off if half is None else off / (np.atleast_1d(half) + 1e-300)
        worst = np.unravel_index(np.argmax(scores), mean.shape)
        where = f"entry {', '.join(map(str, worst))} of the mean" if mean.size > 1 else "the mean"
        if self._side:
            return f"{where} lies above the bound"
        if right[worst] == 0:
            return f"{where} is not 0"
        ratio = mean[worst] / right[worst]
        text = f"{where} is {number(ratio)} times what it should be"
        if half is None:
            return text
        ends = sorted(
            (mean[worst] + sign * np.atleast_1d(half)[worst]) / right[worst] for sign in (-1, 1)
        )
        return f"{text} (between {number(ends[0])} and {number(ends[1])})"

    def _fail(self, seen: str, call: str | None, evidence: MeanEvidence) -> None:
        raise CheckFailed(self.name, seen, self.due, call, evidence)


def betting_wins(
    values: np.ndarray, mean: np.ndarray, risk: float, one_sided: bool = False
) -> bool:
    """Says whether someone who bets that the mean is another one gets rich.

    The wealth of a gambler is a martingale if the mean is right: that it ever reaches 1/a has a
    probability of at most a (Ville), for every number of values and at any time.

    Args:
        values: Independent rows in [0, 1]. Shape (rows, size).
        mean: The due mean of each column.
        risk: The probability to say so if the mean is right, at most.
        one_sided: Whether only means above count.
    """
    count, size = values.shape
    share = risk / size
    # The variance of the values before each one; 1/4, the largest there is, before the first.
    before = np.arange(count)[:, np.newaxis]
    sums, squares = np.cumsum(values, 0) - values, np.cumsum(values**2, 0) - values**2
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (0.25 + squares - sums**2 / np.maximum(before, 1)) / (before + 1)
    bet = np.sqrt(2 * np.log(2 / share) / (count * np.maximum(variance, 1e-12)))
    with np.errstate(divide="ignore"):
        up = np.cumsum(np.log1p(np.minimum(bet, 0.5 / mean) * (values - mean)), 0)
        down = np.cumsum(np.log1p(-np.minimum(bet, 0.5 / (1 - mean)) * (values - mean)), 0)
    wealth = up if one_sided else np.logaddexp(up, down) - np.log(2)
    return bool(np.max(wealth) >= -np.log(share))
