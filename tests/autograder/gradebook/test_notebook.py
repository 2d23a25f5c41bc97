"""The autograded notebook."""

import copy

import nbformat
import pytest

from autograder.course import checks_of
from autograder.gradebook import autograded_notebook
from autograder.intake import read_submission


@pytest.fixture
def submission(course, hand_in):
    hand_in(course, "ada")
    return read_submission(course, course.assignment("a90_toy"), "ada")


def cell_of(notebook, identity):
    (cell,) = (cell for cell in notebook["cells"] if cell["id"] == identity)
    return cell


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def test_cells_show_what_running_them_showed(submission, result):
    outputs = {"given-imports": [stream("read 3 numbers\n")], "entropy": []}
    notebook = autograded_notebook(submission, result(), outputs)
    assert cell_of(notebook, "given-imports")["outputs"] == outputs["given-imports"]
    assert cell_of(notebook, "sigmoid")["outputs"] == []
    counts = {c["id"]: c["execution_count"] for c in notebook["cells"] if "outputs" in c}
    assert {name for name, count in counts.items() if count is None} == {
        "sigmoid", "test_sigmoid", "test_entropy", "slow-figure"
    }  # fmt: skip
    assert (counts["given-imports"], counts["entropy"]) == (1, 2)
    nbformat.validate(nbformat.from_dict(notebook))


def test_test_cells_show_the_judges_verdict_and_nothing_of_the_students(
    course, submission, result
):
    forged = {"test_sigmoid": [stream("6 of 6 points\n")]}
    checks = checks_of(course, course.assignment("a90_toy"))
    outcome = result(test_sigmoid_of_zero="failed")
    notebook = autograded_notebook(submission, outcome, forged, checks)
    (output,) = cell_of(notebook, "test_sigmoid")["outputs"]
    assert output["output_type"] == "display_data"
    assert "sigmoid: 4 of 6 points" in output["data"]["text/plain"]
    assert "`sigmoid(0)` is one half." in output["data"]["text/plain"]
    assert "<code>sigmoid(0)</code> is one half." in output["data"]["text/html"]
    assert "test_sigmoid_of_zero is failed" in output["data"]["text/html"]
    nbformat.validate(nbformat.from_dict(notebook))


def test_outputs_are_made_harmless(submission, result):
    html = {"text/html": "<b>1</b><script>alert(1)</script>", "text/plain": "1"}
    display = {"output_type": "display_data", "metadata": {}, "data": html}
    script = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"application/javascript": "alert(1)", "image/svg+xml": "<svg onload='x'/>"},
    }
    notebook = autograded_notebook(submission, result(), {"given-imports": [display, script]})
    text = str(cell_of(notebook, "given-imports")["outputs"])
    assert "<b>1</b>" in text
    assert "alert" not in text
    assert "onload" not in text


def test_the_submission_stays_as_it_is(submission, result):
    before = copy.deepcopy(submission.notebook)
    autograded_notebook(submission, result(), {"given-imports": [stream("x")]})
    assert submission.notebook == before
