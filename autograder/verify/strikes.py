"""Counts the strikes of single stages on the reference, in child processes without a sandbox.

A whole check fails right work too rarely to be seen failing. One stage strikes once in a hundred
times, which can be counted, and five in a row must strike.
"""

import hashlib
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from autograder.checks import Observation, Seeds, Stages, inputs_for
from autograder.course import Assignment, Course
from autograder.errors import CheckFailed, GraderError
from autograder.judge.reference import reference_of
from autograder.judge.session import Checks, collected
from autograder.judge.student import LocalTransport, Student
from autograder.sandbox import probes
from autograder.sandbox.wire import Message
from autograder.verify.record import PropertyRecord, Strikes

__all__ = ["Look", "on_reference"]

# Stages per task: long enough to be worth sending, short enough for a bar to move.
_CHUNK = 100


@dataclass(frozen=True)
class Look:
    """What one check is like, seen on the reference.

    Attributes:
        repeats: Whether it asks for random inputs, stages or a generator, so that other seeds can
            make another outcome.
        properties: What it tests by chance where draws are not enumerated, with their strikes.
    """

    exercise: str
    repeats: bool
    properties: tuple[PropertyRecord, ...]


def on_reference(
    course: Course,
    assignment: Assignment,
    checks: Collection[str],
    counts: tuple[int, int],
    jobs: int,
    progress: Callable[[int, int, str], None],
) -> dict[str, Look]:
    """Looks at checks of an assignment, and counts strikes of those that take `stages`.

    Args:
        course: The course; its secret is the master seed.
        assignment: One of its assignments.
        checks: The ids of those to look at.
        counts: Stages of n rows, and of 4 n rows, for each check.
        jobs: Processes at the same time.
        progress: Called with how many stages are drawn, of how many, and for which check.

    Raises:
        GraderError: If a check fails on the reference.
    """
    # Forked children of a process that has run TensorFlow hang.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, _begin, (course, assignment)) as pool:
        seen = pool.submit(_seen, frozenset(checks)).result()
        counted = [check for check, s in seen.items() if s.sizes[0]]
        total = {check: (Counter[str](), Counter[str]()) for check in counted}
        tasks = {
            pool.submit(_strikes, check, size, begin, min(begin + _CHUNK, count)): (check, size)
            for check in counted
            for size, count in enumerate(counts)
            for begin in range(0, count, _CHUNK)
        }
        for done, task in enumerate(as_completed(tasks), 1):
            check, size = tasks[task]
            total[check][size].update(task.result())
            progress(done, len(tasks), check)
    return {
        check: Look(
            s.exercise,
            s.repeats,
            tuple(s.properties(total.get(check, (Counter(), Counter())), counts)),
        )
        for check, s in seen.items()
    }


@dataclass(frozen=True)
class _Noted(Seeds):
    """Seeds that know what they were asked for."""

    asked: set[str] = field(default_factory=set, compare=False)

    def seed(self, purpose: str, stage: int = 0) -> int:
        self.asked.add(purpose)
        return super().seed(purpose, stage)


@dataclass(frozen=True)
class _Seen:
    """A check, run once as it stands and once on a single stage of each size."""

    exercise: str
    repeats: bool
    seeds: Seeds
    sizes: tuple[Mapping[str, int], Mapping[str, int]]

    def properties(
        self, strikes: tuple[Mapping[str, int], Mapping[str, int]], runs: tuple[int, int]
    ) -> list[PropertyRecord]:
        found = []
        names = Counter[str]()
        for risk in self.seeds.risks:
            # As `Observation.note` numbers them.
            names[risk.property] += 1
            number = names[risk.property]
            name = risk.property if number == 1 else f"{risk.property} ({number})"
            counted = [
                Strikes(self.sizes[size][name], runs[size], strikes[size][name])
                for size in (0, 1)
                if name in self.sizes[size]
            ]
            found.append(PropertyRecord(name, risk.method, risk.bound, *counted))
        return found


class _Local:
    """The checks of an assignment and the reference, in this process."""

    def __init__(self, course: Course, assignment: Assignment) -> None:
        sys.path.insert(0, str(course.root))
        self.master = course.secret()
        self.assignment = assignment.name
        folder = course.hidden_folder(assignment.name)
        points = {exercise.name: exercise.points for exercise in assignment.exercises}
        self.checks: Checks = collected(folder, points, lambda checks: checks)
        self.functions: dict[str, Any] = {}
        for answer in reference_of(course, assignment).answers:
            space: dict[str, Any] = {}
            exec(compile(answer.replacement, "<reference>", "exec"), space)  # noqa: S102 (ours)
            self.functions |= {name: space[name] for name in answer.functions}

    def run(self, check: str, seeds: Seeds, observation: Observation | None = None) -> None:
        student = Student(LocalTransport(self.functions), seeds, self.checks.arrays_as)
        makers: dict[str, Callable[[], Any]] = {
            "student": lambda: student,
            "inputs": lambda: inputs_for(seeds),
            "stages": lambda: Stages(seeds, observation),
        }
        function = self.checks.function(check)
        try:
            wanted = {name: makers[name] for name in signature(function).parameters}
        except KeyError as missing:
            raise GraderError(
                f"{check} takes {missing}; a check takes {', '.join(makers)}."
            ) from missing
        try:
            function(**{name: make() for name, make in wanted.items()})
        except CheckFailed as failure:
            raise GraderError(
                f"{check} fails on the reference, under the seeds {seeds.student!r}: "
                f"{failure.seen}; due: {failure.due}"
            ) from failure


class _Compiling:
    """Takes the place of `probes._run`: compiles a draw that is asked for again and again.

    It draws the same numbers. But to call single operations of TensorFlow takes several times as
    long as they do, and the stages of a check differ in nothing but the generator's state.
    """

    # Where inputs differ from stage to stage, no message comes back.
    _AGAIN = 3

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run
        self._asked = Counter[bytes]()
        self._compiled: dict[bytes, tuple[Any, Callable[[], Any]] | None] = {}

    def __call__(
        self,
        message: Message,
        namespace: Mapping[str, Any],
        arguments: Any,  # noqa: ANN401 (of `probes`, private there)
        returned_none: list[str],
    ) -> Any:  # noqa: ANN401
        key, seeds = _apart(message)
        self._asked[key] += 1
        if len(seeds) != 1 or self._asked[key] < self._AGAIN:
            return self._run(message, namespace, arguments, returned_none)
        if key not in self._compiled:
            self._compiled[key] = self._compile(message, namespace, arguments)
        known = self._compiled[key]
        if known is not None:
            generator, call = known
            generator.reset([seeds[0], 0, 0])
            try:
                return call()
            except Exception:
                # What cannot be compiled, or returns something else than tensors, runs as it is.
                self._compiled[key] = None
        return self._run(message, namespace, arguments, returned_none)

    def _compile(
        self,
        message: Message,
        namespace: Mapping[str, Any],
        arguments: Any,  # noqa: ANN401
    ) -> tuple[Any, Callable[[], Any]]:
        import tensorflow

        generator = tensorflow.random.Generator.from_seed(0)
        arguments._generator = lambda content: generator
        given = _Given(arguments.value(message.fields["arguments"]))

        def call() -> Any:  # noqa: ANN401
            result = self._run(message, namespace, given, [])
            if not all(tensorflow.is_tensor(leaf) for leaf in tensorflow.nest.flatten(result)):
                raise TypeError
            return result

        return generator, tensorflow.function(call, autograph=False)


class _Given:
    """Arguments that exist already: inside a compiled function they would have no values."""

    def __init__(self, positional: Any) -> None:  # noqa: ANN401
        self._positional = positional

    def value(self, _: Any) -> Any:  # noqa: ANN401
        return self._positional


def _apart(message: Message) -> tuple[bytes, list[int]]:
    """Returns what a probe asks, and the seeds of the TensorFlow generators it hands over."""
    seeds: list[int] = []

    def without_seeds(leaf: Any) -> Any:  # noqa: ANN401
        if isinstance(leaf, dict):
            rng = leaf.get("rng")
            if isinstance(rng, dict) and rng["library"] == "tensorflow" and "bits" not in rng:
                seeds.append(rng["seed"])
                return "rng"
            return {name: without_seeds(item) for name, item in leaf.items()}
        return [without_seeds(item) for item in leaf] if isinstance(leaf, list) else leaf

    fields = message.fields
    asked = without_seeds(fields["arguments"])
    digest = hashlib.sha256(
        repr([fields["call"], fields["source"], fields["name"], asked]).encode()
    )
    for array in message.arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest(), seeds


_local: list[_Local] = []


def _begin(course: Course, assignment: Assignment) -> None:
    # Each child has a core to itself; TensorFlow would share it among threads.
    os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")
    probes._run = _Compiling(probes._run)
    _local.append(_Local(course, assignment))


def _seen(checks: frozenset[str]) -> dict[str, _Seen]:
    (local,) = _local
    found = {}
    for exercise, ids in local.checks.by_exercise.items():
        for check in (id for id in ids if id in checks):
            fixtures = set(signature(local.checks.function(check)).parameters)
            noted = _Noted(local.master, "look", local.assignment, check)
            local.run(check, noted)
            seeds = noted
            sizes: list[dict[str, int]] = [{}, {}]
            if "stages" in fixtures:
                for size in (0, 1):
                    seeds = _Noted(local.master, f"look {size}", local.assignment, check)
                    observation = Observation(size)
                    local.run(check, seeds, observation)
                    sizes[size] = observation.sizes
            # The process's global generators are seeded for every call, whoever uses them.
            asked = noted.asked - {"student process"}
            found[check] = _Seen(
                exercise,
                bool(asked) or bool(fixtures & {"inputs", "stages"}),
                seeds,
                (sizes[0], sizes[1]),
            )
    return found


def _strikes(check: str, size: int, begin: int, end: int) -> Counter[str]:
    (local,) = _local
    counted = Counter[str]()
    for number in range(begin, end):
        observation = Observation(size)
        local.run(check, Seeds(local.master, f"{size}, {number}", local.assignment, check),
                  observation)  # fmt: skip
        counted.update(name for name, strikes in observation.strikes.items() if strikes)
    return counted
