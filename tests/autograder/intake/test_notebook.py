"""From the bytes of a file to cells: what is refused, and what is put right."""

import json

import nbformat
import pytest

from autograder.errors import BadSubmission
from autograder.intake._notebook import read_cells

CELL = {"cell_type": "code", "id": "one", "metadata": {}, "source": "x = 1", "outputs": []}


def notebook(*cells, **keys):
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "cells": list(cells), **keys}).encode()


def cells_of(content):
    repairs = []
    return read_cells(content, repairs), repairs


REFUSED = {
    "no bytes": (b"", "The notebook file is empty"),
    "blanks": (b" \n\t\r\n", "The notebook file is empty"),
    "zeros, as a disk that crashed leaves them": (b"\0" * 100, "The notebook file is empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff", "not text: byte 1 of "),
    "Latin-1": ('{"cells": ["caf\xe9"]}'.encode("latin-1"), "byte 16 of 19 is not UTF-8"),
    "half a file": (notebook(CELL)[:60], "not a whole notebook: line 1, column"),
    "two files in one": (notebook(CELL) * 2, "Extra data"),
    "a NUL in a text": (notebook(CELL).replace(b"x = 1", b"x =\0 1"), "Invalid control character"),
    "Python": (b"import numpy as np\nx = 1\n", "line 1, column 1"),
    "brackets without end": (b"[" * 200_000, "nested too deeply"),
    "a number of 10,000 digits": (b'{"cells": ' + b"9" * 10_000 + b"}", "thousands of digits"),
    "a list": (b"[1, 2]", "JSON, but no notebook"),
    "null": (b"null", "JSON, but no notebook"),
    "another object": (b'{"name": "ada"}', "format is no number"),
    "format 2": (notebook(CELL, nbformat=2), "format is '2'; formats 3 and 4 are read"),
    "format 5": (notebook(CELL, nbformat=5), "format is '5'; formats 3 and 4 are read"),
    "format 99": (notebook(CELL, nbformat=99), "Save it with JupyterLab 4"),
    "a format in words": (notebook(CELL, nbformat="four"), "format is 'four'"),
    "a list for a format": (notebook(CELL, nbformat=[4]), "format is no number"),
    "cells that are no list": (notebook(cells={"1": CELL}), "has no list of cells"),
    "no cells": (b'{"nbformat": 4}', "has no list of cells"),
    "too many cells": (notebook(*[CELL] * 1001), "has 1001 cells; at most 1000"),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_notebook_is_refused_with_the_reason(content, sentence):
    with pytest.raises(BadSubmission) as refusal:
        cells_of(content)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16-LE"),
        ("utf-32", "UTF-32"),
    ],
)
def test_another_encoding_is_read_and_said(encoding, named):
    content = notebook({**CELL, "source": "x = 'é'"}).decode().encode(encoding)
    (cell,), (repair,) = cells_of(content)
    assert cell.source == "x = 'é'"
    assert f"saved as {named}, and was read as that" in repair


def test_line_ends_of_windows_make_no_difference():
    content = json.dumps(json.loads(notebook({**CELL, "source": "a\r\nb\rc"})), indent=1)
    (cell,), repairs = cells_of(content.replace("\n", "\r\n").encode())
    assert (cell.source, repairs) == ("a\nb\nc", [])


def test_a_text_in_lines_is_joined():
    (cell,), repairs = cells_of(notebook({**CELL, "source": ["a\n", "b"]}))
    assert (cell.source, repairs) == ("a\nb", [])


@pytest.mark.parametrize(("minor", "identity"), [(0, None), (4, None), (5, "one"), (99, "one")])
def test_format_4_is_read_with_and_without_ids(minor, identity):
    cell = {key: value for key, value in CELL.items() if identity or key != "id"}
    (found,), repairs = cells_of(notebook(cell, nbformat_minor=minor))
    assert (found.source, found.id, repairs) == ("x = 1", identity, [])


def test_a_notebook_that_does_not_say_its_format_is_read_as_format_4():
    cells, (repair,) = cells_of(json.dumps({"cells": [CELL]}).encode())
    assert len(cells) == 1
    assert "does not say its format" in repair


def test_format_3_is_converted():
    new = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Title"),
            nbformat.v4.new_code_cell("x = 1", metadata={"nbgrader": {"grade_id": "x"}}),
            nbformat.v4.new_markdown_cell("two\nlines"),
        ]
    )
    old = nbformat.writes(nbformat.convert(new, 3), version=3)
    cells, (repair,) = cells_of(old.encode())
    assert [(cell.cell_type, cell.source) for cell in cells] == [
        ("markdown", "# Title"),
        ("code", "x = 1"),
        ("markdown", "two\nlines"),
    ]
    assert cells[1].grade_id == "x"
    assert "old format 3 and was converted" in repair


def test_a_heading_of_format_3_cannot_ask_for_memory():
    heading = {"cell_type": "heading", "level": 10**12, "source": "Title"}
    sheets = [{"cells": [heading]}, "no sheet", {"cells": None}]
    (cell,), _ = cells_of(json.dumps({"nbformat": 3, "worksheets": sheets}).encode())
    assert cell.source == "# Title"


def test_what_is_no_cell_is_left_out_and_counted():
    odd = [None, "x = 1", {}, {**CELL, "cell_type": "cake"}, {**CELL, "source": {"a": 1}},
           {**CELL, "source": ["a", 1]}, {**CELL, "source": None}]  # fmt: skip
    (cell,), (repair,) = cells_of(notebook(*odd, CELL))
    assert cell.number == 8
    assert "cells 1, 2, 3, 4, 5 and 2 more is no cell" in repair


def test_characters_that_cannot_be_stored_are_replaced():
    cells, (repair,) = cells_of(notebook(CELL, {**CELL, "source": "a = '\ud83d' + '\0'"}))
    assert cells[1].source == "a = '\ufffd' + '\ufffd'"
    assert "replaced in cells 2." in repair
    cells[1].source.encode("utf-8")


def test_both_halves_of_a_character_are_one_character():
    (cell,), repairs = cells_of(notebook({**CELL, "source": "'\U0001f600'"}))
    assert (cell.source, repairs) == ("'\U0001f600'", [])


def test_metadata_of_any_type_is_taken_for_none():
    wrong = [{"metadata": 7}, {"metadata": {"nbgrader": [1], "tags": "a"}, "attachments": 3},
             {"metadata": {"nbgrader": {"grade_id": 4}, "tags": [1, "b"]}, "outputs": {}},
             {"metadata": {"nbgrader": {"points": float("nan")}}, "id": ["x"]}]  # fmt: skip
    cells, repairs = cells_of(notebook(*({**CELL, **keys} for keys in wrong)))
    assert repairs == []
    assert [cell.grade_id for cell in cells] == [None] * 4
    assert [cell.tags for cell in cells] == [(), (), ("b",), ()]
    assert cells[3].id is None
