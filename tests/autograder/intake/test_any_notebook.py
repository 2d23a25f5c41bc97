"""Whatever is handed in, there is a submission or a refusal, and nothing else."""

import copy
import json

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbgrader.nbgraderformat import MetadataValidator

from autograder.errors import BadSubmission

LONG = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TEXT = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["sigmoid", "code", "<b>", "\ud800"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    "cell_type id source metadata outputs attachments execution_count nbgrader grade_id points "
    "tags lgm grade solution locked nbformat nbformat_minor cells worksheets".split()
)


def places(value):
    """Every list and dict in a tree."""
    if isinstance(value, list | dict):
        yield value
        for inner in value if isinstance(value, list) else value.values():
            yield from places(inner)


def mutate(data, notebook):
    """Deletes, copies, replaces or swaps something, somewhere."""
    place = data.draw(st.sampled_from(list(places(notebook))))
    if isinstance(place, dict):
        key = data.draw(st.sampled_from(sorted(place)) if place else KEYS)
        if data.draw(st.booleans()):
            place.pop(key, None)
        else:
            place[data.draw(KEYS) if data.draw(st.booleans()) else key] = data.draw(JSON)
    elif place:
        index = data.draw(st.integers(0, len(place) - 1))
        change = data.draw(st.sampled_from("delete copy replace swap".split()))
        if change == "delete":
            del place[index]
        elif change == "copy":
            place.append(copy.deepcopy(place[index]))
        elif change == "replace":
            place[index] = data.draw(JSON)
        else:
            place[index], place[0] = place[0], place[index]


def outcome(read, content):
    try:
        return read(content)
    except BadSubmission as refusal:
        return refusal


def check(submission):
    if isinstance(submission, BadSubmission):
        assert str(submission).isprintable()
        return
    assert [cell.id for cell in submission.cells] == [
        cell["id"] for cell in submission.notebook["cells"]
    ]
    names = [cell.grade_id for cell in submission.cells if cell.grade_id]
    assert sorted(names) == [
        "entropy", "given_imports", "manual_reflection", "sigmoid", "test_entropy", "test_sigmoid",
    ]  # fmt: skip
    nbformat.validate(submission.notebook)
    MetadataValidator().validate_nb(nbformat.from_dict(submission.notebook))
    json.dumps(submission.notebook, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert all(repair.isprintable() and repair.endswith(".") for repair in submission.repairs)


@LONG
@given(data=st.data())
def test_a_mutated_notebook_is_read_or_refused(released, read, data):
    notebook = copy.deepcopy(released)
    for _ in range(data.draw(st.integers(1, 6))):
        mutate(data, notebook)
    check(outcome(read, notebook))


@LONG
@given(data=st.data())
def test_a_file_with_other_bytes_in_it_is_read_or_refused(released, read, data):
    content = bytearray(json.dumps(released).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(content)))
        end = begin + data.draw(st.integers(0, 20))
        content[begin:end] = data.draw(st.binary(max_size=8))
    check(outcome(read, bytes(content)))


@pytest.mark.parametrize("depth", [100, 900, 5_000])
@pytest.mark.parametrize(
    "key", ["metadata", "nbgrader", "tags", "outputs", "attachments", "id", "source"]
)
def test_depth_anywhere_does_no_harm(released, read, depth, key):
    for cell in released["cells"]:
        (cell["metadata"] if key in ("nbgrader", "tags") else cell)[key] = "DEEP"
    for opening, closing in (("[", "]"), ('{"a": ', "}")):
        deep = opening * depth + "1" + closing * depth
        check(outcome(read, json.dumps(released).replace('"DEEP"', deep).encode()))


def test_no_depth_of_an_output_does_harm(released, read):
    (cell,) = (cell for cell in released["cells"] if cell["id"] == "slow-figure")
    cell["outputs"] = [{"output_type": "stream", "text": ["DEEP"]}]
    # Somewhere here, Python can still read the file but no longer print what is in it.
    for depth in range(800, 1_000, 2):
        deep = "[" * depth + "]" * depth
        check(outcome(read, json.dumps(released).replace('"DEEP"', deep).encode()))
