"""Exercise 6: the replay buffer."""

import numpy as np
import tensorflow as tf
from scipy.stats import norm

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
from reference import deep_ebm

# What the law of fresh numbers is tested on: is it fresh, its sign, is it in the outer half.
QUARTILE = float(norm.ppf(0.75))
PROBABILITY = 0.35


@probe
def drawn(student, size, shape, n, probability, rng):
    """Returns what a new buffer returns for n entries."""
    return student.ReplayBuffer(size, shape, rng).sample(n, probability)


@probe
def contents(student, size, shape, places, rows, rng):
    """Returns all entries in their order, before and after an update, each read twice."""
    buffer = student.ReplayBuffer(size, shape, rng)
    found = []
    for number in range(4):
        if number == 2:
            buffer.update(places, rows)
        x, indices = buffer.sample(size, 0.0)
        order = np.argsort(np.asarray(indices))
        found.append(np.asarray(x)[order])
    return found


@probe
def written(student, size, places, rows, n, probability, rng):
    """Returns what comes out of a buffer after an update of all entries."""
    buffer = student.ReplayBuffer(size, (rows.shape[1],), rng)
    buffer.update(places, rows)
    return buffer.sample(n, probability)


@probe
def spoilt(student, size, shape, n, probability, rng):
    """Returns all entries in order, before and after what was returned is overwritten."""
    buffer = student.ReplayBuffer(size, shape, rng)

    def everything():
        x, indices = buffer.sample(size, 0.0)
        return np.array(x)[np.argsort(np.asarray(indices))]

    before = everything()
    x, _ = buffer.sample(n, probability)
    if isinstance(x, np.ndarray):
        x += 1000
    elif hasattr(x, "assign_add"):
        x.assign_add(1000 + 0 * x)
    return before, everything()


@probe
def initial_and_fresh(student, count, probability, rng):
    """Returns the first contents of a buffer, and what a draw makes of entries of 100."""
    buffer = student.ReplayBuffer(count, (2,), rng)
    first, indices = buffer.sample(count, 0.0)
    first = np.asarray(first)[np.argsort(np.asarray(indices))]
    buffer.update(tf.range(count), tf.fill((count, 2), 100.0))
    later, _ = buffer.sample(count, probability)
    return first, later


@exercise(
    "ReplayBuffer",
    points=1,
    visible=True,
    mistakes=("buffer_returns_rows_only", "buffer_repeats_indices"),
)
def test_buffer_shown_shapes_and_indices(student):
    """There are n rows of the given shape, float32, and n different places."""
    x, indices = expect(drawn(student, 6, (2, 3), 4, 0.5, tensorflow_rng.seeded(1))).parts(2)
    expect(x).array("n 2 3", np.float32, n=4)
    expect(indices).array("n", np.int32, n=4).within(0, 5)
    expect(len(np.unique(indices)) == 4, "the places differ").equals(True)


@exercise(
    "ReplayBuffer",
    points=1,
    visible=True,
    mistakes=("buffer_without_update", "buffer_always_fresh"),
)
def test_buffer_shown_keeps_what_is_written(student):
    """After all entries are set to their place, each place returns itself."""
    places = np.arange(5, dtype=np.int32)
    rows = np.repeat(places[:, np.newaxis], 2, axis=1).astype(np.float32)
    result = written(student, 5, places, rows, 5, 0.0, tensorflow_rng.seeded(1))
    x, indices = expect(result).parts(2)
    expect(x).array("n D", np.float32, n=5, D=2)
    expect(x).equals(np.repeat(np.asarray(indices)[:, np.newaxis], 2, axis=1))


@exercise(
    "ReplayBuffer",
    points=1,
    mistakes=(
        "buffer_without_update",
        "buffer_updates_the_first_rows",
        "buffer_adds_rows",
        "buffer_appends",
        "buffer_updates_one_row",
        "buffer_update_rows_sorted",
    ),
    note="A buffer of 9 entries of shape (3, 2); 4 places in random order.",
)
def test_buffer_writes_the_right_rows(student, inputs):
    """An update changes the rows at its places, each to its own, and no other."""
    places = inputs.permutation(9)[:4].astype(np.int32)
    places = places if places[0] > places[1] else places[::-1].copy()
    rows = inputs.normal(size=(4, 3, 2)).astype(np.float32)
    result = contents(student, 9, (3, 2), places, rows, tensorflow_rng)
    first, again, after, later = expect(result).parts(4)
    expect(first).array("n 3 2", np.float32, n=9)
    expect(again, "the same rows as long as nothing is written").equals(first)
    due = np.array(first)
    due[places] = rows
    expect(after, "the rows that were written, at their places").equals(due)
    expect(later, "the same rows as long as nothing is written").equals(due)


@exercise(
    "ReplayBuffer",
    points=1,
    mistakes=(
        "buffer_always_fresh",
        "buffer_never_fresh",
        "buffer_probability_exchanged",
        "buffer_one_coin",
        "buffer_wrong_places",
        "buffer_repeats_indices",
    ),
    note="Entries hold their own place plus 100: 40 of 60 are asked for.",
)
def test_buffer_starts_afresh_never_always_and_sometimes(student):
    """With probability 0 no entry is fresh, with 1 all are, else some; kept ones fit places."""
    places = np.arange(60, dtype=np.int32)
    rows = np.repeat(100.0 + places[:, np.newaxis], 2, axis=1).astype(np.float32)
    for probability, low, high in ((0.0, 0, 0), (1.0, 40, 40), (0.5, 1, 39)):
        result = written(student, 60, places, rows, 40, probability, tensorflow_rng)
        x, indices = expect(result).parts(2)
        expect(x).array("n D", np.float32, n=40, D=2).finite()
        expect(indices).array("n", np.int32, n=40).within(0, 59)
        expect(len(np.unique(indices)) == 40, "the places differ").equals(True)
        fresh = np.all(np.asarray(x) < 50, axis=1)
        right = bool(low <= fresh.sum() <= high)
        expect(right, "as many rows are fresh as the probability says").equals(True)
        kept = np.asarray(indices)[~fresh]
        expect(np.asarray(x)[~fresh], "rows that are kept stand at their places").equals(
            np.repeat(100.0 + kept[:, np.newaxis], 2, axis=1)
        )


@exercise(
    "ReplayBuffer",
    points=1,
    mistakes=("buffer_returns_a_view", "buffer_writes_fresh_rows"),
)
def test_sampling_leaves_the_buffer_as_it_is(student):
    """Only an update changes the buffer: no draw does, nor whoever works on what was drawn."""
    for n, probability in ((4, 0.0), (7, 1.0), (7, 0.0)):
        result = spoilt(student, 7, (2,), n, probability, tensorflow_rng)
        before, after = expect(result).parts(2)
        expect(before).array("n D", np.float32, n=7, D=2)
        expect(after, "the rows that were there before").equals(before)


@exercise(
    "ReplayBuffer",
    points=2,
    mistakes=(
        "buffer_begins_with_zeros",
        "buffer_begins_uniform",
        "buffer_fresh_zeros",
        "buffer_fresh_uniform",
        "buffer_one_coin",
        "buffer_coin_per_number",
        "buffer_probability_exchanged",
        "buffer_always_fresh",
        "buffer_never_fresh",
        "buffer_one_fresh_row",
    ),
    note="Entries of two numbers, each by sign and quartile; fresh with probability 0.35; 600 "
    "rows see a share that is off by 0.09.",
)
def test_fresh_entries_have_their_law(student, stages):
    """A buffer begins with standard normal numbers; entries are fresh with the probability."""
    codes = np.array([(s, o) for s in (0, 1) for o in (0, 1)], float)
    pairs = np.concatenate([np.repeat(codes, 4, axis=0), np.tile(codes, (4, 1))], axis=1)

    def coded(x):
        x = np.asarray(x)
        return np.stack([x > 0, np.abs(x) > QUARTILE], axis=2).reshape(len(x), 4).astype(float)

    def halves(count, rng):
        first, later = expect(initial_and_fresh(student, count, PROBABILITY, rng)).parts(2)
        for one in (first, later):
            expect(one).array("n D", np.float32, n=count, D=2).finite()
        return first, np.asarray(later)

    def initial(count, rng=tensorflow_rng):
        return coded(halves(count, rng)[0])

    def later(count, rng=tensorflow_rng):
        rows = halves(count, rng)[1]
        return np.concatenate([np.all(rows < 50, axis=1)[:, np.newaxis], coded(rows)], axis=1)

    sampling.expect_law(
        sampling.draws(initial, 600, stages), sampling.discrete(np.full(16, np.log(1 / 16)), pairs)
    )
    fresh = np.concatenate([np.ones((16, 1)), pairs], axis=1)
    states = np.concatenate([fresh, [[0, 1, 1, 1, 1]]])
    log_p = np.log([*np.full(16, PROBABILITY / 16), 1 - PROBABILITY])
    sampling.expect_law(sampling.draws(later, 600, stages), sampling.discrete(log_p, states))


@exercise(
    "ReplayBuffer",
    points=1,
    mistakes=("buffer_global_generator", "buffer_seed_inside", "buffer_numpy_generator"),
)
def test_buffer_draws_from_the_generator(student):
    """All randomness comes from rng: the same state gives the same result, another a new one."""

    def call(rng=tensorflow_rng):
        return drawn(student, 30, (2,), 20, 0.5, rng)

    laws.expect_rng_contract(call, ())


@mistake("ReplayBuffer", kind="lazy", hint="sample returns two things: the rows and their places.")
def buffer_returns_rows_only(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            return super().sample(n, reinit_probability)[0]

    return Buffer(size, shape, rng)


@mistake(
    "ReplayBuffer",
    kind="concept",
    hint="The n places differ: of two chains at one place, one would be lost.",
)
def buffer_repeats_indices(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            rows, places = super().sample(n, reinit_probability)
            half = (n + 1) // 2
            again = tf.concat([places[:half], places[: n - half]], axis=0)
            return tf.concat([rows[:half], rows[: n - half]], axis=0), again

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="lazy", hint="update has to write the rows into the buffer.")
def buffer_without_update(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def update(self, indices, x):
            pass

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="axis", hint="Rows go to the places that indices says, in order.")
def buffer_updates_the_first_rows(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def update(self, indices, x):
            super().update(tf.range(len(indices)), x)

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="axis", hint="Rows go to the places that indices says, in order.")
def buffer_update_rows_sorted(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def update(self, indices, x):
            super().update(tf.sort(indices), x)

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="lazy", hint="All rows are written, not the first one only.")
def buffer_updates_one_row(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def update(self, indices, x):
            super().update(indices[:1], x[:1])

    return Buffer(size, shape, rng)


@mistake(
    "ReplayBuffer", kind="concept", hint="New rows replace the old ones: nothing is added up."
)
def buffer_adds_rows(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def update(self, indices, x):
            super().update(indices, x + tf.gather(self._entries, indices))

    return Buffer(size, shape, rng)


@mistake(
    "ReplayBuffer",
    kind="concept",
    hint="The buffer keeps its size: rows go to their places, not to its end.",
)
def buffer_appends(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def update(self, indices, x):
            self._entries = tf.concat([self._entries, x], axis=0)[-size:]

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="lazy", hint="Most chains go on: not every row is a fresh one.")
def buffer_always_fresh(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            return super().sample(n, 1.0)

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="lazy", hint="reinit_probability is not used: no row is ever fresh.")
def buffer_never_fresh(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            return super().sample(n, 0.0)

    return Buffer(size, shape, rng)


@mistake(
    "ReplayBuffer",
    kind="concept",
    hint="reinit_probability is how often a row is fresh, not how often it is kept.",
)
def buffer_probability_exchanged(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            return super().sample(n, 1.0 - reinit_probability)

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="randomness", hint="Each row has a coin of its own.")
def buffer_one_coin(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            if rng.uniform(()) < reinit_probability:
                return super().sample(n, 1.0)
            return super().sample(n, 0.0)

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="axis", hint="A row is fresh as a whole or not at all.")
def buffer_coin_per_number(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            rows, places = super().sample(n, 0.0)
            coins = rng.uniform(rows.shape) < reinit_probability
            return tf.where(coins, rng.normal(rows.shape), rows), places

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="axis", hint="Each fresh row is drawn by itself.")
def buffer_one_fresh_row(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            rows, places = super().sample(n, 0.0)
            coins = rng.uniform((n,)) < reinit_probability
            coins = tf.reshape(coins, [n] + [1] * (len(rows.shape) - 1))
            return tf.where(coins, rng.normal((1, *rows.shape[1:])), rows), places

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="axis", hint="The places belong to the rows that are returned.")
def buffer_wrong_places(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            rows, places = super().sample(n, reinit_probability)
            return rows, tf.sort(places)

    return Buffer(size, shape, rng)


@mistake(
    "ReplayBuffer",
    kind="concept",
    hint="What is returned is a copy: only update may change the buffer.",
)
def buffer_returns_a_view(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def __init__(self, size, shape, rng):
            super().__init__(size, shape, rng)
            self.array = np.array(self._entries)

        def sample(self, n, reinit_probability):
            start = int(rng.uniform((), maxval=size - n + 1, dtype=tf.int32))
            rows = self.array[start : start + n]
            if reinit_probability > 0:
                rows = rows.copy()
                coins = np.asarray(rng.uniform((n,))) < reinit_probability
                rows[coins] = np.asarray(rng.normal(rows.shape))[coins]
            return rows, np.arange(start, start + n)

        def update(self, indices, x):
            self.array[np.asarray(indices)] = np.asarray(x)

    return Buffer(size, shape, rng)


@mistake(
    "ReplayBuffer",
    kind="concept",
    hint="Fresh rows go into the buffer by update, after the walk, not when they are drawn.",
)
def buffer_writes_fresh_rows(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            rows, places = super().sample(n, reinit_probability)
            self.update(places, rows)
            return rows, places

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="lazy", hint="The buffer begins with standard normal numbers.")
def buffer_begins_with_zeros(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def __init__(self, size, shape, rng):
            super().__init__(size, shape, rng)
            self._entries = 0.0 * self._entries

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="randomness", hint="Fresh numbers are normal, not uniform.")
def buffer_begins_uniform(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def __init__(self, size, shape, rng):
            super().__init__(size, shape, rng)
            self._entries = rng.uniform((size, *shape), -1.0, 1.0)

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="lazy", hint="A fresh row is standard normal, not zero.")
def buffer_fresh_zeros(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            rows, places = super().sample(n, 0.0)
            coins = rng.uniform((n,)) < reinit_probability
            coins = tf.reshape(coins, [n] + [1] * (len(rows.shape) - 1))
            return tf.where(coins, 0.0 * rows, rows), places

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="randomness", hint="Fresh numbers are normal, not uniform.")
def buffer_fresh_uniform(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            rows, places = super().sample(n, 0.0)
            coins = rng.uniform((n,)) < reinit_probability
            coins = tf.reshape(coins, [n] + [1] * (len(rows.shape) - 1))
            return tf.where(coins, rng.uniform(rows.shape, -1.0, 1.0), rows), places

    return Buffer(size, shape, rng)


@mistake("ReplayBuffer", kind="randomness", hint="Use the generator that is given, not tf.random.")
def buffer_global_generator(size, shape, rng):
    return deep_ebm.ReplayBuffer(size, shape, tf.random.get_global_generator())


@mistake(
    "ReplayBuffer", kind="randomness", hint="Use the generator that is given; do not seed one."
)
def buffer_seed_inside(size, shape, rng):
    return deep_ebm.ReplayBuffer(size, shape, tf.random.Generator.from_seed(1))


@mistake("ReplayBuffer", kind="randomness", hint="Use the generator that is given, not NumPy's.")
def buffer_numpy_generator(size, shape, rng):
    class Buffer(deep_ebm.ReplayBuffer):
        def sample(self, n, reinit_probability):
            rows, _ = super().sample(size, 0.0)
            places = np.random.permutation(size)[:n]
            kept = tf.gather(self._entries, places)
            coins = np.random.uniform(size=(n, *[1] * len(shape))) < reinit_probability
            return tf.where(coins, rng.normal(kept.shape), kept), places

    return Buffer(size, shape, rng)


@alternative("ReplayBuffer")
def buffer_as_array(size, shape, rng):
    class Buffer:
        def __init__(self, size, shape, rng):
            self.size, self.rng = size, rng
            self.rows = np.array(rng.normal([size, *shape]))

        def sample(self, n, reinit_probability):
            own = np.random.default_rng(int(self.rng.uniform_full_int((), dtype=tf.uint64)))
            indices = own.choice(self.size, size=n, replace=False)
            x0 = self.rows[indices]
            for row in range(n):
                if own.random() < reinit_probability:
                    x0[row] = own.normal(size=x0.shape[1:])
            return x0, indices

        def update(self, indices, x):
            self.rows[np.asarray(indices)] = np.asarray(x)

    return Buffer(size, shape, rng)


@alternative("ReplayBuffer")
def buffer_as_list(size, shape, rng):
    class Buffer:
        def __init__(self, size, shape, rng):
            self.rng, self.shape = rng, shape
            self.rows = [rng.normal(shape) for _ in range(size)]

        def sample(self, n, reinit_probability):
            order = np.argsort(np.asarray(self.rng.uniform([len(self.rows)])))[:n]
            rows = []
            for index in order:
                fresh = self.rng.uniform([]) < reinit_probability
                rows.append(self.rng.normal(self.shape) if fresh else self.rows[index])
            return tf.stack(rows), tf.constant(order)

        def update(self, indices, x):
            for index, row in zip(np.asarray(indices), tf.unstack(x), strict=True):
                self.rows[index] = row

    return Buffer(size, shape, rng)


@alternative("ReplayBuffer")
def buffer_as_variable(size, shape, rng):
    class Buffer:
        def __init__(self, size, shape, rng):
            self.rng = rng
            self.rows = tf.Variable(rng.normal((size, *shape)))

        def sample(self, n, reinit_probability):
            _, indices = tf.math.top_k(self.rng.uniform((self.rows.shape[0],)), n)
            kept = tf.gather(self.rows, indices)
            coins = tf.cast(self.rng.uniform((n,)) < reinit_probability, tf.float32)
            coins = tf.reshape(coins, (n,) + (1,) * (len(kept.shape) - 1))
            return coins * self.rng.normal(tf.shape(kept)) + (1 - coins) * kept, indices

        def update(self, indices, x):
            self.rows.scatter_update(tf.IndexedSlices(x, indices))

    return Buffer(size, shape, rng)


@alternative("ReplayBuffer")
def buffer_of_fresh_places(size, shape, rng):
    class Buffer:
        def __init__(self, size, shape, rng):
            self.rng = rng
            self.rows = rng.normal(tf.concat([[size], shape], axis=0))

        def sample(self, n, reinit_probability):
            order = tf.argsort(self.rng.normal((size,)), direction="DESCENDING")
            indices = tf.cast(order[:n], tf.int64)
            x0 = tf.gather(self.rows, indices)
            fresh = tf.where(self.rng.uniform((n,)) < reinit_probability)
            numbers = self.rng.normal(tf.concat([tf.shape(fresh)[:1], shape], axis=0))
            return tf.tensor_scatter_nd_update(x0, fresh, numbers), indices

        def update(self, indices, x):
            rows = np.array(self.rows)
            rows[np.asarray(indices)] = x
            self.rows = tf.constant(rows)

    return Buffer(size, shape, rng)
