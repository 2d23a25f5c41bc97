"""The cells of a submission against those of the assignment.

A cell is known by its `grade_id`, else by its nbformat id, else by its text. Of a known cell, only
what students are to write is taken from the submission: the text of answers. Type, settings and
the text of given cells are the assignment's. Cells of a name that are missing are put back.

Where an answer was pasted more than once, the first of the copies that answer most of the
exercise's functions counts. A copy that defines one of the same functions again is not run, since
it would undo the one that counts; other copies (a cell that was split) are run.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.course import Assignment, Cell
from autograder.errors import BadSubmission
from autograder.intake._answers import answered, defined
from autograder.intake._notebook import HandedIn
from autograder.intake._words import listed, quoted

__all__ = ["Placed", "restore"]

_SETTINGS = ("grade", "solution", "locked", "task")
_TYPES = {"code": "code", "markdown": "Markdown", "raw": "raw"}


@dataclass(frozen=True)
class Placed:
    """A cell of the restored notebook.

    Attributes:
        id: Its own in the notebook.
        known: The assignment's cell, or None if the student added this one.
        handed_in: The student's cell, or None if it was missing.
        cell_type: "code", "markdown" or "raw".
        source: Its text.
        run: Whether the grader runs it.
    """

    id: str
    known: Cell | None
    handed_in: HandedIn | None
    cell_type: str
    source: str
    run: bool

    @property
    def name(self) -> str:
        """What people call it: its `grade_id`, else its place in what was handed in."""
        if self.known is not None and self.known.grade_id is not None:
            return self.known.grade_id
        return f"cell {self.handed_in.number}" if self.handed_in else self.id


def restore(assignment: Assignment, found: Sequence[HandedIn], repairs: list[str]) -> list[Placed]:
    """Matches cells with the assignment's and puts back what is missing or edited.

    Args:
        assignment: The assignment.
        found: The cells, in the order in which they were handed in.
        repairs: Gets a sentence on each thing that was put right.

    Raises:
        BadSubmission: If nothing in it belongs to the assignment.
    """
    known = _recognised(assignment, found, repairs)
    if not known and not _defines_any(assignment, found):
        raise BadSubmission(
            f"None of the notebook's {len(found)} cells belongs to {assignment.name}. Hand in the "
            f"notebook of this assignment."
        )
    chosen, idle = _chosen(assignment, found, known, repairs)
    placed = _in_order(assignment, found, chosen, idle)
    _tell_changes(assignment, placed, repairs)
    return placed


@dataclass(frozen=True)
class _Index:
    """The assignment's cells by what they can be recognised by.

    Attributes:
        there: The names that some cell of the submission has, spelled as they should be.
    """

    named: Mapping[str, Cell]
    folded: Mapping[str, Cell]
    by_id: Mapping[str, Cell]
    by_text: Mapping[tuple[str, str], Cell]
    there: frozenset[str]


def _recognised(
    assignment: Assignment, found: Sequence[HandedIn], repairs: list[str]
) -> dict[int, Cell]:
    """The assignment's cell by the number of the cell that was handed in."""
    named = {cell.grade_id: cell for cell in assignment.cells if cell.grade_id is not None}
    index = _Index(
        named=named,
        folded={name.casefold(): cell for name, cell in named.items()},
        by_id={cell.id: cell for cell in assignment.cells},
        by_text={(c.cell_type, c.released): c for c in assignment.cells if c.grade_id is None},
        there=frozenset(cell.grade_id for cell in found if cell.grade_id in named),
    )
    known: dict[int, Cell] = {}
    strange = []
    for cell in found:
        match = _match(cell, index, repairs)
        if match is not None:
            known[cell.number] = match
        elif cell.grade_id is not None:
            strange.append(quoted(cell.grade_id))
    if strange:
        repairs.append(
            f"The assignment has no graded or locked cell {listed(strange)}: taken for a cell of "
            f"the student's own, which earns nothing by itself."
        )
    return known


def _match(cell: HandedIn, index: _Index, repairs: list[str]) -> Cell | None:
    if cell.grade_id is not None:
        if cell.grade_id in index.named:
            return index.named[cell.grade_id]
        match = index.folded.get(cell.grade_id.strip().casefold())
        if match is not None and match.grade_id not in index.there:
            repairs.append(
                f"The cell {quoted(cell.grade_id)} was taken for {match.grade_id}, which is how "
                f"the assignment spells it."
            )
            return match
    match = index.by_id.get(cell.id or "")
    if match is None:
        return index.by_text.get((cell.cell_type, cell.source))
    if match.grade_id is None:
        return match if match.cell_type == cell.cell_type else None
    if match.grade_id in index.there:
        return None
    repairs.append(f"The cell {match.grade_id} had lost its name and was recognised by its id.")
    return match


def _defines_any(assignment: Assignment, found: Sequence[HandedIn]) -> bool:
    functions = {name for exercise in assignment.exercises for name in exercise.functions}
    return any(cell.cell_type == "code" and defined(cell.source) & functions for cell in found)


def _chosen(
    assignment: Assignment,
    found: Sequence[HandedIn],
    known: dict[int, Cell],
    repairs: list[str],
) -> tuple[dict[int, Cell], set[int]]:
    """Of several copies of a cell, the one that counts; and the numbers of those not run."""
    chosen: dict[int, Cell] = {}
    idle: set[int] = set()
    for cell in assignment.cells:
        copies = [handed for handed in found if known.get(handed.number) is cell]
        if not copies:
            continue
        best = _best(assignment, cell, copies)
        chosen[best.number] = cell
        if len(copies) == 1:
            continue
        others = [copy for copy in copies if copy is not best]
        stopped = [copy for copy in others if not _runs_beside(cell, best, copy)]
        idle |= {copy.number for copy in stopped}
        if cell.grade_id is not None:
            repairs.append(_copies_sentence(cell, best, others, stopped))
    return chosen, idle


def _best(assignment: Assignment, cell: Cell, copies: Sequence[HandedIn]) -> HandedIn:
    if cell.kind == "solution":
        functions = set(assignment.exercise(str(cell.grade_id)).functions)
        return max(copies, key=lambda copy: len(answered(copy.source) & functions))
    if cell.kind == "manual":
        return max(copies, key=lambda copy: copy.source.strip() != cell.released.strip())
    return copies[0]


def _runs_beside(cell: Cell, best: HandedIn, copy: HandedIn) -> bool:
    """Whether a copy runs although another one counts."""
    if cell.kind != "solution":
        return cell.runs
    # An empty or broken copy defines nothing, and does nothing.
    return not defined(copy.source) & defined(best.source)


def _copies_sentence(
    cell: Cell,
    best: HandedIn,
    others: Sequence[HandedIn],
    stopped: Sequence[HandedIn],
) -> str:
    numbers = sorted(copy.number for copy in (best, *others))
    sentence = (
        f"The cell {cell.grade_id} was there {len(numbers)} times (cells {listed(numbers)} of the "
        f"notebook). Cell {best.number} counts"
    )
    if cell.kind == "solution":
        sentence += ", the first of those that answer most"
    if stopped and cell.cell_type == "code":
        verb = "is" if len(stopped) == 1 else "are"
        numbers = [copy.number for copy in stopped]
        sentence += f"; {listed(numbers)} {verb} kept to read but not run"
    return sentence + "."


def _in_order(
    assignment: Assignment,
    found: Sequence[HandedIn],
    chosen: dict[int, Cell],
    idle: set[int],
) -> list[Placed]:
    fresh = _fresh_ids({cell.id for cell in assignment.cells})
    placed = []
    for handed in found:
        cell = chosen.get(handed.number)
        if cell is not None:
            source = cell.released if _is_given(cell) else handed.source
            cell_type = cell.cell_type
            placed.append(Placed(cell.id, cell, handed, cell_type, source, cell.runs))
        else:
            run = handed.cell_type == "code" and handed.number not in idle
            placed.append(Placed(next(fresh), None, handed, handed.cell_type, handed.source, run))
    _put_back(assignment, placed)
    return placed


def _put_back(assignment: Assignment, placed: list[Placed]) -> None:
    """Puts each missing cell of a name behind the cell that precedes it in the assignment."""
    there = {cell.known.id for cell in placed if cell.known is not None}
    previous: str | None = None
    for cell in assignment.cells:
        if cell.grade_id is not None and cell.id not in there:
            # A stub is not run: the student may have answered in a cell of their own.
            run = cell.runs and cell.kind != "solution"
            ids = [one.id for one in placed]
            index = 0 if previous is None else ids.index(previous) + 1
            placed.insert(index, Placed(cell.id, cell, None, cell.cell_type, cell.released, run))
            there.add(cell.id)
        if cell.id in there:
            previous = cell.id


def _is_given(cell: Cell) -> bool:
    """Whether students must leave the cell's text alone."""
    settings = cell.metadata.get("nbgrader") or {}
    if settings.get("solution"):
        return False
    return any(settings.get(name) for name in ("grade", "locked", "task"))


def _fresh_ids(taken: set[str]) -> Iterator[str]:
    names = (f"student-{number}" for number in itertools.count(1))
    return (name for name in names if name not in taken)


def _tell_changes(assignment: Assignment, placed: Sequence[Placed], repairs: list[str]) -> None:
    tagged = []
    for cell in placed:
        known, handed = cell.known, cell.handed_in
        if handed is None:
            answer = known is not None and known.kind in ("solution", "manual")
            without = ", without an answer" if answer else ""
            repairs.append(f"The cell {cell.name} was missing and was put back{without}.")
            continue
        if not set(handed.tags) <= set(known.metadata.get("tags", ()) if known else ()):
            tagged.append(cell.name)
        if known is not None and known.grade_id is not None:
            repairs += _changes(cell, known, handed)
    if tagged:
        repairs.append(
            f"Tags were removed from {listed(tagged)}: the grader runs a cell whatever its tags."
        )
    order = [cell.known.id for cell in placed if cell.known is not None and cell.known.grade_id]
    if order != [cell.id for cell in assignment.cells if cell.grade_id]:
        repairs.append(
            "The cells stand in another order than in the assignment; they were run in the order "
            "in which they were handed in."
        )


def _changes(cell: Placed, known: Cell, handed: HandedIn) -> Iterator[str]:
    if handed.cell_type != cell.cell_type:
        yield (
            f"The cell {cell.name} was a {_TYPES[handed.cell_type]} cell and was made a "
            f"{_TYPES[cell.cell_type]} cell again."
        )
    if cell.source.rstrip() != handed.source.rstrip():
        yield (
            f"The cell {cell.name} is given, and its text had been edited: the assignment's own "
            f"text was put back."
        )
    changed = _changed_settings(known, handed)
    if changed:
        yield (
            f"The settings of the cell {cell.name} had been changed ({listed(changed)}): the "
            f"assignment's own count."
        )


def _changed_settings(cell: Cell, handed: HandedIn) -> list[str]:
    own = cell.metadata["nbgrader"]
    if not handed.nbgrader:
        return []
    changed = [
        name for name in _SETTINGS if bool(handed.nbgrader.get(name)) != bool(own.get(name))
    ]
    if own.get("grade") and handed.nbgrader.get("points") != own.get("points"):
        changed.append("points")
    return changed
