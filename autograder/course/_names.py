"""Names of students and assignments: they become folders, globs and format strings."""

import re

__all__ = ["is_name"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,99}")


def is_name(name: str) -> bool:
    """Whether a student or an assignment can be called so: letters, digits and `_ . @ + -`."""
    return _NAME.fullmatch(name) is not None
