r"""Generative adversarial networks.

.. math::
    \min_G \max_D\; E_{p(x)}[\log D(x)] + E_{p(z)}[\log(1 - D(G(z)))], \quad D = \sigma(l)

A generator G turns noise z into data; a discriminator gives the logit l of being real, a critic
any number f. Both answer in the shape (batch,) or (batch, 1), and all losses take either.

Read in this order: the two losses, what they are at the optimum, critics, learning, labels, what
keeps it stable, the application. Arrays may be tensors or NumPy's, all of one dtype, float32 or
float64; results have that dtype. Losses are in nats.

Notation:
    x                :math:`x`       (batch, …)
    z                :math:`z`       (batch, latent), standard normal
    logits, f        :math:`l, f`    (batch,) or (batch, 1)

References:
    [G14] Goodfellow et al., Generative Adversarial Nets, 2014, arXiv:1406.2661.
    [S16] Salimans et al., Improved Techniques for Training GANs, 2016, arXiv:1606.03498.
    [A17] Arjovsky, Chintala and Bottou, Wasserstein GAN, 2017, arXiv:1701.07875.
    [G17] Gulrajani et al., Improved Training of Wasserstein GANs, 2017, arXiv:1704.00028.
    [MO14] Mirza and Osindero, Conditional Generative Adversarial Nets, 2014, arXiv:1411.1784.
    [M18] Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018,
        arXiv:1802.05957.
    [Y18] Yazıcı et al., The Unusual Effectiveness of Averaging in GAN Training, 2018,
        arXiv:1806.04498.
    [Y17] Yeh et al., Semantic Image Inpainting with Deep Generative Models, 2017,
        arXiv:1607.07539.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

__all__ = [
    "conditional_d_input",
    "conditional_input",
    "d_loss",
    "descend",
    "ema_update",
    "feature_matching_loss",
    "g_loss_nonsaturating",
    "g_loss_saturating",
    "gan_inpaint",
    "gradient_penalty",
    "jsd_from_optimal",
    "network",
    "optimal_discriminator",
    "slopes_between",
    "spectral_norm",
    "train_gan",
    "train_step",
    "train_wgan",
    "wgan_losses",
]

Array = tf.Tensor | np.ndarray
Function = Callable[[Array], tf.Tensor]


def d_loss(logits_real: Array, logits_fake: Array, smooth: float = 0.0) -> tf.Tensor:
    r"""Returns the loss of the discriminator: the *sum* of a real and a fake part.

    .. math:: \frac1B \sum_b \bigl[(1 - s)\, \mathrm{softplus}(-l_b)
        + s\, \mathrm{softplus}(l_b)\bigr] + \frac1{B'} \sum_{b'} \mathrm{softplus}(l'_{b'})

    Args:
        logits_real: Of real data. Shape (real,) or (real, 1), float.
        logits_fake: Of generated data. Shape (fake,) or (fake, 1), float.
        smooth: :math:`s`; the label of real data is 1 - s, that of generated data stays 0.

    Returns:
        Cross-entropy in nats, 2 log 2 for logits of 0. Shape ().

    References:
        [G14]; one-sided label smoothing: [S16].
    """
    real = (1.0 - smooth) * tf.nn.softplus(-logits_real) + smooth * tf.nn.softplus(logits_real)
    return tf.reduce_mean(real) + tf.reduce_mean(tf.nn.softplus(logits_fake))


def g_loss_saturating(logits_fake: Array) -> tf.Tensor:
    r"""Returns the loss of the generator in the minimax game: the mean of log(1 - D(G(z))).

    Where the discriminator is sure, it is flat: the gradient vanishes.

    Args:
        logits_fake: Of generated data. Shape (fake,) or (fake, 1), float.

    Returns:
        At most 0, in nats. Shape ().
    """
    return -tf.reduce_mean(tf.nn.softplus(logits_fake))


def g_loss_nonsaturating(logits_fake: Array) -> tf.Tensor:
    r"""Returns the loss of the generator that is used: the mean of -log D(G(z)).

    Args:
        logits_fake: Of generated data. Shape (fake,) or (fake, 1), float.

    Returns:
        At least 0, in nats. Shape ().

    References:
        [G14, section 3].
    """
    return tf.reduce_mean(tf.nn.softplus(-tf.convert_to_tensor(logits_fake)))


def optimal_discriminator(log_p: Array, log_q: Array) -> tf.Tensor:
    r"""Returns the best discriminator of data of density p from generated data of density q.

    .. math:: D^*(x) = \frac{p(x)}{p(x) + q(x)} = \sigma(\log p(x) - \log q(x))

    Args:
        log_p: Log densities of the data, in nats. Shape (batch,), float.
        log_q: Log densities of the generator, at the same points.

    Returns:
        Probabilities of being real. Shape (batch,).

    References:
        [G14, proposition 1].
    """
    return tf.sigmoid(log_p - log_q)


def jsd_from_optimal(logits_p: Array, logits_q: Array) -> tf.Tensor:
    r"""Returns the Jensen-Shannon divergence, estimated from the optimal discriminator's logits.

    .. math:: \mathrm{JSD} = \log 2 - \tfrac12 \bigl(E_p[\mathrm{softplus}(-l)]
        + E_q[\mathrm{softplus}(l)]\bigr)

    Args:
        logits_p: log p - log q at points drawn from p. Shape (N,), float.
        logits_q: log p - log q at points drawn from q. Shape (M,), float.

    Returns:
        Nats, between 0 and log 2 up to the error of the means. Shape ().

    References:
        [G14, theorem 1].
    """
    return math.log(2.0) - 0.5 * d_loss(logits_p, logits_q)


def wgan_losses(f_real: Array, f_fake: Array) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Returns the losses of a critic and of its generator.

    .. math:: E_{q}[f] - E_{p}[f], \quad -E_{q}[f]

    Over all critics of Lipschitz constant 1, minus the least loss of the critic is the Wasserstein
    distance of p and q.

    Args:
        f_real: The critic at real data. Shape (real,) or (real, 1), float.
        f_fake: The critic at generated data. Shape (fake,) or (fake, 1), float.

    Returns:
        Loss of the critic, loss of the generator. Shapes ().

    References:
        [A17, equation 2].
    """
    fake = tf.reduce_mean(f_fake)
    return fake - tf.reduce_mean(f_real), -fake


def slopes_between(critic: Function, x_real: Array, x_fake: Array, alpha: Array) -> tf.Tensor:
    r"""Returns the length of the critic's slope at a place between each real and generated row.

    .. math:: \|\nabla f(\hat x_b)\|_2, \quad \hat x_b = \alpha_b x_b + (1 - \alpha_b) x'_b

    Args:
        critic: Maps (batch, …) to (batch,) or (batch, 1).
        x_real: Real data. Shape (batch, …), float.
        x_fake: Generated data, of the same shape.
        alpha: One number per row, in [0, 1]; the same for all its entries. Shape (batch,), float.

    Returns:
        Lengths, differentiable by the variables of the critic also where it is constant.
        Shape (batch,).
    """
    x_real = tf.convert_to_tensor(x_real)
    per_row = tf.reshape(alpha, (-1, *[1] * (x_real.shape.rank - 1)))
    between = per_row * x_real + (1.0 - per_row) * x_fake
    with tf.GradientTape() as tape:
        tape.watch(between)
        f = critic(between)
    slope = tape.gradient(f, between, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # The derivative of a root is infinite at 0, and infinity times 0 is not a number.
    return tf.sqrt(tf.reduce_sum(slope**2, axis=tuple(range(1, slope.shape.rank))) + 1e-12)


def gradient_penalty(critic: Function, x_real: Array, x_fake: Array, alpha: Array) -> tf.Tensor:
    r"""Returns how far the critic's slope is from 1 between real and generated data.

    .. math:: \frac1B \sum_b \bigl(\|\nabla f(\hat x_b)\|_2 - 1\bigr)^2

    Args:
        critic: As for `slopes_between`; so are the others.
        x_real: Real data. Shape (batch, …), float.
        x_fake: Generated data, of the same shape.
        alpha: One number per row. Shape (batch,), float.

    Returns:
        Penalty. Shape ().

    References:
        [G17, section 4].
    """
    return tf.reduce_mean((slopes_between(critic, x_real, x_fake, alpha) - 1.0) ** 2)


def descend(
    loss: Callable[[], tf.Tensor],
    model: tf.keras.Model,
    optimizer: tf.keras.optimizers.Optimizer,
) -> tf.Tensor:
    """Makes a step of gradient descent on a model's variables, and returns the loss before it."""
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        value = loss()
    optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
    return value


def train_step(
    generator: tf.keras.Model,
    discriminator: tf.keras.Model,
    generator_optimizer: tf.keras.optimizers.Optimizer,
    discriminator_optimizer: tf.keras.optimizers.Optimizer,
    x_real: Array,
    z_discriminator: Array,
    z_generator: Array,
) -> dict[str, tf.Tensor]:
    """Makes a step of the discriminator, then one of the generator, with the non-saturating loss.

    Args:
        generator: With `trainable_variables`; maps z to data.
        discriminator: With `trainable_variables`; maps data to logits.
        generator_optimizer: Moves the generator's variables only.
        discriminator_optimizer: Moves the discriminator's variables only.
        x_real: Data. Shape (batch, …), float.
        z_discriminator: Noise for the discriminator's step. Shape (batch, latent), float.
        z_generator: Noise for the generator's step. Shape (batch, latent), float.

    Returns:
        `d_loss`, of the networks as they were, and `g_loss`, which the generator's step used.
        Shapes ().

    References:
        [G14, algorithm 1].
    """
    fake = generator(z_discriminator)
    loss_d = descend(
        lambda: d_loss(discriminator(x_real), discriminator(fake)),
        discriminator,
        discriminator_optimizer,
    )
    loss_g = descend(
        lambda: g_loss_nonsaturating(discriminator(generator(z_generator))),
        generator,
        generator_optimizer,
    )
    return {"d_loss": loss_d, "g_loss": loss_g}


def conditional_input(z: Array, y: Array, n_classes: int) -> tf.Tensor:
    """Returns the input of a conditional generator: noise with the one-hot label appended.

    Args:
        z: Noise. Shape (batch, latent), float.
        y: Labels from 0 to n_classes - 1. Shape (batch,), int.
        n_classes: Number of classes.

    Returns:
        Shape (batch, latent + n_classes), dtype of `z`.

    References:
        [MO14].
    """
    z = tf.convert_to_tensor(z)
    return tf.concat([z, tf.one_hot(y, n_classes, dtype=z.dtype)], axis=1)


def conditional_d_input(x: Array, y: Array, n_classes: int) -> tf.Tensor:
    """Returns the input of a conditional discriminator: images with a map per class appended.

    The map of an image's own class is 1 everywhere, the others are 0.

    Args:
        x: Images. Shape (batch, height, width, channel), float.
        y: Labels from 0 to n_classes - 1. Shape (batch,), int.
        n_classes: Number of classes.

    Returns:
        Shape (batch, height, width, channel + n_classes), dtype of `x`.
    """
    x = tf.convert_to_tensor(x)
    labels = tf.one_hot(y, n_classes, dtype=x.dtype)[:, tf.newaxis, tf.newaxis]
    maps = labels * tf.ones_like(x[..., :1])
    return tf.concat([x, maps], axis=-1)


def feature_matching_loss(
    features_real: Sequence[Array], features_fake: Sequence[Array]
) -> tf.Tensor:
    r"""Returns the squared distance of the mean features of real and of generated data.

    .. math:: \sum_\ell \Bigl\| \tfrac1B \sum_b \phi_\ell(x_b)
        - \tfrac1{B'} \sum_{b'} \phi_\ell(x'_{b'}) \Bigr\|_2^2

    Args:
        features_real: Of each layer. Shapes (real, …), float.
        features_fake: Of each layer. Shapes (fake, …), float.

    Returns:
        Loss. Shape ().

    References:
        [S16, section 3.1].
    """
    distances = [
        tf.reduce_sum((tf.reduce_mean(real, axis=0) - tf.reduce_mean(fake, axis=0)) ** 2)
        for real, fake in zip(features_real, features_fake, strict=True)
    ]
    return tf.add_n(distances)


def ema_update(
    ema: Sequence[tf.Variable], parameters: Sequence[tf.Variable], decay: float
) -> None:
    """Moves averaged weights a little towards the weights: ema <- decay ema + (1 - decay) weights.

    Args:
        ema: Averages, changed in place.
        parameters: Weights, in the same order; not changed.
        decay: Between 0 and 1.

    References:
        [Y18].
    """
    for average, parameter in zip(ema, parameters, strict=True):
        average.assign(decay * average + (1.0 - decay) * parameter)


def spectral_norm(W: Array, u: Array, n_iter: int) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Returns the largest singular value of a kernel by power iteration.

    .. math:: v \leftarrow \frac{W^\top u}{\|W^\top u\|}, \quad u \leftarrow \frac{W v}{\|W v\|},
        \quad \sigma = u^\top W v

    Args:
        W: Shape (m, n); or a kernel (height, width, channels in, channels out), which is taken as
            a matrix (height x width x channels in, channels out). Float.
        u: Where the iteration starts, not 0. Shape (m,), float. No gradient flows to it, nor
            through the iteration.
        n_iter: Number of rounds, at least 1.

    Returns:
        sigma, shape (), differentiable by `W`, and the last u, shape (m,).

    References:
        [M18, algorithm 1].
    """
    W = tf.convert_to_tensor(W)
    matrix = tf.reshape(W, (-1, W.shape[-1]))
    fixed = tf.stop_gradient(matrix)
    u = tf.stop_gradient(tf.convert_to_tensor(u))
    for _ in range(n_iter):
        v = tf.math.l2_normalize(tf.linalg.matvec(fixed, u, transpose_a=True), epsilon=1e-24)
        u = tf.math.l2_normalize(tf.linalg.matvec(fixed, v), epsilon=1e-24)
    return tf.reduce_sum(u * tf.linalg.matvec(matrix, v)), u


def gan_inpaint(
    generator: Function,
    x: Array,
    observed: Array,
    z0: Array,
    steps: int,
    learning_rate: float,
    prior_weight: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Returns rows with their missing entries filled in from the nearest generated row.

    .. math:: \min_z \sum_{d\ \text{observed}} (x_d - G(z)_d)^2 + \tfrac12 \lambda \|z\|^2

    by gradient descent, each row for itself.

    Args:
        generator: Maps (batch, latent) to (batch, entry).
        x: Rows. Shape (batch, entry), float; what stands at missing entries does not matter.
        observed: Which entries are known. Shape (batch, entry), bool.
        z0: Where the descent starts. Shape (batch, latent), float.
        steps: Number of steps z <- z - learning_rate x gradient.
        learning_rate: Size of a step.
        prior_weight: :math:`\lambda`.

    Returns:
        Rows, observed entries as in `x`, the others as generated, and the last z.

    References:
        [Y17], with squares for both terms.
    """
    z = tf.convert_to_tensor(z0)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(z)
            distance = tf.where(observed, x - generator(z), tf.zeros_like(x))
            loss = tf.reduce_sum(distance**2) + 0.5 * prior_weight * tf.reduce_sum(z**2)
        z = z - learning_rate * tape.gradient(loss, z)
    return tf.where(observed, x, generator(z)), z


def network(
    widths: Sequence[int], seed: int, activation: str = "relu", last: str | None = None
) -> tf.keras.Model:
    """Returns a fully connected network.

    Args:
        widths: Of its input, of its hidden layers, of its output.
        seed: Of the initial weights.
        activation: Of hidden layers.
        last: Activation of the output; None for none.
    """
    keras = tf.keras
    inputs = outputs = keras.Input((widths[0],))
    for number, width in enumerate(widths[1:], 1):
        outputs = keras.layers.Dense(
            width,
            last if number == len(widths) - 1 else activation,
            kernel_initializer=keras.initializers.GlorotUniform(100 * seed + number),
        )(outputs)
    return keras.Model(inputs, outputs)


def _optimizer(
    learning_rate: float, beta_1: float, model: tf.keras.Model
) -> tf.keras.optimizers.Optimizer:
    optimizer = tf.keras.optimizers.Adam(learning_rate, beta_1=beta_1, beta_2=0.9)
    optimizer.build(model.trainable_variables)
    return optimizer


def train_gan(
    x: Array,
    generator: tf.keras.Model,
    discriminator: tf.keras.Model,
    steps: int = 3000,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> None:
    """Trains both networks in place by `train_step`.

    Args:
        x: Data. Shape (row, entry), float32.
        generator: Maps (batch, latent) to (batch, entry).
        discriminator: Maps (batch, entry) to (batch, 1).
        steps: Of each network.
        batch_size: Rows per step, drawn with replacement.
        learning_rate: Of Adam, for both, with decays 0.5 and 0.9.
        seed: Of rows and noise.
    """
    x = tf.convert_to_tensor(x)
    rng, latent = tf.random.Generator.from_seed(seed), generator.input_shape[1]
    optimizers = [_optimizer(learning_rate, 0.5, net) for net in (generator, discriminator)]

    @tf.function
    def run() -> None:
        for _ in tf.range(steps):
            rows = rng.uniform((batch_size,), maxval=x.shape[0], dtype=tf.int32)
            z = rng.normal((2, batch_size, latent))
            train_step(generator, discriminator, *optimizers, tf.gather(x, rows), z[0], z[1])

    run()


def train_wgan(
    x: Array,
    generator: tf.keras.Model,
    critic: tf.keras.Model,
    steps: int = 1500,
    critic_steps: int = 5,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    penalty_weight: float = 1.0,
    seed: int = 0,
) -> None:
    """Trains both networks in place with Wasserstein losses and gradient penalty.

    Args:
        x: Data. Shape (row, entry), float32.
        generator: Maps (batch, latent) to (batch, entry).
        critic: Maps (batch, entry) to (batch, 1).
        steps: Of the generator.
        critic_steps: Of the critic, before each of the generator's.
        batch_size: Rows per step, drawn with replacement.
        learning_rate: Of Adam, for both, with decays 0.5 and 0.9.
        penalty_weight: Of the gradient penalty.
        seed: Of rows and noise.

    References:
        [G17, algorithm 1].
    """
    x = tf.convert_to_tensor(x)
    rng, latent = tf.random.Generator.from_seed(seed), generator.input_shape[1]
    generator_optimizer = _optimizer(learning_rate, 0.5, generator)
    critic_optimizer = _optimizer(learning_rate, 0.5, critic)

    def critic_loss() -> tf.Tensor:
        rows = rng.uniform((batch_size,), maxval=x.shape[0], dtype=tf.int32)
        real, fake = tf.gather(x, rows), generator(rng.normal((batch_size, latent)))
        loss, _ = wgan_losses(critic(real), critic(fake))
        alpha = rng.uniform((batch_size,))
        return loss + penalty_weight * gradient_penalty(critic, real, fake, alpha)

    def generator_loss() -> tf.Tensor:
        fake = critic(generator(rng.normal((batch_size, latent))))
        return wgan_losses(fake, fake)[1]

    @tf.function
    def run() -> None:
        for _ in tf.range(steps):
            for _ in tf.range(critic_steps):
                descend(critic_loss, critic, critic_optimizer)
            descend(generator_loss, generator, generator_optimizer)

    run()
