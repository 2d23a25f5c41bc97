"""One submission, from its folder to clean cells."""

from autograder.course import Assignment, Course, is_name
from autograder.errors import BadSubmission
from autograder.intake._document import document
from autograder.intake._folder import notebooks_in, opened, own_files, read_file
from autograder.intake._notebook import HandedIn, read_cells
from autograder.intake._records import Submission, SubmittedCell
from autograder.intake._restore import restore
from autograder.intake._words import listed, quoted

__all__ = ["read_submission"]


def read_submission(course: Course, assignment: Assignment, student: str) -> Submission:
    """Reads what a student handed in for an assignment.

    The notebook is looked for at submitted/STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb; who it belongs to
    is said by that place alone.

    Raises:
        BadSubmission: If it cannot be graded; the text says what was found and what to do.
    """
    if not is_name(student):
        raise BadSubmission(
            f"A student cannot be called {quoted(student)}: a name has letters, digits and "
            f"_ . @ + -, at most 100. Rename the folder in submitted/."
        )
    most = int(course.settings.submission_megabytes * 1_000_000)
    repairs: list[str] = []
    place = course.submitted_folder(student, assignment.name)
    with opened(place) as folder:
        found = _cells(folder, assignment, most, repairs)
        placed = restore(assignment, found, repairs)
        notebook = document(placed, repairs)
        files = own_files(place, folder, course.source_folder(assignment.name), most, repairs)
    cells = tuple(
        SubmittedCell(
            id=cell.id,
            kind=cell.known.kind
            if cell.known
            else "given"
            if cell.cell_type == "code"
            else "text",
            grade_id=cell.known.grade_id if cell.known else None,
            source=entry["source"],
            run=cell.run,
        )
        for cell, entry in zip(placed, notebook["cells"], strict=True)
    )
    return Submission(student, assignment.name, cells, tuple(repairs), notebook, files)


def _cells(folder: int, assignment: Assignment, most: int, repairs: list[str]) -> list[HandedIn]:
    """The cells of the notebook of the expected name, or of the only one that can be meant."""
    expected = f"{assignment.name}.ipynb"
    notebooks, others = notebooks_in(folder)
    if not notebooks and not others:
        raise BadSubmission(f"Nothing was handed in: the folder is empty. Expected: {expected}.")
    if not notebooks:
        raise BadSubmission(
            f"No notebook was handed in, only {listed([quoted(name) for name in others])}. "
            f"Expected: {expected}."
        )
    if expected in notebooks:
        ignored = [quoted(name) for name in notebooks if name != expected]
        if ignored:
            repairs.append(f"Only {expected} is graded, not {listed(ignored)}.")
        return read_cells(read_file(folder, expected, most), repairs)
    if len(notebooks) > 1:
        raise BadSubmission(
            f"Several notebooks were handed in and none is called {expected}: "
            f"{listed([quoted(name) for name in notebooks])}. Hand in one, of this name."
        )
    name = notebooks[0]
    found = read_cells(read_file(folder, name, most), repairs)
    known = {cell.grade_id for cell in assignment.cells if cell.grade_id}
    if not known & {cell.grade_id for cell in found}:
        raise BadSubmission(
            f"The notebook handed in is called {quoted(name)} and none of its cells belongs to "
            f"{assignment.name}. Expected: {expected}."
        )
    repairs.append(
        f"The notebook was handed in as {quoted(name)} and recognised by its cells; the "
        f"assignment calls it {expected}."
    )
    return found
