"""The autograded notebook: what was handed in, its outputs, and the judge's verdicts."""

import copy
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from autograder.course import CheckInfo
from autograder.gradebook.submitted import Submitted
from autograder.gradebook.verdict import verdict_html, verdict_text
from autograder.inert import Allowance, clean_outputs
from autograder.results import SubmissionResult

__all__ = ["autograded_notebook"]


def autograded_notebook(
    submission: Submitted,
    result: SubmissionResult,
    outputs: Mapping[str, Sequence[Mapping[str, Any]]],
    checks: Sequence[CheckInfo] = (),
) -> dict[str, Any]:
    """Returns the notebook that tutors and students look at.

    Args:
        submission: The clean submission; stays as it is.
        result: What the judge found; it stands in the place of each test cell's outputs.
        outputs: By cell id, what running the cell showed; a cell that did not run keeps what was
            handed in.
        checks: The assignment's checks, for their sentences.
    """
    notebook: dict[str, Any] = copy.deepcopy(dict(submission.notebook))
    sentences = {check.id: check.sentence for check in checks}
    verdicts = {f"test_{exercise.name}": exercise for exercise in result.exercises}
    ran = itertools.count(1)
    allowance = Allowance()
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        if cell["id"] in outputs:
            # As IPython counts, which tracebacks name the cells by.
            cell["execution_count"] = next(ran)
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if grade_id in verdicts:
            exercise = verdicts[grade_id]
            cell["outputs"] = [
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {
                        "text/html": verdict_html(exercise, sentences),
                        "text/plain": verdict_text(exercise, sentences),
                    },
                }
            ]
        else:
            shown = outputs.get(cell["id"], cell["outputs"])
            # Whatever a student's code shows is read by others, with their rights.
            cell["outputs"] = clean_outputs([dict(output) for output in shown], allowance)
    return notebook
