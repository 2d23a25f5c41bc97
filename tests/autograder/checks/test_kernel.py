"""`expect_kernel`: exact if it can, staged if it must; right kernels pass, wrong ones fail."""

import numpy as np
import pytest
from scipy import stats

from autograder.checks import all_states, numpy_rng, sampling
from autograder.errors import CheckFailed

STATES = all_states(2)
W = np.array([[0.7, -1.2], [0.3, 2.0]])
B = np.array([0.2, -0.4])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def product_law(p):
    return np.prod(np.where(STATES == 1, p[:, np.newaxis], 1 - p[:, np.newaxis]), axis=2)


TRANSITION = product_law(sigmoid(STATES @ W + B))


def compared(x, rng):
    return (rng.random(x.shape) < sigmoid(x @ W + B)).astype(float)


def by_logits(x, rng):
    """Not enumerable: it computes with its uniform numbers."""
    u = rng.random(x.shape)
    return (np.log(u) - np.log1p(-u) < x @ W + B).astype(float)


def expect_step(submit, function, seed="ada", **options):
    student, stages = submit(f=function, seed=seed)
    sampling.expect_kernel(student.f, STATES, TRANSITION, 800, stages, **options)
    return student


def test_what_can_be_enumerated_has_no_chance_to_fail(submit):
    assert expect_step(submit, compared).bounds == ()


def test_what_cannot_be_enumerated_declares_its_bound(submit):
    bounds = dict(expect_step(submit, by_logits).bounds)
    assert list(bounds) == [
        "independence of the rows",
        "movement",
        "each unit",
        "all states together",
    ]
    assert all(bound == pytest.approx(1e-10) for bound in bounds.values())


def test_right_kernels_never_fail(submit):
    for seed in range(200):
        expect_step(submit, by_logits, seed=str(seed))


def _shared(x, rng):
    return (rng.random((1, 2)) < sigmoid(x @ W + B)).astype(float)


def _same_for_columns(x, rng):
    return (rng.random((len(x), 1)) < sigmoid(x @ W + B)).astype(float)


def _scaled(x, rng):
    return by_logits(1.8 * x, rng)


WRONG = {
    "weights scaled": (_scaled, "times as often"),
    "bias forgotten": (lambda x, rng: (rng.random(x.shape) < sigmoid(x @ W)) * 1.0, "unit"),
    "transposed": (lambda x, rng: (rng.random(x.shape) < sigmoid(x @ W.T + B)) * 1.0, "unit"),
    "two steps": (lambda x, rng: by_logits(by_logits(x, rng), rng), "times as often"),
    "stays": (lambda x, rng: x + 0 * rng.random(x.shape), ""),
    "noise for all rows": (_shared, "hang together"),
    "noise for all columns": (_same_for_columns, "times as often"),
    "probabilities": (lambda x, rng: sigmoid(x @ W + B), "none of the possible states"),
    "rounded": (lambda x, rng: np.round(sigmoid(x @ W + B)), ""),
    "one row": (lambda x, rng: by_logits(x, rng)[:1], "shape (1, 2)"),
    "a tuple": (lambda x, rng: (by_logits(x, rng),), "a tuple of 1 result"),
    "not a number": (lambda x, rng: by_logits(x, rng) * np.nan, "NaN"),
    "wider": (lambda x, rng: np.tile(by_logits(x, rng), (1, 2)), "rows of 4"),
    "seeded inside": (lambda x, rng: by_logits(x, np.random.default_rng(1)), "a seed set inside"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_kernels_fail_under_every_seed(submit, name):
    function, words = WRONG[name]
    for seed in range(10):
        with pytest.raises(CheckFailed) as caught:
            expect_step(submit, function, seed=str(seed))
        assert words in caught.value.seen or name == "seeded inside"
    failure = caught.value
    text = f"{failure.property} {failure.seen} {failure.due} {failure.call}"
    assert "p-value" not in text
    assert not any(f"{p:.3g}" in text for p in np.unique(TRANSITION))


def test_a_state_that_cannot_come_up_fails(submit):
    transition = np.tile([0.0, 0.5, 0.5, 0.0], (4, 1))
    student, stages = submit(f=by_logits)
    with pytest.raises(CheckFailed, match="cannot come up"):
        sampling.expect_kernel(student.f, STATES, transition, 400, stages)


def _metropolis(target):
    def step(x, rng):
        index = (x @ [2, 1]).astype(int)
        other = (index + rng.integers(1, 4, len(x))) % 4
        accept = rng.random(len(x)) < target[other] / target[index]
        return STATES[np.where(accept, other, index)]

    return step


TARGET = np.array([0.1, 0.2, 0.3, 0.4])


def expect_any(submit, function, seed="ada"):
    student, stages = submit(f=function, seed=seed)
    sampling.expect_kernel(student.f, STATES, TARGET, 1000, stages, any_kernel=True)


def test_any_kernel_that_keeps_the_target_passes(submit):
    for seed in range(60):
        expect_any(submit, _metropolis(TARGET), str(seed))
    expect_any(submit, lambda x, rng: STATES[rng.choice(4, size=len(x), p=TARGET)])


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (_metropolis(TARGET[::-1].copy()), "times as often"),
        (lambda x, rng: x, "no row leaves"),
        (lambda x, rng: STATES[rng.choice(4, size=len(x))], "times as often"),
    ],
)
def test_a_kernel_that_leaves_the_target_or_stays_fails(submit, function, words):
    for seed in range(5):
        with pytest.raises(CheckFailed) as caught:
            expect_any(submit, function, str(seed))
        assert words in caught.value.seen


def test_a_law_of_the_wrong_shape_is_the_check_authors_mistake(submit):
    student, stages = submit(f=compared)
    with pytest.raises(ValueError, match="Received"):
        sampling.expect_kernel(student.f, STATES, TRANSITION[:3], 100, stages)
    with pytest.raises(ValueError, match="Received"):
        sampling.expect_kernel(student.f, STATES, 2 * TRANSITION, 100, stages)


def test_next_states_may_be_wider_than_the_starts(submit):
    law = np.einsum("sm,st->smt", TRANSITION, TRANSITION).reshape(4, 16)
    n = 1000

    def both(x, rng=numpy_rng):
        return student.g(x, rng)

    student, stages = submit(
        g=lambda x, rng: np.concatenate([compared(x, rng), compared(x, rng)], 1)
    )
    sampling.expect_kernel(both, STATES, law, n, stages)
    student, stages = submit(g=lambda x, rng: np.tile(compared(x, rng), (1, 2)))
    with pytest.raises(CheckFailed, match="too frequent or too rare"):
        sampling.expect_kernel(both, STATES, law, n, stages)


THREE = np.array([[0.0], [1.0], [2.0]])
UNIFORM = np.full(3, 1 / 3)


def ring_walk(forward):
    """A walk on a ring of three states, forward with this probability, else back."""

    def step(states, rng):
        ahead = rng.normal(size=states.shape) < stats.norm.ppf(forward)
        return (states + np.where(ahead, 1, 2)) % 3

    return step


@pytest.mark.parametrize("seed", ["one", "two", "three"])
def test_a_kernel_that_goes_in_circles_keeps_the_target_but_not_its_balance(submit, seed):
    def expect(function, **options):
        student, stages = submit(f=function, seed=seed)
        sampling.expect_kernel(student.f, THREE, UNIFORM, 2000, stages, any_kernel=True, **options)

    expect(ring_walk(0.5), reversible=True)
    expect(ring_walk(0.6))
    with pytest.raises(CheckFailed, match="went one way") as caught:
        expect(ring_walk(0.6), reversible=True)
    assert caught.value.property == "detailed balance"


def both_bits(first, second):
    """A step on two bits whose draws can be enumerated."""

    def step(states, rng):
        x = (rng.random(states[:, :1].shape) < first(states)).astype(float)
        y = (rng.random(states[:, :1].shape) < second(states, x)).astype(float)
        return np.concatenate([x, y], axis=1)

    return step


def test_balance_is_exact_where_draws_can_be_enumerated(submit):
    uniform = np.full(4, 0.25)

    def expect(function, **options):
        student, stages = submit(f=function)
        sampling.expect_kernel(student.f, STATES, uniform, 400, stages, any_kernel=True, **options)
        return student

    # Each bit flips by itself: symmetric. Shifting bits along goes one way only.
    flips = both_bits(lambda s: 0.3 + 0.4 * s[:, :1], lambda s, x: 0.3 + 0.4 * s[:, 1:])
    shifts = both_bits(lambda s: 0.5 + 0 * s[:, :1], lambda s, x: s[:, :1])
    assert expect(flips, reversible=True).bounds == ()
    expect(shifts)
    with pytest.raises(CheckFailed, match="crossed more often one way"):
        expect(shifts, reversible=True)


def test_reversible_goes_with_any_kernel(submit):
    student, stages = submit(f=by_logits)
    with pytest.raises(ValueError, match="any_kernel"):
        sampling.expect_kernel(student.f, STATES, TRANSITION, 400, stages, reversible=True)
