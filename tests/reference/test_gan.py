"""Generative adversarial networks: each function against an exact oracle, and laws."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats
from scipy.special import expit

from reference import data, gan

BATCH, OTHER = 7, 5

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def random(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def cross_entropy(logits, label):
    p = expit(logits)
    return -np.mean(label * np.log(p) + (1 - label) * np.log1p(-p))


def slope(loss, logits):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(logits)
    return tape.gradient(value, logits).numpy()


class TestLosses:
    def test_are_sums_of_cross_entropies(self):
        real, fake = random(BATCH), random(OTHER)
        due = cross_entropy(real, 1) + cross_entropy(fake, 0)
        np.testing.assert_allclose(gan.d_loss(real, fake), due)
        np.testing.assert_allclose(gan.g_loss_nonsaturating(fake), cross_entropy(fake, 1))
        np.testing.assert_allclose(gan.g_loss_saturating(fake), -cross_entropy(fake, 0))

    def test_smooth_the_real_side_only(self):
        real, fake = random(BATCH), random(OTHER)
        due = cross_entropy(real, 0.9) + cross_entropy(fake, 0)
        np.testing.assert_allclose(gan.d_loss(real, fake, 0.1), due)

    def test_take_columns(self):
        real, fake = random(BATCH), random(OTHER)
        np.testing.assert_allclose(
            gan.d_loss(real[:, None], fake[:, None]), gan.d_loss(real, fake)
        )

    def test_saturate_or_not_where_the_discriminator_is_sure(self):
        sure = np.full(BATCH, -30.0)
        np.testing.assert_allclose(slope(gan.g_loss_saturating, sure), 0, atol=1e-12)
        np.testing.assert_allclose(slope(gan.g_loss_nonsaturating, sure), -1 / BATCH)

    @each_dtype
    def test_are_finite_at_extreme_logits_and_keep_the_dtype(self, dtype):
        logits = np.array([-200, 200], dtype)
        for value in (
            gan.d_loss(logits, logits),
            gan.g_loss_saturating(logits),
            gan.g_loss_nonsaturating(logits),
        ):
            assert np.isfinite(value)
            assert value.dtype == dtype
        np.testing.assert_allclose(gan.d_loss(logits, logits), 200)


class TestOptimum:
    p, q = stats.norm(0, 1), stats.norm(1, 1)

    def quantiles(self, law, count=10_000):
        return law.ppf((np.arange(count) + 0.5) / count)

    def logits(self, x):
        return self.p.logpdf(x) - self.q.logpdf(x)

    def test_discriminator_is_the_posterior_of_being_real(self):
        x = np.linspace(-3, 4, 9)
        due = self.p.pdf(x) / (self.p.pdf(x) + self.q.pdf(x))
        seen = gan.optimal_discriminator(self.p.logpdf(x), self.q.logpdf(x))
        np.testing.assert_allclose(seen, due)

    def test_divergence_is_the_integral(self):
        def integrand(x):
            middle = (self.p.pdf(x) + self.q.pdf(x)) / 2
            return sum(law.pdf(x) * np.log(law.pdf(x) / middle) for law in (self.p, self.q)) / 2

        due, _ = integrate.quad(integrand, -9, 10)
        np.testing.assert_allclose(due, 0.1114214822, atol=1e-9)
        points = [self.logits(self.quantiles(law)) for law in (self.p, self.q)]
        np.testing.assert_allclose(gan.jsd_from_optimal(*points), due, atol=1e-5)
        np.testing.assert_allclose(gan.d_loss(*points), 1.1634513968, atol=2e-5)

    def test_no_other_discriminator_has_a_lower_loss(self):
        points = [self.logits(self.quantiles(law)) for law in (self.p, self.q)]
        best = gan.d_loss(*points)
        for scale, shift in ((0.9, 0), (1.1, 0), (1, 0.1), (1, -0.1)):
            assert gan.d_loss(*(scale * logits + shift for logits in points)) > best

    def test_divergence_of_equals_is_zero_and_of_strangers_log_2(self):
        np.testing.assert_allclose(gan.jsd_from_optimal(np.zeros(4), np.zeros(3)), 0, atol=1e-12)
        far = gan.jsd_from_optimal(np.full(4, 50.0), np.full(3, -50.0))
        np.testing.assert_allclose(far, np.log(2))


class TestCritic:
    def test_losses_are_means(self):
        real, fake = random(BATCH), random(OTHER)
        critic, generator = gan.wgan_losses(real, fake)
        np.testing.assert_allclose(critic, fake.mean() - real.mean())
        np.testing.assert_allclose(generator, -fake.mean())

    def test_best_linear_critic_measures_the_distance_of_means(self):
        # W1 of two normal distributions of equal variance is |m1 - m2|; f(x) = -x attains it.
        x, y = TestOptimum().quantiles(TestOptimum.p), TestOptimum().quantiles(TestOptimum.q)
        np.testing.assert_allclose(gan.wgan_losses(-x, -y)[0], -1, atol=1e-12)

    def test_penalty_of_a_linear_critic(self):
        w = random(3)
        arguments = random(BATCH, 3), random(BATCH, 3, seed=1), random(BATCH) ** 2
        for shape in ((-1,), (-1, 1)):
            seen = gan.gradient_penalty(
                lambda x, shape=shape: tf.reshape(tf.linalg.matvec(x, w), shape), *arguments
            )
            np.testing.assert_allclose(seen, (np.linalg.norm(w) - 1) ** 2)

    def test_penalty_of_a_quadratic_critic_on_images(self):
        real, fake = random(BATCH, 6, 5, 2), random(BATCH, 6, 5, 2, seed=1)
        alpha = np.random.default_rng(3).random(BATCH)
        between = alpha[:, None, None, None] * real + (1 - alpha)[:, None, None, None] * fake
        norms = np.sqrt((between**2).sum(axis=(1, 2, 3)))
        seen = gan.gradient_penalty(
            lambda x: tf.reduce_sum(x**2, axis=(1, 2, 3)) / 2, real, fake, alpha
        )
        np.testing.assert_allclose(seen, np.mean((norms - 1) ** 2))

    def test_penalty_has_a_second_order_gradient(self):
        w = tf.Variable(random(3))
        with tf.GradientTape() as tape:
            penalty = gan.gradient_penalty(
                lambda x: tf.linalg.matvec(x, w), random(BATCH, 3), random(BATCH, 3), random(BATCH)
            )
        norm = np.linalg.norm(w)
        np.testing.assert_allclose(tape.gradient(penalty, w), 2 * (norm - 1) * w.numpy() / norm)

    def test_penalty_of_a_constant_critic_has_a_finite_gradient(self):
        w = tf.Variable(np.zeros(3))
        with tf.GradientTape() as tape:
            penalty = gan.gradient_penalty(
                lambda x: tf.linalg.matvec(x, w), random(BATCH, 3), random(BATCH, 3), random(BATCH)
            )
        np.testing.assert_allclose(penalty, 1, atol=1e-5)
        assert np.all(np.isfinite(tape.gradient(penalty, w)))


class TestTrainStep:
    def step(self, rate_generator=0.1, rate_discriminator=0.1):
        networks = gan.network((2, 4, 3), 0, "tanh"), gan.network((3, 4, 1), 1, "tanh")
        optimizers = [
            tf.keras.optimizers.SGD(rate) for rate in (rate_generator, rate_discriminator)
        ]
        x, z, other = (random(BATCH, size, seed=size).astype(np.float32) for size in (3, 2, 2))
        other = other + 1
        before = [[array.copy() for array in net.get_weights()] for net in networks]
        due = gan.d_loss(networks[1](x), networks[1](networks[0](z)))
        losses = gan.train_step(*networks, *optimizers, x, z, other)
        return networks, before, losses, due

    def test_loss_is_that_of_before(self):
        _, _, losses, due = self.step()
        np.testing.assert_allclose(losses["d_loss"], due, rtol=1e-6)

    def test_each_optimizer_moves_its_network_only(self):
        for rates, moved in (((0.1, 0.0), (True, False)), ((0.0, 0.1), (False, True))):
            networks, before, _, _ = self.step(*rates)
            for net, old, moves in zip(networks, before, moved, strict=True):
                for new, array in zip(net.get_weights(), old, strict=True):
                    assert moves == bool(np.any(new != array))

    def test_descends_both_losses(self):
        x, z = random(BATCH, 3).astype(np.float32), random(BATCH, 2).astype(np.float32)
        networks = gan.network((2, 4, 3), 0, "tanh"), gan.network((3, 4, 1), 1, "tanh")
        optimizers = [tf.keras.optimizers.SGD(rate) for rate in (0.0, 0.01)]
        first = gan.train_step(*networks, *optimizers, x, z, z)
        second = gan.train_step(*networks, *optimizers, x, z, z)
        assert second["d_loss"] < first["d_loss"]
        optimizers = [tf.keras.optimizers.SGD(rate) for rate in (0.01, 0.0)]
        first = gan.train_step(*networks, *optimizers, x, z, z)
        second = gan.train_step(*networks, *optimizers, x, z, z)
        assert second["g_loss"] < first["g_loss"]


class TestLabels:
    def test_are_appended_to_noise(self):
        seen = gan.conditional_input(np.array([[1.5, 2.5], [3.5, 4.5]]), np.array([2, 0]), 3)
        np.testing.assert_array_equal(seen, [[1.5, 2.5, 0, 0, 1], [3.5, 4.5, 1, 0, 0]])

    def test_are_appended_to_images_as_maps(self):
        x = random(2, 3, 4, 2)
        seen = gan.conditional_d_input(x, np.array([2, 0]), 3).numpy()
        assert seen.shape == (2, 3, 4, 5)
        np.testing.assert_array_equal(seen[..., :2], x)
        np.testing.assert_array_equal(seen[0, ..., 2:], np.broadcast_to([0, 0, 1], (3, 4, 3)))
        np.testing.assert_array_equal(seen[1, ..., 2:], np.broadcast_to([1, 0, 0], (3, 4, 3)))


class TestStability:
    def test_feature_matching_is_a_distance_of_means(self):
        real = [random(BATCH, 4), random(BATCH, 2, 3)]
        fake = [random(OTHER, 4, seed=1), random(OTHER, 2, 3, seed=1)]
        due = sum(((r.mean(0) - f.mean(0)) ** 2).sum() for r, f in zip(real, fake, strict=True))
        np.testing.assert_allclose(gan.feature_matching_loss(real, fake), due)
        shuffled = [f[::-1] for f in fake]
        np.testing.assert_allclose(gan.feature_matching_loss(real, shuffled), due)

    def test_averages_are_geometric(self):
        ema, weight = [tf.Variable(np.zeros(2))], [tf.Variable(np.array([1.0, -2.0]))]
        for _ in range(5):
            gan.ema_update(ema, weight, 0.9)
        np.testing.assert_allclose(ema[0], (1 - 0.9**5) * weight[0].numpy())
        np.testing.assert_array_equal(weight[0], [1, -2])

    @each_dtype
    def test_spectral_norm_is_the_largest_singular_value(self, dtype):
        for shape in ((6, 4), (3, 2, 2, 5)):
            W = random(*shape).astype(dtype)
            matrix = W.reshape(-1, shape[-1])
            sigma, u = gan.spectral_norm(W, np.ones(len(matrix), dtype), 200)
            left, values, _ = np.linalg.svd(matrix)
            np.testing.assert_allclose(sigma, values[0], rtol=1e-5)
            np.testing.assert_allclose(np.abs(left[:, 0] @ u.numpy()), 1, rtol=1e-5)
            assert sigma.dtype == dtype

    def test_gradient_of_the_spectral_norm(self):
        W, start = tf.constant(random(6, 4)), tf.constant(np.ones(6))
        with tf.GradientTape() as tape:
            tape.watch([W, start])
            sigma, u = gan.spectral_norm(W, start, 200)
        by_matrix, by_start = tape.gradient(sigma, [W, start])
        left, _, right = np.linalg.svd(W)
        np.testing.assert_allclose(by_matrix, np.outer(left[:, 0], right[0]), atol=1e-6)
        assert by_start is None
        np.testing.assert_allclose(np.linalg.norm(u), 1)


class TestInpainting:
    def case(self):
        A, b = np.linalg.qr(random(6, 3))[0] * np.array([1.0, 1.4, 0.8]), random(6)
        x, observed = random(BATCH, 6), np.random.default_rng(4).random((BATCH, 6)) < 0.7
        return (lambda z: tf.matmul(z, A, transpose_b=True) + b), A, b, x, observed

    def test_of_a_linear_generator_is_ridge_regression(self):
        generator, A, b, x, observed = self.case()
        filled, z = gan.gan_inpaint(generator, x, observed, random(BATCH, 3), 300, 0.2, 0.5)
        for row in range(BATCH):
            seen = observed[row]
            due = np.linalg.solve(
                A[seen].T @ A[seen] + 0.25 * np.eye(3), A[seen].T @ (x[row] - b)[seen]
            )
            np.testing.assert_allclose(z[row], due, atol=1e-8)
        np.testing.assert_allclose(filled, np.where(observed, x, z @ A.T + b))

    def test_touches_nothing_observed_and_looks_at_nothing_else(self):
        generator, _, _, x, observed = self.case()
        start = random(BATCH, 3)
        filled, z = gan.gan_inpaint(generator, x, observed, start, 3, 0.02, 0.5)
        other = np.where(observed, x, 1e3)
        again, same = gan.gan_inpaint(generator, other, observed, start, 3, 0.02, 0.5)
        np.testing.assert_array_equal(filled.numpy()[observed], x[observed])
        np.testing.assert_allclose(filled, again)
        np.testing.assert_allclose(z, same)

    def test_without_steps_stays_at_the_start(self):
        generator, _, _, x, observed = self.case()
        start = random(BATCH, 3)
        filled, z = gan.gan_inpaint(generator, x, observed, start, 0, 0.02, 0.5)
        np.testing.assert_array_equal(z, start)
        np.testing.assert_allclose(filled, np.where(observed, x, generator(start)))


@pytest.mark.parametrize("train", [gan.train_gan, gan.train_wgan])
def test_training_reaches_the_ring(train):
    x = data.ring().sample(2000, np.random.default_rng(0)).astype(np.float32)
    generator, judge = gan.network((8, 64, 64, 2), 0), gan.network((2, 64, 64, 1), 1)
    z = np.random.default_rng(1).normal(size=(1000, 8)).astype(np.float32)
    before = np.linalg.norm(generator(z), axis=1)
    train(x, generator, judge, steps=500)
    after = np.linalg.norm(generator(z), axis=1)
    # The data lie at radius 2; untrained networks draw near 0.
    assert np.mean(np.abs(before - 2) < 0.6) < 0.2
    assert np.mean(np.abs(after - 2) < 0.6) > 0.4
