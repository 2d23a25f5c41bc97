"""Thresholds by simulation: what a statistic of right draws exceeds once in a hundred cases."""

from collections.abc import Callable, Hashable
from functools import cache

import numpy as np
from scipy import stats

__all__ = ["simulations", "thresholds"]

# A strike has at most this probability for right draws, and is not likelier with confidence
# 1 - MISSED, over the simulation's own chance.
RATE = 0.01
MISSED = 1e-4

# Numbers to draw at most: about half a second.
_BUDGET = 4_000_000
_MOST, _LEAST = 20_000, 1_000

_known: dict[Hashable, dict[str, float]] = {}


@cache
def rank(count: int) -> int:
    """Returns which largest of `count` simulated values is the threshold.

    The rate of values above the r-th largest follows Beta(r, count + 1 - r).
    """
    r = 1
    while stats.beta.ppf(1 - MISSED, r + 1, count - r) <= RATE:
        r += 1
    return r


def simulations(numbers: int) -> int:
    """Returns how often to simulate what takes so many random numbers each time."""
    return int(np.clip(_BUDGET // max(numbers, 1), _LEAST, _MOST))


def thresholds(
    key: Hashable, count: int, simulate: Callable[[np.random.Generator], dict[str, np.ndarray]]
) -> dict[str, float]:
    """Returns the threshold of each statistic; above it, strictly, lies a strike.

    Args:
        key: What the simulation depends on; what was simulated once is kept.
        count: How many values of each statistic `simulate` returns.
        simulate: Returns values under the right law, by name, from a generator whose seed is
            always the same.
    """
    if key not in _known:
        values = simulate(np.random.default_rng(20_240_229))
        _known[key] = {
            name: float(np.sort(several)[count - rank(count)]) for name, several in values.items()
        }
    return _known[key]
