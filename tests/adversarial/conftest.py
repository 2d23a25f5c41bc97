"""What the adversarial tests share: a course with secrets in it, and rooms to grade it in."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.course import Course, find_course
from autograder.sandbox.policy import MODULES
from tests.adversarial.room import Room, plant, with_limits

TOY_COURSE = Path(__file__).parents[1] / "autograder" / "toy_course"
LIMITS = {
    "cell_seconds": 3,
    "probe_seconds": 3,
    "submission_seconds": 60,
    "memory_mebibytes": 900,
    "data_mebibytes": 700,
    "processes": 64,
}


@pytest.fixture(scope="session")
def adversarial_course(
    tmp_path_factory: pytest.TempPathFactory, empty_gradebook: Path
) -> Iterator[tuple[Course, list]]:
    """A course, and the secrets that are planted in it and around it."""
    folder = tmp_path_factory.mktemp("adversarial")
    root, home = folder / "course", folder / "home"
    shutil.copytree(TOY_COURSE, root, ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        (root / "gradebook.db").write_bytes(empty_gradebook.read_bytes())
        course = find_course(root)
        course.secret()
        secrets = plant(course, home)
        yield with_limits(course, **LIMITS), secrets
        del os.environ["LGM_TEST_TOKEN"]


@pytest.fixture(scope="session")
def rooms(adversarial_course: tuple[Course, list]) -> Iterator[Callable[..., Room]]:
    """Returns a room for a policy; each is opened once."""
    course, secrets = adversarial_course
    opened: dict[tuple, Room] = {}

    def room(without: tuple[str, ...] = (), tensorflow: bool = False, **how) -> Room:
        key = (frozenset(without), tensorflow, *how.items())
        if key not in opened:
            modules = MODULES if tensorflow else ("numpy",)
            new = Room(course, secrets, modules, frozenset(without), **how)
            opened[key] = new.__enter__()
        return opened[key]

    yield room
    for one in opened.values():
        one.__exit__(None, None, None)
