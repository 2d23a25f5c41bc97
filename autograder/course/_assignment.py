"""An assignment, as its source notebook says.

An exercise is one solution cell, named by its `grade_id`, followed by one locked test cell named
`test_` + that name, which carries the exercise's automatic points. Cells marked by hand are named
`manual_…`.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from autograder.errors import UsageError

__all__ = [
    "MARKERS",
    "STUB",
    "Assignment",
    "Cell",
    "Exercise",
    "Kind",
    "ManualCell",
    "read_assignment",
    "read_notebook",
    "regions",
]

STUB = (
    'raise NotImplementedError("Write your code here, then run this cell again '
    'and the checks below.")'
)
# What stock nbgrader puts in the place of a solution in words.
_TEXT_STUB = "YOUR ANSWER HERE"

# Begin and end of what a release must not hold, as nbgrader spells it.
MARKERS = MappingProxyType(
    {
        "solution": ("BEGIN SOLUTION", "END SOLUTION"),
        "hidden test": ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS"),
        "mark scheme": ("BEGIN MARK SCHEME", "END MARK SCHEME"),
    }
)

Kind = Literal["text", "given", "solution", "test", "manual"]


@dataclass(frozen=True)
class Cell:
    """A cell of the source notebook.

    Attributes:
        id: The cell's nbformat id.
        kind: "text" (Markdown), "given" (code), "solution", "test" or "manual".
        grade_id: nbgrader's name of the cell, or None.
        cell_type: "markdown", "code" or "raw".
        source: The cell as the author wrote it, solution included.
        released: The cell as students get it.
        runs: Whether the grader runs it: code, but for cells marked `lgm.run: never`.
        metadata: The source's cell metadata; not to be changed.
        attachments: The source's attachments; not to be changed.
    """

    id: str
    kind: Kind
    grade_id: str | None
    cell_type: str
    source: str
    released: str
    runs: bool
    metadata: Mapping[str, Any]
    attachments: Mapping[str, Any]


@dataclass(frozen=True)
class Exercise:
    """One solution cell and its test cell.

    Attributes:
        name: The solution cell's `grade_id`.
        points: The automatic points, those of the test cell.
        functions: What the solution cell defines at top level, in its order; a class by its name.
        source: The solution cell as the author wrote it.
        stub: The solution cell as students get it.
        earlier: The functions of the exercises before it, which a solution may call.
    """

    name: str
    points: float
    functions: tuple[str, ...]
    source: str
    stub: str
    earlier: tuple[str, ...] = ()

    @property
    def test_cell(self) -> str:
        """The `grade_id` of its test cell."""
        return f"test_{self.name}"


@dataclass(frozen=True)
class ManualCell:
    """A cell that a tutor marks."""

    grade_id: str
    points: float


@dataclass(frozen=True)
class Assignment:
    """One assignment: a notebook and what is in it, in the notebook's order.

    Attributes:
        title: The notebook's first heading, or the name.
        notebook: The source notebook's path.
    """

    name: str
    title: str
    notebook: Path
    cells: tuple[Cell, ...]
    exercises: tuple[Exercise, ...]
    manual: tuple[ManualCell, ...]

    @property
    def automatic_points(self) -> float:
        """The points that checks give."""
        return sum(exercise.points for exercise in self.exercises)

    @property
    def max_score(self) -> float:
        """All points, those given by hand included."""
        return self.automatic_points + sum(cell.points for cell in self.manual)

    def exercise(self, name: str) -> Exercise:
        """Returns an exercise by its name.

        Raises:
            UsageError: If there is none; the sentence lists those there are.
        """
        for exercise in self.exercises:
            if exercise.name == name:
                return exercise
        known = ", ".join(exercise.name for exercise in self.exercises)
        raise UsageError(f"{self.name} has no exercise {name!r}. There are: {known}.")


def read_notebook(path: Path) -> dict[str, Any]:
    """Reads a notebook of ours, with every source as one string.

    Raises:
        UsageError: If it is no notebook of nbformat 4.5, the first with cell ids.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        version = (notebook["nbformat"], notebook["nbformat_minor"])
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
            cell.setdefault("metadata", {})
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UsageError(
            f"{path} is not a notebook: {type(problem).__name__}: {problem}. Open and save it "
            f"with Jupyter, or take it from an earlier version."
        ) from problem
    if version[0] != 4 or version < (4, 5):
        raise UsageError(
            f"{path} is of notebook format {version[0]}.{version[1]}; 4.5 is needed, whose cells "
            f"have ids. Open and save it with JupyterLab 4."
        )
    return notebook  # type: ignore[no-any-return]


def regions(source: str) -> Iterator[tuple[str | None, str]]:
    """Yields each line of a cell with the kind of region it is in, a key of `MARKERS`, or None.

    The markers themselves belong to their region. A begin without an end runs to the cell's end.
    """
    inside: str | None = None
    for line in source.split("\n"):
        opened = next((kind for kind, (begin, _) in MARKERS.items() if begin in line), None)
        inside = inside or opened
        yield inside, line
        if inside and MARKERS[inside][1] in line:
            inside = None


def read_assignment(path: Path) -> Assignment:
    """Reads an assignment from its source notebook.

    Raises:
        UsageError: If the notebook cannot be read or breaks the rules of an assignment; names the
            cell and what to do.
    """
    notebook = read_notebook(path)
    cells = tuple(_cells(path, notebook))
    exercises, manual = _graded(path, cells)
    heading = (line for cell in cells if cell.kind == "text" for line in cell.source.split("\n"))
    title = next((line.lstrip("# ") for line in heading if line.startswith("# ")), path.stem)
    return Assignment(path.stem, title.strip(), path, cells, exercises, manual)


def _cells(path: Path, notebook: Mapping[str, Any]) -> Iterator[Cell]:
    ids: set[str] = set()
    grade_ids: set[str] = set()
    for number, cell in enumerate(notebook["cells"], 1):
        keys = cell["metadata"].get("nbgrader") or {}
        grade_id = keys.get("grade_id")
        where = f"{path}, cell {number}" + (f" ({grade_id})" if grade_id else "")
        identity = cell.get("id")
        if not isinstance(identity, str) or identity in ids:
            raise UsageError(f"{where}: its id {identity!r} is missing or not its own. Give one.")
        ids.add(identity)
        if keys and not isinstance(grade_id, str):
            raise UsageError(f"{where}: its nbgrader metadata has no grade_id. Give it a name.")
        if keys and grade_id in grade_ids:
            raise UsageError(f"{where}: its grade_id stands on an earlier cell. Rename one.")
        if grade_id:
            grade_ids.add(grade_id)
        lgm = cell["metadata"].get("lgm") or {}
        if lgm not in ({}, {"run": "never"}):
            raise UsageError(f'{where}: metadata.lgm is {{"run": "never"}} or absent, not {lgm}.')
        source = cell["source"]
        kind = _kind(cell["cell_type"], keys)
        yield Cell(
            id=identity,
            kind=kind,
            grade_id=grade_id,
            cell_type=cell["cell_type"],
            source=source,
            released=_released(where, cell["cell_type"], bool(keys.get("solution")), source),
            runs=cell["cell_type"] == "code" and not lgm,
            metadata=cell["metadata"],
            attachments=cell.get("attachments", {}),
        )


def _kind(cell_type: str, keys: Mapping[str, Any]) -> Kind:
    grade, solution = bool(keys.get("grade")), bool(keys.get("solution"))
    if keys.get("task") or (grade and (solution or cell_type != "code")):
        return "manual"
    if grade:
        return "test"
    if solution:
        return "solution"
    return "given" if cell_type == "code" else "text"


def _released(where: str, cell_type: str, is_solution: bool, source: str) -> str:
    """What nbgrader's ClearSolutions, ClearHiddenTests and ClearMarkScheme leave of a cell."""
    stub = STUB if cell_type == "code" else _TEXT_STUB
    if is_solution and MARKERS["solution"][0] not in source:
        return stub
    kept = []
    inside = False
    for region, line in regions(source):
        begins = region is not None and MARKERS[region][0] in line
        if begins and inside:
            raise UsageError(f"{where}: {line.strip()!r} stands inside another region. Close it.")
        if begins and region == "solution":
            kept.append(line[: len(line) - len(line.lstrip())] + stub)
        if region is None:
            kept.append(line)
        inside = region is not None and MARKERS[region][1] not in line
        if region is None and any(end in line for _, end in MARKERS.values()):
            raise UsageError(f"{where}: {line.strip()!r} ends what never began. Add its begin.")
    if inside:
        raise UsageError(f"{where}: a region begins and never ends. Add its END line.")
    return "\n".join(kept)


def _graded(
    path: Path, cells: tuple[Cell, ...]
) -> tuple[tuple[Exercise, ...], tuple[ManualCell, ...]]:
    exercises: list[Exercise] = []
    manual: list[ManualCell] = []
    open_cell: Cell | None = None
    earlier: tuple[str, ...] = ()
    for cell in cells:
        where = f"{path}, cell {cell.grade_id or cell.id}"
        if cell.kind in ("solution", "manual") and open_cell is not None:
            break
        if cell.kind == "solution":
            if cell.cell_type != "code":
                raise UsageError(
                    f"{where}: a solution in words is graded by hand: tick grade too."
                )
            open_cell = cell
        elif cell.kind == "test":
            if open_cell is None or cell.grade_id != f"test_{open_cell.grade_id}":
                due = f"test_{open_cell.grade_id}" if open_cell else "a solution cell before it"
                raise UsageError(
                    f"{where}: this test cell belongs to no exercise. Expected: {due}."
                )
            if not cell.metadata["nbgrader"].get("locked"):
                raise UsageError(f"{where}: a test cell must be locked. Set locked to true.")
            exercises.append(_exercise(path, open_cell, _points(where, cell), earlier))
            earlier += exercises[-1].functions
            open_cell = None
        elif cell.kind == "manual":
            if not str(cell.grade_id).startswith("manual_"):
                raise UsageError(
                    f"{where}: a cell marked by hand is named manual_…. Change its grade_id, or "
                    f"split solution and tests into two cells."
                )
            manual.append(ManualCell(str(cell.grade_id), _points(where, cell)))
    if open_cell is not None:
        raise UsageError(
            f"{path}, cell {open_cell.grade_id}: no test cell follows this solution cell. Add one "
            f"with grade_id test_{open_cell.grade_id} and the exercise's points."
        )
    return tuple(exercises), tuple(manual)


def _points(where: str, cell: Cell) -> float:
    points = cell.metadata["nbgrader"].get("points")
    if isinstance(points, bool) or not isinstance(points, int | float) or not points >= 0:
        raise UsageError(f"{where}: points is a number, at least 0. Received: {points!r}")
    return points


def _exercise(path: Path, cell: Cell, points: float, earlier: tuple[str, ...]) -> Exercise:
    where = f"{path}, cell {cell.grade_id}"
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as problem:
        raise UsageError(f"{where}, line {problem.lineno}: {problem.msg}.") from problem
    definitions = (ast.FunctionDef, ast.ClassDef)
    functions = tuple(node.name for node in tree.body if isinstance(node, definitions))
    if cell.grade_id not in functions:
        raise UsageError(
            f"{where}: an exercise defines a function of its name at top level, or a class. "
            f"Found: {', '.join(functions) or 'none'}."
        )
    return Exercise(str(cell.grade_id), points, functions, cell.source, cell.released, earlier)
