"""Exercise 1: up and down a deep belief network."""

import numpy as np
import tensorflow as tf
from scipy.special import expit, logsumexp

from autograder.checks import (
    all_states,
    alternative,
    exercise,
    expect,
    laws,
    mistake,
    sampling,
    tensorflow_rng,
)
from reference import deep_ebm

# A network of 3, 3 and 2 units: strong below, where states are drawn once, and mild at the top,
# so that 40 sweeps forget where they began. The biases that a sampler must not use are large.
BOTTOM = (
    np.array([[2.5, -1.5, 0.5], [-2.0, 2.0, 1.0], [1.0, 1.5, -2.5]]),
    np.array([-0.8, 0.3, 0.6]),
    np.array([1.6, -1.4, -1.2]),
)
TOP = (
    np.array([[1.4, -0.6], [-1.2, 1.0], [0.8, 1.6]]),
    np.array([-0.9, 0.7, -0.8]),
    np.array([0.5, -0.7]),
)

# The visible checks: what the test cell of the notebook shows, on the same arrays.
LOG3 = np.float32(np.log(3))
SHOWN_V = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 0, 1], [1, 1, 1, 1, 1]], np.float32)


def shown_up():
    """Returns layers of 5, 4 and 2 units."""
    W1, W2 = np.zeros((5, 4), np.float32), np.zeros((4, 2), np.float32)
    W1[0, 0], W1[1, 1], W2[0, 0], W2[1, 1] = LOG3, -LOG3, 4 * LOG3 / 3, -4 * LOG3
    zeros = [np.zeros(size, np.float32) for size in (5, 4, 2)]
    return [(W1, zeros[0], zeros[1]), (W2, zeros[1], zeros[2])]


def shown_down():
    """Returns layers of 5, 4 and 2 units in which nothing is left to chance."""
    W1 = 400 * np.eye(5, 4, dtype=np.float32)
    b1 = np.array([-200, -200, -200, -200, 200], np.float32)
    c1 = np.array([-1000, 1000, -1000, 1000], np.float32)
    b2 = np.array([200, -200, 200, -200], np.float32)
    return [(W1, b1, c1), (np.zeros((4, 2), np.float32), b2, np.zeros(2, np.float32))]


def random_layers(inputs, widths, scale=1.0):
    """Returns W, b and c of each layer, float64."""
    pairs = zip(widths[:-1], widths[1:], strict=True)
    return [
        (scale * inputs.normal(size=(m, n)), inputs.normal(size=m), inputs.normal(size=n))
        for m, n in pairs
    ]


def visible_law():
    """Returns log p(v) of the eight visible states of the network above."""
    (W1, b1, _), (W2, b2, c2) = BOTTOM, TOP
    h1, h2, v = all_states(3), all_states(2), all_states(3)
    log_p = h1 @ b2 + logsumexp((h2 @ c2)[:, np.newaxis] + h2 @ W2.T @ h1.T, axis=0)
    p = expit(b1 + h1 @ W1.T)[:, np.newaxis]
    given = np.prod(np.where(v == 1, p, 1 - p), axis=2)
    return np.log(np.exp(log_p - logsumexp(log_p)) @ given)


def register(signs):
    """Returns a top layer in which, for sure, one more unit takes its sign in each sweep.

    In spins, unit j above follows unit j below, which follows unit j - 1 above: their couplings
    fall along the chain. A bias decides on the first one.
    """
    count = len(signs)
    strength = 100.0 * np.arange(2 * count + 1, 0, -1)
    J, bias = np.zeros((count, count)), np.zeros(count)
    bias[0] = signs[0] * strength[0]
    for j in range(count):
        J[j, j] = strength[2 * j + 1]
        if j + 1 < count:
            J[j + 1, j] = strength[2 * j + 2] * signs[j] * signs[j + 1]
    return 4 * J, 2 * bias - 2 * J.sum(axis=1), -2 * J.sum(axis=0)


@exercise("dbn_up", points=1, visible=True, mistakes=("up_top_only", "up_with_visible"))
def test_up_shown_shapes_and_dtypes(student):
    """There is one array of probabilities for each layer, from the bottom."""
    first, second = expect(student.dbn_up(SHOWN_V, shown_up())).parts(2)
    expect(first).array("B H", np.float32, B=3, H=4).within(0, 1)
    expect(second).array("B H", np.float32, B=3, H=2).within(0, 1)


@exercise(
    "dbn_up",
    points=1,
    visible=True,
    mistakes=("up_by_states", "up_logits", "up_by_softmax"),
)
def test_up_shown_values(student):
    """An activation of log 3 is a probability of 3/4, and goes on to the next layer as such."""
    first, second = expect(student.dbn_up(SHOWN_V, shown_up())).parts(2)
    expect(first[0]).close(np.array([0.75, 0.25, 0.5, 0.5], np.float32))
    expect(second[0]).close(np.array([0.75, 0.25], np.float32))


@exercise(
    "dbn_up", points=1, visible=True, mistakes=("sample_probabilities", "sample_of_hidden_units")
)
def test_sample_shown_states(student):
    """The samples are visible states, 0 or 1, one row each."""
    seen = student.dbn_sample(shown_up(), 6, 2, tensorflow_rng.seeded(1))
    expect(seen).array("n D", np.float32, n=6, D=5).among((0, 1))


@exercise(
    "dbn_up",
    points=1,
    visible=True,
    mistakes=("dbn_as_rbm", "sample_without_lower_bias", "sample_by_up_biases"),
)
def test_sample_shown_of_large_weights(student):
    """The top layer decides on the one below, and that one on the visible units."""
    seen = student.dbn_sample(shown_down(), 6, 2, tensorflow_rng.seeded(1))
    expect(seen).equals(np.tile([1, 0, 1, 0, 1], (6, 1)))


@exercise(
    "dbn_up",
    points=2,
    mistakes=(
        "up_by_states",
        "up_by_draws",
        "up_logits",
        "up_by_softmax",
        "up_by_lower_bias",
        "up_without_bias",
        "up_in_float32",
        "up_bias_twice",
        "up_by_tanh",
        "up_first_layer_sampled",
    ),
    note="Four layers of units, float64; and a single layer.",
)
def test_up_of_three_layers(student, inputs):
    """Each layer gets the probabilities of the layer below, its own weights and hidden bias."""
    v = inputs.integers(0, 2, (7, 6)).astype(float)
    for widths in ((6, 5, 4, 3), (6, 5)):
        layers = random_layers(inputs, widths)
        seen = expect(student.dbn_up(v, layers)).parts(len(layers))
        for one, due in zip(seen, deep_ebm.dbn_up(v, layers), strict=True):
            expect(one).matches(due)


@exercise("dbn_up", points=1, mistakes=("up_mean_of_the_batch",))
def test_up_of_each_row_stands_alone(student, inputs):
    """The probabilities of a row depend on that row only."""
    layers = random_layers(inputs, (6, 5, 4))
    v = inputs.integers(0, 2, (7, 6)).astype(float)
    laws.expect_rows_independent(student.dbn_up, batched=(v,), shared=(layers,))


@exercise(
    "dbn_up",
    points=3,
    mistakes=(
        "dbn_as_rbm",
        "sample_by_means",
        "sample_without_lower_bias",
        "sample_without_top_bias",
        "sample_by_up_biases",
        "sample_rounded",
        "sample_without_gibbs",
        "sample_one_draw_for_all_rows",
        "sample_one_draw_for_all_units",
        "sample_all_undirected",
        "sample_top_unbiased_above",
    ),
    note="Layers of 3, 3 and 2 units, 40 sweeps: 8 states, by enumeration of all 256; 5,000 rows.",
)
def test_samples_have_the_law_of_the_network(student, stages):
    """Visible states come up as often as the whole network says, not its first layer alone."""

    def rows(count, rng=tensorflow_rng):
        seen = student.dbn_sample([BOTTOM, TOP], count, 40, rng)
        expect(seen).array("n D", np.float64, n=count, D=3).among((0, 1))
        return seen

    law = sampling.discrete(visible_law(), all_states(3))
    sampling.expect_law(sampling.draws(rows, 5000, stages), law)


@exercise(
    "dbn_up",
    points=2,
    mistakes=(
        "dbn_as_rbm",
        "sample_by_up_biases",
        "sample_without_lower_bias",
        "sample_skips_a_layer",
        "sample_without_top_bias",
    ),
    note="Weights and biases of 500 and more: nothing is left to chance.",
)
def test_samples_come_down_layer_by_layer(student, inputs):
    """From the top, each layer decides on the one below by its weights and lower bias."""
    signs = inputs.choice([-1.0, 1.0], size=6)
    order, other = inputs.permutation(6), inputs.permutation(6)
    ignored = 5000 * inputs.choice([-1.0, 1.0], size=(2, 6))
    turn = np.where(np.arange(6) < 3, 1.0, -1.0)
    top = np.zeros((6, 2)), 500 * signs, np.zeros(2)
    middle = 1000 * np.eye(6)[order] * turn[:, np.newaxis], -500 * turn, ignored[0]
    bottom = 1000 * np.eye(6)[other], np.full(6, -500.0), ignored[1]
    seen = student.dbn_sample([bottom, middle, top], 5, 3, tensorflow_rng)
    due = ((signs[order] * turn)[other] + 1) / 2
    expect(seen).array("n D", np.float64, n=5, D=6).equals(np.tile(due, (5, 1)))


@exercise(
    "dbn_up",
    points=1,
    mistakes=("sample_without_gibbs", "sample_one_sweep", "sample_one_sweep_too_few"),
    note="A register of twelve units: one more is certain after each sweep, whatever the start.",
)
def test_the_top_runs_for_all_sweeps(student, inputs):
    """In a network where each sweep settles one more unit, n_gibbs sweeps settle as many."""
    signs = inputs.choice([-1.0, 1.0], size=12)
    copy = 1000 * np.eye(12), np.full(12, -500.0), np.zeros(12)
    seen = student.dbn_sample([copy, register(signs)], 60, 12, tensorflow_rng)
    expect(seen).array("n D", np.float64, n=60, D=12).equals(np.tile((signs + 1) / 2, (60, 1)))


@exercise("dbn_up", points=1, mistakes=("sample_global_generator", "sample_seed_inside"))
def test_samples_are_drawn_from_the_generator(student, inputs):
    """All randomness comes from rng: the same state gives the same result, another a new one."""
    layers = random_layers(inputs, (6, 5, 4), 0.5)
    laws.expect_rng_contract(student.dbn_sample, (layers, 40, 2, tensorflow_rng))


@mistake("dbn_up", kind="concept", hint="Hand on the probabilities: no rounding, no draws.")
def up_by_states(v, layers):
    means, below = [], v
    for W, _, c in layers:
        means.append(tf.sigmoid(c + below @ W))
        below = tf.round(means[-1])
    return means


@mistake("dbn_up", kind="randomness", hint="Hand on the probabilities: no rounding, no draws.")
def up_by_draws(v, layers):
    means, below = [], v
    for W, _, c in layers:
        p = tf.sigmoid(c + below @ W)
        means.append(p)
        below = tf.cast(tf.random.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
    return means


@mistake("dbn_up", kind="concept", hint="What is returned are probabilities, not states.")
def up_first_layer_sampled(v, layers):
    means = deep_ebm.dbn_up(v, layers)
    return [tf.round(means[0]), *means[1:]]


@mistake("dbn_up", kind="concept", hint="An activation becomes a probability by the sigmoid.")
def up_logits(v, layers):
    means, below = [], v
    for W, _, c in layers:
        below = c + below @ W
        means.append(below)
    return means


@mistake("dbn_up", kind="concept", hint="Each unit has a probability of its own: no softmax.")
def up_by_softmax(v, layers):
    means, below = [], v
    for W, _, c in layers:
        below = tf.nn.softmax(c + below @ W)
        means.append(below)
    return means


@mistake("dbn_up", kind="concept", hint="Units of 0 and 1 have the sigmoid, not tanh.")
def up_by_tanh(v, layers):
    means, below = [], v
    for W, _, c in layers:
        below = tf.tanh(c + below @ W)
        means.append(below)
    return means


@mistake("dbn_up", kind="lazy", hint="On the way up, the bias c of each layer counts.")
def up_without_bias(v, layers):
    return deep_ebm.dbn_up(v, [(W, b, 0.0 * c) for W, b, c in layers])


@mistake("dbn_up", kind="scale", hint="The bias c of each layer counts once.")
def up_bias_twice(v, layers):
    return deep_ebm.dbn_up(v, [(W, b, 2.0 * c) for W, b, c in layers])


@mistake("dbn_up", kind="concept", hint="On the way up c is added; b belongs to the units below.")
def up_by_lower_bias(v, layers):
    return deep_ebm.dbn_up(v, [(W, b, tf.reduce_mean(b) + 0.0 * c) for W, b, c in layers])


@mistake("dbn_up", kind="lazy", hint="All layers are returned, not the top one only.")
def up_top_only(v, layers):
    return deep_ebm.dbn_up(v, layers)[-1:]


@mistake("dbn_up", kind="lazy", hint="The visible states themselves are no layer.")
def up_with_visible(v, layers):
    return [v, *deep_ebm.dbn_up(v, layers)]


@mistake("dbn_up", kind="numerics", hint="Float64 states give float64 probabilities.")
def up_in_float32(v, layers):
    return [tf.cast(mean, tf.float32) for mean in deep_ebm.dbn_up(v, layers)]


@mistake("dbn_up", kind="axis", hint="Each row has activations of its own: no batch mean.")
def up_mean_of_the_batch(v, layers):
    below = tf.reduce_mean(v, axis=0, keepdims=True) + 0.0 * v
    return deep_ebm.dbn_up(below, layers)


@mistake(
    "dbn_up",
    kind="concept",
    function="dbn_sample",
    hint="Gibbs sampling runs in the top layer; those below are only passed on the way down.",
)
def dbn_as_rbm(layers, n, n_gibbs, rng):
    return deep_ebm.dbn_sample(layers[:1], n, n_gibbs, rng)


@mistake(
    "dbn_up",
    kind="randomness",
    function="dbn_sample",
    hint="On the way down states are drawn in each layer: do not hand on probabilities.",
)
def sample_by_means(layers, n, n_gibbs, rng):
    W, b, c = layers[-1]
    below = deep_ebm.dbn_sample(layers[-1:], n, n_gibbs - 1, rng)
    p = tf.sigmoid(c + tf.matmul(below, W))
    above = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
    below = tf.sigmoid(b + tf.matmul(above, W, transpose_b=True))
    for W, b, _ in reversed(layers[:-1]):
        below = tf.sigmoid(b + tf.matmul(below, W, transpose_b=True))
    return tf.cast(rng.uniform(tf.shape(below), dtype=below.dtype) < below, below.dtype)


@mistake(
    "dbn_up",
    kind="randomness",
    function="dbn_sample",
    hint="Visible states are drawn at last: 0 or 1, no probability.",
)
def sample_probabilities(layers, n, n_gibbs, rng):
    W, b, _ = layers[0]
    h = deep_ebm.dbn_sample(layers[1:], n, n_gibbs, rng)
    return tf.sigmoid(b + tf.matmul(h, W, transpose_b=True))


@mistake(
    "dbn_up",
    kind="randomness",
    function="dbn_sample",
    hint="Rounding a probability is no draw.",
)
def sample_rounded(layers, n, n_gibbs, rng):
    state = deep_ebm.dbn_sample(layers[-1:], n, n_gibbs, rng)
    for W, b, _ in reversed(layers[:-1]):
        state = tf.round(tf.sigmoid(b + tf.matmul(state, W, transpose_b=True)))
    return state


@mistake(
    "dbn_up",
    kind="lazy",
    function="dbn_sample",
    hint="The way down ends at the visible units.",
)
def sample_of_hidden_units(layers, n, n_gibbs, rng):
    return deep_ebm.dbn_sample(layers[1:], n, n_gibbs, rng)


@mistake(
    "dbn_up",
    kind="lazy",
    function="dbn_sample",
    hint="On the way down the bias b of each layer is added.",
)
def sample_without_lower_bias(layers, n, n_gibbs, rng):
    bare = [(W, 0.0 * b, c) for W, b, c in layers[:-1]]
    return deep_ebm.dbn_sample([*bare, layers[-1]], n, n_gibbs, rng)


@mistake(
    "dbn_up",
    kind="lazy",
    function="dbn_sample",
    hint="In the top layer both biases count: b of its lower units, c of its upper ones.",
)
def sample_without_top_bias(layers, n, n_gibbs, rng):
    W, b, c = layers[-1]
    return deep_ebm.dbn_sample([*layers[:-1], (W, 0.0 * b, c)], n, n_gibbs, rng)


@mistake(
    "dbn_up",
    kind="lazy",
    function="dbn_sample",
    hint="In the top layer both biases count: b of its lower units, c of its upper ones.",
)
def sample_top_unbiased_above(layers, n, n_gibbs, rng):
    W, b, c = layers[-1]
    return deep_ebm.dbn_sample([*layers[:-1], (W, b, 0.0 * c - 3.0)], n, n_gibbs, rng)


@mistake(
    "dbn_up",
    kind="concept",
    function="dbn_sample",
    hint="Of a layer below the top, c is not used: it was for the way up.",
)
def sample_by_up_biases(layers, n, n_gibbs, rng):
    W, b, c = layers[-1]
    below = layers[-2][2] if len(layers) > 1 else b
    return deep_ebm.dbn_sample([*layers[:-1], (W, below, c)], n, n_gibbs, rng)


@mistake(
    "dbn_up",
    kind="lazy",
    function="dbn_sample",
    hint="The top layer has to run: what it starts from is no sample of it.",
)
def sample_without_gibbs(layers, n, n_gibbs, rng):
    return deep_ebm.dbn_sample(layers, n, 0, rng)


@mistake(
    "dbn_up",
    kind="lazy",
    function="dbn_sample",
    hint="n_gibbs sweeps are asked for in the top layer.",
)
def sample_one_sweep(layers, n, n_gibbs, rng):
    return deep_ebm.dbn_sample(layers, n, min(n_gibbs, 1), rng)


@mistake(
    "dbn_up",
    kind="lazy",
    function="dbn_sample",
    hint="n_gibbs sweeps are asked for in the top layer.",
)
def sample_one_sweep_too_few(layers, n, n_gibbs, rng):
    return deep_ebm.dbn_sample(layers, n, n_gibbs - 1, rng)


@mistake(
    "dbn_up",
    kind="axis",
    function="dbn_sample",
    hint="Each row needs random numbers of its own.",
)
def sample_one_draw_for_all_rows(layers, n, n_gibbs, rng):
    return tf.repeat(deep_ebm.dbn_sample(layers, 1, n_gibbs, rng), n, axis=0)


@mistake(
    "dbn_up",
    kind="axis",
    function="dbn_sample",
    hint="Each unit needs a random number of its own.",
)
def sample_one_draw_for_all_units(layers, n, n_gibbs, rng):
    state = deep_ebm.dbn_sample(layers[-1:], n, n_gibbs, rng)
    for W, b, _ in reversed(layers[:-1]):
        p = tf.sigmoid(b + tf.matmul(state, W, transpose_b=True))
        state = tf.cast(rng.uniform((n, 1), dtype=p.dtype) < p, p.dtype)
    return state


@mistake(
    "dbn_up",
    kind="concept",
    function="dbn_sample",
    hint="The way down is made once, at the end: the layers below do not speak back to the top.",
)
def sample_all_undirected(layers, n, n_gibbs, rng):
    state = deep_ebm.dbn_sample(layers, n, 1, rng)
    for _ in range(n_gibbs):
        for W, _, c in layers:
            p = tf.sigmoid(c + tf.matmul(state, W))
            state = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
        for W, b, _ in reversed(layers):
            p = tf.sigmoid(b + tf.matmul(state, W, transpose_b=True))
            state = tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)
    return state


@mistake(
    "dbn_up",
    kind="lazy",
    function="dbn_sample",
    hint="Every layer lies on the way down, however many there are.",
)
def sample_skips_a_layer(layers, n, n_gibbs, rng):
    kept = [layers[0], *layers[2:]] if len(layers) > 2 else layers
    return deep_ebm.dbn_sample(kept, n, n_gibbs, rng)


@mistake(
    "dbn_up",
    kind="randomness",
    function="dbn_sample",
    hint="Use the generator that is given, not tf.random.",
)
def sample_global_generator(layers, n, n_gibbs, rng):
    own = tf.random.get_global_generator()
    return deep_ebm.dbn_sample(layers, n, n_gibbs, own)


@mistake(
    "dbn_up",
    kind="randomness",
    function="dbn_sample",
    hint="Use the generator that is given; do not seed one.",
)
def sample_seed_inside(layers, n, n_gibbs, rng):
    return deep_ebm.dbn_sample(layers, n, n_gibbs, tf.random.Generator.from_seed(1))


@alternative("dbn_up")
def up_by_recursion(v, layers):
    if not layers:
        return []
    W, _, c = layers[0]
    mean = tf.math.sigmoid(tf.matmul(v, W) + c[tf.newaxis])
    return [mean, *dbn_up(mean, layers[1:])]  # noqa: F821


@alternative("dbn_up")
def up_by_einsum(v, layers):
    states = [v]
    for number in range(len(layers)):
        W, c = layers[number][0], layers[number][2]
        states += [1.0 / (1.0 + tf.exp(-tf.einsum("bi,ij->bj", states[number], W) - c))]
    return tuple(states[1:])


@alternative("dbn_up", function="dbn_sample")
def sample_from_the_upper_units(layers, n, n_gibbs, rng):
    def draw(logits):
        p = tf.sigmoid(logits)
        return tf.cast(rng.uniform(p.shape, dtype=p.dtype) < p, p.dtype)

    W, b, c = layers[-1]
    above = draw(tf.zeros((n, W.shape[1]), W.dtype))
    for _ in range(n_gibbs):
        below = draw(b + above @ tf.transpose(W))
        above = draw(c + below @ W)
    for W, b, _ in layers[-2::-1]:
        below = draw(b + below @ tf.transpose(W))
    return below


@alternative("dbn_up", function="dbn_sample")
def sample_from_zeros_comparing_logits(layers, n, n_gibbs, rng):
    def draw(logits):
        u = rng.uniform(tf.shape(logits), dtype=logits.dtype)
        return tf.cast(tf.math.log(u) - tf.math.log1p(-u) < logits, logits.dtype)

    W, b, c = layers[-1]
    state = tf.zeros((n, W.shape[0]), W.dtype)
    for _ in range(n_gibbs):
        state = draw(b + tf.matmul(draw(c + tf.matmul(state, W)), W, transpose_b=True))
    for number in range(len(layers) - 2, -1, -1):
        W, b = layers[number][:2]
        state = draw(b + tf.matmul(state, W, transpose_b=True))
    return state


@alternative("dbn_up", function="dbn_sample")
def sample_in_a_tensor_loop(layers, n, n_gibbs, rng):
    def draw(logits):
        p = tf.sigmoid(logits)
        return tf.where(rng.uniform(tf.shape(p), dtype=p.dtype) < p, tf.ones_like(p), 0.0 * p)

    W, b, c = layers[-1]

    def sweep(step, state):
        above = draw(c + tf.matmul(state, W))
        return step + 1, draw(b + tf.matmul(above, W, transpose_b=True))

    start = draw(tf.zeros((n, W.shape[0]), W.dtype))
    _, state = tf.while_loop(lambda step, _: step < n_gibbs, sweep, (tf.constant(0), start))
    for W, b, _ in reversed(list(layers)[:-1]):
        state = draw(b + tf.matmul(state, W, transpose_b=True))
    return state
