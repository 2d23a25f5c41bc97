"""`nbgrader generate_feedback`, through nbgrader's converter, on a graded notebook."""

import copy
import json
import os
import shutil

import nbformat
import pytest
from nbgrader.apps import NbGrader
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder.course import configure
from autograder.gradebook import Book, verdict_html
from autograder.report.plugin import RedactFeedback, without_paths
from autograder.results import CheckResult, ExerciseResult, SubmissionResult

NAME = "a90_toy"
SIGMOID = ExerciseResult(
    "sigmoid",
    6,
    (
        CheckResult("test_sigmoid_of_zero", "passed", 2, 2),
        CheckResult("test_other", "failed", 0, 4, "seen   <b>a vector</b>\ndue    a matrix"),
    ),
)
HIDDEN = "assert sigmoid(np.array([3.25])) == 0.9626"


def display(source: str) -> dict:
    return {"output_type": "display_data", "metadata": {}, "data": {"text/html": source}}


def error(*frames: str, last: str, name: str = "AssertionError") -> dict:
    return {
        "output_type": "error",
        "ename": name,
        "evalue": last,
        "traceback": ["-" * 75, *frames, f"{name}: {last}"],
    }


@pytest.fixture
def notebook(toy_course):
    """The source notebook as autograding leaves it, still without outputs."""
    path = toy_course.source_folder(NAME) / f"{NAME}.ipynb"
    return nbformat.read(path, as_version=4)


def cell_of(notebook, identity):
    (cell,) = (cell for cell in notebook.cells if cell.id == identity)
    return cell


def redact(notebook):
    return RedactFeedback().preprocess(copy.deepcopy(notebook), {})[0]


def page(course, notebook, monkeypatch) -> str:
    """What `nbgrader generate_feedback` writes for this graded notebook."""
    result = SubmissionResult("ada", NAME, "graded", 10, "full", 1.0, (SIGMOID,))
    with Book(course) as book:
        book.ensure(course.assignment(NAME))
        book.record(result, None)
    folder = course.autograded_folder("ada", NAME)
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{NAME}.ipynb")
    config = Config()
    configure(config)
    config.CourseDirectory.root = str(course.root)
    config.CourseDirectory.db_url = course.settings.db_url
    config.CourseDirectory.assignment_id = NAME
    monkeypatch.chdir(course.root)
    application = NbGrader(config=config)
    directory = CourseDirectory(config=config, parent=application)
    GenerateFeedback(coursedir=directory, parent=application).start()
    return (course.root / "feedback" / "ada" / NAME / f"{NAME}.html").read_text(encoding="utf-8")


@pytest.fixture
def course(toy_course, empty_gradebook):
    shutil.copy(empty_gradebook, toy_course.root / "gradebook.db")
    return toy_course


def test_the_feedback_page_keeps_the_verdict_and_drops_what_acts(course, notebook, monkeypatch):
    cell_of(notebook, "test_sigmoid").outputs = [
        nbformat.from_dict(display(verdict_html(SIGMOID)))
    ]
    cell_of(notebook, "sigmoid").outputs = [
        nbformat.from_dict(display("<b>mine</b><img src=x onerror=alert(101)>")),
        nbformat.from_dict(display("<script>alert(102)</script>")),
    ]
    cell_of(
        notebook, "manual_reflection"
    ).source = "Since $x < y$: `<i>` <script>alert(103)</script> [a](javascript:alert(104))"
    source = page(course, notebook, monkeypatch)
    assert "sigmoid: 2 of 6 points" in source
    assert "&lt;b&gt;a vector&lt;/b&gt;" in source
    assert "<b>mine</b>" in source
    assert "onerror" not in source
    assert "alert(102)" not in source
    assert "<script>alert(103)" not in source
    assert "javascript:alert" not in source
    assert "$x &lt; y$" in source
    assert "<code>&lt;i&gt;</code>" in source


def test_a_traceback_is_cut_to_the_cells_of_the_notebook(notebook):
    cell = cell_of(notebook, "sigmoid")
    cell.source = "def sigmoid(logit):\n    return np.exp(logit, axis=0)"
    cell.outputs = [
        nbformat.from_dict(
            error(
                "TypeError                Traceback (most recent call last)",
                "Cell In[2], line 2\n      1 def sigmoid(logit):\n"
                "----> 2     return np.exp(logit, axis=0)",
                "File ~/secret/.venv/lib/python3.12/site-packages/numpy/core.py:7, in exp(x)\n"
                "      6 def exp(x):\n----> 7     return inner(x)",
                last="bad in /home/tutor/course/numpy/core.py",
                name="TypeError",
            )
        )
    ]
    (output,) = cell_of(redact(notebook), "sigmoid").outputs
    text = "\n".join(output.traceback)
    assert "----> 2     return np.exp(logit, axis=0)" in text
    assert "inner(x)" not in text
    assert "secret" not in text
    assert "tutor" not in text + output.evalue
    assert "calls outside the notebook are left out" in text
    assert output.traceback[-1] == "TypeError: bad in …/core.py"


def test_a_traceback_shows_no_line_of_a_hidden_test(notebook):
    cell = cell_of(notebook, "test_sigmoid")
    cell.source = "assert sigmoid(0.0) == 0.5"  # what ClearHiddenTests leaves
    cell.outputs = [
        nbformat.from_dict(
            error(
                "AssertionError           Traceback (most recent call last)",
                f"Cell In[3], line 2\n      1 assert sigmoid(0.0) == 0.5\n----> 2 {HIDDEN}",
                last="expected 0.9626",
            )
        )
    ]
    redacted = json.dumps(cell_of(redact(notebook), "test_sigmoid"))
    assert "0.9626" not in redacted
    assert "3.25" not in redacted
    assert "assert sigmoid(0.0) == 0.5" in redacted
    assert "a hidden test failed" in redacted


def test_a_visible_failure_keeps_its_message(notebook):
    cell = cell_of(notebook, "test_sigmoid")
    cell.source = "assert sigmoid(0.0) == 0.5, 'one half'"
    cell.outputs = [
        nbformat.from_dict(error(f"Cell In[3], line 1\n----> 1 {cell.source}", last="one half"))
    ]
    (output,) = cell_of(redact(notebook), "test_sigmoid").outputs
    assert output.evalue == "one half"
    assert output.traceback[-1] == "AssertionError: one half"


def test_streams_and_texts_name_no_folder_of_this_machine(notebook):
    cell = cell_of(notebook, "sigmoid")
    warning = "/home/tutor/course/x.py:3: UserWarning: see https://example.org/a/b\n"
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stderr", text=warning),
        nbformat.v4.new_output("execute_result", {"text/plain": "PosixPath('/home/tutor/a.csv')"}),
    ]
    stream, value = cell_of(redact(notebook), "sigmoid").outputs
    assert stream.text == "…/x.py:3: UserWarning: see https://example.org/a/b\n"
    assert value.data["text/plain"] == "PosixPath('…/a.csv')"


@pytest.mark.parametrize("text", ["1/2 and/or 3 / 4", "https://a.example/b/c", "a // b", "x/y/z"])
def test_what_is_no_path_stays(text):
    assert without_paths(text) == text


def test_pictures_of_an_answer_are_raster_pictures(notebook):
    cell = cell_of(notebook, "manual_reflection")
    cell.attachments = {"a.png": {"image/png": "iVBORw0KGgo="}, "b.svg": {"image/svg+xml": "PHN2"}}
    cell.source = "![a](attachment:a.png) ![b](attachment:b.svg)"
    redacted = cell_of(redact(notebook), "manual_reflection")
    assert list(redacted.attachments) == ["a.png"]
    assert "attachment:a.png" in redacted.source
    assert "attachment:b.svg" not in redacted.source


def test_tags_widgets_and_comments_bring_nothing_in(notebook):
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    cell = cell_of(notebook, "sigmoid")
    cell.metadata["tags"] = ['"><script>']
    cell.metadata.nbgrader["comment"] = "Good, $x < y$. <script>alert(1)</script>"
    redacted = redact(notebook)
    assert "widgets" not in redacted.metadata
    assert "tags" not in cell_of(redacted, "sigmoid").metadata
    comment = cell_of(redacted, "sigmoid").metadata.nbgrader["comment"]
    assert comment == "Good, $x < y$. &lt;script>alert(1)&lt;/script>"


def test_results_are_not_copied_to_students(course, notebook, monkeypatch):
    folder = course.autograded_folder("ada", NAME)
    folder.mkdir(parents=True)
    (folder / "results.json").write_text("{}")
    (folder / "plot.csv").write_text("1\n")
    page(course, notebook, monkeypatch)
    copied = [name for _, _, files in os.walk(course.root / "feedback") for name in files]
    assert sorted(copied) == [f"{NAME}.html", "plot.csv"]
