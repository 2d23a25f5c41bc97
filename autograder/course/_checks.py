"""The hidden checks' declarations, read as text: importing them would load the reference."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.course._assignment import Assignment
from autograder.errors import UsageError

if TYPE_CHECKING:
    from autograder.course._course import Course

__all__ = ["CheckInfo", "checks_of"]

_ARGUMENTS = ("name", "points", "depends_on", "mistakes", "visible", "note")


@dataclass(frozen=True)
class CheckInfo:
    """A hidden check, without what it checks.

    Attributes:
        id: The check function's name.
        exercise: The exercise it belongs to.
        points: What passing earns.
        visible: Whether it repeats what the test cell shows.
        sentence: What students read: the first paragraph of its docstring, on one line.
    """

    id: str
    exercise: str
    points: float
    visible: bool
    sentence: str


def checks_of(course: "Course", assignment: Assignment) -> tuple[CheckInfo, ...]:
    """Returns an assignment's checks: by exercise, as in the notebook, then as in the files.

    Raises:
        UsageError: If a file is no Python, or declares a check of no exercise or without points;
            names the place.
    """
    order = {exercise.name: place for place, exercise in enumerate(assignment.exercises)}
    checks = []
    for path in sorted(course.hidden_folder(assignment.name).glob("test_*.py")):
        for check, where in _declared(path):
            if check.exercise not in order:
                raise UsageError(
                    f"{where}: {assignment.name} has no exercise {check.exercise!r}. "
                    f"There are: {', '.join(order)}."
                )
            checks.append(check)
    return tuple(sorted(checks, key=lambda check: order[check.exercise]))


def _declared(path: Path) -> list[tuple[CheckInfo, str]]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as problem:
        raise UsageError(f"{path}, line {problem.lineno}: {problem.msg}.") from problem
    found = []
    for node in tree.body:
        for decorator in getattr(node, "decorator_list", []):
            if (
                isinstance(node, ast.FunctionDef)
                and isinstance(decorator, ast.Call)
                and isinstance(decorator.func, ast.Name)
                and decorator.func.id == "exercise"
            ):
                where = f"{path}, {node.name}"
                found.append((_check(node, decorator, where), where))
    return found


def _check(node: ast.FunctionDef, decorator: ast.Call, where: str) -> CheckInfo:
    arguments: dict[str, Any] = {}
    try:
        for name, value in zip(_ARGUMENTS, decorator.args, strict=False):
            arguments[name] = ast.literal_eval(value)
        for keyword in decorator.keywords:
            arguments[str(keyword.arg)] = ast.literal_eval(keyword.value)
    except ValueError as problem:
        raise UsageError(
            f"{where}: the arguments of @exercise are written out, as in "
            f'@exercise("name", points=2): they are read without running the file.'
        ) from problem
    points = arguments.get("points")
    if isinstance(points, bool) or not isinstance(points, int | float) or not points >= 0:
        raise UsageError(f"{where}: points is a number, at least 0. Received: {points!r}")
    paragraph = (ast.get_docstring(node) or "").split("\n\n")[0]
    return CheckInfo(
        id=node.name,
        exercise=str(arguments.get("name")),
        points=points,
        visible=bool(arguments.get("visible", False)),
        sentence=" ".join(paragraph.split()),
    )
