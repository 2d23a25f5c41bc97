"""How our own processes speak to each other: JSON documents and descriptors over a socket.

Student code never holds an end of one of these.
"""

import json
import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

from autograder.errors import SandboxFailure

__all__ = ["Channel", "pair", "taken"]

_LENGTH = struct.Struct("<Q")
_LENGTH_LIMIT = 512 * 2**20
_DESCRIPTORS_LIMIT = 8


class Channel:
    """One end of a connection between two of our processes."""

    def __init__(self, connection: socket.socket) -> None:
        """Takes a connected stream socket, and owns it."""
        self._socket = connection

    def fileno(self) -> int:
        """Returns the descriptor, so that it can be waited for."""
        return self._socket.fileno()

    def send(
        self,
        document: Mapping[str, Any],
        descriptors: Sequence[int] = (),
        deadline: float | None = None,
    ) -> None:
        """Sends a document, and copies of descriptors.

        Raises:
            OSError: TimeoutError after the deadline, another one if the other side has gone.
        """
        content = json.dumps(document).encode("ascii")
        content = _LENGTH.pack(len(content)) + content
        self._set_timeout(deadline)
        # A short document is one call: several processes may share an end.
        sent = socket.send_fds(self._socket, [content], list(descriptors))
        self._socket.sendall(memoryview(content)[sent:])

    def receive(self, deadline: float | None = None) -> tuple[dict[str, Any], list[int]]:
        """Receives a document, and descriptors.

        Raises:
            OSError: TimeoutError after the deadline, ConnectionError if the other side has gone.
            SandboxFailure: If what came is no document.
        """
        self._set_timeout(deadline)
        start, descriptors, _, _ = socket.recv_fds(
            self._socket, _LENGTH.size, _DESCRIPTORS_LIMIT, socket.MSG_CMSG_CLOEXEC
        )
        try:
            start += self._exactly(_LENGTH.size - len(start), deadline)
            (length,) = _LENGTH.unpack(start)
            if length > _LENGTH_LIMIT:
                raise SandboxFailure(f"A process of the grader sent a document of {length} bytes.")
            document = json.loads(self._exactly(length, deadline))
        except ValueError as problem:
            raise SandboxFailure("A process of the grader sent something else.") from problem
        if not isinstance(document, dict):
            raise SandboxFailure("A process of the grader sent something else.")
        return document, descriptors

    def close(self) -> None:
        """Closes this end."""
        self._socket.close()

    def detach(self) -> int:
        """Gives the descriptor away."""
        return self._socket.detach()

    def _set_timeout(self, deadline: float | None) -> None:
        if deadline is None:
            self._socket.settimeout(None)
        else:
            self._socket.settimeout(max(deadline - time.monotonic(), 1e-3))

    def _exactly(self, count: int, deadline: float | None) -> bytes:
        buffer = bytearray(count)
        view = memoryview(buffer)
        while view:
            self._set_timeout(deadline)
            received = self._socket.recv_into(view)
            if received == 0:
                raise ConnectionResetError("the other side has closed the connection")
            view = view[received:]
        return bytes(buffer)


def pair() -> tuple[Channel, socket.socket]:
    """Returns a channel, and the socket to give to whoever shall have the other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return Channel(ours), theirs


def taken(descriptor: int) -> Channel:
    """Returns the channel over a descriptor that was handed over."""
    os.set_inheritable(descriptor, False)
    return Channel(socket.socket(fileno=descriptor))
