"""The wire between the judge and a student process: JSON and plain arrays, nothing that runs.

A frame is a magic word, the lengths of its two parts, a JSON header and the arrays' raw
little-endian bytes. No pickle, no npz: each side makes its arrays itself, from a fixed list of
dtypes, after every length has been checked. Whatever is wrong with bytes that came in is a
`ProtocolError`, and no other exception.
"""

import json
import math
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.errors import ProtocolError

__all__ = [
    "ARRAYS_LIMIT",
    "BODY_LIMIT",
    "DIMENSIONS_LIMIT",
    "HEADER_LIMIT",
    "Message",
    "decode",
    "encode",
    "pack",
    "receive",
    "send",
    "travels",
    "unpack",
]

HEADER_LIMIT = 64 * 2**10
BODY_LIMIT = 64 * 2**20
ARRAYS_LIMIT = 64
DIMENSIONS_LIMIT = 8
_DEPTH_LIMIT = 12

_MAGIC = b"LGM1"
_LENGTHS = struct.Struct("<4sIQ")
_HEADER = {"kind", "sequence", "fields", "arrays", "texts"}

# Names on the wire; `np.dtype(...)` is never called on one of them.
_DTYPES = {
    code: np.dtype("<" + code)
    for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "c8", "c16")
} | {"b1": np.dtype(np.bool_)}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_BFLOAT16 = "bf16"

# Longer texts (cells, outputs) travel as bytes, so that the header stays small.
_LONG_TEXT = 1024
_TEXT = "$text"


@dataclass(frozen=True)
class Message:
    """One frame.

    Attributes:
        kind: What it is: "cell", "probe", "output", "done", "error", "arrays", "stop".
        fields: What JSON can hold; who receives it checks what is in it.
        arrays: Arrays, read-only where they came in.
        sequence: The number of the request; a reply carries that of what it answers.
    """

    kind: str
    fields: Mapping[str, Any]
    arrays: tuple[np.ndarray, ...] = ()
    sequence: int = 0


def travels(dtype: np.dtype[Any]) -> bool:
    """Whether arrays of this dtype can be sent."""
    return _code(dtype) is not None


def send(connection: socket.socket, message: Message, deadline: float | None) -> None:
    """Sends a message.

    Args:
        connection: A connected stream socket.
        message: What to send.
        deadline: When to give up, by `time.monotonic`, or None.

    Raises:
        ProtocolError: If the message breaks a limit.
        OSError: TimeoutError after the deadline, another one if the other side has gone.
    """
    frame = encode(message)
    _set_timeout(connection, deadline)
    connection.sendall(frame)


def receive(connection: socket.socket, deadline: float | None) -> Message:
    """Receives a message.

    Args:
        connection: A connected stream socket.
        deadline: When to give up, by `time.monotonic`, or None.

    Raises:
        ProtocolError: If what came is no message.
        OSError: TimeoutError after the deadline, ConnectionError if the other side has gone.
    """
    header_length, body_length = _lengths(_receive_exactly(connection, _LENGTHS.size, deadline))
    header = _header(_receive_exactly(connection, header_length, deadline), body_length)
    return _message(header, _receive_exactly(connection, body_length, deadline))


def encode(message: Message) -> bytes:
    """Returns the frame of a message. Raises ProtocolError if it breaks a limit."""
    arrays = [np.asarray(array) for array in message.arrays]
    count = len(arrays)
    fields = _moved_texts(message.fields, arrays, count)
    if len(arrays) > ARRAYS_LIMIT:
        raise ProtocolError(f"{len(arrays)} arrays and long texts; at most {ARRAYS_LIMIT} travel")
    layout, parts = [], []
    for array in arrays:
        code = _code(array.dtype)
        if code is None or array.ndim > DIMENSIONS_LIMIT:
            raise ProtocolError(f"an array of {array.ndim} dimensions and dtype {array.dtype}")
        layout.append([code, list(array.shape)])
        plain = array.view(np.uint16) if code == _BFLOAT16 else array
        parts.append(plain.astype(plain.dtype.newbyteorder("<"), order="C").tobytes())
    content = {
        "kind": message.kind,
        "sequence": message.sequence,
        "fields": fields,
        "arrays": layout,
        "texts": len(arrays) - count,
    }
    header = json.dumps(content, separators=(",", ":")).encode("ascii")
    body_length = sum(len(part) for part in parts)
    if len(header) > HEADER_LIMIT or body_length > BODY_LIMIT:
        raise ProtocolError(f"a message of {len(header)} + {body_length} bytes is too large")
    return b"".join([_LENGTHS.pack(_MAGIC, len(header), body_length), header, *parts])


def decode(frame: bytes) -> Message:
    """Returns the message of a whole frame. Raises ProtocolError for anything else."""
    start = _LENGTHS.size
    header_length, body_length = _lengths(frame[:start])
    if len(frame) != start + header_length + body_length:
        raise ProtocolError("the frame has not the length that it states")
    header = _header(frame[start : start + header_length], body_length)
    return _message(header, bytearray(frame[start + header_length :]))


def pack(tree: Any) -> tuple[Any, tuple[np.ndarray, ...]]:  # noqa: ANN401
    """Takes arrays, and tuples, lists and dicts of them, nested, apart.

    Returns:
        What JSON can hold, with numbers in place of the arrays, and the arrays.
    """
    arrays: list[np.ndarray] = []
    return _packed(tree, arrays), tuple(arrays)


def unpack(tree: Any, arrays: Sequence[np.ndarray]) -> Any:  # noqa: ANN401
    """Puts together again what `pack` took apart.

    Raises:
        ProtocolError: If `tree` is anything else.
    """
    return _unpacked(tree, arrays, 0)


def _packed(value: Any, arrays: list[np.ndarray]) -> Any:  # noqa: ANN401
    if isinstance(value, tuple):
        return {"tuple": [_packed(item, arrays) for item in value]}
    if isinstance(value, list):
        return {"list": [_packed(item, arrays) for item in value]}
    if isinstance(value, dict):
        return {"dict": {name: _packed(item, arrays) for name, item in value.items()}}
    arrays.append(np.asarray(value))
    return {"array": len(arrays) - 1}


def _unpacked(tree: Any, arrays: Sequence[np.ndarray], depth: int) -> Any:  # noqa: ANN401
    if not isinstance(tree, dict) or len(tree) != 1 or depth > _DEPTH_LIMIT:
        raise ProtocolError("a result that is not made of arrays")
    ((kind, content),) = tree.items()
    if kind == "array" and type(content) is int and 0 <= content < len(arrays):
        return arrays[content]
    if kind in ("tuple", "list") and isinstance(content, list):
        items = [_unpacked(item, arrays, depth + 1) for item in content]
        return tuple(items) if kind == "tuple" else items
    if kind == "dict" and isinstance(content, dict):
        return {name: _unpacked(item, arrays, depth + 1) for name, item in content.items()}
    raise ProtocolError("a result that is not made of arrays")


def _set_timeout(connection: socket.socket, deadline: float | None) -> None:
    if deadline is None:
        connection.settimeout(None)
        return
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the deadline has passed")
    connection.settimeout(seconds)


def _receive_exactly(connection: socket.socket, count: int, deadline: float | None) -> bytearray:
    buffer = bytearray(count)
    view = memoryview(buffer)
    filled = 0
    while filled < count:
        _set_timeout(connection, deadline)
        received = connection.recv_into(view[filled:])
        if received == 0:
            raise ConnectionResetError("the other side has closed the connection")
        filled += received
    return buffer


def _lengths(start: bytes | bytearray) -> tuple[int, int]:
    if len(start) != _LENGTHS.size:
        raise ProtocolError("a frame that is too short")
    magic, header_length, body_length = _LENGTHS.unpack(start)
    if magic != _MAGIC:
        raise ProtocolError("bytes that are no frame")
    if header_length > HEADER_LIMIT or body_length > BODY_LIMIT:
        raise ProtocolError(f"a frame of {header_length} + {body_length} bytes is too large")
    return header_length, body_length


def _header(content: bytes | bytearray, body_length: int) -> dict[str, Any]:
    """Reads a header and checks it against the length of the body, before that is read."""
    try:
        header = json.loads(content.decode("ascii"))
    except (ValueError, RecursionError) as problem:
        raise ProtocolError("a header that is no JSON") from problem
    if not isinstance(header, dict) or set(header) != _HEADER:
        raise ProtocolError("a header of another form")
    right = (
        isinstance(header["kind"], str)
        and type(header["sequence"]) is int
        and isinstance(header["fields"], dict)
        and isinstance(header["arrays"], list)
        and type(header["texts"]) is int
        and 0 <= header["texts"] <= len(header["arrays"]) <= ARRAYS_LIMIT
    )
    if not right:
        raise ProtocolError("a header of another form")
    if sum(size for _, _, size in _layout(header["arrays"])) != body_length:
        raise ProtocolError("arrays that do not fill the frame")
    return header


def _layout(entries: Sequence[Any]) -> Iterator[tuple[str, tuple[int, ...], int]]:
    """Yields each array's dtype code, shape and size in bytes."""
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != 2:
            raise ProtocolError("an array without dtype and shape")
        code, shape = entry
        if not isinstance(code, str) or (code not in _DTYPES and code != _BFLOAT16):
            raise ProtocolError("an array of a dtype that does not travel")
        if not isinstance(shape, list) or len(shape) > DIMENSIONS_LIMIT:
            raise ProtocolError("an array of too many dimensions")
        # A bool is an int to Python; a dimension is no bool.
        if not all(type(size) is int and 0 <= size <= BODY_LIMIT for size in shape):
            raise ProtocolError("an array of an impossible shape")
        item = 2 if code == _BFLOAT16 else _DTYPES[code].itemsize
        yield code, tuple(shape), item * math.prod(shape)


def _message(header: dict[str, Any], body: bytearray) -> Message:
    arrays = []
    start = 0
    for code, shape, size in _layout(header["arrays"]):
        arrays.append(_array(code, shape, memoryview(body)[start : start + size]))
        start += size
    count = len(arrays) - header["texts"]
    fields = _restored_texts(header["fields"], arrays[count:], 0)
    return Message(header["kind"], fields, tuple(arrays[:count]), header["sequence"])


def _array(code: str, shape: tuple[int, ...], content: memoryview) -> np.ndarray:
    array: np.ndarray
    if code == _BFLOAT16:
        try:
            # Comes with TensorFlow; whoever sends bfloat16 has it.
            import ml_dtypes
        except ImportError as problem:
            raise ProtocolError("an array of a dtype that does not travel") from problem
        array = np.frombuffer(content, "<u2").view(ml_dtypes.bfloat16)
    elif code == "b1":
        array = np.frombuffer(content, np.uint8) != 0
    else:
        array = np.frombuffer(content, _DTYPES[code])
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
    try:
        array = array.reshape(shape)
    except ValueError as problem:
        raise ProtocolError("an array of an impossible shape") from problem
    array.flags.writeable = False
    return array


def _code(dtype: np.dtype[Any]) -> str | None:
    if dtype.name == "bfloat16":
        return _BFLOAT16
    return _CODES.get(dtype.newbyteorder("<"))


def _moved_texts(value: Any, arrays: list[np.ndarray], count: int) -> Any:  # noqa: ANN401
    """Returns JSON content with its long texts moved behind the first `count` arrays, as bytes."""
    if isinstance(value, str) and len(value) > _LONG_TEXT:
        # What is half of a character is sent as what stands for such things.
        arrays.append(np.frombuffer(value.encode("utf-8", "replace"), np.uint8))
        return {_TEXT: len(arrays) - 1 - count}
    if isinstance(value, Mapping):
        if _TEXT in value:
            raise ProtocolError(f"a field that is called {_TEXT}")
        return {str(name): _moved_texts(item, arrays, count) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_moved_texts(item, arrays, count) for item in value]
    return value


def _restored_texts(value: Any, arrays: Sequence[np.ndarray], depth: int) -> Any:  # noqa: ANN401
    if depth > 2 * _DEPTH_LIMIT:
        raise ProtocolError("fields that are nested too deeply")
    if isinstance(value, dict):
        if _TEXT not in value:
            return {k: _restored_texts(item, arrays, depth + 1) for k, item in value.items()}
        place = value[_TEXT]
        if len(value) != 1 or type(place) is not int or not 0 <= place < len(arrays):
            raise ProtocolError("a text that is not there")
        if arrays[place].dtype != np.uint8:
            raise ProtocolError("a text that is not there")
        return arrays[place].tobytes().decode("utf-8", "replace")
    if isinstance(value, list):
        return [_restored_texts(item, arrays, depth + 1) for item in value]
    return value
