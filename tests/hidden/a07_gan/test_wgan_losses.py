"""Exercise 3: critics, and the slope that keeps them honest."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, mistake, probe
from reference import gan

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_REAL = np.array([4, 2], np.float32)
SHOWN_FAKE = np.array([0, 0, 3], np.float32)
SHOWN_X = np.array([[1, 0], [0, 2], [1, 1]], np.float32)


@probe
def penalty_of(student, x_real, x_fake, alpha, w, curvature, column):
    """Returns the penalty of the critic w.x + curvature |x|^2 / 2, and its derivative by w."""
    w = tf.identity(w)

    def critic(x):
        flat = tf.reshape(x, (tf.shape(x)[0], -1))
        f = tf.linalg.matvec(flat, w) + 0.5 * curvature * tf.reduce_sum(flat**2, axis=1)
        return f[:, tf.newaxis] if column else f

    with tf.GradientTape() as tape:
        tape.watch(w)
        penalty = student.gradient_penalty(critic, x_real, x_fake, alpha)
        total = tf.reduce_sum(penalty)
    zero = tf.UnconnectedGradients.ZERO
    return penalty, tape.gradient(total, w, unconnected_gradients=zero)


@probe
def loss_gradients(student, real, fake):
    """Returns derivatives: the critic's loss by both, the generator's by the fakes."""
    real, fake = tf.identity(real), tf.identity(fake)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        critic, generator = student.wgan_losses(real, fake)
    zero = tf.UnconnectedGradients.ZERO
    by_both = tape.gradient(critic, [real, fake], unconnected_gradients=zero)
    return [*by_both, tape.gradient(generator, fake, unconnected_gradients=zero)]


def images(inputs):
    """Returns real and generated images (7, 6, 5, 2), alpha (7,) and w (60,), float64."""
    shape = 7, 6, 5, 2
    alpha = inputs.uniform(0.1, 0.9, 7)
    return inputs.normal(size=shape), inputs.normal(size=shape), alpha, inputs.normal(size=60)


def due_of(x_real, x_fake, alpha, w, curvature):
    """Returns penalty and derivative that are due."""
    arrays = (tf.constant(array) for array in (x_real, x_fake, alpha, w))
    return [part.numpy() for part in penalty_of.function(gan, *arrays, curvature, False)]


@exercise("wgan_losses", points=1, visible=True, mistakes=("critic_of_each_row",))
def test_critic_losses_shown_shapes_and_dtypes(student):
    """There are two losses, each a single number."""
    for loss in expect(student.wgan_losses(SHOWN_REAL, SHOWN_FAKE)).parts(2):
        expect(loss).array((), np.float32)


@exercise(
    "wgan_losses",
    points=2,
    visible=True,
    mistakes=("critic_sign", "critic_generator_sign", "critic_order"),
)
def test_critic_losses_shown_values(student):
    """With means of 3 on real and of 1 on generated rows, the losses are -2 and -1."""
    critic, generator = expect(student.wgan_losses(SHOWN_REAL, SHOWN_FAKE)).parts(2)
    expect(critic).close(np.float32(-2))
    expect(generator).close(np.float32(-1))


@exercise(
    "wgan_losses",
    points=2,
    visible=True,
    mistakes=("penalty_not_squared", "penalty_without_root", "penalty_without_target"),
)
def test_penalty_shown_of_a_linear_critic(student):
    """The critic 3 x1 + 4 x2 has the slope 5 everywhere: 4 too much, squared 16."""
    w, alpha = np.array([3, 4], np.float32), np.array([0.5, 0, 1], np.float32)
    penalty, _ = expect(
        penalty_of(student, SHOWN_X, SHOWN_X[::-1].copy(), alpha, w, 0.0, True)
    ).parts(2)
    expect(penalty).array((), np.float32).close(np.float32(16), tolerance=1e-5)


@exercise(
    "wgan_losses",
    points=2,
    mistakes=(
        "critic_sign",
        "critic_sums_rows",
        "critic_generator_of_real",
        "critic_with_logits",
        "critic_order",
        "critic_in_float32",
    ),
)
def test_critic_losses_are_differences_of_means(student, inputs):
    """The critic's loss is mean f(fake) - mean f(real), the generator's -mean f(fake)."""
    real, fake = inputs.normal(size=7), inputs.normal(size=5)
    for shape in ((-1,), (-1, 1)):
        seen = expect(student.wgan_losses(real.reshape(shape), fake.reshape(shape))).parts(2)
        for loss, due in zip(seen, (fake.mean() - real.mean(), -fake.mean()), strict=True):
            expect(loss).matches(due)


@exercise(
    "wgan_losses",
    points=4,
    mistakes=(
        "gp_alpha_per_pixel",
        "gp_normal_alpha",
        "gp_own_alpha",
        "gp_at_real_only",
        "gp_at_fake_only",
        "gp_alpha_exchanged",
        "penalty_norm_of_the_batch",
        "penalty_norm_of_the_last_axis",
        "penalty_one_alpha_for_all",
        "penalty_sums_rows",
        "penalty_in_float32",
        "penalty_per_row",
    ),
    note="A critic with slope w + x / 2 on images of 6x5x2; seven rows, float64.",
)
def test_penalty_is_taken_between_the_images(student, inputs):
    """Each row's slope is taken at its own place between real and fake, over all pixels."""
    case = images(inputs)
    due, _ = due_of(*case, 0.5)
    for column in (False, True):
        penalty, _ = expect(penalty_of(student, *case, 0.5, column)).parts(2)
        expect(penalty).matches(due)


@exercise(
    "wgan_losses",
    points=2,
    mistakes=("penalty_one_sided", "penalty_without_target", "penalty_not_squared"),
    note="Slopes below 1 and above.",
)
def test_penalty_of_slopes_below_and_above_one(student, inputs):
    """Critics that are too flat are punished as those that are too steep."""
    x_real, x_fake, alpha, w = images(inputs)
    for length in (0.25, 3.0):
        scaled = w * length / np.linalg.norm(w)
        penalty, _ = expect(penalty_of(student, x_real, x_fake, alpha, scaled, 0.0, True)).parts(2)
        expect(penalty).close((length - 1) ** 2, tolerance=1e-8)


@exercise(
    "wgan_losses",
    points=3,
    mistakes=("penalty_detached", "penalty_stops_the_norm", "gp_at_real_only"),
    note="The derivative of a derivative: by the weights of the critic.",
)
def test_penalty_teaches_the_critic(student, inputs):
    """The penalty has the right derivative by the weights of the critic."""
    case = images(inputs)
    _, due = due_of(*case, 0.5)
    _, slope = expect(penalty_of(student, *case, 0.5, False)).parts(2)
    expect(slope, "the derivative by the critic's weights").matches(due)


@exercise(
    "wgan_losses",
    points=1,
    mistakes=("critic_stops_the_fakes", "critic_through_numpy"),
)
def test_critic_losses_have_the_right_gradients(student, inputs):
    """The derivatives of both losses by the critic's answers are right."""
    real, fake = inputs.normal(size=7), inputs.normal(size=5)
    seen = expect(loss_gradients(student, real, fake)).parts(3)
    for one, due, of in (
        (seen[0], np.full(7, -1 / 7), "the critic's loss by f_real"),
        (seen[1], np.full(5, 1 / 5), "the critic's loss by f_fake"),
        (seen[2], np.full(5, -1 / 5), "the generator's loss by f_fake"),
    ):
        expect(one, f"the derivative of {of}").matches(due)


@exercise(
    "wgan_losses",
    points=1,
    mistakes=("gp_sqrt_nan",),
    note="All weights 0: the derivative of a root is infinite there.",
)
def test_penalty_of_a_constant_critic(student, inputs):
    """A critic that is constant has the penalty 1 and finite derivatives."""
    x_real, x_fake, alpha, w = images(inputs)
    penalty, slope = expect(penalty_of(student, x_real, x_fake, alpha, 0 * w, 0.0, True)).parts(2)
    expect(penalty).array((), np.float64).close(1, tolerance=1e-4)
    expect(slope, "the derivative by the critic's weights").array("D", np.float64, D=60).finite()


@mistake("wgan_losses", kind="concept", hint="The critic wants real above fake: fake minus real.")
def critic_sign(f_real, f_fake):
    critic, generator = gan.wgan_losses(f_real, f_fake)
    return -critic, generator


@mistake("wgan_losses", kind="concept", hint="The generator wants the critic to be high: a minus.")
def critic_generator_sign(f_real, f_fake):
    critic, generator = gan.wgan_losses(f_real, f_fake)
    return critic, -generator


@mistake("wgan_losses", kind="lazy", hint="The critic's loss is returned first.")
def critic_order(f_real, f_fake):
    critic, generator = gan.wgan_losses(f_real, f_fake)
    return generator, critic


@mistake("wgan_losses", kind="axis", hint="A loss is a single number: average over the rows.")
def critic_of_each_row(f_real, f_fake):
    return f_fake - tf.reduce_mean(f_real), -f_fake


@mistake("wgan_losses", kind="scale", hint="Average over the rows; do not add them up.")
def critic_sums_rows(f_real, f_fake):
    fake = tf.reduce_sum(f_fake)
    return fake - tf.reduce_sum(f_real), -fake


@mistake("wgan_losses", kind="concept", hint="The generator's loss looks at generated rows only.")
def critic_generator_of_real(f_real, f_fake):
    critic, _ = gan.wgan_losses(f_real, f_fake)
    return critic, -critic


@mistake(
    "wgan_losses", kind="concept", hint="A critic gives plain numbers: no softplus, no sigmoid."
)
def critic_with_logits(f_real, f_fake):
    fake = tf.reduce_mean(tf.nn.softplus(f_fake))
    return fake + tf.reduce_mean(tf.nn.softplus(-f_real)), -fake


@mistake("wgan_losses", kind="numerics", hint="Float64 arguments give float64 losses.")
def critic_in_float32(f_real, f_fake):
    return tuple(tf.cast(loss, tf.float32) for loss in gan.wgan_losses(f_real, f_fake))


@mistake("wgan_losses", kind="concept", hint="The losses stop no gradient: training decides that.")
def critic_stops_the_fakes(f_real, f_fake):
    _, generator = gan.wgan_losses(f_real, f_fake)
    critic, _ = gan.wgan_losses(f_real, tf.stop_gradient(f_fake))
    return critic, generator


@mistake(
    "wgan_losses",
    kind="numerics",
    hint="Stay with TensorFlow operations: no gradient flows through NumPy.",
)
def critic_through_numpy(f_real, f_fake):
    fake = np.mean(f_fake.numpy())
    return tf.constant(fake - np.mean(f_real.numpy())), tf.constant(-fake)


@mistake(
    "wgan_losses",
    kind="axis",
    function="gradient_penalty",
    hint="One alpha for a whole row, the same for all its pixels.",
)
def gp_alpha_per_pixel(critic, x_real, x_fake, alpha):
    own = tf.random.uniform(tf.shape(x_real), dtype=x_real.dtype)
    place = own * x_real + (1.0 - own) * x_fake
    return gan.gradient_penalty(critic, place, place, alpha)


@mistake(
    "wgan_losses",
    kind="axis",
    function="gradient_penalty",
    hint="Each row has an alpha of its own.",
)
def penalty_one_alpha_for_all(critic, x_real, x_fake, alpha):
    return gan.gradient_penalty(critic, x_real, x_fake, alpha[:1] + 0.0 * alpha)


@mistake(
    "wgan_losses",
    kind="randomness",
    function="gradient_penalty",
    hint="alpha comes in as an argument: draw nothing.",
)
def gp_normal_alpha(critic, x_real, x_fake, alpha):
    own = tf.random.normal(tf.shape(alpha), dtype=alpha.dtype)
    return gan.gradient_penalty(critic, x_real, x_fake, own)


@mistake(
    "wgan_losses",
    kind="randomness",
    function="gradient_penalty",
    hint="alpha comes in as an argument: draw nothing.",
)
def gp_own_alpha(critic, x_real, x_fake, alpha):
    own = tf.random.uniform(tf.shape(alpha), dtype=alpha.dtype)
    return gan.gradient_penalty(critic, x_real, x_fake, own)


@mistake(
    "wgan_losses",
    kind="concept",
    function="gradient_penalty",
    hint="The slope is taken between real and fake, not at one of them.",
)
def gp_at_real_only(critic, x_real, x_fake, alpha):
    return gan.gradient_penalty(critic, x_real, x_real, alpha)


@mistake(
    "wgan_losses",
    kind="concept",
    function="gradient_penalty",
    hint="The slope is taken between real and fake, not at one of them.",
)
def gp_at_fake_only(critic, x_real, x_fake, alpha):
    return gan.gradient_penalty(critic, x_fake, x_fake, alpha)


@mistake(
    "wgan_losses",
    kind="concept",
    function="gradient_penalty",
    hint="alpha belongs to the real row, 1 - alpha to the generated one.",
)
def gp_alpha_exchanged(critic, x_real, x_fake, alpha):
    return gan.gradient_penalty(critic, x_fake, x_real, alpha)


@mistake(
    "wgan_losses",
    kind="scale",
    function="gradient_penalty",
    hint="The difference of the norm and 1 is squared.",
)
def penalty_not_squared(critic, x_real, x_fake, alpha):
    norm = gan.slopes_between(critic, x_real, x_fake, alpha)
    return tf.reduce_mean(norm - 1.0)


@mistake(
    "wgan_losses",
    kind="scale",
    function="gradient_penalty",
    hint="A norm is the root of the sum of squares.",
)
def penalty_without_root(critic, x_real, x_fake, alpha):
    norm = gan.slopes_between(critic, x_real, x_fake, alpha)
    return tf.reduce_mean((norm**2 - 1.0) ** 2)


@mistake(
    "wgan_losses",
    kind="concept",
    function="gradient_penalty",
    hint="The norm is to be 1, not 0: subtract 1 before squaring.",
)
def penalty_without_target(critic, x_real, x_fake, alpha):
    norm = gan.slopes_between(critic, x_real, x_fake, alpha)
    return tf.reduce_mean(norm**2)


@mistake(
    "wgan_losses",
    kind="concept",
    function="gradient_penalty",
    hint="Slopes below 1 are punished, too: no maximum with 0.",
)
def penalty_one_sided(critic, x_real, x_fake, alpha):
    norm = gan.slopes_between(critic, x_real, x_fake, alpha)
    return tf.reduce_mean(tf.maximum(norm - 1.0, 0.0) ** 2)


@mistake(
    "wgan_losses",
    kind="scale",
    function="gradient_penalty",
    hint="Average over the rows; do not add them up.",
)
def penalty_sums_rows(critic, x_real, x_fake, alpha):
    norm = gan.slopes_between(critic, x_real, x_fake, alpha)
    return tf.reduce_sum((norm - 1.0) ** 2)


@mistake(
    "wgan_losses",
    kind="axis",
    function="gradient_penalty",
    hint="The penalty is a single number: average over the rows.",
)
def penalty_per_row(critic, x_real, x_fake, alpha):
    norm = gan.slopes_between(critic, x_real, x_fake, alpha)
    return (norm - 1.0) ** 2


@mistake(
    "wgan_losses",
    kind="axis",
    function="gradient_penalty",
    hint="Each row has a norm of its own: do not sum over the batch.",
)
def penalty_norm_of_the_batch(critic, x_real, x_fake, alpha):
    norm = gan.slopes_between(critic, x_real, x_fake, alpha)
    return (tf.sqrt(tf.reduce_sum(norm**2) + 1e-12) - 1.0) ** 2


@mistake(
    "wgan_losses",
    kind="axis",
    function="gradient_penalty",
    hint="The norm of a row runs over all its pixels and channels, not over the last axis only.",
)
def penalty_norm_of_the_last_axis(critic, x_real, x_fake, alpha):
    shape = [-1] + [1] * (len(x_real.shape) - 1)
    a = tf.reshape(alpha, shape)
    place = a * x_real + (1.0 - a) * x_fake
    with tf.GradientTape() as tape:
        tape.watch(place)
        f = critic(place)
    slope = tape.gradient(f, place)
    return tf.reduce_mean((tf.sqrt(tf.reduce_sum(slope**2, axis=-1) + 1e-12) - 1.0) ** 2)


@mistake(
    "wgan_losses",
    kind="numerics",
    function="gradient_penalty",
    hint="Float64 arguments give a float64 penalty.",
)
def penalty_in_float32(critic, x_real, x_fake, alpha):
    return tf.cast(gan.gradient_penalty(critic, x_real, x_fake, alpha), tf.float32)


@mistake(
    "wgan_losses",
    kind="concept",
    function="gradient_penalty",
    hint="The penalty has to reach the critic's weights: no stop_gradient, no NumPy.",
)
def penalty_detached(critic, x_real, x_fake, alpha):
    return tf.stop_gradient(gan.gradient_penalty(critic, x_real, x_fake, alpha))


@mistake(
    "wgan_losses",
    kind="concept",
    function="gradient_penalty",
    hint="The penalty has to reach the critic's weights: no stop_gradient, no NumPy.",
)
def penalty_stops_the_norm(critic, x_real, x_fake, alpha):
    norm = gan.slopes_between(critic, x_real, x_fake, alpha)
    return tf.reduce_mean((tf.stop_gradient(norm) - 1.0) * (norm - 1.0))


@mistake(
    "wgan_losses",
    kind="numerics",
    function="gradient_penalty",
    hint="The root has an infinite derivative at 0: add a tiny constant inside.",
)
def gp_sqrt_nan(critic, x_real, x_fake, alpha):
    shape = [-1] + [1] * (len(x_real.shape) - 1)
    a = tf.reshape(alpha, shape)
    place = a * x_real + (1.0 - a) * x_fake
    with tf.GradientTape() as tape:
        tape.watch(place)
        f = critic(place)
    slope = tf.reshape(tape.gradient(f, place), (tf.shape(place)[0], -1))
    return tf.reduce_mean((tf.sqrt(tf.reduce_sum(slope**2, axis=1)) - 1.0) ** 2)


@alternative("wgan_losses")
def critic_by_sums(f_real, f_fake):
    real = tf.reduce_sum(f_real) / int(np.prod(f_real.shape))
    fake = tf.reduce_sum(f_fake) / int(np.prod(f_fake.shape))
    return [fake - real, -fake]


@alternative("wgan_losses")
@tf.function
def critic_compiled(f_real, f_fake):
    return -(tf.reduce_mean(f_real) - tf.reduce_mean(f_fake)), -tf.reduce_mean(f_fake)


@alternative("wgan_losses", function="gradient_penalty")
def penalty_of_flat_rows(critic, x_real, x_fake, alpha):
    a = tf.reshape(alpha, [x_real.shape[0]] + [1] * (len(x_real.shape) - 1))
    place = x_fake + a * (x_real - x_fake)
    with tf.GradientTape() as tape:
        tape.watch(place)
        total = tf.reduce_sum(critic(place))
    slope = tf.reshape(tape.gradient(total, place), (x_real.shape[0], -1))
    norm = tf.sqrt(tf.reduce_sum(tf.square(slope), axis=1) + 1e-12)
    return tf.reduce_mean(tf.square(norm - 1.0))


@alternative("wgan_losses", function="gradient_penalty")
def penalty_by_gradients_of_rows(critic, x_real, x_fake, alpha):
    penalties = []
    for n in range(x_real.shape[0]):
        place = (alpha[n] * x_real[n] + (1.0 - alpha[n]) * x_fake[n])[tf.newaxis]
        with tf.GradientTape() as tape:
            tape.watch(place)
            f = critic(place)
        squares = tf.reduce_sum(tape.gradient(f, place) ** 2)
        penalties.append(squares - 2.0 * tf.sqrt(squares + 1e-12) + 1.0)
    return tf.add_n(penalties) / len(penalties)


@alternative("wgan_losses", function="gradient_penalty")
def penalty_with_a_safe_root(critic, x_real, x_fake, alpha):
    a = tf.reshape(alpha, [-1] + [1] * (len(x_real.shape) - 1))
    place = a * x_real + (1.0 - a) * x_fake
    with tf.GradientTape() as tape:
        tape.watch(place)
        f = critic(place)
    slope = tf.reshape(tape.gradient(f, place), (x_real.shape[0], -1))
    squares = tf.reduce_sum(slope**2, axis=1)
    positive = squares > 0.0
    norm = tf.where(positive, tf.sqrt(tf.where(positive, squares, 1.0)), 0.0)
    return tf.reduce_mean((norm - 1.0) ** 2)
