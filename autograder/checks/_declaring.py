"""How a check, a mistake and an alternative are declared: a frozen record on the function."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TypeVar

__all__ = ["Alternative", "Exercise", "Mistake", "alternative", "declared", "exercise", "mistake"]

KINDS = ("concept", "scale", "axis", "randomness", "numerics", "lazy")

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Exercise:
    """What `@exercise` says about a check.

    Attributes:
        name: The exercise's `grade_id`.
        points: What passing earns.
        depends_on: Exercises whose functions this check runs, too.
        mistakes: Names of catalogued mistakes that must all fail this check.
        visible: Whether it repeats what the test cell shows, on the same inputs.
        note: For tutors; students never see it.
    """

    name: str
    points: float
    depends_on: tuple[str, ...]
    mistakes: tuple[str, ...]
    visible: bool
    note: str


@dataclass(frozen=True)
class Mistake:
    """What `@mistake` says about a wrong solution.

    Attributes:
        name: The function's name.
        exercise: The exercise's `grade_id`.
        hint: One sentence for a student who made it.
        kind: One of `KINDS`.
        function: Which of the exercise's functions it stands for; "" for the first.
        undetectable: Why no valid check can see it, or "".
        solution: The wrong solution itself.
    """

    name: str
    exercise: str
    hint: str
    kind: str
    function: str
    undetectable: str
    solution: Callable[..., Any]


@dataclass(frozen=True)
class Alternative:
    """What `@alternative` says about a correct solution; the fields are those of `Mistake`."""

    name: str
    exercise: str
    function: str
    solution: Callable[..., Any]


def exercise(
    name: str,
    points: float,
    depends_on: tuple[str, ...] = (),
    mistakes: tuple[str, ...] = (),
    visible: bool = False,
    note: str = "",
) -> Callable[[_Function], _Function]:
    """Declares a pytest function as a check of the exercise `name`.

    The function's docstring is the sentence that the student reads. The arguments are the fields
    of `Exercise`.

    Raises:
        TypeError: If `depends_on` or `mistakes` is not a tuple: a lone string would be read as
            its letters.
    """
    for label, value in (("depends_on", depends_on), ("mistakes", mistakes)):
        if not isinstance(value, tuple):
            raise TypeError(f"{label} is a tuple of names. Received: {value!r}")
    record = Exercise(name, points, depends_on, mistakes, visible, note)

    def attach(function: _Function) -> _Function:
        function.__lgm__ = record  # type: ignore[attr-defined]
        return function

    return attach


def mistake(
    exercise: str,
    hint: str,
    kind: Literal["concept", "scale", "axis", "randomness", "numerics", "lazy"],
    function: str = "",
    undetectable: str = "",
) -> Callable[[_Function], _Function]:
    """Declares a function as a catalogued wrong solution; the arguments are fields of `Mistake`.

    Raises:
        ValueError: If `kind` is none of `KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}. Received: {kind!r}")

    def attach(solution: _Function) -> _Function:
        solution.__lgm__ = Mistake(  # type: ignore[attr-defined]
            _name(solution), exercise, hint, kind, function, undetectable, solution
        )
        return solution

    return attach


def alternative(exercise: str, function: str = "") -> Callable[[_Function], _Function]:
    """Declares a function as a correct solution that must pass every check of its exercise."""

    def attach(solution: _Function) -> _Function:
        record = Alternative(_name(solution), exercise, function, solution)
        solution.__lgm__ = record  # type: ignore[attr-defined]
        return solution

    return attach


def _name(solution: Callable[..., Any]) -> str:
    # A decorator such as tf.function leaves an object that need not have a __name__.
    return getattr(solution, "__name__", None) or solution.python_function.__name__  # type: ignore[attr-defined,no-any-return]


def declared(
    module: ModuleType,
) -> tuple[tuple[Callable[..., Any], ...], tuple[Mistake, ...], tuple[Alternative, ...]]:
    """Returns what a module declares, each in source order: checks, mistakes, alternatives.

    Checks are the functions themselves, with their `Exercise` at `__lgm__`.
    """
    checks, mistakes, alternatives = [], [], []
    for value in vars(module).values():
        record = getattr(value, "__lgm__", None)
        if isinstance(record, Exercise):
            checks.append(value)
        elif isinstance(record, Mistake):
            mistakes.append(record)
        elif isinstance(record, Alternative):
            alternatives.append(record)
    return tuple(checks), tuple(mistakes), tuple(alternatives)
