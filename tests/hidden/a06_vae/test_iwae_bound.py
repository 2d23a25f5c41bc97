"""Exercise 4: the importance weighted bound."""

import numpy as np
import tensorflow as tf
from scipy import stats

from autograder.checks import alternative, exercise, expect, laws, mistake, probe
from reference import vae

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.array([[1, 0, 1, 0, 1], [0, 0, 1, 1, 0], [1, 1, 1, 1, 1]], np.float32)
SHOWN_NOISE = np.array([[[1, -1], [0, 2], [1, 1]], [[0, 0], [2, 0], [-1, 3]]], np.float32)


@probe
def bound_of(student, x, noise, networks, variance):
    """Returns the bound for linear networks; variance 0 stands for binary pixels."""
    A, L, W = networks

    def encoder(rows):
        return tf.matmul(rows, A[:-1]) + A[-1], tf.matmul(rows, L[:-1]) + L[-1]

    def decoder(z):
        return tf.matmul(z, W[:-1]) + W[-1]

    if variance:
        return student.iwae_bound(x, encoder, decoder, noise, variance=variance)
    return student.iwae_bound(x, encoder, decoder, noise)


@probe
def bound_gradients(student, x, noise, networks, weight):
    """Returns the derivatives of sum(weight bound) by the parameters of both networks."""
    A, L, W = (tf.identity(array) for array in networks)

    def encoder(rows):
        return tf.matmul(rows, A[:-1]) + A[-1], tf.matmul(rows, L[:-1]) + L[-1]

    def decoder(z):
        return tf.matmul(z, W[:-1]) + W[-1]

    with tf.GradientTape() as tape:
        tape.watch([A, L, W])
        total = tf.reduce_sum(weight * student.iwae_bound(x, encoder, decoder, noise))
    zero = tf.UnconnectedGradients.ZERO
    return tape.gradient(total, [A, L, W], unconnected_gradients=zero)


def random_case(inputs):
    """Returns binary x (7, 5), noise (4, 7, 3) and networks, whose last row is the bias."""
    networks = (
        inputs.normal(size=(6, 3)),
        0.5 * inputs.normal(size=(6, 3)),
        inputs.normal(size=(4, 5)),
    )
    return inputs.integers(0, 2, (7, 5)).astype(float), inputs.normal(size=(4, 7, 3)), networks


def exact_case(inputs, variance):
    """Returns x (7, 5), networks in which the encoder is the exact posterior, and log p(x)."""
    x, offset = inputs.normal(size=(7, 5)), inputs.normal(size=5)
    # Orthogonal columns make the posterior covariance diagonal.
    W = np.linalg.qr(inputs.normal(size=(5, 3)))[0] * np.array([1.7, 0.6, 1.1])
    spread = 1 / (1 + (W**2).sum(axis=0) / variance)
    A = W * spread / variance
    A = np.concatenate([A, -offset[np.newaxis] @ A])
    L = np.concatenate([np.zeros((5, 3)), np.log(spread)[np.newaxis]])
    marginal = stats.multivariate_normal(offset, W @ W.T + variance * np.eye(5))
    return x, (A, L, np.concatenate([W.T, offset[np.newaxis]])), marginal.logpdf(x)


def due_of(asked, *arguments):
    """Returns what a probe returns for the reference."""
    tensors = tf.nest.map_structure(
        lambda value: tf.constant(value) if isinstance(value, np.ndarray) else value, arguments
    )
    return tf.nest.map_structure(np.asarray, asked.function(vae, *tensors))


def shown_networks():
    """Returns networks that say the same for every x: mean 0, variance 1, logits 0."""
    shapes = (6, 2), (6, 2), (3, 5)
    return tuple(np.zeros(shape, np.float32) for shape in shapes)


@exercise(
    "iwae_bound",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    visible=True,
    mistakes=("iwae_of_the_batch", "iwae_axis_B"),
)
def test_iwae_shown_shape_and_dtype(student):
    """Three rows give three bounds, in the dtype of x, however many samples there are."""
    seen = bound_of(student, SHOWN_X, SHOWN_NOISE, shown_networks(), 0.0)
    expect(seen).array("B", np.float32, B=3)


@exercise(
    "iwae_bound",
    points=3,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    visible=True,
    mistakes=("iwae_no_logK", "iwae_without_q", "iwae_without_prior"),
)
def test_iwae_shown_where_q_is_the_prior(student):
    """Where q is the prior and all logits are 0, every weight is 2^-5, and so is their mean."""
    for noise in (SHOWN_NOISE[:1], SHOWN_NOISE):
        seen = bound_of(student, SHOWN_X, noise, shown_networks(), 0.0)
        expect(seen).matches(np.full(3, -5 * np.log(2), np.float32))


@exercise(
    "iwae_bound",
    points=4,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    mistakes=(
        "iwae_no_logK",
        "iwae_mean_of_logs",
        "iwae_closed_kl",
        "iwae_without_prior",
        "iwae_without_q",
        "iwae_q_without_deviation",
        "iwae_prior_at_the_noise",
        "iwae_best_sample",
        "iwae_sign_of_q",
        "iwae_one_noise_for_all",
        "iwae_in_float32",
        "iwae_with_own_noise",
    ),
    note="Four samples and one, binary pixels, linear networks, float64.",
)
def test_iwae_is_the_log_of_the_mean_weight(student, inputs):
    """The bound is the log of the mean over the samples of p(x, z) / q(z | x)."""
    x, noise, networks = random_case(inputs)
    for several in (noise, noise[:1]):
        due = due_of(bound_of, x, several, networks, 0.0)
        expect(bound_of(student, x, several, networks, 0.0)).matches(due)


@exercise(
    "iwae_bound",
    points=3,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    mistakes=(
        "iwae_no_logK",
        "iwae_closed_kl",
        "iwae_ignores_the_variance",
        "iwae_without_prior",
        "iwae_q_without_deviation",
        "iwae_constants_forgotten",
    ),
    note="A linear decoder; its exact posterior as encoder makes every weight p(x).",
)
def test_iwae_is_the_likelihood_at_the_exact_posterior(student, inputs):
    """Where q is the exact posterior, any sample and any number of them gives log p(x)."""
    x, networks, due = exact_case(inputs, 0.3)
    for samples in (1, 4):
        noise = inputs.normal(size=(samples, 7, 3))
        expect(bound_of(student, x, noise, networks, 0.3)).matches(due)


@exercise(
    "iwae_bound",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    mistakes=("iwae_of_the_batch", "iwae_one_noise_for_all", "iwae_axis_B"),
)
def test_iwae_of_each_row_stands_alone(student, inputs):
    """Each row's bound depends on that row of x and its own noise only."""
    x, noise, networks = random_case(inputs)

    def call(x, noise):
        return bound_of(student, x, np.swapaxes(noise, 0, 1), networks, 0.0)

    laws.expect_rows_independent(call, batched=(x, np.swapaxes(noise, 0, 1)))


@exercise(
    "iwae_bound",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    mistakes=("iwae_detached_weights", "iwae_best_sample", "iwae_stops_at_the_code"),
)
def test_iwae_has_the_right_gradient(student, inputs):
    """The derivative by both networks is that of the bound."""
    case = *random_case(inputs), inputs.normal(size=7)
    seen = expect(bound_gradients(student, *case)).parts(3)
    for one, right in zip(seen, due_of(bound_gradients, *case), strict=True):
        expect(one, "the derivative of the bound").matches(right)


@exercise(
    "iwae_bound",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    mistakes=("iwae_overflows", "iwae_with_epsilon"),
    note="Log-weights of -2,000: e to that power is 0, also in float64.",
)
def test_iwae_of_tiny_weights(student, inputs):
    """Weights as small as e^-2000 still have a finite, right bound."""
    x, noise, (A, L, W) = random_case(inputs)
    W[-1] = 2000 * np.where(inputs.integers(0, 2, 5) == 1, 1, -1)
    W[-1, 0] = np.where(x[:, 0].mean() > 0.5, -2000, 2000)
    x[:, 0] = W[-1, 0] < 0
    case = x, noise, (A, L, W), 0.0
    expect(bound_of(student, *case)).matches(due_of(bound_of, *case))


@mistake("iwae_bound", kind="scale", hint="The weights are averaged: log K has to be subtracted.")
def iwae_no_logK(x, encoder, decoder, noise, variance=None):
    samples = float(noise.shape[0])
    return vae.iwae_bound(x, encoder, decoder, noise, variance) + float(np.log(samples))


@mistake("iwae_bound", kind="axis", hint="Average over the samples, the first axis, not the rows.")
def iwae_axis_B(x, encoder, decoder, noise, variance=None):
    each = [vae.iwae_bound(x, encoder, decoder, one[tf.newaxis], variance) for one in noise]
    return tf.reduce_logsumexp(tf.stack(each), axis=1) - float(np.log(x.shape[0]))


@mistake(
    "iwae_bound",
    kind="concept",
    hint="The log of the mean weight is asked for; the mean of the logs is the usual bound.",
)
def iwae_mean_of_logs(x, encoder, decoder, noise, variance=None):
    each = [vae.iwae_bound(x, encoder, decoder, one[tf.newaxis], variance) for one in noise]
    return tf.reduce_mean(tf.stack(each), axis=0)


@mistake(
    "iwae_bound",
    kind="concept",
    hint="Each weight holds log p(z) - log q(z | x) of its own draw, not the closed-form KL.",
)
def iwae_closed_kl(x, encoder, decoder, noise, variance=None):
    each = [vae.elbo(x, encoder, decoder, one[tf.newaxis], 1.0, variance) for one in noise]
    return tf.reduce_logsumexp(tf.stack([t["elbo"] for t in each]), 0) - float(np.log(len(each)))


@mistake("iwae_bound", kind="lazy", hint="The prior density of the code, log p(z), is missing.")
def iwae_without_prior(x, encoder, decoder, noise, variance=None):
    mean, log_var = encoder(x)
    z = mean + tf.exp(log_var / 2) * noise
    log_prior = -0.5 * tf.reduce_sum(z**2 + float(np.log(2 * np.pi)), axis=2)
    each = [vae.iwae_bound(x, encoder, decoder, one[tf.newaxis], variance) for one in noise]
    log_w = tf.stack(each) - log_prior
    return tf.reduce_logsumexp(log_w, axis=0) - float(np.log(noise.shape[0]))


@mistake("iwae_bound", kind="lazy", hint="The density of q at the draw, log q(z | x), is missing.")
def iwae_without_q(x, encoder, decoder, noise, variance=None):
    _, log_var = encoder(x)
    log_q = -0.5 * tf.reduce_sum(noise**2 + log_var + float(np.log(2 * np.pi)), axis=2)
    each = [vae.iwae_bound(x, encoder, decoder, one[tf.newaxis], variance) for one in noise]
    log_w = tf.stack(each) + log_q
    return tf.reduce_logsumexp(log_w, axis=0) - float(np.log(noise.shape[0]))


@mistake(
    "iwae_bound",
    kind="concept",
    hint="The density of q has 1 / sigma in front: half the log-variance belongs to log q.",
)
def iwae_q_without_deviation(x, encoder, decoder, noise, variance=None):
    _, log_var = encoder(x)
    correction = 0.5 * tf.reduce_sum(log_var, axis=1)
    return vae.iwae_bound(x, encoder, decoder, noise, variance) - correction


@mistake("iwae_bound", kind="concept", hint="The prior density is taken at z, not at the noise.")
def iwae_prior_at_the_noise(x, encoder, decoder, noise, variance=None):
    mean, log_var = encoder(x)
    z = mean + tf.exp(log_var / 2) * noise
    each = [vae.iwae_bound(x, encoder, decoder, one[tf.newaxis], variance) for one in noise]
    log_w = tf.stack(each) + 0.5 * tf.reduce_sum(z**2 - noise**2, axis=2)
    return tf.reduce_logsumexp(log_w, axis=0) - float(np.log(noise.shape[0]))


@mistake("iwae_bound", kind="concept", hint="All weights count, not only the largest.")
def iwae_best_sample(x, encoder, decoder, noise, variance=None):
    each = [vae.iwae_bound(x, encoder, decoder, one[tf.newaxis], variance) for one in noise]
    return tf.reduce_max(tf.stack(each), axis=0)


@mistake("iwae_bound", kind="concept", hint="log q(z | x) is subtracted: q is the denominator.")
def iwae_sign_of_q(x, encoder, decoder, noise, variance=None):
    _, log_var = encoder(x)
    each = [vae.iwae_bound(x, encoder, decoder, one[tf.newaxis], variance) for one in noise]
    q = tf.reduce_sum(noise**2 + log_var + float(np.log(2 * np.pi)), axis=2)
    return tf.reduce_logsumexp(tf.stack(each) - q, axis=0) - float(np.log(noise.shape[0]))


@mistake("iwae_bound", kind="axis", hint="Every row of the batch has noise of its own.")
def iwae_one_noise_for_all(x, encoder, decoder, noise, variance=None):
    return vae.iwae_bound(x, encoder, decoder, noise[:, :1] + 0.0 * noise, variance)


@mistake("iwae_bound", kind="axis", hint="Each row has a bound of its own: no batch mean.")
def iwae_of_the_batch(x, encoder, decoder, noise, variance=None):
    return tf.reduce_mean(vae.iwae_bound(x, encoder, decoder, noise, variance))


@mistake("iwae_bound", kind="numerics", hint="Float64 arguments give a float64 result.")
def iwae_in_float32(x, encoder, decoder, noise, variance=None):
    return tf.cast(vae.iwae_bound(x, encoder, decoder, noise, variance), tf.float32)


@mistake("iwae_bound", kind="randomness", hint="Use the noise that is handed in.")
def iwae_with_own_noise(x, encoder, decoder, noise, variance=None):
    own = tf.random.normal(tf.shape(noise), dtype=noise.dtype)
    return vae.iwae_bound(x, encoder, decoder, own, variance)


@mistake("iwae_bound", kind="lazy", hint="With a variance, the decoder's output is a mean.")
def iwae_ignores_the_variance(x, encoder, decoder, noise, variance=None):
    return vae.iwae_bound(x, encoder, decoder, noise)


@mistake(
    "iwae_bound",
    kind="scale",
    hint="The constants of the densities do not all cancel: count them.",
)
def iwae_constants_forgotten(x, encoder, decoder, noise, variance=None):
    bound = vae.iwae_bound(x, encoder, decoder, noise, variance)
    if variance is None:
        return bound
    return bound + 0.5 * int(x.shape[1]) * float(np.log(2 * np.pi * variance))


@mistake("iwae_bound", kind="concept", hint="The gradient flows through all weights, unweighted.")
def iwae_detached_weights(x, encoder, decoder, noise, variance=None):
    bound = vae.iwae_bound(x, encoder, decoder, noise, variance)
    each = [vae.iwae_bound(x, encoder, decoder, one[tf.newaxis], variance) for one in noise]
    plain = tf.reduce_mean(tf.stack(each), axis=0)
    return tf.stop_gradient(bound - plain) + plain


@mistake("iwae_bound", kind="concept", hint="The gradient has to flow through z to the encoder.")
def iwae_stops_at_the_code(x, encoder, decoder, noise, variance=None):
    return vae.iwae_bound(x, encoder, lambda z: decoder(tf.stop_gradient(z)), noise, variance)


@mistake(
    "iwae_bound",
    kind="numerics",
    hint="e to a log-weight of -2000 is 0: average in log space, with reduce_logsumexp.",
)
def iwae_overflows(x, encoder, decoder, noise, variance=None):
    each = [vae.iwae_bound(x, encoder, decoder, one[tf.newaxis], variance) for one in noise]
    return tf.math.log(tf.reduce_mean(tf.exp(tf.stack(each)), axis=0))


@mistake(
    "iwae_bound",
    kind="numerics",
    hint="A small number inside the logarithm hides tiny weights: average in log space.",
)
def iwae_with_epsilon(x, encoder, decoder, noise, variance=None):
    each = [vae.iwae_bound(x, encoder, decoder, one[tf.newaxis], variance) for one in noise]
    return tf.math.log(tf.reduce_mean(tf.exp(tf.stack(each)), axis=0) + 1e-300)


@alternative("iwae_bound")
def iwae_with_all_constants(x, encoder, decoder, noise, variance=None):
    mean, log_var = encoder(x)
    log_2_pi = float(np.log(2 * np.pi))
    log_weights = []
    for one in tf.unstack(noise):
        z = mean + tf.exp(0.5 * log_var) * one
        output = decoder(z)
        if variance is None:
            terms = -tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=output)
        else:
            terms = -0.5 * ((x - output) ** 2 / variance + log_2_pi + float(np.log(variance)))
        log_w = tf.reduce_sum(terms, 1) - 0.5 * tf.reduce_sum(z**2 + log_2_pi, 1)
        log_q = -0.5 * tf.reduce_sum((z - mean) ** 2 / tf.exp(log_var) + log_var + log_2_pi, 1)
        log_weights.append(log_w - log_q)
    return tf.reduce_logsumexp(tf.stack(log_weights), axis=0) - float(np.log(len(log_weights)))


@alternative("iwae_bound")
def iwae_by_running_sum(x, encoder, decoder, noise, variance=None):
    mean, log_var = encoder(x)
    total = None
    for one in tf.unstack(noise):
        terms = elbo(x, encoder, decoder, one[tf.newaxis], variance=variance)  # noqa: F821
        z = reparameterize(mean, log_var, one)  # noqa: F821
        log_w = terms["log_px_z"] + 0.5 * tf.reduce_sum(one**2 + log_var - z**2, axis=1)
        if total is None:
            total = log_w
        else:
            high, low = tf.maximum(total, log_w), tf.minimum(total, log_w)
            total = high + tf.math.log1p(tf.exp(low - high))
    return total - tf.math.log(tf.cast(noise.shape[0], total.dtype))


@alternative("iwae_bound")
def iwae_minus_the_largest(x, encoder, decoder, noise, variance=None):
    mean, log_var = encoder(x)
    samples, batch, latent = noise.shape
    z = reparameterize(mean, log_var, noise)  # noqa: F821
    output = tf.reshape(decoder(tf.reshape(z, (samples * batch, latent))), (samples, batch, -1))
    if variance is None:
        log_px_z = tf.reduce_sum(x * output - tf.nn.softplus(output), axis=-1)
    else:
        constant = float(np.log(2 * np.pi * variance))
        log_px_z = tf.reduce_sum(-0.5 * ((x - output) ** 2 / variance + constant), axis=-1)
    log_ratio = tf.reduce_sum(noise**2 + log_var - z**2, axis=-1) / 2
    log_w = log_px_z + log_ratio
    largest = tf.stop_gradient(tf.reduce_max(log_w, axis=0))
    return largest + tf.math.log(tf.reduce_mean(tf.exp(log_w - largest), axis=0))


@alternative("iwae_bound")
def iwae_row_by_row(x, encoder, decoder, noise, variance=None):
    mean, log_var = encoder(x)
    bounds = []
    for n in range(x.shape[0]):
        z = mean[n] + tf.exp(log_var[n] / 2) * noise[:, n]
        output = decoder(z)
        if variance is None:
            log_p = tf.reduce_sum(tf.math.log_sigmoid((2 * x[n] - 1) * output), axis=1)
        else:
            log_p = -0.5 * tf.reduce_sum((x[n] - output) ** 2, axis=1) / variance
            log_p -= 0.5 * x.shape[1] * float(np.log(2 * np.pi * variance))
        log_p += 0.5 * tf.reduce_sum(noise[:, n] ** 2 - z**2 + log_var[n], axis=1)
        bounds.append(tf.reduce_logsumexp(log_p) - float(np.log(noise.shape[0])))
    return tf.stack(bounds)


@alternative("iwae_bound")
def iwae_by_keras(x, encoder, decoder, noise, variance=None):
    mean, log_var = encoder(x)
    logs = []
    for one in tf.unstack(noise):
        terms = elbo(x, encoder, decoder, one[tf.newaxis], 0.0, variance=variance)  # noqa: F821
        z = mean + tf.exp(log_var / 2) * one
        logs.append(terms["elbo"] + tf.reduce_sum(one**2 + log_var - z**2, axis=1) / 2)
    return tf.keras.ops.logsumexp(tf.stack(logs, axis=1), axis=1) - float(np.log(len(logs)))
