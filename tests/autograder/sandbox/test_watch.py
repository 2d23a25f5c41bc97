"""How much memory a process and its descendants use."""

import subprocess
import sys

import pytest

from autograder.sandbox import watch

MEGABYTE = 2**20
# Fills 100 MB, forks so many children, which share them, and waits.
SHARING = """
import os, sys, time
held = bytearray(100 * 2**20)
held[::4096] = b"x" * len(held[::4096])
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(600)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def sharing():
    """Starts such a process; it and its children are stopped afterwards."""
    started = []

    def start(children):
        process = subprocess.Popen(
            [sys.executable, "-c", SHARING, str(children)],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process.pid

    yield start
    for process in started:
        for pid in watch.processes(process.pid)[::-1]:
            subprocess.run(["kill", "-KILL", str(pid)], check=False)
        process.wait()
        process.stdout.close()


def test_shared_pages_are_in_equal_parts_where_it_matters(sharing):
    pid = sharing(4)
    limit = 250 * MEGABYTE
    assert watch._resident(pid) > 100 * MEGABYTE
    assert sum(map(watch._resident, watch.processes(pid))) > limit
    used = watch.use(pid, limit)
    assert 100 * MEGABYTE < used.memory < limit
    assert not used.unseen


def test_what_is_over_the_limit_is_over_it(sharing):
    assert watch.use(sharing(0), 90 * MEGABYTE).memory > 90 * MEGABYTE
    assert watch.use(sharing(4), 90 * MEGABYTE).memory > 90 * MEGABYTE


def test_pages_are_shared_out_only_above_the_limit(sharing, monkeypatch):
    def refuse(pid):
        raise AssertionError("the kernel walked through the pages")

    monkeypatch.setattr(watch, "_proportional", refuse)
    assert watch.use(sharing(2), 1000 * MEGABYTE).memory > 300 * MEGABYTE
