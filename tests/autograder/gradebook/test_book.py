"""The gradebook: what one result writes, and what it never touches."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from autograder.errors import GraderError, UsageError
from autograder.gradebook import Book
from autograder.intake import read_submission

RIGHT = "def sigmoid(logit):\n    return 1 / (1 + np.exp(-logit))"
GRADES = """
SELECT base_cell.name, auto_score, manual_score, extra_credit, needs_manual_grade
FROM grade JOIN base_cell ON base_cell.id = grade.cell_id ORDER BY 1
"""
COMMENTS = """
SELECT base_cell.name, auto_comment, manual_comment
FROM comment JOIN base_cell ON base_cell.id = comment.cell_id ORDER BY 1
"""
CELLS = (
    "SELECT name, duedate, course_id FROM assignment",
    "SELECT name, kernelspec FROM notebook",
    "SELECT name, cell_type, locked, source, checksum FROM source_cell ORDER BY name",
    """SELECT name, type, g.max_score, g.cell_type, t.max_score, t.cell_type FROM base_cell
       LEFT JOIN grade_cells g USING (id) LEFT JOIN task_cells t USING (id) ORDER BY 1, 2""",
)


@pytest.fixture
def record(course, hand_in, result):
    """Hands in and records a result."""

    def run(answers=None, without=(), status="graded", **outcomes):
        hand_in(course, "ada", {"sigmoid": RIGHT} if answers is None else answers, without)
        assignment = course.assignment("a90_toy")
        with Book(course) as book:
            book.ensure(assignment)
            refused = status == "refused"
            submission = None if refused else read_submission(course, assignment, "ada")
            book.record(result(status=status, **outcomes), submission)

    return run


def test_an_unknown_assignment_is_registered_as_its_release_would(course, toy_course, query):
    with Book(course) as book:
        book.ensure(course.assignment("a90_toy"))
    ours = [query(statement) for statement in CELLS]
    (course.root / "gradebook.db").unlink()
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [sys.executable, "-m", "nbgrader", "generate_assignment", "a90_toy"],
        cwd=course.root, env={**os.environ, "PATH": path}, check=True, capture_output=True,
    )  # fmt: skip
    assert ours == [query(statement) for statement in CELLS]
    assert len(ours[2]) == 6


def test_a_gradebook_is_made_where_there_is_none(toy_course, monkeypatch):
    # nbgrader makes a database with a program that it looks for on PATH.
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with Book(toy_course) as book:
        book.ensure(toy_course.assignment("a90_toy"))
    assert (toy_course.root / "gradebook.db").is_file()
    assert os.environ["PATH"] == "/usr/bin:/bin"


def test_registering_again_changes_nothing(course):
    with Book(course) as book:
        book.ensure(course.assignment("a90_toy"))
        before = (course.root / "gradebook.db").read_bytes()
        book.ensure(course.assignment("a90_toy"))
    assert (course.root / "gradebook.db").read_bytes() == before


def test_cells_that_differ_from_the_source_must_be_released_again(course, query):
    with Book(course) as book:
        book.ensure(course.assignment("a90_toy"))
    query("UPDATE grade_cells SET max_score = 7 WHERE max_score = 6")
    with (
        Book(course) as book,
        pytest.raises(UsageError, match="test_sigmoid. Release it, .* lgm release a90_toy"),
    ):
        book.ensure(course.assignment("a90_toy"))


def test_points_are_the_judges(record, query):
    record(test_sigmoid_is_the_logistic_function="failed")
    assert query(GRADES) == [
        ("manual_reflection", 0.0, None, None, 0),  # the answer is still empty
        ("test_entropy", 4.0, None, None, 0),
        ("test_sigmoid", 3.0, None, None, 0),
    ]


def test_what_is_undecided_has_no_score_and_waits_for_a_tutor(record, query):
    record()
    record(status="undecided", test_sigmoid_of_zero="undecided")
    assert ("test_sigmoid", None, None, None, 1) in query(GRADES)
    assert ("test_entropy", 4.0, None, None, 0) in query(GRADES)


def test_a_refused_submission_keeps_no_score_of_an_earlier_one(record, query):
    record({"sigmoid": RIGHT, "manual_reflection": "At zero."})
    record(status="refused")
    assert query(GRADES) == [
        (name, None, None, None, 1)
        for name in ("manual_reflection", "test_entropy", "test_sigmoid")
    ]
    assert {row[1] for row in query(COMMENTS)} == {None}


def test_a_written_answer_waits_for_a_tutor_and_an_empty_one_does_not(record, query):
    record()
    assert ("manual_reflection", 0.0, None, None, 0) in query(GRADES)
    assert query(COMMENTS) == [
        ("entropy", "No response.", None),
        ("manual_reflection", "No response.", None),
        ("sigmoid", None, None),
    ]
    record({"sigmoid": RIGHT, "manual_reflection": "At zero."})
    assert ("manual_reflection", None, None, None, 1) in query(GRADES)
    assert ("manual_reflection", None, None) in query(COMMENTS)


def test_a_deleted_answer_counts_as_an_empty_one(record, query):
    record(without=("sigmoid", "manual_reflection"))
    assert ("sigmoid", "No response.", None) in query(COMMENTS)
    assert ("manual_reflection", 0.0, None, None, 0) in query(GRADES)


def test_what_people_enter_survives_regrading(record, query):
    record()
    query("UPDATE grade SET manual_score = 5.5, extra_credit = 1, needs_manual_grade = 0")
    query("UPDATE comment SET manual_comment = 'Well done.'")
    query("UPDATE submitted_notebook SET flagged = 1, late_submission_penalty = 2")
    query("UPDATE submitted_assignment SET extension = '1970-01-02 00:00:00.000000'")
    record(test_entropy_of_a_fair_coin="failed")
    assert query(GRADES) == [
        # The tutor is told that the automatic score may have changed.
        ("manual_reflection", 0.0, 5.5, 1.0, 1),
        ("test_entropy", 3.0, 5.5, 1.0, 1),
        ("test_sigmoid", 6.0, 5.5, 1.0, 1),
    ]
    assert {row[2] for row in query(COMMENTS)} == {"Well done."}
    assert query("SELECT flagged, late_submission_penalty FROM submitted_notebook") == [(1, None)]
    assert query("SELECT extension FROM submitted_assignment") == [("1970-01-02 00:00:00.000000",)]


def test_a_task_cell_is_for_tutors_alone(course, hand_in, result, query):
    path = course.source_folder("a90_toy") / "a90_toy.ipynb"
    notebook = json.loads(path.read_text())
    keys = notebook["cells"][-1]["metadata"]["nbgrader"]
    keys.update(grade=False, solution=False, task=True, locked=True)
    path.write_text(json.dumps(notebook))
    hand_in(course, "ada")
    assignment = course.assignment("a90_toy")
    with Book(course) as book:
        book.ensure(assignment)
        book.record(result(), read_submission(course, assignment, "ada"))
        assert ("manual_reflection", None, None, None, 1) in query(GRADES)
        query("UPDATE grade SET manual_score = 2, needs_manual_grade = 0")
        book.record(result(), read_submission(course, assignment, "ada"))
    assert ("manual_reflection", None, 2.0, None, 0) in query(GRADES)


def test_the_time_of_submission_comes_from_its_folder(course, record, query, caplog):
    statement = "SELECT timestamp FROM submitted_assignment"
    record()
    assert query(statement) == [(None,)]
    place = course.submitted_folder("ada", "a90_toy") / "timestamp.txt"
    place.write_text("2026-11-25 10:00:00 CET\n")
    record()
    assert query(statement) == [("2026-11-25 09:00:00.000000",)]
    place.write_text("the other day\n")
    record()
    assert query(statement) == [("2026-11-25 09:00:00.000000",)]
    assert "timestamp.txt gives no time of submission" in caplog.text
    place.unlink()
    place.symlink_to(course.root / "gradebook.db")
    record()
    assert "no ordinary file" in caplog.text


def test_a_result_is_written_whole_or_not_at_all(course, record, query, monkeypatch):
    record()
    before = query(GRADES)

    def broken(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("autograder.gradebook.rows._untouched", broken)
    with pytest.raises(KeyboardInterrupt):
        record(test_sigmoid_of_zero="failed")
    assert query(GRADES) == before
    query("DELETE FROM grade")
    query("DELETE FROM comment")
    query("DELETE FROM submitted_notebook")
    query("DELETE FROM submitted_assignment")
    query("DELETE FROM student")
    with pytest.raises(KeyboardInterrupt):
        record()
    assert query("SELECT * FROM student") == query("SELECT * FROM grade") == []


def test_another_writer_is_waited_for(course, record, query):
    record()
    other = sqlite3.connect(
        course.root / "gradebook.db", isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE grade SET manual_score = 1")

    def let_go():
        time.sleep(0.5)
        other.execute("COMMIT")

    thread = threading.Thread(target=let_go)
    start = time.monotonic()
    thread.start()
    record(test_sigmoid_of_zero="failed")
    thread.join()
    other.close()
    assert time.monotonic() - start > 0.4
    # The mark that was entered meanwhile is seen.
    assert ("test_sigmoid", 4.0, 1.0, None, 1) in query(GRADES)


def test_a_writer_that_never_ends_is_one_sentence(course, record, monkeypatch):
    record()
    monkeypatch.setattr("autograder.gradebook.book._LOCK_SECONDS", 0.1)
    other = sqlite3.connect(course.root / "gradebook.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(GraderError, match="Another program has kept the gradebook .* locked"):
        record()
    other.close()


def test_a_damaged_gradebook_is_one_sentence(toy_course):
    (toy_course.root / "gradebook.db").write_bytes(b"no database at all" * 100)
    with Book(toy_course) as book:
        with pytest.raises(GraderError, match="cannot be used"):
            book.ensure(toy_course.assignment("a90_toy"))
        with pytest.raises(GraderError, match="cannot be used"):
            book.marks("a90_toy")


def test_marks_hold_what_counts_and_what_the_tutor_wrote(course, record, query):
    record({"sigmoid": RIGHT, "manual_reflection": "At zero."}, test_sigmoid_of_zero="failed")
    query("""UPDATE comment SET manual_comment = 'Neat.'
             WHERE cell_id IN (SELECT id FROM base_cell WHERE name = 'sigmoid')""")
    query("""UPDATE grade SET manual_score = 3, extra_credit = 0.5, needs_manual_grade = 0
             WHERE cell_id IN (SELECT id FROM base_cell WHERE name = 'manual_reflection')""")
    with Book(course) as book:
        marks = book.marks("a90_toy")
        assert book.marks("another") == {}
    assert list(marks) == ["ada"]
    assert list(marks["ada"]) == ["manual_reflection", "test_entropy", "test_sigmoid"]
    sigmoid, reflection = marks["ada"]["test_sigmoid"], marks["ada"]["manual_reflection"]
    assert (sigmoid.auto, sigmoid.manual, sigmoid.max, sigmoid.points) == (4, None, 6, 4)
    assert (sigmoid.comment, sigmoid.needs_manual) == ("Neat.", False)
    assert (reflection.manual, reflection.points, reflection.comment) == (3, 3.5, None)


def test_marks_make_no_gradebook(toy_course):
    with Book(toy_course) as book:
        assert book.marks("a90_toy") == {}
    assert not (toy_course.root / "gradebook.db").exists()


def test_marks_need_no_nbgrader(course, record):
    record()
    code = (
        "import sys; from autograder.course import find_course; from autograder.gradebook import "
        "Book; print(len(Book(find_course()).marks('a90_toy')), 'nbgrader' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=course.root, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "False"]
