"""Exercise 1: what discriminator and generator want."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, gradients, mistake
from reference import gan

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_REAL = np.array([0, 0, 0], np.float32)
SHOWN_FAKE = np.array([0, 0], np.float32)


def random_case(inputs):
    """Returns logits of 7 real and of 5 generated rows, float64."""
    return 2 * inputs.normal(size=7), 2 * inputs.normal(size=5)


@exercise("d_loss", points=2, visible=True, mistakes=("d_of_each_row", "g_of_each_row"))
def test_losses_shown_shapes_and_dtypes(student):
    """Each loss is a single number, in the dtype of the logits."""
    expect(student.d_loss(SHOWN_REAL, SHOWN_FAKE)).array((), np.float32)
    expect(student.g_loss_saturating(SHOWN_FAKE)).array((), np.float32)
    expect(student.g_loss_nonsaturating(SHOWN_FAKE)).array((), np.float32)


@exercise(
    "d_loss",
    points=2,
    visible=True,
    mistakes=("d_average_of_both", "d_without_fake", "g_sign"),
)
def test_losses_shown_of_a_discriminator_that_guesses(student):
    """With logits of 0 the discriminator loses log 2 a side, the generator -log 2 or log 2."""
    log_2 = np.float32(np.log(2))
    expect(student.d_loss(SHOWN_REAL, SHOWN_FAKE)).matches(2 * log_2)
    expect(student.g_loss_saturating(SHOWN_FAKE)).matches(-log_2)
    expect(student.g_loss_nonsaturating(SHOWN_FAKE)).matches(log_2)


@exercise(
    "d_loss",
    points=3,
    mistakes=(
        "labels_flipped_d",
        "d_average_of_both",
        "d_without_fake",
        "d_mean_of_all_rows",
        "d_sums_rows",
        "d_sign",
        "d_in_float32",
        "d_from_probabilities",
        "d_in_bits",
    ),
    note="Seven real rows and five generated ones, float64, as (B,) and as (B, 1).",
)
def test_discriminator_loss_is_the_sum_of_both_sides(student, inputs):
    """The loss is the cross-entropy of the real rows plus that of the generated rows."""
    real, fake = random_case(inputs)
    due = gan.d_loss(real, fake).numpy()
    expect(student.d_loss(real, fake)).matches(due)
    expect(student.d_loss(real[:, np.newaxis], fake[:, np.newaxis])).matches(due)


@exercise(
    "d_loss",
    points=2,
    mistakes=("smooth_both_sides", "smooth_ignored", "smooth_the_fake_side", "smooth_half"),
)
def test_smoothing_softens_the_real_labels_only(student, inputs):
    """With smooth the label of real rows is 1 - smooth, and that of generated rows stays 0."""
    real, fake = random_case(inputs)
    for smooth in (0.0, 0.1, 0.4):
        expect(student.d_loss(real, fake, smooth)).matches(gan.d_loss(real, fake, smooth).numpy())


@exercise(
    "d_loss",
    points=2,
    mistakes=(
        "g_saturating_instead",
        "g_nonsaturating_instead",
        "g_sign",
        "g_sums_rows",
        "saturating_without_minus",
        "g_in_float32",
        "g_half",
    ),
)
def test_generator_losses_are_means_over_generated_rows(student, inputs):
    """One is the mean of log(1 - D), the other that of -log D."""
    _, fake = random_case(inputs)
    for logits in (fake, fake[:, np.newaxis]):
        expect(student.g_loss_saturating(logits)).matches(gan.g_loss_saturating(fake).numpy())
        due = gan.g_loss_nonsaturating(fake).numpy()
        expect(student.g_loss_nonsaturating(logits)).matches(due)


@exercise(
    "d_loss",
    points=2,
    mistakes=(
        "g_saturating_instead",
        "labels_flipped_d",
        "d_without_fake",
        "d_stops_at_the_fakes",
        "g_through_numpy",
    ),
    note="Logits of up to 30 in size: one of the generator's losses is flat there.",
)
def test_losses_have_the_right_gradients(student, inputs):
    """The derivatives by the logits are right, also where the discriminator is sure."""
    real, fake = random_case(inputs)
    fake[:2] = -30, 30
    gradients.expect_gradient(student.d_loss, (real, fake), wrt=(0, 1), due=gan.d_loss)
    gradients.expect_gradient(
        student.g_loss_saturating, (fake,), wrt=(0,), due=gan.g_loss_saturating
    )
    gradients.expect_gradient(
        student.g_loss_nonsaturating, (fake,), wrt=(0,), due=gan.g_loss_nonsaturating
    )


@exercise(
    "d_loss",
    points=1,
    mistakes=("d_by_log_of_sigmoid", "d_with_epsilon", "g_by_log_of_sigmoid", "d_clips_logits"),
    note="Logits of +-200 in float32.",
)
def test_losses_of_extreme_logits(student):
    """With logits of 200 in size the losses are still finite and right."""
    right, wrong = np.full(4, 200, np.float32), np.full(3, -200, np.float32)
    expect(student.d_loss(wrong, right)).matches(np.float32(400))
    expect(student.d_loss(right, wrong)).close(0, tolerance=1e-6)
    expect(student.g_loss_saturating(right)).matches(np.float32(-200))
    expect(student.g_loss_nonsaturating(wrong)).matches(np.float32(200))


@mistake("d_loss", kind="concept", hint="Real rows have the label 1, generated ones the label 0.")
def labels_flipped_d(logits_real, logits_fake, smooth=0.0):
    return gan.d_loss(-logits_real, -logits_fake, smooth)


@mistake("d_loss", kind="scale", hint="Real and fake part are added here, not averaged.")
def d_average_of_both(logits_real, logits_fake, smooth=0.0):
    return 0.5 * gan.d_loss(logits_real, logits_fake, smooth)


@mistake("d_loss", kind="concept", hint="The generated rows are missing from the loss.")
def d_without_fake(logits_real, logits_fake, smooth=0.0):
    return gan.d_loss(logits_real, 0.0 * logits_fake - 300.0, smooth)


@mistake(
    "d_loss",
    kind="scale",
    hint="Each side has a mean of its own; joined rows weigh the larger batch more.",
)
def d_mean_of_all_rows(logits_real, logits_fake, smooth=0.0):
    n, m = (float(np.prod(logits.shape)) for logits in (logits_real, logits_fake))
    real = gan.d_loss(logits_real, 0.0 * logits_fake - 300.0, smooth)
    fake = gan.d_loss(0.0 * logits_real + 300.0, logits_fake)
    return 2.0 * (n * real + m * fake) / (n + m)


@mistake("d_loss", kind="scale", hint="Average over the rows; do not add them up.")
def d_sums_rows(logits_real, logits_fake, smooth=0.0):
    real = (1 - smooth) * tf.nn.softplus(-logits_real) + smooth * tf.nn.softplus(logits_real)
    return tf.reduce_sum(real) + tf.reduce_sum(tf.nn.softplus(logits_fake))


@mistake("d_loss", kind="concept", hint="A loss is to be small: check the overall sign.")
def d_sign(logits_real, logits_fake, smooth=0.0):
    return -gan.d_loss(logits_real, logits_fake, smooth)


@mistake("d_loss", kind="axis", hint="A loss is a single number: average over the rows.")
def d_of_each_row(logits_real, logits_fake, smooth=0.0):
    return tf.nn.softplus(-logits_real)[:1] + tf.nn.softplus(logits_fake)[:1]


@mistake(
    "d_loss",
    kind="axis",
    function="g_loss_nonsaturating",
    hint="A loss is a single number: average over the rows.",
)
def g_of_each_row(logits_fake):
    return tf.nn.softplus(-logits_fake)


@mistake("d_loss", kind="numerics", hint="Float64 logits give a float64 loss.")
def d_in_float32(logits_real, logits_fake, smooth=0.0):
    return tf.cast(gan.d_loss(logits_real, logits_fake, smooth), tf.float32)


@mistake(
    "d_loss",
    kind="numerics",
    function="g_loss_saturating",
    hint="Float64 logits give a float64 loss.",
)
def g_in_float32(logits_fake):
    return tf.cast(gan.g_loss_saturating(logits_fake), tf.float32)


@mistake("d_loss", kind="concept", hint="Logits come in: no sigmoid before the softplus.")
def d_from_probabilities(logits_real, logits_fake, smooth=0.0):
    return gan.d_loss(tf.sigmoid(logits_real), tf.sigmoid(logits_fake), smooth)


@mistake("d_loss", kind="scale", hint="Logarithms are natural here: no division by log 2.")
def d_in_bits(logits_real, logits_fake, smooth=0.0):
    return gan.d_loss(logits_real, logits_fake, smooth) / np.log(2)


@mistake("d_loss", kind="concept", hint="Smoothing is one-sided: fake labels stay 0.")
def smooth_both_sides(logits_real, logits_fake, smooth=0.0):
    extra = smooth * tf.reduce_mean(tf.nn.softplus(-logits_fake) - tf.nn.softplus(logits_fake))
    return gan.d_loss(logits_real, logits_fake, smooth) + extra


@mistake("d_loss", kind="lazy", hint="smooth is not used.")
def smooth_ignored(logits_real, logits_fake, smooth=0.0):
    return gan.d_loss(logits_real, logits_fake)


@mistake("d_loss", kind="concept", hint="The real labels are softened, not the fake ones.")
def smooth_the_fake_side(logits_real, logits_fake, smooth=0.0):
    extra = smooth * tf.reduce_mean(tf.nn.softplus(-logits_fake) - tf.nn.softplus(logits_fake))
    return gan.d_loss(logits_real, logits_fake) + extra


@mistake(
    "d_loss",
    kind="concept",
    hint="A softened label 1 - s has two terms: s softplus(l) belongs to it.",
)
def smooth_half(logits_real, logits_fake, smooth=0.0):
    lost = smooth * tf.reduce_mean(tf.nn.softplus(logits_real))
    return gan.d_loss(logits_real, logits_fake, smooth) - lost


@mistake(
    "d_loss",
    kind="concept",
    function="g_loss_nonsaturating",
    hint="This is the saturating loss: flat where the discriminator is sure.",
)
def g_saturating_instead(logits_fake):
    return gan.g_loss_saturating(logits_fake)


@mistake(
    "d_loss",
    kind="concept",
    function="g_loss_saturating",
    hint="This is the non-saturating loss; the mean of log(1 - D) is asked for.",
)
def g_nonsaturating_instead(logits_fake):
    return gan.g_loss_nonsaturating(logits_fake)


@mistake(
    "d_loss",
    kind="concept",
    function="g_loss_nonsaturating",
    hint="The generator wants D to be large: the loss is minus the mean of log D.",
)
def g_sign(logits_fake):
    return -gan.g_loss_nonsaturating(logits_fake)


@mistake(
    "d_loss",
    kind="concept",
    function="g_loss_saturating",
    hint="log(1 - D) is negative: a minus is missing in front of the softplus.",
)
def saturating_without_minus(logits_fake):
    return -gan.g_loss_saturating(logits_fake)


@mistake(
    "d_loss",
    kind="scale",
    function="g_loss_nonsaturating",
    hint="Average over the rows; do not add them up.",
)
def g_sums_rows(logits_fake):
    return tf.reduce_sum(tf.nn.softplus(-logits_fake))


@mistake(
    "d_loss",
    kind="scale",
    function="g_loss_nonsaturating",
    hint="The generator's loss has no factor one half.",
)
def g_half(logits_fake):
    return 0.5 * gan.g_loss_nonsaturating(logits_fake)


@mistake(
    "d_loss", kind="concept", hint="The loss itself stops no gradient: training decides that."
)
def d_stops_at_the_fakes(logits_real, logits_fake, smooth=0.0):
    return gan.d_loss(logits_real, tf.stop_gradient(logits_fake) + 0.0 * logits_fake, smooth)


@mistake(
    "d_loss",
    kind="numerics",
    function="g_loss_nonsaturating",
    hint="Stay with TensorFlow operations: no gradient flows through NumPy.",
)
def g_through_numpy(logits_fake):
    return tf.constant(np.mean(np.logaddexp(0, -logits_fake.numpy())))


@mistake(
    "d_loss",
    kind="numerics",
    hint="log(sigmoid(l)) is minus infinity for very negative l; softplus is not.",
)
def d_by_log_of_sigmoid(logits_real, logits_fake, smooth=0.0):
    p, q = tf.sigmoid(logits_real), tf.sigmoid(logits_fake)
    real = (1 - smooth) * tf.math.log(p) + smooth * tf.math.log(1 - p)
    return -tf.reduce_mean(real) - tf.reduce_mean(tf.math.log(1 - q))


@mistake(
    "d_loss",
    kind="numerics",
    hint="A small number inside the logarithm cuts the loss off: use softplus of the logits.",
)
def d_with_epsilon(logits_real, logits_fake, smooth=0.0):
    p, q = tf.sigmoid(logits_real), tf.sigmoid(logits_fake)
    real = (1 - smooth) * tf.math.log(p + 1e-30) + smooth * tf.math.log(1 - p + 1e-30)
    return -tf.reduce_mean(real) - tf.reduce_mean(tf.math.log(1 - q + 1e-30))


@mistake(
    "d_loss",
    kind="numerics",
    function="g_loss_nonsaturating",
    hint="log(sigmoid(l)) is minus infinity for very negative l; softplus is not.",
)
def g_by_log_of_sigmoid(logits_fake):
    return -tf.reduce_mean(tf.math.log(tf.sigmoid(logits_fake)))


@mistake("d_loss", kind="numerics", hint="Logits are not clipped: softplus takes any number.")
def d_clips_logits(logits_real, logits_fake, smooth=0.0):
    real, fake = (tf.clip_by_value(x, -50.0, 50.0) for x in (logits_real, logits_fake))
    return gan.d_loss(real, fake, smooth)


@alternative("d_loss")
def d_by_cross_entropy(logits_real, logits_fake, smooth=0.0):
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits
    real = cross_entropy(tf.ones_like(logits_real) * (1 - smooth), logits_real)
    fake = cross_entropy(tf.zeros_like(logits_fake), logits_fake)
    return tf.reduce_mean(real) + tf.reduce_mean(fake)


@alternative("d_loss")
def d_with_real_as_zero(logits_real, logits_fake, smooth=0.0):
    # Some write the label of real rows as 0 and negate the logits: the loss is the same.
    real = -(1 - smooth) * tf.math.log_sigmoid(logits_real)
    real -= smooth * tf.math.log_sigmoid(-logits_real)
    return tf.reduce_mean(real) - tf.reduce_mean(tf.math.log_sigmoid(-logits_fake))


@alternative("d_loss")
def d_concatenated(logits_real, logits_fake, smooth=0.0):
    real, fake = tf.reshape(logits_real, [-1]), tf.reshape(logits_fake, [-1])
    n, m = real.shape[0], fake.shape[0]
    logits = tf.concat([real, fake], axis=0)
    labels = tf.concat([tf.ones_like(real) - smooth, tf.zeros_like(fake)], axis=0)
    weights = tf.concat([tf.ones_like(real) / n, tf.ones_like(fake) / m], axis=0)
    return tf.reduce_sum(weights * (tf.nn.softplus(logits) - labels * logits))


@alternative("d_loss", function="g_loss_nonsaturating")
def g_by_keras(logits_fake):
    flat = tf.reshape(logits_fake, [-1])
    losses = tf.keras.ops.binary_crossentropy(tf.ones_like(flat), flat, from_logits=True)
    return tf.reduce_mean(losses)


@alternative("d_loss", function="g_loss_saturating")
def saturating_by_log_sigmoid(logits_fake):
    return tf.reduce_mean(tf.math.log_sigmoid(-logits_fake))


@alternative("d_loss", function="g_loss_nonsaturating")
@tf.function
def g_compiled(logits_fake):
    return -tf.reduce_mean(tf.math.log_sigmoid(logits_fake))
