"""What `make demo` runs: release, a made-up class, its grades, feedback and report."""

import shutil
import sys
from pathlib import Path

import click

from autograder.batch import grade
from autograder.cli.pages import feedback_pages, report_page
from autograder.cli.sample_class import STUDENTS, write_sample_class
from autograder.cli.show import GradingProgress, grades_table
from autograder.course import Course, find_course
from autograder.errors import UsageError
from autograder.term import release

__all__ = ["run_demo"]

_LIMITS = """
# The demo does not wait long for the submission that never ends.
c.Lgm.cell_seconds = 15
"""
_UNPROTECTED = (
    "This machine cannot isolate submissions, so the samples ran unprotected. lgm grade refuses "
    "to do that with what students hand in; lgm doctor tells what is missing."
)
_COPIED = ("source", "reference", "tests/hidden")
_IGNORED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")


def run_demo(course: Course, jobs: int) -> None:
    """Grades the made-up class of every assignment in the course folder `demo/`.

    Raises:
        UsageError: If `demo/` holds something that no demo made.
    """
    folder = _course_folder(course)
    click.echo(f"The demo's course folder is {folder}")
    demo = find_course(folder)
    for assignment in demo.assignments():
        name = assignment.name
        click.echo(f"Releasing {name} …")
        release(demo, name)
        write_sample_class(demo, assignment)
        click.echo(
            f"Grading {len(STUDENTS)} sample submissions, {jobs} at a time; some run into their "
            f"time limits, so this takes a few minutes …\n"
        )
        with GradingProgress(name) as progress:
            results = grade(demo, name, jobs=jobs, progress=progress.update, own_code=True)
        grades_table(name, results)
        (mode,) = {result.sandbox for result in results if result.status == "graded"}
        click.echo(_UNPROTECTED if mode == "none" else f"In the sandbox, mode {mode}.")
        pages = feedback_pages(demo, name)
        report = report_page(demo, name)
    click.echo("\nWhat each of them handed in:")
    for student, words, _ in STUDENTS:
        click.echo(f"  {student:<16} {words}")
    programs = Path(sys.executable).parent
    click.echo(
        f"""
Gradebook     {folder / "gradebook.db"}
              cd {folder}
              {programs / "nbgrader"} export     writes it as a table
              {programs / "jupyter"} lab         to mark by hand: menu Nbgrader, Formgrader
Feedback      {pages[0].parents[1]}/STUDENT/{name}.html
              one page per student, for a browser
Class report  {report}
              for a browser, with links to every student's page"""
    )


def _course_folder(course: Course) -> Path:
    """Makes a fresh copy of the course, without anybody's submissions."""
    folder = course.root / "demo"
    marker = folder / ".lgm" / "demo"
    if folder.exists():
        if not marker.is_file():
            raise UsageError(
                f"{folder} exists and was not made by lgm demo. Move it away, then try again."
            )
        shutil.rmtree(folder)
    marker.parent.mkdir(parents=True, mode=0o700)
    marker.write_text("Made by lgm demo, which removes it again.\n", encoding="utf-8")
    for name in _COPIED:
        shutil.copytree(course.root / name, folder / name, ignore=_IGNORED)
    config = (course.root / "nbgrader_config.py").read_text(encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(config + _LIMITS, encoding="utf-8")
    return folder
