"""Denoising diffusion: each function against an exact oracle, and laws."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats

from reference import data, diffusion

BATCH, D = 7, 3
BETAS = np.array([0.3, 0.2, 0.5, 0.4, 0.6])
MEAN, VARIANCE = np.array([1.0, -0.5, 0.2]), np.array([0.25, 1.44, 0.6])

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def random(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def generator(seed=3):
    return tf.random.Generator.from_seed(seed)


def coarse():
    """A schedule of five levels, whose variances neither rise nor fall."""
    alphas = 1 - BETAS
    return {"betas": BETAS, "alphas": alphas, "alpha_bars": np.cumprod(alphas)}


def exact_model(schedule=None):
    return diffusion.gaussian_noise_model(MEAN, VARIANCE, schedule or coarse())


class TestSchedules:
    def test_of_the_paper_leaves_little(self):
        schedule = diffusion.linear_schedule(1000, 1e-4, 0.02)
        np.testing.assert_allclose(schedule["alpha_bars"][-1], 4.0358e-5, rtol=1e-4)
        assert {values.dtype for values in schedule.values()} == {tf.float64}

    def test_cosine_keeps_what_the_curve_says(self):
        schedule = diffusion.cosine_schedule(50)
        f = np.cos((np.arange(51) / 50 + 0.008) / 1.008 * np.pi / 2) ** 2
        np.testing.assert_allclose(schedule["alpha_bars"][:-1], f[1:-1] / f[0])
        assert schedule["betas"][-1] == 0.999

    def test_are_products(self):
        for schedule in (
            diffusion.linear_schedule(7, 0.1, 0.5),
            diffusion.cosine_schedule(7, 0.1, 0.6),
        ):
            np.testing.assert_allclose(schedule["alphas"], 1 - schedule["betas"])
            np.testing.assert_allclose(schedule["alpha_bars"], np.cumprod(schedule["alphas"]))


class TestNoising:
    def test_is_all_single_steps(self):
        mean, variance = random(D), np.zeros(D)
        x0 = mean
        for t, beta in enumerate(BETAS):
            mean, variance = np.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
            for noise, due in ((np.zeros(D), mean), (np.ones(D), mean + np.sqrt(variance))):
                seen = diffusion.q_sample(x0[None], [t], noise[None], coarse())
                np.testing.assert_allclose(seen[0], due)

    def test_takes_images(self):
        x0, noise, t = (
            random(BATCH, 6, 5, 2),
            random(BATCH, 6, 5, 2, seed=1),
            [0, 1, 2, 3, 4, 0, 2],
        )
        seen = diffusion.q_sample(x0, t, noise, coarse())
        for n in range(BATCH):
            one = diffusion.q_sample(
                x0[n].reshape(1, -1), t[n : n + 1], noise[n].reshape(1, -1), coarse()
            )
            np.testing.assert_allclose(seen[n].numpy().ravel(), one[0])

    @each_dtype
    def test_keeps_the_dtype(self, dtype):
        x = random(2, D).astype(dtype)
        assert diffusion.q_sample(x, [0, 4], x, coarse()).dtype == dtype
        for one in diffusion.posterior_mean_var(x, x, [0, 4], coarse()):
            assert one.dtype == dtype
        noise = random(5, 2, D).astype(dtype)
        assert diffusion.vlb_terms(exact_model(), x, noise, coarse()).dtype == dtype
        assert diffusion.ddim_step(exact_model(), x, 3, 1, 0.5, x, coarse()).dtype == dtype


class TestLoss:
    def test_of_a_model_that_knows_the_data_is_its_error(self):
        x0, noise, t = random(BATCH, D), random(BATCH, D, seed=1), np.array([0, 1, 2, 3, 4, 0, 2])
        left = coarse()["alpha_bars"][t][:, None]

        def model(x, levels):
            assert levels.shape == (BATCH,)
            return (x - np.sqrt(left) * x0) / np.sqrt(1 - left) + np.arange(BATCH)[:, None]

        loss = diffusion.ddpm_loss(model, x0, t, noise, coarse())
        np.testing.assert_allclose(loss, np.arange(BATCH) ** 2, atol=1e-12)

    def test_is_least_for_the_exact_model(self):
        x0 = MEAN + np.sqrt(VARIANCE) * random(20_000, D)
        t, noise = np.arange(20_000) % 5, random(20_000, D, seed=1)

        def losses(factor):
            model = exact_model()
            return diffusion.ddpm_loss(
                lambda x, t: factor * model(x, t), x0, t, noise, coarse()
            ).numpy()

        for factor in (0.9, 1.1):
            difference = losses(factor) - losses(1.0)
            assert difference.mean() > 4 * difference.std() / np.sqrt(20_000)


class TestStepBack:
    def test_is_bayes_rule(self):
        schedule, x0, x_t = coarse(), 0.7, -1.1
        for t in range(1, 5):
            before, beta = schedule["alpha_bars"][t - 1], BETAS[t]
            prior = stats.norm(np.sqrt(before) * x0, np.sqrt(1 - before))

            def joint(x, prior=prior, beta=beta):
                return prior.pdf(x) * stats.norm(np.sqrt(1 - beta) * x, np.sqrt(beta)).pdf(x_t)

            moments = [
                integrate.quad(lambda x, k=k, joint=joint: x**k * joint(x), -9, 9)[0]
                for k in range(3)
            ]
            mean, variance = diffusion.posterior_mean_var([[x0]], np.array([[x_t]]), [t], schedule)
            np.testing.assert_allclose(mean, [[moments[1] / moments[0]]])
            due = moments[2] / moments[0] - (moments[1] / moments[0]) ** 2
            np.testing.assert_allclose(variance, [[due]])

    def test_before_level_0_are_the_data(self):
        x0, x_t = random(BATCH, D), random(BATCH, D, seed=1)
        mean, variance = diffusion.posterior_mean_var(x0, x_t, [0] * BATCH, coarse())
        np.testing.assert_allclose(mean, x0)
        np.testing.assert_array_equal(variance, np.zeros((BATCH, 1)))

    def test_guess_undoes_noising(self):
        x0, noise, t = random(BATCH, D), random(BATCH, D, seed=1), [0, 1, 2, 3, 4, 0, 2]
        x_t = diffusion.q_sample(x0, t, noise, coarse())
        np.testing.assert_allclose(diffusion.predict_x0(x_t, t, noise, coarse()), x0)

    def test_mean_by_the_noise_is_the_mean_by_the_data(self):
        x_t, none = random(BATCH, D), np.zeros((BATCH, D))
        for t in range(5):
            guess = exact_model()(x_t, tf.fill((BATCH,), t)).numpy()
            left = coarse()["alpha_bars"][t]
            due = (x_t - BETAS[t] / np.sqrt(1 - left) * guess) / np.sqrt(1 - BETAS[t])
            seen = diffusion.p_sample(exact_model(), x_t, t, none, coarse(), "beta")
            np.testing.assert_allclose(seen, due)


class TestExactModel:
    def test_is_the_mean_noise(self):
        t, x = 2, 0.4
        left = coarse()["alpha_bars"][t]

        def weight(x0):
            return stats.norm(MEAN[0], np.sqrt(VARIANCE[0])).pdf(x0) * stats.norm(
                np.sqrt(left) * x0, np.sqrt(1 - left)
            ).pdf(x)

        def moment(f):
            return integrate.quad(lambda x0: f(x0) * weight(x0), -9, 9)[0]

        due = moment(lambda x0: (x - np.sqrt(left) * x0) / np.sqrt(1 - left)) / moment(lambda _: 1)
        seen = exact_model()(tf.fill((1, D), tf.cast(x, tf.float64)), tf.constant([t]))
        np.testing.assert_allclose(seen[0, 0], due)


def recursion(schedule, variance_type):
    """Mean and variance of what the sampler draws with the exact model."""
    mean, variance, model = np.zeros((1, D)), np.ones(D), exact_model(schedule)
    for t in reversed(range(len(schedule["betas"]))):

        def step(x, t=t):
            none = np.zeros((1, D))
            return diffusion.p_sample(model, x, t, none, schedule, variance_type).numpy()

        shift = step(np.zeros((1, D)))
        gain = step(np.ones((1, D))) - shift
        noise = diffusion.p_sample(
            model, np.zeros((1, D)), t, np.ones((1, D)), schedule, variance_type
        )
        mean, variance = gain * mean + shift, gain[0] ** 2 * variance + (noise - shift)[0] ** 2
    return mean[0], np.asarray(variance)


class TestSampling:
    @pytest.mark.parametrize("variance_type", ["beta", "posterior"])
    def test_has_the_law_of_the_recursion(self, variance_type):
        x = diffusion.sample_ddpm(
            exact_model(), (20_000, D), coarse(), generator(), variance_type
        ).numpy()
        mean, variance = recursion(coarse(), variance_type)
        z = (x.mean(0) - mean) / np.sqrt(variance / 20_000)
        assert np.abs(z).max() < 4
        z = (x.var(0) / variance - 1) / np.sqrt(2 / 20_000)
        assert np.abs(z).max() < 4

    def test_of_many_steps_has_nearly_the_law_of_the_data(self):
        schedule = diffusion.linear_schedule(60, 5e-3, 0.25)
        mean, variance = recursion(schedule, "posterior")
        np.testing.assert_allclose(mean, MEAN, atol=0.01)
        np.testing.assert_allclose(variance, VARIANCE, rtol=0.2)

    def test_of_one_point_ends_there(self):
        point = np.array([1.5, -2.0, 0.3])
        model = diffusion.gaussian_noise_model(point, np.zeros(D), coarse())
        x = diffusion.sample_ddpm(model, (4, D), coarse(), generator(), "beta")
        np.testing.assert_allclose(x, np.tile(point, (4, 1)), atol=1e-4)


class TestFewerSteps:
    def test_levels_fall_evenly(self):
        for T in (5, 23, 50, 1000):
            for S in range(2, min(T, 40) + 1):
                levels = diffusion.ddim_timesteps(T, S).numpy()
                gaps = -np.diff(levels)
                assert levels[0] == T - 1
                assert levels[-1] == 0
                assert len(levels) == S
                assert gaps.min() >= 1
                assert gaps.max() - gaps.min() <= 1

    def test_gain_of_the_papers_schedule(self):
        schedule = diffusion.linear_schedule(1000, 1e-4, 0.02)
        model = diffusion.gaussian_noise_model([0.0], [0.25], schedule)
        x = tf.ones((1, 1), tf.float64)
        for t in reversed(range(1000)):
            x = diffusion.ddim_step(model, x, t, t - 1, 0.0, 0.0, schedule)
        np.testing.assert_allclose(x, [[0.498495]], atol=5e-7)

    def test_with_all_noise_is_ddpm(self):
        x, noise = random(BATCH, D), random(BATCH, D, seed=1)
        for t in range(5):
            due = diffusion.p_sample(exact_model(), x, t, noise, coarse(), "posterior")
            seen = diffusion.ddim_step(exact_model(), x, t, t - 1, 1.0, noise, coarse())
            np.testing.assert_allclose(seen, due, atol=1e-7)

    def test_keeps_the_level_of_noise(self):
        # With the true noise, a leap has the mean and the variance of q(x_p | x_0).
        x0, noise, other = (random(1, D, seed=seed) for seed in range(3))
        left, before = coarse()["alpha_bars"][[4, 1]]
        x_t = diffusion.q_sample(x0, [4], noise, coarse())
        for eta in (0.0, 0.6, 1.0):
            sigma = eta * np.sqrt((1 - before) / (1 - left) * (1 - left / before))
            seen = diffusion.ddim_step(lambda x, t: noise, x_t, 4, 1, eta, other, coarse())
            due = np.sqrt(before) * x0 + np.sqrt(1 - before - sigma**2) * noise + sigma * other
            np.testing.assert_allclose(seen, due)


class TestLabels:
    def test_are_dropped_at_the_rate(self):
        y = np.arange(20_000) % 5
        dropped = diffusion.drop_labels(y, 0.3, 5, generator()).numpy()
        assert set(dropped[dropped != y]) == {5}
        assert abs((dropped == 5).mean() - 0.3) < 4 * np.sqrt(0.21 / 20_000)
        assert dropped.dtype == y.dtype

    def test_guidance_is_linear(self):
        table = random(4, D)
        x, t, y = random(BATCH, D, seed=1), [0] * BATCH, np.array([0, 1, 2, 0, 1, 2, 0])

        def model(x, t, y):
            del t
            return tf.sin(x) + tf.gather(table, y)

        at = {w: diffusion.cfg_eps(model, x, t, y, w, 3).numpy() for w in (-1.0, 0.0, 2.0)}
        np.testing.assert_allclose(at[-1.0], np.sin(x) + table[3])
        np.testing.assert_allclose(at[0.0], np.sin(x) + table[y])
        np.testing.assert_allclose(at[2.0], 3 * at[0.0] - 2 * at[-1.0])


def mean_terms(schedule):
    """The mean of each term over data and noise: opposite draws average a quadratic exactly."""
    units = np.sqrt(2 * D) * np.concatenate([np.eye(2 * D), -np.eye(2 * D)])
    noise = np.tile(units[:, D:], (len(schedule["betas"]), 1, 1))
    x0 = MEAN + np.sqrt(VARIANCE) * units[:, :D]
    return diffusion.vlb_terms(exact_model(schedule), x0, noise, schedule).numpy().mean(1)


class TestBound:
    def test_terms_are_divergences(self):
        x0, noise, schedule = random(BATCH, D), random(5, BATCH, D), coarse()
        terms = diffusion.vlb_terms(exact_model(), x0, noise, schedule).numpy()
        assert terms.shape == (6, BATCH)
        for t in range(1, 5):
            x_t = diffusion.q_sample(x0, [t] * BATCH, noise[t], schedule)
            guess = exact_model()(x_t, tf.fill((BATCH,), t))
            x0_guess = diffusion.predict_x0(x_t, [t] * BATCH, guess, schedule)
            mean, _ = diffusion.posterior_mean_var(x0_guess, x_t, [t] * BATCH, schedule)
            due, variance = diffusion.posterior_mean_var(x0, x_t, [t] * BATCH, schedule)
            std, parts = np.sqrt(variance[0, 0]), []
            for m, n in zip(mean.numpy()[0], due.numpy()[0], strict=True):
                p, q = stats.norm(m, std), stats.norm(n, std)

                def surprise(x, p=p, q=q):
                    return q.pdf(x) * (q.logpdf(x) - p.logpdf(x))

                parts.append(integrate.quad(surprise, n - 9 * std, n + 9 * std)[0])
            np.testing.assert_allclose(terms[t, 0], sum(parts))
        x_t = diffusion.q_sample(x0, [0] * BATCH, noise[0], schedule)
        mean = diffusion.p_sample(exact_model(), x_t, 0, 0 * x_t, schedule, "beta")
        density = stats.norm(mean, np.sqrt(BETAS[0])).logpdf(x0)
        np.testing.assert_allclose(terms[0], -density.sum(1))

    def test_lies_above_the_entropy(self):
        # Not at each x0: what is bounded is the density of the model, which is not that of data.
        entropy = stats.norm(MEAN, np.sqrt(VARIANCE)).entropy().sum()
        gaps = [
            mean_terms(schedule).sum() - entropy
            for schedule in (
                coarse(),
                diffusion.linear_schedule(20, 0.05, 0.4),
                diffusion.linear_schedule(200, 0.01, 0.06),
            )
        ]
        assert min(gaps) > 0

    def test_gap_of_the_papers_schedule(self):
        # .46 nats per dimension for a data variance of .25, from the first few steps.
        schedule = diffusion.linear_schedule(1000, 1e-4, 0.02)
        model = diffusion.gaussian_noise_model([0.0], [0.25], schedule)
        nodes, weights = np.polynomial.hermite_e.hermegauss(9)
        x0, noise = (a.reshape(-1, 1) for a in np.meshgrid(0.5 * nodes, nodes))
        weights = np.outer(weights, weights).ravel() / weights.sum() ** 2
        terms = diffusion.vlb_terms(model, x0, np.tile(noise, (1000, 1, 1)), schedule).numpy()
        gap = (terms.sum(0) @ weights) - stats.norm(0, 0.5).entropy()
        np.testing.assert_allclose(gap, 0.46, atol=0.01)


class TestRepaint:
    def test_puts_back_what_is_known(self):
        x, x0, noise = (random(BATCH, D, seed=seed) for seed in range(3))
        observed = random(BATCH, D, seed=3) > 0
        for t in range(-1, 4):
            left = coarse()["alpha_bars"][t] if t >= 0 else 1.0
            due = np.where(observed, np.sqrt(left) * x0 + np.sqrt(1 - left) * noise, x)
            seen = diffusion.repaint_step(x, x0, observed, t, noise, coarse())
            np.testing.assert_allclose(seen, due)

    def test_more_rounds_come_nearer_to_the_conditional_law(self):
        # Two numbers with correlation 0.9, the first one known: the second has the mean 0.9.
        schedule = diffusion.linear_schedule(20, 0.02, 0.5)
        covariance = np.array([[1, 0.9], [0.9, 1]])

        def model(x, t):
            left = tf.gather(schedule["alpha_bars"], t)[0].numpy()
            inverse = np.linalg.inv(left * covariance + (1 - left) * np.eye(2))
            return np.sqrt(1 - left) * x @ inverse

        x0, observed = np.tile([1.0, 0.0], (4000, 1)), np.tile([True, False], (4000, 1))
        biases = []
        for n_rounds in (1, 3, 9):
            x = diffusion.repaint(model, x0, observed, schedule, n_rounds, generator()).numpy()
            np.testing.assert_array_equal(x[:, 0], 1.0)
            biases.append(abs(x[:, 1].mean() - 0.9))
        assert biases[0] > 2 * biases[1] > 3 * biases[2]


class TestLearning:
    def test_reaches_a_ring(self):
        x = data.ring().sample(2000, np.random.default_rng(0)).astype(np.float32)
        schedule = diffusion.linear_schedule(40, 0.005, 0.3)
        model = diffusion.train_diffusion(x, np.zeros(2000), schedule, n_hidden=64, steps=1500)
        x = diffusion.sample_ddpm(
            lambda x, t: model(x, t, 0 * t), (500, 2), schedule, generator()
        ).numpy()
        radius = np.hypot(*x.T)
        assert abs(np.median(radius) - 2) < 0.1
        assert ((radius > 1.2) & (radius < 2.8)).mean() > 0.95
