"""Mistakes and alternatives are read as text and become code for a solution cell."""

import pytest

from autograder.course import Course
from autograder.course.reference_source import solution_code, standalone
from autograder.errors import DoesNotHold
from autograder.judge.catalogue import claims, entries


def entry(course, name):
    (found,) = [e for e in entries(course, course.assignment("a90_toy")) if e.name == name]
    return found


def add(course: Course, text: str, file: str = "test_entropy.py") -> None:
    path = course.hidden_folder("a90_toy") / file
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_the_catalogue_stands_in_the_order_of_its_files(toy_course):
    found = entries(toy_course, toy_course.assignment("a90_toy"))
    assert [(e.kind, e.exercise, e.name) for e in found] == [
        ("mistake", "entropy", "in_bits"),
        ("mistake", "entropy", "one_term"),
        ("alternative", "entropy", "through_the_mean"),
        ("mistake", "sigmoid", "sign"),
        ("mistake", "sigmoid", "log_of_sigmoid"),
        ("alternative", "sigmoid", "by_tanh"),
    ]


def test_the_code_takes_the_place_of_the_function_and_runs_without_the_reference(toy_course):
    code = standalone(toy_course, entry(toy_course, "in_bits").source)
    assert "import reference" not in code
    assert "autograder" not in code
    namespace: dict[str, object] = {}
    exec(code, namespace)
    assert namespace["entropy"](0.0) == pytest.approx(1.0)


def test_an_entry_of_a_second_function_leaves_the_first_alone(toy_course):
    exercise = toy_course.assignment("a90_toy").exercise("sigmoid")
    solution = solution_code(toy_course, exercise)
    namespace: dict[str, object] = {}
    code = standalone(toy_course, entry(toy_course, "log_of_sigmoid").source)
    exec(f"{solution}\n\n\n{code}", namespace)
    assert namespace["sigmoid"](0.0) == pytest.approx(0.5)
    assert namespace["log_sigmoid"](-1e3) == -float("inf")


def test_checks_say_what_they_catch_and_what_they_show(toy_course):
    found = {c.check: c for c in claims(toy_course, toy_course.assignment("a90_toy"))}
    assert found["test_entropy_matches_the_definition"].mistakes == ("in_bits", "one_term")
    assert found["test_entropy_of_a_fair_coin"].visible
    assert not found["test_entropy_matches_the_definition"].visible


def test_mistakes_bring_their_hints_and_near_misses_how_far_off_they_are(toy_course):
    assert entry(toy_course, "in_bits").hint == "The natural logarithm gives nats."
    add(
        toy_course,
        '\n@near_miss("entropy", effect="2 % too large")\ndef larger(x):\n    return 1.02 * x\n',
    )
    found = entry(toy_course, "larger")
    assert (found.kind, found.effect, found.hint) == ("near_miss", "2 % too large", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('\n@mistake("entropie", kind="lazy", hint="h")\ndef new(x):\n    return x\n', "entropie"),
        ('\n@alternative("entropy", function="gone")\ndef new(x):\n    return x\n', "not gone"),
        ('\n@alternative("entropy")\ndef in_bits(x):\n    return x\n', "two entries in_bits"),
    ],
)
def test_a_catalogue_that_cannot_be_right_is_refused(toy_course, text, said):
    add(toy_course, text)
    with pytest.raises(DoesNotHold, match=said):
        entries(toy_course, toy_course.assignment("a90_toy"))
