"""Calibration counts strikes of right draws, and how often what is wrong, or nearly, fails."""

import subprocess
import sys
from dataclasses import replace

import pytest

from autograder.verify.calibrate import QUICK, calibrate
from autograder.verify.record import Proved, held_to, load, path_of, save, sources_of

NAME = "a90_toy"
# A sampler beside the toy course's functions: draws with the probability of a logit.
SAMPLING = '''
from autograder.checks import near_miss, numpy_rng, sampling


@exercise("sigmoid", points=0, mistakes=("sign",))
def test_sigmoid_as_a_sampler(student, stages):
    """Drawn with the probability that `sigmoid` gives, ones are as frequent as they should be."""

    def draw(n, rng=numpy_rng):
        return draws_of(student, np.full(n, 0.75), rng)

    probability = toy.sigmoid(0.75)
    law = sampling.discrete(np.log([1 - probability, probability]), np.array([0.0, 1.0]))
    sampling.expect_law(sampling.draws(draw, 400, stages), law)


@probe
def draws_of(student, logit, rng):
    return 1.0 * (rng.random(len(logit)) < student.sigmoid(logit))


@near_miss("sigmoid", effect="2 % too large")
def two_percent(logit):
    return 1.02 * toy.sigmoid(logit)
'''


# Few of each, and time for all of them however busy the machine is.
FEW = replace(QUICK, first=200, later=50, right=5, mistakes=5, near_misses=5, seconds=60.0)


@pytest.fixture
def course(toy_course):
    path = toy_course.hidden_folder(NAME) / "test_sigmoid.py"
    text = path.read_text(encoding="utf-8").replace(
        "import alternative,", "import alternative, probe,"
    )
    path.write_text(text + SAMPLING, encoding="utf-8")
    return toy_course


def test_a_calibration_measures_what_verify_holds_the_checks_to(course, light_sandbox):
    told = []
    record = calibrate(course, course.assignment(NAME), FEW, 2, lambda *e: told.append(e))
    assert record.quick
    found = {check.id: check for check in record.checks}
    sampler = found["test_sigmoid_as_a_sampler"]
    assert sampler.kind == "staged"
    first = {item.name: item.first for item in sampler.properties}
    assert first["each unit"].rows == 400
    assert first["each unit"].runs == 200
    # Of 200, more than 12 strikes at 1 % come once in a million.
    assert all(item.first.strikes <= 12 for item in sampler.properties)
    assert {item.name: item.failed for item in sampler.right} == {"reference": 0, "by_tanh": 0}
    assert [(item.name, item.runs, item.failed) for item in sampler.mistakes] == [("sign", 5, 5)]
    (near,) = sampler.near_misses
    assert (near.effect, near.natural.runs, near.staged.runs) == ("2 % too large", 5, 5)
    # Nothing in it depends on seeds: it was not repeated.
    assert not found["test_sigmoid_of_zero"].repeats
    assert found["test_sigmoid_of_zero"].right == ()
    assert told[-1][0] == told[-1][1]


def test_what_verify_demands_can_be_measured_first_and_the_rest_later(
    course, light_sandbox, monkeypatch
):
    monkeypatch.setattr(sys.modules["autograder.verify.calibrate"], "FULL", FEW)
    assignment = course.assignment(NAME)
    first = calibrate(course, assignment, FEW, 2, by_chance=True)
    assert {file.rsplit("/")[-1] for file in first.master_seeds} == {"test_sigmoid.py"}
    assert {check.exercise for check in first.checks} == {"sigmoid"}
    save(first, course)
    proved = [Proved("test_sigmoid_as_a_sampler", "sigmoid", 0.0, 0.0, ("sign",), 1)]
    assert not any("not in the calibration" in said for said in held_to(course, NAME, proved)[1])
    told = []
    second = calibrate(course, assignment, FEW, 2, lambda *e: told.append(e))
    assert {check.exercise for check in second.checks} == {"sigmoid", "entropy"}
    assert not any("sampler" in name for _, _, name in told)
    (file,) = first.master_seeds
    assert second.master_seeds[file] == first.master_seeds[file]


def test_what_has_not_changed_is_not_measured_again(course, light_sandbox, monkeypatch):
    monkeypatch.setattr(sys.modules["autograder.verify.calibrate"], "FULL", FEW)
    assignment = course.assignment(NAME)
    first = calibrate(course, assignment, FEW, 2)
    save(first, course)
    unchanged = calibrate(course, assignment, FEW, 2)
    assert unchanged.checks == first.checks
    assert unchanged.master_seeds == first.master_seeds
    folder = course.hidden_folder(NAME)
    entropy = folder / "test_entropy.py"
    entropy.write_text(entropy.read_text(encoding="utf-8") + "\n# Changed.\n", encoding="utf-8")
    told = []
    second = calibrate(course, assignment, FEW, 2, lambda *e: told.append(e))
    files = {file.rsplit("/")[-1]: file for file in second.master_seeds}
    changed = {
        name
        for name, file in files.items()
        if first.master_seeds[file] != second.master_seeds[file]
    }
    assert changed == {"test_entropy.py"}
    # None of the sampler's stages was drawn again.
    assert not any("sampler" in name for _, _, name in told)
    assert second.reasons_against(sources_of(course, NAME)) == []
    (folder / "conftest.py").write_text("# Whatever all checks share.\n", encoding="utf-8")
    third = calibrate(course, assignment, FEW, 2)
    assert not set(third.master_seeds.values()) & set(second.master_seeds.values())


def test_the_command_refuses_an_assignment_that_there_is_not(course):
    command = [sys.executable, "-m", "autograder.verify.calibrate", "a91_gone"]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "a91_gone" in done.stderr
    assert "Traceback" not in done.stderr
    assert load(course, NAME) is None
    assert not path_of(course, NAME).exists()
