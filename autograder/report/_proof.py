"""The proof of the hidden checks as a page: a pure function of the document of `lgm verify`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder.course import Course, checks_of
from autograder.report._figures import strikes_and_power
from autograder.report._pages import environment
from autograder.results import write_atomically

__all__ = ["write_proof"]

_CAPTION = (
    "Left: how often single stages strike on right draws, with the 99 % upper bound; the test "
    "counts on at most 1 %. Right: how often solutions that are slightly wrong fail, by draws "
    "alone."
)


def write_proof(course: Course, document: Mapping[str, Any]) -> Path:
    """Writes `.lgm/verify.html` and returns the path.

    Args:
        course: The course.
        document: What `lgm verify --json` prints.
    """
    assignments = document["assignments"]
    exercises = [exercise for entry in assignments for exercise in entry["exercises"]]
    mistakes = [m for e in exercises for m in e["mistakes"] if m["expected"] == "failed"]
    alternatives = [a for e in exercises for a in e["alternatives"]]
    rows = {
        entry["name"]: [
            row for e in entry["exercises"] for row in e["checks"] if row["kind"] != "exact"
        ]
        for entry in assignments
    }
    page = environment().get_template("proof.html.j2").render(
        document=document,
        totals={
            "mistakes": len(mistakes),
            "caught": sum(m["outcome"] == "failed" for m in mistakes),
            "alternatives": len(alternatives),
            "passing": sum(a["outcome"] == "passed" for a in alternatives),
            "problems": sum(len(entry["problems"]) for entry in assignments),
        },
        sentences={
            check.id: check.sentence
            for entry in assignments
            for check in checks_of(course, course.assignment(entry["name"]))
        },
        figures={
            name: strikes_and_power(several, _CAPTION) if any(r["runs"] for r in several) else None
            for name, several in rows.items()
        },
        captions=dict.fromkeys(rows, _CAPTION),
        percent=_percent,
    )  # fmt: skip
    path = course.root / ".lgm" / "verify.html"
    write_atomically(path, page.encode("utf-8", "replace"))
    return path


def _percent(repeated: Mapping[str, Any]) -> str:
    """A rate with its 95 % interval, one bound on each side."""
    rate = repeated["failed"] / repeated["runs"]
    return f"{rate:.0%} ({repeated['lower']:.0%} to {repeated['upper']:.0%})"
