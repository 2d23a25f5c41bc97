"""Deep energy-based models: each function against an exact oracle, and laws."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.special import expit, logsumexp

from reference import data, deep_ebm

BATCH, OTHER = 7, 4
VISIBLE, FIRST, SECOND = 5, 4, 3

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def random(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def states(units):
    """All 0/1 states of so many units. Shape (2**units, units)."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=units)))


def generator(seed=3):
    return tf.random.Generator.from_seed(seed)


def bernoulli_law(p, outcomes):
    """How probable each outcome is for units on with these probabilities (rows, units)."""
    p = np.asarray(p)[:, np.newaxis]
    return np.prod(np.where(outcomes == 1, p, 1 - p), axis=2)


# Deep belief network


def layers_of(*widths, scale=0.5, seed=0):
    pairs = list(itertools.pairwise(widths))
    return [
        (
            scale * random(*pair, seed=seed),
            random(pair[0], seed=seed + 1),
            random(pair[1], seed=seed + 2),
        )
        for pair in pairs
    ]


def dbn_law(layers):
    """p(v) of all visible states, by enumeration."""
    W, b, c = layers[-1]
    below, above = states(len(b)), states(len(c))
    log_p = below @ b + logsumexp((above @ c)[:, np.newaxis] + above @ W.T @ below.T, axis=0)
    law, given = np.exp(log_p - logsumexp(log_p)), below
    for W, b, _ in reversed(layers[:-1]):
        below = states(len(b))
        law = law @ bernoulli_law(expit(b + given @ W.T), below)
        given = below
    return law


@each_dtype
def test_layers_are_climbed_by_probabilities(dtype):
    layers = [
        tuple(array.astype(dtype) for array in layer)
        for layer in layers_of(VISIBLE, FIRST, SECOND)
    ]
    v = states(VISIBLE)[:BATCH].astype(dtype)
    first, second = deep_ebm.dbn_up(v, layers)
    np.testing.assert_allclose(first, expit(layers[0][2] + v @ layers[0][0]), rtol=1e-5)
    np.testing.assert_allclose(second, expit(layers[1][2] + first @ layers[1][0]), rtol=1e-5)
    assert first.dtype == second.dtype == dtype


@pytest.mark.parametrize("widths", [(3, 2), (3, 3, 2), (3, 2, 3, 2)])
def test_samples_of_a_belief_network_have_its_law(widths):
    layers, count = layers_of(*widths), 60_000
    v = deep_ebm.dbn_sample(layers, count, 40, generator()).numpy()
    law = dbn_law(layers)
    seen = np.bincount(v.astype(int) @ [4, 2, 1], minlength=8)
    assert stats.chisquare(seen, count * law).pvalue > 1e-6
    assert v.dtype == np.float64
    if len(widths) == 3:
        assert np.abs(law - dbn_law(layers[:1])).sum() > 0.05


def test_below_the_top_states_are_drawn_once_downward():
    top = np.zeros((3, 2)), np.array([900.0, -900, 900]), np.zeros(2)
    W, b = 1000 * np.array([[1.0, 0, 0], [0, 1, 0]]), np.array([-500.0, -500])
    bottom = 1000 * np.array([[0.0, 1]]), np.array([-500.0]), np.zeros(2)
    v = deep_ebm.dbn_sample([bottom, (W, b, np.zeros(3)), top], OTHER, 1, generator())
    np.testing.assert_array_equal(v, np.zeros((OTHER, 1)))
    flipped = [(-bottom[0], -bottom[1], bottom[2]), (W, b, np.zeros(3)), top]
    v = deep_ebm.dbn_sample(flipped, OTHER, 1, generator())
    np.testing.assert_array_equal(v, np.ones((OTHER, 1)))


# Deep Boltzmann machine


def machine(visible=VISIBLE, first=FIRST, second=SECOND, seed=0, scale=0.7):
    sizes = (visible, first), (first, second), (visible,), (first,), (second,)
    return tuple(scale * random(*size, seed=seed) for size in sizes)


def dbm_table(parameters):
    """-E(v, h1, h2) of all states, by the definition. Shape (2^visible, 2^first, 2^second)."""
    W1, W2, b, c1, c2 = parameters
    v, h1, h2 = (states(len(bias)) for bias in (b, c1, c2))
    return (
        (v @ b)[:, None, None]
        + (h1 @ c1)[None, :, None]
        + (h2 @ c2)[None, None, :]
        + (v @ W1 @ h1.T)[:, :, None]
        + (h1 @ W2 @ h2.T)[None]
    )


def test_log_partition_sums_over_all_states():
    parameters = machine()
    due = logsumexp(dbm_table(parameters))
    np.testing.assert_allclose(deep_ebm.dbm_log_partition(*parameters), due)


@pytest.mark.parametrize("sizes", [(5, 4, 3), (5, 3, 3)])
def test_mean_field_is_a_fixed_point(sizes):
    W1, W2, _, c1, c2 = parameters = machine(*sizes)
    v = states(sizes[0])[3 : 3 + BATCH]
    mean1, mean2 = deep_ebm.dbm_mean_field(v, *parameters, 500, 1e-13)
    np.testing.assert_allclose(mean1, expit(c1 + v @ W1 + mean2 @ W2.T), atol=1e-11)
    np.testing.assert_allclose(mean2, expit(c2 + mean1 @ W2), atol=1e-11)


def test_mean_field_stops_at_the_tolerance_and_after_the_rounds():
    W1, W2, b, c1, c2 = parameters = machine()
    v = states(VISIBLE)[:BATCH]
    once1, once2 = deep_ebm.dbm_mean_field(v, *parameters, 1, 0.0)
    np.testing.assert_allclose(once1, expit(c1 + v @ W1 + W2.sum(axis=1) / 2))
    np.testing.assert_allclose(once2, expit(c2 + once1 @ W2))
    early = deep_ebm.dbm_mean_field(v, W1, W2, b, c1, c2, 50, 1.0)
    np.testing.assert_array_equal(early[0], once1)


def test_without_second_weights_mean_field_is_the_posterior_and_the_bound_is_exact():
    W1, W2, b, c1, c2 = machine()
    parameters = W1, 0 * W2, b, c1, c2
    v, table = states(VISIBLE), dbm_table(parameters)
    mean1, mean2 = deep_ebm.dbm_mean_field(v, *parameters, 50, 1e-12)
    np.testing.assert_allclose(mean1, expit(c1 + v @ W1))
    np.testing.assert_allclose(mean2, np.broadcast_to(expit(c2), (len(v), SECOND)))
    bound = deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, logsumexp(table))
    np.testing.assert_allclose(bound, logsumexp(table, axis=(1, 2)) - logsumexp(table))


def test_the_bound_is_the_mean_of_the_joint_plus_the_entropy():
    parameters, table = machine(), dbm_table(machine())
    v = states(VISIBLE)
    mean1, mean2 = expit(random(len(v), FIRST)), expit(random(len(v), SECOND))
    q1, q2 = bernoulli_law(mean1, states(FIRST)), bernoulli_law(mean2, states(SECOND))
    q = q1[:, :, None] * q2[:, None, :]
    due = (q * (table - np.log(q))).sum(axis=(1, 2)) - logsumexp(table)
    bound = deep_ebm.dbm_lower_bound(v, mean1, mean2, parameters, logsumexp(table))
    np.testing.assert_allclose(bound, due)
    assert np.all(bound < logsumexp(table, axis=(1, 2)) - logsumexp(table))


def test_the_bound_never_falls_and_is_flat_at_the_fixed_point():
    parameters, v = machine(scale=1.5), states(VISIBLE)
    bounds = []
    for rounds in range(12):
        means = deep_ebm.dbm_mean_field(v, *parameters, rounds, 0.0)
        bounds.append(deep_ebm.dbm_lower_bound(v, *means, parameters, 0.0).numpy())
    assert np.all(np.diff(bounds, axis=0) > -1e-12)
    means = [tf.constant(m) for m in deep_ebm.dbm_mean_field(v, *parameters, 2000, 1e-14)]
    with tf.GradientTape() as tape:
        tape.watch(means)
        total = tf.reduce_sum(deep_ebm.dbm_lower_bound(v, *means, parameters, 0.0))
    for slope in tape.gradient(total, means):
        np.testing.assert_allclose(slope, 0, atol=1e-9)


@each_dtype
def test_the_bound_of_certain_means_is_minus_the_energy(dtype):
    parameters = tuple(array.astype(dtype) for array in machine())
    v = states(VISIBLE)[:3].astype(dtype)
    h1, h2 = states(FIRST)[4:7].astype(dtype), states(SECOND)[2:5].astype(dtype)
    bound = deep_ebm.dbm_lower_bound(v, h1, h2, parameters, 1.5)
    due = dbm_table(parameters)[np.arange(3), np.arange(4, 7), np.arange(2, 5)] - 1.5
    np.testing.assert_allclose(bound, due, rtol=1e-4)
    assert bound.dtype == dtype


# Langevin dynamics


def gaussian_energy(mean, precision, column=False):
    def energy(x):
        centred = x - mean
        values = 0.5 * tf.reduce_sum(centred * tf.matmul(centred, precision), axis=1)
        return values[:, tf.newaxis] if column else values

    return energy


def test_langevin_steps_are_the_definition():
    precision = np.array([[2.0, 0.6], [0.6, 1.0]])
    x, noise, mean = random(BATCH, 2), random(3, BATCH, 2), np.array([1.0, -1])
    due = x
    for draw in noise:
        due = due - 0.05 * (due - mean) @ precision + np.sqrt(0.1) * draw
    for column in (False, True):
        energy = gaussian_energy(mean, precision, column)
        np.testing.assert_allclose(deep_ebm.langevin_sample(energy, x, 3, 0.1, noise), due)


def test_langevin_has_the_stationary_variance_of_its_step():
    """The dynamics is linear: each unit of noise alone shows its part of the last state."""
    variance, step_size, steps = 0.3, 0.2, 60
    unit = np.eye(steps)[:, :, np.newaxis]
    energy = gaussian_energy(0.0, np.array([[1 / variance]]))
    parts = deep_ebm.langevin_sample(energy, np.zeros((steps, 1)), steps, step_size, unit)
    due = variance / (1 - step_size / (4 * variance))
    np.testing.assert_allclose(np.sum(np.square(parts)), due, rtol=1e-9)


def test_no_gradient_flows_through_langevin():
    w, x0 = tf.Variable(1.5), tf.Variable(np.ones((2, 3), np.float32))
    with tf.GradientTape() as tape:
        x = deep_ebm.langevin_sample(
            lambda x: w * tf.reduce_sum(x**2, axis=1), x0, 2, 0.1, tf.zeros((2, 2, 3))
        )
    assert tape.gradient(x, [w, x0]) == [None, None]


def test_a_flat_energy_leaves_the_noise():
    noise = random(2, BATCH, 3)
    seen = deep_ebm.langevin_sample(lambda x: tf.zeros(len(x)), 0 * noise[0], 2, 0.25, noise)
    np.testing.assert_allclose(seen, 0.5 * noise.sum(axis=0))


# Learning


def test_loss_is_the_contrast_plus_the_squares():
    w, alpha = random(3), 0.3
    positive, negative = random(BATCH, 3), random(OTHER, 3, seed=1)
    up, down = positive @ w, negative @ w
    due = up.mean() - down.mean() + alpha * ((up**2).mean() + (down**2).mean())
    for shape in ((-1,), (-1, 1)):
        seen = deep_ebm.ebm_loss(
            lambda x, shape=shape: tf.reshape(tf.linalg.matvec(x, w), shape),
            positive,
            negative,
            alpha,
        )
        np.testing.assert_allclose(seen, due)


def test_loss_with_samples_of_the_model_has_the_slope_of_the_likelihood():
    """Energy x^2 / (2 s): d/ds of -log p, with quantiles of the model as its samples."""
    variance = tf.Variable(np.float64(1.7))
    x = random(BATCH, 1)
    samples = stats.norm(0, 1.7**0.5).ppf((np.arange(20_000) + 0.5) / 20_000)[:, np.newaxis]
    with tf.GradientTape() as tape:
        loss = deep_ebm.ebm_loss(lambda x: x[:, 0] ** 2 / (2 * variance), x, samples, 0.0)
    due = 0.5 / 1.7 - (x**2).mean() / (2 * 1.7**2)
    np.testing.assert_allclose(tape.gradient(loss, variance), due, atol=1e-4)


def test_no_gradient_flows_to_the_samples():
    shift = tf.Variable(np.float64(0.5))
    with tf.GradientTape() as tape:
        negative = random(OTHER, 3) + shift
        loss = deep_ebm.ebm_loss(lambda x: x[:, 0] ** 2, random(BATCH, 3), negative, 0.1)
    assert tape.gradient(loss, shift) is None


class TestReplayBuffer:
    def test_begins_with_standard_normal_numbers(self):
        buffer = deep_ebm.ReplayBuffer(2000, (3, 2), generator())
        x, indices = buffer.sample(2000, 0.0)
        assert x.shape == (2000, 3, 2)
        assert x.dtype == tf.float32
        assert stats.kstest(np.ravel(x), "norm").pvalue > 1e-6
        np.testing.assert_array_equal(np.sort(indices), np.arange(2000))

    def test_returns_what_was_put_in(self):
        buffer = deep_ebm.ReplayBuffer(6, (2,), generator())
        before, order = buffer.sample(6, 0.0)
        rows = dict(zip(order.numpy(), before.numpy(), strict=True))
        buffer.update(tf.constant([4, 1]), tf.constant([[1.0, 2.0], [3.0, 4.0]]))
        rows |= {4: [1, 2], 1: [3, 4]}
        after, order = buffer.sample(6, 0.0)
        for index, row in zip(order.numpy(), after.numpy(), strict=True):
            np.testing.assert_array_equal(row, rows[index])

    def test_starts_afresh_with_the_probability(self):
        buffer = deep_ebm.ReplayBuffer(5000, (2,), generator())
        buffer.update(tf.range(5000), tf.fill((5000, 2), 100.0))
        x, _ = buffer.sample(4000, 0.3)
        fresh = np.all(x.numpy() < 50, axis=1)
        np.testing.assert_array_equal(fresh, np.any(x.numpy() < 50, axis=1))
        assert abs(fresh.mean() - 0.3) < 6 * np.sqrt(0.21 / 4000)
        assert stats.kstest(np.ravel(x.numpy()[fresh]), "norm").pvalue > 1e-6
        assert np.all(buffer.sample(5000, 0.0)[0] == 100)
        assert np.all(buffer.sample(9, 1.0)[0] < 50)


def log_normal(x, mean, variance):
    return -0.5 * ((x - mean) ** 2 / variance + np.log(2 * np.pi * variance))


def quantiles(mean, variance, count):
    return stats.norm(mean, variance**0.5).ppf((np.arange(count) + 0.5) / count)


class TestNoiseContrast:
    def test_is_the_cross_entropy_of_data_from_noise(self):
        log_x, noise_x = random(BATCH), random(BATCH, seed=1)
        log_y, noise_y = random(OTHER, seed=2), random(OTHER, seed=3)
        ratio = OTHER / BATCH
        odds_x, odds_y = np.exp(log_x - noise_x) / ratio, np.exp(log_y - noise_y) / ratio
        due = -np.log(odds_x / (1 + odds_x)).mean() - ratio * np.log(1 / (1 + odds_y)).mean()
        np.testing.assert_allclose(deep_ebm.nce_loss(log_x, noise_x, log_y, noise_y), due)

    @pytest.mark.parametrize("ratio", [0.5, 1, 3])
    def test_is_flat_at_the_true_density(self, ratio):
        x, y = quantiles(0.5, 1.5, 4000), quantiles(0, 4, int(4000 * ratio))
        constant = tf.Variable(np.float64(0))
        with tf.GradientTape() as tape:
            loss = deep_ebm.nce_loss(
                constant + log_normal(x, 0.5, 1.5),
                log_normal(x, 0, 4),
                constant + log_normal(y, 0.5, 1.5),
                log_normal(y, 0, 4),
            )
        np.testing.assert_allclose(tape.gradient(loss, constant), 0, atol=1e-4)

    def test_learns_the_logarithm_of_z(self):
        x, y = quantiles(0, 2, 4000), quantiles(0, 4, 8000)
        due = 0.5 * np.log(2 * np.pi * 2)
        candidates = due + np.linspace(-0.3, 0.3, 61)
        losses = [
            deep_ebm.nce_loss(
                -(x**2) / 4 - log_z, log_normal(x, 0, 4), -(y**2) / 4 - log_z, log_normal(y, 0, 4)
            )
            for log_z in candidates
        ]
        assert abs(candidates[np.argmin(losses)] - due) < 0.02

    @each_dtype
    def test_is_finite_at_extreme_densities(self, dtype):
        far = np.array([-1000, 1000], dtype)
        seen = deep_ebm.nce_loss(far, 0 * far, far, 0 * far)
        np.testing.assert_allclose(seen, 1000)
        assert seen.dtype == dtype


class TestInpainting:
    precision = np.array([[2.0, 0.6, 0.3], [0.6, 1.5, -0.4], [0.3, -0.4, 1.0]])
    mean = np.array([1.0, -1.0, 0.5])

    def test_has_the_conditional_mean_and_the_covariance_of_its_step(self):
        """Linear again: without noise the mean, with unit noise the covariance."""
        steps, step_size = 60, 0.8
        observed, missing = np.array([True, False, False]), [1, 2]
        energy = gaussian_energy(self.mean, self.precision)
        x = np.array([[2.0, 0.0, 0.0]])
        still = deep_ebm.ebm_inpaint(
            energy, x, observed, steps, step_size, np.zeros((steps, 1, 3))
        )
        block = self.precision[np.ix_(missing, missing)]
        shift = np.linalg.solve(block, self.precision[missing, 0] * (2.0 - self.mean[0]))
        np.testing.assert_allclose(
            still.numpy()[0, missing], self.mean[missing] - shift, atol=1e-7
        )
        unit = np.zeros((steps, 2 * steps, 3))
        for number, entry in enumerate(missing):
            unit[np.arange(steps), np.arange(steps) + number * steps, entry] = 1
        start = np.repeat(x, 2 * steps, axis=0)
        parts = deep_ebm.ebm_inpaint(energy, start, observed, steps, step_size, unit) - still
        due = np.linalg.inv(block - step_size * block @ block / 4)
        parts = parts.numpy()[:, missing]
        np.testing.assert_allclose(parts.T @ parts, due, rtol=1e-6)

    def test_touches_nothing_observed(self):
        energy = gaussian_energy(self.mean, self.precision, column=True)
        x, observed = random(BATCH, 3), np.random.default_rng(0).random((BATCH, 3)) < 0.5
        seen = deep_ebm.ebm_inpaint(energy, x, observed, 2, 0.1, random(2, BATCH, 3)).numpy()
        np.testing.assert_array_equal(seen[observed], x[observed])
        assert np.all(seen[~observed] != x[~observed])


# Training


def test_the_grid_knows_the_normal_distribution():
    x = random(BATCH, 2).astype(np.float32)
    log_p, log_z = deep_ebm.grid_log_likelihood(lambda x: tf.reduce_sum(x**2, axis=1) / 2, x, 7.0)
    np.testing.assert_allclose(log_z, np.log(2 * np.pi), atol=1e-4)
    np.testing.assert_allclose(log_p, -(x**2).sum(1) / 2 - np.log(2 * np.pi), atol=1e-4)


def test_training_raises_the_likelihood_of_the_ring():
    x = data.ring().sample(2000, np.random.default_rng(0)).astype(np.float32)
    energy = deep_ebm.energy_network((2, 32, 32), 0, pull=0.2)
    before, _ = deep_ebm.grid_log_likelihood(energy, x)
    buffer = deep_ebm.train_ebm(
        x,
        energy,
        150,
        n_langevin=10,
        step_size=0.02,
        alpha=0.0,
        learning_rate=3e-3,
        buffer_size=500,
    )
    after, _ = deep_ebm.grid_log_likelihood(energy, x)
    assert tf.reduce_mean(after) > tf.reduce_mean(before) + 0.2
    samples, _ = buffer.sample(500, 0.0)
    assert 1.3 < np.median(np.linalg.norm(samples, axis=1)) < 2.5


def test_a_belief_network_learns_copied_bits():
    half = np.random.default_rng(0).integers(0, 2, (400, 2))
    v = np.concatenate([half, half], axis=1).astype(np.float32)
    layers = deep_ebm.train_dbn(v, (8, 4), epochs=100, learning_rate=0.5)
    assert [tuple(W.shape) for W, _, _ in layers] == [(4, 8), (8, 4)]
    seen = deep_ebm.dbn_sample(layers, 2000, 50, generator()).numpy()
    assert np.mean(np.all(seen[:, :2] == seen[:, 2:], axis=1)) > 0.5
