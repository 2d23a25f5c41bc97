"""The folder autograded/<student>/<assignment>/, put in its place whole or not at all."""

import ctypes
import errno
import fnmatch
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autograder.course import Course
from autograder.gradebook.submitted import Submitted, handed_in_at
from autograder.results import SubmissionResult, save

__all__ = ["write_autograded"]

# What nbgrader copies neither from a submission nor from the source, besides notebooks.
_IGNORED = (".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "results.json", "*.ipynb")
_READ_ONLY = 0o444

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write_autograded(
    course: Course,
    submission: Submitted | None,
    result: SubmissionResult,
    notebook: Mapping[str, Any] | None,
) -> Path:
    """Writes the autograded notebook, results.json and the files beside them, as nbgrader would.

    The folder is built beside its place and then exchanged with the one that is there, so that at
    every moment either the old or the new one is seen.

    Args:
        course: The course.
        submission: The clean submission, or None if it was refused.
        result: What the judge found.
        notebook: The autograded notebook, or None if it was refused; only results.json is then
            written.

    Returns:
        The folder.
    """
    place = course.autograded_folder(result.student, result.assignment)
    place.parent.mkdir(parents=True, exist_ok=True)
    # What a run that was killed left half-written.
    for leftover in place.parent.glob(f".{place.name}.*"):
        shutil.rmtree(leftover)
    built = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    try:
        save(result, built / "results.json")
        if submission is not None and notebook is not None:
            import nbformat  # half a second, which a page of marks need not wait

            text = nbformat.v4.writes(nbformat.from_dict(notebook)) + "\n"
            # A cell may show halves of surrogate pairs, which no file can hold.
            content = text.encode("utf-8", "replace")
            (built / f"{result.assignment}.ipynb").write_bytes(content)
            source = course.source_folder(result.assignment)
            # The course's version of a file wins.
            theirs, ours = submission.files, {str(p.relative_to(source)): p for p in _walk(source)}
            for name, path in {**theirs, **ours}.items():
                (built / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, built / name)
            timestamp = handed_in_at(course.submitted_folder(result.student, result.assignment))
            if timestamp is not None:
                (built / "timestamp.txt").write_text(f"{timestamp}\n", encoding="utf-8")
        for path in built.rglob("*"):
            if path.is_file():
                path.chmod(_READ_ONLY)
        built.chmod(0o755)
        _put(built, place)
    finally:
        # The old folder, or on a failure the half-built one.
        shutil.rmtree(built, ignore_errors=True)
    return place


def _walk(folder: Path) -> Iterator[Path]:
    """Yields the files that nbgrader would copy."""
    for path in sorted(folder.iterdir()):
        if any(fnmatch.fnmatch(path.name, pattern) for pattern in _IGNORED):
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file():
            yield path


def _put(built: Path, place: Path) -> None:
    """Moves a folder to its place; what was there is then where the folder was built."""
    if not place.exists():
        built.rename(place)
    elif not _exchange(built, place):
        # A file system that cannot exchange: for a moment there is none.
        old = built.with_name(f"{built.name}.old")
        place.rename(old)
        built.rename(place)
        old.rename(built)


def _exchange(first: Path, second: Path) -> bool:
    """Exchanges two folders in one step; False if this system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    places = (_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second))
    code = rename(*places, ctypes.c_uint(_RENAME_EXCHANGE))
    if code == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(number, os.strerror(number), str(second))
