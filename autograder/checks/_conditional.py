"""The law of numbers given conditions: each condition has its own distribution function."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from autograder.checks._distributions import Law
from autograder.checks._evidence import TableEvidence
from autograder.checks._null import RATE
from autograder.checks._seeds import Method
from autograder.checks._staged import Property, products_strike, rows_hang_together
from autograder.checks._tables import Table, TableSample, table_properties
from autograder.checks._words import number
from autograder.errors import CheckFailed

__all__ = ["conditional"]

# Conditions, and numbers given one, are counted in so many bins at most.
CONDITIONS, BINS = 16, 8

_DUE = "given each condition, the numbers have the law of the exercise"


def conditional(
    cdf: Callable[[np.ndarray, np.ndarray], np.ndarray], conditions: np.ndarray
) -> Law:
    """Returns the law of rows of which row i was drawn given condition i, in a circle.

    A check draws with `numpy.resize(conditions, (n, …))`. Tested in this order: independence of
    the rows; the numbers u = F(x | z) pooled, which are uniform (Kolmogorov); the table of
    condition and u, since errors of opposite sign cancel in the pool (G).

    Args:
        cdf: F(x | z), element by element, from rows (n, width) and their conditions (n, …).
            Columns are independent given the condition.
        conditions: Shape (conditions, …).
    """
    conditions = np.asarray(conditions)

    def sample(rows: np.ndarray, call: str | None) -> _Uniforms:
        flat = rows.reshape(len(rows), -1).astype(np.float64)
        index = np.arange(len(rows)) % len(conditions)
        u = np.asarray(cdf(flat, conditions[index]), np.float64)
        if u.shape != flat.shape:
            raise CheckFailed(None, f"shape {rows.shape}", "one row per condition", call)
        return _Uniforms(index, u)

    return Law(sample, (_Rows(), _Pooled(), _Given(len(conditions))))


@dataclass(frozen=True)
class _Uniforms:
    """The draws of one stage.

    Attributes:
        condition: Index of each row's condition. Shape (rows,).
        u: Uniform for right draws. Shape (rows, width).
    """

    condition: np.ndarray
    u: np.ndarray

    def __len__(self) -> int:
        return len(self.u)

    def residuals(self) -> np.ndarray:
        """Returns u about its mean given each condition."""
        sums = np.zeros((self.condition.max() + 1, self.u.shape[1]))
        np.add.at(sums, self.condition, self.u)
        return np.asarray(self.u - (sums / np.bincount(self.condition)[:, None])[self.condition])


@dataclass
class _Rows(Property[_Uniforms]):
    """Rows of a batch are drawn independently."""

    name = "independence of the rows"
    due = "each row is drawn with random numbers of its own"
    method: Method = "asymptotic"

    def strikes(self, sample: _Uniforms) -> bool:
        return products_strike(sample.u - 0.5)

    def explains(self, samples: list[_Uniforms]) -> bool:
        # A law that is wrong given each condition has other means; what is left shows noise.
        return rows_hang_together([sample.residuals() for sample in samples])

    def effect(self, samples: list[_Uniforms]) -> str:
        return "rows of one batch hang together: is noise shared between them?"


@dataclass
class _Pooled(Property[_Uniforms]):
    """u over all conditions, by Kolmogorov's statistic for each column."""

    name = "the law over all conditions"
    due = _DUE
    method: Method = "exact"

    def strikes(self, sample: _Uniforms) -> bool:
        columns = sample.u.T
        p_values = [stats.ks_1samp(column, stats.uniform.cdf).pvalue for column in columns]
        return bool(min(p_values) * len(columns) <= RATE)

    def effect(self, samples: list[_Uniforms]) -> str:
        u = np.concatenate([sample.u for sample in samples]).ravel()
        far = number(stats.ks_1samp(u, stats.uniform.cdf).statistic)
        return f"the share of numbers below some value is off by {far}"

    def evidence(self, samples: list[_Uniforms]) -> TableEvidence:
        return TableEvidence(counts=np.sum([_table(s, 1)[0] for s in samples], axis=0))


@dataclass
class _Given(Property[_Uniforms]):
    """The table of conditions and bins of u; each row of it is uniform."""

    conditions: int
    name = "the law given each condition"
    due = _DUE
    method: Method = "simulated"
    cells: dict[int, Property[TableSample]] = field(default_factory=dict)

    def strikes(self, sample: _Uniforms) -> bool:
        return self._of(sample).strikes(_table(sample, self.conditions)[1])

    def effect(self, samples: list[_Uniforms]) -> str:
        counts = self._counts(samples)
        expected = counts.sum(1, keepdims=True) / BINS
        worst = int(np.argmax(((counts - expected) ** 2 / expected).sum(1)))
        below = counts[worst, : BINS // 2].sum() / counts[worst].sum()
        return (
            f"given some of the conditions, {below:.0%} of the numbers lie below the median, and "
            f"the farthest eighths hold {number(counts[worst].min() / expected[worst, 0])} to "
            f"{number(counts[worst].max() / expected[worst, 0])} times their share"
        )

    def evidence(self, samples: list[_Uniforms]) -> TableEvidence:
        return TableEvidence(counts=self._counts(samples))

    def _counts(self, samples: list[_Uniforms]) -> np.ndarray:
        return np.asarray(np.sum([_table(s, self.conditions)[0] for s in samples], axis=0))

    def _of(self, sample: _Uniforms) -> Property[TableSample]:
        """The property of a table with a row for each bin of conditions and each column."""
        counts, _ = _table(sample, self.conditions)
        if len(counts) not in self.cells:
            law = np.full((len(counts), BINS), 1 / BINS)
            table = Table(law, np.arange(BINS, dtype=float)[:, np.newaxis])
            self.cells[len(counts)] = table_properties(table, {}, _DUE)[-1]
        return self.cells[len(counts)]


def _table(sample: _Uniforms, conditions: int) -> tuple[np.ndarray, TableSample]:
    """Counts u in bins, apart for each bin of conditions and each column."""
    width = sample.u.shape[1]
    per_bin = -(-conditions // CONDITIONS)
    group = (sample.condition // per_bin) if conditions > 1 else np.zeros(len(sample), int)
    starts = (group[:, np.newaxis] * width + np.arange(width)).ravel()
    states = np.clip((sample.u * BINS).astype(int), 0, BINS - 1).ravel()
    rows = (-(-conditions // per_bin)) * width
    flat = np.bincount(starts * BINS + states, minlength=rows * BINS)
    return flat.reshape(rows, BINS).astype(float), TableSample(starts, states)
