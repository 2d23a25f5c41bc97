"""Every row of the catalogue, handed in: it gets nothing, and nobody else notices."""

import json
import subprocess
import sys

import pytest

from autograder.sandbox.policy import LAYERS
from tests.adversarial import (
    control,
    escape,
    files,
    forging,
    meaning,
    resources,
    stealing,
    values,
)
from tests.adversarial.case import RIGHT, Case, cells_of
from tests.adversarial.room import ASSIGNMENT

CASES = [
    case
    for group in (stealing, forging, values, meaning, control, resources, escape, files)
    for case in group.CASES
]


def parameters(cases):
    return [pytest.param(case, id=case.name) for case in cases]


HOW = [
    pytest.param({}, id="full"),
    pytest.param({"isolation": "exec"}, id="exec", marks=pytest.mark.thorough),
    pytest.param({"modes": ("jail",)}, id="jail", marks=pytest.mark.thorough),
]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("case", parameters(CASES))
def test_what_is_tried_gets_nothing(rooms, case, how):
    outcome = rooms(tensorflow=case.tensorflow, **how).outcome(case)
    result = outcome.graded.result
    assert outcome.violated == []
    assert outcome.obtained in ([], None), outcome.obtained
    if case.attack or case.score is None:
        assert outcome.ended in case.ends.split(" or "), result.reason
    if "obtain" in case.attack and outcome.ended == "done":
        assert outcome.obtained is not None
    if case.at_most:
        assert result.score is None or result.score <= case.score
    else:
        assert result.score == case.score, outcome.text
    assert case.says in outcome.text
    # What no honest notebook does is told to the tutor; no points depend on it.
    attacks = outcome.ended == "protocol" or case.id == "G07"
    assert bool(result.noticed) >= attacks
    assert not result.noticed or case.id in ("B02", "B04", "B10", "C09", "G07")


STOPPED = [case for case in CASES if case.stops]


@pytest.mark.parametrize("case", parameters(STOPPED))
def test_without_the_layers_that_stop_it_it_succeeds(rooms, case):
    outcome = rooms(case.stops, tensorflow=case.tensorflow).outcome(case)
    assert outcome.obtained, outcome.text


@pytest.mark.parametrize(
    ("case", "layer"),
    [
        pytest.param(case, layer, id=f"{layer}-{case.name}")
        for case in STOPPED
        for layer in case.stops
        if len(case.stops) > 1
    ],
)
def test_each_of_several_layers_stops_it_alone(rooms, case, layer):
    others = tuple(other for other in case.stops if other != layer)
    assert rooms(others, tensorflow=case.tensorflow).outcome(case).obtained == []


def test_every_layer_is_missed_by_some_attack_when_it_is_left_out():
    assert {layer for case in STOPPED for layer in case.stops} == LAYERS


# What stops attacks on the score is no layer, but that the judge is a process of its own.
IN_ONE_PROCESS = """
import json, sys
from pathlib import Path
from autograder.checks import Seeds
from autograder.judge.session import collected
from autograder.judge.student import LocalTransport, Student
root, cells, attack = json.loads(sys.argv[1])
sys.path.insert(0, root)
space = {"__name__": "__main__"}
exec("import numpy as np", space)
for cell in cells:
    exec(cell, space)
def grade(checks):
    def connect(exercise, check):
        return Student(LocalTransport(space), Seeds(bytes(32), "ada", "a90_toy", check), "numpy")
    exec(attack, space)
    _, findings = checks.run(connect, None, False)
    sys.__stdout__.write(str(sum(f.result.points for f in findings.values())))
collected(Path(root) / "tests/hidden/a90_toy", {"sigmoid": 6, "entropy": 4}, grade)
"""


def points_in_one_process(course, case):
    sources = cells_of(case)
    attack = f"import sys\nobtained = []\n{case.attack}"
    given = [str(course.root), [sources["sigmoid"], sources["entropy"]], attack]
    ran = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS, json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return float(ran.stdout.strip().rpartition("\n")[2] or 0), ran.stderr


@pytest.mark.parametrize(
    "case", parameters([case for case in forging.CASES if case.title in forging.IN_ONE_PROCESS])
)
def test_in_one_process_with_the_checks_it_would_score(adversarial_course, case):
    course, _ = adversarial_course
    points, said = points_in_one_process(course, case)
    assert points > case.score, said


def test_right_answers_earn_all_in_one_process_too(adversarial_course):
    course, _ = adversarial_course
    assert points_in_one_process(course, Case("", "right", answers=RIGHT))[0] == 10


def test_the_catalogue_is_whole():
    """Every row of the design's catalogue is a case here, or a test of the same name elsewhere."""
    letters = {case.id[0] for case in CASES}
    assert letters == set("ABCDEFGH")
    assert len({case.name for case in CASES}) == len(CASES)
    assert ASSIGNMENT
