"""What an instructor sets in nbgrader_config.py, under `c.Lgm` and `c.CourseDirectory`."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from autograder.errors import UsageError

__all__ = ["CONFIG_FILE", "Settings", "read_settings"]

CONFIG_FILE = "nbgrader_config.py"

# Least and most that a limit may be; beyond the ceiling a typing error is likelier than a wish.
_BOUNDS = {
    "cell_seconds": (1, 3_600),
    "probe_seconds": (1, 600),
    "submission_seconds": (1, 14_400),
    "memory_mebibytes": (512, 65_536),
    "data_mebibytes": (512, 65_536),
    "processes": (64, 4_096),
    "submission_megabytes": (1, 500),
}


@dataclass(frozen=True)
class Settings:
    """The course's name, its gradebook and what a submission may use.

    Attributes:
        course_id: nbgrader's `c.CourseDirectory.course_id`.
        db_url: Where the gradebook is, as an SQLAlchemy URL.
        cell_seconds: Wall clock for one cell. Running out of memory takes TensorFlow up to 13
            seconds; with less than 30, that looks like a cell that never ends.
        probe_seconds: Wall clock for one call of a student's function by a check.
        submission_seconds: Wall clock for a whole submission.
        memory_mebibytes: Memory of all processes of a submission.
        data_mebibytes: Data segment of one process.
        processes: Processes and threads of a submission.
        submission_megabytes: Size of the notebook file.
    """

    course_id: str
    db_url: str
    cell_seconds: float = 60
    probe_seconds: float = 30
    submission_seconds: float = 600
    memory_mebibytes: int = 3072
    data_mebibytes: int = 2048
    processes: int = 256
    submission_megabytes: int = 25


def read_settings(path: Path) -> Settings:
    """Runs the configuration file, as nbgrader does, and returns what it sets.

    Raises:
        UsageError: If the file fails, or sets a limit that is unknown, of the wrong type or out of
            bounds.
    """
    config = load_config(path)
    course_directory = config.get("CourseDirectory", {})
    return Settings(
        course_id=str(course_directory.get("course_id", "")),
        db_url=str(course_directory.get("db_url", f"sqlite:///{path.parent / 'gradebook.db'}")),
        **_limits(config.get("Lgm", {})),
    )


def load_config(path: Path) -> Any:  # noqa: ANN401  (a traitlets Config, which is untyped)
    """Returns the traitlets configuration that a file sets.

    Raises:
        UsageError: If the file cannot be read or run; names the line.
    """
    from traitlets.config.loader import PyFileConfigLoader

    try:
        return PyFileConfigLoader(path.name, path=str(path.parent)).load_config()
    except Exception as problem:  # whatever an instructor's file raises
        raise UsageError(f"{path}{_line(problem, path)}: {_described(problem)}") from problem


def _line(problem: Exception, path: Path) -> str:
    if isinstance(problem, SyntaxError):
        return f", line {problem.lineno}"
    frames = traceback.extract_tb(problem.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
    return f", line {lines[-1]}" if lines else ""


def _described(problem: Exception) -> str:
    text = problem.msg if isinstance(problem, SyntaxError) else str(problem)
    return f"{type(problem).__name__}: {text}. Correct this line of the configuration."


def _limits(section: Mapping[str, Any]) -> dict[str, Any]:
    whole = {field.name for field in fields(Settings) if field.type is int}
    limits = {}
    for name, value in section.items():
        if name not in _BOUNDS:
            known = ", ".join(_BOUNDS)
            raise UsageError(f"c.Lgm.{name} in {CONFIG_FILE} is no setting. There are: {known}.")
        low, high = _BOUNDS[name]
        kind = "a whole number" if name in whole else "a number"
        right_type = isinstance(value, int if name in whole else int | float)
        # A bool is an int to Python; NaN fails both comparisons.
        if isinstance(value, bool) or not right_type or not low <= value <= high:
            raise UsageError(
                f"c.Lgm.{name} in {CONFIG_FILE} is {kind} from {low} to {high}. "
                f"Received: {value!r}"
            )
        limits[name] = value
    return limits
