"""The judge: a trusted process that grades one submission after another.

It is forked from the template, loads the hidden checks and the reference, which exist in no other
process, and speaks to student processes over the wire. It has no network, no gradebook and no
other submission; what leaves it is one JSON document per submission.
"""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder.checks import Seeds
from autograder.errors import SandboxFailure
from autograder.judge.run import Budget, Cell, Link, Run
from autograder.judge.session import Checks, Finding, collected
from autograder.judge.student import Student, lost_functions

__all__ = ["main"]


def main(link: Any, settings: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Grades the jobs of `link` until there are no more.

    Args:
        link: The judge's end of its slot, an `autograder.sandbox.link.Link`.
        settings: `root`, `assignment`, `points` by exercise, `signatures` by function,
            `seconds` (cell, probe, submission) and `secret` (hexadecimal).
    """
    sys.path.insert(0, settings["root"])
    folder = Path(settings["root"]) / "tests" / "hidden" / settings["assignment"]
    collected(folder, settings["points"], lambda checks: _serve(checks, link, settings))


def _serve(checks: Checks, link: Any, settings: Mapping[str, Any]) -> None:  # noqa: ANN401
    while (job := link.next_job()) is not None:
        link.finish(_grade(checks, link, settings, job))


def _grade(
    checks: Checks, link: Link, settings: Mapping[str, Any], job: Mapping[str, Any]
) -> dict[str, Any]:
    start = time.monotonic()
    cells = [Cell(cell["id"], cell["source"]) for cell in job["cells"]]
    run = Run(link, cells, Budget(**settings["seconds"]))
    secret = bytes.fromhex(settings["secret"])

    def connect(exercise: str, check: str) -> Student:
        seeds = Seeds(secret, job["seed_name"], settings["assignment"], check)
        lost = lost_functions(run.unfinished())
        return Student(run, seeds, checks.arrays_as, settings["signatures"], lost)

    try:
        run.start()
        results, findings = checks.run(connect, job.get("only"))
    except SandboxFailure as problem:
        return {"undecided": str(problem), "seconds": time.monotonic() - start}
    finally:
        run.close()
    return {
        "undecided": None,
        "seconds": time.monotonic() - start,
        "exercises": [
            {
                "name": exercise.name,
                "max_points": exercise.max_points,
                "checks": [_record(findings[check.id]) for check in exercise.checks],
            }
            for exercise in results
        ],
        "cells": {
            name: {"outcome": cell.outcome, "outputs": cell.outputs}
            for name, cell in run.cells.items()
        },
    }


def _record(finding: Finding) -> dict[str, Any]:
    result = finding.result
    return {
        "id": result.id,
        "outcome": result.outcome,
        "points": result.points,
        "max_points": result.max_points,
        "message": result.message,
        "bound": finding.bound,
        "seconds": finding.seconds,
        "log": list(finding.log),
    }
