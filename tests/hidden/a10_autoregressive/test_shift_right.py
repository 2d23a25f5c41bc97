"""Exercise 6: predicting the next token, and what a sequence costs."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, gradients, laws, mistake, probe
from reference import autoregressive

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_TOKENS = np.array([[2, 0, 1], [1, 1, 2]])
SHOWN_LOGITS = np.zeros((2, 3, 4), np.float32)


@probe
def nll_of_a_causal_net(student, tokens, table, start):
    """Returns the costs under a net whose logits are a running sum of rows of a table."""
    seen = student.shift_right(tokens, int(start))
    logits = tf.cumsum(tf.gather(table, seen), axis=1)
    return student.sequence_nll(logits, tokens)


def random_case(inputs):
    """Returns logits (7, 5, 3) and tokens (7, 5), float64 and int."""
    return inputs.normal(size=(7, 5, 3)), inputs.integers(0, 3, (7, 5))


@exercise(
    "shift_right",
    points=1,
    visible=True,
    mistakes=("shift_left", "shift_rolls", "shift_keeps_the_last", "shift_nothing"),
)
def test_shift_shown_values(student):
    """The start comes first, then every token but the last."""
    seen = student.shift_right(SHOWN_TOKENS, 9)
    expect(seen).array("B T", np.int64, B=2, T=3).equals(np.array([[9, 2, 0], [9, 1, 1]]))


@exercise(
    "shift_right",
    points=1,
    visible=True,
    mistakes=("nll_mean_over_T", "nll_per_position", "nll_sign", "nll_of_the_batch"),
)
def test_nll_shown_values(student):
    """Where all four tokens are equally likely, three of them cost 3 log 4."""
    seen = student.sequence_nll(SHOWN_LOGITS, SHOWN_TOKENS)
    expect(seen).array("B", np.float32, B=2)
    expect(seen).matches(np.full(2, 3 * np.log(4), np.float32))


@exercise(
    "shift_right",
    points=1,
    mistakes=("shift_left", "shift_rolls", "shift_by_zeros", "shift_along_the_batch"),
)
def test_shift_moves_every_row(student, inputs):
    """Each row begins with the start token, whatever it is, and forgets its last token."""
    tokens = inputs.integers(0, 8, (7, 5))
    for start in (0, 11):
        due = np.concatenate([np.full((7, 1), start), tokens[:, :-1]], axis=1)
        expect(student.shift_right(tokens, start)).matches(due)


@exercise(
    "shift_right",
    points=1,
    mistakes=(
        "nll_mean_over_T",
        "nll_sign",
        "nll_without_normalising",
        "nll_of_shifted_tokens",
        "nll_in_float32",
        "nll_of_the_batch",
        "nll_in_bits",
        "nll_without_the_first",
    ),
    note="Five positions, three tokens, float64.",
)
def test_nll_adds_up_over_positions(student, inputs):
    """Each sequence costs the sum of minus the log-probabilities of its tokens."""
    logits, tokens = random_case(inputs)
    expect(student.sequence_nll(logits, tokens)).matches(
        autoregressive.sequence_nll(logits, tokens).numpy()
    )
    laws.expect_rows_independent(student.sequence_nll, batched=(logits, tokens))


@exercise(
    "shift_right",
    points=1,
    mistakes=("shift_left", "shift_nothing", "nll_mean_over_T", "nll_of_shifted_tokens"),
    note="All 81 sequences of four tokens out of three, under a causal net.",
)
def test_sequences_sum_to_one(student, inputs):
    """With a causal net, the probabilities of all sequences add up to 1."""
    tokens = np.stack(np.meshgrid(*[np.arange(3)] * 4, indexing="ij"), -1).reshape(81, 4)
    seen = nll_of_a_causal_net(student, tokens, inputs.normal(size=(4, 3)), 3)
    expect(seen).array("B", np.float64, B=81).finite()
    expect(np.exp(-np.asarray(seen)).sum(), "the sum over all sequences").close(1.0, 1e-8)


@exercise(
    "shift_right",
    points=1,
    mistakes=("nll_through_numpy", "nll_log_of_softmax"),
    note="Also logits of +-800.",
)
def test_nll_has_the_right_gradient(student, inputs):
    """The derivative by the logits is right, and the cost of a hopeless token is finite."""
    logits, tokens = random_case(inputs)
    gradients.expect_gradient(
        student.sequence_nll, (logits, tokens), wrt=(0,), due=autoregressive.sequence_nll
    )
    logits = np.where(np.arange(3) == tokens[..., np.newaxis], -800.0, 800.0)
    seen = student.sequence_nll(logits, tokens)
    expect(seen).matches(np.full(7, 5 * (1600 + np.log(2))))


@mistake("shift_right", kind="concept", hint="Inputs lag behind: the start comes first.")
def shift_left(tokens, start_token):
    end = tf.fill((tokens.shape[0], 1), tf.cast(start_token, tokens.dtype))
    return tf.concat([tokens[:, 1:], end], axis=1)


@mistake("shift_right", kind="lazy", hint="Unshifted, the model sees the token it is to predict.")
def shift_nothing(tokens, start_token):
    return tf.identity(tokens)


@mistake("shift_right", kind="concept", hint="The last token falls off; it does not come back.")
def shift_rolls(tokens, start_token):
    return tf.roll(tokens, 1, axis=1)


@mistake("shift_right", kind="axis", hint="The length stays T: the last token falls off.")
def shift_keeps_the_last(tokens, start_token):
    start = tf.fill((tokens.shape[0], 1), tf.cast(start_token, tokens.dtype))
    return tf.concat([start, tokens], axis=1)


@mistake("shift_right", kind="lazy", hint="start_token is an argument: it is not always 0.")
def shift_by_zeros(tokens, start_token):
    return autoregressive.shift_right(tokens, 0)


@mistake("shift_right", kind="axis", hint="Positions are the second axis, rows the first.")
def shift_along_the_batch(tokens, start_token):
    start = tf.fill((1, tokens.shape[1]), tf.cast(start_token, tokens.dtype))
    return tf.concat([start, tokens[:-1]], axis=0)


@mistake(
    "shift_right", kind="scale", function="sequence_nll", hint="Positions are added, not averaged."
)
def nll_mean_over_T(logits, tokens):
    return autoregressive.sequence_nll(logits, tokens) / int(tokens.shape[1])


@mistake(
    "shift_right",
    kind="concept",
    function="sequence_nll",
    hint="The first token costs something, too.",
)
def nll_without_the_first(logits, tokens):
    return autoregressive.sequence_nll(logits[:, 1:], tokens[:, 1:])


@mistake(
    "shift_right",
    kind="axis",
    function="sequence_nll",
    hint="The positions of a sequence still have to be added up.",
)
def nll_per_position(logits, tokens):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tokens, logits)


@mistake(
    "shift_right", kind="concept", function="sequence_nll", hint="A cost is at least 0: a minus."
)
def nll_sign(logits, tokens):
    return -autoregressive.sequence_nll(logits, tokens)


@mistake(
    "shift_right",
    kind="axis",
    function="sequence_nll",
    hint="Each sequence has a cost of its own.",
)
def nll_of_the_batch(logits, tokens):
    return tf.reduce_mean(autoregressive.sequence_nll(logits, tokens))


@mistake(
    "shift_right",
    kind="concept",
    function="sequence_nll",
    hint="Logits are no log-probabilities yet: a softmax makes them add up to 1.",
)
def nll_without_normalising(logits, tokens):
    return -tf.reduce_sum(tf.gather(logits, tokens, batch_dims=2), axis=1)


@mistake(
    "shift_right",
    kind="concept",
    function="sequence_nll",
    hint="The logits of a position belong to its own token: nothing is shifted here.",
)
def nll_of_shifted_tokens(logits, tokens):
    return autoregressive.sequence_nll(logits, tf.roll(tokens, 1, axis=1))


@mistake(
    "shift_right",
    kind="numerics",
    function="sequence_nll",
    hint="Float64 logits give a float64 cost.",
)
def nll_in_float32(logits, tokens):
    return tf.cast(autoregressive.sequence_nll(logits, tokens), tf.float32)


@mistake(
    "shift_right",
    kind="scale",
    function="sequence_nll",
    hint="Logarithms are natural: no division by log 2.",
)
def nll_in_bits(logits, tokens):
    return autoregressive.sequence_nll(logits, tokens) / np.log(2)


@mistake(
    "shift_right",
    kind="numerics",
    function="sequence_nll",
    hint="No gradient flows through NumPy.",
)
def nll_through_numpy(logits, tokens):
    return tf.constant(autoregressive.sequence_nll(logits, tokens).numpy())


@mistake(
    "shift_right",
    kind="numerics",
    function="sequence_nll",
    hint="The logarithm of a softmax that is 0 is minus infinity: use log_softmax.",
)
def nll_log_of_softmax(logits, tokens):
    p = tf.gather(tf.nn.softmax(logits), tokens, batch_dims=2)
    return -tf.reduce_sum(tf.math.log(p), axis=1)


@alternative("shift_right")
def shift_by_padding(tokens, start_token):
    return tf.pad(tokens[:, :-1], [[0, 0], [1, 0]], constant_values=start_token)


@alternative("shift_right")
def shift_by_where(tokens, start_token):
    first = tf.range(tokens.shape[1]) == 0
    return tf.where(first, tf.cast(start_token, tokens.dtype), tf.roll(tokens, 1, axis=1))


@alternative("shift_right")
def shift_in_numpy(tokens, start_token):
    shifted = np.array(tokens)
    shifted[:, 1:], shifted[:, 0] = np.array(tokens)[:, :-1], start_token
    return tf.constant(shifted)


@alternative("shift_right", function="sequence_nll")
def nll_by_one_hot(logits, tokens):
    hot = tf.one_hot(tokens, logits.shape[-1], dtype=logits.dtype)
    return tf.reduce_sum(tf.reduce_logsumexp(logits, -1) - tf.reduce_sum(hot * logits, -1), 1)


@alternative("shift_right", function="sequence_nll")
def nll_by_log_softmax(logits, tokens):
    log_p = tf.nn.log_softmax(logits, axis=-1)
    return -tf.einsum("bt->b", tf.gather(log_p, tokens, axis=2, batch_dims=2))


@alternative("shift_right", function="sequence_nll")
def nll_by_keras(logits, tokens):
    each = tf.keras.losses.sparse_categorical_crossentropy(tokens, logits, from_logits=True)
    return tf.reduce_sum(each, axis=-1)
