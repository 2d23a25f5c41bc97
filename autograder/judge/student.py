"""What a check speaks to: a submission, as an object whose attributes are its functions."""

import builtins
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from autograder.checks import NotEnumerable, Probe, Rng, Seeds, remember
from autograder.errors import CheckFailed, ProtocolError, RunEnded
from autograder.sandbox import probes, wire

__all__ = ["Function", "LocalTransport", "Student", "Transport", "lost_functions"]

# What the other side claims about an exception goes into a message only if it looks like a name.
# What a message may call an exception. A name that the student's code chose could tell of what the
# checks ask, and students hand in again, and talk.
_EXCEPTIONS = frozenset(
    name
    for name, thing in vars(builtins).items()
    if isinstance(thing, type) and issubclass(thing, BaseException)
) | frozenset(
    "AxisError LinAlgError AbortedError AlreadyExistsError CancelledError DataLossError "
    "DeadlineExceededError FailedPreconditionError InternalError InvalidArgumentError "
    "NotFoundError OpError OperatorNotAllowedInGraphError OutOfRangeError "
    "PermissionDeniedError ResourceExhaustedError UnavailableError UnimplementedError "
    "UnknownError InaccessibleTensorError".split()
)
_CELL = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_LOG_LENGTH = 500
_CALL_LENGTH = 160

# Of what one check was answered; a submission that sends more is not compared with mistakes.
_KEPT_BYTES = 16 * 2**20

# Apart by an odd number of this size, the seeds of several generators in one call never meet.
_STEP = 0x9E3779B97F4A7C15


class Transport(Protocol):
    """The way to a student process."""

    def exchange(self, message: wire.Message) -> wire.Message:
        """Sends a probe and returns the answer.

        Raises:
            RunEnded: If the process is gone.
        """


@dataclass(frozen=True)
class Function:
    """One function of a submission: `student.f`.

    Attributes:
        student: Whose function.
        name: Its name.
    """

    student: "Student"
    name: str

    def __call__(self, *arguments: Any) -> Any:  # noqa: ANN401
        """Calls the function in the student process.

        Args:
            *arguments: Arrays, numbers, markers for generators, and tuples, lists and dicts of
                them, in the order of the exercise.

        Returns:
            Arrays that remember the call, or tuples, lists and dicts of them.

        Raises:
            CheckFailed: If it is not defined, raised, returned None, or no arrays.
            RunEnded: If the process ended.
        """
        return self.student.call(self.name, arguments)


class Student:
    """A submission, at the other end of a transport.

    Attributes:
        seeds: The seeds of the check it is made for.
        arrays_as: What arrays arrive as there: "numpy" or "tensorflow".
        log: For the tutor: what exceptions said. Students never see it, since a text may carry
            hidden inputs.
        exchanges: What was asked and answered, so that a catalogued mistake can be asked the same.
    """

    def __init__(
        self,
        transport: Transport,
        seeds: Seeds,
        arrays_as: str = "numpy",
        signatures: Mapping[str, Sequence[str]] | None = None,
        lost: Mapping[str, str] | None = None,
    ) -> None:
        """Asks nothing yet.

        Args:
            transport: The way to the student process.
            seeds: The seeds of the check.
            arrays_as: "numpy" or "tensorflow".
            signatures: Argument names by function, for messages.
            lost: By function, what became of the cell that should define it, for messages.
        """
        self.seeds = seeds
        self.arrays_as = arrays_as
        self.log: list[str] = []
        self.exchanges: list[tuple[wire.Message, wire.Message]] = []
        self._transport = transport
        self._signatures = signatures or {}
        self._lost = lost or {}
        self._exchanges = 0
        self._bytes = 0
        self._generators = 0

    def __getattr__(self, name: str) -> Function:
        """Returns the submission's function of this name, whether or not there is one."""
        if name.startswith("_"):
            raise AttributeError(name)
        return Function(self, name)

    @property
    def bounds(self) -> tuple[tuple[str, float], ...]:
        """The properties tested by chance so far, each with the chance to fail right work."""
        return tuple((risk.property, risk.bound) for risk in self.seeds.risks)

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401
        """Calls a function; see `Function`."""
        text = self.call_text(name, arguments)
        return remember(self._ask(name, None, arguments, text), text)

    def run_probe(self, probe: Probe, *arguments: Any, call: str | None = None) -> Any:  # noqa: ANN401
        """Runs a probe in the student process.

        Args:
            probe: What to run there.
            *arguments: As for `Function`, and names as text.
            call: What the student reads as the call, or None.

        Raises:
            CheckFailed: If student code raised, or the result is not made of arrays.
            RunEnded: If the process ended.
        """
        return remember(self._ask(probe.name, probe.source, arguments, call), call)

    def call_text(self, name: str, arguments: tuple[Any, ...]) -> str:
        """Says a call in one line, for example `f(x (7, 4), 1, rng)`."""
        labels = [*self.argument_names(name), *[""] * len(arguments)]
        texts = [_text(value, label) for value, label in zip(arguments, labels, strict=False)]
        text = f"{name}({', '.join(texts)})"
        return text if len(text) <= _CALL_LENGTH else f"{text[: _CALL_LENGTH - 4]} ..."

    def argument_names(self, name: str) -> Sequence[str]:
        """Returns the names of a function's arguments, in order, as far as they are known."""
        return self._signatures.get(name, ())

    def _ask(
        self, name: str, source: str | None, arguments: tuple[Any, ...], text: str | None
    ) -> Any:  # noqa: ANN401
        """Asks for the result of a function, or of a probe if there is a source."""
        marker = next(_markers(arguments), None)
        detour = None if marker is None else marker.detour
        if detour is None:
            result, draws = self._exchange(name, source, arguments, text)
            if marker is not None and marker.bits is not None and marker.ledger is not None:
                if not isinstance(draws, dict) or not np.all(draws.get("enumerable", False)):
                    raise NotEnumerable
                marker.ledger.reports.append(draws)
            return result
        together = detour.source if source is None else f"{source}\n\n{detour.source}"
        answer, _ = self._exchange(detour.name, together, (name, *arguments), text)
        if not isinstance(answer, dict) or "result" not in answer:
            raise self._refused(f"{detour.name}: an answer without a result")
        if marker is not None and marker.ledger is not None:
            marker.ledger.reports.append(answer)
        return answer["result"]

    def _exchange(
        self, name: str, source: str | None, arguments: tuple[Any, ...], text: str | None
    ) -> tuple[Any, Any]:
        self._exchanges += 1
        arrays: list[np.ndarray] = []
        fields = {
            "call": name if source is None else None,
            "source": source,
            "name": name,
            "arguments": self._tree(arguments, arrays),
            "seed": self.seeds.seed("student process", self._exchanges),
            "arrays_as": self.arrays_as,
        }
        request = wire.Message("probe", fields, tuple(arrays))
        reply = self._transport.exchange(request)
        self._keep(request, reply)
        if reply.kind == "error":
            raise self._failure(reply.fields, name, text)
        try:
            if reply.kind != "arrays":
                raise ProtocolError(f"a message of kind {reply.kind!r}")
            draws = reply.fields["draws"]
            hint = f"{name}: it changed its arguments in place"
            if reply.fields.get("changed") and hint not in self.log:
                self._note(hint)
            return (
                wire.unpack(reply.fields["result"], reply.arrays),
                None if draws is None else wire.unpack(draws, reply.arrays),
            )
        except (ProtocolError, KeyError, TypeError) as problem:
            raise self._refused(f"{name}: {problem}") from problem

    def _keep(self, request: wire.Message, reply: wire.Message) -> None:
        self._bytes += sum(array.nbytes for array in reply.arrays)
        if self._bytes <= _KEPT_BYTES:
            self.exchanges.append((request, reply))
        else:
            self.exchanges.clear()

    def _refused(self, note: str) -> RunEnded:
        self._note(note)
        return RunEnded("PROTOCOL", "what came back was not a result")

    def _tree(self, value: Any, arrays: list[np.ndarray]) -> Any:  # noqa: ANN401
        """Packs arguments; `arrays` receives their arrays."""
        if isinstance(value, Rng):
            return {"rng": self._generator(value, arrays)}
        if isinstance(value, tuple):
            return {"tuple": [self._tree(item, arrays) for item in value]}
        if isinstance(value, list):
            return {"list": [self._tree(item, arrays) for item in value]}
        if isinstance(value, dict):
            return {"dict": {name: self._tree(item, arrays) for name, item in value.items()}}
        for kind, label in ((bool, "bool"), (int, "int"), (float, "float"), (str, "str")):
            # np.float64 is a float, too, but travels as the array it is.
            if isinstance(value, kind) and not isinstance(value, np.generic):
                return {label: value}
        if value is None:
            return {"none": None}
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1}

    def _generator(self, marker: Rng, arrays: list[np.ndarray]) -> dict[str, Any]:
        ledger = marker.ledger
        if marker.seed is None:
            self._generators += 1
            seed = self.seeds.seed("student generator", self._generators)
        elif ledger is None:
            seed = marker.seed
        else:
            seed = (marker.seed + ledger.uses * _STEP) % 2**63
            ledger.uses += 1
            if marker.bits is not None and ledger.uses > 1:
                # The outcomes would have to be shared out among several generators.
                raise NotEnumerable
        if marker.bits is None:
            return {"library": marker.library, "seed": seed}
        arrays.append(marker.bits)
        return {"library": marker.library, "seed": seed, "bits": len(arrays) - 1}

    def _note(self, text: str) -> None:
        self.log.append(_UNPRINTABLE.sub(" ", text)[:_LOG_LENGTH])

    def _failure(self, fields: Mapping[str, Any], name: str, text: str | None) -> CheckFailed:
        """Turns an error reply, which may be forged, into what the student reads."""
        kind = fields.get("type")
        kind = kind if isinstance(kind, str) and kind in _EXCEPTIONS else "an exception"
        where = _where(fields.get("cell"), fields.get("line"))
        message = fields.get("message")
        message = message if isinstance(message, str) else ""
        self._note(f"{name}: {kind}{where}: {message}")
        error = fields.get("error")
        if error == "not_defined":
            missing = message if message in self._signatures else name
            seen = f"there is no function {missing}"
            if missing in self._lost:
                seen += f": {self._lost[missing]}"
            due = f"the notebook defines {missing}, outside any class"
            return CheckFailed(None, seen, due, text)
        if error == "returned_none":
            return CheckFailed(None, "None", "a result: is a `return` missing?", text)
        if error == "not_arrays":
            # The text is made by our side's code there, but may be forged, too.
            plain = re.fullmatch(r"[A-Za-z0-9_ <>=|]{1,80}", message)
            what = message if plain else "something else"
            return CheckFailed(None, what, "tensors, arrays or numbers", text)
        if error == "limit":
            return CheckFailed(None, "a result of more than 64 MB", "a small result", text)
        if kind == "NotImplementedError":
            seen = f"{kind}{where}"
            return CheckFailed(None, seen, "your solution in place of this line", text)
        return CheckFailed(None, f"{kind}{where}", "a call that returns a result", text)


def lost_functions(cells: Mapping[str, tuple[str, str, str]]) -> dict[str, str]:
    """Says of each function whose cell did not run to its end what became of that cell.

    Args:
        cells: By cell id: the source, how it ended, and the name or the text of what ended it.
    """
    lost = {}
    for cell, (source, outcome, what) in cells.items():
        name = f"your cell {cell}" if _CELL.fullmatch(cell) else "your cell"
        if outcome == "error":
            kind = what if what in _EXCEPTIONS else "an exception"
            words = f"{kind} ended {name}"
        else:
            words = f"{name} is left out; {what}"
        for function in re.findall(r"^(?:def|class) (\w+)", source, re.MULTILINE):
            lost[function] = words
    return lost


def _where(cell: Any, line: Any) -> str:  # noqa: ANN401
    if not isinstance(cell, str) or not _CELL.fullmatch(cell):
        return ""
    in_line = f", line {line}" if type(line) is int and 0 < line < 10**6 else ""
    return f" in your cell {cell}{in_line}"


def _markers(arguments: Any) -> Iterator[Rng]:  # noqa: ANN401
    if isinstance(arguments, Rng):
        yield arguments
    elif isinstance(arguments, dict):
        yield from _markers(tuple(arguments.values()))
    elif isinstance(arguments, tuple | list):
        for item in arguments:
            yield from _markers(item)


def _text(value: Any, label: str) -> str:  # noqa: ANN401
    if isinstance(value, Rng):
        return "rng"
    if isinstance(value, bool | int | float | str) or value is None:
        return f"{value:.3g}" if isinstance(value, float) else str(value)
    if isinstance(value, tuple | list):
        return f"({', '.join(_text(item, '') for item in value)})"
    if isinstance(value, dict):
        return f"{{{', '.join(value)}}}"
    return f"{label or 'array'} {np.shape(value)}"


class LocalTransport:
    """A submission in this very process, over the same probes and the same bytes.

    For the reference, for calibration and for tests: nothing is isolated.
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        """Takes the functions by name."""
        self._namespace = namespace

    def exchange(self, message: wire.Message) -> wire.Message:
        """Answers a probe."""
        reply = probes.answer(_copied(message), self._namespace, _no_cell)
        return _copied(reply)


def _no_cell(_: str) -> None:
    return None


def _copied(message: wire.Message) -> wire.Message:
    """What arrives when it is sent: the same bytes as between two processes."""
    return wire.decode(wire.encode(message))
