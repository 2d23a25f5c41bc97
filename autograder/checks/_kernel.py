"""`expect_kernel`: one step of a Markov chain on finitely many states."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from autograder.checks._enumerate import ExactLaw, enumerate_draws
from autograder.checks._evidence import TableEvidence
from autograder.checks._instances import all_states
from autograder.checks._null import RATE
from autograder.checks._seeds import Method, Stages
from autograder.checks._seen import called_as
from autograder.checks._staged import Draws, Property, run_stages
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

__all__ = ["expect_kernel"]

ROWS = 2**16

# Probabilities of an enumeration are right up to the rounding of float32.
EXACT = 1e-5

_PINNED = "from each start, each state is drawn with the probability that the model gives it"
_STATIONARY = "draws that start in the target law stay in it"


def expect_kernel(
    call: Callable[..., Any],
    states: np.ndarray,
    transition: np.ndarray,
    n: int,
    stages: Stages,
    any_kernel: bool = False,
    moves: float = 0.05,
    reversible: bool = False,
) -> None:
    """Holds that one step has the law of the right kernel.

    Exact where the draws can be enumerated; else a staged test of the pair (start, next).
    Independent rows start from known states: no long chain, whose effective length would be an
    estimate that is wrong exactly where the sampler is.

    Args:
        call: Takes rows of states, and a generator; returns one row for each.
        states: The starts. Shape (starts, width).
        transition: Probability of each next state from each start. Shape (starts, next states);
            the next states are `states`, or else all 0/1 states of their width, in the order of
            `all_states`. With `any_kernel` the target law, shape (starts,).
        n: Rows of the first stage.
        stages: The source of seeds.
        any_kernel: Whether any kernel will do that keeps the target law and moves.
        moves: With `any_kernel`, the share of rows that leave their state, at least.
        reversible: With `any_kernel`, whether each move must be as frequent as its reverse
            (detailed balance).

    Raises:
        CheckFailed: If the step has another law.
    """
    if reversible and not any_kernel:
        raise ValueError("A pinned kernel is compared itself: reversible goes with any_kernel.")
    states = np.asarray(states, np.float64)
    wide = states.reshape(len(states), -1)
    due = np.asarray(transition, np.float64)
    shape = (len(states),) if any_kernel else (len(states), due.shape[-1])
    if due.shape != shape or not np.allclose(due.sum(-1), 1.0):
        raise ValueError(f"The law has shape {shape} and sums to 1. Received: shape {due.shape}")
    after = (
        wide if due.shape[-1] == len(states) else all_states(int(due.shape[-1]).bit_length() - 1)
    )
    if len(after) != due.shape[-1]:
        raise ValueError(f"There are {len(after)} next states. Received: shape {due.shape}")
    law = None if stages.observation else enumerate_draws(call, states, ROWS)
    if law is not None:
        _expect_exactly(law, after, due, moves, reversible)
    elif any_kernel:
        _expect_stationary(call, states, due, n, stages, moves, reversible)
    else:
        _expect_pairs(call, states, Table(due, after), n, stages)


def _expect_exactly(
    law: ExactLaw, after: np.ndarray, due: np.ndarray, moves: float, reversible: bool
) -> None:
    call = called_as(law.result)
    index = found(np.asarray(law.result), after, call)
    seen = np.zeros((law.start.max() + 1, len(after)))
    np.add.at(seen, (law.start, index), law.probability)
    if due.ndim == 1:
        stays = float(due @ np.diag(seen))
        if 1 - stays < moves - EXACT:
            _not_moving(1 - stays, moves, call)
        flow = due[:, np.newaxis] * seen
        seen, due = (due @ seen)[np.newaxis], due[np.newaxis]
    evidence = TableEvidence(probabilities=seen)
    wrong = np.abs(seen - due) > EXACT
    if not wrong.any():
        if reversible and (one_way := np.abs(flow - flow.T) > EXACT).any():
            crossed, of = int(one_way.sum()) // 2, len(after) * (len(after) - 1) // 2
            text = (
                f"{crossed} of {of} pairs of states are crossed more often one way than the other"
            )
            evidence = TableEvidence(probabilities=flow)
            raise CheckFailed(_Balance.name, text, _Balance.due, call, evidence)
        return
    words = _PINNED if len(due) > 1 else _STATIONARY
    table = Table(due, after)
    for feature in table.unit_features():
        one, right = float((seen * feature.values).sum()), float((due * feature.values).sum())
        if abs(one - right) > EXACT * len(due):
            ratio = number(one / right) + " times as often as it" if right > 0 else "and never"
            raise CheckFailed(None, f"{feature.words} {ratio} should be", words, call, evidence)
    pairs = "pairs of start and next state" if len(due) > 1 else "states"
    text = f"{int(wrong.sum())} of {wrong.size} {pairs} are too frequent or too rare"
    raise CheckFailed(None, text, words, call, evidence)


def _expect_pairs(
    call: Callable[..., Any], states: np.ndarray, table: Table, n: int, stages: Stages
) -> None:
    # Neighbours have the same start: noise shared between rows then shows most.
    rounded = 2 * len(states) * int(np.ceil(n / (2 * len(states))))

    def starts(stage: int, rows: int) -> np.ndarray:
        pairs = np.arange(rows // 2) % len(states)
        return np.repeat(stages.for_judge(stage, "starts").permutation(pairs), 2)

    draws = Draws(call, rounded, stages, lambda stage, rows: (states[starts(stage, rows)],))
    draws.expect_fresh()

    def sample(stage: int) -> TableSample:
        rows = draws[stage]
        made = TableSample(starts(stage, len(rows)), found(rows, table.states, draws.call))
        expect_support(table, made, draws.call)
        return made

    features = {}
    if np.array_equal(table.states, states.reshape(len(states), -1)):
        stay = Feature("the state stays as it is", np.eye(len(states)))
        features["movement"] = [stay]
    features["each unit"] = table.unit_features()
    run_stages(sample, table_properties(table, features, _PINNED), stages, lambda: draws.call)


def _expect_stationary(
    call: Callable[..., Any],
    states: np.ndarray,
    target: np.ndarray,
    n: int,
    stages: Stages,
    moves: float,
    reversible: bool,
) -> None:
    # That no row of so many moves has a probability of at most 1e-10.
    n = max(n, int(np.ceil(np.log(1e-10) / np.log1p(-moves))))
    n += n % 2

    def starts(stage: int, rows: int) -> np.ndarray:
        return stages.for_judge(stage, "starts").choice(len(states), size=rows, p=target)

    draws = Draws(call, n, stages, lambda stage, rows: (states[starts(stage, rows)],))
    table = Table(target[np.newaxis], states.reshape(len(states), -1))

    def sample(stage: int) -> TableSample:
        rows = draws[stage]
        made = TableSample(np.zeros(len(rows), int), found(rows, table.states, draws.call))
        expect_support(table, made, draws.call)
        return made

    stages.tested("movement", float((1 - moves) ** n), "exact")
    if np.array_equal(sample(0).states, starts(0, n)):
        _not_moving(0.0, moves, draws.call)
    draws.expect_fresh()
    features = {"each unit": table.unit_features()}
    run_stages(sample, table_properties(table, features, _STATIONARY), stages, lambda: draws.call)
    if reversible:

        def moved(stage: int) -> TableSample:
            after = sample(stage)
            return TableSample(starts(stage, len(after)), after.states)

        run_stages(moved, [_Balance(len(states))], stages, lambda: draws.call)


@dataclass
class _Balance(Property[TableSample]):
    """Each move is as frequent as its reverse, of rows that start in the target law."""

    states: int
    name = "detailed balance"
    due = "each move between two states is as frequent as its reverse"
    method: Method = "exact"

    def counts(self, sample: TableSample) -> np.ndarray:
        flat = np.bincount(sample.starts * self.states + sample.states, minlength=self.states**2)
        return flat.reshape(self.states, self.states)

    def strikes(self, sample: TableSample) -> bool:
        there = self.counts(sample)
        first, second = np.triu_indices(self.states, 1)
        ways, back = there[first, second], there.T[first, second]
        # Twice the smaller tail of binomial(n, 1/2), of each pair that was crossed at all.
        crossed = ways + back > 0
        tails = 2 * stats.binom.cdf(np.minimum(ways, back), ways + back, 0.5)[crossed]
        return bool(tails.size and np.min(tails) * tails.size <= RATE)

    def effect(self, samples: list[TableSample]) -> str:
        there = np.sum([self.counts(sample) for sample in samples], axis=0)
        excess = np.triu(np.abs(there - there.T) / np.sqrt(np.maximum(there + there.T, 1)), 1)
        one, other = np.unravel_index(np.argmax(excess), excess.shape)
        more, less = sorted((there[one, other], there[other, one]), reverse=True)
        return f"of the {more + less} moves between two states, {more} went one way, {less} back"

    def evidence(self, samples: list[TableSample]) -> TableEvidence:
        return TableEvidence(counts=np.sum([self.counts(s) for s in samples], axis=0))


def _not_moving(share: float, moves: float, call: str | None) -> None:
    seen = "no row leaves its state" if share == 0 else f"only {number(share)} of rows move"
    raise CheckFailed("movement", seen, f"at least {number(moves)} of all rows move", call)
