"""Which tests run, and what those of several folders share.

`--thorough` adds the long proofs; `--everything` fails if this machine cannot run a test.
"""

import functools
import os
import sys
from pathlib import Path

import pytest

from tests.not_run import BEGINNING

MISSING = pytest.StashKey[list[tuple[str, str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the switches."""
    help_text = "also run the long proofs (marked thorough), which take minutes each"
    parser.addoption("--thorough", action="store_true", help=help_text)
    help_text = "fail if this machine cannot run a test; otherwise its name is reported"
    parser.addoption("--everything", action="store_true", help=help_text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the long proofs out, visibly, unless they are asked for."""
    if config.getoption("--thorough"):
        return
    long = [item for item in items if item.get_closest_marker("thorough")]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


def pytest_configure(config: pytest.Config) -> None:
    """Starts the list of what could not be run."""
    config.stash[MISSING] = []
    config.pluginmanager.register(_Missing(config))


class _Missing:
    """Lists the tests that this machine cannot run."""

    def __init__(self, config: pytest.Config) -> None:
        self.missing = config.stash[MISSING]
        self.fails = config.getoption("--everything")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            _, _, reason = report.longrepr
            reason = reason.removeprefix("Skipped: ")
            if reason.startswith(BEGINNING):
                self.missing.append((report.nodeid, reason.removeprefix(BEGINNING)))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.missing:
            terminalreporter.section("not run on this machine", red=self.fails, yellow=True)
            for test, reason in self.missing:
                terminalreporter.write_line(f"NOT RUN {test}: {reason}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.missing and self.fails:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty gradebook to copy: making one starts a program and takes a second."""
    from nbgrader.api import Gradebook

    path = tmp_path_factory.mktemp("gradebook") / "gradebook.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        Gradebook(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def light_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the grader's processes import NumPy only, which is all that the toy course needs."""
    from autograder.judge import grader

    monkeypatch.setattr(grader, "Policy", functools.partial(grader.Policy, modules=("numpy",)))
