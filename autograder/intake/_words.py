"""How repairs and refusals speak of what a student handed in."""

from collections.abc import Sequence

from autograder.inert import terminal_text

__all__ = ["listed", "quoted", "size"]

_LONGEST_NAME = 60
_LONGEST_LIST = 5


def quoted(text: str) -> str:
    """Returns a name that the student chose, short, in quotes, and safe to print."""
    # Bytes of a file name that are no UTF-8 arrive as lone surrogates, which cannot be written.
    text = terminal_text(text.encode("utf-8", "replace").decode("utf-8")).replace("\n", " ")
    if len(text) > _LONGEST_NAME:
        text = text[: _LONGEST_NAME - 1] + "…"
    return f"'{text}'"


def listed(items: Sequence[object]) -> str:
    """Returns "a, b and c"; of a long list, its beginning and how many more there are."""
    words = [str(item) for item in items]
    if len(words) > _LONGEST_LIST + 1:
        words = [*words[:_LONGEST_LIST], f"{len(words) - _LONGEST_LIST} more"]
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def size(count: int) -> str:
    """Returns a number of bytes as people read it."""
    if count < 100_000:
        return f"{count} byte{'' if count == 1 else 's'}"
    return f"{count / 1e6:.1f} MB"
