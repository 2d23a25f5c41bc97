"""What `nbgrader autograde` and the formgrader's button call to run a submission."""

import atexit
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.preprocessors import Execute

from autograder.batch.one import Graded, judge_submission, refused
from autograder.course import Assignment, Course, find_course
from autograder.errors import BadSubmission
from autograder.gradebook import Book
from autograder.intake import read_submission
from autograder.intake.plugin import remove_links
from autograder.judge.grader import Grader, JudgeSlot
from autograder.results import save

__all__ = ["SandboxExecute", "before_autograding"]

_UNPROTECTED = (
    "%s has no hidden checks: the code of %s runs in a kernel of nbgrader, unprotected, beside "
    "the tests"
)


def before_autograding(assignment: str, student: str, notebooks: Sequence[str]) -> None:
    """Makes a submission's folder safe to copy, and records a submission that will be refused.

    nbgrader fails on such a one before any of its scores is looked at, so that those of an
    earlier submission would stay.

    Args:
        assignment: The assignment's name.
        student: "*" in a batch.
        notebooks: The paths of one submission's notebooks.
    """
    remove_links(assignment, student, notebooks)
    # nbgrader's converters work in the course's root.
    root, owner = Path.cwd(), Path(notebooks[0]).parts[-3]
    if not (root / "tests" / "hidden" / assignment).is_dir():
        return
    course = find_course(root)
    try:
        read_submission(course, course.assignment(assignment), owner)
    except BadSubmission as reason:
        with Book(course) as book:
            book.record(refused(course.assignment(assignment), owner, reason), None)


class SandboxExecute(Execute):  # type: ignore[misc]  # nbgrader is untyped
    """Runs and judges a submission as `lgm grade` does, and leaves its notebook and results.json.

    What an assignment without hidden checks holds runs in nbgrader's own kernel, unprotected.
    """

    def preprocess(self, nb: Any, resources: Any, km: Any = None) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the autograded notebook."""
        where = resources["nbgrader"]
        name, student = where["assignment"], where["student"]
        # nbgrader's converters work in the course's root.
        root = Path.cwd()
        if not (root / "tests" / "hidden" / name).is_dir():
            self.log.warning(_UNPROTECTED, name, student)
            return super().preprocess(nb, resources, km)  # type: ignore[no-any-return]
        course = find_course(root)
        graded = _judged(course, course.assignment(name), student)
        for line in (*graded.result.repairs, *graded.log):
            self.log.info("%s: %s", student, line)
        if graded.result.reason is not None:
            self.log.error("%s: %s. %s", student, graded.result.status, graded.result.reason)
        save(graded.result, course.autograded_folder(student, name) / "results.json")
        resources["lgm_result"] = graded.result
        return nb if graded.notebook is None else nbformat.from_dict(graded.notebook), resources


class _Kept:
    """The grader of the last assignment: nbgrader makes a new preprocessor for every notebook."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._stamp: object = None
        self._slot: tuple[JudgeSlot, str] | None = None

    def slot(self, course: Course, assignment: Assignment) -> tuple[JudgeSlot, str]:
        """Returns a running slot and how it isolates, started anew if any check has changed."""
        stamp = _stamp(course, assignment)
        if self._slot is None or stamp != self._stamp:
            self.close()
            grader = self._stack.enter_context(Grader(course, assignment))
            self._slot = (self._stack.enter_context(grader.slot()), grader.mode)
            self._stamp = stamp
        return self._slot

    def close(self) -> None:
        """Ends its processes."""
        self._slot = None
        self._stack.close()


_kept = _Kept()
atexit.register(_kept.close)


def _judged(course: Course, assignment: Assignment, student: str) -> Graded:
    slot, mode = _kept.slot(course, assignment)
    return judge_submission(course, assignment, student, slot, mode)


def _stamp(course: Course, assignment: Assignment) -> object:
    """Changes when the assignment, its checks, the reference or the limits do."""
    folders = (course.hidden_folder(assignment.name), course.root / "reference")
    paths = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    times = [(str(path), path.stat().st_mtime_ns) for path in (*paths, assignment.notebook)]
    return course, tuple(times)
