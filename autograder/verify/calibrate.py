"""Measures what the checks guarantee, over many seeds, and writes it down: `make calibrate`.

Strikes of single stages are counted on the reference (`strikes`). Whole checks run in the sandbox,
as `lgm verify` runs them: on the reference, each alternative, each mistake that a check names, and
each near miss. All seeds come from one fresh master seed, which the record keeps; none of them
ever grades a student.
"""

import os
import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from autograder.course import Assignment, Course, find_course
from autograder.course.reference_source import solution_code, standalone
from autograder.errors import GraderError, LgmError, UsageError
from autograder.judge.catalogue import Entry, claims, entries
from autograder.judge.grader import Grader, Judging
from autograder.verify.proof import cells_of
from autograder.verify.record import (
    CheckRecord,
    NearMiss,
    Record,
    Repeated,
    files_of,
    load,
    save,
    sources_of,
    statistical_checks,
)
from autograder.verify.strikes import Look, on_reference

__all__ = ["FULL", "QUICK", "Counts", "calibrate"]

_LIBRARIES = ("numpy", "scipy", "tensorflow")

_Told = Callable[[int, int, str], None]
_Group = Literal["right", "mistakes", "natural", "staged"]


@dataclass(frozen=True)
class Counts:
    """How often to run what.

    Attributes:
        first: Stages of n rows, for each statistical check, on the reference.
        later: Stages of 4 n rows, likewise.
        right: Runs of a check on the reference and on each alternative.
        mistakes: Runs of a check on each mistake that it names.
        near_misses: Runs of a statistical check on each near miss, on each of two paths.
        seconds: For one check on one right or wrong solution; a slow one is run less often.
    """

    first: int
    later: int
    right: int
    mistakes: int
    near_misses: int
    seconds: float


FULL = Counts(first=10_000, later=2_500, right=300, mistakes=59, near_misses=200, seconds=6.0)
QUICK = Counts(first=200, later=50, right=3, mistakes=3, near_misses=3, seconds=0.3)


@dataclass(frozen=True)
class _Seeded(Course):
    """The course with the record's seed in the place of the secret that grades students."""

    master_seed: bytes = b""

    def secret(self) -> bytes:
        return self.master_seed


@dataclass(frozen=True)
class _Task:
    """One solution and the checks to be run on it, often.

    Attributes:
        group: What is counted: "natural" and "staged" are the two paths of a near miss.
        seconds: For each check; None where the runs are a claim about a rate, which wants them.
    """

    group: _Group
    name: str
    exercise: str
    cells: Sequence[Mapping[str, str]]
    checks: tuple[str, ...]
    runs: int
    seconds: float | None


def calibrate(
    course: Course,
    assignment: Assignment,
    counts: Counts = FULL,
    jobs: int = 1,
    told: _Told = lambda done, total, name: None,
    by_chance: bool = False,
) -> Record:
    """Calibrates the hidden checks of one assignment; writes nothing.

    What the record that is there says of files of checks that have not changed is kept, if
    nothing else that matters has changed, either.

    Args:
        course: The course.
        assignment: One of its assignments, with hidden checks.
        counts: How often to run what.
        jobs: How many processes draw, and how many submissions run, at the same time.
        told: Called with how much is done, how much there is, and what was run.
        by_chance: Whether to leave out files without a check that may fail right work by chance:
            what `lgm verify` demands, and no more.

    Raises:
        DoesNotHold: If the catalogue itself is wrong.
        GraderError: If a check fails on the reference, or the sandbox cannot be had or died.
    """
    if not course.is_checked(assignment.name):
        raise UsageError(f"{assignment.name} has no hidden checks to calibrate.")
    start = time.monotonic()
    settings = {item.name: getattr(course, item.name) for item in fields(course)}
    seeded = _Seeded(**settings, master_seed=os.urandom(32))
    sources = sources_of(course, assignment.name)
    versions = {"python": platform.python_version()}
    versions |= {library: version(library) for library in _LIBRARIES}
    files = files_of(course, assignment.name)
    chosen = set(files.values())
    if by_chance:
        chosen = {files[check] for check in statistical_checks(course, assignment.name)}
    earlier = load(course, assignment.name) if counts == FULL else None
    kept_files = earlier.still_holding(sources, versions) if earlier else frozenset()
    new = [check for check, file in files.items() if file in chosen - kept_files]
    looks = on_reference(seeded, assignment, new, (counts.first, counts.later), jobs, told)
    catalogue = entries(course, assignment)
    tasks = list(_tasks(course, assignment, catalogue, looks, counts))
    found = defaultdict(list)
    for task, counted in _run_all(seeded, assignment, tasks, jobs, told):
        for check, repeated in counted.items():
            found[check, task.group].append(repeated)
    effects = {(entry.exercise, entry.name): entry.effect for entry in catalogue}
    measured = {
        check: CheckRecord(
            id=check,
            exercise=look.exercise,
            repeats=look.repeats,
            properties=look.properties,
            right=tuple(found[check, "right"]),
            mistakes=tuple(found[check, "mistakes"]),
            near_misses=tuple(
                NearMiss(natural.name, effects[look.exercise, natural.name], natural, staged)
                for natural, staged in zip(
                    found[check, "natural"], found[check, "staged"], strict=True
                )
            ),
        )
        for check, look in looks.items()
    }
    seeds = {files[check]: seeded.secret().hex() for check in new}
    if earlier is not None:
        measured |= {check.id: check for check in earlier.checks if check.id not in new}
        seeds |= {file: earlier.master_seeds[file] for file in kept_files}
    return Record(
        assignment=assignment.name,
        date=datetime.now(UTC).date().isoformat(),
        quick=counts != FULL,
        master_seeds=seeds,
        seconds=time.monotonic() - start,
        versions=versions,
        sources=sources,
        checks=tuple(measured[check] for check in files if check in measured),
    )


def _tasks(
    course: Course,
    assignment: Assignment,
    catalogue: Sequence[Entry],
    looks: Mapping[str, Look],
    counts: Counts,
) -> Iterator[_Task]:
    """What repeating can show something of: deterministic checks are left to `lgm verify`."""
    solutions = {e.name: solution_code(course, e) for e in assignment.exercises}
    named = {claim.check: claim.mistakes for claim in claims(course, assignment)}
    chance = statistical_checks(course, assignment.name)
    seconds = counts.seconds

    def cells(exercise: str, code: str) -> Sequence[Mapping[str, str]]:
        return cells_of(assignment, {**solutions, exercise: f"{solutions[exercise]}\n\n\n{code}"})

    for exercise in assignment.exercises:
        name = exercise.name
        own = [check for check, look in looks.items() if look.repeats and look.exercise == name]
        tested = tuple(check for check in own if check in chance)
        yield _Task("right", "reference", name, cells(name, ""), tuple(own), counts.right, seconds)
        for entry in catalogue:
            if entry.exercise != name:
                continue
            code = standalone(course, entry.source)
            given = cells(name, code)
            if entry.kind == "alternative":
                yield _Task("right", entry.name, name, given, tuple(own), counts.right, seconds)
            elif entry.kind == "mistake":
                checks = tuple(check for check in own if entry.name in named[check])
                yield _Task("mistakes", entry.name, name, given, checks, counts.mistakes, seconds)
            else:
                drawing = cells(name, code + _not_enumerable(exercise.functions))
                runs = counts.near_misses
                yield _Task("natural", entry.name, name, given, tested, runs, None)
                yield _Task("staged", entry.name, name, drawing, tested, runs, None)


def _not_enumerable(functions: Sequence[str]) -> str:
    """Code that has functions draw one number more, of a kind that is not enumerated."""
    lines = [
        "",
        "def _drawing_one_more(function):",
        "    def call(*arguments):",
        "        for argument in arguments:",
        '            if hasattr(argument, "normal"):',
        "                argument.normal(())",
        "        return function(*arguments)",
        "    return call",
        *(f"{name} = _drawing_one_more({name})" for name in functions),
    ]
    return "\n".join(lines)


def _run_all(
    course: Course, assignment: Assignment, tasks: Sequence[_Task], jobs: int, told: _Told
) -> list[tuple[_Task, dict[str, Repeated]]]:
    """Runs the tasks and returns what each showed, in their order."""
    with (
        Grader(course, assignment, own_code=True) as grader,
        grader.slots(jobs) as judging,
        ThreadPoolExecutor(jobs) as pool,
    ):
        futures = {pool.submit(_repeated, judging, task): task for task in tasks}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                told(done, len(tasks), f"{futures[future].exercise}: {futures[future].name}")
        finally:
            pool.shutdown(cancel_futures=True)
    return [(task, future.result()) for future, task in futures.items()]


def _repeated(judging: Judging, task: _Task) -> dict[str, Repeated]:
    """Runs a task's checks as often as it says, or as its seconds allow."""
    if not task.checks:
        return {}
    seeds = [f"{task.group}, {number}" for number in range(task.runs)]
    runs, failed = Counter[str](), Counter[str]()
    for verdict in judging.repeat(task.cells, seeds, task.checks, task.seconds):
        results = [check for exercise in verdict.exercises for check in exercise.checks]
        open_ = [check.id for check in results if check.outcome == "undecided"]
        if verdict.undecided or open_:
            said = verdict.undecided or "; ".join([*open_, *verdict.log])
            raise GraderError(f"{task.exercise}: {task.name} could not be decided: {said}")
        runs.update(check.id for check in results)
        failed.update(check.id for check in results if check.outcome == "failed")
    return {check: Repeated(task.name, runs[check], failed[check]) for check in task.checks}


@click.command()
@click.argument("assignments", nargs=-1, metavar="[ASSIGNMENT]...")
@click.option("--quick", is_flag=True, help="Small counts, to try it out; verify refuses them.")
@click.option(
    "--by-chance",
    is_flag=True,
    help="Only files with checks that may fail right work by chance, as verify demands.",
)
def main(assignments: tuple[str, ...], quick: bool, by_chance: bool) -> None:
    """Calibrate the hidden checks and write calibration.json beside them.

    Without a name, all assignments that have hidden checks.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    course = find_course()
    checked = [a.name for a in course.assignments() if course.is_checked(a.name)]
    for name in assignments or checked:
        record = _watched(course, course.assignment(name), QUICK if quick else FULL, by_chance)
        path = save(record, course).relative_to(course.root)
        click.echo(f"{path} is written, after {record.seconds:.0f} seconds.")


def _watched(course: Course, assignment: Assignment, counts: Counts, by_chance: bool) -> Record:
    columns = (BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=Console(stderr=True)) as bar:
        task = bar.add_task("looking at each check", total=None)

        def told(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name)

        jobs = len(os.sched_getaffinity(0))
        return calibrate(course, assignment, counts, jobs, told, by_chance)


if __name__ == "__main__":
    try:
        main()
    except LgmError as problem:
        click.echo(f"calibrate: {problem}", err=True)
        sys.exit(2 if isinstance(problem, UsageError) else 1)
