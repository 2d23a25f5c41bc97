"""nbgrader's database: one transaction per submission, and all marks in one query."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from autograder.course import Assignment, Course, programs_on_path
from autograder.errors import GraderError
from autograder.gradebook.rows import refuse_other_cells, register, write_scores
from autograder.gradebook.submitted import Submitted, handed_in_at
from autograder.results import Mark, SubmissionResult

__all__ = ["Book"]

# How long to wait for another program that is writing: the formgrader, or nbgrader.
_LOCK_SECONDS = 60

# A tutor's comment stands on the solution cell, the points on its test cell.
_MARKS = """
SELECT submitted_assignment.student_id, cell.name, grade.auto_score, grade.manual_score,
       grade.extra_credit, coalesce(grade_cells.max_score, task_cells.max_score),
       comment.manual_comment, grade.needs_manual_grade
FROM grade
JOIN base_cell AS cell ON cell.id = grade.cell_id
LEFT JOIN grade_cells ON grade_cells.id = cell.id
LEFT JOIN task_cells ON task_cells.id = cell.id
JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
JOIN assignment ON assignment.id = submitted_assignment.assignment_id
LEFT JOIN base_cell AS answer ON answer.notebook_id = cell.notebook_id
     AND answer.type IN ('SolutionCell', 'TaskCell')
     AND (answer.name = cell.name OR 'test_' || answer.name = cell.name)
LEFT JOIN comment ON comment.cell_id = answer.id AND comment.notebook_id = grade.notebook_id
WHERE assignment.name = :name
ORDER BY submitted_assignment.student_id, cell.name
"""

_log = logging.getLogger(__name__)


class Book(AbstractContextManager["Book"]):
    """The gradebook of a course. Opens the database when it is first needed."""

    def __init__(self, course: Course) -> None:
        """Opens nothing yet."""
        self._course = course
        self._assignments: dict[str, Assignment] = {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the database."""
        if "_gradebook" in self.__dict__:
            self._gradebook.close()
            del self._gradebook

    def ensure(self, assignment: Assignment) -> None:
        """Makes sure that the gradebook knows an assignment, and the cells that it has now.

        An assignment that was never released here is registered as its release would.

        Raises:
            UsageError: If the gradebook has other cells for it: it must be released again.
            GraderError: If the gradebook cannot be written.
        """
        from nbgrader.api import MissingEntry

        self._assignments[assignment.name] = assignment
        with self._transaction() as gradebook:
            try:
                notebook = gradebook.find_notebook(assignment.name, assignment.name)
            except MissingEntry:
                register(gradebook, assignment)
            else:
                refuse_other_cells(notebook, assignment)

    def record(self, result: SubmissionResult, submission: Submitted | None) -> None:
        """Writes one result, wholly or not at all; what people entered is left alone.

        Args:
            result: What the judge found.
            submission: The clean submission, or None if it was refused: nothing of it then has an
                automatic score, and all waits for a tutor.

        Raises:
            GraderError: If the gradebook cannot be written.
        """
        name, student = result.assignment, result.student
        if name not in self._assignments:
            self._assignments[name] = self._course.assignment(name)
        cells = submission.cells if submission is not None else ()
        answers = {cell.grade_id: cell.source for cell in cells if cell.grade_id is not None}
        timestamp = _timestamp(self._course.submitted_folder(student, name))
        with self._transaction() as gradebook:
            gradebook.update_or_create_student(student)
            gradebook.update_or_create_submission(name, student, **timestamp)
            notebook = gradebook.find_submission_notebook(name, name, student)
            notebook.late_submission_penalty = None
            write_scores(notebook, self._assignments[name], result, answers)

    def marks(self, name: str) -> dict[str, dict[str, Mark]]:
        """Returns the marks of an assignment, by student and then by graded cell.

        Raises:
            GraderError: If the gradebook cannot be read.
        """
        from sqlalchemy import create_engine, inspect, text
        from sqlalchemy.exc import SQLAlchemyError

        marks: dict[str, dict[str, Mark]] = {}
        if not _exists(self._course.settings.db_url):
            return marks
        engine = create_engine(_waiting(self._course.settings.db_url))
        try:
            with engine.connect() as connection:
                rows = (
                    connection.execute(text(_MARKS), {"name": name}).all()
                    if inspect(connection).has_table("grade")
                    else ()
                )
        except SQLAlchemyError as problem:
            raise _unusable(self._course.settings.db_url, problem) from problem
        finally:
            engine.dispose()
        for student, cell, auto, manual, extra, worth, comment, needs_manual in rows:
            marks.setdefault(student, {})[cell] = Mark(
                auto, manual, extra or 0.0, worth, comment or None, bool(needs_manual)
            )
        return marks

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """All that is written becomes one transaction; an exception takes it back."""
        from nbgrader.api import InvalidEntry
        from sqlalchemy.exc import SQLAlchemyError

        gradebook = self._gradebook
        try:
            with _quiet():
                yield gradebook
                gradebook.db().commit_all()
        except (SQLAlchemyError, InvalidEntry) as problem:
            raise _unusable(self._course.settings.db_url, problem) from problem
        finally:
            # Rolls back what is not committed, and forgets every row: memory stays flat.
            gradebook.db.remove()

    @cached_property
    def _gradebook(self) -> Any:  # noqa: ANN401
        from nbgrader.api import Gradebook, InvalidEntry
        from sqlalchemy import event
        from sqlalchemy.exc import SQLAlchemyError
        from sqlalchemy.orm import Session, scoped_session, sessionmaker

        class OneTransaction(Session):
            """nbgrader's methods commit inside; here that only sends the rows."""

            def commit(self) -> None:
                self.flush()
                # Scores of a notebook are computed by the database.
                self.expire_all()

            def commit_all(self) -> None:
                super().commit()

        url, course_id = self._course.settings.db_url, self._course.settings.course_id
        try:
            with programs_on_path(), _quiet():
                gradebook = Gradebook(_waiting(url), course_id)
        except (SQLAlchemyError, InvalidEntry) as problem:
            raise _unusable(url, problem) from problem
        gradebook.db.remove()
        gradebook.engine.dispose()
        if gradebook.engine.dialect.name == "sqlite":
            event.listen(gradebook.engine, "connect", _leave_transactions_to_us)
            event.listen(gradebook.engine, "begin", _lock_before_reading)
        gradebook.db = scoped_session(
            sessionmaker(class_=OneTransaction, bind=gradebook.engine, autoflush=False)
        )
        return gradebook


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps nbgrader from logging as a traceback what is said as a sentence."""
    from nbgrader.api import app_log

    before, app_log.disabled = app_log.disabled, True
    try:
        yield
    finally:
        app_log.disabled = before


def _leave_transactions_to_us(connection: Any, _record: object) -> None:  # noqa: ANN401
    connection.isolation_level = None


def _lock_before_reading(connection: Any) -> None:  # noqa: ANN401
    # A mark that a tutor enters meanwhile is either seen or waits for us.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _waiting(db_url: str) -> str:
    """The URL of the database, with patience for other writers."""
    from sqlalchemy.engine import make_url

    url = make_url(db_url)
    if url.get_backend_name() == "sqlite" and "timeout" not in url.query:
        url = url.update_query_dict({"timeout": str(_LOCK_SECONDS)})
    return url.render_as_string(hide_password=False)


def _exists(db_url: str) -> bool:
    """Whether there is a database; connecting to SQLite would make an empty one."""
    from sqlalchemy.engine import make_url

    url = make_url(db_url)
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()


def _unusable(db_url: str, problem: Exception) -> GraderError:
    cause = getattr(problem, "orig", None) or problem
    if "locked" in str(cause):
        return GraderError(
            f"Another program has kept the gradebook {db_url} locked for {_LOCK_SECONDS} seconds. "
            f"Close what is writing to it (a formgrader, nbgrader), then try again."
        )
    if "full" in str(cause):
        return GraderError(
            f"There is no space left where the gradebook lies ({db_url}). Free some, then run the "
            f"command again; it holds what was finished, and nothing by halves."
        )
    return GraderError(
        f"The gradebook {db_url} cannot be used: {cause}. If it is of an older nbgrader, back it "
        f"up and run: nbgrader db upgrade"
    )


def _timestamp(folder: Path) -> dict[str, Any]:
    """When a submission was handed in, as the argument nbgrader takes; empty if nobody knows."""
    from nbgrader.utils import parse_utc

    text = handed_in_at(folder)
    try:
        return {} if text is None else {"timestamp": parse_utc(text)}
    except (ValueError, OverflowError) as problem:
        _log.warning("%s gives no time of submission: %s", folder / "timestamp.txt", problem)
        return {}
