"""From the bytes of a file to the cells of a notebook, under limits.

Only what grading needs is taken over, each piece checked for its type: whatever else stands in
the file (widget state, metadata of editors, execution times) is dropped here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autograder.errors import BadSubmission
from autograder.intake._words import listed, quoted

__all__ = ["HandedIn", "read_cells"]

_MOST_CELLS = 1_000
_ENCODINGS = {"utf-8-sig": "UTF-8 with a byte order mark"}
_CELL_TYPES = ("code", "markdown", "raw")
_AGAIN = "Save the notebook in JupyterLab and hand in the file as it is saved."
# JSON can spell halves of surrogate pairs, which no file can hold; Python takes no NUL in code.
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class HandedIn:
    """A cell as it was handed in.

    Attributes:
        number: Its place in the notebook, from 1.
        id: Its nbformat id, or None in formats before 4.5.
        grade_id: The name in its nbgrader metadata, or None.
        nbgrader: Its nbgrader metadata, whatever it holds.
        tags: Its tags.
        attachments: Pictures pasted into it, whatever it holds.
        outputs: As they were saved, whatever they hold.
    """

    number: int
    cell_type: str
    source: str
    id: str | None
    grade_id: str | None
    nbgrader: Mapping[str, Any]
    tags: tuple[str, ...]
    attachments: Mapping[str, Any]
    outputs: tuple[Any, ...]


def read_cells(content: bytes, repairs: list[str]) -> list[HandedIn]:
    """Reads the cells of a notebook file.

    Args:
        content: The file.
        repairs: Gets a sentence on each thing that was put right.

    Raises:
        BadSubmission: If it is no notebook; says where and what to do.
    """
    notebook = _current(_document(_text(content, repairs)), repairs)
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise BadSubmission(f"The notebook has no list of cells. {_AGAIN}")
    if len(cells) > _MOST_CELLS:
        raise BadSubmission(
            f"The notebook has {len(cells)} cells; at most {_MOST_CELLS} are read. Delete those "
            f"that do not belong to the assignment."
        )
    found, odd, replaced = [], [], []
    for number, cell in enumerate(cells, 1):
        source = _source(cell)
        if source is None:
            odd.append(number)
            continue
        clean = _UNWRITABLE.sub("\ufffd", source)
        if clean != source:
            replaced.append(number)
        found.append(_cell(number, cell, clean))
    if odd:
        repairs.append(f"What stood in place of cells {listed(odd)} is no cell and was left out.")
    if replaced:
        repairs.append(
            f"Characters that no file can hold were replaced in cells {listed(replaced)}."
        )
    return found


def _text(content: bytes, repairs: list[str]) -> str:
    if not content.strip(b"\x00 \t\r\n"):
        raise BadSubmission(
            "The notebook file is empty. Save the notebook in Jupyter and hand it in again."
        )
    encoding = json.detect_encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as problem:
        raise BadSubmission(
            f"The file is not text: byte {problem.start + 1} of {len(content)} is not "
            f"{encoding.upper()}. Hand in the notebook itself, as Jupyter saves it."
        ) from problem
    if encoding != "utf-8":
        repairs.append(
            f"The file was saved as {_ENCODINGS.get(encoding, encoding.upper())}, and was read as "
            f"that; Jupyter saves UTF-8."
        )
    return text


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as problem:
        raise BadSubmission(
            f"The file is not a whole notebook: line {problem.lineno}, column {problem.colno}: "
            f"{problem.msg}. {_AGAIN}"
        ) from problem
    except RecursionError as problem:
        raise BadSubmission(
            f"The file is not a notebook: its JSON is nested too deeply. {_AGAIN}"
        ) from problem
    except ValueError as problem:
        raise BadSubmission(
            f"The file is not a notebook: it holds a number of thousands of digits. {_AGAIN}"
        ) from problem
    if not isinstance(document, dict):
        raise BadSubmission(
            "The file is JSON, but no notebook: an object with cells is expected. Hand in the "
            "notebook itself, as Jupyter saves it."
        )
    return document


def _current(notebook: dict[str, Any], repairs: list[str]) -> Mapping[str, Any]:
    """Converts a notebook of an older format."""
    version = notebook.get("nbformat")
    if version is None and "cells" in notebook:
        repairs.append("The notebook does not say its format; it was read as format 4.")
        return notebook
    if version not in (3, 4):
        shown = quoted(str(version)) if isinstance(version, int | float | str) else "no number"
        raise BadSubmission(
            f"The notebook's format is {shown}; formats 3 and 4 are read. Save it with JupyterLab "
            f"4 and hand it in again."
        )
    if version == 4:
        return notebook
    repairs.append("The notebook was of the old format 3 and was converted.")
    return {"cells": list(_cells_of_format_3(notebook))}


def _cells_of_format_3(notebook: Mapping[str, Any]) -> Iterator[Any]:
    """Yields the cells as format 4 has them, without outputs."""
    # Not nbformat's converter, which takes the notebook's word for how much memory to use.
    for sheet in _list(notebook.get("worksheets")):
        for cell in _list(_mapping(sheet).get("cells")):
            kind = _mapping(cell).get("cell_type")
            if kind == "code":
                yield {**cell, "source": cell.get("input", ""), "outputs": []}
            elif kind == "heading":
                level = cell.get("level")
                depth = level if level in range(1, 7) else 1
                yield {**cell, "cell_type": "markdown", "source": ["#" * depth, " ", _plain(cell)]}
            elif kind == "html":
                yield {**cell, "cell_type": "markdown"}
            else:
                yield cell


def _plain(cell: Mapping[str, Any]) -> str:
    return (_source({"cell_type": "markdown", "source": cell.get("source", "")}) or "").strip()


def _source(cell: object) -> str | None:
    """The text of a cell, or None if it is no cell."""
    if not isinstance(cell, dict) or cell.get("cell_type") not in _CELL_TYPES:
        return None
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    # Windows ends lines with two characters; Python and nbgrader's checksums know one.
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _cell(number: int, cell: Mapping[str, Any], source: str) -> HandedIn:
    metadata = _mapping(cell.get("metadata"))
    nbgrader = _mapping(metadata.get("nbgrader"))
    identity, grade_id = cell.get("id"), nbgrader.get("grade_id")
    return HandedIn(
        number=number,
        cell_type=str(cell["cell_type"]),
        source=source,
        id=identity if isinstance(identity, str) else None,
        grade_id=grade_id if isinstance(grade_id, str) else None,
        nbgrader=nbgrader,
        tags=tuple(tag for tag in _list(metadata.get("tags")) if isinstance(tag, str)),
        attachments=_mapping(cell.get("attachments")),
        outputs=tuple(_list(cell.get("outputs"))),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
