"""A mistake is named if it alone reproduces what came back; what is not catalogued is not."""

import textwrap

import numpy as np
import pytest

from autograder.checks import Seeds
from autograder.judge.catalogue import Entry
from autograder.judge.diagnosis import Diagnosis, recognised
from autograder.judge.reference import Answer, Reference
from autograder.judge.session import collected
from autograder.judge.student import LocalTransport, Student
from tests.autograder.judge.conftest import LocalRun


def named(verdict):
    return {
        check.id: check.mistake
        for exercise in verdict.exercises
        for check in exercise.checks
        if check.mistake
    }


def test_a_catalogued_mistake_written_otherwise_is_named_with_its_hint(graded):
    verdict = graded({"sigmoid": "def sigmoid(x):\n    return 0.5 - 0.5 * np.tanh(x / 2)\n"})
    assert named(verdict) == {"test_sigmoid_is_the_logistic_function": "a90_sign"}
    (check,) = (c for e in verdict.exercises for c in e.checks if c.mistake)
    assert check.message.splitlines()[-1] == "hint   The sign of the exponent is minus."


def test_another_mistake_gets_no_name(graded):
    verdict = graded({"sigmoid": "def sigmoid(x):\n    return 0.501 - 0.501 * np.tanh(x / 2)\n"})
    assert named(verdict) == {}
    assert "hint" not in str(verdict.exercises)


def test_what_raises_gets_no_name(graded):
    assert named(graded({"entropy": "def entropy(x):\n    raise ValueError('no')\n"})) == {}


def test_points_by_follow_through_carry_no_name(graded):
    wrong = "def sigmoid(x):\n    return 1.0 / (1.0 + np.exp(x))\n"
    right = "def entropy(x):\n    return np.logaddexp(0.0, x) - x * sigmoid(x)\n"
    found = named(graded({"sigmoid": wrong, "entropy": right}))
    assert set(found.values()) == {"a90_sign"}
    assert not any("entropy" in check for check in found)


CHECKS = '''
import numpy as np
from autograder.checks import exercise, expect, mistake, numpy_rng, sampling

@mistake("scaled", kind="scale", hint="twice!")
def twice(x):
    return 2 * x

@exercise("scaled", points=1, mistakes=("twice",))
def test_scaled(student, inputs):
    """`scaled` is three times its argument."""
    x = inputs.normal(size=5)
    expect(student.scaled(x)).matches(3 * x)

@exercise("scaled", points=1)
def test_scaled_at_zero(student):
    """`scaled(0)` is 0."""
    expect(student.scaled(np.zeros(1))).matches(np.zeros(1))

@exercise("normal", points=1)
def test_normal(student, stages):
    """`normal` draws from the standard normal distribution."""
    sampling.expect_law(
        sampling.draws(lambda n, rng=numpy_rng: student.normal(n, rng), 400, stages),
        sampling.moments(np.zeros(2), np.eye(2)),
    )
'''
RIGHT = {
    "scaled": "def scaled(x):\n    return 3 * x\n",
    "normal": "def normal(n, rng):\n    return rng.normal(size=(n, 2))\n",
}


def mistake(name, exercise, code, hint=None):
    function = RIGHT[exercise].split("(")[0]
    return Entry("mistake", name, exercise, f"{function}{code}", hint or f"{name}!")


MISTAKES = (
    mistake("twice", "scaled", "(x):\n    return 2 * x\n"),
    mistake("shifted", "scaled", "(x):\n    return 3 * x + 1\n"),
    mistake("nothing", "scaled", "(x):\n    return 0 * x\n", "zero!"),
    mistake("zeros", "scaled", "(x):\n    return np.zeros_like(x)\n", "zero!"),
    mistake("wide", "normal", "(n, rng):\n    return 1.3 * rng.normal(size=(n, 2))\n"),
    mistake("late", "normal", "(n, rng):\n    return 0.3 + rng.normal(size=(n, 2))\n"),
    mistake("ends", "normal", "(n, rng):\n    return ended()\n"),
)


def matches(tmp_path, mistakes=MISTAKES, before=(), **code):
    """The names of the mistakes that agree with each failed check.

    `before` are names of seeds under which the same was compared with the same `Diagnosis`.
    """
    (tmp_path / "test_scaled.py").write_text(textwrap.dedent(CHECKS), encoding="utf-8")
    namespace = {"np": np}
    exec("\n".join({**RIGHT, **code}.values()), namespace)
    answers = tuple(Answer(name, (name,), code, code) for name, code in RIGHT.items())
    reference = Reference("", ("import numpy as np\n",), answers, tuple(mistakes))

    def student(transport, name, check):
        return Student(transport, Seeds(b"s" * 32, name, "a90_toy", check))

    def use(checks):
        diagnosis = Diagnosis(checks, reference, student)
        for seeds in (*before, "ada"):
            transport = LocalTransport(namespace)
            _, findings = checks.run(lambda _, id, s=seeds, t=transport: student(t, s, id))
            run = LocalRun("import numpy as np\n" + "\n".join(RIGHT.values()))
            found = diagnosis.matches(findings, seeds, run)
        return {id: [entry.name for entry in several] for id, several in found.items()}

    return collected(tmp_path, {"scaled": 2, "normal": 1}, use)


def test_a_mistake_agrees_in_all_answers_or_not_at_all(tmp_path):
    assert matches(tmp_path, scaled="def scaled(x):\n    return x + x\n") == {
        "test_scaled": ["twice"]
    }
    near = "def scaled(x):\n    return 2.0001 * x\n"
    assert matches(tmp_path, scaled=near) == {}
    # Twice for some inputs, but not for all that were asked.
    mixed = "def scaled(x):\n    return np.where(np.arange(len(x)) < 4, 2 * x, 0.0)\n"
    assert matches(tmp_path, scaled=mixed) == {}


def test_a_mistake_must_fail_wherever_the_student_fails_alike(tmp_path):
    # It returns 2 x, but not at 0, where `twice` is right: that is another check's matter.
    both = "def scaled(x):\n    return 2 * x + (x == 0)\n"
    assert matches(tmp_path, scaled=both) == {"test_scaled": ["twice"]}
    # It shifts at 0 only, where `shifted` does; elsewhere it does something else.
    other = "def scaled(x):\n    return np.where(x == 0, 1.0, 5 * x)\n"
    assert matches(tmp_path, scaled=other) == {}


def test_a_mistake_is_not_named_to_who_passes_a_check_that_catches_it(tmp_path):
    catching = MISTAKES[0]
    zero_only = "def scaled(x):\n    return np.where(x == 0, 1.0, 3 * x)\n"
    assert matches(tmp_path, (catching,), scaled=zero_only) == {}


def test_a_law_is_recognised_in_another_order_of_drawing(tmp_path):
    columns = (
        "def normal(n, rng):\n"
        "    return 1.3 * np.stack([rng.normal(size=n) for _ in range(2)], axis=1)\n"
    )
    assert matches(tmp_path, normal=columns) == {"test_normal": ["wide"]}


def test_what_was_compared_before_changes_nothing(tmp_path):
    columns = (
        "def normal(n, rng):\n"
        "    return {} * np.stack([rng.normal(size=n) for _ in range(2)], axis=1)\n"
    )
    for factor, due in ((1.3, {"test_normal": ["wide"]}), (1.6, {})):
        for before in ((), ("ada",), ("ada", "bob"), ("bob", "ada")):
            assert matches(tmp_path, before=before, normal=columns.format(factor)) == due


def test_what_a_mistake_draws_under_the_same_seeds_is_drawn_once(tmp_path, monkeypatch):
    columns = "def normal(n, rng):\n    return 0.3 + rng.normal(size=(2, n)).T\n"
    calls = []
    exchange = LocalRun.exchange
    monkeypatch.setattr(LocalRun, "exchange", lambda *to: [calls.append(1), exchange(*to)][1])
    counts = []
    for before in ((), ("ada",), ("bob",)):
        calls.clear()
        assert matches(tmp_path, before=before, normal=columns) == {"test_normal": ["late"]}
        counts.append(len(calls))
    first, again, other = counts
    # Of "wide" and "late" a single answer each; "ends" ends its process.
    assert first > 6
    assert again <= first + 3
    assert other == 2 * first


def test_a_law_that_is_not_catalogued_is_not_recognised(tmp_path):
    columns = (
        "def normal(n, rng):\n"
        "    return 1.6 * np.stack([rng.normal(size=n) for _ in range(2)], axis=1)\n"
    )
    assert matches(tmp_path, normal=columns) == {}


@pytest.mark.parametrize(
    ("agreeing", "left_out", "name"),
    [
        ([], None, None),
        (["twice"], None, "twice"),
        (["twice", "shifted"], None, None),
        (["nothing", "zeros"], None, "nothing"),
        (["twice", "shifted"], "twice", "shifted"),
        (["nothing", "zeros"], "zeros", None),
    ],
)
def test_only_one_hint_is_given_and_only_if_it_is_the_only_one(agreeing, left_out, name):
    entries = {entry.name: entry for entry in MISTAKES}
    found = recognised([entries[n] for n in agreeing], entries.get(left_out))
    assert (found and found.name) == name
