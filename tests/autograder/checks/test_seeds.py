"""Seeds are derived: the same for the same, another for anything else."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from autograder.checks import Seeds, inputs_for, stages_for

SEEDS = Seeds(b"secret", "ada", "a90_toy", "test_check")


@given(st.text(), st.text(), st.integers(0, 10))
def test_seeds_repeat_and_fit_63_bits(student, purpose, stage):
    first = Seeds(b"s", student, "a", "c").seed(purpose, stage)
    assert first == Seeds(b"s", student, "a", "c").seed(purpose, stage)
    assert 0 <= first < 2**63


def test_each_part_counts():
    others = [
        replace(SEEDS, secret=b"other"),
        replace(SEEDS, student="bob"),
        replace(SEEDS, assignment="a91"),
        replace(SEEDS, check="test_other"),
    ]
    seeds = {one.seed("draws") for one in (SEEDS, *others)}
    seeds |= {SEEDS.seed("inputs"), SEEDS.seed("draws", 1)}
    assert len(seeds) == 7


def test_parts_do_not_run_into_each_other():
    one, other = Seeds(b"s", "ab", "c", "d"), Seeds(b"s", "a", "bc", "d")
    assert one.seed("p") != other.seed("p")


def test_the_judge_and_the_student_draw_from_different_seeds():
    stages = stages_for(SEEDS)
    assert SEEDS.seed("judge draws") != stages.for_student(0)
    assert len({stages.for_student(stage) for stage in range(5)}) == 5
    assert stages.for_judge(0).integers(2**60) != inputs_for(SEEDS).integers(2**60)


def test_what_is_tested_by_chance_is_noted():
    seeds = replace(SEEDS, risks=[])
    stages_for(seeds).tested("the mean", 1e-10, "exact")
    (risk,) = seeds.risks
    assert (risk.property, risk.bound, risk.method) == ("the mean", 1e-10, "exact")
