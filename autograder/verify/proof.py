"""Runs the reference, the empty release, the alternatives and the mistakes as submissions.

Each goes through the same sandbox, wire and judge as a student's notebook. So does the reference
with one exercise broken after the other: all points of the others must come by follow-through.
Alternatives and mistakes of an exercise run one after another in the process of one submission,
each with the names as the reference left them: to start one for each took most of the time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any, Literal

from scipy import stats

from autograder.course import Assignment, Course, Exercise
from autograder.course.reference_source import solution_code, standalone
from autograder.errors import SandboxFailure
from autograder.judge.catalogue import Claim, Entry, claims, entries
from autograder.judge.diagnosis import recognised
from autograder.judge.grader import Grader, Judging, Verdict
from autograder.results import CheckResult
from autograder.verify.record import CheckRow, Proved, held_to

__all__ = ["AssignmentProof", "ExerciseProof", "Trial", "verify"]

# Fresh seeds per proof would make a red build unrepeatable; three fixed ones are enough to notice
# a check that passes by luck.
SEEDS = ("verify-1", "verify-2", "verify-3")

Kind = Literal["reference", "stub", "alternative", "mistake", "broken"]

# Of catalogued mistakes, each left out in turn, that get another one's name.
MISNAMED_AT_MOST = 0.02


@dataclass(frozen=True)
class Trial:
    """One solution, run as a submission, and what it had to show.

    Attributes:
        kind: "reference", "stub", "alternative", "mistake", or "broken": right but for another
            exercise, which the name says.
        expected: "passed", "failed", or "undetectable" for a mistake no valid check can see.
        caught_by: The checks that failed, in their order.
        problem: What does not hold, as a sentence, or None.
        names: Of a mistake: the mistakes that the student is told of.
        left_out: Of a mistake: those that the student would be told of if it were not catalogued.
        reason: Of a mistake that no valid check can see: why, or "".
    """

    kind: Kind
    name: str
    expected: Literal["passed", "failed", "undetectable"]
    caught_by: tuple[str, ...]
    problem: str | None
    names: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """How catalogued mistakes were recognised, and how often one would be taken for another.

    Attributes:
        trials: Mistakes that were caught.
        named: Those that were named themselves, or by another's hint that is the same.
        misnamed: Those that were given another hint.
        left_out: Those that would get another hint if they were not in the catalogue.
    """

    trials: int
    named: int
    misnamed: int
    left_out: int

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> "Diagnosis":
        """Counts over trials of mistakes."""
        caught = [trial for trial in trials if trial.caught_by]
        misnamed = [trial for trial in caught if set(trial.names) - {trial.name}]
        named = [trial for trial in caught if trial.names and trial not in misnamed]
        left_out = sum(bool(trial.left_out) for trial in caught)
        return cls(len(caught), len(named), len(misnamed), left_out)

    @property
    def left_out_upper(self) -> float:
        """The 95 % upper confidence bound of the rate of those left out that are misnamed."""
        if self.left_out == self.trials:
            return 1.0
        return float(stats.beta.ppf(0.95, self.left_out + 1, self.trials - self.left_out))

    @property
    def too_many(self) -> bool:
        """Whether more than `MISNAMED_AT_MOST` are misnamed, with 95 % confidence."""
        k, n = self.left_out, self.trials
        return k > 0 and float(stats.beta.ppf(0.05, k, n - k + 1)) > MISNAMED_AT_MOST

    def to_json(self) -> dict[str, Any]:
        """Returns the part of the document of `lgm verify --json`."""
        return {
            "trials": self.trials,
            "named": self.named,
            "misnamed": self.misnamed,
            "unnamed": self.trials - self.named - self.misnamed,
            "left_one_out": {
                "trials": self.trials,
                "misnamed": self.left_out,
                "rate": self.left_out / self.trials if self.trials else 0.0,
                "upper": self.left_out_upper,
            },
        }


@dataclass(frozen=True)
class ExerciseProof:
    """What was proved about the checks of one exercise.

    Attributes:
        seconds: Wall-clock seconds that the checks took on the reference.
        checks: What was proved of each check, and what its calibration record says.
    """

    name: str
    trials: tuple[Trial, ...]
    seconds: float
    checks: tuple[CheckRow, ...] = ()

    @property
    def false_fail_bound(self) -> float:
        """The probability, at most, that a correct solution fails any check."""
        return sum(check.bound for check in self.checks)

    @property
    def problems(self) -> list[str]:
        """What does not hold, one sentence each."""
        return [f"{self.name}: {trial.problem}" for trial in self.trials if trial.problem]

    def of_kind(self, kind: Kind) -> list[Trial]:
        """Returns the trials of one kind."""
        return [trial for trial in self.trials if trial.kind == kind]

    @property
    def diagnosis(self) -> "Diagnosis":
        """What was said about its mistakes."""
        return Diagnosis.of(self.of_kind("mistake"))

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
                    "reason": trial.reason,
                    "outcome": "failed" if trial.caught_by else "passed",
                    "caught_by": list(trial.caught_by),
                    "named": list(trial.names),
                    "named_if_left_out": list(trial.left_out),
                }
                for trial in self.of_kind("mistake")
            ],
            "follow_through": [
                {"broken": trial.name, "outcome": "failed" if trial.problem else "passed"}
                for trial in self.of_kind("broken")
            ],
            "diagnosis": self.diagnosis.to_json(),
            "checks": [check.to_json() for check in self.checks],
            "false_fail_bound": self.false_fail_bound,
            "seconds": round(self.seconds, 3),
            "problems": self.problems,
        }


@dataclass(frozen=True)
class AssignmentProof:
    """What was proved about one assignment, and in which sandbox.

    Attributes:
        record_problems: What keeps the checks from being held to their calibration record.
    """

    name: str
    sandbox: str
    exercises: tuple[ExerciseProof, ...]
    record_problems: tuple[str, ...] = ()

    @property
    def diagnosis(self) -> Diagnosis:
        """What was said about the mistakes of all exercises."""
        return Diagnosis.of([trial for e in self.exercises for trial in e.of_kind("mistake")])

    @property
    def problems(self) -> list[str]:
        """What does not hold, one sentence each."""
        found = [problem for exercise in self.exercises for problem in exercise.problems]
        if self.diagnosis.too_many:
            found.append(
                f"{self.diagnosis.left_out} of {self.diagnosis.trials} mistakes, if they were not "
                f"catalogued, would be taken for others; at most {MISNAMED_AT_MOST:.0%} may be."
            )
        return [*found, *self.record_problems]

    def to_json(self) -> dict[str, Any]:
        """Returns the assignment's entry in the document of `lgm verify --json`."""
        return {
            "name": self.name,
            "sandbox": self.sandbox,
            "exercises": [exercise.to_json() for exercise in self.exercises],
            "diagnosis": self.diagnosis.to_json(),
            "problems": self.problems,
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
    catalogue = entries(course, assignment)
    solutions = {e.name: solution_code(course, e) for e in assignment.exercises}
    tasks = _tasks(course, assignment, catalogue, solutions)
    given = cells_of(assignment, solutions)
    with Grader(course, assignment, own_code=True) as grader:
        verdicts = _run_all(grader, tasks, given, jobs, progress)
        mode = grader.mode
    claimed = claims(course, assignment)
    proofs = tuple(
        _exercise_proof(_Subject.of(assignment, exercise, claimed, catalogue), tasks, verdicts)
        for exercise in assignment.exercises
    )
    proved = _proved(proofs, claimed, verdicts[0])
    rows, problems = held_to(course, assignment.name, proved)
    proofs = tuple(
        replace(proof, checks=tuple(rows[i.id] for i in proved if i.exercise == proof.name))
        for proof in proofs
    )
    return AssignmentProof(assignment.name, mode, proofs, tuple(problems))


def _proved(
    proofs: Sequence[ExerciseProof], claimed: Sequence[Claim], reference: Verdict
) -> list[Proved]:
    """What was seen of each check, in the order of the notebook."""
    named = {claim.check: claim.mistakes for claim in claimed}
    found = []
    for proof in proofs:
        catches = Counter(
            (check, trial.name) for trial in proof.of_kind("mistake") for check in trial.caught_by
        )
        for check in (check.id for check in _checks(reference, proof.name)):
            caught = sum((check, mistake) in catches for mistake in named[check])
            seconds = reference.check_seconds[check]
            bound = reference.bounds[check]
            found.append(Proved(check, proof.name, bound, seconds, named[check], caught))
    return found


def _tasks(
    course: Course,
    assignment: Assignment,
    catalogue: Sequence[Entry],
    solutions: Mapping[str, str],
) -> list[_Task]:
    stub = {exercise.name: exercise.stub for exercise in assignment.exercises}
    first, *others = SEEDS
    everything = [exercise.name for exercise in assignment.exercises]
    whole = cells_of(assignment, solutions, with_given=True, tests=everything)
    tasks = [_Task("reference", first, whole, first, None)]
    # Entries run without the figures and the training between the exercises; that nothing they
    # need is lost is seen here.
    short = cells_of(assignment, solutions)
    tasks += [_Task("reference", seed, short, seed, None) for seed in others]
    tasks.append(_Task("stub", "release", cells_of(assignment, stub), first, None))
    for exercise in everything:
        broken = cells_of(assignment, {**solutions, exercise: stub[exercise]})
        tasks.append(_Task("broken", exercise, broken, first, None))
    for number, entry in enumerate(catalogue):
        if entry.kind == "near_miss":
            # Nothing is demanded of it; calibration measures how often it fails.
            continue
        code = f"{solutions[entry.exercise]}\n\n\n{standalone(course, entry.source)}"
        tests = [c for c in assignment.cells if c.grade_id == f"test_{entry.exercise}"]
        sources = {f"entry-{entry.name}": code, **{c.id: c.source for c in tests}}
        cells = tuple({"id": id, "source": source} for id, source in sources.items())
        seed = SEEDS[number % len(SEEDS)]
        tasks.append(_Task(entry.kind, entry.name, cells, seed, (entry.exercise,), entry))
    return tasks


def cells_of(
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
    grader: Grader,
    tasks: Sequence[_Task],
    given: Sequence[Mapping[str, str]],
    jobs: int,
    progress: Callable[[int, int, str], None],
) -> list[Verdict]:
    # Entries of an exercise with one seed share the process in which `given` has run; the judge
    # keeps what their mistakes showed.
    groups: dict[object, list[_Task]] = {}
    for task in tasks:
        key = id(task) if task.entry is None else (task.only, task.seed_name)
        groups.setdefault(key, []).append(task)
    with grader.slots(jobs) as judging, ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(_run, judging, group, given): group for group in groups.values()}
        verdicts = {}
        try:
            for future in as_completed(futures):
                group = futures[future]
                for task, verdict in zip(group, future.result(), strict=True):
                    if verdict.undecided:
                        raise SandboxFailure(f"{task.kind} {task.name}: {verdict.undecided}")
                    verdicts[id(task)] = verdict
                progress(len(verdicts), len(tasks), group[-1].name)
        finally:
            pool.shutdown(cancel_futures=True)
    return [verdicts[id(task)] for task in tasks]


def _run(
    judging: Judging, group: Sequence[_Task], given: Sequence[Mapping[str, str]]
) -> list[Verdict]:
    first = group[0]
    if first.entry is None:
        return [judging.grade(first.cells, first.seed_name, first.only)]
    variants = [task.cells for task in group]
    return judging.vary(given, variants, first.seed_name, first.only)


@dataclass(frozen=True)
class _Subject:
    """The exercise that a proof is about.

    Attributes:
        test_cell: The id of its test cell.
        claims: What its checks say of themselves.
        mistakes: Its catalogued mistakes, by name.
    """

    exercise: Exercise
    test_cell: str
    claims: tuple[Claim, ...]
    mistakes: Mapping[str, Entry]

    @classmethod
    def of(
        cls,
        assignment: Assignment,
        exercise: Exercise,
        claimed: Sequence[Claim],
        catalogue: Sequence[Entry],
    ) -> "_Subject":
        own = [e for e in catalogue if e.exercise == exercise.name and e.kind == "mistake"]
        return cls(
            exercise,
            next(cell.id for cell in assignment.cells if cell.grade_id == exercise.test_cell),
            tuple(claim for claim in claimed if claim.exercise == exercise.name),
            {entry.name: entry for entry in own},
        )


def _exercise_proof(
    subject: _Subject, tasks: Sequence[_Task], verdicts: Sequence[Verdict]
) -> ExerciseProof:
    name = subject.exercise.name
    trials: list[Trial] = []
    seconds = 0.0
    for task, verdict in zip(tasks, verdicts, strict=True):
        is_broken_itself = task.kind == "broken" and task.name == name
        if is_broken_itself or (task.only is not None and name not in task.only):
            continue
        if task.kind == "reference" and not trials:
            checks = _checks(verdict, name)
            seconds = sum(verdict.check_seconds[check.id] for check in checks)
        trials.append(_trial(task, verdict, subject))
    return ExerciseProof(name, tuple(trials), seconds)


def _checks(verdict: Verdict, exercise: str) -> tuple[CheckResult, ...]:
    (checks,) = (e.checks for e in verdict.exercises if e.name == exercise)
    return checks


def _trial(task: _Task, verdict: Verdict, subject: _Subject) -> Trial:
    """Compares what one solution showed with what it had to show."""
    checks = _checks(verdict, subject.exercise.name)
    failed = tuple(check.id for check in checks if check.outcome == "failed")
    undecided = [check.id for check in checks if check.outcome == "undecided"]
    if undecided:
        reason = f"{task.kind} {task.name}: {', '.join(undecided)} could not be decided"
        return Trial(task.kind, task.name, "passed", failed, reason)
    if task.kind == "mistake":
        return _of_mistake(task, verdict, subject, failed)
    problem: str | None = None
    if task.kind == "stub":
        earning = [check.id for check in checks if check.points > 0]
        if earning:
            problem = f"the empty release earns points in {', '.join(earning)}"
        return Trial(task.kind, task.name, "failed", failed, problem)
    if failed and task.kind == "broken":
        problem = (
            f"with {task.name} broken, {', '.join(failed)} fails for good: its depends_on must "
            f"name every exercise whose functions it runs"
        )
    elif failed:
        problem = f"the {task.kind} {task.name} fails {', '.join(failed)}"
    else:
        problem = _cell_apart(task, verdict, subject, failed)
    return Trial(task.kind, task.name, "passed", failed, problem)


def _of_mistake(
    task: _Task, verdict: Verdict, subject: _Subject, failed: tuple[str, ...]
) -> Trial:
    entry = subject.mistakes[task.name]
    naming = [claim.check for claim in subject.claims if task.name in claim.mistakes]
    missed = [check for check in naming if check not in failed]
    told = [
        check.mistake.partition("_")[2]
        for check in _checks(verdict, subject.exercise.name)
        if check.mistake is not None
    ]
    # Another one's name with the same hint tells the student the same.
    names = {task.name if subject.mistakes[name].hint == entry.hint else name for name in told}
    left_out = {
        mistake.name
        for matches in verdict.matches.values()
        if (mistake := recognised((subject.mistakes[m] for m in matches), left_out=entry))
    }
    problem: str | None = None
    if not entry.undetectable and not failed:
        problem = f"the mistake {task.name} passes every check"
    elif not entry.undetectable and missed:
        problem = f"the mistake {task.name} passes {', '.join(missed)}, which names it"
    elif names - {task.name}:
        others = ", ".join(sorted(names - {task.name}))
        problem = f"the mistake {task.name} is taken for {others}"
    else:
        problem = _cell_apart(task, verdict, subject, failed)
    return Trial(
        task.kind,
        task.name,
        "undetectable" if entry.undetectable else "failed",
        failed,
        problem,
        tuple(sorted(names)),
        tuple(sorted(left_out)),
        entry.undetectable,
    )


def _cell_apart(
    task: _Task, verdict: Verdict, subject: _Subject, failed: Sequence[str]
) -> str | None:
    """Says if the exercise's test cell shows something else than the checks that repeat it."""
    outcome = verdict.cells.get(subject.test_cell)
    shown = any(claim.visible and claim.check in failed for claim in subject.claims)
    if outcome is None or shown == (outcome != "done"):
        return None
    ends = "passes" if outcome == "done" else "fails"
    visible = "fails" if shown else "passes"
    return f"{task.kind} {task.name} {ends} the test cell and {visible} what repeats it"
