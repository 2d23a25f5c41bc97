"""A course whose submissions are attacks, graded one after another, and looked at after each.

Everything that must hold whatever is handed in is collected as sentences: none is right.
"""

import functools
import hashlib
import json
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from autograder.batch import one
from autograder.batch.one import Graded
from autograder.course import Course
from autograder.gradebook import Book, write_autograded
from autograder.judge import grader as judge_grader
from autograder.judge.grader import Grader, JudgeSlot
from autograder.report import write_feedback
from autograder.sandbox import watch
from tests.adversarial.case import Case, cells_of

__all__ = ["ASSIGNMENT", "HONEST", "Outcome", "Room", "plant"]

ASSIGNMENT = "a90_toy"
HONEST = "honest"
_SLACK_SECONDS = 2.0
# How the files begin that attacks try to leave outside.
_TRACE = "lgm-was"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What only others have. Attacks look for the pattern, which they spell in two halves.
CANARY = "lgm-canary-{}-5f3a9c"


def plant(course: Course, home: Path) -> list[str]:
    """Puts a secret wherever a student must not look; returns them all."""
    places = ("check", "reference", "gradebook", "submission", "home", "environment")
    secrets = {place: CANARY.format(place) for place in places}
    checks = course.hidden_folder(ASSIGNMENT) / "test_entropy.py"
    checks.write_text(f'{checks.read_text()}\n\nCANARY = "{secrets["check"]}"\n')
    model = course.root / "reference" / "toy.py"
    model.write_text(f'{model.read_text()}\n\nCANARY = "{secrets["reference"]}"\n')
    with Book(course) as book:
        book.ensure(course.assignment(ASSIGNMENT))
    with closing(sqlite3.connect(course.root / "gradebook.db")) as database, database:
        row = ("other", secrets["gradebook"])
        database.execute("INSERT INTO student (id, email) VALUES (?, ?)", row)
    other = course.submitted_folder("other", ASSIGNMENT) / f"{ASSIGNMENT}.ipynb"
    other.parent.mkdir(parents=True)
    other.write_text(secrets["submission"])
    key = home / ".ssh" / "id_rsa"
    key.parent.mkdir(parents=True)
    key.write_text(secrets["home"])
    os.environ["LGM_TEST_TOKEN"] = secrets["environment"]
    return list(secrets.values())


@dataclass
class Outcome:
    """What came of one submission.

    Attributes:
        ended: How the attack's cell ended: "done", "error", "timeout", ...
        obtained: What the attack says it got hold of; None if it never got to say so.
        violated: Sentences on what must hold and does not.
    """

    graded: Graded
    ended: str
    obtained: list[str] | None
    seconds: float
    violated: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All that anybody reads of it."""
        return json.dumps(self.graded.result.to_json(), ensure_ascii=False)


class Room(AbstractContextManager["Room"]):
    """A grader with one slot, in which whatever is handed in is graded in turn."""

    def __init__(
        self,
        course: Course,
        secrets: list[str],
        modules: tuple[str, ...],
        without: frozenset[str] = frozenset(),
        modes: tuple[str, ...] = ("full",),
        isolation: str = "fork",
    ) -> None:
        """Starts nothing yet; `without` are layers that are left out."""
        self.course = course
        self._secrets = secrets
        self._stack = ExitStack()
        policy = functools.partial(judge_grader.Policy, modules=modules, without=without)
        assignment = course.assignment(ASSIGNMENT)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(judge_grader, "Policy", policy)
            # With a layer left out there is nothing that would hold.
            self._grader = Grader(course, assignment, bool(without), modes, isolation)
        self.whole = not without
        self._slot: JudgeSlot | None = None
        self._book = Book(course)
        self._at_rest = 0

    def __enter__(self) -> "Room":
        """Opens the gradebook, the template and the slot."""
        self._stack.enter_context(self._book)
        self._book.ensure(self.course.assignment(ASSIGNMENT))
        self._stack.enter_context(self._grader)
        self._slot = self._stack.enter_context(self._grader.slot())
        # The first one waits for the imports.
        hand_in(self.course, Case("", HONEST))
        self._grade(HONEST)
        time.sleep(0.2)
        self._at_rest = len(self._processes())
        return self

    def __exit__(self, *_: object) -> None:
        """Ends everything."""
        self._stack.close()

    def outcome(self, case: Case) -> Outcome:
        """Grades what a case hands in, and looks at what must hold."""
        hand_in(self.course, case)
        violated: list[str] = []
        with self._unchanged(violated):
            start = time.monotonic()
            graded = self._grade(student_of(case))
            seconds = time.monotonic() - start
        outcome = Outcome(graded, *_attack_of(graded), seconds, violated)
        if self.whole:
            violated += self._read_by_people(case, outcome)
            if seconds > case.seconds + _SLACK_SECONDS:
                violated.append(f"I5: it took {seconds:.1f} s, of {case.seconds} s")
            violated += self._next_one()
            violated += self._left()
        return outcome

    def _grade(self, student: str) -> Graded:
        assert self._slot is not None
        assignment = self.course.assignment(ASSIGNMENT)
        return one.judge_submission(
            self.course, assignment, student, self._slot, self._grader.mode
        )

    def _next_one(self) -> Iterator[str]:
        result = self._grade(HONEST).result
        if (result.status, result.score) != ("graded", 10):
            yield f"I7: the next submission: {result.status}, {result.score}, {result.reason}"

    @contextmanager
    def _unchanged(self, violated: list[str]) -> Iterator[None]:
        before = self._snapshot()
        yield
        after = self._snapshot()
        for path in sorted(before.keys() | after.keys()):
            if before.get(path) != after.get(path):
                violated.append(f"I2/I4: {path} was changed, made or deleted")

    def _left(self) -> Iterator[str]:
        """Between two submissions there are our own processes, as many as before the first."""
        deadline = time.monotonic() + 2
        while len(found := self._processes()) != self._at_rest:
            if time.monotonic() > deadline:
                named = {pid: _command(pid) for pid in found}
                yield f"I3: {self._at_rest} processes are ours, there are {named}"
                return
            time.sleep(0.01)

    def _processes(self) -> list[int]:
        """Those of this room: other rooms may be open."""
        template = self._grader._template
        launchers = [template._process, *template._alone]
        running = [process.pid for process in launchers if process and process.poll() is None]
        return [pid for launcher in running for pid in watch.processes(launcher)]

    def _snapshot(self) -> dict[str, str]:
        """The hashes of all files of the course, and what lies where anybody may write."""
        found = {}
        for path in sorted(self.course.root.rglob("*")):
            if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
                if path.stat().st_size < 10**6:
                    found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("/tmp", "/dev/shm", "/var/tmp", os.environ["HOME"]):  # noqa: S108
            if os.path.isdir(folder):
                # Others work on this machine, too, but not in this home.
                own = folder == os.environ["HOME"]
                names = [n for n in os.listdir(folder) if own or n.startswith(_TRACE)]
                found |= {f"{folder}/{name}": "there" for name in names}
        return found

    def _read_by_people(self, case: Case, outcome: Outcome) -> Iterator[str]:
        """Writes what is written of a submission, and looks for what must not stand there."""
        graded = outcome.graded
        folder = write_autograded(self.course, graded.submission, graded.result, graded.notebook)
        self._book.record(graded.result, graded.submission)
        marks = self._book.marks(ASSIGNMENT)
        (page,) = write_feedback(self.course, ASSIGNMENT, [graded.result], marks)
        texts = {path.name: path.read_text() for path in [*folder.glob("*.*"), page]}
        for name, text in texts.items():
            for secret in self._secrets:
                if secret in text:
                    yield f"I1: {secret} stands in {name}"
        if case.hides and case.hides in texts[page.name]:
            yield f"A11: {case.hides} stands in {page.name}"
        for place in (str(self.course.root), str(Path(one.__file__).parents[2])):
            if place in texts[page.name]:
                yield f"I1: {place} stands in {page.name}"
        for line in [*graded.log, *_strings(graded.result.to_json())]:
            if _CONTROL.search(line):
                yield f"I9: control characters in {line!r}"
        if any("\n" in line or len(line) > 10_000 for line in graded.log):
            yield "I9: a line of the log that is none, or has no end"
        if graded.result.status == "undecided":
            yield f"I8: it is undecided: {graded.result.reason}"
        for exercise in graded.result.exercises:
            if {check.outcome for check in exercise.checks} - {"passed", "failed"}:
                yield f"I8: {exercise.name} is not decided"


def student_of(case: Case) -> str:
    """Returns under which name a case hands in."""
    return HONEST if case.title == HONEST else re.sub(r"[^A-Za-z0-9]+", "-", case.name).lower()


def hand_in(course: Course, case: Case) -> None:
    """Writes a case's submission."""
    sources = cells_of(case)
    cells: list[dict[str, Any]] = []
    for cell in course.assignment(ASSIGNMENT).cells:
        entry = {"id": cell.id, "cell_type": cell.cell_type, "metadata": dict(cell.metadata)}
        entry["source"] = sources.get(cell.grade_id or "", cell.released)
        if cell.cell_type == "code":
            entry |= {"outputs": [], "execution_count": None}
        cells.append(entry)
        if cell.grade_id == "test_sigmoid":
            added = {"id": "attack", "cell_type": "code", "metadata": {}, "outputs": []}
            cells.append(added | {"source": sources["attack"], "execution_count": None})
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    folder = course.submitted_folder(student_of(case), ASSIGNMENT)
    # What was handed in before, for another room, may be a link.
    if folder.parent.exists():
        if folder.is_symlink():
            folder.unlink()
        shutil.rmtree(folder.parent)
    folder.mkdir(parents=True)
    (folder / f"{ASSIGNMENT}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    if case.hand_in is not None:
        case.hand_in(course, folder)


def _attack_of(graded: Graded) -> tuple[str, list[str] | None]:
    """How the attack's cell ended, and what it says it obtained."""
    if graded.notebook is None:
        return "refused", None
    outputs = [
        output
        for cell in graded.notebook["cells"]
        # Intake gives a cell of the student's own a new id.
        if cell["id"] == "student-1"
        for output in cell["outputs"]
    ]
    errors = [output["ename"] for output in outputs if output["output_type"] == "error"]
    ours = {"Timeout", "Memory", "Limit", "Crashed", "Protocol"}
    ended = "done"
    if errors:
        ended = errors[-1].lower() if errors[-1] in ours else "error"
    text = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
    said = re.findall(r"^OBTAINED (.*)$", text, re.MULTILINE)
    return ended, json.loads(said[-1]) if said else None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone"


def with_limits(course: Course, **limits: Any) -> Course:
    """Returns the course with other limits."""
    return replace(course, settings=replace(course.settings, **limits))
