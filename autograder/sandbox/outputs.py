"""What a cell shows, as it arrives in the judge: forms that nbformat knows, up to the limits.

It is display material, and comes from student code: whoever shows it makes it harmless first.
"""

import json
from collections.abc import Mapping
from typing import Any

from autograder.errors import ProtocolError

__all__ = ["Outputs"]

# A little more than the agent lets through: what is beyond was not sent by it.
_COUNT_LIMIT = 1100
_LENGTH_LIMIT = 8 * 2**20


class Outputs:
    """The outputs of one cell, appended to a list as they arrive."""

    def __init__(self, outputs: list[dict[str, Any]]) -> None:
        """Takes the list to append to."""
        self._outputs = outputs
        self._count = 0
        self._length = 0

    def add(self, fields: Mapping[str, Any]) -> None:
        """Appends the output that a message carries; joins text of the same stream.

        Raises:
            ProtocolError: If it is none, or too much has come.
        """
        output = _checked(fields.get("output"))
        self._count += 1
        self._length += len(json.dumps(output))
        if self._count > _COUNT_LIMIT or self._length > _LENGTH_LIMIT:
            raise ProtocolError("more outputs than a cell may have")
        last = self._outputs[-1] if self._outputs else {}
        if output["output_type"] == "stream" == last.get("output_type"):
            if output["name"] == last["name"]:
                last["text"] += output["text"]
                return
        self._outputs.append(output)


def _checked(output: Any) -> dict[str, Any]:  # noqa: ANN401
    """Returns an output with the keys of its type, and no others."""
    if not isinstance(output, dict):
        raise ProtocolError("an output of another form")
    match output.get("output_type"):
        case "stream":
            right = output.get("name") in ("stdout", "stderr") and isinstance(
                output.get("text"), str
            )
            keys = ["name", "text"]
        case "display_data":
            right = _is_rich(output)
            keys = ["data", "metadata"]
        case "execute_result":
            right = _is_rich(output) and type(output.get("execution_count")) in (int, type(None))
            keys = ["data", "metadata", "execution_count"]
        case "error":
            texts = [output.get("ename"), output.get("evalue")]
            lines = output.get("traceback")
            right = isinstance(lines, list) and all(isinstance(t, str) for t in [*texts, *lines])
            keys = ["ename", "evalue", "traceback"]
        case _:
            right, keys = False, []
    if not right:
        raise ProtocolError("an output of another form")
    return {"output_type": output["output_type"]} | {key: output[key] for key in keys}


def _is_rich(output: Mapping[str, Any]) -> bool:
    return isinstance(output.get("data"), dict) and isinstance(output.get("metadata"), dict)
