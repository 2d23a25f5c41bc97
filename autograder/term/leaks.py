"""Compares a release with its source and says what should not be there.

nbgrader takes out what stands between markers that it recognises and looks at nothing else. Here
every cell, its metadata and attachments and every other file are compared with what the source
holds back.
"""

import ast
import base64
import binascii
import difflib
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from autograder.course import MARKERS, STUB, Assignment, CheckInfo, regions

__all__ = ["find_breaches", "find_leaks", "function_lines", "secret_lines"]

# Fewer characters, blanks not counted, are too likely to be somebody else's line. Words repeat
# sooner than code does.
_SHORTEST = {"code": 12, "markdown": 24, "raw": 24}
# The reference and the checks are compared by their functions' lines, which a notebook's own code
# may resemble.
_SHORTEST_OF_FUNCTION = 32

# What the course ships beside a notebook: data and figures, never code or notes.
DATA_SUFFIXES = frozenset(
    {".csv", ".gif", ".jpeg", ".jpg", ".npy", ".png", ".svg", ".toml", ".tsv", ".txt"}
)

_MARKERS = tuple(marker for begin_and_end in MARKERS.values() for marker in begin_and_end)
_ALIKE = 0.86
_IMPORTS = re.compile(
    r"""^\s*(?:>>>\s*)?import\s[^#\n]*\b(?:reference|autograder)\b
      | \bfrom\s+(?:reference|autograder)(?:\.\w+)*\s+import\b
      | (?:import_module|__import__)\(\s*['"](?:reference|autograder)\b""",
    re.VERBOSE,
)


def secret_lines(source: Mapping[str, Any]) -> dict[str, str]:
    """Returns the lines of a source notebook that students must not see.

    Returns:
        Each line, without blanks, with a few words on where it stands.
    """
    secrets: dict[str, str] = {}
    for number, cell in enumerate(source["cells"], 1):
        text = cell["source"]
        keys = cell["metadata"].get("nbgrader") or {}
        where = keys.get("grade_id") or f"cell {number}"
        # A solution cell without markers is replaced whole.
        whole = bool(keys.get("solution")) and "BEGIN SOLUTION" not in text
        for region, line in regions(text):
            kind = region or ("solution" if whole else None)
            squeezed = _squeezed(line)
            # Imports are everybody's; those of the reference are looked for by themselves.
            ordinary = _is_marker(line) or line.split()[:1] in (["from"], ["import"])
            if kind and not ordinary and len(squeezed) >= _SHORTEST[cell["cell_type"]]:
                secrets.setdefault(squeezed, f"the {kind} of {where}")
    return secrets


def function_lines(source: str, functions: Container[str], where: str) -> dict[str, str]:
    """Returns the lines of some functions and classes of a Python file, docstrings left out.

    Returns:
        Each line, without blanks, with a few words on where it stands: `where` and the function.
    """
    lines = source.split("\n")
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name not in functions:
            continue
        for statement in _statements(node):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            for line in lines[statement.lineno - 1 : statement.end_lineno]:
                squeezed = _squeezed(line)
                if len(squeezed) >= _SHORTEST_OF_FUNCTION:
                    found.setdefault(squeezed, f"{node.name} in {where}")
    return found


def _statements(node: ast.FunctionDef | ast.ClassDef) -> Iterator[ast.stmt]:
    """The statements of a function; of a class, those of its methods and what else it holds."""
    for statement in node.body:
        if isinstance(node, ast.ClassDef) and isinstance(statement, ast.FunctionDef):
            yield from statement.body
        else:
            yield statement


def find_leaks(
    source: Mapping[str, Any],
    notebook: Mapping[str, Any],
    files: Mapping[str, bytes],
    more_secrets: Mapping[str, str] | None = None,
) -> list[str]:
    """Finds what a release should not hold.

    Args:
        source: The source notebook, every cell's source one string.
        notebook: The released notebook, likewise.
        files: The release's other files by their path in it.
        more_secrets: Further secret lines, without blanks, and where they stand.

    Returns:
        A sentence per leak; none if the release is clean.
    """
    secrets = {**(more_secrets or {}), **secret_lines(source)}
    found: list[str] = []
    for where, text in _texts(notebook):
        found += _secrets_in(where, text, secrets)
        found += _imports_in(where, text)
        found += _markers_in(where, text)
    for number, cell in enumerate(notebook["cells"], 1):
        if cell.get("outputs") or cell.get("execution_count") is not None:
            found.append(f"{_name(cell, number)} has outputs. Clear all outputs of the source.")
    for path, content in files.items():
        suffix = f".{path.rpartition('.')[2]}".lower()
        if suffix not in DATA_SUFFIXES:
            found.append(
                f"The file {path} would be released. Beside the notebook only data and figures "
                f"may lie ({', '.join(sorted(DATA_SUFFIXES))}); keep anything else elsewhere."
            )
        for where, text in ((f"The name of the file {path}", path), (f"The file {path}",
                            content.decode("latin-1"))):  # fmt: skip
            found += _secrets_in(where, text, secrets)
            found += _imports_in(where, text)
    return list(dict.fromkeys(found))


def find_breaches(
    assignment: Assignment, checks: Iterable[CheckInfo], notebook: Mapping[str, Any]
) -> list[str]:
    """Finds where a release, or its hidden checks, are not what the assignment promises.

    Returns:
        A sentence for each cell that is missing, added or changed on the way, each function
        without its stub, and each exercise whose points are not those of its checks.
    """
    found: list[str] = []
    released = {cell["id"]: cell for cell in notebook["cells"] if "id" in cell}
    if [cell.id for cell in assignment.cells] != [cell.get("id") for cell in notebook["cells"]]:
        found.append("The release has not the cells of the source, in their order.")
    for cell in assignment.cells:
        if cell.id in released and released[cell.id]["source"] != cell.released:
            found.append(f"Cell {cell.grade_id or cell.id} is not what the source makes of it.")
    by_grade_id = {
        cell["metadata"]["nbgrader"].get("grade_id"): cell
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader")
    }
    given = list(checks)
    for exercise in assignment.exercises:
        text = by_grade_id.get(exercise.name, {}).get("source", "")
        found += [
            f"{exercise.name}: the function {function} does not end in the stub ({STUB}). Put its "
            f"solution between ### BEGIN SOLUTION and ### END SOLUTION."
            for function in exercise.functions
            if not _is_stub(text, function)
        ]
        cell = by_grade_id.get(exercise.test_cell, {"metadata": {"nbgrader": {}}})
        points = cell["metadata"]["nbgrader"].get("points")
        total = sum(check.points for check in given if check.exercise == exercise.name)
        if points != exercise.points or total != exercise.points:
            found.append(
                f"{exercise.name}: its test cell is worth {exercise.points:g} points in the "
                f"source, {points} in the release, and its checks add up to {total:g}. Make them "
                f"equal."
            )
    return found


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _is_marker(line: str) -> bool:
    return any(marker in line for marker in _MARKERS)


def _name(cell: Mapping[str, Any], number: int) -> str:
    keys = cell["metadata"].get("nbgrader") or {}
    return f"Cell {keys.get('grade_id') or cell.get('id') or number}"


def _texts(notebook: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields every text of a notebook and where it stands, attachments decoded."""
    for number, cell in enumerate(notebook["cells"], 1):
        name = _name(cell, number)
        yield name, cell["source"]
        for part in ("metadata", "outputs", "id"):
            for text in _strings(cell.get(part)):
                yield f"{name}, in its {part},", text
        for text in _strings(cell.get("attachments")):
            yield f"{name}, in an attachment,", text
            yield f"{name}, in an attachment,", _decoded(text)
    for text in _strings(notebook["metadata"]):
        yield "The notebook's metadata", text


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401  (whatever JSON holds)
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        # nbformat writes long texts as lists of lines.
        if value and all(isinstance(part, str) for part in value):
            yield "".join(value)
        else:
            for inner in value:
                yield from _strings(inner)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=False).decode("latin-1")
    except (ValueError, binascii.Error):
        return ""


def _secrets_in(where: str, text: str, secrets: Mapping[str, str]) -> list[str]:
    squeezed = _squeezed(text)
    lines = text.split("\n")
    found = []
    for secret, origin in secrets.items():
        if secret in squeezed:
            line = next((line.strip() for line in lines if secret in _squeezed(line)), secret)
            found.append(f"{where} holds a line of {origin}: {_short(line)}")
    return found


def _short(line: str) -> str:
    return line if len(line) <= 80 else f"{line[:79]}…"


def _imports_in(where: str, text: str) -> list[str]:
    return [
        f"{where} imports what students do not have: {_short(line.strip())}"
        for line in text.split("\n")
        if _IMPORTS.search(line)
    ]


def _markers_in(where: str, text: str) -> list[str]:
    """Lines that look like a marker which nbgrader did not recognise."""
    found = []
    for line in text.split("\n"):
        stripped = line.strip()
        words = re.findall(r"[A-Za-z]+", stripped)
        # A marker stands in a comment or between signs; in running text only capitals tell it.
        marked = stripped.startswith(("#", "=", "//", "<!--", "%"))
        for size in (1, 2, 3):
            for start in range(len(words) - size + 1):
                candidate = " ".join(words[start : start + size])
                alone = marked and len(words) == size
                if (candidate.isupper() or alone) and _looks_like_marker(candidate.upper()):
                    found.append(
                        f"{where} has a line that looks like a marker and is none: "
                        f"{_short(stripped)}. nbgrader knows: {', '.join(_MARKERS)}."
                    )
    return list(dict.fromkeys(found))


def _looks_like_marker(candidate: str) -> bool:
    letters = candidate.replace(" ", "")
    if not 8 <= len(letters) <= 22:
        return False
    return any(
        difflib.SequenceMatcher(None, letters, marker.replace(" ", "")).ratio() >= _ALIKE
        for marker in _MARKERS
    )


def _is_stub(source: str, function: str) -> bool:
    """Whether a cell defines a function whose last statement is the stub.

    Or a class, each of whose methods is such a function.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return False
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == function:
            parts = [node] if isinstance(node, ast.FunctionDef) else node.body
            methods = [part for part in parts if isinstance(part, ast.FunctionDef)]
            stub = ast.dump(ast.parse(STUB).body[0])
            if methods and all(ast.dump(method.body[-1]) == stub for method in methods):
                return True
    return False
