"""A class is graded in the real sandbox: whatever one is, the others get their points."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from autograder.batch import grade
from autograder.batch.lock import locked
from autograder.errors import GraderError, SandboxUnavailable, UsageError
from autograder.gradebook import Book
from autograder.judge import grader as judge_grader
from autograder.results import load

RIGHT = {
    "sigmoid": (
        "def sigmoid(logit):\n    return 1 / (1 + np.exp(-np.clip(logit, -700, 700)))\n"
        "def log_sigmoid(logit):\n    return -np.logaddexp(0, -logit)\n"
    ),
    "entropy": "def entropy(logit):\n    return np.logaddexp(0, logit) - logit * sigmoid(logit)\n",
}
BAD_NAME = "a b;$(touch x)"


@pytest.fixture
def course(toy_course, light_sandbox, empty_gradebook):
    (toy_course.root / "gradebook.db").write_bytes(empty_gradebook.read_bytes())
    settings = replace(toy_course.settings, cell_seconds=3, probe_seconds=3)
    return replace(toy_course, settings=settings)


@pytest.fixture
def graded(course):
    def run(*students, jobs=2, **options):
        return {r.student: r for r in grade(course, "a90_toy", students, jobs, **options)}

    return run


@pytest.fixture
def some_class(course, hand_in):
    """Right, half-right, wrong and broken ones."""
    hand_in(course, "ada", RIGHT)
    hand_in(course, "bob", {"sigmoid": RIGHT["sigmoid"]})
    hand_in(course, "cleo", {**RIGHT, "sigmoid": RIGHT["sigmoid"].replace("-np.clip", "np.clip")})
    hand_in(course, "dan")
    hand_in(course, "eve", {**RIGHT, "entropy": RIGHT["entropy"] + "import os\nos._exit(0)"})
    hand_in(course, "finn", {**RIGHT, "entropy": RIGHT["entropy"] + "while True:\n    pass"})
    hand_in(course, BAD_NAME, RIGHT)
    hand_in(course, "gus", RIGHT).write_text("{", encoding="utf-8")
    course.submitted_folder("hal", "a90_toy").mkdir(parents=True)


def summary(results):
    return {student: (r.status, r.score) for student, r in results.items()}


def rows(course):
    with closing(sqlite3.connect(course.root / "gradebook.db")) as database, database:
        return dict(
            database.execute(
                "SELECT s.student_id, SUM(auto_score) FROM grade "
                "JOIN submitted_notebook n ON n.id = grade.notebook_id "
                "JOIN submitted_assignment s ON s.id = n.assignment_id GROUP BY 1"
            )
        )


def test_each_submission_gets_what_it_deserves(course, graded, some_class):
    events = []
    results = graded(progress=lambda *event: events.append(event))
    assert summary(results) == {
        "ada": ("graded", 10),
        "bob": ("graded", 6),
        # Its entropy is right, and by follow-through judged without its wrong sigmoid.
        "cleo": ("graded", 7),
        "dan": ("graded", 0),
        "eve": ("graded", 6),
        "finn": ("graded", 6),
        BAD_NAME: ("refused", None),
        "gus": ("refused", None),
        "hal": ("refused", None),
    }
    assert {event[0] for event in events} == {"started", "finished"}
    assert len(events) == 18
    for student, result in results.items():
        place = course.autograded_folder(student, "a90_toy")
        if student == BAD_NAME:
            assert not place.exists()
        else:
            assert load(place / "results.json").status == result.status
            assert (place / "a90_toy.ipynb").exists() == (result.status == "graded")
    message = results["eve"].exercises[1].checks[0].message
    assert "no function entropy: your cell entropy is left out; it ended the Python" in message
    assert set(rows(course)) == set(results) - {BAD_NAME}
    assert rows(course)["ada"] == 10
    assert results["ada"].sandbox == "full"


def test_one_job_and_two_give_the_same(graded, some_class):
    def told(results):
        return {s: replace(r, seconds=0) for s, r in results.items()}

    assert told(graded(jobs=1)) == told(graded(jobs=2))


def test_marks_given_by_hand_survive_regrading(course, graded, hand_in):
    hand_in(course, "ada", RIGHT)
    graded()
    with closing(sqlite3.connect(course.root / "gradebook.db")) as database, database:
        database.execute(
            "UPDATE grade SET manual_score = 3, extra_credit = 1 WHERE auto_score = 4"
        )
    hand_in(course, "ada", {"sigmoid": RIGHT["sigmoid"]})
    assert graded()["ada"].score == 6
    with Book(course) as book:
        mark = book.marks("a90_toy")["ada"]["test_entropy"]
    assert (mark.auto, mark.manual, mark.extra, mark.points) == (0, 3, 1, 4)


def test_one_student_alone_leaves_the_others_as_they_are(course, graded, some_class):
    graded("ada")
    assert set(rows(course)) == {"ada"}
    with pytest.raises(UsageError, match="No submission of a90_toy by zoe"):
        graded("ada", "zoe")


def test_a_second_grader_is_refused(course, graded, some_class):
    with locked(course), pytest.raises(GraderError, match="Another lgm is at work"):
        graded()
    assert not course.root.joinpath("autograded").exists()


def test_without_isolation_nothing_is_graded(course, graded, hand_in, monkeypatch):
    hand_in(course, "ada", RIGHT)
    # As on a machine that forbids namespaces: the launcher's first step is refused.
    monkeypatch.setattr(judge_grader.Template, "__enter__", refuse)
    with pytest.raises(SandboxUnavailable):
        graded()
    assert rows(course) == {}


def refuse(template):
    raise SandboxUnavailable("This machine cannot isolate a submission.")


def test_no_process_is_left(graded, some_class):
    before = children()
    graded()
    assert children() <= before


def children():
    """The processes below this one."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                    parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def test_results_say_how_submissions_were_isolated(course, graded, hand_in):
    hand_in(course, "ada", RIGHT)
    for isolation in ("fork", "exec"):
        result = graded("ada", isolation=isolation)["ada"]
        assert (result.status, result.score, result.sandbox) == ("graded", 10, "full")
        saved = load(course.autograded_folder("ada", "a90_toy") / "results.json")
        assert saved.conditions["isolation"] == isolation
        assert saved.conditions["landlock"] >= 1
        assert "seccomp" in saved.conditions["layers"]
        assert saved.conditions["limits"]["cell_seconds"] == 3


@pytest.mark.parametrize("mode", ["jail", "none"])
def test_weaker_modes_grade_too(course, graded, hand_in, some_class, mode):
    strongest = graded(jobs=2)
    weaker = graded(jobs=2, modes=(mode,))
    assert {s: r.sandbox for s, r in weaker.items() if r.status != "refused"} == dict.fromkeys(
        (s for s, r in strongest.items() if r.status != "refused"), mode
    )
    if mode == "jail":
        assert summary(weaker) == summary(strongest)
        return
    # Unprotected, only what the notebook shows decides; the reference is not used, either.
    for student, result in weaker.items():
        for exercise in result.exercises:
            for check in exercise.checks:
                shown = check.id in ("test_sigmoid_of_zero", "test_entropy_of_a_fair_coin")
                assert shown == (check.outcome != "undecided"), (student, check)
                assert not check.follow_through
    assert weaker["ada"].status == "undecided"
    assert 0 < weaker["ada"].score < 10
