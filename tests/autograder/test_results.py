"""Results are frozen, survive JSON, and are written whole or not at all."""

import json
import os

import pytest

from autograder.errors import GraderError
from autograder.results import (
    CheckResult,
    ExerciseResult,
    Mark,
    SubmissionResult,
    document,
    load,
    save,
    write_atomically,
)


def result(**changes):
    checks = (
        CheckResult("test_a", "passed", 4, 4),
        CheckResult("test_b", "failed", 0, 3.5, "seen   5\ndue    4"),
    )
    fields = {
        "student": "ada",
        "assignment": "a90_toy",
        "status": "graded",
        "max_score": 7.5,
        "sandbox": "full",
        "seconds": 0.91234,
        "exercises": (ExerciseResult("sigmoid", 7.5, checks),),
        "repairs": ("The cell test_sigmoid was put back.",),
    }
    return SubmissionResult(**(fields | changes))


def test_the_document_has_the_fixed_form():
    assert document("a90_toy", [result()]) == {
        "schema": 1,
        "assignment": "a90_toy",
        "submissions": [
            {
                "student": "ada",
                "status": "graded",
                "score": 4,
                "max_score": 7.5,
                "sandbox": "full",
                "seconds": 0.912,
                "cached": False,
                "repairs": ["The cell test_sigmoid was put back."],
                "exercises": [
                    {
                        "name": "sigmoid",
                        "points": 4,
                        "max_points": 7.5,
                        "checks": [
                            {
                                "id": "test_a",
                                "outcome": "passed",
                                "points": 4,
                                "max_points": 4,
                                "message": None,
                                "mistake": None,
                                "follow_through": False,
                            },
                            {
                                "id": "test_b",
                                "outcome": "failed",
                                "points": 0,
                                "max_points": 3.5,
                                "message": "seen   5\ndue    4",
                                "mistake": None,
                                "follow_through": False,
                            },
                        ],
                    }
                ],
            }
        ],
    }


def test_a_refused_submission_has_a_reason_and_no_score():
    refused = result(status="refused", exercises=(), reason="It is empty.", sandbox="none")
    entry = refused.to_json()
    assert entry["score"] is None
    assert entry["reason"] == "It is empty."
    assert "reason" not in result().to_json()


@pytest.mark.parametrize("changes", [{}, {"status": "undecided", "reason": "The judge died."}])
def test_what_is_saved_is_loaded(tmp_path, changes):
    path = tmp_path / "deep" / "results.json"
    save(result(**changes), path)
    again = load(path)
    assert again == result(seconds=0.912, **changes)
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == 1


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"schema": 2}',
     '{"schema": 1, "assignment": "a", "submissions": []}',
     '{"schema": 1, "assignment": "a", "submissions": [{"student": "ada"}]}'],
)  # fmt: skip
def test_another_document_is_refused_with_a_sentence(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GraderError, match="Grade the submission again"):
        load(path)


@pytest.mark.parametrize(
    ("outcome", "points"),
    [("passed", 5), ("passed", -1), ("passed", float("nan")), ("failed", 1), ("undecided", 1),
     ("maybe", 0)],
)  # fmt: skip
def test_points_that_cannot_be_are_refused(outcome, points):
    with pytest.raises(ValueError, match="Received|earns nothing"):
        CheckResult("test_a", outcome, points, 4)


def test_a_status_that_is_none_is_refused():
    with pytest.raises(ValueError, match="status"):
        result(status="done")


def test_a_mark_by_hand_counts_before_the_automatic_one():
    assert Mark(auto=3, manual=None, extra=0.5, max=5).points == 3.5
    assert Mark(auto=3, manual=4, extra=0.5, max=5).points == 4.5
    assert Mark(auto=3, manual=0, extra=0, max=5).points == 0
    assert Mark(auto=None, manual=None, extra=0, max=5).points == 0


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
