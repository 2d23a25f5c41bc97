"""Declarations are records on functions."""

from types import ModuleType

import pytest

from autograder.checks import alternative, declared, exercise, mistake


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


# Collected by pytest otherwise, as a test of this file.
test_right.__test__ = False


def test_a_module_declares_in_source_order():
    checks, mistakes, alternatives = declared(module_of(test_right, wrong, other, len))
    assert checks == (test_right,)
    assert test_right.__lgm__.points == 2
    assert test_right.__lgm__.depends_on == ("g",)
    assert (mistakes[0].name, mistakes[0].hint, mistakes[0].solution) == (
        "wrong",
        "Divide by n.",
        wrong,
    )
    assert (alternatives[0].name, alternatives[0].function) == ("other", "g")


def test_a_lone_string_of_names_is_refused():
    with pytest.raises(TypeError, match="depends_on is a tuple"):
        exercise("f", points=1, depends_on="g")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="Received: 'style'"):
        mistake("f", kind="style", hint="")
