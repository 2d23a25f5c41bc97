"""Exercise 3: the variational bound of a deep Boltzmann machine."""

import numpy as np
import tensorflow as tf
from scipy.special import expit, logsumexp

from autograder.checks import (
    all_states,
    alternative,
    exercise,
    expect,
    laws,
    mistake,
    probe,
)
from reference import deep_ebm

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_V = np.array([[1, 0, 1], [0, 1, 1]], np.float32)
SHOWN = (
    np.array([[1, 0, 0, 2], [0, 1, 0, 0], [0, 0, 3, 0]], np.float32),
    np.array([[1, 0], [0, -1], [0, 0], [0, 4]], np.float32),
    np.array([1, 2, 3], np.float32),
    np.array([1, 1, -1, 0], np.float32),
    np.array([-2, 1], np.float32),
)


@probe
def bound_of(student, v, mean1, mean2, W1, W2, b, c1, c2, log_z):
    """Returns the bound of a machine whose parameters come one by one."""
    return student.dbm_lower_bound(v, mean1, mean2, (W1, W2, b, c1, c2), log_z)


@probe
def slopes(student, v, mean1, mean2, W1, W2, b, c1, c2, log_z, weights):
    """Returns derivatives of the weighted sum of bounds, by all but v."""
    given = [tf.identity(one) for one in (mean1, mean2, W1, W2, b, c1, c2, log_z)]
    with tf.GradientTape() as tape:
        tape.watch(given)
        bound = student.dbm_lower_bound(v, given[0], given[1], tuple(given[2:7]), given[7])
        total = tf.reduce_sum(weights * bound)
    zero = tf.UnconnectedGradients.ZERO
    return tape.gradient(total, given, unconnected_gradients=zero)


def random_case(inputs, rows=7):
    """Returns v (7, 5), means (7, 4) and (7, 3), W1, W2, b, c1, c2 and log_z, float64."""
    sizes = (5, 4), (4, 3), 5, 4, 3
    return (
        inputs.integers(0, 2, (rows, 5)).astype(float),
        expit(inputs.normal(size=(rows, 4))),
        expit(inputs.normal(size=(rows, 3))),
        *(inputs.normal(size=size) for size in sizes),
        np.float64(inputs.uniform(1, 2)),
    )


def due_of(v, mean1, mean2, *rest):
    """Returns the bounds that are due."""
    return deep_ebm.dbm_lower_bound(v, mean1, mean2, rest[:5], rest[5]).numpy()


def log_probabilities(v, W1, W2, b, c1, c2):
    """Returns log p(v) of rows and log Z, by enumeration of the hidden states."""
    h1, h2, everything = all_states(len(c1)), all_states(len(c2)), all_states(len(b))
    above = (h1 @ c1)[:, np.newaxis] + h1 @ W2 @ h2.T + h2 @ c2
    rest = logsumexp(above, axis=1)

    def unnormalised(v):
        return v @ b + logsumexp(v @ W1 @ h1.T + rest, axis=1)

    log_z = logsumexp(unnormalised(everything))
    return unnormalised(v) - log_z, log_z


@exercise("dbm_lower_bound", points=1, visible=True, mistakes=("bound_of_the_batch",))
def test_bound_shown_shape_and_dtype(student):
    """There is one bound for each row."""
    means = np.full((2, 4), 0.5, np.float32), np.full((2, 2), 0.5, np.float32)
    zeros = [0 * array for array in SHOWN]
    seen = bound_of(student, SHOWN_V, *means, *zeros, np.float32(0))
    expect(seen).array("B", np.float32, B=2)


@exercise(
    "dbm_lower_bound",
    points=1,
    visible=True,
    mistakes=("bound_without_entropy", "bound_without_log_z", "bound_in_bits"),
)
def test_bound_shown_of_a_machine_of_zeros(student):
    """Without weights and biases what is left is the entropy, 6 log 2, minus log Z."""
    means = np.full((2, 4), 0.5, np.float32), np.full((2, 2), 0.5, np.float32)
    zeros = [0 * array for array in SHOWN]
    seen = bound_of(student, SHOWN_V, *means, *zeros, np.float32(9 * np.log(2)))
    expect(seen).close(np.full(2, -3 * np.log(2), np.float32))


@exercise(
    "dbm_lower_bound",
    points=1,
    visible=True,
    mistakes=("bound_plus_log_z", "bound_without_visible_bias", "bound_without_second_weights"),
)
def test_bound_shown_of_certain_means(student):
    """Means of 0 and 1 have no entropy: what is left is minus the energy, minus log Z."""
    h1 = np.array([[1, 0, 1, 1], [0, 1, 0, 1]], np.float32)
    h2 = np.array([[1, 1], [0, 1]], np.float32)
    seen = bound_of(student, SHOWN_V, h1, h2, *SHOWN, np.float32(2))
    expect(seen).close(np.array([12, 9], np.float32))


@exercise(
    "dbm_lower_bound",
    points=2,
    mistakes=(
        "bound_without_entropy",
        "bound_one_entropy",
        "bound_entropy_subtracted",
        "bound_plus_log_z",
        "bound_without_visible_bias",
        "bound_without_hidden_bias",
        "bound_without_second_weights",
        "bound_without_first_weights",
        "bound_of_rounded_means",
        "bound_entropy_of_ones_only",
        "bound_mean_over_units",
        "bound_in_bits",
        "bound_in_float32",
        "bound_energy_sign",
    ),
    note="Layers of 5, 4 and 3 units, seven rows, float64.",
)
def test_bound_is_the_formula(student, inputs):
    """The bound is the mean of minus the energy, plus both entropies, minus log Z."""
    case = random_case(inputs)
    expect(bound_of(student, *case)).matches(due_of(*case))


@exercise(
    "dbm_lower_bound",
    points=2,
    mistakes=(
        "bound_entropy_subtracted",
        "bound_without_log_z",
        "bound_one_entropy",
        "bound_without_entropy",
    ),
    note="log p(v) and log Z by enumeration of layers of 4, 3 and 2 units.",
)
def test_bound_is_log_p_where_the_posterior_factorises(student, inputs):
    """With W2 = 0 and the means of the posterior, the bound is log p(v); else it lies below."""
    v = all_states(4)
    W1, b, c1, c2 = (inputs.normal(size=size) for size in ((4, 3), 4, 3, 2))
    W2 = inputs.uniform(1.0, 2.0, (3, 2)) * inputs.choice([-1.0, 1.0], (3, 2))
    mean1, mean2 = expit(c1 + v @ W1), np.tile(expit(c2), (16, 1))
    log_p, log_z = log_probabilities(v, W1, 0 * W2, b, c1, c2)
    seen = bound_of(student, v, mean1, mean2, W1, 0 * W2, b, c1, c2, log_z)
    expect(seen, "log p(v), the bound being exact here").matches(log_p)
    machine = W1, W2, b, c1, c2
    means = deep_ebm.dbm_mean_field(v, *machine, 500, 1e-12)
    log_p, log_z = log_probabilities(v, *machine)
    seen = bound_of(student, v, *(mean.numpy() for mean in means), *machine, log_z)
    expect(seen).array("B", np.float64, B=16)
    below = np.asarray(seen) < log_p
    expect(below, "the bound lies below log p(v)").equals(np.ones(16, bool))


@exercise(
    "dbm_lower_bound",
    points=1,
    mistakes=("bound_stops_the_means", "bound_through_numpy", "bound_without_hidden_bias"),
)
def test_bound_has_the_right_gradients(student, inputs):
    """The derivatives by means, parameters and log Z are right."""
    case = random_case(inputs)
    weights = inputs.normal(size=7)
    tensors = [tf.constant(array) for array in (*case, weights)]
    due = [slope.numpy() for slope in slopes.function(deep_ebm, *tensors)]
    names = "mean1", "mean2", "W1", "W2", "b", "c1", "c2", "log_z"
    seen = expect(slopes(student, *case, weights)).parts(8)
    for name, one, right in zip(names, seen, due, strict=True):
        expect(one, f"the derivative by {name}").matches(right)


@exercise(
    "dbm_lower_bound",
    points=1,
    mistakes=("bound_log_of_zero", "bound_clipped_entropy"),
    note="float64; 0 log 0 is 0.",
)
def test_bound_of_means_of_zero_and_one(student, inputs):
    """Where means are 0 and 1 exactly, the bound is finite, and exact."""
    v, mean1, mean2, *rest = random_case(inputs)
    mean1, mean2 = np.round(mean1), np.round(mean2)
    mean1[0], mean2[0] = 0, 1
    W1, W2, b, c1, c2, log_z = rest
    due = v @ b + mean1 @ c1 + mean2 @ c2 - log_z
    due += ((v @ W1) * mean1).sum(axis=1) + ((mean1 @ W2) * mean2).sum(axis=1)
    expect(bound_of(student, v, mean1, mean2, *rest)).matches(due, scale=10.0)


@exercise("dbm_lower_bound", points=1, mistakes=("bound_of_the_batch", "bound_entropy_of_batch"))
def test_bound_of_each_row_stands_alone(student, inputs):
    """The bound of a row depends on that row only."""
    v, mean1, mean2, *rest = random_case(inputs)

    def call(v, mean1, mean2):
        return bound_of(student, v, mean1, mean2, *rest)

    laws.expect_rows_independent(call, batched=(v, mean1, mean2))


@mistake("dbm_lower_bound", kind="lazy", hint="The entropies of both hidden layers belong to it.")
def bound_without_entropy(v, mean1, mean2, parameters, log_z):
    W1, W2, b, c1, c2 = parameters
    linear = tf.linalg.matvec(v, b) + tf.linalg.matvec(mean1, c1) + tf.linalg.matvec(mean2, c2)
    pairs = tf.reduce_sum((v @ W1) * mean1, 1) + tf.reduce_sum((mean1 @ W2) * mean2, 1)
    return linear + pairs - log_z


@mistake("dbm_lower_bound", kind="lazy", hint="The entropies of both hidden layers belong to it.")
def bound_one_entropy(v, mean1, mean2, parameters, log_z):
    bound = deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, log_z)
    terms = tf.math.xlogy(mean2, mean2) + tf.math.xlogy(1.0 - mean2, 1.0 - mean2)
    return bound + tf.reduce_sum(terms, axis=1)


@mistake("dbm_lower_bound", kind="concept", hint="Entropy is -sum m log m: it raises the bound.")
def bound_entropy_subtracted(v, mean1, mean2, parameters, log_z):
    bound = deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, log_z)
    for mean in (mean1, mean2):
        terms = tf.math.xlogy(mean, mean) + tf.math.xlogy(1.0 - mean, 1.0 - mean)
        bound += 2.0 * tf.reduce_sum(terms, axis=1)
    return bound


@mistake(
    "dbm_lower_bound",
    kind="concept",
    hint="A unit that is off has entropy, too: -(1 - m) log(1 - m).",
)
def bound_entropy_of_ones_only(v, mean1, mean2, parameters, log_z):
    bound = deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, log_z)
    for mean in (mean1, mean2):
        bound += tf.reduce_sum(tf.math.xlogy(1.0 - mean, 1.0 - mean), axis=1)
    return bound


@mistake("dbm_lower_bound", kind="concept", hint="log Z is subtracted: probabilities sum to 1.")
def bound_plus_log_z(v, mean1, mean2, parameters, log_z):
    return deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, -log_z)


@mistake("dbm_lower_bound", kind="lazy", hint="log Z is missing.")
def bound_without_log_z(v, mean1, mean2, parameters, log_z):
    return deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, 0.0 * log_z)


@mistake("dbm_lower_bound", kind="concept", hint="Low energies are probable: minus the energy.")
def bound_energy_sign(v, mean1, mean2, parameters, log_z):
    negative = tuple(-array for array in parameters)
    return deep_ebm.dbm_lower_bound(v, mean1, mean2, negative, log_z)


@mistake("dbm_lower_bound", kind="lazy", hint="The term of the visible bias b is missing.")
def bound_without_visible_bias(v, mean1, mean2, parameters, log_z):
    W1, W2, b, c1, c2 = parameters
    return deep_ebm.dbm_lower_bound(v, mean1, mean2, (W1, W2, 0.0 * b, c1, c2), log_z)


@mistake("dbm_lower_bound", kind="lazy", hint="Both hidden layers have a bias: c1 and c2.")
def bound_without_hidden_bias(v, mean1, mean2, parameters, log_z):
    W1, W2, b, c1, c2 = parameters
    return deep_ebm.dbm_lower_bound(v, mean1, mean2, (W1, W2, b, c1, 0.0 * c2), log_z)


@mistake("dbm_lower_bound", kind="lazy", hint="The term of W2, between the hidden layers, counts.")
def bound_without_second_weights(v, mean1, mean2, parameters, log_z):
    W1, W2, b, c1, c2 = parameters
    return deep_ebm.dbm_lower_bound(v, mean1, mean2, (W1, 0.0 * W2, b, c1, c2), log_z)


@mistake("dbm_lower_bound", kind="lazy", hint="The term of W1, between v and mean1, counts.")
def bound_without_first_weights(v, mean1, mean2, parameters, log_z):
    W1, W2, b, c1, c2 = parameters
    return deep_ebm.dbm_lower_bound(v, mean1, mean2, (0.0 * W1, W2, b, c1, c2), log_z)


@mistake("dbm_lower_bound", kind="concept", hint="The means enter as they are: no rounding.")
def bound_of_rounded_means(v, mean1, mean2, parameters, log_z):
    return deep_ebm.dbm_lower_bound(v, tf.round(mean1), tf.round(mean2), parameters, log_z)


@mistake("dbm_lower_bound", kind="scale", hint="Entropies are in nats: the natural logarithm.")
def bound_in_bits(v, mean1, mean2, parameters, log_z):
    bound = deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, log_z)
    for mean in (mean1, mean2):
        terms = tf.math.xlogy(mean, mean) + tf.math.xlogy(1.0 - mean, 1.0 - mean)
        bound -= (1.0 / float(np.log(2.0)) - 1.0) * tf.reduce_sum(terms, axis=1)
    return bound


@mistake("dbm_lower_bound", kind="scale", hint="Terms are summed over the units, not averaged.")
def bound_mean_over_units(v, mean1, mean2, parameters, log_z):
    bound = deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, log_z)
    for mean in (mean1, mean2):
        terms = tf.math.xlogy(mean, mean) + tf.math.xlogy(1.0 - mean, 1.0 - mean)
        bound += tf.reduce_sum(terms, axis=1) - tf.reduce_mean(terms, axis=1)
    return bound


@mistake("dbm_lower_bound", kind="numerics", hint="Float64 arguments give float64 bounds.")
def bound_in_float32(v, mean1, mean2, parameters, log_z):
    return tf.cast(deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, log_z), tf.float32)


@mistake("dbm_lower_bound", kind="axis", hint="Each row has a bound of its own: no batch mean.")
def bound_of_the_batch(v, mean1, mean2, parameters, log_z):
    return tf.reduce_mean(deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, log_z))


@mistake("dbm_lower_bound", kind="axis", hint="The entropies of each row are its own.")
def bound_entropy_of_batch(v, mean1, mean2, parameters, log_z):
    bound = deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, log_z)
    for mean in (mean1, mean2):
        terms = tf.math.xlogy(mean, mean) + tf.math.xlogy(1.0 - mean, 1.0 - mean)
        own = tf.reduce_sum(terms, axis=1)
        bound += own - tf.reduce_mean(own)
    return bound


@mistake(
    "dbm_lower_bound",
    kind="numerics",
    hint="0 log 0 is 0, but 0 times minus infinity is no number: tf.math.xlogy knows it.",
)
def bound_log_of_zero(v, mean1, mean2, parameters, log_z):
    W1, W2, b, c1, c2 = parameters
    bound = tf.linalg.matvec(v, b) + tf.linalg.matvec(mean1, c1) + tf.linalg.matvec(mean2, c2)
    bound += tf.reduce_sum((v @ W1) * mean1, 1) + tf.reduce_sum((mean1 @ W2) * mean2, 1)
    for mean in (mean1, mean2):
        terms = mean * tf.math.log(mean) + (1.0 - mean) * tf.math.log(1.0 - mean)
        bound -= tf.reduce_sum(terms, axis=1)
    return bound - log_z


@mistake(
    "dbm_lower_bound",
    kind="numerics",
    hint="0 log 0 is 0, but 0 times minus infinity is no number: tf.math.xlogy knows it.",
)
def bound_clipped_entropy(v, mean1, mean2, parameters, log_z):
    inner = [tf.clip_by_value(mean, 1e-4, 1.0 - 1e-4) for mean in (mean1, mean2)]
    return deep_ebm.dbm_lower_bound(v, *inner, parameters, log_z)


@mistake("dbm_lower_bound", kind="concept", hint="No gradient is stopped here: both means count.")
def bound_stops_the_means(v, mean1, mean2, parameters, log_z):
    fixed = [tf.stop_gradient(mean) for mean in (mean1, mean2)]
    return deep_ebm.dbm_lower_bound(v, *fixed, parameters, log_z)


@mistake(
    "dbm_lower_bound",
    kind="numerics",
    hint="Stay with TensorFlow operations: no gradient flows through NumPy.",
)
def bound_through_numpy(v, mean1, mean2, parameters, log_z):
    plain = [np.asarray(array) for array in (v, mean1, mean2)]
    numbers = tuple(np.asarray(array) for array in parameters)
    return tf.constant(deep_ebm.dbm_lower_bound(*plain, numbers, np.asarray(log_z)).numpy())


@alternative("dbm_lower_bound")
def bound_by_einsum(v, mean1, mean2, parameters, log_z):
    W1, W2, b, c1, c2 = parameters
    score = tf.einsum("bi,i->b", v, b) + tf.einsum("bj,j->b", mean1, c1)
    score += tf.einsum("bk,k->b", mean2, c2) + tf.einsum("bi,ij,bj->b", v, W1, mean1)
    score += tf.einsum("bj,jk,bk->b", mean1, W2, mean2)
    means = tf.concat([mean1, mean2], axis=1)
    entropy = -tf.math.xlogy(means, means) - tf.math.xlogy(1 - means, 1 - means)
    return score + tf.reduce_sum(entropy, axis=-1) - log_z


@alternative("dbm_lower_bound")
def bound_with_safe_logarithms(v, mean1, mean2, parameters, log_z):
    W1, W2, b, c1, c2 = parameters

    def term(p):
        safe = tf.where(p > 0.0, p, tf.ones_like(p))
        return -tf.reduce_sum(p * tf.math.log(safe), axis=1)

    entropy = term(mean1) + term(1.0 - mean1) + term(mean2) + term(1.0 - mean2)
    first = c1 + tf.matmul(v, W1) + tf.matmul(mean2, W2, transpose_b=True)
    score = tf.reduce_sum(first * mean1, axis=1) + tf.reduce_sum(mean2 * c2, axis=1)
    return score + tf.reduce_sum(v * b, axis=1) + entropy - log_z


@alternative("dbm_lower_bound")
@tf.function
def bound_compiled(v, mean1, mean2, parameters, log_z):
    W1, W2, b, c1, c2 = parameters
    score = tf.linalg.diag_part(v @ W1 @ tf.transpose(mean1))
    score += tf.linalg.diag_part(mean1 @ W2 @ tf.transpose(mean2))
    for rows, bias in ((v, b), (mean1, c1), (mean2, c2)):
        score += tf.tensordot(rows, bias, 1)
    for mean in (mean1, mean2):
        score -= tf.reduce_sum(tf.math.xlogy(mean, mean), axis=1)
        score -= tf.reduce_sum(tf.math.xlog1py(1.0 - mean, -mean), axis=1)
    return score - log_z
