"""One pytest session that collects the hidden checks once and runs them once per submission."""

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from _pytest.runner import runtestprotocol

from autograder.checks import declared, inputs_for, stages_for
from autograder.errors import CheckFailed, GraderError, RunEnded, SandboxFailure
from autograder.judge.catalogue import Entry
from autograder.judge.student import Student
from autograder.results import CheckResult, ExerciseResult
from autograder.sandbox.wire import Message

__all__ = ["Checks", "Finding", "collected"]

# Of the same exercise: a function that hangs once is asked again, one that hangs twice is not.
TIMEOUTS_ALLOWED = 2

_Connect = Callable[[str, str], Student]
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Finding:
    """What one check found, with what only tutors and proofs read.

    Attributes:
        bound: The declared probability that a correct solution fails, or 0.
        seconds: Wall-clock time.
        log: For the tutor: what went wrong on our side, or what an exception said.
        failure: What failed the check, or None.
        exchanges: If it failed, what the student was asked and answered.
    """

    result: CheckResult
    bound: float
    seconds: float
    log: tuple[str, ...] = ()
    failure: CheckFailed | None = None
    exchanges: tuple[tuple[Message, Message], ...] = ()


@dataclass
class _Running:
    """The check that runs now: whom it asks, and what it raised."""

    connect: _Connect
    student: Student | None = None
    raised: BaseException | None = None


def _one_line(text: str) -> str:
    return " ".join(text.split())


def message(failure: CheckFailed) -> str:
    """Returns the lines that a student reads below the check's sentence."""
    lines = [
        ("what", failure.property),
        ("call", failure.call),
        ("seen", failure.seen),
        ("due", failure.due),
    ]
    return "\n".join(f"{name:<6} {_one_line(text)}" for name, text in lines if text)


class Checks:
    """The checks of one assignment, collected, in the order of their files.

    Attributes:
        exercises: Exercise names, in the order of the notebook.
        mistakes: The catalogued mistakes, as `autograder.checks.declared` finds them.
        alternatives: The accepted alternatives, likewise.
        near_misses: What is wrong by a little, likewise.
        arrays_as: What students work on, "numpy" or "tensorflow": `ARRAYS` of the conftest.
    """

    def __init__(self, points: Mapping[str, float]) -> None:
        """Takes the automatic points of each exercise, in the notebook's order."""
        self.exercises = dict(points)
        self.mistakes: list[Any] = []
        self.alternatives: list[Any] = []
        self.near_misses: list[Any] = []
        self.arrays_as = "numpy"
        self._items: dict[str, list[pytest.Item]] = {name: [] for name in points}
        self._problems: list[str] = []
        self._running: _Running | None = None

    # What pytest calls.

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keeps what went wrong while a file was imported."""
        if report.failed:
            self._problems.append(str(report.longrepr))

    @pytest.hookimpl
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Sorts the checks by exercise and refuses a set that cannot be right."""
        for plugin in session.config.pluginmanager.get_plugins():
            self.arrays_as = getattr(plugin, "ARRAYS", self.arrays_as)
        if not session.items and not self._problems:
            self._problems.append("no check was found")
        modules: dict[str, Any] = {}
        seen: dict[str, str] = {}
        for item in session.items:
            function, module = getattr(item, "function", None), getattr(item, "module", None)
            record = getattr(function, "__lgm__", None)
            where = f"{Path(str(item.path)).name}, {item.name}"
            if record is None or module is None:
                self._problems.append(f"{where}: a check needs @exercise(name, points=…).")
                continue
            modules[module.__name__] = module
            if record.name not in self._items:
                known = ", ".join(self.exercises)
                self._problems.append(f"{where}: no exercise {record.name!r}; there are {known}.")
                continue
            if item.name in seen:
                self._problems.append(f"{where}: the name stands in {seen[item.name]} already.")
            if not (function.__doc__ or "").strip():
                self._problems.append(f"{where}: the docstring, which students read, is missing.")
            seen[item.name] = Path(str(item.path)).name
            self._items[record.name].append(item)
        for items in self._items.values():
            # The most basic first: what the test cell shows, then what it does not.
            items.sort(key=lambda item: not item.function.__lgm__.visible)  # type: ignore[attr-defined]
        for module in modules.values():
            found = declared(module)
            self.mistakes += found.mistakes
            self.alternatives += found.alternatives
            self.near_misses += found.near_misses
        self._refuse_wrong_points_and_names()

    def _refuse_wrong_points_and_names(self) -> None:
        mistakes = {(mistake.exercise, mistake.name) for mistake in self.mistakes}
        order = list(self._items)
        for name, items in self._items.items():
            earlier = order[: order.index(name)]
            records = [item.function.__lgm__ for item in items]  # type: ignore[attr-defined]
            total = sum(record.points for record in records)
            if total != self.exercises[name]:
                self._problems.append(
                    f"{name}: its checks give {total:g} points, its test cell "
                    f"{self.exercises[name]:g}."
                )
            for item, record in zip(items, records, strict=True):
                for mistake in record.mistakes:
                    if (name, mistake) not in mistakes:
                        self._problems.append(f"{item.name}: no mistake {mistake!r} of {name}.")
                for other in record.depends_on:
                    if other not in earlier:
                        self._problems.append(
                            f"{item.name}: depends on {other!r}, which is no earlier exercise."
                        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Keeps the exception itself; pytest's report holds only text."""
        running = self._running
        if running is not None and call.excinfo is not None and running.raised is None:
            running.raised = call.excinfo.value
        return (yield)

    @pytest.fixture
    def student(self, request: pytest.FixtureRequest) -> Student:
        """The submission, to be spoken to."""
        if self._running is None:
            raise RuntimeError("No check is running.")
        exercise = request.function.__lgm__.name
        self._running.student = self._running.connect(exercise, request.node.name)
        return self._running.student

    @pytest.fixture
    def inputs(self, student: Student) -> Any:  # noqa: ANN401
        """A generator for random inputs, the judge's own."""
        return inputs_for(student.seeds)

    @pytest.fixture
    def stages(self, student: Student) -> Any:  # noqa: ANN401
        """The source of stage seeds."""
        return stages_for(student.seeds)

    # What the judge calls.

    @property
    def by_exercise(self) -> dict[str, list[str]]:
        """The ids of each exercise's checks, in the order in which they run."""
        return {name: [item.name for item in items] for name, items in self._items.items()}

    @property
    def depends_on(self) -> dict[str, frozenset[str]]:
        """The exercises whose functions each check also runs."""
        return {
            item.name: frozenset(item.function.__lgm__.depends_on)  # type: ignore[attr-defined]
            for items in self._items.values()
            for item in items
        }

    def naming(self, mistake: Entry) -> set[str]:
        """Returns the checks that say they catch a mistake."""
        return {
            item.name
            for item in self._items[mistake.exercise]
            if mistake.name in item.function.__lgm__.mistakes  # type: ignore[attr-defined]
        }

    def failed_exercises(self, findings: Mapping[str, Finding]) -> frozenset[str]:
        """Returns the exercises of which any check failed."""
        return frozenset(
            name
            for name, ids in self.by_exercise.items()
            if any(id in findings and findings[id].result.outcome == "failed" for id in ids)
        )

    def function(self, check: str) -> Callable[..., None]:
        """Returns a check itself: a function of the fixtures that its arguments name."""
        (item,) = (i for items in self._items.values() for i in items if i.name == check)
        return item.function  # type: ignore[attr-defined,no-any-return]

    def attempt(self, check: str, student: Student) -> BaseException | None:
        """Runs one check on a student; returns what it raised, or None if it passed.

        Raises:
            SandboxFailure: If a process of ours died.
        """
        (item,) = (i for items in self._items.values() for i in items if i.name == check)
        running, reports = self._asked(item, lambda exercise, id: student)
        if isinstance(running.raised, SandboxFailure):
            raise running.raised
        if running.raised is None and not all(report.passed for report in reports):
            return GraderError(f"{check} could not be run.")
        return running.raised

    def run(
        self, connect: _Connect, only: Iterable[str] | None = None, only_visible: bool = False
    ) -> tuple[list[ExerciseResult], dict[str, Finding]]:
        """Runs the checks of all exercises, or of some, once.

        Args:
            connect: Called before each check with the exercise and the check's id; returns the
                student to speak to.
            only: Names of exercises, or of single checks.
            only_visible: Whether the others, which no notebook shows, are left undecided.

        Returns:
            The exercises' results in the notebook's order, and the findings by check id.

        Raises:
            SandboxFailure: If a process of ours died; nothing is decided then.
        """
        results, findings = [], {}
        wanted = {*self.exercises} if only is None else {*only}
        for name in self.exercises:
            items = [item for item in self._items[name] if wanted & {name, item.name}]
            if not items and name not in wanted:
                continue
            timeouts = 0
            outcomes = []
            for item in items:
                if only_visible and not item.function.__lgm__.visible:  # type: ignore[attr-defined]
                    finding = _left_open(item)
                elif timeouts < TIMEOUTS_ALLOWED:
                    finding, ended = self._run_one(item, connect)
                    timeouts += ended == "TIMEOUT"
                else:
                    finding = _not_asked_again(item)
                findings[item.name] = finding
                outcomes.append(finding.result)
            results.append(ExerciseResult(name, self.exercises[name], tuple(outcomes)))
        return results, findings

    def _run_one(self, item: pytest.Item, connect: _Connect) -> tuple[Finding, str | None]:
        record = item.function.__lgm__  # type: ignore[attr-defined]
        start = time.monotonic()
        running, reports = self._asked(item, connect)
        seconds = time.monotonic() - start
        raised, student = running.raised, running.student
        bound = sum(bound for _, bound in student.bounds) if student is not None else 0.0
        log = list(student.log) if student is not None else []
        if raised is None and all(report.passed for report in reports):
            result = CheckResult(item.name, "passed", record.points, record.points)
            return Finding(result, bound, seconds, tuple(log)), None
        if isinstance(raised, SandboxFailure):
            raise raised
        ended = raised.result_class if isinstance(raised, RunEnded) else None
        if isinstance(raised, CheckFailed):
            text, outcome = message(raised), "failed"
        elif isinstance(raised, RunEnded):
            text, outcome = f"seen   {_one_line(str(raised))}", "failed"
        else:
            # Whatever else is raised inside a check is our fault, never the student's.
            text = "seen   the grader could not decide this; a tutor will look"
            outcome = "undecided"
            log += [str(report.longrepr) for report in reports if not report.passed]
        result = CheckResult(item.name, outcome, 0, record.points, text)  # type: ignore[arg-type]
        finding = Finding(result, bound, seconds, tuple(log))
        if student is not None and isinstance(raised, CheckFailed):
            # The exception would keep every frame of the check alive.
            failure = raised.with_traceback(None)
            finding = replace(finding, failure=failure, exchanges=tuple(student.exchanges))
        return finding, ended

    def _asked(
        self, item: pytest.Item, connect: _Connect
    ) -> tuple[_Running, list[pytest.TestReport]]:
        running = self._running = _Running(connect)
        return running, runtestprotocol(item, nextitem=None, log=False)


def _left_open(item: pytest.Item) -> Finding:
    points = item.function.__lgm__.points  # type: ignore[attr-defined]
    text = "seen   not run: this machine cannot keep hidden checks from a submission"
    return Finding(CheckResult(item.name, "undecided", 0, points, text), 0.0, 0.0)


def _not_asked_again(item: pytest.Item) -> Finding:
    points = item.function.__lgm__.points  # type: ignore[attr-defined]
    text = "seen   this exercise was stopped for taking too long before; it was not asked again"
    return Finding(CheckResult(item.name, "failed", 0, points, text), 0.0, 0.0)


@contextmanager
def _default_options() -> Iterator[None]:
    """Keeps pytest's options and warning filters of whoever runs this away from the checks."""
    before = os.environ.pop("PYTEST_ADDOPTS", None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is not None:
            os.environ["PYTEST_ADDOPTS"] = before


def _forget_modules(folder: Path) -> None:
    """Lets another folder have check files of the same names in this process."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is not None and Path(file).is_relative_to(folder):
            del sys.modules[name]


def collected(
    folder: Path, points: Mapping[str, float], use: Callable[[Checks], _Result]
) -> _Result:
    """Collects the checks below `folder` and hands them to `use`, inside one pytest session.

    The project's own pytest options do not apply: with warnings as errors, a student's NaN would
    become our fault.

    Raises:
        GraderError: If the checks cannot be collected, or their points do not add up.
    """
    checks = Checks(points)
    box: list[_Result] = []
    failure: list[BaseException] = []

    class Loop:
        def pytest_configure(self, config: pytest.Config) -> None:
            # To find the sources of each failed check again is most of what a failure costs.
            config.option.tbstyle = "native"

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: pytest.Session) -> bool:
            if not (session.testsfailed or checks._problems):
                try:
                    box.append(use(checks))
                except BaseException as problem:
                    failure.append(problem)
            return True

    arguments = ["--disable-plugin-autoload", "-p", "no:cacheprovider", "-p", "no:terminal"]
    arguments += ["-c", os.devnull, f"--rootdir={folder}", f"--confcutdir={folder}"]
    arguments += ["--import-mode=importlib", "--assert=plain", "-s", str(folder)]
    with _default_options():
        pytest.main(arguments, plugins=[checks, Loop()])
    _forget_modules(folder)
    if failure:
        raise failure[0]
    if not box:
        problems = "\n".join(checks._problems)
        raise GraderError(f"The hidden checks in {folder} cannot be used:\n{problems}")
    return box[0]
