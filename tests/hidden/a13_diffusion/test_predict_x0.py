"""Exercise 4: one step back, if the data were known, and what to put in their place."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, gradients, laws, mistake, probe
from reference import diffusion

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_SCHEDULE = {
    "betas": np.array([0.36, 0.4375]),
    "alphas": np.array([0.64, 0.5625]),
    "alpha_bars": np.array([0.64, 0.36]),
}
SHOWN_X0 = np.array([[2, 0, -1], [2, 0, -1]], np.float32)
SHOWN_NOISE = np.array([[1, 1, 0], [1, 1, 0]], np.float32)
SHOWN_X_T = np.array([[2.2, 0.6, -0.8], [2, 0.8, -0.6]], np.float32)
SHOWN_T = np.array([0, 1])


@probe
def posterior(student, x0, x_t, t, schedule):
    """Returns mean and variance."""
    return student.posterior_mean_var(x0, x_t, t, schedule)


@probe
def posterior_of_the_guess(student, x_t, t, noise, schedule):
    """Returns mean and variance, given the data that the predicted noise stands for."""
    guess = student.predict_x0(x_t, t, noise, schedule)
    return student.posterior_mean_var(guess, x_t, t, schedule)


@probe
def posterior_mean(student, x0, x_t, t, schedule):
    """Returns the mean."""
    return student.posterior_mean_var(x0, x_t, t, schedule)[0]


def coarse_schedule(inputs):
    """Returns a schedule of five levels whose variances neither rise nor fall."""
    betas = inputs.permutation(
        np.array([0.2, 0.3, 0.4, 0.5, 0.6]) + inputs.uniform(-0.04, 0.04, 5)
    )
    return {"betas": betas, "alphas": 1 - betas, "alpha_bars": np.cumprod(1 - betas)}


def random_case(inputs, event=(3,)):
    """Returns x0, x_t and t of seven rows and a schedule, float64."""
    t = inputs.permutation(np.array([0, 1, 2, 3, 4, 1, 3]))
    shape = (7, *event)
    x0, x_t = 1 + inputs.normal(size=shape), 2 * inputs.normal(size=shape)
    return x0, x_t, t, coarse_schedule(inputs)


def guess_of(x_t, t, noise, schedule):
    """Returns the data that are due."""
    left = schedule["alpha_bars"][t].reshape(-1, *[1] * (x_t.ndim - 1))
    return (x_t - np.sqrt(1 - left) * noise) / np.sqrt(left)


def product_of_normals(x0, x_t, t, schedule):
    """Returns mean and variance of q(x_{t-1} | x_t, x_0), of levels above 0, by precisions."""

    def at(values):
        return values[t].reshape(-1, *[1] * (x0.ndim - 1))

    before = at(np.concatenate([[1.0], schedule["alpha_bars"][:-1]]))
    beta = at(schedule["betas"])
    precision = (1 - beta) / beta + 1 / (1 - before)
    weighed = np.sqrt(1 - beta) / beta * x_t + np.sqrt(before) / (1 - before) * x0
    return weighed / precision, 1 / precision


def above_zero(inputs, event=(3,)):
    """Returns a random case without level 0."""
    x0, x_t, t, schedule = random_case(inputs, event)
    return x0, x_t, np.maximum(t, 1), schedule


@exercise(
    "predict_x0",
    points=1,
    visible=True,
    mistakes=("guess_t_broadcast", "posterior_var_flat", "posterior_mean_only"),
)
def test_step_back_shown_shapes_and_dtypes(student):
    """The guess and the mean have the shape of x_t; there is one variance per row, (B, 1)."""
    seen = student.predict_x0(SHOWN_X_T, SHOWN_T, SHOWN_NOISE, SHOWN_SCHEDULE)
    expect(seen).array("B D", np.float32, B=2, D=3)
    mean, variance = expect(
        posterior(student, SHOWN_X0, SHOWN_X_T, SHOWN_T, SHOWN_SCHEDULE)
    ).parts(2)
    expect(mean).array("B D", np.float32, B=2, D=3)
    expect(variance).array("B 1", np.float32, B=2)


@exercise(
    "predict_x0",
    points=1,
    visible=True,
    mistakes=("guess_without_division", "guess_no_sqrt", "guess_adds", "guess_clips"),
)
def test_guess_shown_finds_the_data(student):
    """With the right noise, the guess is the data that the noise was added to."""
    seen = student.predict_x0(SHOWN_X_T, SHOWN_T, SHOWN_NOISE, SHOWN_SCHEDULE)
    expect(seen).array("B D", np.float32, B=2, D=3).close(SHOWN_X0, tolerance=1e-5)


@exercise(
    "predict_x0",
    points=1,
    visible=True,
    mistakes=("posterior_var_beta", "posterior_shares_swapped", "ab_prev0_not_1"),
)
def test_posterior_shown_values(student):
    """At level 0 the mean is the data, at level 1 it is 0.546875 x0 + 0.421875 x_t."""
    mean, variance = expect(
        posterior(student, SHOWN_X0, SHOWN_X_T, SHOWN_T, SHOWN_SCHEDULE)
    ).parts(2)
    due = [[2, 0, -1], [1.9375, 0.3375, -0.8]]
    expect(mean).array("B D", np.float32, B=2, D=3).close(due, tolerance=1e-5)
    due = [[0], [0.24609375]]
    expect(variance).array("B 1", np.float32, B=2).close(due, tolerance=1e-5)


@exercise(
    "predict_x0",
    points=2,
    mistakes=(
        "guess_t_broadcast",
        "guess_without_division",
        "guess_no_sqrt",
        "guess_adds",
        "guess_clips",
        "guess_of_one_step",
        "guess_level_before",
        "guess_divides_by_the_noise",
        "guess_level_of_the_first_row",
        "guess_in_float32",
    ),
    note="Rows and images, float64.",
)
def test_guess_undoes_the_noise(student, inputs):
    """The guess is x_t without the predicted noise, scaled up again, for rows and for images."""
    for event in ((3,), (6, 5, 2)):
        noise, x_t, t, schedule = random_case(inputs, event)
        seen = student.predict_x0(x_t, t, noise, schedule)
        expect(seen).matches(guess_of(x_t, t, noise, schedule))


@exercise(
    "predict_x0",
    points=3,
    mistakes=(
        "ab_prev_shift",
        "post_var_no_divide",
        "posterior_var_beta",
        "posterior_var_log",
        "posterior_var_root",
        "posterior_shares_swapped",
        "posterior_no_sqrt",
        "posterior_mean_of_alpha_bar",
        "posterior_is_the_data",
        "posterior_level_of_the_first_row",
        "posterior_in_float32",
    ),
    note="Levels 1 to 4 by the product of two normal densities, completing the square.",
)
def test_posterior_is_a_product_of_normals(student, inputs):
    """Mean and variance are those of q(x_t | x_{t-1}) times q(x_{t-1} | x_0)."""
    case = above_zero(inputs)
    mean, variance = expect(posterior(student, *case)).parts(2)
    due_mean, due_variance = product_of_normals(*case)
    expect(mean).matches(due_mean)
    expect(variance).matches(due_variance)


@exercise(
    "predict_x0",
    points=1,
    mistakes=("ab_prev0_not_1", "ab_prev_shift", "posterior_var_beta", "posterior_var_full_at_0"),
)
def test_posterior_at_level_0_is_the_data(student, inputs):
    """One step before level 0 are the data: the mean is x0, the variance 0."""
    x0, x_t, _, schedule = random_case(inputs)
    mean, variance = expect(posterior(student, x0, x_t, np.zeros(7, int), schedule)).parts(2)
    expect(mean).matches(x0)
    expect(variance).array((7, 1), np.float64).close(np.zeros((7, 1)), tolerance=1e-9)


@exercise(
    "predict_x0",
    points=1,
    mistakes=("posterior_var_flat", "posterior_var_full", "posterior_shares_swapped"),
    note="Images of 6x5 pixels and two channels.",
)
def test_posterior_of_images(student, inputs):
    """An image has one variance, in the shape (B, 1, 1, 1), and a mean in its own shape."""
    case = above_zero(inputs, (6, 5, 2))
    mean, variance = expect(posterior(student, *case)).parts(2)
    due_mean, due_variance = product_of_normals(*case)
    expect(mean).matches(due_mean)
    expect(variance).array((7, 1, 1, 1), np.float64).close(due_variance)


@exercise(
    "predict_x0",
    points=1,
    mistakes=("ab_prev_shift", "post_var_no_divide", "posterior_no_sqrt"),
    note="The law of total probability: shares and variance of q(x_{t-1} | x_0) come back.",
)
def test_posterior_leads_back_to_the_level_before(student, inputs):
    """Averaged over x_t, the step back has the mean and the variance of level t - 1."""
    schedule, t = coarse_schedule(inputs), np.array([1, 2, 3, 4])
    one, zero = np.ones((4, 3)), np.zeros((4, 3))
    of_data, variance = expect(posterior(student, one, zero, t, schedule)).parts(2)
    of_noisy, _ = expect(posterior(student, zero, one, t, schedule)).parts(2)
    for part in (of_data, of_noisy):
        expect(part).array((4, 3), np.float64).finite()
    expect(variance).array((4, 1), np.float64).finite()
    of_data, of_noisy, variance = (np.asarray(p) for p in (of_data, of_noisy, variance))
    left, before = (schedule["alpha_bars"][k][:, np.newaxis] for k in (t, t - 1))
    expect(of_data + of_noisy * np.sqrt(left), "the mean").close(np.sqrt(before) * one)
    expect(of_noisy**2 * (1 - left) + variance, "the variance").close((1 - before) * one)


@exercise(
    "predict_x0",
    points=1,
    mistakes=("guess_of_one_step", "ab_prev_shift", "guess_clips", "guess_level_before"),
    note="Ho et al. write the mean by the noise; levels 1 to 4.",
)
def test_mean_by_the_noise_and_by_the_data_agree(student, inputs):
    """With the guess, the mean is (x_t - beta noise / sqrt(1 - alpha_bar)) / sqrt(alpha)."""
    noise, x_t, t, schedule = above_zero(inputs)
    mean, _ = expect(posterior_of_the_guess(student, x_t, t, noise, schedule)).parts(2)
    beta, alpha, left = (
        schedule[key][t][:, np.newaxis] for key in ("betas", "alphas", "alpha_bars")
    )
    expect(mean).matches((x_t - beta / np.sqrt(1 - left) * noise) / np.sqrt(alpha))


@exercise(
    "predict_x0",
    points=2,
    mistakes=(
        "guess_level_of_the_first_row",
        "posterior_level_of_the_first_row",
        "guess_detached",
        "guess_in_float32",
    ),
)
def test_step_back_of_each_row_stands_alone(student, inputs):
    """Rows do not touch each other, and gradients flow to the noise and to the data."""
    x0, x_t, t, schedule = random_case(inputs)
    laws.expect_rows_independent(student.predict_x0, batched=(x_t, t, x0), shared=(schedule,))

    def call(x0, x_t, t):
        return expect(posterior(student, x0, x_t, t, schedule)).parts(2)[0]

    laws.expect_rows_independent(call, batched=(x0, x_t, t))
    gradients.expect_gradient(
        student.predict_x0, (x_t, t, x0, schedule), wrt=(0, 2), due=diffusion.predict_x0
    )


@mistake(
    "predict_x0",
    kind="axis",
    hint="One share per row, (B,), has to be reshaped to (B, 1, …, 1) to meet the rows of x_t.",
)
def guess_t_broadcast(x_t, t, predicted_noise, schedule):
    left = tf.cast(tf.gather(schedule["alpha_bars"], t), x_t.dtype)
    return (x_t - tf.sqrt(1.0 - left) * predicted_noise) / tf.sqrt(left)


@mistake("predict_x0", kind="scale", hint="What is left has to be scaled up: divide.")
def guess_without_division(x_t, t, predicted_noise, schedule):
    left = diffusion._at(schedule["alpha_bars"], t, x_t)
    return x_t - tf.sqrt(1.0 - left) * predicted_noise


@mistake("predict_x0", kind="scale", hint="Both shares are square roots.")
def guess_no_sqrt(x_t, t, predicted_noise, schedule):
    left = diffusion._at(schedule["alpha_bars"], t, x_t)
    return (x_t - (1.0 - left) * predicted_noise) / left


@mistake("predict_x0", kind="concept", hint="The noise is taken away from x_t, not added.")
def guess_adds(x_t, t, predicted_noise, schedule):
    return diffusion.predict_x0(x_t, t, -predicted_noise, schedule)


@mistake("predict_x0", kind="numerics", hint="The guess may have any size: nothing is clipped.")
def guess_clips(x_t, t, predicted_noise, schedule):
    guess = diffusion.predict_x0(x_t, t, predicted_noise, schedule)
    return tf.clip_by_value(guess, -1.0, 1.0)


@mistake(
    "predict_x0",
    kind="concept",
    hint="From level t to the data it takes alpha_bar; alpha belongs to a single step.",
)
def guess_of_one_step(x_t, t, predicted_noise, schedule):
    alpha = diffusion._at(schedule["alphas"], t, x_t)
    return (x_t - tf.sqrt(1.0 - alpha) * predicted_noise) / tf.sqrt(alpha)


@mistake("predict_x0", kind="axis", hint="x_t has alpha_bars[t]: this is one place before.")
def guess_level_before(x_t, t, predicted_noise, schedule):
    left = diffusion._at(diffusion._before(schedule["alpha_bars"]), t, x_t)
    return (x_t - tf.sqrt(1.0 - left) * predicted_noise) / tf.sqrt(left)


@mistake("predict_x0", kind="concept", hint="Divide by the share of the data, sqrt(alpha_bar).")
def guess_divides_by_the_noise(x_t, t, predicted_noise, schedule):
    left = diffusion._at(schedule["alpha_bars"], t, x_t)
    return (x_t - tf.sqrt(1.0 - left) * predicted_noise) / tf.sqrt(1.0 - left)


@mistake("predict_x0", kind="axis", hint="Each row has a level of its own.")
def guess_level_of_the_first_row(x_t, t, predicted_noise, schedule):
    return diffusion.predict_x0(x_t, t[0] + 0 * t, predicted_noise, schedule)


@mistake("predict_x0", kind="numerics", hint="Float64 rows give a float64 result.")
def guess_in_float32(x_t, t, predicted_noise, schedule):
    return tf.cast(diffusion.predict_x0(x_t, t, predicted_noise, schedule), tf.float32)


@mistake(
    "predict_x0",
    kind="numerics",
    hint="Stay with TensorFlow operations: no gradient flows through NumPy.",
)
def guess_detached(x_t, t, predicted_noise, schedule):
    return tf.constant(diffusion.predict_x0(x_t, t, predicted_noise, schedule).numpy())


@mistake(
    "predict_x0",
    kind="axis",
    function="posterior_mean_var",
    hint="alpha_bar of the level before: a 1 in front, the last one left out.",
)
def ab_prev_shift(x0, x_t, t, schedule):
    left = schedule["alpha_bars"]
    padded = tf.concat([left[1:], tf.ones_like(left[:1])], axis=0)
    before, beta, bar = (diffusion._at(v, t, x_t) for v in (padded, schedule["betas"], left))
    mean = tf.sqrt(before) * beta * x0 + tf.sqrt(1.0 - beta) * (1.0 - before) * x_t
    return mean / (1.0 - bar), beta * (1.0 - before) / (1.0 - bar)


@mistake(
    "predict_x0",
    kind="concept",
    function="posterior_mean_var",
    hint="Before level 0 there are the data: alpha_bar is 1 there.",
)
def ab_prev0_not_1(x0, x_t, t, schedule):
    left = schedule["alpha_bars"]
    padded = tf.concat([left[:1], left[:-1]], axis=0)
    before, beta, bar = (diffusion._at(v, t, x_t) for v in (padded, schedule["betas"], left))
    mean = tf.sqrt(before) * beta * x0 + tf.sqrt(1.0 - beta) * (1.0 - before) * x_t
    return mean / (1.0 - bar), beta * (1.0 - before) / (1.0 - bar)


@mistake(
    "predict_x0",
    kind="scale",
    function="posterior_mean_var",
    hint="The variance is divided by 1 - alpha_bar of this level.",
)
def post_var_no_divide(x0, x_t, t, schedule):
    mean, variance = diffusion.posterior_mean_var(x0, x_t, t, schedule)
    return mean, variance * (1.0 - diffusion._at(schedule["alpha_bars"], t, x_t))


@mistake(
    "predict_x0",
    kind="concept",
    function="posterior_mean_var",
    hint="Knowing the data makes the step surer: its variance is smaller than beta.",
)
def posterior_var_beta(x0, x_t, t, schedule):
    mean, _ = diffusion.posterior_mean_var(x0, x_t, t, schedule)
    return mean, diffusion._at(schedule["betas"], t, x_t)


@mistake(
    "predict_x0",
    kind="scale",
    function="posterior_mean_var",
    hint="The variance is asked for, not its logarithm.",
)
def posterior_var_log(x0, x_t, t, schedule):
    mean, variance = diffusion.posterior_mean_var(x0, x_t, t, schedule)
    return mean, tf.math.log(tf.maximum(variance, 1e-20))


@mistake(
    "predict_x0",
    kind="scale",
    function="posterior_mean_var",
    hint="The variance is asked for, not the standard deviation.",
)
def posterior_var_root(x0, x_t, t, schedule):
    mean, variance = diffusion.posterior_mean_var(x0, x_t, t, schedule)
    return mean, tf.sqrt(variance)


@mistake(
    "predict_x0",
    kind="numerics",
    function="posterior_mean_var",
    hint="At level 0 the variance is 0: nothing is put in its place.",
)
def posterior_var_full_at_0(x0, x_t, t, schedule):
    mean, variance = diffusion.posterior_mean_var(x0, x_t, t, schedule)
    beta = diffusion._at(schedule["betas"], t, x_t)
    return mean, tf.where(tf.reshape(t, tf.shape(variance)) == 0, beta, variance)


@mistake(
    "predict_x0",
    kind="axis",
    function="posterior_mean_var",
    hint="The variance has the shape (B, 1, …, 1), so that it meets the rows of x.",
)
def posterior_var_flat(x0, x_t, t, schedule):
    mean, variance = diffusion.posterior_mean_var(x0, x_t, t, schedule)
    return mean, tf.reshape(variance, (-1,))


@mistake(
    "predict_x0",
    kind="axis",
    function="posterior_mean_var",
    hint="One variance per row is due, of shape (B, 1, …, 1), not one per entry.",
)
def posterior_var_full(x0, x_t, t, schedule):
    mean, variance = diffusion.posterior_mean_var(x0, x_t, t, schedule)
    return mean, variance * tf.ones_like(x_t)


@mistake(
    "predict_x0",
    kind="lazy",
    function="posterior_mean_var",
    hint="Both are returned: the mean and the variance.",
)
def posterior_mean_only(x0, x_t, t, schedule):
    return diffusion.posterior_mean_var(x0, x_t, t, schedule)[0]


@mistake(
    "predict_x0",
    kind="concept",
    function="posterior_mean_var",
    hint="The factor with beta belongs to x0, the one with 1 - alpha_bar before to x_t.",
)
def posterior_shares_swapped(x0, x_t, t, schedule):
    return diffusion.posterior_mean_var(x_t, x0, t, schedule)


@mistake(
    "predict_x0",
    kind="scale",
    function="posterior_mean_var",
    hint="In the mean stand square roots of alpha and of alpha_bar before.",
)
def posterior_no_sqrt(x0, x_t, t, schedule):
    left = schedule["alpha_bars"]
    before, beta, bar = (
        diffusion._at(v, t, x_t) for v in (diffusion._before(left), schedule["betas"], left)
    )
    mean = before * beta * x0 + (1.0 - beta) * (1.0 - before) * x_t
    return mean / (1.0 - bar), beta * (1.0 - before) / (1.0 - bar)


@mistake(
    "predict_x0",
    kind="concept",
    function="posterior_mean_var",
    hint="x_t has the factor sqrt(alpha) of its own step, not sqrt(alpha_bar).",
)
def posterior_mean_of_alpha_bar(x0, x_t, t, schedule):
    left = schedule["alpha_bars"]
    before, beta, bar = (
        diffusion._at(v, t, x_t) for v in (diffusion._before(left), schedule["betas"], left)
    )
    mean = tf.sqrt(before) * beta * x0 + tf.sqrt(bar) * (1.0 - before) * x_t
    return mean / (1.0 - bar), beta * (1.0 - before) / (1.0 - bar)


@mistake(
    "predict_x0",
    kind="lazy",
    function="posterior_mean_var",
    hint="The mean lies between the data and x_t: both have a factor.",
)
def posterior_is_the_data(x0, x_t, t, schedule):
    return x0 + 0.0 * x_t, diffusion.posterior_mean_var(x0, x_t, t, schedule)[1]


@mistake(
    "predict_x0",
    kind="axis",
    function="posterior_mean_var",
    hint="Each row has a level of its own.",
)
def posterior_level_of_the_first_row(x0, x_t, t, schedule):
    return diffusion.posterior_mean_var(x0, x_t, t[0] + 0 * t, schedule)


@mistake(
    "predict_x0",
    kind="numerics",
    function="posterior_mean_var",
    hint="Float64 rows give a float64 result.",
)
def posterior_in_float32(x0, x_t, t, schedule):
    pair = diffusion.posterior_mean_var(x0, x_t, t, schedule)
    return tuple(tf.cast(one, tf.float32) for one in pair)


@alternative("predict_x0")
def guess_in_two_terms(x_t, t, predicted_noise, schedule):
    left = tf.cast(tf.gather(schedule["alpha_bars"], t), x_t.dtype)
    left = tf.reshape(left, [-1] + [1] * (len(x_t.shape) - 1))
    return x_t / tf.sqrt(left) - tf.sqrt(1.0 / left - 1.0) * predicted_noise


@alternative("predict_x0")
def guess_row_by_row(x_t, t, predicted_noise, schedule):
    left = tf.cast(schedule["alpha_bars"], x_t.dtype)
    rows = [
        (x_t[n] - tf.sqrt(1 - left[k]) * predicted_noise[n]) / tf.sqrt(left[k])
        for n, k in enumerate(t)
    ]
    return tf.stack(rows)


@alternative("predict_x0")
@tf.function
def guess_compiled(x_t, t, predicted_noise, schedule):
    shape = tf.concat([tf.shape(t), tf.ones(len(x_t.shape) - 1, tf.int32)], 0)
    left = tf.reshape(tf.gather(tf.cast(schedule["alpha_bars"], x_t.dtype), t), shape)
    return tf.math.rsqrt(left) * (x_t - tf.sqrt(1.0 - left) * predicted_noise)


@alternative("predict_x0", function="posterior_mean_var")
def posterior_by_padding(x0, x_t, t, schedule):
    ones = [-1] + [1] * (len(x_t.shape) - 1)
    bars = tf.pad(tf.cast(schedule["alpha_bars"], x_t.dtype), [[1, 0]], constant_values=1.0)
    before, left = (tf.reshape(tf.gather(bars, t + k), ones) for k in (0, 1))
    alpha = tf.reshape(tf.gather(tf.cast(schedule["alphas"], x_t.dtype), t), ones)
    variance = (1 - alpha) * (1 - before) / (1 - left)
    mean = (before**0.5 * (1 - alpha) * x0 + alpha**0.5 * (1 - before) * x_t) / (1 - left)
    return [mean, variance]


@alternative("predict_x0", function="posterior_mean_var")
def posterior_by_division(x0, x_t, t, schedule):
    ones = [x_t.shape[0]] + [1] * (len(x_t.shape) - 1)
    beta, alpha, left = (
        tf.reshape(tf.gather(schedule[key], t), ones) for key in ("betas", "alphas", "alpha_bars")
    )
    before = left / alpha
    first = tf.reshape(t, ones) == 0
    before = tf.where(first, tf.ones_like(before), before)
    variance = tf.cast(beta * (1 - before) / (1 - left), x_t.dtype)
    of_x0 = tf.cast(tf.sqrt(before) * beta / (1 - left), x_t.dtype)
    of_x_t = tf.cast(tf.sqrt(alpha) * (1 - before) / (1 - left), x_t.dtype)
    return of_x0 * x0 + of_x_t * x_t, variance


@alternative("predict_x0", function="posterior_mean_var")
def posterior_by_where(x0, x_t, t, schedule):
    def rows(values):
        values = tf.cast(values, x_t.dtype)
        for _ in x_t.shape[1:]:
            values = values[..., None]
        return values

    before = tf.gather(schedule["alpha_bars"], tf.maximum(t - 1, 0))
    before = rows(tf.where(t > 0, before, tf.ones_like(before)))
    beta = rows(tf.gather(schedule["betas"], t))
    left = before * (1 - beta)
    pull = beta / (1 - left)
    mean = pull * tf.sqrt(before) * x0 + (1 - pull) / tf.sqrt(1 - beta) * x_t
    return mean, pull * (1 - before)
