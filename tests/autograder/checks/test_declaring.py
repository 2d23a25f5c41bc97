"""Declarations are records on functions."""

from types import ModuleType

import pytest

from autograder.checks import alternative, declared, exercise, mistake, near_miss


def module_of(*functions):
    module = ModuleType("a_check_file")
    for function in functions:
        setattr(module, function.__name__, function)
    return module


@exercise("f", points=2, depends_on=("g",), mistakes=("wrong",), note="for tutors")
def test_right(student):
    """It is right."""


@mistake("f", kind="scale", hint="Divide by n.")
def wrong(x):
    return 2 * x


@alternative("f", function="g")
def other(x):
    return x


@near_miss("f", effect="x 2 % too large", function="g")
def nearly(x):
    return 1.02 * x


# Collected by pytest otherwise, as a test of this file.
test_right.__test__ = False


def test_a_module_declares_in_source_order():
    found = declared(module_of(test_right, wrong, other, nearly, len))
    assert found.checks == (test_right,)
    assert test_right.__lgm__.points == 2
    assert test_right.__lgm__.depends_on == ("g",)
    (record,) = found.mistakes
    assert (record.name, record.hint, record.solution) == ("wrong", "Divide by n.", wrong)
    (record,) = found.alternatives
    assert (record.name, record.function) == ("other", "g")
    (record,) = found.near_misses
    assert (record.name, record.effect, record.function, record.solution) == (
        "nearly",
        "x 2 % too large",
        "g",
        nearly,
    )


def test_several_of_a_kind_keep_their_order():
    def another(x):
        return x + 0.0

    another = alternative("f")(another)
    assert [record.name for record in declared(module_of(other, another)).alternatives] == [
        "other",
        "another",
    ]
    assert [record.name for record in declared(module_of(another, other)).alternatives] == [
        "another",
        "other",
    ]


def test_a_lone_string_of_names_is_refused():
    with pytest.raises(TypeError, match="depends_on is a tuple"):
        exercise("f", points=1, depends_on="g")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="Received: 'style'"):
        mistake("f", kind="style", hint="")


def test_a_near_miss_says_its_effect():
    with pytest.raises(ValueError, match="what is off and by how much"):
        near_miss("f", effect="")
