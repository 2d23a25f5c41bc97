"""The plug-ins, in nbgrader's own converter; nothing is run, so no sandbox is needed."""

import copy
import json
import logging
import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory

from autograder.course import CONFIG_FILE, find_course, load_config
from autograder.intake import read_submission
from autograder.term import release

NAME = "a90_toy"
TOY_COURSE = Path(__file__).parents[1] / "toy_course"


@pytest.fixture(scope="module")
def released_course(tmp_path_factory, empty_gradebook):
    """The toy course, released and registered in a gradebook, which takes a second."""
    root = tmp_path_factory.mktemp("released") / "course"
    shutil.copytree(TOY_COURSE, root, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(empty_gradebook, root / "gradebook.db")
    release(find_course(root), NAME)
    return root


@pytest.fixture
def checked(released_course, tmp_path):
    shutil.copytree(released_course, tmp_path / "course")
    return find_course(tmp_path / "course")


@pytest.fixture
def plain(checked):
    """The same course, which has no hidden checks."""
    shutil.rmtree(checked.root / "tests")
    return checked


@pytest.fixture
def notebook(released_course):
    """The release."""
    return json.loads((released_course / "release" / NAME / f"{NAME}.ipynb").read_text())


def cell(notebook, name):
    return next(
        one for one in notebook["cells"]
        if one["metadata"].get("nbgrader", {}).get("grade_id") == name
    )  # fmt: skip


def hand_in(course, notebook, student="ada"):
    folder = course.submitted_folder(student, NAME)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.ipynb").write_text(json.dumps(notebook))
    return folder


def sanitize(course):
    """Runs `nbgrader autograde` but for running the cells; returns what it logs."""
    config = copy.deepcopy(load_config(course.root / CONFIG_FILE))
    config.CourseDirectory.root = str(course.root)
    config.CourseDirectory.db_url = course.settings.db_url
    config.CourseDirectory.assignment_id = NAME
    config.Autograde.autograde_preprocessors = []
    lines = []
    log = logging.Logger("test")
    log.addHandler(logging.Handler())
    log.handlers[0].emit = lambda record: lines.append(record.getMessage())
    try:
        Autograde(
            coursedir=CourseDirectory(config=config, log=log), config=config, log=log
        ).start()
    except NbGraderException as failed:
        lines.append(f"FAILED {failed}")
    return lines


def graded(course, student="ada"):
    return nbformat.read(course.autograded_folder(student, NAME) / f"{NAME}.ipynb", as_version=4)


def skip_tests(notebook):
    for one in notebook["cells"]:
        one["metadata"]["tags"] = ["skip-execution"]


def delete_exercise(notebook):
    for name in ("sigmoid", "test_sigmoid"):
        notebook["cells"].remove(cell(notebook, name))


def paste_twice(notebook):
    notebook["cells"].append(copy.deepcopy(cell(notebook, "test_sigmoid")))
    notebook["cells"][-1]["id"] = "pasted"


def flip_flags(notebook):
    cell(notebook, "test_sigmoid")["metadata"]["nbgrader"] |= {"solution": True, "locked": False}


def unknown_key(notebook):
    cell(notebook, "sigmoid")["metadata"]["nbgrader"]["cheat"] = True


def change_type(notebook):
    given = cell(notebook, "test_sigmoid")
    given["cell_type"] = "markdown"
    del given["outputs"], given["execution_count"]


def empty_settings(notebook):
    cell(notebook, "sigmoid")["metadata"]["nbgrader"] = {}


def too_new(notebook):
    cell(notebook, "sigmoid")["metadata"]["nbgrader"]["schema_version"] = 99


def old_format(notebook):
    notebook["nbformat_minor"] = 4
    for one in notebook["cells"]:
        del one["id"]


TRAPS = [skip_tests, delete_exercise, paste_twice, flip_flags, unknown_key, change_type,
         empty_settings, too_new, old_format]  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_a_checked_assignment_gets_what_lgm_grade_would_judge(checked, notebook, trap):
    trap(notebook)
    hand_in(checked, notebook)
    lines = sanitize(checked)
    assert not any(line.startswith("FAILED") for line in lines)
    submission = read_submission(checked, checked.assignment(NAME), "ada")
    assert graded(checked) == nbformat.from_dict(submission.notebook)
    for repair in submission.repairs:
        assert f"ada: {repair}" in lines


def test_the_clean_cells_are_those_of_the_gradebook(checked, notebook):
    from nbgrader.api import Gradebook

    hand_in(checked, notebook)
    sanitize(checked)
    clean = {
        one.metadata.nbgrader.grade_id: one
        for one in graded(checked).cells
        if "nbgrader" in one.metadata
    }
    with Gradebook(checked.settings.db_url) as gradebook:
        stored = gradebook.find_notebook(NAME, NAME).source_cells
        assert {one.name for one in stored} == set(clean)
        for one in stored:
            assert clean[one.name].metadata.nbgrader.checksum == one.checksum
            assert (clean[one.name].source, clean[one.name].cell_type) == (
                one.source,
                one.cell_type,
            )


def test_on_a_plain_assignment_settings_of_another_version_do_not_end_the_batch(plain, notebook):
    hand_in(plain, notebook, "bob")
    too_new(notebook)
    hand_in(plain, notebook, "ada")
    assert any(line.startswith("FAILED") for line in sanitize(plain))
    assert not plain.autograded_folder("ada", NAME).exists()
    assert graded(plain, "bob")


def test_on_a_plain_assignment_empty_settings_make_an_ordinary_cell(plain, notebook):
    empty_settings(notebook)
    hand_in(plain, notebook)
    assert not any(line.startswith("FAILED") for line in sanitize(plain))
    assert "nbgrader" not in graded(plain).cells[3].metadata


def test_on_a_refused_submission_the_batch_goes_on(checked, notebook):
    hand_in(checked, notebook, "bob")
    notebook["cells"] = []
    hand_in(checked, notebook, "ada")
    lines = sanitize(checked)
    assert any("None of the notebook's 0 cells belongs" in line for line in lines)
    assert not checked.autograded_folder("ada", NAME).exists()
    assert graded(checked, "bob")


def test_on_a_plain_assignment_a_copy_is_an_ordinary_cell(plain, notebook):
    paste_twice(notebook)
    hand_in(plain, notebook)
    assert not any(line.startswith("FAILED") for line in sanitize(plain))
    first, second = (one for one in graded(plain).cells if one.source.startswith("half ="))
    assert "nbgrader" not in first.metadata
    assert second.metadata.nbgrader.grade_id == "test_sigmoid"


def test_on_a_plain_assignment_the_students_tags_go_and_the_courses_stay(plain, notebook):
    source = plain.source_folder(NAME) / f"{NAME}.ipynb"
    content = json.loads(source.read_text())
    cell(content, "test_entropy")["metadata"]["tags"] = ["raises-exception"]
    source.write_text(json.dumps(content))
    skip_tests(notebook)
    hand_in(plain, notebook)
    sanitize(plain)
    tags = {one.id: one.metadata.tags for one in graded(plain).cells if "tags" in one.metadata}
    assert tags == {"test_entropy": ["raises-exception"]}


def test_on_a_plain_assignment_html_and_attachments_are_cleaned(plain, notebook):
    answer = cell(notebook, "manual_reflection")
    answer["source"] = "At zero. <img src=x onerror=alert(1)>"
    answer["attachments"] = {"a.svg": {"image/svg+xml": "<svg onload=alert(1)>"}}
    raw = {"cell_type": "raw", "id": "raw", "metadata": {}, "source": "<script>x</script>"}
    notebook["cells"].append(raw)
    hand_in(plain, notebook)
    sanitize(plain)
    text = (plain.autograded_folder("ada", NAME) / f"{NAME}.ipynb").read_text()
    assert "At zero." in text
    for word in ("<img", "<svg", "<script"):
        assert word not in text


def test_on_a_plain_assignment_an_untouched_answer_stays_to_the_letter(plain, notebook):
    # The course's own text may hold what would be cleaned from a student's.
    from nbgrader.api import Gradebook

    text = "Write here.<iframe src='https://example.org'></iframe>"
    with Gradebook(plain.settings.db_url) as gradebook:
        gradebook.find_source_cell("manual_reflection", NAME, NAME).source = text
        gradebook.db.commit()
    cell(notebook, "manual_reflection")["source"] = text
    hand_in(plain, notebook)
    sanitize(plain)
    assert graded(plain).cells[-1].source == text


def test_on_a_plain_assignment_outputs_go_and_the_rest_is_as_nbgrader_leaves_it(plain, notebook):
    cell(notebook, "test_sigmoid")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "passed"}
    ]
    cell(notebook, "test_sigmoid")["source"] = "pass"
    hand_in(plain, notebook)
    sanitize(plain)
    ours = graded(plain)
    config = plain.root / CONFIG_FILE
    stock = ["ClearOutput", "DeduplicateIds", "OverwriteKernelspec", "OverwriteCells"]
    classes = [f"nbgrader.preprocessors.{name}" for name in stock]
    config.write_text(
        f"{config.read_text()}\nc.Autograde.sanitize_preprocessors = {classes}\n"
        "c.Autograde.force = True\n"
    )
    sanitize(plain)
    assert ours == graded(plain)
    assert "half =" in cell(ours, "test_sigmoid").source


def lies(path):
    return path.exists() or path.is_symlink()


@pytest.mark.parametrize("kind", ["checked", "plain"])
def test_links_among_the_files_are_not_copied_and_not_lost(request, notebook, kind):
    course = request.getfixturevalue(kind)
    folder = hand_in(course, notebook)
    (folder / "deep").mkdir()
    (folder / "data.csv").symlink_to("../../../gradebook.db")
    (folder / "deep" / "all").symlink_to(course.root / "source")
    os.link(course.root / CONFIG_FILE, folder / "second.py")
    (folder / "mine.csv").write_text("1")
    sanitize(course)
    result = course.autograded_folder("ada", NAME)
    names = {path.name for path in result.rglob("*") if path.is_file()}
    assert names == {f"{NAME}.ipynb", "logits.csv", "mine.csv"}
    aside = course.private / "set_aside" / "ada" / NAME
    assert all(lies(aside / name) for name in ("data.csv", "deep/all", "second.py"))
    assert not lies(folder / "data.csv")


def test_a_notebook_that_is_a_link_is_not_graded(checked, notebook):
    hand_in(checked, notebook, "bob")
    path = hand_in(checked, notebook) / f"{NAME}.ipynb"
    path.unlink()
    path.symlink_to(checked.source_folder(NAME) / f"{NAME}.ipynb")
    sanitize(checked)
    assert not checked.autograded_folder("ada", NAME).exists()
    assert graded(checked, "bob")


def test_a_folder_that_is_a_link_is_set_aside(checked, notebook):
    hand_in(checked, notebook, "bob")
    folder = checked.submitted_folder("ada", NAME)
    folder.parent.mkdir()
    folder.symlink_to(checked.source_folder(NAME))
    sanitize(checked)
    assert not checked.autograded_folder("ada", NAME).exists()
    assert (checked.private / "set_aside" / "ada" / NAME).is_symlink()
    assert graded(checked, "bob")


def test_files_that_lgm_grade_would_not_take_are_not_left(checked, notebook):
    folder = hand_in(checked, notebook)
    (folder / "evil.html").write_text("<script>")
    (folder / "results.json").write_text("{}")
    (folder / "logits.csv").write_text("mine")
    (folder / "timestamp.txt").write_text("2026-11-25 02:00:00 UTC")
    sanitize(checked)
    result = checked.autograded_folder("ada", NAME)
    names = {path.name for path in result.iterdir()}
    assert names == {f"{NAME}.ipynb", "logits.csv", "timestamp.txt"}
    source = checked.source_folder(NAME) / "logits.csv"
    assert (result / "logits.csv").read_text() == source.read_text()


def test_a_time_that_cannot_be_read_is_set_aside(checked, notebook):
    folder = hand_in(checked, notebook)
    (folder / "timestamp.txt").write_text("yesterday, I think")
    lines = sanitize(checked)
    assert not any(line.startswith("FAILED") for line in lines)
    assert (checked.private / "set_aside" / "ada" / NAME / "timestamp.txt").is_file()
