"""When a process of ours dies, the next run has fresh ones, and nothing is left of the old."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.errors import GraderError, SandboxFailure
from autograder.sandbox import slot as slot_module
from autograder.sandbox import watch
from autograder.sandbox.policy import Limits, Policy
from autograder.sandbox.slot import Slot
from autograder.sandbox.template import Template

RUN_CELLS = "autograder.sandbox.selftest:run_cells"
# A grader that is killed while a submission runs.
GRADER = """
import os, threading, time
from autograder.sandbox import slot as slot_module
from autograder.sandbox import watch
from autograder.sandbox.policy import Limits, Policy
from autograder.sandbox.slot import Slot
from autograder.sandbox.template import Template

with Template(Policy(Limits(), modules=("numpy",))) as template:
    with Slot(template, "autograder.sandbox.selftest:run_cells", {}) as slot:
        slot.run({"cells": []})
        job = {"cells": ["while True: pass"], "seconds": 60}
        threading.Thread(target=slot.run, args=(job,), daemon=True).start()
        time.sleep(1)
        print(*watch.processes(os.getpid())[1:], flush=True)
        time.sleep(60)
"""


@pytest.fixture
def own_template():
    with Template(Policy(Limits(), modules=("numpy",))) as started:
        yield started


def gone(pids):
    deadline = time.monotonic() + 10
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, f"left: {left}"
        time.sleep(0.02)
    return True


def test_killing_the_grader_leaves_no_process():
    with subprocess.Popen([sys.executable, "-c", GRADER], stdout=subprocess.PIPE) as grader:
        assert grader.stdout is not None
        pids = [int(pid) for pid in grader.stdout.readline().split()]
        grader.kill()
    # Launcher, template, judge, zygote, keeper, init, student process.
    assert len(pids) == 7
    assert gone(pids)


def test_a_template_that_died_is_started_again(own_template):
    with Slot(own_template, RUN_CELLS, {}) as slot:
        assert slot.run({"cells": ["1"]})["cells"][0]["kind"] == "done"
        _, inner, *_ = watch.processes(own_template._process.pid)
        os.kill(inner, signal.SIGKILL)
        with pytest.raises(SandboxFailure):
            slot.run({"cells": ["1"]})
        assert slot.run({"cells": ["1"]})["cells"][0]["kind"] == "done"


@pytest.mark.parametrize("which", ["_judge", "_zygote"])
def test_a_judge_or_zygote_that_died_is_replaced(own_template, which):
    with Slot(own_template, RUN_CELLS, {}) as slot:
        slot.run({"cells": ["1"]})
        signal.pidfd_send_signal(getattr(slot, which).pidfd, signal.SIGKILL)
        with pytest.raises(SandboxFailure):
            slot.run({"cells": ["1"]})
        assert slot.run({"cells": ["1"]})["cells"][0]["kind"] == "done"


def test_a_judge_that_cannot_be_loaded_says_why(own_template):
    with Slot(own_template, "no_such_module:main", {}) as slot:
        with pytest.raises(GraderError, match="no_such_module"):
            slot.run({"cells": []})


def test_an_import_that_fails_says_which():
    with pytest.raises(SandboxFailure, match="no_such_module"):
        Template(Policy(Limits(), modules=("no_such_module",))).__enter__()


def test_a_zygote_whose_children_cannot_compute_is_noticed(own_template, monkeypatch):
    # As where something has run an operation before the fork: the child hangs.
    monkeypatch.setattr(slot_module, "_CANARY", "import time; time.sleep(60)")
    monkeypatch.setattr(slot_module, "_CANARY_SECONDS", 1.0)
    with Slot(own_template, RUN_CELLS, {}) as slot:
        with pytest.raises(SandboxFailure, match="--isolation exec"):
            slot.run({"cells": ["1"]})
        monkeypatch.setattr(slot_module, "_CANARY", "1 / 0")
        with pytest.raises(SandboxFailure, match="--isolation exec"):
            slot.run({"cells": ["1"]})


def test_a_zygote_is_replaced_after_many_forks(own_template, monkeypatch):
    monkeypatch.setattr(slot_module, "_FORKS_LIMIT", 3)
    with Slot(own_template, RUN_CELLS, {}) as slot:
        zygotes = []
        for _ in range(7):
            assert slot.run({"cells": ["1"]})["cells"][0]["kind"] == "done"
            zygotes.append(watch.pid_of(slot._zygote.pidfd))
    assert len(set(zygotes)) == 3
    assert zygotes[0] == zygotes[2] != zygotes[3] == zygotes[5] != zygotes[6]
    assert gone(zygotes)
