"""An exercise's outcome, check by check, for whoever opens the autograded notebook."""

import re
from collections.abc import Mapping
from functools import cache

from jinja2 import Environment, PackageLoader, Template
from markupsafe import Markup, escape

from autograder.inert import terminal_text
from autograder.results import CheckResult, ExerciseResult

__all__ = ["verdict_html", "verdict_text"]

_CODE = re.compile(r"`([^`]+)`")
_SIGNS = {"passed": "✓", "failed": "✗", "undecided": "?"}


def verdict_html(exercise: ExerciseResult, sentences: Mapping[str, str] | None = None) -> str:
    """Returns a fragment of HTML without scripts and styles.

    Only elements that nbconvert's sanitizer lets through are in it: the formgrader and the
    feedback page show it as it is.

    Args:
        exercise: The outcome.
        sentences: By check id, what the check demands; the id stands where there is none.
    """
    return _template().render(
        exercise=exercise, sentences=sentences or {}, signs=_SIGNS, points_of=_points
    )


def verdict_text(exercise: ExerciseResult, sentences: Mapping[str, str] | None = None) -> str:
    """Returns the same as plain text."""
    lines = [f"{exercise.name}: {_points(exercise)}"]
    for check in exercise.checks:
        sentence = (sentences or {}).get(check.id, check.id)
        through = ", follow-through" if check.follow_through else ""
        sign = _SIGNS[check.outcome]
        lines.append(f"{sign} {check.outcome} ({_points(check)}{through}): {sentence}")
        lines += [f"    {line}" for line in terminal_text(check.message or "").splitlines()]
    return "\n".join(lines)


def _points(earned: CheckResult | ExerciseResult) -> str:
    word = "point" if earned.max_points == 1 else "points"
    return f"{earned.points:g} of {earned.max_points:g} {word}"


def _with_code(text: str) -> Markup:
    """Words between backticks as code, everything escaped."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  (escaped here)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("autograder.gradebook", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A message may quote what a student's code raised.
    environment.filters |= {"with_code": _with_code, "inert": terminal_text}
    return environment.get_template("verdict.html.j2")
