"""`expect`: what the value that a call returned must be like."""

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from autograder.checks._seen import Seen, described
from autograder.checks._words import counted, number, place, ratio, ratio_in_words
from autograder.errors import CheckFailed

__all__ = ["Expectation", "default_tolerance", "expect", "rounding", "widened"]

_KINDS = {"f": "floating point", "i": "integer", "u": "integer", "b": "boolean", "c": "complex"}


def default_tolerance(dtype: DTypeLike) -> float:
    """Returns the usual relative tolerance: 1e-9 for float64 and complex128, else 1e-5."""
    return 1e-9 if np.dtype(dtype) in (np.float64, np.complex128) else 1e-5


def rounding(dtype: DTypeLike, terms: int = 1) -> float:
    """Returns how far, relatively, right results may lie apart: 8 eps sqrt(terms); 0 if exact.

    Args:
        dtype: What they are computed in.
        terms: How many numbers are added up on the way; their roundings are independent.
    """
    plain = np.dtype(dtype)
    return 8.0 * float(np.finfo(plain).eps) * terms**0.5 if plain.kind in "fc" else 0.0


def widened(array: ArrayLike) -> np.ndarray:
    """Returns numbers in the precision in which they are compared: float64, or complex128."""
    plain = np.asarray(array)
    return plain.astype(np.complex128 if plain.dtype.kind == "c" else np.float64)


def expect(seen: Any, due: str | None = None) -> "Expectation":  # noqa: ANN401
    """Starts a statement about what a call returned.

    Args:
        seen: The result, an array or a number; for `parts`, a tuple or list.
        due: What is true of a right value, in words that complete "due": "the scores in the order
            of the energies". Said where the value is wrong, in place of the usual words; a wrong
            dtype or shape, or a NaN, has its own.
    """
    return Expectation(seen, due)


class Expectation:
    """What `expect` returns: each method fails the check, or returns this for the next one.

    Those that say so raise `CheckFailed`, with what was seen and what is due, whatever came back;
    `ValueError` is for what the author of a check got wrong.
    """

    def __init__(self, seen: Any, due: str | None = None) -> None:  # noqa: ANN401
        """Takes what a call returned, and what is due in words."""
        self._seen = seen
        self._due = due
        self._call = getattr(seen, "call", None)
        self._dtype: np.dtype[Any] | None = None

    def parts(self, count: int) -> tuple[Any, ...]:
        """Returns the results of a call that returns several.

        Raises:
            CheckFailed: If they are not exactly `count`, in a tuple or list.
        """
        result = self._seen
        if not isinstance(result, tuple | list) or len(result) != count:
            self._fail(described(result), f"a tuple of {count} results")
        return tuple(result)

    def matches(
        self,
        due: ArrayLike,
        tolerance: float | None = None,
        terms: int = 1,
        scale: float | None = None,
    ) -> "Expectation":
        """Holds that the value is `due`: dtype, shape, finite, close, in this order.

        Args:
            due: The right value. Its dtype counts: floating point exactly, integers and
                booleans by kind.
            tolerance: As for `close`, like `terms` and `scale`.
            terms: How many numbers are added up on the way.
            scale: Size of what is computed with, if larger than the result.

        Raises:
            CheckFailed: If it is another value, or not one array.
            ValueError: As for `close`.
        """
        right = np.asarray(due)
        self.array(right.shape, right.dtype).finite()
        self._dtype = None
        return self.close(due, tolerance, terms, scale)

    def array(self, shape: str | tuple[int, ...], dtype: DTypeLike, **sizes: int) -> "Expectation":
        """Holds that it is one array of this dtype and shape.

        Args:
            shape: A tuple, or names and numbers in a text such as "B 2 D". "B" stands for rows.
            dtype: Floating point and complex count exactly, integers and booleans by kind.
            **sizes: What the names in `shape` stand for.

        Raises:
            CheckFailed: If it is not.
            ValueError: If a name in `shape` has no size.
        """
        array = self._array()
        self._dtype = due = np.dtype(dtype)
        same_kind = _KINDS.get(array.dtype.kind) == _KINDS.get(due.kind)
        if not (array.dtype == due or (due.kind in "iub" and same_kind)):
            self._fail(f"dtype {array.dtype}", _dtype_in_words(due))
        names = shape.split() if isinstance(shape, str) else [str(size) for size in shape]
        unknown = [name for name in names if name not in sizes and not name.isdecimal()]
        if unknown:
            raise ValueError(f"Each name in shape has its size. Received: {shape!r}, {sizes}")
        right = tuple(sizes[name] if name in sizes else int(name) for name in names)
        if array.shape != right:
            self._fail(f"shape {array.shape}", _shape_in_words(names, right, array.shape))
        return self

    def finite(self) -> "Expectation":
        """Holds that there is no NaN or infinity.

        Raises:
            CheckFailed: If there is, or it is not one array.
        """
        array = self._array()
        wrong = ~np.isfinite(array)
        if wrong.any():
            kind = "NaN" if np.isnan(array).any() else "infinite"
            first = place(np.argwhere(wrong)[0], first=wrong.sum() > 1)
            verb = "is" if wrong.sum() == 1 else "are"
            many = f"{counted(wrong)} {verb} {kind}{first}"
            self._fail(many if array.ndim else kind, "finite numbers" if array.ndim else "finite")
        return self

    def close(
        self,
        due: ArrayLike,
        tolerance: float | None = None,
        terms: int = 1,
        scale: float | None = None,
    ) -> "Expectation":
        """Holds that the value lies near `due`, of the same shape.

        Args:
            due: The right value.
            tolerance: Largest deviation allowed, relative to `scale`. By default 1e-5, and 1e-9
                where `due` and the value are float64; at least what `terms` leaves of it.
            terms: How many numbers are added up on the way, such as the pixels of an image.
            scale: Size of what is computed with. By default the largest absolute value of `due`,
                or 1 where that is 0; larger where terms cancel, so that little of them is left.

        Raises:
            CheckFailed: If an entry lies further off, or is NaN.
            ValueError: If `tolerance` lies below 8 eps sqrt(terms) of the dtype that the check
                asks for: right work would fail.
        """
        right = np.asarray(due)
        array = self._same_shape(right)
        # What came from student code may have any dtype, which is no author's error.
        asked = [self._dtype, None if isinstance(due, Seen) else right.dtype]
        floor = max(rounding(dtype, terms) if dtype else 0.0 for dtype in asked)
        if tolerance is None:
            usual = max(default_tolerance(right.dtype), default_tolerance(array.dtype))
            tolerance = max(usual, floor)
        if not tolerance >= floor:
            raise ValueError(
                f"In this dtype, with terms={terms}, right results differ by {floor:.1e} of "
                f"their size; a tolerance is larger. Received: {tolerance:g}"
            )
        wide, right = widened(array), widened(right)
        if scale is None:
            scale = float(np.max(np.abs(right), initial=0.0)) or 1.0
        with np.errstate(all="ignore"):
            # Negated, so that a NaN counts as wrong.
            wrong = np.asarray(~(np.abs(wide - right) <= tolerance * scale))
        if wrong.any():
            self._fail(_deviation(wide, right, wrong), self._due or _close_in_words(right))
        return self

    def equals(self, due: ArrayLike) -> "Expectation":
        """Holds that every entry is exactly that of `due`, of the same shape.

        For a statement that a check computes itself, `due` is True or False:
        `expect(scores[1] > scores[0], "the second score is larger").equals(True)`.

        Raises:
            CheckFailed: If an entry differs.
        """
        right = np.asarray(due)
        array = self._same_shape(right)
        wrong = np.asarray(~np.asarray(array == right))
        if wrong.any():
            first = place(np.argwhere(wrong)[0], first=wrong.sum() > 1)
            lone = wrong.sum() == 1
            verb = "differs" if lone else "differ"
            if array.dtype.kind == right.dtype.kind == "b":
                verb = "is not so" if lone else "are not so"
            seen = f"{counted(wrong)} {verb}{first}" if wrong.ndim else f"it {verb}"
            self._fail(seen, self._due or "exactly what the sentence above says")
        return self

    def among(self, values: Iterable[float]) -> "Expectation":
        """Holds that every entry is exactly one of `values`.

        Raises:
            CheckFailed: If one is something else, or it is not one array.
        """
        array = self._array()
        allowed = list(values)
        wrong = ~np.any([np.asarray(array == value) for value in allowed], axis=0)
        if wrong.any():
            where = tuple(np.argwhere(wrong)[0])
            words = " or ".join(number(value) for value in allowed)
            seen = _example(array, wrong, where, "are something else")
            self._fail(seen, self._due or f"only {words}")
        return self

    def within(self, low: float, high: float) -> "Expectation":
        """Holds that every entry is a real number in [low, high].

        Raises:
            CheckFailed: If one lies outside or is NaN, or it is not one array of real numbers.
        """
        array = self._array()
        if array.dtype.kind == "c":
            self._fail(f"dtype {array.dtype}", "real numbers")
        wrong = ~((array >= low) & (array <= high))
        if wrong.any():
            where = tuple(np.argwhere(wrong)[0])
            many = "a number" if array.size == 1 else "numbers"
            self._fail(
                _example(array, wrong, where, "lie outside"),
                self._due or f"{many} {_interval(low, high)}",
            )
        return self

    def sums_to(self, value: float, axis: int | tuple[int, ...] | None = None) -> "Expectation":
        """Holds that sums over `axis` are `value`, within 1e-5 of it (1e-9 in float64).

        Where many numbers are added up, within 8 eps sqrt(numbers), if that is more.

        Raises:
            CheckFailed: If one is not, or there is no such axis.
        """
        array = self._array()
        try:
            sums = np.asarray(np.sum(widened(array), axis=axis))
        except np.exceptions.AxisError:
            self._fail(f"shape {array.shape}", f"an array with more axes, to add up over {axis}")
        terms = max(1, array.size // max(1, sums.size))
        tolerance = max(default_tolerance(array.dtype), rounding(array.dtype, terms))
        wrong = np.asarray(~(np.abs(sums - value) <= tolerance * max(abs(value), 1.0)))
        if wrong.any():
            worst = number(sums[wrong][0])
            seen = f"{counted(wrong, 'sum')} off, such as {worst}" if sums.ndim else worst
            many = "sums of" if sums.ndim else "a sum of"
            self._fail(seen, self._due or f"{many} {number(value)}")
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

    def _fail(self, seen: str, due: str) -> NoReturn:
        raise CheckFailed(None, seen, due, self._call)


def _dtype_in_words(due: np.dtype[Any]) -> str:
    if due.kind in "iub":
        return "booleans" if due.kind == "b" else "integers"
    # A function that computes in one dtype only is met with arguments of the other.
    return f"{due}, the dtype of the arguments"


def _shape_in_words(names: list[str], right: tuple[int, ...], seen: tuple[int, ...]) -> str:
    form = f"({', '.join(names)}{',' * (len(names) == 1)})"
    words = form if form == str(right) else f"{form} = {right}"
    if not right:
        words = "a single number: ()"
    elif len(right) == 1 and (names == ["B"] or (len(seen) > 1 and seen[0] == right[0])):
        words = f"one number per row: {words}"
    try:
        together = np.broadcast_shapes(seen, right)
    except ValueError:
        return words
    # The silent kind: (7, 1) against (7,) makes (7, 7) without a word.
    return f"{words} (with this one, sums become {together})" if together != right else words


def _close_in_words(right: np.ndarray) -> str:
    if not right.any():
        return "0, up to rounding"
    return "what the sentence above says, up to rounding"


def _interval(low: float, high: float) -> str:
    if high == np.inf:
        return f"of at least {number(low)}"
    return (
        f"of at most {number(high)}" if low == -np.inf else f"from {number(low)} to {number(high)}"
    )


def _example(array: np.ndarray, wrong: np.ndarray, where: tuple[Any, ...], words: str) -> str:
    """Says how many entries are wrong, and one of them; of a lone number, what it is."""
    one = number(array[where])
    return one if array.size == 1 else f"{counted(wrong)} {words}, such as {one}{place(where)}"


def _deviation(seen: np.ndarray, right: np.ndarray, wrong: np.ndarray) -> str:
    """Says how many entries are wrong, how, and where the worst one is."""
    lone = wrong.sum() == 1
    count = f"{_counted_lines(wrong)} {'differs' if lone else 'differ'}"
    if not np.isfinite(seen[wrong]).all():
        return f"{count}; some are NaN or infinite" if wrong.ndim else "it is NaN or infinite"
    in_words = ratio_in_words(seen[wrong], right[wrong], right.shape)
    if in_words:
        how = f"{'it' if lone else 'each'} is {in_words}"
    else:
        off = np.where(wrong, np.abs(seen - right), -1.0)
        worst = [int(i) for i in np.unravel_index(np.argmax(off), right.shape)]
        compared = ratio(seen[*worst].item(), right[*worst].item())
        how = f"{'it' if lone else 'the worst'}{place(worst)} {compared}"
    return f"{count}; {how}" if wrong.ndim else how


def _counted_lines(wrong: np.ndarray) -> str:
    """Says how many entries are wrong, or rows, or columns where it is those as a whole."""
    if wrong.ndim == 2:
        for axis, noun in ((1, "row"), (0, "column")):
            lines = np.asarray(wrong.all(axis=axis))
            if 0 < lines.sum() < lines.size and wrong.sum() == lines.sum() * wrong.shape[axis]:
                return counted(lines, noun)
    return counted(wrong)
