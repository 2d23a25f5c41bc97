"""Probes travel as source, with nothing but their arguments."""

import numpy as np
import pytest

from autograder.checks import numpy_rng, probe
from autograder.checks._probe import drawing, drawn, reports_of
from autograder.errors import CheckFailed

SECRET = 3.0


@probe
def twice(student, x: np.ndarray) -> np.ndarray:
    """The docstring tells what is looked for."""
    return {"one": student.f(x), "both": [student.f(x), np.sum(student.f(2 * x))]}


def test_a_probe_runs_the_functions_of_the_submission(submit):
    student, _ = submit(f=lambda x: x + 1)
    result = twice(student, np.array([1.0, 2.0]))
    np.testing.assert_array_equal(result["one"], [2.0, 3.0])
    np.testing.assert_array_equal(result["both"][1], 8.0)


def test_its_source_holds_no_docstring_decorator_or_annotation():
    assert twice.source.startswith("def twice(student, x):\n    return")


def test_globals_and_closures_are_refused():
    local = 4.0
    with pytest.raises(TypeError, match="uses SECRET"):

        @probe
        def with_a_global(student):
            return SECRET

    with pytest.raises(TypeError, match="uses local"):

        @probe
        def with_a_closure(student):
            return local


def test_the_first_parameter_is_the_student():
    with pytest.raises(TypeError, match="must be `student`"):

        @probe
        def without(x):
            return x


def test_what_student_code_raises_fails_the_check(submit):
    student, _ = submit(f=lambda x: x / "two")
    with pytest.raises(CheckFailed, match="TypeError"):
        twice(student, np.ones(2))


@probe
def changed_in_place(student, x):
    x = [x.copy()]
    student.f(x)
    return x[0]


def test_what_changes_its_arguments_may_return_nothing(submit):
    student, _ = submit(f=lambda x: x.append(x.pop() + 1))
    np.testing.assert_array_equal(changed_in_place(student, np.zeros(2)), [1.0, 1.0])


def test_a_missing_result_is_why_a_probe_stumbles(submit):
    student, _ = submit(f=lambda x: None)
    for stumbling in (twice, result_is_used):
        with pytest.raises(CheckFailed) as failure:
            stumbling(student, np.ones(2))
        assert failure.value.seen == "None"
        assert "return" in failure.value.due


@probe
def result_is_used(student, x):
    return np.sum(student.f(x)["key"])


def test_a_function_that_draws_says_which_generator(submit):
    student, _ = submit(f=lambda n, rng: rng.random(n))

    def through(n, rng=numpy_rng):
        return student.f(n, rng)

    assert drawing(student.f).library == "numpy"
    assert drawing(through).library == "numpy"
    with pytest.raises(TypeError, match="rng=tensorflow_rng"):
        drawing(lambda n: student.f(n, numpy_rng))
    for call, arguments in ((student.f, (3,)), (through, (3,)), (student.f, (3, numpy_rng))):
        first, second = (drawn(call, arguments, numpy_rng.seeded(seed)) for seed in (1, 1))
        np.testing.assert_array_equal(first, second)


def test_a_marker_that_reached_no_call_is_an_error():
    with pytest.raises(TypeError, match="not passed on"):
        reports_of(numpy_rng.counted(1))
