"""Follow-through: an early mistake is paid for once.

A failed check of an exercise that builds on failed ones is asked again, with the same seeds, in a
fresh fork where these are replaced by the reference. Nothing but passed or failed leaves it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from autograder.errors import RunEnded
from autograder.judge.reference import Reference
from autograder.judge.run import Run
from autograder.judge.session import Checks, Finding
from autograder.judge.student import Student, Transport
from autograder.results import CheckResult

__all__ = ["followed_through"]

# Each exercise's replacement has a module of its own: a student's helper of the same name stays
# as it is. What was replaced for one check is put back for the next.
_BIND = """
def _lgm_bind(functions, answers):
    import types
    space = globals()
    own = space.setdefault("_lgm_own", {n: space[n] for n in functions if n in space})
    for name in functions:
        if name in own:
            space[name] = own[name]
        else:
            space.pop(name, None)
    for code, names in answers:
        module = types.ModuleType("answer")
        module.__dict__.update({n: v for n, v in space.items() if n != "__name__"})
        exec(code, module.__dict__)
        space.update({n: module.__dict__[n] for n in names})


"""


def followed_through(
    checks: Checks,
    findings: Mapping[str, Finding],
    reference: Reference,
    run: Run,
    connect: Callable[[Transport, str], Student],
) -> dict[str, Finding]:
    """Asks failed checks again with the exercises they depend on put right.

    The checks are asked in the order of the notebook and depend on earlier exercises only, so no
    right answer to an exercise is in the fork while that exercise is judged.

    Args:
        checks: The collected checks.
        findings: What each check found, by its id.
        reference: Where the right answers come from.
        run: The same cells in a process of their own, not yet started.
        connect: Returns the student to speak to, over a transport, for a check's id.

    Returns:
        The findings, with points where a check now passes.
    """
    failed = checks.failed_exercises(findings)
    asked = {check: wanted & failed for check, wanted in checks.depends_on.items()}
    again = [
        check
        for check, finding in findings.items()
        if finding.result.outcome == "failed" and asked[check]
    ]
    functions = [name for answer in reference.answers for name in answer.functions]
    found = dict(findings)
    for check in again:
        answers = [
            (answer.replacement, answer.functions)
            for answer in reference.answers
            if answer.exercise in asked[check]
        ]
        try:
            bound = run.execute(f"{_BIND}_lgm_bind({functions!r}, {answers!r})")
        except RunEnded:
            continue
        if bound and checks.attempt(check, connect(run, check)) is None:
            result = findings[check].result
            earned = CheckResult(
                result.id, "passed", result.max_points, result.max_points, follow_through=True
            )
            found[check] = replace(findings[check], result=earned)
    return found
