"""Autoregressive models: likelihoods that sum to 1, dependencies that respect the order."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from reference import autoregressive as ar
from reference import data

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def random(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def all_states(units, values=2):
    return np.array(list(itertools.product(range(values), repeat=units)))


def dependence(function, x):
    """Which outputs (row) depend on which inputs (column), of functions of one row."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return np.abs(tape.jacobian(y, x).numpy().reshape(len(y[0]), -1)) > 0


class TestNade:
    def case(self, D, H=3):
        return random(H, D), random(D, H), random(D), random(H)

    def test_probabilities_sum_to_one(self):
        states = all_states(8).astype(float)
        total = np.exp(ar.nade_log_prob(states, *self.case(8))).sum()
        np.testing.assert_allclose(total, 1)

    def test_is_the_recursion(self):
        W, V, b, c = self.case(5)
        for x in all_states(5)[[3, 17, 30]].astype(float):
            a, total = c.copy(), 0.0
            for d in range(5):
                p = 1 / (1 + np.exp(-b[d] - V[d] @ (1 / (1 + np.exp(-a)))))
                total += np.log(p if x[d] else 1 - p)
                a += W[:, d] * x[d]
            np.testing.assert_allclose(ar.nade_log_prob(x[None], W, V, b, c), [total])

    @each_dtype
    def test_keeps_the_dtype_and_survives_large_logits(self, dtype):
        W, V, b, c = (100 * array.astype(dtype) for array in self.case(5))
        seen = ar.nade_log_prob(all_states(5).astype(dtype), W, V, b, c)
        assert seen.dtype == dtype
        assert np.all(np.isfinite(seen))


class TestMade:
    # An order that is not its own inverse.
    order = np.array([2, 0, 3, 1, 4])

    def test_connects_exactly_what_the_order_allows(self):
        masks = ar.made_masks(5, [200, 200], self.order, np.random.default_rng(0))
        assert [mask.shape for mask in masks] == [(5, 200), (200, 200), (200, 5)]
        paths = masks[0] @ masks[1] @ masks[2] > 0
        np.testing.assert_array_equal(paths, self.order[:, None] < self.order)

    def test_connects_every_hidden_unit(self):
        for seed in range(20):
            masks = ar.made_masks(5, [4, 3, 6], self.order, np.random.default_rng(seed))
            for mask in masks[:-1]:
                assert np.all(mask.sum(axis=0) > 0)

    def test_probabilities_sum_to_one(self):
        masks = ar.made_masks(9, [20, 15], np.arange(9)[::-1], np.random.default_rng(1))
        weights = [(random(*mask.shape), random(mask.shape[1])) for mask in masks]
        total = np.exp(ar.made_log_prob(all_states(9).astype(float), weights, masks)).sum()
        np.testing.assert_allclose(total, 1)

    def test_logits_depend_on_lower_ranks_only(self):
        masks = ar.made_masks(5, [60, 50], self.order, np.random.default_rng(2))
        weights = [(random(*mask.shape), random(mask.shape[1])) for mask in masks]
        seen = dependence(lambda x: ar._made_logits(x, weights, masks), random(1, 5))
        np.testing.assert_array_equal(seen, self.order < self.order[:, None])


class TestPixelCnn:
    def stack(self, kinds, n_colors=1, channels=6, seed=0):
        sizes = [n_colors, *[channels] * (len(kinds) - 1), n_colors]
        masks = [
            ar.pixelcnn_mask(3, 5, size, other, n_colors, kind)
            for size, other, kind in zip(sizes, sizes[1:], kinds, strict=False)
        ]
        layers = [(random(*mask.shape, seed=seed), random(mask.shape[-1])) for mask in masks]

        def logits(x):
            for (kernel, bias), mask in zip(layers, masks, strict=True):
                x = tf.tanh(ar.masked_conv(x, kernel, bias, mask))
            return x

        return logits

    def test_masks_of_one_colour(self):
        mask = ar.pixelcnn_mask(3, 3, 1, 1, 1, "A")[..., 0, 0]
        np.testing.assert_array_equal(mask, [[1, 1, 1], [1, 0, 0], [0, 0, 0]])
        mask = ar.pixelcnn_mask(3, 3, 1, 1, 1, "B")[..., 0, 0]
        np.testing.assert_array_equal(mask, [[1, 1, 1], [1, 1, 0], [0, 0, 0]])

    def test_colours_at_the_centre(self):
        for kind, due in (("A", np.triu(np.ones((3, 3)), 1)), ("B", np.triu(np.ones((3, 3))))):
            centre = ar.pixelcnn_mask(3, 3, 3, 6, 3, kind)[1, 1]
            np.testing.assert_array_equal(centre, np.repeat(due, 2, axis=1))

    def test_a_stack_sees_the_past_and_nothing_else(self):
        # One row up, a kernel five wide reaches two to the right: no blind spot three wide.
        seen = dependence(lambda x: tf.reshape(self.stack("ABBB")(x), (1, 9)), random(1, 3, 3, 1))
        np.testing.assert_array_equal(seen, np.tril(np.ones((9, 9), bool), -1))

    def test_colours_see_the_colours_before_them(self):
        x = random(1, 2, 2, 3)
        function = self.stack("AB", n_colors=3)
        jacobian = dependence(lambda x: tf.reshape(function(x), (1, 12)), x)
        np.testing.assert_array_equal(np.triu(jacobian), 0)

    def test_probabilities_sum_to_one(self):
        images = all_states(6).astype(float).reshape(-1, 2, 3, 1)
        logits = self.stack("AB")(images)
        total = np.exp(ar.bernoulli_log_prob(images.reshape(64, 6), tf.reshape(logits, (64, 6))))
        np.testing.assert_allclose(total.sum(), 1)


class TestAttention:
    def case(self, width=6):
        return random(2, 5, width), *(random(width, width, seed=seed) for seed in range(4))

    def test_is_the_loop(self):
        x, Wq, Wk, Wv, Wo = self.case()
        due = np.zeros_like(x)
        for n, t in itertools.product(range(2), range(5)):
            blocks = []
            for head in range(3):
                block = slice(2 * head, 2 * head + 2)
                q, k, v = x[n, t] @ Wq[:, block], x[n] @ Wk[:, block], x[n] @ Wv[:, block]
                weight = np.exp(k[: t + 1] @ q / np.sqrt(2))
                blocks.append(weight @ v[: t + 1] / weight.sum())
            due[n, t] = np.concatenate(blocks) @ Wo
        np.testing.assert_allclose(ar.causal_attention(x, Wq, Wk, Wv, Wo, 3), due)

    def test_future_changes_nothing(self):
        x, *weights = self.case()
        seen = ar.causal_attention(x, *weights, 3)
        x[:, 3:] += 7
        np.testing.assert_array_equal(ar.causal_attention(x, *weights, 3)[:, :3], seen[:, :3])

    def test_of_a_constant_value_is_this_value(self):
        x, Wq, Wk, _, _ = self.case()
        x[..., 0] = 1
        Wv = np.zeros((6, 6))
        Wv[0] = np.arange(6)
        seen = ar.causal_attention(x, Wq, Wk, Wv, np.eye(6), 3)
        np.testing.assert_allclose(seen, np.broadcast_to(np.arange(6.0), x.shape))

    def test_survives_large_scores(self):
        x, *weights = self.case()
        assert np.all(np.isfinite(ar.causal_attention(100 * x, *weights, 2)))


class TestSequences:
    def test_shift(self):
        np.testing.assert_array_equal(
            ar.shift_right(np.array([[3, 1, 4], [1, 5, 9]]), 7), [[7, 3, 1], [7, 1, 5]]
        )

    def test_probabilities_sum_to_one(self):
        tokens = all_states(4, 3)
        _, logits = ar.transformer(4, 3, 1, 8, 2, seed=0)
        nll = ar.sequence_nll(logits(tokens), tokens)
        np.testing.assert_allclose(np.exp(-nll).sum(), 1, rtol=1e-5)

    def test_nll_adds_up_over_positions(self):
        logits, tokens = random(7, 4, 3), np.random.default_rng(0).integers(0, 3, (7, 4))
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        due = -np.take_along_axis(log_p, tokens[..., None], -1).sum((1, 2))
        np.testing.assert_allclose(ar.sequence_nll(logits, tokens), due)


class TestSampling:
    def test_top_k_keeps_lower_indices_of_equals(self):
        seen = ar.top_k_filter(np.array([[1.0, 3, 3, 3, 2]]), 2)
        np.testing.assert_array_equal(seen, [[-np.inf, 3, 3, -np.inf, -np.inf]])

    def test_temperature(self):
        np.testing.assert_allclose(ar.temperature_scale(np.array([2.0, -4.0]), 4.0), [0.5, -1])

    def model(self):
        masks = ar.made_masks(4, [9], np.arange(4), np.random.default_rng(0))
        weights = [(2 * random(*mask.shape), random(mask.shape[1])) for mask in masks]

        def logits(tokens):
            one = ar._made_logits(tf.cast(tokens, tf.float64), weights, masks)
            return tf.stack([tf.zeros_like(one), one], axis=-1)

        return logits, np.exp(ar.made_log_prob(all_states(4).astype(float), weights, masks))

    def test_has_the_law_of_the_model(self):
        logits, law = self.model()
        drawn = ar.sample_autoregressive(logits, (20_000, 4), tf.random.Generator.from_seed(1))
        counts = np.bincount(drawn.numpy() @ [8, 4, 2, 1], minlength=16)
        spread = np.sqrt(20_000 * law * (1 - law))
        assert np.all(np.abs(counts - 20_000 * law) < 5 * spread + 1)

    def test_completes_given_the_law_of_what_comes_before(self):
        logits, law = self.model()
        initial = np.tile([1, 0, 0, 1], (20_000, 1))
        observed = np.tile([True, True, False, False], (20_000, 1))
        rng = tf.random.Generator.from_seed(2)
        drawn = ar.sample_autoregressive(
            logits, (20_000, 4), rng, initial=initial, observed=observed
        ).numpy()
        assert np.all(drawn[:, :2] == [1, 0])
        due = law[8:12] / law[8:12].sum()
        counts = np.bincount(drawn[:, 2:] @ [2, 1], minlength=4)
        assert np.all(np.abs(counts - 20_000 * due) < 5 * np.sqrt(20_000 * due * (1 - due)))

    def test_cold_or_choosy_is_the_largest(self):
        logits, _ = self.model()
        due = np.zeros((1, 4), int)
        for t in range(4):
            due[:, t] = np.argmax(logits(due)[:, t], axis=-1)
        for options in ({"temperature": 1e-6}, {"top_k": 1}):
            rng = tf.random.Generator.from_seed(3)
            seen = ar.sample_autoregressive(logits, (6, 4), rng, **options)
            np.testing.assert_array_equal(seen, np.tile(due, (6, 1)))


@pytest.mark.parametrize("kind", ["made", "pixelcnn", "transformer"])
def test_training_beats_independent_pixels(kind):
    digits = data.binary_digits()
    if kind == "made":
        variables, logits = ar.made(64, [128], 0)
    elif kind == "pixelcnn":
        variables, logits = ar.pixelcnn(8, 1, 16, 0)
    else:
        variables, logits = ar.transformer(64, 2, 1, 16, 2, 0)

    def log_prob(x):
        if kind == "transformer":
            return -ar.sequence_nll(logits(x), tf.cast(x, tf.int32))
        return ar.bernoulli_log_prob(x, logits(x))

    before = float(tf.reduce_mean(log_prob(digits.test)))
    ar.train_autoregressive(log_prob, variables, digits.train, 8, 100, 1e-2)
    after = float(tf.reduce_mean(log_prob(digits.test)))
    assert before < -40
    assert after > -25
