"""A judge can do no more than it needs: what takes it over reaches nothing."""

import json
import os
import socket

import pytest

from autograder.judge import grader as judge_grader
from autograder.judge.grader import Grader

# A check that tries what a judge must not be able to do, and tells what it could.
MISBEHAVING = '''
import ctypes, json, os, socket
from autograder.checks import exercise
from autograder.errors import CheckFailed

ROOT, PORT, GRADER = {root!r}, {port}, {grader}

def socket_to_a_server():
    socket.create_connection(("127.0.0.1", PORT), timeout=2)

def any_socket():
    socket.socket(socket.AF_UNIX)

def write_in_the_course():
    open(os.path.join(ROOT, "written"), "w")

def write_beside_the_checks():
    open(os.path.join(os.path.dirname(__file__), "written"), "w")

def read_the_gradebook():
    open(os.path.join(ROOT, "gradebook.db"))

def read_a_submission():
    os.listdir(os.path.join(ROOT, "submitted"))

def read_the_course_secret():
    os.listdir(os.path.join(ROOT, ".lgm"))

def signal_the_grader():
    os.kill(GRADER, 0)

def trace():
    if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0):
        raise OSError

def mount():
    if ctypes.CDLL(None).mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None):
        raise OSError

def namespace():
    if ctypes.CDLL(None).unshare(0x10000000):
        raise OSError

def write_in_its_own_folder():
    open("/tmp/lgm-written", "w")

@exercise("entropy", points=4)
def test_entropy(student):
    """Tries."""
    could = []
    attempts = [
        socket_to_a_server, any_socket, write_in_the_course, write_beside_the_checks,
        read_the_gradebook, read_a_submission, read_the_course_secret, signal_the_grader,
        write_in_its_own_folder,
    ]
    if {isolated}:
        # Outside of a sandbox these would do harm to whoever runs the tests.
        attempts += [trace, mount, namespace]
    for attempt in attempts:
        try:
            attempt()
            could.append(attempt.__name__)
        except OSError:
            pass
    raise CheckFailed(None, json.dumps(could), "nothing")
'''


@pytest.fixture
def could(toy_course, light_sandbox, monkeypatch, hand_in):
    """What such a check could do."""

    def run(**how):
        policy = judge_grader.Policy
        monkeypatch.setattr(judge_grader, "Policy", lambda **given: policy(**{**given, **how}))
        root = toy_course.root
        (root / "gradebook.db").write_text("")
        hand_in(toy_course, "ada")
        toy_course.secret()
        check = toy_course.hidden_folder("a90_toy") / "test_entropy.py"
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            isolated = how.get("modes") != ("none",)
            text = MISBEHAVING.format(
                root=str(root), port=port, grader=os.getpid(), isolated=isolated
            )
            check.write_text(text)
            with Grader(toy_course, toy_course.assignment("a90_toy"), own_code=True) as grader:
                with grader.slot() as slot:
                    verdict = slot.grade([], "ada", ["test_entropy"])
        # It may have a folder of that name to itself.
        written = {"write_in_the_course"} if (root / "written").exists() else set()
        (exercise,) = verdict.exercises
        (result,) = exercise.checks
        (seen,) = (line for line in result.message.splitlines() if line.startswith("seen"))
        return (
            set(json.loads(seen.removeprefix("seen").strip())) - {"write_in_the_course"} | written
        )

    return run


@pytest.mark.parametrize("mode", ["full", "jail"])
def test_a_judge_reads_its_checks_and_nothing_else(could, mode):
    assert could(modes=(mode,)) == {"write_in_its_own_folder"}


def test_without_the_filter_a_judge_has_sockets_and_no_network(could):
    possible = could(without=frozenset({"seccomp"}))
    assert possible == {"any_socket", "namespace", "write_in_its_own_folder"}


def test_unprotected_a_judge_could_do_all_that(could):
    possible = could(modes=("none",))
    assert {"socket_to_a_server", "read_the_gradebook", "signal_the_grader"} <= possible
    assert "write_in_the_course" in possible
