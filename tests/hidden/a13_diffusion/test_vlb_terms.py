"""Exercise 8: the bound, level by level."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake, probe
from reference import diffusion

# The visible check: what the test cell of the notebook shows, on the same arrays.
SHOWN_SCHEDULE = {
    "betas": np.array([0.36, 0.4375]),
    "alphas": np.array([0.64, 0.5625]),
    "alpha_bars": np.array([0.64, 0.36]),
}
SHOWN_X0 = np.array([[2, 0, -1], [0, 0, 0], [1, 1, 1], [3, 0, 0]], np.float32)


@probe
def terms_of(student, x0, noise, schedule, slope, offset):
    """Returns the terms of a model that is linear at each level."""

    def noise_model(x, t):
        gain, shift = (tf.cast(tf.gather(values, t), x.dtype) for values in (slope, offset))
        return gain * x + shift

    return student.vlb_terms(noise_model, x0, noise, schedule)


@probe
def terms_of_a_known_error(student, x0, noise, schedule, errors):
    """Returns the terms of a model that knows the data and is off by a known error per level."""

    def noise_model(x, t):
        left = tf.gather(schedule["alpha_bars"], t)
        left = tf.reshape(left, (-1, 1))
        wrong = tf.reshape(tf.gather(errors, t), (-1, 1))
        return (x - tf.sqrt(left) * x0[:1]) / tf.sqrt(1.0 - left) + wrong

    return student.vlb_terms(noise_model, x0, noise, schedule)


def coarse_schedule(inputs):
    """Returns a schedule of five levels whose variances neither rise nor fall."""
    betas = inputs.permutation(
        np.array([0.2, 0.3, 0.4, 0.5, 0.6]) + inputs.uniform(-0.04, 0.04, 5)
    )
    return {"betas": betas, "alphas": 1 - betas, "alpha_bars": np.cumprod(1 - betas)}


def due_of(x0, noise, schedule, slope, offset):
    """Returns the terms that are due, from what the model's guess of the noise is off by."""
    betas, bars = schedule["betas"], schedule["alpha_bars"]
    before = np.concatenate([[1.0], bars[:-1]])
    rows = []
    for t in range(len(betas)):
        x_t = np.sqrt(bars[t]) * x0 + np.sqrt(1 - bars[t]) * noise[t]
        error = np.sum((noise[t] - slope[t] * x_t - offset[t]) ** 2, axis=1)
        if t == 0:
            constant = x0.shape[1] * np.log(2 * np.pi * betas[0])
            rows.append(0.5 * (error * (1 - bars[0]) / (bars[0] * betas[0]) + constant))
        else:
            variance = betas[t] * (1 - before[t]) / (1 - bars[t])
            scale = betas[t] ** 2 / ((1 - betas[t]) * (1 - bars[t]) * variance)
            rows.append(0.5 * scale * error)
    rest = bars[-1] * x0**2 - bars[-1] - np.log1p(-bars[-1])
    return np.stack([*rows, 0.5 * rest.sum(axis=1)])


def random_case(inputs):
    """Returns seven rows, noise of five levels, a schedule and a model, float64."""
    x0, noise = 1 + inputs.normal(size=(7, 3)), inputs.normal(size=(5, 7, 3))
    model = inputs.uniform(-0.5, 0.8, (5, 3)), inputs.normal(size=(5, 3))
    return x0, noise, coarse_schedule(inputs), *model


@exercise(
    "vlb_terms",
    points=1,
    depends_on=("q_sample", "predict_x0", "p_sample"),
    visible=True,
    mistakes=("vlb_prior_of_level_0", "vlb_added_up", "vlb_of_the_batch", "vlb_mean_over_entries"),
)
def test_vlb_shown_shape_and_prior(student):
    """Two levels have three terms a row; the last is the divergence of the noisiest level."""
    zeros = np.zeros((2, 3), np.float32)
    noise = np.ones((2, 4, 3), np.float32)
    seen = terms_of(student, SHOWN_X0, noise, SHOWN_SCHEDULE, zeros, zeros)
    expect(seen).array("T B", np.float32, T=3, B=4).finite()
    due = 0.5 * (0.36 * SHOWN_X0**2 - 0.36 - np.log(0.64)).sum(axis=1)
    expect(np.asarray(seen)[2], "the last term").close(due, tolerance=1e-5)


@exercise(
    "vlb_terms",
    points=1,
    depends_on=("q_sample", "predict_x0", "p_sample"),
    mistakes=(
        "vlb_first_without_constant",
        "vlb_first_is_a_divergence",
        "vlb_by_beta",
        "vlb_mean_over_entries",
        "vlb_without_half",
        "vlb_prior_of_level_0",
        "vlb_prior_sign",
        "vlb_same_noise_for_all_levels",
        "vlb_simple_loss",
        "vlb_prior_first",
        "vlb_other_level_for_the_model",
        "vlb_in_float32",
        "vlb_of_the_batch",
    ),
    note="Linear model, five levels whose variances are in no order, float64.",
)
def test_vlb_terms_are_densities_and_divergences(student, inputs):
    """The first term is a density, the last one a divergence, those between are divergences."""
    case = random_case(inputs)
    # A constant that went through float32 on its way to a tensor is no error.
    expect(terms_of(student, *case)).matches(due_of(*case), tolerance=1e-6)

    def call(x0, noise):
        return np.asarray(terms_of(student, x0, np.swapaxes(noise, 0, 1), *case[2:])).T

    laws.expect_rows_independent(call, batched=(case[0], np.swapaxes(case[1], 0, 1)))


@exercise(
    "vlb_terms",
    points=1,
    depends_on=("q_sample", "predict_x0", "p_sample"),
    mistakes=("vlb_by_beta", "vlb_first_without_constant", "vlb_simple_loss", "vlb_without_half"),
    note="A model that knows the data, but for an error at levels 2 and 4.",
)
def test_vlb_charges_what_the_model_does_not_know(student, inputs):
    """Terms of levels without error are 0, of others positive; the first one may be negative."""
    x0, noise, schedule, *_ = random_case(inputs)
    # All rows are one: the model may be asked about rows in any order, or all levels at once.
    x0 = np.tile(x0[:1], (7, 1))
    errors = np.array([0, 0, 1.5, 0, -0.7])
    seen = terms_of_a_known_error(student, x0, noise, schedule, errors)
    expect(seen).array("T B", np.float64, T=6, B=7).finite()
    seen = np.asarray(seen)
    beta, bars = schedule["betas"], schedule["alpha_bars"]
    first = np.full(7, 1.5 * np.log(2 * np.pi * beta[0]))
    expect(seen[0], "the first term").close(first, tolerance=1e-6)
    expect(seen[[1, 3]], "no cost at levels without error").close(np.zeros((2, 7)), 1e-9)
    for t in (2, 4):
        scale = beta[t] / ((1 - beta[t]) * (1 - bars[t - 1]))
        due = np.full(7, 1.5 * scale * errors[t] ** 2)
        expect(seen[t], "the cost of a known error").close(due, tolerance=1e-6)


@exercise(
    "vlb_terms",
    points=1,
    depends_on=("q_sample", "predict_x0", "p_sample"),
    mistakes=("vlb_first_is_a_divergence", "vlb_mean_over_entries", "vlb_prior_sign"),
    note="Normal data, exact model. For one x0 the sum may lie below -log q(x0): the model is not "
    "q; the mean over the data may not.",
)
def test_vlb_bounds_the_likelihood(student, inputs):
    """For normal data and the exact model each mean term is known; the sum bounds the entropy."""
    schedule, mean, variance = (
        coarse_schedule(inputs),
        np.array([1.0, -0.5]),
        np.array([0.25, 1.4]),
    )
    left = schedule["alpha_bars"][:, np.newaxis]
    slope = np.sqrt(1 - left) / (left * variance + 1 - left)
    offset = -slope * np.sqrt(left) * mean
    # Opposite draws along each axis of data and noise together average a quadratic exactly.
    units = 2 * np.concatenate([np.eye(4), -np.eye(4)])
    x0, noise = mean + np.sqrt(variance) * units[:, :2], np.tile(units[:, 2:], (5, 1, 1))
    seen = terms_of(student, x0, noise, schedule, slope, offset)
    expect(seen).array("T B", np.float64, T=6, B=8).finite()
    average = np.asarray(seen).mean(axis=1)
    # noise - guess is c noise - d (x0 - mean), so that its mean square is c² + d² variance.
    c, d = 1 - slope * np.sqrt(1 - left), slope * np.sqrt(left)
    errors = np.sum(c**2 + d**2 * variance, axis=1)
    beta, bars = schedule["betas"], schedule["alpha_bars"]
    scales = beta[1:] / ((1 - beta[1:]) * (1 - bars[:-1]))
    first = errors[0] / (1 - beta[0]) + 2 * np.log(2 * np.pi * beta[0])
    last = np.sum(bars[-1] * (mean**2 + variance) - bars[-1] - np.log1p(-bars[-1]))
    due = 0.5 * np.concatenate([[first], scales * errors[1:], [last]])
    expect(average, "the mean of each term").close(due, tolerance=1e-6)
    entropy = 0.5 * np.sum(1 + np.log(2 * np.pi * variance))
    bounded = bool(average.sum() >= entropy)
    expect(bounded, "the sum is at least the entropy of the data").equals(True)


@mistake("vlb_terms", kind="scale", hint="A log-density has its constant, here log(2 pi beta_0).")
def vlb_first_without_constant(noise_model, x0, noise, schedule):
    terms = diffusion.vlb_terms(noise_model, x0, noise, schedule)
    beta = tf.cast(schedule["betas"][0], x0.dtype)
    constant = 0.5 * int(x0.shape[1]) * tf.math.log(2.0 * np.pi * beta)
    return tf.concat([terms[:1] - constant, terms[1:]], axis=0)


@mistake(
    "vlb_terms",
    kind="concept",
    hint="The first term is -log p(x0 | x_t), a density with variance beta_0, no divergence.",
)
def vlb_first_is_a_divergence(noise_model, x0, noise, schedule):
    terms = diffusion.vlb_terms(noise_model, x0, noise, schedule)
    beta = tf.cast(schedule["betas"][0], x0.dtype)
    constant = 0.5 * int(x0.shape[1]) * tf.math.log(2.0 * np.pi * beta)
    squares = 2.0 * beta * (terms[:1] - constant)
    return tf.concat([squares, terms[1:]], axis=0)


@mistake(
    "vlb_terms",
    kind="concept",
    hint="The model's steps have the variance of the posterior: divide by that, not by beta.",
)
def vlb_by_beta(noise_model, x0, noise, schedule):
    terms = diffusion.vlb_terms(noise_model, x0, noise, schedule)
    bars = tf.cast(schedule["alpha_bars"], x0.dtype)
    share = ((1.0 - bars[:-1]) / (1.0 - bars[1:]))[:, tf.newaxis]
    return tf.concat([terms[:1], share * terms[1:-1], terms[-1:]], axis=0)


@mistake("vlb_terms", kind="scale", hint="Each term is the sum over the entries, not their mean.")
def vlb_mean_over_entries(noise_model, x0, noise, schedule):
    return diffusion.vlb_terms(noise_model, x0, noise, schedule) / int(x0.shape[1])


@mistake("vlb_terms", kind="scale", hint="Both densities and divergences have a factor one half.")
def vlb_without_half(noise_model, x0, noise, schedule):
    return 2.0 * diffusion.vlb_terms(noise_model, x0, noise, schedule)


@mistake("vlb_terms", kind="axis", hint="The last term belongs to level T - 1, the noisiest one.")
def vlb_prior_of_level_0(noise_model, x0, noise, schedule):
    terms = diffusion.vlb_terms(noise_model, x0, noise, schedule)
    left = tf.cast(schedule["alpha_bars"][0], x0.dtype)
    last = 0.5 * tf.reduce_sum(left * x0**2 - left - tf.math.log(1.0 - left), axis=1)
    return tf.concat([terms[:-1], last[tf.newaxis]], axis=0)


@mistake("vlb_terms", kind="concept", hint="In the last divergence, -log(1 - alpha_bar) is added.")
def vlb_prior_sign(noise_model, x0, noise, schedule):
    terms = diffusion.vlb_terms(noise_model, x0, noise, schedule)
    left = tf.cast(schedule["alpha_bars"][-1], x0.dtype)
    last = 0.5 * tf.reduce_sum(left * x0**2 - left + tf.math.log(1.0 - left), axis=1)
    return tf.concat([terms[:-1], last[tf.newaxis]], axis=0)


@mistake("vlb_terms", kind="randomness", hint="Each level has noise of its own: noise[t].")
def vlb_same_noise_for_all_levels(noise_model, x0, noise, schedule):
    return diffusion.vlb_terms(noise_model, x0, noise[:1] + 0.0 * noise, schedule)


@mistake(
    "vlb_terms",
    kind="concept",
    hint="A divergence in nats is due for each level, not the square of what the noise is off by.",
)
def vlb_simple_loss(noise_model, x0, noise, schedule):
    terms = diffusion.vlb_terms(noise_model, x0, noise, schedule)
    rows = [terms[0]]
    for t in range(1, int(schedule["betas"].shape[0])):
        levels = tf.fill(x0.shape[:1], t)
        loss = diffusion.ddpm_loss(noise_model, x0, levels, noise[t], schedule)
        rows.append(int(x0.shape[1]) * loss)
    return tf.stack([*rows, terms[-1]])


@mistake("vlb_terms", kind="axis", hint="The divergence from N(0, I) is the last term.")
def vlb_prior_first(noise_model, x0, noise, schedule):
    return tf.roll(diffusion.vlb_terms(noise_model, x0, noise, schedule), 1, axis=0)


@mistake("vlb_terms", kind="concept", hint="The model is told the level at which x_t is.")
def vlb_other_level_for_the_model(noise_model, x0, noise, schedule):
    def told_less(x, t):
        return noise_model(x, tf.maximum(t - 1, 0))

    return diffusion.vlb_terms(told_less, x0, noise, schedule)


@mistake("vlb_terms", kind="numerics", hint="Float64 data give float64 terms.")
def vlb_in_float32(noise_model, x0, noise, schedule):
    return tf.cast(diffusion.vlb_terms(noise_model, x0, noise, schedule), tf.float32)


@mistake("vlb_terms", kind="axis", hint="Each row has terms of its own: no batch mean.")
def vlb_of_the_batch(noise_model, x0, noise, schedule):
    terms = diffusion.vlb_terms(noise_model, x0, noise, schedule)
    return tf.reduce_mean(terms, axis=1, keepdims=True) + 0.0 * terms


@mistake("vlb_terms", kind="axis", hint="All terms are returned, not their sum.")
def vlb_added_up(noise_model, x0, noise, schedule):
    return tf.reduce_sum(diffusion.vlb_terms(noise_model, x0, noise, schedule), axis=0)


@alternative("vlb_terms")
def vlb_by_steps_without_noise(noise_model, x0, noise, schedule):
    rows = []
    for t in range(noise.shape[0]):
        levels = tf.fill((x0.shape[0],), t)
        x_t = q_sample(x0, levels, noise[t], schedule)  # noqa: F821
        mean = p_sample(noise_model, x_t, t, tf.zeros_like(x_t), schedule, "beta")  # noqa: F821
        if t == 0:
            beta = tf.cast(schedule["betas"][0], x0.dtype)
            squares = (x0 - mean) ** 2 / beta + tf.math.log(beta) + float(np.log(2 * np.pi))
        else:
            due, variance = posterior_mean_var(x0, x_t, levels, schedule)  # noqa: F821
            squares = tf.math.squared_difference(due, mean) / variance
        rows.append(tf.reduce_sum(squares, axis=-1) / 2)
    left = tf.cast(schedule["alpha_bars"][-1], x0.dtype)
    rows.append(tf.reduce_sum(left * (x0**2 - 1) - tf.math.log(1 - left), axis=-1) / 2)
    return tf.stack(rows, axis=0)


@alternative("vlb_terms")
def vlb_by_the_noise(noise_model, x0, noise, schedule):
    beta, bars = (tf.cast(schedule[key], x0.dtype) for key in ("betas", "alpha_bars"))
    rows = []
    for t in range(len(noise)):
        levels = tf.ones((x0.shape[0],), tf.int32) * t
        x_t = bars[t] ** 0.5 * x0 + (1 - bars[t]) ** 0.5 * noise[t]
        error = tf.reduce_sum((noise[t] - noise_model(x_t, levels)) ** 2, axis=1)
        if t == 0:
            constant = x0.shape[1] * tf.math.log(2 * np.pi * beta[0])
            rows.append(0.5 * (error / (1 - beta[0]) + constant))
        else:
            rows.append(0.5 * beta[t] / ((1 - beta[t]) * (1 - bars[t - 1])) * error)
    mean, variance = tf.sqrt(bars[-1]) * x0, 1 - bars[-1]
    prior = 0.5 * tf.reduce_sum(mean**2 + variance - 1 - tf.math.log(variance), axis=1)
    return tf.concat([tf.stack(rows), prior[tf.newaxis]], axis=0)


@alternative("vlb_terms")
def vlb_all_levels_at_once(noise_model, x0, noise, schedule):
    T, B = noise.shape[:2]
    levels = tf.repeat(tf.range(T), B)
    rows = tf.tile(x0, (T, 1))
    x_t = q_sample(rows, levels, tf.reshape(noise, rows.shape), schedule)  # noqa: F821
    guess = predict_x0(x_t, levels, noise_model(x_t, levels), schedule)  # noqa: F821
    mean, _ = posterior_mean_var(guess, x_t, levels, schedule)  # noqa: F821
    due, variance = posterior_mean_var(rows, x_t, levels, schedule)  # noqa: F821
    squares = tf.reshape(tf.reduce_sum((due - mean) ** 2, axis=1), (T, B))
    beta = tf.cast(schedule["betas"][0], x0.dtype)
    first = 0.5 * (squares[0] / beta + x0.shape[1] * tf.math.log(2 * np.pi * beta))
    middle = 0.5 * squares[1:] / tf.reshape(variance, (T, B))[1:]
    left = tf.cast(schedule["alpha_bars"][-1], x0.dtype)
    last = 0.5 * tf.reduce_sum(left * x0**2 - left - tf.math.log1p(-left), axis=1)
    return tf.concat([first[tf.newaxis], middle, last[tf.newaxis]], axis=0)
