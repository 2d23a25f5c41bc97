"""Every row of the catalogue, handed in: it gets nothing, and nobody else notices."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.sandbox.policy import LAYERS
from tests.adversarial import (
    control,
    escape,
    files,
    forging,
    meaning,
    resources,
    showing,
    stealing,
    values,
)
from tests.adversarial.case import RIGHT, Case, cells_of

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


# The rows of the catalogue. Ids are stable; the numbering has gaps.
ROWS = (
    "A01 A02 A03 A04 A05 A06 A08 A10 A11 A13 A14 B01 B02 B04 B05 B06 B07 B10 B11 B12 B13 B14 B15 "
    "C01 C04 C05 C06 C07 C09 C10 C12 D01 D03 D04 D05 D06 D08 D09 E01 E02 E03 E05 E06 E08 E10 E11 "
    "E13 F01 F04 F05 F06 F08 F09 G01 G02 G04 G06 G07 G08 G10 G11 G12 H01 H02 H03 H05 H08 H10 H11 "
    "I01 I07 I08"
).split()
# Those that are no submission by themselves, and the tests that try them.
ELSEWHERE = {
    "A12": ("autograder/checks/test_seeds.py", "def test_each_part_counts"),
    "I02": ("adversarial/test_presentation.py", "def test_the_formgrader_acts_on_nobody"),
    "I03": ("adversarial/showing.py", "content: 'acted'"),
    **{
        row: ("adversarial/test_faults.py", f"def test_{row.lower()}_")
        for row in ("J01", "J02", "J03", "J04", "J06", "J07", "J08")
    },
}


def test_every_row_of_the_catalogue_is_tried():
    tried = [*CASES, *showing.CASES]
    assert {case.id for case in tried} == set(ROWS)
    assert len({case.name for case in tried}) == len(tried)
    for row, (file, text) in ELSEWHERE.items():
        assert text in (Path(__file__).parents[1] / file).read_text(), row
