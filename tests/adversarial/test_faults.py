"""J. Faults that are nobody's attack: nothing is lost, nobody pays for them, the batch goes on."""

import importlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from autograder.batch import grade
from autograder.batch.lock import locked
from autograder.course import find_course
from autograder.sandbox import watch
from autograder.sandbox.slot import Slot
from tests.adversarial.case import RIGHT, Case
from tests.adversarial.conftest import TOY_COURSE
from tests.adversarial.room import ASSIGNMENT, hand_in, student_of, with_limits

ROOT = Path(__file__).parents[2]
PAUSE = "import time\ntime.sleep(0.3)"


@pytest.fixture
def course(tmp_path, light_sandbox):
    root = tmp_path / "course"
    shutil.copytree(TOY_COURSE, root, ignore=shutil.ignore_patterns("__pycache__"))
    return with_limits(find_course(root), cell_seconds=3, probe_seconds=3)


def a_class(course, count=4, **case):
    cases = [Case(f"s{number}", "honest one", **case) for number in range(count)]
    for one in cases:
        hand_in(course, one)
    return [student_of(one) for one in cases]


def graded(results):
    return {(result.status, result.score) for result in results}


def processes():
    return [pid for pid in watch.processes(os.getpid())[1:] if "python" in command(pid)]


def command(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


@pytest.mark.parametrize("which", ["template", "_judge", "_zygote", "student"])
def test_j01_a_process_of_ours_that_dies_costs_nobody_a_point(course, which, monkeypatch):
    students = a_class(course, 3, attack=PAUSE)
    slots = []
    started = Slot.__enter__
    monkeypatch.setattr(Slot, "__enter__", lambda slot: slots.append(slot) or started(slot))
    killed = []

    def kill(event, student, result, total):
        if event != "finished" or killed:
            return
        killed.append(student)
        time.sleep(0.2)
        # The first one was the self-test's.
        slot = slots[-1]
        if which == "template":
            slot._template._process.kill()
        elif which == "student":
            signal.pidfd_send_signal(slot._run._pidfd, signal.SIGKILL)
        else:
            signal.pidfd_send_signal(getattr(slot, which).pidfd, signal.SIGKILL)

    results = grade(course, ASSIGNMENT, progress=kill)
    assert killed
    assert len(results) == len(students)
    # Who kills the student process from outside looks like the student's own doing.
    allowed = {("graded", 10)}
    assert graded(results) == allowed


CRASHING = """
import os
from autograder.checks import exercise

@exercise("entropy", points=3, depends_on=("sigmoid",))
def test_entropy_matches_the_definition(student):
    \"\"\"`entropy` is right.\"\"\"
    value = student.entropy(__import__("numpy").zeros(2))
    if float(value[0]) > 5:
        {what}
"""


@pytest.mark.parametrize("what", ["os.kill(os.getpid(), 11)", "1 / 0", "os._exit(0)"])
def test_j02_an_answer_that_crashes_a_check_leaves_the_others_their_points(course, what):
    checks = course.hidden_folder(ASSIGNMENT) / "test_entropy.py"
    first = checks.read_text().split("@exercise")[1]
    checks.write_text(
        "import numpy as np\nfrom reference import toy\n@exercise"
        + first
        + CRASHING.format(what=what)
    )
    text = checks.read_text()
    checks.write_text("from autograder.checks import exercise, expect\n" + text)
    a_class(course, 2)
    odd = {**RIGHT, "entropy": "def entropy(logit): return np.full_like(logit, 9.0)"}
    hand_in(course, Case("s0x", "odd one", answers=odd))
    results = {result.student: result for result in grade(course, ASSIGNMENT)}
    assert {r.score for r in results.values() if r.student != "s0x-odd-one"} == {10}
    crashed = results["s0x-odd-one"]
    assert crashed.status == "undecided"
    outcomes = {check.outcome for e in crashed.exercises for check in e.checks}
    assert "failed" not in outcomes or what == "1 / 0"


GRADE = """
{first}
import functools, signal, sys
# Whoever runs these tests in the background may have Ctrl-C ignored below.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from autograder.judge import grader
from autograder import cli
grader.Policy = functools.partial(grader.Policy, modules=("numpy",))
{before}
sys.argv = ["lgm", "grade", "a90_toy", *{options!r}]
cli.main()
"""


# Possible for a process with one thread only: before NumPy is imported.
OWN_NAMESPACE = """
import os, shutil
from autograder.sandbox import _linux
from autograder.sandbox.namespaces import NEW_MOUNTS, enter_user_namespace, forbid_namespaces
enter_user_namespace(NEW_MOUNTS)
shutil.copytree(".", "/tmp/course")
os.chdir("/tmp/course")
"""
AS_ORDINARY_USER = ROOT / "tests" / "autograder" / "sandbox" / "as_ordinary_user.py"


def lgm_grade(course, before="", options=(), first=""):
    """Starts `lgm grade` in a process of its own; with `first`, as somebody without privileges."""
    program = GRADE.format(before=before, options=list(options), first=first)
    command = [sys.executable, "-c", program]
    if first and os.geteuid() == 0:
        # In a namespace, too, root is nobody whose processes the kernel counts.
        command = [sys.executable, str(AS_ORDINARY_USER), str(course.root), "--", *command]
    return subprocess.Popen(
        command,
        cwd=course.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def results_of(course):
    return sorted(path.parts[-3] for path in course.root.glob("autograded/*/*/results.json"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_j03_an_interrupt_leaves_whole_results_and_no_process(course, number):
    students = a_class(course, 12, attack=PAUSE)
    with lgm_grade(course, options=["--jobs", "2"]) as running:
        deadline = time.monotonic() + 60
        while not results_of(course):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        below = watch.processes(running.pid)
        running.send_signal(number)
        _, said = running.communicate(timeout=30)
    assert "Traceback" not in said
    assert running.returncode == {signal.SIGINT: 130}.get(number, -number), said
    deadline = time.monotonic() + 5
    while left := [pid for pid in below if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    for path in course.root.glob("autograded/*/*/results.json"):
        (entry,) = json.loads(path.read_text())["submissions"]
        assert (entry["status"], entry["score"]) == ("graded", 10)
    assert 0 < len(results_of(course)) < len(students)
    # The next one finishes what is left, and finds nothing in its way.
    assert graded(grade(course, ASSIGNMENT, jobs=2)) == {("graded", 10)}
    assert results_of(course) == sorted(students)
    assert not list(course.root.glob("autograded/*/.*"))


SMALL_DISK = """
os.mkdir("/tmp/small")
_linux.mount("tmpfs", "/tmp/small", "tmpfs", 0, "size=2m")
shutil.copytree(".", "/tmp/small", dirs_exist_ok=True)
os.chdir("/tmp/small")
filling = os.open("filling", os.O_WRONLY | os.O_CREAT)
try:
    while True:
        os.write(filling, bytes(1024))
except OSError:
    os.truncate("filling", os.stat("filling").st_size - {free} * 1024)
"""


@pytest.mark.parametrize("free", [8, 40, 120, 200])
def test_j04_a_full_disk_is_said_and_costs_nobody_a_point(course, empty_gradebook, free):
    (course.root / "gradebook.db").write_bytes(empty_gradebook.read_bytes())
    a_class(course, 12)
    with lgm_grade(course, first=OWN_NAMESPACE + SMALL_DISK.format(free=free)) as running:
        out, said = running.communicate(timeout=120)
    assert "Traceback" not in said
    assert running.returncode == 3, (out, said)
    assert "space" in said, said
    assert "failed" not in out


def test_j04_a_locked_gradebook_is_said(course, empty_gradebook, monkeypatch):
    (course.root / "gradebook.db").write_bytes(empty_gradebook.read_bytes())
    a_class(course, 2)
    wait = "from autograder.gradebook import book; book._LOCK_SECONDS = 1"
    with closing(sqlite3.connect(course.root / "gradebook.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with lgm_grade(course, wait) as running:
            _, said = running.communicate(timeout=120)
    assert running.returncode == 3
    assert "Traceback" not in said
    assert "formgrader" in said
    assert not results_of(course)


def test_j06_what_took_too_long_is_judged_once_more_alone(course, monkeypatch):
    """As on a laptop that is busy with something else: the first time, everything is slow."""
    batch = importlib.import_module("autograder.batch.grade")
    seen = []
    judge = batch.judge_submission

    def slow_at_first(course, assignment, student, judging, mode):
        late = student not in seen
        seen.append(student)
        if late and student.startswith("s1"):
            slow = {**RIGHT, "entropy": "import time\ntime.sleep(5)\n" + RIGHT["entropy"]}
            hand_in(course, Case("s1", "honest one", answers=slow))
            found = judge(course, assignment, student, judging, mode)
            hand_in(course, Case("s1", "honest one"))
            return found
        return judge(course, assignment, student, judging, mode)

    a_class(course, 3)
    monkeypatch.setattr(batch, "judge_submission", slow_at_first)
    finished = []
    results = grade(
        course,
        ASSIGNMENT,
        jobs=2,
        progress=lambda event, student, *_: finished.append((event, student)),
    )
    assert graded(results) == {("graded", 10)}
    assert sorted(seen) == ["s0-honest-one", "s1-honest-one", "s1-honest-one", "s2-honest-one"]
    assert finished.count(("finished", "s1-honest-one")) == 1


def test_j06_what_takes_too_long_again_has_failed(course):
    endless = {**RIGHT, "entropy": "while True: pass"}
    hand_in(course, Case("s0", "endless", answers=endless))
    (result,) = grade(course, ASSIGNMENT)
    assert (result.status, result.score) == ("graded", 6)


VANISHING = """
import importlib
batch = importlib.import_module("autograder.batch.grade")
judge = batch.judge_submission
def once(course, assignment, student, judging, mode):
    found = judge(course, assignment, student, judging, mode)
    forbid_namespaces()
    return found
batch.judge_submission = once
"""


def test_j07_a_sandbox_that_vanishes_in_mid_batch_leaves_the_rest_undecided(course):
    students = a_class(course, 3)
    with lgm_grade(course, VANISHING, ["--jobs", "1", "--json"], OWN_NAMESPACE) as running:
        out, said = running.communicate(timeout=120)
    assert running.returncode == 1, said
    found = [entry["status"] for entry in json.loads(out)["submissions"]]
    assert found == ["graded", "undecided", "undecided"]
    assert len(found) == len(students)


def test_j08_a_second_grader_is_refused(course):
    a_class(course, 1)
    with locked(course), lgm_grade(course) as running:
        _, said = running.communicate(timeout=60)
    assert running.returncode == 3
    assert "Another lgm is at work" in said
    assert not results_of(course)
