"""Gradients and structure, and laws of TensorFlow code: right work passes, wrong work fails."""

import numpy as np
import pytest
import tensorflow as tf

from autograder.checks import gradients, laws, probe, tensorflow_rng
from autograder.errors import CheckFailed
from autograder.sandbox.seeding import tensorflow_generator

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]])
W = np.array([[0.2, -0.4], [1.0, 0.6], [-0.3, 0.8]])


def right(x, w):
    return tf.reduce_sum(tf.nn.softplus(x @ w), axis=1)


@tf.custom_gradient
def twice_the_gradient(y):
    return y, lambda upstream: 2 * upstream


WRONG = {
    "stopped": (lambda x, w: right(x, tf.stop_gradient(w)), "no gradient flows back"),
    "through numpy": (lambda x, w: tf.constant(right(x, w).numpy()), "no gradient flows back"),
    "twice": (lambda x, w: twice_the_gradient(right(x, w)), "twice what it should be"),
    "not finite": (lambda x, w: right(x, w) + tf.sqrt(0 * tf.reduce_sum(w)), "NaN"),
    "float32": (lambda x, w: tf.cast(right(x, w), tf.float32), "dtype float32"),
    "a column": (lambda x, w: right(x, w)[:, tf.newaxis], "shape (2, 1)"),
}


def test_the_right_gradient_passes(submit):
    student, _ = submit(f=right, arrays_as="tensorflow")
    gradients.expect_gradient(student.f, (X, W), (0, 1), right)
    gradients.expect_gradient_by_differences(student.f, (X, W), (0, 1))
    student, _ = submit(f=tf.function(right), arrays_as="tensorflow")
    gradients.expect_gradient(student.f, (X.astype("float32"), W), (0, 1), right)


@pytest.mark.parametrize("name", WRONG)
def test_another_gradient_fails(submit, name):
    function, words = WRONG[name]
    student, _ = submit(f=function, arrays_as="tensorflow")
    with pytest.raises(CheckFailed) as caught:
        gradients.expect_gradient(student.f, (X, W), (1,), right)
    assert words in caught.value.seen
    assert caught.value.call.startswith("f(")


def test_differences_show_a_gradient_that_is_not_that_of_the_function(submit):
    student, _ = submit(f=WRONG["twice"][0], arrays_as="tensorflow")
    with pytest.raises(CheckFailed, match="2 times the function's"):
        gradients.expect_gradient_by_differences(student.f, (X, W), (1,))


@probe
def two_gradients(student, x, stop):
    a, b = tf.constant(x), tf.constant(2 * x)
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        loss = tf.reduce_sum(student.loss(a, b))
    zero = tf.UnconnectedGradients.ZERO
    one, other = tape.gradient(loss, [a, b], unconnected_gradients=zero)
    return {"a": one, "b": other}


@pytest.mark.parametrize(
    ("loss", "holds"),
    [
        (lambda a, b: a * tf.stop_gradient(b), True),
        (lambda a, b: a * b, False),
        (lambda a, b: 0 * a * tf.stop_gradient(b), False),
        (lambda a, b: tf.stop_gradient(a * b) + 0 * b, False),
    ],
)
def test_gradients_are_blocked_where_they_must_be_and_flow_elsewhere(submit, loss, holds):
    student, _ = submit(loss=loss)

    def found():
        return two_gradients(student, X, True)

    if holds:
        gradients.expect_no_gradient(found, blocked=("b",), flowing=("a",))
        return
    with pytest.raises(CheckFailed, match="gradient"):
        gradients.expect_no_gradient(found, blocked=("b",), flowing=("a",))


def test_blocked_alone_proves_nothing(submit):
    with pytest.raises(ValueError, match="Both are needed"):
        gradients.expect_no_gradient(dict, blocked=("b",), flowing=())


@probe
def one_step(student, x):
    before = {"w": x + 0.0, "frozen": 2 * x}
    w, frozen = student.step(x + 0.0, 2 * x)
    return {"before": before, "after": {"w": w, "frozen": frozen}}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda w, f: (w - 0.1, f), None),
        (lambda w, f: (w, f), "w stays"),
        (lambda w, f: (w - 0.1, f - 1e-12), "frozen changes"),
        (lambda w, f: (w * np.nan, f), "NaN"),
    ],
)
def test_a_step_changes_what_it_must_and_nothing_else(submit, step, words):
    student, _ = submit(step=step)

    def found():
        return one_step(student, X)

    if words is None:
        gradients.expect_updates(found, changed=("w",), unchanged=("frozen",))
        return
    with pytest.raises(CheckFailed, match=words):
        gradients.expect_updates(found, changed=("w",), unchanged=("frozen",))


MASK = np.tril(np.ones((3, 3), bool), -1)
M = np.array([[0.0, 0, 0], [1.5, 0, 0], [-0.7, 2.0, 0]])


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: np.tanh(x @ M.T), None),
        (lambda x: np.maximum(x @ M.T - 6, 0)[..., np.newaxis] * np.ones(2), None),
        (lambda x: np.tanh(x @ (M.T + np.diag([0, 0, 0.1]))), "output 2 moves with input 2"),
        (lambda x: np.tanh(x @ (M.T * [1, 1, 0])), "output 2 does not move with input 0"),
        (lambda x: np.tanh(x @ M.T)[:, :2], "shape"),
    ],
)
def test_outputs_depend_on_what_the_mask_allows(submit, function, words):
    student, _ = submit(f=function)
    if words is None:
        gradients.expect_dependencies(student.f, MASK)
        return
    with pytest.raises(CheckFailed, match=words):
        gradients.expect_dependencies(student.f, MASK)


@pytest.mark.parametrize(
    ("sign", "words"), [(1, None), (-1, "opposite sign"), (2, "those of another map")]
)
def test_the_log_determinant_is_that_of_the_map(submit, sign, words):
    def flow(x):
        y = tf.stack([2 * x[:, 0], x[:, 1] * tf.exp(x[:, 0])], axis=1)
        return y, sign * (np.log(2) + x[:, 0])

    student, _ = submit(f=flow, arrays_as="tensorflow")
    points = np.random.default_rng(0).normal(size=(32, 2))
    if words is None:
        gradients.expect_log_det(student.f, points)
        return
    with pytest.raises(CheckFailed, match=words):
        gradients.expect_log_det(student.f, points)


def numb(x):
    """Right values, of which no gradient flows."""
    return tf.constant(2 * x.numpy()), tf.fill(len(x), tf.constant(2 * np.log(2), x.dtype))


def half_stopped(x):
    """A gradient of 1 where the map stretches by 2."""
    return x + tf.stop_gradient(x), tf.zeros(len(x), x.dtype)


def flat(x):
    """The second column is the first one again."""
    return tf.stack([x[:, 0], x[:, 0]], axis=1), tf.zeros(len(x), x.dtype)


def kinked(x):
    """Piecewise linear, as couplings with ReLU are."""
    stretch = tf.where(x > 0, 3 * tf.ones_like(x), tf.ones_like(x))
    return stretch * x, tf.reduce_sum(tf.math.log(stretch), axis=1)


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        (numb, "no gradient flows back to the rows"),
        (half_stopped, "the gradient leads elsewhere than the map"),
        (flat, "the determinant is 0"),
        (lambda x: (x, tf.zeros((len(x), 1), x.dtype)), "shape"),
        (lambda x: (x, tf.fill(len(x), tf.constant(np.nan, x.dtype))), "NaN"),
        (lambda x: x, "an array"),
    ],
)
def test_a_map_without_a_usable_jacobian_fails(submit, flow, words):
    student, _ = submit(f=flow, arrays_as="tensorflow")
    with pytest.raises(CheckFailed, match=words):
        gradients.expect_log_det(student.f, np.random.default_rng(0).normal(size=(32, 2)))


def test_kinks_of_a_piecewise_linear_map_do_no_harm(submit):
    student, _ = submit(f=kinked, arrays_as="tensorflow")
    gradients.expect_log_det(student.f, np.random.default_rng(0).normal(size=(32, 2)))


def test_tensorflow_draws_keep_the_contract(submit):
    student, _ = submit(f=lambda n, rng: rng.normal([n]), arrays_as="tensorflow")
    laws.expect_rng_contract(student.f, (5, tensorflow_rng))


def test_a_generator_is_that_of_its_seed_and_moves_on_with_every_draw(submit):
    # Binomial numbers stand still if the state shares its memory with a NumPy array.
    def twice(rng):
        half = tf.fill([100], 0.5)
        return [rng.binomial([100], tf.ones(100), half, dtype=tf.int32) for _ in range(2)]

    first, second = submit(f=twice, arrays_as="tensorflow")[0].f(tensorflow_rng)
    assert not np.array_equal(first, second)
    for seed in (3, 2**63 + 5):
        made = tensorflow_generator(tf, seed)
        np.testing.assert_array_equal(made.state, tf.random.Generator.from_seed(seed).state)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda n, rng: tf.random.normal([n]), "gave two results"),
        (lambda n, rng: tf.random.Generator.from_seed(1).normal([n]), "a seed set inside"),
        (lambda n, rng: rng.normal([n]) + 0 * tf.random.normal([n]), "state of TensorFlow"),
        (lambda n, rng: (tf.random.set_seed(3), rng.normal([n]))[1], "state of TensorFlow"),
    ],
)
def test_other_tensorflow_randomness_breaks_the_contract(submit, function, words):
    student, _ = submit(f=function, arrays_as="tensorflow")
    with pytest.raises(CheckFailed, match=words):
        laws.expect_rng_contract(student.f, (5, tensorflow_rng))


def test_tensorflow_draws_are_enumerated(submit):
    p = tf.constant([[0.2, 0.7]], tf.float64)
    student, _ = submit(
        f=lambda x, rng: tf.cast(rng.uniform(tf.shape(x), dtype=x.dtype) < p, x.dtype),
        arrays_as="tensorflow",
    )
    law = laws.enumerate_draws(student.f, np.zeros((1, 2)))
    np.testing.assert_allclose(law.mean(), p, atol=1e-12)
