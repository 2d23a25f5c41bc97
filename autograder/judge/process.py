"""The judge: a trusted process that grades one submission after another.

It is forked from the template, loads the hidden checks and the reference, which exist in no other
process, and speaks to student processes over the wire. It has no network, no gradebook and no
other submission; what leaves it is one JSON document per submission.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autograder.checks import Seeds
from autograder.errors import SandboxFailure
from autograder.judge.catalogue import Entry
from autograder.judge.diagnosis import Diagnosis, recognised
from autograder.judge.follow_through import followed_through
from autograder.judge.reference import Reference
from autograder.judge.run import Budget, Cell, CellRun, Link, Run
from autograder.judge.session import Checks, Finding, collected
from autograder.judge.student import Student, Transport, lost_functions

__all__ = ["main"]


def main(link: Any, settings: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Grades the jobs of `link` until there are no more.

    Args:
        link: The judge's end of its slot, an `autograder.sandbox.link.Link`.
        settings: `root`, `assignment`, `points` by exercise, `signatures` by function,
            `seconds` (cell, probe, submission), `reference` (an
            `autograder.judge.reference.Reference`), `secret` (hexadecimal) and `only_visible`:
            whether only the checks that the notebook shows decide anything.
    """
    sys.path.insert(0, settings["root"])
    folder = Path(settings["root"]) / "tests" / "hidden" / settings["assignment"]
    collected(folder, settings["points"], lambda checks: _serve(checks, link, settings))


def _serve(checks: Checks, link: Any, settings: Mapping[str, Any]) -> None:  # noqa: ANN401
    judge = _Judge(checks, link, settings)
    while (job := link.next_job()) is not None:
        link.finish(judge.grade(job))


class _Judge:
    """The collected checks of one assignment, and the way to student processes."""

    def __init__(self, checks: Checks, link: Link, settings: Mapping[str, Any]) -> None:
        self.checks = checks
        self.link = link
        self.settings = settings
        self.reference = Reference.from_json(settings["reference"])
        self.diagnosis = Diagnosis(checks, self.reference, self._student)

    def grade(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Runs a submission's cells and the checks, or those of its variants one after another."""
        start = time.monotonic()
        try:
            if job["variants"] is None:
                document = self._submission(job)
            else:
                document = {"variants": self._variants(job)}
        except SandboxFailure as problem:
            document = {"undecided": str(problem)}
        return {"undecided": None, **document, "seconds": time.monotonic() - start}

    def _submission(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Runs the cells once, and the checks once for each name of seeds."""
        cells = _cells(job["cells"])
        run = self._run(cells, rounds=len(job["seed_names"]))
        try:
            run.start()
            rounds = list(self._rounds(run, job))
        finally:
            run.close()
        matches: dict[str, list[Entry]] = {}
        if not (job["repeats"] or self.settings["only_visible"]):
            (seeds,), (findings,) = job["seed_names"], rounds
            findings = self._followed_through(findings, cells, seeds)
            diagnosing = self._diagnosing()
            try:
                findings, matches = self._diagnosed(findings, seeds, diagnosing)
            finally:
                diagnosing.close()
            rounds = [findings]
        return self._document(run, run.cells, rounds, matches)

    def _variants(self, job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Runs the cells once, and after them each variant's with the checks."""
        (seeds,) = job["seed_names"]
        run = self._run(_cells(job["cells"]), rounds=len(job["variants"]))
        seen = []
        try:
            for variant in job["variants"]:
                run.vary(_cells(variant))
                findings = self._checked(run, seeds, job["only"])
                seen.append((dict(run.cells), findings))
        finally:
            run.close()
        diagnosing = self._diagnosing(rounds=len(seen))
        try:
            documents = []
            for ran, findings in seen:
                named, matches = self._diagnosed(findings, seeds, diagnosing)
                documents.append(self._document(run, ran, [named], matches))
        finally:
            diagnosing.close()
        return documents

    def _document(
        self,
        run: Run,
        cells: Mapping[str, CellRun],
        rounds: Sequence[Mapping[str, Finding]],
        matches: Mapping[str, Sequence[Entry]],
    ) -> dict[str, Any]:
        return {
            "rounds": [self._exercises(findings) for findings in rounds],
            "cells": {
                name: {"outcome": cell.outcome, "outputs": cell.outputs}
                for name, cell in cells.items()
            },
            "timed_out": "TIMEOUT" in run.ends,
            "noticed": sorted(run.noticed),
            "matches": {
                check: [mistake.name for mistake in several] for check, several in matches.items()
            },
        }

    def _rounds(self, run: Run, job: Mapping[str, Any]) -> Iterator[dict[str, Finding]]:
        """Runs the checks once for each name of seeds, a check no longer than it may take."""
        only, seconds = job["only"], job["seconds"]
        spent = defaultdict[str, float](float)
        for seeds in job["seed_names"]:
            findings = self._checked(run, seeds, only)
            yield findings
            if seconds is not None:
                for id, finding in findings.items():
                    spent[id] += finding.seconds
                only = [id for id in findings if spent[id] < seconds]

    def _run(self, cells: Sequence[Cell], rounds: int = 1) -> Run:
        return Run(self.link, cells, Budget(**self.settings["seconds"], rounds=rounds))

    def _student(
        self,
        transport: Transport,
        seeds: str,
        check: str,
        lost: Mapping[str, str] | None = None,
    ) -> Student:
        settings = self.settings
        own = Seeds(bytes.fromhex(settings["secret"]), seeds, settings["assignment"], check)
        return Student(transport, own, self.checks.arrays_as, settings["signatures"], lost)

    def _checked(self, run: Run, seeds: str, only: Sequence[str] | None) -> dict[str, Finding]:
        def connect(exercise: str, check: str) -> Student:
            return self._student(run, seeds, check, lost_functions(run.unfinished()))

        _, findings = self.checks.run(connect, only, self.settings["only_visible"])
        return findings

    def _followed_through(
        self, findings: Mapping[str, Finding], cells: Sequence[Cell], seeds: str
    ) -> dict[str, Finding]:
        run = self._run(cells)

        def connect(transport: Transport, check: str) -> Student:
            return self._student(transport, seeds, check)

        try:
            return followed_through(self.checks, findings, self.reference, run, connect)
        finally:
            run.close()

    def _diagnosing(self, rounds: int = 1) -> Run:
        """Returns a run of the reference, not yet started, for mistakes to take its place."""
        reference = self.reference
        sources = (reference.package, *reference.given, *(a.cell for a in reference.answers))
        cells = [Cell(f"answer-{n}", source) for n, source in enumerate(sources)]
        return self._run(cells, rounds)

    def _diagnosed(
        self, findings: Mapping[str, Finding], seeds: str, run: Run
    ) -> tuple[dict[str, Finding], dict[str, list[Entry]]]:
        matches = self.diagnosis.matches(findings, seeds, run)
        found = dict(findings)
        for check, several in matches.items():
            mistake = recognised(several)
            if mistake is not None:
                found[check] = _named(findings[check], self.settings["assignment"], mistake)
        return found, matches

    def _exercises(self, findings: Mapping[str, Finding]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "max_points": self.checks.exercises[name],
                "checks": [_record(findings[id]) for id in ids if id in findings],
            }
            for name, ids in self.checks.by_exercise.items()
            if any(id in findings for id in ids)
        ]


def _cells(job: Sequence[Mapping[str, str]]) -> list[Cell]:
    return [Cell(cell["id"], cell["source"]) for cell in job]


def _named(finding: Finding, assignment: str, mistake: Entry) -> Finding:
    prefix = assignment.partition("_")[0]
    result = replace(
        finding.result,
        mistake=f"{prefix}_{mistake.name}",
        message=f"{finding.result.message}\nhint   {' '.join(mistake.hint.split())}",
    )
    return replace(finding, result=result)


def _record(finding: Finding) -> dict[str, Any]:
    result = finding.result
    return {
        "id": result.id,
        "outcome": result.outcome,
        "points": result.points,
        "max_points": result.max_points,
        "message": result.message,
        "mistake": result.mistake,
        "follow_through": result.follow_through,
        "bound": finding.bound,
        "seconds": finding.seconds,
        "log": list(finding.log),
    }
