"""What the tests of the judge share: a submission in this process, and the toy course, graded."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from autograder.course import Course
from autograder.course.reference_source import solution_code
from autograder.errors import RunEnded
from autograder.judge.grader import Grader, Verdict
from autograder.judge.student import LocalTransport
from autograder.sandbox.wire import Message


@dataclass
class LocalRun:
    """Stands for a `Run`: cells and probes share a namespace of this process."""

    cells: str = ""
    namespace: dict[str, Any] = field(default_factory=dict)
    started: int = 0

    def execute(self, source: str) -> bool:
        if not self.namespace:
            self.started += 1
            exec(self.cells, self.namespace)
        try:
            exec(source, self.namespace)
        except RunEnded:
            self.namespace = {}
            raise
        except Exception:
            return False
        return True

    def exchange(self, message: Message) -> Message:
        return LocalTransport(self.namespace).exchange(message)


Grade = Callable[[Mapping[str, str]], Verdict]


@pytest.fixture
def graded(toy_course: Course, light_sandbox: None) -> Iterator[Grade]:
    """Grades answers to the toy course's exercises, in its sandbox; the others are right."""
    assignment = toy_course.assignment("a90_toy")
    right = {e.name: solution_code(toy_course, e) for e in assignment.exercises}

    with Grader(toy_course, assignment, own_code=True) as grader, grader.slot() as slot:

        def grade(answers: Mapping[str, str]) -> Verdict:
            cells = []
            for cell in assignment.cells:
                if cell.kind == "solution":
                    source = {**right, **answers}[str(cell.grade_id)]
                    cells.append({"id": cell.id, "source": source})
                elif cell.runs and cell.kind != "test":
                    cells.append({"id": cell.id, "source": cell.source})
            return slot.grade(cells, "ada")

        yield grade
