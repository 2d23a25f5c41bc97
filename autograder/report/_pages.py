"""From facts to files. Pages are self-contained, run no script and fetch nothing."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from autograder.course import Assignment, CheckInfo, Course, checks_of, is_name
from autograder.inert import terminal_text
from autograder.report._class import class_facts
from autograder.report._figures import score_histogram
from autograder.report._sheet import Sheet, sheet
from autograder.results import Mark, SubmissionResult, write_atomically

__all__ = ["environment", "write_feedback", "write_report"]

Marks = Mapping[str, Mapping[str, Mark]]

_CODE = re.compile(r"`([^`\n]+)`")


def write_feedback(
    course: Course, name: str, results: Sequence[SubmissionResult], marks: Marks
) -> list[Path]:
    """Writes `feedback/<student>/<assignment>.html` for each result and returns the paths.

    A student whose name cannot be a folder's gets none; the class report says so.

    Raises:
        UsageError: If there is no such assignment.
    """
    assignment, checks = _declared(course, name)
    template = environment().get_template("feedback.html.j2")
    paths = []
    for result in results:
        if not is_name(result.student):
            continue
        facts = sheet(assignment, checks, result, marks.get(result.student, {}))
        page = template.render(sheet=facts, assignment=assignment, reason=_reason(course, result))
        paths.append(_feedback_path(course, result.student, name))
        write_atomically(paths[-1], page.encode("utf-8", "replace"))
    return paths


def write_report(
    course: Course, name: str, results: Sequence[SubmissionResult], marks: Marks
) -> Path:
    """Writes `report/<assignment>.html`, the class as its tutors see it, and returns the path.

    Raises:
        UsageError: If there is no such assignment.
    """
    assignment, checks = _declared(course, name)
    sheets = [sheet(assignment, checks, r, marks.get(r.student, {})) for r in results]
    facts = class_facts(sheets, checks)
    caption = (
        f"How many students earned how many of the {_points(assignment.automatic_points)} points "
        f"that checks give: {len(facts.scores)} graded submissions, median "
        f"{_points(facts.median)}, mean {_points(facts.mean)}."
    )
    histogram = (
        score_histogram(facts.scores, assignment.automatic_points, caption)
        if facts.scores and assignment.automatic_points
        else None
    )
    links = {
        result.student: f"../feedback/{quote(result.student)}/{quote(name)}.html"
        for result in results
        if is_name(result.student)
    }
    reasons = {result.student: _reason(course, result) for result in results}
    page = environment().get_template("class.html.j2").render(
        facts=facts,
        assignment=assignment,
        histogram=histogram,
        caption=caption,
        links=links,
        reasons=reasons,
    )  # fmt: skip
    path = course.root / "report" / f"{name}.html"
    write_atomically(path, page.encode("utf-8", "replace"))
    return path


def _declared(course: Course, name: str) -> tuple[Assignment, dict[str, CheckInfo]]:
    assignment = course.assignment(name)
    return assignment, {check.id: check for check in checks_of(course, assignment)}


def _feedback_path(course: Course, student: str, name: str) -> Path:
    return course.feedback_folder / student / f"{name}.html"


def _reason(course: Course, result: SubmissionResult) -> str:
    """Why a submission is refused or undecided, without where the course lies on this machine."""
    return (result.reason or "").replace(f"{course.root}/", "")


@cache
def environment() -> Environment:
    """Returns how templates become pages: escaped, inert, with the filters they share."""
    environment = Environment(
        loader=PackageLoader("autograder.report"),
        autoescape=True,
        finalize=_inert,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "points": _points,
        "prose": _prose,
        "percent": _percent,
        "power": _power,
    }
    environment.globals |= {"share": _share, "counts": Sheet.counts}
    return environment


def _inert(value: Any) -> Any:  # noqa: ANN401  (whatever a template prints)
    """Texts from submissions, and all others, without control and bidi characters."""
    ours = not isinstance(value, str) or isinstance(value, Markup)
    return value if ours else terminal_text(value)


def _points(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 2):g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _power(probability: float) -> str:
    """A small probability, as people read it."""
    if probability == 0:
        return "0"
    mantissa, _, exponent = f"{probability:.1e}".partition("e")
    digits = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return f"{mantissa} · 10{str(int(exponent)).translate(digits)}"


def _share(part: float | None, whole: float) -> str:
    """A width in a style sheet."""
    return f"{min(max((part or 0.0) / whole, 0.0), 1.0) * 100:.1f}%" if whole else "0%"


def _prose(text: str) -> Markup:
    """A sentence whose `code` is set as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(terminal_text(text)))))  # noqa: S704
