"""What a call of student code returned: plain arrays that remember the call."""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn, SupportsIndex

import numpy as np

from autograder.errors import CheckFailed

__all__ = [
    "Result",
    "Seen",
    "SeenDict",
    "SeenList",
    "SeenTuple",
    "called_as",
    "described",
    "leaves",
    "remember",
]

# What a call returns: an array, or tuples, lists and dicts of results, nested.
Result = Any


class Seen(np.ndarray):
    """An array that came from student code.

    Attributes:
        call: The call that returned it, as text, or None. Slices and results of arithmetic keep
            it, so that a message can quote it.
    """

    call: str | None = None

    def __array_finalize__(self, source: Any) -> None:  # noqa: ANN401
        """Keeps the call through views, slices and arithmetic."""
        self.call = getattr(source, "call", None)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401
        """Returns a part. Raises CheckFailed if there is none: the form is not the due one."""
        try:
            return super().__getitem__(index)
        except IndexError:
            due = f"a result called {index}" if isinstance(index, str) else "another form"
            raise CheckFailed(None, described(self), due, self.call) from None

    def __array_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401
        args: Any,  # noqa: ANN401
        kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Keeps the call through functions such as `numpy.concatenate`."""
        result = super().__array_function__(func, types, args, kwargs)
        return _seen(result, self.call) if type(result) is np.ndarray else result

    def __iter__(self) -> Iterator[Any]:
        """Refuses its first item: a check that unpacks it was to get several results.

        Not earlier, since libraries ask of every argument whether it has an iterator.

        Raises:
            CheckFailed: Always.
        """
        raise CheckFailed(None, described(self), "several results, as a tuple", self.call)
        yield  # type: ignore[unreachable]  # what makes this a generator


class _Several:
    """What tuples, lists and dicts of results have in common."""

    call: str | None = None

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:  # noqa: ANN401
        """Refuses to pass for an array.

        Raises:
            CheckFailed: Always.
        """
        raise CheckFailed(None, described(self), "one array", self.call)

    def _refuse_arithmetic(self, *_: Any) -> NoReturn:  # noqa: ANN401
        raise CheckFailed(None, described(self), "one array", self.call)

    # Results are compared and combined as arrays only; a tuple where an array is due would join,
    # repeat or order instead, or end the check with an error that is not the student's.
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse_arithmetic
    __truediv__ = __rtruediv__ = __matmul__ = __rmatmul__ = __pow__ = __neg__ = _refuse_arithmetic
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _refuse_arithmetic
    __hash__ = None  # type: ignore[assignment]


class SeenTuple(_Several, tuple[Result, ...]):  # type: ignore[misc]
    """Several results; see `Seen`."""

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401
        """Returns one result. Raises CheckFailed if there are fewer."""
        return _item(self, super().__getitem__, index)


class SeenList(_Several, list[Result]):
    """Several results; see `Seen`."""

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401
        """Returns one result. Raises CheckFailed if there are fewer."""
        return _item(self, super().__getitem__, index)


class SeenDict(_Several, dict[str, Result]):
    """Named results; see `Seen`."""

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401
        """Returns one result. Raises CheckFailed if there is none of that name."""
        return _item(self, super().__getitem__, key)


def _item(several: _Several, get: Callable[[Any], Any], index: SupportsIndex | str) -> Any:  # noqa: ANN401
    try:
        return get(index)
    except (IndexError, KeyError, TypeError):
        due = f"a result called {index}" if isinstance(index, str) else f"a result number {index}"
        raise CheckFailed(None, described(several), due, several.call) from None


def _seen(array: np.ndarray, call: str | None) -> Seen:
    seen = array.view(Seen)
    seen.call = call
    return seen


def remember(value: Any, call: str | None) -> Result:  # noqa: ANN401
    """Returns arrays, and tuples, lists and dicts of them, so that each remembers the call."""
    if isinstance(value, np.ndarray):
        return _seen(value, call)
    several: SeenTuple | SeenList | SeenDict
    if isinstance(value, dict):
        several = SeenDict({name: remember(item, call) for name, item in value.items()})
    else:
        items = [remember(item, call) for item in value]
        several = SeenTuple(items) if isinstance(value, tuple) else SeenList(items)
    several.call = call
    return several


def described(result: Any) -> str:  # noqa: ANN401
    """Says what kind of result this is: "a tuple of 2 results", "an array of shape (7, 4)"."""
    if isinstance(result, tuple | list | dict):
        name = next(kind.__name__ for kind in (tuple, list, dict) if isinstance(result, kind))
        return f"a {name} of {len(result)} result{'' if len(result) == 1 else 's'}"
    array = np.asarray(result)
    return f"an array of shape {array.shape}" if array.ndim else "a single number"


def leaves(result: Any) -> list[np.ndarray]:  # noqa: ANN401
    """Returns the arrays of a result, in order, nested ones too."""
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, tuple | list):
        return [array for item in result for array in leaves(item)]
    return [result if isinstance(result, np.ndarray) else np.asarray(result)]


def called_as(result: Any) -> str | None:  # noqa: ANN401
    """Returns the call, as text, that a result came from, or None."""
    call = getattr(result, "call", None)
    if call is None and isinstance(result, tuple | list):
        call = next((called_as(item) for item in result if called_as(item)), None)
    return call
