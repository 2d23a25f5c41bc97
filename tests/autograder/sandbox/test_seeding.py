"""The same seed gives the same numbers, and kernels are kept where they may be."""

import random
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import random_seed

from autograder.sandbox import seeding
from autograder.sandbox.seeding import reseed


@pytest.fixture(autouse=True)
def unwatched(monkeypatch):
    """As at the start of a process, but that kernels of other tests may be there."""
    monkeypatch.setattr(random_seed, "get_seed", random_seed.get_seed)
    monkeypatch.setattr(seeding._Kept, "state", None)
    reseed(0)
    assert seeding._Kept.state is False


def stateless():
    """Draws of all global generators but that of TensorFlow's older operations."""
    return [
        random.random(),  # noqa: S311
        np.random.random(3).tolist(),
        tf.random.get_global_generator().normal([3]).numpy().tolist(),
        keras.random.normal([3]).numpy().tolist(),
    ]


def older():
    return [
        tf.random.normal([3]).numpy().tolist(),
        tf.random.uniform([2], seed=5).numpy().tolist(),
    ]


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others():
    drawn = {}
    for seed in (1, 2, 2**40 + 1, 1, 2):
        reseed(seed)
        assert drawn.setdefault(seed, stateless()) == stateless_after(seed)
    assert seeding._Kept.state is False
    assert len({str(numbers) for numbers in drawn.values()}) == 3


def stateless_after(seed):
    reseed(seed)
    return stateless()


def test_an_operation_that_keeps_its_state_is_noticed_and_starts_anew():
    first = {}
    for seed in (1, 2, 1, 2, 1):
        reseed(seed)
        assert first.setdefault(seed, older()) == first[seed]
        assert seeding._Kept.state is True
    assert first[1] != first[2]


def test_a_compiled_function_starts_anew_too():
    @tf.function
    def compiled():
        return tf.random.normal([3])

    drawn = []
    for seed in (1, 2, 1):
        reseed(seed)
        drawn.append(compiled().numpy().tolist())
    assert drawn[0] == drawn[2]


def test_without_the_watch_a_kernel_would_go_on(monkeypatch):
    reseed(1)
    first = older()
    monkeypatch.setattr(seeding._Kept, "state", False)
    reseed(1)
    assert older() != first


def test_numbers_are_those_of_the_official_functions():
    reseed(7)
    quick = stateless()
    random.seed(7)
    tf.random.set_global_generator(tf.random.Generator.from_seed(7))
    keras.utils.set_random_seed(7)
    assert stateless() == quick
    reseed(7)
    assert older() == (keras.utils.set_random_seed(7), older())[1]


def test_kernels_are_kept():
    x = tf.ones([3, 3])

    def seconds(seed_with):
        best = np.inf
        for seed in range(5):
            seed_with(seed)
            start = time.perf_counter()
            tf.reduce_sum(tf.tanh(x) + tf.exp(x) * tf.sqrt(x) - tf.matmul(x, x))
            best = min(best, time.perf_counter() - start)
        return best

    assert 2 * seconds(reseed) < seconds(tf.random.set_seed)


def test_without_knowledge_of_the_inside_it_is_as_before(monkeypatch):
    monkeypatch.setattr(seeding, "_set_alone", lambda seed: False)
    slow = stateless_after(3)
    monkeypatch.undo()
    assert stateless_after(3) == slow
