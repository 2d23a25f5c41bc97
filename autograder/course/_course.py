"""The course folder: where everything lies."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from autograder.course._assignment import Assignment, read_assignment
from autograder.course._names import is_name
from autograder.course._settings import CONFIG_FILE, Settings, read_settings
from autograder.errors import UsageError

__all__ = ["Course", "find_course"]

_SECRET_BYTES = 32


@dataclass(frozen=True)
class Course:
    """A course folder and its settings.

    Attributes:
        root: The folder that holds nbgrader_config.py, absolute.
    """

    root: Path
    settings: Settings

    def assignments(self) -> tuple[Assignment, ...]:
        """Returns the assignments with a source notebook, by name.

        Raises:
            UsageError: If one of the notebooks breaks the rules.
        """
        return tuple(self.assignment(name) for name in self._names())

    def assignment(self, name: str) -> Assignment:
        """Returns an assignment by its name.

        Raises:
            UsageError: If there is none, or its notebook breaks the rules.
        """
        names = self._names()
        if name not in names:
            known = ", ".join(names) or f"none yet; one is expected at source/{name}/{name}.ipynb"
            raise UsageError(f"There is no assignment {name!r}. There are: {known}.")
        return read_assignment(self.source_folder(name) / f"{name}.ipynb")

    def _names(self) -> list[str]:
        folders = sorted((self.root / "source").glob("*"))
        names = [folder.name for folder in folders if (folder / f"{folder.name}.ipynb").is_file()]
        return [name for name in names if is_name(name)]

    def is_checked(self, name: str) -> bool:
        """Whether an assignment has hidden checks; one without keeps nbgrader's own scoring."""
        return self.hidden_folder(name).is_dir()

    def source_folder(self, name: str) -> Path:
        """The folder of the source notebook, its data and figures."""
        return self.root / "source" / name

    def release_folder(self, name: str) -> Path:
        """The folder that students get."""
        return self.root / "release" / name

    def hidden_folder(self, name: str) -> Path:
        """The folder of the hidden checks."""
        return self.root / "tests" / "hidden" / name

    def submitted_folder(self, student: str, name: str) -> Path:
        """The folder of what a student handed in."""
        return self.root / "submitted" / student / name

    def autograded_folder(self, student: str, name: str) -> Path:
        """The folder of a graded submission and its results.json."""
        return self.root / "autograded" / student / name

    @property
    def feedback_folder(self) -> Path:
        """The folder of the feedback pages."""
        return self.root / "feedback"

    @property
    def private(self) -> Path:
        """The folder that belongs to the framework: secret, lock, journal."""
        return self.root / ".lgm"

    def students(self, name: str) -> list[str]:
        """Returns who has a folder, or anything else, in the place of a submission; sorted."""
        # Whatever lies there is reported by who reads it; a broken link does not vanish silently.
        return sorted(
            place.name
            for place in (self.root / "submitted").glob("*")
            if not place.name.startswith(".") and os.path.lexists(place / name)
        )

    def secret(self) -> bytes:
        """Returns the course's 32 random bytes, from which hidden inputs are drawn.

        Made on first use, readable by the owner only. Whoever loses them gets other inputs.

        Raises:
            UsageError: If the file holds something else.
        """
        path = self.private / "secret"
        if not path.exists():
            self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self.private / f"secret.{secrets.token_hex(8)}"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_SECRET_BYTES))
            try:
                # A link does not replace: of two that start at once, both use the first's.
                os.link(temporary, path)
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        content = path.read_bytes()
        if len(content) != _SECRET_BYTES:
            raise UsageError(
                f"{path} should hold {_SECRET_BYTES} bytes and holds {len(content)}. Restore it "
                f"from a backup; without one, delete it: hidden inputs then change."
            )
        return content


def find_course(start: Path | None = None) -> Course:
    """Finds the course that a folder belongs to.

    Args:
        start: Where to begin; the working directory if None.

    Returns:
        The course of the nearest folder, upwards, that holds nbgrader_config.py.

    Raises:
        UsageError: If there is none, or its settings make no sense.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_FILE).is_file():
            return Course(folder, read_settings(folder / CONFIG_FILE))
    raise UsageError(
        f"{start} belongs to no course: neither it nor a folder above it holds {CONFIG_FILE}. "
        f"Change to a course folder, then try again."
    )
