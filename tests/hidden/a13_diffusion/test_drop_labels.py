"""Exercise 7: guidance by labels."""

import numpy as np
import tensorflow as tf

from autograder.checks import (
    alternative,
    exercise,
    expect,
    laws,
    mistake,
    probe,
    sampling,
    tensorflow_rng,
)
from reference import diffusion

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_Y = np.array([1, 0, 2, 1])
SHOWN_X = np.zeros((2, 3), np.float32)


@probe
def guided(student, x, t, y, guidance, null_label, slope, table):
    """Returns guided noise of a model that is not linear, with one row of a table per label."""

    def model(x, t, y):
        gain, shift = (tf.cast(v, x.dtype) for v in (tf.gather(slope, t), tf.gather(table, y)))
        return tf.tanh(gain * x + shift) + shift

    return student.cfg_eps(model, x, t, y, guidance, int(null_label))


@probe
def guided_by_labels_only(student, x, t, y, guidance, null_label, table):
    """Returns guided noise of a model that says the table's row of the label."""

    def model(x, t, y):
        return tf.cast(tf.gather(table, y), x.dtype)

    return student.cfg_eps(model, x, t, y, guidance, int(null_label))


def random_case(inputs):
    """Returns x, t, y of seven rows, and, for five levels and labels 0 to 3, a model, float64."""
    t, y = inputs.permutation([0, 1, 2, 3, 4, 1, 3]), inputs.permutation([0, 1, 2, 0, 1, 2, 0])
    model = inputs.uniform(0.5, 1.5, (5, 1)), inputs.normal(size=(4, 6))
    return inputs.normal(size=(7, 6)), t, y, model


def due_of(x, t, y, guidance, null_label, slope, table):
    """Returns what is due."""

    def model(y):
        return np.tanh(slope[t] * x + table[y]) + table[y]

    return (1 + guidance) * model(y) - guidance * model(np.full_like(y, null_label))


def shown_table():
    """Returns the noise of labels 0, 1 and of none, label 2."""
    return np.array([[0, 1, 2], [1, 1, 1], [0.5, 0, 0]], np.float32)


@exercise(
    "drop_labels",
    points=1,
    visible=True,
    mistakes=("drop_as_floats", "drop_inverted", "drop_to_zero"),
)
def test_drop_shown_none_and_all(student):
    """With probability 0 all labels stay, with probability 1 all of them are the null label."""
    for probability, due in ((0.0, SHOWN_Y), (1.0, np.full(4, 3))):
        seen = student.drop_labels(SHOWN_Y, probability, 3, tensorflow_rng.seeded(1))
        expect(seen).matches(due)


@exercise(
    "drop_labels",
    points=1,
    visible=True,
    mistakes=("cfg_sign_swap", "cfg_off_by_one", "cfg_without_labels", "cfg_labels_only"),
)
def test_cfg_shown_values(student):
    """With guidance 2, three times the noise of the label minus twice that of no label."""
    t, y = np.array([0, 1]), np.array([0, 1])
    seen = guided_by_labels_only(student, SHOWN_X, t, y, 2.0, 2, shown_table())
    expect(seen).matches(np.array([[-1, 3, 6], [2, 3, 3]], np.float32))


@exercise(
    "drop_labels",
    points=2,
    mistakes=(
        "drop_one_decision_for_all",
        "drop_inverted",
        "drop_by_half",
        "drop_root",
        "drop_to_zero",
        "drop_to_a_random_label",
        "drop_the_first_rows",
        "drop_the_next_label",
        "drop_seed_inside",
    ),
    note="Two labels a row, of one call; 1,000 rows see a rate off by 0.1.",
)
def test_each_label_is_dropped_by_chance(student, stages):
    """Each label is dropped with the probability that is asked for, whatever the others do."""
    p = 0.3

    def rows(count, rng=tensorflow_rng):
        y = np.tile([4, 1], count)
        seen = student.drop_labels(y, p, 7, rng)
        expect(seen).array((2 * count,), np.int64)
        return np.asarray(seen).reshape(count, 2)

    states = np.array([[4, 1], [4, 7], [7, 1], [7, 7]])
    log_p = np.log([(1 - p) ** 2, (1 - p) * p, p * (1 - p), p * p])
    sampling.expect_law(sampling.draws(rows, 1000, stages), sampling.discrete(log_p, states))


@exercise(
    "drop_labels",
    points=1,
    mistakes=("drop_seed_inside", "drop_global_generator"),
)
def test_drop_draws_from_the_generator(student):
    """All randomness comes from rng: the same state gives the same result, another a new one."""
    y = np.arange(100) % 5

    def call(rng=tensorflow_rng):
        seen = student.drop_labels(y, 0.5, 5, rng)
        expect(seen).array((100,), np.int64)
        return seen

    dropped = int(np.sum(np.asarray(call()) == 5))
    expect(0 < dropped < 100, "some labels are dropped, others are not").equals(True)
    laws.expect_rng_contract(call, ())


@exercise(
    "drop_labels",
    points=2,
    mistakes=(
        "cfg_sign_swap",
        "cfg_off_by_one",
        "cfg_without_labels",
        "cfg_labels_only",
        "cfg_null_is_zero",
        "cfg_inside_the_labels",
        "cfg_keeps_the_length",
        "cfg_level_of_the_first_row",
        "cfg_in_float32",
        "cfg_never_below_zero",
    ),
    note="A model that is not linear, for several weights, among them -1, -0.4 and 0; float64.",
)
def test_cfg_is_linear_in_the_guidance(student, inputs):
    """Guided noise lies on the line through that of no label, w = -1, and of the label, w = 0."""
    x, t, y, model = random_case(inputs)
    for guidance in (-1.0, -0.4, 0.0, 0.7, 3.0):
        seen = guided(student, x, t, y, guidance, 3, *model)
        # A weight that went through float32 on its way to a tensor is no error.
        expect(seen).matches(due_of(x, t, y, guidance, 3, *model), tolerance=1e-6)


@exercise(
    "drop_labels",
    points=1,
    mistakes=("cfg_label_of_the_first_row", "cfg_level_of_the_first_row", "cfg_mean_of_no_label"),
)
def test_cfg_of_each_row_stands_alone(student, inputs):
    """Each row depends on its own x, level and label only."""
    x, t, y, model = random_case(inputs)

    def call(x, t, y):
        return guided(student, x, t, y, 1.7, 3, *model)

    laws.expect_rows_independent(call, batched=(x, t, y))
    expect(call(x, t, y)).matches(due_of(x, t, y, 1.7, 3, *model), tolerance=1e-6)


@mistake("drop_labels", kind="numerics", hint="Labels stay integers.")
def drop_as_floats(y, probability, null_label, rng):
    return tf.cast(diffusion.drop_labels(y, probability, null_label, rng), tf.float32)


@mistake(
    "drop_labels", kind="concept", hint="The probability is that of being dropped, not of staying."
)
def drop_inverted(y, probability, null_label, rng):
    return diffusion.drop_labels(y, 1.0 - probability, null_label, rng)


@mistake("drop_labels", kind="concept", hint="0 is a label like any other: use null_label.")
def drop_to_zero(y, probability, null_label, rng):
    return diffusion.drop_labels(y, probability, 0, rng)


@mistake("drop_labels", kind="axis", hint="Each label is dropped or not by itself.")
def drop_one_decision_for_all(y, probability, null_label, rng):
    dropped = rng.uniform(()) < probability
    return tf.where(dropped, tf.cast(null_label, y.dtype) + 0 * y, y)


@mistake("drop_labels", kind="lazy", hint="The probability is an argument.")
def drop_by_half(y, probability, null_label, rng):
    return diffusion.drop_labels(y, 0.5, null_label, rng)


@mistake("drop_labels", kind="scale", hint="Compare uniform numbers with the probability itself.")
def drop_root(y, probability, null_label, rng):
    return diffusion.drop_labels(y, probability**0.5, null_label, rng)


@mistake("drop_labels", kind="concept", hint="A dropped label is the null label, not another one.")
def drop_to_a_random_label(y, probability, null_label, rng):
    other = rng.uniform(tf.shape(y), maxval=null_label, dtype=tf.int32)
    dropped = rng.uniform(tf.shape(y)) < probability
    return tf.where(dropped, tf.cast(other, y.dtype), y)


@mistake("drop_labels", kind="randomness", hint="Which labels are dropped is left to chance.")
def drop_the_first_rows(y, probability, null_label, rng):
    count = tf.cast(tf.cast(tf.shape(y)[0], tf.float32) * probability, tf.int32)
    first = tf.range(tf.shape(y)[0]) < count
    return tf.where(first, tf.cast(null_label, y.dtype), y + 0 * tf.cast(rng.uniform(()), y.dtype))


@mistake("drop_labels", kind="axis", hint="Labels that are not dropped stay where they are.")
def drop_the_next_label(y, probability, null_label, rng):
    return diffusion.drop_labels(tf.roll(y, 1, axis=0), probability, null_label, rng)


@mistake(
    "drop_labels", kind="randomness", hint="A seed inside the function makes all draws the same."
)
def drop_seed_inside(y, probability, null_label, rng):
    own = tf.random.Generator.from_seed(1)
    return diffusion.drop_labels(y, probability, null_label, own)


@mistake("drop_labels", kind="randomness", hint="Draw from rng, not from the global generator.")
def drop_global_generator(y, probability, null_label, rng):
    own = tf.random.get_global_generator()
    return diffusion.drop_labels(y, probability, null_label, own)


@mistake(
    "drop_labels",
    kind="concept",
    function="cfg_eps",
    hint="Guidance leads away from no label, towards the label: mind the signs.",
)
def cfg_sign_swap(model, x, t, y, guidance, null_label):
    without = tf.fill(tf.shape(y), tf.cast(null_label, y.dtype))
    return (1.0 + guidance) * model(x, t, without) - guidance * model(x, t, y)


@mistake(
    "drop_labels",
    kind="scale",
    function="cfg_eps",
    hint="Guidance 0 is the labelled model; here the weights are off by one.",
)
def cfg_off_by_one(model, x, t, y, guidance, null_label):
    return diffusion.cfg_eps(model, x, t, y, guidance - 1.0, null_label)


@mistake(
    "drop_labels", kind="lazy", function="cfg_eps", hint="The labels have no influence at all."
)
def cfg_without_labels(model, x, t, y, guidance, null_label):
    return diffusion.cfg_eps(model, x, t, y, -1.0, null_label)


@mistake("drop_labels", kind="lazy", function="cfg_eps", hint="guidance has no influence.")
def cfg_labels_only(model, x, t, y, guidance, null_label):
    return diffusion.cfg_eps(model, x, t, y, 0.0, null_label)


@mistake(
    "drop_labels",
    kind="concept",
    function="cfg_eps",
    hint="No label is null_label; label 0 is a class.",
)
def cfg_null_is_zero(model, x, t, y, guidance, null_label):
    return diffusion.cfg_eps(model, x, t, y, guidance, 0)


@mistake(
    "drop_labels",
    kind="concept",
    function="cfg_eps",
    hint="The model is asked twice; its inputs are not mixed.",
)
def cfg_inside_the_labels(model, x, t, y, guidance, null_label):
    return model((1.0 + guidance) * x, t, y) - guidance * model(x, t, 0 * y + null_label)


@mistake(
    "drop_labels",
    kind="numerics",
    function="cfg_eps",
    hint="Guided noise is used as it is: it is not scaled back.",
)
def cfg_keeps_the_length(model, x, t, y, guidance, null_label):
    guided = diffusion.cfg_eps(model, x, t, y, guidance, null_label)
    lengths = [tf.norm(v, axis=-1, keepdims=True) for v in (model(x, t, y), guided)]
    return guided * lengths[0] / lengths[1]


@mistake(
    "drop_labels",
    kind="concept",
    function="cfg_eps",
    hint="guidance may be below 0: -1 stands for no labels.",
)
def cfg_never_below_zero(model, x, t, y, guidance, null_label):
    return diffusion.cfg_eps(model, x, t, y, max(guidance, 0.0), null_label)


@mistake("drop_labels", kind="axis", function="cfg_eps", hint="Each row has a level of its own.")
def cfg_level_of_the_first_row(model, x, t, y, guidance, null_label):
    return diffusion.cfg_eps(model, x, t[0] + 0 * t, y, guidance, null_label)


@mistake("drop_labels", kind="axis", function="cfg_eps", hint="Each row has a label of its own.")
def cfg_label_of_the_first_row(model, x, t, y, guidance, null_label):
    return diffusion.cfg_eps(model, x, t, y[0] + 0 * y, guidance, null_label)


@mistake(
    "drop_labels",
    kind="axis",
    function="cfg_eps",
    hint="What the model says without label belongs to each row: no batch mean.",
)
def cfg_mean_of_no_label(model, x, t, y, guidance, null_label):
    without = model(x, t, 0 * y + null_label)
    without = tf.reduce_mean(without, axis=0, keepdims=True) + 0.0 * without
    return (1.0 + guidance) * model(x, t, y) - guidance * without


@mistake(
    "drop_labels", kind="numerics", function="cfg_eps", hint="Float64 rows give a float64 result."
)
def cfg_in_float32(model, x, t, y, guidance, null_label):
    return tf.cast(diffusion.cfg_eps(model, x, t, y, guidance, null_label), tf.float32)


@alternative("drop_labels")
def drop_by_arithmetic(y, probability, null_label, rng):
    keep = tf.cast(rng.uniform(y.shape) >= probability, y.dtype)
    return keep * y + (1 - keep) * null_label


@alternative("drop_labels")
def drop_by_binomial(y, probability, null_label, rng):
    drop = rng.binomial(y.shape, tf.ones(y.shape), probability * tf.ones(y.shape), dtype=tf.int32)
    return tf.where(drop == 1, tf.cast(null_label, y.dtype) * tf.ones_like(y), y)


@alternative("drop_labels")
def drop_in_float64(y, probability, null_label, rng):
    u = rng.uniform((y.shape[0],), dtype=tf.float64)
    return tf.where(u > 1 - probability, tf.constant(null_label, y.dtype), y)


@alternative("drop_labels")
def drop_in_numpy(y, probability, null_label, rng):
    labels, u = np.array(y), np.asarray(rng.uniform(y.shape))
    labels[u < probability] = null_label
    return labels


@alternative("drop_labels", function="cfg_eps")
def cfg_from_no_label(model, x, t, y, guidance, null_label):
    unconditional = model(x, t, tf.ones_like(y) * null_label)
    conditional = model(x, t, y)
    return unconditional + (1 + guidance) * (conditional - unconditional)


@alternative("drop_labels", function="cfg_eps")
def cfg_of_one_doubled_batch(model, x, t, y, guidance, null_label):
    labels = tf.concat([y, tf.fill(y.shape, tf.cast(null_label, y.dtype))], axis=0)
    both = model(tf.concat([x, x], axis=0), tf.concat([t, t], axis=0), labels)
    conditional, unconditional = tf.split(both, 2)
    return conditional + guidance * (conditional - unconditional)


@alternative("drop_labels", function="cfg_eps")
def cfg_with_a_scale(model, x, t, y, guidance, null_label):
    s = tf.cast(1.0 + guidance, x.dtype)
    return s * model(x, t, y) + (1 - s) * model(x, t, tf.zeros_like(y) + null_label)
