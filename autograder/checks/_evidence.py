"""What a failed law rests on, so that a mistake can be recognised by the law of its draws.

A statistical check that fails attaches its draws, or the exact law that it saw. The same check on
a catalogued mistake attaches another one; whether both are of one law is decided at 1 %.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import xlogy

__all__ = ["Evidence", "MeanEvidence", "RowsEvidence", "TableEvidence"]

# Draws of one law are taken for draws of two in one case of a hundred.
RATE = 0.01

# Exact laws agree up to the rounding of float32.
EXACT = 1e-5

# How often the comparison of two equal laws is simulated; so many tables at a time.
_SIMULATIONS, _AT_ONCE = 1000, 100

# Wider rows are compared by as many of their projections.
_WIDEST = 24


class Evidence(Protocol):
    """The draws, or the exact law, by which a check judged."""

    def agrees(self, other: object) -> bool:
        """Says whether `other`, of the same check on other code, shows the same law."""


@dataclass(frozen=True, eq=False)
class TableEvidence:
    """How often, or with which probability, each state comes from each start.

    Attributes:
        counts: Shape (starts, states), or None.
        probabilities: Exact, shape (starts, states), or None; one of both is given.
    """

    counts: np.ndarray | None = None
    probabilities: np.ndarray | None = None

    def agrees(self, other: object) -> bool:
        """See `Evidence`: exact laws up to rounding, else by the likelihood ratio, G."""
        if not isinstance(other, TableEvidence) or self._shape != other._shape:
            return False
        if self.probabilities is not None and other.probabilities is not None:
            return bool(np.allclose(self.probabilities, other.probabilities, atol=EXACT))
        if self.counts is not None and other.counts is not None:
            return _homogeneous(self.counts, other.counts)
        if self.counts is None:
            return other.agrees(self)
        return _fits(self.counts, np.asarray(other.probabilities))

    @property
    def _shape(self) -> tuple[int, ...]:
        table = self.counts if self.counts is not None else self.probabilities
        return () if table is None else table.shape


@dataclass(frozen=True, eq=False)
class RowsEvidence:
    """Independent rows of numbers.

    Attributes:
        rows: Shape (rows, width).
        features: Named features of the rows. Shape (rows, features).
    """

    rows: np.ndarray
    features: np.ndarray

    def agrees(self, other: object) -> bool:
        """See `Evidence`: means, second moments, features, and each column's law, together."""
        if not isinstance(other, RowsEvidence) or (self.rows.shape[1], self.features.shape[1]) != (
            other.rows.shape[1],
            other.features.shape[1],
        ):
            return False
        rows = np.concatenate([self.rows, other.rows])
        if rows.shape[1] > _WIDEST:
            rows = rows @ np.random.default_rng(1).normal(size=(rows.shape[1], _WIDEST))
        rows = (rows - rows.mean(0)) / _positive(rows.std(0))
        first, second = np.triu_indices(rows.shape[1])
        below = [rows <= level for level in np.quantile(rows, np.arange(1, 16) / 16, axis=0)]
        features = np.concatenate([self.features, other.features])
        all_ = np.concatenate([rows, rows[:, first] * rows[:, second], features, *below], axis=1)
        return _same_means(all_[: len(self.rows)], all_[len(self.rows) :])


@dataclass(frozen=True, eq=False)
class MeanEvidence:
    """Independent values of an estimator, or its exact mean.

    Attributes:
        values: Shape (values, size), or None.
        mean: Exact, shape (size,), or None; one of both is given.
    """

    values: np.ndarray | None = None
    mean: np.ndarray | None = None

    def agrees(self, other: object) -> bool:
        """See `Evidence`: exact means up to rounding, else by their standard errors."""
        if not isinstance(other, MeanEvidence):
            return False
        one, two = self._known, other._known
        if one.shape[-1] != two.shape[-1]:
            return False
        if self.values is None and other.values is None:
            return bool(np.allclose(one, two, rtol=EXACT, atol=EXACT))
        return _same_means(np.atleast_2d(one), np.atleast_2d(two))

    @property
    def _known(self) -> np.ndarray:
        known = self.values if self.values is not None else self.mean
        return np.asarray(known, np.float64)


def _fits(counts: np.ndarray, probabilities: np.ndarray) -> bool:
    """Says whether counts may have come from these probabilities."""
    sizes = counts.sum(1).astype(int)
    # Exact up to EXACT only: a state that cannot come up may have a trace of probability.
    law = np.clip(probabilities, EXACT / probabilities.shape[1], None)
    law = law / law.sum(1, keepdims=True)
    expected = sizes[:, np.newaxis] * law

    def statistic(tables: np.ndarray) -> np.ndarray:
        ratio = np.divide(tables, expected, out=np.ones(tables.shape), where=expected > 0)
        return np.asarray(xlogy(tables, ratio).sum((-2, -1)))

    generator = np.random.default_rng(0)
    parts = range(0, _SIMULATIONS, _AT_ONCE)
    right = np.concatenate([statistic(_drawn(law, sizes, generator)) for _ in parts])
    return bool(statistic(counts) <= np.quantile(right, 1 - RATE))


def _homogeneous(one: np.ndarray, other: np.ndarray) -> bool:
    """Says whether two tables of counts may have come from one law."""
    both = one + other
    law = both / np.maximum(both.sum(1, keepdims=True), 1)

    def statistic(tables: np.ndarray, others: np.ndarray) -> np.ndarray:
        # The likelihood ratio of two laws and one. Totals are fixed, and cancel.
        one_law = xlogy(tables + others, tables + others)
        return np.asarray((xlogy(tables, tables) + xlogy(others, others) - one_law).sum((-2, -1)))

    generator = np.random.default_rng(0)
    sizes, others = one.sum(1).astype(int), other.sum(1).astype(int)
    right = np.concatenate(
        [
            statistic(_drawn(law, sizes, generator), _drawn(law, others, generator))
            for _ in range(0, _SIMULATIONS, _AT_ONCE)
        ]
    )
    return bool(statistic(one, other) <= np.quantile(right, 1 - RATE))


def _drawn(law: np.ndarray, sizes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Returns tables of counts. Shape (tables, starts, states)."""
    # A start that never came up has no law.
    rows = (
        (n, p) if n else (0, np.full(len(p), 1 / len(p))) for n, p in zip(sizes, law, strict=True)
    )
    return np.stack([generator.multinomial(n, p, _AT_ONCE) for n, p in rows], axis=1)


def _same_means(one: np.ndarray, other: np.ndarray) -> bool:
    """Says whether rows of numbers may have one mean; a single row is a mean itself.

    By the largest difference in standard errors of all columns; its threshold is simulated with
    normal numbers of the same correlations, which means of many rows have.
    """
    difference = one.mean(0) - other.mean(0)
    covariance = sum(
        (
            np.atleast_2d(np.cov(rows, rowvar=False)) / len(rows)
            for rows in (one, other)
            if len(rows) > 1
        ),
        np.zeros((one.shape[1],) * 2),
    )
    error = np.sqrt(np.diag(covariance))
    # Up to rounding, numbers without any spread are the same or are not.
    scale = EXACT * np.maximum(np.abs(one).max(0), np.abs(other).max(0))
    varies = error > EXACT * scale
    if np.any(np.abs(difference[~varies]) > scale[~varies]):
        return False
    if not varies.any():
        return True
    correlation = (covariance / _positive(np.outer(error, error)))[np.ix_(varies, varies)]
    values, vectors = np.linalg.eigh(correlation)
    normal = np.random.default_rng(0).normal(size=(10 * _SIMULATIONS, len(values)))
    right = np.abs(normal * np.sqrt(np.maximum(values, 0)) @ vectors.T).max(1)
    return bool(
        np.max(np.abs(difference / _positive(error))[varies]) <= np.quantile(right, 1 - RATE)
    )


def _positive(scale: np.ndarray) -> np.ndarray:
    return np.where(scale > 0, scale, 1.0)
