"""The command line: parses, calls, prints, and ends with the status that it promises."""

import json
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

import autograder.batch
import autograder.verify
from autograder import cli
from autograder.errors import BadSubmission, DoesNotHold, GraderError, SandboxUnavailable
from autograder.results import CheckResult, ExerciseResult, SubmissionResult
from autograder.verify import AssignmentProof, CheckRow, ExerciseProof, Trial
from autograder.verify.record import NearMiss, Repeated


@pytest.fixture
def lgm(toy_course, monkeypatch, capsys):
    """Runs a command in the toy course; returns its exit status, what it printed and said."""
    monkeypatch.chdir(toy_course.root)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["lgm", *arguments])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code or 0
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def result(status="graded", **changes):
    checks = (CheckResult("test_a", "passed", 5, 5),)
    exercises = (ExerciseResult("sigmoid", 5, checks),) if status == "graded" else ()
    fields = {"status": status, "max_score": 5, "sandbox": "full", "seconds": 1.0}
    return SubmissionResult("ada", "a90_toy", exercises=exercises, **(fields | changes))


def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['lgm', '--help']\n"
        "from autograder.cli import main\n"
        "try:\n    main()\n"
        "finally:\n"
        "    heavy = {'tensorflow', 'nbgrader', 'numpy', 'matplotlib'}\n"
        "    print(heavy & set(sys.modules), file=sys.stderr)\n"
    )
    start = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Exit status:" in ran.stdout
    assert ran.stderr.strip() == "set()"
    # 0.1 s on an idle machine; the rest is for a loaded one.
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("arguments", [["nonsense"], ["grade"], ["grade", "a", "--jobs", "0"]])
def test_a_wrong_command_line_ends_with_2(arguments):
    ran = CliRunner().invoke(cli.lgm, arguments)
    assert ran.exit_code == 2
    assert "Error:" in ran.output


@pytest.mark.parametrize("command", ["grade", "feedback", "report", "release", "verify"])
def test_an_unknown_assignment_is_one_sentence_and_2(lgm, command):
    status, out, said = lgm(command, "a99_gone")
    assert status == 2
    assert out == ""
    assert said == "lgm: There is no assignment 'a99_gone'. There are: a90_toy.\n"


def test_an_unknown_student_is_one_sentence_and_2(lgm, toy_course):
    toy_course.submitted_folder("ada", "a90_toy").mkdir(parents=True)
    status, _, said = lgm("grade", "a90_toy", "--student", "bob")
    assert status == 2
    assert said.strip().endswith("No submission of a90_toy by bob. submitted/ holds: ada.")


def test_nothing_to_grade_is_said(lgm):
    status, _, said = lgm("grade", "a90_toy")
    assert status == 2
    assert "submitted/STUDENT/a90_toy/a90_toy.ipynb" in said


def test_a_folder_without_a_course_is_said(lgm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, said = lgm("grade", "a90_toy")
    assert status == 2
    assert "belongs to no course" in said


@pytest.mark.parametrize("command", ["feedback", "report"])
def test_pages_before_grading_are_refused(lgm, command):
    status, _, said = lgm(command, "a90_toy")
    assert status == 2
    assert "Run: lgm grade a90_toy" in said


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([result()], 0),
        ([result(), result("refused", reason="It is empty.")], 1),
        ([result("undecided", reason="The judge died.")], 1),
    ],
)
def test_grade_prints_one_document_and_ends_as_promised(lgm, monkeypatch, results, status):
    monkeypatch.setattr(autograder.batch, "grade", lambda *_, **__: results)
    ended, out, _ = lgm("grade", "a90_toy", "--json")
    assert ended == status
    assert json.loads(out)["assignment"] == "a90_toy"
    assert len(json.loads(out)["submissions"]) == len(results)


def test_grade_shows_a_line_per_submission_without_control_characters(lgm, monkeypatch):
    refused = result("refused", reason="The file is\x1b[31m red \u202e[bold]and odd[/bold].")
    monkeypatch.setattr(autograder.batch, "grade", lambda *_, **__: [result(), refused])
    _, out, _ = lgm("grade", "a90_toy")
    assert "everything right" in out
    assert "[bold]and odd[/bold]" in out
    assert not any(mark in out for mark in ("\x1b", "\u202e"))


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (DoesNotHold("It leaks."), 1),
        (GraderError("Another lgm is at work."), 3),
        (SandboxUnavailable("This machine cannot isolate."), 3),
        (BadSubmission("It is no notebook."), 3),
        (OSError(28, "No space left on device"), 3),
        (ZeroDivisionError("a fault of ours"), 3),
    ],
)
def test_what_goes_wrong_has_its_status_and_a_sentence(lgm, monkeypatch, problem, status):
    def fail(*_, **__):
        raise problem

    monkeypatch.setattr(autograder.batch, "grade", fail)
    ended, _, said = lgm("grade", "a90_toy")
    assert ended == status
    last = said.strip().splitlines()[-1]
    assert last.startswith("lgm: ")
    assert ("Traceback" in said) == isinstance(problem, ZeroDivisionError)


def proof(problem=None):
    trials = (
        Trial("reference", "verify-1", "passed", (), problem),
        Trial("stub", "release", "failed", ("test_a",), None),
        Trial("alternative", "by_tanh", "passed", (), None),
        Trial("mistake", "sign", "failed", ("test_a",), None),
        Trial("mistake", "unseen", "undetectable", (), None),
    )
    once, often = Repeated("two_percent", 10, 1), Repeated("two_percent", 10, 9)
    near = NearMiss("two_percent", "2 % too large", natural=once, staged=often)
    row = CheckRow("test_sigmoid_of_zero", "staged", 2e-10, "each unit", 400, 1, 200, 0.033, 1, 1,
                   (20, 20), None, (near,), 0.25)  # fmt: skip
    exercise = ExerciseProof("sigmoid", trials, 0.25, (row,))
    return AssignmentProof("a90_toy", "full", (exercise,))


@pytest.mark.parametrize(("problem", "status"), [(None, 0), ("the reference fails test_a", 1)])
def test_verify_prints_the_fixed_document(lgm, monkeypatch, problem, status):
    monkeypatch.setattr(autograder.verify, "verify", lambda *_, **__: proof(problem))
    ended, out, _ = lgm("verify", "a90_toy", "--json")
    assert ended == status
    (assignment,) = json.loads(out)["assignments"]
    (exercise,) = assignment["exercises"]
    assert exercise["name"] == "sigmoid"
    assert exercise["reference"] == ("failed" if problem else "passed")
    assert exercise["stub"] == "passed"
    assert exercise["mistakes"][0] == {
        "name": "sign",
        "expected": "failed",
        "reason": "",
        "outcome": "failed",
        "caught_by": ["test_a"],
        "named": [],
        "named_if_left_out": [],
    }
    assert exercise["mistakes"][1]["expected"] == "undetectable"
    assert exercise["false_fail_bound"] == 2e-10


def test_verify_shows_what_does_not_hold(lgm, monkeypatch):
    monkeypatch.setattr(autograder.verify, "verify", lambda *_, **__: proof("it [fails] test_a"))
    _, out, _ = lgm("verify")
    assert "1/1 (+1)" in out
    assert "2 % too large: 10%, 90%" in out
    assert "sigmoid: it [fails] test_a" in out
