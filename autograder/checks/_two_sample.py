"""The law of rows of which only a sampler is known: named features, then the law as a whole."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import distance

from autograder.checks._distributions import Law, moments
from autograder.checks._evidence import RowsEvidence
from autograder.checks._null import simulations, thresholds
from autograder.checks._seeds import Method
from autograder.checks._staged import Property
from autograder.checks._words import number

__all__ = ["two_sample"]

# The reference sample that is held fixed, and random directions for each bandwidth.
REFERENCE_ROWS, DIRECTIONS = 20_000, 64

# Of the median distance between two rows.
BANDWIDTHS = (0.25, 0.5, 1.0, 2.0)


def two_sample(
    reference: Callable[[int, np.random.Generator], np.ndarray],
    **features: Callable[[np.ndarray], np.ndarray],
) -> Law:
    """Returns the law of independent rows that a right sampler draws.

    Tested in this order: independence of the rows, mean, variance, correlations, named features,
    and the maximum mean discrepancy to a reference sample that is held fixed (Gretton et al.
    2012), by random features of four Gaussian kernels (Rahimi and Recht 2007). Name the features
    that mistakes change: the discrepancy alone hardly sees an error of scale.

    Args:
        reference: Draws right rows (count, width) from their number and a generator; defined
            once, at module level, since thresholds are kept by it.
        **features: Functions of the rows, one number for each row, whose means are compared.
    """
    fixed = reference(REFERENCE_ROWS, np.random.default_rng(20_240_301))
    fixed = np.asarray(fixed, np.float64).reshape(REFERENCE_ROWS, -1)
    covariance = np.atleast_2d(np.cov(fixed, rowvar=False))
    law = moments(fixed.mean(0), covariance, reference, **features)
    return Law(law.sample, (*law.properties, _Discrepancy.of(reference, fixed)))


@dataclass
class _Discrepancy(Property[np.ndarray]):
    """How far the means of random features of all kernels lie from the reference's."""

    reference: Callable[[int, np.random.Generator], np.ndarray]
    frequencies: np.ndarray
    phases: np.ndarray
    means: np.ndarray
    name = "the law as a whole"
    due = "the law of right draws"
    method: Method = "simulated"

    @classmethod
    def of(
        cls, reference: Callable[[int, np.random.Generator], np.ndarray], fixed: np.ndarray
    ) -> "_Discrepancy":
        generator = np.random.default_rng(20_240_302)
        median = float(np.median(distance.pdist(fixed[:500]))) or 1.0
        directions = generator.normal(size=(fixed.shape[1], DIRECTIONS * len(BANDWIDTHS)))
        frequencies: np.ndarray = directions / np.repeat(np.array(BANDWIDTHS) * median, DIRECTIONS)
        phases = generator.uniform(0, 2 * np.pi, size=(frequencies.shape[1],))
        means = np.cos(fixed @ frequencies + phases).mean(0)
        return cls(reference, frequencies, phases, means)

    def statistic(self, rows: np.ndarray) -> float:
        shift = np.cos(rows @ self.frequencies + self.phases).mean(0) - self.means
        return float(shift @ shift)

    def strikes(self, sample: np.ndarray) -> bool:
        return self.statistic(sample) > self._limit(len(sample))

    def effect(self, samples: list[np.ndarray]) -> str:
        share = self.statistic(np.concatenate(samples)) / self._limit(len(samples[-1]))
        return f"the draws lie {number(np.sqrt(share))} times as far off as right ones ever do"

    def evidence(self, samples: list[np.ndarray]) -> RowsEvidence:
        rows = np.concatenate(samples)
        return RowsEvidence(rows, np.zeros((len(rows), 0)))

    def _limit(self, rows: int) -> float:
        # A cosine takes about as long as drawing four numbers.
        count = simulations(rows * self.frequencies.shape[1] // 4)

        def simulate(generator: np.random.Generator) -> dict[str, np.ndarray]:
            drawn = (self.reference(rows, generator).reshape(rows, -1) for _ in range(count))
            return {self.name: np.array([self.statistic(one) for one in drawn])}

        return thresholds(("discrepancy", self.reference, rows), count, simulate)[self.name]
