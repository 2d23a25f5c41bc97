"""Seconds per submission: `lgm grade` against `nbgrader autograde` on the same notebooks.

    python tests/autograder/measure_speed.py --students 20 --rounds 3 [--light]

Both grade the same submissions of the same assignment, in one run, by turns. nbgrader has its own
configuration, so it runs the notebook's cells and test cells only; `lgm grade` runs the same
cells and every hidden check besides. What a further submission costs is the slope between a class
of one and the whole class. `--light` keeps the first three exercises without the figures between
them, so that what is left is what grading itself costs.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autograder.cli.sample_class import sample_submission
from autograder.course import Course, find_course
from autograder.term import release

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
LIGHT = 3
QUIET = {"FAST": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
STOCK = """
c = get_config()
c.CourseDirectory.course_id = "stock"
# Mark schemes stand in cells for answers, where nbgrader alone does not expect them.
c.ClearMarkScheme.enforce_metadata = False
"""


def make_course(folder: Path, name: str, students: int, light: bool) -> Course:
    """Copies this course into a folder and gives it a class, half of it with a few mistakes."""
    for part in ("source", "reference", "tests/hidden"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    course = find_course(folder)
    if light:
        lighten(course, name)
    release(course, name)
    assignment = course.assignment(name)
    for number in range(students):
        place = course.submitted_folder(f"student{number:03}", name)
        place.mkdir(parents=True)
        kind = "cleo_mistakes" if number % 2 else "ada_right"
        (place / f"{name}.ipynb").write_bytes(sample_submission(course, assignment, kind))
    return course


def lighten(course: Course, name: str) -> None:
    """Leaves the set-up and three exercises of a notebook, and their hidden checks."""
    assignment = course.assignment(name)
    kept = [exercise.name for exercise in assignment.exercises[:LIGHT]]
    notebook = json.loads(assignment.notebook.read_text(encoding="utf-8"))
    first = next(place for place, cell in enumerate(assignment.cells) if cell.kind == "solution")
    wanted = {*kept, *(f"test_{exercise}" for exercise in kept)}
    notebook["cells"] = [
        cell
        for place, cell in enumerate(notebook["cells"])
        if place < first or assignment.cells[place].grade_id in wanted
    ]
    assignment.notebook.write_text(json.dumps(notebook), encoding="utf-8")
    for path in course.hidden_folder(name).glob("test_*.py"):
        if not any(f'@exercise("{exercise}"' in path.read_text("utf-8").replace("(\n    ", "(")
                   for exercise in kept):  # fmt: skip
            path.unlink()


def make_stock_course(course: Course, folder: Path) -> Path:
    """Makes the same course as nbgrader alone would have it."""
    for part in ("source", "release", "submitted"):
        shutil.copytree(course.root / part, folder / part)
    (folder / "nbgrader_config.py").write_text(STOCK, encoding="utf-8")
    return folder


def seconds(command: list[str], folder: Path) -> float:
    """Runs a command of this environment and returns its wall-clock seconds."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    start = time.perf_counter()
    ran = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=folder,
        env={**os.environ, **QUIET, "PATH": path},
        capture_output=True,
        text=True,
    )
    if ran.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {ran.returncode}:\n{ran.stderr[-2000:]}")
    return time.perf_counter() - start


def main() -> None:
    """Measures and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--assignment", default="a04_rbm")
    parser.add_argument("--students", type=int, default=20, help="class size for lgm grade")
    parser.add_argument("--stock", type=int, default=3, help="class size for nbgrader autograde")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--light", action="store_true", help="three exercises, no figures")
    options = parser.parse_args()
    name = options.assignment
    with tempfile.TemporaryDirectory() as scratch:
        course = make_course(Path(scratch) / "course", name, options.students, options.light)
        stock = make_stock_course(course, Path(scratch) / "stock")
        seconds(["nbgrader", "generate_assignment", name, "--force"], stock)
        one = ["--student", "student000"]
        times: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            runs = {
                "nbgrader, 1": (["nbgrader", "autograde", name, "--force", *one], stock),
                "lgm, 1": (["lgm", "grade", name, *one], course.root),
                "lgm --jobs 1": (["lgm", "grade", name, "--jobs", "1"], course.root),
                "lgm --jobs 2": (["lgm", "grade", name, "--jobs", "2"], course.root),
                "nbgrader": (
                    ["nbgrader", "autograde", name, "--force"],
                    stock_class(stock, options),
                ),
            }
            for label, (command, folder) in runs.items():
                times.setdefault(label, []).append(seconds(command, folder))
    show(times, options.students, options.stock)


def stock_class(stock: Path, options: argparse.Namespace) -> Path:
    """Leaves nbgrader a smaller class: it takes minutes otherwise."""
    for place in sorted((stock / "submitted").iterdir())[options.stock :]:
        shutil.rmtree(place)
    return stock


def show(times: dict[str, list[float]], students: int, stock: int) -> None:
    """Prints medians, what a further submission costs, and the ratios."""
    median = {label: statistics.median(values) for label, values in times.items()}
    slope = (median["nbgrader"] - median["nbgrader, 1"]) / (stock - 1)
    print(f"{'':14}{'class':>6}{'seconds':>9}{'each':>8}{'further':>9}{'ratio':>7}")
    for label, size, first in (
        ("nbgrader", stock, "nbgrader, 1"),
        ("lgm --jobs 1", students, "lgm, 1"),
        ("lgm --jobs 2", students, "lgm, 1"),
    ):
        total = median[label]
        further = (total - median[first]) / (size - 1)
        print(
            f"{label:14}{size:>6}{total:>9.1f}{total / size:>8.2f}{further:>9.2f}"
            f"{slope / further:>7.1f}"
        )
    whole = median["nbgrader, 1"] + slope * (students - 1)
    for label in ("lgm --jobs 1", "lgm --jobs 2"):
        print(f"{students} submissions, start-up included: {label} is "
              f"{whole / median[label]:.1f} times as fast as nbgrader autograde")  # fmt: skip


if __name__ == "__main__":
    main()
