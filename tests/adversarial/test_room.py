"""What must hold after every attack is really looked at: each of it can be seen to be broken."""

import os
import subprocess
import time
from dataclasses import replace

import pytest

from autograder.batch import one
from tests.adversarial import stealing
from tests.adversarial.case import WRONG, Case

JUDGE = one.judge_submission


@pytest.fixture
def broken(rooms, monkeypatch):
    """Grades an honest submission while something happens, and says which invariants broke."""

    def grade(meanwhile, **case):
        room = rooms()

        def judge(course, assignment, student, judging, mode):
            found = JUDGE(course, assignment, student, judging, mode)
            return meanwhile(course, student, found) or found

        monkeypatch.setattr(one, "judge_submission", judge)
        violated = room.outcome(Case("X01", "an honest one", **case)).violated
        return {text.partition(":")[0] for text in violated}

    return grade


def test_nothing_is_broken_where_nothing_happens(broken):
    assert broken(lambda course, student, found: None) == set()


def test_a_secret_that_is_shown_is_seen(rooms, adversarial_course):
    _, secrets = adversarial_course
    for secret in secrets:
        case = Case("X01", "it shows a secret", f"print({secret!r})")
        assert any(text.startswith("I1") for text in rooms().outcome(case).violated), secret


@pytest.mark.parametrize("name", ["gradebook.db", "reference/toy.py", "new", "submitted/other/x"])
def test_a_file_that_is_changed_or_new_is_seen(broken, name):
    def change(course, student, found):
        path = course.root / name
        before = path.read_bytes() if path.exists() else None
        with path.open("ab") as file:
            file.write(b" ")
        undo.append(lambda: path.unlink() if before is None else path.write_bytes(before))

    undo = []
    try:
        assert "I2/I4" in broken(change)
    finally:
        for action in reversed(undo):
            action()


def test_a_trace_outside_is_seen(broken):
    trace = "/tmp/lgm-was-here"  # noqa: S108

    def leave(course, student, found):
        open(trace, "w").close()

    try:
        assert broken(leave) == {"I2/I4"}
    finally:
        os.unlink(trace)


def test_too_much_time_is_seen(broken):
    slow = broken(lambda *_: time.sleep(0.5) if _[1] != "honest" else None, seconds=-2)
    assert slow == {"I5"}


def test_a_next_submission_that_suffers_is_seen(rooms, broken):
    def suffer(course, student, found):
        if student == "honest":
            found.result.exercises[0].checks[0].__dict__["points"] = 0

    assert broken(suffer) == {"I7"}


def test_control_characters_are_seen(broken):
    def colour(course, student, found):
        found.result.__dict__["reason"] = "\x1b[31mred"

    assert broken(colour) == {"I9"}


def test_what_is_undecided_is_seen(broken):
    def decide_nothing(course, student, found):
        found.result.__dict__["status"] = "undecided"

    assert {"I7", "I8"} <= broken(decide_nothing)


def test_points_for_wrong_answers_would_be_seen(rooms):
    assert rooms().outcome(Case("X01", "wrong ones", answers=WRONG)).graded.result.score == 0


def test_what_is_in_memory_is_found_there(rooms):
    (scan,) = [case for case in stealing.CASES if case.title == "scan its own memory"]
    planted = "planted = b'lgm-can' + bytes(b'ary-check')\n"
    assert rooms().outcome(replace(scan, attack=planted + scan.attack)).obtained


def test_a_process_that_is_left_is_seen(rooms):
    room = rooms()
    assert list(room._left()) == []
    with subprocess.Popen(["sleep", "60"]) as process:
        room._grader._template._alone.append(process)
        assert [text.partition(":")[0] for text in room._left()] == ["I3"]
        room._grader._template._alone.remove(process)
        process.kill()
