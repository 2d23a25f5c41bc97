"""Exercise 1: the recursion of NADE."""

import numpy as np
import tensorflow as tf

from autograder.checks import all_states, alternative, exercise, expect, gradients, laws, mistake
from reference import autoregressive


def random_parameters(inputs, D, H, dtype=np.float64):
    """Returns W (H, D), V (D, H), b (D,), c (H,)."""
    shapes = (H, D), (D, H), (D,), (H,)
    return tuple(inputs.normal(size=shape).astype(dtype) for shape in shapes)


def random_case(inputs):
    """Returns x (7, 5) and parameters of 3 hidden units, float64."""
    return inputs.integers(0, 2, (7, 5)).astype(float), *random_parameters(inputs, 5, 3)


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], np.float32)
SHOWN = (
    np.array([[np.log(3), 1]], np.float32),
    np.array([[0], [4]], np.float32),
    np.array([0, -3], np.float32),
    np.zeros(1, np.float32),
)


@exercise(
    "nade_log_prob",
    points=1,
    visible=True,
    mistakes=("nade_of_the_batch", "nade_as_column", "nade_per_entry"),
)
def test_nade_shown_shape_and_dtype(student):
    """Four rows give four log-probabilities, in the dtype of the arguments."""
    expect(student.nade_log_prob(SHOWN_X, *SHOWN)).array("B", np.float32, B=4)


@exercise(
    "nade_log_prob",
    points=2,
    visible=True,
    mistakes=("nade_include_self", "nade_negative", "nade_independent", "nade_probability"),
)
def test_nade_shown_values(student):
    """After a 1 the second entry is a fair coin; after a 0 its logit is -1."""
    p = 1 / (1 + np.exp(1))
    due = np.log([0.25, 0.25, 0.5 * p, 0.5 * (1 - p)]).astype(np.float32)
    expect(student.nade_log_prob(SHOWN_X, *SHOWN)).matches(due)


@exercise(
    "nade_log_prob",
    points=3,
    mistakes=(
        "nade_include_self",
        "nade_mean_over_entries",
        "nade_negative",
        "nade_ones_only",
        "nade_in_bits",
    ),
    note="All 256 states of 8 entries. With the own entry included the sum is about 1.2.",
)
def test_nade_probabilities_sum_to_one(student, inputs):
    """The probabilities of all states of eight entries add up to 1."""
    parameters = random_parameters(inputs, 8, 3)
    laws.expect_normalised(
        lambda x: student.nade_log_prob(x, *parameters), states=all_states(8), log=True
    )


@exercise(
    "nade_log_prob",
    points=2,
    mistakes=(
        "nade_include_self",
        "nade_independent",
        "nade_backwards",
        "nade_last_entry_only",
        "nade_relu",
        "nade_without_b",
        "nade_without_c",
        "nade_linear_hidden",
        "nade_in_float32",
        "nade_mean_over_entries",
        "nade_ones_only",
        "nade_in_bits",
    ),
    note="Three hidden units, five entries, float64.",
)
def test_nade_is_the_recursion(student, inputs):
    """Each entry is predicted from the hidden units that have seen the entries before it."""
    case = random_case(inputs)
    expect(student.nade_log_prob(*case)).matches(autoregressive.nade_log_prob(*case))


@exercise(
    "nade_log_prob",
    points=2,
    mistakes=("nade_stops_gradients", "nade_through_numpy", "nade_backwards"),
)
def test_nade_has_the_right_gradient(student, inputs):
    """The derivatives by W, V, b and c, which train the model, are those of the formula."""
    gradients.expect_gradient(
        student.nade_log_prob,
        random_case(inputs),
        wrt=(1, 2, 3, 4),
        due=autoregressive.nade_log_prob,
    )


@exercise(
    "nade_log_prob",
    points=1,
    mistakes=("nade_of_the_batch", "nade_as_column", "nade_per_entry"),
)
def test_nade_of_each_row_stands_alone(student, inputs):
    """Each row has a log-probability of its own, which depends on that row only."""
    x, *parameters = random_case(inputs)
    expect(student.nade_log_prob(x, *parameters)).array("B", np.float64, B=7)
    laws.expect_rows_independent(student.nade_log_prob, batched=(x,), shared=tuple(parameters))


@exercise(
    "nade_log_prob",
    points=1,
    mistakes=("nade_naive_log", "nade_clipped"),
    note="Logits of +-300 in float32.",
)
def test_nade_of_large_logits(student):
    """With logits of 300 and -300 the log-probabilities are still finite and right."""
    x = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 1]], np.float32)
    W, V = np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32)
    b, c = np.array([300, -300, 300], np.float32), np.zeros(2, np.float32)
    due = np.array([0, -600, -300], np.float32)
    expect(student.nade_log_prob(x, W, V, b, c)).matches(due)


@mistake(
    "nade_log_prob",
    kind="concept",
    hint="Entry d is predicted before it is added: an entry must not see itself.",
)
def nade_include_self(x, W, V, b, c):
    activations = c + tf.cumsum(x[:, :, tf.newaxis] * tf.transpose(W), axis=1)
    logits = b + tf.reduce_sum(V * tf.sigmoid(activations), axis=-1)
    return tf.reduce_sum(x * logits - tf.nn.softplus(logits), axis=-1)


@mistake("nade_log_prob", kind="lazy", hint="The hidden units change with each entry seen.")
def nade_independent(x, W, V, b, c):
    return autoregressive.nade_log_prob(x, 0.0 * W, V, b, c)


@mistake("nade_log_prob", kind="axis", hint="Entries come in order: first entry 0, last D - 1.")
def nade_backwards(x, W, V, b, c):
    return autoregressive.nade_log_prob(x[:, ::-1], W[:, ::-1], V[::-1], b[::-1], c)


@mistake(
    "nade_log_prob",
    kind="concept",
    hint="Activations are a running sum: all entries before, not only the last one.",
)
def nade_last_entry_only(x, W, V, b, c):
    added = x[:, :, tf.newaxis] * tf.transpose(W)
    before = tf.concat([tf.zeros_like(added[:, :1]), added[:, :-1]], axis=1)
    logits = b + tf.reduce_sum(V * tf.sigmoid(c + before), axis=-1)
    return tf.reduce_sum(x * logits - tf.nn.softplus(logits), axis=-1)


@mistake("nade_log_prob", kind="concept", hint="Hidden units pass their sum through a sigmoid.")
def nade_relu(x, W, V, b, c):
    added = tf.cumsum(x[:, :, tf.newaxis] * tf.transpose(W), axis=1, exclusive=True)
    logits = b + tf.reduce_sum(V * tf.nn.relu(c + added), axis=-1)
    return tf.reduce_sum(x * logits - tf.nn.softplus(logits), axis=-1)


@mistake("nade_log_prob", kind="lazy", hint="Hidden units pass their sum through a sigmoid.")
def nade_linear_hidden(x, W, V, b, c):
    added = tf.cumsum(x[:, :, tf.newaxis] * tf.transpose(W), axis=1, exclusive=True)
    logits = b + tf.reduce_sum(V * (c + added), axis=-1)
    return tf.reduce_sum(x * logits - tf.nn.softplus(logits), axis=-1)


@mistake("nade_log_prob", kind="lazy", hint="The bias b of the entries is missing.")
def nade_without_b(x, W, V, b, c):
    return autoregressive.nade_log_prob(x, W, V, 0.0 * b, c)


@mistake("nade_log_prob", kind="lazy", hint="The activations start from c.")
def nade_without_c(x, W, V, b, c):
    return autoregressive.nade_log_prob(x, W, V, b, 0.0 * c)


@mistake(
    "nade_log_prob", kind="scale", hint="Sum over the entries: the mean is D times too small."
)
def nade_mean_over_entries(x, W, V, b, c):
    return autoregressive.nade_log_prob(x, W, V, b, c) / x.shape[1]


@mistake("nade_log_prob", kind="concept", hint="The log-probability is asked for, not minus it.")
def nade_negative(x, W, V, b, c):
    return -autoregressive.nade_log_prob(x, W, V, b, c)


@mistake("nade_log_prob", kind="concept", hint="The logarithm of the probability is asked for.")
def nade_probability(x, W, V, b, c):
    return tf.exp(autoregressive.nade_log_prob(x, W, V, b, c))


@mistake(
    "nade_log_prob", kind="concept", hint="A 0 has a probability, too: one minus that of a 1."
)
def nade_ones_only(x, W, V, b, c):
    added = tf.cumsum(x[:, :, tf.newaxis] * tf.transpose(W), axis=1, exclusive=True)
    logits = b + tf.reduce_sum(V * tf.sigmoid(c + added), axis=-1)
    return tf.reduce_sum(x * tf.math.log_sigmoid(logits), axis=-1)


@mistake("nade_log_prob", kind="scale", hint="Nats are asked for: natural logarithms.")
def nade_in_bits(x, W, V, b, c):
    return autoregressive.nade_log_prob(x, W, V, b, c) / float(np.log(2.0))


@mistake("nade_log_prob", kind="axis", hint="Each row has a log-probability of its own, (B,).")
def nade_of_the_batch(x, W, V, b, c):
    return tf.reduce_sum(autoregressive.nade_log_prob(x, W, V, b, c))


@mistake("nade_log_prob", kind="axis", hint="Each row has a log-probability of its own, (B,).")
def nade_as_column(x, W, V, b, c):
    return autoregressive.nade_log_prob(x, W, V, b, c)[:, tf.newaxis]


@mistake("nade_log_prob", kind="axis", hint="The log-probabilities of the entries add up.")
def nade_per_entry(x, W, V, b, c):
    added = tf.cumsum(x[:, :, tf.newaxis] * tf.transpose(W), axis=1, exclusive=True)
    logits = b + tf.reduce_sum(V * tf.sigmoid(c + added), axis=-1)
    return x * logits - tf.nn.softplus(logits)


@mistake(
    "nade_log_prob",
    kind="numerics",
    hint="The logarithm of a sigmoid that has become 0 is minus infinity: use softplus.",
)
def nade_naive_log(x, W, V, b, c):
    added = tf.cumsum(x[:, :, tf.newaxis] * tf.transpose(W), axis=1, exclusive=True)
    p = tf.sigmoid(b + tf.reduce_sum(V * tf.sigmoid(c + added), axis=-1))
    return tf.reduce_sum(tf.math.log(x * p + (1.0 - x) * (1.0 - p)), axis=-1)


@mistake(
    "nade_log_prob",
    kind="numerics",
    hint="Clipped probabilities are wrong ones: use softplus of the logits.",
)
def nade_clipped(x, W, V, b, c):
    added = tf.cumsum(x[:, :, tf.newaxis] * tf.transpose(W), axis=1, exclusive=True)
    p = tf.sigmoid(b + tf.reduce_sum(V * tf.sigmoid(c + added), axis=-1))
    p = tf.clip_by_value(p, 1e-12, 1.0 - 1e-12)
    return tf.reduce_sum(x * tf.math.log(p) + (1.0 - x) * tf.math.log1p(-p), axis=-1)


@mistake("nade_log_prob", kind="numerics", hint="float64 arguments stay float64 all the way.")
def nade_in_float32(x, W, V, b, c):
    narrow = [tf.cast(array, tf.float32) for array in (x, W, V, b, c)]
    return tf.cast(autoregressive.nade_log_prob(*narrow), x.dtype)


@mistake("nade_log_prob", kind="lazy", hint="No gradient reaches the weights W.")
def nade_stops_gradients(x, W, V, b, c):
    return autoregressive.nade_log_prob(x, tf.stop_gradient(W), V, b, c)


@mistake("nade_log_prob", kind="numerics", hint="No gradient passes through NumPy.")
def nade_through_numpy(x, W, V, b, c):
    arrays = [array.numpy() for array in (x, W, V, b, c)]
    return tf.constant(autoregressive.nade_log_prob(*arrays).numpy())


@alternative("nade_log_prob")
def nade_by_a_loop(x, W, V, b, c):
    a, total = tf.zeros_like(x[:, :1]) + c, 0.0
    for d in range(x.shape[1]):
        logit = b[d] + tf.linalg.matvec(tf.sigmoid(a), V[d])
        total += x[:, d] * tf.math.log_sigmoid(logit)
        total += (1 - x[:, d]) * tf.math.log_sigmoid(-logit)
        a += x[:, d : d + 1] * W[:, d]
    return total


@alternative("nade_log_prob")
def nade_by_a_triangle(x, W, V, b, c):
    before = tf.constant(np.triu(np.ones((x.shape[1], x.shape[1])), 1), x.dtype)
    hidden = tf.sigmoid(c + tf.einsum("bd,de,hd->beh", x, before, W))
    logits = b + tf.einsum("beh,eh->be", hidden, V)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
    return -tf.reduce_sum(entropy, axis=1)


@alternative("nade_log_prob")
def nade_by_scan(x, W, V, b, c):
    columns = tf.transpose(x)
    start = c + tf.zeros((x.shape[0], 1), x.dtype)
    steps = tf.scan(
        lambda a, pair: a + pair[0][:, tf.newaxis] * pair[1],
        (columns[:-1], tf.transpose(W)[:-1]),
        start,
    )
    hidden = tf.sigmoid(tf.concat([start[tf.newaxis], steps], axis=0))
    logits = tf.transpose(tf.reduce_sum(hidden * V[:, tf.newaxis], axis=2)) + b
    signs = 2.0 * x - 1.0
    return -tf.reduce_sum(tf.nn.softplus(-signs * logits), axis=-1)


@alternative("nade_log_prob")
def nade_in_keras(x, W, V, b, c):
    ops = tf.keras.ops
    added = ops.expand_dims(x, -1) * ops.transpose(W)
    hidden = ops.sigmoid(ops.cumsum(added, axis=1) - added + c)
    logits = ops.sum(hidden * V, axis=-1) + b
    return ops.sum(tf.where(x > 0.5, ops.log_sigmoid(logits), ops.log_sigmoid(-logits)), axis=-1)
