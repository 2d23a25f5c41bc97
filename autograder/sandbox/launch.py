"""Makes the outer file system and namespaces, and runs a template, a judge or a zygote in them.

A small process with one thread: a process that has imported TensorFlow has several, and the kernel
lets only a process with a single one enter a new user namespace.
"""

import contextlib
import os
import platform
import pwd
from collections.abc import Callable
from typing import Any

from autograder.sandbox import _linux
from autograder.sandbox.channel import Channel, taken
from autograder.sandbox.landlock import landlock_version, restrict_files
from autograder.sandbox.namespaces import (
    NEW_ALL,
    NEW_MOUNTS,
    enter_mapped_namespace,
    enter_user_namespace,
)
from autograder.sandbox.seccomp import ARCHITECTURES, restrict_calls
from autograder.sandbox.view import View, enter

__all__ = ["IDS", "run_launcher"]

_DESCRIPTOR = 3
# Ids that nobody has, for a start as root: the template's, then one for each judge and zygote.
_FIRST_ID, _LAST_ID = 60_001, 60_999
IDS = 64


def run_launcher(descriptor: int) -> None:
    """Receives what to make, makes it, and waits for the program to end.

    Or, for a trial, finds out what this machine permits, and tells.
    """
    channel = taken(descriptor)
    plan, _ = channel.receive()
    if plan["trial"]:
        channel.send(_tried(View.from_json(plan["view"]), plan["program"]))
        os._exit(0)
    try:
        if plan["view"] is None:
            if plan["filtered"] and os.geteuid() == 0:
                _become_nobody()
            _execute(channel, plan)
        pid = _isolated(View.from_json(plan["view"]), lambda: _execute(channel, plan))
    except OSError as problem:
        channel.send({"unavailable": str(problem)})
        os._exit(1)
    channel.close()
    os.waitpid(pid, 0)
    os._exit(0)


def _tried(view: View, program: str) -> dict[str, str]:
    """Returns, for each mode that cannot be had here, why."""
    attempts: dict[str, Callable[[], None]] = {
        "full": lambda: _waited(_isolated(view, _nested)),
        "jail": lambda: _waited(_isolated(view, lambda: None)),
        "weak": lambda: _filtered(program),
    }
    problems = {mode: _attempted(attempt) for mode, attempt in attempts.items()}
    return {mode: problem for mode, problem in problems.items() if problem}


def _attempted(attempt: Callable[[], None]) -> str:
    """Runs something in a process of its own; returns what went wrong, or ""."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            attempt()
        except Exception as problem:
            os.write(writer, (str(problem) or type(problem).__name__).encode()[:500])
            os._exit(1)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode("utf-8", "replace")
    _, status = os.waitpid(pid, 0)
    return said or ("" if status == 0 else f"it ended with status {status}")


def _filtered(program: str) -> None:
    _require_filters()
    if os.geteuid() == 0:
        _become_nobody()
    if not os.access(program, os.X_OK):
        raise OSError(f"{program} may not be run by an account without privileges")
    _linux.forbid_new_privileges()
    restrict_files((), (), readable=("/usr",))
    restrict_calls()


def _require_filters() -> None:
    if landlock_version() == 0:
        raise OSError("this kernel has no Landlock, or it is not switched on")
    if platform.machine() not in ARCHITECTURES:
        raise OSError(f"there is no system-call filter for {platform.machine()}")


def _nested() -> None:
    """Namespaces within namespaces, as deep as a student process lies, and its own /proc."""
    enter_user_namespace(NEW_MOUNTS)
    enter_user_namespace(NEW_ALL)
    pid = os.fork()
    if pid == 0:
        try:
            _linux.mount("proc", "/proc", "proc", 0)
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        raise OSError("namespaces within namespaces get no process table of their own")


def _waited(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    if status:
        raise OSError("namespaces within namespaces are refused")


def _isolated(view: View, inside: Callable[[], None]) -> int:
    """Runs something in new namespaces and a view; returns its process id."""
    _require_filters()
    if os.geteuid() == 0:
        # Only root may enter some folders on the way, a home of mode 0700 for example.
        _linux.unshare(NEW_MOUNTS)
        first = _free_ids()
        enter(view, fresh_processes=False)
        view = view.seen_from_itself()
        enter_mapped_namespace(NEW_ALL, first, IDS)
    else:
        enter_user_namespace(NEW_ALL)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            _linux.die_with_parent(0)
            enter(view, fresh_processes=True)
            # Written before anything else can go wrong: what follows reports by itself.
            os.write(writer, b"+")
            os.close(writer)
            inside()
        except OSError as problem:
            with contextlib.suppress(OSError):
                os.write(writer, str(problem).encode()[:500])
            os._exit(1)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb", 0) as pipe:
        said = pipe.read(500)
    if said != b"+":
        os.waitpid(pid, 0)
        raise OSError(said.decode("utf-8", "replace") or "the namespaces could not be set up")
    return pid


def _become_nobody() -> None:
    free = _free_ids()
    os.setgroups([])
    os.setresgid(free, free, free)
    os.setresuid(free, free, free)


def _free_ids() -> int:
    """Returns the first of `IDS` ids that nobody has, and that another grader hardly takes."""
    taken_ids = {entry.pw_uid for entry in pwd.getpwall()}
    blocks = [range(first, first + IDS) for first in range(_FIRST_ID, _LAST_ID - IDS, IDS)]
    free = [block for block in blocks if taken_ids.isdisjoint(block)]
    if not free:
        raise OSError(f"no {IDS} user ids from {_FIRST_ID} to {_LAST_ID} are free")
    return free[os.getppid() % len(free)].start


def _execute(channel: Channel, plan: dict[str, Any]) -> None:
    """Becomes the program; tells why not, otherwise."""
    try:
        if plan["alone"]:
            # It has to make its view smaller, and to give up the rest, in the same namespaces.
            _linux.keep_capabilities()
        elif plan["owns_ids"]:
            _linux.keep_capabilities(_linux.CHANGE_IDS)
        channel.send({"assembled": True})
        os.dup2(channel.fileno(), _DESCRIPTOR, inheritable=True)
        os.execve(plan["program"], plan["arguments"], plan["environment"])  # noqa: S606
    except OSError as problem:
        channel.send({"unavailable": str(problem)})
        os._exit(1)
