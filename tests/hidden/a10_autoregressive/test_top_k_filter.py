"""Exercise 7: choosing more boldly or more carefully."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake
from reference import autoregressive

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_LOGITS = np.array([[1, 4, 2, 3], [0, -1, -2, -3]], np.float32)


@exercise(
    "top_k_filter",
    points=1,
    visible=True,
    mistakes=("topk_smallest", "topk_zeros", "temperature_multiplied", "topk_only_their_values"),
)
def test_choice_shown_values(student):
    """Of four logits the two largest are left; a temperature of 2 halves them."""
    seen = student.top_k_filter(SHOWN_LOGITS, 2)
    expect(seen).array("B V", np.float32, B=2, V=4)
    due = np.array([[-np.inf, 4, -np.inf, 3], [0, -1, -np.inf, -np.inf]], np.float32)
    expect(seen).equals(due)
    expect(student.temperature_scale(SHOWN_LOGITS, 2.0)).matches(SHOWN_LOGITS / 2)


@exercise(
    "top_k_filter",
    points=1,
    mistakes=(
        "topk_smallest",
        "topk_one_too_many",
        "topk_threshold_of_the_batch",
        "topk_fixed_k",
        "topk_large_negative",
        "topk_in_float32",
        "topk_probabilities",
    ),
    note="Seven rows of five logits, all k from 1 to 5, float64.",
)
def test_filter_keeps_the_k_largest(student, inputs):
    """Exactly k logits of each row are left as they are; the others are minus infinity."""
    logits = inputs.normal(size=(7, 5))
    for k in range(1, 6):
        ranks = np.argsort(np.argsort(-logits, axis=1), axis=1)
        seen = student.top_k_filter(logits, k)
        expect(seen).array("B V", np.float64, B=7, V=5)
        expect(seen).equals(np.where(ranks < k, logits, -np.inf))
    laws.expect_rows_independent(lambda x: student.top_k_filter(x, 2), batched=(logits,))


@exercise(
    "top_k_filter",
    points=1,
    mistakes=("topk_keeps_ties_random", "topk_keeps_all_ties", "topk_ties_to_the_higher"),
    note="Logits of 0, 1 and 2, of which many are equal.",
)
def test_filter_of_equal_logits(student, inputs):
    """Of equal logits those with lower indices are kept, so that exactly k are left."""
    logits = np.concatenate([np.ones((1, 6)), inputs.integers(0, 3, (12, 6))]).astype(float)
    for k in (1, 2, 4):
        due = autoregressive.top_k_filter(logits, k).numpy()
        seen = student.top_k_filter(logits, k)
        expect(seen).array("B V", np.float64, B=13, V=6)
        expect(seen).equals(due)


@exercise(
    "top_k_filter",
    points=1,
    mistakes=(
        "temperature_multiplied",
        "temperature_ignored",
        "temperature_root",
        "temperature_in_float32",
        "temperature_normalised",
    ),
)
def test_temperature_divides(student, inputs):
    """Logits are divided by the temperature, in any number of axes."""
    for shape in ((7, 5), (3, 4, 2)):
        logits = inputs.normal(size=shape)
        # Exact in float32, too: a number that went through it on its way to a tensor is no error.
        for temperature in (0.25, 1.0, 2.5):
            expect(student.temperature_scale(logits, temperature)).matches(logits / temperature)


@mistake("top_k_filter", kind="concept", hint="The largest logits are kept, not the smallest.")
def topk_smallest(logits, k):
    return -autoregressive.top_k_filter(-logits, k)


@mistake("top_k_filter", kind="concept", hint="What is left out has minus infinity, not 0.")
def topk_zeros(logits, k):
    kept = autoregressive.top_k_filter(logits, k)
    return tf.where(tf.math.is_inf(kept), tf.zeros_like(kept), kept)


@mistake(
    "top_k_filter", kind="axis", hint="All V places stay; what is left out is minus infinity."
)
def topk_only_their_values(logits, k):
    return tf.math.top_k(logits, k).values


@mistake("top_k_filter", kind="concept", hint="Exactly k logits are left: count them.")
def topk_one_too_many(logits, k):
    return autoregressive.top_k_filter(logits, min(k + 1, int(logits.shape[1])))


@mistake("top_k_filter", kind="axis", hint="Each row has k largest logits of its own.")
def topk_threshold_of_the_batch(logits, k):
    limit = tf.sort(tf.reshape(logits, [-1]), direction="DESCENDING")[k * logits.shape[0] - 1]
    return tf.where(logits >= limit, logits, tf.cast(-np.inf, logits.dtype))


@mistake("top_k_filter", kind="lazy", hint="k is an argument.")
def topk_fixed_k(logits, k):
    return autoregressive.top_k_filter(logits, 3)


@mistake("top_k_filter", kind="numerics", hint="A large negative number is not minus infinity.")
def topk_large_negative(logits, k):
    kept = autoregressive.top_k_filter(logits, k)
    return tf.where(tf.math.is_inf(kept), tf.cast(-1e9, kept.dtype), kept)


@mistake("top_k_filter", kind="numerics", hint="Float64 logits give float64 logits.")
def topk_in_float32(logits, k):
    return tf.cast(autoregressive.top_k_filter(logits, k), tf.float32)


@mistake("top_k_filter", kind="concept", hint="Logits come out, not probabilities.")
def topk_probabilities(logits, k):
    return tf.nn.softmax(autoregressive.top_k_filter(logits, k))


@mistake(
    "top_k_filter",
    kind="randomness",
    hint="Which of two equal logits stays is not left to chance: that with the lower index.",
)
def topk_keeps_ties_random(logits, k):
    noise = 1e-6 * tf.random.uniform(tf.shape(logits), dtype=logits.dtype)
    kept = autoregressive.top_k_filter(logits + noise, k)
    return tf.where(tf.math.is_inf(kept), kept, logits)


@mistake(
    "top_k_filter",
    kind="concept",
    hint="A threshold keeps all that are equal to it: more than k may be left.",
)
def topk_keeps_all_ties(logits, k):
    limit = tf.math.top_k(logits, k).values[:, -1:]
    return tf.where(logits >= limit, logits, tf.cast(-np.inf, logits.dtype))


@mistake("top_k_filter", kind="concept", hint="Of equal logits those with lower indices are kept.")
def topk_ties_to_the_higher(logits, k):
    flipped = autoregressive.top_k_filter(tf.reverse(logits, [1]), k)
    return tf.reverse(flipped, [1])


@mistake(
    "top_k_filter",
    kind="concept",
    function="temperature_scale",
    hint="A high temperature flattens: divide by it.",
)
def temperature_multiplied(logits, temperature):
    return logits * temperature


@mistake(
    "top_k_filter", kind="lazy", function="temperature_scale", hint="temperature is not used."
)
def temperature_ignored(logits, temperature):
    return tf.identity(logits)


@mistake(
    "top_k_filter",
    kind="scale",
    function="temperature_scale",
    hint="Divide by the temperature itself, not by its root.",
)
def temperature_root(logits, temperature):
    return logits / float(np.sqrt(temperature))


@mistake(
    "top_k_filter",
    kind="numerics",
    function="temperature_scale",
    hint="Float64 logits give float64 logits.",
)
def temperature_in_float32(logits, temperature):
    return tf.cast(logits / temperature, tf.float32)


@mistake(
    "top_k_filter",
    kind="concept",
    function="temperature_scale",
    hint="Logits come out, not yet normalised.",
)
def temperature_normalised(logits, temperature):
    return tf.nn.log_softmax(logits / temperature)


@alternative("top_k_filter")
def topk_by_indices(logits, k):
    indices = tf.math.top_k(logits, k).indices
    keep = tf.reduce_any(tf.one_hot(indices, logits.shape[-1], on_value=True, off_value=False), 1)
    return tf.where(keep, logits, tf.cast(-np.inf, logits.dtype))


@alternative("top_k_filter")
def topk_by_counting(logits, k):
    larger = logits[:, tf.newaxis, :] > logits[:, :, tf.newaxis]
    equal = logits[:, tf.newaxis, :] == logits[:, :, tf.newaxis]
    n = logits.shape[1]
    earlier = tf.constant(np.tril(np.ones((n, n), bool), -1))
    before = tf.reduce_sum(tf.cast(larger | (equal & earlier), tf.int32), axis=2)
    return tf.where(before < k, logits, tf.fill(tf.shape(logits), tf.cast(-np.inf, logits.dtype)))


@alternative("top_k_filter")
def topk_by_scatter(logits, k):
    values, indices = tf.math.top_k(logits, k)
    rows = tf.repeat(tf.range(logits.shape[0])[:, tf.newaxis], k, axis=1)
    empty = tf.fill(tf.shape(logits), tf.cast(-np.inf, logits.dtype))
    return tf.tensor_scatter_nd_update(empty, tf.stack([rows, indices], axis=-1), values)


@alternative("top_k_filter", function="temperature_scale")
def temperature_by_reciprocal(logits, temperature):
    return logits * (1.0 / temperature)


@alternative("top_k_filter", function="temperature_scale")
def temperature_as_tensor(logits, temperature):
    return tf.math.divide(logits, tf.cast(temperature, logits.dtype))
