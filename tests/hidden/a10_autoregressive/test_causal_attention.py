"""Exercise 5: attention to the past."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, gradients, laws, mistake
from reference import autoregressive

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.array([[[1, 0], [3, 0], [5, 0]]], np.float32)
SHOWN_ZERO = np.zeros((2, 2), np.float32)
SHOWN_ONE = np.eye(2, dtype=np.float32)


def random_case(inputs, width=6, length=5):
    """Returns x (7, T, d) and the four matrices, float64; scores are of size 1 or so."""
    weights = [0.5 * inputs.normal(size=(width, width)) for _ in range(4)]
    return inputs.normal(size=(7, length, width)), *weights


@exercise(
    "causal_attention",
    points=2,
    visible=True,
    mistakes=("attn_last_position",),
)
def test_attention_shown_shape_and_dtype(student):
    """The result has shape and dtype of x, with one head and with two."""
    for heads in (1, 2):
        seen = student.causal_attention(
            SHOWN_X, SHOWN_ZERO, SHOWN_ZERO, SHOWN_ONE, SHOWN_ONE, heads
        )
        expect(seen).array("B T D", np.float32, B=1, T=3, D=2)


@exercise(
    "causal_attention",
    points=2,
    visible=True,
    mistakes=(
        "attn_no_mask",
        "attn_excludes_itself",
        "attn_mask_after_softmax",
        "attn_looks_ahead",
    ),
)
def test_attention_shown_of_equal_scores(student):
    """Where all scores are 0, each position is the mean of itself and those before it."""
    seen = student.causal_attention(SHOWN_X, SHOWN_ZERO, SHOWN_ZERO, SHOWN_ONE, SHOWN_ONE, 1)
    expect(seen).matches(np.array([[[1, 0], [2, 0], [3, 0]]], np.float32))


@exercise(
    "causal_attention",
    points=4,
    mistakes=(
        "attn_mask_after_softmax",
        "attn_no_scale",
        "attn_scale_by_d_model",
        "attn_scale_without_root",
        "attn_heads_interleaved",
        "attn_heads_by_reshape",
        "attn_softmax_over_queries",
        "attn_keys_and_queries_exchanged",
        "attn_no_output",
        "attn_value_is_x",
        "attn_mean_of_heads",
        "attn_no_mask",
        "attn_excludes_itself",
        "attn_in_float32",
    ),
    note="Three heads of two columns, five positions, seven rows, float64.",
)
def test_attention_is_the_softmax_of_the_past(student, inputs):
    """Each head weighs the values of the past by the softmax of scaled scores."""
    case = random_case(inputs)
    for heads in (1, 3):
        due = autoregressive.causal_attention(*case, heads).numpy()
        expect(student.causal_attention(*case, heads)).matches(due)


@exercise(
    "causal_attention",
    points=2,
    mistakes=("attn_no_mask", "attn_mask_after_softmax", "attn_looks_ahead"),
)
def test_attention_does_not_see_the_future(student, inputs):
    """What comes after a position changes nothing at it; what comes before changes it."""
    x, *weights = random_case(inputs)
    first = student.causal_attention(x, *weights, 2)
    expect(first).array("B T D", np.float64, B=7, T=5, D=6).finite()
    other = x.copy()
    other[:, 3:] = inputs.normal(size=(7, 2, 6))
    seen = student.causal_attention(other, *weights, 2)
    expect(np.asarray(seen)[:, :3]).close(np.asarray(first)[:, :3], tolerance=1e-10)
    other = x.copy()
    other[:, 0] += 1
    moved = np.abs(np.asarray(student.causal_attention(other, *weights, 2)) - first)
    expect(bool(np.all(moved.max(axis=2) > 1e-9)), "the first position is seen by all").equals(
        True
    )


@exercise(
    "causal_attention",
    points=1,
    mistakes=("attn_mask_after_softmax", "attn_softmax_over_queries"),
    note="One column of x is 1 everywhere, and only it has a value.",
)
def test_attention_weights_add_up_to_one(student, inputs):
    """If all values are the same, every position gets just this value."""
    x, Wq, Wk, _, _ = random_case(inputs)
    x[..., 0] = 1
    value = inputs.normal(size=6)
    Wv = np.zeros((6, 6))
    Wv[0] = value
    seen = student.causal_attention(x, Wq, Wk, Wv, np.eye(6), 3)
    expect(seen).matches(np.broadcast_to(value, (7, 5, 6)).copy())


@exercise(
    "causal_attention",
    points=1,
    mistakes=("attn_heads_interleaved", "attn_first_head_only"),
    note="The three heads in another order, in all matrices.",
)
def test_attention_heads_may_change_places(student, inputs):
    """If the blocks of columns change places in all matrices, the result is the same."""
    x, Wq, Wk, Wv, Wo = random_case(inputs)
    order = np.array([4, 5, 0, 1, 2, 3])
    due = autoregressive.causal_attention(x, Wq, Wk, Wv, Wo, 3).numpy()
    seen = student.causal_attention(x, Wq[:, order], Wk[:, order], Wv[:, order], Wo[order], 3)
    expect(seen).matches(due)


@exercise(
    "causal_attention",
    points=1,
    mistakes=("attn_through_numpy", "attn_stops_the_scores", "attn_no_scale"),
)
def test_attention_has_the_right_gradient(student, inputs):
    """The derivatives by x and all four matrices are right, and each row stands alone."""
    case = random_case(inputs)

    def due(*arrays):
        return autoregressive.causal_attention(*arrays, 3)

    gradients.expect_gradient(
        student.causal_attention,
        (*case, 3),
        wrt=(0, 1, 2, 3, 4),
        due=lambda *arrays: due(*arrays[:5]),
    )
    laws.expect_rows_independent(
        lambda x: student.causal_attention(x, *case[1:], 3), batched=(case[0],)
    )


@exercise(
    "causal_attention",
    points=1,
    mistakes=("attn_mask_minus1e4", "attn_naive_exponential"),
    note="Scores of up to some 1e5 in size, float64, where -1e4 is no mask.",
)
def test_attention_of_large_scores(student, inputs):
    """With scores of ten thousands the result is finite, right and blind to the future."""
    x, Wq, Wk, Wv, Wo = random_case(inputs)
    x = 300 * x
    due = autoregressive.causal_attention(x, Wq, Wk, Wv, Wo, 2).numpy()
    seen = student.causal_attention(x, Wq, Wk, Wv, Wo, 2)
    expect(seen).array("B T D", np.float64, B=7, T=5, D=6).finite()
    expect(seen).close(due, tolerance=1e-6)


@mistake(
    "causal_attention",
    kind="axis",
    hint="Every position gets a result, not only the last one.",
)
def attn_last_position(x, Wq, Wk, Wv, Wo, n_heads):
    return autoregressive.causal_attention(x, Wq, Wk, Wv, Wo, n_heads)[:, -1]


@mistake("causal_attention", kind="axis", hint="Heads stand side by side; they are not averaged.")
def attn_mean_of_heads(x, Wq, Wk, Wv, Wo, n_heads):
    joined = autoregressive.causal_attention(
        x, Wq, Wk, Wv, tf.eye(x.shape[2], dtype=x.dtype), n_heads
    )
    heads = tf.reshape(joined, (*x.shape[:2], n_heads, -1))
    mean = tf.reduce_mean(heads, axis=2, keepdims=True) + 0.0 * heads
    return tf.reshape(mean, x.shape) @ Wo


@mistake(
    "causal_attention",
    kind="concept",
    hint="A position may not see those after it: mask the scores.",
)
def attn_no_mask(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    weights = tf.nn.softmax(scores)
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake("causal_attention", kind="concept", hint="A position sees itself, too.")
def attn_excludes_itself(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    past = past & ~np.eye(length, dtype=bool)
    past[0, 0] = True
    weights = tf.nn.softmax(tf.where(past, scores, tf.cast(-np.inf, x.dtype)))
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake(
    "causal_attention",
    kind="concept",
    hint="Mask before the softmax: afterwards the weights do not add up to 1.",
)
def attn_mask_after_softmax(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    weights = tf.nn.softmax(scores) * past.astype(x.dtype.as_numpy_dtype)
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake(
    "causal_attention",
    kind="concept",
    hint="The past is on and below the diagonal, not above it.",
)
def attn_looks_ahead(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    past = past.T
    weights = tf.nn.softmax(tf.where(past, scores, tf.cast(-np.inf, x.dtype)))
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake(
    "causal_attention",
    kind="scale",
    hint="Scores are divided by the root of the size of a head.",
)
def attn_no_scale(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    scores = scores * float(np.sqrt(size))
    weights = tf.nn.softmax(tf.where(past, scores, tf.cast(-np.inf, x.dtype)))
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake("causal_attention", kind="scale", hint="The scale is the root of d / n_heads, not of d.")
def attn_scale_by_d_model(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    scores = scores / float(np.sqrt(n_heads))
    weights = tf.nn.softmax(tf.where(past, scores, tf.cast(-np.inf, x.dtype)))
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake("causal_attention", kind="scale", hint="The scale is a root: of d / n_heads.")
def attn_scale_without_root(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    scores = scores / float(np.sqrt(size))
    weights = tf.nn.softmax(tf.where(past, scores, tf.cast(-np.inf, x.dtype)))
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake(
    "causal_attention",
    kind="axis",
    hint="Heads are consecutive blocks of columns; they do not take turns.",
)
def attn_heads_interleaved(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, size, n_heads)), (0, 3, 1, 2))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    weights = tf.nn.softmax(tf.where(past, scores, tf.cast(-np.inf, x.dtype)))
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 3, 1))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake(
    "causal_attention",
    kind="axis",
    hint="Split the columns first, then exchange axes: a reshape alone mixes positions.",
)
def attn_heads_by_reshape(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.reshape(rows, (batch, n_heads, length, size))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    weights = tf.nn.softmax(tf.where(past, scores, tf.cast(-np.inf, x.dtype)))
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake(
    "causal_attention",
    kind="axis",
    hint="The weights of one position add up to 1: softmax over the keys, the last axis.",
)
def attn_softmax_over_queries(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    masked = tf.where(past, scores, tf.cast(-np.inf, x.dtype))
    weights = tf.nn.softmax(masked, axis=2)
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake(
    "causal_attention",
    kind="concept",
    hint="Queries ask, keys answer: row t of the scores belongs to query t.",
)
def attn_keys_and_queries_exchanged(x, Wq, Wk, Wv, Wo, n_heads):
    return autoregressive.causal_attention(x, Wk, Wq, Wv, Wo, n_heads)


@mistake("causal_attention", kind="lazy", hint="The joined heads are multiplied by Wo.")
def attn_no_output(x, Wq, Wk, Wv, Wo, n_heads):
    return autoregressive.causal_attention(
        x, Wq, Wk, Wv, tf.eye(x.shape[2], dtype=x.dtype), n_heads
    )


@mistake("causal_attention", kind="lazy", hint="Values are x times Wv.")
def attn_value_is_x(x, Wq, Wk, Wv, Wo, n_heads):
    return autoregressive.causal_attention(
        x, Wq, Wk, tf.eye(x.shape[2], dtype=x.dtype), Wo, n_heads
    )


@mistake("causal_attention", kind="lazy", hint="All heads count.")
def attn_first_head_only(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    weights = tf.nn.softmax(tf.where(past, scores, tf.cast(-np.inf, x.dtype)))
    weights = weights[:, :1] + 0.0 * weights
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake("causal_attention", kind="numerics", hint="Float64 arguments give a float64 result.")
def attn_in_float32(x, Wq, Wk, Wv, Wo, n_heads):
    return tf.cast(autoregressive.causal_attention(x, Wq, Wk, Wv, Wo, n_heads), tf.float32)


@mistake("causal_attention", kind="numerics", hint="No gradient flows through NumPy.")
def attn_through_numpy(x, Wq, Wk, Wv, Wo, n_heads):
    return tf.constant(autoregressive.causal_attention(x, Wq, Wk, Wv, Wo, n_heads).numpy())


@mistake("causal_attention", kind="concept", hint="The gradient flows through the weights, too.")
def attn_stops_the_scores(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    weights = tf.nn.softmax(tf.where(past, scores, tf.cast(-np.inf, x.dtype)))
    weights = tf.stop_gradient(weights)
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake(
    "causal_attention",
    kind="numerics",
    hint="Ten thousand is not infinity: scores may be larger. Use minus infinity.",
)
def attn_mask_minus1e4(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    weights = tf.nn.softmax(tf.where(past, scores, scores - 1e4))
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@mistake(
    "causal_attention",
    kind="numerics",
    hint="e to a large score is infinite: use the softmax of TensorFlow.",
)
def attn_naive_exponential(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, width = x.shape
    size = width // n_heads

    def split(rows):
        return tf.transpose(tf.reshape(rows, (batch, length, n_heads, size)), (0, 2, 1, 3))

    q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
    scores = tf.matmul(q, k, transpose_b=True) / float(np.sqrt(size))
    past = np.tril(np.ones((length, length), bool))
    e = tf.exp(scores) * past.astype(x.dtype.as_numpy_dtype)
    weights = e / tf.reduce_sum(e, axis=-1, keepdims=True)
    mixed = tf.transpose(tf.matmul(weights, v), (0, 2, 1, 3))
    return tf.reshape(mixed, (batch, length, width)) @ Wo


@alternative("causal_attention")
def attention_head_by_head(x, Wq, Wk, Wv, Wo, n_heads):
    size = x.shape[2] // n_heads
    future = tf.linalg.band_part(tf.ones((x.shape[1], x.shape[1]), tf.bool), 0, -1)
    future = tf.linalg.set_diag(future, tf.zeros(x.shape[1], tf.bool))
    blocks = []
    for head in range(n_heads):
        columns = slice(head * size, (head + 1) * size)
        q, k, v = x @ Wq[:, columns], x @ Wk[:, columns], x @ Wv[:, columns]
        scores = q @ tf.transpose(k, (0, 2, 1)) / float(np.sqrt(size))
        scores = tf.where(future, tf.fill(tf.shape(scores), tf.cast(-np.inf, x.dtype)), scores)
        blocks.append(tf.nn.softmax(scores, axis=-1) @ v)
    return tf.concat(blocks, axis=-1) @ Wo


@alternative("causal_attention")
def attention_by_einsum(x, Wq, Wk, Wv, Wo, n_heads):
    d = x.shape[-1]
    size = d // n_heads
    q, k, v = (
        tf.einsum("btd,dns->btns", x, tf.reshape(W, (d, n_heads, size))) for W in (Wq, Wk, Wv)
    )
    scores = tf.einsum("btns,buns->bntu", q, k) * size**-0.5
    mask = np.where(np.tri(x.shape[1]) == 1, 0.0, -np.inf)
    weights = tf.nn.softmax(scores + tf.constant(mask, x.dtype))
    return tf.einsum("bntu,buns,nsd->btd", weights, v, tf.reshape(Wo, (n_heads, size, d)))


@alternative("causal_attention")
def attention_position_by_position(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, d = x.shape
    q, k, v = (tf.reshape(x @ W, (batch, length, n_heads, -1)) for W in (Wq, Wk, Wv))
    rows = []
    for t in range(length):
        scores = tf.reduce_sum(q[:, t : t + 1] * k[:, : t + 1], axis=-1)
        scores = scores / float(np.sqrt(d // n_heads))
        weights = tf.exp(scores - tf.reduce_logsumexp(scores, axis=1, keepdims=True))
        mixed = tf.reduce_sum(weights[..., tf.newaxis] * v[:, : t + 1], axis=1)
        rows.append(tf.reshape(mixed, (batch, d)) @ Wo)
    return tf.stack(rows, axis=1)


@alternative("causal_attention")
def attention_with_the_lowest_number(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, d = x.shape

    def split(W):
        return tf.stack(tf.split(x @ W, n_heads, axis=2), axis=1)

    scores = split(Wq) @ tf.linalg.matrix_transpose(split(Wk)) / (d / n_heads) ** 0.5
    past = tf.cast(tf.linalg.band_part(tf.ones((length, length)), -1, 0), tf.bool)
    weights = tf.keras.ops.softmax(tf.where(past, scores, scores.dtype.min), axis=-1)
    return tf.concat(tf.unstack(weights @ split(Wv), axis=1), axis=2) @ Wo


@alternative("causal_attention")
def attention_with_a_billion(x, Wq, Wk, Wv, Wo, n_heads):
    batch, length, d = x.shape
    future = tf.constant(np.triu(np.ones((length, length)), 1), x.dtype)
    out = tf.zeros_like(x)
    for head, columns in enumerate(np.split(np.arange(d), n_heads)):
        q, k, v = (tf.gather(x @ W, columns, axis=2) for W in (Wq, Wk, Wv))
        scores = tf.einsum("btd,bsd->bts", q, k) / len(columns) ** 0.5 - 1e9 * future
        first = head * len(columns)
        out += tf.nn.softmax(scores) @ v @ Wo[first : first + len(columns)]
    return out
