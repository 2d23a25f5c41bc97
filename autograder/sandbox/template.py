"""What this machine permits, and how judges and zygotes are started accordingly."""

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from autograder.errors import GraderError, SandboxFailure, SandboxUnavailable
from autograder.sandbox.bwrap import box_arguments, box_problem
from autograder.sandbox.cgroup import delegated_group
from autograder.sandbox.channel import Channel, pair
from autograder.sandbox.launch import IDS
from autograder.sandbox.namespaces import INSIDE
from autograder.sandbox.policy import MODES, Policy
from autograder.sandbox.view import HOME, LIBRARY, View, system_view

__all__ = ["Template"]

# A cold import of TensorFlow takes 10 seconds, several times that on a busy machine.
_START_SECONDS = 180.0
_FORK_SECONDS = 30.0
_END_SECONDS = 5.0
_SOURCE = str(Path(__file__).parents[2])

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
    """Finds out what this machine permits, and starts judges and zygotes accordingly.

    In modes other than "jail" they are forked from one process, the template, which has imported
    what they need. In "jail" each has a closed box of its own, and imports by itself; so do
    zygotes if student processes are to be fresh ones.

    Attributes:
        policy: How submissions are isolated.
        mode: How they are isolated on this machine, one of `policy.modes`.
        refused: By mode that cannot be had here, why.
        groups: Where control groups can be made, or None.
        boxed: Whether bwrap makes the boxes of mode "jail".
    """

    def __init__(self, policy: Policy) -> None:
        """Starts nothing yet."""
        self.policy = policy
        self.mode = ""
        self.refused: dict[str, str] = {}
        self.groups: Path | None = None
        self.boxed = False
        self._system = system_view()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._alone: list[subprocess.Popen[bytes]] = []
        self._given_up = False
        self._forks = 0
        self._lock = threading.Lock()
        self._cores = itertools.cycle(sorted(os.sched_getaffinity(0)))

    def __enter__(self) -> "Template":
        """Finds the strongest mode, and starts the process.

        Raises:
            SandboxUnavailable: If this machine has no mode that is accepted.
            SandboxFailure: If the process did not start.
        """
        with self._lock:
            if not self.mode:
                self.mode = self._strongest()
                self.groups = delegated_group()
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

    def give_up(self) -> None:
        """Ends every process at once, and starts none again; whoever waits for one is told."""
        with self._lock:
            self._given_up = True
            self._stop(at_once=True)

    @property
    def has_view(self) -> bool:
        """Whether processes see a file system of their own."""
        return self.mode in ("full", "jail")

    @property
    def nests(self) -> bool:
        """Whether judges and zygotes enter namespaces of their own, inside the template's."""
        return self.mode == "full"

    @property
    def system(self) -> View:
        """The system's libraries and programs, by their places outside."""
        return self._system

    @property
    def student_view(self) -> View | None:
        """What a student process is to see of the view; None where it has none, or is in it."""
        smaller = self.has_view and not self.boxed
        return self._student_binds().seen_from_itself() if smaller else None

    @property
    def judge_view(self) -> View | None:
        """What a judge sees of it; None where it has none, or is in it already."""
        return self._outer_view().seen_from_itself() if self.nests else None

    def next_core(self) -> int:
        """Returns the core for the next slot: one after the other, then the first again."""
        with self._lock:
            return next(self._cores)

    def fork(self, what: str) -> tuple[Channel, int]:
        """Has a judge or a zygote started.

        Returns:
            The connection to it, and its pidfd.

        Raises:
            SandboxUnavailable: If this machine does not permit any more what it did at first.
            SandboxFailure: If the template does not answer, even after a fresh start.
        """
        if self.mode == "jail" or (what == "zygote" and self.policy.isolation == "exec"):
            return self._start_alone(what)
        ours, theirs = pair()
        with self._lock, theirs:
            try:
                self._ask_for(what, theirs)
            except OSError:
                self._stop()
                self._start()
                self._ask_for(what, theirs)
        return ours, self._announced(ours, what)

    def _require_wanted(self) -> None:
        if self._given_up:
            raise SandboxFailure("The grader has been stopped.")

    def _start_alone(self, what: str) -> tuple[Channel, int]:
        self._require_wanted()
        view = self._outer_view() if what == "judge" else self._zygote_view()
        channel, process = self._launch(what, view)
        with self._lock:
            self._alone = [p for p in self._alone if p.poll() is None] + [process]
        return channel, self._announced(channel, what)

    def _announced(self, channel: Channel, what: str) -> int:
        try:
            _, (pidfd,) = channel.receive(time.monotonic() + _FORK_SECONDS)
        except (OSError, ValueError) as problem:
            channel.close()
            raise SandboxFailure(f"No {what} could be started: {problem!r}.") from problem
        return pidfd

    def _ask_for(self, what: str, theirs: socket.socket) -> None:
        deadline = time.monotonic() + _FORK_SECONDS
        if self._channel is None:
            raise ConnectionResetError("the template has not been started")
        self._forks += 1
        content = {"fork": what, "id": self._next_id()}
        self._channel.send(content, [theirs.fileno()], deadline)
        self._channel.receive(deadline)

    def _next_id(self) -> int | None:
        """Returns the user that the next judge or zygote is, where they can be different ones."""
        return INSIDE + 1 + self._forks % (IDS - 1) if self._owns_ids else None

    @property
    def _owns_ids(self) -> bool:
        return self.has_view and os.geteuid() == 0

    @property
    def _makes_view(self) -> bool:
        return self.has_view and not self.boxed

    def _strongest(self) -> str:
        """Finds out what can be had, and returns the strongest mode of the policy's."""
        self.refused = self._tried()
        if "jail" in self.refused and "jail" in self.policy.modes:
            no_box = box_problem(self._outer_view())
            self.boxed = not no_box
            if self.boxed:
                del self.refused["jail"]
            else:
                self.refused["jail"] += f"; {no_box}"
        there = [mode for mode in MODES if mode not in self.refused]
        chosen = [mode for mode in MODES if mode in there and mode in self.policy.modes]
        if not chosen:
            why = "; ".join(f"{mode}: {text}" for mode, text in self.refused.items())
            raise SandboxUnavailable(
                f"This machine cannot isolate submissions ({why}). "
                "User namespaces must be permitted for ordinary users (Linux 5.14 or later; in a "
                "container, or with AppArmor, an administrator has to allow them). "
                "`lgm doctor` tells more."
            )
        return chosen[0]

    def _tried(self) -> dict[str, str]:
        """Has the launcher try; returns, for each mode that cannot be had, why."""
        deadline = time.monotonic() + _START_SECONDS
        with self._launcher() as (channel, process, said):
            try:
                channel.send(self._plan(None, self._outer_view()), deadline=deadline)
                refused, _ = channel.receive(deadline)
            except OSError as problem:
                raise SandboxFailure(f"The launcher ended: {problem!r}. {said()}") from problem
            finally:
                channel.close()
                process.wait()
        return {str(mode): str(why) for mode, why in refused.items()}

    def _start(self) -> None:
        self._require_wanted()
        if self.mode == "jail":
            return
        self._channel, self._process = self._launch(None, self._outer_view())

    @contextlib.contextmanager
    def _launcher(
        self, box: View | None = None
    ) -> Iterator[tuple[Channel, "subprocess.Popen[bytes]", Callable[[], str]]]:
        """Starts a launcher, in a box if there is a view for one.

        Yields the connection, the process, and what reads its log.
        """
        channel, theirs = pair()
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(tempfile.TemporaryFile())
            box_command: list[str] = []
            descriptors: list[int] = []
            if box is not None:
                box_command, descriptors = stack.enter_context(box_arguments(box))
            library = _SOURCE if box is None else LIBRARY
            process = subprocess.Popen(  # noqa: S603
                [
                    *box_command,
                    sys.executable,
                    *program("launch", "run_launcher", library),
                    str(theirs.fileno()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=ENVIRONMENT,
                start_new_session=True,
                pass_fds=[theirs.fileno(), *descriptors],
            )
            theirs.close()

            def said() -> str:
                log.seek(0)
                return log.read()[-2000:].decode("utf-8", "replace")

            yield channel, process, said

    def _launch(self, role: str | None, view: View) -> tuple[Channel, "subprocess.Popen[bytes]"]:
        """Starts a template, or a judge or a zygote by itself, and waits until it has imported."""
        deadline = time.monotonic() + _START_SECONDS
        with self._launcher(view if self.boxed else None) as (channel, process, said):
            try:
                channel.send(self._plan(role or "template", view), deadline=deadline)
                self._expect(channel, "assembled", deadline)
                content = {"modules": self.policy.modules, "role": role}
                channel.send(content, deadline=deadline)
                self._expect(channel, "ready", deadline)
            except (OSError, GraderError) as problem:
                _end(channel, process)
                if isinstance(problem, GraderError):
                    raise
                raise SandboxFailure(
                    f"The {role or 'template'} did not start: {problem!r}. {said()}"
                ) from problem
        return channel, process

    def _plan(self, role: str | None, view: View) -> dict[str, Any]:
        """What a launcher makes; nothing but a trial without a role."""
        library = LIBRARY if self.has_view else _SOURCE
        run = [sys.executable, *program("preload", "run_template", library), "3"]
        return {
            "view": view.to_json() if role is None or self._makes_view else None,
            "filtered": self.mode == "weak",
            "alone": self.mode == "jail" and not self.boxed,
            "owns_ids": self._owns_ids,
            "trial": role is None,
            "program": os.path.realpath(sys.executable),
            "arguments": run,
            "environment": ENVIRONMENT,
        }

    def _expect(self, channel: Channel, what: str, deadline: float) -> None:
        reply, _ = channel.receive(deadline)
        if "unavailable" in reply:
            raise SandboxUnavailable(
                f"This machine does not permit mode {self.mode} any more: {reply['unavailable']}."
            )
        if what not in reply:
            raise SandboxFailure(f"The template did not start: {reply.get('failed', reply)}.")

    def _outer_view(self) -> View:
        return self._zygote_view().with_binds(self._judge_paths())

    def _zygote_view(self) -> View:
        return self._student_binds().with_binds(self._library())

    def _student_binds(self) -> View:
        files = self.policy.public_files
        return self._system.with_binds((str(path), f"{HOME}/{path.name}") for path in files)

    def _library(self) -> list[tuple[str, str]]:
        return [(str(Path(__file__).parents[1]), f"{LIBRARY}/autograder")]

    def _judge_paths(self) -> list[tuple[str, str]]:
        return [(str(path), str(path)) for path in self.policy.judge_paths]

    def _stop(self, at_once: bool = False) -> None:
        if at_once:
            for process in (self._process, *self._alone):
                if process is not None:
                    process.kill()
        if self._channel is not None and self._process is not None:
            # Without it, the template ends, and the kernel ends the rest.
            _end(self._channel, self._process)
        self._channel = self._process = None
        for process in self._alone:
            # Its slot has ended it.
            _wait(process)
        self._alone = []


def _end(channel: Channel, process: "subprocess.Popen[bytes]") -> None:
    channel.close()
    _wait(process)


def _wait(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def program(module: str, run: str, library: str) -> list[str]:
    """Returns Python's arguments to run a function of ours on a descriptor, the last argument."""
    code = (
        f"import sys; sys.path.insert(0, {library!r}); "
        f"from autograder.sandbox.{module} import {run}; {run}(int(sys.argv[1]))"
    )
    return ["-s", "-P", "-c", code]
