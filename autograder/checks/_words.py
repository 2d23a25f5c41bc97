"""How numbers, places and deviations are said to a student."""

from collections.abc import Sequence

import numpy as np

__all__ = ["counted", "number", "place", "ratio", "ratio_in_words"]

_PLURAL = {"entry": "entries"}


def number(value: complex | np.generic) -> str:
    """Says a number in at most three significant digits."""
    return f"{np.asarray(value).item():.3g}"


def counted(wrong: np.ndarray, noun: str = "entry") -> str:
    """Says "3 of 7 entries", of a boolean array."""
    return f"{int(np.sum(wrong))} of {np.size(wrong)} {_PLURAL.get(noun, noun + 's')}"


def place(index: Sequence[int] | np.ndarray, first: bool = False) -> str:
    """Says where an entry is, counted from 0: " at [2, 0]"; nothing for a lone number."""
    if len(index) == 0:
        return ""
    inside = ", ".join(str(int(position)) for position in index)
    return f"{', first' if first else ''} at [{inside}]"


def ratio(seen: complex, right: complex) -> str:
    """Says how a number compares with what it should be, without saying what that is."""
    if right == 0:
        return f"is {number(seen)} and should be 0"
    share = complex(seen / right)
    if abs(share - 1) < 5e-4:
        return f"is off by {abs(share - 1):.0e} of its size"
    if share.imag:
        return f"is {abs(share):.3g} times as large as it should be, and turned"
    return f"is {share.real:.3g} times what it should be"


def ratio_in_words(seen: np.ndarray, right: np.ndarray, shape: tuple[int, ...]) -> str | None:
    """Says what all wrong entries have in common, if it is something well known.

    Args:
        seen: The wrong entries, finite float64.
        right: What they should be.
        shape: Shape of the whole result, for factors such as its first size.

    Returns:
        For example "half of what it should be", or None.
    """
    with np.errstate(all="ignore"):
        known: list[tuple[str, np.ndarray]] = [
            ("0", 0 * right),
            ("the negative of what it should be", -right),
            ("half of what it should be", right / 2),
            ("twice what it should be", 2 * right),
        ]
        for size in dict.fromkeys(size for size in shape if size > 2):
            known.append((f"{size} times what it should be", size * right))
            known.append((f"1/{size} of what it should be", right / size))
        known += [
            ("the square of what it should be", right**2),
            ("the square root of what it should be", np.sqrt(right)),
            ("the exponential of what it should be", np.exp(right)),
            ("the logarithm of what it should be", np.log(right)),
            ("1 minus what it should be", 1 - right),
        ]
        for words, candidate in known:
            if np.allclose(seen, candidate, rtol=1e-3, atol=1e-12):
                return words
    return None
