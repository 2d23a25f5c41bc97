"""The `lgm` command: parses, calls, prints, sets the exit status.

Nothing heavy is imported before a command runs: `lgm --help` loads no TensorFlow, no nbgrader.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from autograder.errors import DoesNotHold, LgmError, UsageError

__all__ = ["lgm", "main"]

_EPILOG = """\b
Exit status:
  0  done
  1  a submission was refused or left undecided, or something does not hold
  2  the command line was wrong
  3  the grader itself failed; no grade was changed
  130  stopped by Ctrl-C
"""


class _InOrder(click.Group):
    """Lists the commands in the order of a term, not of the alphabet."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, epilog=_EPILOG, context_settings={"max_content_width": 99})
@click.version_option(package_name="learning-generative-models", hidden=True)
def lgm() -> None:
    """Release, grade and report the assignments of Learning Generative Models."""


def _cores() -> int:
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )


def _jobs(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Submissions run at the same time; default: the cores at hand.",
    )(function)


def _say(line: str) -> None:
    click.echo(line, err=True)


@lgm.command(epilog="Example: lgm release a04_rbm")
@click.argument("assignments", nargs=-1, metavar="[ASSIGNMENT]...")
def release(assignments: tuple[str, ...]) -> None:
    """Build release/ from source/.

    Takes the solutions out, registers the assignment in the gradebook, and fails, leaving the old
    release as it is, if a solution or a hidden check would leak. Without a name, all of them.
    """
    from autograder.course import find_course
    from autograder.term import release as build

    course = find_course()
    for name in assignments or [assignment.name for assignment in course.assignments()]:
        build(course, name)
        click.echo(f"release/{name}/ is built; nothing leaks.")


@lgm.command(epilog="Example: lgm grade a04_rbm --jobs 4")
@click.argument("assignment")
@click.option("--student", "students", multiple=True, metavar="S",
              help="Grade this student only. Repeatable.")  # fmt: skip
@_jobs
@click.option("--isolation", type=click.Choice(["fork", "exec"]), default="fork",
              show_default=True, help="How each submission gets its process; exec starts a fresh "
              "Python, which takes ten seconds longer.")  # fmt: skip
@click.option("--accept-weak-sandbox", "weak", is_flag=True,
              help="Grade even where only filters protect this machine.")  # fmt: skip
@click.option("--unsafe-no-sandbox", "unsafe", is_flag=True,
              help="Run submissions unprotected where nothing else can be had; only the checks "
              "that the notebook shows decide.")  # fmt: skip
@click.option("-v", "verbose", is_flag=True, help="Log to stderr what is done.")
@click.option("--json", "as_json", is_flag=True,
              help="Print one JSON document; progress goes to stderr.")  # fmt: skip
def grade(
    assignment: str,
    students: tuple[str, ...],
    jobs: int | None,
    isolation: str,
    weak: bool,
    unsafe: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Grade the submissions of an assignment.

    Reads submitted/, writes autograded/ and the gradebook. Marks entered by hand are kept.
    """
    from autograder.batch import grade as grade_batch
    from autograder.cli.show import GradingProgress, grades_table
    from autograder.course import find_course
    from autograder.results import document
    from autograder.sandbox.policy import ACCEPTED

    if verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    course = find_course()
    modes = (*ACCEPTED, *(["weak"] if weak else []), *(["none"] if unsafe else []))
    with GradingProgress(assignment) as progress:
        results = grade_batch(
            course,
            assignment,
            students,
            jobs or _cores(),
            progress.update,
            modes=modes,
            isolation=isolation,
        )
    if any(result.sandbox == "none" and result.status != "refused" for result in results):
        _say(
            "THESE SUBMISSIONS RAN UNPROTECTED. Whatever they did, they did it as you. Only the "
            "checks that the notebook shows were run; the others are undecided."
        )
    if as_json:
        click.echo(json.dumps(document(assignment, results), indent=1, ensure_ascii=False))
    else:
        grades_table(assignment, results)
    if any(result.status != "graded" for result in results):
        sys.exit(1)


@lgm.command(epilog="Example: lgm feedback a04_rbm")
@click.argument("assignment")
def feedback(assignment: str) -> None:
    """Write one feedback page per student."""
    from autograder.cli.pages import feedback_pages
    from autograder.course import find_course

    course = find_course()
    pages = feedback_pages(course, assignment)
    where = pages[0].relative_to(course.root) if len(pages) == 1 else course.feedback_folder.name
    click.echo(f"{len(pages)} pages written: {where}")


@lgm.command(epilog="Example: lgm report a04_rbm")
@click.argument("assignment")
def report(assignment: str) -> None:
    """Show the class: scores, checks, mistakes, time."""
    from autograder.cli.pages import report_page
    from autograder.course import find_course

    click.echo(f"The class report is written: {report_page(find_course(), assignment)}")


@lgm.command(epilog="Example: lgm verify a04_rbm")
@click.argument("assignments", nargs=-1, metavar="[ASSIGNMENT]...")
@_jobs
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def verify(assignments: tuple[str, ...], jobs: int | None, as_json: bool) -> None:
    """Prove the hidden checks.

    Runs the reference, the empty release, every accepted alternative and every catalogued mistake
    as submissions: what is right must earn everything, what is wrong must lose points in its own
    exercise. Without a name, all assignments.
    """
    from autograder.cli.show import ProofProgress, course_bound, proof_table
    from autograder.course import find_course
    from autograder.report import write_proof
    from autograder.verify import false_fail
    from autograder.verify import verify as prove

    course = find_course()
    proofs = []
    for name in assignments or [assignment.name for assignment in course.assignments()]:
        with ProofProgress(name) as progress:
            chosen = course.assignment(name)
            proofs.append(prove(course, chosen, jobs or _cores(), progress.update))
    bounds = {p.name: [check.bound for e in p.exercises for check in e.checks] for p in proofs}
    chance = false_fail(course, bounds)
    document = {"schema": 1, "assignments": [p.to_json() for p in proofs], "false_fail": chance}
    page = write_proof(course, document)
    if as_json:
        click.echo(json.dumps(document, indent=1))
    else:
        for proof in proofs:
            proof_table(proof)
        course_bound(chance)
    click.echo(f"The proof as a page: {page}", err=as_json)
    if any(proof.problems for proof in proofs):
        sys.exit(1)


@lgm.command(epilog="Example: lgm doctor")
def doctor() -> None:
    """Try what this machine can isolate.

    Starts a sandbox, tries from inside what student code might try, and says which mode this
    machine permits, what that mode lacks, and what to do about it.
    """
    from autograder.cli.show import doctor_table
    from autograder.sandbox.selftest import self_test

    mode, probes = self_test()
    doctor_table(mode, probes)
    if mode != "full":
        sys.exit(1)


@lgm.command(epilog="Example: lgm demo")
def demo() -> None:
    """Grade a small sample class.

    Makes the course folder demo/ with a release and about a dozen sample submissions, right,
    wrong and broken ones, grades them, and writes gradebook, feedback and class report.
    """
    from autograder.cli.demo import run_demo
    from autograder.course import find_course

    run_demo(find_course(), _cores())


def main() -> None:
    """Runs the command line; every mistake of a user ends in a sentence, never in a traceback."""
    # nbgrader runs programs of this environment (alembic) by name.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        sys.exit(lgm(standalone_mode=False))
    except click.Abort:
        _say("lgm: stopped. What was finished is kept, and the rest is as it was before.")
        sys.exit(130)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except LgmError as problem:
        _say(f"lgm: {problem}")
        sys.exit(_status(problem))
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; nothing is left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as problem:
        _say(f"lgm: the machine refused: {problem}. Nothing half-written is left; try again.")
        sys.exit(3)
    except Exception:
        # A fault of ours: whoever reports it needs the place.
        traceback.print_exc()
        _say("lgm: this is a fault of the grader itself. Please report it with the lines above.")
        sys.exit(3)


def _status(problem: LgmError) -> int:
    if isinstance(problem, UsageError):
        return 2
    return 1 if isinstance(problem, DoesNotHold) else 3
