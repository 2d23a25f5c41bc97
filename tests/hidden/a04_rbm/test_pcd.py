"""Exercise 6: a step of persistent contrastive divergence."""

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
    probe,
    sampling,
    tensorflow_rng,
)
from autograder.errors import CheckFailed
from reference import data, rbm

VISIBLE, HIDDEN = all_states(3), all_states(2)

# The model of the Gibbs checks: one sweep differs from two, and from none, in every state.
W = np.array([[0.3, -2.5], [0.7, 1.1], [-4.6, -0.1]])
B = np.array([1.0, -0.7, 0.8])
C = np.array([0.6, 1.6])
BATCH = np.array([[1.0, 0, 0], [1, 1, 0], [1, 0, 1], [1, 0, 0], [0, 1, 0]])


def random_case(inputs, dtype=np.float64):
    """Returns W (5, 3), b and c, a chain of 4 rows and a batch of 7."""
    parameters = inputs.normal(size=(5, 3)), inputs.normal(size=5), inputs.normal(size=3)
    states = inputs.integers(0, 2, (4, 5)), inputs.integers(0, 2, (7, 5))
    parameters = tuple(array.astype(dtype) for array in parameters)
    return parameters, *(array.astype(dtype) for array in states)


def dominoes(count):
    """Returns W, b and c of a machine in which, for sure, one more unit falls in each sweep.

    A hidden unit is on if and only if one of its two visible neighbours is; and the other way
    round.
    """
    W = 1000.0 * (np.eye(count, count - 1) + np.eye(count, count - 1, k=-1))
    return W, np.full(count, -500.0), np.full(count - 1, -500.0)


def law_of_states(probabilities, states):
    """Returns how probable each state is (rows, states), for units on with these (rows, units)."""
    p = np.asarray(probabilities)[:, np.newaxis]
    return np.prod(np.where(states == 1, p, 1 - p), axis=2)


def law_of_two_sweeps():
    """Returns p(v_2 | v_0), (8, 8)."""
    hidden = law_of_states(rbm.p_h_given_v(VISIBLE, W, C), HIDDEN)
    visible = law_of_states(rbm.p_v_given_h(HIDDEN, W, B), VISIBLE)
    return np.linalg.matrix_power(hidden @ visible, 2)


def stepped(result):
    """Returns the new parameters and the new chain of a step, of whatever shapes."""
    parameters, chain = expect(result).parts(2)
    return expect(parameters).parts(3), chain


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_W = np.array([[0.5, -1], [1, 0.25], [-0.75, 0.5]], np.float32)
SHOWN = SHOWN_W, np.array([0.1, -0.2, 0.3], np.float32), np.array([-0.4, 0.2], np.float32)
SHOWN_BATCH = np.array([[1, 0, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1]], np.float32)
SHOWN_CHAIN = np.array([[0, 0, 1], [1, 1, 1], [0, 1, 1], [0, 0, 1]], np.float32)


@exercise(
    "pcd_step",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v", "gibbs_k", "cd_gradient"),
    visible=True,
    mistakes=("pcd_chain_of_probabilities", "pcd_chain_of_booleans", "pcd_four_results"),
)
def test_pcd_shown_shapes_and_states(student):
    """The result is new parameters and a new chain of zeros and ones, in the shapes given."""
    rng = tensorflow_rng.seeded(1)
    parameters, chain = stepped(student.pcd_step(SHOWN, SHOWN_CHAIN, SHOWN_BATCH, 1, 0.5, rng))
    for seen, old in zip(parameters, SHOWN, strict=True):
        expect(seen).array(old.shape, np.float32)
    expect(chain).array("L D", np.float32, L=4, D=3).among((0, 1))


@exercise(
    "pcd_step",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v", "gibbs_k", "cd_gradient"),
    visible=True,
    mistakes=("pcd_without_learning_rate",),
)
def test_pcd_shown_without_learning(student):
    """With learning rate 0 the parameters stay as they are, exactly."""
    rng = tensorflow_rng.seeded(2)
    parameters, _ = stepped(student.pcd_step(SHOWN, SHOWN_CHAIN, SHOWN_BATCH, 1, 0.0, rng))
    for seen, old in zip(parameters, SHOWN, strict=True):
        expect(seen).equals(old)


@exercise(
    "pcd_step",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v", "gibbs_k", "cd_gradient"),
    visible=True,
    mistakes=("pcd_downhill", "pcd_only_weights"),
)
def test_pcd_shown_step_of_the_visible_bias(student):
    """The visible bias moves by learning_rate times the data's share of ones minus the chain's."""
    rng = tensorflow_rng.seeded(1)
    parameters, chain = stepped(student.pcd_step(SHOWN, SHOWN_CHAIN, SHOWN_BATCH, 1, 0.5, rng))
    expect(chain).array("L D", np.float32, L=4, D=3)
    expect(parameters[1]).array("D", np.float32, D=3)
    due = 0.5 * (SHOWN_BATCH.mean(axis=0) - np.asarray(chain).mean(axis=0))
    expect(parameters[1] - SHOWN[1]).close(due)


@exercise(
    "pcd_step",
    points=2,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v", "gibbs_k", "cd_gradient"),
    mistakes=(
        "through_chain",
        "pcd_restart_from_data",
        "pcd_downhill",
        "pcd_gradient_of_the_old_chain",
        "pcd_bias_after_weights",
        "pcd_without_learning_rate",
        "pcd_learning_rate_over_batch",
        "pcd_sums_over_rows",
        "pcd_negative_over_batch",
        "pcd_sampled_hidden_states",
        "pcd_only_weights",
        "pcd_weight_decay",
        "pcd_as_many_chains_as_data",
        "pcd_in_float32",
        "pcd_returns_the_changes",
        "pcd_without_hidden_bias",
    ),
    note="An identity between the results of one call; 4 chains, 7 rows of data, k = 2, float64. "
    "tf.cast turns a Python float into float32 on its way to float64: 1/4 is exact there, and "
    "the tolerance allows for others.",
)
def test_pcd_steps_along_the_cd_gradient(student, inputs):
    """New minus old parameters are learning_rate times the CD direction of data and new chain."""
    parameters, chain, batch = random_case(inputs)
    result = student.pcd_step(parameters, chain, batch, 2, 0.25, tensorflow_rng)
    new, moved = stepped(result)
    expect(moved).array("L D", np.float64, L=4, D=5).among((0, 1))
    directions = rbm.cd_gradient(batch, np.asarray(moved), *parameters)
    for seen, old, direction in zip(new, parameters, directions, strict=True):
        expect(seen).array(old.shape, np.float64).finite()
        expect(seen - old).close(0.25 * np.asarray(direction), tolerance=4e-6)


@exercise(
    "pcd_step",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v", "gibbs_k", "cd_gradient"),
    mistakes=(
        "pcd_restart_from_data",
        "pcd_chain_moves_after_the_update",
        "pcd_one_sweep_whatever_k",
        "pcd_chain_stays",
        "pcd_one_draw_for_all_chains",
        "pcd_two_sweeps_at_most",
        "pcd_another_sweep_at_the_end",
    ),
    note="The law of the chain from each state, k = 2 and a large step: 8 x 8 cells. First a "
    "machine where each sweep topples one more domino for sure, k = 5.",
)
def test_pcd_chain_follows_the_old_parameters(student, stages):
    """The chain moves on from its own states by k sweeps, with the parameters before the step."""
    first = np.eye(8)[:1]
    result = student.pcd_step(dominoes(8), first, np.ones((3, 8)), 5, 0.0, tensorflow_rng)
    toppled = stepped(result)[1]
    expect(toppled).array("L D", np.float64, L=1, D=8)
    fallen = int(np.sum(np.asarray(toppled))) - 1
    if fallen != 5:
        seen = f"in a machine where each sweep topples one domino, {fallen} of them fall"
        raise CheckFailed(None, seen, "5, one in each of k = 5 sweeps", toppled.call)

    def step(chain, rng=tensorflow_rng):
        moved = stepped(student.pcd_step((W, B, C), chain, BATCH, 2, 2.5, rng))[1]
        expect(moved).array("L D", np.float64, L=len(chain), D=3)
        return moved

    sampling.expect_kernel(step, VISIBLE, law_of_two_sweeps(), n=2400, stages=stages)


@exercise(
    "pcd_step",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v", "gibbs_k", "cd_gradient"),
    mistakes=(
        "pcd_restart_from_data",
        "pcd_chain_stays",
        "pcd_restart_at_random",
        "pcd_one_chain_from_data",
        "pcd_from_data_if_sizes_agree",
        "pcd_clips_parameters",
    ),
    note="Where a chain begins anew, or from the data, two steps are no two sweeps. First a model "
    "that copies each state shows whether each single chain goes on from its own, also with as "
    "many chains as data, and whether large parameters stay as they are.",
)
def test_pcd_two_steps_are_two_sweeps(student, stages):
    """At learning rate 0, two steps with k = 1 move the chain like one step with k = 2."""
    # A model whose hidden units copy the visible ones, and back: each state stays where it is.
    copying = 1000 * np.eye(3), np.full(3, -500.0), np.full(3, -500.0)
    for batch in (1 - VISIBLE[:5], 1 - VISIBLE):
        result = student.pcd_step(copying, VISIBLE, batch, 1, 0.0, tensorflow_rng)
        parameters, chain = stepped(result)
        expect(chain).array("L D", np.float64, L=8, D=3).equals(VISIBLE)
        for seen, old in zip(parameters, copying, strict=True):
            expect(seen).equals(old)

    def steps(chain, rng=tensorflow_rng):
        for _ in range(2):
            chain = stepped(student.pcd_step((W, B, C), chain, BATCH, 1, 0.0, rng))[1]
            expect(chain).array("L D", np.float64, L=len(chain), D=3)
        return chain

    sampling.expect_kernel(steps, VISIBLE, law_of_two_sweeps(), n=2400, stages=stages)


@probe
def variables_after_a_step(student, parameters, chain, batch, rng):
    """Gives variables to a step; returns its result, what they hold then, and which come back."""
    given = [tf.Variable(array) for array in (*parameters, chain)]
    result = student.pcd_step(tuple(given[:3]), given[3], batch, 1, 0.3, rng)
    returned = tf.nest.flatten(result)
    return {
        "result": result,
        "after": [variable.numpy() for variable in given],
        "back": np.array([any(old is new for new in returned) for old in given]),
    }


@exercise(
    "pcd_step",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v", "gibbs_k", "cd_gradient"),
    mistakes=("pcd_assigns_variables",),
    note="Parameters and chain are given as tf.Variable.",
)
def test_pcd_leaves_what_it_is_given(student, inputs):
    """Given variables stay as they are; the new parameters and the new chain are new objects."""
    parameters, chain, batch = random_case(inputs)
    found = variables_after_a_step(student, parameters, chain, batch, tensorflow_rng)
    new, moved = stepped(found["result"])
    for seen, old in zip((*new, moved), (*parameters, chain), strict=True):
        expect(seen).array(old.shape, np.float64)
    given = zip(
        ("W", "b", "c", "chain"),
        (*parameters, chain),
        found["after"],
        np.asarray(found["back"]),
        strict=True,
    )
    for name, before, after, comes_back in given:
        if not np.array_equal(before, after):
            seen = f"{name}, given as a variable, holds other numbers after the call"
            raise CheckFailed(None, seen, "nothing given is changed: no `assign`", None)
        if comes_back:
            seen = f"the very variable that was given as {name} is returned"
            raise CheckFailed(None, seen, "new tensors", None)


@exercise(
    "pcd_step",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v", "gibbs_k", "cd_gradient"),
    mistakes=("pcd_seed_inside", "pcd_global_generator"),
)
def test_pcd_draws_from_the_generator(student, inputs):
    """All randomness comes from rng: the same state gives the same step, another a new one."""
    parameters, _, batch = random_case(inputs)
    chain = inputs.integers(0, 2, (40, 5)).astype(float)
    arguments = parameters, chain, batch, 1, 0.3, tensorflow_rng
    laws.expect_rng_contract(student.pcd_step, arguments)


@probe
def trained(student, parameters, chain, batch, rate, steps, rng):
    """Returns parameters and chain after some steps on the same data."""
    for _ in range(steps):
        parameters, chain = student.pcd_step(parameters, chain, batch, 1, rate, rng)
    return list(parameters), chain


@exercise(
    "pcd_step",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v", "gibbs_k", "cd_gradient"),
    mistakes=("pcd_downhill",),
    note="Exact log-likelihood of bars and stripes, 20 hidden units, 300 chains, 200 steps. Over "
    "10 seeds the reference reaches -3.10 with a standard deviation of 0.06, CD-1 -3.74; "
    "independent units cannot exceed -6.2, and -2.64 is the best of all.",
)
def test_pcd_learns_bars_and_stripes(student, inputs):
    """After 200 steps the model gives bars and stripes of 3 x 3 pixels at least -3.5 nats each."""
    patterns, _ = data.bars_and_stripes(3)
    start = 0.3 * inputs.normal(size=(9, 20)), np.zeros(9), np.zeros(20)
    chain = inputs.integers(0, 2, (300, 9)).astype(float)
    parameters = start
    # Few rates, since a compiled step is traced anew for each; few steps a probe, for slow ones.
    for rate, steps in ((1.5, 40), (1.2, 40), (0.9, 40), (0.6, 40), (0.3, 20), (0.1, 20)):
        result = trained(student, parameters, chain, patterns, rate, steps, tensorflow_rng)
        parameters, chain = stepped(result)
        for seen, old in zip(parameters, start, strict=True):
            expect(seen).array(old.shape, np.float64).finite()
        expect(chain).array("L D", np.float64, L=300, D=9)
    log_prob = rbm.rbm_log_prob(patterns, *(np.asarray(array) for array in parameters))
    expect(float(np.mean(log_prob))).within(-3.5, 0)


@mistake(
    "pcd_step",
    kind="concept",
    hint="The chain goes on from its own states; started at the data anew, this is CD.",
)
def pcd_restart_from_data(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(v_batch, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake(
    "pcd_step",
    kind="concept",
    hint="No gradient flows through the sampling: the chain's states are drawn, then held fixed.",
)
def through_chain(parameters, chain, v_batch, k, learning_rate, rng):
    parameters = [tf.convert_to_tensor(array) for array in parameters]
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        v = chain
        for _ in range(k):
            p = p_h_given_v(v, parameters[0], parameters[2])  # noqa: F821
            h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
            v = p_v_given_h(h + p - tf.stop_gradient(p), *parameters[:2])  # noqa: F821
        drawn = tf.cast(rng.uniform(tf.shape(v), dtype=v.dtype) < v, v.dtype)
        v = drawn + v - tf.stop_gradient(v)
        positive = tf.reduce_mean(rbm_free_energy(v_batch, *parameters))  # noqa: F821
        loss = positive - tf.reduce_mean(rbm_free_energy(v, *parameters))  # noqa: F821
    slopes = tape.gradient(loss, parameters)
    return tuple(p - learning_rate * s for p, s in zip(parameters, slopes, strict=True)), drawn


@mistake(
    "pcd_step", kind="concept", hint="Every chain goes on from its own state, none from data."
)
def pcd_one_chain_from_data(parameters, chain, v_batch, k, learning_rate, rng):
    chain = tf.concat([v_batch[:1], chain[1:]], axis=0)
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake("pcd_step", kind="concept", hint="The step leads uphill in likelihood: add it.")
def pcd_downhill(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p - learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake(
    "pcd_step",
    kind="concept",
    hint="The chain moves first; the negative phase is made of the states it has moved to.",
)
def pcd_gradient_of_the_old_chain(parameters, chain, v_batch, k, learning_rate, rng):
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake(
    "pcd_step",
    kind="concept",
    hint="The chain that is returned moved with the parameters before the update.",
)
def pcd_chain_moves_after_the_update(parameters, chain, v_batch, k, learning_rate, rng):
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    chain, _ = gibbs_k(chain, *new, k, rng)  # noqa: F821
    return new, chain


@mistake(
    "pcd_step",
    kind="concept",
    hint="All three directions belong to the old parameters: compute them before any update.",
)
def pcd_bias_after_weights(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    chain, _ = gibbs_k(chain, W, b, c, k, rng)  # noqa: F821
    W = W + learning_rate * cd_gradient(v_batch, chain, W, b, c)[0]  # noqa: F821
    b = b + learning_rate * cd_gradient(v_batch, chain, W, b, c)[1]  # noqa: F821
    c = c + learning_rate * cd_gradient(v_batch, chain, W, b, c)[2]  # noqa: F821
    return (W, b, c), chain


@mistake("pcd_step", kind="concept", hint="The chain holds drawn states, not probabilities.")
def pcd_chain_of_probabilities(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    for _ in range(k):
        p = p_h_given_v(chain, W, c)  # noqa: F821
        h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        chain = p_v_given_h(h, W, b)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake("pcd_step", kind="concept", hint="Return new arrays; assigning changes what was given.")
def pcd_assigns_variables(parameters, chain, v_batch, k, learning_rate, rng):
    variables = [p if isinstance(p, tf.Variable) else tf.Variable(p) for p in parameters]
    chain, _ = gibbs_k(chain, *variables, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *variables)  # noqa: F821
    for variable, direction in zip(variables, directions, strict=True):
        variable.assign_add(learning_rate * direction)
    return tuple(variables), chain


@mistake("pcd_step", kind="concept", hint="Weight decay is not part of this step.")
def pcd_weight_decay(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    chain, _ = gibbs_k(chain, W, b, c, k, rng)  # noqa: F821
    dW, db, dc = cd_gradient(v_batch, chain, W, b, c)  # noqa: F821
    rate = learning_rate
    return (W + rate * (dW - 0.0002 * W), b + rate * db, c + rate * dc), chain


@mistake("pcd_step", kind="lazy", hint="The biases learn, too.")
def pcd_only_weights(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    chain, _ = gibbs_k(chain, W, b, c, k, rng)  # noqa: F821
    dW, _, _ = cd_gradient(v_batch, chain, W, b, c)  # noqa: F821
    return (W + learning_rate * dW, b, c), chain


@mistake("pcd_step", kind="lazy", hint="The chain makes k sweeps, not one.")
def pcd_one_sweep_whatever_k(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(chain, *parameters, 1, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake("pcd_step", kind="lazy", hint="The moved chain is handed on, not the one that came in.")
def pcd_chain_stays(parameters, chain, v_batch, k, learning_rate, rng):
    moved, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, moved, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake("pcd_step", kind="scale", hint="The step has the length learning_rate.")
def pcd_without_learning_rate(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    return tuple(p + d for p, d in zip(parameters, directions, strict=True)), chain


@mistake(
    "pcd_step",
    kind="scale",
    hint="The direction is a mean already: do not divide by the batch size again.",
)
def pcd_learning_rate_over_batch(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    rate = learning_rate / len(v_batch)
    return tuple(p + rate * d for p, d in zip(parameters, directions, strict=True)), chain


@mistake("pcd_step", kind="scale", hint="Both phases are means over their rows, not sums.")
def pcd_sums_over_rows(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    chain, _ = gibbs_k(chain, W, b, c, k, rng)  # noqa: F821
    p, q = p_h_given_v(v_batch, W, c), p_h_given_v(chain, W, c)  # noqa: F821
    dW = tf.transpose(v_batch) @ p - tf.transpose(chain) @ q
    db = tf.reduce_sum(v_batch, 0) - tf.reduce_sum(chain, 0)
    dc = tf.reduce_sum(p, 0) - tf.reduce_sum(q, 0)
    return (W + learning_rate * dW, b + learning_rate * db, c + learning_rate * dc), chain


@mistake(
    "pcd_step",
    kind="scale",
    hint="The negative phase is a mean over the chains, whose number is not that of the data.",
)
def pcd_negative_over_batch(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    chain, _ = gibbs_k(chain, W, b, c, k, rng)  # noqa: F821
    p, q = p_h_given_v(v_batch, W, c), p_h_given_v(chain, W, c)  # noqa: F821
    rate = learning_rate / len(v_batch)
    dW = tf.transpose(v_batch) @ p - tf.transpose(chain) @ q
    db = tf.reduce_sum(v_batch, 0) - tf.reduce_sum(chain, 0)
    dc = tf.reduce_sum(p, 0) - tf.reduce_sum(q, 0)
    return (W + rate * dW, b + rate * db, c + rate * dc), chain


@mistake("pcd_step", kind="axis", hint="There may be more chains than rows of data, or fewer.")
def pcd_as_many_chains_as_data(parameters, chain, v_batch, k, learning_rate, rng):
    chain = tf.concat([chain, v_batch], axis=0)[: len(v_batch)]
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake("pcd_step", kind="axis", hint="Each chain needs random numbers of its own.")
def pcd_one_draw_for_all_chains(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    for _ in range(k):
        p = p_h_given_v(chain, W, c)  # noqa: F821
        h = tf.cast(rng.uniform((1, p.shape[1]), dtype=p.dtype) < p, p.dtype)
        p = p_v_given_h(h, W, b)  # noqa: F821
        chain = tf.cast(rng.uniform((1, p.shape[1]), dtype=p.dtype) < p, p.dtype)
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake("pcd_step", kind="randomness", hint="The chain begins where it was left, not at random.")
def pcd_restart_at_random(parameters, chain, v_batch, k, learning_rate, rng):
    p = 0.5 * tf.ones_like(chain)
    chain = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake(
    "pcd_step",
    kind="randomness",
    hint="The direction is that of cd_gradient, with probabilities p(h|v) in both phases.",
)
def pcd_sampled_hidden_states(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    chain, q = gibbs_k(chain, W, b, c, k, rng)  # noqa: F821
    p = p_h_given_v(v_batch, W, c)  # noqa: F821
    dW = tf.transpose(v_batch) @ p / len(v_batch) - tf.transpose(chain) @ q / len(chain)
    db = tf.reduce_mean(v_batch, 0) - tf.reduce_mean(chain, 0)
    dc = tf.reduce_mean(p, 0) - tf.reduce_mean(q, 0)
    return (W + learning_rate * dW, b + learning_rate * db, c + learning_rate * dc), chain


@mistake("pcd_step", kind="randomness", hint="Use the generator that is given; do not seed one.")
def pcd_seed_inside(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(chain, *parameters, k, tf.random.Generator.from_seed(1))  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake("pcd_step", kind="randomness", hint="Use the generator that is given, not tf.random.")
def pcd_global_generator(parameters, chain, v_batch, k, learning_rate, rng):
    rng = tf.random.get_global_generator()
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake("pcd_step", kind="numerics", hint="Float64 arguments give float64 results.")
def pcd_in_float32(parameters, chain, v_batch, k, learning_rate, rng):
    parameters = tuple(tf.cast(array, tf.float32) for array in parameters)
    chain, v_batch = tf.cast(chain, tf.float32), tf.cast(v_batch, tf.float32)
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake(
    "pcd_step",
    kind="numerics",
    hint="A comparison gives booleans: the chain keeps the dtype of the visible units.",
)
def pcd_chain_of_booleans(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain > 0.5


@mistake("pcd_step", kind="lazy", hint="The chain makes k sweeps, whatever k is.")
def pcd_two_sweeps_at_most(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(chain, *parameters, min(k, 2), rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake(
    "pcd_step",
    kind="concept",
    hint="The chain goes on from its own states, also where it has as many rows as the batch.",
)
def pcd_from_data_if_sizes_agree(parameters, chain, v_batch, k, learning_rate, rng):
    start = v_batch if v_batch.shape == chain.shape else chain
    chain, _ = gibbs_k(start, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@mistake("pcd_step", kind="concept", hint="The rule is a plain step; it clips no parameters.")
def pcd_clips_parameters(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return tuple(tf.clip_by_value(p, -5.0, 5.0) for p in new), chain


@mistake(
    "pcd_step",
    kind="concept",
    hint="Return the chain that the negative phase used; it needs no further sweep.",
)
def pcd_another_sweep_at_the_end(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, gibbs_k(chain, *parameters, 1, rng)[0]  # noqa: F821


@mistake("pcd_step", kind="concept", hint="Return the new parameters, not the changes to them.")
def pcd_returns_the_changes(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    return tuple(learning_rate * d for d in directions), chain


@mistake("pcd_step", kind="lazy", hint="The hidden bias learns, too.")
def pcd_without_hidden_bias(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    chain, _ = gibbs_k(chain, W, b, c, k, rng)  # noqa: F821
    dW, db, _ = cd_gradient(v_batch, chain, W, b, c)  # noqa: F821
    return (W + learning_rate * dW, b + learning_rate * db, c), chain


@mistake(
    "pcd_step", kind="axis", hint="The result has two parts: the tuple (W, b, c), and the chain."
)
def pcd_four_results(parameters, chain, v_batch, k, learning_rate, rng):
    chain, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return *new, chain


@alternative("pcd_step")
def pcd_by_earlier_functions(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    v, _ = gibbs_k(chain, W, b, c, k, rng)  # noqa: F821
    dW, db, dc = cd_gradient(v_batch, v, W, b, c)  # noqa: F821
    return (W + learning_rate * dW, b + learning_rate * db, c + learning_rate * dc), v


@alternative("pcd_step")
def pcd_by_tape(parameters, chain, v_batch, k, learning_rate, rng):
    parameters = [tf.convert_to_tensor(array) for array in parameters]
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        v = tf.stop_gradient(gibbs_k(chain, *parameters, k, rng)[0])  # noqa: F821
        gap = tf.reduce_mean(rbm_free_energy(v_batch, *parameters))  # noqa: F821
        gap -= tf.reduce_mean(rbm_free_energy(v, *parameters))  # noqa: F821
    slopes = tape.gradient(gap, parameters)
    return [p - learning_rate * s for p, s in zip(parameters, slopes, strict=True)], v


@alternative("pcd_step")
def pcd_compiled(parameters, chain, v_batch, k, learning_rate, rng):
    @tf.function
    def step(W, b, c, v, rate):
        for _ in range(k):
            p = tf.sigmoid(c + v @ W)
            h = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
            p = tf.sigmoid(b + tf.matmul(h, W, transpose_b=True))
            v = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        dW, db, dc = cd_gradient(v_batch, v, W, b, c)  # noqa: F821
        return (W + rate * dW, b + rate * db, c + rate * dc), v

    W, b, c = (tf.convert_to_tensor(array) for array in parameters)
    return step(W, b, c, tf.convert_to_tensor(chain), tf.cast(learning_rate, W.dtype))


@alternative("pcd_step")
def pcd_in_numpy(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c, v, data = (np.asarray(array) for array in (*parameters, chain, v_batch))

    def on(activation):
        return 1 / (1 + np.exp(-activation))

    for _ in range(k):
        p = on(c + v @ W)
        p = on(b + (np.asarray(rng.uniform(p.shape, dtype=p.dtype)) < p) @ W.T)
        v = (np.asarray(rng.uniform(p.shape, dtype=p.dtype)) < p).astype(W.dtype)
    p, q, rate = on(c + data @ W), on(c + v @ W), float(learning_rate)
    new_W = W + rate * (data.T @ p / len(data) - v.T @ q / len(v))
    new_b = b + rate * (data.mean(0) - v.mean(0))
    new_c = c + rate * (p.mean(0) - q.mean(0))
    return (tf.constant(new_W), tf.constant(new_b), tf.constant(new_c)), tf.constant(v)


@alternative("pcd_step")
def pcd_in_float64_inside(parameters, chain, v_batch, k, learning_rate, rng):
    dtype = parameters[0].dtype
    wide = [tf.cast(array, tf.float64) for array in (*parameters, chain, v_batch)]
    *old, v, batch = wide
    v, _ = gibbs_k(v, *old, k, rng)  # noqa: F821
    pairs = zip(old, cd_gradient(batch, v, *old), strict=True)  # noqa: F821
    rate = tf.cast(learning_rate, tf.float64)
    return tuple(tf.cast(p + rate * d, dtype) for p, d in pairs), tf.cast(v, dtype)


@alternative("pcd_step")
def pcd_phase_by_phase(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    v = chain
    for _ in range(k):
        logits = c + v @ W
        u = rng.uniform(tf.shape(logits), dtype=logits.dtype)
        h = tf.where(tf.math.log(u) - tf.math.log1p(-u) < logits, 1.0, 0.0)
        logits = b + tf.cast(h, logits.dtype) @ tf.transpose(W)
        u = rng.uniform(tf.shape(logits), dtype=logits.dtype)
        v = tf.cast(tf.math.log(u) - tf.math.log1p(-u) < logits, logits.dtype)
    for states, sign in ((v_batch, 1.0), (v, -1.0)):
        p = tf.sigmoid(parameters[2] + states @ parameters[0])
        rate = sign * learning_rate
        W = W + rate * tf.reduce_mean(states[:, :, None] * p[:, None, :], axis=0)
        b = b + rate * tf.reduce_mean(states, axis=0)
        c = c + rate * tf.reduce_mean(p, axis=0)
    return (W, b, c), v


@alternative("pcd_step")
def pcd_with_an_optimizer(parameters, chain, v_batch, k, learning_rate, rng):
    new = [tf.Variable(array) for array in parameters]
    v, _ = gibbs_k(chain, *parameters, k, rng)  # noqa: F821
    for variable, direction in zip(new, cd_gradient(v_batch, v, *parameters), strict=True):  # noqa: F821
        variable.assign_add(learning_rate * direction)
    return tuple(tf.identity(variable) for variable in new), v


@alternative("pcd_step")
@tf.function
def pcd_compiled_as_a_whole(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    chain, _ = gibbs_k(chain, W, b, c, k, rng)  # noqa: F821
    dW, db, dc = cd_gradient(v_batch, chain, W, b, c)  # noqa: F821
    rate = tf.cast(learning_rate, W.dtype)
    return (W + rate * dW, b + rate * db, c + rate * dc), chain


@alternative("pcd_step")
def pcd_sweep_by_sweep(parameters, chain, v_batch, k, learning_rate, rng):
    for _ in range(k):
        chain, _ = gibbs_k(chain, *parameters, 1, rng)  # noqa: F821
    directions = cd_gradient(v_batch, chain, *parameters)  # noqa: F821
    return [[p + learning_rate * d for p, d in zip(parameters, directions, strict=True)], chain]


@near_miss("pcd_step", effect="W 2 % too large")
def pcd_weights_two_percent_too_large(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    chain, _ = rbm.gibbs_k(chain, 1.02 * W, b, c, k, rng)
    directions = rbm.cd_gradient(v_batch, chain, W, b, c)
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain


@near_miss("pcd_step", effect="W 0.5 % too large")
def pcd_weights_half_a_percent_too_large(parameters, chain, v_batch, k, learning_rate, rng):
    W, b, c = parameters
    chain, _ = rbm.gibbs_k(chain, 1.005 * W, b, c, k, rng)
    directions = rbm.cd_gradient(v_batch, chain, W, b, c)
    new = tuple(p + learning_rate * d for p, d in zip(parameters, directions, strict=True))
    return new, chain
