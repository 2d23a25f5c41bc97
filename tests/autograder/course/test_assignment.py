"""What a source notebook says, and what is said of one that breaks the rules."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from autograder.course import STUB, Course, ManualCell, read_notebook, regions
from autograder.errors import UsageError


def edited(course: Course, change: Callable[[dict[str, Any]], None]) -> Course:
    path = course.source_folder("a90_toy") / "a90_toy.ipynb"
    notebook = json.loads(path.read_text())
    change({cell["id"]: cell for cell in notebook["cells"]} | {"notebook": notebook})
    path.write_text(json.dumps(notebook))
    return course


def test_exercises_come_in_the_order_of_the_notebook(toy_course):
    assignment = toy_course.assignment("a90_toy")
    first, second = assignment.exercises
    assert (first.name, first.points, first.functions) == (
        "sigmoid",
        6,
        ("sigmoid", "log_sigmoid"),
    )
    assert (second.name, second.points, second.functions) == ("entropy", 4, ("entropy",))
    assert second.test_cell == "test_entropy"
    assert (first.earlier, second.earlier) == ((), ("sigmoid", "log_sigmoid"))


def test_points_add_up(toy_course):
    assignment = toy_course.assignment("a90_toy")
    assert assignment.manual == (ManualCell("manual_reflection", 5),)
    assert (assignment.automatic_points, assignment.max_score) == (10, 15)


def test_title_is_the_first_heading(toy_course):
    assert toy_course.assignment("a90_toy").title == "Probabilities by their logit"


def test_an_exercise_is_found_by_name_or_the_names_are_listed(toy_course):
    assignment = toy_course.assignment("a90_toy")
    assert assignment.exercise("entropy") is assignment.exercises[1]
    with pytest.raises(UsageError, match="no exercise 'x'. There are: sigmoid, entropy"):
        assignment.exercise("x")


def test_cells_keep_order_kind_and_whether_they_run(toy_course):
    cells = toy_course.assignment("a90_toy").cells
    assert [(cell.id, cell.kind, cell.runs) for cell in cells] == [
        ("title", "text", False),
        ("given-imports", "given", True),
        ("about-sigmoid", "text", False),
        ("sigmoid", "solution", True),
        ("test_sigmoid", "test", True),
        ("about-entropy", "text", False),
        ("entropy", "solution", True),
        ("test_entropy", "test", True),
        ("slow-figure", "given", False),
        ("about-reflection", "text", False),
        ("manual_reflection", "manual", False),
    ]
    assert cells[1].grade_id == "given_imports"
    assert cells[1].metadata["nbgrader"]["locked"] is True


def test_a_released_cell_has_the_stub_and_no_region(toy_course):
    assignment = toy_course.assignment("a90_toy")
    stub = assignment.exercises[0].stub
    assert stub.count(f"    {STUB}") == 2
    assert "reference" not in stub
    assert "SOLUTION" not in stub
    assert 'logit. Same shape and dtype."""' in stub
    manual = assignment.cells[-1]
    assert manual.released == "**Your answer** (two sentences):\n\nYOUR ANSWER HERE\n"


def test_a_test_cell_is_released_as_it_is(toy_course):
    tests = [cell for cell in toy_course.assignment("a90_toy").cells if cell.kind == "test"]
    assert len(tests) == 2
    assert all(cell.released == cell.source for cell in tests)


def test_a_solution_cell_without_markers_is_replaced_whole(toy_course):
    def change(cells):
        cells["entropy"]["source"] = "def entropy(logit):\n    return 0.0"

    assert edited(toy_course, change).assignment("a90_toy").exercises[1].stub == STUB


def test_a_class_counts_by_its_name_and_each_method_gets_the_stub(toy_course):
    def change(cells):
        cells["entropy"]["source"] = (
            "class entropy:\n"
            "    def __init__(self, logit):\n"
            "        ### BEGIN SOLUTION\n        self.logit = logit\n        ### END SOLUTION\n\n"
            "    def value(self):\n"
            "        ### BEGIN SOLUTION\n        return 0.0\n        ### END SOLUTION\n\n\n"
            "def unit():\n    return 1"
        )

    exercise = edited(toy_course, change).assignment("a90_toy").exercises[1]
    assert exercise.functions == ("entropy", "unit")
    assert exercise.stub.count(f"        {STUB}") == 2


def test_regions_hold_their_markers():
    text = "a\n# BEGIN SOLUTION\nb\n# END SOLUTION\nc\n# BEGIN HIDDEN TESTS\nd"
    assert [kind for kind, _ in regions(text)] == [
        None,
        "solution",
        "solution",
        "solution",
        None,
        "hidden test",
        "hidden test",
    ]


def no_points(cells):
    del cells["test_entropy"]["metadata"]["nbgrader"]["points"]


def points_in_words(cells):
    cells["test_entropy"]["metadata"]["nbgrader"]["points"] = "4"


def points_below_zero(cells):
    cells["manual_reflection"]["metadata"]["nbgrader"]["points"] = -1


def test_cell_gone(cells):
    cells["notebook"]["cells"].remove(cells["test_entropy"])


test_cell_gone.__test__ = False


def last_test_cell_gone(cells):
    cells["notebook"]["cells"] = cells["notebook"]["cells"][:7]


def solution_cell_gone(cells):
    cells["notebook"]["cells"].remove(cells["entropy"])


def test_cell_of_another_name(cells):
    cells["test_entropy"]["metadata"]["nbgrader"]["grade_id"] = "test_entropi"


test_cell_of_another_name.__test__ = False


def unlocked_test_cell(cells):
    cells["test_entropy"]["metadata"]["nbgrader"]["locked"] = False


def same_grade_id_twice(cells):
    cells["given-imports"]["metadata"]["nbgrader"]["grade_id"] = "entropy"


def no_grade_id(cells):
    del cells["given-imports"]["metadata"]["nbgrader"]["grade_id"]


def same_id_twice(cells):
    cells["entropy"]["id"] = "sigmoid"


def no_id(cells):
    del cells["entropy"]["id"]


def manual_cell_of_another_name(cells):
    cells["manual_reflection"]["metadata"]["nbgrader"]["grade_id"] = "reflection"


def solution_in_words_that_nobody_marks(cells):
    cells["manual_reflection"]["metadata"]["nbgrader"] |= {"grade": False}


def no_function_of_the_name(cells):
    cells["entropy"]["source"] = "def entropi(logit):\n    pass"


def solution_is_no_python(cells):
    cells["entropy"]["source"] = "def entropy(logit:\n    pass"


def region_without_end(cells):
    cells["entropy"]["source"] = "def entropy(logit):\n    ### BEGIN SOLUTION\n    pass"


def region_without_begin(cells):
    cells["title"]["source"] = "text\n=== END MARK SCHEME ==="


def region_in_region(cells):
    cells["entropy"]["source"] = (
        "def entropy(logit):\n    # BEGIN SOLUTION\n    # BEGIN SOLUTION\n    # END SOLUTION"
    )


def unknown_lgm_key(cells):
    cells["slow-figure"]["metadata"]["lgm"] = {"run": "sometimes"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (no_points, "test_entropy: points is a number, at least 0. Received: None"),
        (points_in_words, "Received: '4'"),
        (points_below_zero, "manual_reflection: points.*Received: -1"),
        (test_cell_gone, "cell entropy: no test cell follows.*test_entropy"),
        (last_test_cell_gone, "cell entropy: no test cell follows.*test_entropy"),
        (solution_cell_gone, "test_entropy: this test cell belongs to no exercise"),
        (test_cell_of_another_name, "Expected: test_entropy"),
        (unlocked_test_cell, "test_entropy: a test cell must be locked"),
        (same_grade_id_twice, "grade_id stands on an earlier cell"),
        (no_grade_id, "cell 2: its nbgrader metadata has no grade_id"),
        (same_id_twice, "its id 'sigmoid' is missing or not its own"),
        (no_id, "its id None is missing"),
        (manual_cell_of_another_name, "named manual_"),
        (solution_in_words_that_nobody_marks, "graded by hand"),
        (no_function_of_the_name, "defines a function of its name.*Found: entropi"),
        (solution_is_no_python, "cell entropy, line 1"),
        (region_without_end, "never ends"),
        (region_without_begin, "ends what never began"),
        (region_in_region, "inside another region"),
        (unknown_lgm_key, "metadata.lgm"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_malformed_notebook_names_the_cell_and_what_to_do(toy_course, change, words):
    with pytest.raises(UsageError, match=words) as caught:
        edited(toy_course, change).assignment("a90_toy")
    assert "a90_toy.ipynb" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is not a notebook"),
        ("[]", "is not a notebook"),
        ('{"cells": [], "nbformat": 4}', "is not a notebook"),
        ('{"cells": [1], "nbformat": 4, "nbformat_minor": 5}', "is not a notebook"),
        ('{"cells": [], "nbformat": 4, "nbformat_minor": 4}', "notebook format 4.4; 4.5 is"),
        ('{"cells": [], "nbformat": 3, "nbformat_minor": 0}', "notebook format 3.0"),
    ],
)
def test_what_is_no_notebook_of_ours_is_refused(tmp_path, content, words):
    path = tmp_path / "x.ipynb"
    path.write_text(content)
    with pytest.raises(UsageError, match=words):
        read_notebook(path)


def test_sources_are_strings_however_they_are_written(toy_course):
    def change(cells):
        cells["title"]["source"] = "# One\n\nstring"

    notebook = read_notebook(edited(toy_course, change).source_folder("a90_toy") / "a90_toy.ipynb")
    assert notebook["cells"][0]["source"] == "# One\n\nstring"
    assert notebook["cells"][3]["source"].startswith("def sigmoid(logit):\n    ")
