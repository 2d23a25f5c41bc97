"""How the coordinator has submissions judged: one template, and slots that grade in turn."""

import ast
import queue
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from types import TracebackType
from typing import Any, Protocol

from autograder.course import Assignment, Course
from autograder.errors import SandboxFailure, UsageError
from autograder.judge.reference import reference_of
from autograder.results import CheckResult, ExerciseResult
from autograder.sandbox.landlock import landlock_version
from autograder.sandbox.policy import ACCEPTED, LAYERS_OF, MODES, Limits, Policy
from autograder.sandbox.selftest import require
from autograder.sandbox.slot import Slot
from autograder.sandbox.template import Template

__all__ = ["Grader", "Judging", "JudgeSlot", "Verdict"]

_OF_A_CHECK = [field.name for field in fields(CheckResult)]


@dataclass(frozen=True)
class Verdict:
    """What the judge found about one submission.

    Attributes:
        undecided: Why nothing could be decided, or None.
        cells: By cell id, how running it ended ("done", "error", "TIMEOUT", ...).
        outputs: By cell id, nbformat outputs; display material, from the student's side.
        bounds: By check id, the declared probability that a correct solution fails.
        check_seconds: By check id, wall-clock seconds.
        log: For the tutor only.
        matches: By id of a failed check, the catalogued mistakes that agree with what it saw.
        conditions: How it was isolated, beyond the mode: `isolation`, the version of `landlock`,
            the `layers` in place and the `limits`.
        timed_out: Whether something took longer than it may, which a busy machine can be the
            reason of.
        noticed: Sentences on what looks like an attack, for the tutor; no points depend on them.
    """

    undecided: str | None
    seconds: float
    exercises: tuple[ExerciseResult, ...]
    cells: Mapping[str, str]
    outputs: Mapping[str, list[dict[str, Any]]]
    bounds: Mapping[str, float]
    check_seconds: Mapping[str, float]
    log: tuple[str, ...]
    matches: Mapping[str, tuple[str, ...]]
    conditions: Mapping[str, Any] = field(default_factory=dict)
    timed_out: bool = False
    noticed: tuple[str, ...] = ()


class Judging(Protocol):
    """Whoever judges submissions: a slot, or several that take turns."""

    def grade(
        self,
        cells: Sequence[Mapping[str, str]],
        seed_name: str,
        only: Iterable[str] | None = None,
    ) -> Verdict:
        """See `JudgeSlot.grade`."""

    def repeat(
        self,
        cells: Sequence[Mapping[str, str]],
        seed_names: Sequence[str],
        only: Iterable[str] | None = None,
        seconds: float | None = None,
    ) -> list[Verdict]:
        """See `JudgeSlot.repeat`."""

    def vary(
        self,
        cells: Sequence[Mapping[str, str]],
        variants: Sequence[Sequence[Mapping[str, str]]],
        seed_name: str,
        only: Iterable[str] | None = None,
    ) -> list[Verdict]:
        """See `JudgeSlot.vary`."""


class Grader(AbstractContextManager["Grader"]):
    """Starts the template, the only process that imports TensorFlow, and gives out slots."""

    def __init__(
        self,
        course: Course,
        assignment: Assignment,
        own_code: bool = False,
        modes: Sequence[str] = ACCEPTED,
        isolation: str = "fork",
    ) -> None:
        """Starts nothing yet.

        Args:
            course: The course.
            assignment: One of its assignments, with hidden checks.
            own_code: Whether nothing but the course's own code will run, so that a machine that
                cannot isolate it is no reason to stop.
            modes: The sandbox's modes that are accepted otherwise; in "none" only the checks
                that are visible in the notebook are run.
            isolation: "fork", or "exec" for a fresh Python per submission.

        Raises:
            UsageError: If the assignment has no hidden checks.
        """
        if not course.is_checked(assignment.name):
            raise UsageError(
                f"{assignment.name} has no hidden checks: there is no folder "
                f"{course.hidden_folder(assignment.name)}."
            )
        self._settings = _judge_settings(course, assignment)
        folder = course.source_folder(assignment.name)
        self._policy = Policy(
            limits=_limits(course),
            judge_paths=(course.root / "reference", course.hidden_folder(assignment.name)),
            public_files=tuple(
                path
                for path in sorted(folder.iterdir())
                if path.is_file() and path.suffix not in (".ipynb", ".toml")
            ),
            modes=MODES if own_code else tuple(modes),
            isolation=isolation,
        )
        self._own_code = own_code
        self._template = Template(self._policy)

    def __enter__(self) -> "Grader":
        """Starts the template, and tries whether the sandbox holds.

        Raises:
            SandboxUnavailable: If this machine cannot isolate a submission.
            SandboxFailure: If the template did not start.
        """
        self._template.__enter__()
        try:
            if not self._own_code:
                require(self._template)
        except BaseException:
            self._template.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends every process."""
        self._template.__exit__(kind, value, traceback)

    def give_up(self) -> None:
        """Ends every process at once; whoever waits for a verdict is told that there is none."""
        self._template.give_up()

    @property
    def mode(self) -> str:
        """How submissions are isolated here: "full", ..."""
        return self._template.mode

    def slot(self) -> "JudgeSlot":
        """Returns a judge and a zygote of their own, for one submission at a time."""
        # Where nothing keeps student code from reading the hidden checks, they decide nothing.
        only_visible = self.mode == "none" and not self._own_code
        return JudgeSlot(self._template, self._settings | {"only_visible": only_visible})

    @contextmanager
    def slots(self, count: int) -> Iterator[Judging]:
        """Opens several slots; whatever thread asks gets the next idle one."""
        with ExitStack() as stack:
            idle: queue.SimpleQueue[JudgeSlot] = queue.SimpleQueue()
            for _ in range(count):
                idle.put(stack.enter_context(self.slot()))
            yield _Taking(idle)


class _Taking:
    def __init__(self, idle: "queue.SimpleQueue[JudgeSlot]") -> None:
        self._idle = idle

    def grade(
        self,
        cells: Sequence[Mapping[str, str]],
        seed_name: str,
        only: Iterable[str] | None = None,
    ) -> Verdict:
        with self._next() as slot:
            return slot.grade(cells, seed_name, only)

    def repeat(
        self,
        cells: Sequence[Mapping[str, str]],
        seed_names: Sequence[str],
        only: Iterable[str] | None = None,
        seconds: float | None = None,
    ) -> list[Verdict]:
        with self._next() as slot:
            return slot.repeat(cells, seed_names, only, seconds)

    def vary(
        self,
        cells: Sequence[Mapping[str, str]],
        variants: Sequence[Sequence[Mapping[str, str]]],
        seed_name: str,
        only: Iterable[str] | None = None,
    ) -> list[Verdict]:
        with self._next() as slot:
            return slot.vary(cells, variants, seed_name, only)

    @contextmanager
    def _next(self) -> "Iterator[JudgeSlot]":
        slot = self._idle.get()
        try:
            yield slot
        finally:
            self._idle.put(slot)


class JudgeSlot(AbstractContextManager["JudgeSlot"]):
    """One judge, one zygote; grades one submission after another."""

    def __init__(self, template: Template, settings: Mapping[str, Any]) -> None:
        """Starts nothing yet."""
        self._slot = Slot(template, judge="autograder.judge.process:main", settings=dict(settings))
        policy = template.policy
        self._conditions = {
            "isolation": policy.isolation,
            "landlock": landlock_version(),
            "layers": [
                *(layer for layer in LAYERS_OF[template.mode] if layer not in policy.without),
                *(["cgroup"] if template.groups is not None else []),
            ],
            "limits": asdict(policy.limits),
        }

    def __enter__(self) -> "JudgeSlot":
        """Starts the judge and the zygote."""
        self._slot.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends both."""
        self._slot.__exit__(kind, value, traceback)

    def grade(
        self,
        cells: Sequence[Mapping[str, str]],
        seed_name: str,
        only: Iterable[str] | None = None,
    ) -> Verdict:
        """Runs code cells and judges what they define.

        Args:
            cells: The code cells in order, each with `id` and `source`.
            seed_name: Whose seeds to use, usually the student's name.
            only: The exercises to judge, or single checks; all if None.

        A failure of ours is tried once more with fresh processes; then it is undecided.
        """
        return self._judge(cells, [seed_name], only)[0]

    def repeat(
        self,
        cells: Sequence[Mapping[str, str]],
        seed_names: Sequence[str],
        only: Iterable[str] | None = None,
        seconds: float | None = None,
    ) -> list[Verdict]:
        """Runs code cells once, and the checks under several seeds, each as it stands.

        For proofs: there is neither follow-through nor diagnosis. A check that has taken
        `seconds` in all is left out of the verdicts that follow. Otherwise as `grade`.
        """
        return self._judge(cells, seed_names, only, repeats=True, seconds=seconds)

    def vary(
        self,
        cells: Sequence[Mapping[str, str]],
        variants: Sequence[Sequence[Mapping[str, str]]],
        seed_name: str,
        only: Iterable[str] | None = None,
    ) -> list[Verdict]:
        """Runs code cells once, and after them the cells of one variant after the other.

        For proofs, of the course's own code: a variant begins with the names as they were after
        `cells`, in a process that others have used before. There is no follow-through. Otherwise
        as `grade`, for each variant.
        """
        return self._judge(cells, [seed_name], only, variants=[_plain(v) for v in variants])

    def _judge(
        self,
        cells: Sequence[Mapping[str, str]],
        seed_names: Sequence[str],
        only: Iterable[str] | None,
        repeats: bool = False,
        seconds: float | None = None,
        variants: Sequence[Sequence[Mapping[str, str]]] | None = None,
    ) -> list[Verdict]:
        job = {
            "cells": _plain(cells),
            "variants": variants,
            "seed_names": list(seed_names),
            "only": None if only is None else list(only),
            "repeats": repeats,
            "seconds": seconds,
        }
        for _ in range(2):
            try:
                document = self._slot.run(job)
            except SandboxFailure as problem:
                document = {"undecided": str(problem), "seconds": 0.0}
            if document["undecided"] is None:
                break
        whole = {key: document[key] for key in ("undecided", "seconds")}
        missing: dict[str, Any] = {"rounds": [[]] * len(seed_names)}
        if variants is None:
            found = [missing | document]
        else:
            found = document.get("variants", [missing] * len(variants))
        return [
            _verdict(whole | one, exercises, self._conditions)
            for one in found
            for exercises in one["rounds"]
        ]


def _plain(cells: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"id": cell["id"], "source": cell["source"]} for cell in cells]


def _verdict(
    document: Mapping[str, Any],
    exercises: Sequence[Mapping[str, Any]],
    conditions: Mapping[str, Any],
) -> Verdict:
    checks = [check for exercise in exercises for check in exercise["checks"]]
    cells = document.get("cells", {})
    return Verdict(
        undecided=document["undecided"],
        seconds=document["seconds"],
        exercises=tuple(
            ExerciseResult(
                exercise["name"],
                exercise["max_points"],
                tuple(
                    CheckResult(**{name: check[name] for name in _OF_A_CHECK})
                    for check in exercise["checks"]
                ),
            )
            for exercise in exercises
        ),
        cells={name: cell["outcome"] for name, cell in cells.items()},
        outputs={name: cell["outputs"] for name, cell in cells.items()},
        bounds={check["id"]: check["bound"] for check in checks},
        check_seconds={check["id"]: check["seconds"] for check in checks},
        log=tuple(f"{check['id']}: {line}" for check in checks for line in check["log"]),
        matches={id: tuple(names) for id, names in document.get("matches", {}).items()},
        conditions=conditions,
        timed_out=document.get("timed_out", False),
        noticed=tuple(document.get("noticed", ())),
    )


def _limits(course: Course) -> Limits:
    settings = course.settings
    return Limits(
        cell_seconds=settings.cell_seconds,
        probe_seconds=settings.probe_seconds,
        submission_seconds=settings.submission_seconds,
        memory_mebibytes=settings.memory_mebibytes,
        data_mebibytes=settings.data_mebibytes,
        processes=settings.processes,
    )


def _judge_settings(course: Course, assignment: Assignment) -> dict[str, Any]:
    settings = course.settings
    return {
        "root": str(course.root),
        "assignment": assignment.name,
        "points": {exercise.name: exercise.points for exercise in assignment.exercises},
        "signatures": _signatures(assignment),
        "seconds": {
            "cell": settings.cell_seconds,
            "probe": settings.probe_seconds,
            "submission": settings.submission_seconds,
        },
        "reference": reference_of(course, assignment).to_json(),
        "secret": course.secret().hex(),
    }


def _signatures(assignment: Assignment) -> dict[str, list[str]]:
    """Argument names by function, from the source notebook's solution cells; of a class, its own.

    A class is called with the arguments of its `__init__`, but for the first.
    """
    signatures = {}
    for exercise in assignment.exercises:
        for node in ast.parse(exercise.source).body:
            if isinstance(node, ast.FunctionDef):
                signatures[node.name] = [argument.arg for argument in node.args.args]
            elif isinstance(node, ast.ClassDef):
                signatures[node.name] = []
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                        signatures[node.name] = [a.arg for a in method.args.args[1:]]
    return signatures
