"""Runs the reference, the empty release, the alternatives and the mistakes as submissions.

Each goes through the same sandbox, wire and judge as a student's notebook.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from autograder.course import Assignment, Course, Exercise
from autograder.course.reference_source import solution_code
from autograder.errors import SandboxFailure
from autograder.judge.grader import Grader, Verdict
from autograder.results import CheckResult
from autograder.verify.catalogue import Claim, Entry, claims, entries

__all__ = ["AssignmentProof", "ExerciseProof", "Trial", "verify"]

# Fresh seeds per proof would make a red build unrepeatable; three fixed ones are enough to notice
# a check that passes by luck.
SEEDS = ("verify-1", "verify-2", "verify-3")

Kind = Literal["reference", "stub", "alternative", "mistake"]


@dataclass(frozen=True)
class Trial:
    """One solution, run as a submission, and what it had to show.

    Attributes:
        kind: "reference", "stub", "alternative" or "mistake".
        expected: "passed", "failed", or "undetectable" for a mistake no valid check can see.
        caught_by: The checks that failed, in their order.
        problem: What does not hold, as a sentence, or None.
    """

    kind: Kind
    name: str
    expected: Literal["passed", "failed", "undetectable"]
    caught_by: tuple[str, ...]
    problem: str | None


@dataclass(frozen=True)
class ExerciseProof:
    """What was proved about the checks of one exercise.

    Attributes:
        false_fail_bound: The declared probability that a correct solution fails any check.
        seconds: Wall-clock seconds that the checks took on the reference.
    """

    name: str
    trials: tuple[Trial, ...]
    false_fail_bound: float
    seconds: float

    @property
    def problems(self) -> list[str]:
        """What does not hold, one sentence each."""
        return [f"{self.name}: {trial.problem}" for trial in self.trials if trial.problem]

    def of_kind(self, kind: Kind) -> list[Trial]:
        """Returns the trials of one kind."""
        return [trial for trial in self.trials if trial.kind == kind]

    def to_json(self) -> dict[str, Any]:
        """Returns the exercise's entry in the document of `lgm verify --json`."""
        return {
            "name": self.name,
            "reference": _word(self.of_kind("reference")),
            "stub": _word(self.of_kind("stub")),
            "alternatives": [
                {"name": trial.name, "outcome": "failed" if trial.caught_by else "passed"}
                for trial in self.of_kind("alternative")
            ],
            "mistakes": [
                {
                    "name": trial.name,
                    "expected": trial.expected,
                    "outcome": "failed" if trial.caught_by else "passed",
                    "caught_by": list(trial.caught_by),
                }
                for trial in self.of_kind("mistake")
            ],
            "false_fail_bound": self.false_fail_bound,
            "seconds": round(self.seconds, 3),
            "problems": self.problems,
        }


@dataclass(frozen=True)
class AssignmentProof:
    """What was proved about one assignment, and in which sandbox."""

    name: str
    sandbox: str
    exercises: tuple[ExerciseProof, ...]

    @property
    def problems(self) -> list[str]:
        """What does not hold, one sentence each."""
        return [problem for exercise in self.exercises for problem in exercise.problems]

    def to_json(self) -> dict[str, Any]:
        """Returns the assignment's entry in the document of `lgm verify --json`."""
        return {
            "name": self.name,
            "sandbox": self.sandbox,
            "exercises": [exercise.to_json() for exercise in self.exercises],
        }


def _word(trials: Iterable[Trial]) -> str:
    return "failed" if any(trial.problem for trial in trials) else "passed"


@dataclass(frozen=True)
class _Task:
    kind: Kind
    name: str
    cells: tuple[dict[str, str], ...]
    seed_name: str
    only: tuple[str, ...] | None
    entry: Entry | None = None


def verify(
    course: Course,
    assignment: Assignment,
    jobs: int,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> AssignmentProof:
    """Proves the hidden checks of one assignment.

    Args:
        course: The course.
        assignment: One of its assignments, with hidden checks.
        jobs: How many submissions run at the same time.
        progress: Called with how many are done, how many there are, and what was run.

    Raises:
        DoesNotHold: If the catalogue itself is wrong.
        GraderError: If the sandbox cannot be had or died.
    """
    tasks = _tasks(course, assignment)
    with Grader(course, assignment, own_code=True) as grader:
        verdicts = _run_all(grader, tasks, jobs, progress)
        mode = grader.mode
    catalogue = claims(course, assignment)
    test_cells = {cell.grade_id: cell.id for cell in assignment.cells if cell.kind == "test"}
    proofs = tuple(
        _exercise_proof(exercise, test_cells[exercise.test_cell], tasks, verdicts, catalogue)
        for exercise in assignment.exercises
    )
    return AssignmentProof(assignment.name, mode, proofs)


def _tasks(course: Course, assignment: Assignment) -> list[_Task]:
    solutions = {e.name: solution_code(course, e) for e in assignment.exercises}
    stub = {exercise.name: exercise.stub for exercise in assignment.exercises}
    first, *others = SEEDS
    everything = [exercise.name for exercise in assignment.exercises]
    whole = _cells(assignment, solutions, with_given=True, tests=everything)
    tasks = [_Task("reference", first, whole, first, None)]
    # Entries run without the figures and the training between the exercises; that nothing they
    # need is lost is seen here.
    short = _cells(assignment, solutions)
    tasks += [_Task("reference", seed, short, seed, None) for seed in others]
    tasks.append(_Task("stub", "release", _cells(assignment, stub), first, None))
    for number, entry in enumerate(entries(course, assignment)):
        code = {**solutions, entry.exercise: f"{solutions[entry.exercise]}\n\n\n{entry.code}"}
        seed = SEEDS[number % len(SEEDS)]
        cells = _cells(assignment, code, tests=[entry.exercise])
        tasks.append(_Task(entry.kind, entry.name, cells, seed, (entry.exercise,), entry))
    return tasks


def _cells(
    assignment: Assignment,
    solutions: Mapping[str, str],
    with_given: bool = False,
    tests: Sequence[str] = (),
) -> tuple[dict[str, str], ...]:
    """The cells to run: what stands before the first exercise, the solutions, and what is asked.

    Args:
        assignment: The assignment.
        solutions: The solution cells' code.
        with_given: Whether to run the given code between the exercises, too.
        tests: The exercises whose test cells run.
    """
    cells = []
    begun = False
    for cell in assignment.cells:
        begun = begun or cell.kind == "solution"
        if cell.kind == "solution":
            cells.append({"id": cell.id, "source": solutions[str(cell.grade_id)]})
        elif cell.kind == "test":
            if str(cell.grade_id).removeprefix("test_") in tests:
                cells.append({"id": cell.id, "source": cell.source})
        elif cell.runs and (with_given or not begun):
            cells.append({"id": cell.id, "source": cell.source})
    return tuple(cells)


def _run_all(
    grader: Grader, tasks: Sequence[_Task], jobs: int, progress: Callable[[int, int, str], None]
) -> list[Verdict]:
    verdicts = []
    with grader.slots(jobs) as judging, ThreadPoolExecutor(jobs) as pool:
        futures = [
            pool.submit(judging.grade, task.cells, task.seed_name, task.only) for task in tasks
        ]
        try:
            for future, task in zip(futures, tasks, strict=True):
                verdict = future.result()
                if verdict.undecided:
                    raise SandboxFailure(f"{task.kind} {task.name}: {verdict.undecided}")
                verdicts.append(verdict)
                progress(len(verdicts), len(tasks), task.name)
        finally:
            pool.shutdown(cancel_futures=True)
    return verdicts


def _exercise_proof(
    exercise: Exercise,
    test_cell: str,
    tasks: Sequence[_Task],
    verdicts: Sequence[Verdict],
    catalogue: Sequence[Claim],
) -> ExerciseProof:
    claimed = [claim for claim in catalogue if claim.exercise == exercise.name]
    trials: list[Trial] = []
    seconds = bound = 0.0
    for task, verdict in zip(tasks, verdicts, strict=True):
        if task.only is not None and exercise.name not in task.only:
            continue
        (checks,) = (e.checks for e in verdict.exercises if e.name == exercise.name)
        if task.kind == "reference" and not trials:
            seconds = sum(verdict.check_seconds[check.id] for check in checks)
            bound = sum(verdict.bounds[check.id] for check in checks)
        trials.append(_trial(task, checks, claimed, verdict.cells.get(test_cell)))
    return ExerciseProof(exercise.name, tuple(trials), bound, seconds)


def _trial(
    task: _Task, checks: Sequence[CheckResult], claimed: Sequence[Claim], test_cell: str | None
) -> Trial:
    """Compares what one solution showed with what it had to show.

    Args:
        task: The solution.
        checks: What the checks of one exercise found.
        claimed: What these checks say they catch.
        test_cell: How the exercise's test cell ended, or None if it did not run.
    """
    failed = tuple(check.id for check in checks if check.outcome == "failed")
    undecided = [check.id for check in checks if check.outcome == "undecided"]
    earning = [check.id for check in checks if check.points > 0]
    naming = [claim.check for claim in claimed if task.name in claim.mistakes]
    missed = [check for check in naming if check not in failed]
    shown = any(claim.visible and claim.check in failed for claim in claimed)
    undetectable = task.entry is not None and task.entry.undetectable != ""
    right = task.kind in ("reference", "alternative")
    expected: Literal["passed", "failed", "undetectable"] = "passed" if right else "failed"
    problem = None
    if undecided:
        problem = f"{task.kind} {task.name}: {', '.join(undecided)} could not be decided"
    elif right and failed:
        problem = f"the {task.kind} {task.name} fails {', '.join(failed)}"
    elif task.kind == "stub" and earning:
        problem = f"the empty release earns points in {', '.join(earning)}"
    elif task.kind == "mistake" and undetectable:
        expected = "undetectable"
    elif task.kind == "mistake" and not failed:
        problem = f"the mistake {task.name} passes every check"
    elif task.kind == "mistake" and missed:
        problem = f"the mistake {task.name} passes {', '.join(missed)}, which names it"
    elif test_cell is not None and shown != (test_cell != "done"):
        ends = "passes" if test_cell == "done" else "fails"
        visible = "fails" if shown else "passes"
        problem = f"{task.kind} {task.name} {ends} the test cell and {visible} what repeats it"
    return Trial(task.kind, task.name, expected, failed, problem)
