"""Exercise 2: draws as a smooth function of mean and log-variance."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, gradients, laws, mistake
from reference import vae

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_MEAN = np.array([[0, 1], [10, -10]], np.float32)
SHOWN_LOG_VAR = np.array([[0, 0], [2, -2]], np.float32)


def random_case(inputs):
    """Returns mean and log_var (7, 3), noise (4, 7, 3), float64."""
    return inputs.normal(size=(7, 3)), inputs.normal(size=(7, 3)), inputs.normal(size=(4, 7, 3))


@exercise("reparameterize", points=1, visible=True, mistakes=("draw_added_up",))
def test_draws_shown_shape_and_dtype(student):
    """The result has the shape of the noise and the dtype of the arguments."""
    noise = np.ones((2, 2), np.float32)
    seen = student.reparameterize(SHOWN_MEAN, SHOWN_LOG_VAR, noise)
    expect(seen).array("B Z", np.float32, B=2, Z=2)


@exercise("reparameterize", points=1, visible=True, mistakes=("draw_without_mean",))
def test_draws_shown_values(student):
    """Without noise a draw is the mean; with noise 1 and variance 1 it lies one above it."""
    zero, one = np.zeros((2, 2), np.float32), np.ones((1, 2), np.float32)
    expect(student.reparameterize(SHOWN_MEAN, SHOWN_LOG_VAR, zero)).matches(SHOWN_MEAN)
    seen = student.reparameterize(SHOWN_MEAN[:1], SHOWN_LOG_VAR[:1], one)
    expect(seen).matches(np.array([[1, 2]], np.float32))


@exercise(
    "reparameterize",
    points=2,
    mistakes=(
        "logvar_as_std",
        "logvar_as_variance",
        "draw_without_noise",
        "draw_without_mean",
        "draw_divided",
        "draw_mean_scaled",
        "draw_with_own_noise",
        "draw_of_the_first_row",
        "draw_in_float32",
        "draw_softplus",
    ),
    note="Also with an axis of samples in front of the noise.",
)
def test_draws_have_mean_and_deviation(student, inputs):
    """A draw is the mean plus the deviation times the noise, for any number of samples."""
    mean, log_var, noise = random_case(inputs)
    due = mean + np.exp(log_var / 2) * noise
    expect(student.reparameterize(mean, log_var, noise[0])).matches(due[0])
    expect(student.reparameterize(mean, log_var, noise)).matches(due)


@exercise(
    "reparameterize",
    points=1,
    mistakes=("draw_detached", "draw_stops_the_variance", "logvar_as_std"),
)
def test_draws_have_the_right_gradient(student, inputs):
    """The derivative by the mean is 1, by log_var half the deviation times the noise."""
    mean, log_var, noise = random_case(inputs)
    gradients.expect_gradient(
        student.reparameterize, (mean, log_var, noise[0]), wrt=(0, 1), due=vae.reparameterize
    )


@exercise("reparameterize", points=1, mistakes=("draw_of_the_first_row", "draw_normalised"))
def test_draws_of_each_row_stand_alone(student, inputs):
    """Each row of draws depends on that row of mean, log_var and noise only."""
    mean, log_var, noise = random_case(inputs)
    laws.expect_rows_independent(student.reparameterize, batched=(mean, log_var, noise[0]))


@mistake(
    "reparameterize",
    kind="scale",
    hint="The standard deviation is e to half the log-variance.",
)
def logvar_as_std(mean, log_var, noise):
    return mean + tf.exp(log_var) * noise


@mistake("reparameterize", kind="scale", hint="log_var is a logarithm: take e to its half first.")
def logvar_as_variance(mean, log_var, noise):
    return mean + log_var * noise


@mistake("reparameterize", kind="lazy", hint="The noise has no influence on the result.")
def draw_without_noise(mean, log_var, noise):
    return mean + tf.exp(0.5 * log_var) + 0.0 * noise


@mistake("reparameterize", kind="lazy", hint="The mean is missing.")
def draw_without_mean(mean, log_var, noise):
    return tf.exp(0.5 * log_var) * noise


@mistake(
    "reparameterize", kind="concept", hint="Noise is multiplied by the deviation, not divided."
)
def draw_divided(mean, log_var, noise):
    return mean + noise / tf.exp(0.5 * log_var)


@mistake("reparameterize", kind="concept", hint="Only the noise is scaled; the mean is not.")
def draw_mean_scaled(mean, log_var, noise):
    return tf.exp(0.5 * log_var) * (mean + noise)


@mistake(
    "reparameterize",
    kind="randomness",
    hint="Use the noise that is handed in; nothing is drawn inside.",
)
def draw_with_own_noise(mean, log_var, noise):
    return mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(noise), dtype=noise.dtype)


@mistake("reparameterize", kind="axis", hint="A code is a vector: its numbers are not added up.")
def draw_added_up(mean, log_var, noise):
    return tf.reduce_sum(vae.reparameterize(mean, log_var, noise), axis=-1)


@mistake("reparameterize", kind="axis", hint="Each row has noise of its own.")
def draw_of_the_first_row(mean, log_var, noise):
    return mean + tf.exp(0.5 * log_var) * noise[..., :1, :1]


@mistake("reparameterize", kind="axis", hint="The noise is used as it is, not standardised.")
def draw_normalised(mean, log_var, noise):
    return mean + tf.exp(0.5 * log_var) * (noise - tf.reduce_mean(noise, axis=-2, keepdims=True))


@mistake("reparameterize", kind="numerics", hint="Float64 arguments give a float64 result.")
def draw_in_float32(mean, log_var, noise):
    return vae.reparameterize(*(tf.cast(array, tf.float32) for array in (mean, log_var, noise)))


@mistake(
    "reparameterize",
    kind="concept",
    hint="log_var is the logarithm of the variance; softplus belongs to another parametrisation.",
)
def draw_softplus(mean, log_var, noise):
    return mean + tf.nn.softplus(log_var) * noise


@mistake(
    "reparameterize",
    kind="numerics",
    hint="Stay with TensorFlow operations: no gradient flows through NumPy.",
)
def draw_detached(mean, log_var, noise):
    return tf.constant(vae.reparameterize(mean, log_var, noise).numpy())


@mistake("reparameterize", kind="lazy", hint="A gradient has to flow to log_var, too.")
def draw_stops_the_variance(mean, log_var, noise):
    return vae.reparameterize(mean, tf.stop_gradient(log_var) + 0.0 * log_var, noise)


@alternative("reparameterize")
def draw_by_square_root(mean, log_var, noise):
    return tf.sqrt(tf.exp(log_var)) * noise + mean


@alternative("reparameterize")
def draw_by_keras(mean, log_var, noise):
    return tf.keras.ops.add(mean, tf.keras.ops.multiply(tf.keras.ops.exp(log_var / 2), noise))


@alternative("reparameterize")
@tf.function
def draw_compiled(mean, log_var, noise):
    return mean + noise * tf.exp(log_var) ** 0.5


@alternative("reparameterize")
def draw_sample_by_sample(mean, log_var, noise):
    deviation = tf.exp(0.5 * log_var)
    if len(noise.shape) == 2:
        return mean + deviation * noise
    return tf.stack([mean + deviation * one for one in tf.unstack(noise)])


@alternative("reparameterize")
def draw_with_broadcast(mean, log_var, noise):
    shape = tf.shape(noise)
    deviation = tf.broadcast_to(tf.math.exp(tf.multiply(log_var, 0.5)), shape)
    return tf.broadcast_to(mean, shape) + tf.multiply(deviation, noise)
