"""What this machine can isolate is found out by trying it, as whoever starts the grader."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.errors import SandboxUnavailable
from autograder.sandbox import watch
from autograder.sandbox.policy import ACCEPTED, MODES, Limits, Policy
from autograder.sandbox.selftest import require, self_test
from autograder.sandbox.template import Template
from tests.not_run import not_run

AS_ORDINARY_USER = str(Path(__file__).with_name("as_ordinary_user.py"))
TELL = """
import os
from autograder.sandbox.selftest import self_test
mode, probes = self_test()
print(os.geteuid() != 0, mode, [(p.name, p.outcome) for p in probes if not p.ok])
"""


def python(*arguments):
    ran = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    return ran.stdout


def test_whoever_runs_this_is_protected():
    mode, probes = self_test()
    assert mode == "full"
    assert [(probe.name, probe.outcome) for probe in probes if not probe.ok] == []
    assert len(probes) > 20
    assert all(probe.remedy is None for probe in probes)


def test_an_ordinary_user_is_protected():
    assert as_ordinary_user(TELL) == "True full []\n"


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
        failed = {probe.name: probe for probe in self_test(template)[1] if not probe.ok}
        assert attempt in failed
        assert failed[attempt].remedy
        with pytest.raises(SandboxUnavailable, match=f"{attempt}: got through"):
            require(template)


def as_ordinary_user(program):
    """Runs a program of ours as somebody without privileges."""
    if os.geteuid() == 0:
        return python(AS_ORDINARY_USER, "--", sys.executable, "-c", program)
    return python("-c", program)


# As where an administrator, or a container, permits no namespaces, or none within namespaces: the
# kernel lets them be 33 deep.
SETTINGS = {
    "as it is": "",
    "no namespaces within namespaces": """
for _ in range(32):
    enter_user_namespace(0)
""",
    "no namespaces": """
enter_user_namespace(NEW_MOUNTS)
forbid_namespaces()
""",
}
CHOSEN = """
from autograder.sandbox.namespaces import NEW_MOUNTS, enter_user_namespace, forbid_namespaces
{setting}
from autograder.errors import SandboxUnavailable
from autograder.sandbox import watch
from autograder.sandbox.policy import Limits, Policy
from autograder.sandbox.selftest import require
from autograder.sandbox.template import Template
try:
    policy = Policy(Limits(processes=128), modes={modes}, modules=("numpy",))
    with Template(policy) as template:
        require(template)
        print(template.mode)
except SandboxUnavailable as problem:
    print(problem)
"""


def chosen(setting, modes):
    return as_ordinary_user(CHOSEN.format(setting=SETTINGS[setting], modes=modes))


@pytest.mark.parametrize(
    ("setting", "modes", "mode"),
    [
        ("as it is", MODES, "full"),
        ("as it is", ("weak",), "weak"),
        ("no namespaces within namespaces", MODES, "jail"),
        ("no namespaces", MODES, "weak"),
        ("no namespaces", ("none",), "none"),
    ],
)
def test_the_strongest_mode_that_is_permitted_and_accepted_is_taken(setting, modes, mode):
    assert chosen(setting, modes) == f"{mode}\n"


def test_a_mode_that_is_not_accepted_is_refused_with_a_reason():
    said = chosen("no namespaces", ACCEPTED)
    assert said.startswith("This machine cannot isolate submissions (full: ")
    assert "unshare" in said
    assert "lgm doctor" in said


# Where the tests run as root, an ordinary user sees no host files that could have names.
WEAK = {"name hidden files", "name host files", "list processes", "leave a way to capabilities"}
TESTED = """
import json
from autograder.sandbox.policy import Limits, Policy
from autograder.sandbox.selftest import self_test
from autograder.sandbox.template import Template
policy = Policy(Limits(processes=128), modes=("{mode}",), modules=("numpy",))
with Template(policy) as template:
    mode, probes = self_test(template)
print(json.dumps([mode, *(probe.name for probe in probes[1:] if probe.outcome != "denied")]))
"""


@pytest.mark.parametrize(
    ("mode", "possible"),
    [
        ("full", set()),
        ("jail", set()),
        ("weak", WEAK),
    ],
)
def test_each_mode_holds_what_it_promises(mode, possible):
    found, *names = json.loads(as_ordinary_user(TESTED.format(mode=mode)))
    assert found == mode
    assert possible - {"name host files"} <= set(names) <= possible


def test_root_has_no_weak_mode_where_others_may_not_run_python():
    with Template(Policy(Limits(), modes=("none",), modules=("numpy",))) as template:
        reason = template.refused.get("weak")
    reachable = as_ordinary_user("print(1)") and os.geteuid() != 0
    program = os.path.realpath(sys.executable)
    folders = [parent for parent in Path(program).parents if not parent.stat().st_mode & 0o001]
    assert (reason is not None) == bool(folders and not reachable)
    assert reason is None or reason.startswith(program)


# As where nobody but bwrap may make namespaces.
ONLY_BWRAP = """
from autograder.sandbox.template import Template
Template._tried = lambda self: {"full": "forbidden", "jail": "forbidden"}
"""


@pytest.fixture
def bwrap():
    if shutil.which("bwrap") is None:
        not_run("there is no bwrap")


def test_where_only_bwrap_may_make_namespaces_it_makes_the_box(bwrap):
    program = ONLY_BWRAP + TESTED.format(mode="jail")
    assert json.loads(as_ordinary_user(program)) == ["jail"]


def test_without_bwrap_such_a_machine_has_no_jail(monkeypatch):
    monkeypatch.setattr(Template, "_tried", lambda self: {"full": "no", "jail": "no"})
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match="jail: no; there is no bwrap"):
        Template(Policy(Limits(), modules=("numpy",))).__enter__()


def test_root_uses_no_bwrap(monkeypatch, bwrap):
    monkeypatch.setattr(Template, "_tried", lambda self: {"full": "no", "jail": "no"})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(SandboxUnavailable, match="ordinary users"):
        Template(Policy(Limits(), modules=("numpy",))).__enter__()


def test_a_fresh_process_has_a_box_of_its_own_by_bwrap(bwrap):
    program = RUN_IN.format(mode="jail", cells=[LEAVE, LOOK])
    program = program.replace("modes=", 'isolation="exec", modes=')
    said = as_ordinary_user(ONLY_BWRAP + program)
    assert json.loads(said.splitlines()[-1]) == ["done", "['data.csv'] []\n"]


RUN_IN = """
import json, sys
from pathlib import Path
from autograder.sandbox.policy import Limits, Policy
from autograder.sandbox.slot import Slot
from autograder.sandbox.template import Template
limits = Limits(processes=48)
public = Path("/tmp/data.csv")
public.write_text("1,2")
policy = Policy(limits, (), (public,), modes=("{mode}",), modules=("numpy",))
with Template(policy) as template:
    with Slot(template, "autograder.sandbox.selftest:run_cells", {{}}) as slot:
        for cell in {cells}:
            (shown,) = slot.run({{"cells": [cell], "seconds": 2}})["cells"]
            text = "".join(output.get("text", "") for output in shown["outputs"])
            print(json.dumps([shown["kind"], text]))
"""


@pytest.fixture(params=["jail", "jail by bwrap", "weak"])
def run_in_weaker(request):
    """Runs cells, each in a process of its own, in a mode that is not the strongest."""
    mode, _, by = request.param.partition(" by ")
    if by:
        request.getfixturevalue("bwrap")

    def run(*cells):
        program = RUN_IN.format(mode=mode, cells=list(cells))
        said = as_ordinary_user((ONLY_BWRAP if by else "") + program)
        return [json.loads(line) for line in said.splitlines()]

    return run


LEAVE = """
import os, time
for place in (os.getcwd(), "/tmp", "/dev/shm"):
    try:
        os.makedirs(os.path.join(place, "closed", "deep"))
        open(os.path.join(place, "closed", "deep", "file"), "w").close()
        os.chmod(os.path.join(place, "closed"), 0)
    except OSError:
        pass
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
"""
LOOK = """
import os
print(os.listdir("."), [p for p in ("/tmp/closed", "/dev/shm/closed") if os.path.exists(p)])
"""
BOMB = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
KILL = """
import os
for pid in (1, os.getppid()):
    try:
        os.kill(pid, 9)
    except OSError:
        pass
print("still here")
"""


def test_weaker_modes_leave_nothing_for_the_next_run(run_in_weaker):
    _, (kind, text) = run_in_weaker(LEAVE, LOOK)
    assert (kind, text) == ("done", "['data.csv'] []\n")


def test_weaker_modes_end_what_runs_too_long_or_starts_too_much(run_in_weaker):
    (loop, _), (bomb, _), after = run_in_weaker("while True: pass", BOMB, "print(6 * 7)")
    assert loop == "TimeoutError"
    assert bomb in ("TimeoutError", "ConnectionResetError")
    assert after == ["done", "42\n"]


def test_in_weaker_modes_what_a_run_was_forked_from_is_out_of_reach(run_in_weaker):
    assert run_in_weaker(KILL, "print(6 * 7)") == [["done", "still here\n"], ["done", "42\n"]]


def test_weak_mode_changes_nothing_outside_by_name():
    attack = """
import os
got = []
for name, call in (
    ("chmod", lambda: os.chmod("/tmp/data.csv", 0o777)),
    ("utime", lambda: os.utime("/tmp/data.csv", (0, 0))),
    ("chown", lambda: os.chown("/tmp/data.csv", os.getuid(), -1)),
    ("setxattr", lambda: os.setxattr("/tmp/data.csv", "user.x", b"x")),
    ("nice", lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)),
    ("open", lambda: open("/tmp/data.csv")),
    ("write", lambda: open("/tmp/new", "w")),
):
    try:
        call()
        got.append(name)
    except OSError:
        pass
print(got)
"""
    said = as_ordinary_user(RUN_IN.format(mode="weak", cells=[attack]))
    assert json.loads(said) == ["done", "[]\n"]


def user_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        (line,) = [line for line in file if line.startswith("Uid:")]
    (user,) = set(line.split()[1:])
    return int(user)


def test_started_as_root_template_judge_and_zygote_are_three_others(slot, template):
    if os.geteuid() != 0:
        not_run("only root has users to give away")
    if not template.nests or template.policy.isolation == "exec":
        return
    slot.run({"cells": ["1"]})
    _, inner, *_ = watch.processes(template._process.pid)
    processes = [inner, *(watch.pid_of(p.pidfd) for p in (slot._judge, slot._zygote))]
    users = [user_of(pid) for pid in processes]
    assert len(set(users)) == 3
    assert min(users) > 60_000
    source = "import os; print(os.getuid(), open('/proc/self/uid_map').read().split()[0::2])"
    (shown,) = slot.run({"cells": [source]})["cells"]
    assert shown["outputs"][0]["text"] == "1000 ['1000', '1']\n"


HIDE = """
import ctypes, os, shutil, subprocess, sys, time
if {way!r} == "prctl":
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
for number in range(4):
    file = os.memfd_create("hog", 0)
    os.set_inheritable(file, True)
    for _ in range(20):
        os.write(file, bytes(10 * 2**20))
    if {way!r} == "program":
        # Nobody may read it, so nobody may look into what runs it.
        hidden = shutil.copy("/bin/sleep", f"./hidden{{number}}")
        os.chmod(hidden, 0o111)
        os.posix_spawn(hidden, ["hidden", "100"], {{}})
        os.close(file)
time.sleep(5)
print("kept")
"""


@pytest.mark.parametrize("way", ["prctl", "program"])
def test_memory_that_is_hidden_from_the_watch_ends_the_run(way):
    program = RUN_IN.replace("Limits(processes=48)", "Limits(processes=48, memory_mebibytes=400)")
    program = program.replace('"seconds": 2', '"seconds": 10')
    cells = [HIDE.format(way=way), "print(6 * 7)"]
    said = as_ordinary_user(program.format(mode="full", cells=cells))
    (kind, _), after = [json.loads(line) for line in said.splitlines()]
    assert kind == "ConnectionResetError"
    assert after == ["done", "42\n"]


def test_without_landlock_weak_mode_opens_what_lies_outside():
    attack = "import os; print(open('/tmp/data.csv').read() if os.getcwd() != '/tmp' else '')"
    program = RUN_IN.replace('("{mode}",)', '("weak",), without=frozenset(["landlock"])')
    assert json.loads(as_ordinary_user(program.format(cells=[attack]))) == ["done", "1,2\n"]


def used_by(zygote):
    with open(f"/proc/{zygote}/mountinfo", encoding="ascii") as file:
        mounts = len(file.readlines())
    descriptors = len(os.listdir(f"/proc/{zygote}/fd"))
    return mounts, descriptors, watch._proportional(zygote) // 2**20


HOSTILE = (
    "import os; os._exit(0)",
    "import os; os.write(3, b'garbage' * 100)",
    "import os\nfor _ in range(20):\n    if os.fork() == 0: os.pause()",
    "open('/tmp/x', 'w').write('x' * 10**6); 1 / 0",
    "print(6 * 7)",
)


@pytest.mark.parametrize("forks", [60, pytest.param(1000, marks=pytest.mark.thorough)])
def test_from_one_zygote_many_honest_and_hostile_runs_leave_nothing(slot, template, forks):
    if template.policy.isolation == "exec":
        # There is a fresh one for each.
        forks = 10
    slot.run({"cells": ["1"]})
    here = len(os.listdir("/proc/self/fd"))
    first = slot._zygote and watch.pid_of(slot._zygote.pidfd)
    before = first and used_by(first)
    for number in range(forks):
        shown = slot.run({"cells": [HOSTILE[number % len(HOSTILE)]]})["cells"][0]
        assert shown["kind"] == "done" or number % len(HOSTILE) != 4
    assert len(os.listdir("/proc/self/fd")) <= here
    if first and forks < 500:
        assert watch.pid_of(slot._zygote.pidfd) == first
        mounts, descriptors, mebibytes = used_by(first)
        assert (mounts, descriptors) == before[:2]
        assert mebibytes <= before[2] + 2


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


def test_a_student_process_is_ready_in_a_moment(run, template):
    run("1")
    # 0.03 s on an idle machine; the rest is for a loaded one. A fresh Python imports first.
    limit = 0.3 if template.policy.isolation == "fork" else 10
    assert min(run("1").seconds for _ in range(5)) < limit
