"""The folder of a submission, read without following a link anywhere.

A student may have put a link to the gradebook where a data file is expected. So every file is
opened below the descriptor of a folder, is a regular file and has one name only.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from autograder.errors import BadSubmission
from autograder.intake._words import listed, quoted, size

__all__ = ["SUFFIXES", "notebooks_in", "opened", "own_files", "read_file"]

# What may lie beside the notebook: data and pictures, nothing that a browser runs.
SUFFIXES = (
    ".csv .gif .jpeg .jpg .json .md .npy .npz .pdf .png .py .toml .tsv .txt .webp .yaml .yml"
).split()

# What Jupyter, nbgrader and Python leave behind, and what only the grader writes.
_NOT_THEIRS = frozenset({"__pycache__", "feedback", "results.json", "timestamp.txt"})
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .@+()-]{0,99}")
_MOST_FILES = 100
_DEEPEST = 3

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe waits for a writer that never comes.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """Opens submitted/STUDENT/ASSIGNMENT and yields its descriptor.

    Raises:
        BadSubmission: If it, or the student's folder, is missing or no folder.
    """
    shown = "/".join(folder.parts[-3:])
    try:
        student = os.open(folder.parent, _FOLDER_FLAGS)
        try:
            descriptor = os.open(folder.name, _FOLDER_FLAGS, dir_fd=student)
        finally:
            os.close(student)
    except OSError as problem:
        if problem.errno in (errno.ENOTDIR, errno.ELOOP):
            raise BadSubmission(
                f"{shown} is a link or a file; a folder with the notebook is expected. Replace "
                f"it by the folder itself."
            ) from problem
        raise BadSubmission(f"{shown} cannot be read: {problem.strerror}.") from problem
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def notebooks_in(folder: int) -> tuple[list[str], list[str]]:
    """Returns the names of the notebooks in a folder, and of whatever else was handed in."""
    names = sorted(
        name for name in os.listdir(folder) if not name.startswith(".") and name not in _NOT_THEIRS
    )
    notebooks = [name for name in names if name.endswith(".ipynb")]
    return notebooks, [name for name in names if name not in notebooks]


def read_file(folder: int, name: str, most: int) -> bytes:
    """Reads a file of a folder.

    Raises:
        BadSubmission: If it is no regular file, has another name elsewhere, or more bytes than
            `most`, which is looked at before reading.
    """
    with _regular(folder, name, most) as file:
        # What grows while it is read is cut, and then is no whole notebook.
        return file.read(most)


def own_files(
    place: Path, folder: int, given: Path, most: int, repairs: list[str]
) -> dict[str, Path]:
    """Finds what lies beside the notebook.

    Args:
        place: The submission's folder.
        folder: Its descriptor.
        given: The folder of the assignment's own files, which win over files of the same name.
        most: How many bytes the files may have, taken together.
        repairs: Gets a sentence on what was left out.

    Returns:
        The student's own files, by their path in the folder.
    """
    files: dict[str, Path] = {}
    left_out: list[str] = []
    replaced: list[str] = []
    for path, descriptor in _candidates(folder, left_out):
        try:
            if (given / path).is_file():
                if _differs(descriptor, given / path):
                    replaced.append(quoted(str(path)))
                continue
            if len(files) == _MOST_FILES or path.suffix.lower() not in SUFFIXES:
                raise BadSubmission(f"{path} is not taken.")
            with _regular(descriptor, path.name, most) as file:
                most -= os.fstat(file.fileno()).st_size
            files[str(path)] = place / path
        except BadSubmission:
            left_out.append(quoted(str(path)))
    if replaced:
        repairs.append(
            f"The assignment has its own {listed(replaced)}, which counts instead of what was "
            f"handed in under this name."
        )
    if left_out:
        repairs.append(
            f"Left out beside the notebook: {listed(left_out)}. Ordinary files are taken, of a "
            f"plain name, ending in {', '.join(SUFFIXES)}, within the limit on size."
        )
    return files


@contextmanager
def _regular(folder: int, name: str, most: int) -> Iterator[BinaryIO]:
    try:
        descriptor = os.open(name, _FILE_FLAGS, dir_fd=folder)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise BadSubmission(
                f"{quoted(name)} is a link to another place. Hand in the file itself."
            ) from problem
        raise BadSubmission(f"{quoted(name)} cannot be read: {problem.strerror}.") from problem
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no ordinary file"
            raise BadSubmission(f"{quoted(name)} is {kind}. Hand in the file itself.")
        if status.st_nlink != 1:
            raise BadSubmission(
                f"{quoted(name)} is a hard link: the same file has another name elsewhere. Hand "
                f"in a copy of it."
            )
        if status.st_size > most:
            raise BadSubmission(
                f"{quoted(name)} has {size(status.st_size)}; at most {size(most)} are read. Clear "
                f"the outputs in Jupyter, save the notebook and hand it in again."
            )
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def _differs(folder: int, given: Path) -> bool:
    most = given.stat().st_size
    try:
        return read_file(folder, given.name, most) != given.read_bytes()
    except BadSubmission:
        return True


def _candidates(folder: int, left_out: list[str]) -> Iterator[tuple[PurePosixPath, int]]:
    """Yields the path of each file in question, with the descriptor of the folder it lies in."""
    for here, folders, names, descriptor in os.fwalk(".", dir_fd=folder):
        place = PurePosixPath(here)
        deep = len(place.parts) >= _DEEPEST
        for name in sorted(folders):
            # fwalk lists a link to a folder here, too, and does not follow it.
            is_link = stat.S_ISLNK(os.lstat(name, dir_fd=descriptor).st_mode)
            if not _is_theirs(name):
                folders.remove(name)
            elif deep or is_link or not _FILE_NAME.fullmatch(name):
                folders.remove(name)
                left_out.append(quoted(str(place / name)))
        for name in sorted(names):
            if not _is_theirs(name) or name.endswith(".ipynb"):
                continue
            if _FILE_NAME.fullmatch(name):
                yield place / name, descriptor
            else:
                left_out.append(quoted(str(place / name)))


def _is_theirs(name: str) -> bool:
    return not name.startswith(".") and name not in _NOT_THEIRS and not name.endswith(".pyc")
