"""The wire brings arrays across, and anything else that comes in is a `ProtocolError`."""

import json
import socket
import struct
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.errors import ProtocolError
from autograder.sandbox import wire
from autograder.sandbox.wire import Message, decode, encode, pack, receive, send, unpack

NUMBERS = st.one_of(
    hnp.floating_dtypes(), hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(),
    hnp.boolean_dtypes(), hnp.complex_number_dtypes(sizes=(64, 128)),
)  # fmt: skip
ARRAYS = hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
TREES = st.recursive(
    ARRAYS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    max_leaves=8,
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**62), 2**62), st.text(max_size=2000)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def equal(left, right):
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        same = type(left) is type(right) and len(left) == len(right)
        return same and all(equal(*pair) for pair in zip(left, right, strict=True))
    native = left.astype(left.dtype.newbyteorder("="))
    return native.dtype == right.dtype and native.tobytes() == right.tobytes()


@given(TREES, JSON, st.integers(0, 2**40))
@settings(max_examples=150, deadline=None)
def test_what_is_packed_and_sent_comes_back_the_same(tree, field, sequence):
    packed, arrays = pack(tree)
    fields = {"tree": packed, "field": field}
    if "$text" in json.dumps(field):
        return
    message = decode(encode(Message("arrays", fields, arrays, sequence)))
    assert (message.kind, message.sequence) == ("arrays", sequence)
    assert len(message.arrays) == len(arrays)
    assert message.fields["field"] == field
    assert equal(tree, unpack(message.fields["tree"], message.arrays))


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_message_or_a_protocol_error(content):
    for frame in (content, framed(content)):
        try:
            decode(frame)
        except ProtocolError:
            pass


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_frame_with_changed_bytes_is_a_message_or_a_protocol_error(data):
    arrays = (np.arange(6.0).reshape(2, 3), np.array(True), np.zeros((0, 4), "i2"))
    frame = bytearray(encode(Message("arrays", {"text": "x" * 1500, "n": [1]}, arrays)))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = decode(bytes(frame))
    except ProtocolError:
        return
    assert all(isinstance(array, np.ndarray) for array in message.arrays)


def framed(header, body=b""):
    return struct.pack("<4sIQ", b"LGM1", len(header), len(body)) + header + body


def headed(body=b"", **changes):
    header = {"kind": "arrays", "sequence": 0, "fields": {}, "arrays": [], "texts": 0}
    return framed(json.dumps(header | changes).encode(), body)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"LGM",
        b"XXXX" + bytes(12),
        headed()[:-1],
        headed() + b"!",
        struct.pack("<4sIQ", b"LGM1", 2**32 - 1, 0),
        struct.pack("<4sIQ", b"LGM1", 2, 2**63) + b"{}",
        framed(b"[]"),
        framed(b"{}"),
        framed(b"\xff\xfe"),
        framed(b"[" * 60_000),
        framed(b"1" * 5000),
        headed(kind=3),
        headed(sequence=True),
        headed(sequence=1.5),
        headed(fields=[]),
        headed(arrays={}),
        headed(texts=1),
        headed(texts=-1),
        headed(arrays=[["O", [1]]], body=bytes(8)),
        headed(arrays=[["f8"]], body=bytes(8)),
        headed(arrays=[[["f8"], [1]]], body=bytes(8)),
        headed(arrays=[["f8", 1]], body=bytes(8)),
        headed(arrays=[["f8", [True]]], body=bytes(8)),
        headed(arrays=[["f8", [1.0]]], body=bytes(8)),
        headed(arrays=[["f8", [-1, -1]]], body=bytes(8)),
        headed(arrays=[["f8", [2]]], body=bytes(8)),
        headed(arrays=[["f8", [2**62]]], body=bytes(8)),
        headed(arrays=[["f8", [1] * 9]], body=bytes(8)),
        headed(arrays=[["f8", [0, 2**25, 2**25, 2**25, 2**25]]]),
        headed(arrays=[["u1", [0]]] * 65),
        headed(fields={"a": {"$text": 0}}),
        headed(fields={"a": {"$text": 0, "b": 1}}, arrays=[["u1", [1]]], texts=1, body=b"a"),
        headed(fields={"a": {"$text": 0}}, arrays=[["i1", [1]]], texts=1, body=b"a"),
    ],
)
def test_what_no_honest_side_sends_is_refused(frame):
    with pytest.raises(ProtocolError):
        decode(frame)


def test_a_shape_is_checked_before_memory_is_taken():
    left, right = socket.socketpair()
    with left, right:
        header = headed(arrays=[["f8", [2**24, 2**24]]])
        left.sendall(header)
        with pytest.raises(ProtocolError, match="do not fill"):
            receive(right, time.monotonic() + 5)


@pytest.mark.parametrize(
    "array", [np.array([object()]), np.array(["a"]), np.array([1], "M8[s]"), np.zeros(1, "f8, i4")]
)
def test_a_dtype_outside_the_list_does_not_travel(array):
    assert not wire.travels(array.dtype)
    with pytest.raises(ProtocolError, match="dtype"):
        encode(Message("arrays", {}, (array,)))


def test_foreign_byte_orders_and_strides_arrive_plain():
    array = np.arange(12, dtype=">f4").reshape(3, 4)[::-1, ::2]
    (seen,) = decode(encode(Message("arrays", {}, (array,)))).arrays
    assert seen.dtype == np.float32
    assert seen.flags.c_contiguous
    np.testing.assert_array_equal(seen, array)


def test_what_came_in_cannot_be_written_to():
    (seen,) = decode(encode(Message("arrays", {}, (np.zeros(3),)))).arrays
    with pytest.raises(ValueError, match="read-only"):
        seen[0] = 1.0


def test_booleans_are_zero_or_one():
    (seen,) = decode(headed(arrays=[["b1", [3]]], body=b"\x00\x07\xff")).arrays
    assert seen.tolist() == [False, True, True]
    assert seen.view(np.uint8).tolist() == [0, 1, 1]


def test_too_large_a_message_is_not_sent():
    with pytest.raises(ProtocolError, match="too large"):
        encode(Message("arrays", {}, (np.zeros(wire.BODY_LIMIT // 8 + 1),)))
    with pytest.raises(ProtocolError, match="at most"):
        encode(Message("arrays", {}, (np.zeros(1),) * (wire.ARRAYS_LIMIT + 1)))


@pytest.mark.parametrize(
    "tree",
    [None, 3, [], {}, {"array": -1}, {"array": 1}, {"array": True}, {"list": {}}, {"dict": []},
     {"array": 0, "list": []}, {"object": 0}],
)  # fmt: skip
def test_only_arrays_are_unpacked(tree):
    with pytest.raises(ProtocolError):
        unpack(tree, (np.zeros(1),))


def test_a_tree_that_is_too_deep_is_refused():
    tree = {"array": 0}
    for _ in range(50):
        tree = {"list": [tree]}
    with pytest.raises(ProtocolError):
        unpack(tree, (np.zeros(1),))


def test_silence_ends_at_the_deadline_both_ways():
    left, right = socket.socketpair()
    with left, right:
        start = time.monotonic()
        left.sendall(b"L")
        with pytest.raises(TimeoutError):
            receive(right, start + 0.2)
        with pytest.raises(TimeoutError):
            # Nobody reads, so the socket's buffer is soon full.
            send(right, Message("arrays", {}, (np.zeros(4_000_000),)), start + 0.4)
        assert 0.3 < time.monotonic() - start < 2


def test_one_byte_at_a_time_does_not_move_the_deadline():
    left, right = socket.socketpair()
    stop = threading.Event()

    def drip():
        for byte in headed(fields={"a": "b" * 500}):
            if stop.wait(0.02):
                return
            left.send(bytes([byte]))

    thread = threading.Thread(target=drip)
    with left, right:
        start = time.monotonic()
        thread.start()
        with pytest.raises(TimeoutError):
            receive(right, start + 0.3)
        assert time.monotonic() - start < 1
        stop.set()
        thread.join()


def test_a_closed_connection_is_told():
    left, right = socket.socketpair()
    with right:
        with left:
            send(left, Message("stop", {}), None)
        assert receive(right, None).kind == "stop"
        with pytest.raises(ConnectionError):
            receive(right, None)
