"""Exercise 8: filling in what is missing, by Langevin dynamics."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake, probe
from reference import deep_ebm

# The visible check: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.array([[3, 8], [-1, 4]], np.float32)
SHOWN_OBSERVED = np.array([[True, False], [True, False]])


@probe
def filled_in(student, x, observed, n_steps, step_size, noise, mean, P, quartic, column):
    """Fills in with the energy (x - mean) P (x - mean) / 2 + quartic sum(x^4)."""

    def energy(x):
        centred = x - mean
        values = 0.5 * tf.reduce_sum(centred * tf.matmul(centred, P), axis=1)
        values += quartic * tf.reduce_sum(x**4, axis=1)
        return values[:, tf.newaxis] if column else values

    return student.ebm_inpaint(energy, x, observed, n_steps, step_size, noise)


def random_case(inputs, rows=7, entries=5, steps=3):
    """Returns x, observed, noise, mean and precision, float64."""
    root = inputs.normal(size=(entries, entries)) / 2
    P = root @ root.T + 0.7 * np.eye(entries)
    observed = np.ones((rows, entries), bool)
    for row in observed:
        row[inputs.permutation(entries)[:2]] = False
    noise = inputs.normal(size=(steps, rows, entries))
    return inputs.normal(size=(rows, entries)), observed, noise, inputs.normal(size=entries), P


def due_of(x, observed, n_steps, step_size, noise, mean, P, quartic):
    """Returns the rows that are due."""
    x, noise, mean, P = (tf.constant(array) for array in (x, noise, mean, P))
    return filled_in.function(
        deep_ebm, x, tf.constant(observed), n_steps, step_size, noise, mean, P, quartic, False
    ).numpy()


@exercise(
    "ebm_inpaint",
    points=1,
    depends_on=("langevin_sample",),
    visible=True,
    mistakes=("inpaint_overwrites_observed", "inpaint_of_inverted_mask", "inpaint_uphill"),
)
def test_inpaint_shown_pulls_the_missing_number(student):
    """Observed entries stay; without noise, a step of 2 on (x2 - x1)^2 / 2 copies x1 to x2."""
    P = np.array([[1, -1], [-1, 1]], np.float32)
    mean, noise = np.zeros(2, np.float32), np.zeros((2, 2, 2), np.float32)
    seen = filled_in(student, SHOWN_X, SHOWN_OBSERVED, 2, 2.0, noise, mean, P, 0.0, False)
    expect(seen).array("B D", np.float32, B=2, D=2)
    expect(np.asarray(seen)[SHOWN_OBSERVED]).equals(SHOWN_X[SHOWN_OBSERVED])
    expect(seen).close(np.array([[3, 3], [-1, -1]], np.float32))


@exercise(
    "ebm_inpaint",
    points=1,
    depends_on=("langevin_sample",),
    mistakes=(
        "inpaint_restores_at_last",
        "inpaint_of_inverted_mask",
        "inpaint_without_noise",
        "inpaint_starts_from_noise",
        "inpaint_one_step",
        "inpaint_same_noise",
        "inpaint_uphill",
        "inpaint_whole_step",
        "inpaint_noise_scale",
        "inpaint_observed_as_zero",
        "inpaint_in_float32",
        "inpaint_blends",
        "inpaint_mean_energy",
        "inpaint_returns_the_start",
    ),
    note="An energy of fourth degree; one step and three; energies (B,) and (B, 1); float64.",
)
def test_inpaint_makes_each_step(student, inputs):
    """In each step the missing entries move, with noise, and the observed ones stay."""
    x, observed, noise, mean, P = random_case(inputs)
    for n_steps, column in ((1, True), (3, False)):
        case = x, observed, n_steps, 0.2, noise[:n_steps], mean, P, 0.05
        expect(filled_in(student, *case, column)).matches(due_of(*case), tolerance=1e-6)


@exercise(
    "ebm_inpaint",
    points=1,
    depends_on=("langevin_sample",),
    mistakes=("inpaint_restores_at_last", "inpaint_observed_as_zero", "inpaint_whole_step"),
    note="A normal density: the walk is linear. Without noise the conditional mean, with units "
    "of noise the covariance (P - step P^2 / 4)^-1 of the missing block P.",
)
def test_inpaint_has_the_conditional_law(student, inputs):
    """The missing entries settle to the conditional mean and the covariance of the step."""
    P = np.array([[2.0, 0.6, 0.3], [0.6, 1.5, -0.4], [0.3, -0.4, 1.0]])
    mean, x = inputs.normal(size=3), inputs.normal(size=(1, 3)) + 2
    steps, step_size, missing = 60, 0.8, [1, 2]
    observed = np.array([[True, False, False]])
    noise = np.zeros((steps, 1, 3))
    still = filled_in(student, x, observed, steps, step_size, noise, mean, P, 0.0, False)
    block = P[np.ix_(missing, missing)]
    due = mean[missing] - np.linalg.solve(block, P[missing, 0] * (x[0, 0] - mean[0]))
    expect(still).array("B D", np.float64, B=1, D=3)
    expect(still[0, 1:], "the conditional mean").close(due, tolerance=1e-5)
    rows = 2 * steps
    noise = np.zeros((steps, rows, 3))
    for number, entry in enumerate(missing):
        noise[np.arange(steps), np.arange(steps) + number * steps, entry] = 1
    start, mask = np.repeat(x, rows, axis=0), np.repeat(observed, rows, axis=0)
    seen = filled_in(student, start, mask, steps, step_size, noise, mean, P, 0.0, False)
    expect(seen).array("B D", np.float64, B=rows, D=3)
    parts = np.asarray(seen)[:, missing] - np.asarray(still)[:, missing]
    due = np.linalg.inv(block - step_size * block @ block / 4)
    expect(parts.T @ parts, "the covariance that belongs to the step").close(due, tolerance=1e-5)


@exercise(
    "ebm_inpaint",
    points=1,
    depends_on=("langevin_sample",),
    mistakes=("inpaint_overwrites_observed", "inpaint_mask_of_first_row", "inpaint_mean_energy"),
)
def test_inpaint_of_each_row_stands_alone(student, inputs):
    """Each row has its own observed entries, which stay exactly; without a step all do."""
    x, observed, noise, mean, P = random_case(inputs)
    seen = filled_in(student, x, observed, 3, 0.2, noise, mean, P, 0.05, False)
    expect(seen).array("B D", np.float64, B=7, D=5).finite()
    expect(np.asarray(seen)[observed], "the observed entries").equals(x[observed])
    none = filled_in(student, x, observed, 0, 0.2, noise[:0], mean, P, 0.05, False)
    expect(none).equals(x)

    def call(x, observed, noise):
        noise = noise.transpose(1, 0, 2).copy()
        return filled_in(student, x, observed, 3, 0.2, noise, mean, P, 0.05, False)

    laws.expect_rows_independent(call, batched=(x, observed, noise.transpose(1, 0, 2).copy()))


@mistake("ebm_inpaint", kind="concept", hint="Observed entries stay exactly what they are in x.")
def inpaint_overwrites_observed(energy, x, observed, n_steps, step_size, noise):
    return deep_ebm.langevin_sample(energy, x, n_steps, step_size, noise)


@mistake(
    "ebm_inpaint",
    kind="concept",
    hint="Observed entries are put back in every step: the others listen to them all the time.",
)
def inpaint_restores_at_last(energy, x, observed, n_steps, step_size, noise):
    return tf.where(observed, x, deep_ebm.langevin_sample(energy, x, n_steps, step_size, noise))


@mistake("ebm_inpaint", kind="concept", hint="True means observed: the other entries move.")
def inpaint_of_inverted_mask(energy, x, observed, n_steps, step_size, noise):
    return deep_ebm.ebm_inpaint(energy, x, ~observed, n_steps, step_size, noise)


@mistake("ebm_inpaint", kind="lazy", hint="Without noise all draws end at one mode.")
def inpaint_without_noise(energy, x, observed, n_steps, step_size, noise):
    return deep_ebm.ebm_inpaint(energy, x, observed, n_steps, step_size, 0.0 * noise)


@mistake("ebm_inpaint", kind="concept", hint="The walk starts from x, missing entries included.")
def inpaint_starts_from_noise(energy, x, observed, n_steps, step_size, noise):
    if n_steps == 0:
        return x
    start = tf.where(observed, x, noise[0])
    return deep_ebm.ebm_inpaint(energy, start, observed, n_steps, step_size, noise)


@mistake("ebm_inpaint", kind="lazy", hint="All n_steps steps are made.")
def inpaint_one_step(energy, x, observed, n_steps, step_size, noise):
    return deep_ebm.ebm_inpaint(energy, x, observed, min(n_steps, 1), step_size, noise)


@mistake("ebm_inpaint", kind="lazy", hint="The missing entries have to move.")
def inpaint_returns_the_start(energy, x, observed, n_steps, step_size, noise):
    return tf.identity(x)


@mistake("ebm_inpaint", kind="randomness", hint="Each step has noise of its own: noise[step].")
def inpaint_same_noise(energy, x, observed, n_steps, step_size, noise):
    same = noise[:1] + 0.0 * noise
    return deep_ebm.ebm_inpaint(energy, x, observed, n_steps, step_size, same)


@mistake("ebm_inpaint", kind="concept", hint="Samples go downhill: minus the gradient.")
def inpaint_uphill(energy, x, observed, n_steps, step_size, noise):
    return deep_ebm.ebm_inpaint(lambda x: -energy(x), x, observed, n_steps, step_size, noise)


@mistake(
    "ebm_inpaint",
    kind="scale",
    hint="Half of step_size goes with the gradient, its root with the noise.",
)
def inpaint_whole_step(energy, x, observed, n_steps, step_size, noise):
    return deep_ebm.ebm_inpaint(lambda x: 2.0 * energy(x), x, observed, n_steps, step_size, noise)


@mistake(
    "ebm_inpaint",
    kind="scale",
    hint="The noise is multiplied by the root of step_size, since variances add up.",
)
def inpaint_noise_scale(energy, x, observed, n_steps, step_size, noise):
    scaled = noise * step_size**0.5
    return deep_ebm.ebm_inpaint(energy, x, observed, n_steps, step_size, scaled)


@mistake(
    "ebm_inpaint",
    kind="scale",
    hint="Add energies up; the slope of their mean is smaller the more rows there are.",
)
def inpaint_mean_energy(energy, x, observed, n_steps, step_size, noise):
    rows = x.shape[0]
    return deep_ebm.ebm_inpaint(lambda x: energy(x) / rows, x, observed, n_steps, step_size, noise)


@mistake(
    "ebm_inpaint", kind="concept", hint="The energy sees whole rows: observed entries and missing."
)
def inpaint_observed_as_zero(energy, x, observed, n_steps, step_size, noise):
    start = tf.where(observed, tf.zeros_like(x), x)
    seen = deep_ebm.ebm_inpaint(energy, start, observed, n_steps, step_size, noise)
    return tf.where(observed, x, seen)


@mistake("ebm_inpaint", kind="lazy", hint="Return where the walk ends, not halfway to its start.")
def inpaint_blends(energy, x, observed, n_steps, step_size, noise):
    return 0.5 * (x + deep_ebm.ebm_inpaint(energy, x, observed, n_steps, step_size, noise))


@mistake("ebm_inpaint", kind="axis", hint="Each row has observed entries of its own.")
def inpaint_mask_of_first_row(energy, x, observed, n_steps, step_size, noise):
    mask = tf.repeat(observed[:1], x.shape[0], axis=0)
    return deep_ebm.ebm_inpaint(energy, x, mask, n_steps, step_size, noise)


@mistake("ebm_inpaint", kind="numerics", hint="Float64 rows give float64 rows.")
def inpaint_in_float32(energy, x, observed, n_steps, step_size, noise):
    seen = deep_ebm.ebm_inpaint(energy, x, observed, n_steps, step_size, noise)
    return tf.cast(seen, tf.float32)


@alternative("ebm_inpaint")
def inpaint_by_steps_of_langevin(energy, x, observed, n_steps, step_size, noise):
    filled = x
    for n in range(n_steps):
        step = langevin_sample(energy, filled, 1, step_size, noise[n][tf.newaxis])  # noqa: F821
        filled = tf.where(observed, x, step)
    return filled


@alternative("ebm_inpaint")
def inpaint_by_an_energy_of_what_is_missing(energy, x, observed, n_steps, step_size, noise):
    def of_missing(u):
        return energy(tf.where(observed, x, u))

    walked = langevin_sample(of_missing, x, n_steps, step_size, noise)  # noqa: F821
    return tf.where(observed, x, walked)


@alternative("ebm_inpaint")
def inpaint_with_a_mask_of_numbers(energy, x, observed, n_steps, step_size, noise):
    missing = 1.0 - tf.cast(observed, x.dtype)
    filled = tf.identity(x)
    for draw in tf.unstack(noise):
        with tf.GradientTape() as tape:
            tape.watch(filled)
            total = tf.reduce_sum(energy(filled))
        slope = tape.gradient(total, filled)
        filled = filled + missing * (step_size**0.5 * draw - 0.5 * step_size * slope)
    return filled
