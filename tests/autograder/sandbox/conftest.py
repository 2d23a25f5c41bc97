"""What the tests of the sandbox share: one light template, and what must hold after every run."""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autograder.sandbox import watch
from autograder.sandbox.policy import Limits, Policy
from autograder.sandbox.slot import Slot
from autograder.sandbox.template import Template

# Stands in what only the judge has. Student code looks for the two halves, so that it does not
# find itself.
SECRET = "the-judge-alone-knows-this"  # noqa: S105
LIMITS = Limits(
    cell_seconds=8,
    probe_seconds=8,
    submission_seconds=60,
    memory_mebibytes=400,
    data_mebibytes=1024,
    processes=48,
)


@dataclass(frozen=True)
class Cell:
    """What one cell showed: the kind of its last message, and its outputs."""

    kind: str
    outputs: list[dict[str, Any]]

    @property
    def text(self) -> str:
        """What it printed."""
        return "".join(o["text"] for o in self.outputs if o["output_type"] == "stream")

    @property
    def value(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Ran:
    """What a run showed, and how it ended."""

    cells: list[Cell]
    end: dict[str, Any]
    seconds: float

    @property
    def last(self) -> Cell:
        """The last cell."""
        return self.cells[-1]


Run = Callable[..., Ran]


def _policy(folder: Path, without: frozenset[str] = frozenset(), **how: Any) -> Policy:
    hidden = folder / "hidden"
    hidden.mkdir(exist_ok=True)
    (hidden / "test_hidden.py").write_text(f'SECRET = "{SECRET}"\n')
    (folder / "data.csv").write_text("1,2\n")
    return Policy(
        LIMITS, (hidden,), (folder / "data.csv",), modules=("numpy",), without=without, **how
    )


@pytest.fixture(scope="session")
def course_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data.csv`, which is public, and `hidden/`, which only the judge sees."""
    return tmp_path_factory.mktemp("course")


HOW = [
    pytest.param({}, id="full"),
    pytest.param({"isolation": "exec"}, id="exec", marks=pytest.mark.thorough),
    pytest.param({"modes": ("jail",)}, id="jail", marks=pytest.mark.thorough),
]


@pytest.fixture(scope="session", params=HOW)
def template(request: pytest.FixtureRequest, course_folder: Path) -> Iterator[Template]:
    """What has imported NumPy only; once in each way to isolate what a tutor hands in."""
    with Template(_policy(course_folder, **request.param)) as started:
        yield started


@pytest.fixture(scope="session")
def slot(template: Template) -> Iterator[Slot]:
    """A slot whose judge runs cells and knows the secret."""
    with Slot(template, "autograder.sandbox.selftest:run_cells", {"secret": SECRET}) as started:
        yield started


def _runner(template: Template, slot: Slot) -> Run:
    def run(*cells: str, seconds: float = LIMITS.cell_seconds) -> Ran:
        before = set(processes_of(template))
        start = time.monotonic()
        document = slot.run({"cells": list(cells), "seconds": seconds})
        ended = time.monotonic() - start
        deadline = time.monotonic() + 2
        while left := set(processes_of(template)) - before:
            # The keeper ends a moment after the rest.
            assert time.monotonic() < deadline, f"processes are left: {left}"
            time.sleep(0.01)
        found = [Cell(cell["kind"], cell["outputs"]) for cell in document["cells"]]
        return Ran(found, document["end"], ended)

    return run


def processes_of(template: Template) -> list[int]:
    """Returns the ids of all processes below a template's launchers."""
    launchers = [template._process, *template._alone]
    running = [process.pid for process in launchers if process and process.poll() is None]
    return [pid for launcher in running for pid in watch.processes(launcher)]


@pytest.fixture
def run(template: Template, slot: Slot) -> Run:
    """Runs cells in a fresh student process, and asserts that no process is left after it."""
    slot.run({"cells": []})
    return _runner(template, slot)


@pytest.fixture
def run_without(make_run: Callable[..., Run]) -> Callable[..., Run]:
    """Makes a `run` in which some layers are left out."""
    return lambda *layers: make_run(without=frozenset(layers))


@pytest.fixture
def make_run(course_folder: Path) -> Iterator[Callable[..., Run]]:
    """Makes a `run` under another policy."""
    opened: list[Any] = []

    def make(**how: Any) -> Run:
        template = Template(_policy(course_folder, **how))
        opened.append(template.__enter__())
        slot = Slot(template, "autograder.sandbox.selftest:run_cells", {"secret": SECRET})
        opened.append(slot.__enter__())
        slot.run({"cells": []})
        return _runner(template, slot)

    yield make
    for context in reversed(opened):
        context.__exit__(None, None, None)


@pytest.fixture
def secret() -> str:
    """What only the judge knows."""
    return SECRET


@pytest.fixture
def limits() -> Limits:
    """What the runs may use."""
    return LIMITS


@pytest.fixture
def own_pid() -> int:
    """The id of the process that runs the tests."""
    return os.getpid()
