"""Laws on finitely many states: from each start, how often each state comes next.

Draws without a start are those with one start.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import xlogy

from autograder.checks._evidence import TableEvidence
from autograder.checks._null import simulations, thresholds
from autograder.checks._seeds import Method
from autograder.checks._staged import Property, products_strike, rows_hang_together
from autograder.checks._words import counted, number
from autograder.errors import CheckFailed

__all__ = ["Feature", "Table", "TableSample", "found", "table_properties"]

# Of the ratio that a message gives: 99 %.
_SPREAD = 2.576


@dataclass(frozen=True)
class TableSample:
    """The draws of one stage.

    Attributes:
        starts: Index of each row's start. Shape (rows,).
        states: Index of each row's state. Shape (rows,).
    """

    starts: np.ndarray
    states: np.ndarray

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.states)


@dataclass(frozen=True)
class Feature:
    """A number for each pair of start and state, of which the mean is due.

    Attributes:
        words: What happens more or less often: "unit 2 is on".
        values: Shape (starts, states).
    """

    words: str
    values: np.ndarray


@dataclass(frozen=True)
class Table:
    """A law: the probability of each state from each start.

    Attributes:
        probabilities: Shape (starts, states); rows sum to 1.
        states: The states themselves. Shape (states, width).
    """

    probabilities: np.ndarray
    states: np.ndarray

    def counts(self, sample: TableSample) -> np.ndarray:
        """Returns how often each state came from each start. Shape (starts, states)."""
        starts, states = self.probabilities.shape
        flat = np.bincount(sample.starts * states + sample.states, minlength=starts * states)
        return flat.reshape(starts, states).astype(float)

    def evidence(self, samples: list[TableSample]) -> TableEvidence:
        """Returns the counts of several stages."""
        return TableEvidence(counts=np.sum([self.counts(s) for s in samples], axis=0))

    @cached_property
    def key(self) -> bytes:
        """Tells tables apart."""
        return self.probabilities.tobytes() + str(self.probabilities.shape).encode()

    def unit_features(self) -> list[Feature]:
        """Returns, for states of zeros and ones, how often each unit is on."""
        if not np.isin(self.states, (0, 1)).all():
            return []
        starts = len(self.probabilities)
        return [
            Feature(f"unit {unit} is on", np.tile(self.states[:, unit], (starts, 1)))
            for unit in range(self.states.shape[1])
        ]


def found(rows: np.ndarray, states: np.ndarray, call: str | None) -> np.ndarray:
    """Returns the index of each row among the states.

    Raises:
        CheckFailed: If a row is none of them.
    """
    flat = rows.reshape(len(rows), -1).astype(float)
    if flat.shape[1] != states.shape[1]:
        due = f"rows of {states.shape[1]}"
        raise CheckFailed("support", f"rows of {flat.shape[1]}", due, call)
    known, inverse = np.unique(np.concatenate([states, flat]), axis=0, return_inverse=True)
    place = np.full(len(known), -1)
    place[inverse[: len(states)]] = np.arange(len(states))
    index = place[inverse[len(states) :]]
    if (index < 0).any():
        seen = f"{counted(index < 0, 'row')} are none of the possible states"
        raise CheckFailed("support", seen, "only possible states", call)
    return np.asarray(index)


@dataclass
class _Rows(Property[TableSample]):
    """Rows of a batch are drawn independently."""

    table: Table
    name = "independence of the rows"
    due = "each row is drawn with random numbers of its own"
    method: Method = "asymptotic"

    def centred(self, sample: TableSample) -> np.ndarray:
        mean = self.table.probabilities @ self.table.states
        return np.asarray(self.table.states[sample.states] - mean[sample.starts])

    def strikes(self, sample: TableSample) -> bool:
        return products_strike(self.centred(sample))

    def explains(self, samples: list[TableSample]) -> bool:
        return rows_hang_together([self.centred(sample) for sample in samples])

    def effect(self, samples: list[TableSample]) -> str:
        return "rows of one batch hang together: is noise shared between them?"


@dataclass
class _Features(Property[TableSample]):
    """Means of features, the largest deviation of all."""

    name: str
    due: str
    table: Table
    features: list[Feature]
    thresholds: Callable[[np.ndarray], dict[str, float]]
    method: Method = "simulated"

    @cached_property
    def values(self) -> np.ndarray:
        return np.stack([feature.values for feature in self.features])

    def moments(self, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and standard deviation of each feature's sum, given rows per start."""
        p = self.table.probabilities
        mean = (p * self.values).sum(2)
        variance = np.maximum((p * self.values**2).sum(2) - mean**2, 0.0)
        return mean @ sizes, np.sqrt(variance @ sizes)

    def statistic(self, counts: np.ndarray) -> np.ndarray:
        """Returns the statistic of each table of counts. Shape (tables,)."""
        mean, deviation = self.moments(counts[0].sum(1))
        varies = deviation > 1e-9
        if not varies.any():
            return np.zeros(len(counts))
        sums = np.einsum("bsm,fsm->bf", counts, self.values[varies], optimize=True)
        return np.asarray(np.max(np.abs(sums - mean[varies]) / deviation[varies], axis=1))

    def strikes(self, sample: TableSample) -> bool:
        counts = self.table.counts(sample)
        statistic = self.statistic(counts[np.newaxis])[0]
        return bool(statistic > self.thresholds(counts.sum(1))[self.name])

    def effect(self, samples: list[TableSample]) -> str:
        counts = np.sum([self.table.counts(sample) for sample in samples], axis=0)
        mean, deviation = self.moments(counts.sum(1))
        sums = np.einsum("sm,fsm->f", counts, self.values)
        with np.errstate(divide="ignore", invalid="ignore"):
            worst = int(np.nanargmax(np.abs(sums - mean) / deviation))
        words = self.features[worst].words
        return _ratio(words, sums[worst], mean[worst], deviation[worst])

    def evidence(self, samples: list[TableSample]) -> TableEvidence:
        return self.table.evidence(samples)


@dataclass
class _Cells(Property[TableSample]):
    """All cells together: the likelihood ratio statistic, G."""

    table: Table
    thresholds: Callable[[np.ndarray], dict[str, float]]
    due: str
    name = "all states together"
    method: Method = "simulated"

    def statistic(self, counts: np.ndarray) -> np.ndarray:
        expected = counts[0].sum(1)[:, np.newaxis] * self.table.probabilities
        ratio = counts / np.where(expected > 0, expected, 1.0)
        return np.asarray(2 * xlogy(counts, ratio).sum((1, 2)))

    def strikes(self, sample: TableSample) -> bool:
        counts = self.table.counts(sample)
        statistic = self.statistic(counts[np.newaxis])[0]
        return bool(statistic > self.thresholds(counts.sum(1))[self.name])

    def effect(self, samples: list[TableSample]) -> str:
        counts = np.sum([self.table.counts(sample) for sample in samples], axis=0)
        p = self.table.probabilities
        expected = counts.sum(1)[:, np.newaxis] * p
        deviation = np.sqrt(expected * (1 - p)) + 1e-9
        worst = np.unravel_index(np.argmax(np.abs(counts - expected) / deviation), p.shape)
        words = "one state comes up" if len(p) == 1 else "one state, from one of the starts, comes"
        return _ratio(words, counts[worst], expected[worst], deviation[worst])

    def evidence(self, samples: list[TableSample]) -> TableEvidence:
        return self.table.evidence(samples)


def _ratio(words: str, sum_: float, due: float, deviation: float) -> str:
    """Says how much more often something happens than it should, with an interval."""
    if due <= 0:
        return f"{words}, which should not be"
    ratio, half = sum_ / due, _SPREAD * deviation / due
    between = f"(between {number(max(ratio - half, 0.0))} and {number(ratio + half)})"
    return f"{words} {number(ratio)} times as often as it should {between}"


def expect_support(table: Table, sample: TableSample, call: str | None) -> None:
    """Holds that no state comes up that cannot.

    Raises:
        CheckFailed: If a state of probability 0 does.
    """
    impossible = table.probabilities[sample.starts, sample.states] == 0
    if impossible.any():
        seen = f"{counted(impossible, 'row')} are states that cannot come up there"
        raise CheckFailed("support", seen, "only states of positive probability", call)


def table_properties(
    table: Table, features: dict[str, list[Feature]], due: str
) -> tuple[Property[TableSample], ...]:
    """Returns what draws from a table must show, in the order of diagnosis.

    Args:
        table: The law.
        features: Features by the name of the property that they make.
        due: The law, in words.
    """

    def limits(sizes: np.ndarray) -> dict[str, float]:
        values = [(item.name, item.values.tobytes()) for item in named]
        key = ("table", table.key, *values, sizes.tobytes())
        count = simulations(table.probabilities.size)
        return thresholds(key, count, lambda generator: simulate(sizes, count, generator))

    def simulate(
        sizes: np.ndarray, count: int, generator: np.random.Generator
    ) -> dict[str, np.ndarray]:
        parts: dict[str, list[np.ndarray]] = {item.name: [] for item in tested}
        for _ in range(0, count, 1000):
            rows = zip(sizes.astype(int), table.probabilities, strict=True)
            drawn = [generator.multinomial(size, p, size=1000) for size, p in rows]
            counts = np.stack(drawn, axis=1).astype(float)
            for item in tested:
                parts[item.name].append(item.statistic(counts))
        return {name: np.concatenate(several)[:count] for name, several in parts.items()}

    named = [_Features(name, due, table, list(f), limits) for name, f in features.items() if f]
    tested: list[_Features | _Cells] = [*named, _Cells(table, limits, due)]
    return (_Rows(table), *tested)
