"""nbgrader's own commands, as they are typed in a course folder, with the real judge."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from autograder.results import load

RIGHT = {
    "sigmoid": """def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def log_sigmoid(logit):
    return -np.logaddexp(0.0, -logit)""",
    "entropy": """def entropy(logit):
    return np.logaddexp(0.0, logit) - logit * sigmoid(logit)""",
}
# Everything by which nbgrader's own scoring gives points away, or takes them.
FORGED = {
    "sigmoid": """from IPython import get_ipython

get_ipython().input_transformers_post.append(lambda lines: ["pass\\n"])


def sigmoid(logit):
    return 0.5 + 0 * logit""",
    "entropy": "float('nan')",
}
NOISY = {
    **RIGHT,
    "entropy": f"""import os, sys, warnings

os.write(2, b"a line of a library\\n")
warnings.warn("careful")
print("<script>alert(1)</script>", file=sys.stderr)
{RIGHT["entropy"]}
6.0""",
}
# What the judge of a toy needs; the rest of what notebooks import takes ten seconds.
NBGRADER = """
import functools, sys
from autograder.judge import grader
grader.Policy = functools.partial(grader.Policy, modules=("numpy",))
from autograder.batch import plugin
plugin.Grader = functools.partial(grader.Grader, own_code=True)
from nbgrader.apps.nbgraderapp import main
main()
"""


def nbgrader(course, *arguments):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-c", NBGRADER, *arguments],
        cwd=course.root,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )


def test_nbgraders_own_commands_go_through_the_judge(toy_course, hand_in):
    course = toy_course
    assert nbgrader(course, "generate_assignment", "a90_toy").returncode == 0
    hand_in(course, "ada", RIGHT | {"manual_reflection": "At zero."})
    hand_in(course, "bob", FORGED)
    hand_in(course, "cleo", NOISY)
    hand_in(course, "dan", RIGHT).write_text("half a note")
    hand_in(course, "eve", {}, without=("test_sigmoid", "test_entropy", "sigmoid", "entropy"))

    done = nbgrader(course, "autograde", "a90_toy")
    # One submission is refused; the others are graded all the same.
    assert done.returncode == 1
    assert "error processing assignment 'a90_toy' for student 'dan'" in done.stderr
    results = {
        student: load(course.autograded_folder(student, "a90_toy") / "results.json")
        for student in ("ada", "bob", "cleo", "eve")
    }
    assert {result.status for result in results.values()} == {"graded"}
    assert {student: result.score for student, result in results.items()} == {
        "ada": 10, "bob": 2, "cleo": 10, "eve": 0
    }  # fmt: skip
    text = (course.autograded_folder("cleo", "a90_toy") / "a90_toy.ipynb").read_text()
    assert "careful" in text
    notebook = json.loads(text)
    (test_cell,) = (cell for cell in notebook["cells"] if cell["id"] == "test_entropy")
    assert "entropy: 4 of 4 points" in "".join(test_cell["outputs"][0]["data"]["text/plain"])

    # nbgrader's own marks, in a student's answer, are a comment like any other.
    place = course.autograded_folder("cleo", "a90_toy") / "a90_toy.ipynb"
    place.chmod(0o644)
    place.write_text(text.replace("def entropy", "### BEGIN HIDDEN TESTS\\ndef entropy", 1))
    done = nbgrader(course, "generate_feedback", "a90_toy")
    assert done.returncode == 0, done.stderr
    page = (course.root / "feedback" / "bob" / "a90_toy" / "a90_toy.html").read_text()
    assert "sigmoid: 2 of 6 points" in page
    assert "<code>sigmoid</code> is the logistic function, element by element." in page
    beside = [path.name for path in (course.root / "feedback" / "bob" / "a90_toy").iterdir()]
    assert sorted(beside) == ["a90_toy.html", "logits.csv"]
    page = (course.root / "feedback" / "cleo" / "a90_toy" / "a90_toy.html").read_text()
    assert "<script>alert(1)" not in page

    done = nbgrader(course, "export")
    assert done.returncode == 0, done.stderr
    with (course.root / "grades.csv").open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    scores = {student: (row["score"], row["max_score"]) for student, row in rows.items()}
    assert scores == {
        "ada": ("10.0", "15.0"),
        "bob": ("2.0", "15.0"),
        "cleo": ("10.0", "15.0"),
        "dan": ("0.0", "15.0"),
        "eve": ("0.0", "15.0"),
    }
