"""Exercise 1: the energy of a restricted Boltzmann machine."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake
from reference import rbm


def random_case(inputs, dtype=np.float64):
    """Returns random states v (7, 5), h (7, 3) and parameters W (5, 3), b (5,), c (3,)."""
    states = inputs.integers(0, 2, (7, 5)), inputs.integers(0, 2, (7, 3))
    parameters = inputs.normal(size=(5, 3)), inputs.normal(size=5), inputs.normal(size=3)
    return tuple(array.astype(dtype) for array in (*states, *parameters))


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_V = np.array([[0, 1, 0], [0, 0, 0]], np.float32)
SHOWN_H = np.array([[0, 1], [0, 0]], np.float32)
SHOWN_W = np.array([[0.5, -1], [1, 0.25], [-0.75, 0.5]], np.float32)
SHOWN = SHOWN_V, SHOWN_H, SHOWN_W, np.zeros(3, np.float32), np.zeros(2, np.float32)


@exercise(
    "rbm_energy",
    points=1,
    visible=True,
    mistakes=("energy_of_the_batch", "energy_as_column", "energy_always_float64"),
)
def test_energy_shown_shape_and_dtype(student):
    """Two rows give two energies, in the dtype of the arguments."""
    expect(student.rbm_energy(*SHOWN)).array("B", np.float32, B=2)


@exercise(
    "rbm_energy",
    points=1,
    visible=True,
    mistakes=("energy_sign", "energy_half_interaction", "energy_mean_over_units"),
)
def test_energy_shown_of_a_single_pair(student):
    """Without biases, two units that are on have the energy minus their weight."""
    expect(student.rbm_energy(*SHOWN)).matches(np.array([-0.25, 0.0], np.float32))


@exercise(
    "rbm_energy",
    points=2,
    mistakes=(
        "energy_sign",
        "energy_bias_sign",
        "energy_without_visible_bias",
        "energy_without_hidden_bias",
        "energy_of_all_pairs",
        "energy_mean_over_units",
        "energy_half_interaction",
        "energy_of_hidden_probabilities",
        "energy_in_float32",
        "energy_hidden_bias_sign",
        "energy_as_weight",
    ),
    note="Random states and parameters, sizes 7, 5, 3, float64.",
)
def test_energy_is_minus_the_three_sums(student, inputs):
    """The energy is minus the sum of visible biases, hidden biases and weights that are on."""
    case = random_case(inputs)
    expect(student.rbm_energy(*case)).matches(rbm.rbm_energy(*case))


@exercise(
    "rbm_energy",
    points=1,
    mistakes=(
        "energy_of_the_batch",
        "energy_as_column",
        "energy_squeezed",
        "energy_remembered_by_shape",
    ),
)
def test_energy_of_each_row_stands_alone(student, inputs):
    """Each row has an energy of its own, which depends on that row only."""
    v, h, *parameters = random_case(inputs)
    expect(student.rbm_energy(v, h, *parameters)).array("B", np.float64, B=7)
    laws.expect_rows_independent(student.rbm_energy, batched=(v, h), shared=tuple(parameters))


@exercise("rbm_energy", points=1, mistakes=("energy_always_float64", "energy_half_interaction"))
def test_energy_keeps_float32(student, inputs):
    """From float32 arrays comes the right energy, in float32."""
    case = random_case(inputs, np.float32)
    expect(student.rbm_energy(*case)).matches(rbm.rbm_energy(*case))


@mistake("rbm_energy", kind="concept", hint="Each of the three terms has a minus sign.")
def energy_sign(v, h, W, b, c):
    return tf.linalg.matvec(v, b) + tf.linalg.matvec(h, c) + tf.reduce_sum((v @ W) * h, axis=1)


@mistake("rbm_energy", kind="concept", hint="The bias terms have a minus sign, too.")
def energy_bias_sign(v, h, W, b, c):
    return tf.linalg.matvec(v, b) + tf.linalg.matvec(h, c) - tf.reduce_sum((v @ W) * h, axis=1)


@mistake("rbm_energy", kind="lazy", hint="The visible units have biases, too.")
def energy_without_visible_bias(v, h, W, b, c):
    return -tf.linalg.matvec(h, c) - tf.reduce_sum((v @ W) * h, axis=1)


@mistake("rbm_energy", kind="lazy", hint="The hidden units have biases, too.")
def energy_without_hidden_bias(v, h, W, b, c):
    return -tf.linalg.matvec(v, b) - tf.reduce_sum((v @ W) * h, axis=1)


@mistake("rbm_energy", kind="axis", hint="Sum over the units of a row, not over the rows.")
def energy_of_the_batch(v, h, W, b, c):
    return -tf.reduce_sum(v * b) - tf.reduce_sum(h * c) - tf.reduce_sum((v @ W) * h)


@mistake("rbm_energy", kind="axis", hint="One number per row has the shape (B,), not (B, 1).")
def energy_as_column(v, h, W, b, c):
    energy = -tf.linalg.matvec(v, b) - tf.linalg.matvec(h, c) - tf.reduce_sum((v @ W) * h, axis=1)
    return energy[:, tf.newaxis]


@mistake("rbm_energy", kind="axis", hint="A row of v meets the same row of h only.")
def energy_of_all_pairs(v, h, W, b, c):
    pairs = v @ W @ tf.transpose(h)
    return -tf.linalg.matvec(v, b) - tf.linalg.matvec(h, c) - tf.reduce_sum(pairs, axis=1)


@mistake("rbm_energy", kind="scale", hint="The terms are sums over the units, not means.")
def energy_mean_over_units(v, h, W, b, c):
    return (
        -tf.reduce_mean(v * b, axis=1)
        - tf.reduce_mean(h * c, axis=1)
        - tf.reduce_mean((v @ W) * h, axis=1)
    )


@mistake("rbm_energy", kind="scale", hint="The factor 1/2 belongs to symmetric weights, not to W.")
def energy_half_interaction(v, h, W, b, c):
    return (
        -tf.linalg.matvec(v, b) - tf.linalg.matvec(h, c) - 0.5 * tf.reduce_sum((v @ W) * h, axis=1)
    )


@mistake("rbm_energy", kind="concept", hint="Use the hidden states that are given, not p(h|v).")
def energy_of_hidden_probabilities(v, h, W, b, c):
    h = tf.sigmoid(c + v @ W)
    return -tf.linalg.matvec(v, b) - tf.linalg.matvec(h, c) - tf.reduce_sum((v @ W) * h, axis=1)


@mistake(
    "rbm_energy", kind="numerics", hint="Keep the dtype of the arguments: float64 stays float64."
)
def energy_in_float32(v, h, W, b, c):
    v, h, W, b, c = (tf.cast(array, tf.float32) for array in (v, h, W, b, c))
    return -tf.linalg.matvec(v, b) - tf.linalg.matvec(h, c) - tf.reduce_sum((v @ W) * h, axis=1)


@mistake(
    "rbm_energy", kind="numerics", hint="Keep the dtype of the arguments: float32 stays float32."
)
def energy_always_float64(v, h, W, b, c):
    v, h, W, b, c = (tf.cast(array, tf.float64) for array in (v, h, W, b, c))
    return -tf.linalg.matvec(v, b) - tf.linalg.matvec(h, c) - tf.reduce_sum((v @ W) * h, axis=1)


@mistake("rbm_energy", kind="concept", hint="The hidden biases have a minus sign, too.")
def energy_hidden_bias_sign(v, h, W, b, c):
    return -tf.linalg.matvec(v, b) + tf.linalg.matvec(h, c) - tf.reduce_sum((v @ W) * h, axis=1)


@mistake("rbm_energy", kind="concept", hint="Return the energy itself, not exp(-E).")
def energy_as_weight(v, h, W, b, c):
    return tf.exp(
        tf.linalg.matvec(v, b) + tf.linalg.matvec(h, c) + tf.reduce_sum((v @ W) * h, axis=1)
    )


@mistake(
    "rbm_energy",
    kind="axis",
    hint="A batch of one row gives one energy of the shape (1,): tf.squeeze takes that axis, too.",
)
def energy_squeezed(v, h, W, b, c):
    interaction = tf.reduce_sum((v @ W) * h, axis=1, keepdims=True)
    return -tf.squeeze(v @ b[:, tf.newaxis] + h @ c[:, tf.newaxis] + interaction)


@mistake(
    "rbm_energy", kind="lazy", hint="Compute the energy of each call; remember none by its shape."
)
def energy_remembered_by_shape(v, h, W, b, c, known={}):  # noqa: B006
    if v.shape not in known:
        known[v.shape] = (
            -tf.linalg.matvec(v, b) - tf.linalg.matvec(h, c) - tf.reduce_sum((v @ W) * h, axis=1)
        )
    return tf.cast(known[v.shape], v.dtype)


@alternative("rbm_energy")
def energy_by_einsum(v, h, W, b, c):
    interaction = tf.einsum("bi,ij,bj->b", v, W, h)
    return -(tf.einsum("bi,i->b", v, b) + tf.einsum("bj,j->b", h, c) + interaction)


@alternative("rbm_energy")
def energy_row_by_row(v, h, W, b, c):
    energies = []
    for row in range(v.shape[0]):
        energy = 0.0
        for i in range(v.shape[1]):
            energy -= v[row, i] * b[i]
            for j in range(h.shape[1]):
                energy -= v[row, i] * W[i, j] * h[row, j]
        for j in range(h.shape[1]):
            energy -= h[row, j] * c[j]
        energies.append(energy)
    return tf.stack(energies)


@alternative("rbm_energy")
def energy_in_float64_inside(v, h, W, b, c):
    dtype = W.dtype
    v, h, W, b, c = (tf.cast(array, tf.float64) for array in (v, h, W, b, c))
    energy = -tf.reduce_sum(v * b, 1) - tf.reduce_sum(h * (c + v @ W), 1)
    return tf.cast(energy, dtype)


@alternative("rbm_energy")
@tf.function
def energy_compiled(v, h, W, b, c):
    return -tf.linalg.matvec(v, b) - tf.reduce_sum((c + v @ W) * h, axis=1)


@alternative("rbm_energy")
def energy_of_columns(v, h, W, b, c):
    columns = v @ b[:, None] + h @ c[:, None] + tf.reduce_sum(v @ W * h, 1, keepdims=True)
    return -tf.squeeze(columns, axis=1)


@alternative("rbm_energy")
def energy_by_outer_products(v, h, W, b, c):
    together = v[:, :, None] * h[:, None, :]
    return -tf.tensordot(v, b, 1) - tf.tensordot(h, c, 1) - tf.reduce_sum(together * W, (1, 2))


@alternative("rbm_energy")
def energy_in_numpy(v, h, W, b, c):
    v, h, W, b, c = (np.asarray(array) for array in (v, h, W, b, c))
    return tf.convert_to_tensor(-(v @ b) - h @ c - ((v @ W) * h).sum(1))


@alternative("rbm_energy")
def energy_in_numpy_as_it_is(v, h, W, b, c):
    v, h, W, b, c = (np.asarray(array) for array in (v, h, W, b, c))
    return -(v * b).sum(axis=1) - (h * (c + v @ W)).sum(axis=1)


@alternative("rbm_energy")
def energy_mapped_over_rows(v, h, W, b, c):
    def one(pair):
        x, y = pair
        return -tf.tensordot(x, b, 1) - tf.tensordot(y, c + tf.linalg.matvec(W, x, True), 1)

    return tf.map_fn(one, (v, h), fn_output_signature=W.dtype)


@alternative("rbm_energy")
def energy_with_biases_as_weights(v, h, W, b, c):
    ones = tf.ones((tf.shape(v)[0], 1), W.dtype)
    upper = tf.concat([W, b[:, tf.newaxis]], axis=1)
    lower = tf.concat([c[tf.newaxis], tf.zeros((1, 1), W.dtype)], axis=1)
    v, h = tf.concat([v, ones], axis=1), tf.concat([h, ones], axis=1)
    return -tf.einsum("bi,ij,bj->b", v, tf.concat([upper, lower], axis=0), h)
