"""The hidden checks are collected once and run once per submission, whatever they raise."""

import textwrap

import numpy as np
import pytest

from autograder.checks import Seeds
from autograder.errors import GraderError, RunEnded, SandboxFailure
from autograder.judge.session import Checks, collected
from autograder.judge.student import LocalTransport, Student

HEAD = """
    import numpy as np
    from autograder.checks import alternative, exercise, expect, mistake
"""

SQUARE = """
    @exercise("square", points=2)
    def test_square(student):
        \"\"\"`square` squares.\"\"\"
        expect(student.square(np.arange(3.0))).matches(np.arange(3.0) ** 2)
"""


@pytest.fixture
def folder(tmp_path):
    def write(*parts, name="test_square.py"):
        text = "".join(textwrap.dedent(part) for part in (HEAD, *parts))
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


def submission(transport=None, **functions):
    def connect(exercise, check):
        seeds = Seeds(b"s" * 32, "ada", "a90_toy", check)
        return Student(transport or LocalTransport(functions), seeds)

    return connect


def judged(folder, points, only=None, transport=None, **functions):
    connect = submission(transport, **functions)
    return collected(folder, points, lambda checks: checks.run(connect, only))


def outcomes(results):
    return {check.id: check.outcome for exercise in results for check in exercise.checks}


def test_right_work_earns_the_points_and_wrong_work_a_message(folder):
    path = folder(SQUARE)
    results, findings = judged(path, {"square": 2}, square=np.square)
    assert results[0].points == 2
    assert findings["test_square"].result.message is None
    results, findings = judged(path, {"square": 2}, square=lambda x: 2 * x)
    assert results[0].points == 0
    message = findings["test_square"].result.message
    assert message.startswith("call   square(array (3,))\nseen   ")
    assert "\ndue    " in message


def test_one_session_judges_many_submissions(folder):
    def use(checks):
        wrong, _ = checks.run(submission(square=np.abs))
        right, _ = checks.run(submission(square=np.square))
        return wrong[0].points, right[0].points

    assert collected(folder(SQUARE), {"square": 2}, use) == (0, 2)


def test_visible_checks_run_first(folder):
    visible = """
        @exercise("square", points=1, visible=True)
        def test_what_is_shown(student):
            \"\"\"`square(1)` is 1.\"\"\"
    """
    results, _ = judged(folder(SQUARE, visible), {"square": 3}, square=np.square)
    assert [check.id for check in results[0].checks] == ["test_what_is_shown", "test_square"]


def test_only_the_exercises_asked_for_are_judged(folder):
    cube = SQUARE.replace("square", "cube").replace("** 2", "** 3")
    points = {"square": 2, "cube": 2}
    results, _ = judged(folder(SQUARE, cube), points, only=("cube",), cube=lambda x: x**3)
    assert [exercise.name for exercise in results] == ["cube"]


@pytest.mark.parametrize(
    "statement",
    ["1 / 0", "assert False", "raise KeyError('x')", "np.zeros(2) + np.zeros(3)", "exit()"],
)
def test_a_fault_of_ours_is_undecided_and_never_failed(folder, statement):
    broken = f"""
        @exercise("square", points=1)
        def test_broken(student):
            \"\"\"This check is broken.\"\"\"
            {statement}
    """
    results, findings = judged(folder(broken, SQUARE), {"square": 3}, square=np.square)
    assert outcomes(results) == {"test_broken": "undecided", "test_square": "passed"}
    finding = findings["test_broken"]
    assert "tutor" in finding.result.message
    assert "test_broken" in finding.log[0]


class Ending:
    """A student process that ends in the same way at every call."""

    def __init__(self, problem):
        self.problem = problem
        self.asked = 0

    def exchange(self, message):
        self.asked += 1
        raise self.problem


def test_an_ended_process_fails_the_check_and_says_how(folder):
    ending = Ending(RunEnded("CRASHED", "your code: it ended\nthe Python process"))
    results, findings = judged(folder(SQUARE), {"square": 2}, transport=ending)
    assert outcomes(results) == {"test_square": "failed"}
    assert (
        findings["test_square"].result.message == "seen   your code: it ended the Python process"
    )


def test_what_hangs_twice_is_not_asked_a_third_time(folder):
    many = "".join(SQUARE.replace("test_square", f"test_{n}") for n in range(4))
    ending = Ending(RunEnded("TIMEOUT", "it ran longer than 30 seconds"))
    results, findings = judged(folder(many), {"square": 8}, transport=ending)
    assert set(outcomes(results).values()) == {"failed"}
    assert ending.asked == 2
    assert "not asked again" in findings["test_3"].result.message


def test_a_dead_process_of_ours_decides_nothing(folder):
    with pytest.raises(SandboxFailure):
        judged(folder(SQUARE), {"square": 2}, transport=Ending(SandboxFailure("zygote died")))


@pytest.mark.parametrize(
    ("text", "points", "said"),
    [
        (SQUARE, {"square": 3}, "square: its checks give 2 points, its test cell 3"),
        (SQUARE, {"cube": 2}, "no exercise 'square'; there are cube"),
        ("def test_x(student): pass", {"square": 2}, "a check needs @exercise"),
        (SQUARE.replace('"""`square` squares."""', ""), {"square": 2}, "docstring"),
        (SQUARE.replace("points=2", "points=2, mistakes=('gone',)"), {"square": 2}, "no mistake"),
        (SQUARE.replace("points=2", "points=2, depends_on=('gone',)"), {"square": 2}, "depends"),
        ("import no_such_module", {"square": 2}, "no_such_module"),
        ("x = (", {"square": 2}, "SyntaxError"),
        ("", {}, "no check was found"),
    ],
)
def test_checks_that_cannot_be_right_are_refused_at_collection(folder, text, points, said):
    path = folder(text)
    with pytest.raises(GraderError, match="cannot be used") as problem:
        collected(path, points, lambda checks: pytest.fail("must not run"))
    assert said in str(problem.value)


def test_two_checks_of_one_name_are_refused(folder):
    folder(SQUARE)
    path = folder(SQUARE, name="test_square_again.py")
    with pytest.raises(GraderError, match="stands in test_square.py already"):
        collected(path, {"square": 4}, lambda checks: None)


def test_the_conftest_says_what_arrays_arrive_as(folder, tmp_path):
    def arrays_as(checks: Checks) -> str:
        return checks.arrays_as

    path = folder(SQUARE)
    assert collected(path, {"square": 2}, arrays_as) == "numpy"
    (tmp_path / "conftest.py").write_text('ARRAYS = "tensorflow"\n', encoding="utf-8")
    assert collected(path, {"square": 2}, arrays_as) == "tensorflow"


def test_the_catalogue_is_collected_too(folder):
    more = """
        @mistake("square", hint="Square it.", kind="concept")
        def doubled(x):
            return 2 * x

        @alternative("square")
        def by_power(x):
            return x ** 2
    """
    found = collected(folder(SQUARE, more), {"square": 2}, lambda c: (c.mistakes, c.alternatives))
    assert [mistake.name for mistake in found[0]] == ["doubled"]
    assert [alternative.name for alternative in found[1]] == ["by_power"]


def test_the_projects_own_pytest_options_do_not_apply(folder, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "-W error")
    warns = """
        import warnings

        @exercise("square", points=1)
        def test_warns(student):
            \"\"\"A warning is no failure.\"\"\"
            warnings.warn("take care")
    """
    results, _ = judged(folder(warns), {"square": 1}, square=np.square)
    assert outcomes(results) == {"test_warns": "passed"}
