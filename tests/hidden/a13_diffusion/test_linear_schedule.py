"""Exercise 1: two schedules of noise."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, mistake, probe
from reference import diffusion


@probe
def linear(student, T, beta_start, beta_end):
    """Returns the three arrays of a linear schedule."""
    schedule = student.linear_schedule(int(T), beta_start, beta_end)
    return [schedule["betas"], schedule["alphas"], schedule["alpha_bars"]]


@probe
def cosine(student, T, offset, max_beta):
    """Returns the three arrays of a cosine schedule; an offset of -1 stands for the defaults."""
    if offset < 0:
        schedule = student.cosine_schedule(int(T))
    else:
        schedule = student.cosine_schedule(int(T), offset, max_beta)
    return [schedule["betas"], schedule["alphas"], schedule["alpha_bars"]]


def expect_schedule(seen, betas):
    """Holds that the three arrays belong to these variances, in any precision."""
    alphas = 1 - betas
    for part, due in zip(expect(seen).parts(3), (betas, alphas, np.cumprod(alphas)), strict=True):
        floating = np.asarray(part).dtype.kind == "f"
        expect(floating, "floating point numbers").equals(True)
        expect(part).finite().close(due, tolerance=1e-4)


def cosine_betas(T, offset, max_beta):
    """Returns the variances of the cosine schedule."""
    f = np.cos((np.arange(T + 1) / T + offset) / (1 + offset) * np.pi / 2) ** 2
    return np.minimum(1 - f[1:] / f[:-1], max_beta)


@exercise(
    "linear_schedule",
    points=1,
    visible=True,
    mistakes=("linear_begins_with_one", "cosine_one_level_short"),
)
def test_schedules_shown_shape(student):
    """Each schedule is a dict of three arrays, with one number for each level."""
    for seen, levels in (
        (linear(student, 3, 0.2, 0.6), 3),
        (cosine(student, 2, 0.0, 0.999), 2),
    ):
        for part in expect(seen).parts(3):
            expect(part).array("T", np.asarray(part).dtype, T=levels)
            positive = bool(np.all(np.asarray(part) > 0))
            expect(positive, "numbers above 0").equals(True)


@exercise(
    "linear_schedule",
    points=1,
    visible=True,
    mistakes=("linear_sum", "linear_without_the_end", "linear_alpha_root", "cosine_no_maximum"),
)
def test_schedules_shown_values(student):
    """Three levels on a line from 0.2 to 0.6; two levels along a cosine without offset."""
    expect_schedule(linear(student, 3, 0.2, 0.6), np.array([0.2, 0.4, 0.6]))
    expect_schedule(cosine(student, 2, 0.0, 0.999), np.array([0.5, 0.999]))


@exercise(
    "linear_schedule",
    points=2,
    mistakes=(
        "linear_sum",
        "linear_product_of_betas",
        "linear_without_the_end",
        "linear_alpha_root",
        "linear_alpha_bar_root",
        "linear_begins_with_one",
        "linear_falls",
        "linear_geometric",
        "linear_in_the_roots",
        "linear_product_from_the_end",
    ),
    note="Any precision: tolerance 1e-4.",
)
def test_linear_schedule_rises_along_a_line(student, inputs):
    """The betas lie on a line, alphas are 1 - betas, alpha_bars are products of alphas."""
    for T in (5, 11):
        start, end = inputs.uniform(0.05, 0.2), inputs.uniform(0.3, 0.7)
        expect_schedule(linear(student, T, start, end), np.linspace(start, end, T))


@exercise(
    "linear_schedule",
    points=1,
    mistakes=("linear_sum", "linear_geometric", "linear_in_the_roots", "linear_alpha_bar_root"),
    note="The schedule of Ho et al. ends at 4.0358e-5; relative to that, 1e-3 off is wrong.",
)
def test_linear_schedule_leaves_nearly_nothing(student):
    """Of the usual schedule, from 1e-4 to 0.02 in 1,000 levels, the right share is left."""
    _, _, left = expect(linear(student, 1000, 1e-4, 0.02)).parts(3)
    expect(left).array((1000,), np.asarray(left).dtype).finite()
    share = np.asarray(left, np.float64)[-1] / 4.0358e-5
    expect(share, "the share of the data that is left at the last level").close(1.0, 1e-3)


@exercise(
    "linear_schedule",
    points=2,
    mistakes=(
        "cosine_no_square",
        "cosine_no_maximum",
        "cosine_no_offset",
        "cosine_offset_above_only",
        "cosine_one_level_short",
        "cosine_ratio_upside_down",
        "cosine_keeps_the_curve",
        "cosine_of_the_half",
        "cosine_maximum_of_the_rest",
        "cosine_forgets_the_maximum",
    ),
    note="With offset and maximum handed in, and with the defaults.",
)
def test_cosine_schedule_follows_the_formula(student, inputs):
    """The betas are those of the formula, cut off at max_beta; alpha_bars are products."""
    offset, max_beta = inputs.uniform(0.03, 0.2), inputs.uniform(0.6, 0.7)
    expect_schedule(cosine(student, 7, offset, max_beta), cosine_betas(7, offset, max_beta))
    expect_schedule(cosine(student, 11, -1.0, 0.0), cosine_betas(11, 0.008, 0.999))


@exercise(
    "linear_schedule",
    points=1,
    mistakes=(
        "linear_sum",
        "linear_begins_with_one",
        "linear_product_of_betas",
        "linear_alpha_bar_root",
        "linear_product_from_the_end",
        "cosine_keeps_the_curve",
    ),
)
def test_schedules_fit_together(student):
    """alpha_bars fall strictly between 1 and 0, and each is the last one times its alpha."""
    for seen in (linear(student, 5, 0.1, 0.6), cosine(student, 5, 0.1, 0.5)):
        betas, alphas, alpha_bars = expect(seen).parts(3)
        for part in (betas, alphas, alpha_bars):
            expect(part).array((5,), np.asarray(part).dtype).finite()
            inside = bool(np.all((np.asarray(part) > 0) & (np.asarray(part) < 1)))
            expect(inside, "numbers between 0 and 1").equals(True)
        alphas, alpha_bars = (np.asarray(part, np.float64) for part in (alphas, alpha_bars))
        before = np.concatenate([[1.0], alpha_bars[:-1]])
        expect(alpha_bars / before, "the alphas").close(alphas, tolerance=1e-4)


@mistake("linear_schedule", kind="concept", hint="alpha_bar is a product of alphas, not a sum.")
def linear_sum(T, beta_start, beta_end):
    betas = tf.cast(np.linspace(beta_start, beta_end, T), tf.float64)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": 1.0 - tf.cumsum(betas)}


@mistake("linear_schedule", kind="concept", hint="alpha_bar multiplies alphas, not betas.")
def linear_product_of_betas(T, beta_start, beta_end):
    betas = tf.cast(np.linspace(beta_start, beta_end, T), tf.float64)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": tf.math.cumprod(betas)}


@mistake("linear_schedule", kind="concept", hint="The last beta is beta_end itself.")
def linear_without_the_end(T, beta_start, beta_end):
    betas = tf.cast(np.linspace(beta_start, beta_end, T, endpoint=False), tf.float64)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": tf.math.cumprod(1.0 - betas)}


@mistake("linear_schedule", kind="scale", hint="alpha is 1 - beta; roots are taken later.")
def linear_alpha_root(T, beta_start, beta_end):
    schedule = diffusion.linear_schedule(T, beta_start, beta_end)
    return {**schedule, "alphas": tf.sqrt(schedule["alphas"])}


@mistake("linear_schedule", kind="scale", hint="alpha_bar is the product; roots are taken later.")
def linear_alpha_bar_root(T, beta_start, beta_end):
    schedule = diffusion.linear_schedule(T, beta_start, beta_end)
    return {**schedule, "alpha_bars": tf.sqrt(schedule["alpha_bars"])}


@mistake(
    "linear_schedule",
    kind="axis",
    hint="There are T levels: the 1 before the first one is not among them.",
)
def linear_begins_with_one(T, beta_start, beta_end):
    schedule = diffusion.linear_schedule(T, beta_start, beta_end)
    one = tf.ones((1,), tf.float64)
    return {**schedule, "alpha_bars": tf.concat([one, schedule["alpha_bars"]], 0)}


@mistake("linear_schedule", kind="concept", hint="The noise grows: betas rise from start to end.")
def linear_falls(T, beta_start, beta_end):
    return diffusion.linear_schedule(T, beta_end, beta_start)


@mistake("linear_schedule", kind="concept", hint="The betas lie on a line, not on an exponential.")
def linear_geometric(T, beta_start, beta_end):
    betas = tf.cast(np.geomspace(beta_start, beta_end, T), tf.float64)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": tf.math.cumprod(1.0 - betas)}


@mistake(
    "linear_schedule",
    kind="concept",
    hint="The betas themselves lie on a line, not their square roots.",
)
def linear_in_the_roots(T, beta_start, beta_end):
    betas = tf.cast(np.linspace(beta_start**0.5, beta_end**0.5, T) ** 2, tf.float64)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": tf.math.cumprod(1.0 - betas)}


@mistake(
    "linear_schedule",
    kind="axis",
    hint="alpha_bar of level t multiplies the alphas from 0 up to t, not from t to the end.",
)
def linear_product_from_the_end(T, beta_start, beta_end):
    schedule = diffusion.linear_schedule(T, beta_start, beta_end)
    return {**schedule, "alpha_bars": tf.math.cumprod(schedule["alphas"], reverse=True)}


@mistake(
    "linear_schedule",
    kind="concept",
    function="cosine_schedule",
    hint="The cosine is squared: f is its square.",
)
def cosine_no_square(T, offset=0.008, max_beta=0.999):
    f = np.cos((np.arange(T + 1) / T + offset) / (1 + offset) * np.pi / 2)
    betas = tf.cast(np.minimum(1 - f[1:] / f[:-1], max_beta), tf.float64)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": tf.math.cumprod(1.0 - betas)}


@mistake(
    "linear_schedule",
    kind="numerics",
    function="cosine_schedule",
    hint="No beta is larger than max_beta.",
)
def cosine_no_maximum(T, offset=0.008, max_beta=0.999):
    return diffusion.cosine_schedule(T, offset, 1.0)


@mistake(
    "linear_schedule",
    kind="lazy",
    function="cosine_schedule",
    hint="max_beta is an argument: it is not always 0.999.",
)
def cosine_forgets_the_maximum(T, offset=0.008, max_beta=0.999):
    return diffusion.cosine_schedule(T, offset)


@mistake(
    "linear_schedule",
    kind="lazy",
    function="cosine_schedule",
    hint="The offset has no influence on the result.",
)
def cosine_no_offset(T, offset=0.008, max_beta=0.999):
    return diffusion.cosine_schedule(T, 0.0, max_beta)


@mistake(
    "linear_schedule",
    kind="scale",
    function="cosine_schedule",
    hint="The offset stands below the line, too, so that the curve ends at 0.",
)
def cosine_offset_above_only(T, offset=0.008, max_beta=0.999):
    f = np.cos((np.arange(T + 1) / T + offset) * np.pi / 2) ** 2
    betas = tf.cast(np.minimum(1 - f[1:] / f[:-1], max_beta), tf.float64)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": tf.math.cumprod(1.0 - betas)}


@mistake(
    "linear_schedule",
    kind="axis",
    function="cosine_schedule",
    hint="T ratios need T + 1 points of the curve.",
)
def cosine_one_level_short(T, offset=0.008, max_beta=0.999):
    f = np.cos((np.arange(T) / T + offset) / (1 + offset) * np.pi / 2) ** 2
    betas = tf.cast(np.minimum(1 - f[1:] / f[:-1], max_beta), tf.float64)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": tf.math.cumprod(1.0 - betas)}


@mistake(
    "linear_schedule",
    kind="concept",
    function="cosine_schedule",
    hint="The ratio is f of the next level over f of this one.",
)
def cosine_ratio_upside_down(T, offset=0.008, max_beta=0.999):
    f = np.cos((np.arange(T + 1) / T + offset) / (1 + offset) * np.pi / 2) ** 2
    betas = tf.cast(np.minimum(np.abs(1 - f[:-1] / f[1:]), max_beta), tf.float64)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": tf.math.cumprod(1.0 - betas)}


@mistake(
    "linear_schedule",
    kind="concept",
    function="cosine_schedule",
    hint="alpha_bar is the product of the alphas that are left after the cut, not the curve.",
)
def cosine_keeps_the_curve(T, offset=0.008, max_beta=0.999):
    f = np.cos((np.arange(T + 1) / T + offset) / (1 + offset) * np.pi / 2) ** 2
    schedule = diffusion.cosine_schedule(T, offset, max_beta)
    return {**schedule, "alpha_bars": tf.cast(f[1:] / f[0], tf.float64)}


@mistake(
    "linear_schedule",
    kind="scale",
    function="cosine_schedule",
    hint="The angle ends at a quarter of a circle, pi / 2.",
)
def cosine_of_the_half(T, offset=0.008, max_beta=0.999):
    f = np.cos((np.arange(T + 1) / T + offset) / (1 + offset) * np.pi / 4) ** 2
    betas = tf.cast(np.minimum(1 - f[1:] / f[:-1], max_beta), tf.float64)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": tf.math.cumprod(1.0 - betas)}


@mistake(
    "linear_schedule",
    kind="concept",
    function="cosine_schedule",
    hint="max_beta bounds beta from above, not alpha.",
)
def cosine_maximum_of_the_rest(T, offset=0.008, max_beta=0.999):
    betas = 1.0 - tf.minimum(diffusion.cosine_schedule(T, offset, 1.0)["alphas"], max_beta)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": tf.math.cumprod(1.0 - betas)}


@alternative("linear_schedule")
def linear_in_numpy(T, beta_start, beta_end):
    betas = np.linspace(beta_start, beta_end, T)
    return {"betas": betas, "alphas": 1 - betas, "alpha_bars": np.cumprod(1 - betas)}


@alternative("linear_schedule")
def linear_in_a_loop(T, beta_start, beta_end):
    betas, alpha_bars, left = [], [], 1.0
    for t in range(T):
        betas.append(beta_start + (beta_end - beta_start) * t / (T - 1))
        left *= 1.0 - betas[-1]
        alpha_bars.append(left)
    betas = tf.constant(betas, tf.float64)
    return dict(betas=betas, alphas=1.0 - betas, alpha_bars=tf.constant(alpha_bars, tf.float64))


@alternative("linear_schedule")
def linear_in_float32(T, beta_start, beta_end):
    betas = tf.linspace(float(beta_start), float(beta_end), T)
    alphas = 1.0 - betas
    return {"betas": betas, "alphas": alphas, "alpha_bars": tf.math.cumprod(alphas)}


@alternative("linear_schedule")
def linear_by_logarithms(T, beta_start, beta_end):
    betas = tf.linspace(tf.cast(beta_start, tf.float64), tf.cast(beta_end, tf.float64), T)
    bars = tf.exp(tf.cumsum(tf.math.log1p(-betas)))
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": bars}


@alternative("linear_schedule", function="cosine_schedule")
def cosine_in_a_loop(T, offset=0.008, max_beta=0.999):
    def f(t):
        return np.cos((t / T + offset) / (1 + offset) * np.pi / 2) ** 2

    betas = np.array([min(1 - f(t + 1) / f(t), max_beta) for t in range(T)])
    return {"betas": betas, "alphas": 1 - betas, "alpha_bars": np.cumprod(1 - betas)}


@alternative("linear_schedule", function="cosine_schedule")
def cosine_in_tensorflow(T, offset=0.008, max_beta=0.999):
    t = tf.range(T + 1, dtype=tf.float64)
    f = tf.square(tf.cos((t / T + offset) / (1.0 + offset) * (np.pi / 2)))
    betas = tf.clip_by_value(1.0 - f[1:] / f[:-1], 0.0, max_beta)
    return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": tf.math.cumprod(1.0 - betas)}


@alternative("linear_schedule", function="cosine_schedule")
def cosine_of_twice_the_angle(T, offset=0.008, max_beta=0.999):
    f = 0.5 + 0.5 * np.cos((np.linspace(0, 1, T + 1) + offset) / (1 + offset) * np.pi)
    alphas = np.maximum(f[1:] / f[:-1], 1 - max_beta)
    return {"betas": 1 - alphas, "alphas": alphas, "alpha_bars": np.cumprod(alphas)}
