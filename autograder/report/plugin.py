"""What makes `nbgrader generate_feedback` safe to hand out."""

import re
from typing import Any

from nbformat import from_dict
from nbgrader import preprocessors, utils

from autograder.inert import (
    Allowance,
    clean_html,
    clean_markdown,
    clean_outputs,
    terminal_text,
)

__all__ = ["ClearHiddenTests", "RedactFeedback"]

# IPython's traceback: frames of the notebook's cells, frames of files, numbered lines of code.
_CELL_FRAME = re.compile(r"\s*(?:Cell In ?\[|Input In ?\[|<ipython-input)")
_FILE_FRAME = re.compile(r"\s*File ")
_CODE_LINE = re.compile(r"(?:-+>)?\s*\d+(?:\s(?P<code>.*))?\Z")

# A path of the machine that graded, but not the end of an address, nor a fraction.
_HOST_PATH = re.compile(r"(?<![\w./:~<])(?:~|/[\w.@+-]+)(?:/[\w.@+-]+)*/([\w.@+-]+)")

_ATTACHED = ("image/png", "image/jpeg", "image/gif")


class ClearHiddenTests(preprocessors.ClearHiddenTests):  # type: ignore[misc]
    """Takes hidden tests out of the assignment's own cells.

    nbgrader's own looks for its marks in what students write, too, and fails on one that has no
    end.
    """

    def preprocess_cell(self, cell: Any, resources: Any, cell_index: int) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the cell without them."""
        if not utils.is_locked(cell):
            return cell, resources
        cleared: tuple[Any, Any] = super().preprocess_cell(cell, resources, cell_index)
        return cleared


class RedactFeedback(preprocessors.NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader is untyped
    """Keeps what helps a student, inert; drops what was hidden and where it was graded.

    Runs after `ClearHiddenTests`: a traceback line that is in no cell any more was hidden.
    """

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:  # noqa: ANN401
        """Returns the notebook as students may see it."""
        shown = frozenset(line.strip() for cell in nb.cells for line in cell.source.split("\n"))
        nb.metadata.pop("widgets", None)
        allowance = Allowance()
        for cell in nb.cells:
            cell.metadata.pop("tags", None)
            if cell.cell_type == "code":
                cell.source = terminal_text(cell.source)
                outputs = clean_outputs(cell.outputs, allowance)
                cell.outputs = [from_dict(_redacted(output, shown)) for output in outputs]
            elif cell.cell_type == "markdown":
                _clean_text(cell, allowance)
            else:
                cell.source = clean_html(cell.source)
            comment = cell.metadata.get("nbgrader", {}).get("comment")
            if comment:
                # The template renders it as Markdown.
                cell.metadata.nbgrader["comment"] = clean_markdown(comment, allowance=allowance)
        return nb, resources


def _clean_text(cell: Any, allowance: Allowance) -> None:  # noqa: ANN401
    attachments = {
        name: {kind: data for kind, data in bundle.items() if kind in _ATTACHED}
        for name, bundle in cell.get("attachments", {}).items()
    }
    attachments = {name: bundle for name, bundle in attachments.items() if bundle}
    if "attachments" in cell:
        cell.attachments = attachments
    cell.source = clean_markdown(cell.source, attachments, allowance)


def _redacted(output: dict[str, Any], shown: frozenset[str]) -> dict[str, Any]:
    """An output without paths of this machine and without what was hidden."""
    kind = output["output_type"]
    if kind == "stream":
        output["text"] = without_paths(output["text"])
    elif kind == "error":
        _redact_error(output, shown)
    elif "text/plain" in output["data"]:
        output["data"]["text/plain"] = without_paths(output["data"]["text/plain"])
    return output


def _redact_error(error: dict[str, Any], shown: frozenset[str]) -> None:
    """Cuts a traceback to the notebook's own cells, and to the lines that are in them."""
    lines, left_out, was_hidden, keeping = [], False, False, True
    # The last entry is the exception itself, in as many lines as its message has.
    last = "".join(error["traceback"][-1:])
    for line in "\n".join(error["traceback"][:-1]).split("\n"):
        if _CELL_FRAME.match(line):
            keeping = True
        elif _FILE_FRAME.match(line):
            keeping, left_out = False, True
        code = _CODE_LINE.match(line)
        if keeping and code and (code["code"] or "").strip() not in shown | {""}:
            was_hidden = True
        elif keeping:
            lines.append(line)
    if was_hidden:
        # What a hidden test says may tell what it expects.
        error["evalue"] = "a hidden test failed"
        last = f"{error['ename']}: a hidden test failed"
    if left_out:
        lines.append("(calls outside the notebook are left out)")
    error["evalue"] = without_paths(error["evalue"])
    error["traceback"] = [without_paths(line) for line in [*lines, last]]


def without_paths(text: str) -> str:
    """Returns text with the folders of absolute paths left out."""
    return _HOST_PATH.sub(r"…/\1", text)
