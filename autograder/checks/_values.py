"""`expect`: what the value that a call returned must be like."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from autograder.checks._seen import described
from autograder.checks._words import counted, number, place, ratio, ratio_in_words
from autograder.errors import CheckFailed

__all__ = ["Expectation", "default_tolerance", "expect"]

_KINDS = {"f": "floating point", "i": "integer", "u": "integer", "b": "boolean", "c": "complex"}


def default_tolerance(dtype: DTypeLike) -> float:
    """Returns the usual relative tolerance: 1e-9 for float64, else 1e-5."""
    return 1e-9 if np.dtype(dtype) in (np.float64, np.complex128) else 1e-5


def expect(seen: Any) -> "Expectation":  # noqa: ANN401
    """Starts a statement about what a call returned.

    Args:
        seen: The result, an array or a number; for `parts`, a tuple or list.
    """
    return Expectation(seen)


class Expectation:
    """What `expect` returns: each method fails the check, or returns this for the next one.

    All raise `CheckFailed`, with what was seen and what is due.
    """

    def __init__(self, seen: Any) -> None:  # noqa: ANN401
        """Takes what a call returned."""
        self._seen = seen
        self._call = getattr(seen, "call", None)

    def parts(self, count: int) -> tuple[Any, ...]:
        """Returns the results of a call that returns several, exactly `count`."""
        result = self._seen
        if not isinstance(result, tuple | list) or len(result) != count:
            self._fail(described(result), f"a tuple of {count} results")
        return tuple(result)

    def matches(self, due: ArrayLike, tolerance: float | None = None) -> "Expectation":
        """Holds that the value is `due`: dtype, shape, finite, close, in this order.

        Args:
            due: The right value. Its dtype counts: floating point exactly, integers and
                booleans by kind.
            tolerance: As for `close`; by default that of `due`'s dtype.
        """
        right = np.asarray(due)
        return self.array(right.shape, right.dtype).finite().close(right, tolerance)

    def array(self, shape: str | tuple[int, ...], dtype: DTypeLike, **sizes: int) -> "Expectation":
        """Holds that it is one array of this dtype and shape.

        Args:
            shape: A tuple, or names and numbers in a text such as "B 2 D".
            dtype: Floating point counts exactly, integers and booleans by kind.
            **sizes: What the names in `shape` stand for.
        """
        array = self._array()
        due = np.dtype(dtype)
        same_kind = _KINDS.get(array.dtype.kind) == _KINDS.get(due.kind)
        if not (array.dtype == due or (due.kind in "iub" and same_kind)):
            self._fail(f"dtype {array.dtype}", _dtype_in_words(due))
        names = shape.split() if isinstance(shape, str) else [str(size) for size in shape]
        right = tuple(sizes[name] if name in sizes else int(name) for name in names)
        if array.shape != right:
            self._fail(f"shape {array.shape}", _shape_in_words(names, right, array.shape))
        return self

    def finite(self) -> "Expectation":
        """Holds that there is no NaN or infinity."""
        array = self._array()
        wrong = ~np.isfinite(array)
        if wrong.any():
            kind = "NaN" if np.isnan(array).any() else "infinite"
            first = place(np.argwhere(wrong)[0])
            seen = f"{counted(wrong)} {'is' if wrong.sum() == 1 else 'are'} {kind}{first}"
            self._fail(seen, "finite numbers")
        return self

    def close(self, due: ArrayLike, tolerance: float | None = None) -> "Expectation":
        """Holds that the value lies near `due`.

        Args:
            due: The right value.
            tolerance: Largest deviation allowed, relative to the largest absolute value of `due`
                (to 1 where that is 0). By default 1e-5, and 1e-9 where `due` is float64.
        """
        right = np.asarray(due)
        if tolerance is None:
            tolerance = default_tolerance(right.dtype)
        array = self._same_shape(right)
        wide: np.ndarray = array.astype(_wide(array))
        right = right.astype(_wide(right))
        scale = float(np.max(np.abs(right), initial=0.0)) or 1.0
        # Negated, so that a NaN counts as wrong.
        wrong = ~(np.abs(wide - right) <= tolerance * scale)
        if wrong.any():
            self._fail(_deviation(wide, right, wrong), "the value that the formula gives")
        return self

    def equals(self, due: ArrayLike) -> "Expectation":
        """Holds that every entry is exactly that of `due`."""
        right = np.asarray(due)
        array = self._same_shape(right)
        wrong = ~np.asarray(array == right)
        if wrong.any():
            first = place(np.argwhere(wrong)[0], first=wrong.sum() > 1)
            differ = "differs" if wrong.sum() == 1 else "differ"
            self._fail(f"{counted(wrong)} {differ}{first}", "equal, exactly")
        return self

    def among(self, values: Iterable[float]) -> "Expectation":
        """Holds that every entry is exactly one of `values`."""
        array = self._array()
        allowed = list(values)
        wrong = ~np.isin(array, allowed)
        if wrong.any():
            where = tuple(np.argwhere(wrong)[0])
            words = " or ".join(number(value) for value in allowed)
            self._fail(_example(array, wrong, where, "are something else"), f"only {words}")
        return self

    def within(self, low: float, high: float) -> "Expectation":
        """Holds that every entry lies in [low, high]."""
        array = self._array()
        wrong = ~((array >= low) & (array <= high))
        if wrong.any():
            where = tuple(np.argwhere(wrong)[0])
            due = "a number" if array.size == 1 else "numbers"
            self._fail(
                _example(array, wrong, where, "lie outside"),
                f"{due} from {number(low)} to {number(high)}",
            )
        return self

    def sums_to(self, value: float, axis: int | tuple[int, ...] | None = None) -> "Expectation":
        """Holds that sums over `axis` are `value`, within 1e-5 of it (1e-9 in float64)."""
        array = self._array()
        sums = np.sum(array.astype(_wide(array)), axis=axis)
        tolerance = default_tolerance(array.dtype) * max(abs(value), 1.0)
        wrong = ~np.asarray(np.abs(sums - value) <= tolerance)
        if wrong.any():
            worst = np.atleast_1d(sums)[np.atleast_1d(wrong)][0]
            self._fail(f"{counted(wrong, 'sum')} off, such as {number(worst)}", f"{number(value)}")
        return self

    def _array(self) -> np.ndarray:
        if isinstance(self._seen, tuple | list | Mapping):
            self._fail(described(self._seen), "one array")
        return np.asarray(self._seen)

    def _same_shape(self, right: np.ndarray) -> np.ndarray:
        array = self._array()
        if array.shape != right.shape:
            names = [str(size) for size in right.shape]
            self._fail(f"shape {array.shape}", _shape_in_words(names, right.shape, array.shape))
        return array

    def _fail(self, seen: str, due: str) -> Any:  # noqa: ANN401
        raise CheckFailed(None, seen, due, self._call)


def _wide(array: np.ndarray) -> type:
    return np.complex128 if array.dtype.kind == "c" else np.float64


def _dtype_in_words(due: np.dtype[Any]) -> str:
    if due.kind in "iub":
        return f"{_KINDS[due.kind]} numbers" if due.kind != "b" else "booleans"
    return f"{due}, the dtype of the arguments"


def _shape_in_words(names: list[str], right: tuple[int, ...], seen: tuple[int, ...]) -> str:
    form = f"({', '.join(names)}{',' * (len(names) == 1)})"
    words = form if form == str(right) else f"{form} = {right}"
    if len(right) == 0:
        words = "a single number: ()"
    elif len(right) == 1:
        words = f"one number per row: {words}"
    try:
        together = np.broadcast_shapes(seen, right)
    except ValueError:
        return words
    # The silent kind: (7, 1) against (7,) makes (7, 7) without a word.
    return f"{words} (with this one, sums become {together})" if together != right else words


def _example(array: np.ndarray, wrong: np.ndarray, where: tuple[Any, ...], words: str) -> str:
    """Says how many entries are wrong, and one of them; of a lone number, what it is."""
    one = number(array[where])
    return one if array.size == 1 else f"{counted(wrong)} {words}, such as {one}{place(where)}"


def _deviation(seen: np.ndarray, right: np.ndarray, wrong: np.ndarray) -> str:
    """Says how many entries are wrong, how, and where the worst one is."""
    count = counted(wrong, "row" if wrong.ndim == 1 else "entry" if wrong.ndim else "number")
    differ = "differs" if wrong.sum() == 1 else "differ"
    if not np.isfinite(seen[wrong]).all():
        return f"{count} {differ}; some are NaN or infinite"
    in_words = ratio_in_words(seen[wrong], right[wrong], right.shape)
    if in_words:
        subject = "it" if wrong.sum() == 1 else "each"
        return f"{count} {differ}; {subject} is {in_words}"
    worst = [int(i) for i in np.unravel_index(np.argmax(np.abs(seen - right)), right.shape)]
    compared = ratio(seen[*worst].item(), right[*worst].item())
    return f"{count} {differ}; {'the worst' if wrong.sum() > 1 else 'it'}{place(worst)} {compared}"
