r"""Denoising diffusion models.

.. math::
    q(x_t \mid x_{t-1}) &= N(\sqrt{\alpha_t}\, x_{t-1}, \beta_t I), \quad
    q(x_t \mid x_0) = N(\sqrt{\bar\alpha_t}\, x_0, (1 - \bar\alpha_t) I) \\
    p(x_{t-1} \mid x_t) &= N(\mu(x_t, t), \sigma_t^2 I), \quad p(x_{T-1}) = N(0, I)

Levels are t = 0, …, T - 1; x_0 in the formulas of the papers is the data, one step before level
0, where :math:`\bar\alpha` is 1. A noise model says which noise is in x_t.

Read in this order: schedules, noising, the loss, one step back, all steps back, fewer steps,
labels, the bound, the application, learning. Arrays may be tensors or NumPy's, float32 or
float64; results have the dtype of x. A schedule is a dict of `betas`, `alphas` and `alpha_bars`,
float64, shape (T,). `rng` is a `tf.random.Generator`.

Notation:
    x0, x_t          :math:`x_0, x_t`        (batch, …)
    noise            :math:`\epsilon`        shape of x, standard normal
    t                :math:`t`               (batch,), int, or one int for all rows
    noise_model      :math:`\hat\epsilon`    maps x_t and t (batch,) to noise, shape of x_t

References:
    [S15] Sohl-Dickstein et al., Deep Unsupervised Learning using Nonequilibrium Thermodynamics,
        2015, arXiv:1503.03585.
    [H20] Ho, Jain and Abbeel, Denoising Diffusion Probabilistic Models, 2020, arXiv:2006.11239.
    [N21] Nichol and Dhariwal, Improved Denoising Diffusion Probabilistic Models, 2021,
        arXiv:2102.09672.
    [S21] Song, Meng and Ermon, Denoising Diffusion Implicit Models, 2021, arXiv:2010.02502.
    [HS22] Ho and Salimans, Classifier-Free Diffusion Guidance, 2022, arXiv:2207.12598.
    [L22] Lugmayr et al., RePaint: Inpainting using Denoising Diffusion Probabilistic Models, 2022,
        arXiv:2201.09865.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

__all__ = [
    "cfg_eps",
    "cosine_schedule",
    "ddim_step",
    "ddim_timesteps",
    "ddpm_loss",
    "drop_labels",
    "gaussian_noise_model",
    "linear_schedule",
    "network",
    "p_sample",
    "posterior_mean_var",
    "predict_x0",
    "q_sample",
    "repaint",
    "repaint_step",
    "sample_ddim",
    "sample_ddpm",
    "train_diffusion",
    "vlb_terms",
]

Array = tf.Tensor | np.ndarray
Schedule = Mapping[str, Array]
NoiseModel = Callable[[Array, Array], tf.Tensor]
LabelledModel = Callable[[Array, Array, Array], tf.Tensor]


def _schedule(betas: tf.Tensor) -> dict[str, tf.Tensor]:
    alphas = 1.0 - betas
    return {"betas": betas, "alphas": alphas, "alpha_bars": tf.math.cumprod(alphas)}


def linear_schedule(T: int, beta_start: float, beta_end: float) -> dict[str, tf.Tensor]:
    r"""Returns the schedule whose variances rise along a line.

    .. math:: \alpha_t = 1 - \beta_t, \quad \bar\alpha_t = \prod_{s \le t} \alpha_s

    Args:
        T: Number of levels.
        beta_start: :math:`\beta_0`.
        beta_end: :math:`\beta_{T-1}`.

    Returns:
        `betas`, `alphas`, `alpha_bars`. Shapes (T,), float64.

    References:
        [H20, section 4].
    """
    return _schedule(tf.cast(np.linspace(beta_start, beta_end, T), tf.float64))


def cosine_schedule(
    T: int, offset: float = 0.008, max_beta: float = 0.999
) -> dict[str, tf.Tensor]:
    r"""Returns the schedule in which what is left of the data falls along a cosine.

    .. math:: \beta_t = \min\Bigl(1 - \frac{f(t + 1)}{f(t)}, \text{max\_beta}\Bigr), \quad
        f(t) = \cos^2\Bigl(\frac{t / T + \text{offset}}{1 + \text{offset}}\, \frac\pi2\Bigr)

    Args:
        T: Number of levels.
        offset: Keeps the first variances from being tiny.
        max_beta: The largest variance of a step.

    Returns:
        `betas`, `alphas`, `alpha_bars`. Shapes (T,), float64.

    References:
        [N21, equation 17].
    """
    share = (np.arange(T + 1) / T + offset) / (1.0 + offset)
    f = np.cos(0.5 * math.pi * share) ** 2
    return _schedule(tf.cast(np.minimum(1.0 - f[1:] / f[:-1], max_beta), tf.float64))


def _at(values: Array, t: Array, x: Array) -> tf.Tensor:
    """Returns the values of levels t, one per row, in the dtype of x, to broadcast against x."""
    x = tf.convert_to_tensor(x)
    ones = [1] * (len(x.shape) - 1)
    return tf.reshape(tf.cast(tf.gather(values, t), x.dtype), (-1, *ones))


def _before(values: Array) -> tf.Tensor:
    """Returns alpha_bar one level before each level: 1, then all but the last."""
    values = tf.convert_to_tensor(values)
    return tf.concat([tf.ones_like(values[:1]), values[:-1]], axis=0)


def _everywhere(t: int, x: Array) -> tf.Tensor:
    """Returns one level for all rows of x. Shape (batch,)."""
    return tf.fill(tf.shape(x)[:1], t)


def q_sample(x0: Array, t: Array, noise: Array, schedule: Schedule) -> tf.Tensor:
    r"""Returns data with the noise of level t.

    .. math:: x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon

    Args:
        x0: Data. Shape (batch, …), float.
        t: Level of each row. Shape (batch,), int.
        noise: Standard normal draws. Shape of `x0`.
        schedule: As `linear_schedule` returns it.

    Returns:
        Noisy data. Shape and dtype of `x0`.

    References:
        [H20, equation 4].
    """
    alpha_bar = _at(schedule["alpha_bars"], t, x0)
    return tf.sqrt(alpha_bar) * x0 + tf.sqrt(1.0 - alpha_bar) * noise


def ddpm_loss(
    noise_model: NoiseModel, x0: Array, t: Array, noise: Array, schedule: Schedule
) -> tf.Tensor:
    r"""Returns how far the predicted noise is from the noise, for each row.

    .. math:: \frac1D \|\epsilon - \hat\epsilon(x_t, t)\|^2

    Args:
        noise_model: Maps x_t and t (batch,) to noise.
        x0: Data. Shape (batch, …), float.
        t: Level of each row. Shape (batch,), int.
        noise: Standard normal draws. Shape of `x0`.
        schedule: As `linear_schedule` returns it.

    Returns:
        Mean squares over all entries of a row. Shape (batch,), dtype of `x0`.

    References:
        [H20, equation 14].
    """
    error = noise - noise_model(q_sample(x0, t, noise, schedule), t)
    return tf.reduce_mean(error**2, axis=list(range(1, len(error.shape))))


def predict_x0(x_t: Array, t: Array, predicted_noise: Array, schedule: Schedule) -> tf.Tensor:
    r"""Returns the data that a noisy row would come from, if the noise were the predicted one.

    .. math:: \hat x_0 = \frac{x_t - \sqrt{1 - \bar\alpha_t}\, \hat\epsilon}{\sqrt{\bar\alpha_t}}

    Args:
        x_t: Noisy data. Shape (batch, …), float.
        t: Level of each row. Shape (batch,), int.
        predicted_noise: Shape of `x_t`.
        schedule: As `linear_schedule` returns it.

    Returns:
        Shape and dtype of `x_t`; nothing is clipped.

    References:
        [H20, equation 15].
    """
    alpha_bar = _at(schedule["alpha_bars"], t, x_t)
    return (x_t - tf.sqrt(1.0 - alpha_bar) * predicted_noise) / tf.sqrt(alpha_bar)


def posterior_mean_var(
    x0: Array, x_t: Array, t: Array, schedule: Schedule
) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Returns mean and variance of one level before, given the data and level t.

    .. math::
        \tilde\mu &= \frac{\sqrt{\bar\alpha_{t-1}}\, \beta_t}{1 - \bar\alpha_t}\, x_0
            + \frac{\sqrt{\alpha_t}\, (1 - \bar\alpha_{t-1})}{1 - \bar\alpha_t}\, x_t \\
        \tilde\beta_t &= \beta_t\, \frac{1 - \bar\alpha_{t-1}}{1 - \bar\alpha_t}, \quad
        \bar\alpha_{-1} = 1

    Args:
        x0: Data. Shape (batch, …), float.
        x_t: Noisy data. Shape of `x0`.
        t: Level of each row. Shape (batch,), int.
        schedule: As `linear_schedule` returns it.

    Returns:
        The mean, in the shape of `x_t`, and the variance, (batch, 1, …, 1).

    References:
        [H20, equations 6 and 7].
    """
    alpha_bar, beta = _at(schedule["alpha_bars"], t, x_t), _at(schedule["betas"], t, x_t)
    before = _at(_before(schedule["alpha_bars"]), t, x_t)
    from_x0 = tf.sqrt(before) * beta / (1.0 - alpha_bar)
    from_x_t = tf.sqrt(1.0 - beta) * (1.0 - before) / (1.0 - alpha_bar)
    return from_x0 * x0 + from_x_t * x_t, beta * (1.0 - before) / (1.0 - alpha_bar)


def p_sample(
    noise_model: NoiseModel,
    x_t: Array,
    t: int,
    noise: Array,
    schedule: Schedule,
    variance_type: str,
) -> tf.Tensor:
    r"""Returns a draw of one level before.

    .. math:: x_{t-1} = \tilde\mu(\hat x_0, x_t) + \sigma_t \epsilon

    Args:
        noise_model: Maps x_t and t (batch,) to noise.
        x_t: Noisy data. Shape (batch, …), float.
        t: Their level. At 0 no noise is added.
        noise: Standard normal draws. Shape of `x_t`.
        schedule: As `linear_schedule` returns it.
        variance_type: :math:`\sigma_t^2`: "beta" for :math:`\beta_t`, "posterior" for
            :math:`\tilde\beta_t`.

    Returns:
        Shape and dtype of `x_t`.

    References:
        [H20, algorithm 2].
    """
    levels = _everywhere(t, x_t)
    x0 = predict_x0(x_t, levels, noise_model(x_t, levels), schedule)
    mean, variance = posterior_mean_var(x0, x_t, levels, schedule)
    if t == 0:
        return mean
    if variance_type == "beta":
        variance = _at(schedule["betas"], levels, x_t)
    return mean + tf.sqrt(variance) * noise


def sample_ddpm(
    noise_model: NoiseModel,
    shape: Sequence[int],
    schedule: Schedule,
    rng: tf.random.Generator,
    variance_type: str = "posterior",
) -> tf.Tensor:
    """Returns data made from nothing but noise, by all steps back.

    Args:
        noise_model: Maps x_t and t (batch,) to noise.
        shape: Of the result, (batch, …).
        schedule: As `linear_schedule` returns it.
        rng: Source of all draws.
        variance_type: As for `p_sample`.

    Returns:
        Shape `shape`, float32.

    References:
        [H20, algorithm 2].
    """
    x = rng.normal(shape)
    for t in reversed(range(len(schedule["betas"]))):
        x = p_sample(noise_model, x, t, rng.normal(shape), schedule, variance_type)
    return x


def ddim_timesteps(T: int, S: int) -> tf.Tensor:
    """Returns S levels that fall from T - 1 to 0, with gaps that are equal to within 1.

    Args:
        T: Number of levels of the schedule.
        S: Number of levels to visit, from 2 to T.

    Returns:
        Levels. Shape (S,), int32.
    """
    return tf.constant(np.round(np.linspace(T - 1, 0, S)), tf.int32)


def ddim_step(
    noise_model: NoiseModel,
    x_t: Array,
    t: int,
    t_previous: int,
    eta: float,
    noise: Array,
    schedule: Schedule,
) -> tf.Tensor:
    r"""Returns a draw of an earlier level, any number of levels before.

    .. math::
        x_p &= \sqrt{\bar\alpha_p}\, \hat x_0 + \sqrt{1 - \bar\alpha_p - \sigma^2}\, \hat\epsilon
            + \sigma \epsilon \\
        \sigma &= \eta \sqrt{\frac{1 - \bar\alpha_p}{1 - \bar\alpha_t}}
            \sqrt{1 - \frac{\bar\alpha_t}{\bar\alpha_p}}

    Args:
        noise_model: Maps x_t and t (batch,) to noise.
        x_t: Noisy data. Shape (batch, …), float.
        t: Their level.
        t_previous: The level to go to; -1 stands for the data.
        eta: 0 for no noise, 1 for as much as `p_sample` adds with "posterior".
        noise: Standard normal draws. Shape of `x_t`.
        schedule: As `linear_schedule` returns it.

    Returns:
        Shape and dtype of `x_t`.

    References:
        [S21, equations 12 and 16].
    """
    levels = _everywhere(t, x_t)
    predicted = noise_model(x_t, levels)
    x0 = predict_x0(x_t, levels, predicted, schedule)
    alpha_bar = tf.cast(schedule["alpha_bars"][t], x0.dtype)
    before = (
        tf.cast(schedule["alpha_bars"][t_previous], x0.dtype)
        if t_previous >= 0
        else tf.ones_like(alpha_bar)
    )
    variance = eta**2 * (1.0 - before) / (1.0 - alpha_bar) * (1.0 - alpha_bar / before)
    # Rounding may leave a little less than nothing.
    direction = tf.sqrt(tf.maximum(1.0 - before - variance, 0.0))
    return tf.sqrt(before) * x0 + direction * predicted + tf.sqrt(variance) * noise


def sample_ddim(
    noise_model: NoiseModel,
    x: Array,
    steps: int,
    schedule: Schedule,
    rng: tf.random.Generator,
    eta: float = 0.0,
) -> tf.Tensor:
    """Returns what so many steps make of noise.

    Args:
        noise_model: Maps x_t and t (batch,) to noise.
        x: Standard normal draws. Shape (batch, …), float.
        steps: At least 2.
        schedule: As `linear_schedule` returns it.
        rng: Source of all draws; for `eta` = 0 it has no influence.
        eta: As for `ddim_step`.
    """
    levels = [*ddim_timesteps(len(schedule["betas"]), steps).numpy().tolist(), -1]
    x = tf.convert_to_tensor(x)
    for t, t_previous in zip(levels[:-1], levels[1:], strict=True):
        noise = rng.normal(x.shape, dtype=x.dtype)
        x = ddim_step(noise_model, x, t, t_previous, eta, noise, schedule)
    return x


def drop_labels(
    y: Array, probability: float, null_label: int, rng: tf.random.Generator
) -> tf.Tensor:
    """Returns labels, each of which is exchanged for the null label by chance.

    Args:
        y: Labels. Shape (batch,), int.
        probability: Of each label to be dropped, independently.
        null_label: What stands for no label.
        rng: Source of all draws.

    Returns:
        Labels. Shape (batch,), dtype of `y`.

    References:
        [HS22, algorithm 1].
    """
    y = tf.convert_to_tensor(y)
    dropped = rng.uniform(tf.shape(y)) < probability
    return tf.where(dropped, tf.cast(null_label, y.dtype), y)


def cfg_eps(
    model: LabelledModel, x: Array, t: Array, y: Array, guidance: float, null_label: int
) -> tf.Tensor:
    r"""Returns the noise predicted with guidance.

    .. math:: (1 + w)\, \hat\epsilon(x, t, y) - w\, \hat\epsilon(x, t, \text{null})

    Args:
        model: Maps x, t (batch,) and labels (batch,) to noise.
        x: Noisy data. Shape (batch, …), float.
        t: Level of each row. Shape (batch,), int.
        y: Labels. Shape (batch,), int.
        guidance: :math:`w`: -1 for no labels, 0 for labels, more for more of them.
        null_label: What stands for no label.

    Returns:
        Shape and dtype of `x`.

    References:
        [HS22, equation 6].
    """
    without = tf.fill(tf.shape(y), tf.cast(null_label, tf.convert_to_tensor(y).dtype))
    return (1.0 + guidance) * model(x, t, y) - guidance * model(x, t, without)


def vlb_terms(noise_model: NoiseModel, x0: Array, noise: Array, schedule: Schedule) -> tf.Tensor:
    r"""Returns the terms of the bound of -log p(x_0), of each row.

    .. math::
        -\log p(x_0) \le E\Bigl[-\log p(x_0 \mid x_{t=0})
        + \sum_{t=1}^{T-1} KL\bigl(q(x_{t-1} \mid x_t, x_0) \,\|\, p(x_{t-1} \mid x_t)\bigr)
        + KL\bigl(q(x_{T-1} \mid x_0) \,\|\, N(0, I)\bigr)\Bigr]

    The steps of the model have the variance of the posterior, the last one, to the data,
    :math:`\beta_0`.

    Args:
        noise_model: Maps x_t and t (batch,) to noise.
        x0: Data. Shape (batch, entry), float.
        noise: Standard normal draws, of level t in place t. Shape (T, batch, entry).
        schedule: As `linear_schedule` returns it.

    Returns:
        In nats: the first term, those of levels 1 to T - 1, the last term. Shape (T + 1, batch),
        dtype of `x0`.

    References:
        [H20, equation 5].
    """
    x0, noise = tf.convert_to_tensor(x0), tf.convert_to_tensor(noise)
    T, batch, width = tf.unstack(tf.shape(noise))
    # All levels at once: level t is in rows t batch to (t + 1) batch.
    levels, rows = tf.repeat(tf.range(T), batch), tf.tile(x0, (T, 1))
    x_t = q_sample(rows, levels, tf.reshape(noise, (-1, width)), schedule)
    guess = predict_x0(x_t, levels, noise_model(x_t, levels), schedule)
    mean, _ = posterior_mean_var(guess, x_t, levels, schedule)
    due, variance = posterior_mean_var(rows, x_t, levels, schedule)
    squares = tf.reshape((due - mean) ** 2, (T, batch, width))
    variance = tf.reshape(variance, (T, batch, 1))
    beta = tf.cast(schedule["betas"][0], x0.dtype)
    first = 0.5 * tf.reduce_sum(squares[:1] / beta + tf.math.log(2.0 * math.pi * beta), axis=2)
    steps = 0.5 * tf.reduce_sum(squares[1:] / variance[1:], axis=2)
    alpha_bar = tf.cast(schedule["alpha_bars"][-1], x0.dtype)
    terms = alpha_bar * x0**2 - alpha_bar - tf.math.log1p(-alpha_bar)
    last = 0.5 * tf.reduce_sum(terms, axis=1, keepdims=True)
    return tf.concat([first, steps, tf.transpose(last)], axis=0)


def repaint_step(
    x_previous: Array,
    x0: Array,
    observed: Array,
    t_previous: int,
    noise: Array,
    schedule: Schedule,
) -> tf.Tensor:
    """Returns a step's result with what is known put back, at the same level of noise.

    Args:
        x_previous: What a step back led to. Shape (batch, …), float.
        x0: Data; what is not observed has no influence. Shape of `x_previous`.
        observed: Which entries are known. Shape of `x_previous`, bool.
        t_previous: The level of `x_previous`; -1 stands for the data.
        noise: Standard normal draws. Shape of `x_previous`.
        schedule: As `linear_schedule` returns it.

    Returns:
        Shape and dtype of `x_previous`.

    References:
        [L22, equation 8].
    """
    x0 = tf.convert_to_tensor(x0)
    if t_previous < 0:
        return tf.where(observed, x0, x_previous)
    known = q_sample(x0, _everywhere(t_previous, x0), noise, schedule)
    return tf.where(observed, known, x_previous)


def repaint(
    noise_model: NoiseModel,
    x0: Array,
    observed: Array,
    schedule: Schedule,
    n_rounds: int,
    rng: tf.random.Generator,
) -> tf.Tensor:
    """Returns rows whose missing entries are drawn, by steps back and forth.

    Args:
        noise_model: Maps x_t and t (batch,) to noise.
        x0: Data; what is not observed has no influence. Shape (batch, …), float.
        observed: Which entries are known. Shape of `x0`, bool.
        schedule: As `linear_schedule` returns it.
        n_rounds: How often each step back is made; in between is a step forth.
        rng: Source of all draws.

    References:
        [L22, algorithm 1].
    """
    x0 = tf.convert_to_tensor(x0)

    def normal() -> tf.Tensor:
        return rng.normal(x0.shape, dtype=x0.dtype)

    x = normal()
    for t in reversed(range(len(schedule["betas"]))):
        beta = tf.cast(schedule["betas"][t], x0.dtype)
        for number in range(n_rounds):
            if number:
                x = tf.sqrt(1.0 - beta) * x + tf.sqrt(beta) * normal()
            x = p_sample(noise_model, x, t, normal(), schedule, "posterior")
            x = repaint_step(x, x0, observed, t - 1, normal(), schedule)
    return x


def gaussian_noise_model(mean: Array, variance: Array, schedule: Schedule) -> NoiseModel:
    r"""Returns the best noise model for normal data with independent entries.

    .. math:: \hat\epsilon(x_t, t) = E[\epsilon \mid x_t] = \sqrt{1 - \bar\alpha_t}\,
        \frac{x_t - \sqrt{\bar\alpha_t}\, m}{\bar\alpha_t s^2 + 1 - \bar\alpha_t}

    Args:
        mean: :math:`m`. Shape (entry,), float.
        variance: :math:`s^2`. Shape (entry,), float.
        schedule: As `linear_schedule` returns it.
    """

    def noise_model(x: Array, t: Array) -> tf.Tensor:
        alpha_bar = _at(schedule["alpha_bars"], t, x)
        spread = alpha_bar * tf.cast(variance, x.dtype) + 1.0 - alpha_bar
        return (
            tf.sqrt(1.0 - alpha_bar) * (x - tf.sqrt(alpha_bar) * tf.cast(mean, x.dtype)) / spread
        )

    return noise_model


def network(
    n_entries: int,
    schedule: Schedule,
    n_labels: int,
    n_hidden: int,
    signs: bool,
    seed: int,
    n_layers: int = 3,
) -> tuple[LabelledModel, list[tf.Variable]]:
    r"""Returns a noise model whose network guesses the data, and its variables.

    .. math:: \hat\epsilon = \frac{x_t - \sqrt{\bar\alpha_t}\, \hat x_0}{\sqrt{1 - \bar\alpha_t}},
        \quad \hat x_0 = x_t + \sqrt{1 - \bar\alpha_t}\, f
        \quad\text{or}\quad
        \tanh\Bigl(f + \frac{\sqrt{\bar\alpha_t}\, x_t}{1 - \bar\alpha_t}\Bigr)

    with a network f of x, level and label, and in the first form of sines and cosines of x. The
    second form is for data of 1 and -1: it is exact where f is half the log-odds of an entry
    given all the others.

    Args:
        n_entries: Width of x.
        schedule: As `linear_schedule` returns it.
        n_labels: Number of labels, with the null label.
        n_hidden: Units of each hidden layer.
        signs: Whether data are 1 and -1.
        seed: Of the initial weights.
        n_layers: Number of hidden layers.
    """
    keras, T = tf.keras, len(schedule["betas"])
    # Waves over the levels, so that what is learned at one helps its neighbours.
    waves = np.cos(np.pi * np.arange(8) * (np.arange(T)[:, np.newaxis] + 0.5) / T)
    starts = iter(keras.initializers.GlorotUniform(100 * seed + n) for n in range(n_layers))
    told = keras.Input(((1 if signs else 5) * n_entries + 8 + n_labels,))
    hidden = told
    for _ in range(n_layers):
        new = keras.layers.Dense(n_hidden, "swish", kernel_initializer=next(starts))(hidden)
        hidden = new if hidden is told else hidden + new
    inner = keras.Model(told, keras.layers.Dense(n_entries, kernel_initializer="zeros")(hidden))

    def noise_model(x: Array, t: Array, y: Array) -> tf.Tensor:
        left = _at(schedule["alpha_bars"], t, x)
        level, label = tf.gather(waves, t), tf.one_hot(y, n_labels, dtype=x.dtype)
        # Waves over the plane, too, so that a small network sees fine structure.
        seen = (
            [x] if signs else [x, *(wave(k * x) for k in (2.0, 4.0) for wave in (tf.sin, tf.cos))]
        )
        f = inner(tf.concat([*seen, tf.cast(level, x.dtype), label], axis=1))
        if signs:
            guess = tf.tanh(f + tf.sqrt(left) * x / (1.0 - left))
        else:
            guess = x + tf.sqrt(1.0 - left) * f
        return (x - tf.sqrt(left) * guess) / tf.sqrt(1.0 - left)

    return noise_model, inner.trainable_variables


def train_diffusion(
    x: Array,
    y: Array,
    schedule: Schedule,
    n_labels: int = 1,
    drop: float = 0.0,
    n_hidden: int = 128,
    signs: bool = False,
    steps: int = 3000,
    batch_size: int = 128,
    learning_rate: float = 2e-3,
    seed: int = 0,
) -> LabelledModel:
    """Trains a noise model, and returns it; the learning rate falls along half a cosine.

    Args:
        x: Data. Shape (row, entry), float32.
        y: Labels. Shape (row,), int32.
        schedule: As `linear_schedule` returns it.
        n_labels: Number of labels, with the null label, the last one.
        drop: Probability of a label to be dropped.
        n_hidden: Units of each hidden layer.
        signs: Whether data are 1 and -1.
        steps: Of Adam.
        batch_size: Rows per step, drawn with replacement.
        learning_rate: Of Adam, at the beginning.
        seed: Of weights, rows, levels and noise.
    """
    x, y = tf.convert_to_tensor(x), tf.cast(y, tf.int32)
    T, rng = len(schedule["betas"]), tf.random.Generator.from_seed(seed)
    model, variables = network(x.shape[1], schedule, n_labels, n_hidden, signs, seed)
    rates = tf.keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = tf.keras.optimizers.Adam(rates)
    optimizer.build(variables)

    @tf.function
    def run() -> None:
        for _ in tf.range(steps):
            rows = rng.uniform((batch_size,), maxval=x.shape[0], dtype=tf.int32)
            t = rng.uniform((batch_size,), maxval=T, dtype=tf.int32)
            noise = rng.normal((batch_size, x.shape[1]))
            labels = drop_labels(tf.gather(y, rows), drop, n_labels - 1, rng)
            with tf.GradientTape() as tape:
                each = ddpm_loss(
                    lambda x_t, t, labels=labels: model(x_t, t, labels),
                    tf.gather(x, rows),
                    t,
                    noise,
                    schedule,
                )
                loss = tf.reduce_mean(each)
            gradients = tape.gradient(loss, variables)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))

    run()
    return tf.function(model, reduce_retracing=True)
