"""How numbers, places, arguments and deviations are said to a student."""

from collections.abc import Sequence

import numpy as np

__all__ = ["argument", "counted", "number", "place", "ratio", "ratio_in_words"]

_PLURAL = {"entry": "entries"}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")

# Integers up to here are said in full.
_WHOLE = 10**6


def number(value: complex | np.generic) -> str:
    """Says a number in at most three significant digits; small integers and booleans in full."""
    plain = np.asarray(value).item()
    if isinstance(plain, bool):
        return str(plain)
    whole = isinstance(plain, int | float) and abs(plain) < _WHOLE and plain == int(plain)
    return str(int(plain)) if whole else f"{plain:.3g}"


def counted(wrong: np.ndarray, noun: str = "entry") -> str:
    """Says "3 of 7 entries", of a boolean array."""
    return f"{int(np.sum(wrong))} of {np.size(wrong)} {_PLURAL.get(noun, noun + 's')}"


def place(index: Sequence[int] | np.ndarray, first: bool = False) -> str:
    """Says where an entry is, counted from 0: " at [2, 0]"; nothing for a lone number."""
    if len(index) == 0:
        return ""
    inside = ", ".join(str(int(position)) for position in index)
    return f"{', first' if first else ''} at [{inside}]"


def argument(names: Sequence[str], index: int) -> str:
    """Says which argument of a call: its name where that is known, else "the third argument"."""
    if index < len(names):
        return names[index]
    return (
        f"the {_ORDINALS[index]} argument" if index < len(_ORDINALS) else f"argument {index + 1}"
    )


def ratio(seen: complex, right: complex) -> str:
    """Says how a number compares with what it should be, without saying what that is.

    Args:
        seen: The number, finite.
        right: What it should be, finite.
    """
    if right == 0:
        return f"is {number(seen)} and should be 0"
    if seen == 0:
        return "is 0 and should not be"
    with np.errstate(all="ignore"):
        share = complex(np.divide(seen, right))
    if not np.isfinite(share):
        return "is far larger than it should be"
    if abs(share - 1) < 5e-4:
        return f"is off by {abs(share - 1):.0e} of its size"
    if share.imag:
        return f"is {number(abs(share))} times as large as it should be, and turned"
    return f"is {number(share.real)} times what it should be"


def ratio_in_words(seen: np.ndarray, right: np.ndarray, shape: tuple[int, ...]) -> str | None:
    """Says what all wrong entries have in common, if it is something well known.

    Args:
        seen: The wrong entries, finite float64 or complex128.
        right: What they should be, likewise.
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
        # Rounding, relative to the largest: an absolute one would take all small numbers for 0.
        rounding = 1e-6 * float(np.max(np.abs(right), initial=0.0))
        for words, candidate in known:
            if np.allclose(seen, candidate, rtol=1e-3, atol=rounding):
                return words
    return None
