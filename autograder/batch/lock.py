"""One grader per course at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from autograder.course import Course
from autograder.errors import GraderError

__all__ = ["locked"]


@contextmanager
def locked(course: Course) -> Iterator[None]:
    """Holds the course's lock; the kernel lets go of it if the process dies.

    Raises:
        GraderError: If another process holds it.
    """
    course.private.mkdir(mode=0o700, exist_ok=True)
    with (course.private / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise GraderError(
                f"Another lgm is at work in {course.root}. Wait for it to finish, or stop it."
            ) from problem
        yield
