"""How checks, mistakes, alternatives and near misses are declared: a record on the function."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, NamedTuple, TypeVar

__all__ = [
    "Alternative",
    "Declared",
    "Exercise",
    "Mistake",
    "NearMiss",
    "alternative",
    "declared",
    "exercise",
    "mistake",
    "near_miss",
]

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


@dataclass(frozen=True)
class NearMiss:
    """What `@near_miss` says about a solution that is wrong by a little.

    Attributes:
        name: The function's name.
        exercise: The exercise's `grade_id`.
        effect: What is off and by how much, in a few words: "W 2 % too large".
        function: Which of the exercise's functions it stands for; "" for the first.
        solution: The solution itself.
    """

    name: str
    exercise: str
    effect: str
    function: str
    solution: Callable[..., Any]


class Declared(NamedTuple):
    """What a module declares, each in source order.

    Attributes:
        checks: The functions themselves, with their `Exercise` at `__lgm__`.
        mistakes: Wrong solutions, which must fail.
        alternatives: Right solutions, which must pass.
        near_misses: Solutions of which nothing is demanded.
    """

    checks: tuple[Callable[..., Any], ...]
    mistakes: tuple[Mistake, ...]
    alternatives: tuple[Alternative, ...]
    near_misses: tuple[NearMiss, ...]


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


def near_miss(exercise: str, effect: str, function: str = "") -> Callable[[_Function], _Function]:
    """Declares a function as a solution that is wrong by a little; nothing is demanded of it.

    How often the statistical checks of its exercise fail it is measured: their power for this
    effect. The arguments are fields of `NearMiss`.

    Raises:
        ValueError: If `effect` is empty: a rate without its effect says nothing.
    """
    if not effect:
        raise ValueError('effect says what is off and by how much: "W 2 % too large".')

    def attach(solution: _Function) -> _Function:
        record = NearMiss(_name(solution), exercise, effect, function, solution)
        solution.__lgm__ = record  # type: ignore[attr-defined]
        return solution

    return attach


def _name(solution: Callable[..., Any]) -> str:
    # A decorator such as tf.function leaves an object that need not have a __name__.
    return getattr(solution, "__name__", None) or solution.python_function.__name__  # type: ignore[attr-defined,no-any-return]


def declared(module: ModuleType) -> Declared:
    """Returns what a module declares."""
    records = [(value, getattr(value, "__lgm__", None)) for value in vars(module).values()]
    return Declared(
        tuple(value for value, record in records if isinstance(record, Exercise)),
        tuple(record for _, record in records if isinstance(record, Mistake)),
        tuple(record for _, record in records if isinstance(record, Alternative)),
        tuple(record for _, record in records if isinstance(record, NearMiss)),
    )
