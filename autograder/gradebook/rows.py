"""What the gradebook's rows say about an assignment and a submission, through nbgrader's own API.

`lgm grade` and `nbgrader autograde` both go through `write_scores`, so their scores are the same.
"""

import json
from collections.abc import Mapping
from typing import Any

from autograder.course import Assignment, Cell
from autograder.errors import UsageError
from autograder.results import SubmissionResult

__all__ = ["refuse_other_cells", "register", "write_scores"]

# What a release has, whatever kernel its source was saved with.
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def register(gradebook: Any, assignment: Assignment) -> None:  # noqa: ANN401
    """Adds an assignment that the gradebook does not know, with the rows its release gives."""
    from nbgrader.utils import compute_checksum, is_grade, is_locked, is_solution, is_task

    place = (assignment.name, assignment.name)
    gradebook.update_or_create_assignment(assignment.name)
    gradebook.add_notebook(*place, kernelspec=json.dumps(_KERNEL))
    for cell in assignment.cells:
        node = _node(cell, cell.source)
        if is_solution(node):
            node.source = cell.released
            gradebook.add_solution_cell(cell.grade_id, *place)
        if is_grade(node) or is_task(node):
            add = gradebook.add_task_cell if is_task(node) else gradebook.add_grade_cell
            points = float(node.metadata.nbgrader["points"])
            add(cell.grade_id, *place, max_score=points, cell_type=cell.cell_type)
        fixed = is_grade(node) or is_solution(node) or is_locked(node)
        if fixed or is_task(node):
            gradebook.add_source_cell(
                cell.grade_id,
                *place,
                cell_type=cell.cell_type,
                locked=is_locked(node),
                source=node.source,
                checksum=compute_checksum(node) if fixed else None,
            )


def refuse_other_cells(notebook: Any, assignment: Assignment) -> None:  # noqa: ANN401
    """Compares the cells that scores are written to with those of the source.

    Args:
        notebook: nbgrader's row of the assignment's notebook.
        assignment: The assignment, as its source has it.

    Raises:
        UsageError: If they differ; names the cells.
    """
    before = {cell.name: cell.max_score for cell in [*notebook.grade_cells, *notebook.task_cells]}
    now = {exercise.test_cell: exercise.points for exercise in assignment.exercises}
    now |= {cell.grade_id: cell.points for cell in assignment.manual}
    differ = sorted(name for name in before | now if before.get(name) != now.get(name))
    if differ:
        raise UsageError(
            f"The gradebook has other cells or points for {assignment.name} than its source: "
            f"{', '.join(differ)}. Release it, then grade again: lgm release {assignment.name}"
        )


def write_scores(
    notebook: Any,  # noqa: ANN401
    assignment: Assignment,
    result: SubmissionResult | None,
    answers: Mapping[str, str],
) -> None:
    """Writes the automatic scores and comments of one submission; commits nothing.

    What people enter (manual score, extra credit, comment, flag, extension) is left alone.

    Args:
        notebook: nbgrader's row of the submitted notebook.
        assignment: The assignment.
        result: What the judge found; without one, nothing is decided.
        answers: The text of each submitted cell by its grade_id; of no account if the submission
            was refused.
    """
    refused = result is not None and result.status == "refused"
    points = _decided_points(assignment, result)
    untouched = {} if refused else _untouched(notebook.notebook, assignment, answers)
    tasks = {cell.name for cell in notebook.notebook.task_cells}
    for grade in notebook.grades:
        name = grade.cell.name
        if name in tasks:
            continue  # graded by hand alone
        if name in points:
            grade.auto_score = points[name]
        else:
            # An answer in words: nothing for the empty one, a tutor's work otherwise.
            grade.auto_score = 0.0 if untouched.get(name) else None
        grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
    for comment in notebook.comments:
        name = comment.cell.name
        silent = untouched.get(name) and name not in tasks
        comment.auto_comment = "No response." if silent else None


def _decided_points(
    assignment: Assignment, result: SubmissionResult | None
) -> dict[str, float | None]:
    """Points by test cell; None where a tutor has to decide."""
    points: dict[str, float | None] = dict.fromkeys(
        exercise.test_cell for exercise in assignment.exercises
    )
    for exercise in () if result is None else result.exercises:
        if not exercise.undecided:
            points[f"test_{exercise.name}"] = float(min(exercise.points, exercise.max_points))
    return points


def _untouched(
    notebook: Any,  # noqa: ANN401
    assignment: Assignment,
    answers: Mapping[str, str],
) -> dict[str, bool]:
    """Whether each submitted cell still is as it was released."""
    from nbgrader.utils import compute_checksum

    released = {cell.name: cell.checksum for cell in notebook.source_cells}
    untouched = {}
    for cell in assignment.cells:
        name = cell.grade_id
        if name is not None and name in answers:
            untouched[name] = compute_checksum(_node(cell, answers[name])) == released.get(name)
    return untouched


def _node(cell: Cell, source: str) -> Any:  # noqa: ANN401
    """A cell as nbgrader's functions take it, with the flags that the source gives it."""
    from nbformat import from_dict

    metadata = {key: dict(cell.metadata[key]) for key in ("nbgrader",) if key in cell.metadata}
    return from_dict({"cell_type": cell.cell_type, "source": source, "metadata": metadata})
