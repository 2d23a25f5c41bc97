"""Exercise 6: fewer steps."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, mistake, probe
from reference import diffusion

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_SCHEDULE = {
    "betas": np.array([0.36, 0.4375]),
    "alphas": np.array([0.64, 0.5625]),
    "alpha_bars": np.array([0.64, 0.36]),
}
SHOWN_X_T = np.array([[2, 0.8, -0.6], [2.2, 0.6, -0.8]], np.float32)
SHOWN_NOISE = np.array([[1, 2, -1], [0, 0, 0]], np.float32)


@probe
def levels(student, T, S):
    """Returns the levels to visit."""
    return student.ddim_timesteps(int(T), int(S))


@probe
def stepped(student, x, t, t_previous, eta, noise, schedule, slope, offset):
    """Makes one step with a model that is linear at each level."""

    def noise_model(x, t):
        gain, shift = (tf.cast(tf.gather(values, t), x.dtype) for values in (slope, offset))
        return gain * x + shift

    return student.ddim_step(noise_model, x, int(t), int(t_previous), eta, noise, schedule)


@probe
def whole_way(student, x, visited, schedule, slope, offset):
    """Makes all steps without noise, from level to level, at last to the data."""

    def noise_model(x, t):
        gain, shift = (tf.cast(tf.gather(values, t), x.dtype) for values in (slope, offset))
        return gain * x + shift

    for t, t_previous in zip(visited[:-1], visited[1:], strict=True):
        now, before, none = int(t), int(t_previous), tf.zeros_like(x)
        x = student.ddim_step(noise_model, x, now, before, 0.0, none, schedule)
    return x


@probe
def levels_told(student, x, schedule):
    """Returns how many axes the levels have that the model gets, how many there are, their sum."""
    seen = []

    def noise_model(x, t):
        seen.append([len(t.shape), int(np.prod(t.shape)), tf.reduce_sum(tf.cast(t, tf.int64))])
        return x

    student.ddim_step(noise_model, x, 3, 1, 0.0, x, schedule)
    return np.array([[int(number) for number in row] for row in seen])


def random_case(inputs, event=(3,)):
    """Returns x_t and noise of seven rows, a schedule of five levels and a model, float64."""
    betas = np.array([0.2, 0.3, 0.4, 0.5, 0.6]) + inputs.uniform(-0.04, 0.04, 5)
    betas = inputs.permutation(betas)
    schedule = {"betas": betas, "alphas": 1 - betas, "alpha_bars": np.cumprod(1 - betas)}
    shape = (7, *event)
    model = inputs.uniform(-0.5, 0.8, (5, *event)), inputs.normal(size=(5, *event))
    return 2 * inputs.normal(size=shape), inputs.normal(size=shape), schedule, *model


def due_of(x, t, t_previous, eta, noise, schedule, slope, offset):
    """Returns what a step leads to."""
    left = schedule["alpha_bars"][t]
    before = schedule["alpha_bars"][t_previous] if t_previous >= 0 else 1.0
    guess = slope[t] * x + offset[t]
    x0 = (x - np.sqrt(1 - left) * guess) / np.sqrt(left)
    sigma = eta * np.sqrt((1 - before) / (1 - left)) * np.sqrt(1 - left / before)
    rest = np.sqrt(np.maximum(1 - before - sigma**2, 0))
    return np.sqrt(before) * x0 + rest * guess + sigma * noise


def shown_model():
    """Returns a model that always says 0.5."""
    return np.zeros((2, 3), np.float32), np.full((2, 3), 0.5, np.float32)


@exercise(
    "ddim_timesteps",
    points=1,
    visible=True,
    mistakes=("levels_rise", "levels_stop_above_zero", "levels_one_more"),
)
def test_levels_shown(student):
    """Four of ten levels are 9, 6, 3 and 0, in this order."""
    expect(levels(student, 10, 4)).matches(np.array([9, 6, 3, 0]))


@exercise(
    "ddim_timesteps",
    points=2,
    depends_on=("predict_x0",),
    visible=True,
    mistakes=("ddim_data_wrap_around", "ddim_noise_in_the_direction"),
)
def test_ddim_shown_values(student):
    """Without noise, a step mixes the guess and the predicted noise anew in the next shares."""
    for t, before, scales in ((1, 0, (0.8, 0.6)), (1, -1, (1.0, 0.0)), (0, -1, (1.0, 0.0))):
        seen = stepped(
            student, SHOWN_X_T, t, before, 0.0, SHOWN_NOISE, SHOWN_SCHEDULE, *shown_model()
        )
        guess = (SHOWN_X_T - 0.4) / 0.6 if t else (SHOWN_X_T - 0.3) / 0.8
        due = scales[0] * guess + scales[1] * 0.5
        expect(seen).matches(due.astype(np.float32))


@exercise(
    "ddim_timesteps",
    points=2,
    mistakes=(
        "levels_rise",
        "levels_stop_above_zero",
        "levels_begin_below",
        "levels_quadratic",
        "levels_as_floats",
        "levels_one_more",
        "levels_end_with_the_data",
        "levels_from_one",
    ),
    note="Any rounding is right that leaves gaps equal to within 1.",
)
def test_levels_fall_evenly(student, inputs):
    """S whole levels fall from T - 1 to 0, with gaps that are equal to within 1."""
    for T, S in ((23, 6), (1000, 7), (50, 50), (5, 2), (int(inputs.integers(70, 99)), 9)):
        seen = levels(student, T, S)
        expect(seen).array((S,), np.int64)
        visited = np.asarray(seen).astype(np.int64)
        expect(visited[[0, -1]], "the first level is T - 1, the last one 0").equals([T - 1, 0])
        gaps = visited[:-1] - visited[1:]
        even = bool(gaps.min() >= 1 and gaps.max() - gaps.min() <= 1)
        expect(even, "levels fall, with gaps that are equal to within 1").equals(True)


@exercise(
    "ddim_timesteps",
    points=2,
    depends_on=("predict_x0",),
    mistakes=(
        "ddim_sigma_formula",
        "ddim_eta_ignored",
        "ddim_eta_always_one",
        "ddim_direction_keeps_its_length",
        "ddim_direction_no_sqrt",
        "ddim_variance_as_deviation",
        "ddim_previous_is_t_minus_one",
        "ddim_noise_in_the_direction",
        "ddim_guess_of_the_level_before",
        "ddim_clips_the_guess",
        "ddim_in_float32",
        "ddim_guess_not_scaled",
    ),
    note="Leaps of one to four levels, eta of 0, 0.6 and 1, float64.",
)
def test_ddim_mixes_the_three_parts(student, inputs):
    """A step mixes the guess of the data, the predicted noise and new noise in the due shares."""
    x, noise, schedule, *model = random_case(inputs)
    for t, before, eta in ((4, 3, 0.6), (4, 0, 0.6), (3, 1, 1.0), (2, 0, 0.0), (3, -1, 0.6)):
        seen = stepped(student, x, t, before, eta, noise, schedule, *model)
        # An eta that went through float32 on its way to a tensor is no error.
        due = due_of(x, t, before, eta, noise, schedule, *model)
        expect(seen).matches(due, tolerance=1e-6)


@exercise(
    "ddim_timesteps",
    points=1,
    depends_on=("predict_x0", "p_sample"),
    mistakes=(
        "ddim_sigma_formula",
        "ddim_eta_ignored",
        "ddim_direction_keeps_its_length",
        "ddim_variance_as_deviation",
    ),
    note="An identity: eta = 1, one level at a time.",
)
def test_ddim_with_all_noise_is_ddpm(student, inputs):
    """With eta = 1, a step to the level before is the step of exercise 5 with 'posterior'."""
    x, noise, schedule, *model = random_case(inputs)
    for t in range(5):
        levels_of_t = tf.fill((7,), t)
        tensors = {name: tf.constant(values) for name, values in schedule.items()}
        guess = diffusion.predict_x0(x, levels_of_t, model[0][t] * x + model[1][t], tensors)
        mean, variance = diffusion.posterior_mean_var(guess, x, levels_of_t, tensors)
        due = mean.numpy() + np.sqrt(variance.numpy()) * noise
        seen = stepped(student, x, t, t - 1, 1.0, noise, schedule, *model)
        expect(seen).matches(due, tolerance=1e-7)


@exercise(
    "ddim_timesteps",
    points=1,
    depends_on=("predict_x0",),
    mistakes=(
        "ddim_eta_always_one",
        "ddim_noise_in_the_direction",
        "ddim_data_wrap_around",
        "ddim_previous_is_t_minus_one",
        "ddim_guess_not_scaled",
    ),
    note="The exact model of normal data: with eta = 0 the way is a linear map.",
)
def test_ddim_without_noise_is_a_linear_map(student, inputs):
    """For normal data and eta = 0, the whole way multiplies the noise by an exact factor."""
    _, _, schedule, *_ = random_case(inputs)
    mean, variance = np.array([1.0, -0.5]), np.array([0.25, 1.44])
    left = schedule["alpha_bars"][:, np.newaxis]
    slope = np.sqrt(1 - left) / (left * variance + 1 - left)
    offset = -slope * np.sqrt(left) * mean
    visited = np.array([4, 2, 1, -1])
    due_gain, due_shift = np.ones(2), np.zeros(2)
    shares = np.append(schedule["alpha_bars"], 1.0)
    for t, before in ((4, 2), (2, 1), (1, -1)):
        a, b = shares[t], shares[before]
        ratio = np.sqrt(b / a)
        factor = ratio + (np.sqrt(1 - b) - ratio * np.sqrt(1 - a)) * slope[t]
        due_shift = factor * due_shift + (np.sqrt(1 - b) - ratio * np.sqrt(1 - a)) * offset[t]
        due_gain = factor * due_gain
    x = inputs.normal(size=(7, 2))
    seen = whole_way(student, x, visited, schedule, slope, offset)
    expect(seen).matches(due_gain * x + due_shift)


@exercise(
    "ddim_timesteps",
    points=1,
    depends_on=("predict_x0",),
    mistakes=("ddim_one_level_for_the_model", "ddim_same_noise_for_all"),
    note="Also images of 6x5 pixels and two channels.",
)
def test_ddim_tells_the_model_the_level(student, inputs):
    """The model gets the level once per row, of shape (B,); images keep their own noise."""
    x, noise, schedule, *model = random_case(inputs, (6, 5, 2))
    seen = np.asarray(levels_told(student, x, schedule))
    called = seen.ndim == 2 and len(seen) > 0
    expect(called, "the model is called").equals(True)
    right = bool(np.all(seen == np.array([[1, 7, 21]])))
    expect(right, "the model gets the level t once per row, in the shape (B,)").equals(True)
    seen = stepped(student, x, 3, 1, 0.7, noise, schedule, *model)
    expect(seen).matches(due_of(x, 3, 1, 0.7, noise, schedule, *model), tolerance=1e-6)


@mistake("ddim_timesteps", kind="concept", hint="The levels fall: the way back begins at T - 1.")
def levels_rise(T, S):
    return diffusion.ddim_timesteps(T, S)[::-1]


@mistake("ddim_timesteps", kind="axis", hint="The last level that is visited is 0.")
def levels_stop_above_zero(T, S):
    return tf.constant(np.round(np.linspace(T - 1, 0, S, endpoint=False)), tf.int32)


@mistake("ddim_timesteps", kind="axis", hint="The first level that is visited is T - 1.")
def levels_begin_below(T, S):
    return tf.constant([(S - 1 - k) * (T // S) for k in range(S)], tf.int32)


@mistake("ddim_timesteps", kind="concept", hint="The gaps are equal to within 1.")
def levels_quadratic(T, S):
    levels = np.round(np.linspace(0, (T - 1) ** 0.5, S) ** 2)
    return tf.constant(levels[::-1].copy(), tf.int32)


@mistake("ddim_timesteps", kind="numerics", hint="Levels are whole numbers.")
def levels_as_floats(T, S):
    return tf.cast(diffusion.ddim_timesteps(T, S), tf.float32)


@mistake("ddim_timesteps", kind="axis", hint="S levels are asked for: here is one more.")
def levels_one_more(T, S):
    return tf.constant(np.round(np.linspace(T - 1, 0, S + 1)), tf.int32)


@mistake(
    "ddim_timesteps",
    kind="axis",
    hint="-1 stands for the data and is not among the levels that are visited.",
)
def levels_end_with_the_data(T, S):
    return tf.constant(np.round(np.linspace(T - 1, -1, S)), tf.int32)


@mistake("ddim_timesteps", kind="axis", hint="Levels are counted from 0 to T - 1.")
def levels_from_one(T, S):
    return tf.constant(np.round(np.linspace(T, 1, S)), tf.int32)


@mistake(
    "ddim_timesteps",
    kind="concept",
    function="ddim_step",
    hint="sigma: 1 - alpha_bar of the earlier level stands above the line, not below.",
)
def ddim_sigma_formula(noise_model, x_t, t, t_previous, eta, noise, schedule):
    left = tf.cast(schedule["alpha_bars"][t], x_t.dtype)
    before = tf.cast(schedule["alpha_bars"][max(t_previous, 0)], x_t.dtype)
    before = before if t_previous >= 0 else tf.ones_like(before)
    predicted = noise_model(x_t, tf.fill(x_t.shape[:1], t))
    x0 = (x_t - tf.sqrt(1.0 - left) * predicted) / tf.sqrt(left)
    below = tf.maximum(1.0 - before, 1e-6)
    sigma = eta * tf.sqrt((1.0 - left) / below) * tf.sqrt(1.0 - left / before)
    direction = tf.sqrt(tf.maximum(1.0 - before - sigma**2, 0.0))
    return tf.sqrt(before) * x0 + direction * predicted + sigma * noise


@mistake("ddim_timesteps", kind="lazy", function="ddim_step", hint="eta has no influence.")
def ddim_eta_ignored(noise_model, x_t, t, t_previous, eta, noise, schedule):
    return diffusion.ddim_step(noise_model, x_t, t, t_previous, 0.0, noise, schedule)


@mistake(
    "ddim_timesteps",
    kind="randomness",
    function="ddim_step",
    hint="eta says how much noise is new; with 0 there is none.",
)
def ddim_eta_always_one(noise_model, x_t, t, t_previous, eta, noise, schedule):
    return diffusion.ddim_step(noise_model, x_t, t, t_previous, 1.0, noise, schedule)


@mistake(
    "ddim_timesteps",
    kind="concept",
    function="ddim_step",
    hint="New noise takes the place of predicted noise: the direction has 1 - alpha_bar - sigma².",
)
def ddim_direction_keeps_its_length(noise_model, x_t, t, t_previous, eta, noise, schedule):
    step = diffusion.ddim_step(noise_model, x_t, t, t_previous, 0.0, noise, schedule)
    none = diffusion.ddim_step(noise_model, x_t, t, t_previous, eta, 0.0 * noise, schedule)
    return step + diffusion.ddim_step(noise_model, x_t, t, t_previous, eta, noise, schedule) - none


@mistake(
    "ddim_timesteps",
    kind="scale",
    function="ddim_step",
    hint="The share of the predicted noise is a square root.",
)
def ddim_direction_no_sqrt(noise_model, x_t, t, t_previous, eta, noise, schedule):
    left = tf.cast(schedule["alpha_bars"][t], x_t.dtype)
    before = tf.cast(schedule["alpha_bars"][max(t_previous, 0)], x_t.dtype)
    before = before if t_previous >= 0 else tf.ones_like(before)
    predicted = noise_model(x_t, tf.fill(x_t.shape[:1], t))
    x0 = (x_t - tf.sqrt(1.0 - left) * predicted) / tf.sqrt(left)
    sigma = eta * tf.sqrt((1.0 - before) / (1.0 - left)) * tf.sqrt(1.0 - left / before)
    return tf.sqrt(before) * x0 + (1.0 - before - sigma**2) * predicted + sigma * noise


@mistake(
    "ddim_timesteps",
    kind="scale",
    function="ddim_step",
    hint="New noise is scaled by sigma, not by its square.",
)
def ddim_variance_as_deviation(noise_model, x_t, t, t_previous, eta, noise, schedule):
    mean = diffusion.ddim_step(noise_model, x_t, t, t_previous, eta, 0.0 * noise, schedule)
    part = diffusion.ddim_step(noise_model, x_t, t, t_previous, eta, noise, schedule) - mean
    return mean + (part / noise) ** 2 * noise


@mistake(
    "ddim_timesteps",
    kind="lazy",
    function="ddim_step",
    hint="The step leads to t_previous, which need not be t - 1.",
)
def ddim_previous_is_t_minus_one(noise_model, x_t, t, t_previous, eta, noise, schedule):
    return diffusion.ddim_step(noise_model, x_t, t, t - 1, eta, noise, schedule)


@mistake(
    "ddim_timesteps",
    kind="axis",
    function="ddim_step",
    hint="At t_previous = -1 alpha_bar is 1: place -1 of the schedule is its last level.",
)
def ddim_data_wrap_around(noise_model, x_t, t, t_previous, eta, noise, schedule):
    if t_previous < 0:
        t_previous = int(schedule["betas"].shape[0]) - 1
    left = tf.cast(schedule["alpha_bars"][t], x_t.dtype)
    before = tf.cast(schedule["alpha_bars"][t_previous], x_t.dtype)
    predicted = noise_model(x_t, tf.fill(x_t.shape[:1], t))
    x0 = (x_t - tf.sqrt(1.0 - left) * predicted) / tf.sqrt(left)
    fresh = tf.maximum(1.0 - left / before, 0.0)
    sigma = eta * tf.sqrt((1.0 - before) / (1.0 - left)) * tf.sqrt(fresh)
    return tf.sqrt(before) * x0 + tf.sqrt(1.0 - before - sigma**2) * predicted + sigma * noise


@mistake(
    "ddim_timesteps",
    kind="randomness",
    function="ddim_step",
    hint="The direction is made of predicted noise, not of new noise.",
)
def ddim_noise_in_the_direction(noise_model, x_t, t, t_previous, eta, noise, schedule):
    levels = tf.fill(x_t.shape[:1], t)
    x0 = diffusion.predict_x0(x_t, levels, noise_model(x_t, levels), schedule)
    if t_previous < 0:
        return x0 + 0.1 * noise
    return diffusion.q_sample(x0, 0 * levels + t_previous, noise, schedule)


@mistake(
    "ddim_timesteps",
    kind="axis",
    function="ddim_step",
    hint="The data are guessed from x_t, so with alpha_bar of level t.",
)
def ddim_guess_of_the_level_before(noise_model, x_t, t, t_previous, eta, noise, schedule):
    step = diffusion.ddim_step(noise_model, x_t, t, t_previous, eta, noise, schedule)
    levels = tf.fill(x_t.shape[:1], t)
    predicted = noise_model(x_t, levels)
    right = diffusion.predict_x0(x_t, levels, predicted, schedule)
    if t_previous < 0:
        return step
    wrong = diffusion.predict_x0(x_t, 0 * levels + t_previous, predicted, schedule)
    return step + tf.sqrt(tf.cast(schedule["alpha_bars"][t_previous], x_t.dtype)) * (wrong - right)


@mistake(
    "ddim_timesteps",
    kind="numerics",
    function="ddim_step",
    hint="The guessed data are used as they are, not clipped.",
)
def ddim_clips_the_guess(noise_model, x_t, t, t_previous, eta, noise, schedule):
    step = diffusion.ddim_step(noise_model, x_t, t, t_previous, eta, noise, schedule)
    levels = tf.fill(x_t.shape[:1], t)
    guess = diffusion.predict_x0(x_t, levels, noise_model(x_t, levels), schedule)
    off = tf.clip_by_value(guess, -1.0, 1.0) - guess
    share = schedule["alpha_bars"][t_previous] if t_previous >= 0 else 1.0
    return step + tf.sqrt(tf.cast(share, x_t.dtype)) * off


@mistake(
    "ddim_timesteps",
    kind="numerics",
    function="ddim_step",
    hint="Float64 rows give a float64 result.",
)
def ddim_in_float32(noise_model, x_t, t, t_previous, eta, noise, schedule):
    step = diffusion.ddim_step(noise_model, x_t, t, t_previous, eta, noise, schedule)
    return tf.cast(step, tf.float32)


@mistake(
    "ddim_timesteps",
    kind="lazy",
    function="ddim_step",
    hint="The guess of the data has the factor sqrt(alpha_bar) of the earlier level.",
)
def ddim_guess_not_scaled(noise_model, x_t, t, t_previous, eta, noise, schedule):
    step = diffusion.ddim_step(noise_model, x_t, t, t_previous, eta, noise, schedule)
    levels = tf.fill(x_t.shape[:1], t)
    guess = diffusion.predict_x0(x_t, levels, noise_model(x_t, levels), schedule)
    share = schedule["alpha_bars"][t_previous] if t_previous >= 0 else 1.0
    return step + (1.0 - tf.sqrt(tf.cast(share, x_t.dtype))) * guess


@mistake(
    "ddim_timesteps",
    kind="axis",
    function="ddim_step",
    hint="The model gets one level per row, in the shape (B,).",
)
def ddim_one_level_for_the_model(noise_model, x_t, t, t_previous, eta, noise, schedule):
    def told_once(x, t):
        return noise_model(x, t[0])

    return diffusion.ddim_step(told_once, x_t, t, t_previous, eta, noise, schedule)


@mistake(
    "ddim_timesteps", kind="axis", function="ddim_step", hint="Each row has noise of its own."
)
def ddim_same_noise_for_all(noise_model, x_t, t, t_previous, eta, noise, schedule):
    same = noise[:1] + 0.0 * noise
    return diffusion.ddim_step(noise_model, x_t, t, t_previous, eta, same, schedule)


@alternative("ddim_timesteps")
def levels_rounded_down(T, S):
    return tf.constant([(S - 1 - k) * (T - 1) // (S - 1) for k in range(S)])


@alternative("ddim_timesteps")
def levels_in_numpy(T, S):
    return np.linspace(0, T - 1, S).round().astype(int)[::-1].copy()


@alternative("ddim_timesteps")
def levels_in_tensorflow(T, S):
    line = tf.linspace(tf.cast(T - 1, tf.float64), tf.cast(0, tf.float64), S)
    return tf.cast(tf.floor(line + 1e-9), tf.int64)


@alternative("ddim_timesteps", function="ddim_step")
def ddim_by_the_guess(noise_model, x_t, t, t_previous, eta, noise, schedule):
    levels = tf.fill((x_t.shape[0],), t)
    predicted = noise_model(x_t, levels)
    x0 = predict_x0(x_t, levels, predicted, schedule)  # noqa: F821
    bars = tf.concat([tf.ones((1,), x_t.dtype), tf.cast(schedule["alpha_bars"], x_t.dtype)], 0)
    left, before = bars[t + 1], bars[t_previous + 1]
    sigma = eta * tf.sqrt((1 - before) / (1 - left) * (1 - left / before))
    direction = tf.sqrt(tf.nn.relu(1 - before - sigma**2))
    return tf.sqrt(before) * x0 + direction * predicted + sigma * noise


@alternative("ddim_timesteps", function="ddim_step")
def ddim_in_python_numbers(noise_model, x_t, t, t_previous, eta, noise, schedule):
    left = float(schedule["alpha_bars"][t])
    before = 1.0 if t_previous == -1 else float(schedule["alpha_bars"][t_previous])
    predicted = noise_model(x_t, tf.fill((x_t.shape[0],), t))
    variance = eta**2 * (1 - before) / (1 - left) * (1 - left / before)
    factor = (before / left) ** 0.5
    rest = max(1 - before - variance, 0.0) ** 0.5 - factor * (1 - left) ** 0.5
    return factor * x_t + rest * predicted + variance**0.5 * noise


@alternative("ddim_timesteps", function="ddim_step")
def ddim_by_where(noise_model, x_t, t, t_previous, eta, noise, schedule):
    shares = tf.cast(schedule["alpha_bars"], tf.float64)
    left, before = shares[t], tf.where(t_previous < 0, 1.0, shares[max(t_previous, 0)])
    sigma = eta * tf.sqrt((1 - before) / (1 - left)) * tf.sqrt(1 - left / before)
    rest = tf.sqrt(tf.maximum(1 - before - sigma**2, 0.0))
    parts = (before**0.5, rest, sigma, left**0.5, (1 - left) ** 0.5)
    a, b, c, d, e = (tf.cast(part, x_t.dtype) for part in parts)
    predicted = noise_model(x_t, tf.repeat(t, x_t.shape[0]))
    return a * (x_t - e * predicted) / d + b * predicted + c * noise
