"""How a probe is answered inside the student process.

Runs beside student code, which may have changed anything around it: nothing here is trusted by the
judge, which checks every byte that comes back. What it must do is answer, and never raise.
"""

import contextlib
import math
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from autograder.sandbox.seeding import reseed, tensorflow_generator
from autograder.sandbox.wire import DIMENSIONS_LIMIT, Message, pack

__all__ = ["ARRAYS_LIMIT", "SIZE_LIMIT", "answer"]

SIZE_LIMIT = 64 * 2**20
ARRAYS_LIMIT = 60
_DEPTH_LIMIT = 8
_DRAWS_LIMIT = 1000
_SOURCE_NAME = "<probe>"

Locate = Callable[[str], str | None]


class _NotDefined(Exception):
    """The notebook does not define the function that was asked for."""


class _ReturnedNone(Exception):
    """A function returned None."""


class _NotArrays(Exception):
    """A result is not made of arrays; the text says what it is."""


class _TooLarge(Exception):
    """A result is larger than what may be sent."""


class _NotEnumerable(Exception):
    """A generator was used in a way that cannot be enumerated."""


_ERRORS: dict[type[BaseException], str] = {
    _NotDefined: "not_defined",
    _ReturnedNone: "returned_none",
    _NotArrays: "not_arrays",
    _TooLarge: "limit",
}


def answer(message: Message, namespace: Mapping[str, Any], locate: Locate) -> Message:
    """Answers one probe.

    Args:
        message: Of kind "probe", with the fields `call`, `source`, `name`, `arguments`, `seed`
            and `arrays_as`.
        namespace: What the notebook's cells have defined.
        locate: Maps the file name of compiled code to the id of the notebook's cell, or None.

    Returns:
        A message of kind "arrays" or "error". Whatever is raised becomes an "error", with the
        innermost line that lies in a cell. Of "arrays", the field `changed` is how many arrays
        among the arguments were changed in place: a hint, like all that comes from here.
    """
    generators: list[_Enumeration] = []
    returned_none: list[str] = []
    try:
        reseed(message.fields["seed"])
        arguments = _Arguments(message.arrays, message.fields["arrays_as"], generators)
        result = _run(message, namespace, arguments, returned_none)
        draws = generators[0].report() if generators else None
        return _reply(result, draws, arguments.changed())
    except BaseException as problem:
        # Student code may raise anything, SystemExit and KeyboardInterrupt included.
        if generators:
            # A generator that enumerates breaks right code that does more than compare.
            return _reply(np.zeros(0), {"enumerable": np.array(False)}, 0)
        if returned_none and _place(problem, locate) == (None, None):
            # A probe may call what changes its arguments and returns nothing; where the probe
            # then stumbles, the missing result is why.
            problem = _ReturnedNone(returned_none[-1])
        return _error(problem, locate)


def _run(
    message: Message,
    namespace: Mapping[str, Any],
    arguments: "_Arguments",
    returned_none: list[str],
) -> Any:
    fields = message.fields
    positional = arguments.value(fields["arguments"])
    if fields["call"] is not None:
        return _Functions(namespace, {}, returned_none)._function(fields["call"])(*positional)
    own = _libraries(fields["source"])
    exec(compile(fields["source"], _SOURCE_NAME, "exec"), own)  # noqa: S102
    return own[fields["name"]](_Functions(namespace, own, returned_none), *positional)


def _libraries(source: str) -> dict[str, Any]:
    """Returns what a probe's source may name; TensorFlow only where it does."""
    libraries: dict[str, Any] = {"__name__": "probe", "np": np, "numpy": np}
    if "tf" in source or "tensorflow" in source:
        import tensorflow

        libraries |= {"tf": tensorflow, "tensorflow": tensorflow}
    return libraries


class _Functions:
    """`student`, as a probe sees it: its attributes are the notebook's functions.

    The names of those that returned None are added to `returned_none`.
    """

    def __init__(
        self, namespace: Mapping[str, Any], own: Mapping[str, Any], returned_none: list[str]
    ) -> None:
        self._namespace = namespace
        self._own = own
        self._returned_none = returned_none

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._function(name)

    def _function(self, name: str) -> Callable[..., Any]:
        own = self._own.get(name)
        if isinstance(own, types.FunctionType):
            return partial(own, self)
        function = self._namespace.get(name)
        if not callable(function):
            raise _NotDefined(name)

        def returning(*arguments: Any, **named: Any) -> Any:
            result = function(*arguments, **named)
            if result is None:
                self._returned_none.append(name)
            return result

        return returning


class _Arguments:
    """Makes the arguments of a call from what was sent."""

    def __init__(
        self, arrays: tuple[np.ndarray, ...], arrays_as: str, generators: list["_Enumeration"]
    ) -> None:
        self._arrays = arrays
        self._arrays_as = arrays_as
        self._generators = generators
        self._copies: list[tuple[np.ndarray, np.ndarray]] = []

    def changed(self) -> int:
        """Returns how many of the arrays that were handed out are other ones now."""
        return sum(a.shape != b.shape or a.tobytes() != b.tobytes() for a, b in self._copies)

    def value(self, leaf: Any) -> Any:
        (kind, content), *_ = leaf.items()
        if kind == "array":
            return self._array(self._arrays[content])
        if kind == "tuple":
            return tuple(self.value(item) for item in content)
        if kind == "list":
            return [self.value(item) for item in content]
        if kind == "dict":
            return {name: self.value(item) for name, item in content.items()}
        if kind == "rng":
            return self._generator(content)
        # int, float, bool, str and none are themselves.
        return content

    def _array(self, array: np.ndarray) -> Any:
        if self._arrays_as == "tensorflow":
            import tensorflow

            return tensorflow.constant(array)
        # A copy: what arrived is read-only, and code may work on its arguments.
        copy = array.copy()
        self._copies.append((array, copy))
        return copy

    def _generator(self, content: Mapping[str, Any]) -> Any:
        if content.get("bits") is not None:
            enumeration = _Enumeration(self._arrays[content["bits"]])
            self._generators.append(enumeration)
            return _ENUMERATING[content["library"]](enumeration)
        if content["library"] == "tensorflow":
            import tensorflow

            return tensorflow_generator(tensorflow, content["seed"])
        return np.random.default_rng(content["seed"])


class _Enumeration:
    """Outcomes handed out in place of Bernoulli draws, and how probable each row's are.

    Each row of a call carries one string of outcomes. A call that draws more than were given gets
    zeros: that is how the judge learns how many it draws.
    """

    def __init__(self, bits: np.ndarray) -> None:
        self.rows = len(bits)
        self._bits = bits.astype(bool)
        self._used = 0
        self._log_weight = np.zeros(self.rows)

    def check_shape(self, shape: Any) -> tuple[int, ...]:
        sizes = tuple(int(size) for size in np.atleast_1d(np.asarray(shape)))
        if not sizes or sizes[0] != self.rows:
            raise _NotEnumerable
        return sizes

    def outcomes(self, shape: tuple[int, ...], probability: Any) -> np.ndarray:
        """Returns the next outcomes (shape, bool) where True has this probability."""
        probability = np.clip(np.asarray(probability, np.float64), 0.0, 1.0)
        probability = np.broadcast_to(probability, shape)
        count = math.prod(shape[1:])
        if self._used + count > _DRAWS_LIMIT:
            # Maybe a loop that draws until something comes up, which zeros never let come up.
            raise _NotEnumerable
        given = self._bits[:, self._used : self._used + count]
        bits = np.zeros((self.rows, count), bool)
        bits[:, : given.shape[1]] = given
        self._used += count
        bits = bits.reshape(shape)
        with np.errstate(divide="ignore"):
            log_probability = np.log(np.where(bits, probability, 1 - probability))
        self._log_weight += log_probability.reshape(self.rows, -1).sum(1)
        return bits

    def report(self) -> dict[str, np.ndarray]:
        return {
            "enumerable": np.array(True),
            "used": np.array(self._used),
            "log_weight": self._log_weight,
        }


class _Uniform:
    """Uniform numbers that were drawn, of which only a comparison is known how to enumerate."""

    # So that NumPy leaves `probability > uniform` to this class.
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, draws: _Enumeration, shape: tuple[int, ...], convert: Any) -> None:
        self._draws = draws
        self._convert = convert
        self._compared = False
        self.shape = shape

    def _below(self, probability: Any) -> np.ndarray:
        if self._compared:
            raise _NotEnumerable
        self._compared = True
        return self._draws.outcomes(self.shape, probability)

    def __lt__(self, probability: Any) -> Any:
        return self._convert(self._below(probability))

    def __gt__(self, probability: Any) -> Any:
        return self._convert(~self._below(probability))

    __le__ = __lt__
    __ge__ = __gt__


class _TensorflowGenerator:
    """A `tf.random.Generator` that enumerates; knows `uniform` from 0 to 1 only."""

    def __init__(self, draws: _Enumeration) -> None:
        self._draws = draws

    def __getattr__(self, name: str) -> Any:
        raise _NotEnumerable(name)

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = None, name: Any = None
    ) -> _Uniform:
        if minval != 0 or maxval not in (None, 1):
            raise _NotEnumerable
        import tensorflow

        return _Uniform(self._draws, self._draws.check_shape(shape), tensorflow.constant)


class _NumpyGenerator:
    """A `numpy.random.Generator` that enumerates `random`, `uniform` and `binomial(1, p)`."""

    def __init__(self, draws: _Enumeration) -> None:
        self._draws = draws

    def __getattr__(self, name: str) -> Any:
        raise _NotEnumerable(name)

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> _Uniform:
        if size is None or out is not None:
            raise _NotEnumerable
        return _Uniform(self._draws, self._draws.check_shape(size), np.asarray)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> _Uniform:
        if low != 0 or high != 1:
            raise _NotEnumerable
        return self.random(size)

    def binomial(self, n: Any, p: Any, size: Any = None) -> np.ndarray:
        if np.any(np.asarray(n) != 1):
            raise _NotEnumerable
        shape = self._draws.check_shape(np.shape(p) if size is None else size)
        return self._draws.outcomes(shape, p).astype(np.int64)


_ENUMERATING = {"tensorflow": _TensorflowGenerator, "numpy": _NumpyGenerator}


def _reply(result: Any, draws: Mapping[str, np.ndarray] | None, changed: int) -> Message:
    """Packs a result; `draws` is what an enumeration reports."""
    collected: list[np.ndarray] = []
    plain = _plain(result, collected, 0)
    both, arrays = pack({"result": plain} if draws is None else {"result": plain, "draws": draws})
    content = both["dict"]
    fields = {"result": content["result"], "draws": content.get("draws"), "changed": changed}
    return Message("arrays", fields, arrays)


def _plain(value: Any, collected: list[np.ndarray], depth: int) -> Any:
    """Returns arrays, and tuples, lists and dicts of them; `collected` counts the arrays."""
    if depth > _DEPTH_LIMIT:
        raise _NotArrays(f"results nested more than {_DEPTH_LIMIT} deep")
    if isinstance(value, tuple | list):
        items = [_plain(item, collected, depth + 1) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, dict):
        return {str(name): _plain(item, collected, depth + 1) for name, item in value.items()}
    array = _array(value)
    collected.append(array)
    if len(collected) > ARRAYS_LIMIT:
        raise _NotArrays(f"more than {ARRAYS_LIMIT} separate numbers or arrays")
    if sum(item.nbytes for item in collected) > SIZE_LIMIT:
        raise _TooLarge(f"more than {SIZE_LIMIT // 2**20} MB")
    return array


def _array(value: Any) -> np.ndarray:
    kind = type(value).__name__
    if value is None:
        raise _NotArrays("None")
    if isinstance(value, str | bytes):
        raise _NotArrays(kind)
    indexed = getattr(value, "dense_shape", None) is not None and hasattr(value, "values")
    if indexed:
        # A sparse gradient, as tf.gather makes them.
        import tensorflow

        value = tensorflow.convert_to_tensor(value)
    number = isinstance(value, bool | int | float | complex | np.generic | np.ndarray)
    if not number:
        if not hasattr(value, "__array__"):
            raise _NotArrays(kind)
        with contextlib.suppress(AttributeError):
            value = value.numpy()
    try:
        array = np.asarray(value)
    except Exception:
        raise _NotArrays(kind) from None
    if array.dtype.kind not in "fiubcV" or array.dtype.names is not None:
        raise _NotArrays(f"{kind} of dtype {array.dtype}")
    if array.ndim > DIMENSIONS_LIMIT:
        raise _NotArrays(f"{kind} of {array.ndim} dimensions")
    if max(array.shape, default=0) > SIZE_LIMIT:
        # Of an empty one, too.
        raise _TooLarge(f"more than {SIZE_LIMIT // 2**20} MB")
    # A plain array in the machine's byte order; subclasses and views stay here.
    array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C", subok=False)
    return array


def _error(problem: BaseException, locate: Locate) -> Message:
    fields: dict[str, Any] = {"error": "exception", "type": "Exception", "message": ""}
    fields |= {"cell": None, "line": None}
    with contextlib.suppress(BaseException):
        fields["type"] = type(problem).__name__[:100]
        fields["error"] = _ERRORS.get(type(problem), "exception")
        fields["cell"], fields["line"] = _place(problem, locate)
        fields["error"] = _of_probe(problem, fields["error"])
        fields["message"] = str(problem)[:4096]
    return Message("error", fields)


def _of_probe(problem: BaseException, error: str) -> str:
    own = isinstance(problem, SyntaxError) and problem.filename == _SOURCE_NAME
    return "syntax" if own else error


def _place(problem: BaseException, locate: Locate) -> tuple[str | None, int | None]:
    """Returns the innermost cell and line that an exception passed."""
    place: tuple[str | None, int | None] = (None, None)
    traceback = problem.__traceback__
    while traceback is not None:
        cell = locate(traceback.tb_frame.f_code.co_filename)
        if cell is not None:
            place = (cell, traceback.tb_lineno)
        traceback = traceback.tb_next
    return place
