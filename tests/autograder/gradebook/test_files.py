"""The folder of a graded submission."""

import json
import stat

import pytest

from autograder.gradebook import files, write_autograded
from autograder.intake import read_submission
from autograder.results import load

NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}


@pytest.fixture
def place(course):
    return course.autograded_folder("ada", "a90_toy")


@pytest.fixture
def submission(course, hand_in):
    beside = hand_in(course, "ada").parent
    (beside / "logits.csv").write_text("changed\n")
    (beside / "more.csv").write_text("1,2\n")
    (beside / "results.json").write_text("{}\n")
    (beside / "timestamp.txt").write_text("2026-11-25 10:00:00 UTC\n")
    return read_submission(course, course.assignment("a90_toy"), "ada")


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_graded_folder_is_as_nbgrader_leaves_it(course, place, submission, result):
    assert write_autograded(course, submission, result(), NOTEBOOK) == place
    assert names(place) == [
        "a90_toy.ipynb", "logits.csv", "more.csv", "results.json", "timestamp.txt"
    ]  # fmt: skip
    source = course.source_folder("a90_toy") / "logits.csv"
    assert (place / "logits.csv").read_bytes() == source.read_bytes()
    assert (place / "timestamp.txt").read_text() == "2026-11-25 10:00:00 UTC\n"
    assert json.loads((place / "a90_toy.ipynb").read_text()) == NOTEBOOK
    assert load(place / "results.json") == result()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()}
    assert modes == {0o444}
    assert stat.S_IMODE(place.stat().st_mode) == 0o755


def test_a_refused_submission_leaves_its_result_alone(course, place, submission, result):
    write_autograded(course, submission, result(), NOTEBOOK)
    write_autograded(course, None, result(status="refused"), None)
    assert names(place) == ["results.json"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_new_folder_takes_the_place_of_the_old_one(
    course, place, submission, result, monkeypatch, can_exchange
):
    if not can_exchange:
        monkeypatch.setattr(files, "_exchange", lambda first, second: False)
    write_autograded(course, submission, result(), NOTEBOOK)
    (course.submitted_folder("ada", "a90_toy") / "more.csv").unlink()
    assignment = course.assignment("a90_toy")
    submission = read_submission(course, assignment, "ada")
    outcome = result(test_sigmoid_of_zero="failed")
    write_autograded(course, submission, outcome, NOTEBOOK)
    assert load(place / "results.json") == outcome
    assert "more.csv" not in names(place)
    assert names(place.parent) == ["a90_toy", *(f"a90_toy/{name}" for name in names(place))]


@pytest.mark.parametrize("step", ["save", "_put", "shutil.copyfile"])
def test_what_ends_in_the_middle_leaves_the_old_folder(
    course, place, submission, result, monkeypatch, step
):
    write_autograded(course, submission, result(), NOTEBOOK)
    before = {path.name: path.read_bytes() for path in place.iterdir()}

    def broken(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"autograder.gradebook.files.{step}", broken)
    with pytest.raises(KeyboardInterrupt):
        write_autograded(course, submission, result(test_sigmoid_of_zero="failed"), NOTEBOOK)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    assert [path.name for path in place.parent.iterdir()] == ["a90_toy"]


def test_what_a_killed_run_left_is_cleared_away(course, place, submission, result):
    leftover = place.parent / ".a90_toy.half"
    leftover.mkdir(parents=True)
    (leftover / "a90_toy.ipynb").write_text("{")
    write_autograded(course, submission, result(), NOTEBOOK)
    assert [path.name for path in place.parent.iterdir()] == ["a90_toy"]


def test_a_text_that_no_file_can_hold_loses_no_submission(course, place, submission, result):
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "\ud800"}
    write_autograded(course, submission, result(), {**NOTEBOOK, "cells": [cell]})
    assert json.loads((place / "a90_toy.ipynb").read_text())["cells"][0]["source"] == ["?"]
