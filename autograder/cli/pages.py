"""From what grading left behind to the pages that people look at."""

from pathlib import Path

from autograder.course import Course
from autograder.errors import UsageError
from autograder.gradebook import Book
from autograder.report import write_feedback, write_report
from autograder.results import SubmissionResult, load

__all__ = ["feedback_pages", "report_page"]


def _results(course: Course, name: str) -> list[SubmissionResult]:
    course.assignment(name)
    paths = (course.autograded_folder(student, name) / "results.json"
             for student in course.students(name))  # fmt: skip
    results = [load(path) for path in paths if path.is_file()]
    if not results:
        raise UsageError(f"No submission of {name} is graded yet. Run: lgm grade {name}")
    return results


def feedback_pages(course: Course, name: str) -> list[Path]:
    """Writes one page per graded student and returns their paths.

    Raises:
        UsageError: If nothing is graded, or there is no such assignment.
    """
    results = _results(course, name)
    with Book(course) as book:
        return write_feedback(course, name, results, book.marks(name))


def report_page(course: Course, name: str) -> Path:
    """Writes the class report and returns its path. Raises as `feedback_pages` does."""
    results = _results(course, name)
    with Book(course) as book:
        return write_report(course, name, results, book.marks(name))
