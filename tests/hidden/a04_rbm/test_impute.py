"""Exercise 9: filling in missing pixels, and telling unusual images by their free energy."""

from functools import cache

import numpy as np
import tensorflow as tf
from scipy.stats import rankdata

from autograder.checks import (
    all_states,
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
from reference import data, rbm

VISIBLE = all_states(4)

# Found by a search over parameters: from any start, 15 sweeps bring the mean within 1e-4 of the
# law, and yet each mistake in the catalogue moves the mean of three more sweeps by 0.05 or more.
W = np.array([[0.3, -3.2, -5.0], [-1.4, -2.8, -1.2], [1.5, -2.9, 1.7], [1.0, 4.1, 3.5]])
B = np.array([1.5, -0.3, -1.2, 1.7])
C = np.array([-2.0, -0.3, -2.6])
N_BURN, N_KEEP = 15, 3
ROWS = np.array([[1.0, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1]])
OBSERVED = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]], bool)


def conditional_mean(v, observed):
    """Returns the expected value of each entry given the observed ones, (rows, 4)."""
    free_energy = np.asarray(rbm.rbm_free_energy(VISIBLE, W, B, C))
    fits = (VISIBLE == v[:, np.newaxis]) | ~observed[:, np.newaxis]
    weight = np.exp(-free_energy) * fits.all(axis=2)
    return weight @ VISIBLE / weight.sum(axis=1, keepdims=True)


def random_case(inputs, dtype=np.float64):
    """Returns v (7, 5), which entries are observed, W (5, 3), b and c."""
    observed = inputs.random((7, 5)) < 0.5
    observed[:2] = [[True] * 5, [False] * 5]
    parameters = inputs.normal(size=(5, 3)), inputs.normal(size=5), inputs.normal(size=3)
    v, *parameters = (
        array.astype(dtype) for array in (inputs.integers(0, 2, (7, 5)), *parameters)
    )
    return v, observed, *parameters


# A register whose first unit wants to be on. In each sweep every unit, for sure, takes the state
# that the unit before it had: a hidden unit hears the one before more loudly than the one after.
REGISTER = (
    np.array([[2800.0, 0, 0], [2000, 1200, 0], [0, 800, 400], [0, 0, 200]]),
    np.array([200.0, -1600, -600, -100]),
    np.array([-2400.0, -1000, -300]),
)


FIRST_OF_FOUR = np.array([True, False, False, False])


def expect_order(scores, due):
    """Holds that scores are in the order of `due`, each pair of them."""
    count = len(due)
    expect(scores).finite().array("B", np.asarray(scores).dtype, B=count)
    rises, right = (
        array[:, np.newaxis] > array[np.newaxis] for array in map(np.asarray, (scores, due))
    )
    wrong = int((right & ~rises).sum())
    if wrong:
        pairs = count * (count - 1) // 2
        seen = f"{wrong} of {pairs} pairs of states are in the wrong order, or score the same"
        raise CheckFailed(None, seen, "the less likely state scores higher", scores.call)


@cache
def trained_on_digits():
    """Returns the test digits, and W, b and c of a machine trained on the others."""
    digits = data.binary_digits()
    parameters = rbm.train_rbm(digits.train, 16, seed=3, epochs=60, learning_rate=0.2)
    return digits.test, *(np.asarray(array) for array in parameters)


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_W = np.array([[0.5, -1], [1, 0.25], [-0.75, 0.5]], np.float32)
SHOWN = SHOWN_W, np.array([0.1, -0.2, 0.3], np.float32), np.array([-0.4, 0.2], np.float32)
SHOWN_V = np.array([[1, 0, 1], [0, 1, 1], [0, 1, 0], [1, 0, 1]], np.float32)
SHOWN_OBSERVED = np.array([[True, False, True], [False, True, True]] * 2)


@exercise(
    "rbm_impute",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    visible=True,
    mistakes=("impute_overwrites_observed", "impute_sum_over_sweeps"),
)
def test_impute_shown_keeps_what_is_observed(student):
    """Observed entries stay exactly what they are; the others become numbers from 0 to 1."""
    rng = tensorflow_rng.seeded(1)
    filled = student.rbm_impute(SHOWN_V, SHOWN_OBSERVED, *SHOWN, 3, 5, rng)
    expect(filled).array("B D", np.float32, B=4, D=3).within(0, 1)
    expect(filled[SHOWN_OBSERVED]).equals(SHOWN_V[SHOWN_OBSERVED])


@exercise(
    "rbm_impute",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    visible=True,
    mistakes=("score_sign", "score_without_visible_bias"),
)
def test_impute_shown_order_of_scores(student):
    """Without weights, a state scores the higher, the lower the sum of the biases that are on."""
    v = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    b, c = np.array([1, 2, -3], np.float32), np.zeros(2, np.float32)
    expect_order(student.rbm_anomaly_score(v, np.zeros((3, 2), np.float32), b, c), -(v @ b))


@exercise(
    "rbm_impute",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=(
        "impute_overwrites_observed",
        "impute_inverted_mask",
        "impute_sum_over_sweeps",
        "impute_in_float32",
        "impute_starts_from_the_truth",
    ),
    note="One row is observed in full and one not at all; float64. Then a register, whose entries "
    "after a sweep show what the missing ones started from.",
)
def test_impute_leaves_observed_entries(student, inputs):
    """Observed entries stay exactly what they are; what v holds at the others plays no role."""
    v, observed, *parameters = random_case(inputs)
    filled = student.rbm_impute(v, observed, *parameters, 2, 3, tensorflow_rng)
    expect(filled).array("B D", np.float64, B=7, D=5).finite().within(0, 1)
    expect(filled[observed]).equals(v[observed])
    # One sweep shifts the register by one: then it shows what the missing entries started from.
    observed, follows = np.tile(FIRST_OF_FOUR, (40, 1)), []
    for value in (0, 1):
        v = np.where(observed, 0.0, value)
        filled = student.rbm_impute(v, observed, *REGISTER, 0, 1, tensorflow_rng)
        expect(filled).array("B D", np.float64, B=40, D=4).finite()
        follows.append(bool(np.all(np.abs(filled[:, 2:] - value) < 1e-6)))
    if all(follows):
        seen = "the missing entries of the result follow what v holds there"
        raise CheckFailed(None, seen, "they start as coin tosses, whatever v holds", filled.call)


@exercise(
    "rbm_impute",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=(
        "impute_clamps_only_at_the_end",
        "impute_burn_in_not_held",
        "impute_hidden_of_free_states",
        "impute_inverted_mask",
        "impute_one_mask_for_all",
        "impute_without_burn_in",
        "impute_counts_the_burn_in",
        "impute_divides_by_all_sweeps",
        "impute_single_pass",
        "impute_hidden_mean_field",
        "impute_visible_mean_field",
        "impute_without_visible_bias",
        "impute_without_hidden_bias",
        "impute_rounded",
        "impute_mean_over_rows",
        "impute_keeps_one_too_few",
        "impute_averages_mean_field",
    ),
    note="The mean over many rows of a 4 x 3 model, three patterns of missing entries; after 15 "
    "sweeps the law is within 1e-4 of the conditional one, from any start. Then a register that "
    "an observed 0 empties within 3 sweeps, if it is held: no chance there.",
)
def test_impute_has_the_conditional_mean(student, stages):
    """On average a missing entry becomes its expected value given the observed ones of its row."""
    missing = ~OBSERVED

    def filled(n, rng=tensorflow_rng):
        v, observed = np.tile(ROWS, (n, 1)), np.tile(OBSERVED, (n, 1))
        seen = student.rbm_impute(v, observed, W, B, C, N_BURN, N_KEEP, rng)
        expect(seen).array("B D", np.float64, B=3 * n, D=4).finite().within(0, 1)
        return seen.reshape(n, 3, 4)[:, missing]

    due = conditional_mean(ROWS, OBSERVED)[missing]
    sampling.expect_mean(filled, due, stages, bounds=(0, 1), replicates=4000)

    off, observed = np.zeros((40, 4)), np.tile(FIRST_OF_FOUR, (40, 1))
    emptied = student.rbm_impute(off, observed, *REGISTER, 3, 2, tensorflow_rng)
    expect(emptied).array("B D", np.float64, B=40, D=4).finite().close(off)


@exercise(
    "rbm_impute",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=("impute_last_state", "impute_rounded", "impute_one_sweep_kept"),
    note="400 sweeps that count; the error of the reference has a standard deviation of 0.02, "
    "that of averaged states one of 0.03.",
)
def test_impute_averages_over_the_sweeps(student):
    """With 400 sweeps that count, each row is within 0.2 of the expected values."""
    # Of a few rows, a single sweep may come close by luck.
    v, observed = np.tile(ROWS, (20, 1)), np.tile(OBSERVED, (20, 1))
    filled = student.rbm_impute(v, observed, W, B, C, N_BURN, 400, tensorflow_rng)
    expect(filled).array("B D", np.float64, B=60, D=4).finite()
    expect(filled - conditional_mean(v, observed)).within(-0.2, 0.2)


@exercise(
    "rbm_impute",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=("impute_seed_inside", "impute_global_generator", "impute_one_draw_for_all_rows"),
)
def test_impute_draws_from_the_generator(student, inputs):
    """All randomness comes from rng, and each row is drawn on its own."""
    v, observed, *parameters = random_case(inputs)
    v, observed = np.tile(v[1], (40, 1)), np.tile(observed[1], (40, 1))
    arguments = v, observed, *parameters, 1, 2, tensorflow_rng
    laws.expect_rng_contract(student.rbm_impute, arguments)
    filled = student.rbm_impute(*arguments)
    expect(filled).array("B D", np.float64, B=40, D=5)
    if len(np.unique(np.asarray(filled), axis=0)) == 1:
        seen = "40 equal rows become 40 equal results: are random numbers shared between rows?"
        raise CheckFailed(None, seen, "each row is drawn on its own", filled.call)


@exercise(
    "rbm_impute",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=(
        "score_sign",
        "score_is_the_energy",
        "score_of_reconstruction",
        "score_without_visible_bias",
        "score_without_hidden_bias",
        "score_within_the_batch",
        "score_as_column",
        "score_of_the_visible_bias",
        "score_is_the_log_probability",
    ),
    note="Any rising function of the free energy will do.",
)
def test_impute_scores_in_the_order_of_the_free_energy(student):
    """The higher the free energy of a state, the higher its score, whatever else is scored."""
    laws.expect_rows_independent(
        student.rbm_anomaly_score, batched=(VISIBLE[:7],), shared=(W, B, C)
    )
    scores = student.rbm_anomaly_score(VISIBLE, W, B, C)
    expect_order(scores, rbm.rbm_free_energy(VISIBLE, W, B, C))


@exercise(
    "rbm_impute",
    points=1,
    depends_on=(
        "rbm_energy",
        "rbm_free_energy",
        "p_h_given_v",
        "gibbs_k",
        "exact_log_partition",
    ),
    mistakes=("score_sign",),
    note="The reference reaches 0.97.",
)
def test_impute_scores_find_noisy_digits(student, inputs):
    """A noisy digit, 10 % of its pixels exchanged, outscores a clean one in 95 % of all pairs."""
    digits, *parameters = trained_on_digits()
    noisy = data.flip_pixels(digits, 0.1, inputs)
    scores = student.rbm_anomaly_score(np.concatenate([digits, noisy]), *parameters)
    expect(scores).finite().array("B", np.asarray(scores).dtype, B=2 * len(digits))
    ranks = rankdata(scores)[len(digits) :]
    share = (ranks.mean() - (len(digits) + 1) / 2) / len(digits)
    expect(share).within(0.95, 1)


@mistake(
    "rbm_impute",
    kind="concept",
    hint="Observed entries are known: they stay, in each sweep and in the result.",
)
def impute_overwrites_observed(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = drawn
        if sweep >= n_burn:
            total += p
    return total / n_keep


@mistake(
    "rbm_impute",
    kind="concept",
    hint="The observed entries are held in every sweep: only so do the others follow from them.",
)
def impute_clamps_only_at_the_end(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = drawn
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake("rbm_impute", kind="concept", hint="True marks what is observed, and so what is kept.")
def impute_inverted_mask(v, observed, W, b, c, n_burn, n_keep, rng):
    observed = tf.logical_not(observed)
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake(
    "rbm_impute",
    kind="randomness",
    hint="Draw the hidden states in each sweep; their probabilities are no states.",
)
def impute_hidden_mean_field(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = p
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake(
    "rbm_impute",
    kind="randomness",
    hint="Draw the missing entries in each sweep; their probabilities are no states.",
)
def impute_visible_mean_field(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        v_sample = tf.where(observed, v, p)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake(
    "rbm_impute",
    kind="lazy",
    hint="The first n_burn sweeps do not count: the chain has yet to forget its start.",
)
def impute_without_burn_in(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= 0:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake("rbm_impute", kind="scale", hint="Only the n_keep sweeps after the burn-in are averaged.")
def impute_counts_the_burn_in(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= 0:
            total += p
    return tf.where(observed, v, total / (n_burn + n_keep))


@mistake("rbm_impute", kind="scale", hint="The mean is over the n_keep sweeps that were summed.")
def impute_divides_by_all_sweeps(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / (n_burn + n_keep))


@mistake("rbm_impute", kind="scale", hint="The kept sweeps are averaged, not summed.")
def impute_sum_over_sweeps(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total)


@mistake(
    "rbm_impute", kind="lazy", hint="The result is a mean over n_keep sweeps, not the last state."
)
def impute_last_state(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    for _ in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
    return v_sample


@mistake("rbm_impute", kind="lazy", hint="n_keep sweeps are averaged, not one.")
def impute_one_sweep_kept(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn + n_keep - 1:
            total += p
    return tf.where(observed, v, total)


@mistake(
    "rbm_impute", kind="lazy", hint="One pass through the hidden units is no sample: sweep on."
)
def impute_single_pass(v, observed, W, b, c, n_burn, n_keep, rng):
    p = p_h_given_v(v, W, c)  # noqa: F821
    h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
    return tf.where(observed, v, p_v_given_h(h, W, b))  # noqa: F821


@mistake(
    "rbm_impute",
    kind="concept",
    hint="The result is the expected value, between 0 and 1, not the likelier state.",
)
def impute_rounded(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, tf.round(total / n_keep))


@mistake("rbm_impute", kind="lazy", hint="The visible bias belongs into p(v|h).")
def impute_without_visible_bias(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, tf.zeros_like(b))  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake("rbm_impute", kind="lazy", hint="The hidden bias belongs into p(h|v).")
def impute_without_hidden_bias(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, tf.zeros_like(c))  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake("rbm_impute", kind="axis", hint="Each row has entries of its own that are missing.")
def impute_one_mask_for_all(v, observed, W, b, c, n_burn, n_keep, rng):
    observed = tf.tile(observed[:1], (v.shape[0], 1))
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake("rbm_impute", kind="axis", hint="Each row needs random numbers of its own.")
def impute_one_draw_for_all_rows(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform((1, p.shape[1]), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform((1, p.shape[1]), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake("rbm_impute", kind="randomness", hint="Use the generator that is given; do not seed one.")
def impute_seed_inside(v, observed, W, b, c, n_burn, n_keep, rng):
    rng = tf.random.Generator.from_seed(2)
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake("rbm_impute", kind="randomness", hint="Use the generator that is given, not tf.random.")
def impute_global_generator(v, observed, W, b, c, n_burn, n_keep, rng):
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(tf.random.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(tf.random.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake("rbm_impute", kind="numerics", hint="Float64 arguments give a float64 result.")
def impute_in_float32(v, observed, W, b, c, n_burn, n_keep, rng):
    v, W, b, c = (tf.cast(array, tf.float32) for array in (v, W, b, c))
    v_sample = tf.where(observed, v, 0.5 * tf.ones_like(v))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(v_sample, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        v_sample = tf.where(observed, v, drawn)
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake(
    "rbm_impute",
    kind="concept",
    hint="An unusual state has a high free energy, and a high score.",
    function="rbm_anomaly_score",
)
def score_sign(v, W, b, c):
    return -rbm_free_energy(v, W, b, c)  # noqa: F821


@mistake(
    "rbm_impute",
    kind="concept",
    hint="The hidden units are summed out, not set to their means: use the free energy.",
    function="rbm_anomaly_score",
)
def score_is_the_energy(v, W, b, c):
    return rbm_energy(v, p_h_given_v(v, W, c), W, b, c)  # noqa: F821


@mistake(
    "rbm_impute",
    kind="concept",
    hint="The reconstruction error misleads: what is easily copied need not be probable.",
    function="rbm_anomaly_score",
)
def score_of_reconstruction(v, W, b, c):
    copied = p_v_given_h(p_h_given_v(v, W, c), W, b)  # noqa: F821
    return tf.reduce_sum(tf.square(v - copied), axis=1)


@mistake(
    "rbm_impute",
    kind="lazy",
    hint="The visible bias is part of the free energy.",
    function="rbm_anomaly_score",
)
def score_without_visible_bias(v, W, b, c):
    return -tf.reduce_sum(tf.nn.softplus(c + v @ W), axis=1)


@mistake(
    "rbm_impute",
    kind="lazy",
    hint="The hidden bias is part of the free energy.",
    function="rbm_anomaly_score",
)
def score_without_hidden_bias(v, W, b, c):
    return rbm_free_energy(v, W, b, tf.zeros_like(c))  # noqa: F821


@mistake(
    "rbm_impute",
    kind="axis",
    hint="A score belongs to its row: do not measure it by the other rows of the batch.",
    function="rbm_anomaly_score",
)
def score_within_the_batch(v, W, b, c):
    free_energy = rbm_free_energy(v, W, b, c)  # noqa: F821
    return free_energy - tf.reduce_mean(free_energy)


@mistake(
    "rbm_impute",
    kind="axis",
    hint="One score per row has the shape (B,), not (B, 1).",
    function="rbm_anomaly_score",
)
def score_as_column(v, W, b, c):
    return rbm_free_energy(v, W, b, c)[:, tf.newaxis]  # noqa: F821


@mistake(
    "rbm_impute",
    kind="concept",
    hint="Start missing entries with coin tosses: what v holds there is unknown, or the truth.",
)
def impute_starts_from_the_truth(v, observed, W, b, c, n_burn, n_keep, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v_sample, total = v, tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        h = bernoulli(p_h_given_v(v_sample, W, c))  # noqa: F821
        p = p_v_given_h(h, W, b)  # noqa: F821
        v_sample = tf.where(observed, v, bernoulli(p))
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake(
    "rbm_impute",
    kind="concept",
    hint="Put the observed entries back after each sweep, those of the burn-in included.",
)
def impute_burn_in_not_held(v, observed, W, b, c, n_burn, n_keep, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v_sample = tf.where(observed, v, bernoulli(0.5 * tf.ones_like(v)))
    v_sample, _ = gibbs_k(v_sample, W, b, c, max(n_burn, 1), rng)  # noqa: F821
    total = tf.zeros_like(v)
    for _ in range(n_keep):
        v_sample = tf.where(observed, v, v_sample)
        v_sample, _ = gibbs_k(v_sample, W, b, c, 1, rng)  # noqa: F821
        total += v_sample
    return tf.where(observed, v, total / n_keep)


@mistake(
    "rbm_impute",
    kind="concept",
    hint="The hidden states from gibbs_k belong to free visible states: draw h after you have put "
    "the observed entries back.",
)
def impute_hidden_of_free_states(v, observed, W, b, c, n_burn, n_keep, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v_sample = tf.where(observed, v, bernoulli(0.5 * tf.ones_like(v)))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        v_sample, h = gibbs_k(v_sample, W, b, c, 1, rng)  # noqa: F821
        v_sample = tf.where(observed, v, v_sample)
        if sweep >= n_burn:
            total += p_v_given_h(h, W, b)  # noqa: F821
    return tf.where(observed, v, total / n_keep)


@mistake("rbm_impute", kind="axis", hint="Average over the sweeps of each row, not over the rows.")
def impute_mean_over_rows(v, observed, W, b, c, n_burn, n_keep, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v_sample = tf.where(observed, v, bernoulli(0.5 * tf.ones_like(v)))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        h = bernoulli(p_h_given_v(v_sample, W, c))  # noqa: F821
        p = p_v_given_h(h, W, b)  # noqa: F821
        v_sample = tf.where(observed, v, bernoulli(p))
        if sweep >= n_burn:
            total += tf.reduce_mean(p, axis=0)
    return tf.where(observed, v, total / n_keep)


@mistake(
    "rbm_impute",
    kind="concept",
    hint="Add up one of the n_keep sweeps more: here are n_keep - 1, divided by n_keep.",
)
def impute_keeps_one_too_few(v, observed, W, b, c, n_burn, n_keep, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v_sample = tf.where(observed, v, bernoulli(0.5 * tf.ones_like(v)))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        h = bernoulli(p_h_given_v(v_sample, W, c))  # noqa: F821
        p = p_v_given_h(h, W, b)  # noqa: F821
        v_sample = tf.where(observed, v, bernoulli(p))
        if sweep > n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


@mistake(
    "rbm_impute",
    kind="concept",
    hint="Average p(v|h) for drawn hidden states; that of their probabilities is another number.",
)
def impute_averages_mean_field(v, observed, W, b, c, n_burn, n_keep, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v_sample = tf.where(observed, v, bernoulli(0.5 * tf.ones_like(v)))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        p_hidden = p_h_given_v(v_sample, W, c)  # noqa: F821
        p = p_v_given_h(bernoulli(p_hidden), W, b)  # noqa: F821
        v_sample = tf.where(observed, v, bernoulli(p))
        if sweep >= n_burn:
            total += p_v_given_h(p_hidden, W, b)  # noqa: F821
    return tf.where(observed, v, total / n_keep)


@mistake(
    "rbm_impute",
    kind="concept",
    hint="The hidden units belong into the score: b alone does not know what goes together.",
    function="rbm_anomaly_score",
)
def score_of_the_visible_bias(v, W, b, c):
    return -tf.linalg.matvec(v, b)


@mistake(
    "rbm_impute",
    kind="concept",
    hint="This is log p(v): high for what is likely. A high score means strange.",
    function="rbm_anomaly_score",
)
def score_is_the_log_probability(v, W, b, c):
    return -rbm_free_energy(v, W, b, c) - exact_log_partition(W, b, c)  # noqa: F821


@alternative("rbm_impute")
def impute_by_gibbs_steps(v, observed, W, b, c, n_burn, n_keep, rng):
    sample, kept = tf.where(observed, v, tf.round(rng.uniform(v.shape, dtype=v.dtype))), []
    for _ in range(n_burn + n_keep):
        proposal, _ = gibbs_k(sample, W, b, c, 1, rng)  # noqa: F821
        sample = tf.where(observed, v, proposal)
        kept.append(sample)
    return tf.reduce_mean(tf.stack(kept[n_burn:]), axis=0)


@alternative("rbm_impute")
def impute_by_a_float_mask(v, observed, W, b, c, n_burn, n_keep, rng):
    mask = tf.cast(observed, v.dtype)
    sample, total = mask * v, 0.0
    for sweep in range(n_burn + n_keep):
        p = p_h_given_v(sample, W, c)  # noqa: F821
        h = tf.nn.relu(tf.sign(p - rng.uniform(p.shape, dtype=p.dtype)))
        p = p_v_given_h(h, W, b)  # noqa: F821
        drawn = tf.nn.relu(tf.sign(p - rng.uniform(p.shape, dtype=p.dtype)))
        sample = mask * v + (1 - mask) * drawn
        if sweep >= n_burn:
            total = total + mask * v + (1 - mask) * p
    return tf.where(observed, v, total / n_keep)


@alternative("rbm_impute")
def impute_with_running_mean(v, observed, W, b, c, n_burn, n_keep, rng):
    start = tf.sigmoid(b) * tf.ones_like(v)
    u = rng.uniform(tf.shape(v), dtype=v.dtype)
    sample = tf.where(observed, v, tf.cast(u < start, v.dtype))
    mean = tf.zeros_like(v)
    for sweep in range(1 - n_burn, n_keep + 1):
        v_next, _ = gibbs_k(sample, W, b, c, 1, rng)  # noqa: F821
        sample = tf.where(observed, v, v_next)
        if sweep > 0:
            mean += (sample - mean) / sweep
    return tf.where(observed, v, mean)


@alternative("rbm_impute")
def impute_compiled(v, observed, W, b, c, n_burn, n_keep, rng):
    @tf.function
    def sweep(sample):
        p = tf.sigmoid(c + sample @ W)
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = tf.sigmoid(b + h @ tf.transpose(W))
        drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        return tf.where(observed, v, drawn), tf.where(observed, v, p)

    sample, total = tf.where(observed, v, tf.zeros_like(v)), tf.zeros_like(v)
    for _ in range(n_burn):
        sample, _ = sweep(sample)
    for _ in range(n_keep):
        sample, p = sweep(sample)
        total += p
    return tf.where(observed, v, total / n_keep)


@alternative("rbm_impute")
def impute_in_numpy(v, observed, W, b, c, n_burn, n_keep, rng):
    v, observed, W_, b, c = (np.asarray(array) for array in (v, observed, W, b, c))

    def drawn(logits):
        p = 1 / (1 + np.exp(-logits))
        return (np.asarray(rng.uniform(p.shape, dtype=W.dtype)) < p).astype(W_.dtype)

    sample, kept = np.where(observed, v, 1), np.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        sample = np.where(observed, v, drawn(b + drawn(c + sample @ W_) @ W_.T))
        kept += sample * (sweep >= n_burn)
    return tf.constant(np.where(observed, v, kept / n_keep))


@alternative("rbm_impute")
def impute_pixel_by_pixel(v, observed, W, b, c, n_burn, n_keep, rng):
    columns = tf.unstack(tf.where(observed, v, tf.zeros_like(v)), axis=1)
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        chances = []
        for i in range(len(columns)):
            weights = []
            for value in (0.0, 1.0):
                columns_if = [*columns]
                columns_if[i] = value * tf.ones_like(columns[i])
                weights.append(-rbm_free_energy(tf.stack(columns_if, 1), W, b, c))  # noqa: F821
            p = tf.sigmoid(weights[1] - weights[0])
            drawn = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
            columns[i] = tf.where(observed[:, i], v[:, i], drawn)
            chances.append(p)
        if sweep >= n_burn:
            total += tf.stack(chances, axis=1)
    return tf.where(observed, v, total / n_keep)


@alternative("rbm_impute", function="rbm_anomaly_score")
def score_as_log_probability(v, W, b, c):
    return rbm_free_energy(v, W, b, c) + exact_log_partition(W, b, c)  # noqa: F821


@alternative("rbm_impute", function="rbm_anomaly_score")
def score_per_pixel(v, W, b, c):
    return rbm_free_energy(v, W, b, c) / v.shape[1]  # noqa: F821


@alternative("rbm_impute", function="rbm_anomaly_score")
def score_by_log_sigmoid(v, W, b, c):
    return tf.reduce_sum(tf.math.log_sigmoid(-(c + v @ W)), axis=1) - tf.linalg.matvec(v, b)


@alternative("rbm_impute", function="rbm_anomaly_score")
def score_above_the_all_off_state(v, W, b, c):
    none = tf.zeros_like(v[:1])
    return rbm_free_energy(v, W, b, c) - rbm_free_energy(none, W, b, c)  # noqa: F821


@alternative("rbm_impute", function="rbm_anomaly_score")
@tf.function
def score_compiled(v, W, b, c):
    hidden = tf.reduce_sum(tf.nn.softplus(tf.matmul(v, W) + c), axis=1)
    return -(hidden + tf.tensordot(v, b, 1))


@near_miss("rbm_impute", effect="W 2 % too large")
def impute_weights_two_percent_too_large(v, observed, W, b, c, n_burn, n_keep, rng):
    return rbm.rbm_impute(v, observed, 1.02 * W, b, c, n_burn, n_keep, rng)


@near_miss("rbm_impute", effect="W 0.5 % too large")
def impute_weights_half_a_percent_too_large(v, observed, W, b, c, n_burn, n_keep, rng):
    return rbm.rbm_impute(v, observed, 1.005 * W, b, c, n_burn, n_keep, rng)
