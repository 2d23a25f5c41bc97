"""One submission, from its file to its result. Opens no gradebook and writes nothing."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.course import Assignment, CheckInfo, Course, checks_of
from autograder.errors import BadSubmission
from autograder.gradebook import autograded_notebook
from autograder.intake import Submission, read_submission
from autograder.judge.grader import Judging
from autograder.results import CheckResult, ExerciseResult, SubmissionResult

__all__ = ["Graded", "judge_submission", "refused"]


@dataclass(frozen=True)
class Graded:
    """A result, with what is written beside it.

    Attributes:
        submission: The clean submission, or None if it was refused.
        notebook: The autograded notebook, or None if it was refused.
        log: For the tutor only.
        timed_out: Whether something took longer than it may.
    """

    result: SubmissionResult
    submission: Submission | None
    notebook: Mapping[str, Any] | None
    log: tuple[str, ...] = ()
    timed_out: bool = False


def judge_submission(
    course: Course, assignment: Assignment, student: str, judging: Judging, mode: str
) -> Graded:
    """Reads, runs and judges one submission."""
    start = time.monotonic()
    try:
        submission = read_submission(course, assignment, student)
    except BadSubmission as reason:
        seconds = time.monotonic() - start
        return Graded(refused(assignment, student, reason, seconds), None, None)
    # A test cell is not run: the judge repeats its checks, where they count.
    cells = [
        {"id": cell.id, "source": cell.source}
        for cell in submission.cells
        if cell.run and cell.kind != "test"
    ]
    verdict = judging.grade(cells, student)
    checks = checks_of(course, assignment)
    exercises = verdict.exercises or _undecided_exercises(assignment, checks)
    undecided = any(exercise.undecided for exercise in exercises)
    result = SubmissionResult(
        student=student,
        assignment=assignment.name,
        status="undecided" if undecided else "graded",
        max_score=assignment.automatic_points,
        sandbox=mode,
        seconds=time.monotonic() - start,
        exercises=exercises,
        repairs=submission.repairs,
        reason=verdict.undecided,
        conditions=verdict.conditions,
        noticed=verdict.noticed,
    )
    notebook = autograded_notebook(submission, result, verdict.outputs, checks)
    return Graded(result, submission, notebook, verdict.log, verdict.timed_out)


def refused(
    assignment: Assignment, student: str, reason: BadSubmission, seconds: float = 0.0
) -> SubmissionResult:
    """Returns the result of a submission that cannot be graded."""
    return SubmissionResult(
        student=student,
        assignment=assignment.name,
        status="refused",
        max_score=assignment.automatic_points,
        sandbox="none",
        seconds=seconds,
        reason=str(reason),
    )


def _undecided_exercises(
    assignment: Assignment, checks: Sequence[CheckInfo]
) -> tuple[ExerciseResult, ...]:
    return tuple(
        ExerciseResult(
            exercise.name,
            exercise.points,
            tuple(
                CheckResult(check.id, "undecided", 0, check.points, "a tutor will look at this")
                for check in checks
                if check.exercise == exercise.name
            ),
        )
        for exercise in assignment.exercises
    )
