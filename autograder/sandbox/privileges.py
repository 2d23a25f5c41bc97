"""What a process may do: nothing beyond an ordinary user, and never more again."""

import os

from autograder.sandbox import _linux

__all__ = ["drop_privileges", "forbid_namespaces", "limit_objects"]

# What the kernel counts by user, and so would be missing elsewhere on the machine.
_OBJECTS = {"max_inotify_instances": 16, "max_inotify_watches": 1024}


def forbid_namespaces() -> None:
    """Forbids further user namespaces below this one; needs the capabilities of its first process.

    In a namespace of its own a process would be its root, with much more of the kernel in reach.
    """
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")


def limit_objects() -> None:
    """Limits what a namespace may have of the grader's own share; needs the same capabilities."""
    for name, most in _OBJECTS.items():
        with open(f"/proc/sys/user/{name}", "w") as file:
            file.write(str(most))


def drop_privileges() -> None:
    """Gives up every capability and every way to new ones."""
    _linux.drop_capabilities()
    _linux.forbid_new_privileges()
    os.umask(0o077)
