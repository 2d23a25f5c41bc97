"""Tables and progress bars: what the commands show in a terminal."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from autograder.inert import terminal_text
from autograder.results import SubmissionResult
from autograder.sandbox.selftest import Probe
from autograder.verify import AssignmentProof

__all__ = [
    "GradingProgress",
    "ProofProgress",
    "course_bound",
    "doctor_table",
    "grades_table",
    "proof_table",
]

# A pipe or a log file gets a fixed width, so that what is written does not depend on a window.
_WIDTH_WITHOUT_TERMINAL = 100


def _console(to_stderr: bool = False) -> Console:
    console = Console(stderr=to_stderr, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, highlight=False, width=_WIDTH_WITHOUT_TERMINAL)
    return console


def _safe(text: str) -> str:
    """Text from a submission, without control characters and without our own markup."""
    return escape(terminal_text(text))


class _Bar(AbstractContextManager["_Bar"]):
    def __init__(self, words: str) -> None:
        console = _console(to_stderr=True)
        self._progress = Progress(
            TextColumn(words),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[now]}"),
            console=console,
            transient=True,
            # A log file is no place for a bar.
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, now="importing TensorFlow …")

    def __enter__(self) -> "_Bar":
        self._progress.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.__exit__(kind, value, traceback)


class GradingProgress(_Bar):
    """A bar over submissions, with those that are running."""

    def __init__(self, assignment: str) -> None:
        """Takes the assignment's name."""
        super().__init__(f"grading {escape(assignment)}")
        self._running: list[str] = []
        self._lock = threading.Lock()

    def __enter__(self) -> "GradingProgress":
        """Shows the bar."""
        super().__enter__()
        return self

    def update(
        self, event: str, student: str, result: SubmissionResult | None, total: int
    ) -> None:
        """Takes what `autograder.batch.grade` reports, from any thread."""
        with self._lock:
            if event == "started":
                self._running.append(student)
            elif student in self._running:
                self._running.remove(student)
            self._progress.update(
                self._task,
                total=total,
                advance=1 if event == "finished" else 0,
                now=_safe(", ".join(self._running)[:40]),
            )


class ProofProgress(_Bar):
    """A bar over the solutions that prove an assignment's checks."""

    def __init__(self, assignment: str) -> None:
        """Takes the assignment's name."""
        super().__init__(f"proving {escape(assignment)}")

    def __enter__(self) -> "ProofProgress":
        """Shows the bar."""
        super().__enter__()
        return self

    def update(self, done: int, total: int, name: str) -> None:
        """Takes what `autograder.verify.verify` reports."""
        self._progress.update(self._task, completed=done, total=total, now=escape(name))


_COLOURS = {"graded": "green", "refused": "red", "undecided": "yellow"}


def grades_table(assignment: str, results: Sequence[SubmissionResult]) -> None:
    """Prints a line per submission and a line for the class."""
    table = Table(title=f"{assignment}: automatic points", title_justify="left", box=None)
    table.add_column("student", no_wrap=True, max_width=24)
    table.add_column("status")
    table.add_column("score", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("what happened")
    for result in results:
        colour = _COLOURS[result.status]
        score = "-" if result.score is None else f"{result.score:g} / {result.max_score:g}"
        table.add_row(
            _safe(result.student),
            f"[{colour}]{result.status}[/]",
            score,
            f"{result.seconds:.1f}",
            _safe(_what_happened(result)),
        )
    console = _console()
    console.print(table)
    counts = [f"{sum(r.status == s for r in results)} {s}" for s in _COLOURS]
    console.print(f"\n{len(results)} submissions: {', '.join(counts)}")


def _what_happened(result: SubmissionResult) -> str:
    if result.reason is not None:
        return result.reason
    lost = [e.name for e in result.exercises if e.points < e.max_points]
    words = []
    if lost:
        words.append(
            "lost points in every exercise"
            if len(lost) == len(result.exercises)
            else f"lost points in {', '.join(lost)}"
        )
    if result.repairs:
        count = len(result.repairs)
        words.append(f"{count} repair{'s' if count > 1 else ''}")
    if result.noticed:
        words.append("looks like an attack")
    return "; ".join(words) or "everything right"


def proof_table(proof: AssignmentProof) -> None:
    """Prints a line per exercise, one per check that judges draws, and what does not hold."""
    table = Table(title=f"{proof.name}: proof of the hidden checks (sandbox: {proof.sandbox})",
                  title_justify="left", box=None, padding=(0, 1, 0, 0))  # fmt: skip
    for name in ("exercise", "reference", "stub", "others", "mistakes", "named"):
        table.add_column(name)
    table.add_column("false fails", justify="right")
    table.add_column("s", justify="right")
    for exercise in proof.exercises:
        alternatives, mistakes = exercise.of_kind("alternative"), exercise.of_kind("mistake")
        passing = sum(not trial.caught_by for trial in alternatives)
        visible = [trial for trial in mistakes if trial.expected == "failed"]
        caught = sum(bool(trial.caught_by) for trial in visible)
        unseen = len(mistakes) - len(visible)
        table.add_row(
            exercise.name,
            _ok(not any(trial.problem for trial in exercise.of_kind("reference"))),
            _ok(not any(trial.problem for trial in exercise.of_kind("stub"))),
            f"{passing}/{len(alternatives)}",
            f"{caught}/{len(visible)}" + (f" (+{unseen})" if unseen else ""),
            f"{exercise.diagnosis.named}/{exercise.diagnosis.trials}",
            f"{exercise.false_fail_bound:.1e}" if exercise.false_fail_bound else "0",
            f"{exercise.seconds:.1f}",
        )
    console = _console()
    console.print(table)
    console.print(
        "others: accepted alternatives that pass; mistakes: caught (+ those no check can see); "
        "named: mistakes that the student is told of; false fails: the probability, at most, that "
        "right work loses a point; s: seconds on the reference."
    )
    _chance_table(console, proof)
    diagnosis = proof.diagnosis
    if diagnosis.trials:
        console.print(
            f"\nOf {diagnosis.trials} mistakes, left out of the catalogue one at a time, "
            f"{diagnosis.left_out} would be taken for another (at most "
            f"{diagnosis.left_out_upper:.1%} of all, with 95 % confidence)."
        )
    for problem in proof.problems:
        console.print(f"[red]does not hold[/] {escape(problem)}")
    if not proof.problems:
        console.print("\nEverything holds.")


def _chance_table(console: Console, proof: AssignmentProof) -> None:
    """Prints what calibration measured of the checks that may fail right work by chance."""
    rows = [row for exercise in proof.exercises for row in exercise.checks if row.kind != "exact"]
    if not rows:
        return
    table = Table(title="\nChecks by chance", box=None,
                  title_justify="left", padding=(0, 1, 0, 0))  # fmt: skip
    table.add_column("check", overflow="fold")
    for name in ("bound", "n", "strikes (upper)", "mistakes", "seen when slightly wrong"):
        table.add_column(name)
    for row in rows:
        strikes = f"{row.strikes}/{row.runs} ({row.upper:.4f})" if row.upper else "-"
        power = [
            f"{miss.effect}: {miss.natural.rate:.0%}, {miss.staged.rate:.0%}"
            for miss in row.near_misses
        ]
        table.add_row(
            row.id,
            f"{row.bound:.1e}",
            str(row.n or "-"),
            strikes,
            f"{row.mistakes_caught}/{row.mistakes_named}",
            "\n".join(power),
        )
    console.print(table)
    console.print(
        "n: rows of the first stage; strikes: of right draws, in single stages; seen when "
        "slightly wrong: how often it fails, first as it is written, which is exact where "
        "its draws can be enumerated, then by draws alone."
    )


def course_bound(chance: Mapping[str, Any]) -> None:
    """Prints how likely any right work at all is failed in a term."""
    _console().print(
        f"\nFor {chance['students']} students who do everything right, the probability that any "
        f"of the {chance['checks']} checks of {chance['assignments']} assignment(s) fails any of "
        f"them is at most {chance['bound']:.1e}."
    )


def _ok(holds: bool) -> str:
    return "[green]ok[/]" if holds else "[red]fails[/]"


_MEANING = {
    "full": "every submission has a closed machine of its own.",
    "jail": "submissions run one after another inside one closed box; they may see that there are "
    "others, but neither read nor change them. lgm grade --isolation exec gives each its own box.",
    "weak": "only filters on files and calls; names of this machine's files can be seen, and what "
    "a submission leaves running may go on. lgm grade refuses without --accept-weak-sandbox; use "
    "an account that owns nothing else.",
    "none": "submissions cannot be isolated here; none is graded. lgm demo and lgm verify, which "
    "run the course's own code, still work.",
}


def doctor_table(mode: str, probes: Iterable[Probe]) -> None:
    """Prints what was tried, the mode that this machine permits, and what to do about it."""
    table = Table(title="What student code might try, tried in a sandbox on this machine",
                  title_justify="left", box=None)  # fmt: skip
    for name in ("tried", "outcome"):
        table.add_column(name)
    remedies = []
    for probe in probes:
        colour = "green" if probe.ok else "red"
        table.add_row(_safe(probe.tried), f"[{colour}]{_safe(probe.outcome)}[/]")
        remedies += [probe.remedy] if probe.remedy else []
    console = _console()
    console.print(table)
    colour = {"full": "green", "jail": "yellow"}.get(mode, "red")
    console.print(f"\nMode [{colour}]{mode}[/]: {_MEANING[mode]}")
    for remedy in dict.fromkeys(remedies):
        console.print(f"What to do: {escape(remedy)}")
