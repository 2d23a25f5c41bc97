"""Exercise 5: telling both networks which class is wanted."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake
from reference import gan

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_Z = np.array([[0.5, -1], [2, 0.25]], np.float32)
SHOWN_Y = np.array([2, 0])
SHOWN_X = np.arange(24, dtype=np.float32).reshape(2, 3, 4, 1)


def random_case(inputs):
    """Returns z (7, 2), images (7, 4, 3, 2), y (7,) of 5 classes, float64."""
    y = inputs.permutation(np.array([0, 1, 2, 3, 4, 1, 3]))
    return inputs.normal(size=(7, 2)), inputs.normal(size=(7, 4, 3, 2)), y


@exercise(
    "conditional_input",
    points=1,
    visible=True,
    mistakes=("input_label_in_front", "input_of_numbers"),
)
def test_input_shown_values(student):
    """Two noise numbers are followed by the one-hot label of three classes."""
    seen = student.conditional_input(SHOWN_Z, SHOWN_Y, 3)
    expect(seen).array("B Z", np.float32, B=2, Z=5)
    due = np.array([[0.5, -1, 0, 0, 1], [2, 0.25, 1, 0, 0]], np.float32)
    expect(seen).equals(due)


@exercise(
    "conditional_input",
    points=1,
    visible=True,
    mistakes=("maps_added", "maps_in_front"),
)
def test_maps_shown_values(student):
    """An image of one channel gets three more; that of its class is 1 everywhere."""
    seen = student.conditional_d_input(SHOWN_X, SHOWN_Y, 3)
    expect(seen).array("B H W C", np.float32, B=2, H=3, W=4, C=4)
    maps = np.zeros((2, 3, 4, 3), np.float32)
    maps[0, ..., 2] = maps[1, ..., 0] = 1
    expect(seen).equals(np.concatenate([SHOWN_X, maps], axis=-1))


@exercise(
    "conditional_input",
    points=2,
    mistakes=(
        "input_label_in_front",
        "input_of_numbers",
        "input_of_the_next_row",
        "input_counts_from_one",
        "input_classes_reversed",
        "input_in_float32",
        "input_scaled",
    ),
    note="Seven rows of five classes, float64.",
)
def test_input_is_noise_and_label(student, inputs):
    """The one-hot label stands behind the noise of its own row, in the dtype of the noise."""
    z, _, y = random_case(inputs)
    expect(student.conditional_input(z, y, 5)).equals(np.concatenate([z, np.eye(5)[y]], axis=1))
    laws.expect_rows_independent(lambda z, y: student.conditional_input(z, y, 5), batched=(z, y))


@exercise(
    "conditional_input",
    points=2,
    mistakes=(
        "maps_added",
        "maps_in_front",
        "maps_in_one_corner",
        "maps_of_the_next_row",
        "maps_in_float32",
        "maps_of_all_classes",
        "maps_as_one_channel",
    ),
    note="Images of 4x3x2, five classes, float64.",
)
def test_maps_stand_behind_the_channels(student, inputs):
    """Behind the channels there is a map for each class: 1 everywhere for the image's own."""
    _, x, y = random_case(inputs)
    maps = np.broadcast_to(np.eye(5)[y][:, np.newaxis, np.newaxis], (7, 4, 3, 5))
    seen = student.conditional_d_input(x, y, 5)
    expect(seen).array("B H W C", np.float64, B=7, H=4, W=3, C=7)
    expect(seen).equals(np.concatenate([x, maps], axis=-1))


@mistake("conditional_input", kind="axis", hint="The label stands behind the noise.")
def input_label_in_front(z, y, n_classes):
    return tf.concat([tf.one_hot(y, n_classes, dtype=z.dtype), z], axis=1)


@mistake("conditional_input", kind="concept", hint="The label is one-hot: one entry per class.")
def input_of_numbers(z, y, n_classes):
    number = tf.cast(y, z.dtype)[:, tf.newaxis]
    return tf.concat([z, number + tf.zeros((1, n_classes), z.dtype)], axis=1)


@mistake("conditional_input", kind="axis", hint="Row n gets the label of row n.")
def input_of_the_next_row(z, y, n_classes):
    return gan.conditional_input(z, tf.roll(y, 1, axis=0), n_classes)


@mistake("conditional_input", kind="concept", hint="Classes are counted from 0.")
def input_counts_from_one(z, y, n_classes):
    return gan.conditional_input(z, y - 1, n_classes)


@mistake("conditional_input", kind="concept", hint="Class 0 is the first entry, not the last.")
def input_classes_reversed(z, y, n_classes):
    return gan.conditional_input(z, n_classes - 1 - y, n_classes)


@mistake("conditional_input", kind="numerics", hint="Float64 noise gives a float64 input.")
def input_in_float32(z, y, n_classes):
    return gan.conditional_input(tf.cast(z, tf.float32), y, n_classes)


@mistake("conditional_input", kind="scale", hint="The entry of the class is 1.")
def input_scaled(z, y, n_classes):
    return tf.concat([z, tf.one_hot(y, n_classes, dtype=z.dtype) / n_classes], axis=1)


@mistake(
    "conditional_input",
    kind="concept",
    function="conditional_d_input",
    hint="The maps are further channels; they are not added to the image.",
)
def maps_added(x, y, n_classes):
    maps = gan.conditional_d_input(x, y, n_classes)[..., x.shape[-1] :]
    return tf.concat([x + tf.reduce_sum(maps, axis=-1, keepdims=True), maps], axis=-1)


@mistake(
    "conditional_input",
    kind="axis",
    function="conditional_d_input",
    hint="The maps stand behind the channels of the image.",
)
def maps_in_front(x, y, n_classes):
    return tf.roll(gan.conditional_d_input(x, y, n_classes), n_classes, axis=-1)


@mistake(
    "conditional_input",
    kind="axis",
    function="conditional_d_input",
    hint="The map of the class is 1 everywhere: broadcast the label over height and width.",
)
def maps_in_one_corner(x, y, n_classes):
    maps = tf.one_hot(y, n_classes, dtype=x.dtype)[:, tf.newaxis, tf.newaxis]
    size = [[0, 0], [0, x.shape[1] - 1], [0, x.shape[2] - 1], [0, 0]]
    return tf.concat([x, tf.pad(maps, size)], axis=-1)


@mistake(
    "conditional_input",
    kind="axis",
    function="conditional_d_input",
    hint="Row n gets the label of row n.",
)
def maps_of_the_next_row(x, y, n_classes):
    return gan.conditional_d_input(x, tf.roll(y, 1, axis=0), n_classes)


@mistake(
    "conditional_input",
    kind="numerics",
    function="conditional_d_input",
    hint="Float64 images give a float64 result.",
)
def maps_in_float32(x, y, n_classes):
    return gan.conditional_d_input(tf.cast(x, tf.float32), y, n_classes)


@mistake(
    "conditional_input",
    kind="concept",
    function="conditional_d_input",
    hint="Only the map of the image's own class is 1; the others are 0.",
)
def maps_of_all_classes(x, y, n_classes):
    return tf.concat([x, tf.ones((*x.shape[:3], n_classes), x.dtype)], axis=-1)


@mistake(
    "conditional_input",
    kind="concept",
    function="conditional_d_input",
    hint="There is a map for each class, not one that holds the number of the class.",
)
def maps_as_one_channel(x, y, n_classes):
    number = tf.cast(y, x.dtype)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.concat([x, number + tf.zeros_like(x[..., :1])], axis=-1)


@alternative("conditional_input")
def input_by_eye(z, y, n_classes):
    return tf.concat([z, tf.gather(tf.eye(n_classes, dtype=z.dtype), y)], axis=-1)


@alternative("conditional_input")
def input_by_comparison(z, y, n_classes):
    classes = tf.range(n_classes, dtype=y.dtype)
    hot = tf.cast(y[:, tf.newaxis] == classes, z.dtype)
    return tf.keras.ops.concatenate([z, hot], axis=1)


@alternative("conditional_input", function="conditional_d_input")
def maps_by_tile(x, y, n_classes):
    hot = tf.one_hot(y, n_classes, dtype=x.dtype)
    maps = tf.tile(tf.reshape(hot, (-1, 1, 1, n_classes)), (1, x.shape[1], x.shape[2], 1))
    return tf.concat([x, maps], axis=3)


@alternative("conditional_input", function="conditional_d_input")
def maps_by_broadcast(x, y, n_classes):
    hot = tf.one_hot(y, n_classes, dtype=x.dtype)[:, None, None, :]
    shape = tf.concat([tf.shape(x)[:-1], [n_classes]], axis=0)
    return tf.concat((x, tf.broadcast_to(hot, shape)), axis=-1)


@alternative("conditional_input", function="conditional_d_input")
def maps_image_by_image(x, y, n_classes):
    pictures = []
    for n in range(x.shape[0]):
        maps = [tf.ones_like(x[n, ..., :1]) * float(int(y[n]) == k) for k in range(n_classes)]
        pictures.append(tf.concat([x[n], *maps], axis=-1))
    return tf.stack(pictures)
