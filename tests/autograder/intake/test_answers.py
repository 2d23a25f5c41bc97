"""What a cell answers: the functions and classes that it defines."""

from autograder.course import STUB
from autograder.intake._answers import answered, defined

TEXT = f"""
x = 1
def energy(v):
    return v
class Buffer:
    def sample(self):
        {STUB}
class Chain:
    def step(self):
        return 2
"""


def test_functions_and_classes_are_defined():
    assert defined(TEXT) == {"energy", "Buffer", "Chain"}
    assert defined("def energy(") == set()


def test_what_still_holds_the_stub_is_no_answer():
    assert answered(TEXT) == {"energy", "Chain"}
