"""The staged test: five strikes at 1 %, each on fresh draws.

A property strikes on a stage when right draws would look so bad in at most one case of a hundred.
It holds as soon as one stage does not strike; five independent stages strike with probability at
most 1e-10 for right work.
"""

from collections.abc import Callable, Iterable, Sized
from itertools import chain
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from scipy import stats

from autograder.checks._evidence import Evidence
from autograder.checks._null import RATE
from autograder.checks._probe import Probe, drawing, drawn, probe, reports_of
from autograder.checks._seeds import Method, Stages
from autograder.checks._seen import called_as, leaves
from autograder.checks._values import expect
from autograder.errors import CheckFailed

__all__ = [
    "BOUND",
    "Draws",
    "Property",
    "products_strike",
    "rows_hang_together",
    "run_stages",
    "strikes_by_mean",
]

STAGES = 5
GROWTH = 4

# What right work fails one property with, at most.
BOUND = RATE**STAGES

# Where a p-value leans on the normal approximation, a strike is at half the rate: skewed draws
# strike up to 1.5 times as often as they should.
APPROXIMATE_RATE = RATE / 2

FRESH = "fresh draws"

# Enough that right draws do not repeat by chance; some code takes a millisecond for each row.
FRESH_ROWS = 256

_Sample = TypeVar("_Sample", bound=Sized)


class Property(Protocol, Generic[_Sample]):
    """One named thing that is true of right draws.

    Attributes:
        name: What is tested, in a few words.
        due: What is true, in words.
        method: How it is known what right draws do in one case of a hundred.
    """

    name: str
    due: str
    method: Method

    def strikes(self, sample: _Sample) -> bool:
        """Says whether right draws look so bad in at most one case of a hundred."""

    def effect(self, samples: list[_Sample]) -> str:
        """Says how the draws of all stages differ from what is due."""

    def evidence(self, samples: list[_Sample]) -> Evidence | None:
        """Returns the draws of all stages, to be compared with those of mistakes, if they tell."""
        return None

    def explains(self, samples: list[_Sample]) -> bool:
        """Says whether this is what is wrong, or a later property may say it better."""
        return True


def run_stages(
    sample: Callable[[int], _Sample],
    properties: Iterable[Property[_Sample]],
    stages: Stages,
    call: Callable[[], str | None],
) -> None:
    """Runs the staged test over properties, in their order.

    Args:
        sample: Returns the draws of a stage, always the same.
        properties: What must hold.
        stages: Where to note what was tested by chance.
        call: Returns the call, for the message.

    Raises:
        CheckFailed: If a property strikes on all stages.
    """
    suspected: CheckFailed | None = None
    observation = stages.observation
    for item in properties:
        stages.tested(item.name, BOUND, item.method)
        if observation is not None:
            seen = sample(observation.stage)
            observation.note(item.name, item.strikes(seen), len(seen), item.method)
            continue
        if all(item.strikes(sample(stage)) for stage in range(STAGES)):
            samples = [sample(stage) for stage in range(STAGES)]
            failure = CheckFailed(
                item.name, item.effect(samples), item.due, call(), item.evidence(samples)
            )
            if item.explains(samples):
                raise failure
            suspected = suspected or failure
    if suspected is not None:
        raise suspected


class Draws:
    """The draws of a check: stage 0 with n rows, each later stage with 4 n, made when needed.

    Attributes:
        n: Rows of stage 0.
        stages: Where seeds come from.
        call: The call that drew, as text, or None.
    """

    def __init__(
        self,
        call: Callable[..., Any],
        n: int,
        stages: Stages,
        arguments: Callable[[int, int], tuple[Any, ...]] = lambda stage, rows: (rows,),
    ) -> None:
        """Draws nothing yet.

        Args:
            call: `student.f`, or a function of the check with the parameter `rng`; returns one
                row per draw.
            n: Rows of stage 0.
            stages: The source of seeds.
            arguments: Returns what to call it with, from stage and number of rows.
        """
        self.n = n
        self.stages = stages
        self.call: str | None = None
        self._call = call
        self._arguments = arguments
        self._marker = drawing(call)
        self._rows: dict[int, Any] = {}
        self._fresh = False

    def size(self, stage: int) -> int:
        """Returns the number of rows of a stage."""
        return self.n if stage == 0 else GROWTH * self.n

    def __getitem__(self, stage: int) -> np.ndarray:
        """Returns the rows of a stage."""
        if stage not in self._rows:
            self._rows[stage], _ = self._drawn(stage, self.size(stage))
        return np.asarray(self._rows[stage])

    def expect_fresh(self) -> None:
        """Holds that each call draws anew: on one generator, and with another one.

        Raises:
            CheckFailed: If draws repeat, five times in a row: discrete ones may once, by chance.
        """
        if self._fresh or self.stages.observation is not None:
            return
        rows = min(self.n, FRESH_ROWS)
        tries = range(STAGES, 2 * STAGES)
        first, report = self._drawn(STAGES, rows, _twice)
        others = (self._drawn(stage, rows, _twice)[1] for stage in tries[1:])
        if all(_equal(pair["result"], pair.get("again")) for pair in chain([report], others)):
            raise CheckFailed(
                FRESH,
                "two calls with one generator returned the same: is it copied or seeded anew?",
                "each call draws new random numbers",
                self.call,
            )
        if all(_equal(first, self._drawn(stage + 1, rows)[0]) for stage in tries):
            raise CheckFailed(
                FRESH,
                "calls with different generators returned the same: is a seed set inside?",
                "each call draws new random numbers",
                self.call,
            )
        self._fresh = True

    def _drawn(
        self, stage: int, rows: int, detour: Probe | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Returns the rows of a call, and what else a detour brought back."""
        marker = self._marker.counted(self.stages.for_student(stage), detour)
        result = drawn(self._call, self._arguments(stage, rows), marker)
        self.call = called_as(result)
        if np.ndim(result) == 0 or len(result) != rows:
            due = f"one row per draw, {rows} along the first axis"
            raise CheckFailed(None, f"shape {np.shape(result)}", due, self.call)
        expect(result).finite()
        return result, {} if detour is None else reports_of(marker)[0]


def _equal(first: Any, second: Any) -> bool:  # noqa: ANN401
    one, other = leaves(first), leaves(second)
    return len(one) == len(other) and all(map(np.array_equal, one, other))


@probe
def _twice(student, name, *arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN202
    function = getattr(student, name)
    return {"result": function(*arguments), "again": function(*arguments)}


def strikes_by_mean(values: np.ndarray, side: int = 0) -> bool:
    """Says whether the mean of values, due to be 0, is improbable, by Student's t.

    Args:
        values: Shape (rows,) or (rows, size); independent rows.
        side: 0 to look at both sides, 1 to look for a mean above 0 only.
    """
    values = values.reshape(len(values), -1)
    mean, error = values.mean(0), values.std(0, ddof=1) / np.sqrt(len(values))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(mean == 0, 0.0, mean / error)
    p = stats.t.sf(t, len(values) - 1) if side else 2 * stats.t.sf(np.abs(t), len(values) - 1)
    return bool(np.min(p) * values.shape[1] <= APPROXIMATE_RATE)


def products_strike(centred: np.ndarray) -> bool:
    """Says whether rows of mean 0 hang together: neighbours, or rows half the batch apart.

    Noise shared over the batch leaves the law of every single row right; the products of two rows
    show it.
    """
    rows = centred.reshape(len(centred), -1)[: len(centred) // 2 * 2]
    half = len(rows) // 2
    products = [(rows[::2] * rows[1::2]).sum(1), (rows[:half] * rows[half:]).sum(1)]
    return strikes_by_mean(np.stack(products, axis=1))


def rows_hang_together(centred: list[np.ndarray]) -> bool:
    """Says whether rows of several stages share noise, or only have another mean.

    Both make products of rows large. But a wrong mean is the same in all stages, and leaves no
    trace once it is subtracted.
    """
    rows = [stage.reshape(len(stage), -1) for stage in centred]
    means = np.stack([stage.mean(0) for stage in rows])
    errors = np.stack([stage.var(0) / len(stage) for stage in rows])
    scatter = (means - means.mean(0)) ** 2 > 16 * errors
    return bool(scatter.any()) or products_strike(rows[-1] - means[-1])
