"""Exercise 7: the exact log of the partition function."""

import itertools

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from autograder.checks import all_states, alternative, exercise, expect, mistake
from reference import rbm


def random_parameters(inputs, n_visible, n_hidden, scale=1.0):
    """Returns W, b and c, float64."""
    W = scale * inputs.normal(size=(n_visible, n_hidden))
    return W, scale * inputs.normal(size=n_visible), scale * inputs.normal(size=n_hidden)


def log_sum_over_pairs(W, b, c):
    """Returns the log of the sum of exp(-E(v, h)) over all pairs of states."""
    v, h = all_states(len(b)), all_states(len(c))
    return logsumexp((v @ b)[:, np.newaxis] + h @ c + v @ W @ h.T)


# W, b and c of the course's own example.
GOLDEN = (
    np.array([[0.5, -1], [1, 0.25], [-0.75, 0.5]]),
    np.array([0.1, -0.2, 0.3]),
    np.array([-0.4, 0.2]),
)

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN = tuple(np.zeros(shape, np.float32) for shape in ((5, 3), 5, 3))


@exercise(
    "exact_log_partition",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    visible=True,
    mistakes=("log_partition_as_array",),
)
def test_log_partition_shown_shape_and_dtype(student):
    """The result is a single number, in the dtype of the arguments."""
    expect(student.exact_log_partition(*SHOWN)).array((), np.float32)


@exercise(
    "exact_log_partition",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    visible=True,
    mistakes=(
        "log_partition_mean_over_states",
        "log_partition_of_best_state",
        "log_partition_without_all_off",
        "log_partition_base_two",
    ),
)
def test_log_partition_shown_counts_pairs_of_states(student):
    """Where all parameters are 0, Z is the number of pairs of states."""
    expect(student.exact_log_partition(*SHOWN)).matches(np.float32(np.log(256)))


@exercise(
    "exact_log_partition",
    points=2,
    depends_on=("rbm_energy", "rbm_free_energy"),
    mistakes=(
        "log_partition_sign",
        "log_partition_mean_over_states",
        "log_partition_of_best_state",
        "log_partition_without_all_off",
        "log_partition_base_two",
        "log_partition_keeps_biases",
        "log_partition_without_visible_bias",
        "log_partition_of_independent_units",
        "log_partition_in_float32",
        "log_partition_as_array",
        "log_partition_square_the_wrong_way",
        "log_partition_not_of_equal_layers",
        "log_partition_exchanged_by_reshape",
        "log_partition_of_spins",
        "log_partition_from_a_sample",
        "log_partition_maximum_lost",
        "log_partition_is_z",
    ),
    note="All pairs of states, float64: with each layer the smaller one, with layers of one size, "
    "and with a single hidden unit.",
)
def test_log_partition_counts_every_pair_of_states(student, inputs):
    """The log of Z is that of the sum of exp(-E(v, h)) over all visible and all hidden states."""
    for sizes in ((5, 3), (3, 5), (4, 4), (4, 1)):
        parameters = random_parameters(inputs, *sizes)
        due = log_sum_over_pairs(*parameters)
        expect(student.exact_log_partition(*parameters)).matches(due)
    expect(student.exact_log_partition(*GOLDEN)).close(3.7179042477)


@exercise(
    "exact_log_partition",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    mistakes=("logz_wrong_side",),
    note="2**12 hidden states; 2**64 visible ones could never be summed.",
)
def test_log_partition_sums_over_few_hidden_units(student, inputs):
    """With 64 visible and 12 hidden units the sum runs over the hidden states."""
    parameters = random_parameters(inputs, 64, 12, scale=0.5)
    due = rbm.exact_log_partition(*parameters)
    expect(student.exact_log_partition(*parameters)).matches(due)


@exercise(
    "exact_log_partition",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    mistakes=("log_partition_always_over_hidden",),
    note="2**9 visible states; 2**40 hidden ones could never be summed.",
)
def test_log_partition_sums_over_few_visible_units(student, inputs):
    """With 9 visible and 40 hidden units the sum runs over the visible states."""
    parameters = random_parameters(inputs, 9, 40, scale=0.5)
    due = rbm.exact_log_partition(*parameters)
    expect(student.exact_log_partition(*parameters)).matches(due)


@exercise(
    "exact_log_partition",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    mistakes=("log_partition_mean_over_states", "log_partition_of_best_state"),
)
def test_log_partition_of_unconnected_units(student, inputs):
    """Without weights Z is a product: one factor 1 + exp(bias) for each unit of both layers."""
    W, b, c = random_parameters(inputs, 6, 4)
    due = np.logaddexp(0, b).sum() + np.logaddexp(0, c).sum()
    expect(student.exact_log_partition(0 * W, b, c)).matches(due)


@exercise(
    "exact_log_partition",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    mistakes=(
        "log_partition_overflows",
        "log_partition_clipped",
        "log_partition_naive_softplus",
    ),
    note="Parameters 40 times as large, in float32.",
)
def test_log_partition_of_large_weights(student, inputs):
    """With weights 40 times as large log Z is still a finite, right number."""
    parameters = random_parameters(inputs, 13, 8, scale=40.0)
    case = tuple(array.astype(np.float32) for array in parameters)
    expect(student.exact_log_partition(*case)).matches(rbm.exact_log_partition(*case))


@mistake(
    "exact_log_partition",
    kind="concept",
    hint="Sum over the smaller layer: 2**D visible states are too many.",
)
def logz_wrong_side(W, b, c):
    units = b.shape[0]
    if units > 20:
        raise MemoryError(f"2**{units} states")
    grid = tf.meshgrid(*[tf.constant([0.0, 1.0], W.dtype)] * units, indexing="ij")
    v = tf.reshape(tf.stack(grid, axis=-1), (-1, units))
    free = tf.linalg.matvec(v, b) + tf.reduce_sum(tf.nn.softplus(c + v @ W), axis=1)
    return tf.reduce_logsumexp(free)


@mistake(
    "exact_log_partition",
    kind="concept",
    hint="Sum over the smaller layer: 2**H hidden states can be too many.",
)
def log_partition_always_over_hidden(W, b, c):
    units = c.shape[0]
    if units > 20:
        raise MemoryError(f"2**{units} states")
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return tf.reduce_logsumexp(rows)


@mistake(
    "exact_log_partition",
    kind="concept",
    hint="Z sums exp(-F): the state of lowest free energy weighs most.",
)
def log_partition_sign(W, b, c):
    if b.shape[0] < c.shape[0]:
        W, b, c = tf.transpose(W), c, b
    units = c.shape[0]
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return -tf.reduce_logsumexp(-rows)


@mistake("exact_log_partition", kind="scale", hint="The states are summed, not averaged.")
def log_partition_mean_over_states(W, b, c):
    if b.shape[0] < c.shape[0]:
        W, b, c = tf.transpose(W), c, b
    units = c.shape[0]
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return tf.reduce_logsumexp(rows) - units * np.log(2.0)


@mistake("exact_log_partition", kind="concept", hint="All states count, not only the best one.")
def log_partition_of_best_state(W, b, c):
    if b.shape[0] < c.shape[0]:
        W, b, c = tf.transpose(W), c, b
    units = c.shape[0]
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return tf.reduce_max(rows)


@mistake("exact_log_partition", kind="lazy", hint="The state with all units off counts, too.")
def log_partition_without_all_off(W, b, c):
    if b.shape[0] < c.shape[0]:
        W, b, c = tf.transpose(W), c, b
    units = c.shape[0]
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(1, 2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return tf.reduce_logsumexp(rows)


@mistake("exact_log_partition", kind="scale", hint="The log is the natural one.")
def log_partition_base_two(W, b, c):
    if b.shape[0] < c.shape[0]:
        W, b, c = tf.transpose(W), c, b
    units = c.shape[0]
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return tf.reduce_logsumexp(rows) / np.log(2.0)


@mistake(
    "exact_log_partition",
    kind="axis",
    hint="Where the layers change places, their biases do, too.",
)
def log_partition_keeps_biases(W, b, c):
    if b.shape[0] < c.shape[0]:
        W = tf.transpose(W)
    units = W.shape[1]
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return tf.reduce_logsumexp(rows)


@mistake("exact_log_partition", kind="lazy", hint="The biases of both layers belong into Z.")
def log_partition_without_visible_bias(W, b, c):
    b = tf.zeros_like(b)
    if b.shape[0] < c.shape[0]:
        W, b, c = tf.transpose(W), c, b
    units = c.shape[0]
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return tf.reduce_logsumexp(rows)


@mistake(
    "exact_log_partition", kind="lazy", hint="The weights connect the units: Z is no product."
)
def log_partition_of_independent_units(W, b, c):
    return tf.reduce_sum(tf.nn.softplus(b)) + tf.reduce_sum(tf.nn.softplus(c))


@mistake(
    "exact_log_partition",
    kind="numerics",
    hint="exp overflows: stay in log space with a log-sum-exp.",
)
def log_partition_overflows(W, b, c):
    if b.shape[0] < c.shape[0]:
        W, b, c = tf.transpose(W), c, b
    units = c.shape[0]
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return tf.math.log(tf.reduce_sum(tf.exp(rows)))


@mistake(
    "exact_log_partition", kind="numerics", hint="Clipping avoids the overflow, not the error."
)
def log_partition_clipped(W, b, c):
    if b.shape[0] < c.shape[0]:
        W, b, c = tf.transpose(W), c, b
    units = c.shape[0]
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return tf.math.log(tf.reduce_sum(tf.exp(tf.minimum(rows, 80.0))))


@mistake("exact_log_partition", kind="numerics", hint="Float64 arguments give a float64 result.")
def log_partition_in_float32(W, b, c):
    W, b, c = (tf.cast(array, tf.float32) for array in (W, b, c))
    if b.shape[0] < c.shape[0]:
        W, b, c = tf.transpose(W), c, b
    units = c.shape[0]
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return tf.reduce_logsumexp(rows)


@mistake("exact_log_partition", kind="axis", hint="log Z is a single number, of shape ().")
def log_partition_as_array(W, b, c):
    if b.shape[0] < c.shape[0]:
        W, b, c = tf.transpose(W), c, b
    units = c.shape[0]
    h = tf.constant([[(state >> j) & 1 for j in range(units)] for state in range(2**units)])
    h = tf.cast(h, W.dtype)
    rows = tf.linalg.matvec(h, c) + tf.reduce_sum(tf.nn.softplus(b + h @ tf.transpose(W)), axis=1)
    return tf.reduce_logsumexp(rows, axis=0, keepdims=True)


@mistake(
    "exact_log_partition",
    kind="axis",
    hint="Where both layers have the same size W still has its rows for v: with the states of one "
    "layer, W or its transpose, not either.",
)
def log_partition_square_the_wrong_way(W, b, c):
    D, H = W.shape
    size, small, large = (D, b, c) if D <= H else (H, c, b)
    states = tf.constant(list(itertools.product((0.0, 1.0), repeat=size)), W.dtype)
    activation = large + states @ (W if D < H else tf.transpose(W))
    terms = tf.linalg.matvec(states, small) + tf.reduce_sum(tf.nn.softplus(activation), axis=1)
    return tf.reduce_logsumexp(terms)


@mistake(
    "exact_log_partition",
    kind="axis",
    hint="Where both layers have the same size, enumerate either of them.",
)
def log_partition_not_of_equal_layers(W, b, c):
    D, H = W.shape
    if D < H:
        W, b, c = tf.transpose(W), c, b
        size = D
    if H < D:
        size = H
    states = tf.constant(list(itertools.product((0.0, 1.0), repeat=size)), W.dtype)
    activation = b + tf.matmul(states, W, transpose_b=True)
    terms = tf.linalg.matvec(states, c) + tf.reduce_sum(tf.nn.softplus(activation), axis=1)
    return tf.reduce_logsumexp(terms)


@mistake(
    "exact_log_partition",
    kind="axis",
    hint="To exchange the layers, transpose W: a reshape mixes up its entries.",
)
def log_partition_exchanged_by_reshape(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = tf.reshape(W, (W.shape[1], W.shape[0])), c, b
    states = tf.constant(list(itertools.product((0.0, 1.0), repeat=W.shape[1])), W.dtype)
    activation = b + tf.matmul(states, W, transpose_b=True)
    terms = tf.linalg.matvec(states, c) + tf.reduce_sum(tf.nn.softplus(activation), axis=1)
    return tf.reduce_logsumexp(terms)


@mistake("exact_log_partition", kind="concept", hint="Units are 0 or 1 here, not -1 or 1.")
def log_partition_of_spins(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = tf.transpose(W), c, b
    states = tf.constant(list(itertools.product((-1.0, 1.0), repeat=W.shape[1])), W.dtype)
    activation = b + tf.matmul(states, W, transpose_b=True)
    terms = tf.linalg.matvec(states, c) + tf.reduce_sum(tf.nn.softplus(activation), axis=1)
    return tf.reduce_logsumexp(terms)


@mistake(
    "exact_log_partition",
    kind="numerics",
    hint="log(1 + exp(a)) is infinite for large a: tf.nn.softplus is not.",
)
def log_partition_naive_softplus(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = tf.transpose(W), c, b
    states = tf.constant(list(itertools.product((0.0, 1.0), repeat=W.shape[1])), W.dtype)
    activation = b + tf.matmul(states, W, transpose_b=True)
    softplus = tf.math.log(1.0 + tf.exp(activation))
    return tf.reduce_logsumexp(tf.linalg.matvec(states, c) + tf.reduce_sum(softplus, axis=1))


@mistake(
    "exact_log_partition",
    kind="concept",
    hint="The sum runs over all states of the layer, not over a sample of them.",
)
def log_partition_from_a_sample(W, b, c):
    n_visible = W.shape[0]
    v = tf.cast(tf.random.uniform((20000, n_visible)) < 0.5, W.dtype)
    log_mean = tf.reduce_logsumexp(-rbm_free_energy(v, W, b, c)) - np.log(20000)  # noqa: F821
    return log_mean + n_visible * np.log(2)


@mistake(
    "exact_log_partition",
    kind="numerics",
    hint="What was subtracted before the exponential has to be added again after the logarithm.",
)
def log_partition_maximum_lost(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = tf.transpose(W), c, b
    states = tf.constant(list(itertools.product((0.0, 1.0), repeat=W.shape[1])), W.dtype)
    activation = b + tf.matmul(states, W, transpose_b=True)
    terms = tf.linalg.matvec(states, c) + tf.reduce_sum(tf.nn.softplus(activation), axis=1)
    return tf.math.log(tf.reduce_sum(tf.exp(terms - tf.reduce_max(terms))))


@mistake("exact_log_partition", kind="concept", hint="This is Z itself: log Z is asked for.")
def log_partition_is_z(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = tf.transpose(W), c, b
    states = tf.constant(list(itertools.product((0.0, 1.0), repeat=W.shape[1])), W.dtype)
    activation = b + tf.matmul(states, W, transpose_b=True)
    terms = tf.linalg.matvec(states, c) + tf.reduce_sum(tf.nn.softplus(activation), axis=1)
    return tf.reduce_sum(tf.exp(terms))


@alternative("exact_log_partition")
def log_partition_by_bits(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = tf.transpose(W), c, b
    count = c.shape[0]
    numbers = tf.range(2**count)[:, tf.newaxis]
    h = tf.cast(
        tf.bitwise.bitwise_and(tf.bitwise.right_shift(numbers, tf.range(count)), 1), W.dtype
    )
    visible = tf.reduce_sum(tf.nn.softplus(b + tf.matmul(h, W, transpose_b=True)), axis=1)
    return tf.reduce_logsumexp(tf.linalg.matvec(h, c) + visible)


@alternative("exact_log_partition")
def log_partition_by_scan(W, b, c):
    import itertools

    if W.shape[0] < W.shape[1]:
        W, b, c = tf.transpose(W), c, b
    total = tf.constant(-np.inf, W.dtype)
    for state in itertools.product((0.0, 1.0), repeat=c.shape[0]):
        h = tf.constant(state, W.dtype)
        log_weight = tf.tensordot(h, c, 1)
        log_weight += tf.reduce_sum(tf.nn.softplus(b + tf.linalg.matvec(W, h)))
        total = tf.experimental.numpy.logaddexp(total, log_weight)
    return total


@alternative("exact_log_partition")
def log_partition_in_chunks(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = tf.transpose(W), c, b
    count = int(c.shape[0])
    parts = []
    for start in range(0, 2**count, 100):
        numbers = np.arange(start, min(start + 100, 2**count))
        h = tf.constant((numbers[:, None] >> np.arange(count)) & 1, W.dtype)
        rows = h @ c[:, None] + tf.reduce_sum(
            tf.nn.softplus(b + h @ tf.transpose(W)), axis=1, keepdims=True
        )
        parts.append(tf.reduce_logsumexp(rows))
    return tf.reduce_logsumexp(tf.stack(parts))


@alternative("exact_log_partition")
def log_partition_unit_by_unit(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = tf.transpose(W), c, b
    weights, inputs = tf.zeros([1], W.dtype), b[tf.newaxis]
    for j in range(c.shape[0]):
        weights = tf.concat([weights, weights + c[j]], axis=0)
        inputs = tf.concat([inputs, inputs + W[:, j]], axis=0)
    return tf.reduce_logsumexp(weights + tf.reduce_sum(tf.nn.softplus(inputs), axis=1))


@alternative("exact_log_partition")
def log_partition_by_free_energy(W, b, c):
    if W.shape[0] > W.shape[1]:
        W, b, c = tf.transpose(W), c, b
    states = np.array(np.meshgrid(*[[0, 1]] * W.shape[0])).reshape(W.shape[0], -1).T
    v = tf.convert_to_tensor(states.astype(W.dtype.as_numpy_dtype))
    negative = -rbm_free_energy(v, W, b, c)  # noqa: F821
    largest = tf.reduce_max(negative)
    return largest + tf.math.log(tf.reduce_sum(tf.exp(negative - largest)))


@alternative("exact_log_partition")
def log_partition_in_float64_inside(W, b, c):
    dtype = W.dtype
    W, b, c = (np.asarray(array, np.float64) for array in (W, b, c))
    if W.shape[0] < W.shape[1]:
        W, b, c = W.T, c, b
    h = np.array([list(np.binary_repr(n, len(c))) for n in range(2 ** len(c))], float)
    rows = h @ c + np.logaddexp(0, b + h @ W.T).sum(1)
    return tf.constant(rows.max() + np.log(np.exp(rows - rows.max()).sum()), dtype)


@alternative("exact_log_partition")
def log_partition_as_numpy_scalar(W, b, c):
    W, b, c = (np.asarray(array) for array in (W, b, c))
    if len(b) < len(c):
        W, b, c = W.T, c, b
    numbers = np.arange(2 ** len(c))[:, np.newaxis]
    states = (numbers >> np.arange(len(c)) & 1).astype(W.dtype)
    terms = states @ c + np.logaddexp(0, b + states @ W.T).sum(axis=1)
    return terms.max() + np.log(np.exp(terms - terms.max()).sum())


@alternative("exact_log_partition")
def log_partition_by_the_free_energy(W, b, c):
    if W.shape[0] < W.shape[1]:
        W, b, c = tf.transpose(W), c, b
    states = tf.constant(list(itertools.product((0.0, 1.0), repeat=W.shape[1])), W.dtype)
    return tf.reduce_logsumexp(-rbm_free_energy(states, tf.transpose(W), c, b))  # noqa: F821


@alternative("exact_log_partition")
def log_partition_in_gray_code(W, b, c):
    dtype = W.dtype
    W, b, c = (np.asarray(array, np.float64) for array in (W, b, c))
    if len(b) < len(c):
        W, b, c = W.T, c, b
    activation, bias, on = b.copy(), 0.0, np.zeros(len(c), bool)
    log_z = np.logaddexp(0, activation).sum()
    for number in range(1, 2 ** len(c)):
        unit = (number & -number).bit_length() - 1
        on[unit] = not on[unit]
        sign = 1.0 if on[unit] else -1.0
        activation += sign * W[:, unit]
        bias += sign * c[unit]
        log_z = np.logaddexp(log_z, bias + np.logaddexp(0, activation).sum())
    return tf.constant(log_z, dtype)


@alternative("exact_log_partition")
def log_partition_by_recursion(W, b, c):
    if W.shape[0] < W.shape[1]:
        return exact_log_partition(tf.transpose(W), c, b)  # noqa: F821

    def log_sum(unit, activation):
        if unit == W.shape[1]:
            return tf.reduce_sum(tf.nn.softplus(activation), axis=-1)
        off, on = log_sum(unit + 1, activation), log_sum(unit + 1, activation + W[:, unit])
        return tf.reduce_logsumexp(tf.stack([off, on + c[unit]]), axis=0)

    return log_sum(0, b)
