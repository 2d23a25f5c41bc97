"""What `nbgrader autograde` calls before anything runs.

On an assignment with hidden checks, `RestoreCells` reads the submission again, as `lgm grade`
does, and puts the clean notebook in the place of whatever nbgrader has read; the classes before it
stand aside. On any other assignment, nbgrader's own classes do their work, and these add what they
miss: tags by which a student switches off tests, active HTML, a cell that was pasted twice.

nbgrader's converters work in the course's root.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.nbgraderformat import (
    MetadataValidator,
    SchemaTooNewError,
    SchemaTooOldError,
    ValidationError,
)
from nbgrader.preprocessors import (
    ClearOutput,
    DeduplicateIds,
    NbGraderPreprocessor,
    OverwriteCells,
)
from nbgrader.utils import parse_utc
from traitlets.log import get_logger

from autograder.course import Course, find_course
from autograder.errors import BadSubmission
from autograder.intake import Submission, read_submission
from autograder.intake._document import inert_source, pictures

__all__ = ["CleanCells", "ClearOutputs", "RestoreCells", "UniqueIds", "remove_links"]


def remove_links(assignment: str, student: str, notebooks: Sequence[str]) -> None:
    """Moves links, and whatever else is no ordinary file, out of a submission.

    nbgrader would copy what they lead to. Nothing is lost: it lies in .lgm/set_aside/ then. So
    does a time of submission that cannot be read, on which nbgrader would fail.

    Args:
        assignment: The assignment's name.
        student: "*" in a batch, which is why the folder is taken from the notebooks.
        notebooks: The paths of one submission.
    """
    folder = Path(notebooks[0]).parent
    if folder.is_symlink():
        _set_aside(folder, folder)
        return
    for here, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(here, name)
            if not _is_ordinary(path) or (name == "timestamp.txt" and not _is_time(path)):
                _set_aside(path, folder)


def _is_ordinary(path: Path) -> bool:
    status = path.lstat()
    if stat.S_ISDIR(status.st_mode):
        return True
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _is_time(path: Path) -> bool:
    try:
        parse_utc(path.read_text(encoding="utf-8").strip())
    except (ValueError, OverflowError):
        return False
    return True


def _set_aside(path: Path, submission: Path) -> None:
    place = Path(".lgm", "set_aside", *submission.parts[-2:]) / path.relative_to(submission)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.replace(path, place)
    get_logger().warning("%s is no ordinary file; it now lies at %s.", path, place)


def _is_checked(resources: Any) -> bool:  # noqa: ANN401
    # A course that knows nothing of us has no such folder, nor a configuration of ours.
    names = resources.get("nbgrader")
    return bool(names) and (Path.cwd() / "tests" / "hidden" / names["assignment"]).is_dir()


class _PlainOnly:
    """Lets a notebook pass if its assignment has hidden checks; `RestoreCells` does it all."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the notebook, as the class beside this one leaves it."""
        if _is_checked(resources):
            return nb, resources
        return super().preprocess(nb, resources)  # type: ignore[misc,no-any-return]


class ClearOutputs(_PlainOnly, ClearOutput):  # type: ignore[misc]  # nbgrader is untyped
    """Drops the outputs as they were handed in."""


class CleanCells(_PlainOnly, NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader is untyped
    """Drops what students may not bring along: tags, active HTML, attachments but pictures.

    What the course itself put there stays: the tags of its cells, and every text that is its own,
    to the letter, since nbgrader tells an untouched answer by its checksum.
    """

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Reads what the course put there, then cleans each cell."""
        if not _is_checked(resources):
            self._tags, self._texts = _given(resources["nbgrader"], self.config)
        return super().preprocess(nb, resources)

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the cell, cleaned."""
        tags = self._tags.get(_grade_id(cell), ())
        if cell.metadata.pop("tags", None) and not tags:
            self.log.warning("Tags were removed from cell %d.", cell_index + 1)
        if tags:
            cell.metadata["tags"] = list(tags)
        if cell.source in self._texts or cell.cell_type == "code":
            return cell, resources
        if "attachments" in cell:
            cell.attachments = nbformat.from_dict(pictures(cell.attachments))
        source = inert_source(cell.cell_type, cell.source, cell.get("attachments", {}))
        if source != cell.source:
            self.log.warning("HTML was removed from cell %d.", cell_index + 1)
            cell.source = source
        return cell, resources


def _given(names: Any, config: Any) -> tuple[dict[str, list[str]], set[str]]:  # noqa: ANN401
    """The tags by `grade_id`, and all texts, that stand in the source or in the gradebook."""
    folder = str(config.get("CourseDirectory", {}).get("source_directory", "source"))
    path = Path.cwd() / folder / names["assignment"] / f"{names['notebook']}.ipynb"
    cells = nbformat.read(path, as_version=4).cells if path.is_file() else []
    tags = {_grade_id(cell): list(cell.metadata.get("tags", ())) for cell in cells}
    tags.pop("", None)
    texts = {cell.source for cell in cells}
    with Gradebook(names["db_url"]) as gradebook:
        try:
            notebook = gradebook.find_notebook(names["notebook"], names["assignment"])
            texts |= {cell.source for cell in notebook.source_cells}
        except MissingEntry:
            pass
    return tags, texts


def _grade_id(cell: Any) -> str:  # noqa: ANN401
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


class UniqueIds(_PlainOnly, DeduplicateIds):  # type: ignore[misc]  # nbgrader is untyped
    """Makes an ordinary cell of a copy of a graded one."""

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the cell; a copy has no nbgrader metadata any more."""
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        # nbgrader leaves it empty, which it then takes for an old format, and ends the batch.
        if cell.metadata.get("nbgrader") == {}:
            del cell.metadata["nbgrader"]
        return cell, resources


class RestoreCells(OverwriteCells):  # type: ignore[misc]  # nbgrader is untyped
    """Puts the assignment's own cells back."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the restored notebook.

        Raises:
            BadSubmission: If it cannot be graded; nbgrader then goes on with the next.
        """
        if _is_checked(resources):
            return self._read_again(resources["nbgrader"]), resources
        nb, resources = super().preprocess(nb, resources)
        try:
            MetadataValidator().validate_nb(nb)
        except (SchemaTooOldError, SchemaTooNewError) as problem:
            # On these, unlike on any other error, nbgrader ends the batch.
            raise BadSubmission(f"The notebook's nbgrader metadata: {problem}") from problem
        except ValidationError:
            pass  # CheckCellMetadata says what is wrong
        return nb, resources

    def _read_again(self, names: Any) -> Any:  # noqa: ANN401
        course = find_course(Path.cwd())
        assignment = course.assignment(names["assignment"])
        submission = read_submission(course, assignment, names["student"])
        for repair in submission.repairs:
            self.log.warning("%s: %s", submission.student, repair)
        _remove_refused_files(course, submission)
        return nbformat.from_dict(submission.notebook)


def _remove_refused_files(course: Course, submission: Submission) -> None:
    """Removes what nbgrader has copied by now and `read_submission` does not take."""
    folder = course.autograded_folder(submission.student, submission.assignment)
    source = course.source_folder(submission.assignment)
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        wanted = str(name) in submission.files or (source / name).is_file()
        # nbgrader compares the times of submission to see what is newer.
        if path.is_file() and not wanted and path.name != "timestamp.txt":
            path.unlink()
