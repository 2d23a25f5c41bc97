"""Makes the outer file system and namespaces, and runs the template in them.

A small process with one thread: a process that has imported TensorFlow has several, and the kernel
lets only a process with a single one enter a new user namespace.
"""

import os
import platform
import pwd
from typing import Any

from autograder.sandbox import _linux
from autograder.sandbox.channel import Channel, taken
from autograder.sandbox.landlock import landlock_version
from autograder.sandbox.seccomp import ARCHITECTURES
from autograder.sandbox.view import View, enter

__all__ = ["run_launcher"]

_INSIDE = 1000
_DESCRIPTOR = 3
# Ids that nobody has, for a start as root.
_FIRST_ID, _LAST_ID = 60_001, 60_999


def run_launcher(descriptor: int) -> None:
    """Receives what to make, makes it, and waits for the template to end."""
    channel = taken(descriptor)
    plan, _ = channel.receive()
    if plan["view"] is None:
        _execute(channel, plan)
    try:
        pid = _isolated(channel, plan)
    except (OSError, LookupError) as problem:
        channel.send({"unavailable": str(problem)})
        os._exit(1)
    channel.close()
    os.waitpid(pid, 0)
    os._exit(0)


def _isolated(channel: Channel, plan: dict[str, Any]) -> int:
    view = View.from_json(plan["view"])
    if landlock_version() == 0:
        raise OSError("this kernel has no Landlock, or it is not switched on")
    if platform.machine() not in ARCHITECTURES:
        raise OSError(f"there is no system-call filter for {platform.machine()}")
    if os.geteuid() == 0:
        # Only root may enter some folders on the way, a home of mode 0700 for example.
        _linux.unshare(_linux.NEW_MOUNTS)
        enter(view, fresh_processes=False)
        view = view.seen_from_itself()
        _become_nobody()
    _linux.enter_user_namespace(_linux.NEW_ALL, _INSIDE)
    parent = 0
    pid = os.fork()
    if pid:
        return pid
    try:
        _linux.die_with_parent(parent)
        enter(view, fresh_processes=True)
        _execute(channel, plan)
    except OSError as problem:
        channel.send({"unavailable": str(problem)})
    finally:
        os._exit(1)


def _become_nobody() -> None:
    taken_ids = {entry.pw_uid for entry in pwd.getpwall()}
    free = next(number for number in range(_FIRST_ID, _LAST_ID) if number not in taken_ids)
    os.setgroups([])
    os.setresgid(free, free, free)
    os.setresuid(free, free, free)


def _execute(channel: Channel, plan: dict[str, Any]) -> None:
    channel.send({"assembled": True})
    os.dup2(channel.fileno(), _DESCRIPTOR, inheritable=True)
    os.execve(plan["program"], plan["arguments"], plan["environment"])  # noqa: S606
