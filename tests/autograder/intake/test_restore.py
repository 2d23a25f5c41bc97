"""The cells of a submission against those of the assignment."""

import copy

import pytest

from autograder.errors import BadSubmission

ANSWER = """def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def log_sigmoid(logit):
    return -np.logaddexp(0, -logit)
"""


def position(notebook, name):
    ids = [cell.get("id") for cell in notebook["cells"]]
    return ids.index(name)


def cell(notebook, name):
    return notebook["cells"][position(notebook, name)]


def drop(notebook, *names):
    notebook["cells"] = [one for one in notebook["cells"] if one["id"] not in names]


def own(source, **keys):
    entry = {"cell_type": "code", "id": "0a1b2c", "metadata": {}, "source": source}
    return {**entry, "outputs": [], "execution_count": 3, **keys}


def by_name(submission):
    return {one.grade_id or one.id: one for one in submission.cells}


def order(submission):
    return [one.id for one in submission.cells]


def test_an_honest_submission_needs_no_repair(released, read):
    cell(released, "sigmoid")["source"] = ANSWER
    submission = read(released)
    assert submission.repairs == ()
    assert order(submission) == [one["id"] for one in released["cells"]]
    assert by_name(submission)["sigmoid"].source == ANSWER
    kinds = [one.kind for one in submission.cells if one.grade_id]
    assert kinds == ["given", "solution", "test", "solution", "test", "manual"]


def test_code_runs_but_for_what_the_assignment_never_runs(released, read):
    running = {one.grade_id or one.id for one in read(released).cells if one.run}
    assert running == {"given_imports", "sigmoid", "test_sigmoid", "entropy", "test_entropy"}


def test_cells_of_the_students_own_keep_their_place_and_run(released, read):
    at = position(released, "entropy")
    released["cells"][at:at] = [own("a = 1"), own("b = 2", id="0a1b2d")]
    submission = read(released)
    assert submission.repairs == ()
    assert [one.source for one in submission.cells[at : at + 2]] == ["a = 1", "b = 2"]
    assert [one.id for one in submission.cells[at : at + 2]] == ["student-1", "student-2"]
    assert all(one.run and one.grade_id is None for one in submission.cells[at : at + 2])


def test_ids_are_the_assignments_and_unique_whatever_was_handed_in(released, read):
    for number, one in enumerate(released["cells"]):
        one["id"] = ["same", None, 7, "x" * 100, "a b"][number % 5]
    released["cells"] += [own("a", id="entropy"), own("b", id="student-1"), own("c")]
    submission = read(released)
    ids = order(submission)
    assert len(set(ids)) == len(ids)
    assert {one.grade_id: one.id for one in submission.cells if one.grade_id}[
        "entropy"
    ] == "entropy"
    assert order(read(released)) == ids


def test_without_ids_known_texts_are_recognised(released, read):
    for one in released["cells"]:
        del one["id"]
    released["nbformat_minor"] = 4
    submission = read(released)
    assert order(submission)[0] == "title"
    assert not by_name(submission)["slow-figure"].run
    assert submission.repairs == ()


@pytest.mark.parametrize("name", ["sigmoid", "entropy"])
def test_a_missing_answer_is_put_back_as_it_was_and_not_run(released, read, name):
    before = cell(released, name)["source"]
    ids = [one["id"] for one in released["cells"]]
    drop(released, name)
    submission = read(released)
    assert order(submission) == ids
    assert by_name(submission)[name].source == before
    assert not by_name(submission)[name].run
    assert submission.repairs == (
        f"The cell {name} was missing and was put back, without an answer.",
    )


def test_an_answer_in_a_cell_of_ones_own_is_not_undone(released, read):
    cell(released, "sigmoid").update(own(ANSWER, id="rewritten"))
    submission = read(released)
    running = [one.source for one in submission.cells if one.run]
    assert ANSWER in running
    assert sum("def sigmoid" in source for source in running) == 1


def test_everything_of_a_name_that_is_missing_is_put_back_in_order(released, read):
    ids = [one["id"] for one in released["cells"]]
    graded = [one["id"] for one in released["cells"] if one["metadata"].get("nbgrader")]
    drop(released, *graded[:-1])
    submission = read(released)
    assert order(submission) == ids
    assert len(submission.repairs) == 5


def test_a_test_cell_that_was_edited_is_given_back(released, read):
    cell(released, "test_sigmoid")["source"] = "print('all tests passed')"
    cell(released, "given-imports")["source"] += "\nimport os"
    submission = read(released)
    assert "assert half is not None" in by_name(submission)["test_sigmoid"].source
    assert "import os" not in by_name(submission)["given_imports"].source
    first, second = submission.repairs
    assert first.startswith("The cell given_imports is given, and its text had been edited")
    assert second.startswith("The cell test_sigmoid is given")


def test_blanks_at_the_end_of_a_given_cell_are_no_edit(released, read):
    cell(released, "test_sigmoid")["source"] += "\n"
    submission = read(released)
    assert submission.repairs == ()
    assert not by_name(submission)["test_sigmoid"].source.endswith("\n")


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("sigmoid", "markdown", "was a Markdown cell and was made a code cell again"),
        ("test_sigmoid", "raw", "was a raw cell and was made a code cell again"),
        ("manual_reflection", "code", "was a code cell and was made a Markdown cell again"),
    ],
)
def test_a_cell_has_its_own_type_again(released, read, name, kind, sentence):
    cell(released, name)["cell_type"] = kind
    submission = read(released)
    (repair,) = submission.repairs
    assert repair == f"The cell {name} {sentence}."
    types = {one["id"]: one["cell_type"] for one in submission.notebook["cells"]}
    assert types[name] == ("markdown" if name.startswith("manual") else "code")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"points": 100}, "points"),
        ({"points": None}, "points"),
        ({"points": "6"}, "points"),
        ({"locked": False}, "locked"),
        ({"grade": False, "solution": True}, "grade and solution"),
        ({"task": True}, "task"),
    ],
)
def test_settings_are_the_assignments(released, read, change, named):
    cell(released, "test_sigmoid")["metadata"]["nbgrader"].update(change)
    submission = read(released)
    (repair,) = submission.repairs
    assert repair == (
        f"The settings of the cell test_sigmoid had been changed ({named}): the assignment's own "
        f"count."
    )
    (settings,) = (
        one["metadata"]["nbgrader"]
        for one in submission.notebook["cells"]
        if one["id"] == "test_sigmoid"
    )
    assert (settings["points"], settings["grade"], settings["locked"]) == (6, True, True)


def test_settings_that_nbgrader_does_not_know_are_dropped(released, read):
    for one in released["cells"]:
        one["metadata"].setdefault("nbgrader", {})["cheat"] = float("nan")
    submission = read(released)
    for one in submission.notebook["cells"]:
        assert "cheat" not in one["metadata"].get("nbgrader", {})


def test_tags_are_removed_and_said(released, read):
    cell(released, "test_sigmoid")["metadata"]["tags"] = ["skip-execution"]
    released["cells"].append(own("x", metadata={"tags": ["raises-exception"]}))
    submission = read(released)
    assert submission.repairs == (
        "Tags were removed from test_sigmoid and cell 12: the grader runs a cell whatever its "
        "tags.",
    )
    assert not any("tags" in one["metadata"] for one in submission.notebook["cells"])


def test_the_students_lgm_metadata_is_dropped(released, read):
    cell(released, "sigmoid")["metadata"]["lgm"] = {"run": "never"}
    cell(released, "slow-figure")["metadata"] = {}
    released["cells"].append(own("x", metadata={"lgm": {"run": "never"}}))
    submission = read(released)
    assert by_name(submission)["sigmoid"].run
    assert submission.cells[-1].run
    assert not by_name(submission)["slow-figure"].run


@pytest.mark.parametrize("name", ["Sigmoid", " SIGMOID "])
def test_the_case_of_a_name_does_not_matter(released, read, name):
    cell(released, "sigmoid")["source"] = ANSWER
    cell(released, "sigmoid")["metadata"]["nbgrader"]["grade_id"] = name
    submission = read(released)
    assert by_name(submission)["sigmoid"].source == ANSWER
    assert submission.repairs == (
        f"The cell '{name}' was taken for sigmoid, which is how the assignment spells it.",
    )


def test_an_answer_that_lost_its_name_is_recognised_by_its_id(released, read):
    cell(released, "sigmoid")["source"] = ANSWER
    cell(released, "sigmoid")["metadata"] = {}
    submission = read(released)
    assert by_name(submission)["sigmoid"].source == ANSWER
    assert submission.repairs == (
        "The cell sigmoid had lost its name and was recognised by its id.",
    )


def test_the_id_of_a_cell_that_is_there_makes_no_copy_of_it(released, read):
    cell(released, "sigmoid")["source"] = ANSWER
    cell(released, "sigmoid")["id"] = "new"
    released["cells"].insert(0, own("def sigmoid(x): pass", id="sigmoid"))
    submission = read(released)
    assert by_name(submission)["sigmoid"].source == ANSWER
    assert submission.cells[0].grade_id is None
    assert submission.repairs == ()


def test_of_two_spellings_the_right_one_counts(released, read):
    cell(released, "sigmoid")["source"] = ANSWER
    twin = copy.deepcopy(cell(released, "sigmoid")) | {"id": "twin", "source": "def sigmoid(): 1"}
    twin["metadata"]["nbgrader"]["grade_id"] = "Sigmoid"
    released["cells"].insert(0, twin)
    submission = read(released)
    assert by_name(submission)["sigmoid"].source == ANSWER
    (repair,) = submission.repairs
    assert "no graded or locked cell 'Sigmoid'" in repair


def test_a_cell_without_a_name_that_changed_its_type_is_the_students_own(released, read):
    cell(released, "title").update(cell_type="code", source="a = 1")
    submission = read(released)
    assert (submission.cells[0].kind, submission.cells[0].run) == ("given", True)
    assert submission.notebook["cells"][0]["cell_type"] == "code"
    assert submission.repairs == ()


def test_a_graded_cell_that_the_assignment_does_not_have_earns_nothing(released, read):
    keys = {"grade": True, "grade_id": "bonus<b>", "points": 100, "solution": False}
    released["cells"].append(own("1.0", metadata={"nbgrader": keys}))
    submission = read(released)
    assert submission.cells[-1].grade_id is None
    assert submission.notebook["cells"][-1]["metadata"] == {}
    (repair,) = submission.repairs
    assert "no graded or locked cell 'bonus<b>'" in repair


def paste(notebook, name, source, after=None):
    """Puts a copy of a cell, with another text, after that cell or another one."""
    twin = copy.deepcopy(cell(notebook, name)) | {"id": "pasted", "source": source}
    notebook["cells"].insert(position(notebook, after or name) + 1, twin)


def running(submission):
    return [one.source for one in submission.cells if one.run]


def test_of_two_equal_answers_the_first_counts_and_runs_once(released, read):
    cell(released, "sigmoid")["source"] = ANSWER
    paste(released, "sigmoid", ANSWER)
    submission = read(released)
    assert running(submission).count(ANSWER) == 1
    assert submission.repairs == (
        "The cell sigmoid was there 2 times (cells 4 and 5 of the notebook). Cell 4 counts, the "
        "first of those that answer most; 5 is kept to read but not run.",
    )


def test_of_two_answers_the_first_counts(released, read):
    cell(released, "sigmoid")["source"] = ANSWER
    paste(released, "sigmoid", ANSWER.replace("1 /", "2 /"))
    submission = read(released)
    assert by_name(submission)["sigmoid"].source == ANSWER
    assert ANSWER.replace("1 /", "2 /") not in running(submission)


@pytest.mark.parametrize("after", ["sigmoid", "slow-figure"])
def test_an_untouched_copy_does_not_undo_an_answer(released, read, after):
    stub = cell(released, "sigmoid")["source"]
    for first, second in ((stub, ANSWER), (ANSWER, stub)):
        notebook = copy.deepcopy(released)
        cell(notebook, "sigmoid")["source"] = first
        paste(notebook, "sigmoid", second, after)
        submission = read(notebook)
        assert by_name(submission)["sigmoid"].source == ANSWER
        assert stub not in running(submission)


@pytest.mark.parametrize("broken", ["", "def sigmoid(logit:\n", "# def sigmoid(logit): pass"])
def test_a_broken_copy_does_not_count(released, read, broken):
    cell(released, "sigmoid")["source"] = broken
    paste(released, "sigmoid", "%matplotlib inline\n" + ANSWER)
    assert by_name(read(released))["sigmoid"].source.endswith(ANSWER)


def test_the_copy_that_answers_most_counts(released, read):
    stub = cell(released, "sigmoid")["source"]
    half = ANSWER.split("\n\n\n")[0] + "\n\n\n" + stub.split("\n\n\n")[1]
    cell(released, "sigmoid")["source"] = half
    paste(released, "sigmoid", ANSWER)
    assert by_name(read(released))["sigmoid"].source == ANSWER


def test_the_parts_of_a_cell_that_was_split_all_run(released, read):
    first, second = ANSWER.split("\n\n\n")
    cell(released, "sigmoid")["source"] = first
    paste(released, "sigmoid", second)
    submission = read(released)
    assert first in running(submission)
    assert second in running(submission)
    (repair,) = submission.repairs
    assert "not run" not in repair


def test_two_cells_that_were_merged_both_count(released, read):
    entropy = "def entropy(logit):\n    return 0 * logit\n"
    cell(released, "sigmoid")["source"] = ANSWER + "\n\n" + entropy
    drop(released, "entropy")
    submission = read(released)
    texts = [text for text in running(submission) if "def entropy" in text]
    assert texts == [ANSWER + "\n\n" + entropy]
    assert submission.repairs == (
        "The cell entropy was missing and was put back, without an answer.",
    )


def test_a_copy_of_a_test_cell_is_an_ordinary_cell(released, read):
    paste(released, "test_sigmoid", "print(1)")
    submission = read(released)
    kinds = [one.kind for one in submission.cells if one.grade_id == "test_sigmoid"]
    assert kinds == ["test"]
    assert "print(1)" in running(submission)
    assert "test_sigmoid was there 2 times" in submission.repairs[0]


def test_of_two_texts_the_one_that_was_written_counts(released, read):
    paste(released, "manual_reflection", "At zero.")
    assert by_name(read(released))["manual_reflection"].source == "At zero."


def test_a_copy_of_what_is_never_run_is_not_run(released, read):
    paste(released, "slow-figure", cell(released, "slow-figure")["source"])
    submission = read(released)
    assert cell(released, "slow-figure")["source"] not in running(submission)
    assert submission.repairs == ()


def test_cells_in_another_order_run_as_they_were_handed_in(released, read):
    cells = released["cells"]
    at = position(released, "entropy")
    cells.insert(3, cells.pop(at))
    submission = read(released)
    assert order(submission) == [one["id"] for one in cells]
    assert submission.repairs == (
        "The cells stand in another order than in the assignment; they were run in the order in "
        "which they were handed in.",
    )


def test_texts_without_a_name_may_be_changed_moved_and_deleted(released, read):
    cell(released, "title")["source"] = "# My title"
    cell(released, "slow-figure")["source"] = "entropy(LOGITS + 1)"
    drop(released, "about-sigmoid")
    submission = read(released)
    assert submission.repairs == ()
    assert by_name(submission)["title"].source == "# My title"
    assert by_name(submission)["slow-figure"].source == "entropy(LOGITS + 1)"
    assert not by_name(submission)["slow-figure"].run


@pytest.mark.parametrize("cells", [[], [own("x = 1")], [own("def gradient(x): return x")]])
def test_a_notebook_of_something_else_is_refused(released, read, cells):
    released["cells"] = cells
    with pytest.raises(BadSubmission, match=f"None of the notebook's {len(cells)} cells belongs"):
        read(released)


def test_answers_alone_are_enough(released, read):
    released["cells"] = [own(ANSWER)]
    submission = read(released)
    assert running(submission)[-1] == ANSWER
    assert len(submission.repairs) == 6
