"""Builds a release from its source, with nbgrader's own converter."""

import copy
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autograder.course import (
    CONFIG_FILE,
    Assignment,
    CheckInfo,
    Course,
    checks_of,
    load_config,
    programs_on_path,
    read_notebook,
)
from autograder.errors import DoesNotHold, GraderError, UsageError
from autograder.term.leaks import find_breaches, find_leaks, function_lines

__all__ = ["build", "leak_report", "leaks_in", "other_files", "release", "release_leaks"]

# "package.SomeError: what happened", the end of a traceback; what follows it may be long.
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*: ")


def release(course: Course, name: str) -> Path:
    """Builds release/<name>/ and registers the assignment in the gradebook.

    The old release and the gradebook stay as they are unless everything holds.

    Returns:
        The folder.

    Raises:
        UsageError: If there is no such assignment or its notebook breaks the rules.
        DoesNotHold: If something would leak, or the gradebook has submissions of this assignment
            and cells were added or removed.
        GraderError: If nbgrader cannot write the gradebook.
    """
    course.assignment(name)
    course.private.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=course.private, prefix="release-") as scratch:
        built = build(course, name, Path(scratch) / "built")
        _refuse_changed_cells(course, name)
        with programs_on_path():
            _convert(course, name, Path(scratch) / "registered", with_gradebook=True)
        place = course.release_folder(name)
        place.parent.mkdir(exist_ok=True)
        if place.exists():
            place.rename(Path(scratch) / "old")
        built.rename(place)
    return place


def build(course: Course, name: str, into: Path) -> Path:
    """Builds a release somewhere else, and touches neither release/ nor the gradebook.

    Args:
        course: The course.
        name: The assignment.
        into: A folder, made if need be, that gets the folder `name`.

    Returns:
        That folder.

    Raises:
        UsageError: If there is no such assignment or its notebook breaks the rules.
        DoesNotHold: If something would leak; lists each leak.
    """
    course.assignment(name)
    folder = _convert(course, name, into, with_gradebook=False)
    leaks = _leaks_of_folder(course, name, folder)
    if leaks:
        shutil.rmtree(folder)
        raise DoesNotHold(leak_report(name, leaks))
    return folder


def release_leaks(course: Course, name: str) -> list[str]:
    """Returns what leaks from the release as it lies in release/<name>/, a sentence each.

    Raises:
        UsageError: If there is no such assignment or it is not released.
    """
    course.assignment(name)
    folder = course.release_folder(name)
    if not (folder / f"{name}.ipynb").is_file():
        raise UsageError(f"{name} is not released. Run: lgm release {name}")
    return _leaks_of_folder(course, name, folder)


def leak_report(name: str, leaks: list[str]) -> str:
    """Returns the sentence that stops a release, and the leaks."""
    lines = "\n".join(f"  - {leak}" for leak in leaks)
    return f"{name} is not released: {len(leaks)} things must be put right first.\n{lines}"


def other_files(folder: Path) -> dict[str, bytes]:
    """Returns the files of a release but for its notebooks, by their path in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".ipynb"
    }


def leaks_in(
    course: Course, name: str, notebook: Mapping[str, Any], files: Mapping[str, bytes]
) -> list[str]:
    """Returns what leaks from the notebook of a checked assignment and the files beside it."""
    source = read_notebook(course.source_folder(name) / f"{name}.ipynb")
    assignment = course.assignment(name)
    checks = checks_of(course, assignment)
    return [
        *find_breaches(assignment, checks, notebook),
        *find_leaks(source, notebook, files, _guarded_lines(course, assignment, checks)),
    ]


def _guarded_lines(
    course: Course, assignment: Assignment, checks: tuple[CheckInfo, ...]
) -> dict[str, str]:
    """The lines of hidden checks, and of the reference's version of the exercises' functions."""
    hidden = {check.id for check in checks if not check.visible}
    functions = {name for exercise in assignment.exercises for name in exercise.functions}
    places = [(path, hidden) for path in course.hidden_folder(assignment.name).glob("test_*.py")]
    places += [(path, functions) for path in (course.root / "reference").glob("*.py")]
    lines: dict[str, str] = {}
    for path, names in sorted(places):
        where = str(path.relative_to(course.root))
        lines |= function_lines(path.read_text(encoding="utf-8"), names, where)
    return lines


def _leaks_of_folder(course: Course, name: str, folder: Path) -> list[str]:
    file = folder / f"{name}.ipynb"
    leaks = leaks_in(course, name, read_notebook(file), other_files(folder))
    others = [path.name for path in sorted(folder.rglob("*.ipynb")) if path != file]
    return leaks + [f"The notebook {other} would be released, too." for other in others]


def _refuse_changed_cells(course: Course, name: str) -> None:
    """Says so before nbgrader finds that a gradebook with submissions cannot change its cells."""
    from nbgrader.api import Gradebook, MissingEntry
    from sqlalchemy.exc import SQLAlchemyError

    if course.settings.db_url.startswith("sqlite:///"):
        database = Path(course.settings.db_url.removeprefix("sqlite:///").partition("?")[0])
        if not database.exists():
            return
    try:
        with programs_on_path(), Gradebook(course.settings.db_url) as gradebook:
            stored = gradebook.find_notebook(name, name)
            submissions = len(stored.submissions)
            before = {(cell.name, "grade") for cell in stored.grade_cells}
            before |= {(cell.name, "solution") for cell in stored.solution_cells}
            before |= {(cell.name, "task") for cell in stored.task_cells}
            before |= {(cell.name, "locked") for cell in stored.source_cells if cell.locked}
    except MissingEntry:
        return
    except SQLAlchemyError as problem:
        raise GraderError(
            f"The gradebook {course.settings.db_url} cannot be read: {problem}. If it is of an "
            f"older nbgrader, back it up and run: nbgrader db upgrade"
        ) from problem
    now = _roles(course.assignment(name))
    if submissions and before != now:
        added = ", ".join(sorted({cell for cell, _ in now - before})) or "none"
        removed = ", ".join(sorted({cell for cell, _ in before - now})) or "none"
        raise DoesNotHold(
            f"{name} has {submissions} submissions in the gradebook, so its cells can be edited "
            f"but not added ({added}) or removed ({removed}). Take that back, or start a new "
            f"gradebook. Nothing was changed."
        )


def _roles(assignment: Assignment) -> set[tuple[str, str]]:
    """The cells that nbgrader stores, each with what it is to nbgrader."""
    roles: set[tuple[str, str]] = set()
    for cell in assignment.cells:
        keys = cell.metadata.get("nbgrader", {})
        name = str(cell.grade_id)
        roles |= {(name, role) for role in ("grade", "solution", "task") if keys.get(role)}
        # A test cell is locked whatever its metadata says, an answer never is.
        if not keys.get("solution") and (keys.get("grade") or keys.get("locked")):
            roles.add((name, "locked"))
    return roles


def _convert(course: Course, name: str, into: Path, with_gradebook: bool) -> Path:
    """Runs nbgrader's GenerateAssignment with the course's settings, into a folder of its own."""
    from nbgrader.converters import GenerateAssignment, NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from traitlets import TraitError

    config = copy.deepcopy(load_config(course.root / CONFIG_FILE))
    config.CourseDirectory.root = str(course.root)
    config.CourseDirectory.assignment_id = name
    config.CourseDirectory.release_directory = str(into)
    config.GenerateAssignment.force = True
    if not with_gradebook:
        config.GenerateAssignment.no_database = True
        config.SaveCells.enabled = False
        # The caller looks for leaks itself, and gets them as a list.
        config.GenerateAssignment.preprocessors = [
            entry
            for entry in config.GenerateAssignment.preprocessors
            if str(entry) != "autograder.term.plugin.LeakCheck"
        ]
    with _kept_log() as (log, lines):
        try:
            courses = CourseDirectory(config=config, log=log)
            GenerateAssignment(coursedir=courses, config=config, log=log).start()
        except (NbGraderException, TraitError) as problem:
            kind = GraderError if with_gradebook else DoesNotHold
            raise kind(
                f"nbgrader cannot build {name}: {_cause(lines) or problem}. Nothing was changed."
            ) from problem
    return into / name


@contextmanager
def _kept_log() -> Iterator[tuple[logging.Logger, list[str]]]:
    """A logger that prints nothing, and the errors it was told."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    log = logging.Logger("autograder.term")
    log.addHandler(Keep(level=logging.ERROR))
    yield log, lines


def _cause(lines: list[str]) -> str:
    """The line that names the exception, in the traceback that nbgrader logged."""
    texts = (text for text in lines if text.startswith("Traceback"))
    named = [line for text in texts for line in text.split("\n") if _EXCEPTION.match(line)]
    return named[-1].rstrip(".") if named else ""
