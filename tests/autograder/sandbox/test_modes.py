"""What this machine can isolate is found out by trying it, as whoever starts the grader."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.errors import SandboxUnavailable
from autograder.sandbox.policy import Limits, Policy
from autograder.sandbox.selftest import require, self_test
from autograder.sandbox.template import Template

AS_ORDINARY_USER = str(Path(__file__).with_name("as_ordinary_user.py"))
TELL = """
import os
from autograder.sandbox.selftest import self_test
print(os.geteuid() != 0, [(p.name, p.outcome) for p in self_test() if not p.ok])
"""
# As where an administrator, or a container, permits no further namespaces.
WITHOUT_NAMESPACES = """
from autograder.sandbox import _linux
from autograder.sandbox.privileges import forbid_namespaces
_linux.enter_user_namespace(_linux.NEW_MOUNTS, 1000)
forbid_namespaces()
from autograder.errors import SandboxUnavailable
from autograder.sandbox.policy import Limits, Policy
from autograder.sandbox.slot import Slot
from autograder.sandbox.template import Template
try:
    with Template(Policy(Limits(), modules=("numpy",))):
        print("it started")
except SandboxUnavailable as problem:
    print(problem)
with Template(Policy(Limits(), modules=("numpy",), own_code=True)) as template:
    with Slot(template, "autograder.sandbox.selftest:run_cells", {}) as slot:
        ran = slot.run({"cells": ["print(6 * 7)"]})
    print(template.mode, ran["cells"][0]["outputs"][0]["text"])
"""


def python(*arguments):
    ran = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    return ran.stdout


def test_whoever_runs_this_is_protected():
    probes = self_test()
    assert [(probe.name, probe.outcome) for probe in probes if not probe.ok] == []
    assert len(probes) > 20
    assert all(probe.remedy is None for probe in probes)


def test_an_ordinary_user_is_protected():
    if os.geteuid() == 0:
        said = python(AS_ORDINARY_USER, "--", sys.executable, "-c", TELL)
    else:
        said = python("-c", TELL)
    assert said == "True []\n"


@pytest.mark.parametrize(
    ("layer", "attempt"),
    [("view", "read hidden files"), ("budgets", "raise limits")],
)
def test_a_sandbox_that_does_not_hold_is_refused(tmp_path, layer, attempt):
    (tmp_path / "test_hidden.py").write_text("", encoding="utf-8")
    policy = Policy(
        Limits(processes=64), (tmp_path,), modules=("numpy",), without=frozenset({layer})
    )
    with Template(policy) as template:
        failed = {probe.name: probe for probe in self_test(template) if not probe.ok}
        assert attempt in failed
        assert failed[attempt].remedy
        with pytest.raises(SandboxUnavailable, match=f"{attempt}: got through"):
            require(template)


def test_without_namespaces_nothing_starts_but_the_courses_own_code():
    sentence, mode, *_ = python("-c", WITHOUT_NAMESPACES).splitlines()
    assert sentence.startswith("This machine cannot isolate submissions: ")
    assert "lgm doctor" in sentence
    assert mode == "none 42"


def test_many_runs_leave_no_descriptor_and_no_memory_behind(run):
    def used():
        with open("/proc/self/smaps_rollup", encoding="ascii") as file:
            (line,) = [line for line in file if line.startswith("Pss:")]
        return len(os.listdir("/proc/self/fd")), int(line.split()[1])

    run("print(1)")
    descriptors, kibibytes = used()
    for number in range(40):
        run("import os; os._exit(0)" if number % 4 == 0 else "print('x' * 10_000)")
    later_descriptors, later_kibibytes = used()
    assert later_descriptors <= descriptors
    assert later_kibibytes - kibibytes < 8 * 1024


def test_a_student_process_is_ready_in_a_moment(run):
    run("1")
    # 0.03 s on an idle machine; the rest is for a loaded one.
    assert min(run("1").seconds for _ in range(5)) < 0.3
