"""Where a control group is delegated, each slot has one of its own. Tried on folders like it."""

import os
import time

import pytest

from autograder.errors import SandboxFailure
from autograder.sandbox import slot as slot_module
from autograder.sandbox import template as template_module
from autograder.sandbox.cgroup import ControlGroup, delegated_group
from autograder.sandbox.policy import Limits, Policy
from autograder.sandbox.slot import Slot
from autograder.sandbox.template import Template
from autograder.sandbox.watch import pid_of, processes


@pytest.fixture
def machine(tmp_path):
    """A machine whose user has a scope, as systemd makes it."""
    scope = tmp_path / "groups" / "user.slice" / "run-1.scope"
    scope.mkdir(parents=True)
    (scope / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    own = tmp_path / "own"
    own.write_text("1:name=systemd:/x\n0::/user.slice/run-1.scope\n")
    return tmp_path / "groups", own, scope


def test_a_delegated_group_is_divided_with_us_in_a_part_of_its_own(machine):
    groups, own, scope = machine
    assert delegated_group(groups, own) == scope
    assert (scope / "lgm" / "cgroup.procs").read_text() == f"{os.getpid()}\n"
    assert (scope / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"


@pytest.mark.parametrize(
    "own", ["", "0::/\n", "0::/elsewhere\n", "4:memory:/a\n", "0::/a\n0::/b\n"]
)
def test_without_one_there_is_none(machine, own):
    groups, place, _ = machine
    place.write_text(own)
    assert delegated_group(groups, place) is None


def test_a_group_without_memory_is_none(machine):
    groups, own, scope = machine
    (scope / "cgroup.controllers").write_text("cpu pids\n")
    assert delegated_group(groups, own) is None


def test_a_group_that_others_are_in_is_none(machine):
    groups, own, scope = machine
    # The kernel answers "device or resource busy"; here the name is taken.
    (scope / "cgroup.subtree_control").mkdir()
    assert delegated_group(groups, own) is None


def test_a_slot_of_such_a_machine_has_its_limits_and_its_zygote_in_a_group(machine, monkeypatch):
    groups, own, scope = machine
    monkeypatch.setattr(template_module, "delegated_group", lambda: delegated_group(groups, own))
    policy = Policy(Limits(memory_mebibytes=512, processes=64), modules=("numpy",))
    with Template(policy) as template, Slot(template, *RUN_CELLS) as slot:
        assert template.groups == scope
        assert slot.run({"cells": ["1"]})["cells"][0]["kind"] == "done"
        (group,) = scope.glob("lgm-*")
        assert (group / "memory.max").read_text() == f"{(512 + 1024) * 2**20}\n"
        assert (group / "memory.swap.max").read_text() == "0\n"
        assert (group / "pids.max").read_text() == "72\n"
        assert (group / "cgroup.procs").read_text() == f"{pid_of(slot._zygote.pidfd)}\n"


RUN_CELLS = ("autograder.sandbox.selftest:run_cells", {})


def test_what_the_kernel_ends_for_memory_has_used_too_much_memory(machine, monkeypatch):
    groups, own, scope = machine
    monkeypatch.setattr(template_module, "delegated_group", lambda: delegated_group(groups, own))
    with Template(Policy(Limits(), modules=("numpy",))) as template:
        with Slot(template, *RUN_CELLS) as slot:
            slot.run({"cells": ["1"]})
            (group,) = scope.glob("lgm-*")
            # As the kernel writes it while the cell runs.
            (group / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
            ended = slot.run({"cells": ["import time; time.sleep(5)"]})["end"]
            assert ended == {"class": "MEMORY", "signal": None}
            assert slot.run({"cells": ["1"]})["end"] == {"class": "OK", "signal": None}


def test_only_new_kills_count(machine):
    _, _, scope = machine
    group = ControlGroup(scope, Limits())
    assert not group.ran_out()
    (folder,) = scope.glob("lgm-*")
    (folder / "memory.events").write_text("oom_kill 2\noom_group_kill 7\n")
    assert group.ran_out()
    assert not group.ran_out()


def test_a_group_that_is_refused_in_the_middle_leaves_no_process(machine, monkeypatch):
    groups, own, _ = machine
    monkeypatch.setattr(template_module, "delegated_group", lambda: delegated_group(groups, own))
    with Template(Policy(Limits(), modules=("numpy",))) as template:
        running = set(processes(template._process.pid))

        def refuse(*_):
            raise OSError("no space left for groups")

        monkeypatch.setattr(slot_module, "ControlGroup", refuse)
        slot = Slot(template, *RUN_CELLS)
        with pytest.raises(SandboxFailure, match="no space left"):
            slot.run({"cells": ["1"]})
        deadline = time.monotonic() + 5
        while set(processes(template._process.pid)) != running:
            assert time.monotonic() < deadline
            time.sleep(0.02)
