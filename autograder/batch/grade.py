"""Grades the submissions of an assignment: in parallel judged, one after another written."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from autograder.batch.lock import locked
from autograder.batch.one import Graded, judge_submission
from autograder.course import Assignment, Course, is_name
from autograder.errors import UsageError
from autograder.gradebook import Book, write_autograded
from autograder.judge.grader import Grader
from autograder.results import SubmissionResult
from autograder.sandbox.policy import ACCEPTED

__all__ = ["grade"]

_log = logging.getLogger(__name__)

Progress = Callable[[str, str, SubmissionResult | None, int], None]


def grade(
    course: Course,
    name: str,
    students: Sequence[str] = (),
    jobs: int = 1,
    progress: Progress = lambda event, student, result, total: None,
    own_code: bool = False,
    modes: Sequence[str] = ACCEPTED,
    isolation: str = "fork",
) -> list[SubmissionResult]:
    """Grades submissions, writes `autograded/` and the gradebook, and returns the results.

    Every submission is written as soon as it is judged. Marks given by hand are kept.

    Args:
        course: The course.
        name: The assignment.
        students: Whose submissions; all that there are if empty.
        jobs: How many run at the same time.
        progress: Called with "started" or "finished", the student, the result and the number of
            submissions; from several threads.
        own_code: Whether the submissions are the course's own samples, which may run where
            nothing can be isolated.
        modes: The sandbox's modes that are accepted otherwise.
        isolation: "fork", or "exec" for a fresh Python per submission.

    Returns:
        One result per student, sorted by name.

    Raises:
        UsageError: If there is no such assignment or student.
        SandboxUnavailable: If this machine cannot isolate a submission.
        GraderError: If the grader itself failed; what is not finished then has no grade changed.
    """
    assignment = course.assignment(name)
    chosen = _chosen(course, name, students)
    results = []
    with locked(course), Book(course) as book:
        # What the gradebook refuses is said before TensorFlow is loaded.
        book.ensure(assignment)
        grader = Grader(course, assignment, own_code, modes, isolation)
        for graded in _judged(course, assignment, chosen, grader, jobs, progress):
            # What nobody can be called is refused, and never becomes a folder or a row.
            if is_name(graded.result.student):
                write_autograded(course, graded.submission, graded.result, graded.notebook)
                book.record(graded.result, graded.submission)
            results.append(graded.result)
            for line in graded.log:
                _log.info("%s: %s", graded.result.student, line)
            progress("finished", graded.result.student, graded.result, len(chosen))
    return sorted(results, key=lambda result: result.student)


def _chosen(course: Course, name: str, students: Sequence[str]) -> list[str]:
    there = course.students(name)
    unknown = sorted(set(students) - set(there))
    if unknown:
        known = ", ".join(there) or "nobody yet"
        raise UsageError(
            f"No submission of {name} by {', '.join(unknown)}. submitted/ holds: {known}."
        )
    if not there:
        raise UsageError(
            f"There is no submission of {name} in {course.root / 'submitted'}. One is expected "
            f"at submitted/STUDENT/{name}/{name}.ipynb."
        )
    return sorted(set(students)) if students else there


def _judged(
    course: Course,
    assignment: Assignment,
    students: Sequence[str],
    grader: Grader,
    jobs: int,
    progress: Progress,
) -> Iterator[Graded]:
    """Judges in as many slots as there are jobs, and yields each submission as it is finished.

    Where something took too long, the whole submission is judged once more, alone on the machine;
    that counts.
    """
    jobs = min(jobs, len(students))
    with grader, grader.slots(jobs) as judging, ThreadPoolExecutor(jobs) as pool:

        def work(student: str) -> Graded:
            progress("started", student, None, len(students))
            return judge_submission(course, assignment, student, judging, grader.mode)

        futures = [pool.submit(work, student) for student in students]
        late = []
        try:
            for future in as_completed(futures):
                if future.result().timed_out:
                    late.append(future.result().result.student)
                else:
                    yield future.result()
            for student in sorted(late):
                yield judge_submission(course, assignment, student, judging, grader.mode)
        except BaseException:
            # Nobody waits for a submission that nobody will read.
            grader.give_up()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
