"""A record bounds how often right work fails, and is refused when it is stale, thin or too bad."""

from dataclasses import replace

import pytest

from autograder.errors import DoesNotHold
from autograder.verify.record import (
    TOO_HIGH,
    CheckRecord,
    NearMiss,
    PropertyRecord,
    Proved,
    Record,
    Repeated,
    Strikes,
    false_fail,
    held_to,
    load,
    path_of,
    save,
    sources_of,
)

NAME = "a90_toy"
CHECK = "test_entropy_of_draws"
STATISTICAL = f'''

@exercise("entropy", points=0)
def {CHECK}(student, stages):
    """Draws have the entropy."""
'''


@pytest.fixture
def course(toy_course):
    """The toy course with a check that takes stages."""
    path = toy_course.hidden_folder(NAME) / "test_entropy.py"
    path.write_text(path.read_text(encoding="utf-8") + STATISTICAL, encoding="utf-8")
    return toy_course


def strikes(count, runs=10_000):
    return Strikes(400, runs, count)


def check(**changed):
    mean = PropertyRecord("the mean", "asymptotic", 1e-10, strikes(75), strikes(20, 2_500))
    cells = PropertyRecord("all states", "simulated", 1e-10, strikes(60), strikes(15, 2_500))
    record = CheckRecord(
        CHECK,
        "entropy",
        repeats=True,
        properties=(mean, cells),
        right=(Repeated("reference", 300, 0),),
        mistakes=(Repeated("in_bits", 59, 59), Repeated("one_term", 59, 59)),
        near_misses=(
            NearMiss("near", "2 % off", Repeated("near", 200, 200), Repeated("near", 200, 60)),
        ),
    )
    return replace(record, **changed)


def record(course, *checks, **changed):
    made = Record(
        NAME, "2026-03-02", False, {}, 60.0, {"python": "3.11"}, sources_of(course, NAME),
        checks,
    )  # fmt: skip
    return replace(made, **changed)


PROVED = [Proved(CHECK, "entropy", 0.0, 0.5, ("in_bits", "one_term"), 2)]


def problems(course, *checks, **changed):
    save(record(course, *checks, **changed), course)
    return held_to(course, NAME, PROVED)[1]


def test_the_upper_bound_is_that_of_clopper_and_pearson():
    # The figures of 75 and 100 strikes in 10,000.
    assert strikes(75).upper == pytest.approx(0.0098, abs=5e-5)
    assert strikes(100).upper == pytest.approx(0.0126, abs=5e-5)
    assert strikes(0, 100).upper == pytest.approx(1 - 0.01**0.01)
    assert Strikes(1, 3, 3).upper == 1.0


def test_only_what_rests_on_an_approximation_is_bounded_by_what_was_measured():
    mean, cells = check().properties
    assert mean.bound == mean.measured == pytest.approx(mean.first.upper * mean.later.upper**4)
    assert cells.bound == 1e-10
    assert check().bound == mean.bound + cells.bound
    assert check().kind == "staged"
    bet = PropertyRecord("the mean", "betting", 1e-10)
    assert check(properties=(bet,)).kind == "betting"
    assert check(properties=()).kind == "exact"


def test_a_record_comes_back_as_it_was_written(course):
    made = record(course, check())
    save(made, course)
    assert load(course, NAME) == made


def test_a_file_that_is_no_record_is_said(course):
    path_of(course, NAME).write_text('{"schema": 7}', encoding="utf-8")
    with pytest.raises(DoesNotHold, match="make calibrate"):
        load(course, NAME)


def test_a_good_record_leaves_nothing_to_say_and_fills_the_rows(course):
    save(record(course, check()), course)
    rows, said = held_to(course, NAME, PROVED)
    assert said == []
    row = rows[CHECK]
    assert (row.kind, row.property, row.n, row.strikes, row.runs) == (
        "staged", "the mean", 400, 75, 10_000,
    )  # fmt: skip
    assert (row.mistakes_caught, row.mistakes_named, row.repeated) == (2, 2, (59, 59))
    assert row.weakest is None
    assert row.to_json()["near_misses"][0]["staged"]["failed"] == 60


def test_no_record_is_needed_where_nothing_is_left_to_chance(toy_course):
    assert held_to(toy_course, NAME, PROVED)[1] == []


def test_a_check_by_chance_needs_a_record(course):
    (said,) = held_to(course, NAME, PROVED)[1]
    assert "no calibration record" in said
    (said,) = problems(course)
    assert f"{CHECK} is not in the calibration record" in said


@pytest.mark.parametrize("file", ["tests/hidden/a90_toy/test_entropy.py", "reference/toy.py"])
def test_a_record_of_other_files_is_stale(course, file):
    save(record(course, check()), course)
    path = course.root / file
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    (said,) = held_to(course, NAME, PROVED)[1]
    assert f"{file} has changed since 2026-03-02" in said
    assert "make calibrate" in said


def test_files_that_came_or_went_make_it_stale(course):
    sources = sources_of(course, NAME)
    gone = {name: hash_ for name, hash_ in sources.items() if name != "reference/toy.py"}
    (said,) = problems(course, check(), sources=gone)
    assert "reference/toy.py is new" in said
    (said,) = problems(course, check(), sources={**sources, "reference/old.py": "0"})
    assert "reference/old.py is gone" in said


def test_a_quick_record_is_refused(course):
    (said,) = problems(course, check(), quick=True)
    assert "too small" in said


def test_a_property_that_strikes_too_often_is_refused(course):
    often = PropertyRecord("the mean", "simulated", 1e-10, strikes(190), strikes(48, 2_500))
    assert often.measured > TOO_HIGH
    (said,) = problems(course, check(properties=(often,)))
    assert "struck in 190 of 10000 stages" in said


def test_right_work_that_failed_and_mistakes_that_were_missed_are_said(course):
    right, missed = problems(
        course,
        check(right=(Repeated("by_hand", 300, 1),), mistakes=(Repeated("in_bits", 59, 58),)),
    )
    assert "by_hand, which is right, failed in 1 of 300" in right
    assert "the mistake in_bits was missed in 1 of 59" in missed


def test_the_bound_of_a_term_sums_over_checks_and_students(course):
    found = false_fail(course, {NAME: [1e-10, 0.0], "other": [3e-10]})
    assert found == {
        "assignments": 2, "checks": 3, "students": 300, "bound": pytest.approx(1.2e-7),
    }  # fmt: skip
    (course.root / "submitted" / "ada").mkdir(parents=True)
    assert false_fail(course, {NAME: [1e-10]})["students"] == 1
