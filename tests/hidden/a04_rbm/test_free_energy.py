"""Exercise 2: the free energy, minus the log of what a visible state weighs in all."""

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from autograder.checks import all_states, alternative, exercise, expect, gradients, laws, mistake
from reference import rbm

HIDDEN = all_states(3)

# W, b and c of the course's own example.
GOLDEN = (
    np.array([[0.5, -1], [1, 0.25], [-0.75, 0.5]]),
    np.array([0.1, -0.2, 0.3]),
    np.array([-0.4, 0.2]),
)


def random_case(inputs):
    """Returns random states v (7, 5) and parameters W (5, 3), b (5,), c (3,), float64."""
    v = inputs.integers(0, 2, (7, 5)).astype(float)
    return v, inputs.normal(size=(5, 3)), inputs.normal(size=5), inputs.normal(size=3)


def extreme_case(inputs):
    """Returns v (6, 6), one unit on in each row, W (6, 3) that make activations of +-800, b, c."""
    signs = inputs.permutation(np.repeat([-1.0, 1.0], 9)).reshape(6, 3)
    return np.eye(6), 800 * signs, inputs.normal(size=6), inputs.normal(size=3)


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_V = np.array([[1, 0, 1], [0, 1, 1]], np.float32)
SHOWN = SHOWN_V, *(np.zeros(shape, np.float32) for shape in ((3, 5), 3, 5))


@exercise(
    "rbm_free_energy",
    points=1,
    depends_on=("rbm_energy",),
    visible=True,
    mistakes=("free_energy_of_the_batch", "free_energy_as_column"),
)
def test_free_energy_shown_shape_and_dtype(student):
    """Two rows give two free energies, in the dtype of the arguments."""
    expect(student.rbm_free_energy(*SHOWN)).array("B", np.float32, B=2)


@exercise(
    "rbm_free_energy",
    points=1,
    depends_on=("rbm_energy",),
    visible=True,
    mistakes=("fe_sign", "free_energy_with_sigmoid", "free_energy_average_over_states"),
)
def test_free_energy_shown_counts_hidden_states(student):
    """Where all parameters are 0, F is minus the log of the number of hidden states."""
    expect(student.rbm_free_energy(*SHOWN)).matches(np.full(2, -np.log(32), np.float32))


@exercise(
    "rbm_free_energy",
    points=2,
    depends_on=("rbm_energy",),
    mistakes=(
        "fe_sign",
        "free_energy_visible_sign",
        "free_energy_with_sigmoid",
        "free_energy_at_mean_hidden",
        "free_energy_of_best_hidden",
        "free_energy_of_all_units_together",
        "free_energy_mean_over_units",
        "free_energy_average_over_states",
        "free_energy_without_hidden_bias",
        "free_energy_without_visible_bias",
        "free_energy_in_float32",
        "free_energy_in_bits",
        "free_energy_bias_outside",
        "free_energy_with_relu",
        "free_energy_of_drawn_hidden",
    ),
    note="The log-sum-exp of the energies of all 8 hidden states, float64.",
)
def test_free_energy_sums_out_the_hidden_units(student, inputs):
    """The free energy is minus the log of the sum of exp(-E(v, h)) over all hidden states h."""
    v, W, b, c = random_case(inputs)
    energies = [rbm.rbm_energy(v, np.tile(h, (7, 1)), W, b, c) for h in HIDDEN]
    due = -logsumexp(-np.stack(energies), axis=0)
    expect(student.rbm_free_energy(v, W, b, c)).matches(due)
    golden = student.rbm_free_energy(np.array([[1.0, 0, 1]]), *GOLDEN)
    expect(golden).close([-1.3744105802])


@exercise(
    "rbm_free_energy",
    points=1,
    depends_on=("rbm_energy",),
    mistakes=("free_energy_of_the_batch", "free_energy_as_column"),
)
def test_free_energy_of_each_row_stands_alone(student, inputs):
    """Each row has a free energy of its own, which depends on that row only."""
    v, *parameters = random_case(inputs)
    expect(student.rbm_free_energy(v, *parameters)).array("B", np.float64, B=7)
    laws.expect_rows_independent(student.rbm_free_energy, batched=(v,), shared=tuple(parameters))


@exercise(
    "rbm_free_energy",
    points=1,
    depends_on=("rbm_energy",),
    mistakes=(
        "free_energy_detached",
        "free_energy_with_sigmoid",
        "fe_sign",
        "free_energy_through_numpy",
    ),
)
def test_free_energy_has_the_right_gradient(student, inputs):
    """The derivative by W, b and c, which training needs, flows through the free energy."""
    gradients.expect_gradient(
        student.rbm_free_energy, random_case(inputs), wrt=(1, 2, 3), due=rbm.rbm_free_energy
    )


@exercise(
    "rbm_free_energy",
    points=1,
    depends_on=("rbm_energy",),
    mistakes=("free_energy_overflows", "free_energy_clipped", "free_energy_with_epsilon"),
    note="Activations of +-800 overflow exp in float64, too; float32 as in training.",
)
def test_free_energy_of_extreme_activations(student, inputs):
    """With activations of 800 and -800 the free energy is still a finite, right number."""
    case = tuple(array.astype(np.float32) for array in extreme_case(inputs))
    expect(student.rbm_free_energy(*case)).matches(rbm.rbm_free_energy(*case))


@exercise(
    "rbm_free_energy",
    points=1,
    depends_on=("rbm_energy",),
    mistakes=("free_energy_overflows", "free_energy_where_after_overflow"),
)
def test_free_energy_gradient_at_extreme_activations(student, inputs):
    """With activations of 800 and -800 its derivative is finite and right, too."""
    gradients.expect_gradient(
        student.rbm_free_energy, extreme_case(inputs), wrt=(1, 2, 3), due=rbm.rbm_free_energy
    )


@mistake(
    "rbm_free_energy",
    kind="concept",
    hint="The free energy is minus a log of a sum: more hidden states make it smaller.",
)
def fe_sign(v, W, b, c):
    return -tf.linalg.matvec(v, b) + tf.reduce_sum(tf.nn.softplus(c + v @ W), axis=1)


@mistake(
    "rbm_free_energy",
    kind="concept",
    hint="The visible bias lowers the free energy of a state that is on.",
)
def free_energy_visible_sign(v, W, b, c):
    return tf.linalg.matvec(v, b) - tf.reduce_sum(tf.nn.softplus(c + v @ W), axis=1)


@mistake(
    "rbm_free_energy",
    kind="concept",
    hint="Summing out a hidden unit gives softplus, not its sigmoid.",
)
def free_energy_with_sigmoid(v, W, b, c):
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(tf.sigmoid(c + v @ W), axis=1)


@mistake(
    "rbm_free_energy",
    kind="concept",
    hint="The energy at the mean hidden state lacks the entropy of the hidden units.",
)
def free_energy_at_mean_hidden(v, W, b, c):
    h = tf.sigmoid(c + v @ W)
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(h * (c + v @ W), axis=1)


@mistake(
    "rbm_free_energy",
    kind="concept",
    hint="All hidden states count, not only the one of lowest energy.",
)
def free_energy_of_best_hidden(v, W, b, c):
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(tf.nn.relu(c + v @ W), axis=1)


@mistake(
    "rbm_free_energy",
    kind="axis",
    hint="Each hidden unit has a softplus of its own; then sum.",
)
def free_energy_of_all_units_together(v, W, b, c):
    return -tf.linalg.matvec(v, b) - tf.nn.softplus(tf.reduce_sum(c + v @ W, axis=1))


@mistake("rbm_free_energy", kind="axis", hint="Sum over the units of a row, not over the rows.")
def free_energy_of_the_batch(v, W, b, c):
    return -tf.reduce_sum(v * b) - tf.reduce_sum(tf.nn.softplus(c + v @ W))


@mistake("rbm_free_energy", kind="axis", hint="One number per row has the shape (B,), not (B, 1).")
def free_energy_as_column(v, W, b, c):
    hidden = tf.reduce_sum(tf.nn.softplus(c + v @ W), axis=1, keepdims=True)
    return -v @ b[:, tf.newaxis] - hidden


@mistake("rbm_free_energy", kind="scale", hint="Sum over the hidden units; do not average.")
def free_energy_mean_over_units(v, W, b, c):
    return -tf.linalg.matvec(v, b) - tf.reduce_mean(tf.nn.softplus(c + v @ W), axis=1)


@mistake(
    "rbm_free_energy",
    kind="scale",
    hint="The hidden states are summed, not averaged: H log 2 is missing.",
)
def free_energy_average_over_states(v, W, b, c):
    hidden = tf.nn.softplus(c + v @ W) - np.log(2.0)
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(hidden, axis=1)


@mistake("rbm_free_energy", kind="lazy", hint="The hidden units have biases, too.")
def free_energy_without_hidden_bias(v, W, b, c):
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(tf.nn.softplus(v @ W), axis=1)


@mistake("rbm_free_energy", kind="lazy", hint="The visible units have biases, too.")
def free_energy_without_visible_bias(v, W, b, c):
    return -tf.reduce_sum(tf.nn.softplus(c + v @ W), axis=1)


@mistake(
    "rbm_free_energy",
    kind="numerics",
    hint="exp overflows at large activations: use a stable softplus.",
)
def free_energy_overflows(v, W, b, c):
    hidden = tf.math.log(1.0 + tf.exp(c + v @ W))
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(hidden, axis=1)


@mistake(
    "rbm_free_energy",
    kind="numerics",
    hint="tf.where hides an overflow from the value, but not from the gradient.",
)
def free_energy_where_after_overflow(v, W, b, c):
    activation = c + v @ W
    hidden = tf.where(activation > 30.0, activation, tf.math.log1p(tf.exp(activation)))
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(hidden, axis=1)


@mistake(
    "rbm_free_energy",
    kind="numerics",
    hint="Clipping the activations changes the result; a stable softplus needs no clipping.",
)
def free_energy_clipped(v, W, b, c):
    activation = tf.clip_by_value(c + v @ W, -50.0, 50.0)
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(tf.nn.softplus(activation), axis=1)


@mistake("rbm_free_energy", kind="numerics", hint="Float64 arguments give a float64 result.")
def free_energy_in_float32(v, W, b, c):
    v, W, b, c = (tf.cast(array, tf.float32) for array in (v, W, b, c))
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(tf.nn.softplus(c + v @ W), axis=1)


@mistake(
    "rbm_free_energy",
    kind="lazy",
    hint="Work on tensors throughout: NumPy results carry no gradient.",
)
def free_energy_detached(v, W, b, c):
    activation = np.asarray(c + v @ W)
    hidden = np.logaddexp(0, activation).sum(axis=1)
    return tf.convert_to_tensor(-np.asarray(v) @ np.asarray(b) - hidden)


@mistake(
    "rbm_free_energy", kind="scale", hint="Logarithms are natural here: no division by log 2."
)
def free_energy_in_bits(v, W, b, c):
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(tf.nn.softplus(c + v @ W), 1) / np.log(2)


@mistake(
    "rbm_free_energy",
    kind="concept",
    hint="The hidden bias belongs inside softplus: c is added to the activation.",
)
def free_energy_bias_outside(v, W, b, c):
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(c + tf.nn.softplus(v @ W), axis=1)


@mistake(
    "rbm_free_energy",
    kind="concept",
    hint="A unit that is off still counts, with weight 1: softplus, not the positive part.",
)
def free_energy_with_relu(v, W, b, c):
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(tf.nn.relu(c + v @ W), axis=1)


@mistake(
    "rbm_free_energy",
    kind="numerics",
    hint="Stay with TensorFlow operations: no gradient flows through NumPy.",
)
def free_energy_through_numpy(v, W, b, c):
    v, W, b, c = (np.asarray(array) for array in (v, W, b, c))
    return tf.constant(-(v @ b) - np.logaddexp(0, c + v @ W).sum(axis=1))


@mistake(
    "rbm_free_energy",
    kind="randomness",
    hint="Sum over the hidden states; the energy with drawn ones is another number each time.",
)
def free_energy_of_drawn_hidden(v, W, b, c):
    p = tf.sigmoid(c + v @ W)
    h = tf.cast(tf.random.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
    return -tf.linalg.matvec(v, b) - tf.reduce_sum((c + v @ W) * h, axis=1)


@mistake(
    "rbm_free_energy",
    kind="numerics",
    hint="An epsilon inside the logarithm cuts large activations off; softplus needs none.",
)
def free_energy_with_epsilon(v, W, b, c):
    p_off = 1.0 - tf.sigmoid(c + v @ W)
    return -tf.linalg.matvec(v, b) + tf.reduce_sum(tf.math.log(p_off + 1e-8), axis=1)


@alternative("rbm_free_energy")
def free_energy_by_maximum(v, W, b, c):
    a = c + v @ W
    softplus = tf.maximum(a, 0.0) + tf.math.log1p(tf.exp(-tf.abs(a)))
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(softplus, axis=1)


@alternative("rbm_free_energy")
def free_energy_by_log_sigmoid(v, W, b, c):
    hidden = tf.reduce_sum(tf.math.log_sigmoid(-(c + v @ W)), axis=1)
    return hidden - tf.linalg.matvec(v, b)


@alternative("rbm_free_energy")
def free_energy_by_logsumexp(v, W, b, c):
    activation = c + tf.einsum("bi,ij->bj", v, W)
    both = tf.stack([tf.zeros_like(activation), activation])
    return -tf.reduce_sum(v * b, 1) - tf.reduce_sum(tf.reduce_logsumexp(both, axis=0), 1)


@alternative("rbm_free_energy")
def free_energy_by_enumeration(v, W, b, c):
    terms = []
    for state in range(2 ** c.shape[0]):
        h = tf.constant([(state >> j) & 1 for j in range(c.shape[0])], W.dtype)
        terms.append(tf.tile([-tf.tensordot(h, c, 1)], [v.shape[0]]) - tf.linalg.matvec(v @ W, h))
    return -tf.linalg.matvec(v, b) - tf.reduce_logsumexp(-tf.stack(terms), axis=0)


@alternative("rbm_free_energy")
def free_energy_row_by_row(v, W, b, c):
    rows = []
    for row in tf.unstack(v):
        free_energy = -tf.tensordot(row, b, 1)
        for j in range(W.shape[1]):
            free_energy -= tf.nn.softplus(c[j] + tf.tensordot(row, W[:, j], 1))
        rows.append(free_energy)
    return tf.stack(rows)


@alternative("rbm_free_energy")
def free_energy_in_float64_inside(v, W, b, c):
    dtype = W.dtype
    v, W, b, c = (tf.cast(array, tf.float64) for array in (v, W, b, c))
    free_energy = -tf.linalg.matvec(v, b) - tf.reduce_sum(tf.nn.softplus(c + v @ W), axis=1)
    return tf.cast(free_energy, dtype)


@alternative("rbm_free_energy")
@tf.function
def free_energy_compiled(v, W, b, c):
    hidden = tf.reduce_sum(tf.keras.ops.softplus(c + v @ W), axis=-1)
    return -hidden - tf.squeeze(v @ tf.expand_dims(b, 1), 1)


@alternative("rbm_free_energy")
def free_energy_by_the_energy(v, W, b, c):
    p = tf.sigmoid(c + v @ W)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=p, logits=c + v @ W)
    return rbm_energy(v, p, W, b, c) - tf.reduce_sum(entropy, axis=1)  # noqa: F821


@alternative("rbm_free_energy")
def free_energy_by_log1p(v, W, b, c):
    activation = tf.matmul(v, W) + c
    softplus = tf.nn.relu(activation) + tf.math.log1p(tf.exp(-tf.abs(activation)))
    return -tf.reduce_sum(v * b, axis=1) - tf.reduce_sum(softplus, axis=1)


@alternative("rbm_free_energy")
def free_energy_mapped_over_rows(v, W, b, c):
    def one(row):
        activation = c + tf.linalg.matvec(W, row, transpose_a=True)
        return -tf.tensordot(row, b, 1) - tf.reduce_sum(tf.math.softplus(activation))

    return tf.map_fn(one, v)
