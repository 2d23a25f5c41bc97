"""The exact law of a function that draws only Bernoulli variables from its generator.

In place of a generator the function gets one that hands each row a string of outcomes and adds up
their log-probability. A batch of all strings gives the whole law in one call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.checks._probe import drawing, drawn, reports_of
from autograder.checks._rng import NotEnumerable, Rng
from autograder.checks._seen import leaves
from autograder.errors import CheckFailed

__all__ = ["ExactLaw", "enumerate_draws", "enumerated"]

# The weights are made of probabilities that the function computes, maybe in float32.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class ExactLaw:
    """What a function returns, with which probability, from each start.

    Attributes:
        start: Index of the start of each row. Shape (rows,).
        probability: Probability of each row's outcomes, given its start. Shape (rows,).
        result: What the call returned: arrays with one entry per row.
    """

    start: np.ndarray
    probability: np.ndarray
    result: Any

    def mean(self) -> np.ndarray:
        """Returns the expectation of the result from each start. Shape (starts, …)."""
        values = np.asarray(self.result, np.float64)
        weighted = values * self.probability.reshape(-1, *[1] * (values.ndim - 1))
        total = np.zeros((self.start.max() + 1, *values.shape[1:]))
        np.add.at(total, self.start, weighted)
        return total


def enumerate_draws(
    call: Callable[..., Any], starts: np.ndarray, rows: int = 2**14
) -> ExactLaw | None:
    """Returns the exact law of a function that draws only Bernoulli variables.

    It may draw with `binomial(1, p)`, or by comparing uniform numbers with p, each once, in an
    array whose first axis is the rows.

    Args:
        call: Takes rows, and a generator: `student.f`, or a function with the parameter `rng`.
        starts: What to start from. Shape (starts, …).
        rows: Most rows to call it with; starts times outcomes are needed.

    Returns:
        The law, or None if it cannot be enumerated, which is no fault: a function may draw in
        other ways, or too much.
    """
    starts = np.asarray(starts)
    marker = drawing(call)
    return enumerated(
        lambda index, generator: drawn(call, (starts[index],), generator),
        marker,
        len(starts),
        rows,
    )


def enumerated(
    run: Callable[[np.ndarray, Rng], Any], marker: Rng, starts: int, rows: int
) -> ExactLaw | None:
    """Returns the law of `run`, which takes the index of each row's start, and a marker.

    None if it cannot be enumerated. The same rows in another order must get the same results: so
    code that mixes rows, or has randomness of its own, is not enumerable.
    """
    try:
        # With no outcomes at all it reports how many it takes.
        _, _, width = _reported(run, marker, np.arange(starts), np.zeros((starts, 0), np.uint8))
        if starts * 2.0**width > rows:
            return None
        strings = (np.arange(2**width)[:, np.newaxis] >> np.arange(width)) & 1
        index = np.repeat(np.arange(starts), len(strings))
        bits = np.tile(strings.astype(np.uint8), (starts, 1))
        result, log_weight, used = _reported(run, marker, index, bits)
        order = np.random.default_rng(width).permutation(len(index))
        again, log_again, _ = _reported(run, marker, index[order], bits[order])
    except (NotEnumerable, CheckFailed):
        # A failure here may come of the strange generator; a plain call will show a real one.
        return None
    probability = np.exp(log_weight)
    sums = np.bincount(index, probability, starts)
    pairs = [*zip(leaves(result), leaves(again), strict=True), (log_weight, log_again)]
    same = all(np.allclose(a[order], b, TOLERANCE, TOLERANCE, equal_nan=True) for a, b in pairs)
    if used != width or not same or not np.allclose(sums, 1.0, atol=TOLERANCE):
        return None
    return ExactLaw(index, probability, result)


def _reported(
    run: Callable[[np.ndarray, Rng], Any], marker: Rng, index: np.ndarray, bits: np.ndarray
) -> tuple[Any, np.ndarray, int]:
    """Returns the result, the log-probability of each row, and the outcomes used per row."""
    enumerating = marker.enumerating(bits)
    result = run(index, enumerating)
    report, *others = reports_of(enumerating)
    if others:
        # Several calls drew from it: the outcomes of one do not give the whole result.
        raise NotEnumerable
    # Made in the student process: nothing about these is sure.
    log_weight, used = report.get("log_weight"), report.get("used")
    right = isinstance(log_weight, np.ndarray) and log_weight.shape == index.shape
    if not right or not isinstance(used, np.ndarray) or used.shape != ():
        raise NotEnumerable
    if any(array.shape[:1] != index.shape for array in leaves(result)):
        raise NotEnumerable
    return result, np.asarray(log_weight, np.float64), int(used)
