"""Exercise 6: the bound, given a label."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake, probe
from reference import vae

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.array([[1, 0, 1], [0, 0, 1]], np.float32)
SHOWN_Y = np.array([1, 0])


@probe
def bound_of(student, x, y, n_classes, noise, networks):
    """Returns the bound for linear networks, whose last row is the bias."""
    A, L, W = networks

    def encoder(rows):
        return tf.matmul(rows, A[:-1]) + A[-1], tf.matmul(rows, L[:-1]) + L[-1]

    def decoder(z):
        return tf.matmul(z, W[:-1]) + W[-1]

    return student.conditional_elbo(x, y, n_classes, encoder, decoder, noise)


def random_case(inputs):
    """Returns x (7, 5), y (7,) of 4 classes, 4, noise (3, 7, 2), networks, float64."""
    x, y = inputs.integers(0, 2, (7, 5)).astype(float), np.array([0, 1, 2, 3, 1, 0, 2])
    networks = (
        inputs.normal(size=(10, 2)),
        0.5 * inputs.normal(size=(10, 2)),
        inputs.normal(size=(7, 5)),
    )
    return x, inputs.permutation(y), 4, inputs.normal(size=(3, 7, 2)), networks


def due_of(x, y, n_classes, noise, networks):
    """Returns what is due, float64."""
    parts = [tf.constant(part) for part in networks]
    arguments = tf.constant(x), tf.constant(y), n_classes, tf.constant(noise), parts
    return bound_of.function(vae, *arguments).numpy()


def shown_networks():
    """Returns networks of 3 pixels, 2 classes and a code of 2: the second label makes x likely."""
    A, L, W = (np.zeros(shape, np.float32) for shape in ((6, 2), (6, 2), (5, 3)))
    W[3] = np.log(3) * np.array([1, -1, 1])
    return A, L, W


@exercise(
    "conditional_elbo",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    visible=True,
    mistakes=("conditional_of_the_batch",),
)
def test_conditional_shown_shape_and_dtype(student):
    """Two rows give two bounds, in the dtype of x."""
    noise = np.ones((3, 2, 2), np.float32)
    seen = bound_of(student, SHOWN_X, SHOWN_Y, 2, noise, shown_networks())
    expect(seen).array("B", np.float32, B=2)


@exercise(
    "conditional_elbo",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    visible=True,
    mistakes=(
        "conditional_decoder_without_label",
        "conditional_label_in_front",
        "conditional_labels_repeated_wrongly",
    ),
)
def test_conditional_shown_tells_the_decoder(student):
    """A decoder that listens to the label only gives the first row 3/4 a pixel, the second 1/2."""
    noise = np.zeros((3, 2, 2), np.float32)
    seen = bound_of(student, SHOWN_X, SHOWN_Y, 2, noise, shown_networks())
    expect(seen).matches((3 * np.log([0.75, 0.5])).astype(np.float32))


@exercise(
    "conditional_elbo",
    points=2,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    mistakes=(
        "conditional_decoder_without_label",
        "conditional_encoder_without_label",
        "conditional_label_in_front",
        "conditional_label_as_number",
        "conditional_labels_repeated_wrongly",
        "conditional_classes_reversed",
        "conditional_labels_of_next_row",
        "conditional_scaled_label",
        "conditional_ignores_labels",
        "conditional_one_code_for_all",
    ),
    note="Three samples, four classes, linear networks, float64.",
)
def test_conditional_appends_the_label_to_both_inputs(student, inputs):
    """The bound is that of encoder and decoder whose inputs end with the one-hot label."""
    case = random_case(inputs)
    expect(bound_of(student, *case)).matches(due_of(*case))


@exercise(
    "conditional_elbo",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    mistakes=(
        "conditional_ignores_labels",
        "conditional_labels_of_next_row",
        "conditional_labels_repeated_wrongly",
    ),
    note="Networks that listen to the one-hot label only, in turn.",
)
def test_conditional_listens_to_the_labels(student, inputs):
    """Each network alone is told each row's own label."""
    x, y, n_classes, noise, (A, L, W) = random_case(inputs)
    A_label, W_label = A.copy(), W.copy()
    A_label[:5], W_label[:2] = 0, 0
    W_mute = W.copy()
    W_mute[2:6] = 0
    A_mute = A.copy()
    A_mute[5:9] = 0
    for networks in ((A_label, 0 * L, W_mute), (A_mute, 0 * L, W_label)):
        case = x, y, n_classes, noise, networks
        expect(bound_of(student, *case)).matches(due_of(*case))


@exercise(
    "conditional_elbo",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo"),
    mistakes=("conditional_of_the_batch", "conditional_labels_of_next_row"),
)
def test_conditional_of_each_row_stands_alone(student, inputs):
    """Each row's bound depends on that row of x, its label and its noise only."""
    x, y, n_classes, noise, networks = random_case(inputs)

    def call(x, y, noise):
        return bound_of(student, x, y, n_classes, np.swapaxes(noise, 0, 1), networks)

    laws.expect_rows_independent(call, batched=(x, y, np.swapaxes(noise, 0, 1)))


@mistake("conditional_elbo", kind="lazy", hint="The decoder gets the label, too.")
def conditional_decoder_without_label(x, y, n_classes, encoder, decoder, noise, variance=None):
    def mute(z):
        return decoder(tf.concat([z[:, :-n_classes], tf.zeros_like(z[:, -n_classes:])], axis=1))

    return vae.conditional_elbo(x, y, n_classes, encoder, mute, noise, variance)


@mistake("conditional_elbo", kind="lazy", hint="The encoder gets the label, too.")
def conditional_encoder_without_label(x, y, n_classes, encoder, decoder, noise, variance=None):
    def mute(v):
        return encoder(tf.concat([v[:, :-n_classes], tf.zeros_like(v[:, -n_classes:])], axis=1))

    return vae.conditional_elbo(x, y, n_classes, mute, decoder, noise, variance)


@mistake("conditional_elbo", kind="axis", hint="The label is appended, not put in front.")
def conditional_label_in_front(x, y, n_classes, encoder, decoder, noise, variance=None):
    def turned(network):
        return lambda v: network(tf.concat([v[:, -n_classes:], v[:, :-n_classes]], axis=1))

    networks = turned(encoder), turned(decoder)
    return vae.conditional_elbo(x, y, n_classes, *networks, noise, variance)


@mistake(
    "conditional_elbo",
    kind="concept",
    hint="A label is no number: class 3 is not three times class 1. Use one-hot.",
)
def conditional_label_as_number(x, y, n_classes, encoder, decoder, noise, variance=None):
    def numbered(network):
        def call(v):
            label = tf.cast(tf.argmax(v[:, -n_classes:], axis=1), v.dtype)[:, tf.newaxis]
            rest = tf.zeros_like(v[:, -n_classes + 1 :])
            return network(tf.concat([v[:, :-n_classes], label, rest], axis=1))

        return call

    networks = numbered(encoder), numbered(decoder)
    return vae.conditional_elbo(x, y, n_classes, *networks, noise, variance)


@mistake(
    "conditional_elbo",
    kind="axis",
    hint="With several samples, each code must meet the label of its own row: tile or repeat?",
)
def conditional_labels_repeated_wrongly(x, y, n_classes, encoder, decoder, noise, variance=None):
    samples = int(noise.shape[0])
    labels = tf.one_hot(y, n_classes, dtype=x.dtype)

    def wrong(z):
        return decoder(tf.concat([z, tf.repeat(labels, samples, axis=0)], axis=1))

    joined = lambda rows: encoder(tf.concat([rows, labels], axis=1))  # noqa: E731
    return vae.elbo(x, joined, wrong, noise, 1.0, variance)["elbo"]


@mistake("conditional_elbo", kind="concept", hint="Class k is a one at place k, from the left.")
def conditional_classes_reversed(x, y, n_classes, encoder, decoder, noise, variance=None):
    y = n_classes - 1 - y
    return vae.conditional_elbo(x, y, n_classes, encoder, decoder, noise, variance)


@mistake("conditional_elbo", kind="axis", hint="Row n has label n.")
def conditional_labels_of_next_row(x, y, n_classes, encoder, decoder, noise, variance=None):
    y = tf.roll(y, 1, axis=0)
    return vae.conditional_elbo(x, y, n_classes, encoder, decoder, noise, variance)


@mistake("conditional_elbo", kind="scale", hint="The one in one-hot is a one.")
def conditional_scaled_label(x, y, n_classes, encoder, decoder, noise, variance=None):
    def scaled(network):
        def call(v):
            return network(tf.concat([v[:, :-n_classes], v[:, -n_classes:] / n_classes], axis=1))

        return call

    networks = scaled(encoder), scaled(decoder)
    return vae.conditional_elbo(x, y, n_classes, *networks, noise, variance)


@mistake("conditional_elbo", kind="lazy", hint="The labels have no influence on the result.")
def conditional_ignores_labels(x, y, n_classes, encoder, decoder, noise, variance=None):
    return vae.conditional_elbo(x, 0 * y, n_classes, encoder, decoder, noise, variance)


@mistake("conditional_elbo", kind="axis", hint="Every row of the batch has noise of its own.")
def conditional_one_code_for_all(x, y, n_classes, encoder, decoder, noise, variance=None):
    noise = noise[:, :1] + 0.0 * noise
    return vae.conditional_elbo(x, y, n_classes, encoder, decoder, noise, variance)


@mistake("conditional_elbo", kind="axis", hint="Each row has a bound of its own: no batch mean.")
def conditional_of_the_batch(x, y, n_classes, encoder, decoder, noise, variance=None):
    bound = vae.conditional_elbo(x, y, n_classes, encoder, decoder, noise, variance)
    return tf.reduce_mean(bound)


@alternative("conditional_elbo")
def conditional_sample_by_sample(x, y, n_classes, encoder, decoder, noise, variance=None):
    labels = tf.one_hot(y, n_classes, dtype=x.dtype)
    mean, log_var = encoder(tf.concat([x, labels], axis=1))
    total = 0.0
    for one in tf.unstack(noise):
        z = reparameterize(mean, log_var, one)  # noqa: F821
        output = decoder(tf.concat([z, labels], axis=1))
        if variance is None:
            total += tf.reduce_sum(x * output - tf.nn.softplus(output), axis=1)
        else:
            constant = float(np.log(2 * np.pi * variance))
            total -= 0.5 * tf.reduce_sum((x - output) ** 2 / variance + constant, axis=1)
    return total / noise.shape[0] - gaussian_kl(mean, log_var)  # noqa: F821


@alternative("conditional_elbo")
def conditional_by_equality(x, y, n_classes, encoder, decoder, noise, variance=None):
    labels = tf.cast(tf.equal(y[:, tf.newaxis], tf.range(n_classes, dtype=y.dtype)), x.dtype)

    def with_labels(network):
        def call(rows):
            times = rows.shape[0] // labels.shape[0]
            return network(tf.concat([rows, tf.tile(labels, (times, 1))], axis=-1))

        return call

    terms = elbo(x, with_labels(encoder), with_labels(decoder), noise, variance=variance)  # noqa: F821
    return terms["elbo"]


@alternative("conditional_elbo")
def conditional_by_gather(x, y, n_classes, encoder, decoder, noise, variance=None):
    labels = tf.gather(tf.eye(n_classes, dtype=x.dtype), y)
    each = [
        elbo(  # noqa: F821
            x,
            lambda rows: encoder(tf.concat((rows, labels), 1)),
            lambda z: decoder(tf.concat((z, labels), 1)),
            one[tf.newaxis],
            variance=variance,
        )["elbo"]
        for one in tf.unstack(noise)
    ]
    return tf.reduce_mean(tf.stack(each), axis=0)


@alternative("conditional_elbo")
def conditional_by_keras(x, y, n_classes, encoder, decoder, noise, variance=None):
    labels = tf.keras.ops.one_hot(y, n_classes, dtype=x.dtype.name)
    several = tf.concat([labels] * noise.shape[0], axis=0)
    return elbo(  # noqa: F821
        x,
        lambda rows: encoder(tf.keras.ops.concatenate([rows, labels], axis=1)),
        lambda z: decoder(tf.keras.ops.concatenate([z, several], axis=1)),
        noise,
        1.0,
        variance=variance,
    )["elbo"]


@alternative("conditional_elbo")
def conditional_row_by_row(x, y, n_classes, encoder, decoder, noise, variance=None):
    bounds = []
    for n in range(x.shape[0]):
        label = tf.one_hot(y[n : n + 1], n_classes, dtype=x.dtype)

        def joined(rows, label=label):
            return tf.concat([rows, tf.repeat(label, tf.shape(rows)[0], axis=0)], axis=1)

        terms = elbo(  # noqa: F821
            x[n : n + 1],
            lambda rows, joined=joined: encoder(joined(rows)),
            lambda z, joined=joined: decoder(joined(z)),
            noise[:, n : n + 1],
            variance=variance,
        )
        bounds.append(terms["elbo"])
    return tf.concat(bounds, axis=0)
