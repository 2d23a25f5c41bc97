"""Puts the reference's text where the reference itself must not be: into a notebook cell.

`inlined` cuts one function out, with what it needs. `solution_code` fills an exercise's solution
cell that way, `replacement` puts a whole exercise right. `standalone` makes any code run that
imports the reference, `importable` makes a whole process able to. All of it is text to text:
nothing here imports the reference.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.course._assignment import Exercise
from autograder.course._course import Course
from autograder.errors import UsageError

__all__ = ["importable", "inlined", "replacement", "solution_code", "standalone"]

_PACKAGE = "reference"
_IMPORTS = "import linecache as _linecache\nimport types as _types\n"


def inlined(course: Course, module: str, function: str) -> str:
    """Returns a function of the reference as code that runs on its own.

    Args:
        course: The course.
        module: A module of reference/, such as "rbm".
        function: The name of one of its functions.

    Returns:
        The imports, constants, functions and classes of that module that the function needs,
        directly or not, and the function, in the order of the module.

    Raises:
        UsageError: If there is no such module or function.
    """
    source = _read_module(course, module)
    if function not in source.bound:
        raise UsageError(f"{source.path} defines no {function!r}.")
    return standalone(course, source.cut([function]), package_module=module)


def solution_code(course: Course, exercise: Exercise) -> str:
    """Returns an exercise's solution cell with the reference's code in place of its calls.

    Functions of earlier exercises are not repeated: the cell calls those of the notebook, as a
    student's would. A function that does more than hand its arguments on to the reference's
    function of the same name keeps its body and finds the reference beside it.

    Raises:
        UsageError: If the cell calls a module or function that the reference has not.
    """
    return _solution(course, exercise, leave_out=exercise.earlier)


def replacement(course: Course, exercise: Exercise) -> str:
    """Returns the right functions of an exercise as code that needs none of earlier exercises.

    Otherwise as `solution_code`.
    """
    return _solution(course, exercise, leave_out=())


def importable(course: Course) -> str:
    """Returns code after which the reference can be imported where its files do not exist."""
    texts, packages = {}, []
    for path in sorted((course.root / _PACKAGE).rglob("*.py")):
        parts = path.relative_to(course.root).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        texts[name] = path.read_text(encoding="utf-8")
        if parts[-1] == "__init__":
            packages.append(name)
    return f"{_FINDER}_sys.meta_path.insert(0, _Texts({texts!r}, {packages!r}))\n"


# With a loader that knows its text, tf.function can read the source of what it traces.
_FINDER = """
import importlib.abc as _abc
import importlib.util as _util
import sys as _sys


class _Texts(_abc.MetaPathFinder, _abc.ExecutionLoader):
    def __init__(self, texts, packages):
        self._texts, self._packages = texts, packages

    def find_spec(self, name, path=None, target=None):
        return _util.spec_from_loader(name, self) if name in self._texts else None

    def is_package(self, name):
        return name in self._packages

    def get_filename(self, name):
        return name.replace(".", "/") + ".py"

    def get_source(self, name):
        return self._texts[name]


"""


def _solution(course: Course, exercise: Exercise, leave_out: Iterable[str]) -> str:
    tree = ast.parse(exercise.source)
    handed_on = {
        node.name: module
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and (module := _handed_on_to(node)) is not None
    }
    modules = sorted(set(handed_on.values()))
    if len(modules) != 1:
        # Of two modules, helpers could have the same name.
        return standalone(course, _without_markers(exercise.source))
    (module,) = modules
    source = _read_module(course, module)
    for name in handed_on:
        if name not in source.bound:
            raise UsageError(
                f"The solution of {exercise.name} calls {module}.{name}, but {source.path} "
                f"defines no such function."
            )
    code = source.cut(handed_on, leave_out)
    lines = exercise.source.split("\n")
    for node in reversed(tree.body):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in handed_on:
            # The code defines all of them; it takes the place of the first.
            is_first = node.name == next(iter(handed_on))
            start, end = _first_line(node), _end_line(node, lines)
            lines[start - 1 : end] = code.split("\n") if is_first else []
    text = standalone(course, _without_markers("\n".join(lines)), package_module=module)
    return _tidy(text)


def standalone(course: Course, source: str, package_module: str | None = None) -> str:
    """Returns code that imports the reference as code that runs where it does not exist.

    Each module is built once from its text, at the top; the import statements become assignments
    in their places. Code that imports nothing of the reference is returned as it is.

    Args:
        course: The course.
        source: Python code.
        package_module: The module of reference/ that the code stands in, for its relative
            imports; None outside of it.

    Raises:
        UsageError: If the code is no Python, imports what the reference has not, or imports all
            names with a star.
    """
    return _standalone(course, source, package_module, ())


@dataclass(frozen=True)
class _Statement:
    """A top-level statement: its lines with the comment above, what it binds and what it reads."""

    node: ast.stmt
    text: str
    binds: frozenset[str]
    reads: frozenset[str]

    def reduced(self, names: set[str]) -> str:
        """The text; of an import, only what is needed."""
        if not isinstance(self.node, ast.Import | ast.ImportFrom):
            return self.text
        if isinstance(self.node, ast.ImportFrom) and self.node.module == "__future__":
            return self.text
        kept = [alias for alias in self.node.names if _bound_by(alias) in names]
        if isinstance(self.node, ast.Import):
            return ast.unparse(ast.Import(kept))
        return ast.unparse(ast.ImportFrom(self.node.module, kept, self.node.level))


@dataclass(frozen=True)
class _Module:
    """A module of the reference, cut into statements."""

    path: Path
    statements: tuple[_Statement, ...]

    @property
    def bound(self) -> frozenset[str]:
        return frozenset[str]().union(*(statement.binds for statement in self.statements))

    def cut(self, names: Iterable[str], leave_out: Iterable[str] = ()) -> str:
        """The statements that bind `names`, and what they need but for `leave_out`."""
        left_out = set(leave_out) - set(names)
        needed: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in needed and name not in left_out:
                needed.add(name)
                waiting += [
                    read
                    for statement in self.statements
                    if name in statement.binds
                    for read in statement.reads
                ]
        parts: list[str] = []
        before: _Statement | None = None
        for statement in self.statements:
            future = (
                isinstance(statement.node, ast.ImportFrom)
                and statement.node.module == "__future__"
            )
            if statement.binds & needed or future:
                if before is not None:
                    parts.append(_gap(before.node, statement.node))
                parts.append(statement.reduced(needed))
                before = statement
        return "".join(parts)


def _gap(before: ast.stmt, after: ast.stmt) -> str:
    blocks = (ast.FunctionDef, ast.ClassDef)
    imports = (ast.Import, ast.ImportFrom)
    if isinstance(before, blocks) or isinstance(after, blocks):
        return "\n\n\n"
    same = isinstance(before, imports) == isinstance(after, imports)
    return "\n" if same else "\n\n"


def _read_module(course: Course, module: str) -> _Module:
    path = course.root / _PACKAGE / f"{module}.py"
    text = _text(course, module)
    lines = text.split("\n")
    tree = _parsed(text, str(path))
    return _Module(path, tuple(_statement(node, lines) for node in tree.body))


def _text(course: Course, module: str) -> str:
    path = course.root / _PACKAGE / f"{module}.py"
    if not path.is_file():
        known = ", ".join(p.stem for p in sorted(path.parent.glob("*.py")) if p.stem != "__init__")
        raise UsageError(f"The reference has no module {module!r}. There are: {known}.")
    return path.read_text(encoding="utf-8")


def _parsed(text: str, where: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as problem:
        raise UsageError(f"{where}, line {problem.lineno}: {problem.msg}.") from problem


def _statement(node: ast.stmt, lines: list[str]) -> _Statement:
    start = _first_line(node)
    # A comment right above a constant says why it is so.
    while start > 1 and lines[start - 2].startswith("#"):
        start -= 1
    text = "\n".join(lines[start - 1 : node.end_lineno])
    names = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    reads = frozenset(name.id for name in names if isinstance(name.ctx, ast.Load))
    return _Statement(node, text, frozenset(_binds(node)), reads | _in_strings(node))


def _in_strings(node: ast.stmt) -> frozenset[str]:
    """Names in quoted annotations."""
    found: set[str] = set()
    for part in ast.walk(node):
        annotations = [getattr(part, "annotation", None), getattr(part, "returns", None)]
        for annotation in annotations:
            for leaf in ast.walk(annotation) if isinstance(annotation, ast.expr) else ():
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str):
                    try:
                        inside = ast.parse(leaf.value, mode="eval")
                    except SyntaxError:
                        continue  # a word in Literal["…"], not a type
                    found |= {name.id for name in ast.walk(inside) if isinstance(name, ast.Name)}
    return frozenset(found)


def _binds(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (_bound_by(alias) for alias in node.names)
    else:
        # Also inside if, try and with, which share the module's names.
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                yield part.id
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.ExceptHandler):
                yield from (
                    _binds(child)
                    if isinstance(child, ast.stmt)
                    else (name for inner in child.body for name in _binds(inner))
                )


def _bound_by(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _end_line(node: ast.stmt, lines: list[str]) -> int:
    """The last line of a function, comments below its last statement included."""
    end = node.end_lineno or node.lineno
    while end < len(lines) and lines[end].startswith((" ", "\t")) and lines[end].strip():
        end += 1
    return end


def _without_markers(text: str) -> str:
    lines = text.split("\n")
    marks = ("BEGIN SOLUTION", "END SOLUTION")
    return "\n".join(line for line in lines if not any(mark in line for mark in marks))


def _tidy(text: str) -> str:
    """At most two empty lines in a row, none at the ends."""
    while "\n\n\n\n" in text:
        text = text.replace("\n\n\n\n", "\n\n\n")
    return text.strip("\n")


def _handed_on_to(node: ast.FunctionDef | ast.ClassDef) -> str | None:
    """The module whose function of the same name gets this function's arguments, or None.

    Likewise for a class: one that keeps an object of the reference's class, and hands on to it.
    """
    if isinstance(node, ast.ClassDef):
        return _class_handed_on_to(node)
    body = [part for part in node.body if not _is_docstring(part)]
    if len(body) != 2 or not isinstance(body[0], ast.ImportFrom):
        return None
    statement, returned = body[0], body[1]
    plain = statement.module == _PACKAGE and len(statement.names) == 1
    if not plain or not isinstance(returned, ast.Return):
        return None
    call = returned.value
    alias = statement.names[0]
    if (
        not isinstance(call, ast.Call)
        or not isinstance(call.func, ast.Attribute)
        or ast.unparse(call.func) != f"{_bound_by(alias)}.{node.name}"
    ):
        return None
    parameters = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    handed = [argument.id for argument in call.args if isinstance(argument, ast.Name)]
    by_name = {k.arg: k.value.id for k in call.keywords if isinstance(k.value, ast.Name)}
    complete = len(handed) == len(call.args) and len(by_name) == len(call.keywords)
    kept = all(name == value for name, value in by_name.items())
    return alias.name if complete and kept and [*handed, *by_name] == parameters else None


def _class_handed_on_to(node: ast.ClassDef) -> str | None:
    made, kept, others = None, "", True
    for method in (part for part in node.body if isinstance(part, ast.FunctionDef)):
        arguments = ", ".join(argument.arg for argument in method.args.args[1:])
        match [part for part in method.body if not _is_docstring(part)]:
            case [
                ast.ImportFrom(module="reference", names=[alias]),
                ast.Assign(targets=[target], value=call),
            ] if ast.unparse(call) == f"{_bound_by(alias)}.{node.name}({arguments})":
                made, kept = alias.name, ast.unparse(target)
            case [ast.Return(value=ast.Call() as call) | ast.Expr(value=ast.Call() as call)]:
                others &= ast.unparse(call) == f"{kept}.{method.name}({arguments})"
            case _:
                others = False
    return made if others else None


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _standalone(
    course: Course, source: str, package_module: str | None, building: tuple[str, ...]
) -> str:
    tree = _parsed(source, "code that uses the reference")
    replacements: list[tuple[ast.stmt, str]] = []
    modules: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            code, used = _assignments(course, node, package_module)
            if code is not None:
                replacements.append((node, code))
                modules += [module for module in used if module not in modules]
    if not replacements:
        return source
    text = _replaced(source, replacements)
    preamble = [_built(course, module, building) for module in sorted(modules)]
    futures, rest = _split_futures(text)
    return futures + "\n".join([_IMPORTS, *preamble, "", rest])


def _assignments(
    course: Course, node: ast.Import | ast.ImportFrom, package_module: str | None
) -> tuple[str | None, list[str]]:
    """What stands in the place of an import of the reference, and the modules that it uses."""
    if isinstance(node, ast.Import):
        ours = [alias for alias in node.names if alias.name.split(".")[0] == _PACKAGE]
        if not ours:
            return None, []
        parts = [f"import {_unparse(a)}" for a in node.names if a not in ours]
        used = []
        for alias in ours:
            module = alias.name.partition(".")[2]
            if not module:
                raise UsageError(
                    "import reference: name the module, as in from reference import …"
                )
            used.append(module)
            target, value = alias.asname, _variable(module)
            if target is None:
                target, value = _PACKAGE, f"_types.SimpleNamespace({module}={value})"
            parts.append(f"{target} = {value}")
        return "; ".join(parts), used
    if node.level and package_module is not None:
        path = [_PACKAGE, *(node.module or "").split(".")] if node.module else [_PACKAGE]
    else:
        path = (node.module or "").split(".") if not node.level else [""]
    if path[0] != _PACKAGE:
        return None, []
    if any(alias.name == "*" for alias in node.names):
        raise UsageError(f"{ast.unparse(node)}: a star hides what is used. Name what you import.")
    if len(path) == 1:
        used = [alias.name for alias in node.names]
        return "; ".join(f"{_bound_by(a)} = {_variable(a.name)}" for a in node.names), used
    module = ".".join(path[1:])
    bound = _read_module(course, module).bound
    for alias in node.names:
        if alias.name not in bound:
            raise UsageError(f"{ast.unparse(node)}: that module defines no {alias.name!r}.")
    parts = [f"{_bound_by(alias)} = {_variable(module)}.{alias.name}" for alias in node.names]
    return "; ".join(parts), [module]


def _unparse(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _variable(module: str) -> str:
    return f"_{_PACKAGE}_{module.replace('.', '_')}"


def _replaced(source: str, replacements: list[tuple[ast.stmt, str]]) -> str:
    # ast counts columns in bytes.
    lines = [line.encode("utf-8") for line in source.split("\n")]
    for node, code in sorted(replacements, key=lambda item: _place(item[0]), reverse=True):
        last = node.end_lineno or node.lineno
        start = lines[node.lineno - 1][: node.col_offset]
        end = lines[last - 1][node.end_col_offset :]
        lines[node.lineno - 1 : last] = [start + code.encode("utf-8") + end]
    return b"\n".join(lines).decode("utf-8")


def _place(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _built(course: Course, module: str, building: tuple[str, ...]) -> str:
    """Code that builds a module from its text and binds it to its variable."""
    if module in building:
        raise UsageError(f"The reference imports itself in a circle: {', '.join(building)}.")
    text = _standalone(course, _text(course, module), module, (*building, module))
    variable, file = _variable(module), f"<{_PACKAGE} {module}>"
    quoted = "\n".join(f"    {line!r}" for line in text.splitlines(keepends=True))
    # With its lines at hand, tf.function can read the source of what it traces.
    return f"""_text = (
{quoted}
)
{variable} = _types.ModuleType({module!r})
_linecache.cache[{file!r}] = (len(_text), None, _text.splitlines(keepends=True), {file!r})
exec(compile(_text, {file!r}, "exec"), {variable}.__dict__)
"""


def _split_futures(text: str) -> tuple[str, str]:
    """The text up to its last `from __future__` import, which must stay first, and the rest."""
    tree = ast.parse(text)
    last = max(
        (
            node.end_lineno or 0
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        ),
        default=0,
    )
    lines = text.split("\n")
    head = "".join(f"{line}\n" for line in lines[:last])
    return head, "\n".join(lines[last:])
