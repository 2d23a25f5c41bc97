"""Exercise 2: mean field in a deep Boltzmann machine."""

import numpy as np
import tensorflow as tf
from scipy.special import expit

from autograder.checks import all_states, alternative, exercise, expect, laws, mistake
from reference import deep_ebm

# The visible checks: what the test cell of the notebook shows, on the same arrays.
LOG3 = np.float32(np.log(3))
SHOWN_V = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 1, 1]], np.float32)
SHOWN_W1 = np.zeros((5, 4), np.float32)
SHOWN_W1[0, 0], SHOWN_W1[1, 1] = LOG3, -LOG3
SHOWN_B, SHOWN_C1 = np.zeros(5, np.float32), np.zeros(4, np.float32)
SHOWN_C2 = np.array([LOG3, -LOG3], np.float32)


def random_machine(inputs, visible=6, first=4, second=3, scale=0.8):
    """Returns W1, W2, b, c1 and c2, float64, with one fixed point: couplings are not strong."""
    W2 = inputs.uniform(0.6, 1.4, (first, second)) * inputs.choice([-1.0, 1.0], (first, second))
    return (
        inputs.normal(size=(visible, first)),
        scale * W2,
        inputs.normal(size=visible),
        inputs.normal(size=first),
        inputs.normal(size=second),
    )


def states_of(inputs, rows, units):
    """Returns different rows of states, (rows, units)."""
    return inputs.permutation(all_states(units))[:rows]


def residual(v, means, W1, W2, c1, c2):
    """Returns by how much the equations of mean field are off."""
    mean1, mean2 = (np.asarray(mean) for mean in means)
    first = mean1 - expit(c1 + v @ W1 + mean2 @ W2.T)
    second = mean2 - expit(c2 + mean1 @ W2)
    return max(np.max(np.abs(first)), np.max(np.abs(second)))


@exercise("dbm_mean_field", points=1, visible=True, mistakes=("field_exchanged",))
def test_field_shown_shapes_and_dtypes(student):
    """There are two results: the means of the first and of the second hidden layer."""
    W2 = np.ones((4, 2), np.float32)
    result = student.dbm_mean_field(SHOWN_V, SHOWN_W1, W2, SHOWN_B, SHOWN_C1, SHOWN_C2, 50, 1e-6)
    first, second = expect(result).parts(2)
    expect(first).array("B H", np.float32, B=3, H=4).within(0, 1)
    expect(second).array("B H", np.float32, B=3, H=2).within(0, 1)


@exercise(
    "dbm_mean_field",
    points=1,
    visible=True,
    mistakes=("field_of_zeros", "field_logits", "field_without_visible", "field_without_c2"),
)
def test_field_shown_without_second_weights(student):
    """With W2 = 0 the first layer is that of an RBM, and the second follows its bias."""
    W2 = np.zeros((4, 2), np.float32)
    result = student.dbm_mean_field(SHOWN_V, SHOWN_W1, W2, SHOWN_B, SHOWN_C1, SHOWN_C2, 50, 1e-6)
    first, second = expect(result).parts(2)
    due = np.full((3, 4), 0.5, np.float32)
    due[0, 0], due[1, 1] = 0.75, 0.25
    expect(first).close(due, tolerance=1e-5)
    expect(second).close(np.tile(np.array([0.75, 0.25], np.float32), (3, 1)), tolerance=1e-5)


@exercise(
    "dbm_mean_field",
    points=1,
    visible=True,
    mistakes=("dbm_missing_topdown", "field_one_round", "field_topdown_twice"),
)
def test_field_shown_of_two_units(student):
    """Two units that speak for each other with weight 1 settle at 3/4 if their bias allows it."""
    v, zeros = np.zeros((2, 1), np.float32), np.zeros((1, 1), np.float32)
    W2, bias = np.ones((1, 1), np.float32), np.array([LOG3 - 0.75], np.float32)
    result = student.dbm_mean_field(v, zeros, W2, zeros[0], bias, bias, 100, 1e-7)
    for mean in expect(result).parts(2):
        expect(mean).close(np.full((2, 1), 0.75, np.float32), tolerance=1e-4)


@exercise(
    "dbm_mean_field",
    points=3,
    mistakes=(
        "dbm_missing_topdown",
        "field_topdown_twice",
        "field_one_round",
        "field_without_c1",
        "field_without_c2",
        "field_without_visible",
        "field_rounded",
        "field_of_states",
        "field_logits",
        "field_by_softmax",
        "field_in_float32",
        "field_bottom_up_twice",
        "field_with_b",
        "field_averaged_halfway",
    ),
    note="Layers of 6, 4 and 3 units, float64: the equations hold to 1e-6.",
)
def test_field_is_a_fixed_point(student, inputs):
    """The means of both layers satisfy the equations of mean field to 1e-6."""
    W1, W2, b, c1, c2 = random_machine(inputs)
    v = states_of(inputs, 7, 6)
    result = student.dbm_mean_field(v, W1, W2, b, c1, c2, 500, 1e-12)
    first, second = expect(result).parts(2)
    expect(first).array("B H", np.float64, B=7, H=4).within(0, 1)
    expect(second).array("B H", np.float64, B=7, H=3).within(0, 1)
    off = residual(v, (first, second), W1, W2, c1, c2)
    expect(bool(off < 1e-6), "what the equations make of the means are the means").equals(True)


@exercise(
    "dbm_mean_field",
    points=2,
    mistakes=("dbm_W2_transpose", "dbm_missing_topdown", "field_topdown_of_c2"),
    note="As many units in both hidden layers: a transposed W2 has the right shape.",
)
def test_field_of_layers_of_equal_size(student, inputs):
    """W2 leads up as it is and down transposed, also where both layers are of one size."""
    machine = random_machine(inputs, 5, 3, 3)
    v = states_of(inputs, 7, 5)
    due = deep_ebm.dbm_mean_field(v, *machine, 500, 1e-13)
    result = student.dbm_mean_field(v, *machine, 500, 1e-12)
    for seen, right in zip(expect(result).parts(2), due, strict=True):
        expect(seen).close(right, tolerance=1e-6)


@exercise(
    "dbm_mean_field",
    points=1,
    mistakes=("field_without_c1", "field_without_c2", "field_bottom_up_twice", "field_of_zeros"),
)
def test_field_without_second_weights_is_the_posterior(student, inputs):
    """With W2 = 0 the means are those of the exact posterior."""
    W1, W2, b, c1, c2 = random_machine(inputs)
    v = states_of(inputs, 7, 6)
    first, second = expect(student.dbm_mean_field(v, W1, 0 * W2, b, c1, c2, 60, 1e-12)).parts(2)
    expect(first).close(expit(c1 + v @ W1), tolerance=1e-8)
    expect(second).close(np.tile(expit(c2), (7, 1)), tolerance=1e-8)


@exercise(
    "dbm_mean_field", points=1, mistakes=("field_mean_of_the_batch", "field_topdown_of_first_row")
)
def test_field_of_each_row_stands_alone(student, inputs):
    """The means of a row depend on that row only."""
    machine = random_machine(inputs)
    v = states_of(inputs, 7, 6)

    def call(v):
        return student.dbm_mean_field(v, *machine, 500, 1e-13)

    laws.expect_rows_independent(call, batched=(v,))


@exercise(
    "dbm_mean_field",
    points=1,
    mistakes=("field_ten_rounds", "field_one_round", "field_loose_tolerance"),
    note="Each round leaves 84 % of the distance: about 150 rounds.",
)
def test_field_goes_on_until_nothing_moves(student, inputs):
    """Rounds go on until the means settle to the tolerance, however slow that is."""
    v, zeros, weight = np.zeros((2, 1)), np.zeros((1, 1)), np.array([[4.0]])
    # At one half the slope of a round is (weight / 4)^2 = 1: a little off it is 0.84.
    mean = 0.64
    bias = np.array([np.log(mean / (1 - mean)) - 4 * mean])
    result = student.dbm_mean_field(v, zeros, weight, zeros[0], bias, bias, 2000, 1e-12)
    for seen in expect(result).parts(2):
        expect(seen).close(np.full((2, 1), mean), tolerance=1e-8)


@exercise(
    "dbm_mean_field",
    points=1,
    mistakes=("field_by_exponentials", "field_rounded_to_inner"),
    note="float32; exp(1000) overflows.",
)
def test_field_of_extreme_weights(student, inputs):
    """Weights of 1000 give means of 0 and 1, and no NaN."""
    v = np.eye(4, dtype=np.float32)
    signs = inputs.choice([-1, 1], size=4).astype(np.float32)
    W1, W2 = np.diag(1000 * signs), np.zeros((4, 3), np.float32)
    c1 = -500 * signs
    c2 = np.array([1000, -1000, 1000], np.float32)
    result = student.dbm_mean_field(v, W1, W2, np.zeros(4, np.float32), c1, c2, 20, 1e-6)
    first, second = expect(result).parts(2)
    due = (v @ W1 + c1 > 0).astype(np.float32)
    expect(first).finite().close(due, tolerance=1e-6)
    expect(second).finite().close(np.tile(np.float32([1, 0, 1]), (4, 1)), tolerance=1e-6)


@mistake(
    "dbm_mean_field",
    kind="concept",
    hint="The first hidden layer hears both sides: v from below and mean2 from above.",
)
def dbm_missing_topdown(v, W1, W2, b, c1, c2, n_iters, tolerance):
    mean1 = tf.sigmoid(c1 + v @ W1)
    return mean1, tf.sigmoid(c2 + mean1 @ W2)


@mistake(
    "dbm_mean_field",
    kind="axis",
    hint="W2 has the shape (first, second): up it is W2, down it is transposed.",
)
def dbm_W2_transpose(v, W1, W2, b, c1, c2, n_iters, tolerance):
    return deep_ebm.dbm_mean_field(v, W1, tf.transpose(W2), b, c1, c2, n_iters, tolerance)


@mistake(
    "dbm_mean_field",
    kind="lazy",
    hint="One round is not enough: go on until the means move by less than the tolerance.",
)
def field_one_round(v, W1, W2, b, c1, c2, n_iters, tolerance):
    return deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, 1, tolerance)


@mistake(
    "dbm_mean_field",
    kind="lazy",
    hint="n_iters rounds may be needed; the tolerance says when to stop, not a number of yours.",
)
def field_ten_rounds(v, W1, W2, b, c1, c2, n_iters, tolerance):
    return deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, min(n_iters, 15), tolerance)


@mistake(
    "dbm_mean_field",
    kind="numerics",
    hint="n_iters rounds may be needed; the tolerance says when to stop, not a number of yours.",
)
def field_loose_tolerance(v, W1, W2, b, c1, c2, n_iters, tolerance):
    return deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, n_iters, 1e-3)


@mistake("dbm_mean_field", kind="lazy", hint="The bias c1 of the first hidden layer is missing.")
def field_without_c1(v, W1, W2, b, c1, c2, n_iters, tolerance):
    return deep_ebm.dbm_mean_field(v, W1, W2, b, 0.0 * c1, c2, n_iters, tolerance)


@mistake("dbm_mean_field", kind="lazy", hint="The bias c2 of the second hidden layer is missing.")
def field_without_c2(v, W1, W2, b, c1, c2, n_iters, tolerance):
    return deep_ebm.dbm_mean_field(v, W1, W2, b, c1, 0.0 * c2, n_iters, tolerance)


@mistake("dbm_mean_field", kind="concept", hint="v enters the first hidden layer, through W1.")
def field_without_visible(v, W1, W2, b, c1, c2, n_iters, tolerance):
    return deep_ebm.dbm_mean_field(0.0 * v, W1, W2, b, c1, c2, n_iters, tolerance)


@mistake(
    "dbm_mean_field",
    kind="scale",
    hint="Each connection counts once: doubling is for pretraining, not for inference.",
)
def field_bottom_up_twice(v, W1, W2, b, c1, c2, n_iters, tolerance):
    return deep_ebm.dbm_mean_field(2.0 * v, W1, W2, b, c1, c2, n_iters, tolerance)


@mistake(
    "dbm_mean_field",
    kind="scale",
    hint="Each connection counts once: doubling is for pretraining, not for inference.",
)
def field_topdown_twice(v, W1, W2, b, c1, c2, n_iters, tolerance):
    return deep_ebm.dbm_mean_field(v, W1, 2.0 * W2, b, c1, c2, n_iters, tolerance)


@mistake(
    "dbm_mean_field", kind="concept", hint="The visible bias b plays no part for hidden units."
)
def field_with_b(v, W1, W2, b, c1, c2, n_iters, tolerance):
    shifted = c1 + tf.reduce_sum(b)
    return deep_ebm.dbm_mean_field(v, W1, W2, b, shifted, c2, n_iters, tolerance)


@mistake("dbm_mean_field", kind="concept", hint="Hand on the means: no rounding, no draws.")
def field_rounded(v, W1, W2, b, c1, c2, n_iters, tolerance):
    mean2 = tf.zeros((v.shape[0], W2.shape[1]), W2.dtype)
    for _ in range(n_iters):
        mean1 = tf.sigmoid(c1 + v @ W1 + tf.round(mean2) @ tf.transpose(W2))
        mean2 = tf.sigmoid(c2 + tf.round(mean1) @ W2)
    return mean1, mean2


@mistake("dbm_mean_field", kind="randomness", hint="Hand on the means: no rounding, no draws.")
def field_of_states(v, W1, W2, b, c1, c2, n_iters, tolerance):
    mean1, _ = deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, n_iters, tolerance)
    h1 = tf.cast(tf.random.uniform(mean1.shape, dtype=mean1.dtype) < mean1, mean1.dtype)
    return mean1, tf.sigmoid(c2 + h1 @ W2)


@mistake("dbm_mean_field", kind="lazy", hint="What is returned are probabilities: a sigmoid.")
def field_logits(v, W1, W2, b, c1, c2, n_iters, tolerance):
    mean1, mean2 = deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, n_iters, tolerance)
    return c1 + v @ W1 + mean2 @ tf.transpose(W2), c2 + mean1 @ W2


@mistake("dbm_mean_field", kind="concept", hint="Each unit has a mean of its own: no softmax.")
def field_by_softmax(v, W1, W2, b, c1, c2, n_iters, tolerance):
    mean2 = tf.fill((v.shape[0], W2.shape[1]), tf.cast(0.5, W2.dtype))
    for _ in range(min(n_iters, 50)):
        mean1 = tf.nn.softmax(c1 + v @ W1 + mean2 @ tf.transpose(W2))
        mean2 = tf.nn.softmax(c2 + mean1 @ W2)
    return mean1, mean2


@mistake("dbm_mean_field", kind="numerics", hint="Float64 arguments give float64 means.")
def field_in_float32(v, W1, W2, b, c1, c2, n_iters, tolerance):
    means = deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, n_iters, tolerance)
    return tuple(tf.cast(mean, tf.float32) for mean in means)


@mistake("dbm_mean_field", kind="lazy", hint="mean1 is returned first, then mean2.")
def field_exchanged(v, W1, W2, b, c1, c2, n_iters, tolerance):
    return deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, n_iters, tolerance)[::-1]


@mistake("dbm_mean_field", kind="axis", hint="Each row has means of its own: no batch mean.")
def field_mean_of_the_batch(v, W1, W2, b, c1, c2, n_iters, tolerance):
    rows = tf.reduce_mean(v, axis=0, keepdims=True) + 0.0 * v
    return deep_ebm.dbm_mean_field(rows, W1, W2, b, c1, c2, n_iters, tolerance)


@mistake("dbm_mean_field", kind="axis", hint="Each row has means of its own: no batch mean.")
def field_topdown_of_first_row(v, W1, W2, b, c1, c2, n_iters, tolerance):
    _, mean2 = deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, n_iters, tolerance)
    mean1 = tf.sigmoid(c1 + v @ W1 + mean2[:1] @ tf.transpose(W2))
    return mean1, tf.sigmoid(c2 + mean1 @ W2)


@mistake("dbm_mean_field", kind="lazy", hint="The rounds change both means, from the start on.")
def field_of_zeros(v, W1, W2, b, c1, c2, n_iters, tolerance):
    half = tf.cast(0.5, W1.dtype)
    return tf.fill((v.shape[0], W1.shape[1]), half), tf.fill((v.shape[0], W2.shape[1]), half)


@mistake(
    "dbm_mean_field",
    kind="concept",
    hint="The first layer hears mean2, as it is after the last round, through W2.",
)
def field_topdown_of_c2(v, W1, W2, b, c1, c2, n_iters, tolerance):
    mean1 = tf.sigmoid(c1 + v @ W1 + tf.sigmoid(c2)[tf.newaxis] @ tf.transpose(W2))
    return mean1, tf.sigmoid(c2 + mean1 @ W2)


@mistake(
    "dbm_mean_field",
    kind="concept",
    hint="A damped round is fine on the way; what is returned must satisfy both equations.",
)
def field_averaged_halfway(v, W1, W2, b, c1, c2, n_iters, tolerance):
    mean1, mean2 = deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, n_iters, tolerance)
    return 0.5 * (mean1 + 0.5), 0.5 * (mean2 + 0.5)


@mistake(
    "dbm_mean_field",
    kind="numerics",
    hint="exp overflows at large activations: tf.sigmoid does not.",
)
def field_by_exponentials(v, W1, W2, b, c1, c2, n_iters, tolerance):
    def sigmoid(a):
        return tf.exp(a) / (1.0 + tf.exp(a))

    mean1, mean2 = deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, n_iters, tolerance)
    return sigmoid(c1 + v @ W1 + mean2 @ tf.transpose(W2)), sigmoid(c2 + mean1 @ W2)


@mistake("dbm_mean_field", kind="numerics", hint="Means may be 0 and 1: do not clip them.")
def field_rounded_to_inner(v, W1, W2, b, c1, c2, n_iters, tolerance):
    means = deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, n_iters, tolerance)
    return tuple(tf.clip_by_value(mean, 0.001, 0.999) for mean in means)


@alternative("dbm_mean_field")
def field_in_parallel(v, W1, W2, b, c1, c2, n_iters, tolerance):
    mean1, mean2 = tf.sigmoid(c1 + v @ W1), tf.sigmoid(c2)[tf.newaxis]
    mean2 = tf.repeat(mean2, v.shape[0], axis=0)
    for _ in range(n_iters):
        new1 = tf.sigmoid(c1 + v @ W1 + tf.matmul(mean2, W2, transpose_b=True))
        new2 = tf.sigmoid(c2 + mean1 @ W2)
        moved = max(float(tf.norm(new1 - mean1, np.inf)), float(tf.norm(new2 - mean2, np.inf)))
        mean1, mean2 = new1, new2
        if moved < tolerance:
            break
    return mean1, mean2


@alternative("dbm_mean_field")
def field_damped(v, W1, W2, b, c1, c2, n_iters, tolerance):
    mean1 = tf.fill((v.shape[0], W1.shape[1]), tf.cast(0.5, W1.dtype))
    mean2 = tf.fill((v.shape[0], W2.shape[1]), tf.cast(0.5, W1.dtype))
    for _ in range(n_iters):
        last = mean2
        mean1 += 0.9 * (tf.sigmoid(c1 + v @ W1 + mean2 @ tf.transpose(W2)) - mean1)
        mean2 += 0.9 * (tf.sigmoid(c2 + mean1 @ W2) - mean2)
        if tf.reduce_max(tf.abs(mean2 - last)) < 0.1 * tolerance:
            break
    return mean1, mean2


@alternative("dbm_mean_field")
def field_in_a_tensor_loop(v, W1, W2, b, c1, c2, n_iters, tolerance):
    bottom_up = c1 + tf.matmul(v, W1)

    def go_on(step, mean1, mean2, moved):
        return tf.logical_and(step < n_iters, moved > tolerance)

    def one_round(step, mean1, mean2, moved):
        new1 = tf.sigmoid(bottom_up + tf.einsum("bk,jk->bj", mean2, W2))
        new2 = tf.sigmoid(c2 + tf.einsum("bj,jk->bk", new1, W2))
        moved = tf.reduce_max(tf.abs(tf.concat([new1 - mean1, new2 - mean2], axis=1)))
        return step + 1, new1, new2, moved

    mean1 = tf.zeros_like(bottom_up)
    mean2 = tf.zeros((tf.shape(v)[0], W2.shape[1]), v.dtype)
    start = tf.constant(0), mean1, mean2, tf.constant(np.inf, v.dtype)
    _, mean1, mean2, _ = tf.while_loop(go_on, one_round, start)
    return [mean1, mean2]


@alternative("dbm_mean_field")
def field_unit_by_unit(v, W1, W2, b, c1, c2, n_iters, tolerance):
    v, W1, W2, c1, c2 = (np.asarray(array) for array in (v, W1, W2, c1, c2))
    mean1, mean2 = np.full((len(v), len(c1)), 0.5), np.full((len(v), len(c2)), 0.5)

    def sigmoid(a):
        return 0.5 * (1 + np.tanh(a / 2))

    for _ in range(min(n_iters, 600)):
        before = mean1.copy()
        for j in range(len(c1)):
            mean1[:, j] = sigmoid(c1[j] + v @ W1[:, j] + mean2 @ W2[j])
        for k in range(len(c2)):
            mean2[:, k] = sigmoid(c2[k] + mean1 @ W2[:, k])
        if np.abs(mean1 - before).max() < tolerance:
            break
    return tf.constant(mean1, W1.dtype), tf.constant(mean2, W1.dtype)
