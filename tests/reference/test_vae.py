"""The variational autoencoder: each function against an exact oracle, and laws."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats
from scipy.special import expit, logsumexp

from reference import vae

# Sizes differ pairwise, so that no mistaken axis goes unseen.
SAMPLES, BATCH, PIXELS, LATENT = 4, 7, 5, 3
VARIANCE = 0.3

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def random(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def generator(seed=3):
    return tf.random.Generator.from_seed(seed)


def linear_networks(dtype=np.float64):
    """An encoder and a decoder that are linear, with log-variances that depend on x."""
    A, L, W = random(PIXELS, LATENT), 0.3 * random(PIXELS, LATENT, seed=1), random(LATENT, PIXELS)
    A, L, W = (array.astype(dtype) for array in (A, L, W))
    return lambda x: (tf.matmul(x, A), tf.matmul(x, L) - 0.5), lambda z: tf.matmul(z, W) + 0.1


def exact_networks(x, W, b, variance=VARIANCE):
    """The posterior of a linear decoder as an encoder; axes of q are the coordinate axes."""
    del x

    def encoder(rows):
        mean, covariance = vae.linear_vae_posterior(rows, W, b, variance)
        return mean, tf.math.log(tf.linalg.diag_part(covariance)) * tf.ones_like(mean)

    return encoder, lambda z: tf.matmul(z, W, transpose_b=True) + b


def orthogonal_case():
    """x, W with orthogonal columns, so that the posterior is diagonal, and b."""
    W = np.linalg.qr(random(PIXELS, LATENT))[0] * np.array([1.7, 0.6, 1.1])
    return random(BATCH, PIXELS, seed=5), W, random(PIXELS)


def marginal_log_prob(x, W, b, variance=VARIANCE):
    return stats.multivariate_normal(b, W @ W.T + variance * np.eye(len(b))).logpdf(x)


class TestDivergence:
    def test_of_a_quarter_of_the_variance(self):
        kl = vae.gaussian_kl(np.array([[1.0]]), np.log([[0.25]]))
        np.testing.assert_allclose(kl, [0.8181471806], atol=1e-10)

    def test_is_the_integral(self):
        mean, log_var, prior_mean, prior_log_var = 0.7, -0.8, -0.4, 0.5
        q = stats.norm(mean, np.exp(log_var / 2))
        p = stats.norm(prior_mean, np.exp(prior_log_var / 2))
        due, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -9, 9)
        kl = vae.gaussian_kl(np.array([[mean]]), np.array([[log_var]]), prior_mean, prior_log_var)
        np.testing.assert_allclose(kl, [due], rtol=1e-9)

    def test_is_zero_for_the_prior_only(self):
        mean, log_var = random(BATCH, LATENT), random(BATCH, LATENT, seed=1)
        np.testing.assert_allclose(vae.gaussian_kl(mean, log_var, mean, log_var), 0, atol=1e-12)
        assert np.all(vae.gaussian_kl(mean, log_var, mean + 0.1, log_var) > 0)

    def test_adds_up_over_dimensions(self):
        mean, log_var = random(BATCH, LATENT), random(BATCH, LATENT, seed=1)
        parts = [vae.gaussian_kl(mean[:, [d]], log_var[:, [d]]) for d in range(LATENT)]
        np.testing.assert_allclose(vae.gaussian_kl(mean, log_var), sum(parts))

    def test_takes_priors_per_row(self):
        arrays = [random(BATCH, LATENT, seed=seed) for seed in range(4)]
        rows = [vae.gaussian_kl(*(a[[n]] for a in arrays))[0] for n in range(BATCH)]
        np.testing.assert_allclose(vae.gaussian_kl(*arrays), rows)

    @each_dtype
    def test_is_finite_for_extreme_variances(self, dtype):
        log_var = tf.constant([[40.0, -40.0]], dtype)
        with tf.GradientTape() as tape:
            tape.watch(log_var)
            kl = vae.gaussian_kl(tf.zeros_like(log_var), log_var)
        assert np.all(np.isfinite(kl))
        assert np.all(np.isfinite(tape.gradient(kl, log_var)))


class TestDraws:
    def test_have_the_derivatives_of_the_formula(self):
        mean, log_var = (tf.constant(random(BATCH, LATENT, seed=seed)) for seed in (1, 2))
        noise = random(BATCH, LATENT, seed=3)
        with tf.GradientTape() as tape:
            tape.watch([mean, log_var])
            z = vae.reparameterize(mean, log_var, noise)
        by_mean, by_log_var = tape.gradient(z, [mean, log_var])
        np.testing.assert_allclose(by_mean, np.ones((BATCH, LATENT)))
        np.testing.assert_allclose(by_log_var, 0.5 * np.exp(log_var / 2) * noise)


class TestBound:
    def test_of_binary_pixels_by_hand(self):
        x = np.random.default_rng(0).integers(0, 2, (BATCH, PIXELS)).astype(float)
        encoder, decoder = linear_networks()
        noise = random(SAMPLES, BATCH, LATENT)
        result = vae.elbo(x, encoder, decoder, noise, beta=0.7)
        mean, log_var = (np.asarray(part) for part in encoder(x))
        for n in range(BATCH):
            terms = []
            for s in range(SAMPLES):
                z = mean[n] + np.exp(log_var[n] / 2) * noise[s, n]
                p = expit(np.asarray(decoder(z[np.newaxis]))[0])
                terms.append(stats.bernoulli(p).logpmf(x[n]).sum())
            np.testing.assert_allclose(result["log_px_z"][n], np.mean(terms))
        np.testing.assert_allclose(result["kl"], vae.gaussian_kl(mean, log_var))
        np.testing.assert_allclose(result["elbo"], result["log_px_z"] - 0.7 * result["kl"])

    def test_is_the_likelihood_at_the_exact_posterior(self):
        x, W, b = orthogonal_case()
        encoder, decoder = exact_networks(x, W, b)
        # For a quadratic, two opposite draws per axis give the mean exactly.
        units = np.sqrt(LATENT) * np.concatenate([np.eye(LATENT), -np.eye(LATENT)])
        noise = np.tile(units[:, np.newaxis], (1, BATCH, 1))
        result = vae.elbo(x, encoder, decoder, noise, variance=VARIANCE)
        np.testing.assert_allclose(result["elbo"], marginal_log_prob(x, W, b))

    def test_of_large_logits_is_finite(self):
        encoder, _ = linear_networks()
        x = np.array([[1.0, 0, 1, 0, 1]])
        result = vae.elbo(
            x, encoder, lambda z: 300 - 0 * z @ np.ones((LATENT, PIXELS)), random(2, 1, 3)
        )
        np.testing.assert_allclose(result["log_px_z"], [-600])

    @each_dtype
    def test_keeps_the_dtype(self, dtype):
        x, noise = np.ones((BATCH, PIXELS), dtype), random(1, BATCH, LATENT).astype(dtype)
        for value in vae.elbo(x, *linear_networks(dtype), noise, variance=VARIANCE).values():
            assert value.dtype == dtype
        assert vae.iwae_bound(x, *linear_networks(dtype), noise).dtype == dtype


class TestImportanceWeightedBound:
    def test_is_the_likelihood_for_any_draws_of_the_exact_posterior(self):
        x, W, b = orthogonal_case()
        encoder, decoder = exact_networks(x, W, b)
        for count in (1, 5):
            noise = random(count, BATCH, LATENT, seed=count)
            bound = vae.iwae_bound(x, encoder, decoder, noise, VARIANCE)
            np.testing.assert_allclose(bound, marginal_log_prob(x, W, b))

    def test_is_the_log_mean_of_the_weights(self):
        x = np.random.default_rng(0).integers(0, 2, (BATCH, PIXELS)).astype(float)
        encoder, decoder = linear_networks()
        noise = random(SAMPLES, BATCH, LATENT)
        mean, log_var = (np.asarray(part) for part in encoder(x))
        z = mean + np.exp(log_var / 2) * noise
        p = expit(np.asarray(decoder(z.reshape(-1, LATENT))).reshape(SAMPLES, BATCH, PIXELS))
        log_weights = stats.bernoulli(p).logpmf(x).sum(-1) + stats.norm.logpdf(z).sum(-1)
        log_weights -= stats.norm(mean, np.exp(log_var / 2)).logpdf(z).sum(-1)
        due = logsumexp(log_weights, axis=0) - np.log(SAMPLES)
        np.testing.assert_allclose(vae.iwae_bound(x, encoder, decoder, noise), due)

    def test_rises_with_the_number_of_draws(self):
        x = np.random.default_rng(0).integers(0, 2, (1, PIXELS)).astype(float)
        encoder, decoder = linear_networks()

        def mean_of(count):
            rows, noise = np.tile(x, (4000, 1)), random(count, 4000, LATENT, seed=count)
            return np.mean(vae.iwae_bound(rows, encoder, decoder, noise))

        assert mean_of(1) < mean_of(3) < mean_of(20)

    def test_of_tiny_weights_is_finite(self):
        encoder, _ = linear_networks()
        x = np.ones((BATCH, PIXELS))
        decoder = lambda z: -400 + 0 * z @ np.ones((LATENT, PIXELS))  # noqa: E731
        assert np.all(np.isfinite(vae.iwae_bound(x, encoder, decoder, random(2, BATCH, LATENT))))


class TestLinearPosterior:
    def test_of_the_golden_case(self):
        mean, covariance = vae.linear_vae_posterior(
            np.array([[1.1]]), np.array([[1.7]]), np.zeros(1), 0.3, 4.0
        )
        np.testing.assert_allclose(mean, [[0.4572127]], atol=1e-7)
        np.testing.assert_allclose(covariance, [[0.2933985]], atol=1e-7)

    def test_is_the_conditional_of_the_joint(self):
        x, W, b = random(BATCH, PIXELS), random(PIXELS, LATENT), random(PIXELS)
        marginal = W @ W.T + VARIANCE * np.eye(PIXELS)
        gain = W.T @ np.linalg.inv(marginal)
        mean, covariance = vae.linear_vae_posterior(x, W, b, VARIANCE)
        np.testing.assert_allclose(mean, (x - b) @ gain.T)
        np.testing.assert_allclose(covariance, np.eye(LATENT) - gain @ W, atol=1e-12)

    @pytest.mark.parametrize("beta", [0.5, 4.0])
    def test_maximises_the_bound(self, beta):
        x, W, b = orthogonal_case()
        units = np.sqrt(LATENT) * np.concatenate([np.eye(LATENT), -np.eye(LATENT)])
        noise = np.tile(units[:, np.newaxis], (1, BATCH, 1))
        mean, covariance = vae.linear_vae_posterior(x, W, b, VARIANCE, beta)
        log_var = np.log(np.diag(covariance)) * np.ones((BATCH, 1))

        def bound(mean, log_var):
            decoder = lambda z: z @ W.T + b  # noqa: E731
            result = vae.elbo(x, lambda _: (mean, log_var), decoder, noise, beta, VARIANCE)
            return np.sum(result["elbo"])

        best = bound(np.asarray(mean), log_var)
        for direction in range(5):
            shift = 0.01 * random(BATCH, LATENT, seed=direction)
            assert bound(mean + shift, log_var) < best
            assert bound(np.asarray(mean), log_var + shift) < best


class TestConditionalBound:
    def test_appends_the_labels_to_both_inputs(self):
        x = np.random.default_rng(0).integers(0, 2, (BATCH, PIXELS)).astype(float)
        y, noise = np.array([0, 1, 1, 0, 1, 0, 0]), random(SAMPLES, BATCH, LATENT)
        A, W = random(PIXELS + 2, LATENT), random(LATENT + 2, PIXELS)

        def encoder(rows):
            return tf.matmul(rows, A), 0.3 * tf.matmul(rows, A)

        together = vae.conditional_elbo(x, y, 2, encoder, lambda z: z @ W, noise)
        for n in range(BATCH):
            label = np.eye(2)[y[[n]]]
            alone = vae.elbo(
                x[[n]],
                lambda rows, label=label: encoder(np.concatenate([rows, label], 1)),
                lambda z, label=label: tf.concat([z, np.tile(label, (len(z), 1))], 1) @ W,
                noise[:, [n]],
            )
            np.testing.assert_allclose(together[n], alone["elbo"][0])


class TestLearning:
    def test_a_step_moves_both_networks_downhill(self):
        encoder, decoder = vae.networks(PIXELS, LATENT, 6, seed=0)
        x = np.random.default_rng(0).integers(0, 2, (BATCH, PIXELS)).astype(np.float32)
        noise = random(1, BATCH, LATENT).astype(np.float32)
        before = [v.numpy() for v in (*encoder.variables, *decoder.variables)]
        optimizer = tf.keras.optimizers.SGD(0.01)
        loss = vae.train_step(x, noise, encoder, decoder, optimizer, 0.5)
        after = [v.numpy() for v in (*encoder.variables, *decoder.variables)]
        assert all(np.any(a != b) for a, b in zip(before, after, strict=True))
        assert -np.mean(vae.elbo(x, encoder, decoder, noise, 0.5)["elbo"]) < loss

    def test_reaches_more_than_independent_pixels(self):
        rows = np.random.default_rng(0).integers(0, 2, (400, 1)).astype(np.float32)
        images = np.tile(rows, (1, 6))  # all on or all off: log 2 is the best
        encoder, decoder = vae.train_vae(
            images, 2, 16, epochs=30, batch_size=40, learning_rate=0.02
        )
        noise = random(50, 400, 2).astype(np.float32)
        assert np.mean(vae.iwae_bound(images, encoder, decoder, noise)) > -1.2


class TestApplications:
    def test_observed_pixels_stay(self):
        encoder, decoder = linear_networks()
        x = np.random.default_rng(0).integers(0, 2, (BATCH, PIXELS)).astype(float)
        observed = np.random.default_rng(1).integers(0, 2, (BATCH, PIXELS)).astype(bool)
        filled = vae.vae_impute(x, observed, encoder, decoder, 3, generator())
        np.testing.assert_array_equal(np.asarray(filled)[observed], x[observed])
        assert np.isin(filled, [0, 1]).all()

    def test_the_chain_keeps_the_conditional(self):
        rows = 20_000
        _, W, b = orthogonal_case()
        encoder, decoder = exact_networks(None, W, b)
        observed = np.array([True, False, True, False, True])
        joint = W @ W.T + VARIANCE * np.eye(PIXELS)
        inverse = np.linalg.inv(joint[np.ix_(observed, observed)])
        gain = joint[np.ix_(~observed, observed)] @ inverse
        x_o = random(int(observed.sum()))
        mean = b[~observed] + gain @ (x_o - b[observed])
        covariance = (
            joint[np.ix_(~observed, ~observed)] - gain @ joint[np.ix_(observed, ~observed)]
        )
        x = np.zeros((rows, PIXELS))
        x[:, observed] = x_o
        draws = np.random.default_rng(0).multivariate_normal(mean, covariance, rows)
        x[:, ~observed] = draws
        mask = np.tile(observed, (rows, 1))
        filled = vae.vae_impute(x, mask, encoder, decoder, 1, generator(), VARIANCE)
        moved = np.asarray(filled)[:, ~observed]
        error = 6 * np.sqrt(np.diag(covariance) / rows)
        assert np.all(np.abs(moved.mean(0) - mean) < error)
        np.testing.assert_allclose(np.cov(moved.T), covariance, atol=0.06)
        assert np.mean(moved == draws) == 0

    def test_the_score_is_minus_the_bound(self):
        x, noise = np.ones((BATCH, PIXELS)), random(SAMPLES, BATCH, LATENT)
        networks = linear_networks()
        score = vae.vae_anomaly_score(x, *networks, noise)
        np.testing.assert_allclose(score, -vae.iwae_bound(x, *networks, noise))
