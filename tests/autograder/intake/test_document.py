"""The clean notebook: valid, inert, and what nbgrader expects of it."""

import base64
import json

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.utils import compute_checksum

from autograder.intake import read_submission
from autograder.intake._document import document
from autograder.intake._notebook import HandedIn
from autograder.intake._restore import Placed
from tests.pictures import picture

PNG = picture()


def cell(notebook, name):
    return next(one for one in notebook["cells"] if one.get("id") == name)


def test_the_notebook_holds_the_same_cells_and_is_valid(released, read):
    submission = read(released)
    nbformat.validate(submission.notebook)
    MetadataValidator().validate_nb(nbformat.from_dict(submission.notebook))
    for one, clean in zip(submission.cells, submission.notebook["cells"], strict=True):
        assert (one.id, one.source) == (clean["id"], clean["source"])


def test_checksums_are_nbgraders(released, read):
    released["cells"] = [one for one in released["cells"] if one["id"] != "entropy"]
    for one in nbformat.from_dict(read(released).notebook).cells:
        if "nbgrader" in one.metadata:
            # An untouched answer is told by this checksum.
            assert one.metadata.nbgrader.checksum == compute_checksum(one), one.id


def test_an_answer_does_not_have_the_checksum_of_the_untouched_one(released, read):
    cell(released, "manual_reflection")["source"] = "At zero."
    notebook = nbformat.from_dict(read(released).notebook)
    answer = cell(notebook, "manual_reflection")
    assert answer.metadata.nbgrader.checksum != compute_checksum(answer)


def test_nothing_foreign_is_left(released, read):
    released["metadata"] = {
        "widgets": {"state": "x" * 1000},
        "kernelspec": {"name": "bash", "argv": ["sh"]},
        "jupytext": {},
    }
    released["signature"] = "forged"
    for one in released["cells"]:
        one["metadata"] |= {
            "execution": {"a": 1},
            "vscode": {},
            "collapsed": True,
            "x": float("nan"),
        }
        one["extra"] = 1
    submission = read(released)
    text = json.dumps(submission.notebook, allow_nan=False)
    for word in ("widgets", "bash", "jupytext", "forged", "vscode", "extra", 'execution"', "NaN"):
        assert word not in text
    assert submission.notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert submission.repairs == ()


SHOW = {"output_type": "stream", "name": "stdout", "text": "as trained"}
ALERT = {
    "output_type": "display_data",
    "metadata": {},
    "data": {"text/html": "<script>x</script>a"},
}


def test_outputs_are_kept_of_what_the_grader_never_runs_only(released, read):
    for one in released["cells"]:
        if one["cell_type"] == "code":
            one |= {"outputs": [SHOW], "execution_count": 7}
    submission = read(released)
    outputs = {
        one["id"]: one["outputs"]
        for one in submission.notebook["cells"]
        if one["cell_type"] == "code"
    }
    assert outputs.pop("slow-figure") == [SHOW]
    assert not any(outputs.values())


@pytest.mark.parametrize(
    "outputs",
    [
        [ALERT],
        [
            "text",
            None,
            3,
            {},
            {"output_type": "cake"},
            {"output_type": "stream", "text": {"a": 1}},
        ],
        [{**SHOW, "text": "\ud800"}],
        [{"output_type": "execute_result", "data": {"application/json": [[[]]]}}],
    ],
)
def test_kept_outputs_are_clean_and_valid(released, read, outputs):
    cell(released, "slow-figure")["outputs"] = outputs
    notebook = read(released).notebook
    nbformat.validate(notebook)
    text = json.dumps(notebook, ensure_ascii=False)
    text.encode("utf-8")
    assert "<script" not in text


def test_outputs_nested_without_end_are_dropped(toy_course):
    known = next(one for one in toy_course.assignment("a90_toy").cells if one.id == "slow-figure")
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    outputs = ({"output_type": "stream", "text": [deep]},)
    handed_in = HandedIn(1, "code", "x", None, None, {}, (), {}, outputs)
    (clean,) = document([Placed("a", known, handed_in, "code", "x", False)], [])["cells"]
    assert clean["outputs"] == []


def test_the_courses_own_text_is_left_to_the_letter(toy_course, released, read):
    text = "# Title\n\n<iframe src='https://example.org'></iframe>"
    path = toy_course.source_folder("a90_toy") / "a90_toy.ipynb"
    source = json.loads(path.read_text())
    cell(source, "title")["source"] = cell(released, "title")["source"] = text
    path.write_text(json.dumps(source))
    read(released)
    submission = read_submission(toy_course, toy_course.assignment("a90_toy"), "ada")
    assert submission.cells[0].source == text
    assert submission.repairs == ()


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_active_html_is_taken_out_and_said(released, read, kind):
    released["cells"].append(
        {"cell_type": kind, "id": "x", "metadata": {}, "source": "a <script>alert(1)</script> b"}
    )
    submission = read(released)
    assert "<script" not in submission.cells[-1].source
    (repair,) = submission.repairs
    assert repair.startswith("What a page must not show")
    assert repair.endswith("was taken out of cell 12.")


def test_ordinary_markdown_is_untouched(released, read):
    text = "Where $x < y$: `<script>` is **code**.\n\n- a & b\n"
    cell(released, "manual_reflection")["source"] = text
    submission = read(released)
    assert submission.cells[-1].source == text
    assert submission.repairs == ()


def test_code_is_never_cleaned(released, read):
    text = "html = '<script>alert(1)</script>'"
    released["cells"].append({"cell_type": "code", "id": "x", "metadata": {}, "source": text})
    assert read(released).cells[-1].source == text


def test_pictures_pasted_into_an_answer_are_kept(released, read):
    answer = cell(released, "manual_reflection")
    answer |= {"source": "![a](attachment:a.png)", "attachments": {"a.png": {"image/png": PNG}}}
    submission = read(released)
    assert submission.repairs == ()
    assert submission.notebook["cells"][-1]["attachments"] == {"a.png": {"image/png": PNG}}
    assert submission.cells[-1].source == "![a](attachment:a.png)"


@pytest.mark.parametrize(
    "attachments",
    [
        {"a.svg": {"image/svg+xml": "<svg onload='x'>"}},
        {"a.png": {"image/png": 'x" onerror="alert(1)'}},
        {"a.png": {"image/png": PNG * 200_000}},
        {"a.png": {"image/png": base64.b64encode(b"<svg onload='x'>").decode()}},
        {'"><script>': {"image/png": PNG}},
        {"a.png": "text"},
        {"a.png": {"image/png": ["a"]}},
        {"a.png": {}},
    ],
    ids=["svg", "no base64", "too large", "no picture", "a name", "no bundle", "no text", "empty"],
)
def test_other_attachments_are_removed_and_said(released, read, attachments):
    answer = cell(released, "manual_reflection")
    answer |= {"source": "see", "attachments": attachments}
    submission = read(released)
    assert "attachments" not in submission.notebook["cells"][-1]
    (repair,) = submission.repairs
    assert repair.startswith("Attachments were removed from manual_reflection")
