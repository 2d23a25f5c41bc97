"""Exercise 9: putting back what is known."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake
from reference import diffusion

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_SCHEDULE = {
    "betas": np.array([0.36, 0.4375]),
    "alphas": np.array([0.64, 0.5625]),
    "alpha_bars": np.array([0.64, 0.36]),
}
SHOWN_X0 = np.array([[2, 0, -1], [2, 0, -1]], np.float32)
SHOWN_NOISE = np.array([[1, 1, 0], [1, 1, 1]], np.float32)
SHOWN_PREVIOUS = np.array([[5, 6, 7], [8, 9, 10]], np.float32)
SHOWN_OBSERVED = np.array([[True, False, True], [False, False, True]])


def coarse_schedule(inputs):
    """Returns a schedule of five levels whose variances neither rise nor fall."""
    betas = inputs.permutation(
        np.array([0.2, 0.3, 0.4, 0.5, 0.6]) + inputs.uniform(-0.04, 0.04, 5)
    )
    return {"betas": betas, "alphas": 1 - betas, "alpha_bars": np.cumprod(1 - betas)}


def random_case(inputs, event=(6,)):
    """Returns x_previous, x0, which entries are known, and noise, of seven rows, float64."""
    shape = (7, *event)
    known = inputs.permutation(np.arange(7 * int(np.prod(event))) % 5 < 2).reshape(shape)
    arrays = (2 * inputs.normal(size=shape) for _ in range(2))
    return *arrays, known, inputs.normal(size=shape)


def due_of(x_previous, x0, observed, t_previous, noise, schedule):
    """Returns what is due."""
    left = schedule["alpha_bars"][t_previous] if t_previous >= 0 else 1.0
    return np.where(observed, np.sqrt(left) * x0 + np.sqrt(1 - left) * noise, x_previous)


@exercise(
    "repaint_step",
    points=1,
    depends_on=("q_sample",),
    visible=True,
    mistakes=("repaint_inverted_mask", "repaint_without_noise"),
)
def test_repaint_shown_values(student):
    """At level 0 known entries are 0.8 x0 + 0.6 noise; the others stay as the step left them."""
    seen = student.repaint_step(
        SHOWN_PREVIOUS, SHOWN_X0, SHOWN_OBSERVED, 0, SHOWN_NOISE, SHOWN_SCHEDULE
    )
    expect(seen).matches(np.array([[2.2, 6, -0.8], [8, 9, -0.2]], np.float32))


@exercise(
    "repaint_step",
    points=1,
    depends_on=("q_sample",),
    visible=True,
    mistakes=("repaint_noisy_data", "repaint_wraps_around"),
)
def test_repaint_shown_data(student):
    """At the data, t_previous = -1, known entries are exactly those of x0."""
    seen = student.repaint_step(
        SHOWN_PREVIOUS, SHOWN_X0, SHOWN_OBSERVED, -1, SHOWN_NOISE, SHOWN_SCHEDULE
    )
    expect(seen).matches(np.array([[2, 6, -1], [8, 9, -1]], np.float32))


@exercise(
    "repaint_step",
    points=2,
    depends_on=("q_sample",),
    mistakes=(
        "repaint_level_t",
        "repaint_inverted_mask",
        "repaint_without_noise",
        "repaint_no_sqrt",
        "repaint_pure_data",
        "repaint_own_noise",
        "repaint_moves_the_rest",
        "repaint_returns_the_step",
        "repaint_mask_of_the_first_row",
        "repaint_of_one_step",
        "repaint_in_float32",
    ),
    note="All levels that a step leads to, float64.",
)
def test_repaint_noises_what_is_known(student, inputs):
    """Known entries are x0 with the noise of level t_previous, the others are untouched."""
    x_previous, x0, observed, noise = random_case(inputs)
    schedule = coarse_schedule(inputs)
    for t_previous in range(4):
        case = x_previous, x0, observed, t_previous, noise, schedule
        expect(student.repaint_step(*case)).matches(due_of(*case))


@exercise(
    "repaint_step",
    points=1,
    depends_on=("q_sample",),
    mistakes=(
        "repaint_noisy_data",
        "repaint_wraps_around",
        "repaint_inverted_mask",
        "repaint_blends",
    ),
    note="Images of 6x5 pixels and two channels, at t_previous = -1 and 2; bitwise at -1.",
)
def test_repaint_ends_with_the_data(student, inputs):
    """At t_previous = -1 every known entry is exactly that of x0, every other that of the step."""
    x_previous, x0, observed, noise = random_case(inputs, (6, 5, 2))
    schedule = coarse_schedule(inputs)
    seen = student.repaint_step(x_previous, x0, observed, -1, noise, schedule)
    expect(seen).array(x0.shape, np.float64)
    expect(seen, "known entries of x0, others of the step").equals(
        np.where(observed, x0, x_previous)
    )
    case = x_previous, x0, observed, 2, noise, schedule
    expect(student.repaint_step(*case)).matches(due_of(*case))


@exercise(
    "repaint_step",
    points=1,
    depends_on=("q_sample",),
    mistakes=("repaint_mask_of_the_first_row", "repaint_inverted_mask", "repaint_blends"),
    note="Missing entries of x0 and their noise are exchanged for others.",
)
def test_repaint_looks_at_nothing_missing(student, inputs):
    """What stands at missing entries of x0 changes nothing, and rows do not touch each other."""
    x_previous, x0, observed, noise = random_case(inputs)
    schedule = coarse_schedule(inputs)
    due = due_of(x_previous, x0, observed, 1, noise, schedule)
    other = np.where(observed, x0, 50.0), np.where(observed, noise, -30.0)
    seen = student.repaint_step(x_previous, other[0], observed, 1, other[1], schedule)
    expect(seen).matches(due)

    def call(x_previous, x0, observed, noise):
        return student.repaint_step(x_previous, x0, observed, 1, noise, schedule)

    laws.expect_rows_independent(call, batched=(x_previous, x0, observed, noise))


@mistake(
    "repaint_step",
    kind="axis",
    hint="Known entries get the level that the step has led to, t_previous, not the last one.",
)
def repaint_level_t(x_previous, x0, observed, t_previous, noise, schedule):
    return diffusion.repaint_step(x_previous, x0, observed, t_previous + 1, noise, schedule)


@mistake("repaint_step", kind="concept", hint="True means known: the other entries are painted.")
def repaint_inverted_mask(x_previous, x0, observed, t_previous, noise, schedule):
    return diffusion.repaint_step(x_previous, x0, ~observed, t_previous, noise, schedule)


@mistake("repaint_step", kind="randomness", hint="Known entries have noise of their level, too.")
def repaint_without_noise(x_previous, x0, observed, t_previous, noise, schedule):
    return diffusion.repaint_step(x_previous, x0, observed, t_previous, 0.0 * noise, schedule)


@mistake("repaint_step", kind="concept", hint="Above the data, known entries are noisy, not x0.")
def repaint_pure_data(x_previous, x0, observed, t_previous, noise, schedule):
    return diffusion.repaint_step(x_previous, x0, observed, -1, noise, schedule)


@mistake("repaint_step", kind="concept", hint="At t_previous = -1 there is no noise left: x0.")
def repaint_noisy_data(x_previous, x0, observed, t_previous, noise, schedule):
    level = max(t_previous, 0)
    return diffusion.repaint_step(x_previous, x0, observed, level, noise, schedule)


@mistake(
    "repaint_step",
    kind="axis",
    hint="t_previous = -1 means the data; place -1 of the schedule is its last level.",
)
def repaint_wraps_around(x_previous, x0, observed, t_previous, noise, schedule):
    level = t_previous % int(schedule["betas"].shape[0])
    return diffusion.repaint_step(x_previous, x0, observed, level, noise, schedule)


@mistake("repaint_step", kind="scale", hint="Both shares are square roots.")
def repaint_no_sqrt(x_previous, x0, observed, t_previous, noise, schedule):
    if t_previous < 0:
        return tf.where(observed, x0, x_previous)
    left = tf.cast(schedule["alpha_bars"][t_previous], x0.dtype)
    return tf.where(observed, left * x0 + (1.0 - left) * noise, x_previous)


@mistake("repaint_step", kind="concept", hint="From the data it takes alpha_bar, not alpha.")
def repaint_of_one_step(x_previous, x0, observed, t_previous, noise, schedule):
    wrong = {**schedule, "alpha_bars": schedule["alphas"]}
    if t_previous == 0:
        wrong = {**schedule, "alpha_bars": schedule["alphas"] ** 2}
    return diffusion.repaint_step(x_previous, x0, observed, t_previous, noise, wrong)


@mistake("repaint_step", kind="randomness", hint="Use the noise that is handed in; draw nothing.")
def repaint_own_noise(x_previous, x0, observed, t_previous, noise, schedule):
    own = tf.random.normal(tf.shape(x0), dtype=x0.dtype)
    return diffusion.repaint_step(x_previous, x0, observed, t_previous, own, schedule)


@mistake("repaint_step", kind="lazy", hint="What the step has painted stays as it is.")
def repaint_moves_the_rest(x_previous, x0, observed, t_previous, noise, schedule):
    known = diffusion.repaint_step(x_previous, x0, observed, t_previous, noise, schedule)
    return tf.where(observed, known, noise) if t_previous >= 0 else known


@mistake("repaint_step", kind="lazy", hint="Known entries have to be put back.")
def repaint_returns_the_step(x_previous, x0, observed, t_previous, noise, schedule):
    return x_previous


@mistake("repaint_step", kind="axis", hint="Each row has known entries of its own.")
def repaint_mask_of_the_first_row(x_previous, x0, observed, t_previous, noise, schedule):
    same = observed[:1] | tf.zeros_like(observed)
    return diffusion.repaint_step(x_previous, x0, same, t_previous, noise, schedule)


@mistake("repaint_step", kind="numerics", hint="Float64 rows give a float64 result.")
def repaint_in_float32(x_previous, x0, observed, t_previous, noise, schedule):
    step = diffusion.repaint_step(x_previous, x0, observed, t_previous, noise, schedule)
    return tf.cast(step, tf.float32)


@mistake("repaint_step", kind="concept", hint="Known and painted entries are not mixed: choose.")
def repaint_blends(x_previous, x0, observed, t_previous, noise, schedule):
    known = diffusion.repaint_step(
        x_previous, x0, tf.ones_like(observed), t_previous, noise, schedule
    )
    return tf.where(observed, 0.9 * known + 0.1 * x_previous, 0.9 * x_previous + 0.1 * known)


@alternative("repaint_step")
def repaint_by_noising(x_previous, x0, observed, t_previous, noise, schedule):
    if t_previous == -1:
        known = x0
    else:
        levels = tf.fill((x0.shape[0],), t_previous)
        known = q_sample(x0, levels, noise, schedule)  # noqa: F821
    return tf.where(observed, known, x_previous)


@alternative("repaint_step")
def repaint_in_python_numbers(x_previous, x0, observed, t_previous, noise, schedule):
    left = float(schedule["alpha_bars"][t_previous]) if t_previous >= 0 else 1.0
    return tf.where(observed, left**0.5 * x0 + (1 - left) ** 0.5 * noise, x_previous)


@alternative("repaint_step")
def repaint_from_the_other_side(x_previous, x0, observed, t_previous, noise, schedule):
    bars = tf.concat([[1.0], tf.cast(schedule["alpha_bars"], tf.float64)], axis=0)
    left = tf.cast(bars[t_previous + 1], x0.dtype)
    known = tf.sqrt(left) * x0 + tf.sqrt(1 - left) * noise
    return tf.where(tf.logical_not(observed), x_previous, known)


@alternative("repaint_step")
def repaint_by_floats(x_previous, x0, observed, t_previous, noise, schedule):
    known = tf.cast(observed, x0.dtype)
    if t_previous >= 0:
        t = tf.repeat(t_previous, x0.shape[0])
        x0 = q_sample(x0, t, noise, schedule)  # noqa: F821
    return known * x0 + (1 - known) * x_previous


@alternative("repaint_step")
def repaint_by_scatter(x_previous, x0, observed, t_previous, noise, schedule):
    places = tf.where(observed)
    known = tf.gather_nd(x0, places)
    if t_previous >= 0:
        left = tf.cast(schedule["alpha_bars"][t_previous], x0.dtype)
        known = tf.sqrt(left) * known + tf.sqrt(1 - left) * tf.gather_nd(noise, places)
    return tf.tensor_scatter_nd_update(x_previous, places, known)
