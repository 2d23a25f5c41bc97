"""What student processes are forked from, and the way from there to a locked-down one.

    zygote              its own view, without hidden checks and reference; loads nothing more
     └ keeper           enters new namespaces, forks init, tells the slot who that is
        └ init          process 1 there: makes the view, forks the student process, reaps
           └ student    gives up everything, then runs cells and answers probes

A step that fails ends the process before any student code runs.
"""

import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autograder.sandbox import _linux, agent
from autograder.sandbox.budgets import set_budgets
from autograder.sandbox.channel import Channel, taken
from autograder.sandbox.landlock import restrict_files
from autograder.sandbox.policy import Limits
from autograder.sandbox.privileges import drop_privileges, forbid_namespaces
from autograder.sandbox.probes import reseed
from autograder.sandbox.seccomp import restrict_calls
from autograder.sandbox.view import DEVICES, WRITABLE, View, enter

__all__ = ["run_zygote"]

_INSIDE = 1000
_CONNECTION = 3


@dataclass(frozen=True)
class _Plan:
    """How student processes are made.

    Attributes:
        view: What they see, or None where nothing is isolated.
        files: What lies in the folder that cells run in.
        without: Layers left out.
    """

    view: View | None
    files: tuple[str, ...]
    limits: Limits
    without: frozenset[str]

    @property
    def has_namespaces(self) -> bool:
        return self.view is not None and "namespaces" not in self.without

    @property
    def own_view(self) -> View | None:
        return self.view if self.has_namespaces and "view" not in self.without else None


@dataclass(frozen=True)
class _Run:
    """What the slot hands over for one student process."""

    connection: int
    stdout: int
    stderr: int
    report: int


def run_zygote(channel: Channel, shell: agent.Shell) -> None:
    """Forks a student process, with a copy of the shell, whenever the slot asks for one."""
    content, _ = channel.receive()
    view = None if content["view"] is None else View.from_json(content["view"])
    plan = _Plan(
        view, tuple(content["files"]), Limits(**content["limits"]), frozenset(content["without"])
    )
    if view is not None and plan.own_view is not None:
        _linux.enter_user_namespace(_linux.NEW_MOUNTS, _INSIDE)
        enter(view, fresh_processes=False)
        plan = _Plan(view.seen_from_itself(), plan.files, plan.limits, plan.without)
    if view is not None:
        _linux.forbid_new_privileges()
    _linux.set_dumpable(False)
    # The kernel reaps the keepers.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        _, descriptors = channel.receive()
        run = _Run(*descriptors)
        _fork(lambda run=run: _keep(plan, run, shell))  # type: ignore[misc]
        for descriptor in descriptors:
            os.close(descriptor)


def _fork(child: Callable[[], None], parent_is: int | None = None) -> int:
    """Forks a process that runs `child` and ends; it is killed when this one ends."""
    parent = os.getpid() if parent_is is None else parent_is
    # What is in a buffer would be printed twice.
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _linux.die_with_parent(parent)
        child()
        code = 0
    finally:
        os._exit(code)


def _keep(plan: _Plan, run: _Run, shell: agent.Shell) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    report = taken(run.report)
    with _reported(report):
        # Its own files in /proc are root's otherwise.
        _linux.set_dumpable(True)
        # When memory runs out, the kernel ends this rather than anything else.
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        if plan.has_namespaces:
            zygote = os.getppid()
            _linux.enter_user_namespace(_linux.NEW_ALL, _INSIDE)
            _linux.die_with_parent(zygote)
            pid = _fork(lambda: _init(plan, run, shell, report), parent_is=0)
            report.send({"process": True}, [os.pidfd_open(pid)])
            report.close()
            _close_all_but()
            os.waitpid(pid, 0)
        else:
            _keep_without_namespaces(plan, run, shell, report)


def _keep_without_namespaces(plan: _Plan, run: _Run, shell: agent.Shell, report: Channel) -> None:
    """Does what it can: everything that the student process starts ends with it."""
    _linux.become_subreaper()
    folder = tempfile.mkdtemp(prefix="lgm-")
    try:
        for path in plan.files:
            shutil.copy(path, folder)
        pid = _fork(lambda: _student(plan, run, shell, report, folder))
        report.send({"process": True}, [os.pidfd_open(pid)])
        _close_all_but(report.fileno())
        _, status = os.waitpid(pid, 0)
        _sweep()
        report.send({"status": status})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Kills and reaps every process that is left below this one."""
    while True:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            children = [int(pid) for pid in file.read().split()]
        if not children:
            return
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _init(plan: _Plan, run: _Run, shell: agent.Shell, report: Channel) -> None:
    with _reported(report):
        os.setsid()
        # The student process may neither look into this one nor change it.
        _linux.set_dumpable(False)
        if plan.own_view is not None:
            enter(plan.own_view, fresh_processes=True)
        else:
            _linux.mount("none", "/", None, _linux.MS_REC | _linux.MS_PRIVATE)
            _linux.mount("proc", "/proc", "proc", 0)
        socket.sethostname("sandbox")
        forbid_namespaces()
        if plan.own_view is not None:
            _linux.restrict_mount("/proc")
        pid = _fork(lambda: _student(plan, run, shell, report, os.getcwd()))
        if "privileges" not in plan.without:
            drop_privileges()
        _close_all_but(report.fileno())
        ended, status = 0, 0
        while ended != pid:
            # Whatever the student process leaves behind is reaped as well.
            ended, status = os.waitpid(-1, 0)
        report.send({"status": status})


def _student(plan: _Plan, run: _Run, shell: agent.Shell, report: Channel, folder: str) -> None:
    with _reported(report):
        os.chdir(folder)
        os.environ["HOME"] = folder
        if not plan.has_namespaces:
            os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        for number, descriptor in enumerate((null, run.stdout, run.stderr)):
            os.dup2(descriptor, number)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # The slot reads how much memory is used from outside.
        _linux.set_dumpable(True)
        if plan.view is not None and "privileges" not in plan.without:
            drop_privileges()
        if "budgets" not in plan.without:
            set_budgets(plan.limits)
        if plan.own_view is not None and "landlock" not in plan.without:
            restrict_files(WRITABLE, DEVICES)
        if plan.view is not None and "seccomp" not in plan.without:
            restrict_calls()
        report.send({"ready": True})
    report.close()
    os.dup2(run.connection, _CONNECTION)
    os.closerange(_CONNECTION + 1, 2**16)
    connection = socket.socket(fileno=_CONNECTION)
    reseed(0)
    agent.serve(connection, shell)


@contextlib.contextmanager
def _reported(report: Channel) -> Iterator[None]:
    """Tells the slot why student code was not reached."""
    try:
        yield
    except Exception as problem:
        with contextlib.suppress(OSError):
            report.send({"failed": f"{type(problem).__name__}: {problem}"})
        raise


def _close_all_but(*kept: int) -> None:
    start = 0
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, 2**16)
