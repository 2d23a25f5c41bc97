"""Exercise 3: guess the noise."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake, probe
from reference import diffusion

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_SCHEDULE = {
    "betas": np.array([0.36, 0.4375]),
    "alphas": np.array([0.64, 0.5625]),
    "alpha_bars": np.array([0.64, 0.36]),
}
SHOWN_X0 = np.array([[2, 0, -1], [2, 0, -1]], np.float32)
SHOWN_NOISE = np.array([[1, 1, 0], [2, 3, 0]], np.float32)
SHOWN_T = np.array([0, 1])


@probe
def losses(student, x0, t, noise, schedule, gains, W):
    """Returns the losses of a model: a gain for each level, a matrix of the last axis, tanh."""

    def noise_model(x, t):
        gain = tf.reshape(tf.cast(tf.gather(gains, t), x.dtype), [-1] + [1] * (len(x.shape) - 1))
        return gain * tf.tanh(tf.tensordot(x, W, 1))

    return student.ddpm_loss(noise_model, x0, t, noise, schedule)


@probe
def slopes(student, x0, t, noise, schedule, gains, W, weights):
    """Returns the derivatives of sum(weights losses) by the parameters of the model."""
    gains, W = tf.identity(gains), tf.identity(W)

    def noise_model(x, t):
        gain = tf.reshape(tf.gather(gains, t), [-1] + [1] * (len(x.shape) - 1))
        return gain * tf.tanh(tf.tensordot(x, W, 1))

    with tf.GradientTape() as tape:
        tape.watch([gains, W])
        each = student.ddpm_loss(noise_model, x0, t, noise, schedule)
        total = tf.reduce_sum(weights * each)
    found = tape.gradient(total, [gains, W], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [tf.convert_to_tensor(one) for one in found]


@probe
def losses_of_a_known_error(student, x0, t, noise, schedule, errors):
    """Returns the losses of a model that knows the data and is off by a known error per row."""

    def noise_model(x, t):
        shape = [-1] + [1] * (len(x.shape) - 1)
        left = tf.reshape(tf.gather(schedule["alpha_bars"], t), shape)
        return (x - tf.sqrt(left) * x0) / tf.sqrt(1.0 - left) + tf.reshape(errors, shape)

    return student.ddpm_loss(noise_model, x0, t, noise, schedule)


@probe
def levels_shown(student, x0, t, noise, schedule):
    """Returns how many axes the levels have that the model gets, how many there are, their sum."""
    seen = []

    def noise_model(x, t):
        seen.append([len(t.shape), int(np.prod(t.shape)), tf.reduce_sum(tf.cast(t, tf.int64))])
        return x

    student.ddpm_loss(noise_model, x0, t, noise, schedule)
    return np.array([[int(number) for number in row] for row in seen])


def coarse_schedule(inputs):
    """Returns a schedule of five levels whose variances neither rise nor fall."""
    betas = inputs.permutation(
        np.array([0.2, 0.3, 0.4, 0.5, 0.6]) + inputs.uniform(-0.04, 0.04, 5)
    )
    return {"betas": betas, "alphas": 1 - betas, "alpha_bars": np.cumprod(1 - betas)}


def random_case(inputs, event=(3,)):
    """Returns x0, t, noise of seven rows, a schedule, gains and a matrix, float64."""
    t = inputs.permutation(np.array([0, 1, 2, 3, 4, 1, 3]))
    shape, width = (7, *event), event[-1]
    model = inputs.uniform(0.5, 1.5, 5), inputs.normal(size=(width, width))
    noise = inputs.normal(size=shape)
    return 1 + inputs.normal(size=shape), t, noise, coarse_schedule(inputs), *model


def due_of(x0, t, noise, schedule, gains, W):
    """Returns what is due."""
    left, gain = (a[t].reshape(-1, *[1] * (x0.ndim - 1)) for a in (schedule["alpha_bars"], gains))
    x = np.sqrt(left) * x0 + np.sqrt(1 - left) * noise
    return ((noise - gain * np.tanh(x @ W)) ** 2).reshape(len(x0), -1).mean(axis=1)


def shown_case():
    """Returns the shown arrays with a model that always says 0."""
    gains, W = np.zeros(2, np.float32), np.zeros((3, 3), np.float32)
    return SHOWN_X0, SHOWN_T, SHOWN_NOISE, SHOWN_SCHEDULE, gains, W


@exercise(
    "ddpm_loss",
    points=1,
    depends_on=("q_sample",),
    visible=True,
    mistakes=("loss_of_the_batch", "loss_of_each_entry"),
)
def test_loss_shown_shape_and_dtype(student):
    """Two rows have two losses, in the dtype of x0."""
    expect(losses(student, *shown_case())).array("B", np.float32, B=2)


@exercise(
    "ddpm_loss",
    points=1,
    depends_on=("q_sample",),
    visible=True,
    mistakes=("loss_on_x0", "loss_sum"),
)
def test_loss_shown_of_a_model_that_says_nothing(student):
    """A model that always says 0 loses the mean square of the noise."""
    seen = losses(student, *shown_case())
    expect(seen).matches(np.array([2 / 3, 13 / 3], np.float32))


@exercise(
    "ddpm_loss",
    points=2,
    depends_on=("q_sample",),
    mistakes=(
        "loss_on_x0",
        "loss_sum",
        "loss_half",
        "loss_root",
        "loss_absolute",
        "loss_of_the_data",
        "loss_model_sees_the_data",
        "loss_weighted_by_level",
        "loss_level_of_the_first_row",
        "loss_other_level_for_the_model",
        "loss_own_noise",
        "loss_in_float32",
    ),
    note="A model that is not linear, five levels, float64.",
)
def test_loss_is_the_mean_square_of_the_error(student, inputs):
    """Each row's loss is the mean square of what the model's guess of the noise is off by."""
    case = random_case(inputs)
    expect(losses(student, *case)).matches(due_of(*case))


@exercise(
    "ddpm_loss",
    points=1,
    depends_on=("q_sample",),
    mistakes=("loss_over_the_last_axis", "loss_sum"),
    note="Images of 6x5 pixels and two channels.",
)
def test_loss_of_images(student, inputs):
    """An image has one loss, the mean over all its entries."""
    case = random_case(inputs, (6, 5, 2))
    expect(losses(student, *case)).matches(due_of(*case))


@exercise(
    "ddpm_loss",
    points=1,
    depends_on=("q_sample",),
    mistakes=("loss_on_x0", "loss_own_noise", "loss_sum", "loss_root", "loss_half"),
    note="A model that knows the data, so that its error is known whatever the noise.",
)
def test_loss_of_a_model_that_knows_the_data(student, inputs):
    """A model that is right up to a constant c loses c squared; one that is right, nothing."""
    x0, t, noise, schedule, *_ = random_case(inputs)
    errors = np.array([0, 1.5, -2, 0.5, 0, 3, -1])
    seen = losses_of_a_known_error(student, x0, t, noise, schedule, errors)
    expect(seen).matches(errors**2, tolerance=1e-8)


@exercise(
    "ddpm_loss",
    points=1,
    depends_on=("q_sample",),
    mistakes=("loss_one_level_for_the_model", "loss_levels_as_column"),
)
def test_loss_tells_the_model_each_level(student, inputs):
    """The model is told the level of each row: t, of shape (B,), as it is."""
    x0, t, noise, schedule, *_ = random_case(inputs)
    seen = np.asarray(levels_shown(student, x0, t, noise, schedule))
    called = seen.ndim == 2 and len(seen) > 0
    expect(called, "the model is called").equals(True)
    right = bool(np.all(seen == np.array([[1, 7, t.sum()]])))
    expect(right, "the model gets t itself, one level per row, of shape (B,)").equals(True)


@exercise(
    "ddpm_loss",
    points=1,
    depends_on=("q_sample",),
    mistakes=("loss_detached", "loss_of_the_batch", "loss_level_of_the_first_row"),
)
def test_loss_of_each_row_has_its_gradient(student, inputs):
    """Rows do not touch each other, and gradients by the model's parameters are right."""
    case = random_case(inputs)
    x0, t, noise, *rest = case

    def call(x0, t, noise):
        return losses(student, x0, t, noise, *rest)

    laws.expect_rows_independent(call, batched=(x0, t, noise))
    weights = inputs.uniform(0.5, 1.5, 7)
    tensors = [tf.constant(array) for array in (x0, t, noise)]
    schedule = {name: tf.constant(values) for name, values in case[3].items()}
    model = (tf.constant(array) for array in (*case[4:], weights))
    due = slopes.function(diffusion, *tensors, schedule, *model)
    seen = expect(slopes(student, *case, weights)).parts(2)
    for one, right in zip(seen, due, strict=True):
        expect(one).matches(right.numpy())


@mistake(
    "ddpm_loss", kind="concept", hint="The model's output is compared with the noise, not with x0."
)
def loss_on_x0(noise_model, x0, t, noise, schedule):
    error = x0 - noise_model(diffusion.q_sample(x0, t, noise, schedule), t)
    return tf.reduce_mean(error**2, axis=list(range(1, len(error.shape))))


@mistake("ddpm_loss", kind="scale", hint="The loss is the mean over the entries, not their sum.")
def loss_sum(noise_model, x0, t, noise, schedule):
    loss = diffusion.ddpm_loss(noise_model, x0, t, noise, schedule)
    return loss * int(np.prod(x0.shape[1:]))


@mistake("ddpm_loss", kind="scale", hint="A mean of squares has no factor one half.")
def loss_half(noise_model, x0, t, noise, schedule):
    return 0.5 * diffusion.ddpm_loss(noise_model, x0, t, noise, schedule)


@mistake("ddpm_loss", kind="scale", hint="No root is taken of the mean square.")
def loss_root(noise_model, x0, t, noise, schedule):
    return tf.sqrt(diffusion.ddpm_loss(noise_model, x0, t, noise, schedule))


@mistake("ddpm_loss", kind="concept", hint="The error is squared, not its absolute value taken.")
def loss_absolute(noise_model, x0, t, noise, schedule):
    error = noise - noise_model(diffusion.q_sample(x0, t, noise, schedule), t)
    return tf.reduce_mean(tf.abs(error), axis=list(range(1, len(error.shape))))


@mistake(
    "ddpm_loss",
    kind="concept",
    hint="Compare noise with noise: this compares what x0 would be.",
)
def loss_of_the_data(noise_model, x0, t, noise, schedule):
    x_t = diffusion.q_sample(x0, t, noise, schedule)
    error = x0 - diffusion.predict_x0(x_t, t, noise_model(x_t, t), schedule)
    return tf.reduce_mean(error**2, axis=list(range(1, len(error.shape))))


@mistake("ddpm_loss", kind="concept", hint="The model sees the noisy x_t, not the data.")
def loss_model_sees_the_data(noise_model, x0, t, noise, schedule):
    error = noise - noise_model(x0, t)
    return tf.reduce_mean(error**2, axis=list(range(1, len(error.shape))))


@mistake("ddpm_loss", kind="concept", hint="All levels count the same: the loss has no weight.")
def loss_weighted_by_level(noise_model, x0, t, noise, schedule):
    weight = tf.cast(tf.gather(schedule["betas"], t), x0.dtype)
    return weight * diffusion.ddpm_loss(noise_model, x0, t, noise, schedule)


@mistake("ddpm_loss", kind="axis", hint="Each row has a level of its own.")
def loss_level_of_the_first_row(noise_model, x0, t, noise, schedule):
    return diffusion.ddpm_loss(noise_model, x0, t[0] + 0 * t, noise, schedule)


@mistake("ddpm_loss", kind="concept", hint="The model is told the level at which x_t was made.")
def loss_other_level_for_the_model(noise_model, x0, t, noise, schedule):
    def other(x, t):
        return noise_model(x, tf.maximum(t - 1, 0))

    return diffusion.ddpm_loss(other, x0, t, noise, schedule)


@mistake("ddpm_loss", kind="randomness", hint="Use the noise that is handed in; draw nothing.")
def loss_own_noise(noise_model, x0, t, noise, schedule):
    x_t = diffusion.q_sample(x0, t, tf.random.normal(tf.shape(x0), dtype=x0.dtype), schedule)
    error = noise - noise_model(x_t, t)
    return tf.reduce_mean(error**2, axis=list(range(1, len(error.shape))))


@mistake("ddpm_loss", kind="numerics", hint="Float64 data give a float64 loss.")
def loss_in_float32(noise_model, x0, t, noise, schedule):
    return tf.cast(diffusion.ddpm_loss(noise_model, x0, t, noise, schedule), tf.float32)


@mistake("ddpm_loss", kind="axis", hint="Each row has a loss of its own: no batch mean.")
def loss_of_the_batch(noise_model, x0, t, noise, schedule):
    return tf.reduce_mean(diffusion.ddpm_loss(noise_model, x0, t, noise, schedule))


@mistake("ddpm_loss", kind="axis", hint="A row has one loss: average over its entries.")
def loss_of_each_entry(noise_model, x0, t, noise, schedule):
    return (noise - noise_model(diffusion.q_sample(x0, t, noise, schedule), t)) ** 2


@mistake("ddpm_loss", kind="axis", hint="Average over all axes of a row, not only the last one.")
def loss_over_the_last_axis(noise_model, x0, t, noise, schedule):
    error = noise - noise_model(diffusion.q_sample(x0, t, noise, schedule), t)
    return tf.reduce_mean(error**2, axis=-1)


@mistake("ddpm_loss", kind="axis", hint="The model gets one level per row: t of shape (B,).")
def loss_one_level_for_the_model(noise_model, x0, t, noise, schedule):
    return diffusion.ddpm_loss(lambda x, t: noise_model(x, t[0]), x0, t, noise, schedule)


@mistake("ddpm_loss", kind="axis", hint="The model gets t as it is, of shape (B,), no column.")
def loss_levels_as_column(noise_model, x0, t, noise, schedule):
    def told_in_a_column(x, t):
        return noise_model(x, t[:, tf.newaxis])

    return diffusion.ddpm_loss(told_in_a_column, x0, t, noise, schedule)


@mistake(
    "ddpm_loss",
    kind="numerics",
    hint="A gradient has to flow through the model's guess.",
)
def loss_detached(noise_model, x0, t, noise, schedule):
    error = noise - tf.stop_gradient(noise_model(diffusion.q_sample(x0, t, noise, schedule), t))
    return tf.reduce_mean(error**2, axis=list(range(1, len(error.shape))))


@alternative("ddpm_loss")
def loss_flattened(noise_model, x0, t, noise, schedule):
    guess = noise_model(q_sample(x0, t, noise, schedule), t)  # noqa: F821
    difference = tf.reshape(guess - noise, (x0.shape[0], -1))
    return tf.reduce_mean(tf.square(difference), axis=1)


@alternative("ddpm_loss")
def loss_by_keras(noise_model, x0, t, noise, schedule):
    guess = noise_model(q_sample(x0, t, noise, schedule), t)  # noqa: F821
    squares = tf.keras.ops.square(tf.keras.ops.subtract(guess, noise))
    return tf.keras.ops.mean(squares, axis=tuple(range(1, len(x0.shape))))


@alternative("ddpm_loss")
def loss_axis_by_axis(noise_model, x0, t, noise, schedule):
    left = tf.cast(tf.gather(schedule["alpha_bars"], t), x0.dtype)
    left = tf.reshape(left, [x0.shape[0]] + [1] * (len(x0.shape) - 1))
    x_t = left**0.5 * x0 + (1 - left) ** 0.5 * noise
    squares = tf.math.squared_difference(noise_model(x_t, t), noise)
    for _ in x0.shape[1:]:
        squares = tf.reduce_mean(squares, axis=-1)
    return squares


@alternative("ddpm_loss")
def loss_of_dot_products(noise_model, x0, t, noise, schedule):
    error = noise - noise_model(q_sample(x0, t, noise, schedule), t)  # noqa: F821
    error = tf.reshape(error, (tf.shape(x0)[0], int(np.prod(x0.shape[1:]))))
    return tf.einsum("bd,bd->b", error, error) / error.shape[1]
