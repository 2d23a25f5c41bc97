"""Exercise 3: the likelihood of MADE."""

import numpy as np
import tensorflow as tf

from autograder.checks import all_states, alternative, exercise, expect, laws, mistake, probe
from reference import autoregressive

# An order that is not its own inverse.
ORDER = np.array([2, 0, 3, 1, 4])


@probe
def log_probs(student, x, kernels, biases, masks):
    """Returns the log-probabilities."""
    layers = list(zip(kernels, biases, strict=True))
    return student.made_log_prob(x, layers, list(masks))


@probe
def log_prob_gradients(student, x, kernels, biases, masks, weight):
    """Returns the derivatives of sum(weight log p) by all kernels and biases."""
    kernels = [tf.identity(kernel) for kernel in kernels]
    biases = [tf.identity(bias) for bias in biases]
    with tf.GradientTape() as tape:
        tape.watch([kernels, biases])
        layers = list(zip(kernels, biases, strict=True))
        total = tf.reduce_sum(weight * student.made_log_prob(x, layers, list(masks)))
    return tape.gradient(
        total, [*kernels, *biases], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )


@probe
def derivatives_by_output_bias(student, x, kernels, biases, masks):
    """Returns the derivatives of each row's log p by the biases of the output, (rows, D)."""
    last = tf.identity(biases[-1])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(last)
        layers = list(zip(kernels, [*biases[:-1], last], strict=True))
        each = student.made_log_prob(x, layers, list(masks))
    return tape.jacobian(each, last, experimental_use_pfor=False)


def random_weights(inputs, masks):
    """Returns kernels and biases, float64."""
    kernels = [inputs.normal(size=mask.shape) for mask in masks]
    return kernels, [inputs.normal(size=mask.shape[1]) for mask in masks]


def random_case(inputs):
    """Returns x (7, 5), kernels, biases and masks of two hidden layers, float64."""
    masks = autoregressive.made_masks(5, (8, 6), ORDER, inputs)
    masks = [mask.astype(float) for mask in masks]
    return inputs.integers(0, 2, (7, 5)).astype(float), *random_weights(inputs, masks), masks


def due_of(x, kernels, biases, masks):
    """Returns what is due, float64."""
    return autoregressive.made_log_prob(x, list(zip(kernels, biases, strict=True)), masks).numpy()


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], np.float32)
SHOWN_KERNELS = [np.array([[2, 5], [9, 7]], np.float32), np.array([[8, 1], [6, -3]], np.float32)]
SHOWN_BIASES = [np.array([-1, 1], np.float32), np.array([0, 17], np.float32)]
SHOWN_MASKS = [np.array([[1, 1], [0, 0]], np.float32), np.array([[0, 1], [0, 1]], np.float32)]


@exercise(
    "made_log_prob",
    points=1,
    visible=True,
    mistakes=("made_prob_of_the_batch", "made_prob_per_entry"),
)
def test_made_shown_shape_and_dtype(student):
    """Four rows give four log-probabilities, in the dtype of x."""
    seen = log_probs(student, SHOWN_X, SHOWN_KERNELS, SHOWN_BIASES, SHOWN_MASKS)
    expect(seen).array("B", np.float32, B=4)


@exercise(
    "made_log_prob",
    points=1,
    visible=True,
    mistakes=("made_prob_without_masks", "made_prob_negative", "made_prob_mask_first_only"),
)
def test_made_shown_values(student):
    """The first entry is a fair coin; the second has the logit 0 after a 1, and 14 after a 0."""
    seen = log_probs(student, SHOWN_X, SHOWN_KERNELS, SHOWN_BIASES, SHOWN_MASKS)
    rare = np.log1p(np.exp(14.0))
    due = np.log([0.25, 0.25, 0.5, 0.5]) + [0, 0, 14 - rare, -rare]
    expect(seen).matches(due.astype(np.float32))


@exercise(
    "made_log_prob",
    points=2,
    mistakes=(
        "made_prob_without_masks",
        "made_prob_mask_first_only",
        "made_prob_mean_over_entries",
        "made_prob_negative",
        "made_prob_ones_only",
    ),
    note="All 512 states of 9 entries.",
)
def test_made_probabilities_sum_to_one(student, inputs):
    """The probabilities of all states of nine entries add up to 1."""
    masks = autoregressive.made_masks(9, (14, 11), inputs.permutation(9), inputs)
    masks = [mask.astype(float) for mask in masks]
    kernels, biases = random_weights(inputs, masks)
    laws.expect_normalised(
        lambda x: log_probs(student, x, kernels, biases, masks), states=all_states(9), log=True
    )


@exercise(
    "made_log_prob",
    points=1,
    mistakes=(
        "made_prob_linear",
        "made_prob_relu_on_the_output",
        "made_prob_tanh",
        "made_prob_without_biases",
        "made_prob_mean_over_entries",
        "made_prob_ones_only",
        "made_prob_in_float32",
        "made_prob_masks_outputs",
        "made_prob_relu_first",
        "made_prob_naive_log",
    ),
    note="Two hidden layers, float64; then logits of +-800.",
)
def test_made_is_the_masked_network(student, inputs):
    """The logits come from the masked network with relu between layers, and never overflow."""
    x, kernels, biases, masks = random_case(inputs)
    case = x, kernels, biases, masks
    expect(log_probs(student, *case)).matches(due_of(*case))
    large = [*biases[:-1], 800 * np.array([1.0, -1, 1, -1, 1])]
    expect(log_probs(student, x, kernels, large, masks)).matches(due_of(x, kernels, large, masks))


@exercise(
    "made_log_prob",
    points=1,
    mistakes=("made_prob_without_masks", "made_prob_mask_first_only", "made_prob_linear_leak"),
    note="The derivative by an output bias is x_d - p_d, which shows every conditional; over all "
    "32 states.",
)
def test_made_conditionals_depend_on_lower_ranks_only(student, inputs):
    """Each entry's probability changes with entries of lower rank, and with no others."""
    masks = [mask.astype(float) for mask in autoregressive.made_masks(5, (60, 50), ORDER, inputs)]
    kernels, biases = random_weights(inputs, masks)
    kernels = [0.2 * kernel for kernel in kernels]
    x = all_states(5)
    slopes = derivatives_by_output_bias(student, x, kernels, biases, masks)
    expect(slopes).array((32, 5), np.float64).finite()
    p = x - np.asarray(slopes)
    depends = np.zeros((5, 5), bool)
    for j in range(5):
        flipped = np.arange(32) ^ (16 >> j)
        depends[:, j] = np.any(np.abs(p - p[flipped]) > 1e-9, axis=0)
    allowed = ORDER < ORDER[:, np.newaxis]
    expect(int(np.sum(depends & ~allowed)), "conditionals that see too much: none").equals(0)
    expect(int(np.sum(~depends & allowed)), "conditionals that see too little: none").equals(0)


@exercise(
    "made_log_prob",
    points=1,
    mistakes=("made_prob_stops_gradients", "made_prob_without_masks"),
)
def test_made_has_the_right_gradient(student, inputs):
    """The derivatives by kernels and biases are right; those of masked weights are 0."""
    case = random_case(inputs)
    weight = inputs.normal(size=7)
    due = log_prob_gradients.function(
        autoregressive,
        *([tf.constant(a) for a in p] if isinstance(p, list) else p for p in case),
        weight,
    )
    seen = expect(log_prob_gradients(student, *case, weight)).parts(6)
    for one, right in zip(seen, due, strict=True):
        expect(one).matches(right.numpy())


@exercise(
    "made_log_prob",
    points=1,
    mistakes=("made_prob_of_the_batch", "made_prob_per_entry", "made_prob_batch_mean"),
)
def test_made_of_each_row_stands_alone(student, inputs):
    """Each row has a log-probability of its own, which depends on that row only."""
    x, *network = random_case(inputs)

    def call(x):
        return log_probs(student, x, *network)

    expect(call(x)).array("B", np.float64, B=7)
    laws.expect_rows_independent(call, batched=(x,))


@mistake("made_log_prob", kind="lazy", hint="Every kernel is multiplied by its mask.")
def made_prob_without_masks(x, weights, masks):
    return autoregressive.made_log_prob(x, weights, [tf.ones_like(mask) for mask in masks])


@mistake(
    "made_log_prob", kind="lazy", hint="Every kernel is multiplied by its mask, the last one, too."
)
def made_prob_mask_first_only(x, weights, masks):
    first, *others = masks
    return autoregressive.made_log_prob(x, weights, [first, *map(tf.ones_like, others)])


@mistake(
    "made_log_prob",
    kind="concept",
    hint="A shortcut from the input to the logits must not let an entry see itself.",
)
def made_prob_linear_leak(x, weights, masks):
    kernel, bias = weights[-1]
    own = tf.reduce_mean(kernel)
    h = x
    for (W, b), mask in zip(weights[:-1], masks[:-1], strict=True):
        h = tf.nn.relu(h @ (W * mask) + b)
    logits = h @ (kernel * masks[-1]) + bias + own * x
    return tf.reduce_sum(x * logits - tf.nn.softplus(logits), axis=1)


@mistake("made_log_prob", kind="lazy", hint="Hidden layers pass their result through relu.")
def made_prob_linear(x, weights, masks):
    h = x
    for (W, b), mask in zip(weights, masks, strict=True):
        h = h @ (W * mask) + b
    return tf.reduce_sum(x * h - tf.nn.softplus(h), axis=1)


@mistake(
    "made_log_prob", kind="concept", hint="Logits may be negative: no relu after the last layer."
)
def made_prob_relu_on_the_output(x, weights, masks):
    h = x
    for (W, b), mask in zip(weights, masks, strict=True):
        h = tf.nn.relu(h @ (W * mask) + b)
    return tf.reduce_sum(x * h - tf.nn.softplus(h), axis=1)


@mistake("made_log_prob", kind="concept", hint="The hidden layers are relu layers.")
def made_prob_tanh(x, weights, masks):
    h = x
    for (W, b), mask in zip(weights[:-1], masks[:-1], strict=True):
        h = tf.tanh(h @ (W * mask) + b)
    logits = h @ (weights[-1][0] * masks[-1]) + weights[-1][1]
    return tf.reduce_sum(x * logits - tf.nn.softplus(logits), axis=1)


@mistake("made_log_prob", kind="axis", hint="relu comes after a layer, not before it.")
def made_prob_relu_first(x, weights, masks):
    h = x
    for (W, b), mask in zip(weights, masks, strict=True):
        h = tf.nn.relu(h) @ (W * mask) + tf.nn.relu(b)
    return tf.reduce_sum(x * h - tf.nn.softplus(h), axis=1)


@mistake("made_log_prob", kind="lazy", hint="Every layer adds its bias.")
def made_prob_without_biases(x, weights, masks):
    return autoregressive.made_log_prob(x, [(W, 0.0 * b) for W, b in weights], masks)


@mistake("made_log_prob", kind="axis", hint="Masks belong to kernels, not to what units return.")
def made_prob_masks_outputs(x, weights, masks):
    h = x
    for number, ((W, b), mask) in enumerate(zip(weights, masks, strict=True)):
        h = (h @ W + b) * tf.reduce_max(mask, axis=0)
        h = tf.nn.relu(h) if number < len(masks) - 1 else h
    return tf.reduce_sum(x * h - tf.nn.softplus(h), axis=1)


@mistake(
    "made_log_prob", kind="scale", hint="Sum over the entries: the mean is D times too small."
)
def made_prob_mean_over_entries(x, weights, masks):
    return autoregressive.made_log_prob(x, weights, masks) / x.shape[1]


@mistake("made_log_prob", kind="concept", hint="The log-probability is asked for, not minus it.")
def made_prob_negative(x, weights, masks):
    return -autoregressive.made_log_prob(x, weights, masks)


@mistake(
    "made_log_prob", kind="concept", hint="A 0 has a probability, too: one minus that of a 1."
)
def made_prob_ones_only(x, weights, masks):
    h = x
    for number, ((W, b), mask) in enumerate(zip(weights, masks, strict=True)):
        h = h @ (W * mask) + b
        h = tf.nn.relu(h) if number < len(masks) - 1 else h
    return tf.reduce_sum(x * tf.math.log_sigmoid(h), axis=1)


@mistake(
    "made_log_prob",
    kind="numerics",
    hint="The logarithm of a sigmoid that has become 0 is minus infinity: use softplus.",
)
def made_prob_naive_log(x, weights, masks):
    h = x
    for number, ((W, b), mask) in enumerate(zip(weights, masks, strict=True)):
        h = h @ (W * mask) + b
        h = tf.nn.relu(h) if number < len(masks) - 1 else h
    p = tf.sigmoid(h)
    return tf.reduce_sum(tf.math.log(x * p + (1.0 - x) * (1.0 - p)), axis=1)


@mistake("made_log_prob", kind="axis", hint="Each row has a log-probability of its own, (B,).")
def made_prob_of_the_batch(x, weights, masks):
    return tf.reduce_sum(autoregressive.made_log_prob(x, weights, masks))


@mistake("made_log_prob", kind="axis", hint="Each row has a log-probability of its own, (B,).")
def made_prob_batch_mean(x, weights, masks):
    each = autoregressive.made_log_prob(x, weights, masks)
    return tf.reduce_mean(each) + 0.0 * each


@mistake("made_log_prob", kind="axis", hint="The log-probabilities of the entries add up.")
def made_prob_per_entry(x, weights, masks):
    return autoregressive.made_log_prob(x, weights, masks)[:, tf.newaxis] / x.shape[1] + 0.0 * x


@mistake("made_log_prob", kind="numerics", hint="float64 arguments stay float64 all the way.")
def made_prob_in_float32(x, weights, masks):
    narrow = [tuple(tf.cast(part, tf.float32) for part in layer) for layer in weights]
    masks = [tf.cast(mask, tf.float32) for mask in masks]
    return tf.cast(autoregressive.made_log_prob(tf.cast(x, tf.float32), narrow, masks), x.dtype)


@mistake("made_log_prob", kind="lazy", hint="No gradient reaches the first layer.")
def made_prob_stops_gradients(x, weights, masks):
    (W, b), *others = weights
    fixed = tf.stop_gradient(W), tf.stop_gradient(b)
    return autoregressive.made_log_prob(x, [fixed, *others], masks)


@alternative("made_log_prob")
def made_prob_layer_by_layer(x, weights, masks):
    h = x
    for index in range(len(weights)):
        W, b = weights[index]
        h = tf.linalg.matmul(h, tf.multiply(masks[index], W))
        h = tf.nn.bias_add(h, b)
        if index + 1 < len(weights):
            h = tf.maximum(h, 0.0)
    return -tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=h), axis=1)


@alternative("made_log_prob")
def made_prob_by_where(x, weights, masks):
    *hidden, (W, b) = weights
    h = x
    for (kernel, bias), mask in zip(hidden, masks, strict=False):
        h = tf.keras.activations.relu(h @ tf.where(mask > 0, kernel, 0.0 * kernel) + bias)
    logits = h @ tf.where(masks[-1] > 0, W, 0.0 * W) + b
    on, off = tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits)
    return tf.reduce_sum(tf.where(x > 0.5, on, off), axis=-1)


@alternative("made_log_prob")
def made_prob_by_einsum(x, weights, masks):
    h, last = x, len(weights) - 1
    for number in range(last + 1):
        h = tf.einsum("bi,io,io->bo", h, weights[number][0], masks[number]) + weights[number][1]
        h = h if number == last else tf.where(h > 0, h, tf.zeros_like(h))
    return -tf.einsum("bd->b", tf.nn.softplus((1 - 2 * x) * h))


@alternative("made_log_prob")
def made_prob_recursively(x, weights, masks):
    def forward(h, layers):
        ((W, b), mask), *rest = layers
        out = h @ (W * mask) + b
        return forward(tf.nn.relu(out), rest) if rest else out

    logits = forward(x, list(zip(weights, masks, strict=True)))
    return tf.math.reduce_sum(logits * x, 1) - tf.math.reduce_sum(tf.math.softplus(logits), 1)
