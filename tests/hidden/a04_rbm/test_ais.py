"""Exercise 8: annealed importance sampling."""

import itertools

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from autograder.checks import (
    alternative,
    exercise,
    expect,
    laws,
    mistake,
    near_miss,
    sampling,
    tensorflow_rng,
)
from autograder.errors import CheckFailed
from reference import rbm

# Found by a search over parameters: with five betas the mean weight of each catalogued mistake of
# the schedule, the start or the order is off by 19 % or more, where the weights of a right
# solution have a relative standard deviation of 0.58.
W = np.array([[-1.1, 0.5], [1.3, -0.4], [2.9, -9.5]])
B = np.array([-0.3, 0.6, -3.0])
C = np.array([1.1, -0.3])
BASE = np.array([-1.3, 1.4, 1.1])
BETAS = np.array([0.0, 0.1, 0.35, 0.7, 1.0])


def log_base_partition(b0, n_hidden):
    """Returns log Z0 of the base model, whose units are independent and hidden ones unbiased."""
    return np.logaddexp(0, b0).sum() + n_hidden * np.log(2)


def machine_without_chance():
    """Returns W (3, 2), b, c, b0 and betas that pin every visible state, and log_w of each run.

    The base model holds a state; where beta exceeds a quarter, the model turns it around.
    """
    signs = np.array([1.0, -1, 1])
    b, b0, betas = -1500 * signs, 500 * signs, np.array([0, 0.1, 0.15, 1])
    return (0 * W, b, 0 * C, b0, betas), float((signs > 0) @ (b - b0))


def large_model():
    """Returns W (10, 6), b, c and b0 on which importance sampling without annealing fails."""
    random = np.random.default_rng(9)
    W, b = 4 * random.normal(size=(10, 6)), random.normal(size=10)
    return W, b, random.normal(size=6), np.zeros(10)


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_BASE = np.array([1, -1, 0.5], np.float32)
SHOWN_BETAS = np.array([0, 0.25, 0.75, 1], np.float32)
SHOWN = (
    np.zeros((3, 2), np.float32),
    SHOWN_BASE,
    np.zeros(2, np.float32),
    SHOWN_BASE,
    SHOWN_BETAS,
)


@exercise(
    "ais_log_partition",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    visible=True,
    mistakes=("ais_log_z_as_array", "ais_float64_weights"),
)
def test_ais_shown_shapes_and_dtypes(student):
    """The results are a single number and one log weight per run, in the dtype of W."""
    log_z, log_w = expect(student.ais_log_partition(*SHOWN, 7, tensorflow_rng.seeded(1))).parts(2)
    expect(log_z).array((), np.float32)
    expect(log_w).array("R", np.float32, R=7)


@exercise(
    "ais_log_partition",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    visible=True,
    mistakes=("ais_weights_hold_log_z0",),
)
def test_ais_shown_weights_of_the_base_model(student):
    """Where the model is the base model, each weight is 1: log_w is 0."""
    _, log_w = expect(student.ais_log_partition(*SHOWN, 7, tensorflow_rng.seeded(1))).parts(2)
    expect(log_w).matches(np.zeros(7, np.float32))


@exercise(
    "ais_log_partition",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    visible=True,
    mistakes=("ais_base_no_Hlog2", "ais_base_half_bias", "ais_sum_of_weights"),
)
def test_ais_shown_log_partition_of_the_base_model(student):
    """Where the model is the base model, log_z is the log Z of its independent units."""
    log_z, _ = expect(student.ais_log_partition(*SHOWN, 7, tensorflow_rng.seeded(1))).parts(2)
    expect(log_z).matches(np.float32(log_base_partition(SHOWN_BASE, 2)))


@exercise(
    "ais_log_partition",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=(
        "ais_base_no_Hlog2",
        "ais_weights_hold_log_z0",
        "ais_float64_weights",
        "ais_log_z_as_array",
        "ais_base_half_bias",
    ),
    note="With W = 0, c = 0 and b = b0 all weights are 1, whatever is drawn; float32.",
)
def test_ais_is_exact_where_model_and_base_agree(student, inputs):
    """Where the model is the base model itself, each log weight is 0 and log_z is its log Z0."""
    b0 = inputs.normal(size=5).astype(np.float32)
    W, c, betas = (array.astype(np.float32) for array in (np.zeros((5, 3)), np.zeros(3), BETAS))
    result = student.ais_log_partition(W, b0, c, b0, betas, 7, tensorflow_rng)
    log_z, log_w = expect(result).parts(2)
    expect(log_w).array("R", np.float32, R=7).finite().close(np.zeros(7, np.float32))
    expect(log_z).matches(np.float32(log_base_partition(b0, 3)))


@exercise(
    "ais_log_partition",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=(
        "ais_base_no_Hlog2",
        "ais_mean_of_logs",
        "ais_sum_of_weights",
        "ais_best_weight",
        "ais_in_float32",
        "ais_z0_of_the_model_bias",
    ),
    note="An identity between the two results of one call; no statistics.",
)
def test_ais_estimate_is_the_mean_weight_times_z0(student):
    """log_z is log Z0 plus the log of the mean of the weights exp(log_w)."""
    result = student.ais_log_partition(W, B, C, BASE, BETAS, 9, tensorflow_rng)
    log_z, log_w = expect(result).parts(2)
    expect(log_w).array("R", np.float64, R=9).finite()
    due = log_base_partition(BASE, 2) + logsumexp(np.asarray(log_w)) - np.log(9)
    # tf.cast turns a Python float, such as log 2, into float32 on its way to float64.
    expect(log_z).matches(due, tolerance=1e-6)


@exercise(
    "ais_log_partition",
    points=2,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=(
        "ais_moves_before_weighing",
        "ais_starts_uniform",
        "ais_starts_from_the_model",
        "ais_base_bias_forgotten",
        "ais_hidden_bias_not_annealed",
        "ais_mixes_free_energies",
        "ais_moves_at_beta_one",
        "ais_last_beta_left_out",
        "ais_first_beta_left_out",
        "ais_weights_upside_down",
        "ais_hidden_mean_field",
        "ais_moves_at_the_beta_before",
        "ais_starts_anew_at_each_beta",
    ),
    note="The mean of exp(log_w) is Z / Z0 for any number of betas, here 5.",
)
def test_ais_weights_are_unbiased(student, stages):
    """With only five betas the weights scatter, but their mean is still Z / Z0."""
    log_ratio = rbm.exact_log_partition(W, B, C) - log_base_partition(BASE, 2)

    def ratios(n, rng=tensorflow_rng):
        result = student.ais_log_partition(W, B, C, BASE, BETAS, n, rng)
        _, log_w = expect(result).parts(2)
        expect(log_w).array("R", np.float64, R=n).finite()
        return np.exp(log_w - log_ratio)

    sampling.expect_mean(ratios, 1.0, stages, replicates=4000)


@exercise(
    "ais_log_partition",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=(
        "ais_own_schedule",
        "ais_moves_at_beta_one",
        "ais_starts_from_the_model",
        "ais_starts_uniform",
        "ais_weights_upside_down",
    ),
    note="Biases of 500 and more pin the states, and all terms but the first and the last cancel. "
    "With another ladder than the one given, the states turn around on the way.",
)
def test_ais_weighs_with_the_betas_that_are_given(student):
    """Where large biases leave nothing to chance, log_w is right for the betas that are given."""
    arguments, due = machine_without_chance()
    result = student.ais_log_partition(*arguments, 5, tensorflow_rng)
    expect(expect(result).parts(2)[1]).matches(np.full(5, due))


@exercise(
    "ais_log_partition",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=("ais_without_moves", "ais_one_move_only"),
    note="400 betas, 200 runs; the error of a right solution has a standard deviation of 0.02.",
)
def test_ais_with_many_betas_is_close(student):
    """With 400 betas and 200 runs log_z is within 0.15 of the exact log Z."""
    W, b, c, b0 = large_model()
    betas = np.linspace(0, 1, 400)
    result = student.ais_log_partition(W, b, c, b0, betas, 200, tensorflow_rng)
    log_z = expect(result).parts(2)[0]
    exact = float(rbm.exact_log_partition(W, b, c))
    expect(log_z).array((), np.float64).finite()
    expect(log_z - exact).within(-0.15, 0.15)


@exercise(
    "ais_log_partition",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=(
        "ais_seed_inside",
        "ais_global_generator",
        "ais_one_run_repeated",
        "ais_one_start_for_all_runs",
    ),
)
def test_ais_draws_from_the_generator(student):
    """All randomness comes from rng, and each run is drawn anew."""
    arguments = (*large_model(), BETAS, 11, tensorflow_rng)
    laws.expect_rng_contract(student.ais_log_partition, arguments)
    # With two betas the weight depends on the first state of a run alone.
    W, b, c, b0 = large_model()
    result = student.ais_log_partition(W, b, c, b0, BETAS[[0, -1]], 11, tensorflow_rng)
    log_w = expect(result).parts(2)[1]
    expect(log_w).array("R", np.float64, R=11).finite()
    if np.ptp(np.asarray(log_w)) < 1e-6:
        seen = "all runs of a call have the same weight: does one state stand for all of them?"
        raise CheckFailed(None, seen, "each run is drawn on its own", log_w.call)


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="The hidden units of the base model count: H log 2 belongs to log Z0.",
)
def ais_base_no_Hlog2(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0))
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="The log Z0 of a visible unit is softplus(b0), not b0.",
)
def ais_base_half_bias(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(b0) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="scale",
    hint="log_w is relative to Z0: log Z0 is added to log_z only.",
)
def ais_weights_hold_log_z0(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    log_w += log_z0
    return tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="Average the weights, not their logs: the mean of logs is too small.",
)
def ais_mean_of_logs(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_mean(log_w), log_w


@mistake(
    "ais_log_partition",
    kind="scale",
    hint="The estimate is the mean of the weights: subtract log(n_runs).",
)
def ais_sum_of_weights(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w), log_w


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="All runs count, not only the one with the largest weight.",
)
def ais_best_weight(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_max(log_w), log_w


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="The weight grows where the new model likes a state better.",
)
def ais_weights_upside_down(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, beta) - free_energy(v, last)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="Weigh each state before it moves with the new beta, not after.",
)
def ais_moves_before_weighing(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
        log_w += free_energy(v, last) - free_energy(v, beta)
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="Start from the base model, whose visible units have the bias b0.",
)
def ais_starts_uniform(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.fill((n_runs, W.shape[0]), tf.constant(0.5, W.dtype)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="Start from the base model: its visible bias is b0, not b.",
)
def ais_starts_from_the_model(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="The visible bias moves from b0 to b: the part (1 - beta) b0 is missing.",
)
def ais_base_bias_forgotten(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid(beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake("ais_log_partition", kind="concept", hint="The hidden bias is scaled by beta, too.")
def ais_hidden_bias_not_annealed(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(c + beta * v @ W), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(c + beta * v @ W))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="Scale the parameters by beta; beta times the free energy is another path.",
)
def ais_mixes_free_energies(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = beta * tf.reduce_sum(tf.nn.softplus(c + v @ W), axis=1)
        hidden += (1 - beta) * W.shape[1] * np.log(2.0)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="lazy",
    hint="Each move leaves the model at its own beta invariant, not the last one.",
)
def ais_moves_at_beta_one(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(c + v @ W))
        v = bernoulli(tf.sigmoid(b + h @ tf.transpose(W)))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition", kind="lazy", hint="The weights end at beta = 1: the last step is missing."
)
def ais_last_beta_left_out(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-2], betas[1:-1], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="lazy",
    hint="The weights begin at beta = 0: the first step is missing.",
)
def ais_first_beta_left_out(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[1:-1], betas[2:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="randomness",
    hint="Draw hidden states in each move; their probabilities are no states.",
)
def ais_hidden_mean_field(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = tf.sigmoid(beta * (c + v @ W))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="lazy",
    hint="Without moves between the betas this is plain importance sampling.",
)
def ais_without_moves(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake("ais_log_partition", kind="lazy", hint="The states move at every beta, not only once.")
def ais_one_move_only(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        if last == betas[0]:
            h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
            v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake("ais_log_partition", kind="numerics", hint="Float64 arguments give float64 results.")
def ais_in_float32(W, b, c, b0, betas, n_runs, rng):
    W, b, c, b0, betas = (tf.cast(array, tf.float32) for array in (W, b, c, b0, betas))

    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake("ais_log_partition", kind="numerics", hint="Float32 arguments give float32 results.")
def ais_float64_weights(W, b, c, b0, betas, n_runs, rng):
    W, b, c, b0, betas = (tf.cast(array, tf.float64) for array in (W, b, c, b0, betas))

    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake("ais_log_partition", kind="axis", hint="log_z is a single number, of shape ().")
def ais_log_z_as_array(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w, axis=0, keepdims=True) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="randomness",
    hint="Use the generator that is given; do not seed one.",
)
def ais_seed_inside(W, b, c, b0, betas, n_runs, rng):
    rng = tf.random.Generator.from_seed(4)

    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition", kind="randomness", hint="Use the generator that is given, not tf.random."
)
def ais_global_generator(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(tf.random.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="randomness",
    hint="The runs are independent: each row needs random numbers of its own.",
)
def ais_one_run_repeated(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform((1, p.shape[1]), dtype=p.dtype) < p, p.dtype)

    def free_energy(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return -tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) - hidden

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="lazy",
    hint="Use the betas that are given, not a ladder of your own.",
)
def ais_own_schedule(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def machine(beta):
        return beta * W, (1 - beta) * b0 + beta * b, beta * c

    betas = tf.cast(tf.linspace(0.0, 1.0, betas.shape[0]), W.dtype)
    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for t in range(1, betas.shape[0]):
        old, new = machine(betas[t - 1]), machine(betas[t])
        log_w += rbm_free_energy(v, *old) - rbm_free_energy(v, *new)  # noqa: F821
        v, _ = gibbs_k(v, *new, 1, rng)  # noqa: F821
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + c.shape[0] * np.log(2)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake("ais_log_partition", kind="axis", hint="Draw a start of its own for each run.")
def ais_one_start_for_all_runs(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def machine(beta):
        return beta * W, (1 - beta) * b0 + beta * b, beta * c

    v = tf.tile(bernoulli(tf.sigmoid(b0)[tf.newaxis]), (n_runs, 1))
    log_w = tf.zeros(n_runs, W.dtype)
    for t in range(1, betas.shape[0]):
        old, new = machine(betas[t - 1]), machine(betas[t])
        log_w += rbm_free_energy(v, *old) - rbm_free_energy(v, *new)  # noqa: F821
        v, _ = gibbs_k(v, *new, 1, rng)  # noqa: F821
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + c.shape[0] * np.log(2)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="After the weight from one beta to the next, move in the machine at the next one.",
)
def ais_moves_at_the_beta_before(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def machine(beta):
        return beta * W, (1 - beta) * b0 + beta * b, beta * c

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for t in range(1, betas.shape[0]):
        old, new = machine(betas[t - 1]), machine(betas[t])
        log_w += rbm_free_energy(v, *old) - rbm_free_energy(v, *new)  # noqa: F821
        v, _ = gibbs_k(v, *old, 1, rng)  # noqa: F821
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + c.shape[0] * np.log(2)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake("ais_log_partition", kind="concept", hint="log Z0 is that of b0, not that of b.")
def ais_z0_of_the_model_bias(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def machine(beta):
        return beta * W, (1 - beta) * b0 + beta * b, beta * c

    v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
    log_w = tf.zeros(n_runs, W.dtype)
    for t in range(1, betas.shape[0]):
        old, new = machine(betas[t - 1]), machine(betas[t])
        log_w += rbm_free_energy(v, *old) - rbm_free_energy(v, *new)  # noqa: F821
        v, _ = gibbs_k(v, *new, 1, rng)  # noqa: F821
    log_z0 = tf.reduce_sum(tf.nn.softplus(b)) + c.shape[0] * np.log(2)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@mistake(
    "ais_log_partition",
    kind="concept",
    hint="The runs walk on from beta to beta; they do not start anew at each.",
)
def ais_starts_anew_at_each_beta(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def machine(beta):
        return beta * W, (1 - beta) * b0 + beta * b, beta * c

    log_w = tf.zeros(n_runs, W.dtype)
    for t in range(1, betas.shape[0]):
        old, new = machine(betas[t - 1]), machine(betas[t])
        v = bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)))
        v, _ = gibbs_k(v, *old, 1, rng)  # noqa: F821
        log_w += rbm_free_energy(v, *old) - rbm_free_energy(v, *new)  # noqa: F821
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + c.shape[0] * np.log(2)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@alternative("ais_log_partition")
def ais_by_scaled_models(W, b, c, b0, betas, n_runs, rng):
    def model(beta):
        return beta * W, (1 - beta) * b0 + beta * b, beta * c

    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = bernoulli(tf.repeat(tf.sigmoid(b0)[tf.newaxis], n_runs, axis=0))
    log_w = tf.zeros((n_runs,), W.dtype)
    for k in range(1, len(betas)):
        old, new = model(betas[k - 1]), model(betas[k])
        log_w = log_w + rbm_free_energy(v, *old) - rbm_free_energy(v, *new)  # noqa: F821
        if k < len(betas) - 1:
            v, _ = gibbs_k(v, *new, 1, rng)  # noqa: F821
    log_z0 = exact_log_partition(*model(tf.zeros_like(betas[0])))  # noqa: F821
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@alternative("ais_log_partition")
def ais_weighing_afterwards(W, b, c, b0, betas, n_runs, rng):
    def drawn(logits):
        p = tf.sigmoid(logits)
        return tf.where(rng.uniform(p.shape, dtype=p.dtype) < p, tf.ones_like(p), tf.zeros_like(p))

    path = [drawn(b0 + tf.zeros((n_runs, W.shape[0]), W.dtype))]
    for beta in betas[1:-1]:
        h = drawn(beta * c + tf.matmul(path[-1], beta * W))
        path.append(drawn((1 - beta) * b0 + beta * b + tf.matmul(h, beta * W, transpose_b=True)))
    log_w = 0.0
    for v, last, beta in zip(path, betas[:-1], betas[1:], strict=True):
        inputs = c + v @ W
        gain = tf.nn.softplus(beta * inputs) - tf.nn.softplus(last * inputs)
        log_w += (beta - last) * tf.linalg.matvec(v, b - b0) + tf.reduce_sum(gain, axis=1)
    log_z0 = tf.reduce_sum(tf.math.log1p(tf.exp(b0))) + len(c) * tf.math.log(
        tf.constant(2.0, W.dtype)
    )
    largest = tf.reduce_max(log_w)
    return log_z0 + largest + tf.math.log(tf.reduce_mean(tf.exp(log_w - largest))), log_w


@alternative("ais_log_partition")
def ais_moving_with_the_old_beta(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def log_weight(v, beta):
        hidden = tf.reduce_sum(tf.nn.softplus(beta * (c + v @ W)), axis=1)
        return tf.linalg.matvec(v, (1 - beta) * b0 + beta * b) + hidden

    v = bernoulli(tf.ones((n_runs, 1), W.dtype) * tf.sigmoid(b0))
    log_w = tf.zeros(n_runs, W.dtype)
    for k in range(betas.shape[0] - 1):
        for _ in range(2):
            h = bernoulli(tf.sigmoid(betas[k] * (c + v @ W)))
            field = b + tf.matmul(h, W, transpose_b=True)
            v = bernoulli(tf.sigmoid((1 - betas[k]) * b0 + betas[k] * field))
        log_w += log_weight(v, betas[k + 1]) - log_weight(v, betas[k])
    log_z0 = -tf.reduce_sum(tf.math.log_sigmoid(-b0)) + tf.cast(W.shape[1], W.dtype) * np.log(2)
    return log_z0 + tf.reduce_logsumexp(log_w - np.log(n_runs)), log_w


@alternative("ais_log_partition")
def ais_over_pairs_of_states(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def negative_energy(v, h, beta):
        field = (1 - beta) * b0 + beta * (b + h @ tf.transpose(W))
        return tf.reduce_sum(v * field, axis=1) + beta * tf.linalg.matvec(h, c)

    v = bernoulli(tf.tile(tf.sigmoid(b0)[None], (n_runs, 1)))
    h = bernoulli(tf.fill((n_runs, W.shape[1]), tf.constant(0.5, W.dtype)))
    log_w = tf.zeros(n_runs, W.dtype)
    for k in range(1, len(betas)):
        beta = betas[k]
        log_w += negative_energy(v, h, beta) - negative_energy(v, h, betas[k - 1])
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
        v = bernoulli(tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W))))
        h = bernoulli(tf.sigmoid(beta * (c + v @ W)))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@alternative("ais_log_partition")
def ais_compiled(W, b, c, b0, betas, n_runs, rng):
    @tf.function
    def step(v, log_w, last, beta):
        inputs = c + v @ W
        log_w += (beta - last) * tf.linalg.matvec(v, b - b0)
        log_w += tf.reduce_sum(tf.nn.softplus(beta * inputs) - tf.nn.softplus(last * inputs), 1)
        p = tf.sigmoid(beta * inputs)
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = tf.sigmoid((1 - beta) * b0 + beta * (b + h @ tf.transpose(W)))
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype), log_w

    p = tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1))
    v = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
    log_w = tf.zeros(n_runs, W.dtype)
    for k in range(1, len(betas)):
        v, log_w = step(v, log_w, betas[k - 1], betas[k])
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + W.shape[1] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@alternative("ais_log_partition")
def ais_in_float64_inside(W, b, c, b0, betas, n_runs, rng):
    dtype = W.dtype
    W, b, c, b0 = (np.asarray(array, np.float64) for array in (W, b, c, b0))

    def bernoulli(logits):
        return (rng.uniform(logits.shape).numpy() < 1 / (1 + np.exp(-logits))).astype(float)

    def free_energy(v, beta):
        return -v @ ((1 - beta) * b0 + beta * b) - np.logaddexp(0, beta * (c + v @ W)).sum(1)

    v = bernoulli(np.tile(b0, (n_runs, 1)))
    log_w = np.zeros(n_runs)
    betas = np.asarray(betas, np.float64)
    for last, beta in zip(betas[:-1], betas[1:], strict=True):
        log_w += free_energy(v, last) - free_energy(v, beta)
        h = bernoulli(beta * (c + v @ W))
        v = bernoulli((1 - beta) * b0 + beta * (b + h @ W.T))
    log_z0 = np.logaddexp(0, b0).sum() + len(c) * np.log(2)
    log_z = log_z0 + np.logaddexp.reduce(log_w) - np.log(n_runs)
    return tf.constant(log_z, dtype), tf.constant(log_w, dtype)


@alternative("ais_log_partition")
def ais_in_numpy(W, b, c, b0, betas, n_runs, rng):
    dtype = W.dtype.as_numpy_dtype
    own = np.random.default_rng(int(rng.uniform_full_int((), dtype=tf.uint64)))
    W, b, c, b0, betas = (np.asarray(array, np.float64) for array in (W, b, c, b0, betas))

    def bernoulli(logits):
        return 1.0 * (own.random(logits.shape) < 1 / (1 + np.exp(-logits)))

    def free_energy(v, beta):
        softplus = np.logaddexp(0, beta * (c + v @ W))
        return -v @ ((1 - beta) * b0 + beta * b) - softplus.sum(axis=1)

    v, log_w = bernoulli(np.tile(b0, (n_runs, 1))), np.zeros(n_runs)
    for old, new in itertools.pairwise(betas):
        log_w += free_energy(v, old) - free_energy(v, new)
        h = bernoulli(new * (c + v @ W))
        v = bernoulli((1 - new) * b0 + new * (b + h @ W.T))
    log_z = np.logaddexp(0, b0).sum() + len(c) * np.log(2)
    log_z += np.logaddexp.reduce(log_w) - np.log(n_runs)
    return dtype(log_z), log_w.astype(dtype)


@alternative("ais_log_partition")
def ais_by_gibbs_k_and_the_exact_base(W, b, c, b0, betas, n_runs, rng):
    def machine(beta):
        return beta * W, b0 + beta * (b - b0), beta * c

    v, _ = gibbs_k(tf.zeros((n_runs, b0.shape[0]), W.dtype), *machine(betas[0]), 1, rng)  # noqa: F821
    log_w = []
    for t in range(1, len(betas)):
        old, new = machine(betas[t - 1]), machine(betas[t])
        log_w.append(rbm_free_energy(v, *old) - rbm_free_energy(v, *new))  # noqa: F821
        if t < len(betas) - 1:
            v, _ = gibbs_k(v, *new, 1, rng)  # noqa: F821
    log_w = tf.add_n(log_w)
    log_z0 = exact_log_partition(tf.zeros_like(W), b0, tf.zeros_like(c))  # noqa: F821
    size = tf.cast(n_runs, W.dtype)
    return log_z0 + tf.reduce_logsumexp(log_w) - tf.math.log(size), log_w


@alternative("ais_log_partition")
def ais_with_runs_as_columns(W, b, c, b0, betas, n_runs, rng):
    def below(p):
        shape = (p.shape[0], n_runs)
        return tf.cast(rng.uniform(shape, dtype=p.dtype) < p, p.dtype)

    v, log_w = below(tf.sigmoid(b0)[:, tf.newaxis]), 0.0
    for old, new in itertools.pairwise(tf.unstack(betas)):
        activation = tf.matmul(W, v, transpose_a=True) + c[:, tf.newaxis]
        gain = tf.nn.softplus(new * activation) - tf.nn.softplus(old * activation)
        log_w += (new - old) * tf.linalg.matvec(v, b - b0, transpose_a=True)
        log_w += tf.reduce_sum(gain, axis=0)
        h = below(tf.sigmoid(new * activation))
        up = new * (W @ h + b[:, tf.newaxis]) + (1 - new) * b0[:, tf.newaxis]
        v = below(tf.sigmoid(up))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + c.shape[0] * np.log(2)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@alternative("ais_log_partition")
def ais_with_logistic_noise(W, b, c, b0, betas, n_runs, rng):
    def bernoulli(logits):
        u = rng.uniform(logits.shape, minval=1e-30, dtype=logits.dtype)
        return tf.cast(tf.math.log(u) - tf.math.log1p(-u) < logits, logits.dtype)

    def machine(beta):
        return beta * W, (1 - beta) * b0 + beta * b, beta * c

    v, log_w = bernoulli(tf.tile(b0[tf.newaxis], (n_runs, 1))), tf.zeros(n_runs, W.dtype)
    for t in range(1, len(betas)):
        old, (W_t, b_t, c_t) = machine(betas[t - 1]), machine(betas[t])
        log_w += rbm_free_energy(v, *old) - rbm_free_energy(v, W_t, b_t, c_t)  # noqa: F821
        v = bernoulli(b_t + bernoulli(c_t + v @ W_t) @ tf.transpose(W_t))
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + c.shape[0] * np.log(2)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


@near_miss("ais_log_partition", effect="W 2 % too large")
def ais_weights_two_percent_too_large(W, b, c, b0, betas, n_runs, rng):
    return rbm.ais_log_partition(1.02 * W, b, c, b0, betas, n_runs, rng)


@near_miss("ais_log_partition", effect="W 0.5 % too large")
def ais_weights_half_a_percent_too_large(W, b, c, b0, betas, n_runs, rng):
    return rbm.ais_log_partition(1.005 * W, b, c, b0, betas, n_runs, rng)
