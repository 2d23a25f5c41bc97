"""A release, built with nbgrader's converter in a course of its own."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from autograder.course import STUB, Course
from autograder.errors import DoesNotHold, GraderError, UsageError
from autograder.term import build, release, release_leaks


def nbgrader(course: Course, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course.root,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def edit(course: Course, identity: str, change) -> None:
    path = course.source_folder("a90_toy") / "a90_toy.ipynb"
    notebook = json.loads(path.read_text())
    (cell,) = (cell for cell in notebook["cells"] if cell["id"] == identity)
    change(cell)
    path.write_text(json.dumps(notebook))


def leak(cell):
    cell["source"] = ["from reference import toy\n", *cell["source"]]


@pytest.fixture
def course(toy_course, empty_gradebook):
    """The toy course with an empty gradebook, which takes a second to make."""
    shutil.copy(empty_gradebook, toy_course.root / "gradebook.db")
    return toy_course


def add_submission(course: Course) -> None:
    from nbgrader.api import Gradebook

    with Gradebook(course.settings.db_url) as gradebook:
        gradebook.add_student("ada")
        gradebook.add_submission("a90_toy", "ada")


def test_a_release_holds_the_notebook_and_its_data(course):
    folder = release(course, "a90_toy")
    assert folder == course.release_folder("a90_toy")
    assert sorted(content(folder)) == ["a90_toy.ipynb", "logits.csv"]
    assert release_leaks(course, "a90_toy") == []
    text = (folder / "a90_toy.ipynb").read_text()
    assert text.count(json.dumps(STUB)[1:-1]) == 3
    assert "reference" not in text
    assert "points for the place" not in text


def test_cells_are_released_as_the_course_says(course):
    folder = build(course, "a90_toy", course.root / "aside")
    cells = json.loads((folder / "a90_toy.ipynb").read_text())["cells"]
    known = course.assignment("a90_toy").cells
    assert [(c["id"], "".join(c["source"])) for c in cells] == [(c.id, c.released) for c in known]


def test_nbgrader_itself_releases_the_same_bytes(toy_course):
    ours = content(release(toy_course, "a90_toy"))
    shutil.rmtree(toy_course.release_folder("a90_toy"))
    done = nbgrader(toy_course, "generate_assignment", "a90_toy")
    assert done.returncode == 0, done.stderr
    assert content(toy_course.release_folder("a90_toy")) == ours


def test_releasing_twice_gives_the_same_bytes(course):
    assert content(release(course, "a90_toy")) == content(release(course, "a90_toy"))


def test_traces_of_the_machine_are_stripped(course):
    before = content(build(course, "a90_toy", course.root / "one"))

    def used(cell):
        cell["execution_count"] = 7
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "0.7\n"}]
        cell["metadata"] |= {"execution": {"iopub.status.busy": "2026"}, "scrolled": True}

    edit(course, "slow-figure", used)
    path = course.source_folder("a90_toy") / "a90_toy.ipynb"
    notebook = json.loads(path.read_text())
    notebook["metadata"]["language_info"]["version"] = "3.12.1"
    notebook["metadata"]["kernelspec"]["display_name"] = "My own kernel"
    notebook["metadata"]["widgets"] = {}
    path.write_text(json.dumps(notebook))
    assert content(build(course, "a90_toy", course.root / "two")) == before


def test_the_assignment_is_registered_in_the_gradebook(toy_course, monkeypatch):
    # nbgrader makes a database with a program that it looks for on PATH.
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    release(toy_course, "a90_toy")
    with closing(sqlite3.connect(toy_course.root / "gradebook.db")) as database, database:
        rows = dict(database.execute(
            "SELECT base_cell.name, max_score FROM grade_cells JOIN base_cell USING (id)"
        ))  # fmt: skip
    assert rows == {"test_sigmoid": 6, "test_entropy": 4, "manual_reflection": 5}


def test_building_aside_touches_neither_release_nor_gradebook(toy_course):
    before = sorted(path.name for path in toy_course.root.iterdir())
    build(toy_course, "a90_toy", toy_course.root / "aside")
    assert sorted(path.name for path in toy_course.root.iterdir()) == sorted([*before, "aside"])


def test_the_checksum_of_an_untouched_answer_is_the_released_one(course):
    folder = release(course, "a90_toy")
    cells = json.loads((folder / "a90_toy.ipynb").read_text())["cells"]
    released = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell["metadata"]["nbgrader"].get("checksum")
        for cell in cells
        if "nbgrader" in cell["metadata"]
    }
    with closing(sqlite3.connect(course.root / "gradebook.db")) as database, database:
        stored = dict(database.execute(
            "SELECT name, checksum FROM source_cell"
        ))  # fmt: skip
    assert stored == released


def test_a_leak_leaves_the_old_release_and_the_gradebook_alone(course):
    before = content(release(course, "a90_toy"))
    database = (course.root / "gradebook.db").read_bytes()
    edit(course, "given-imports", leak)
    edit(course, "title", lambda cell: cell.update(source="# BEGIN SOLUTON"))
    with pytest.raises(DoesNotHold, match="2 things") as caught:
        release(course, "a90_toy")
    assert "Cell given_imports imports what students do not have" in str(caught.value)
    assert "Cell title has a line that looks like a marker" in str(caught.value)
    assert content(course.release_folder("a90_toy")) == before
    assert (course.root / "gradebook.db").read_bytes() == database
    assert os.listdir(course.private) == []


def test_a_leak_fails_nbgrader_too(toy_course):
    edit(toy_course, "given-imports", leak)
    done = nbgrader(toy_course, "generate_assignment", "a90_toy")
    assert done.returncode == 1
    assert "Cell given_imports imports what students do not have" in done.stderr
    assert not toy_course.release_folder("a90_toy").exists()


def test_a_file_that_is_no_data_fails_both(course):
    (course.source_folder("a90_toy") / "marking.md").write_text("Be strict.\n")
    with pytest.raises(DoesNotHold, match="The file marking.md would be released"):
        release(course, "a90_toy")
    done = nbgrader(course, "generate_assignment", "a90_toy")
    assert done.returncode == 1
    assert "The file marking.md would be released" in done.stderr


def test_a_second_notebook_fails_both(course):
    source = course.source_folder("a90_toy")
    (source / "draft.ipynb").write_bytes((source / "a90_toy.ipynb").read_bytes())
    with pytest.raises(DoesNotHold, match="The notebook draft.ipynb would be released, too"):
        release(course, "a90_toy")
    done = nbgrader(course, "generate_assignment", "a90_toy")
    assert done.returncode == 1
    assert "The notebook draft.ipynb would be released, too" in done.stderr


def test_a_line_of_a_hidden_check_is_a_leak(course):
    line = "expect(student.sigmoid(LOGIT)).matches(toy.sigmoid(LOGIT))"
    edit(course, "title", lambda cell: cell.update(source=line))
    with pytest.raises(DoesNotHold, match="test_sigmoid_is_the_logistic_function in tests/hidden"):
        build(course, "a90_toy", course.root / "aside")


def test_a_line_of_the_reference_is_a_leak(course):
    line = "-(probability*log_sigmoid(logit) + (1.0-probability)*log_sigmoid(-logit))"
    edit(course, "title", lambda cell: cell.update(source=f"return {line}"))
    with pytest.raises(DoesNotHold, match="entropy in reference/toy.py"):
        build(course, "a90_toy", course.root / "aside")


def test_an_assignment_without_hidden_checks_is_only_warned_of(course):
    shutil.rmtree(course.hidden_folder("a90_toy"))
    edit(course, "given-imports", leak)
    done = nbgrader(course, "generate_assignment", "a90_toy")
    assert done.returncode == 0, done.stderr
    assert "Cell given_imports imports what students do not have" in done.stderr
    assert (course.release_folder("a90_toy") / "a90_toy.ipynb").is_file()


def test_what_leaks_from_a_release_on_disk_is_seen(course):
    notebook = release(course, "a90_toy") / "a90_toy.ipynb"
    notebook.write_text(notebook.read_text().replace("# Probabilities", "# import reference\\n#"))
    assert release_leaks(course, "a90_toy") != []


def test_an_edited_cell_is_released_again_with_submissions_present(course):
    release(course, "a90_toy")
    add_submission(course)
    edit(course, "test_entropy", lambda cell: cell.update(source="assert entropy(0.0) < 1"))
    folder = release(course, "a90_toy")
    assert "assert entropy(0.0) < 1" in (folder / "a90_toy.ipynb").read_text()


def test_a_removed_cell_is_refused_before_anything_is_touched(course):
    before = content(release(course, "a90_toy"))
    add_submission(course)
    database = (course.root / "gradebook.db").read_bytes()
    edit(course, "given-imports", lambda cell: cell["metadata"].pop("nbgrader"))
    with pytest.raises(DoesNotHold, match=r"has 1 submissions.*removed \(given_imports\)"):
        release(course, "a90_toy")
    assert content(course.release_folder("a90_toy")) == before
    assert (course.root / "gradebook.db").read_bytes() == database


def test_a_cell_that_changes_its_role_is_refused(course):
    release(course, "a90_toy")
    add_submission(course)

    def unlock(cell):
        cell["metadata"]["nbgrader"]["locked"] = False

    edit(course, "given-imports", unlock)
    with pytest.raises(DoesNotHold, match=r"removed \(given_imports\)"):
        release(course, "a90_toy")


def test_a_damaged_gradebook_is_one_sentence(toy_course):
    (toy_course.root / "gradebook.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(GraderError, match="gradebook.*cannot be read"):
        release(toy_course, "a90_toy")
    assert not toy_course.release_folder("a90_toy").exists()


def test_what_nbgrader_refuses_is_one_sentence(course):
    def wrong(cell):
        cell["metadata"]["nbgrader"]["surprise"] = 1

    edit(course, "sigmoid", wrong)
    with pytest.raises(DoesNotHold, match="nbgrader cannot build a90_toy: .*ValidationError"):
        release(course, "a90_toy")
    assert not course.release_folder("a90_toy").exists()


def test_an_assignment_that_is_not_there_is_a_wrong_usage(course):
    for function in (release, release_leaks):
        with pytest.raises(UsageError, match="no assignment 'a99'"):
            function(course, "a99")
    with pytest.raises(UsageError, match="a90_toy is not released. Run: lgm release a90_toy"):
        release_leaks(course, "a90_toy")
