"""Exercise 8: the largest singular value, by power iteration."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, mistake, probe
from reference import gan

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_W = np.array([[3, 0], [0, 1], [0, 0]], np.float32)
SHOWN_U = np.array([1, 1, 1], np.float32)


@probe
def slopes_of(student, W, u, n_iter):
    """Returns sigma, the last u, and the derivatives of sigma by W and by the first u."""
    W, u = tf.identity(W), tf.identity(u)
    with tf.GradientTape() as tape:
        tape.watch([W, u])
        sigma, last = student.spectral_norm(W, u, int(n_iter))
        total = tf.reduce_sum(sigma)
    zero = tf.UnconnectedGradients.ZERO
    return sigma, last, *tape.gradient(total, [W, u], unconnected_gradients=zero)


def with_gap(inputs, rows, columns):
    """Returns a matrix whose singular values are 2.5 and at most 1, and both leading vectors."""
    left, _ = np.linalg.qr(inputs.normal(size=(rows, columns)))
    right, _ = np.linalg.qr(inputs.normal(size=(columns, columns)))
    values = np.linspace(1, 0.3, columns)
    values[0] = 2.5
    return left @ np.diag(values) @ right.T, left[:, 0], right[:, 0]


@exercise(
    "spectral_norm",
    points=2,
    visible=True,
    mistakes=("norm_of_all_entries", "norm_squared", "norm_returns_sigma_only"),
)
def test_norm_shown_of_a_diagonal(student):
    """A matrix with 3 and 1 on its diagonal stretches by 3 at most."""
    sigma, u = expect(student.spectral_norm(SHOWN_W, SHOWN_U, 50)).parts(2)
    expect(sigma).array((), np.float32).close(np.float32(3), tolerance=1e-4)
    expect(u).array("M", np.float32, M=3)


@exercise(
    "spectral_norm",
    points=1,
    mistakes=(
        "norm_of_all_entries",
        "norm_squared",
        "norm_smallest",
        "norm_without_normalising",
        "norm_in_float32",
        "norm_returns_v",
    ),
    note="A 7x4 matrix whose largest singular value is 2.5, the next 0.8; 100 rounds, float64.",
)
def test_norm_is_the_largest_singular_value(student, inputs):
    """The largest singular value comes out, and its left singular vector, of length 1."""
    W, left, _ = with_gap(inputs, 7, 4)
    sigma, u = expect(student.spectral_norm(W, inputs.normal(size=7), 100)).parts(2)
    expect(sigma).array((), np.float64).close(2.5, tolerance=1e-8)
    expect(u).array("M", np.float64, M=7)
    expect(np.abs(np.asarray(u) @ left), "|u . left singular vector|").close(1.0, tolerance=1e-8)


@exercise(
    "spectral_norm",
    points=1,
    mistakes=("norm_starts_anew", "norm_ignores_the_count", "norm_one_round_more"),
    note="One round and two from a given u, before anything has converged.",
)
def test_norm_goes_on_from_u(student, inputs):
    """After one round and after two, sigma and u are those of the iteration from the given u."""
    W, _, _ = with_gap(inputs, 7, 4)
    start = inputs.normal(size=7)
    for rounds in (1, 2):
        due = [part.numpy() for part in gan.spectral_norm(W, start, rounds)]
        seen = expect(student.spectral_norm(W, start, rounds)).parts(2)
        for one, right in zip(seen, due, strict=True):
            expect(one).close(right, tolerance=1e-8)


@exercise(
    "spectral_norm",
    points=1,
    mistakes=("norm_kernel_by_channels_in", "norm_kernel_transposed", "norm_of_the_last_slice"),
    note="A kernel of 2x3x2x4 as a 12x4 matrix.",
)
def test_norm_of_a_kernel(student, inputs):
    """A kernel counts as a matrix with one column for each channel that comes out."""
    W, left, _ = with_gap(inputs, 12, 4)
    kernel, start = W.reshape(2, 3, 2, 4), inputs.normal(size=12)
    sigma, u = expect(student.spectral_norm(kernel, start, 100)).parts(2)
    expect(sigma).array((), np.float64).close(2.5, tolerance=1e-8)
    expect(u).array("M", np.float64, M=12)
    expect(np.abs(np.asarray(u) @ left), "|u . left singular vector|").close(1.0, tolerance=1e-8)


@exercise(
    "spectral_norm",
    points=1,
    mistakes=("norm_through_u", "norm_detached"),
    note="By W after 100 rounds; by the first u after one.",
)
def test_norm_has_the_right_gradient(student, inputs):
    """The derivative by W is the outer product of the singular vectors; none flows to u."""
    W, left, right = with_gap(inputs, 7, 4)
    start = inputs.normal(size=7)
    _, _, by_matrix, _ = expect(slopes_of(student, W, start, 100)).parts(4)
    expect(by_matrix, "the derivative by W").close(np.outer(left, right), tolerance=1e-7)
    _, _, _, by_start = expect(slopes_of(student, W, start, 1)).parts(4)
    expect(by_start, "the derivative by u").equals(np.zeros(7))


@mistake("spectral_norm", kind="concept", hint="This is the norm of all entries together.")
def norm_of_all_entries(W, u, n_iter):
    return tf.sqrt(tf.reduce_sum(W**2)), gan.spectral_norm(W, u, n_iter)[1]


@mistake("spectral_norm", kind="scale", hint="This is the square of the largest singular value.")
def norm_squared(W, u, n_iter):
    sigma, u = gan.spectral_norm(W, u, n_iter)
    return sigma**2, u


@mistake("spectral_norm", kind="lazy", hint="Both are returned: sigma, and the last u.")
def norm_returns_sigma_only(W, u, n_iter):
    return gan.spectral_norm(W, u, n_iter)[0]


@mistake("spectral_norm", kind="concept", hint="The largest singular value is asked for.")
def norm_smallest(W, u, n_iter):
    values = tf.linalg.svd(tf.reshape(W, (-1, W.shape[-1])), compute_uv=False)
    return tf.reduce_min(values), gan.spectral_norm(W, u, n_iter)[1]


@mistake("spectral_norm", kind="scale", hint="u and v are brought to length 1 in every round.")
def norm_without_normalising(W, u, n_iter):
    sigma, _ = gan.spectral_norm(W, u, n_iter)
    matrix = tf.reshape(W, (-1, W.shape[-1]))
    for _ in range(n_iter):
        u = tf.linalg.matvec(matrix, tf.linalg.matvec(matrix, u, transpose_a=True))
    return sigma, u


@mistake("spectral_norm", kind="numerics", hint="Float64 arguments give float64 results.")
def norm_in_float32(W, u, n_iter):
    return gan.spectral_norm(tf.cast(W, tf.float32), tf.cast(u, tf.float32), n_iter)


@mistake("spectral_norm", kind="concept", hint="u has as many entries as W has rows; this is v.")
def norm_returns_v(W, u, n_iter):
    sigma, u = gan.spectral_norm(W, u, n_iter)
    matrix = tf.reshape(W, (-1, W.shape[-1]))
    return sigma, tf.math.l2_normalize(tf.linalg.matvec(matrix, u, transpose_a=True))


@mistake("spectral_norm", kind="concept", hint="The iteration starts from the u that is given.")
def norm_starts_anew(W, u, n_iter):
    return gan.spectral_norm(W, tf.ones_like(u), n_iter)


@mistake("spectral_norm", kind="lazy", hint="n_iter rounds are asked for.")
def norm_ignores_the_count(W, u, n_iter):
    return gan.spectral_norm(W, u, 50)


@mistake("spectral_norm", kind="concept", hint="Count the rounds: here is one more than n_iter.")
def norm_one_round_more(W, u, n_iter):
    return gan.spectral_norm(W, u, n_iter + 1)


@mistake(
    "spectral_norm",
    kind="axis",
    hint="A kernel becomes a matrix with (height x width x channels in) rows.",
)
def norm_kernel_by_channels_in(W, u, n_iter):
    if len(W.shape) == 4:
        moved = tf.transpose(W, (2, 0, 1, 3))
        return gan.spectral_norm(tf.reshape(moved, (W.shape[2], -1)), u[: W.shape[2]], n_iter)
    return gan.spectral_norm(W, u, n_iter)


@mistake(
    "spectral_norm",
    kind="axis",
    hint="Channels that come out are the columns: no transpose before the reshape.",
)
def norm_kernel_transposed(W, u, n_iter):
    if len(W.shape) == 4:
        return gan.spectral_norm(tf.reshape(W, (W.shape[-1], -1)), u[: W.shape[-1]], n_iter)
    return gan.spectral_norm(W, u, n_iter)


@mistake("spectral_norm", kind="lazy", hint="All of the kernel counts, not one place of it.")
def norm_of_the_last_slice(W, u, n_iter):
    if len(W.shape) == 4:
        sigma, _ = gan.spectral_norm(W[-1, -1], u[: W.shape[2]], n_iter)
        return sigma, gan.spectral_norm(W, u, n_iter)[1]
    return gan.spectral_norm(W, u, n_iter)


@mistake("spectral_norm", kind="concept", hint="u is a constant: no gradient flows to it.")
def norm_through_u(W, u, n_iter):
    matrix = tf.reshape(W, (-1, W.shape[-1]))
    for _ in range(n_iter):
        v = tf.math.l2_normalize(tf.linalg.matvec(matrix, u, transpose_a=True))
        u = tf.math.l2_normalize(tf.linalg.matvec(matrix, v))
    return tf.reduce_sum(u * tf.linalg.matvec(matrix, v)), u


@mistake("spectral_norm", kind="concept", hint="sigma has to be differentiable by W.")
def norm_detached(W, u, n_iter):
    sigma, u = gan.spectral_norm(W, u, n_iter)
    return tf.stop_gradient(sigma), u


@alternative("spectral_norm")
def norm_of_the_image(W, u, n_iter):
    matrix = tf.reshape(W, (-1, W.shape[-1]))
    constant, u = tf.stop_gradient(matrix), tf.stop_gradient(u)
    for _ in range(n_iter):
        v = tf.linalg.matvec(constant, u, transpose_a=True)
        v = v / tf.norm(v)
        u = tf.linalg.matvec(constant, v)
        u = u / tf.norm(u)
    return tf.norm(tf.linalg.matvec(matrix, v)), u


@alternative("spectral_norm")
def norm_by_columns(W, u, n_iter):
    flat = tf.reshape(W, [-1, int(W.shape[-1])])
    column = tf.stop_gradient(u)[:, tf.newaxis]
    for _ in range(n_iter):
        v = tf.stop_gradient(tf.math.l2_normalize(tf.transpose(flat) @ column))
        column = tf.stop_gradient(tf.math.l2_normalize(flat @ v))
    return tf.squeeze(tf.transpose(column) @ flat @ v), column[:, 0]


@alternative("spectral_norm")
def norm_through_the_iteration(W, u, n_iter):
    matrix, u = tf.reshape(W, (-1, W.shape[-1])), tf.stop_gradient(u)
    for _ in range(n_iter):
        v = tf.linalg.normalize(tf.einsum("mn,m->n", matrix, u))[0]
        u = tf.linalg.normalize(tf.einsum("mn,n->m", matrix, v))[0]
    return tf.einsum("m,mn,n->", u, matrix, v), tf.stop_gradient(u)
