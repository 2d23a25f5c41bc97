"""Submissions in this very process, for tests of the checking language."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from autograder.checks import Seeds, Stages, stages_for
from autograder.judge.student import LocalTransport, Student

Submit = Callable[..., tuple[Student, Stages]]


@pytest.fixture(autouse=True)
def without_tensorflow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides TensorFlow where only NumPy is used: seeding it anew costs milliseconds per probe."""
    if request.path.stem != "test_with_tensorflow":
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)


@pytest.fixture
def submit() -> Submit:
    """Makes submissions of functions, each with its stages.

    The functions work on NumPy arrays; probes and results pass through the bytes of the wire.
    """

    def make(
        functions: Mapping[str, Any] | None = None,
        seed: str = "ada",
        arrays_as: str = "numpy",
        **named: Any,
    ) -> tuple[Student, Stages]:
        seeds = Seeds(b"secret of the tests", seed, "a90_toy", "test_check")
        transport = LocalTransport({**(functions or {}), **named})
        return Student(transport, seeds, arrays_as), stages_for(seeds)

    return make
