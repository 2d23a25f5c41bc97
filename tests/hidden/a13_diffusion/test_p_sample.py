"""Exercise 5: from noise to data, step by step."""

import numpy as np
import tensorflow as tf

from autograder.checks import (
    alternative,
    exercise,
    expect,
    laws,
    mistake,
    probe,
    sampling,
    tensorflow_rng,
)
from reference import diffusion

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_SCHEDULE = {
    "betas": np.array([0.36, 0.4375]),
    "alphas": np.array([0.64, 0.5625]),
    "alpha_bars": np.array([0.64, 0.36]),
}
SHOWN_X_T = np.array([[2, 0.8, -0.6], [2.2, 0.6, -0.8]], np.float32)
SHOWN_NOISE = np.array([[1, 2, -1], [0, 0, 0]], np.float32)

# A coarse schedule, on which errors show that 1,000 fine steps would hide, and normal data.
BETAS = np.array([0.2, 0.3, 0.4, 0.5, 0.6])
SCHEDULE = {"betas": BETAS, "alphas": 1 - BETAS, "alpha_bars": np.cumprod(1 - BETAS)}
MEAN, VARIANCE = np.array([1.0, -0.5]), np.array([0.25, 1.44])


@probe
def stepped(student, x, t, noise, schedule, slope, offset, variance_type):
    """Makes one step back with a model that is linear at each level."""

    def noise_model(x, t):
        gain, shift = (tf.cast(tf.gather(values, t), x.dtype) for values in (slope, offset))
        return gain * x + shift

    return student.p_sample(noise_model, x, int(t), noise, schedule, variance_type)


@probe
def drawn(student, count, schedule, slope, offset, variance_type, rng):
    """Draws rows with a model that is linear at each level."""

    def noise_model(x, t):
        gain, shift = (tf.cast(tf.gather(values, t), x.dtype) for values in (slope, offset))
        return gain * x + shift

    shape = (int(count), slope.shape[1])
    return student.sample_ddpm(noise_model, shape, schedule, rng, variance_type)


@probe
def drawn_twice(student, count, schedule, slope, offset, rng):
    """Draws rows with 'beta', then as many with the default, and joins them side by side."""

    def noise_model(x, t):
        gain, shift = (tf.cast(tf.gather(values, t), x.dtype) for values in (slope, offset))
        return gain * x + shift

    shape = (int(count), slope.shape[1])
    first = student.sample_ddpm(noise_model, shape, schedule, rng, "beta")
    second = student.sample_ddpm(noise_model, shape, schedule, rng)
    return tf.concat([first, second], axis=1)


@probe
def levels_told(student, x, t, noise, schedule):
    """Returns how many axes the levels have that the model gets, how many there are, their sum."""
    seen = []

    def noise_model(x, t):
        seen.append([len(t.shape), int(np.prod(t.shape)), tf.reduce_sum(tf.cast(t, tf.int64))])
        return x

    student.p_sample(noise_model, x, int(t), noise, schedule, "beta")
    return np.array([[int(number) for number in row] for row in seen])


def random_case(inputs, event=(3,)):
    """Returns x_t and noise of seven rows, a schedule of five levels and a model, float64."""
    betas = inputs.permutation(BETAS + inputs.uniform(-0.04, 0.04, 5))
    schedule = {"betas": betas, "alphas": 1 - betas, "alpha_bars": np.cumprod(1 - betas)}
    shape = (7, *event)
    model = inputs.uniform(-0.5, 0.8, (5, *event)), inputs.normal(size=(5, *event))
    return 2 * inputs.normal(size=shape), inputs.normal(size=shape), schedule, *model


def variances_of(schedule):
    """Returns the variances of the steps, by name; none at level 0."""
    before = np.concatenate([[1.0], schedule["alpha_bars"][:-1]])
    posterior = schedule["betas"] * (1 - before) / (1 - schedule["alpha_bars"])
    return {"beta": np.where(before < 1, schedule["betas"], 0), "posterior": posterior}


def due_of(x, t, noise, schedule, slope, offset, variance_type):
    """Returns what a step leads to, by the mean that Ho et al. write."""
    beta, left = schedule["betas"][t], schedule["alpha_bars"][t]
    guess = slope[t] * x + offset[t]
    mean = (x - beta / np.sqrt(1 - left) * guess) / np.sqrt(1 - beta)
    return mean + np.sqrt(variances_of(schedule)[variance_type][t]) * noise


def model_of(mean, variance, schedule):
    """Returns slope and offset of the best model for normal data, one row for each level."""
    left = schedule["alpha_bars"][:, np.newaxis]
    slope = np.sqrt(1 - left) / (left * variance + 1 - left)
    return slope, -slope * np.sqrt(left) * mean


def law_of(schedule, slope, offset, variance_type):
    """Returns mean and variance of what the sampler draws, by a linear recursion."""
    mean, variance = np.zeros(slope.shape[1]), np.ones(slope.shape[1])
    for t in range(len(slope))[::-1]:
        shift = due_of(0.0, t, 0.0, schedule, slope, offset, variance_type)
        gain = due_of(1.0, t, 0.0, schedule, slope, offset, variance_type) - shift
        mean = gain * mean + shift
        variance = gain**2 * variance + variances_of(schedule)[variance_type][t]
    return mean, variance


def shown_model():
    """Returns a model that always says 0.5."""
    return np.zeros((2, 3), np.float32), np.full((2, 3), 0.5, np.float32)


@exercise(
    "p_sample",
    points=1,
    depends_on=("predict_x0",),
    visible=True,
    mistakes=("step_added_up", "draw_all_levels"),
)
def test_reverse_shown_shape_and_dtype(student):
    """A step keeps shape and dtype; draws have the shape that is asked for, in float32."""
    seen = stepped(student, SHOWN_X_T, 1, SHOWN_NOISE, SHOWN_SCHEDULE, *shown_model(), "beta")
    expect(seen).array("B D", np.float32, B=2, D=3)
    rng = tensorflow_rng.seeded(1)
    seen = drawn(student, 5, SHOWN_SCHEDULE, *shown_model(), "posterior", rng)
    expect(seen).array("B D", np.float32, B=5, D=3).finite()
    spread = bool(np.asarray(seen).std() > 0.1)
    expect(spread, "draws that differ").equals(True)


@exercise(
    "p_sample",
    points=2,
    depends_on=("predict_x0",),
    visible=True,
    mistakes=("no_sqrt", "noise_at_t0", "step_without_noise"),
)
def test_reverse_shown_values(student):
    """From level 1 noise is scaled by the root of the variance asked for, from level 0 by 0."""
    model = shown_model()
    for t, kind, scale in (
        (1, "beta", 0.4375**0.5),
        (1, "posterior", 0.24609375**0.5),
        (0, "beta", 0.0),
    ):
        seen = stepped(student, SHOWN_X_T, t, SHOWN_NOISE, SHOWN_SCHEDULE, *model, kind)
        mean = (SHOWN_X_T - 0.2734375) / 0.75 if t else (SHOWN_X_T - 0.3) / 0.8
        expect(seen).matches((mean + scale * SHOWN_NOISE).astype(np.float32))


@exercise(
    "p_sample",
    points=3,
    depends_on=("predict_x0",),
    mistakes=(
        "no_sqrt",
        "noise_at_t0",
        "clip_eps",
        "step_clips_the_guess",
        "step_always_posterior",
        "step_always_beta",
        "step_types_swapped",
        "step_without_noise",
        "step_mean_over_all",
        "step_mean_of_the_level_before",
        "step_without_scaling_up",
        "step_own_noise",
        "step_in_float32",
        "step_same_noise_for_all",
    ),
    note="All five levels, both variances, a linear model, float64.",
)
def test_step_has_its_mean_and_variance(student, inputs):
    """At each level a step is the mean plus the deviation of its kind times the noise."""
    x, noise, schedule, *model = random_case(inputs)
    for t in range(5):
        for kind in ("beta", "posterior"):
            seen = stepped(student, x, t, noise, schedule, *model, kind)
            expect(seen).matches(due_of(x, t, noise, schedule, *model, kind))


@exercise(
    "p_sample",
    points=1,
    depends_on=("predict_x0",),
    mistakes=(
        "step_mean_over_all",
        "step_mean_of_the_level_before",
        "no_sqrt",
        "noise_at_t0",
        "step_types_swapped",
    ),
    note="Normal data and the exact model on the coarse schedule: a linear recursion.",
)
def test_steps_follow_the_exact_recursion(student):
    """With the exact model of normal data, mean and deviation of each level are the due ones."""
    model = model_of(MEAN, VARIANCE, SCHEDULE)
    for kind in ("beta", "posterior"):
        mean, variance = np.zeros(2), np.ones(2)
        for t in range(5)[::-1]:
            # One standard deviation above the mean, and noise that adds in quadrature.
            rows = np.stack([mean, mean + np.sqrt(variance), mean])
            noise = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
            seen = stepped(student, rows, t, noise, SCHEDULE, *model, kind)
            expect(seen).array((3, 2), np.float64).finite()
            middle, above, noisy = np.asarray(seen)
            spread = (above - middle) ** 2 + (noisy - middle) ** 2
            shift = due_of(0.0, t, 0.0, SCHEDULE, *model, kind)
            gain = due_of(1.0, t, 0.0, SCHEDULE, *model, kind) - shift
            mean = gain * mean + shift
            variance = gain**2 * variance + variances_of(SCHEDULE)[kind][t]
            expect(middle, "the mean of this level").close(mean)
            expect(spread, "the variance of this level").close(variance)


@exercise(
    "p_sample",
    points=1,
    depends_on=("predict_x0",),
    mistakes=("step_one_level_for_the_model", "step_other_level_for_the_model"),
    note="Also images of 6x5 pixels and two channels.",
)
def test_step_tells_the_model_the_level(student, inputs):
    """The model gets the level once per row, of shape (B,), also for images."""
    x, noise, schedule, *model = random_case(inputs, (6, 5, 2))
    seen = np.asarray(levels_told(student, x, 3, noise, schedule))
    called = seen.ndim == 2 and len(seen) > 0
    expect(called, "the model is called").equals(True)
    right = bool(np.all(seen == np.array([[1, 7, 21]])))
    expect(right, "the model gets the level t once per row, in the shape (B,)").equals(True)
    seen = stepped(student, x, 3, noise, schedule, *model, "posterior")
    expect(seen).matches(due_of(x, 3, noise, schedule, *model, "posterior"))


@exercise(
    "p_sample",
    points=1,
    depends_on=("predict_x0",),
    mistakes=("step_same_noise_for_all", "step_own_noise"),
)
def test_step_of_each_row_stands_alone(student, inputs):
    """Each row depends on its own x_t and noise only."""
    x, noise, schedule, *model = random_case(inputs)

    def call(x, noise):
        return stepped(student, x, 2, noise, schedule, *model, "beta")

    laws.expect_rows_independent(call, batched=(x, noise))


@exercise(
    "p_sample",
    points=1,
    depends_on=("predict_x0",),
    mistakes=(
        "draw_noise_at_the_end",
        "draw_upwards",
        "draw_stops_early",
        "draw_returns_noise",
    ),
    note="A model that knows that all data are one point; exact, up to float32.",
)
def test_draws_of_a_single_point_are_this_point(student, inputs):
    """If all data are one point, every draw ends there: the last step adds no noise."""
    point = inputs.uniform(1.5, 3, 3)
    model = model_of(point, np.zeros(3), SCHEDULE)
    for kind in ("beta", "posterior"):
        seen = drawn(student, 7, SCHEDULE, *model, kind, tensorflow_rng)
        expect(seen).array((7, 3), np.float32).finite()
        expect(seen).close(np.tile(point, (7, 1)), tolerance=1e-4)


@exercise(
    "p_sample",
    points=3,
    depends_on=("predict_x0",),
    mistakes=(
        "draw_starts_at_zero",
        "draw_same_noise_in_every_step",
        "draw_one_noise_for_all_rows",
        "draw_without_noise",
        "draw_skips_the_first_level",
        "draw_ignores_the_variance",
        "draw_default_is_beta",
        "draw_seed_inside",
        "draw_upwards",
    ),
    note="Normal data, exact model, coarse schedule; two columns drawn with 'beta', two with the "
    "default. 4,000 rows see a standard deviation off by 7 %.",
)
def test_draws_have_the_law_of_the_recursion(student, stages):
    """Draws have exactly the mean and the variance that the linear recursion gives."""
    model = model_of(MEAN, VARIANCE, SCHEDULE)
    (mean, variance), (other_mean, other_variance) = (
        law_of(SCHEDULE, *model, kind) for kind in ("beta", "posterior")
    )

    def rows(count, rng=tensorflow_rng):
        seen = drawn_twice(student, count, SCHEDULE, *model, rng)
        expect(seen).array("B D", np.float32, B=count, D=4).finite()
        return np.asarray(seen)

    law = sampling.moments(
        np.concatenate([mean, other_mean]), np.diag(np.concatenate([variance, other_variance]))
    )
    sampling.expect_law(sampling.draws(rows, 4000, stages), law)


@exercise(
    "p_sample",
    points=1,
    depends_on=("predict_x0",),
    mistakes=("draw_global_generator", "draw_seed_inside"),
)
def test_draws_come_from_the_generator(student):
    """All randomness comes from rng: the same state gives the same result, another a new one."""
    model = model_of(MEAN, VARIANCE, SCHEDULE)

    def call(rng=tensorflow_rng):
        return drawn(student, 7, SCHEDULE, *model, "beta", rng)

    laws.expect_rng_contract(call, ())


@mistake("p_sample", kind="scale", hint="Noise is scaled by the root of the variance.")
def no_sqrt(noise_model, x_t, t, noise, schedule, variance_type):
    mean = diffusion.p_sample(noise_model, x_t, t, 0.0 * noise, schedule, variance_type)
    step = diffusion.p_sample(noise_model, x_t, t, noise, schedule, variance_type) - mean
    root = step / tf.where(noise == 0.0, tf.ones_like(noise), noise)
    return mean + root**2 * noise


@mistake("p_sample", kind="concept", hint="The step from level 0 to the data adds no noise.")
def noise_at_t0(noise_model, x_t, t, noise, schedule, variance_type):
    step = diffusion.p_sample(noise_model, x_t, t, noise, schedule, variance_type)
    beta = tf.cast(schedule["betas"][0], x_t.dtype)
    return step + tf.sqrt(beta) * noise if t == 0 else step


@mistake("p_sample", kind="numerics", hint="The predicted noise is used as it is, not clipped.")
def clip_eps(noise_model, x_t, t, noise, schedule, variance_type):
    def clipped(x, t):
        return tf.clip_by_value(noise_model(x, t), -1.0, 1.0)

    return diffusion.p_sample(clipped, x_t, t, noise, schedule, variance_type)


@mistake("p_sample", kind="numerics", hint="The guessed data are used as they are, not clipped.")
def step_clips_the_guess(noise_model, x_t, t, noise, schedule, variance_type):
    levels = tf.fill(x_t.shape[:1], t)
    guess = diffusion.predict_x0(x_t, levels, noise_model(x_t, levels), schedule)
    clipped = tf.clip_by_value(guess, -1.0, 1.0)
    off, _ = diffusion.posterior_mean_var(clipped - guess, 0.0 * x_t, levels, schedule)
    return diffusion.p_sample(noise_model, x_t, t, noise, schedule, variance_type) + off


@mistake("p_sample", kind="lazy", hint="variance_type decides: beta has a variance of its own.")
def step_always_posterior(noise_model, x_t, t, noise, schedule, variance_type):
    return diffusion.p_sample(noise_model, x_t, t, noise, schedule, "posterior")


@mistake(
    "p_sample", kind="lazy", hint="variance_type decides: the posterior has a variance of its own."
)
def step_always_beta(noise_model, x_t, t, noise, schedule, variance_type):
    return diffusion.p_sample(noise_model, x_t, t, noise, schedule, "beta")


@mistake("p_sample", kind="concept", hint="The two variances have changed places.")
def step_types_swapped(noise_model, x_t, t, noise, schedule, variance_type):
    other = "posterior" if variance_type == "beta" else "beta"
    return diffusion.p_sample(noise_model, x_t, t, noise, schedule, other)


@mistake("p_sample", kind="randomness", hint="A step back is a draw: the noise belongs to it.")
def step_without_noise(noise_model, x_t, t, noise, schedule, variance_type):
    return diffusion.p_sample(noise_model, x_t, t, 0.0 * noise, schedule, variance_type)


@mistake(
    "p_sample",
    kind="scale",
    hint="In the mean, the predicted noise has the factor beta / sqrt(1 - alpha_bar).",
)
def step_mean_over_all(noise_model, x_t, t, noise, schedule, variance_type):
    def too_large(x, t):
        return noise_model(x, t) / tf.sqrt(1.0 - diffusion._at(schedule["alpha_bars"], t, x))

    return diffusion.p_sample(too_large, x_t, t, noise, schedule, variance_type)


@mistake(
    "p_sample",
    kind="axis",
    hint="In the mean stands alpha_bar of this level, not of the level before.",
)
def step_mean_of_the_level_before(noise_model, x_t, t, noise, schedule, variance_type):
    def scaled(x, t):
        now = 1.0 - diffusion._at(schedule["alpha_bars"], t, x)
        before = 1.0 - diffusion._at(diffusion._before(schedule["alpha_bars"]), t, x)
        return noise_model(x, t) * tf.sqrt(now / tf.where(before > 0.0, before, now))

    return diffusion.p_sample(scaled, x_t, t, noise, schedule, variance_type)


@mistake("p_sample", kind="scale", hint="The step has to undo the factor sqrt(alpha), too.")
def step_without_scaling_up(noise_model, x_t, t, noise, schedule, variance_type):
    mean = diffusion.p_sample(noise_model, x_t, t, 0.0 * noise, schedule, variance_type)
    step = diffusion.p_sample(noise_model, x_t, t, noise, schedule, variance_type)
    return step + mean * (tf.sqrt(tf.cast(schedule["alphas"][t], x_t.dtype)) - 1.0)


@mistake("p_sample", kind="randomness", hint="Use the noise that is handed in; draw nothing.")
def step_own_noise(noise_model, x_t, t, noise, schedule, variance_type):
    own = tf.random.normal(tf.shape(x_t), dtype=x_t.dtype)
    return diffusion.p_sample(noise_model, x_t, t, own, schedule, variance_type)


@mistake("p_sample", kind="numerics", hint="Float64 rows give a float64 result.")
def step_in_float32(noise_model, x_t, t, noise, schedule, variance_type):
    step = diffusion.p_sample(noise_model, x_t, t, noise, schedule, variance_type)
    return tf.cast(step, tf.float32)


@mistake("p_sample", kind="axis", hint="Each row has noise of its own.")
def step_same_noise_for_all(noise_model, x_t, t, noise, schedule, variance_type):
    same = noise[:1] + 0.0 * noise
    return diffusion.p_sample(noise_model, x_t, t, same, schedule, variance_type)


@mistake("p_sample", kind="axis", hint="Each entry makes its own step: nothing is added up.")
def step_added_up(noise_model, x_t, t, noise, schedule, variance_type):
    step = diffusion.p_sample(noise_model, x_t, t, noise, schedule, variance_type)
    return tf.reduce_sum(step, axis=-1)


@mistake("p_sample", kind="axis", hint="The model gets one level per row, in the shape (B,).")
def step_one_level_for_the_model(noise_model, x_t, t, noise, schedule, variance_type):
    def told_once(x, t):
        return noise_model(x, t[0])

    return diffusion.p_sample(told_once, x_t, t, noise, schedule, variance_type)


@mistake("p_sample", kind="concept", hint="The model is told the level at which x_t is.")
def step_other_level_for_the_model(noise_model, x_t, t, noise, schedule, variance_type):
    def told_less(x, t):
        return noise_model(x, tf.maximum(t - 1, 0))

    return diffusion.p_sample(told_less, x_t, t, noise, schedule, variance_type)


@mistake(
    "p_sample",
    kind="concept",
    function="sample_ddpm",
    hint="The way back begins with standard normal noise.",
)
def draw_starts_at_zero(noise_model, shape, schedule, rng, variance_type="posterior"):
    x = tf.zeros(shape)
    for t in range(len(schedule["betas"]))[::-1]:
        x = p_sample(noise_model, x, t, rng.normal(shape), schedule, variance_type)  # noqa: F821
    return x


@mistake(
    "p_sample",
    kind="randomness",
    function="sample_ddpm",
    hint="Every step draws new noise.",
)
def draw_same_noise_in_every_step(noise_model, shape, schedule, rng, variance_type="posterior"):
    x, noise = rng.normal(shape), rng.normal(shape)
    for t in range(len(schedule["betas"]))[::-1]:
        x = p_sample(noise_model, x, t, noise, schedule, variance_type)  # noqa: F821
    return x


@mistake(
    "p_sample",
    kind="axis",
    function="sample_ddpm",
    hint="Every row has noise of its own, at the beginning and in every step.",
)
def draw_one_noise_for_all_rows(noise_model, shape, schedule, rng, variance_type="posterior"):
    x, one = rng.normal(shape), (1, *shape[1:])
    for t in range(len(schedule["betas"]))[::-1]:
        noise = rng.normal(one) + 0.0 * x
        x = p_sample(noise_model, x, t, noise, schedule, variance_type)  # noqa: F821
    return x


@mistake(
    "p_sample",
    kind="randomness",
    function="sample_ddpm",
    hint="Steps back are draws: noise is added in all but the last one.",
)
def draw_without_noise(noise_model, shape, schedule, rng, variance_type="posterior"):
    x = rng.normal(shape)
    for t in range(len(schedule["betas"]))[::-1]:
        x = p_sample(noise_model, x, t, tf.zeros(shape), schedule, variance_type)  # noqa: F821
    return x


@mistake(
    "p_sample",
    kind="axis",
    function="sample_ddpm",
    hint="The way back begins at level T - 1.",
)
def draw_skips_the_first_level(noise_model, shape, schedule, rng, variance_type="posterior"):
    x = rng.normal(shape)
    for t in range(len(schedule["betas"]) - 1)[::-1]:
        x = p_sample(noise_model, x, t, rng.normal(shape), schedule, variance_type)  # noqa: F821
    return x


@mistake(
    "p_sample",
    kind="concept",
    function="sample_ddpm",
    hint="The way back goes down from level T - 1 to level 0.",
)
def draw_upwards(noise_model, shape, schedule, rng, variance_type="posterior"):
    x = rng.normal(shape)
    for t in range(len(schedule["betas"])):
        x = p_sample(noise_model, x, t, rng.normal(shape), schedule, variance_type)  # noqa: F821
    return x


@mistake(
    "p_sample",
    kind="axis",
    function="sample_ddpm",
    hint="Level 0 has a step, too: it leads to the data.",
)
def draw_stops_early(noise_model, shape, schedule, rng, variance_type="posterior"):
    x = rng.normal(shape)
    for t in range(1, len(schedule["betas"]))[::-1]:
        x = p_sample(noise_model, x, t, rng.normal(shape), schedule, variance_type)  # noqa: F821
    return x


@mistake(
    "p_sample",
    kind="randomness",
    function="sample_ddpm",
    hint="The step from level 0 to the data adds no noise.",
)
def draw_noise_at_the_end(noise_model, shape, schedule, rng, variance_type="posterior"):
    x = diffusion.sample_ddpm(noise_model, shape, schedule, rng, variance_type)
    return x + tf.sqrt(tf.cast(schedule["betas"][0], x.dtype)) * rng.normal(shape)


@mistake(
    "p_sample",
    kind="lazy",
    function="sample_ddpm",
    hint="Noise alone is where the way back begins.",
)
def draw_returns_noise(noise_model, shape, schedule, rng, variance_type="posterior"):
    return rng.normal(shape)


@mistake(
    "p_sample",
    kind="lazy",
    function="sample_ddpm",
    hint="variance_type is handed on to every step.",
)
def draw_ignores_the_variance(noise_model, shape, schedule, rng, variance_type="posterior"):
    return diffusion.sample_ddpm(noise_model, shape, schedule, rng, "posterior")


@mistake(
    "p_sample",
    kind="lazy",
    function="sample_ddpm",
    hint="Where nothing is said, the variance is that of the posterior.",
)
def draw_default_is_beta(noise_model, shape, schedule, rng, variance_type="beta"):
    return diffusion.sample_ddpm(noise_model, shape, schedule, rng, variance_type)


@mistake(
    "p_sample",
    kind="axis",
    function="sample_ddpm",
    hint="Only the data are returned, not all levels.",
)
def draw_all_levels(noise_model, shape, schedule, rng, variance_type="posterior"):
    x, levels = rng.normal(shape), []
    for t in range(len(schedule["betas"]))[::-1]:
        x = p_sample(noise_model, x, t, rng.normal(shape), schedule, variance_type)  # noqa: F821
        levels.append(x)
    return tf.stack(levels)


@mistake(
    "p_sample",
    kind="randomness",
    function="sample_ddpm",
    hint="A seed inside the function makes all draws the same.",
)
def draw_seed_inside(noise_model, shape, schedule, rng, variance_type="posterior"):
    rng = tf.random.Generator.from_seed(1)
    return diffusion.sample_ddpm(noise_model, shape, schedule, rng, variance_type)


@mistake(
    "p_sample",
    kind="randomness",
    function="sample_ddpm",
    hint="Draw from rng, not from the global generator.",
)
def draw_global_generator(noise_model, shape, schedule, rng, variance_type="posterior"):
    x = tf.random.normal(shape)
    for t in range(len(schedule["betas"]))[::-1]:
        noise = tf.random.normal(shape)
        x = p_sample(noise_model, x, t, noise, schedule, variance_type)  # noqa: F821
    return x


@alternative("p_sample")
def step_by_the_noise(noise_model, x_t, t, noise, schedule, variance_type):
    beta, left = (tf.cast(schedule[key][t], x_t.dtype) for key in ("betas", "alpha_bars"))
    guess = noise_model(x_t, tf.ones((x_t.shape[0],), tf.int32) * t)
    mean = (x_t - beta / tf.sqrt(1 - left) * guess) / tf.sqrt(1 - beta)
    if t == 0:
        return mean
    if variance_type == "posterior":
        beta *= (1 - tf.cast(schedule["alpha_bars"][t - 1], x_t.dtype)) / (1 - left)
    return mean + tf.sqrt(beta) * noise


@alternative("p_sample")
def step_by_the_posterior(noise_model, x_t, t, noise, schedule, variance_type):
    levels = tf.repeat(tf.constant([t]), tf.shape(x_t)[0])
    guess = predict_x0(x_t, levels, noise_model(x_t, levels), schedule)  # noqa: F821
    mean, variance = posterior_mean_var(guess, x_t, levels, schedule)  # noqa: F821
    if variance_type == "beta":
        variance = tf.cast(schedule["betas"][t], x_t.dtype)
    return mean + (t > 0) * tf.sqrt(variance) * noise if t else mean


@alternative("p_sample")
def step_with_a_mask(noise_model, x_t, t, noise, schedule, variance_type):
    left = tf.concat([[1.0], tf.cast(schedule["alpha_bars"], tf.float64)], 0)
    before, bar, beta = left[t], left[t + 1], tf.cast(schedule["betas"][t], tf.float64)
    scale = {"beta": beta, "posterior": beta * (1 - before) / (1 - bar)}[variance_type]
    scale = tf.cast(tf.sqrt(scale) if t else 0.0, x_t.dtype)
    guess = noise_model(x_t, tf.fill((x_t.shape[0],), t))
    factor, root = (tf.cast(v, x_t.dtype) for v in (beta / tf.sqrt(1 - bar), tf.sqrt(1 - beta)))
    return (x_t - factor * guess) / root + scale * noise


@alternative("p_sample", function="sample_ddpm")
def draw_all_noise_first(noise_model, shape, schedule, rng, variance_type="posterior"):
    T = int(schedule["betas"].shape[0])
    noise = rng.normal((T, *shape))
    x = noise[0]
    for t in range(T - 1, 0, -1):
        x = p_sample(noise_model, x, t, noise[t], schedule, variance_type)  # noqa: F821
    return p_sample(noise_model, x, 0, tf.zeros(shape), schedule, variance_type)  # noqa: F821


@alternative("p_sample", function="sample_ddpm")
def draw_in_a_while_loop(noise_model, shape, schedule, rng, variance_type="posterior"):
    x, t = rng.normal(shape, dtype=tf.float32), len(schedule["betas"]) - 1
    while t >= 0:
        noise = rng.normal(tf.shape(x)) if t else tf.zeros_like(x)
        x = p_sample(noise_model, x, t, noise, schedule, variance_type)  # noqa: F821
        t -= 1
    return x


@alternative("p_sample", function="sample_ddpm")
def draw_stateless(noise_model, shape, schedule, rng, variance_type="posterior"):
    def normal():
        return tf.random.stateless_normal(shape, rng.make_seeds(1)[:, 0])

    x = normal()
    for t in reversed(range(tf.size(schedule["betas"]).numpy())):
        x = p_sample(noise_model, x, t, normal(), schedule, variance_type)  # noqa: F821
    return x
