"""What makes nbgrader's own commands go through this framework."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autograder.course._assignment import STUB

__all__ = ["configure", "programs_on_path"]

_STOCK = "nbgrader.preprocessors."
_BATCH = "autograder.batch.plugin."
_INTAKE = "autograder.intake.plugin."
_GRADEBOOK = "autograder.gradebook.plugin."
_REPORT = "autograder.report.plugin."
_TERM = "autograder.term.plugin."


def configure(c: Any) -> None:  # noqa: ANN401  (a traitlets Config, which is untyped)
    """Sets nbgrader up for this framework; the first call of every nbgrader_config.py.

    nbgrader runs that file three times per command, so everything is assigned, nothing appended.
    """
    c.Autograde.pre_convert_hook = _BATCH + "before_autograding"
    c.Autograde.sanitize_preprocessors = [
        _INTAKE + "ClearOutputs",
        _INTAKE + "CleanCells",
        _INTAKE + "UniqueIds",
        _STOCK + "OverwriteKernelspec",
        _INTAKE + "RestoreCells",
        _STOCK + "CheckCellMetadata",
    ]
    c.Autograde.autograde_preprocessors = [
        _BATCH + "SandboxExecute",
        _STOCK + "IgnorePattern",
        "nbconvert.preprocessors.ClearMetadataPreprocessor",
        _STOCK + "LimitOutput",
        _GRADEBOOK + "JudgeScores",
        _STOCK + "AssignLatePenalties",
        _STOCK + "CheckCellMetadata",
    ]
    c.GenerateAssignment.preprocessors = [
        _TERM + "StableNotebook",
        _STOCK + "IncludeHeaderFooter",
        _STOCK + "InstantiateTests",
        _STOCK + "LockCells",
        _TERM + "ClearAnswerSchemes",
        _STOCK + "ClearSolutions",
        _STOCK + "ClearOutput",
        _STOCK + "CheckCellMetadata",
        _STOCK + "ComputeChecksums",
        _STOCK + "SaveCells",
        _STOCK + "ClearHiddenTests",
        _STOCK + "ClearMarkScheme",
        _STOCK + "ComputeChecksums",
        _STOCK + "CheckCellMetadata",
        _TERM + "LeakCheck",
    ]
    c.GenerateFeedback.preprocessors = [
        _STOCK + "GetGrades",
        _REPORT + "ClearHiddenTests",
        _REPORT + "RedactFeedback",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    c.ClearSolutions.code_stub = {"python": STUB}
    # Our results lie beside the autograded notebook; they are for tutors, not for feedback/.
    c.CourseDirectory.ignore = [
        ".ipynb_checkpoints",
        "*.pyc",
        "__pycache__",
        "feedback",
        "results.json",
    ]
    c.HTMLExporter.sanitize_html = True


@contextmanager
def programs_on_path() -> Iterator[None]:
    """Makes `alembic` found, which nbgrader runs by name to make a gradebook."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before
