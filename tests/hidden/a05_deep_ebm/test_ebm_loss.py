"""Exercise 5: the contrastive loss of an energy."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, gradients, mistake, probe
from reference import deep_ebm

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_POSITIVE = np.array([[1, 0], [3, 0]], np.float32)
SHOWN_NEGATIVE = np.array([[0, 1], [0, 1], [0, -5]], np.float32)


@probe
def loss_of(student, positive, negative, alpha, w, column):
    """Returns the loss of the energy w.x + |x|^2 / 4, which is (B,) or (B, 1)."""

    def energy(x):
        values = tf.linalg.matvec(x, w) + 0.25 * tf.reduce_sum(x**2, axis=1)
        return values[:, tf.newaxis] if column else values

    return student.ebm_loss(energy, positive, negative, alpha)


@probe
def shown_loss(student, positive, negative, alpha):
    """Returns the loss of the energy x1 + x2."""
    return student.ebm_loss(lambda x: x[:, 0] + x[:, 1], positive, negative, alpha)


@probe
def slopes(student, positive, negative, alpha, w, column):
    """Returns derivatives: by the energy's variable, by the negatives and by their sampler."""
    w, negative, sampler = tf.identity(w), tf.identity(negative), tf.ones_like(w)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([w, negative, sampler])

        def energy(x):
            values = tf.linalg.matvec(x, w) + 0.25 * tf.reduce_sum(x**2, axis=1)
            return values[:, tf.newaxis] if column else values

        loss = tf.reduce_sum(student.ebm_loss(energy, positive, sampler * negative, alpha))
    zero = tf.UnconnectedGradients.ZERO
    found = tape.gradient(loss, [w, negative, sampler], unconnected_gradients=zero)
    return {"the energy": found[0], "x_negative": found[1], "the sampler": found[2]}


@probe
def after_one_step(student, positive, negative, w):
    """Returns mean energies of data and of samples, before and after a step down the loss."""
    means = []
    variable = tf.identity(w)
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(variable)
            loss = student.ebm_loss(
                lambda x, v=variable: tf.linalg.matvec(x, v), positive, negative, 0.0
            )
        up, down = (tf.linalg.matvec(x, variable) for x in (positive, negative))
        means.append(tf.stack([tf.reduce_mean(up), tf.reduce_mean(down)]))
        slope = tape.gradient(loss, variable, unconnected_gradients="zero")
        variable = variable - 0.05 * tf.convert_to_tensor(slope)
    return means


def random_case(inputs):
    """Returns data (7, 4), samples (5, 4) and w (4,), float64."""
    return inputs.normal(size=(7, 4)), 1 + inputs.normal(size=(5, 4)), inputs.normal(size=4)


def due_of(positive, negative, alpha, w):
    """Returns the loss that is due."""
    arrays = [tf.constant(array) for array in (positive, negative, w)]
    return loss_of.function(deep_ebm, arrays[0], arrays[1], alpha, arrays[2], False).numpy()


@exercise("ebm_loss", points=1, visible=True, mistakes=("loss_of_each_row",))
def test_loss_shown_shape_and_dtype(student):
    """The loss is a single number of the dtype of the energies."""
    expect(shown_loss(student, SHOWN_POSITIVE, SHOWN_NEGATIVE, 0.1)).array((), np.float32)


@exercise(
    "ebm_loss",
    points=1,
    visible=True,
    mistakes=("loss_flipped", "loss_sum_over_rows", "loss_of_all_rows"),
)
def test_loss_shown_without_squares(student):
    """With mean energies of 2 on data and -1 on samples, and alpha 0, the loss is 3."""
    seen = shown_loss(student, SHOWN_POSITIVE, SHOWN_NEGATIVE, 0.0)
    expect(seen).close(np.float32(3))


@exercise(
    "ebm_loss",
    points=1,
    visible=True,
    mistakes=("reg_missing_neg", "reg_missing", "reg_of_the_means"),
)
def test_loss_shown_with_squares(student):
    """Squares of energies, 5 on data and 9 on samples, are added with the weight alpha."""
    seen = shown_loss(student, SHOWN_POSITIVE, SHOWN_NEGATIVE, 0.5)
    expect(seen).close(np.float32(10))


@exercise(
    "ebm_loss",
    points=3,
    mistakes=(
        "loss_flipped",
        "reg_missing_neg",
        "reg_missing_pos",
        "reg_missing",
        "reg_of_the_means",
        "reg_difference",
        "reg_absolute",
        "reg_half",
        "reg_of_the_contrast",
        "loss_sum_over_rows",
        "loss_of_all_rows",
        "loss_softplus",
        "loss_in_float32",
        "loss_columns_broadcast",
    ),
    note="Seven rows of data, five of samples, energies (B,) and (B, 1); float64.",
)
def test_loss_is_the_formula(student, inputs):
    """The loss is the difference of the mean energies plus alpha times the mean squares."""
    positive, negative, w = random_case(inputs)
    for alpha in (0.0, 0.3):
        due = due_of(positive, negative, alpha, w)
        for column in (False, True):
            expect(loss_of(student, positive, negative, alpha, w, column)).matches(due)


@exercise(
    "ebm_loss",
    points=2,
    mistakes=("loss_detached_negatives", "loss_detached_positives", "reg_stopped"),
)
def test_loss_has_the_right_gradient(student, inputs):
    """The derivative by the energy's variable is right: both terms and the squares teach it."""
    positive, negative, w = random_case(inputs)
    arrays = [tf.constant(array) for array in (positive, negative)]
    due = slopes.function(deep_ebm, *arrays, 0.3, tf.constant(w), False)["the energy"]
    seen = slopes(student, positive, negative, 0.3, w, True)
    expect(seen["the energy"], "the derivative by the energy's variable").matches(due.numpy())


@exercise(
    "ebm_loss",
    points=2,
    mistakes=("loss_through_samples",),
    note="The sampler would be told to make samples of high energy.",
)
def test_no_gradient_flows_to_the_samples(student, inputs):
    """The samples are constants: no gradient flows to them or to what made them."""
    positive, negative, w = random_case(inputs)

    def found():
        return slopes(student, positive, negative, 0.3, w, False)

    gradients.expect_no_gradient(found, ["x_negative", "the sampler"], ["the energy"])


@exercise("ebm_loss", points=1, mistakes=("loss_flipped", "loss_detached_positives"))
def test_a_step_down_the_loss_lowers_the_data(student, inputs):
    """A small step down the loss lowers the energy of data against that of samples."""
    positive = inputs.normal(size=(7, 4)) * 0.1 + np.array([1, 0, 0, 0])
    negative = inputs.normal(size=(5, 4)) * 0.1 + np.array([0, 1, 0, 0])
    before, after = expect(
        after_one_step(student, positive, negative, inputs.normal(size=4))
    ).parts(2)
    down = (np.asarray(after) - np.asarray(before))[0]
    up = (np.asarray(after) - np.asarray(before))[1]
    expect(bool(down < -0.01 and up > 0.01), "data sink and samples rise").equals(True)


@exercise(
    "ebm_loss",
    points=1,
    mistakes=("loss_energies_asked_together", "reg_absolute"),
    note="An energy that is far below zero everywhere.",
)
def test_squares_count_on_both_sides(student, inputs):
    """An energy of one sign and a large size costs its squares, of data and of samples."""
    positive, negative, _ = random_case(inputs)
    w = np.array([-9.0, -8, -7, -6])
    for shift in (2.0, 5.0):
        due = due_of(positive + shift, negative, 0.2, w)
        expect(loss_of(student, positive + shift, negative, 0.2, w, True)).matches(due)


@mistake(
    "ebm_loss",
    kind="concept",
    hint="Training lowers the loss: data, which are to have low energies, come with a plus.",
)
def loss_flipped(energy, x_positive, x_negative, alpha):
    return deep_ebm.ebm_loss(lambda x: -energy(x), x_positive, x_negative, alpha)


@mistake("ebm_loss", kind="lazy", hint="The squares of both belong to it: of data and of samples.")
def reg_missing_neg(energy, x_positive, x_negative, alpha):
    loss = deep_ebm.ebm_loss(energy, x_positive, x_negative, 0.0)
    return loss + alpha * tf.reduce_mean(energy(x_positive) ** 2)


@mistake("ebm_loss", kind="lazy", hint="The squares of both belong to it: of data and of samples.")
def reg_missing_pos(energy, x_positive, x_negative, alpha):
    loss = deep_ebm.ebm_loss(energy, x_positive, x_negative, 0.0)
    return loss + alpha * tf.reduce_mean(energy(tf.stop_gradient(x_negative)) ** 2)


@mistake("ebm_loss", kind="lazy", hint="alpha is not used: the squares are missing.")
def reg_missing(energy, x_positive, x_negative, alpha):
    return deep_ebm.ebm_loss(energy, x_positive, x_negative, 0.0)


@mistake("ebm_loss", kind="concept", hint="The mean of the squares, not the square of the mean.")
def reg_of_the_means(energy, x_positive, x_negative, alpha):
    up = tf.reduce_mean(energy(x_positive))
    down = tf.reduce_mean(energy(tf.stop_gradient(x_negative)))
    return up - down + alpha * (up**2 + down**2)


@mistake("ebm_loss", kind="concept", hint="Squares are added on both sides: none is subtracted.")
def reg_difference(energy, x_positive, x_negative, alpha):
    up, down = energy(x_positive), energy(tf.stop_gradient(x_negative))
    squares = tf.reduce_mean(up**2) - tf.reduce_mean(down**2)
    return tf.reduce_mean(up) - tf.reduce_mean(down) + alpha * squares


@mistake("ebm_loss", kind="scale", hint="Squares of the energies, not their absolute values.")
def reg_absolute(energy, x_positive, x_negative, alpha):
    up, down = energy(x_positive), energy(tf.stop_gradient(x_negative))
    sizes = tf.reduce_mean(tf.abs(up)) + tf.reduce_mean(tf.abs(down))
    return tf.reduce_mean(up) - tf.reduce_mean(down) + alpha * sizes


@mistake("ebm_loss", kind="scale", hint="The two mean squares are added, not averaged.")
def reg_half(energy, x_positive, x_negative, alpha):
    return deep_ebm.ebm_loss(energy, x_positive, x_negative, 0.5 * alpha)


@mistake(
    "ebm_loss", kind="concept", hint="What is squared are the energies, not their difference."
)
def reg_of_the_contrast(energy, x_positive, x_negative, alpha):
    contrast = deep_ebm.ebm_loss(energy, x_positive, x_negative, 0.0)
    return contrast + alpha * contrast**2


@mistake("ebm_loss", kind="scale", hint="Average over the rows; do not add them up.")
def loss_sum_over_rows(energy, x_positive, x_negative, alpha):
    up, down = energy(x_positive), energy(tf.stop_gradient(x_negative))
    squares = tf.reduce_sum(up**2) + tf.reduce_sum(down**2)
    return tf.reduce_sum(up) - tf.reduce_sum(down) + alpha * squares


@mistake(
    "ebm_loss",
    kind="scale",
    hint="Data and samples are averaged each by itself: there may be more of one kind.",
)
def loss_of_all_rows(energy, x_positive, x_negative, alpha):
    up, down = energy(x_positive), energy(tf.stop_gradient(x_negative))
    total = tf.reduce_sum(up) - tf.reduce_sum(down)
    total += alpha * (tf.reduce_sum(up**2) + tf.reduce_sum(down**2))
    return 2.0 * total / (up.shape[0] + down.shape[0])


@mistake(
    "ebm_loss",
    kind="scale",
    hint="Data and samples are averaged each by itself: there may be more of one kind.",
)
def loss_energies_asked_together(energy, x_positive, x_negative, alpha):
    loss = deep_ebm.ebm_loss(energy, x_positive, x_negative, 0.0)
    together = energy(tf.concat([x_positive, tf.stop_gradient(x_negative)], axis=0))
    return loss + 2.0 * alpha * tf.reduce_mean(together**2)


@mistake(
    "ebm_loss",
    kind="axis",
    hint="Energies may be (B,) or (B, 1), and of other rows than the samples: average each first.",
)
def loss_columns_broadcast(energy, x_positive, x_negative, alpha):
    up, down = energy(x_positive), energy(tf.stop_gradient(x_negative))
    rows = min(up.shape[0], down.shape[0])
    squares = tf.reduce_mean(up[:rows] ** 2 + down[:rows] ** 2)
    return tf.reduce_mean(up[:rows] - down[:rows]) + alpha * squares


@mistake("ebm_loss", kind="axis", hint="The loss is a single number: average over the rows.")
def loss_of_each_row(energy, x_positive, x_negative, alpha):
    up, down = energy(x_positive), energy(tf.stop_gradient(x_negative))
    return up - tf.reduce_mean(down) + alpha * (up**2 + tf.reduce_mean(down**2))


@mistake("ebm_loss", kind="concept", hint="Energies are no logits: no softplus, no cross-entropy.")
def loss_softplus(energy, x_positive, x_negative, alpha):
    up, down = energy(x_positive), energy(tf.stop_gradient(x_negative))
    loss = tf.reduce_mean(tf.nn.softplus(up)) + tf.reduce_mean(tf.nn.softplus(-down))
    return loss + alpha * (tf.reduce_mean(up**2) + tf.reduce_mean(down**2))


@mistake("ebm_loss", kind="numerics", hint="Float64 energies give a float64 loss.")
def loss_in_float32(energy, x_positive, x_negative, alpha):
    return tf.cast(deep_ebm.ebm_loss(energy, x_positive, x_negative, alpha), tf.float32)


@mistake(
    "ebm_loss",
    kind="concept",
    hint="Stop the gradient at x_negative, not at its energy: samples have to rise.",
)
def loss_detached_negatives(energy, x_positive, x_negative, alpha):
    up, down = energy(x_positive), tf.stop_gradient(energy(x_negative))
    loss = tf.reduce_mean(up) - tf.reduce_mean(down)
    return loss + alpha * (tf.reduce_mean(up**2) + tf.reduce_mean(down**2))


@mistake("ebm_loss", kind="concept", hint="The energy of the data teaches, too: no stop there.")
def loss_detached_positives(energy, x_positive, x_negative, alpha):
    up, down = tf.stop_gradient(energy(x_positive)), energy(tf.stop_gradient(x_negative))
    loss = tf.reduce_mean(up) - tf.reduce_mean(down)
    return loss + alpha * (tf.reduce_mean(up**2) + tf.reduce_mean(down**2))


@mistake("ebm_loss", kind="concept", hint="The squares are there to teach: no stop there.")
def reg_stopped(energy, x_positive, x_negative, alpha):
    loss = deep_ebm.ebm_loss(energy, x_positive, x_negative, 0.0)
    return loss + tf.stop_gradient(deep_ebm.ebm_loss(energy, x_positive, x_negative, alpha) - loss)


@mistake(
    "ebm_loss",
    kind="concept",
    hint="x_negative is a constant: without a stop, the sampler learns to make it worse.",
)
def loss_through_samples(energy, x_positive, x_negative, alpha):
    up, down = energy(x_positive), energy(x_negative)
    loss = tf.reduce_mean(up) - tf.reduce_mean(down)
    return loss + alpha * (tf.reduce_mean(up**2) + tf.reduce_mean(down**2))


@alternative("ebm_loss")
def loss_in_one_pass(energy, x_positive, x_negative, alpha):
    rows = tf.concat([x_positive, tf.stop_gradient(x_negative)], axis=0)
    values = tf.reshape(energy(rows), (-1,))
    up, down = values[: x_positive.shape[0]], values[x_positive.shape[0] :]
    squares = tf.reduce_mean(tf.square(up)) + tf.reduce_mean(tf.square(down))
    return tf.reduce_mean(up) - tf.reduce_mean(down) + alpha * squares


@alternative("ebm_loss")
def loss_of_scores(energy, x_positive, x_negative, alpha):
    def side(x, sign):
        f = -tf.squeeze(energy(x)) if len(energy(x).shape) > 1 else -energy(x)
        return tf.reduce_mean(alpha * f * f - sign * f)

    return side(x_positive, 1.0) + side(tf.stop_gradient(x_negative), -1.0)


@alternative("ebm_loss")
def loss_by_sums(energy, x_positive, x_negative, alpha):
    constant = tf.constant(np.asarray(x_negative)) if tf.executing_eagerly() else x_negative
    up, down = energy(x_positive), energy(tf.stop_gradient(constant))
    n, m = up.shape[0], down.shape[0]
    contrast = tf.reduce_sum(up) / n - tf.reduce_sum(down) / m
    return contrast + alpha * tf.reduce_sum(up**2) / n + alpha * tf.reduce_sum(down**2) / m
