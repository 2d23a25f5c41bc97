"""Starts, watches and ends what one submission needs: a judge, and student processes for it."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from autograder.errors import GraderError, ProtocolError, SandboxFailure
from autograder.sandbox import wire
from autograder.sandbox.cgroup import ControlGroup
from autograder.sandbox.channel import Channel
from autograder.sandbox.run import StudentRun
from autograder.sandbox.template import Template
from autograder.sandbox.view import HOME, WRITABLE
from autograder.sandbox.watch import pid_of

__all__ = ["Slot"]

# A judge collects the checks and imports the reference first.
_START_SECONDS = 120.0
_ANSWER_SECONDS = 30.0
# Beyond the submission's own budget: what the judge itself computes.
_JUDGE_SECONDS = 300.0
_POLL_SECONDS = 0.1
_CANARY_SECONDS = 20.0
_CANARY = """
import sys
if "tensorflow" in sys.modules:
    import tensorflow
    total = float(tensorflow.reduce_sum(tensorflow.ones((64, 64)) @ tensorflow.ones((64, 64))))
else:
    import numpy
    total = numpy.sum(numpy.ones((64, 64)) @ numpy.ones((64, 64)))
assert total == 64**3
"""
_NO_CANARY = (
    "A forked process could not multiply two matrices. `lgm grade --isolation exec` starts a "
    "fresh one for each submission."
)
# Of one zygote: whatever should pile up in it does not pile up for ever.
_FORKS_LIMIT = 500
_MEBIBYTE = 2**20


@dataclass(frozen=True)
class _Process:
    """A judge or a zygote."""

    channel: Channel
    pidfd: int

    def end(self) -> None:
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        _readable([self.pidfd], _ANSWER_SECONDS)
        os.close(self.pidfd)


class Slot(AbstractContextManager["Slot"]):
    """One judge and one zygote; runs one job after another."""

    def __init__(self, template: Template, judge: str, settings: Mapping[str, Any]) -> None:
        """Starts nothing yet.

        Args:
            template: What both are forked from.
            judge: "module:function", called in the judge with a `Link` and the settings.
            settings: For the judge only; no other process sees them.
        """
        self._template = template
        self._main = judge
        self._settings = dict(settings)
        self._judge: _Process | None = None
        self._zygote: _Process | None = None
        self._group: ControlGroup | None = None
        self._run: StudentRun | None = None
        self._forks = 0
        # For student processes; whatever they leave running there does not slow the judge down.
        self._core = template.next_core()

    def __enter__(self) -> "Slot":
        """Starts the judge and the zygote; does not wait for them."""
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends every process of this slot."""
        self._stop()

    def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Has the judge grade one submission.

        Returns:
            The document that the judge made.

        Raises:
            SandboxFailure: If a process of ours died or did not answer; the next job gets others.
            GraderError: If the judge cannot judge at all; the text is the judge's.
        """
        try:
            if self._judge is None:
                self._start()
            return self._serve(job)
        except OSError as problem:
            self._stop()
            raise SandboxFailure(f"The judge or the zygote has ended ({problem}).") from problem
        except BaseException:
            self._stop()
            raise

    def _start(self) -> None:
        template = self._template
        if template.policy.isolation == "fork":
            self._zygote = self._new_zygote()
        self._judge = _Process(*template.fork("judge"))
        view = template.judge_view
        self._judge.channel.send(
            {
                "view": None if view is None else view.to_json(),
                "closed": template.has_view,
                "boxed": template.boxed,
                "without": sorted(template.policy.without),
                "main": self._main,
                "settings": self._settings,
            }
        )

    def _new_zygote(self) -> _Process:
        template, policy = self._template, self._template.policy
        zygote = _Process(*template.fork("zygote"))
        if template.groups is not None:
            try:
                self._group = ControlGroup(template.groups, policy.limits)
                self._group.add(pid_of(zygote.pidfd))
            except BaseException:
                # Nobody would know of it otherwise.
                zygote.end()
                raise
        view = template.student_view
        zygote.channel.send(
            {
                "mode": template.mode,
                "boxed": template.boxed,
                "core": self._core,
                "view": None if view is None else view.to_json(),
                "readable": [
                    seen if template.has_view else source for source, seen in template.system.binds
                ],
                # A view has them in its own folder; without one they are copied to a new one.
                "files": [
                    f"{HOME}/{path.name}" if template.has_view else str(path)
                    for path in policy.public_files
                ],
                "limits": asdict(policy.limits),
                "without": sorted(policy.without),
            }
        )
        return zygote

    def _stop(self) -> None:
        run, judge = self._run, self._judge
        self._run = self._judge = None
        with contextlib.ExitStack() as stack:
            # Each of them, even if one cannot be ended.
            stack.callback(self._end_zygote)
            if judge is not None:
                stack.callback(judge.end)
            if run is not None:
                stack.callback(run.close)

    def _serve(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Gives the judge a job, and what it asks for until it has finished."""
        channel = self._started().channel
        limits = self._template.policy.limits
        self._next_request(time.monotonic() + _START_SECONDS, ["job"], GraderError)
        channel.send({"job": dict(job)})
        deadline = time.monotonic() + limits.submission_seconds + _JUDGE_SECONDS
        while True:
            request = self._next_request(deadline, ["spawn", "printed", "end", "finish"])
            if request["ask"] == "spawn":
                self._spawn(channel)
            elif request["ask"] == "printed":
                channel.send({"outputs": [] if self._run is None else self._run.printed()})
            elif request["ask"] == "end":
                gone = bool(request.get("gone"))
                channel.send({} if self._run is None else self._run.end(gone))
            else:
                self._end_run()
                channel.send({})
                return dict(request["document"])

    def _started(self) -> _Process:
        if self._judge is None:
            raise SandboxFailure("The slot has not been started.")
        return self._judge

    def _spawn(self, judge: Channel) -> None:
        self._end_run()
        if self._forks == _FORKS_LIMIT:
            self._end_zygote()
        if self._zygote is None:
            self._zygote = self._new_zygote()
        if self._forks == 0 and self._template.policy.isolation == "fork":
            _try_out(self._zygote.channel)
        self._forks += 1
        self._run, connection = StudentRun.start(self._zygote.channel)
        with connection:
            judge.send({"spawned": True}, [connection.fileno()])

    def _end_run(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.close()
            # Without a keeper's word it may have harmed what it was forked from.
            harmed = not (self._template.nests or run.cleared)
            if harmed or self._template.policy.isolation == "exec":
                self._end_zygote()

    def _end_zygote(self) -> None:
        zygote, self._zygote, self._forks = self._zygote, None, 0
        group, self._group = self._group, None
        if zygote is not None:
            zygote.end()
        if group is not None:
            group.close()

    def _next_request(
        self,
        deadline: float,
        expected: Sequence[str],
        failure: type[GraderError] = SandboxFailure,
    ) -> dict[str, Any]:
        """Waits for the judge, and watches the student process meanwhile.

        `failure` is what a judge's own failure is: before its first job, it cannot judge anybody;
        later, it may be one submission's doing.
        """
        channel = self._started().channel
        while True:
            sources = [channel.fileno(), *([] if self._run is None else self._run.sources())]
            ready = _readable(sources, _POLL_SECONDS)
            if self._run is not None:
                self._run.drain()
                self._watch(self._run)
            if channel.fileno() in ready:
                break
            if time.monotonic() > deadline:
                raise SandboxFailure("The judge did not answer in time.")
        request, _ = channel.receive(time.monotonic() + _ANSWER_SECONDS)
        if request.get("ask") == "failed":
            raise failure(str(request.get("text")))
        if request.get("ask") not in expected:
            raise SandboxFailure(f"The judge asked for {request.get('ask')!r}.")
        return request

    def _watch(self, run: StudentRun) -> None:
        policy = self._template.policy
        if "watch" not in policy.without:
            folders = WRITABLE if self._template.has_view else ()
            run.watch(policy.limits.memory_mebibytes * _MEBIBYTE, folders, _POLL_SECONDS)
        if self._group is not None and self._group.ran_out():
            run.kill_for("MEMORY")


def _try_out(zygote: Channel) -> None:
    """Forks a first student process, which must be able to compute.

    A process forked from one that has run an operation of TensorFlow hangs at its first own.

    Raises:
        SandboxFailure: If it could not, within 20 seconds.
    """
    deadline = time.monotonic() + _CANARY_SECONDS
    run, connection = StudentRun.start(zygote)
    try:
        with connection:
            wire.send(connection, wire.Message("cell", {"id": "", "source": _CANARY}), deadline)
            while (reply := wire.receive(connection, deadline)).kind == "output":
                pass
    except (OSError, ProtocolError) as problem:
        raise SandboxFailure(f"{_NO_CANARY} ({problem!r})") from problem
    finally:
        run.close()
    if reply.kind != "done":
        raise SandboxFailure(_NO_CANARY)


def _readable(descriptors: Sequence[int], seconds: float) -> set[int]:
    """Waits for the first of some descriptors to have something to read, or to be closed."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(1000 * seconds)}
