"""Instances to check on: all states of a few units, and a search for telling parameters."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

__all__ = ["all_states", "search_instance"]

_Instance = TypeVar("_Instance")


def all_states(units: int) -> np.ndarray:
    """Returns all 0/1 states of a number of units.

    Returns:
        Shape (2**units, units), float64; row i holds the binary digits of i, the first unit
        being the most significant.

    Raises:
        ValueError: If there are more than 20 units (a million states).
    """
    if not 0 <= units <= 20:
        raise ValueError(f"units lies in [0, 20]. Received: {units!r}")
    indices = np.arange(2**units)[:, np.newaxis]
    return ((indices >> np.arange(units)[::-1]) & 1).astype(np.float64)


def search_instance(
    space: Callable[[int], _Instance],
    mistakes: Mapping[str, Callable[..., Any]],
    divergence: Callable[[_Instance, Callable[..., Any]], float],
    tries: int = 3000,
) -> tuple[int, float]:
    """Finds the instance on which the best hidden mistake shows most.

    A tool for writing a check: the seed it finds is written into the check.

    Args:
        space: Makes an instance from a seed.
        mistakes: The catalogued mistakes by name.
        divergence: How far a mistake is from right on an instance, 0 or more; larger is easier to
            see.
        tries: Number of seeds to try, from 0.

    Returns:
        The seed, and the smallest divergence over the mistakes there.
    """
    if tries < 1 or not mistakes:
        raise ValueError(f"There is nothing to search: {tries} tries, {len(mistakes)} mistakes.")
    best_seed, best = 0, -np.inf
    for seed in range(tries):
        instance = space(seed)
        weakest = np.inf
        for wrong in mistakes.values():
            weakest = min(weakest, float(divergence(instance, wrong)))
            if weakest <= best:
                break
        else:
            best_seed, best = seed, weakest
    return best_seed, float(best)
