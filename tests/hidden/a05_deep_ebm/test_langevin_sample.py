"""Exercise 4: Langevin dynamics."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, gradients, laws, mistake, probe
from reference import deep_ebm

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.array([[4, -2], [0, 8], [1, 1]], np.float32)
SHOWN_NOISE = np.array([[[1, 0], [0, 0], [-1, 2]], [[0, 1], [1, 0], [0, 0]]], np.float32)


@probe
def moved(student, x0, n_steps, step_size, noise, P, quartic, column):
    """Walks on the energy x P x / 2 + quartic sum(x^4), which is (B,) or (B, 1)."""

    def energy(x):
        flat = tf.reshape(x, (tf.shape(x)[0], -1))
        values = 0.5 * tf.reduce_sum(flat * tf.matmul(flat, P), axis=1)
        values += quartic * tf.reduce_sum(flat**4, axis=1)
        return values[:, tf.newaxis] if column else values

    return student.langevin_sample(energy, x0, n_steps, step_size, noise)


@probe
def leaks(student, x0, noise, w):
    """Returns derivatives of the squared result, by what should not and by what should matter."""
    w, x0, outside = tf.identity(w), tf.identity(x0), tf.constant(2.0, x0.dtype)
    with tf.GradientTape() as tape:
        tape.watch([w, x0, outside])
        x = student.langevin_sample(lambda x: tf.reduce_sum(w * x**2, axis=1), x0, 2, 0.3, noise)
        total = outside * tf.reduce_sum(x**2)
    zero = tf.UnconnectedGradients.ZERO
    by_w, by_x0, by_outside = tape.gradient(total, [w, x0, outside], unconnected_gradients=zero)
    return {"the energy's variables": by_w, "x0": by_x0, "what uses the samples": by_outside}


def random_case(inputs, rows=7, entries=5, steps=3):
    """Returns x0, noise and a precision matrix, float64."""
    root = inputs.normal(size=(entries, entries)) / 2
    P = root @ root.T + 0.5 * np.eye(entries)
    return inputs.normal(size=(rows, entries)), inputs.normal(size=(steps, rows, entries)), P


def due_of(x0, n_steps, step_size, noise, P, quartic):
    """Returns where the walk leads."""
    arrays = [tf.constant(array) for array in (x0, noise, P)]
    x = moved.function(
        deep_ebm, arrays[0], n_steps, step_size, arrays[1], arrays[2], quartic, False
    )
    return x.numpy()


@exercise("langevin_sample", points=1, visible=True, mistakes=("langevin_returns_all_steps",))
def test_langevin_shown_shape_and_dtype(student):
    """The rows after the last step have the shape and the dtype of x0."""
    P = np.eye(2, dtype=np.float32)
    seen = moved(student, SHOWN_X, 2, 0.25, SHOWN_NOISE, P, 0.0, False)
    expect(seen).array("B D", np.float32, B=3, D=2)


@exercise(
    "langevin_sample",
    points=1,
    visible=True,
    mistakes=(
        "langevin_ascent",
        "langevin_whole_step",
        "langevin_mean_energy",
        "langevin_one_step",
    ),
)
def test_langevin_shown_without_noise(student):
    """On x^2 / 2 a step of 1 without noise halves x, and two steps quarter it."""
    P = np.eye(2, dtype=np.float32)
    seen = moved(student, SHOWN_X, 2, 1.0, 0 * SHOWN_NOISE, P, 0.0, False)
    expect(seen).close(SHOWN_X / 4)


@exercise(
    "langevin_sample",
    points=1,
    visible=True,
    mistakes=("langevin_noise_scale", "langevin_noise_doubled", "langevin_without_noise"),
)
def test_langevin_shown_on_a_plane(student):
    """Where the energy is flat, a step of 1/4 adds half of the noise."""
    flat = np.zeros((2, 2), np.float32)
    seen = moved(student, SHOWN_X, 2, 0.25, SHOWN_NOISE, flat, 0.0, False)
    expect(seen).close(SHOWN_X + SHOWN_NOISE.sum(axis=0) / 2)


@exercise(
    "langevin_sample",
    points=3,
    mistakes=(
        "langevin_ascent",
        "langevin_noise_scale",
        "langevin_whole_step",
        "langevin_noise_doubled",
        "langevin_without_noise",
        "langevin_mean_energy",
        "langevin_one_step",
        "langevin_one_step_less",
        "langevin_same_noise",
        "langevin_own_noise",
        "langevin_noise_first",
        "langevin_slope_of_start",
        "langevin_last_without_noise",
        "langevin_in_float32",
        "langevin_noise_backwards",
        "langevin_slope_clipped",
    ),
    note="An energy of fourth degree; one step and three; float64.",
)
def test_langevin_makes_each_step(student, inputs):
    """Each step goes down the slope where it stands and adds its own noise."""
    x0, noise, P = random_case(inputs)
    for n_steps in (1, 3):
        case = x0, n_steps, 0.15, noise[:n_steps], P, 0.1
        expect(moved(student, *case, False)).matches(due_of(*case), tolerance=1e-6)


@exercise(
    "langevin_sample",
    points=1,
    mistakes=("langevin_noise_scale", "langevin_whole_step", "langevin_noise_doubled"),
    note="The walk on a parabola is linear, so units of noise show the variance exactly: "
    "variance / (1 - step / (4 variance)), here after 60 steps.",
)
def test_langevin_has_the_variance_of_its_step(student):
    """On a parabola the walk settles to the exact variance that its step size leads to."""
    variance, step_size, n_steps = 0.3, 0.2, 60
    noise = np.eye(n_steps)[:, :, np.newaxis]
    P = np.array([[1 / variance]])
    seen = moved(student, np.zeros((n_steps, 1)), n_steps, step_size, noise, P, 0.0, False)
    expect(seen).array("B D", np.float64, B=n_steps, D=1)
    due = variance / (1 - step_size / (4 * variance))
    expect(np.sum(np.asarray(seen) ** 2), "the variance that belongs to the step").close(
        due, tolerance=1e-6
    )


@exercise(
    "langevin_sample",
    points=1,
    mistakes=("langevin_column_only", "langevin_mean_energy"),
    note="Rows that are images, 2x3, and energies in a column.",
)
def test_langevin_takes_energies_in_a_column(student, inputs):
    """Energies of shape (B,) and (B, 1) give the same walk, on images as on rows."""
    x0, noise, P = random_case(inputs, entries=6)
    due = due_of(x0, 3, 0.2, noise, P, 0.05)
    for column in (True, False):
        images = x0.reshape(7, 2, 3), 3, 0.2, noise.reshape(3, 7, 2, 3), P, 0.05
        expect(moved(student, *images, column)).matches(due.reshape(7, 2, 3), tolerance=1e-6)


@exercise(
    "langevin_sample",
    points=2,
    mistakes=("langevin_differentiable", "langevin_differentiable_at_last"),
    note="Second-order gradients through the walk are what training must not pay for.",
)
def test_no_gradient_flows_through_the_walk(student, inputs):
    """Samples are constants: no gradient flows through them to the energy or to x0."""
    x0, noise, _ = random_case(inputs, steps=2)

    def found():
        return leaks(student, x0, noise, np.float64(0.7))

    gradients.expect_no_gradient(
        found, ["the energy's variables", "x0"], ["what uses the samples"]
    )


@exercise(
    "langevin_sample",
    points=1,
    mistakes=("langevin_clips_states", "langevin_slope_clipped"),
    note="x0 about 50, slopes about 50.",
)
def test_langevin_clips_nothing(student, inputs):
    """Far out, where slopes are large, the steps are large, too: nothing is clipped."""
    x0, noise, P = random_case(inputs)
    case = 50 * x0, 2, 0.1, noise[:2], P, 0.0
    expect(moved(student, *case, False)).matches(due_of(*case), tolerance=1e-6)


@exercise(
    "langevin_sample",
    points=1,
    mistakes=("langevin_mean_energy", "langevin_noise_of_first_row"),
)
def test_langevin_walks_are_independent(student, inputs):
    """Each row walks by itself, with its own noise; without a step it stays."""
    x0, noise, P = random_case(inputs)

    def call(x0, noise):
        return moved(student, x0, 3, 0.2, noise.transpose(1, 0, 2).copy(), P, 0.05, False)

    laws.expect_rows_independent(call, batched=(x0, noise.transpose(1, 0, 2).copy()))
    expect(moved(student, x0, 0, 0.2, noise[:0], P, 0.0, False)).equals(x0)


@mistake(
    "langevin_sample",
    kind="scale",
    hint="The noise is multiplied by the root of step_size, since variances add up.",
)
def langevin_noise_scale(energy, x0, n_steps, step_size, noise):
    scaled = noise * step_size**0.5
    return deep_ebm.langevin_sample(energy, x0, n_steps, step_size, scaled)


@mistake("langevin_sample", kind="concept", hint="Samples go downhill: minus the gradient.")
def langevin_ascent(energy, x0, n_steps, step_size, noise):
    return deep_ebm.langevin_sample(lambda x: -energy(x), x0, n_steps, step_size, noise)


@mistake(
    "langevin_sample",
    kind="scale",
    hint="Half of step_size goes with the gradient, its root with the noise.",
)
def langevin_whole_step(energy, x0, n_steps, step_size, noise):
    return deep_ebm.langevin_sample(lambda x: 2.0 * energy(x), x0, n_steps, step_size, noise)


@mistake(
    "langevin_sample",
    kind="scale",
    hint="Half of step_size goes with the gradient, its root with the noise.",
)
def langevin_noise_doubled(energy, x0, n_steps, step_size, noise):
    return deep_ebm.langevin_sample(energy, x0, n_steps, step_size, 2.0**0.5 * noise)


@mistake("langevin_sample", kind="lazy", hint="Without noise this is gradient descent.")
def langevin_without_noise(energy, x0, n_steps, step_size, noise):
    return deep_ebm.langevin_sample(energy, x0, n_steps, step_size, 0.0 * noise)


@mistake(
    "langevin_sample",
    kind="scale",
    hint="Add energies up; the slope of their mean is smaller the more rows there are.",
)
def langevin_mean_energy(energy, x0, n_steps, step_size, noise):
    rows = x0.shape[0]
    return deep_ebm.langevin_sample(lambda x: energy(x) / rows, x0, n_steps, step_size, noise)


@mistake("langevin_sample", kind="lazy", hint="All n_steps steps are made.")
def langevin_one_step(energy, x0, n_steps, step_size, noise):
    return deep_ebm.langevin_sample(energy, x0, min(n_steps, 1), step_size, noise)


@mistake("langevin_sample", kind="lazy", hint="All n_steps steps are made.")
def langevin_one_step_less(energy, x0, n_steps, step_size, noise):
    return deep_ebm.langevin_sample(energy, x0, max(n_steps - 1, 0), step_size, noise)


@mistake("langevin_sample", kind="randomness", hint="Each step has noise of its own: noise[step].")
def langevin_same_noise(energy, x0, n_steps, step_size, noise):
    same = noise[:1] + 0.0 * noise
    return deep_ebm.langevin_sample(energy, x0, n_steps, step_size, same)


@mistake("langevin_sample", kind="randomness", hint="Each step has noise of its own: noise[step].")
def langevin_noise_backwards(energy, x0, n_steps, step_size, noise):
    return deep_ebm.langevin_sample(energy, x0, n_steps, step_size, noise[::-1])


@mistake("langevin_sample", kind="randomness", hint="Use the noise that is handed in.")
def langevin_own_noise(energy, x0, n_steps, step_size, noise):
    own = tf.random.normal(tf.shape(noise), dtype=noise.dtype)
    return deep_ebm.langevin_sample(energy, x0, n_steps, step_size, own)


@mistake("langevin_sample", kind="axis", hint="Each row has noise of its own.")
def langevin_noise_of_first_row(energy, x0, n_steps, step_size, noise):
    same = noise[:, :1] + 0.0 * noise
    return deep_ebm.langevin_sample(energy, x0, n_steps, step_size, same)


@mistake(
    "langevin_sample",
    kind="concept",
    hint="The slope is taken where x stands, before the noise of this step.",
)
def langevin_noise_first(energy, x0, n_steps, step_size, noise):
    x = x0
    for step in range(n_steps):
        x = x + step_size**0.5 * noise[step]
        x = deep_ebm.langevin_sample(energy, x, 1, step_size, 0.0 * noise[:1])
    return x


@mistake(
    "langevin_sample",
    kind="concept",
    hint="The slope is taken anew in every step, where x stands now.",
)
def langevin_slope_of_start(energy, x0, n_steps, step_size, noise):
    if n_steps == 0:
        return x0
    first = deep_ebm.langevin_sample(energy, x0, 1, step_size, 0.0 * noise[:1]) - x0
    return x0 + n_steps * first + step_size**0.5 * tf.reduce_sum(noise, axis=0)


@mistake("langevin_sample", kind="concept", hint="The last step has noise like all others.")
def langevin_last_without_noise(energy, x0, n_steps, step_size, noise):
    if n_steps == 0:
        return x0
    x = deep_ebm.langevin_sample(energy, x0, n_steps - 1, step_size, noise)
    return deep_ebm.langevin_sample(energy, x, 1, step_size, 0.0 * noise[-1:])


@mistake("langevin_sample", kind="concept", hint="Nothing is clipped: x may be any real number.")
def langevin_clips_states(energy, x0, n_steps, step_size, noise):
    x = x0
    for step in range(n_steps):
        x = deep_ebm.langevin_sample(energy, x, 1, step_size, noise[step : step + 1])
        x = tf.clip_by_value(x, -10.0, 10.0)
    return x


@mistake("langevin_sample", kind="concept", hint="Nothing is clipped: slopes are what they are.")
def langevin_slope_clipped(energy, x0, n_steps, step_size, noise):
    x = x0
    for step in range(n_steps):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(energy(x))
        slope = tf.clip_by_value(tape.gradient(total, x), -0.1, 0.1)
        x = tf.stop_gradient(x - 0.5 * step_size * slope + step_size**0.5 * noise[step])
    return x


@mistake("langevin_sample", kind="numerics", hint="Float64 rows give float64 rows.")
def langevin_in_float32(energy, x0, n_steps, step_size, noise):
    return tf.cast(deep_ebm.langevin_sample(energy, x0, n_steps, step_size, noise), tf.float32)


@mistake("langevin_sample", kind="lazy", hint="Only the rows after the last step are returned.")
def langevin_returns_all_steps(energy, x0, n_steps, step_size, noise):
    walk = [x0]
    for step in range(n_steps):
        rest = noise[step : step + 1]
        walk.append(deep_ebm.langevin_sample(energy, walk[-1], 1, step_size, rest))
    return tf.stack(walk)


@mistake(
    "langevin_sample",
    kind="axis",
    hint="Energies may have the shape (B,) or (B, 1): add them all up.",
)
def langevin_column_only(energy, x0, n_steps, step_size, noise):
    return deep_ebm.langevin_sample(lambda x: energy(x)[:, 0], x0, n_steps, step_size, noise)


@mistake(
    "langevin_sample",
    kind="concept",
    hint="Samples are constants for whoever uses them: stop the gradient of every step.",
)
def langevin_differentiable(energy, x0, n_steps, step_size, noise):
    x = x0
    for step in range(n_steps):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(energy(x))
        x = x - 0.5 * step_size * tape.gradient(total, x) + step_size**0.5 * noise[step]
    return x


@mistake(
    "langevin_sample",
    kind="concept",
    hint="Samples are constants for whoever uses them: stop the gradient of every step.",
)
def langevin_differentiable_at_last(energy, x0, n_steps, step_size, noise):
    if n_steps == 0:
        return x0
    x = deep_ebm.langevin_sample(energy, x0, n_steps - 1, step_size, noise)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(energy(x))
    return x - 0.5 * step_size * tape.gradient(total, x) + step_size**0.5 * noise[-1]


@alternative("langevin_sample")
def langevin_with_tf_gradients(energy, x0, n_steps, step_size, noise):
    @tf.function
    def step(x, draw):
        with tf.GradientTape() as tape:
            tape.watch(x)
            log_p = -energy(x)
        return x + step_size / 2 * tape.gradient(log_p, x) + np.sqrt(step_size) * draw

    x = tf.identity(x0)
    for draw in tf.unstack(noise):
        x = step(x, draw)
    return tf.stop_gradient(x)


@alternative("langevin_sample")
def langevin_in_a_variable(energy, x0, n_steps, step_size, noise):
    x = tf.Variable(x0)
    for n in range(n_steps):
        with tf.GradientTape() as tape:
            total = x.shape[0] * tf.reduce_mean(energy(x))
        x.assign_sub(0.5 * step_size * tape.gradient(total, x))
        x.assign_add(tf.sqrt(tf.cast(step_size, x0.dtype)) * noise[n])
    return tf.stop_gradient(tf.convert_to_tensor(x))


@alternative("langevin_sample")
def langevin_by_scan(energy, x0, n_steps, step_size, noise):
    def step(x, draw):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            total = tf.reduce_sum(energy(x))
        return x - 0.5 * step_size * tape.gradient(total, x) + draw

    draws = step_size**0.5 * noise
    return tf.stop_gradient(tf.foldl(step, draws, initializer=x0)) if n_steps else x0 + 0.0


@alternative("langevin_sample")
def langevin_outside_of_tapes(energy, x0, n_steps, step_size, noise):
    x = tf.constant(np.asarray(x0))
    for n in range(n_steps):
        with tf.GradientTape() as tape:
            tape.watch(x)
            values = energy(x)
        slope = tf.constant(np.asarray(tape.gradient(values, x)))
        x = x - slope * (step_size / 2) + tf.constant(np.asarray(noise[n])) * step_size**0.5
    return x
