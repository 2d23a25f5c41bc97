"""Exercise 8: sampling and completing, one position after another."""

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
from reference import autoregressive

# A model of four binary positions: the logit of each is a line in those before it.
SLOPES = np.array([[0.0, 0, 0, 0], [2.2, 0, 0, 0], [-1.6, 2.0, 0, 0], [1.4, -2.4, 1.8, 0]])
OFFSETS = np.array([0.6, -1.0, -0.3, -0.2])
STATES = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), -1).reshape(16, 4)

# A model that is sure: a 0 after a 1, else a 1.
SURE = -2000.0 * np.eye(4, k=-1)


@probe
def drawn(student, count, slopes, offsets, temperature, top_k, initial, observed, rng):
    """Draws with logits 0 and a line in the tokens before; top_k 0 stands for none.

    Without observed positions, nothing is handed in for them.
    """
    length = slopes.shape[0]

    def logits_function(tokens):
        one = tf.linalg.matmul(tf.cast(tokens, slopes.dtype), slopes, transpose_b=True) + offsets
        return tf.stack([tf.zeros_like(one), one], axis=-1)

    options = {"top_k": int(top_k)} if top_k else {}
    if temperature != 1.0:
        options["temperature"] = temperature
    if np.any(observed):
        options |= {"initial": initial, "observed": observed}
    tokens = student.sample_autoregressive(logits_function, (int(count), length), rng, **options)
    return tf.cast(tokens, tf.int64)


@probe
def drawn_from_a_table(student, count, logits, top_k, rng):
    """Draws from a model whose logits (T, V) depend on nothing."""

    def logits_function(tokens):
        return tf.zeros((tokens.shape[0], 1, 1), logits.dtype) + logits

    tokens = student.sample_autoregressive(
        logits_function, (int(count), logits.shape[0]), rng, top_k=int(top_k)
    )
    return tf.cast(tokens, tf.int64)


@probe
def calls_of(student, length, rng):
    """Returns what a model saw that wants 1 after an even sum and 0 after an odd one."""
    seen = []

    def logits_function(tokens):
        seen.append(tf.cast(tokens, tf.int64))
        before = tf.cumsum(tokens, axis=1, exclusive=True)
        want = tf.cast(tf.equal(before % 2, 0), tf.float32)
        return 1000.0 * tf.stack([1.0 - want, want], axis=-1)

    tokens = student.sample_autoregressive(logits_function, (3, int(length)), rng)
    return tf.cast(tokens, tf.int64), tf.constant(len(seen))


def law_of(temperature=1.0, slopes=SLOPES, offsets=OFFSETS):
    """Returns the log-probability of each of the 16 states."""
    logits = (STATES @ slopes.T + offsets) / temperature
    return np.sum(STATES * logits - np.logaddexp(0, logits), axis=1)


def nothing(count):
    """Returns what stands for no observed positions."""
    return np.zeros((count, 4), np.int64), np.zeros((count, 4), bool)


@exercise(
    "sample_autoregressive",
    points=1,
    depends_on=("top_k_filter",),
    visible=True,
    mistakes=("sample_counts_from_one", "sample_transposed", "sample_one_short"),
)
def test_draws_shown_shape_and_range(student):
    """Draws have the shape that is asked for, and are tokens: 0 or 1."""
    coins = np.zeros((4, 4), np.float32), np.zeros(4, np.float32)
    seen = drawn(student, 5, *coins, 1.0, 0, *nothing(5), tensorflow_rng.seeded(1))
    expect(seen).array("B T", np.int64, B=5, T=4).among((0, 1))


@exercise(
    "sample_autoregressive",
    points=2,
    depends_on=("top_k_filter",),
    visible=True,
    mistakes=("sample_all_at_once", "sample_backwards", "sample_overwrites_observed"),
)
def test_draws_shown_of_a_sure_model(student):
    """A model that is sure alternates 1 and 0; observed positions stay."""
    sure = SURE.astype(np.float32), np.full(4, 1000, np.float32)
    seen = drawn(student, 3, *sure, 1.0, 0, *nothing(3), tensorflow_rng.seeded(1))
    expect(seen).equals(np.tile([1, 0, 1, 0], (3, 1)))
    initial, observed = nothing(3)
    observed[:, 0] = True
    seen = drawn(student, 3, *sure, 1.0, 0, initial, observed, tensorflow_rng.seeded(1))
    expect(seen).equals(np.tile([0, 1, 0, 1], (3, 1)))


@exercise(
    "sample_autoregressive",
    points=3,
    depends_on=("top_k_filter",),
    mistakes=(
        "sample_all_at_once",
        "sample_argmax",
        "sample_same_for_all_rows",
        "sample_same_for_all_positions",
        "sample_ignores_the_past",
        "sample_temperature_multiplied",
        "sample_temperature_ignored",
        "sample_backwards",
        "sample_position_before",
        "sample_uniform_noise",
    ),
    note="Four binary positions, as of 2x2 images: 16 states; temperature 1.4; 4,000 rows.",
)
def test_draws_have_the_law_of_the_model(student, stages):
    """Each state of a small model is drawn as often as its probability says."""

    def rows(count, rng=tensorflow_rng):
        seen = drawn(student, count, SLOPES, OFFSETS, 1.4, 0, *nothing(count), rng)
        expect(seen).array("B T", np.int64, B=count, T=4).among((0, 1))
        return np.asarray(seen)

    law = sampling.discrete(law_of(1.4), STATES)
    sampling.expect_law(sampling.draws(rows, 4000, stages), law)


@exercise(
    "sample_autoregressive",
    points=1,
    depends_on=("top_k_filter",),
    mistakes=(
        "sample_temperature_ignored",
        "sample_ignores_top_k",
        "sample_temperature_multiplied",
    ),
    note="Temperature 1e-6, and top_k 1.",
)
def test_cold_draws_are_the_likeliest(student, inputs):
    """A tiny temperature, or top_k 1, takes the likeliest token at each position."""
    slopes = np.tril(inputs.normal(size=(4, 4)), -1) * 3
    offsets = inputs.choice([-1, 1], 4) * inputs.uniform(0.2, 1, 4)
    due = np.zeros(4, int)
    for t in range(4):
        due[t] = slopes[t] @ due + offsets[t] > 0
    for temperature, top_k in ((1e-6, 0), (1.0, 1)):
        seen = drawn(
            student, 40, slopes, offsets, temperature, top_k, *nothing(40), tensorflow_rng
        )
        expect(seen).equals(np.tile(due, (40, 1)))


@exercise(
    "sample_autoregressive",
    points=1,
    depends_on=("top_k_filter",),
    mistakes=("sample_ignores_top_k", "sample_argmax", "sample_of_one_token_less"),
    note="Three positions, five tokens; the last token is always among the two largest.",
)
def test_top_k_draws_from_the_k_largest(student, inputs):
    """With top_k 2 only the two likeliest tokens are drawn, and both of them are."""
    order = np.stack([inputs.permutation(4) for _ in range(3)])
    logits = np.concatenate([0.2 * order, np.full((3, 1), 0.7)], axis=1)
    seen = drawn_from_a_table(student, 400, logits, 2, tensorflow_rng)
    expect(seen).array("B T", np.int64, B=400, T=3)
    for t in range(3):
        due = sorted(np.argsort(-logits[t])[:2])
        found = np.unique(np.asarray(seen)[:, t]).tolist()
        words = "at each position the two largest logits are drawn, and no others"
        expect(found == [int(token) for token in due], words).equals(True)


@exercise(
    "sample_autoregressive",
    points=2,
    depends_on=("top_k_filter",),
    mistakes=(
        "sample_overwrites_observed",
        "sample_of_inverted_mask",
        "sample_restores_at_the_end",
        "sample_initial_everywhere",
        "sample_first_mask_for_all",
    ),
    note="A model that is sure; rows observe different positions, with garbage elsewhere.",
)
def test_completion_follows_what_is_observed(student, inputs):
    """Observed positions stay, and later ones are drawn given them, whatever else stood there."""
    slopes, offsets = SURE, np.full(4, 1000.0)
    initial = inputs.integers(0, 2, (7, 4))
    initial[0] = [0, 0, 1, 1]
    observed = np.array(
        [
            [True, False, False, True],
            [False, True, False, False],
            [False, False, True, False],
            [True, True, False, False],
            [False, False, False, True],
            [False, False, False, False],
            [True, False, True, False],
        ]
    )
    due = np.zeros((7, 4), int)
    for t in range(4):
        sure = 1 - due[:, t - 1] if t else np.ones(7, int)
        due[:, t] = np.where(observed[:, t], initial[:, t], sure)
    for garbage in (initial, np.where(observed, initial, 1 - initial)):
        seen = drawn(student, 7, slopes, offsets, 1.0, 0, garbage, observed, tensorflow_rng)
        expect(seen).equals(due)


@exercise(
    "sample_autoregressive",
    points=1,
    depends_on=("top_k_filter",),
    mistakes=("sample_all_at_once", "sample_ignores_the_past"),
    note="A model that looks at the sum of all tokens before.",
)
def test_draws_ask_the_model_again(student):
    """After each position the model is asked again, with what has been drawn."""
    tokens, calls = expect(calls_of(student, 5, tensorflow_rng)).parts(2)
    expect(tokens).equals(np.tile([1, 0, 0, 0, 0], (3, 1)))
    expect(bool(np.asarray(calls) >= 5), "the model is asked for each position").equals(True)


@exercise(
    "sample_autoregressive",
    points=1,
    depends_on=("top_k_filter",),
    mistakes=("sample_global_generator", "sample_seed_inside"),
)
def test_draws_come_from_the_generator(student):
    """All randomness comes from rng: the same state gives the same result, another a new one."""

    def call(rng=tensorflow_rng):
        return drawn(student, 40, SLOPES, OFFSETS, 1.0, 0, *nothing(40), rng)

    laws.expect_rng_contract(call, ())


@mistake("sample_autoregressive", kind="scale", hint="Tokens are counted from 0 to V - 1.")
def sample_counts_from_one(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    tokens = autoregressive.sample_autoregressive(
        logits_function, shape, rng, temperature, top_k, initial, observed
    )
    return tokens + 1


@mistake("sample_autoregressive", kind="lazy", hint="Every token can be drawn, the last one, too.")
def sample_of_one_token_less(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    def without_the_last(tokens):
        logits = logits_function(tokens)
        return tf.concat([logits[..., :-1], logits[..., -1:] - 1e6], axis=-1)

    return autoregressive.sample_autoregressive(
        without_the_last, shape, rng, temperature, top_k, initial, observed
    )


@mistake(
    "sample_autoregressive",
    kind="axis",
    hint="Token t is drawn from the logits at position t.",
)
def sample_position_before(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    def late(tokens):
        logits = logits_function(tokens)
        return tf.concat([logits[:, :1], logits[:, :-1]], axis=1)

    return autoregressive.sample_autoregressive(
        late, shape, rng, temperature, top_k, initial, observed
    )


@mistake(
    "sample_autoregressive",
    kind="randomness",
    hint="Only Gumbel noise makes the largest logit a draw of the softmax: -log(-log u).",
)
def sample_uniform_noise(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    given = tf.zeros(shape, tf.int32) if initial is None else tf.cast(initial, tf.int32)
    known = tf.zeros(shape, tf.bool) if observed is None else tf.cast(observed, tf.bool)
    tokens = given
    for t in range(shape[1]):
        logits = logits_function(tokens)[:, t] / temperature
        if top_k is not None:
            logits = autoregressive.top_k_filter(logits, top_k)
        noise = rng.uniform(tf.shape(logits), dtype=logits.dtype)
        drawn = tf.argmax(logits + noise, axis=-1, output_type=tf.int32)
        column = tf.where(known[:, t], given[:, t], drawn)
        tokens = tf.concat([tokens[:, :t], column[:, tf.newaxis], tokens[:, t + 1 :]], axis=1)
    return tokens


@mistake(
    "sample_autoregressive",
    kind="axis",
    hint="Rows are sequences: the shape is (B, T).",
)
def sample_transposed(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    return tf.transpose(
        autoregressive.sample_autoregressive(
            logits_function, shape, rng, temperature, top_k, initial, observed
        )
    )


@mistake(
    "sample_autoregressive",
    kind="lazy",
    hint="All T positions are drawn.",
)
def sample_one_short(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    return autoregressive.sample_autoregressive(
        logits_function, shape, rng, temperature, top_k, initial, observed
    )[:, :-1]


@mistake(
    "sample_autoregressive",
    kind="concept",
    hint="One pass cannot draw all positions: each needs those drawn before it.",
)
def sample_all_at_once(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    batch, length = shape
    given = tf.zeros(shape, tf.int32) if initial is None else tf.cast(initial, tf.int32)
    known = tf.zeros(shape, tf.bool) if observed is None else tf.cast(observed, tf.bool)
    tokens = given
    logits = logits_function(tokens) / temperature
    if top_k is not None:
        logits = tf.stack(
            [autoregressive.top_k_filter(x, top_k) for x in tf.unstack(logits, axis=1)], 1
        )
    uniform = rng.uniform(tf.shape(logits), minval=1e-12, dtype=tf.float64)
    noise = tf.cast(-tf.math.log(-tf.math.log(uniform)), logits.dtype)
    return tf.where(known, given, tf.argmax(logits + noise, axis=-1, output_type=tf.int32))


@mistake(
    "sample_autoregressive",
    kind="randomness",
    hint="Tokens are drawn; the likeliest one each time is no draw.",
)
def sample_argmax(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    return autoregressive.sample_autoregressive(
        logits_function, shape, rng, 1e-6, top_k, initial, observed
    )


@mistake(
    "sample_autoregressive",
    kind="axis",
    hint="Each row needs random numbers of its own.",
)
def sample_same_for_all_rows(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    batch, length = shape
    given = tf.zeros(shape, tf.int32) if initial is None else tf.cast(initial, tf.int32)
    known = tf.zeros(shape, tf.bool) if observed is None else tf.cast(observed, tf.bool)
    tokens = given
    for t in range(length):
        p = tf.nn.softmax(logits_function(tokens)[:, t] / temperature)
        u = rng.uniform((1, 1), dtype=tf.float64)
        drawn = tf.reduce_sum(
            tf.cast(tf.cumsum(p, axis=1) < tf.cast(u, p.dtype), tf.int32), axis=1
        )
        column = tf.where(known[:, t], given[:, t], drawn)
        tokens = tf.concat([tokens[:, :t], column[:, tf.newaxis], tokens[:, t + 1 :]], axis=1)
    return tokens


@mistake(
    "sample_autoregressive",
    kind="randomness",
    hint="Each position needs random numbers of its own.",
)
def sample_same_for_all_positions(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    batch, length = shape
    given = tf.zeros(shape, tf.int32) if initial is None else tf.cast(initial, tf.int32)
    known = tf.zeros(shape, tf.bool) if observed is None else tf.cast(observed, tf.bool)
    tokens = given
    u = rng.uniform((batch, 1), dtype=tf.float64)
    for t in range(length):
        p = tf.nn.softmax(logits_function(tokens)[:, t] / temperature)
        drawn = tf.reduce_sum(
            tf.cast(tf.cumsum(p, axis=1) < tf.cast(u, p.dtype), tf.int32), axis=1
        )
        column = tf.where(known[:, t], given[:, t], drawn)
        tokens = tf.concat([tokens[:, :t], column[:, tf.newaxis], tokens[:, t + 1 :]], axis=1)
    return tokens


@mistake(
    "sample_autoregressive",
    kind="concept",
    hint="What has been drawn goes into the next call of the model.",
)
def sample_ignores_the_past(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    start = tf.zeros(shape, tf.int32)
    return autoregressive.sample_autoregressive(
        lambda _: logits_function(start), shape, rng, temperature, top_k, initial, observed
    )


@mistake(
    "sample_autoregressive",
    kind="concept",
    hint="Positions are drawn from the first to the last.",
)
def sample_backwards(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    batch, length = shape
    given = tf.zeros(shape, tf.int32) if initial is None else tf.cast(initial, tf.int32)
    known = tf.zeros(shape, tf.bool) if observed is None else tf.cast(observed, tf.bool)
    tokens = given
    for t in reversed(range(length)):
        logits = logits_function(tokens)[:, t] / temperature
        uniform = rng.uniform(tf.shape(logits), minval=1e-12, dtype=tf.float64)
        noise = tf.cast(-tf.math.log(-tf.math.log(uniform)), logits.dtype)
        drawn = tf.argmax(logits + noise, axis=-1, output_type=tf.int32)
        column = tf.where(known[:, t], given[:, t], drawn)
        tokens = tf.concat([tokens[:, :t], column[:, tf.newaxis], tokens[:, t + 1 :]], axis=1)
    return tokens


@mistake(
    "sample_autoregressive",
    kind="concept",
    hint="A high temperature flattens: divide by it.",
)
def sample_temperature_multiplied(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    return autoregressive.sample_autoregressive(
        logits_function, shape, rng, 1.0 / temperature, top_k, initial, observed
    )


@mistake(
    "sample_autoregressive",
    kind="lazy",
    hint="temperature is not used.",
)
def sample_temperature_ignored(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    return autoregressive.sample_autoregressive(
        logits_function, shape, rng, 1.0, top_k, initial, observed
    )


@mistake(
    "sample_autoregressive",
    kind="lazy",
    hint="top_k is not used.",
)
def sample_ignores_top_k(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    return autoregressive.sample_autoregressive(
        logits_function, shape, rng, temperature, None, initial, observed
    )


@mistake(
    "sample_autoregressive",
    kind="concept",
    hint="Observed positions stay what they are in initial.",
)
def sample_overwrites_observed(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    return autoregressive.sample_autoregressive(logits_function, shape, rng, temperature, top_k)


@mistake(
    "sample_autoregressive",
    kind="concept",
    hint="True means observed: the other positions are drawn.",
)
def sample_of_inverted_mask(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    hidden = None if observed is None else ~tf.cast(observed, tf.bool)
    return autoregressive.sample_autoregressive(
        logits_function, shape, rng, temperature, top_k, initial, hidden
    )


@mistake(
    "sample_autoregressive",
    kind="concept",
    hint="Observed tokens are put in before later positions are drawn.",
)
def sample_restores_at_the_end(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    drawn = autoregressive.sample_autoregressive(logits_function, shape, rng, temperature, top_k)
    return drawn if observed is None else tf.where(observed, tf.cast(initial, tf.int32), drawn)


@mistake(
    "sample_autoregressive",
    kind="concept",
    hint="Only observed positions come from initial; the others are drawn.",
)
def sample_initial_everywhere(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    everything = None if observed is None else tf.ones_like(observed)
    return autoregressive.sample_autoregressive(
        logits_function, shape, rng, temperature, top_k, initial, everything
    )


@mistake(
    "sample_autoregressive",
    kind="axis",
    hint="Each row has observed positions of its own.",
)
def sample_first_mask_for_all(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    mask = None if observed is None else tf.repeat(observed[:1], shape[0], axis=0)
    return autoregressive.sample_autoregressive(
        logits_function, shape, rng, temperature, top_k, initial, mask
    )


@mistake(
    "sample_autoregressive",
    kind="randomness",
    hint="Draw from rng, not from the global generator.",
)
def sample_global_generator(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    own = tf.random.get_global_generator()
    return autoregressive.sample_autoregressive(
        logits_function, shape, own, temperature, top_k, initial, observed
    )


@mistake(
    "sample_autoregressive",
    kind="randomness",
    hint="A seed inside the function makes all draws the same.",
)
def sample_seed_inside(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    own = tf.random.Generator.from_seed(1)
    return autoregressive.sample_autoregressive(
        logits_function, shape, own, temperature, top_k, initial, observed
    )


@alternative("sample_autoregressive")
def sample_by_cumulative_sums(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    known = np.zeros(shape, bool) if observed is None else np.asarray(observed)
    tokens = np.zeros(shape, np.int64)
    if initial is not None:
        tokens[known] = np.asarray(initial)[known]
    for t in range(shape[1]):
        logits = temperature_scale(logits_function(tf.constant(tokens))[:, t], temperature)  # noqa: F821
        if top_k is not None:
            logits = top_k_filter(logits, top_k)  # noqa: F821
        edges = tf.cumsum(tf.nn.softmax(tf.cast(logits, tf.float64)), axis=1).numpy()
        u = rng.uniform((shape[0], 1), dtype=tf.float64).numpy()
        drawn = np.minimum((edges < u).sum(axis=1), edges.shape[1] - 1)
        tokens[:, t] = np.where(known[:, t], tokens[:, t], drawn)
    return tf.constant(tokens)


@alternative("sample_autoregressive")
def sample_by_stateless_categorical(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    columns = []
    for t in range(shape[1]):
        rest = tf.zeros((shape[0], shape[1] - t), tf.int32)
        tokens = tf.concat([*(c[:, tf.newaxis] for c in columns), rest], axis=1)
        logits = logits_function(tokens)[:, t] / temperature
        if top_k:
            logits = top_k_filter(logits, top_k)  # noqa: F821
        seed = rng.make_seeds(1)[:, 0]
        drawn = tf.random.stateless_categorical(logits, 1, seed, dtype=tf.int32)[:, 0]
        if observed is not None:
            drawn = tf.where(observed[:, t], tf.cast(initial[:, t], tf.int32), drawn)
        columns.append(drawn)
    return tf.stack(columns, axis=1)


@alternative("sample_autoregressive")
def sample_by_gumbel_noise(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    tokens = tf.Variable(tf.zeros(shape, tf.int32))
    for t in range(shape[1]):
        scaled = temperature_scale(logits_function(tokens.value())[:, t], temperature)  # noqa: F821
        scaled = scaled if top_k is None else top_k_filter(scaled, top_k)  # noqa: F821
        u = rng.uniform(scaled.shape, 1e-30, 1.0, dtype=tf.float64)
        noisy = tf.cast(scaled, tf.float64) - tf.math.log(-tf.math.log(u))
        choice = tf.cast(tf.argmax(noisy, axis=1), tf.int32)
        if observed is not None:
            choice = tf.where(observed[:, t], tf.cast(initial, tf.int32)[:, t], choice)
        tokens[:, t].assign(choice)
    return tokens.read_value()


@alternative("sample_autoregressive")
def sample_by_scatter(
    logits_function, shape, rng, temperature=1.0, top_k=None, initial=None, observed=None
):
    batch, length = shape
    tokens = tf.fill((batch, length), 0)
    rows = tf.range(batch)
    for t in range(length):
        logits = logits_function(tokens)[:, t, :] / temperature
        if top_k is not None:
            best = tf.math.top_k(logits, top_k).indices
            kept = tf.reduce_max(tf.one_hot(best, logits.shape[-1]), axis=1) > 0
            logits = tf.where(kept, logits, tf.constant(-np.inf, logits.dtype))
        edges = tf.cumsum(tf.nn.softmax(tf.cast(logits, tf.float64), axis=-1), axis=-1)
        u = rng.uniform((batch,), dtype=tf.float64) * edges[:, -1]
        token = tf.searchsorted(edges, u[:, tf.newaxis], side="right")[:, 0]
        if observed is not None:
            token = tf.where(observed[:, t], tf.cast(initial[:, t], tf.int32), token)
        places = tf.stack([rows, tf.fill((batch,), t)], axis=1)
        tokens = tf.tensor_scatter_nd_update(tokens, places, token)
    return tokens
