"""The judge's end of its slot."""

import select
import socket
from collections.abc import Mapping
from typing import Any

from autograder.errors import SandboxFailure
from autograder.sandbox.channel import Channel

__all__ = ["Link"]


class Link:
    """Asks the slot for jobs and for student processes, and hands it what was found."""

    def __init__(self, channel: Channel) -> None:
        """Takes the connection to the slot."""
        self._channel = channel
        self._peer: socket.socket | None = None

    def next_job(self) -> dict[str, Any] | None:
        """Waits for a job; None when there are no more."""
        job = self._ask("job")["job"]
        return job if isinstance(job, dict) else None

    def finish(self, document: Mapping[str, Any]) -> None:
        """Hands over what was found about a job."""
        self._ask("finish", document=document)

    def spawn(self) -> socket.socket:
        """Returns the end of a fresh student process; an older one is killed first.

        Raises:
            SandboxFailure: If there is none to be had.
        """
        self._channel.send({"ask": "spawn"})
        reply, descriptors = self._channel.receive()
        if "failed" in reply:
            raise SandboxFailure(reply["failed"])
        (descriptor,) = descriptors
        connection = socket.socket(fileno=descriptor)
        self._forget_peer()
        self._peer = connection.dup()
        return connection

    def printed(self) -> list[dict[str, Any]]:
        """Returns, as nbformat outputs, what was written past Python since the last call."""
        outputs = self._ask("printed")["outputs"]
        return list(outputs)

    def end(self) -> dict[str, Any]:
        """Kills the student process and tells how it ended.

        Returns:
            `class`: "OK" if it was still there, else "MEMORY", "LIMIT" or "CRASHED"; and
            `signal`, the name of what ended it, or None.
        """
        ended = self._ask("end", gone=self._peer_has_gone())
        self._forget_peer()
        return ended

    def _peer_has_gone(self) -> bool:
        """Whether the student process has closed its end; ours is still open here."""
        if self._peer is None:
            return True
        poll = select.poll()
        poll.register(self._peer, select.POLLRDHUP)
        return bool(poll.poll(0))

    def _forget_peer(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def _ask(self, what: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
        self._channel.send({"ask": what, **fields})
        reply, _ = self._channel.receive()
        if "failed" in reply:
            raise SandboxFailure(reply["failed"])
        return reply
