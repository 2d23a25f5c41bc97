"""The law of independent rows: of finitely many states, by a distribution function, by moments."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from autograder.checks._evidence import RowsEvidence
from autograder.checks._null import RATE, simulations, thresholds
from autograder.checks._seeds import Method
from autograder.checks._staged import (
    Draws,
    Property,
    products_strike,
    rows_hang_together,
    run_stages,
)
from autograder.checks._tables import (
    Feature,
    Table,
    TableSample,
    expect_support,
    found,
    table_properties,
)
from autograder.checks._words import number
from autograder.errors import CheckFailed

__all__ = ["Law", "continuous", "discrete", "expect_law", "moments"]

_Sampler = Callable[[int, np.random.Generator], np.ndarray]
_Statistics = dict[str, Callable[[np.ndarray], float]]

# Of the intervals in messages: 99 %.
_SPREAD = 2.576


@dataclass(frozen=True)
class Law:
    """What is true of right draws.

    Attributes:
        sample: Makes what the properties look at from rows and the call's text; raises
            CheckFailed for a row that cannot come up.
        properties: In the order of diagnosis.
    """

    sample: Callable[[np.ndarray, str | None], Any]
    properties: tuple[Property[Any], ...]


def expect_law(draws: Draws, *laws: Law) -> None:
    """Holds that draws are fresh, and have the properties of laws, in their order.

    Args:
        draws: What `draws` returned.
        *laws: What `discrete`, `continuous` and `moments` return.

    Raises:
        CheckFailed: If a property does not hold; the first one, in the order of diagnosis.
    """
    draws.expect_fresh()
    for law in laws:

        def sample(stage: int, law: Law = law) -> Any:  # noqa: ANN401
            return law.sample(draws[stage], draws.call)

        run_stages(sample, law.properties, draws.stages, lambda: draws.call)


def discrete(
    log_probability: ArrayLike,
    states: np.ndarray,
    **features: Callable[[np.ndarray], np.ndarray],
) -> Law:
    """Returns the law of independent draws from finitely many states.

    Tested in this order: support (exactly), independence of the rows, named features, for states
    of zeros and ones each unit, all states together.

    Args:
        log_probability: Of each state; -inf for one that cannot come up. Shape (states,).
        states: Shape (states,) or (states, width).
        **features: Functions of the states, one number for each, by what they are called.
    """
    wide = np.asarray(states, np.float64).reshape(len(states), -1)
    probability = np.exp(np.asarray(log_probability, np.float64))
    if not np.isclose(probability.sum(), 1.0):
        raise ValueError(f"Probabilities sum to 1. Received: a sum of {probability.sum()!r}")
    table = Table((probability / probability.sum())[np.newaxis], wide)
    groups = {
        name.replace("_", " "): [
            Feature(name.replace("_", " ") + " is", np.asarray(feature(states), float)[np.newaxis])
        ]
        for name, feature in features.items()
    }
    groups["each unit"] = table.unit_features()

    def sample(rows: np.ndarray, call: str | None) -> TableSample:
        made = TableSample(np.zeros(len(rows), int), found(rows, wide, call))
        expect_support(table, made, call)
        return made

    due = "each state comes up with its probability"
    return Law(sample, table_properties(table, groups, due))


def continuous(
    cdf: Callable[[np.ndarray], np.ndarray], mean: ArrayLike, variance: ArrayLike
) -> Law:
    """Returns the law of rows whose columns are independent, with known distribution function.

    Tested in this order: independence of the rows, of the columns, mean, variance, marginal law.

    Args:
        cdf: The distribution function, element by element; defined once, at module level, since
            thresholds are kept by it.
        mean: Of each column, or of all.
        variance: Likewise.
    """
    mean, deviation = np.asarray(mean, np.float64), np.sqrt(np.asarray(variance, np.float64))
    width = int(max(mean.size, deviation.size))
    centre = np.broadcast_to(mean, (width,))
    scale = np.broadcast_to(deviation, (width,))
    grid = centre + scale * np.linspace(-40.0, 40.0, 2**16)[:, np.newaxis]
    levels = np.asarray(cdf(grid), np.float64)

    def draw(count: int, generator: np.random.Generator) -> np.ndarray:
        u = generator.random((count, width))
        columns = [np.interp(u[:, j], levels[:, j], grid[:, j]) for j in range(width)]
        return np.stack(columns, axis=1)

    key = (cdf, centre.tobytes(), scale.tobytes())
    plain = _by_moments(centre, np.diag(scale**2), draw, key, {})
    return Law(_columns(width), (*plain, _Marginal(cdf, width)))


def moments(
    mean: ArrayLike,
    covariance: ArrayLike,
    reference: _Sampler | None = None,
    **features: Callable[[np.ndarray], np.ndarray],
) -> Law:
    """Returns the law of independent rows with known mean and covariance.

    Tested in this order: independence of the rows, of the columns (if the covariance is
    diagonal), mean, variance, correlations, named features.

    Args:
        mean: Shape (width,).
        covariance: Shape (width, width).
        reference: Draws right rows, from their number and a generator; defined once, at module
            level. Without one the law is Gaussian.
        **features: Functions of the rows, one number for each row, whose means are compared.
    """
    centre, covariance = np.atleast_1d(mean).astype(float), np.atleast_2d(covariance).astype(float)
    root = np.linalg.cholesky(covariance)

    def gaussian(count: int, generator: np.random.Generator) -> np.ndarray:
        return centre + generator.normal(size=(count, len(centre))) @ root.T

    key = (reference, centre.tobytes(), covariance.tobytes(), *features.items())
    named = {name.replace("_", " "): feature for name, feature in features.items()}
    properties = _by_moments(centre, covariance, reference or gaussian, key, named)
    return Law(_columns(len(centre)), properties)


def _columns(width: int) -> Callable[[np.ndarray, str | None], np.ndarray]:
    def sample(rows: np.ndarray, call: str | None) -> np.ndarray:
        flat = rows.reshape(len(rows), -1).astype(np.float64)
        if flat.shape[1] != width:
            raise CheckFailed(None, f"shape {rows.shape}", f"{width} numbers per row", call)
        return flat

    return sample


@dataclass
class _Rows(Property[np.ndarray]):
    """Rows of a batch are drawn independently."""

    mean: np.ndarray
    scale: np.ndarray
    name = "independence of the rows"
    due = "each row is drawn with random numbers of its own"
    method: Method = "asymptotic"

    def strikes(self, sample: np.ndarray) -> bool:
        return products_strike((sample - self.mean) / self.scale)

    def explains(self, samples: list[np.ndarray]) -> bool:
        return rows_hang_together(samples)

    def effect(self, samples: list[np.ndarray]) -> str:
        return "rows of one batch hang together: is noise shared between them?"


@dataclass
class _Simulated(Property[np.ndarray]):
    """A statistic whose threshold is simulated with right draws."""

    name: str
    due: str
    statistic: Callable[[np.ndarray], float]
    limits: Callable[[int], dict[str, float]]
    words: Callable[[np.ndarray], str]
    features: Callable[[np.ndarray], np.ndarray]
    method: Method = "simulated"

    def strikes(self, sample: np.ndarray) -> bool:
        return self.statistic(sample) > self.limits(len(sample))[self.name]

    def effect(self, samples: list[np.ndarray]) -> str:
        return self.words(np.concatenate(samples))

    def evidence(self, samples: list[np.ndarray]) -> RowsEvidence:
        rows = np.concatenate(samples)
        return RowsEvidence(rows, self.features(rows))


@dataclass
class _Marginal(Property[np.ndarray]):
    """The distribution function of each column, by Kolmogorov's statistic."""

    cdf: Callable[[np.ndarray], np.ndarray]
    width: int
    name = "the marginal law"
    due = "each number has the law of the exercise"
    method: Method = "exact"

    def strikes(self, sample: np.ndarray) -> bool:
        return self.distance(sample) > _furthest(len(sample), RATE / self.width)

    def effect(self, samples: list[np.ndarray]) -> str:
        far = number(self.distance(np.concatenate(samples)))
        return f"the share of numbers below some value is off by {far}"

    def evidence(self, samples: list[np.ndarray]) -> RowsEvidence:
        rows = np.concatenate(samples)
        return RowsEvidence(rows, np.zeros((len(rows), 0)))

    def distance(self, rows: np.ndarray) -> float:
        """Returns the largest distance of the rows' shares from the function, of all columns."""
        u = np.sort(np.asarray(self.cdf(rows)), axis=0)
        above = np.arange(1, len(u) + 1)[:, np.newaxis] / len(u)
        return float(max(np.max(above - u), np.max(u - above) + 1 / len(u)))


@cache
def _furthest(count: int, rate: float) -> float:
    """Returns what Kolmogorov's distance of so many right numbers exceeds at this rate."""
    return float(stats.kstwo.isf(rate, count))


def _by_moments(
    mean: np.ndarray,
    covariance: np.ndarray,
    draw: _Sampler,
    key: Hashable,
    features: dict[str, Callable[[np.ndarray], np.ndarray]],
) -> tuple[Property[np.ndarray], ...]:
    width = len(mean)
    scale = np.sqrt(np.diag(covariance))
    precision = np.linalg.inv(covariance)
    correlation = covariance / np.outer(scale, scale)
    pairs = np.triu_indices(width, 1)
    # Where features are centred only sharpens the test: the threshold is simulated about it.
    right = draw(20_000 if features else 2, np.random.default_rng(7))
    centres = {name: float(np.mean(feature(right))) for name, feature in features.items()}
    spreads = {name: float(np.std(feature(right))) or 1.0 for name, feature in features.items()}

    def off(rows: np.ndarray) -> float:
        shift = rows.mean(0) - mean
        return float(shift @ precision @ shift)

    def spread(rows: np.ndarray) -> float:
        return float(np.max(np.abs((((rows - mean) / scale) ** 2).mean(0) - 1)))

    def together(rows: np.ndarray) -> float:
        # About the rows' own mean: a wrong mean is another property.
        z = (rows - rows.mean(0)) / scale
        return float(np.max(np.abs((z.T @ z / len(z) - correlation)[pairs])))

    def feature_off(name: str, rows: np.ndarray) -> float:
        return abs(float(np.mean(features[name](rows))) - centres[name])

    def feature_in_words(name: str, rows: np.ndarray) -> str:
        shift = number(feature_off(name, rows) / spreads[name])
        return f"its mean is off by {shift} standard deviations"

    statistics: _Statistics = {"the mean": off, "the variance": spread}
    words = {
        "the mean": _mean_in_words(mean, scale),
        "the variance": _spread_in_words(mean, scale),
    }
    due = {
        "the mean": "the mean of the law",
        "the variance": "the variance of the law",
        "independence of the columns": "the numbers of a row are drawn independently",
        "the correlations": "the correlations of the law",
    }
    if width > 1:
        diagonal = bool(np.allclose(correlation, np.eye(width)))
        name = "independence of the columns" if diagonal else "the correlations"
        entry = {name: together}
        statistics = entry | statistics if diagonal else statistics | entry
        words[name] = lambda rows: "the numbers of a row hang together in another way"
    for name in features:
        statistics[name] = partial(feature_off, name)
        words[name] = partial(feature_in_words, name)

    def columns(rows: np.ndarray) -> np.ndarray:
        named = [np.asarray(feature(rows), float) for feature in features.values()]
        return np.stack(named, axis=1) if named else np.zeros((len(rows), 0))

    def limits(rows: int) -> dict[str, float]:
        count = simulations(rows * width)

        def simulate(generator: np.random.Generator) -> dict[str, np.ndarray]:
            values: dict[str, list[float]] = {name: [] for name in statistics}
            for _ in range(count):
                drawn = draw(rows, generator).reshape(rows, width)
                for name, statistic in statistics.items():
                    values[name].append(statistic(drawn))
            return {name: np.array(several) for name, several in values.items()}

        return thresholds(("moments", key, rows), count, simulate)

    tested = (
        _Simulated(
            name,
            due.get(name, "the mean under the right law"),
            statistic,
            limits,
            words[name],
            columns,
        )
        for name, statistic in statistics.items()
    )
    return (_Rows(mean, scale), *tested)


def _mean_in_words(mean: np.ndarray, scale: np.ndarray) -> Callable[[np.ndarray], str]:
    def words(rows: np.ndarray) -> str:
        shifts = (rows.mean(0) - mean) / scale
        worst = int(np.argmax(np.abs(shifts)))
        half = _SPREAD * rows[:, worst].std() / scale[worst] / np.sqrt(len(rows))
        low, high = shifts[worst] - half, shifts[worst] + half
        return (
            f"the mean of number {worst} of the rows is off by {number(shifts[worst])} standard "
            f"deviations (between {number(low)} and {number(high)})"
        )

    return words


def _spread_in_words(mean: np.ndarray, scale: np.ndarray) -> Callable[[np.ndarray], str]:
    def words(rows: np.ndarray) -> str:
        squares = ((rows - mean) / scale) ** 2
        ratios = squares.mean(0)
        worst = int(np.argmax(np.abs(ratios - 1)))
        half = _SPREAD * squares[:, worst].std() / np.sqrt(len(rows))
        low, high = max(ratios[worst] - half, 0.0), ratios[worst] + half
        return (
            f"the variance of number {worst} of the rows is {number(ratios[worst])} times what it "
            f"should be (between {number(low)} and {number(high)})"
        )

    return words
