"""The one process that imports TensorFlow; judges and zygotes are forked from it.

It runs no operation, since a process forked after one hangs, and holds no secret, since what it
once held can be found in the memory of its children.
"""

import importlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from autograder.errors import GraderError, SandboxFailure, SandboxUnavailable
from autograder.sandbox import _linux
from autograder.sandbox.channel import Channel, pair, taken
from autograder.sandbox.link import Link
from autograder.sandbox.policy import Policy
from autograder.sandbox.privileges import drop_privileges
from autograder.sandbox.view import HOME, LIBRARY, View, enter, system_view

__all__ = ["Template", "run_template"]

_INSIDE = 1000
# A cold import of TensorFlow takes 10 seconds, several times that on a busy machine.
_START_SECONDS = 180.0
_FORK_SECONDS = 30.0
_END_SECONDS = 5.0
# The main thread, and what the imports start; each is one that a fork leaves behind.
_TASKS_LIMIT = 3

# Fixed: a forked child's /proc/self/environ is what its parent was exec'ed with.
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": HOME,
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "FAST": "1",
    "NBGRADER_EXECUTION": "autograde",
} | dict.fromkeys(
    # The same numbers on every machine, whatever its cores.
    (
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)


class Template(AbstractContextManager["Template"]):
    """Starts the template, in a file system of its own, and has it fork judges and zygotes.

    Attributes:
        policy: How submissions are isolated.
        mode: How they are isolated on this machine: "full", or "none" for code of our own where
            there is no isolation.
    """

    def __init__(self, policy: Policy) -> None:
        """Starts nothing yet."""
        self.policy = policy
        self.mode = "full"
        self._system = system_view()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> "Template":
        """Starts the process.

        Raises:
            SandboxUnavailable: If this machine cannot isolate a submission.
            SandboxFailure: If the process did not start.
        """
        with self._lock:
            self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the process, and with it all that were forked from it."""
        with self._lock:
            self._stop()

    @property
    def student_view(self) -> View | None:
        """What a student process sees of the template's view; None where nothing is isolated."""
        return None if self.mode == "none" else self._student_binds().seen_from_itself()

    @property
    def judge_view(self) -> View | None:
        """What a judge sees of it; None where nothing is isolated."""
        return None if self.mode == "none" else self._outer_view().seen_from_itself()

    def fork(self, what: str) -> tuple[Channel, int]:
        """Has a judge or a zygote forked.

        Returns:
            The connection to it, and its pidfd.

        Raises:
            SandboxFailure: If the template does not answer, even after a fresh start.
        """
        ours, theirs = pair()
        with self._lock, theirs:
            try:
                self._ask_for(what, theirs)
            except OSError:
                self._stop()
                self._start()
                self._ask_for(what, theirs)
        try:
            _, (pidfd,) = ours.receive(time.monotonic() + _FORK_SECONDS)
        except (OSError, ValueError) as problem:
            ours.close()
            raise SandboxFailure(f"The template forked no {what}: {problem!r}.") from problem
        return ours, pidfd

    def _ask_for(self, what: str, theirs: socket.socket) -> None:
        deadline = time.monotonic() + _FORK_SECONDS
        if self._channel is None:
            raise ConnectionResetError("the template has not been started")
        self._channel.send({"fork": what}, [theirs.fileno()], deadline)
        self._channel.receive(deadline)

    def _start(self) -> None:
        try:
            self._launch("full")
        except SandboxUnavailable:
            if not self.policy.own_code:
                raise
            self._launch("none")

    def _launch(self, mode: str) -> None:
        self.mode = mode
        source = str(Path(__file__).parents[2])
        plan = {
            "view": self._outer_view().to_json() if mode == "full" else None,
            "program": os.path.realpath(sys.executable),
            "arguments": [
                sys.executable,
                *program("template", "run_template", LIBRARY if mode == "full" else source),
                "3",
            ],
            "environment": ENVIRONMENT,
        }
        channel, theirs = pair()
        self._channel = channel
        deadline = time.monotonic() + _START_SECONDS
        with tempfile.TemporaryFile() as log:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, *program("launch", "run_launcher", source), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=ENVIRONMENT,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
            theirs.close()
            try:
                channel.send(plan, deadline=deadline)
                self._expect(channel, "assembled", deadline)
                channel.send({"modules": self.policy.modules}, deadline=deadline)
                self._expect(channel, "ready", deadline)
            except OSError as problem:
                self._stop()
                log.seek(0)
                said = log.read()[-2000:].decode("utf-8", "replace")
                raise SandboxFailure(
                    f"The template did not start: {problem!r}. {said}"
                ) from problem
            except GraderError:
                self._stop()
                raise

    def _expect(self, channel: Channel, what: str, deadline: float) -> None:
        reply, _ = channel.receive(deadline)
        if "unavailable" in reply:
            raise SandboxUnavailable(
                f"This machine cannot isolate submissions: {reply['unavailable']}. "
                "User namespaces must be permitted for ordinary users (Linux 5.14 or later; in a "
                "container, or with AppArmor, an administrator has to allow them). "
                "`lgm doctor` tells more."
            )
        if what not in reply:
            raise SandboxFailure(f"The template did not start: {reply.get('failed', reply)}.")

    def _outer_view(self) -> View:
        return self._student_binds().with_binds([*self._library(), *self._judge_paths()])

    def _student_binds(self) -> View:
        files = self.policy.public_files
        return self._system.with_binds((str(path), f"{HOME}/{path.name}") for path in files)

    def _library(self) -> list[tuple[str, str]]:
        return [(str(Path(__file__).parents[1]), f"{LIBRARY}/autograder")]

    def _judge_paths(self) -> list[tuple[str, str]]:
        return [(str(path), str(path)) for path in self.policy.judge_paths]

    def _stop(self) -> None:
        if self._channel is not None:
            # Without it, the template ends, and the kernel ends the rest.
            self._channel.close()
            self._channel = None
        if self._process is not None:
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def program(module: str, run: str, library: str) -> list[str]:
    """Returns Python's arguments to run a function of ours on a descriptor, the last argument."""
    code = (
        f"import sys; sys.path.insert(0, {library!r}); "
        f"from autograder.sandbox.{module} import {run}; {run}(int(sys.argv[1]))"
    )
    return ["-s", "-P", "-c", code]


def run_template(descriptor: int) -> None:
    """Imports, then forks whatever it is asked for; does not return."""
    channel = taken(descriptor)
    content, _ = channel.receive()
    try:
        for name in content["modules"]:
            importlib.import_module(name)
        # Not at the top: the coordinator imports this module, and has no use for IPython.
        from autograder.sandbox import agent, zygote

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
            try:
                _linux.die_with_parent(parent)
                channel.close()
                own = _announced(taken(descriptors[0]))
                if request["fork"] == "judge":
                    _run_judge(own)
                else:
                    zygote.run_zygote(own, shell)
            except ConnectionError:
                # The slot has gone: that is how it says stop.
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        for copy in descriptors:
            os.close(copy)
        channel.send({"forked": True})


def _announced(channel: Channel) -> Channel:
    """Tells the slot who this is."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pidfd = os.pidfd_open(os.getpid())
    channel.send({"process": True}, [pidfd])
    os.close(pidfd)
    return channel


def _run_judge(channel: Channel) -> None:
    content, _ = channel.receive()
    if content["view"] is not None:
        parent = os.getppid()
        _linux.enter_user_namespace(_linux.NEW_MOUNTS, _INSIDE)
        _linux.die_with_parent(parent)
        enter(View.from_json(content["view"]), fresh_processes=False)
        drop_privileges()
    _linux.set_dumpable(False)
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
