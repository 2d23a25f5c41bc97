"""Stages on the reference draw compiled what they draw uncompiled."""

import numpy as np
import pytest
import tensorflow as tf

from autograder.checks import Seeds, probe, tensorflow_rng
from autograder.judge.student import LocalTransport, Student
from autograder.sandbox import probes
from autograder.verify.strikes import _Compiling


@probe
def drawn(student, count, scale, rng):
    if np.any(scale):  # Not to be asked of a tensor without a value.
        return student.normal(int(count), 2 * scale, rng)
    return student.normal(int(count), scale, rng)


@pytest.fixture
def compiling(monkeypatch):
    made = _Compiling(probes._run)
    monkeypatch.setattr(probes, "_run", made)
    return made


def stages(functions, ask, count=6):
    """Returns what so many stages draw, each with seeds of its own."""
    drawn = []
    for number in range(count):
        seeds = Seeds(b"s" * 32, str(number), "a90_toy", "test_drawn")
        drawn.append(np.asarray(ask(Student(LocalTransport(functions), seeds, "tensorflow"))))
    return drawn


def normal(count, scale, rng):
    calls.append(count)
    return scale * rng.normal((count, 2), dtype=scale.dtype)


calls: list[int] = []


def ask(student):
    return drawn(student, 5, np.array([0.5, 1.5]), tensorflow_rng)


def test_a_compiled_draw_is_the_draw(compiling):
    calls.clear()
    seen = stages({"normal": normal}, ask)
    # Twice as it is, and once to be compiled.
    assert len(calls) == 3
    assert len({array.tobytes() for array in seen}) == len(seen)
    for array, due in zip(seen, uncompiled({"normal": normal}, ask), strict=True):
        np.testing.assert_array_equal(array, due)


def uncompiled(functions, ask):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "_run", probes._run._run)
        return stages(functions, ask)


def by_numpy(count, scale, rng):
    return np.asarray(normal(count, scale, rng))


def test_what_cannot_be_compiled_runs_as_it_is(compiling):
    calls.clear()
    seen = stages({"normal": by_numpy}, ask)
    assert len(calls) >= 6
    for array, due in zip(seen, uncompiled({"normal": by_numpy}, ask), strict=True):
        np.testing.assert_array_equal(array, due)


def test_other_inputs_are_another_question(compiling):
    calls.clear()
    scales = iter(np.arange(1.0, 7.0))

    def ask_with_others(student):
        return drawn(student, 5, np.full(2, next(scales)), tensorflow_rng)

    stages({"normal": normal}, ask_with_others)
    assert len(calls) == 6
    assert all(len(key) == 32 for key in compiling._asked)
    assert tf.executing_eagerly()
