"""What this room needs to know of a submission; `intake` makes the clean ones."""

import logging
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Submitted", "SubmittedCell", "handed_in_at"]

# "2026-11-25 02:00:00.000000 Europe/Berlin" and more.
_LONGEST = 100

_log = logging.getLogger(__name__)


class SubmittedCell(Protocol):
    """One cell, as the student handed it in or as it was put back."""

    @property
    def grade_id(self) -> str | None:
        """The name that nbgrader knows the cell by, or None."""

    @property
    def source(self) -> str:
        """Its text."""


class Submitted(Protocol):
    """One submission that can be graded."""

    @property
    def cells(self) -> Sequence[SubmittedCell]:
        """The cells, in the order of the notebook."""

    @property
    def notebook(self) -> Mapping[str, Any]:
        """The clean notebook, nbformat 4.5."""

    @property
    def files(self) -> Mapping[str, Path]:
        """The student's other files, by their path in the folder."""


def handed_in_at(folder: Path) -> str | None:
    """Returns what timestamp.txt says in a submission's folder, or None if nobody knows."""
    path = folder / "timestamp.txt"
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ValueError("it is no ordinary file")
        with path.open(encoding="utf-8") as file:
            return file.read(_LONGEST).strip() or None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        _log.warning("%s gives no time of submission: %s", path, problem)
        return None
