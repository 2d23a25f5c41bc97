"""Exercise 5: the posterior of a linear decoder, which is exact."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake
from reference import vae


def random_case(inputs):
    """Returns x (7, 5), W (5, 3), b (5,), float64."""
    return inputs.normal(size=(7, 5)), inputs.normal(size=(5, 3)), inputs.normal(size=5)


def expect_posterior(seen, due):
    """Holds that means and covariance are those due."""
    for one, right in zip(expect(seen).parts(2), due, strict=True):
        expect(one).matches(right)


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN = (
    np.array([[3, 1], [-2, 0], [0, 4]], np.float32),
    np.array([[1], [0]], np.float32),
    np.array([1, 0], np.float32),
)


@exercise(
    "linear_vae_posterior",
    points=1,
    visible=True,
    mistakes=("posterior_covariance_of_x", "posterior_variances_only"),
)
def test_posterior_shown_shapes_and_dtypes(student):
    """There is a mean for each row and one covariance, in the dtype of the arguments."""
    mean, covariance = expect(student.linear_vae_posterior(*SHOWN, 1.0)).parts(2)
    expect(mean).array("B Z", np.float32, B=3, Z=1)
    expect(covariance).array("Z Z", np.float32, Z=1)


@exercise(
    "linear_vae_posterior",
    points=2,
    visible=True,
    mistakes=("posterior_without_prior", "posterior_without_b", "posterior_precision"),
)
def test_posterior_shown_halfway(student):
    """With weight 1 and variance 1, the mean lies halfway, and half of the variance is left."""
    mean, covariance = expect(student.linear_vae_posterior(*SHOWN, 1.0)).parts(2)
    expect(mean).matches(np.array([[1], [-1.5], [-0.5]], np.float32))
    expect(covariance).matches(np.array([[0.5]], np.float32))


@exercise(
    "linear_vae_posterior",
    points=3,
    mistakes=(
        "posterior_without_beta",
        "posterior_beta_multiplied",
        "posterior_variance_squared",
        "posterior_without_prior",
        "posterior_without_b",
        "posterior_b_added",
        "posterior_precision",
        "posterior_mean_without_covariance",
        "posterior_diagonal_only",
        "posterior_beta_in_covariance_only",
        "posterior_in_float32",
        "posterior_mean_over_pixels",
    ),
    note="Beta 4, variance 0.3, three codes, five pixels, float64; and the golden case.",
)
def test_posterior_has_mean_and_covariance(student, inputs):
    """The best q for a linear decoder has this mean and covariance, for any weight beta."""
    case = *random_case(inputs), 0.3, 4.0
    due = [np.asarray(part) for part in vae.linear_vae_posterior(*case)]
    expect_posterior(student.linear_vae_posterior(*case), due)
    golden = np.array([[1.1]]), np.array([[1.7]]), np.zeros(1), 0.3, 4.0
    mean, covariance = expect(student.linear_vae_posterior(*golden)).parts(2)
    expect(mean).close([[0.4572127]], tolerance=1e-6)
    expect(covariance).close([[0.2933985]], tolerance=1e-6)


@exercise(
    "linear_vae_posterior",
    points=2,
    mistakes=(
        "posterior_variance_squared",
        "posterior_without_prior",
        "posterior_without_b",
        "posterior_diagonal_only",
        "posterior_b_added",
    ),
    note="By conditioning the joint normal law of z and x; beta is 1.",
)
def test_posterior_is_the_conditional_of_the_joint(student, inputs):
    """For beta = 1 it is p(z | x): what the joint normal law of z and x says of z, given x."""
    x, W, b = random_case(inputs)
    gain = W.T @ np.linalg.inv(W @ W.T + 0.6 * np.eye(5))
    due = (x - b) @ gain.T, np.eye(3) - gain @ W
    expect_posterior(student.linear_vae_posterior(x, W, b, 0.6), due)
    expect_posterior(student.linear_vae_posterior(x, W, b, 0.6, 1.0), due)


@exercise(
    "linear_vae_posterior",
    points=1,
    mistakes=(
        "posterior_without_beta",
        "posterior_beta_multiplied",
        "posterior_beta_in_covariance_only",
    ),
)
def test_posterior_beta_acts_like_noise(student, inputs):
    """A weight beta changes the best q as if the variance were beta times as large."""
    case = random_case(inputs)
    weighted = expect(student.linear_vae_posterior(*case, 0.3, 4.0)).parts(2)
    noisy = expect(student.linear_vae_posterior(*case, 1.2, 1.0)).parts(2)
    for one, other in zip(weighted, noisy, strict=True):
        expect(one).finite().close(np.asarray(other), tolerance=1e-4)
    plain = expect(student.linear_vae_posterior(*case, 0.3, 1.0)).parts(2)
    far = np.max(np.abs(np.asarray(plain[1]) - np.asarray(weighted[1]))) > 1e-3
    expect(far, "another covariance for another beta").equals(True)


@exercise("linear_vae_posterior", points=1, mistakes=("posterior_centred",))
def test_posterior_mean_of_each_row_stands_alone(student, inputs):
    """Each row's mean depends on that row only, and the covariance on none."""
    x, W, b = random_case(inputs)

    def call(x):
        return expect(student.linear_vae_posterior(x, W, b, 0.3, 4.0)).parts(2)[0]

    laws.expect_rows_independent(call, batched=(x,))
    covariances = [
        expect(student.linear_vae_posterior(rows, W, b, 0.3, 4.0)).parts(2)[1]
        for rows in (x, 3 * x[:2])
    ]
    expect(covariances[0]).close(np.asarray(covariances[1]))


@mistake("linear_vae_posterior", kind="lazy", hint="beta is not used.")
def posterior_without_beta(x, W, b, variance, beta=1.0):
    return vae.linear_vae_posterior(x, W, b, variance)


@mistake(
    "linear_vae_posterior",
    kind="concept",
    hint="A large beta pulls q to the prior: it divides what the data say.",
)
def posterior_beta_multiplied(x, W, b, variance, beta=1.0):
    return vae.linear_vae_posterior(x, W, b, variance, 1.0 / beta)


@mistake("linear_vae_posterior", kind="concept", hint="beta stands in the mean, too.")
def posterior_beta_in_covariance_only(x, W, b, variance, beta=1.0):
    mean, covariance = vae.linear_vae_posterior(x, W, b, variance, beta)
    return beta * mean, covariance


@mistake("linear_vae_posterior", kind="scale", hint="variance is not squared once more.")
def posterior_variance_squared(x, W, b, variance, beta=1.0):
    return vae.linear_vae_posterior(x, W, b, variance**2, beta)


@mistake(
    "linear_vae_posterior",
    kind="concept",
    hint="The prior adds the identity to the precision.",
)
def posterior_without_prior(x, W, b, variance, beta=1.0):
    covariance = tf.linalg.inv(tf.matmul(W, W, transpose_a=True)) * (beta * variance)
    return tf.matmul(x - b, tf.matmul(W, covariance)) / (beta * variance), covariance


@mistake("linear_vae_posterior", kind="lazy", hint="b is subtracted from x first.")
def posterior_without_b(x, W, b, variance, beta=1.0):
    return vae.linear_vae_posterior(x, W, 0.0 * b, variance, beta)


@mistake("linear_vae_posterior", kind="concept", hint="b is subtracted from x, not added.")
def posterior_b_added(x, W, b, variance, beta=1.0):
    return vae.linear_vae_posterior(x, W, -b, variance, beta)


@mistake("linear_vae_posterior", kind="concept", hint="This is the precision: invert it.")
def posterior_precision(x, W, b, variance, beta=1.0):
    mean, covariance = vae.linear_vae_posterior(x, W, b, variance, beta)
    return mean, tf.linalg.inv(covariance)


@mistake("linear_vae_posterior", kind="lazy", hint="The mean is multiplied by the covariance.")
def posterior_mean_without_covariance(x, W, b, variance, beta=1.0):
    _, covariance = vae.linear_vae_posterior(x, W, b, variance, beta)
    return tf.matmul(x - b, W) / (beta * variance), covariance


@mistake(
    "linear_vae_posterior",
    kind="concept",
    hint="Codes hang together, given x: the whole matrix is inverted, not its diagonal.",
)
def posterior_diagonal_only(x, W, b, variance, beta=1.0):
    covariance = tf.linalg.diag(1.0 / (1.0 + tf.reduce_sum(W**2, axis=0) / (beta * variance)))
    return tf.matmul(x - b, tf.matmul(W, covariance)) / (beta * variance), covariance


@mistake("linear_vae_posterior", kind="axis", hint="The covariance is a matrix, of shape (Z, Z).")
def posterior_variances_only(x, W, b, variance, beta=1.0):
    mean, covariance = vae.linear_vae_posterior(x, W, b, variance, beta)
    return mean, tf.linalg.diag_part(covariance)


@mistake("linear_vae_posterior", kind="axis", hint="This is a covariance of x, not of z.")
def posterior_covariance_of_x(x, W, b, variance, beta=1.0):
    mean, _ = vae.linear_vae_posterior(x, W, b, variance, beta)
    identity = tf.eye(W.shape[0], dtype=W.dtype)
    return mean, tf.matmul(W, W, transpose_b=True) + variance * identity


@mistake("linear_vae_posterior", kind="axis", hint="Rows are not centred on their own mean.")
def posterior_centred(x, W, b, variance, beta=1.0):
    return vae.linear_vae_posterior(x - tf.reduce_mean(x, axis=0), W, b, variance, beta)


@mistake("linear_vae_posterior", kind="numerics", hint="Float64 arguments give float64 results.")
def posterior_in_float32(x, W, b, variance, beta=1.0):
    arrays = (tf.cast(array, tf.float32) for array in (x, W, b))
    return vae.linear_vae_posterior(*arrays, variance, beta)


@mistake("linear_vae_posterior", kind="scale", hint="Sum over the pixels; do not average.")
def posterior_mean_over_pixels(x, W, b, variance, beta=1.0):
    return vae.linear_vae_posterior(x, W, b, variance * int(x.shape[1]), beta)


@alternative("linear_vae_posterior")
def posterior_by_solving(x, W, b, variance, beta=1.0):
    noise = beta * variance
    precision = tf.eye(W.shape[1], dtype=W.dtype) + tf.transpose(W) @ W / noise
    mean = tf.transpose(tf.linalg.solve(precision, tf.transpose(W) @ tf.transpose(x - b) / noise))
    return mean, tf.linalg.inv(precision)


@alternative("linear_vae_posterior")
def posterior_by_cholesky(x, W, b, variance, beta=1.0):
    noise = beta * variance
    factor = tf.linalg.cholesky(noise * tf.eye(W.shape[1], dtype=W.dtype) + tf.transpose(W) @ W)
    mean = tf.linalg.cholesky_solve(factor, tf.transpose((x - b) @ W))
    identity = tf.eye(W.shape[1], dtype=W.dtype)
    return tf.transpose(mean), noise * tf.linalg.cholesky_solve(factor, identity)


@alternative("linear_vae_posterior")
def posterior_by_the_marginal(x, W, b, variance, beta=1.0):
    marginal = W @ tf.transpose(W) + beta * variance * tf.eye(W.shape[0], dtype=W.dtype)
    gain = tf.transpose(W) @ tf.linalg.inv(marginal)
    return (x - b) @ tf.transpose(gain), tf.eye(W.shape[1], dtype=W.dtype) - gain @ W


@alternative("linear_vae_posterior")
def posterior_by_singular_values(x, W, b, variance, beta=1.0):
    s, u, v = tf.linalg.svd(W)
    spread = 1.0 / (1.0 + s**2 / (beta * variance))
    mean = ((x - b) @ u * (s * spread / (beta * variance))) @ tf.transpose(v)
    return mean, (v * spread) @ tf.transpose(v)


@alternative("linear_vae_posterior")
def posterior_through_numpy(x, W, b, variance, beta=1.0):
    x, W, b = (np.asarray(array) for array in (x, W, b))
    covariance = np.linalg.inv(np.eye(W.shape[1], dtype=W.dtype) + W.T @ W / (beta * variance))
    mean = np.stack([covariance @ W.T @ (row - b) / (beta * variance) for row in x])
    return tf.constant(mean), tf.constant(covariance)
