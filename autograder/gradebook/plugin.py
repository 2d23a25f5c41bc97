"""What `nbgrader autograde` calls to write the scores."""

from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.preprocessors import SaveAutoGrades
from nbgrader.utils import is_grade

from autograder.course import find_course
from autograder.gradebook.rows import write_scores

__all__ = ["JudgeScores"]


class JudgeScores(SaveAutoGrades):  # type: ignore[misc]  # nbgrader is untyped
    """Scores what the judge found; what stands in the cells' outputs decides nothing."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the notebook as it is, with every graded cell of the database scored.

        On assignments without hidden checks nbgrader scores by the outputs, but a cell that is no
        longer in the notebook loses the score that an earlier one had.
        """
        where = resources["nbgrader"]
        name, file, student = where["assignment"], where["notebook"], where["student"]
        # nbgrader's converters work in the course's root.
        root = Path.cwd()
        checked = (root / "tests" / "hidden" / name).is_dir()
        with Gradebook(where["db_url"]) as gradebook:
            submitted = gradebook.find_submission_notebook(file, name, student)
            if checked:
                # Left by SandboxExecute in this very pass; with --no-execute there is none.
                result = resources.get("lgm_result")
                write_scores(submitted, find_course(root).assignment(name), result, _answers(nb))
            else:
                _forget_missing(submitted, nb)
            gradebook.db.commit()
        return (nb, resources) if checked else super().preprocess(nb, resources)


def _answers(nb: Any) -> dict[str, str]:  # noqa: ANN401
    """The text of each cell that nbgrader knows, by its grade_id."""
    return {
        cell.metadata.nbgrader["grade_id"]: cell.source
        for cell in nb.cells
        if "grade_id" in cell.metadata.get("nbgrader", {})
    }


def _forget_missing(submitted: Any, nb: Any) -> None:  # noqa: ANN401
    """Takes the automatic scores back of graded cells that are not in the notebook."""
    present = {cell.metadata.nbgrader["grade_id"] for cell in nb.cells if is_grade(cell)}
    missing = {cell.name for cell in submitted.notebook.grade_cells} - present
    for grade in submitted.grades:
        if grade.cell.name in missing:
            grade.auto_score = None
            grade.needs_manual_grade = True
