"""The mistakes, near misses and alternatives beside the hidden checks, read as text.

Each becomes code for a solution cell: after the reference's cell it binds the entry to the name
of the function that it stands for. Nothing here imports a check file, so whoever hands out the
texts needs no TensorFlow.
"""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autograder.course import Assignment, Course
from autograder.errors import DoesNotHold

__all__ = ["Claim", "Entry", "EntryKind", "claims", "entries"]

EntryKind = Literal["mistake", "near_miss", "alternative"]


@dataclass(frozen=True)
class Entry:
    """A wrong, a nearly right or another right solution of one function.

    Attributes:
        name: The function's name in the catalogue.
        exercise: The exercise it belongs to.
        source: Code that binds it to the name of the function it stands for. It may import the
            reference.
        hint: Of a mistake: what a student who made it reads.
        effect: Of a near miss: how far off it is.
        undetectable: Of a mistake: why no valid check can see it, or "".
    """

    kind: EntryKind
    name: str
    exercise: str
    source: str
    hint: str = ""
    effect: str = ""
    undetectable: str = ""


@dataclass(frozen=True)
class Claim:
    """What a check says of itself.

    Attributes:
        check: Its id.
        exercise: The exercise it belongs to.
        mistakes: The mistakes that it catches.
        visible: Whether it repeats what the test cell shows.
    """

    check: str
    exercise: str
    mistakes: tuple[str, ...]
    visible: bool


def entries(course: Course, assignment: Assignment) -> list[Entry]:
    """Returns the catalogue of an assignment, in the order of its files.

    Raises:
        DoesNotHold: If an entry names an exercise or function that there is not, or twice the
            same name stands in one exercise.
    """
    found = []
    for path, tree, text in _modules(course, assignment):
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        for node, kind, arguments in _decorated(tree, "mistake", "near_miss", "alternative"):
            where = f"{path.name}, {node.name}"
            exercise = _exercise(assignment, arguments["exercise"], where)
            function = arguments.get("function") or exercise.functions[0]
            if function not in exercise.functions:
                names = ", ".join(exercise.functions)
                raise DoesNotHold(f"{where}: {exercise.name} defines {names}, not {function}.")
            source = _source(node, function, imports, text)
            said = {name: arguments.get(name, "") for name in ("hint", "effect", "undetectable")}
            found.append(Entry(kind, node.name, exercise.name, source, **said))  # type: ignore[arg-type]
    known = [(entry.exercise, entry.name) for entry in found]
    for entry in found:
        if known.count((entry.exercise, entry.name)) > 1:
            raise DoesNotHold(
                f"The catalogue of {assignment.name} holds two entries {entry.name} for "
                f"{entry.exercise}. Rename one."
            )
    return found


def claims(course: Course, assignment: Assignment) -> list[Claim]:
    """Returns what each check says it catches."""
    return [
        Claim(
            node.name,
            arguments["name"],
            tuple(arguments.get("mistakes", ())),
            bool(arguments.get("visible", False)),
        )
        for _, tree, _ in _modules(course, assignment)
        for node, _, arguments in _decorated(tree, "exercise")
    ]


def _modules(course: Course, assignment: Assignment) -> list[tuple[Path, ast.Module, str]]:
    folder = course.hidden_folder(assignment.name)
    texts = [(path, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("test_*.py"))]
    return [(path, ast.parse(text), text) for path, text in texts]


_FIRST_ARGUMENT = {
    "exercise": "name",
    "mistake": "exercise",
    "near_miss": "exercise",
    "alternative": "exercise",
}


def _decorated(tree: ast.Module, *names: str) -> list[tuple[ast.FunctionDef, str, dict[str, Any]]]:
    found = []
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if (
                isinstance(decorator, ast.Call)
                and isinstance(decorator.func, ast.Name)
                and decorator.func.id in names
            ):
                name = decorator.func.id
                arguments = {
                    keyword.arg: ast.literal_eval(keyword.value)
                    for keyword in decorator.keywords
                    if keyword.arg is not None
                }
                if decorator.args:
                    arguments[_FIRST_ARGUMENT[name]] = ast.literal_eval(decorator.args[0])
                found.append((node, name, arguments))
    return found


def _exercise(assignment: Assignment, name: str, where: str) -> Any:  # noqa: ANN401
    for exercise in assignment.exercises:
        if exercise.name == name:
            return exercise
    known = ", ".join(exercise.name for exercise in assignment.exercises)
    raise DoesNotHold(f"{where}: there is no exercise {name!r}; there are {known}.")


def _source(
    node: ast.FunctionDef,
    function: str,
    imports: list[ast.Import | ast.ImportFrom],
    text: str,
) -> str:
    used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    lines = []
    for statement in imports:
        names = [alias for alias in statement.names if _bound(alias) in used]
        ours = isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(
            "autograder"
        )
        if names and not ours:
            kept = ast.Import(names)
            if isinstance(statement, ast.ImportFrom):
                kept = ast.ImportFrom(statement.module, names, statement.level)  # type: ignore[assignment]
            lines.append(ast.unparse(kept))
    source = ast.get_source_segment(text, node) or ""
    decorators = [d for d in node.decorator_list if not _is_ours(d)]
    lines += [f"@{ast.unparse(decorator)}" for decorator in decorators]
    lines.append(source[source.index("def ") :])
    if node.name != function:
        lines.append(f"{function} = {node.name}")
    return "\n".join(lines)


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _is_ours(decorator: ast.expr) -> bool:
    return (
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Name)
        and decorator.func.id in _FIRST_ARGUMENT
    )
