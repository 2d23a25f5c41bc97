"""Exercise 6: generated rows that look like data, on average, from inside the discriminator."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, mistake, probe
from reference import gan

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_REAL = [np.array([[1, 0], [3, 0]], np.float32), np.array([[5], [5]], np.float32)]
SHOWN_FAKE = [np.array([[0, 1], [0, 1]], np.float32), np.array([[4], [6]], np.float32)]


@probe
def loss_of(student, real, fake):
    """Returns the loss and its derivatives by the features of generated rows."""
    fake = [tf.identity(layer) for layer in fake]
    with tf.GradientTape() as tape:
        tape.watch(fake)
        loss = student.feature_matching_loss([tf.identity(layer) for layer in real], fake)
        total = tf.reduce_sum(loss)
    zero = tf.UnconnectedGradients.ZERO
    return loss, tape.gradient(total, fake, unconnected_gradients=zero)


def random_case(inputs, count):
    """Returns features of three layers, of 6 real and of `count` generated rows, float64."""
    real, fake = [], []
    for shape in ((3,), (2, 4), (5, 2, 2)):
        real.append(inputs.normal(size=(6, *shape)))
        fake.append(0.5 + 1.5 * inputs.normal(size=(count, *shape)))
    return real, fake


def due_of(real, fake):
    """Returns loss and derivatives that are due."""
    arrays = [[tf.constant(layer) for layer in part] for part in (real, fake)]
    loss, slopes = loss_of.function(gan, *arrays)
    return loss.numpy(), [slope.numpy() for slope in slopes]


@exercise(
    "feature_matching_loss",
    points=2,
    visible=True,
    mistakes=("fm_mean_of_diffs", "fm_without_square", "fm_last_layer_only", "fm_of_each_layer"),
)
def test_matching_shown_values(student):
    """Mean features (2, 0) and (0, 1) lie 5 apart, squared; equal means cost nothing."""
    loss, _ = expect(loss_of(student, SHOWN_REAL, SHOWN_FAKE)).parts(2)
    expect(loss).array((), np.float32).matches(np.float32(5))


@exercise(
    "feature_matching_loss",
    points=2,
    mistakes=(
        "fm_mean_of_diffs",
        "fm_without_square",
        "fm_mean_over_features",
        "fm_mean_over_layers",
        "fm_last_layer_only",
        "fm_root",
        "fm_sums_rows",
        "fm_over_the_wrong_axis",
        "fm_in_float32",
    ),
    note="Three layers of different shapes; six real rows against six generated ones, float64.",
)
def test_matching_is_a_squared_distance_of_means(student, inputs):
    """The loss adds up, over layers and features, the squared differences of the means."""
    real, fake = random_case(inputs, 6)
    due, _ = due_of(real, fake)
    loss, _ = expect(loss_of(student, real, fake)).parts(2)
    expect(loss).array((), np.float64).matches(due)


@exercise(
    "feature_matching_loss",
    points=1,
    mistakes=("fm_mean_of_diffs", "fm_sums_rows", "fm_sorted"),
    note="Six real rows against four generated ones, then the same in another order.",
)
def test_matching_needs_no_pairs(student, inputs):
    """Batches may differ in size, and the order of the rows does not matter."""
    real, fake = random_case(inputs, 4)
    due, _ = due_of(real, fake)
    for rows in (fake, [layer[[2, 0, 3, 1]] for layer in fake]):
        loss, _ = expect(loss_of(student, real, rows)).parts(2)
        expect(loss).matches(due)


@exercise(
    "feature_matching_loss",
    points=1,
    mistakes=("fm_detached", "fm_without_square", "fm_root"),
)
def test_matching_has_the_right_gradient(student, inputs):
    """The derivative by the generated features, which trains the generator, is right."""
    real, fake = random_case(inputs, 6)
    _, due = due_of(real, fake)
    _, slopes = expect(loss_of(student, real, fake)).parts(2)
    for slope, right in zip(expect(slopes).parts(3), due, strict=True):
        expect(slope, "the derivative by the features").matches(right)


@mistake(
    "feature_matching_loss",
    kind="concept",
    hint="Average over the batch first, then take differences: rows are no pairs.",
)
def fm_mean_of_diffs(features_real, features_fake):
    pairs = zip(features_real, features_fake, strict=True)
    return tf.add_n([tf.reduce_sum((r - f) ** 2) / r.shape[0] for r, f in pairs])


@mistake("feature_matching_loss", kind="scale", hint="Differences of means are squared.")
def fm_without_square(features_real, features_fake):
    pairs = zip(features_real, features_fake, strict=True)
    means = [(tf.reduce_mean(r, axis=0), tf.reduce_mean(f, axis=0)) for r, f in pairs]
    return tf.add_n([tf.reduce_sum(tf.abs(r - f)) for r, f in means])


@mistake("feature_matching_loss", kind="scale", hint="No root: the squared distance is asked for.")
def fm_root(features_real, features_fake):
    pairs = zip(features_real, features_fake, strict=True)
    return tf.add_n([tf.sqrt(gan.feature_matching_loss([r], [f])) for r, f in pairs])


@mistake("feature_matching_loss", kind="scale", hint="Features are added up, not averaged.")
def fm_mean_over_features(features_real, features_fake):
    losses = [
        gan.feature_matching_loss([r], [f]) / float(np.prod(r.shape[1:]))
        for r, f in zip(features_real, features_fake, strict=True)
    ]
    return tf.add_n(losses)


@mistake("feature_matching_loss", kind="scale", hint="Layers are added up, not averaged.")
def fm_mean_over_layers(features_real, features_fake):
    return gan.feature_matching_loss(features_real, features_fake) / len(features_real)


@mistake("feature_matching_loss", kind="lazy", hint="All layers count, not only the last one.")
def fm_last_layer_only(features_real, features_fake):
    return gan.feature_matching_loss(features_real[-1:], features_fake[-1:])


@mistake("feature_matching_loss", kind="scale", hint="Rows are averaged, not added up.")
def fm_sums_rows(features_real, features_fake):
    pairs = zip(features_real, features_fake, strict=True)
    sums = [(tf.reduce_sum(r, axis=0), tf.reduce_sum(f, axis=0)) for r, f in pairs]
    return tf.add_n([tf.reduce_sum((r - f) ** 2) for r, f in sums])


@mistake(
    "feature_matching_loss",
    kind="axis",
    hint="The mean runs over the batch, the first axis, only.",
)
def fm_over_the_wrong_axis(features_real, features_fake):
    pairs = zip(features_real, features_fake, strict=True)
    return tf.add_n([(tf.reduce_mean(r) - tf.reduce_mean(f)) ** 2 for r, f in pairs])


@mistake("feature_matching_loss", kind="axis", hint="The loss is a single number.")
def fm_of_each_layer(features_real, features_fake):
    pairs = zip(features_real, features_fake, strict=True)
    return tf.stack([gan.feature_matching_loss([r], [f]) for r, f in pairs])


@mistake("feature_matching_loss", kind="numerics", hint="Float64 features give a float64 loss.")
def fm_in_float32(features_real, features_fake):
    return tf.cast(gan.feature_matching_loss(features_real, features_fake), tf.float32)


@mistake(
    "feature_matching_loss",
    kind="concept",
    hint="Average over the batch first, then take differences: rows are no pairs.",
)
def fm_sorted(features_real, features_fake):
    count = min(features_real[0].shape[0], features_fake[0].shape[0])
    pairs = zip(features_real, features_fake, strict=True)
    return tf.add_n([gan.feature_matching_loss([r[:count]], [f[:count]]) for r, f in pairs])


@mistake(
    "feature_matching_loss",
    kind="concept",
    hint="The gradient has to reach the generated features: no stop_gradient on them.",
)
def fm_detached(features_real, features_fake):
    return gan.feature_matching_loss(
        features_real, [tf.stop_gradient(layer) for layer in features_fake]
    )


@alternative("feature_matching_loss")
def fm_in_a_loop(features_real, features_fake):
    loss = 0.0
    for real, fake in zip(features_real, features_fake, strict=True):
        difference = tf.reduce_mean(real, axis=0) - tf.reduce_mean(fake, axis=0)
        loss += tf.reduce_sum(tf.square(difference))
    return loss


@alternative("feature_matching_loss")
def fm_of_joined_means(features_real, features_fake):
    def means(layers):
        flat = [tf.reshape(layer, (layer.shape[0], -1)) for layer in layers]
        return tf.reduce_mean(tf.concat(flat, axis=1), axis=0)

    difference = means(features_real) - means(features_fake)
    return tf.tensordot(difference, difference, 1)


@alternative("feature_matching_loss")
def fm_by_norm(features_real, features_fake):
    losses = []
    for real, fake in zip(features_real, features_fake, strict=True):
        mean_real = tf.reduce_sum(real, axis=0) / real.shape[0]
        mean_fake = tf.reduce_sum(fake, axis=0) / fake.shape[0]
        losses.append(2.0 * tf.nn.l2_loss(mean_real - mean_fake))
    return sum(losses)


@alternative("feature_matching_loss")
def fm_with_stopped_data(features_real, features_fake):
    real = [tf.stop_gradient(layer) for layer in features_real]
    squares = [
        tf.math.squared_difference(tf.reduce_mean(r, 0), tf.reduce_mean(f, 0))
        for r, f in zip(real, features_fake, strict=True)
    ]
    return tf.add_n([tf.reduce_sum(square) for square in squares])
