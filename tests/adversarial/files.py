"""H. Submissions as files: whatever lies in the folder, the batch goes on."""

import json
import os
from collections.abc import Callable
from typing import Any

from tests.adversarial.case import Case, HandIn
from tests.pictures import picture

__all__ = ["CASES"]

Document = dict[str, Any]


def _bytes(make: Callable[[bytes], bytes]) -> HandIn:
    """Hands in other bytes in place of the notebook."""

    def change(course, folder):
        path = folder / f"{folder.name}.ipynb"
        path.write_bytes(make(path.read_bytes()))

    return change


def _document(change: Callable[[Document], Document | None]) -> HandIn:
    """Hands in a changed notebook."""

    def make(content: bytes) -> bytes:
        notebook = json.loads(content)
        return json.dumps(change(notebook) or notebook).encode()

    return _bytes(make)


def _refused(id: str, title: str, change: HandIn, says: str = "") -> Case:
    return Case(id, title, hand_in=change, score=None, ends="refused", says=says)


def _cells(notebook: Document, grade_id: str) -> list[Document]:
    return [
        cell
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id
    ]


def _old_version(notebook):
    cells = [
        {"cell_type": "code", "input": c["source"], "outputs": [], "language": "python"}
        for c in notebook["cells"]
        if c["cell_type"] == "code"
    ]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}


def _ids(notebook):
    for cell in notebook["cells"]:
        cell["id"] = "same"


def _no_ids(notebook):
    notebook["nbformat_minor"] = 2
    for cell in notebook["cells"]:
        del cell["id"]


def _surrogates(notebook):
    notebook["cells"][0]["source"] += "\ud800"
    (cell,) = _cells(notebook, "entropy")
    cell["source"] += "\n# \udfff"
    cell["metadata"]["\ud800"] = "\ud800"


def _outputs(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            text = {"output_type": "stream", "name": "stdout", "text": "x" * 8_000_000}
            cell["outputs"] = [text] * 5


def _slow_to_read(notebook):
    for number in range(300):
        cell = {"cell_type": "markdown", "id": f"slow-{number}", "metadata": {}}
        notebook["cells"].append(cell | {"source": "[" * 40_000})


def _pictures(notebook):
    # Of few bytes, and of 64 megabytes each where they are drawn.
    large = picture(size=(4000, 4000))
    output = {"output_type": "display_data", "metadata": {}, "data": {"image/png": large}}
    for cell in notebook["cells"]:
        if cell["id"] == "slow-figure":
            cell["outputs"] = [output] * 60


def _deleted(notebook):
    notebook["cells"] = [c for c in notebook["cells"] if c not in _cells(notebook, "entropy")]


def _twice(notebook):
    (cell,) = _cells(notebook, "entropy")
    notebook["cells"].append({**cell, "id": "again", "source": "def entropy(logit): return 0"})


def _turned_round(notebook):
    notebook["cells"].reverse()


def _locked_changed(notebook):
    for name in ("given_imports", "test_sigmoid", "test_entropy"):
        for cell in _cells(notebook, name):
            cell["source"] = "import numpy as np\nnp.allclose = lambda *a: True"


def _retyped(notebook):
    (cell,) = _cells(notebook, "test_entropy")
    cell["cell_type"] = "markdown"
    del cell["outputs"], cell["execution_count"]


def _junk_metadata(notebook):
    notebook["metadata"] = {
        "jupytext": {"text_representation": {"extension": ".py"}},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {"a": "x" * 10**6}}},
        "kernelspec": {"argv": ["/bin/sh", "-c", "touch /tmp/lgm-was-here"], "name": "python3"},
    }
    for cell in notebook["cells"]:
        cell["metadata"]["execution"] = {"iopub.execute_input": "1970-01-01"}


def _nan(content: bytes) -> bytes:
    return content.replace(b'"metadata": {}', b'"metadata": {"x": NaN, "y": Infinity}', 1)


def _other_ends(content: bytes) -> bytes:
    return json.dumps(json.loads(content), indent=1).replace("\n", "\r\n").encode()


def _own_data(course, folder):
    (folder / "logits.csv").write_text("0\n" * 100)
    (folder / "numpy.py").write_text("raise SystemExit\n")
    (folder / "sitecustomize.py").write_text("raise SystemExit\n")
    (folder / "conftest.py").write_text("raise SystemExit\n")


def _strange_names(course, folder):
    for name in ("-rf", "$(touch x)", "a\nb", "…", "ä" * 60, "<script>.csv", "CON.csv", "a" * 255):
        (folder / name).write_text("x")
    (folder / "page.html").write_text("<script>alert(1)</script>")
    (folder / "page.svg").write_text("<svg onload='alert(1)'/>")
    os.mkfifo(folder / "pipe.csv")


def _deep(notebook):
    inner: Any = {}
    for _ in range(900):
        inner = {"a": inner}
    notebook["metadata"]["deep"] = inner
    notebook["cells"][0]["metadata"]["deep"] = inner


CASES = (
    _refused("H01", "no JSON", _bytes(lambda content: content[:-5])),
    _refused("H01", "empty", _bytes(lambda content: b"")),
    _refused("H01", "binary", _bytes(lambda content: bytes(range(256)) * 10)),
    _refused("H01", "two hundred thousand brackets", _bytes(lambda content: b"[" * 200_000)),
    _refused("H01", "a number", _bytes(lambda content: b"17")),
    _refused("H01", "a number of many digits", _bytes(lambda content: b"9" * 100_000)),
    _refused("H01", "no cells", _bytes(lambda content: b'{"nbformat": 4}')),
    Case("H01", "a mark of byte order", hand_in=_bytes(lambda content: b"\xef\xbb\xbf" + content)),
    Case("H01", "other ends of lines", hand_in=_bytes(_other_ends)),
    Case(
        "H01",
        "UTF-16",
        hand_in=_bytes(lambda content: content.decode().encode("utf-16")),
        at_most=True,
    ),
    Case(
        "H01",
        "zero bytes in a text",
        hand_in=_bytes(lambda content: content.replace(b"title", b"ti\\u0000tle")),
    ),
    Case("H02", "an old version", hand_in=_document(_old_version)),
    _refused("H02", "a version to come", _document(lambda n: n | {"nbformat": 99})),
    _refused("H02", "a version that is none", _document(lambda n: n | {"nbformat": "four"})),
    Case("H02", "a newer minor version", hand_in=_document(lambda n: n | {"nbformat_minor": 77})),
    Case("H02", "no ids", hand_in=_document(_no_ids)),
    Case("H02", "the same ids", hand_in=_document(_ids)),
    Case("H02", "not a number in metadata", hand_in=_bytes(_nan)),
    Case("H02", "halves of characters", hand_in=_document(_surrogates)),
    Case("H02", "nested deeply", hand_in=_document(_deep), at_most=True),
    _refused("H03", "more than may be handed in", _document(_outputs), "are read"),
    Case("H03", "text that is slow to read", hand_in=_document(_slow_to_read), seconds=40),
    Case("H03", "pictures that unfold", hand_in=_document(_pictures), seconds=40),
    Case("H05", "a cell deleted", hand_in=_document(_deleted), score=6),
    Case("H05", "a cell twice", hand_in=_document(_twice)),
    Case("H05", "cells in another order", hand_in=_document(_turned_round)),
    Case("H05", "locked cells changed", hand_in=_document(_locked_changed)),
    Case("H05", "a cell of another type", hand_in=_document(_retyped)),
    Case("H08", "strange names beside it", hand_in=_strange_names, says="Left out"),
    Case("H10", "metadata that would act", hand_in=_document(_junk_metadata)),
    Case("H11", "data and modules of its own", hand_in=_own_data, says="which counts instead"),
)
