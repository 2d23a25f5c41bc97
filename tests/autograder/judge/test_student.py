"""What a check speaks to: calls travel, results come back, failures become sentences."""

from types import SimpleNamespace

import numpy as np
import pytest

from autograder.checks import Seeds, numpy_rng, probe
from autograder.errors import CheckFailed, RunEnded
from autograder.judge.grader import _signatures
from autograder.judge.student import LocalTransport, Student, lost_functions
from autograder.sandbox.wire import Message


def student_of(signatures=None, **functions):
    seeds = Seeds(b"s" * 32, "ada", "a90_toy", "test_x")
    return Student(LocalTransport(functions), seeds, signatures=signatures or {})


class Answering:
    """A student process that answers whatever a test wants."""

    def __init__(self, reply):
        self.reply = reply

    def exchange(self, message):
        return self.reply


def answered(kind, fields=None, arrays=()):
    seeds = Seeds(b"s" * 32, "ada", "a90_toy", "test_x")
    return Student(Answering(Message(kind, fields or {}, arrays)), seeds)


def raising(problem):
    def f(*_):
        raise problem

    return f


def test_arguments_arrive_as_what_they_are():
    seen = {}

    def f(*arguments):
        seen["arguments"] = arguments
        return 0.0

    sent = (np.arange(3.0), 2, 0.5, True, None, (np.zeros(1), [1]), {"a": np.float32(3)})
    student_of(f=f).f(*sent)
    array, whole, real, flag, nothing, pair, named = seen["arguments"]
    np.testing.assert_array_equal(array, np.arange(3.0))
    assert (whole, real, flag, nothing) == (2, 0.5, True, None)
    assert type(whole) is int
    assert isinstance(pair, tuple)
    assert pair[1] == [1]
    assert named["a"].dtype == np.float32


def test_arguments_can_be_worked_on_in_place():
    def f(x):
        x += 1
        return x

    x = np.zeros(2)
    assert student_of(f=f).f(x).tolist() == [1, 1]
    assert x.tolist() == [0, 0]


def test_a_generator_is_made_there_and_seeded_for_this_call():
    student = student_of(f=lambda rng: rng.normal(size=4))
    first, second = student.f(numpy_rng), student.f(numpy_rng)
    assert not np.array_equal(first, second)
    again = student_of(f=lambda rng: rng.normal(size=4))
    np.testing.assert_array_equal(first, again.f(numpy_rng))


def test_global_generators_are_seeded_before_every_call():
    student = student_of(f=lambda: np.random.random(3))
    first = student.f()
    np.random.seed(7)
    np.testing.assert_array_equal(first, student_of(f=lambda: np.random.random(3)).f())


def test_results_may_be_nested():
    result = student_of(f=lambda: (np.zeros(2), {"a": [1, 2.5]})).f()
    assert result[0].shape == (2,)
    assert result[1]["a"][1] == 2.5


def test_a_probe_runs_beside_the_functions():
    @probe
    def twice(student, x):
        return student.f(student.f(x))

    assert twice(student_of(f=lambda x: x + 1), np.zeros(2)).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("function", "seen", "due"),
    [
        (lambda: None, "None", "return"),
        (lambda: "text", "str", "arrays"),
        (lambda: object(), "object", "arrays"),
        (lambda: [np.zeros(1)] * 100, "more than", "arrays"),
        (lambda: np.zeros(2**24), "64 MB", "small"),
        (lambda: np.array(["a"]), "dtype", "arrays"),
        (lambda: np.array([object()]), "dtype", "arrays"),
        (raising(ValueError("the hidden input is 17")), "ValueError", "returns a result"),
        (raising(NotImplementedError("write")), "NotImplementedError", "solution"),
        (raising(SystemExit(0)), "SystemExit", "returns a result"),
        (raising(KeyboardInterrupt()), "KeyboardInterrupt", "returns a result"),
        (raising(type("Odd Name!", (Exception,), {})("x")), "an exception", "returns a result"),
    ],
)
def test_what_is_no_result_fails_the_check_with_a_sentence(function, seen, due):
    with pytest.raises(CheckFailed) as failure:
        student_of(f=function).f()
    assert seen in failure.value.seen
    assert due in failure.value.due
    assert failure.value.call == "f()"


def test_an_exceptions_text_is_for_the_tutor_only():
    student = student_of(f=raising(ValueError("the hidden input is 17\n\x1b[31m")))
    with pytest.raises(CheckFailed) as failure:
        student.f(np.zeros(3))
    parts = (failure.value.seen, failure.value.due, failure.value.call)
    assert not any("17" in part for part in parts)
    (line,) = student.log
    assert "the hidden input is 17" in line
    assert "\x1b" not in line
    assert "\n" not in line


def test_a_missing_function_is_named():
    with pytest.raises(CheckFailed, match="no function energy"):
        student_of().energy()


def test_a_class_is_called_with_the_arguments_of_its_init():
    source = (
        "def energy(v, W): pass\n"
        "class Buffer:\n    def __init__(self, size, rng): pass\n    def sample(self, n): pass\n"
        "class Plain:\n    size = 1\n"
    )
    assignment = SimpleNamespace(exercises=[SimpleNamespace(source=source)])
    due = {"energy": ["v", "W"], "Buffer": ["size", "rng"], "Plain": []}
    assert _signatures(assignment) == due


def test_a_function_whose_cell_did_not_finish_is_missing_for_that_reason():
    cells = {
        "energy": (
            "x = 1\ndef energy(v):\n    def inner(): pass\n",
            "TIMEOUT",
            "it ran too long",
        ),
        "gibbs": ("def gibbs():\n    pass\n1 / 0", "error", "ZeroDivisionError"),
        "buffer": ("class Buffer:\n    def sample(self): pass", "error", "NameError"),
        "odd id!": ("def other(): pass", "error", "<script>"),
    }
    lost = lost_functions(cells)
    assert lost == {
        "energy": "your cell energy is left out; it ran too long",
        "gibbs": "ZeroDivisionError ended your cell gibbs",
        "Buffer": "NameError ended your cell buffer",
        "other": "an exception ended your cell",
    }
    seeds = Seeds(b"s" * 32, "ada", "a90_toy", "test_x")
    student = Student(LocalTransport({}), seeds, lost=lost)
    with pytest.raises(CheckFailed) as failure:
        student.energy()
    assert failure.value.seen.endswith("no function energy: your cell energy is left out; "
                                       "it ran too long")  # fmt: skip


def test_a_call_is_said_in_one_line():
    student = student_of({"f": ["x", "W", "k", "rng"]})
    call = student.call_text("f", (np.zeros((7, 4)), np.zeros((4, 3)), 1, numpy_rng))
    assert call == "f(x (7, 4), W (4, 3), 1, rng)"
    assert student.call_text("g", (np.zeros(2), (0.25, True))) == "g(array (2,), (0.25, True))"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("done", {}),
        ("arrays", {}),
        ("arrays", {"result": None, "draws": None}),
        ("arrays", {"result": {"array": 5}, "draws": None}),
        ("arrays", {"result": {"object": 0}, "draws": None}),
        ("arrays", {"result": {"array": 0}, "draws": {"array": 9}}),
    ],
)
def test_a_forged_answer_is_no_result(kind, fields):
    with pytest.raises(RunEnded) as ended:
        answered(kind, fields, (np.zeros(1),)).f()
    assert ended.value.result_class == "PROTOCOL"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"error": 3, "type": ["x"], "message": {}, "cell": 1, "line": "2"},
        {"error": "exception", "type": "E" * 500, "message": "m" * 10**6, "cell": "../../etc"},
        {"error": "not_defined", "message": "<script>alert(1)</script>"},
        {"error": "not_arrays", "message": "\x1b[2J <img src=x>"},
        {"error": "exception", "type": "<b>E</b>", "cell": "a", "line": 10**30},
    ],
)
def test_a_forged_error_becomes_a_plain_sentence(fields):
    student = answered("error", fields)
    with pytest.raises(CheckFailed) as failure:
        student.f()
    for part in (failure.value.seen, failure.value.due, failure.value.call, *student.log[:1]):
        assert len(part) <= 600
        assert part.isprintable()
    assert not any(
        mark in failure.value.seen + failure.value.due for mark in ("script", "img", "../")
    )
