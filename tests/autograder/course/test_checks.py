"""The declarations of hidden checks, read without importing them."""

import sys

import pytest

from autograder.course import CheckInfo, checks_of
from autograder.errors import UsageError


def declare(course, text):
    (course.hidden_folder("a90_toy") / "test_more.py").write_text(text)
    return checks_of(course, course.assignment("a90_toy"))


def test_checks_come_by_exercise_with_their_sentence(toy_course):
    checks = checks_of(toy_course, toy_course.assignment("a90_toy"))
    assert [(check.exercise, check.points, check.visible) for check in checks] == [
        ("sigmoid", 2, True),
        ("sigmoid", 3, False),
        ("sigmoid", 1, False),
        ("entropy", 1, True),
        ("entropy", 3, False),
    ]
    assert checks[0] == CheckInfo(
        "test_sigmoid_of_zero", "sigmoid", 2, True, "`sigmoid(0)` is one half."
    )


def test_nothing_is_imported(toy_course):
    checks = declare(toy_course, "raise SystemExit('imported')\n")
    assert len(checks) == 5
    assert "reference.toy" not in sys.modules


def test_the_sentence_is_the_first_paragraph_on_one_line(toy_course):
    text = (
        '@exercise("sigmoid", 0)\ndef test_x(student):\n    """One\n    and two.\n\n    Not."""\n'
    )
    assert [c.sentence for c in declare(toy_course, text) if c.id == "test_x"] == ["One and two."]


def test_an_assignment_without_hidden_checks_has_none(toy_course):
    for path in toy_course.hidden_folder("a90_toy").iterdir():
        path.unlink()
    assert checks_of(toy_course, toy_course.assignment("a90_toy")) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('@exercise("other", points=1)\ndef test_x(student): ...', "no exercise 'other'.*sigmoid"),
        ('@exercise("sigmoid")\ndef test_x(student): ...', "test_x: points.*Received: None"),
        ('@exercise("sigmoid", points=P)\ndef test_x(student): ...', "are written out"),
        ("def test_x(student:", "test_more.py, line 1"),
    ],
)
def test_a_wrong_declaration_names_its_place(toy_course, text, words):
    with pytest.raises(UsageError, match=words):
        declare(toy_course, text)
