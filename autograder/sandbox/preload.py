"""The template: the one process that imports TensorFlow; judges and zygotes are forked from it.

It runs no operation, since a process forked after one hangs, and holds no secret, since what it
once held can be found in the memory of its children.
"""

import importlib
import os
import signal
import sys
import traceback
from typing import NoReturn

from autograder.errors import GraderError
from autograder.sandbox import _linux, agent, zygote
from autograder.sandbox.channel import Channel, taken
from autograder.sandbox.landlock import restrict_files
from autograder.sandbox.link import Link
from autograder.sandbox.namespaces import NEW_MOUNTS, enter_user_namespace
from autograder.sandbox.privileges import drop_privileges
from autograder.sandbox.seccomp import restrict_calls
from autograder.sandbox.view import DEVICES, WRITABLE, View, enter

__all__ = ["run_template"]

# The main thread, and what the imports start; each is one that a fork leaves behind.
_TASKS_LIMIT = 3


def run_template(descriptor: int) -> None:
    """Imports, then forks whatever it is asked for; does not return."""
    channel = taken(descriptor)
    content, _ = channel.receive()
    try:
        for name in content["modules"]:
            importlib.import_module(name)
        shell = agent.new_shell()
    except ImportError as problem:
        channel.send({"failed": f"{type(problem).__name__}: {problem}"})
        os._exit(1)
    tasks = len(os.listdir("/proc/self/task"))
    if tasks > _TASKS_LIMIT:
        channel.send({"failed": f"the imports started {tasks} threads"})
        os._exit(1)
    _linux.set_dumpable(False)
    # The kernel reaps what is forked.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    channel.send({"ready": True})
    if content["role"] is not None:
        _run(content["role"], channel, shell)
    while True:
        try:
            request, descriptors = channel.receive()
        except ConnectionError:
            os._exit(0)
        # What is in a buffer would be printed twice.
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        if os.fork() == 0:
            if request["id"] is not None:
                os.setresgid(*[request["id"]] * 3)
                os.setresuid(*[request["id"]] * 3)
            # Without its parent it would not be known to anybody.
            _linux.die_with_parent(parent)
            channel.close()
            _run(request["fork"], taken(descriptors[0]), shell)
        for copy in descriptors:
            os.close(copy)
        channel.send({"forked": True})


def _run(role: str, channel: Channel, shell: agent.Shell) -> NoReturn:
    """Is a judge or a zygote, from here on."""
    try:
        _announce(channel)
        if role == "judge":
            _run_judge(channel)
        else:
            zygote.run_zygote(channel, shell)
    except ConnectionError:
        # The slot has gone: that is how it says stop.
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _announce(channel: Channel) -> None:
    """Tells the slot who this is."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pidfd = os.pidfd_open(os.getpid())
    channel.send({"process": True}, [pidfd])
    os.close(pidfd)


def _run_judge(channel: Channel) -> None:
    content, _ = channel.receive()
    _linux.set_dumpable(False)
    if content["view"] is not None:
        parent = os.getppid()
        enter_user_namespace(NEW_MOUNTS)
        _linux.die_with_parent(parent)
        enter(View.from_json(content["view"]), fresh_processes=False)
    if content["closed"]:
        # What a decoder's fault lets in finds no more to do here than in a student process.
        if not content["boxed"]:
            drop_privileges()
        if "landlock" not in content["without"]:
            restrict_files(WRITABLE, DEVICES)
        _linux.set_dumpable(False)
        if "seccomp" not in content["without"]:
            restrict_calls()
    try:
        module, function = content["main"].split(":")
        getattr(importlib.import_module(module), function)(Link(channel), content["settings"])
    except (ConnectionError, KeyboardInterrupt):
        raise
    except Exception as problem:
        text = str(problem) if isinstance(problem, GraderError) else traceback.format_exc()
        channel.send({"ask": "failed", "text": text})
        raise
    os._exit(0)
