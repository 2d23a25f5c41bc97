"""Enumerated draws: the law comes out exactly, or not at all."""

import numpy as np
import pytest

from autograder.checks import all_states, laws, numpy_rng

STATES = all_states(2)
W = np.array([[0.7, -1.2], [0.3, 2.0]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def kernel():
    """The law of two units, drawn one after the other, by hand."""
    law = np.zeros((4, 4))
    for i, x in enumerate(STATES):
        p = sigmoid(x @ W)
        for j, y in enumerate(STATES):
            law[i, j] = np.prod(np.where(y == 1, p, 1 - p))
    return law


def table(law):
    seen = np.zeros((4, 4))
    index = (np.asarray(law.result) @ [2, 1]).astype(int)
    np.add.at(seen, (law.start, index), law.probability)
    return seen


def compared(x, rng):
    return (rng.random(x.shape) < sigmoid(x @ W)).astype(float)


def compared_the_other_way(x, rng):
    return 1.0 * (sigmoid(x @ W) > rng.uniform(size=x.shape))


def binomial(x, rng):
    return rng.binomial(1, sigmoid(x @ W)).astype(float)


def unit_by_unit(x, rng):
    p = sigmoid(x @ W)
    return np.stack([rng.random(len(x)) < p[:, j] for j in (0, 1)], axis=1).astype(float)


def complement(x, rng):
    return 1.0 - (rng.random(x.shape) < 1 - sigmoid(x @ W))


@pytest.mark.parametrize(
    "draw", [compared, compared_the_other_way, binomial, unit_by_unit, complement]
)
def test_the_law_is_exact_however_it_is_drawn(submit, draw):
    student, _ = submit(f=draw)
    law = laws.enumerate_draws(student.f, STATES)
    np.testing.assert_allclose(table(law), kernel(), atol=1e-15)
    np.testing.assert_allclose(law.mean(), sigmoid(STATES @ W), atol=1e-15)


def test_several_draws_in_a_row_compose(submit):
    student, _ = submit(f=lambda x, rng: compared(compared(x, rng), rng))
    law = laws.enumerate_draws(student.f, STATES)
    np.testing.assert_allclose(table(law), kernel() @ kernel(), atol=1e-15)


def test_a_function_of_the_check_can_stand_between(submit):
    student, _ = submit(f=lambda x, w, rng: (binomial(x, rng), w))
    law = laws.enumerate_draws(lambda x, rng=numpy_rng: student.f(x, W, rng)[0], STATES)
    np.testing.assert_allclose(table(law), kernel(), atol=1e-15)


def _until_all_are_on(x, rng):
    on = np.zeros(x.shape)
    while not on.all():
        on = np.maximum(on, rng.random(x.shape) < 0.5)
    return on


@pytest.mark.parametrize(
    "draw",
    [
        lambda x, rng: (rng.normal(size=x.shape) < x @ W) * 1.0,
        lambda x, rng: (rng.random((1, 2)) < sigmoid(x @ W)) * 1.0,
        lambda x, rng: (np.random.random(x.shape) < sigmoid(x @ W)) * 1.0,
        lambda x, rng: (np.log(rng.random(x.shape)) < np.log(sigmoid(x @ W))) * 1.0,
        lambda x, rng: np.roll(compared(x, rng), 1, axis=0),
        lambda x, rng: (rng.random((*x.shape, 10)) < 0.5).sum(2) * 1.0,
        lambda x, rng: [(u < 0.5) & (u < 0.6) for u in [rng.random(x.shape)]][0] * 1.0,
        lambda x, rng: x[:, :0] @ rng.missing,
        lambda x, rng: _until_all_are_on(x, rng),
    ],
)
def test_other_draws_are_not_enumerable_and_no_failure(submit, draw):
    student, _ = submit(f=draw)
    assert laws.enumerate_draws(student.f, STATES) is None
