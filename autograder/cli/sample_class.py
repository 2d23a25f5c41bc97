"""A made-up class: submissions of every kind, made from the release of an assignment.

The answers come from the reference, from the accepted alternatives and from the catalogued
mistakes, so the class exists for every assignment.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.course import Assignment, Course
from autograder.course.reference_source import solution_code, standalone
from autograder.judge.catalogue import Entry, entries

__all__ = ["STUDENTS", "sample_submission", "write_sample_class"]


_WORDS = "These are a few words of mine, $x < y$, for a tutor to read and mark."


@dataclass(frozen=True)
class _Material:
    course: Course
    assignment: Assignment
    release: Mapping[str, Any]
    right: Mapping[str, str]
    entries: Sequence[Entry]

    def names(self) -> list[str]:
        return list(self.right)

    def filled(self, answers: Mapping[str, str]) -> bytes:
        """The release with some solution cells answered, as a file.

        Whoever answers anything also writes a few words for the tutor to mark.
        """
        notebook = copy.deepcopy(dict(self.release))
        words = dict.fromkeys((c.grade_id for c in self.assignment.manual), _WORDS)
        written = {**words, **answers} if answers else {}
        for cell in notebook["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            if name in written:
                cell["source"] = written[name]
        return _file(notebook)

    def other(self, kind: str, number: int) -> dict[str, str]:
        """The right answers, with the catalogue's entry `number` of a kind where there is one."""
        answers = dict(self.right)
        for exercise in self.assignment.exercises:
            chosen = [e for e in self.entries if e.kind == kind and e.exercise == exercise.name]
            chosen = [entry for entry in chosen if not entry.undetectable]
            if chosen:
                code = standalone(self.course, chosen[number % len(chosen)].source)
                whole = len(exercise.functions) == 1
                answers[exercise.name] = code if whole else f"{answers[exercise.name]}\n\n\n{code}"
        return answers


def _file(notebook: Mapping[str, Any]) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _some_mistakes(material: _Material) -> bytes:
    mistakes, names = material.other("mistake", 0), material.names()
    wrong = {name: mistakes[name] for name in names[1::3]}
    return material.filled({**material.right, **wrong})


def _half(material: _Material) -> bytes:
    names = material.names()
    return material.filled({name: material.right[name] for name in names[: (len(names) + 1) // 2]})


def _with(material: _Material, index: int, code: str) -> bytes:
    name = material.names()[index]
    return material.filled({**material.right, name: f"{material.right[name]}\n\n\n{code}"})


def _edited(material: _Material) -> bytes:
    """Right answers; one test cell deleted, one edited, one solution cell pasted twice."""
    notebook = json.loads(material.filled(material.right))
    names, cells = material.names(), []
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name == f"test_{names[0]}":
            continue
        if name == f"test_{names[1]}":
            cell["source"] = "print('all tests passed')"
            cell["metadata"]["nbgrader"]["points"] = 100
        cells.append(cell)
        if name == names[2]:
            cells.append(copy.deepcopy(cell))
    return _file({**notebook, "cells": cells})


def _damaged(material: _Material) -> bytes:
    whole = material.filled(material.right)
    return whole[: len(whole) // 2]


# Student, what they hand in, and the notebook that shows it (None: an empty folder).
STUDENTS: tuple[tuple[str, str, Callable[[_Material], bytes] | None], ...] = (
    ("ada_right", "right answers", lambda m: m.filled(m.right)),
    ("bob_alternative", "right answers in another style",
     lambda m: m.filled(m.other("alternative", 0))),
    ("cleo_mistakes", "a few mistakes", _some_mistakes),
    ("dan_half", "the first half, the rest left empty", _half),
    ("eve_all_wrong", "a mistake in every exercise", lambda m: m.filled(m.other("mistake", 1))),
    ("finn_untouched", "the release as it is", lambda m: m.filled({})),
    ("gus_crashes", "one cell ends Python",
     lambda m: _with(m, -1, "import os\nos._exit(3)")),
    ("hal_endless", "one cell never ends", lambda m: _with(m, 1, "while True:\n    pass")),
    ("ida_hungry", "one cell eats memory",
     lambda m: _with(m, 2, "hoard = []\nwhile True:\n    hoard.append(bytearray(1 << 26))")),
    ("jo_noisy", "one cell prints without end",
     lambda m: _with(m, 3, "while True:\n    print('la la la ' * 50)")),
    ("kim_typo", "a syntax error in one cell", lambda m: _with(m, 0, "def oops(:\n    pass")),
    ("lea_edited", "locked cells deleted, edited, pasted twice", _edited),
    ("max_damaged", "half a file", _damaged),
    ("nia_missing", "nothing", None),
)  # fmt: skip


def write_sample_class(course: Course, assignment: Assignment) -> None:
    """Writes `submitted/` for the made-up class. The assignment must be released."""
    material = _material(course, assignment)
    for student, _, make in STUDENTS:
        folder: Path = course.submitted_folder(student, assignment.name)
        folder.mkdir(parents=True)
        if make is not None:
            (folder / f"{assignment.name}.ipynb").write_bytes(make(material))


def sample_submission(course: Course, assignment: Assignment, student: str) -> bytes:
    """Returns what one of the made-up class hands in, one with a notebook."""
    (make,) = (make for name, _, make in STUDENTS if name == student)
    if make is None:
        raise ValueError(f"{student} hands in nothing.")
    return make(_material(course, assignment))


def _material(course: Course, assignment: Assignment) -> _Material:
    release = course.release_folder(assignment.name) / f"{assignment.name}.ipynb"
    return _Material(
        course,
        assignment,
        json.loads(release.read_text(encoding="utf-8")),
        {e.name: solution_code(course, e) for e in assignment.exercises},
        entries(course, assignment),
    )
