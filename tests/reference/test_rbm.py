"""The restricted Boltzmann machine: each function against an exact oracle, and laws."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, logsumexp

from reference import rbm

# Sizes differ pairwise, so that no mistaken axis goes unseen.
BATCH, CHAINS, VISIBLE, HIDDEN = 7, 4, 5, 3

GOLDEN = {
    "W": np.array([[0.5, -1.0], [1.0, 0.25], [-0.75, 0.5]]),
    "b": np.array([0.1, -0.2, 0.3]),
    "c": np.array([-0.4, 0.2]),
}

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_form = pytest.mark.parametrize("form", [np.asarray, tf.constant], ids=["numpy", "tensor"])


def states(units):
    """All 0/1 states of so many units. Shape (2**units, units)."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=units)))


def parameters(n_visible=VISIBLE, n_hidden=HIDDEN, scale=1.0, seed=0):
    """W, b and c, float64."""
    random = np.random.default_rng(seed)
    sizes = (n_visible, n_hidden), n_visible, n_hidden
    return tuple(scale * random.normal(size=size) for size in sizes)


def batch(rows, units, seed=1):
    return np.random.default_rng(seed).integers(0, 2, (rows, units)).astype(float)


def generator(seed=3):
    return tf.random.Generator.from_seed(seed)


def energies(W, b, c):
    """E(v, h) of all pairs of states, by the definition. Shape (2**visible, 2**hidden)."""
    table = np.zeros((2 ** len(b), 2 ** len(c)))
    for i, v in enumerate(states(len(b))):
        for j, h in enumerate(states(len(c))):
            table[i, j] = -(b * v).sum() - (c * h).sum() - (np.outer(v, h) * W).sum()
    return table


def joint(W, b, c):
    """p(v, h) of all pairs of states."""
    negative = -energies(W, b, c)
    return np.exp(negative - logsumexp(negative))


def sweep_kernel(W, b, c):
    """p(v' | v) of one sweep, from the joint table alone. Rows sum to 1."""
    table = joint(W, b, c)
    h_given_v = table / table.sum(axis=1, keepdims=True)
    v_given_h = (table / table.sum(axis=0, keepdims=True)).T
    return h_given_v @ v_given_h


def index_of(rows):
    """The number of each 0/1 row in `states`."""
    return np.asarray(rows).astype(int) @ 2 ** np.arange(np.shape(rows)[1])[::-1]


def expect_law(numbers, probabilities):
    """The numbers fall as the probabilities say, by six standard deviations each."""
    count = len(numbers)
    seen = np.bincount(numbers, minlength=len(probabilities)) / count
    error = np.sqrt(probabilities * (1 - probabilities) / count)
    np.testing.assert_array_less(np.abs(seen - probabilities), 6 * error + 1e-12)


class Outcomes:
    """A generator whose uniform numbers make its comparisons come out as listed.

    `log_weight` collects the log-probability of what came out, row by row.
    """

    def __init__(self, bits):
        self.bits = bits
        self.log_weight = np.zeros(len(bits))

    def uniform(self, shape, dtype=None):
        return Comparison(self, tuple(int(size) for size in shape))


class Comparison:
    def __init__(self, outcomes, shape):
        self.outcomes = outcomes
        self.shape = shape

    def __lt__(self, p):
        outcomes, p = self.outcomes, np.broadcast_to(np.asarray(p), self.shape)
        bits = outcomes.bits[:, : self.shape[1]]
        assert bits.shape == self.shape
        outcomes.bits = outcomes.bits[:, self.shape[1] :]
        outcomes.log_weight += np.log(np.where(bits == 1, p, 1 - p)).sum(axis=1)
        return tf.constant(bits == 1)


# Energies


def test_energy_is_the_definition():
    W, b, c = parameters()
    v, h = states(VISIBLE), states(HIDDEN)
    pairs = rbm.rbm_energy(np.repeat(v, len(h), 0), np.tile(h, (len(v), 1)), W, b, c)
    np.testing.assert_allclose(pairs.numpy().reshape(len(v), len(h)), energies(W, b, c))


def test_free_energy_sums_out_the_hidden_units():
    W, b, c = parameters()
    due = -logsumexp(-energies(W, b, c), axis=1)
    np.testing.assert_allclose(rbm.rbm_free_energy(states(VISIBLE), W, b, c), due)


def test_free_energy_has_its_golden_value():
    value = rbm.rbm_free_energy(np.array([[1.0, 0.0, 1.0]]), **GOLDEN)
    assert abs(float(value[0]) - -1.3744105802) < 1e-10


def test_free_energy_has_the_slope_of_finite_differences():
    """Central differences in float64, in each entry of W, b and c."""
    v, given = batch(BATCH, VISIBLE), parameters()
    step = 1e-5
    for which, array in enumerate(given):
        with tf.GradientTape() as tape:
            tensors = [tf.constant(part) for part in given]
            tape.watch(tensors)
            total = tf.reduce_sum(rbm.rbm_free_energy(v, *tensors))
        slope = tape.gradient(total, tensors)[which].numpy()
        for index in np.ndindex(array.shape):
            moved = [part.copy() for part in given]
            sides = []
            for sign in (1, -1):
                moved[which][index] = array[index] + sign * step
                sides.append(rbm.rbm_free_energy(v, *moved).numpy().sum())
            assert abs((sides[0] - sides[1]) / (2 * step) - slope[index]) < 1e-7


@each_dtype
def test_free_energy_of_activations_of_800_is_finite_with_its_slope(dtype):
    W = np.array([[800.0, -800.0]], dtype)
    b, c = np.zeros(1, dtype), np.zeros(2, dtype)
    tensors = [tf.constant(array) for array in (W, b, c)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = rbm.rbm_free_energy(np.ones((1, 1), dtype), *tensors)
    np.testing.assert_allclose(value, [-800.0])
    slopes = tape.gradient(value, tensors)
    np.testing.assert_array_equal(slopes[0], [[-1.0, 0.0]])
    np.testing.assert_array_equal(slopes[2], [-1.0, 0.0])


def test_the_anomaly_score_is_the_free_energy():
    W, b, c = parameters()
    v = batch(BATCH, VISIBLE)
    score, log_prob = rbm.rbm_anomaly_score(v, W, b, c), rbm.rbm_log_prob(v, W, b, c)
    np.testing.assert_array_equal(score, rbm.rbm_free_energy(v, W, b, c))
    np.testing.assert_array_equal(np.argsort(score), np.argsort(-log_prob.numpy()))


# Conditionals


def test_conditionals_are_those_of_the_joint():
    W, b, c = parameters()
    table = joint(W, b, c)
    due = table @ states(HIDDEN) / table.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(rbm.p_h_given_v(states(VISIBLE), W, c), due)
    due = table.T @ states(VISIBLE) / table.T.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(rbm.p_v_given_h(states(HIDDEN), W, b), due)


@each_dtype
def test_conditionals_of_extreme_activations_are_zero_and_one(dtype):
    W = np.array([[1000.0, -1000.0]], dtype)
    zeros = np.zeros(2, dtype)
    np.testing.assert_array_equal(rbm.p_h_given_v(np.ones((1, 1), dtype), W, zeros), [[1, 0]])
    h = np.array([[1.0, 0.0], [0.0, 1.0]], dtype)
    np.testing.assert_array_equal(rbm.p_v_given_h(h, W, zeros[:1]), [[1], [0]])


# Gibbs sampling


@pytest.mark.parametrize("k", [0, 1, 2])
def test_gibbs_has_the_law_of_the_kernels_power(k):
    """Every outcome of every draw, with its probability: the joint law of (v_k, h_k), exactly."""
    W, b, c = parameters(3, 2, scale=1.5)
    table = joint(W, b, c)
    h_given_v = table / table.sum(axis=1, keepdims=True)
    bits = states(2 + k * (3 + 2))
    for start, v0 in enumerate(states(3)):
        outcomes = Outcomes(bits)
        v, h = rbm.gibbs_k(np.tile(v0, (len(bits), 1)), W, b, c, k, outcomes)
        seen = np.zeros((8, 4))
        np.add.at(seen, (index_of(v), index_of(h)), np.exp(outcomes.log_weight))
        after = np.linalg.matrix_power(sweep_kernel(W, b, c), k)[start]
        np.testing.assert_allclose(seen, after[:, np.newaxis] * h_given_v, atol=1e-14)
        assert outcomes.bits.shape[1] == 0


def test_gibbs_draws_have_that_law_with_a_real_generator():
    W, b, c = parameters(3, 2, scale=1.5)
    v, h = rbm.gibbs_k(np.zeros((200_000, 3)), W, b, c, 2, generator())
    table = joint(W, b, c)
    h_given_v = table / table.sum(axis=1, keepdims=True)
    law = np.linalg.matrix_power(sweep_kernel(W, b, c), 2)[0][:, np.newaxis] * h_given_v
    expect_law(4 * index_of(v) + index_of(h), law.ravel())


def test_the_sweep_leaves_the_model_as_it_is():
    W, b, c = parameters(3, 2)
    law = joint(W, b, c).sum(axis=1)
    np.testing.assert_allclose(law @ sweep_kernel(W, b, c), law, rtol=1e-13)


# Learning


def test_cd_gradient_is_minus_the_tape_gradient_of_the_free_energies():
    v_positive, v_negative = batch(BATCH, VISIBLE), batch(CHAINS, VISIBLE, seed=2)
    tensors = [tf.constant(array) for array in parameters()]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        loss = tf.reduce_mean(rbm.rbm_free_energy(v_positive, *tensors))
        loss -= tf.reduce_mean(rbm.rbm_free_energy(v_negative, *tensors))
    for seen, slope in zip(
        rbm.cd_gradient(v_positive, v_negative, *tensors),
        tape.gradient(loss, tensors),
        strict=True,
    ):
        np.testing.assert_allclose(seen, -slope, rtol=1e-12, atol=1e-15)


def test_cd_gradient_with_exact_samples_is_the_slope_of_the_likelihood():
    """Negative states that stand in the model's proportions give d/dtheta mean log p(v)."""
    W, b, c = (tf.constant(array) for array in parameters(3, 2))
    v = batch(BATCH, 3)
    weights = joint(W.numpy(), b.numpy(), c.numpy()).sum(axis=1)
    copies = np.rint(weights * 2_000_000).astype(int)
    v_negative = np.repeat(states(3), copies, axis=0)
    with tf.GradientTape() as tape:
        tape.watch([W, b, c])
        log_prob = tf.reduce_mean(rbm.rbm_log_prob(v, W, b, c))
    slopes = tape.gradient(log_prob, [W, b, c])
    for seen, slope in zip(rbm.cd_gradient(v, v_negative, W, b, c), slopes, strict=True):
        np.testing.assert_allclose(seen, slope, atol=1e-5)


def test_cd_gradient_vanishes_where_samples_are_the_data():
    v = batch(BATCH, VISIBLE)
    for direction in rbm.cd_gradient(v, np.tile(v, (3, 1)), *parameters()):
        np.testing.assert_allclose(direction, 0, atol=1e-15)


def test_pcd_steps_along_the_gradient_at_the_old_parameters():
    given, chain, v = parameters(), batch(CHAINS, VISIBLE), batch(BATCH, VISIBLE, seed=2)
    new, moved = rbm.pcd_step(given, chain, v, 2, 0.25, generator())
    due_chain, _ = rbm.gibbs_k(chain, *given, 2, generator())
    np.testing.assert_array_equal(moved, due_chain)
    for after, before, slope in zip(new, given, rbm.cd_gradient(v, moved, *given), strict=True):
        np.testing.assert_allclose(after - before, 0.25 * slope, atol=1e-15)


def test_two_pcd_steps_without_learning_move_the_chain_as_one_of_two_sweeps():
    """Both laws, enumerated: the chain goes on from where it was."""
    given = parameters(3, 2)
    bits = states(2 * (2 + 3 + 2))
    v0, v = np.tile([1.0, 0.0, 1.0], (len(bits), 1)), batch(BATCH, 3)
    outcomes = Outcomes(bits)
    same, chain = rbm.pcd_step(given, v0, v, 1, 0.0, outcomes)
    _, chain = rbm.pcd_step(same, chain, v, 1, 0.0, outcomes)
    law = np.bincount(index_of(chain), np.exp(outcomes.log_weight), minlength=8)
    np.testing.assert_allclose(law, np.linalg.matrix_power(sweep_kernel(*given), 2)[5])


def test_pcd_step_changes_nothing_that_was_given():
    given = tuple(tf.Variable(array) for array in parameters())
    chain = tf.Variable(batch(CHAINS, VISIBLE))
    before = [array.numpy() for array in (*given, chain)]
    rbm.pcd_step(given, chain, batch(BATCH, VISIBLE), 1, 0.5, generator())
    for array, value in zip((*given, chain), before, strict=True):
        np.testing.assert_array_equal(array, value)


@pytest.mark.parametrize("persistent", [True, False], ids=["pcd", "cd"])
def test_training_approaches_the_data_it_learns_from(persistent):
    """Copied pairs of bits, 2 nats each row: independent units can only reach 4."""
    half = batch(400, 2)
    v = np.concatenate([half, half], axis=1).astype("float32")
    options = {"epochs": 150, "batch_size": 20, "learning_rate": 0.3, "persistent": persistent}
    W, b, c = rbm.train_rbm(v, 4, seed=0, n_chains=30, **options)
    assert W.shape == (4, 4)
    assert W.dtype == b.dtype == c.dtype == tf.float32
    log_prob = tf.reduce_mean(rbm.rbm_log_prob(v, W, b, c))
    assert log_prob > -4 * np.log(2) + 0.8 * 2 * np.log(2)


def test_training_repeats_with_its_seed_and_only_with_it():
    v = batch(20, VISIBLE)
    options = {"epochs": 2, "batch_size": 6, "n_chains": 4}
    first, second, other = (rbm.train_rbm(v, 3, seed=s, **options) for s in (1, 1, 2))
    for one, two, three in zip(first, second, other, strict=True):
        assert one.dtype == tf.float64
        np.testing.assert_array_equal(one, two)
        assert (one.numpy() != three.numpy()).any()


def test_training_with_more_rows_a_step_than_there_are_is_refused():
    with pytest.raises(ValueError, match=r"at most the 20 rows. Received: 21"):
        rbm.train_rbm(batch(20, VISIBLE), 3, seed=0, batch_size=21)


# The partition function


def test_log_partition_has_its_golden_value():
    assert abs(float(rbm.exact_log_partition(**GOLDEN)) - 3.7179042477) < 1e-10


@pytest.mark.parametrize("sizes", [(5, 3), (3, 5), (4, 4), (1, 6)])
def test_log_partition_sums_over_all_pairs_of_states(sizes):
    given = parameters(*sizes)
    due = logsumexp(-energies(*given))
    np.testing.assert_allclose(rbm.exact_log_partition(*given), due, rtol=1e-13)


@pytest.mark.parametrize("sizes", [(64, 12), (9, 40), (17, 15)])
def test_log_partition_of_many_units_is_the_sum_done_in_numpy(sizes):
    """Over the smaller layer; the last is more than one block of states."""
    W, b, c = parameters(*sizes, scale=0.5)
    if len(b) < len(c):
        W, b, c = W.T, c, b
    h = states(len(c))
    due = logsumexp(h @ c + np.logaddexp(0, b + h @ W.T).sum(axis=1))
    np.testing.assert_allclose(rbm.exact_log_partition(*parameters(*sizes, scale=0.5)), due)


def test_log_partition_of_unconnected_units_is_a_product():
    _, b, c = parameters(30, 17)
    due = np.logaddexp(0, b).sum() + np.logaddexp(0, c).sum()
    np.testing.assert_allclose(rbm.exact_log_partition(np.zeros((30, 17)), b, c), due)


@each_dtype
def test_log_partition_of_weights_20_times_as_large_is_finite_and_right(dtype):
    given = parameters(13, 8, scale=20.0)
    seen = rbm.exact_log_partition(*(array.astype(dtype) for array in given))
    negative = [rbm.rbm_free_energy(part, *given) for part in np.array_split(states(13), 4)]
    np.testing.assert_allclose(seen, logsumexp(-np.concatenate(negative)), rtol=1e-6)


def test_layers_too_large_to_sum_are_refused():
    with pytest.raises(ValueError, match=r"at most 20 units.* Received: 21"):
        rbm.exact_log_partition(*parameters(30, 21))


def test_log_probabilities_of_all_states_sum_to_one():
    log_prob = rbm.rbm_log_prob(states(VISIBLE), *parameters())
    assert abs(np.exp(log_prob).sum() - 1) < 1e-14
    np.testing.assert_allclose(np.exp(log_prob), joint(*parameters()).sum(axis=1), rtol=1e-12)


# Annealed importance sampling


def log_base_partition(b0, n_hidden):
    return np.logaddexp(0, b0).sum() + n_hidden * np.log(2)


@each_dtype
def test_ais_from_the_model_itself_is_exact(dtype):
    b0 = parameters()[1].astype(dtype)
    W, c = np.zeros((VISIBLE, HIDDEN), dtype), np.zeros(HIDDEN, dtype)
    betas = np.linspace(0, 1, 6, dtype=dtype)
    log_z, log_w = rbm.ais_log_partition(W, b0, c, b0, betas, CHAINS, generator())
    np.testing.assert_allclose(log_w, np.zeros(CHAINS), atol=1e-6)
    np.testing.assert_allclose(log_z, log_base_partition(b0, HIDDEN), rtol=1e-6)


@pytest.mark.parametrize("betas", [[0.0, 1.0], [0.0, 0.3, 1.0], [0.0, 0.2, 0.5, 1.0]])
def test_the_mean_weight_of_ais_is_the_ratio_of_partition_functions(betas):
    """Over every outcome of every draw: E[w] = Z / Z0 whatever the betas, exactly."""
    W, b, c = parameters(2, 2)
    b0 = np.array([0.7, -1.1])
    bits = states(2 + (len(betas) - 1) * (2 + 2))
    outcomes = Outcomes(bits)
    _, log_w = rbm.ais_log_partition(W, b, c, b0, np.array(betas), len(bits), outcomes)
    mean = np.exp(outcomes.log_weight) @ np.exp(log_w)
    due = logsumexp(-energies(W, b, c)) - log_base_partition(b0, 2)
    np.testing.assert_allclose(mean, np.exp(due), rtol=1e-12)
    assert outcomes.bits.shape[1] == 0


def test_the_ais_estimate_is_the_log_of_the_mean_weight():
    given = parameters()
    betas = np.array([0.0, 0.4, 1.0])
    log_z, log_w = rbm.ais_log_partition(*given, given[1], betas, 9, generator())
    due = log_base_partition(given[1], HIDDEN) + logsumexp(log_w) - np.log(9)
    np.testing.assert_allclose(log_z, due, rtol=1e-13)


def test_ais_with_1000_betas_is_close_where_one_step_is_not():
    W, b, c = parameters(10, 6, scale=2.0)
    exact, b0 = float(rbm.exact_log_partition(W, b, c)), np.zeros(10)
    close, _ = rbm.ais_log_partition(W, b, c, b0, np.linspace(0, 1, 1000), 100, generator())
    assert abs(float(close) - exact) < 0.15
    far, _ = rbm.ais_log_partition(W, b, c, b0, np.array([0.0, 1.0]), 100, generator())
    assert abs(float(far) - exact) > 0.5


# Applications


def conditional_mean(v, observed, W, b, c):
    """E[v | observed entries], by enumeration."""
    table, all_visible = joint(W, b, c).sum(axis=1), states(len(b))
    agrees = (all_visible == v)[:, observed].all(axis=1)
    return table[agrees] @ all_visible[agrees] / table[agrees].sum()


def test_imputed_values_are_the_conditional_means():
    W, b, c = parameters(4, 3, scale=1.5)
    v = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0]])
    observed = np.array([[True, False, True, False], [False, True, False, False]])
    due = [conditional_mean(*pair, W, b, c) for pair in zip(v, observed, strict=True)]
    rows = [np.repeat(array, 1000, axis=0) for array in (v, observed)]
    seen = rbm.rbm_impute(*rows, W, b, c, 30, 100, generator()).numpy()
    seen = seen.reshape(2, 1000, 4).mean(axis=1)
    np.testing.assert_allclose(seen, due, atol=0.01)


def test_imputing_keeps_what_is_observed_and_ignores_what_is_not():
    given, v = parameters(), batch(BATCH, VISIBLE)
    observed = batch(BATCH, VISIBLE, seed=5) == 1
    spoilt = np.where(observed, v, np.nan)
    # After one sweep only: later ones, with the same draws, would forget a different start.
    seen = rbm.rbm_impute(v, observed, *given, 0, 1, generator()).numpy()
    again = rbm.rbm_impute(spoilt, observed, *given, 0, 1, generator()).numpy()
    np.testing.assert_array_equal(seen, again)
    np.testing.assert_array_equal(seen[observed], v[observed])
    assert ((seen[~observed] > 0) & (seen[~observed] < 1)).all()


def test_imputing_does_not_count_the_first_sweeps():
    """One kept sweep after two: the same draws as three, of which only the last counts."""
    given, v, observed = parameters(), batch(BATCH, VISIBLE), np.zeros((BATCH, VISIBLE), bool)
    sums = [n * rbm.rbm_impute(v, observed, *given, 0, n, generator()) for n in (2, 3)]
    last = rbm.rbm_impute(v, observed, *given, 2, 1, generator())
    np.testing.assert_allclose(last, sums[1] - sums[0], rtol=1e-12)


def test_imputing_without_a_sweep_to_keep_is_refused():
    v = batch(BATCH, VISIBLE)
    with pytest.raises(ValueError, match=r"n_keep must be at least 1. Received: 0"):
        rbm.rbm_impute(v, v == 1, *parameters(), 5, 0, generator())


# What holds for all


def calls(form, dtype):
    """Each function's name with arguments of one form and dtype, random ones last."""
    W, b, c = (form(array.astype(dtype)) for array in parameters())
    v, chain = (form(batch(n, VISIBLE).astype(dtype)) for n in (BATCH, CHAINS))
    h = form(batch(BATCH, HIDDEN).astype(dtype))
    betas = form(np.linspace(0, 1, 4).astype(dtype))
    observed = form(batch(BATCH, VISIBLE) == 1)
    return {
        "rbm_energy": (v, h, W, b, c),
        "rbm_free_energy": (v, W, b, c),
        "rbm_anomaly_score": (v, W, b, c),
        "rbm_log_prob": (v, W, b, c),
        "p_h_given_v": (v, W, c),
        "p_v_given_h": (h, W, b),
        "cd_gradient": (v, chain, W, b, c),
        "exact_log_partition": (W, b, c),
        "gibbs_k": (v, W, b, c, 2, generator()),
        "pcd_step": ((W, b, c), chain, v, 2, 0.1, generator()),
        "ais_log_partition": (W, b, c, b, betas, 6, generator()),
        "rbm_impute": (v, observed, W, b, c, 1, 2, generator()),
    }


SHAPES = {
    "rbm_energy": [(BATCH,)],
    "rbm_free_energy": [(BATCH,)],
    "rbm_anomaly_score": [(BATCH,)],
    "rbm_log_prob": [(BATCH,)],
    "p_h_given_v": [(BATCH, HIDDEN)],
    "p_v_given_h": [(BATCH, VISIBLE)],
    "cd_gradient": [(VISIBLE, HIDDEN), (VISIBLE,), (HIDDEN,)],
    "exact_log_partition": [()],
    "gibbs_k": [(BATCH, VISIBLE), (BATCH, HIDDEN)],
    "pcd_step": [(VISIBLE, HIDDEN), (VISIBLE,), (HIDDEN,), (CHAINS, VISIBLE)],
    "ais_log_partition": [(), (6,)],
    "rbm_impute": [(BATCH, VISIBLE)],
}
each_name = pytest.mark.parametrize("name", SHAPES)


@each_name
@each_dtype
@each_form
def test_results_have_the_shape_and_dtype_promised(name, dtype, form):
    results = tf.nest.flatten(getattr(rbm, name)(*calls(form, dtype)[name]))
    assert [tuple(result.shape) for result in results] == SHAPES[name]
    assert all(result.dtype == dtype for result in results)
    assert all(np.isfinite(result).all() for result in results)


@each_name
def test_numpy_arrays_and_tensors_give_the_same(name):
    results = [
        tf.nest.flatten(getattr(rbm, name)(*calls(form, np.float64)[name]))
        for form in (np.asarray, tf.constant)
    ]
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@each_name
def test_arguments_are_left_as_they_were(name):
    arguments = calls(np.asarray, np.float64)[name]
    before = [np.copy(array) for array in tf.nest.flatten(arguments[:-1])]
    getattr(rbm, name)(*arguments)
    for array, value in zip(tf.nest.flatten(arguments[:-1]), before, strict=True):
        np.testing.assert_array_equal(array, value)


@pytest.mark.parametrize("name", ["gibbs_k", "pcd_step", "ais_log_partition", "rbm_impute"])
def test_all_randomness_comes_from_the_generator(name):
    """Same state, same result; another state, another one; global generators stay untouched."""
    *arguments, _ = calls(np.asarray, np.float64)[name]
    np.random.seed(0)
    before = tf.random.get_global_generator().state.numpy(), np.random.get_state()[1].copy()
    first, second, other = (
        tf.nest.flatten(getattr(rbm, name)(*arguments, generator(seed))) for seed in (1, 1, 2)
    )
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any((one.numpy() != two.numpy()).any() for one, two in zip(first, other, strict=True))
    np.testing.assert_array_equal(tf.random.get_global_generator().state, before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


@pytest.mark.parametrize(
    ("name", "batched"),
    [("rbm_energy", 2), ("rbm_free_energy", 1), ("p_h_given_v", 1), ("p_v_given_h", 1)],
)
def test_each_row_stands_alone(name, batched):
    function, arguments = getattr(rbm, name), calls(np.asarray, np.float64)[name]
    rows, shared = arguments[:batched], arguments[batched:]
    alone = [function(*(array[[i]] for array in rows), *shared) for i in range(BATCH)]
    np.testing.assert_allclose(function(*arguments), tf.concat(alone, 0), rtol=1e-13)


def test_all_public_names_exist():
    assert sorted(rbm.__all__) == rbm.__all__
    assert all(hasattr(rbm, name) for name in rbm.__all__)


def test_the_conditional_is_the_logistic_function_of_the_activation():
    W, _, c = parameters()
    v = batch(BATCH, VISIBLE)
    np.testing.assert_allclose(rbm.p_h_given_v(v, W, c), expit(c + v @ W), rtol=1e-13)
