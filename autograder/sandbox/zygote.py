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
from dataclasses import dataclass, replace

from autograder.sandbox import _linux, agent
from autograder.sandbox.budgets import set_budgets
from autograder.sandbox.channel import Channel, taken
from autograder.sandbox.landlock import SCOPES_SINCE, landlock_version, restrict_files
from autograder.sandbox.namespaces import (
    NEW_ALL,
    NEW_MOUNTS,
    enter_user_namespace,
    forbid_namespaces,
    limit_objects,
)
from autograder.sandbox.policy import Limits
from autograder.sandbox.privileges import drop_privileges
from autograder.sandbox.seccomp import restrict_calls
from autograder.sandbox.seeding import reseed
from autograder.sandbox.view import DEVICES, HOME, WRITABLE, View, enter
from autograder.sandbox.watch import processes

__all__ = ["run_zygote"]

_CONNECTION = 3
_NICENESS = 5


@dataclass(frozen=True)
class _Plan:
    """How student processes are made.

    Attributes:
        mode: One of `policy.MODES`.
        boxed: Whether bwrap made the box, in which nobody has privileges.
        view: What they see, or None where they have no view of their own.
        readable: Without a view of their own: what they may read.
        files: What lies in the folder that cells run in.
        without: Layers left out.
    """

    mode: str
    boxed: bool
    view: View | None
    readable: tuple[str, ...]
    files: tuple[str, ...]
    limits: Limits
    without: frozenset[str]

    @property
    def has_namespaces(self) -> bool:
        return self.mode == "full" and "namespaces" not in self.without

    @property
    def has_privileges(self) -> bool:
        """Whether this process is the root of a user namespace, of its own or of the box."""
        return self.has_namespaces or (self.mode == "jail" and not self.boxed)

    @property
    def is_in_view(self) -> bool:
        return self.boxed or self.own_view is not None

    @property
    def keeps_signals_apart(self) -> bool:
        """Whether a layer other than the filter keeps signals away from everybody else."""
        return self.mode == "full" or (self.mode == "jail" and landlock_version() >= SCOPES_SINCE)

    @property
    def own_view(self) -> View | None:
        left_out = "view" in self.without or "namespaces" in self.without
        return None if left_out else self.view


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
    os.sched_setaffinity(0, {content["core"]})
    # Whoever sits at this machine goes first.
    os.nice(_NICENESS)
    plan = _Plan(
        content["mode"],
        content["boxed"],
        None if content["view"] is None else View.from_json(content["view"]),
        tuple(content["readable"]),
        tuple(content["files"]),
        Limits(**content["limits"]),
        frozenset(content["without"]),
    )
    if plan.own_view is not None:
        if plan.mode == "full":
            enter_user_namespace(NEW_MOUNTS)
        enter(plan.own_view, fresh_processes=False)
        plan = replace(plan, view=plan.own_view.seen_from_itself())
    if plan.mode == "jail" and not plan.boxed:
        # Of the box as a whole: the submissions have no namespaces of their own.
        forbid_namespaces()
        limit_objects()
    if plan.mode != "none":
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
            enter_user_namespace(NEW_ALL)
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
    # The student process may neither look into this one nor change it.
    _linux.set_dumpable(False)
    with contextlib.ExitStack() as cleared:
        if plan.is_in_view:
            folder = HOME
            for path in WRITABLE:
                # Before, too: what was imported in this box has written there.
                _empty(path)
                cleared.callback(_empty, path)
        else:
            folder = tempfile.mkdtemp(prefix="lgm-")
            cleared.callback(shutil.rmtree, folder, ignore_errors=True)
            cleared.callback(_empty, folder)
            for path in plan.files:
                shutil.copy(path, folder)
        pid = _fork(lambda: _student(plan, run, shell, report, folder))
        report.send({"process": True}, [os.pidfd_open(pid)])
        _close_all_but(report.fileno())
        _, status = os.waitpid(pid, 0)
        _sweep(box=plan.mode == "jail")
        cleared.close()
        report.send({"status": status})


def _empty(folder: str) -> None:
    """Deletes what lies in a folder, whatever its mode; what is mounted there stays."""
    for place, names, _ in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if not os.path.islink(path):
                with contextlib.suppress(OSError):
                    os.chmod(path, 0o700)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def _sweep(box: bool) -> None:
    """Kills and reaps every process that is left below this one.

    Args:
        box: Whether nothing but this process, and the first one, is in its process namespace.
    """
    if box:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    stopped: set[int] = set()
    while found := set(processes(os.getpid())[1:]):
        # Stopped first: what runs may start others faster than they can be ended.
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if found <= stopped else signal.SIGSTOP)
        if found <= stopped:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
        stopped |= found


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
        if "budgets" not in plan.without:
            limit_objects()
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
        os.umask(0o077)
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
        if plan.has_privileges and "privileges" not in plan.without:
            drop_privileges()
        if "budgets" not in plan.without:
            set_budgets(plan.limits)
        if "landlock" not in plan.without:
            if plan.boxed:
                # Not what we brought into the box.
                restrict_files(WRITABLE, DEVICES, [*plan.readable, "/proc", "/etc"])
            elif plan.own_view is not None:
                restrict_files(WRITABLE, DEVICES)
            elif plan.mode == "weak":
                restrict_files([folder], DEVICES, [*plan.readable, "/proc"])
        if plan.mode != "none" and "seccomp" not in plan.without:
            restrict_calls(None if plan.keeps_signals_apart else os.getpid())
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
