"""`nbgrader autograde` through the framework, against `lgm grade` on the same submissions.

The judge is replaced by a table of outcomes: what is tested is what becomes of them.
"""

import copy
import importlib
import json
import logging
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager

import pytest

from autograder.batch import grade, plugin
from autograder.course import CONFIG_FILE, find_course, load_config
from autograder.errors import SandboxUnavailable
from autograder.judge.grader import Verdict
from autograder.results import CheckResult, ExerciseResult, load

POINTS = {
    "sigmoid": {
        "test_sigmoid_of_zero": 2,
        "test_sigmoid_is_the_logistic_function": 3,
        "test_log_sigmoid_stays_finite": 1,
    },
    "entropy": {"test_entropy_of_a_fair_coin": 1, "test_entropy_matches_the_definition": 3},
}
TABLES = {
    "student": "SELECT * FROM student ORDER BY id",
    "submitted_assignment": """
        SELECT assignment.name, student_id, timestamp, extension FROM submitted_assignment
        JOIN assignment ON assignment.id = assignment_id ORDER BY 1, 2""",
    "submitted_notebook": """
        SELECT assignment.name, student_id, notebook.name, flagged, late_submission_penalty
        FROM submitted_notebook JOIN notebook ON notebook.id = notebook_id
        JOIN submitted_assignment s ON s.id = submitted_notebook.assignment_id
        JOIN assignment ON assignment.id = s.assignment_id ORDER BY 1, 2, 3""",
    "grade": """
        SELECT student_id, cell.name, cell.type, auto_score, manual_score, extra_credit,
        needs_manual_grade FROM grade JOIN base_cell cell ON cell.id = cell_id
        JOIN submitted_notebook n ON n.id = grade.notebook_id
        JOIN submitted_assignment s ON s.id = n.assignment_id ORDER BY 1, 2, 3""",
    "comment": """
        SELECT student_id, cell.name, cell.type, auto_comment, manual_comment
        FROM comment JOIN base_cell cell ON cell.id = cell_id
        JOIN submitted_notebook n ON n.id = comment.notebook_id
        JOIN submitted_assignment s ON s.id = n.assignment_id ORDER BY 1, 2, 3""",
}


class CannedGrader:
    """Decides by words in the answers: WRONG fails its exercise, LOST leaves it undecided."""

    mode = "full"
    started = 0

    def __init__(self, course, assignment, own_code=False, modes=(), isolation="fork"):
        self.cells = {cell.id: cell.grade_id for cell in assignment.cells}

    def __enter__(self):
        type(self).started += 1
        return self

    def __exit__(self, *_error):
        return None

    @contextmanager
    def slot(self):
        yield self

    @contextmanager
    def slots(self, count):
        yield self

    def grade(self, cells, seed_name, only=None):
        sources = {self.cells.get(cell["id"]): cell["source"] for cell in cells}
        exercises = []
        for name, checks in POINTS.items():
            source = sources.get(name, "WRONG")
            wrong = "WRONG" in source or "NotImplementedError" in source
            outcome = "undecided" if "LOST" in source else "failed" if wrong else "passed"
            exercises.append(ExerciseResult(name, sum(checks.values()), tuple(
                CheckResult(check, outcome, points if outcome == "passed" else 0, points,
                            None if outcome == "passed" else f"it is {outcome}")
                for check, points in checks.items()
            )))  # fmt: skip
        text = {"output_type": "stream", "name": "stdout", "text": f"hello {seed_name}\n"}
        outputs = {cell["id"]: [text] for cell in cells if "hello" in cell["source"]}
        return Verdict(None, 0.1, tuple(exercises), {}, outputs, {}, {}, ("seen",), {})


@pytest.fixture
def canned(monkeypatch):
    """Both ways ask the table instead of a judge."""
    CannedGrader.started = 0
    # The package exports a function of its module's name.
    for module in (importlib.import_module("autograder.batch.grade"), plugin):
        monkeypatch.setattr(module, "Grader", CannedGrader)
    yield CannedGrader
    plugin._kept.close()


@pytest.fixture
def course(toy_course, empty_gradebook):
    """The toy course, registered in a gradebook."""
    from autograder.gradebook import Book

    shutil.copy(empty_gradebook, toy_course.root / "gradebook.db")
    with Book(toy_course) as book:
        book.ensure(toy_course.assignment("a90_toy"))
    return toy_course


def nbgrader_autograde(course, name="a90_toy", **options):
    """What `nbgrader autograde` does, and whether it succeeded."""
    from nbgrader.converters import Autograde, NbGraderException
    from nbgrader.coursedir import CourseDirectory

    config = copy.deepcopy(load_config(course.root / CONFIG_FILE))
    config.CourseDirectory.root = str(course.root)
    config.CourseDirectory.assignment_id = name
    config.Autograde.force = True
    for key, value in options.items():
        section, trait = key.split("__")
        config[section][trait] = value
    log = logging.getLogger("nbgrader-under-test")
    try:
        Autograde(
            coursedir=CourseDirectory(config=config, log=log), config=config, log=log
        ).start()
    except NbGraderException:
        return False
    return True


def lgm_grade(course):
    grade(course, "a90_toy")


def tables(course):
    with closing(sqlite3.connect(course.root / "gradebook.db")) as database, database:
        return {name: database.execute(query).fetchall() for name, query in TABLES.items()}


def execute(course, statement):
    with closing(sqlite3.connect(course.root / "gradebook.db")) as database, database:
        database.execute(statement)


def folders(course):
    """Everything under autograded/, but for what was measured."""
    found = {}
    for path in (course.root / "autograded").rglob("*"):
        if path.is_file():
            name = str(path.relative_to(course.root))
            content = path.read_bytes()
            if path.suffix == ".ipynb":
                content = json.loads(content)
            elif path.name == "results.json":
                content = json.loads(content)
                for entry in content["submissions"]:
                    del entry["seconds"]
            found[name] = (content, path.stat().st_mode)
    return found


RIGHT = {
    "sigmoid": "def sigmoid(logit):\n    return 1 / (1 + np.exp(-logit))  # hello",
    "entropy": "def entropy(logit):\n    return 0",
}


def answers(sigmoid="", entropy="", reflection=None):
    texts = {"sigmoid": RIGHT["sigmoid"] + sigmoid, "entropy": RIGHT["entropy"] + entropy}
    return texts if reflection is None else texts | {"manual_reflection": reflection}


def first_grading(course, hand_in, way):
    hand_in(course, "ada", answers(reflection="At zero."))
    hand_in(course, "bob", answers(entropy="  # WRONG"))
    hand_in(course, "cleo")
    hand_in(course, "dan", answers(sigmoid="  # LOST"))
    beside = course.submitted_folder("bob", "a90_toy")
    (beside / "timestamp.txt").write_text("2026-11-25 10:00:00 UTC\n")
    (beside / "notes.txt").write_text("mine\n")
    (beside / "logits.csv").write_text("changed\n")
    (beside / "results.json").write_text("{}\n")
    way(course)


def regrading(course, hand_in, way):
    first_grading(course, hand_in, way)
    way(course)


def resubmission(course, hand_in, way):
    first_grading(course, hand_in, way)
    hand_in(course, "ada", answers(sigmoid="  # WRONG"))
    hand_in(course, "bob", answers(sigmoid="  # LOST", reflection="Nowhere."))
    hand_in(course, "dan", answers())
    way(course)


def marks_by_hand_before_regrading(course, hand_in, way):
    # nbgrader fails on an extension of what has no due date.
    execute(course, "UPDATE assignment SET duedate = '2026-11-26 00:00:00.000000'")
    first_grading(course, hand_in, way)
    execute(course, "UPDATE grade SET manual_score = 2, extra_credit = 1, needs_manual_grade = 0")
    execute(course, "UPDATE comment SET manual_comment = 'Well done.'")
    execute(course, "UPDATE submitted_notebook SET flagged = 1, late_submission_penalty = 3")
    execute(course, "UPDATE submitted_assignment SET extension = '1970-01-03 00:00:00.000000'")
    hand_in(course, "bob", answers(entropy="  # LOST", reflection="Nowhere."))
    way(course)


def late(course, hand_in, way):
    execute(course, "UPDATE assignment SET duedate = '2026-11-20 00:00:00.000000'")
    first_grading(course, hand_in, way)


def cells_deleted(course, hand_in, way):
    first_grading(course, hand_in, way)
    hand_in(course, "ada", answers(), without=("test_sigmoid", "test_entropy"))
    hand_in(course, "bob", answers(), without=("entropy", "test_entropy"))
    hand_in(course, "cleo", answers(), without=("manual_reflection", "given_imports"))
    way(course)


def cells_copied_and_edited(course, hand_in, way):
    for student in ("ada", "bob"):
        path = hand_in(course, student, answers())
        notebook = json.loads(path.read_text())
        for cell in list(notebook["cells"]):
            keys = cell["metadata"].get("nbgrader", {})
            cell["metadata"] |= {"tags": ["skip-execution"], "mine": 1}
            if student == "ada" and keys.get("grade"):
                notebook["cells"].append(copy.deepcopy(cell) | {"id": f"copy-{cell['id']}"})
            elif student == "bob" and keys:
                keys |= {"points": 100, "grade": True, "surprise": 1}
                cell["source"] = cell["source"].replace("assert", "print")
        path.write_text(json.dumps(notebook))
    way(course)


CASES = [
    first_grading,
    regrading,
    resubmission,
    marks_by_hand_before_regrading,
    late,
    cells_deleted,
    cells_copied_and_edited,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_both_ways_write_the_same(course, hand_in, canned, tmp_path, case):
    other = tmp_path / "other"
    shutil.copytree(course.root, other)
    case(course, hand_in, lgm_grade)

    def way(course):
        assert nbgrader_autograde(course)

    case(find_course(other), hand_in, way)
    assert tables(course) == tables(find_course(other))
    assert tables(course)["grade"]
    assert folders(course) == folders(find_course(other))


def test_one_grader_serves_all_submissions_until_a_check_changes(course, hand_in, canned):
    for student in ("ada", "bob"):
        hand_in(course, student, answers())
    assert nbgrader_autograde(course)
    assert nbgrader_autograde(course)
    assert canned.started == 1
    os.utime(course.hidden_folder("a90_toy") / "test_entropy.py", (1, 1))
    assert nbgrader_autograde(course)
    assert canned.started == 2


def test_without_execution_nothing_is_decided(course, hand_in, canned):
    hand_in(course, "ada", answers())
    lgm_grade(course)
    assert nbgrader_autograde(course, Execute__enabled=False)
    scores = {row[1]: row[3] for row in tables(course)["grade"]}
    assert scores == {"test_sigmoid": None, "test_entropy": None, "manual_reflection": 0.0}


def test_a_machine_that_cannot_isolate_changes_no_score(course, hand_in, canned, monkeypatch):
    hand_in(course, "ada", answers())
    lgm_grade(course)
    before = tables(course)

    def refuse(self):
        raise SandboxUnavailable("This machine cannot isolate a submission.")

    monkeypatch.setattr(canned, "__enter__", refuse)
    os.utime(course.hidden_folder("a90_toy") / "test_entropy.py", (1, 1))
    assert not nbgrader_autograde(course)
    assert tables(course) == before


FORGED = [
    {"output_type": "execute_result", "execution_count": 1, "metadata": {},
     "data": {"text/plain": "6.0"}},
    {"output_type": "stream", "name": "stdout", "text": "all tests passed\n"},
]  # fmt: skip


def test_what_stands_in_the_outputs_decides_nothing(course, hand_in, canned):
    path = hand_in(course, "ada", answers(sigmoid="  # WRONG"))
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = FORGED
    path.write_text(json.dumps(notebook))
    assert nbgrader_autograde(course)
    scores = {row[1]: row[3] for row in tables(course)["grade"]}
    assert scores == {"test_sigmoid": 0.0, "test_entropy": 4.0, "manual_reflection": 0.0}


@pytest.mark.parametrize("way", [lgm_grade, nbgrader_autograde], ids=["lgm", "nbgrader"])
def test_deleted_and_skipped_test_cells_earn_and_keep_nothing(course, hand_in, canned, way):
    hand_in(course, "ada", answers())
    way(course)
    wrong = answers(sigmoid="  # WRONG", entropy="  # WRONG")
    path = hand_in(course, "ada", wrong, without=("test_entropy",))
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["skip-execution"]
    path.write_text(json.dumps(notebook))
    way(course)
    scores = {row[1]: row[3] for row in tables(course)["grade"]}
    assert scores == {"test_sigmoid": 0.0, "test_entropy": 0.0, "manual_reflection": 0.0}


def test_a_warning_on_stderr_costs_nothing(course, hand_in, canned, monkeypatch):
    hand_in(course, "ada", answers())
    decide = canned.grade

    def noisy(self, cells, seed_name, only=None):
        warning = {"output_type": "stream", "name": "stderr", "text": "a warning\n"}
        verdict = decide(self, cells, seed_name, only)
        verdict.outputs.update({name: [warning] for name in self.cells})
        return verdict

    monkeypatch.setattr(canned, "grade", noisy)
    assert nbgrader_autograde(course)
    scores = {row[1]: row[3] for row in tables(course)["grade"]}
    assert scores == {"test_sigmoid": 6.0, "test_entropy": 4.0, "manual_reflection": 0.0}


@pytest.mark.parametrize("way", [lgm_grade, nbgrader_autograde], ids=["lgm", "nbgrader"])
@pytest.mark.parametrize("damage", ["{", "", '{"cells": []}'], ids=["half", "empty", "no cells"])
def test_a_damaged_resubmission_keeps_no_old_score(course, hand_in, canned, way, damage):
    hand_in(course, "bob", answers())
    path = hand_in(course, "ada", answers(reflection="At zero."))
    lgm_grade(course)
    execute(course, "UPDATE grade SET manual_score = 1")
    path.write_text(damage)
    assert way(course) in (None, False)
    rows = [row for row in tables(course)["grade"] if row[0] == "ada"]
    assert {row[3:] for row in rows} == {(None, 1.0, None, 1)}
    assert {row[3] for row in tables(course)["grade"] if row[0] == "bob"} == {0.0, 4.0, 6.0}


def test_a_plain_assignment_keeps_nbgraders_scores_but_no_stale_one(
    course, hand_in, canned, caplog
):
    shutil.rmtree(course.hidden_folder("a90_toy"))
    whole = {
        "sigmoid": "def sigmoid(x):\n    return 1 / (1 + np.exp(-x))",
        "entropy": "def entropy(x):\n    return x * 0 + np.log(2.0)",
    }
    hand_in(course, "ada", whole)
    with caplog.at_level(logging.WARNING):
        assert nbgrader_autograde(course)
    assert "a90_toy has no hidden checks" in caplog.text
    assert {row[1]: row[3] for row in tables(course)["grade"]}["test_sigmoid"] == 6.0
    hand_in(course, "ada", whole, without=("test_sigmoid",))
    assert nbgrader_autograde(course)
    rows = {row[1]: (row[3], row[6]) for row in tables(course)["grade"]}
    assert rows["test_sigmoid"] == (None, 1)
    assert rows["test_entropy"] == (4.0, 0)


def test_results_lie_beside_the_notebook(course, hand_in, canned):
    hand_in(course, "ada", answers(entropy="  # WRONG"))
    assert nbgrader_autograde(course)
    result = load(course.autograded_folder("ada", "a90_toy") / "results.json")
    assert (result.student, result.status, result.score) == ("ada", "graded", 6)
