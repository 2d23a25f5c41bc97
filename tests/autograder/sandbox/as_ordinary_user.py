"""Runs a program as a user who has no privileges, where the tests themselves run as root.

Root's Python may lie where nobody else may look, so the program runs in a view of its own, which
holds Python, the framework and the folders that are named.

    python as_ordinary_user.py FOLDER… -- PROGRAM ARGUMENT…
"""

import os
import sys
from pathlib import Path

from autograder.sandbox import _linux
from autograder.sandbox.namespaces import NEW_MOUNTS
from autograder.sandbox.view import enter, system_view

_NOBODY_IN_PARTICULAR = 61_234


def main(arguments: list[str]) -> None:
    split = arguments.index("--")
    folders, command = arguments[:split], arguments[split + 1 :]
    root = str(Path(_linux.__file__).parents[1])
    view = system_view().with_binds((path, path) for path in [root, *folders])
    _linux.unshare(NEW_MOUNTS)
    place = os.getcwd()
    enter(view, fresh_processes=False)
    if os.path.isdir(place):
        os.chdir(place)
    os.setgroups([])
    os.setresgid(*[_NOBODY_IN_PARTICULAR] * 3)
    os.setresuid(*[_NOBODY_IN_PARTICULAR] * 3)
    home = {"HOME": "/tmp"}  # noqa: S108  (of that view)
    os.execve(os.path.realpath(sys.executable), command, {**os.environ, **home})  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
