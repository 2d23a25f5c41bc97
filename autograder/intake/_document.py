"""The restored cells as a notebook that is safe to show: nothing in it is active."""

import copy
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from autograder.course import Cell
from autograder.inert import (
    Allowance,
    clean_html,
    clean_image,
    clean_markdown,
    clean_outputs,
)
from autograder.intake._restore import Placed
from autograder.intake._words import listed

__all__ = ["document", "inert_source", "pictures"]

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_PICTURE_NAME = re.compile(r"[\w .@+()-]{1,100}")
_LARGEST_PICTURE = 5_000_000  # characters of base64


def document(placed: Sequence[Placed], repairs: list[str]) -> dict[str, Any]:
    """Returns a notebook of nbformat 4.5.

    Args:
        placed: The restored cells.
        repairs: Gets a sentence on what had to be removed.
    """
    cells = []
    cleaned, dropped = [], []
    allowance = Allowance()
    for cell in placed:
        attachments, whole = _attachments(cell, allowance)
        source = _source(cell, attachments, allowance)
        if source != cell.source:
            cleaned.append(cell.name)
        if not whole:
            dropped.append(cell.name)
        entry: dict[str, Any] = {
            "cell_type": cell.cell_type,
            "id": cell.id,
            "metadata": _metadata(cell.known),
            "source": source,
        }
        if cell.cell_type == "code":
            entry |= {"execution_count": None, "outputs": _outputs(cell, allowance)}
        elif attachments:
            entry["attachments"] = attachments
        cells.append(entry)
    if cleaned:
        repairs.append(
            f"What a page must not show (active HTML, remote pictures, invisible characters) was "
            f"taken out of {listed(cleaned)}."
        )
    if dropped:
        repairs.append(
            f"Attachments were removed from {listed(dropped)}: PNG, JPEG, GIF and WebP pictures "
            f"of at most {_LARGEST_PICTURE / 1e6:g} MB, as they are stored, are kept."
        )
    return {
        "cells": cells,
        "metadata": {"kernelspec": dict(_KERNEL), "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _source(cell: Placed, attachments: Collection[str], allowance: Allowance) -> str:
    if cell.known and cell.source == cell.known.released:
        return cell.source
    return inert_source(cell.cell_type, cell.source, attachments, allowance)


def inert_source(
    cell_type: str,
    source: str,
    attachments: Collection[str],
    allowance: Allowance | None = None,
) -> str:
    """Returns a cell's text so that a page can show it."""
    if cell_type == "code":
        return source
    if cell_type == "markdown":
        return clean_markdown(source, attachments, allowance)
    return clean_html(source)  # a page passes a raw cell on as it stands


def _metadata(known: Cell | None) -> dict[str, Any]:
    """The assignment's metadata, with what nbgrader adds to it in a release."""
    if known is None:
        return {}
    metadata: dict[str, Any] = copy.deepcopy(dict(known.metadata))
    settings = metadata.get("nbgrader")
    if settings and any(settings.get(key) for key in ("grade", "solution", "locked")):
        settings["checksum"] = _checksum(known, settings)
        settings["cell_type"] = known.cell_type
    return metadata


def _checksum(cell: Cell, settings: Mapping[str, Any]) -> str:
    """Nbgrader's checksum of the released cell, by which it tells an untouched answer."""
    grade, solution = bool(settings.get("grade")), bool(settings.get("solution"))
    locked = not solution and (grade or bool(settings.get("locked")))
    parts = [cell.released, cell.cell_type, str(grade), str(solution), str(locked)]
    parts.append(str(cell.grade_id))
    if grade:
        parts.append(str(float(settings["points"])))
    return hashlib.md5("".join(parts).encode("utf-8"), usedforsecurity=False).hexdigest()


def _outputs(cell: Placed, allowance: Allowance) -> list[dict[str, Any]]:
    """The outputs as handed in, of cells that the grader never runs; no others are of use."""
    if cell.known is None or cell.known.runs or cell.handed_in is None:
        return []
    try:
        return clean_outputs(list(cell.handed_in.outputs), allowance)
    except RecursionError:  # nested as no kernel nests them
        return []


def _attachments(cell: Placed, allowance: Allowance) -> tuple[dict[str, Any], bool]:
    """The attachments that are kept, and whether that is all of them."""
    if cell.cell_type == "code":
        return {}, True
    if cell.known and cell.known.attachments and cell.source == cell.known.released:
        return copy.deepcopy(dict(cell.known.attachments)), True
    handed_in = cell.handed_in.attachments if cell.handed_in else {}
    kept = pictures(handed_in, allowance)
    return kept, len(kept) == len(handed_in)


def pictures(
    attachments: Mapping[str, Any], allowance: Allowance | None = None
) -> dict[str, dict[str, str]]:
    """Returns those of a cell's attachments that are pictures, and not too large."""
    kept = {}
    for name, bundle in attachments.items():
        data = {
            kind: drawn
            for kind, text in (bundle.items() if isinstance(bundle, dict) else ())
            if isinstance(text, str)
            and len(text) <= _LARGEST_PICTURE
            and (drawn := clean_image(kind, text, allowance)) is not None
        }
        if data and _PICTURE_NAME.fullmatch(name):
            kept[name] = data
    return kept
