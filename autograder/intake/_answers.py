"""Which functions of an exercise a cell answers, read from its text; nothing of it is run."""

import ast
import re
from collections.abc import Iterator

from autograder.course import STUB

__all__ = ["answered", "defined"]

# IPython's magics and shell lines are no Python.
_MAGIC = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)


def defined(source: str) -> set[str]:
    """Returns the functions and classes that a cell defines at top level; none if no Python."""
    return {name for name, _ in _functions(source)}


def answered(source: str) -> set[str]:
    """Returns those of them that hold more than what the release had put there."""
    return {name for name, text in _functions(source) if STUB not in text}


def _functions(source: str) -> Iterator[tuple[str, str]]:
    try:
        tree = ast.parse(_MAGIC.sub(r"\1pass", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # What the parser raises on text that is wrong, or nested so as to exhaust it.
        return
    lines = source.split("\n")
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, "\n".join(lines[node.lineno - 1 : node.end_lineno])
