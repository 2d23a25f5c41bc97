r"""Variational autoencoder with a Gaussian latent code.

.. math::
    p(x) &= \int p(x \mid z)\, N(z; 0, I)\, dz \\
    \log p(x) &\ge E_{q(z \mid x)}[\log p(x \mid z)] - KL(q(z \mid x) \,\|\, N(0, I)), \quad
    q(z \mid x) = N(z; \mu(x), \operatorname{diag} \sigma^2(x))

The encoder maps x to the mean and the log-variance of q, the decoder maps z to the logits of
independent binary pixels or, where a variance is given, to the mean of a normal distribution.

Read in this order: divergence, draws, the bound, a tighter bound, the case that is exact, labels,
learning, the applications. Arrays may be tensors or NumPy's, all of one dtype, float32 or float64;
results have that dtype. Everything is in nats. `rng` is a `tf.random.Generator`.

Notation:
    x               :math:`x`            (batch, pixel), in [0, 1], or real where variance is given
    z               :math:`z`            (batch, latent)
    mean, log_var   :math:`\mu, \log \sigma^2`  (batch, latent), of q
    noise           :math:`\epsilon`     (sample, batch, latent), standard normal

References:
    [KW14] Kingma and Welling, Auto-Encoding Variational Bayes, 2014, arXiv:1312.6114.
    [RMW14] Rezende, Mohamed and Wierstra, Stochastic Backpropagation and Approximate Inference in
        Deep Generative Models, 2014, arXiv:1401.4082.
    [BGS16] Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, 2016,
        arXiv:1509.00519.
    [H17] Higgins et al., beta-VAE, 2017.
    [TB99] Tipping and Bishop, Probabilistic Principal Component Analysis, 1999.
    [S15] Sohn, Lee and Yan, Learning Structured Output Representation using Deep Conditional
        Generative Models, 2015.
"""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

__all__ = [
    "conditional_elbo",
    "elbo",
    "gaussian_kl",
    "iwae_bound",
    "linear_vae_posterior",
    "networks",
    "reparameterize",
    "train_step",
    "train_vae",
    "vae_anomaly_score",
    "vae_impute",
]

Array = tf.Tensor | np.ndarray
Encoder = Callable[[Array], tuple[tf.Tensor, tf.Tensor]]
Decoder = Callable[[Array], tf.Tensor]


def gaussian_kl(
    mean: Array,
    log_var: Array,
    prior_mean: Array | float = 0.0,
    prior_log_var: Array | float = 0.0,
) -> tf.Tensor:
    r"""Returns the divergence of diagonal normal distributions from a prior.

    .. math:: KL = \tfrac12 \sum_d \Bigl[\log s_d^2 - \log \sigma_d^2
        + \frac{\sigma_d^2 + (\mu_d - m_d)^2}{s_d^2} - 1\Bigr]

    Args:
        mean: :math:`\mu`. Shape (batch, latent), float.
        log_var: :math:`\log \sigma^2`. Shape (batch, latent), float.
        prior_mean: :math:`m`, a number or an array that broadcasts.
        prior_log_var: :math:`\log s^2`, likewise.

    Returns:
        Divergences in nats, at least 0. Shape (batch,), dtype of `mean`.
    """
    ratio = tf.exp(log_var - prior_log_var)
    distance = (mean - prior_mean) ** 2 * tf.exp(-prior_log_var * tf.ones_like(mean))
    return 0.5 * tf.reduce_sum(prior_log_var - log_var + ratio + distance - 1.0, axis=-1)


def reparameterize(mean: Array, log_var: Array, noise: Array) -> tf.Tensor:
    r"""Returns draws of q as a smooth function of its parameters.

    .. math:: z = \mu + \sigma \epsilon, \quad \sigma = e^{\frac12 \log \sigma^2}

    Args:
        mean: Shape (batch, latent), float.
        log_var: Shape (batch, latent), float.
        noise: Standard normal draws; axes in front, such as samples, are kept. Shape
            (…, batch, latent), float.

    Returns:
        Draws. Shape of `noise`, dtype of `mean`.

    References:
        [KW14, section 2.4].
    """
    return mean + tf.exp(0.5 * log_var) * noise


def _log_likelihood(x: Array, output: tf.Tensor, variance: float | None) -> tf.Tensor:
    """Returns log p(x | z) of each row, given what the decoder said. Shape of `output` but for D.

    x l - softplus(l) is log sigmoid(l) for x = 1 and log sigmoid(-l) for x = 0, and never
    overflows.
    """
    if variance is None:
        terms = x * output - tf.nn.softplus(output)
    else:
        terms = -0.5 * ((x - output) ** 2 / variance + math.log(2.0 * math.pi * variance))
    return tf.reduce_sum(terms, axis=-1)


def _decoded(decoder: Decoder, z: tf.Tensor) -> tf.Tensor:
    """Returns the decoder's output for draws (sample, batch, latent), which it gets as rows."""
    n_samples, batch, latent = tf.unstack(tf.shape(z))
    output = decoder(tf.reshape(z, (n_samples * batch, latent)))
    return tf.reshape(output, (n_samples, batch, -1))


def elbo(
    x: Array,
    encoder: Encoder,
    decoder: Decoder,
    noise: Array,
    beta: float = 1.0,
    variance: float | None = None,
) -> dict[str, tf.Tensor]:
    r"""Returns the evidence lower bound of each row, and its two terms.

    .. math:: \mathcal L = \frac1S \sum_s \log p(x \mid z_s) - \beta\, KL(q(z \mid x) \| N(0, I)),
        \quad z_s = \mu(x) + \sigma(x) \epsilon_s

    Args:
        x: Data. Shape (batch, pixel), float.
        encoder: Maps x to mean and log_var, each (batch, latent).
        decoder: Maps z (rows, latent) to (rows, pixel): logits, or means where a variance is
            given.
        noise: Standard normal draws. Shape (sample, batch, latent), float.
        beta: Weight of the divergence.
        variance: Of each pixel, for a normal decoder; None for binary pixels.

    Returns:
        `elbo`, `log_px_z` (the mean over the samples) and `kl`, in nats. Shapes (batch,).

    References:
        [KW14, equation 10]; beta: [H17].
    """
    mean, log_var = encoder(x)
    z = reparameterize(mean, log_var, noise)
    log_px_z = tf.reduce_mean(_log_likelihood(x, _decoded(decoder, z), variance), axis=0)
    kl = gaussian_kl(mean, log_var)
    return {"elbo": log_px_z - beta * kl, "log_px_z": log_px_z, "kl": kl}


def iwae_bound(
    x: Array,
    encoder: Encoder,
    decoder: Decoder,
    noise: Array,
    variance: float | None = None,
) -> tf.Tensor:
    r"""Returns the importance weighted bound of each row.

    .. math:: \mathcal L_K = \log \frac1K \sum_{k=1}^K
        \frac{p(x \mid z_k)\, p(z_k)}{q(z_k \mid x)}, \quad z_k = \mu(x) + \sigma(x) \epsilon_k

    Its mean over the noise rises with K, to log p(x).

    Args:
        x: Data. Shape (batch, pixel), float.
        encoder: Maps x to mean and log_var, each (batch, latent).
        decoder: Maps z (rows, latent) to (rows, pixel).
        noise: Standard normal draws. Shape (K, batch, latent), float.
        variance: As for `elbo`.

    Returns:
        Bounds in nats. Shape (batch,), dtype of `x`.

    References:
        [BGS16, equation 8].
    """
    mean, log_var = encoder(x)
    z = reparameterize(mean, log_var, noise)
    log_px_z = _log_likelihood(x, _decoded(decoder, z), variance)
    # log 2 pi stands in both densities, and cancels.
    log_prior = -0.5 * tf.reduce_sum(z**2, axis=-1)
    log_q = -0.5 * tf.reduce_sum(noise**2 + log_var, axis=-1)
    log_weights = log_px_z + log_prior - log_q
    n_samples = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
    return tf.reduce_logsumexp(log_weights, axis=0) - tf.math.log(n_samples)


def linear_vae_posterior(
    x: Array, W: Array, b: Array, variance: float, beta: float = 1.0
) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Returns the best q for the decoder z -> W z + b with normal pixels.

    .. math:: \Sigma = \Bigl(I + \frac{W^\top W}{\beta \sigma^2}\Bigr)^{-1}, \quad
        \mu(x) = \Sigma\, \frac{W^\top (x - b)}{\beta \sigma^2}

    For beta = 1 it is the posterior p(z | x), and the bound is log N(x; b, W Wᵀ + σ² I). Another
    beta is as if the pixels had the variance beta σ².

    Args:
        x: Data. Shape (batch, pixel), float.
        W: Shape (pixel, latent), float.
        b: Shape (pixel,), float.
        variance: :math:`\sigma^2`, of each pixel.
        beta: Weight of the divergence.

    Returns:
        Means (batch, latent), and the covariance (latent, latent), the same for all rows.

    References:
        [TB99, equation 12].
    """
    W = tf.convert_to_tensor(W)
    latent = tf.eye(tf.shape(W)[1], dtype=W.dtype)
    precision = latent + tf.matmul(W, W, transpose_a=True) / (beta * variance)
    covariance = tf.linalg.inv(precision)
    return tf.matmul(x - b, tf.matmul(W, covariance)) / (beta * variance), covariance


def conditional_elbo(
    x: Array,
    y: Array,
    n_classes: int,
    encoder: Encoder,
    decoder: Decoder,
    noise: Array,
    variance: float | None = None,
) -> tf.Tensor:
    """Returns the evidence lower bound of log p(x | y) of each row.

    Encoder and decoder get their input with the label, one-hot, appended.

    Args:
        x: Data. Shape (batch, pixel), float.
        y: Labels from 0 to n_classes - 1. Shape (batch,), int.
        n_classes: Number of classes.
        encoder: Maps (batch, pixel + n_classes) to mean and log_var, each (batch, latent).
        decoder: Maps (rows, latent + n_classes) to (rows, pixel).
        noise: Standard normal draws. Shape (sample, batch, latent), float.
        variance: As for `elbo`.

    Returns:
        Bounds in nats. Shape (batch,), dtype of `x`.

    References:
        [S15].
    """
    labels = tf.one_hot(y, n_classes, dtype=tf.convert_to_tensor(x).dtype)
    repeated = tf.tile(labels, (tf.shape(noise)[0], 1))
    return elbo(
        x,
        lambda rows: encoder(tf.concat([rows, labels], axis=1)),
        lambda z: decoder(tf.concat([z, repeated], axis=1)),
        noise,
        variance=variance,
    )["elbo"]


def train_step(
    x: Array,
    noise: Array,
    encoder: tf.keras.Model,
    decoder: tf.keras.Model,
    optimizer: tf.keras.optimizers.Optimizer,
    beta: float,
) -> tf.Tensor:
    """Makes one step of gradient descent on both networks, and returns the loss before it.

    Args:
        x: Binary data. Shape (batch, pixel), float.
        noise: Standard normal draws. Shape (sample, batch, latent), float.
        encoder: With `trainable_variables`; maps x to mean and log_var.
        decoder: With `trainable_variables`; maps z to logits.
        optimizer: Of Keras.
        beta: Weight of the divergence.

    Returns:
        Minus the mean bound of the rows, in nats. Shape ().
    """
    variables = [*encoder.trainable_variables, *decoder.trainable_variables]
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(elbo(x, encoder, decoder, noise, beta)["elbo"])
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return loss


def vae_impute(
    x: Array,
    observed: Array,
    encoder: Encoder,
    decoder: Decoder,
    n_iters: int,
    rng: tf.random.Generator,
    variance: float | None = None,
) -> tf.Tensor:
    r"""Returns rows with their missing pixels drawn by a Markov chain.

    .. math:: z \sim q(z \mid x), \quad x_m \sim p(x_m \mid z), \quad \text{in turn}

    Where q is the posterior, the chain leaves p(x_m | x_o) as it is.

    Args:
        x: Rows; where nothing is observed, where the chain starts. Shape (batch, pixel), float.
        observed: Which pixels are known. Shape (batch, pixel), bool.
        encoder: Maps x to mean and log_var, each (batch, latent).
        decoder: Maps z (rows, latent) to (rows, pixel).
        n_iters: Number of rounds.
        rng: Source of all draws.
        variance: As for `elbo`.

    Returns:
        Rows; observed pixels are those of `x`, the others states of 0 and 1, or real numbers
        where a variance is given. Shape (batch, pixel), dtype of `x`.

    References:
        [RMW14, appendix F].
    """
    filled = given = tf.convert_to_tensor(x)
    for _ in range(n_iters):
        mean, log_var = encoder(filled)
        z = reparameterize(mean, log_var, rng.normal(tf.shape(mean), dtype=mean.dtype))
        output = decoder(z)
        if variance is None:
            uniform = rng.uniform(tf.shape(output), dtype=output.dtype)
            drawn = tf.cast(uniform < tf.sigmoid(output), given.dtype)
        else:
            drawn = output + variance**0.5 * rng.normal(tf.shape(output), dtype=output.dtype)
        filled = tf.where(observed, given, drawn)
    return filled


def vae_anomaly_score(
    x: Array,
    encoder: Encoder,
    decoder: Decoder,
    noise: Array,
    variance: float | None = None,
) -> tf.Tensor:
    """Returns how unusual each row is: minus its importance weighted bound, about -log p(x).

    Args:
        x: Data. Shape (batch, pixel), float.
        encoder: Maps x to mean and log_var.
        decoder: Maps z (rows, latent) to (rows, pixel).
        noise: Standard normal draws. Shape (K, batch, latent), float.
        variance: As for `elbo`.

    Returns:
        Scores in nats. Shape (batch,), dtype of `x`.
    """
    return -iwae_bound(x, encoder, decoder, noise, variance)


def networks(
    n_pixels: int, n_latent: int, n_hidden: int, seed: int
) -> tuple[tf.keras.Model, tf.keras.Model]:
    """Returns an encoder and a decoder with one hidden layer of tanh units each.

    Args:
        n_pixels: Width of x.
        n_latent: Width of z.
        n_hidden: Units of each hidden layer.
        seed: Of the initial weights.
    """
    keras = tf.keras
    starts = iter(
        keras.initializers.GlorotUniform(seed) for seed in range(10 * seed, 10 * seed + 5)
    )

    def dense(width: int, activation: str | None = None) -> tf.keras.layers.Layer:
        return keras.layers.Dense(width, activation, kernel_initializer=next(starts))

    x = keras.Input((n_pixels,))
    hidden = dense(n_hidden, "tanh")(x)
    encoder = keras.Model(x, [dense(n_latent)(hidden), dense(n_latent)(hidden)])
    z = keras.Input((n_latent,))
    decoder = keras.Model(z, dense(n_pixels)(dense(n_hidden, "tanh")(z)))
    return encoder, decoder


def train_vae(
    images: Array,
    n_latent: int = 8,
    n_hidden: int = 128,
    epochs: int = 300,
    batch_size: int = 50,
    learning_rate: float = 3e-3,
    beta: float = 1.0,
    seed: int = 0,
) -> tuple[tf.keras.Model, tf.keras.Model]:
    """Trains a VAE of binary images with one draw per image, and returns encoder and decoder.

    The learning rate falls to zero along half a cosine.

    Args:
        images: Shape (batch, pixel), float32, values in {0, 1}.
        n_latent: Width of z.
        n_hidden: Units of each hidden layer.
        epochs: Passes over the images.
        batch_size: Rows per step; the last rows of a pass may be left out.
        learning_rate: Of Adam, at the beginning.
        beta: Weight of the divergence.
        seed: Of weights, order and noise.
    """
    images = tf.convert_to_tensor(images)
    rng = tf.random.Generator.from_seed(seed)
    encoder, decoder = networks(images.shape[1], n_latent, n_hidden, seed)
    n_batches = images.shape[0] // batch_size
    schedule = tf.keras.optimizers.schedules.CosineDecay(learning_rate, epochs * n_batches)
    optimizer = tf.keras.optimizers.Adam(schedule)
    optimizer.build([*encoder.trainable_variables, *decoder.trainable_variables])

    @tf.function
    def epoch() -> None:
        order = tf.argsort(rng.uniform((images.shape[0],)))[: n_batches * batch_size]
        for rows in tf.reshape(order, (n_batches, batch_size)):
            noise = rng.normal((1, batch_size, n_latent), dtype=images.dtype)
            train_step(tf.gather(images, rows), noise, encoder, decoder, optimizer, beta)

    for _ in range(epochs):
        epoch()
    return encoder, decoder
