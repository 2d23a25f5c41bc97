"""Exercise 2: noise of any level, in one step."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, gradients, laws, mistake
from reference import diffusion

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_SCHEDULE = {
    "betas": np.array([0.36, 0.4375]),
    "alphas": np.array([0.64, 0.5625]),
    "alpha_bars": np.array([0.64, 0.36]),
}
SHOWN_X0 = np.array([[2, 0, -1], [2, 0, -1]], np.float32)
SHOWN_NOISE = np.array([[1, 1, 0], [1, 1, 0]], np.float32)
SHOWN_T = np.array([0, 1])


def coarse_schedule(inputs):
    """Returns a schedule of five levels whose variances neither rise nor fall."""
    betas = inputs.permutation(
        np.array([0.2, 0.3, 0.4, 0.5, 0.6]) + inputs.uniform(-0.04, 0.04, 5)
    )
    return {"betas": betas, "alphas": 1 - betas, "alpha_bars": np.cumprod(1 - betas)}


def random_case(inputs, event=(3,)):
    """Returns x0 and t of seven rows, noise and a schedule, float64."""
    t = inputs.permutation(np.array([0, 1, 2, 3, 4, 1, 3]))
    shape = (7, *event)
    return inputs.normal(size=shape), t, inputs.normal(size=shape), coarse_schedule(inputs)


def due_of(x0, t, noise, schedule):
    """Returns what is due."""
    left = schedule["alpha_bars"][t].reshape(-1, *[1] * (x0.ndim - 1))
    return np.sqrt(left) * x0 + np.sqrt(1 - left) * noise


@exercise("q_sample", points=1, visible=True, mistakes=("noising_t_broadcast", "noising_added_up"))
def test_noising_shown_shape_and_dtype(student):
    """The result has the shape and the dtype of x0."""
    seen = student.q_sample(SHOWN_X0, SHOWN_T, SHOWN_NOISE, SHOWN_SCHEDULE)
    expect(seen).array("B D", np.float32, B=2, D=3)


@exercise(
    "q_sample", points=1, visible=True, mistakes=("noising_no_sqrt", "noising_keeps_the_data")
)
def test_noising_shown_values(student):
    """Level 0 has the shares 0.8 and 0.6 of data and noise, level 1 has 0.6 and 0.8."""
    seen = student.q_sample(SHOWN_X0, SHOWN_T, SHOWN_NOISE, SHOWN_SCHEDULE)
    expect(seen).matches(np.array([[2.2, 0.6, -0.8], [2, 0.8, -0.6]], np.float32))


@exercise(
    "q_sample",
    points=2,
    mistakes=(
        "noising_t_broadcast",
        "noising_no_sqrt",
        "noising_variance_as_deviation",
        "noising_of_one_step",
        "noising_by_beta",
        "noising_level_before",
        "noising_shares_swapped",
        "noising_keeps_the_data",
        "noising_subtracts",
        "noising_own_noise",
        "noising_level_of_the_first_row",
        "noising_in_float32",
        "noising_clips",
    ),
    note="Five levels whose variances are in no order, float64.",
)
def test_noising_mixes_data_and_noise(student, inputs):
    """Each row is data and noise, mixed in the shares of its own level."""
    case = random_case(inputs)
    expect(student.q_sample(*case)).matches(due_of(*case))


@exercise(
    "q_sample",
    points=1,
    mistakes=("noising_t_broadcast", "noising_shares_swapped", "noising_level_of_the_first_row"),
    note="Images of 6x5 pixels and two channels.",
)
def test_noising_of_images(student, inputs):
    """Images with several axes get the noise of their level, too."""
    case = random_case(inputs, (6, 5, 2))
    expect(student.q_sample(*case)).matches(due_of(*case))


@exercise(
    "q_sample",
    points=2,
    mistakes=(
        "noising_of_one_step",
        "noising_by_beta",
        "noising_level_before",
        "noising_no_sqrt",
        "noising_variance_as_deviation",
        "noising_keeps_the_data",
    ),
    note="Mean and variance of single steps, one after the other.",
)
def test_noising_is_all_single_steps_at_once(student, inputs):
    """Mean and variance are those of single steps, one after the other, up to each level."""
    schedule, t = coarse_schedule(inputs), np.arange(5)
    x0, ones = inputs.normal(size=(5, 3)), np.ones((5, 3))
    mean, variance, means, variances = x0[0], 0.0, [], []
    for beta in schedule["betas"]:
        mean, variance = np.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        means.append(mean)
        variances.append(np.full(3, variance))
    same = np.repeat(x0[:1], 5, axis=0)
    expect(student.q_sample(same, t, 0 * ones, schedule)).matches(np.stack(means))
    deviation = student.q_sample(0 * ones, t, ones, schedule)
    expect(deviation).matches(np.sqrt(variances))


@exercise(
    "q_sample",
    points=1,
    mistakes=("noising_level_of_the_first_row", "noising_detached", "noising_in_float32"),
)
def test_noising_of_each_row_stands_alone(student, inputs):
    """Each row depends on its own data, level and noise only, and a gradient flows to the data."""
    x0, t, noise, schedule = random_case(inputs)
    laws.expect_rows_independent(student.q_sample, batched=(x0, t, noise), shared=(schedule,))
    gradients.expect_gradient(
        student.q_sample, (x0, t, noise, schedule), wrt=(0, 2), due=diffusion.q_sample
    )


@mistake(
    "q_sample",
    kind="axis",
    hint="One share per row, (B,), has to be reshaped to (B, 1, …, 1) to meet the rows of x0.",
)
def noising_t_broadcast(x0, t, noise, schedule):
    left = tf.cast(tf.gather(schedule["alpha_bars"], t), x0.dtype)
    return tf.sqrt(left) * x0 + tf.sqrt(1.0 - left) * noise


@mistake("q_sample", kind="scale", hint="Both shares are square roots.")
def noising_no_sqrt(x0, t, noise, schedule):
    left = diffusion._at(schedule["alpha_bars"], t, x0)
    return left * x0 + (1.0 - left) * noise


@mistake(
    "q_sample",
    kind="scale",
    hint="Noise is scaled by the deviation, the root of 1 - alpha_bar, not by the variance.",
)
def noising_variance_as_deviation(x0, t, noise, schedule):
    left = diffusion._at(schedule["alpha_bars"], t, x0)
    return tf.sqrt(left) * x0 + (1.0 - left) * noise


@mistake(
    "q_sample",
    kind="concept",
    hint="From the data to level t it takes alpha_bar; alpha belongs to a single step.",
)
def noising_of_one_step(x0, t, noise, schedule):
    alpha = diffusion._at(schedule["alphas"], t, x0)
    return tf.sqrt(alpha) * x0 + tf.sqrt(1.0 - alpha) * noise


@mistake(
    "q_sample",
    kind="concept",
    hint="The noise of all steps up to t adds up to 1 - alpha_bar, not to beta.",
)
def noising_by_beta(x0, t, noise, schedule):
    left, beta = (diffusion._at(schedule[key], t, x0) for key in ("alpha_bars", "betas"))
    return tf.sqrt(left) * x0 + tf.sqrt(beta) * noise


@mistake("q_sample", kind="axis", hint="Level t has alpha_bars[t]: this is one place before.")
def noising_level_before(x0, t, noise, schedule):
    left = diffusion._at(diffusion._before(schedule["alpha_bars"]), t, x0)
    return tf.sqrt(left) * x0 + tf.sqrt(1.0 - left) * noise


@mistake("q_sample", kind="concept", hint="alpha_bar says how much of the data is left.")
def noising_shares_swapped(x0, t, noise, schedule):
    return diffusion.q_sample(noise, t, x0, schedule)


@mistake("q_sample", kind="lazy", hint="The data fade, too: x0 has a factor.")
def noising_keeps_the_data(x0, t, noise, schedule):
    left = diffusion._at(schedule["alpha_bars"], t, x0)
    return x0 + tf.sqrt(1.0 - left) * noise


@mistake("q_sample", kind="scale", hint="Noise is added, not subtracted.")
def noising_subtracts(x0, t, noise, schedule):
    return diffusion.q_sample(x0, t, -noise, schedule)


@mistake("q_sample", kind="randomness", hint="Use the noise that is handed in; draw nothing.")
def noising_own_noise(x0, t, noise, schedule):
    own = tf.random.normal(tf.shape(x0), dtype=x0.dtype)
    return diffusion.q_sample(x0, t, own, schedule)


@mistake("q_sample", kind="axis", hint="Each row has a level of its own.")
def noising_level_of_the_first_row(x0, t, noise, schedule):
    return diffusion.q_sample(x0, t[0] + 0 * t, noise, schedule)


@mistake("q_sample", kind="numerics", hint="Float64 data give a float64 result.")
def noising_in_float32(x0, t, noise, schedule):
    rows = (tf.cast(array, tf.float32) for array in (x0, noise))
    return diffusion.q_sample(next(rows), t, next(rows), schedule)


@mistake("q_sample", kind="numerics", hint="Noisy data may have any size: nothing is clipped.")
def noising_clips(x0, t, noise, schedule):
    return tf.clip_by_value(diffusion.q_sample(x0, t, noise, schedule), -1.0, 1.0)


@mistake("q_sample", kind="axis", hint="Each entry is mixed by itself: nothing is added up.")
def noising_added_up(x0, t, noise, schedule):
    return tf.reduce_sum(diffusion.q_sample(x0, t, noise, schedule), axis=-1)


@mistake(
    "q_sample",
    kind="numerics",
    hint="Stay with TensorFlow operations: no gradient flows through NumPy.",
)
def noising_detached(x0, t, noise, schedule):
    return tf.constant(diffusion.q_sample(x0, t, noise, schedule).numpy())


@alternative("q_sample")
def noising_row_by_row(x0, t, noise, schedule):
    left = tf.cast(schedule["alpha_bars"], x0.dtype)
    rows = [left[k] ** 0.5 * x0[n] + (1 - left[k]) ** 0.5 * noise[n] for n, k in enumerate(t)]
    return tf.stack(rows)


@alternative("q_sample")
def noising_turned_around(x0, t, noise, schedule):
    left = tf.cast(tf.gather(schedule["alpha_bars"], t), x0.dtype)
    axes = list(range(len(x0.shape)))[::-1]
    mixed = tf.sqrt(left) * tf.transpose(x0, axes) + tf.sqrt(1 - left) * tf.transpose(noise, axes)
    return tf.transpose(mixed, axes)


@alternative("q_sample")
def noising_with_new_axes(x0, t, noise, schedule):
    root = tf.gather(tf.sqrt(schedule["alpha_bars"]), t)
    rest = tf.gather(tf.sqrt(1 - schedule["alpha_bars"]), t)
    while len(root.shape) < len(x0.shape):
        root, rest = root[..., tf.newaxis], rest[..., tf.newaxis]
    return tf.cast(root, x0.dtype) * x0 + tf.cast(rest, x0.dtype) * noise


@alternative("q_sample")
def noising_by_einsum(x0, t, noise, schedule):
    left = tf.cast(tf.gather(schedule["alpha_bars"], t), x0.dtype)
    return tf.einsum("b,b...->b...", left**0.5, x0) + tf.einsum(
        "b,b...->b...", (1 - left) ** 0.5, noise
    )


@alternative("q_sample")
@tf.function
def noising_compiled(x0, t, noise, schedule):
    one_hot = tf.one_hot(t, tf.shape(schedule["alpha_bars"])[0], dtype=x0.dtype)
    left = tf.linalg.matvec(one_hot, tf.cast(schedule["alpha_bars"], x0.dtype))
    left = tf.reshape(left, tf.concat([tf.shape(t), tf.ones(len(x0.shape) - 1, tf.int32)], 0))
    return tf.sqrt(left) * x0 + tf.sqrt(1.0 - left) * noise
