"""Exercise 4: block Gibbs sampling."""

import numpy as np
import tensorflow as tf

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
from reference import rbm

VISIBLE, HIDDEN = all_states(3), all_states(2)

# Found by a search over parameters, so that each mistake in the catalogue moves the law of one or
# two sweeps by a chi-square of at least 0.02 per row.
W = np.array([[0.3, -2.5], [0.7, 1.1], [-4.6, -0.1]])
B = np.array([1.0, -0.7, 0.8])
C = np.array([0.6, 1.6])


def law_of_states(probabilities, states):
    """Returns how probable each state is (rows, states), for units on with these (rows, units)."""
    p = np.asarray(probabilities)[:, np.newaxis]
    return np.prod(np.where(states == 1, p, 1 - p), axis=2)


def joint_law(k):
    """Returns p(v_k, h_k | v_0), (8, 32): from each visible state to each pair of states."""
    hidden = law_of_states(rbm.p_h_given_v(VISIBLE, W, C), HIDDEN)
    visible = law_of_states(rbm.p_v_given_h(HIDDEN, W, B), VISIBLE)
    after = np.linalg.matrix_power(hidden @ visible, k)
    return (after[:, :, np.newaxis] * hidden).reshape(8, 32)


def pairs(result, rows):
    """Returns v_k and h_k side by side, (rows, 5)."""
    v, h = expect(result).parts(2)
    expect(v).array("B D", np.float64, B=rows, D=3)
    expect(h).array("B H", np.float64, B=rows, H=2)
    return np.concatenate([v, h], axis=1)


def dominoes(count):
    """Returns W, b and c of a machine in which, for sure, one more unit falls in each sweep.

    A hidden unit is on if and only if one of its two visible neighbours is; and the other way
    round.
    """
    W = 1000.0 * (np.eye(count, count - 1) + np.eye(count, count - 1, k=-1))
    return W, np.full(count, -500.0), np.full(count - 1, -500.0)


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_V = np.array(
    [[1, 0, 1, 0, 0], [0, 1, 1, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], np.float32
)
SHOWN_W = np.array(
    [[0.5, -1, 2], [1, 0.25, -1], [-0.75, 0.5, 0], [0, 2, 1], [1, -0.5, 0.25]], np.float32
)
SHOWN = SHOWN_W, np.zeros(5, np.float32), np.zeros(3, np.float32)


@exercise(
    "gibbs_k",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    visible=True,
    mistakes=("states_as_bool",),
)
def test_gibbs_shown_shapes_and_dtypes(student):
    """The result is a pair of states, in the shapes of the layers and the dtype of v0."""
    v, h = expect(student.gibbs_k(SHOWN_V, *SHOWN, 2, tensorflow_rng.seeded(1))).parts(2)
    expect(v).array("B D", np.float32, B=4, D=5)
    expect(h).array("B H", np.float32, B=4, H=3)


@exercise(
    "gibbs_k",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    visible=True,
    mistakes=("visible_probabilities_returned", "hidden_probabilities_returned"),
)
def test_gibbs_shown_states(student):
    """Both results hold states, 0 or 1, and no probabilities."""
    v, h = expect(student.gibbs_k(SHOWN_V, *SHOWN, 2, tensorflow_rng.seeded(1))).parts(2)
    expect(v).among((0, 1))
    expect(h).among((0, 1))


@exercise(
    "gibbs_k",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    visible=True,
    mistakes=(
        "chain_stays",
        "visible_bias_left_out",
        "hidden_bias_left_out",
        "compared_the_wrong_way",
    ),
)
def test_gibbs_shown_of_large_biases(student):
    """Without weights, biases of 200 and -200 leave nothing to chance."""
    b = np.array([200, -200, -200, 200, 200], np.float32)
    c = np.array([-200, 200, -200], np.float32)
    result = student.gibbs_k(SHOWN_V, 0 * SHOWN_W, b, c, 1, tensorflow_rng.seeded(2))
    v, h = expect(result).parts(2)
    expect(v).equals(np.tile(b > 0, (4, 1)))
    expect(h).equals(np.tile(c > 0, (4, 1)))


@exercise(
    "gibbs_k",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    visible=True,
    mistakes=("global_generator", "numpy_generator"),
)
def test_gibbs_shown_repeats_with_the_seed(student):
    """Two generators with the same seed give the same states."""
    v0 = np.zeros((50, 5), np.float32)
    first, second = (student.gibbs_k(v0, *SHOWN, 2, tensorflow_rng.seeded(3)) for _ in range(2))
    for seen, due in zip(expect(first).parts(2), expect(second).parts(2), strict=True):
        expect(seen).equals(due)


@exercise(
    "gibbs_k",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    mistakes=("visible_probabilities_returned", "hidden_probabilities_returned", "states_as_bool"),
)
def test_gibbs_returns_states_of_zero_and_one(student, inputs):
    """Both results hold zeros and ones only, in the dtype and shape of the layers."""
    v0 = inputs.integers(0, 2, (7, 5)).astype(np.float32)
    parameters = inputs.normal(size=(5, 3)), inputs.normal(size=5), inputs.normal(size=3)
    W, b, c = (array.astype(np.float32) for array in parameters)
    v, h = expect(student.gibbs_k(v0, W, b, c, 3, tensorflow_rng)).parts(2)
    expect(v).array("B D", np.float32, B=7, D=5).among((0, 1))
    expect(h).array("B H", np.float32, B=7, H=3).among((0, 1))


@exercise(
    "gibbs_k",
    points=3,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    mistakes=(
        "half_step",
        "hidden_mean_field",
        "one_sweep_too_many",
        "chain_stays",
        "visible_bias_left_out",
        "hidden_bias_left_out",
        "compared_the_wrong_way",
        "rounded_not_drawn",
        "normal_noise",
        "last_hidden_rounded",
        "one_draw_for_all_rows",
        "one_draw_for_all_units",
        "one_sweep_too_few",
        "visible_of_the_sweep_before",
        "both_layers_at_once",
        "hidden_start_at_random",
        "antithetic_rows",
    ),
    note="The law of (v_1, h_1) from each v_0: 8 x 32 cells, by enumeration or from 2,400 rows.",
)
def test_one_sweep_has_the_law_of_the_model(student, stages):
    """After one sweep each pair (v_1, h_1) is as probable as the model says, given v_0."""

    def sweep(rows, rng=tensorflow_rng):
        return pairs(student.gibbs_k(rows, W, B, C, 1, rng), len(rows))

    sampling.expect_kernel(sweep, VISIBLE, joint_law(1), n=2400, stages=stages)


@exercise(
    "gibbs_k",
    points=2,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    mistakes=(
        "probs_not_states",
        "half_step",
        "one_sweep_whatever_k",
        "one_sweep_too_many",
        "same_noise_in_every_sweep",
    ),
    note="The law of (v_2, h_2) from each v_0, by enumeration or from 6,400 rows.",
)
def test_two_sweeps_have_the_law_of_the_model(student, stages):
    """After two sweeps each pair (v_2, h_2) is as probable as the model says, given v_0."""

    def sweeps(rows, rng=tensorflow_rng):
        return pairs(student.gibbs_k(rows, W, B, C, 2, rng), len(rows))

    sampling.expect_kernel(sweeps, VISIBLE, joint_law(2), n=6400, stages=stages)


@exercise(
    "gibbs_k",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    mistakes=(
        "two_sweeps_at_most",
        "one_sweep_whatever_k",
        "one_sweep_too_many",
        "one_sweep_too_few",
        "chain_stays",
        "visible_of_the_sweep_before",
    ),
    note="No chance is left: activations are +-500 or more. k is 1, 4 and 7.",
)
def test_gibbs_makes_k_sweeps(student):
    """In a machine where each sweep topples one more domino for sure, k of them fall."""
    W, b, c = dominoes(10)
    for k in (1, 4, 7):
        result = student.gibbs_k(np.eye(10)[:1], W, b, c, k, tensorflow_rng)
        v, h = expect(result).parts(2)
        expect(v).array("B D", np.float64, B=1, D=10)
        expect(h).array("B H", np.float64, B=1, H=9)
        fallen = int(np.sum(np.asarray(v))) - 1
        if fallen != k:
            raise CheckFailed(
                None, f"{fallen} of the dominoes fall", f"{k}, one in each sweep", v.call
            )
        expect(v).equals([np.arange(10) <= k])
        expect(h).equals([np.arange(9) <= k])


@exercise(
    "gibbs_k",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    mistakes=("seed_inside", "global_generator", "numpy_generator", "copy_of_the_generator"),
)
def test_gibbs_draws_from_the_generator(student, inputs):
    """All randomness comes from rng: the same state gives the same result, another a new one."""
    v0 = inputs.integers(0, 2, (40, 5)).astype(float)
    W, b, c = 0.5 * inputs.normal(size=(5, 3)), np.zeros(5), np.zeros(3)
    laws.expect_rng_contract(student.gibbs_k, (v0, W, b, c, 2, tensorflow_rng))


@mistake(
    "gibbs_k",
    kind="concept",
    hint="Feed sampled 0/1 visible states back, not their probabilities.",
)
def probs_not_states(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        h = bernoulli(tf.sigmoid(c + v @ W))
        v = tf.sigmoid(b + h @ tf.transpose(W))
    v = bernoulli(v)
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake(
    "gibbs_k",
    kind="concept",
    hint="Pass sampled 0/1 hidden states on, not their probabilities.",
)
def hidden_mean_field(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + tf.sigmoid(c + v @ W) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake(
    "gibbs_k",
    kind="concept",
    hint="h_k is drawn given v_k; these are the hidden states that v_k was drawn from.",
)
def half_step(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        h = bernoulli(tf.sigmoid(c + v @ W))
        v = bernoulli(tf.sigmoid(b + h @ tf.transpose(W)))
    return v, h


@mistake("gibbs_k", kind="lazy", hint="k sweeps are asked for, not one.")
def one_sweep_whatever_k(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    h = bernoulli(tf.sigmoid(c + v0 @ W))
    v = bernoulli(tf.sigmoid(b + h @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="concept", hint="Count the sweeps: here is one more than k.")
def one_sweep_too_many(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k + 1):
        h = bernoulli(tf.sigmoid(c + v @ W))
        v = bernoulli(tf.sigmoid(b + h @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="lazy", hint="The visible states have to move on in each sweep.")
def chain_stays(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    return v0, bernoulli(tf.sigmoid(c + v0 @ W))


@mistake("gibbs_k", kind="lazy", hint="The bias of the visible units is missing.")
def visible_bias_left_out(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="lazy", hint="The bias of the hidden units is missing.")
def hidden_bias_left_out(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(v @ W))


@mistake(
    "gibbs_k",
    kind="concept",
    hint="A uniform number lies below p with probability p, and above it with 1 - p.",
)
def compared_the_wrong_way(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) > p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake(
    "gibbs_k", kind="randomness", hint="Draw the states; rounding the probability is no draw."
)
def rounded_not_drawn(v0, W, b, c, k, rng):
    v = v0
    for _ in range(k):
        v = tf.round(tf.sigmoid(b + tf.round(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, tf.round(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="randomness", hint="The last hidden states are drawn, too.")
def last_hidden_rounded(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, tf.round(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="randomness", hint="Compare p with uniform numbers, not normal ones.")
def normal_noise(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.normal(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="axis", hint="Each row needs random numbers of its own.")
def one_draw_for_all_rows(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform((1, p.shape[1]), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="axis", hint="Each unit needs a random number of its own.")
def one_draw_for_all_units(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform((p.shape[0], 1), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="randomness", hint="Draw new random numbers in every sweep.")
def same_noise_in_every_sweep(v0, W, b, c, k, rng):
    for_hidden = rng.uniform((v0.shape[0], W.shape[1]), dtype=W.dtype)
    for_visible = rng.uniform(v0.shape, dtype=W.dtype)
    v = v0
    for _ in range(k):
        h = tf.cast(for_hidden < tf.sigmoid(c + v @ W), W.dtype)
        v = tf.cast(for_visible < tf.sigmoid(b + h @ tf.transpose(W)), W.dtype)
    p = tf.sigmoid(c + v @ W)
    return v, tf.cast(rng.uniform(p.shape, dtype=W.dtype) < p, W.dtype)


@mistake("gibbs_k", kind="randomness", hint="Use the generator that is given; do not seed one.")
def seed_inside(v0, W, b, c, k, rng):
    rng = tf.random.Generator.from_seed(1)

    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="randomness", hint="Use the generator that is given, not tf.random.")
def global_generator(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(tf.random.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="randomness", hint="Use the generator that is given, not NumPy's.")
def numpy_generator(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.constant(np.random.binomial(1, p), p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="concept", hint="Return drawn visible states, not their probabilities.")
def visible_probabilities_returned(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        p = tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W))
        v = bernoulli(p)
    return p, bernoulli(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="concept", hint="Return drawn hidden states, not their probabilities.")
def hidden_probabilities_returned(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, tf.sigmoid(c + v @ W)


@mistake(
    "gibbs_k",
    kind="numerics",
    hint="A comparison gives booleans: cast them to the dtype of the layers.",
)
def states_as_bool(v0, W, b, c, k, rng):
    v = v0
    for _ in range(k):
        p = tf.sigmoid(c + v @ W)
        h = tf.cast(rng.uniform(p.shape, dtype=p.dtype) < p, p.dtype)
        p = tf.sigmoid(b + h @ tf.transpose(W))
        v = tf.cast(rng.uniform(p.shape, dtype=p.dtype) < p, p.dtype)
    p = tf.sigmoid(c + v @ W)
    return v, rng.uniform(p.shape, dtype=p.dtype) < p


@mistake("gibbs_k", kind="lazy", hint="k sweeps are asked for, whatever k is.")
def two_sweeps_at_most(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(min(k, 2)):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake("gibbs_k", kind="concept", hint="Count the sweeps: here is one less than k.")
def one_sweep_too_few(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(1, k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake(
    "gibbs_k",
    kind="concept",
    hint="v_k and h_k belong together; these visible states are those of the sweep before.",
)
def visible_of_the_sweep_before(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v, h = v0, bernoulli(tf.sigmoid(c + v0 @ W))
    for _ in range(k):
        before = v
        v = bernoulli(tf.sigmoid(b + h @ tf.transpose(W)))
        h = bernoulli(tf.sigmoid(c + v @ W))
    return before, h


@mistake(
    "gibbs_k",
    kind="concept",
    hint="Each draw uses the newest states: h is drawn given the new v, not the one before.",
)
def both_layers_at_once(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v, h = v0, bernoulli(tf.sigmoid(c + v0 @ W))
    for _ in range(k):
        new_v = bernoulli(tf.sigmoid(b + h @ tf.transpose(W)))
        v, h = new_v, bernoulli(tf.sigmoid(c + v @ W))
    return v, h


@mistake("gibbs_k", kind="concept", hint="The first hidden states are drawn from p(h|v0), too.")
def hidden_start_at_random(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    h = bernoulli(0.5 * tf.ones((v0.shape[0], W.shape[1]), W.dtype))
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + h @ tf.transpose(W)))
        h = bernoulli(tf.sigmoid(c + v @ W))
    return v, h


@mistake(
    "gibbs_k",
    kind="randomness",
    hint="Each row needs random numbers of its own: u and 1 - u are not independent.",
)
def antithetic_rows(v0, W, b, c, k, rng):
    def bernoulli(p):
        half = rng.uniform(((p.shape[0] + 1) // 2, p.shape[1]), dtype=p.dtype)
        return tf.cast(tf.concat([half, 1 - half], 0)[: p.shape[0]] < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@mistake(
    "gibbs_k",
    kind="randomness",
    hint="Go on in the stream of rng: a generator made from a copy of its state starts again.",
)
def copy_of_the_generator(v0, W, b, c, k, rng):
    rng = tf.random.Generator.from_state(tf.identity(rng.state), alg=rng.algorithm)

    def bernoulli(p):
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@alternative("gibbs_k")
def gibbs_by_the_conditionals(v0, W, b, c, k, rng):
    v = v0
    for step in range(k + 1):
        p = p_h_given_v(v, W, c)  # noqa: F821
        h = tf.where(rng.uniform(tf.shape(p), dtype=p.dtype) < p, 1.0, 0.0)
        h = tf.cast(h, p.dtype)
        if step < k:
            p = p_v_given_h(h, W, b)  # noqa: F821
            v = tf.cast(p > rng.uniform(tf.shape(p), dtype=p.dtype), p.dtype)
    return v, h


@alternative("gibbs_k")
def gibbs_comparing_logits(v0, W, b, c, k, rng):
    def bernoulli(logits):
        u = rng.uniform(logits.shape, dtype=logits.dtype)
        return tf.cast(tf.math.log(u) - tf.math.log1p(-u) < logits, logits.dtype)

    for _ in range(k):
        v0 = bernoulli(b + bernoulli(c + v0 @ W) @ tf.transpose(W))
    return v0, bernoulli(c + v0 @ W)


@alternative("gibbs_k")
def gibbs_in_a_tensor_loop(v0, W, b, c, k, rng):
    def bernoulli(logits):
        p = tf.sigmoid(logits)
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    def sweep(step, v):
        return step + 1, bernoulli(b + tf.matmul(bernoulli(c + v @ W), W, transpose_b=True))

    _, v = tf.while_loop(lambda step, v: step < k, sweep, (tf.constant(0), v0))
    return v, bernoulli(c + v @ W)


@alternative("gibbs_k")
def gibbs_compiled(v0, W, b, c, k, rng):
    @tf.function
    def sweep(v):
        p = tf.sigmoid(c + v @ W)
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        p = tf.sigmoid(b + h @ tf.transpose(W))
        return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    for _ in range(k):
        v0 = sweep(v0)
    p = tf.sigmoid(c + v0 @ W)
    return v0, tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)


@alternative("gibbs_k")
def gibbs_by_recursion(v0, W, b, c, k, rng):
    p = tf.sigmoid(c + v0 @ W)
    h = tf.nn.relu(tf.sign(p - rng.uniform(p.shape, dtype=p.dtype)))
    if k == 0:
        return v0, h
    p = tf.sigmoid(b + h @ tf.transpose(W))
    v = tf.nn.relu(tf.sign(p - rng.uniform(p.shape, dtype=p.dtype)))
    return gibbs_k(v, W, b, c, k - 1, rng)  # noqa: F821


@alternative("gibbs_k")
def gibbs_with_float32_noise(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.cast(rng.uniform(p.shape) < tf.cast(p, tf.float32), p.dtype)

    v, h = v0, bernoulli(tf.sigmoid(c + v0 @ W))
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + h @ tf.transpose(W)))
        h = bernoulli(tf.sigmoid(c + v @ W))
    return v, h


@alternative("gibbs_k")
def gibbs_with_all_noise_at_once(v0, W, b, c, k, rng):
    n_visible, n_hidden = W.shape
    noise = rng.uniform((k + 1, v0.shape[0], n_visible + n_hidden), dtype=W.dtype)
    v = v0
    for step in range(k):
        h = tf.cast(noise[step, :, :n_hidden] < tf.sigmoid(c + v @ W), W.dtype)
        v = tf.cast(noise[step, :, n_hidden:] < tf.sigmoid(b + h @ tf.transpose(W)), W.dtype)
    return v, tf.cast(noise[k, :, :n_hidden] < tf.sigmoid(c + v @ W), W.dtype)


@alternative("gibbs_k")
def gibbs_stateless(v0, W, b, c, k, rng):
    def bernoulli(p):
        seed = rng.make_seeds(1)[:, 0]
        u = tf.random.stateless_uniform(p.shape, seed, dtype=p.dtype)
        return tf.cast(tf.math.less(u, p), p.dtype)

    v = tf.identity(v0)
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@alternative("gibbs_k")
def gibbs_binomial(v0, W, b, c, k, rng):
    def bernoulli(p):
        return rng.binomial(p.shape, tf.ones_like(p), p, dtype=p.dtype)

    v = v0
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v @ W)) @ tf.transpose(W)))
    return v, bernoulli(tf.sigmoid(c + v @ W))


@alternative("gibbs_k")
def gibbs_row_by_row(v0, W, b, c, k, rng):
    n_visible, n_hidden = W.shape
    visible, hidden = [], []
    W_, b_, c_ = np.asarray(W), np.asarray(b), np.asarray(c)
    for v in np.asarray(v0):
        u = np.asarray(rng.uniform([(k + 1) * (n_visible + n_hidden)], dtype=W.dtype))
        u = u.reshape(k + 1, n_visible + n_hidden)
        for step in range(k + 1):
            h = (u[step, :n_hidden] < 1 / (1 + np.exp(-(c_ + v @ W_)))) * 1
            if step < k:
                v = (u[step, n_hidden:] < 1 / (1 + np.exp(-(b_ + W_ @ h)))) * 1
        visible.append(v)
        hidden.append(h)
    return tf.constant(np.stack(visible), W.dtype), tf.constant(np.stack(hidden), W.dtype)


@alternative("gibbs_k")
def gibbs_with_gumbel_noise(v0, W, b, c, k, rng):
    def gumbel(shape, dtype):
        u = rng.uniform(shape, minval=np.finfo(dtype.as_numpy_dtype).tiny, dtype=dtype)
        return -tf.math.log(-tf.math.log(u))

    def bernoulli(logits):
        on, off = (gumbel(logits.shape, logits.dtype) for _ in range(2))
        return tf.cast(logits + on > off, logits.dtype)

    for _ in range(k):
        v0 = bernoulli(b + bernoulli(c + v0 @ W) @ tf.transpose(W))
    return v0, bernoulli(c + v0 @ W)


@alternative("gibbs_k")
def gibbs_by_rounding_up(v0, W, b, c, k, rng):
    def bernoulli(p):
        return tf.math.ceil(p - rng.uniform(tf.shape(p), dtype=p.dtype))

    v, h = v0, bernoulli(tf.sigmoid(c + v0 @ W))
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + h @ tf.transpose(W)))
        h = bernoulli(tf.sigmoid(c + v @ W))
    return [v, h]


@alternative("gibbs_k")
def gibbs_in_numpy_seeded_from_rng(v0, W, b, c, k, rng):
    own = np.random.default_rng(int(rng.uniform_full_int((), dtype=tf.uint64)))
    v, W, b, c = (np.asarray(array) for array in (v0, W, b, c))

    def bernoulli(logits):
        return (own.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(W.dtype)

    h = bernoulli(c + v @ W)
    for _ in range(k):
        v = bernoulli(b + h @ W.T)
        h = bernoulli(c + v @ W)
    return v, h


@alternative("gibbs_k")
def gibbs_with_split_generators(v0, W, b, c, k, rng):
    of_hidden, of_visible = rng.split(2)

    def bernoulli(p, generator):
        return tf.cast(generator.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)

    v, h = v0, bernoulli(tf.sigmoid(c + v0 @ W), of_hidden)
    for _ in range(k):
        v = bernoulli(tf.sigmoid(b + h @ tf.transpose(W)), of_visible)
        h = bernoulli(tf.sigmoid(c + v @ W), of_hidden)
    return v, h


@alternative("gibbs_k")
def gibbs_from_normal_noise(v0, W, b, c, k, rng):
    def bernoulli(p):
        u = 0.5 * tf.math.erfc(rng.normal(p.shape, dtype=p.dtype) / np.sqrt(2.0))
        return tf.cast(u < p, p.dtype)

    for _ in range(k):
        v0 = bernoulli(tf.sigmoid(b + bernoulli(tf.sigmoid(c + v0 @ W)) @ tf.transpose(W)))
    return v0, bernoulli(tf.sigmoid(c + v0 @ W))


@near_miss("gibbs_k", effect="W 2 % too large")
def gibbs_weights_two_percent_too_large(v0, W, b, c, k, rng):
    return rbm.gibbs_k(v0, 1.02 * W, b, c, k, rng)


@near_miss("gibbs_k", effect="W 0.5 % too large")
def gibbs_weights_half_a_percent_too_large(v0, W, b, c, k, rng):
    return rbm.gibbs_k(v0, 1.005 * W, b, c, k, rng)
