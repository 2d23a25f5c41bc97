"""What a process may do: nothing beyond an ordinary user, and never more again."""

from autograder.sandbox import _linux

__all__ = ["drop_privileges"]


def drop_privileges() -> None:
    """Gives up every capability and every way to new ones."""
    _linux.drop_capabilities()
    _linux.forbid_new_privileges()
