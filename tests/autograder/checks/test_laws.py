"""Deterministic laws: right functions pass, wrong ones fail, with a sentence that says how."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.checks import laws, numpy_rng
from autograder.errors import CheckFailed

X = np.array([[0.0, 1.0, 2.0], [3.0, -1.0, 0.5], [1.0, 1.0, 4.0], [2.0, 0.0, -3.0]])
W = np.array([1.0, -2.0, 0.5])


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_functions_of_each_row_pass(count, seed):
    x = np.random.default_rng(seed).normal(size=(count, 3))
    laws.expect_rows_independent(lambda x, w: (np.tanh(x @ w), x**2), (x,), (W,))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x, w: x @ w - (x @ w).mean(), "half of the rows"),
        (lambda x, w: x @ w / len(x), "half of the rows"),
        (lambda x, w: np.cumsum(x @ w), "another order"),
        (lambda x, w: x @ w + np.roll(x @ w, 1), "another order"),
        (lambda x, w: (x @ w).sum(), "shape ()"),
        (lambda x, w: np.squeeze(x @ w), "shape ()"),
        (lambda x, w: (x, (x.T @ x) @ w), "shape (3,)"),
        (
            lambda x, w: x @ w + (len(x) == 4) * x[-1, 0] * np.array([1, 0, 0, 0])[: len(x)],
            "change",
        ),
    ],
)
def test_rows_that_depend_on_other_rows_fail(submit, wrong, words):
    student, _ = submit(f=wrong)
    with pytest.raises(CheckFailed) as caught:
        laws.expect_rows_independent(student.f, (X,), (W,))
    if words != "change":
        assert words.split()[0] in caught.value.seen
    assert caught.value.call.startswith("f(array")


def test_a_lone_row_proves_nothing():
    with pytest.raises(ValueError, match="at least two rows"):
        laws.expect_rows_independent(np.sum, (X[:1],))


def test_a_function_that_works_on_a_copy_leaves_its_arguments(submit):
    student, _ = submit(f=lambda x, parts: x + parts[0])
    laws.expect_inputs_unchanged(student.f, (X, [X]))


@pytest.mark.parametrize(("place", "which"), [(0, "the first"), (1, "the second")])
def test_a_function_that_works_on_its_arguments_fails(submit, place, which):
    def wrong(x, parts):
        (x if place == 0 else parts[0])[0] += 1
        return x

    student, _ = submit(f=wrong)
    with pytest.raises(CheckFailed, match=f"{which} argument"):
        laws.expect_inputs_unchanged(student.f, (X, [X]))


def test_draws_from_the_generator_keep_the_contract(submit):
    student, _ = submit(
        f=lambda n, rng: rng.normal(size=n), g=lambda n, rng: rng.integers(0, 2, 7)
    )
    laws.expect_rng_contract(student.f, (5, numpy_rng))
    # Seven bits coincide once in 128 pairs of calls; five times in a row they do not.
    for seed in range(40):
        student, _ = submit(g=lambda n, rng: rng.integers(0, 2, 7), seed=str(seed))
        laws.expect_rng_contract(student.g, (5, numpy_rng))


def test_a_function_of_the_check_can_stand_between(submit):
    student, _ = submit(f=lambda n, rng: (rng.normal(size=n), n))
    laws.expect_rng_contract(lambda n, rng=numpy_rng: student.f(n, rng)[0] ** 2, (5,))


def _numpy_reseeded(n, rng):
    np.random.seed(1)
    return rng.normal(size=n)


def _python_drawn(n, rng):
    random.random()  # noqa: S311
    return rng.normal(size=n)


def _second_call_repeats(n, rng):
    state = rng.bit_generator.state
    result = rng.normal(size=n)
    rng.bit_generator.state = state
    return result


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda n, rng: np.random.normal(size=n), "gave two results"),
        (lambda n, rng: rng.normal(size=n) + random.random(), "gave two results"),  # noqa: S311
        (lambda n, rng: np.random.default_rng(3).normal(size=n), "is a seed set inside"),
        (lambda n, rng: np.ones(n), "is a seed set inside"),
        (_second_call_repeats, "two calls with one generator"),
        (_numpy_reseeded, "random state of NumPy"),
        (_python_drawn, "random state of Python"),
    ],
)
def test_other_randomness_breaks_the_contract(submit, wrong, words):
    student, _ = submit(f=wrong)
    with pytest.raises(CheckFailed, match=words):
        laws.expect_rng_contract(student.f, (5, numpy_rng))


def test_the_contract_wants_its_marker_used(submit):
    student, _ = submit(f=lambda n: np.ones(n))
    with pytest.raises(TypeError, match="not passed on"):
        laws.expect_rng_contract(lambda n, rng=numpy_rng: student.f(n), (5,))


def test_round_trips():
    laws.expect_inverse(lambda x: (2 * x, np.log(2)), lambda y: y / 2, X)
    laws.expect_inverse(np.sinh, np.arcsinh, X.astype(np.float32))
    for wrong in (lambda y: y / 2 + 1e-3, lambda y: y[:2] / 2, lambda y: y * np.nan):
        with pytest.raises(CheckFailed):
            laws.expect_inverse(remembering(lambda x: 2 * x), remembering(wrong), X)


def remembering(function):
    from autograder.checks import remember

    return lambda x: remember(np.asarray(function(x)), "f(x)")


def test_probabilities_sum_and_densities_integrate_to_one():
    states = np.arange(4)
    laws.expect_normalised(lambda x: np.full(len(x), 0.25), states)
    laws.expect_normalised(lambda x: np.full(len(x), np.log(0.25)), states, log=True)
    axis = np.linspace(-9, 9, 181)

    def density(x):
        return np.exp(-0.5 * (x**2).sum(1)) / (2 * np.pi)

    laws.expect_normalised(density, grid=(axis, axis))
    with pytest.raises(CheckFailed, match="the integral is 6.28"):
        laws.expect_normalised(lambda x: 2 * np.pi * density(x), grid=(axis, axis))
    with pytest.raises(CheckFailed, match="the sum is 1.2"):
        laws.expect_normalised(lambda x: np.full(len(x), 0.3), states)
    with pytest.raises(CheckFailed, match="shape"):
        laws.expect_normalised(lambda x: np.full((len(x), 1), 0.25), states)
    with pytest.raises(ValueError, match="One of"):
        laws.expect_normalised(density)
