"""Draws of one law agree but in one case of a hundred; draws of another law do not."""

import numpy as np
import pytest

from autograder.checks import Observation, Stages, sampling
from autograder.checks._evidence import MeanEvidence, RowsEvidence, TableEvidence
from autograder.errors import CheckFailed

LAW = np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25], [0.0, 0.5, 0.2, 0.3]])
OTHER = LAW + np.array([0.02, -0.02, 0.0, 0.0]) * (LAW[:, :1] > 0)
SIZES = (6000, 6000, 6000)


def counts(law, seed, sizes=SIZES):
    generator = np.random.default_rng(seed)
    drawn = [generator.multinomial(n, p) for n, p in zip(sizes, law, strict=True)]
    return TableEvidence(counts=np.array(drawn, float))


def rows(seed, scale=1.0, shift=0.0, size=4000):
    drawn = shift + scale * np.random.default_rng(seed).normal(size=(size, 3))
    return RowsEvidence(drawn, np.sin(drawn[:, :1]))


def values(seed, shift=0.0, size=4000):
    return MeanEvidence(values=shift + np.random.default_rng(seed).normal(size=(size, 2)))


SAME = {
    "counts and counts": lambda seed: (counts(LAW, seed), counts(LAW, 10_000 + seed)),
    "counts and exact": lambda seed: (counts(LAW, seed), TableEvidence(probabilities=LAW)),
    "rows": lambda seed: (rows(seed), rows(10_000 + seed)),
    "values": lambda seed: (values(seed), values(10_000 + seed)),
    "values and exact": lambda seed: (values(seed), MeanEvidence(mean=np.zeros(2))),
}


@pytest.mark.parametrize("kind", SAME)
def test_draws_of_one_law_disagree_in_about_one_case_of_a_hundred(kind):
    pairs = [SAME[kind](seed) for seed in range(300)]
    apart = sum(not one.agrees(other) for one, other in pairs)
    # Of 300 with a rate of 1 %, more than 10 come once in 1,500 times.
    assert apart <= 10
    assert all(one.agrees(other) == other.agrees(one) for one, other in pairs[:20])


DIFFERENT = {
    "counts": (counts(LAW, 1), counts(OTHER, 2)),
    "counts and exact": (counts(LAW, 1), TableEvidence(probabilities=OTHER)),
    "exact": (TableEvidence(probabilities=LAW), TableEvidence(probabilities=OTHER)),
    "scale": (rows(1), rows(2, scale=1.1)),
    "shift": (rows(1), rows(2, shift=0.1)),
    "mean": (values(1), values(2, shift=0.1)),
    "mean and exact": (values(1), MeanEvidence(mean=np.array([0.0, 0.1]))),
    "exact means": (MeanEvidence(mean=np.zeros(2)), MeanEvidence(mean=np.full(2, 1e-3))),
    "shapes": (counts(LAW, 1), counts(LAW[:2], 2, SIZES[:2])),
    "widths": (rows(1), RowsEvidence(np.zeros((9, 2)), np.zeros((9, 0)))),
    "kinds": (counts(LAW, 1), values(2)),
    "other kinds": (rows(1), counts(LAW, 1)),
    "no evidence": (values(1), None),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_draws_of_another_law_do_not_agree(what):
    one, other = DIFFERENT[what]
    assert not one.agrees(other)
    if other is not None:
        assert not other.agrees(one)


def test_exact_laws_agree_up_to_rounding():
    law = TableEvidence(probabilities=LAW)
    assert law.agrees(TableEvidence(probabilities=LAW + 1e-7))
    mean = MeanEvidence(mean=np.ones(2))
    assert mean.agrees(MeanEvidence(mean=np.ones(2) * (1 + 1e-7)))


def test_values_without_spread_agree_only_if_they_are_the_same():
    ones = MeanEvidence(values=np.ones((9, 1)))
    assert ones.agrees(MeanEvidence(values=np.ones((7, 1))))
    assert not ones.agrees(MeanEvidence(values=np.full((7, 1), 2.0)))


def gaussian(off):
    return lambda n, rng: (1 + off) * rng.normal(size=(n, 2))


def coin(off):
    return lambda n, rng: (rng.normal(size=n) > off).astype(float)


def shifted(off):
    return lambda n, rng: np.clip(off + rng.normal(size=n), -9, 9)


def of_rows(student, stages):
    law = sampling.moments(np.zeros(2), np.eye(2), square=lambda rows: rows[:, 0] ** 2)
    sampling.expect_law(sampling.draws(student.f, 500, stages), law)


def of_table(student, stages):
    law = sampling.discrete(np.log([0.5, 0.5]), np.array([0.0, 1.0]))
    sampling.expect_law(sampling.draws(student.f, 500, stages), law)


def of_mean(student, stages):
    sampling.expect_mean(student.f, 0.0, stages)


def of_bets(student, stages):
    sampling.expect_mean(student.f, 0.0, stages, bounds=(-9, 9), replicates=4000)


@pytest.mark.parametrize(
    ("function", "check"),
    [(gaussian, of_rows), (coin, of_table), (shifted, of_mean), (shifted, of_bets)],
)
def test_a_failed_law_brings_evidence_that_agrees_with_its_own_law_only(submit, function, check):
    def failure(off, seed):
        student, stages = submit(f=function(off), seed=seed)
        with pytest.raises(CheckFailed) as caught:
            check(student, stages)
        return caught.value.evidence

    assert failure(0.7, "one").agrees(failure(0.7, "two"))
    assert not failure(0.7, "one").agrees(failure(1.0, "three"))


def test_an_observation_sees_each_property_once_and_never_fails(submit):
    student, stages = submit(f=lambda n, rng: 2 + rng.normal(size=(n, 2)))
    observation = Observation(stage=1)
    law = sampling.moments(np.zeros(2), np.eye(2))
    seen = Stages(stages.seeds, observation)
    sampling.expect_law(sampling.draws(student.f, 100, seen), law, law)
    names = [item.name for item in law.properties]
    assert list(observation.strikes) == names + [f"{name} (2)" for name in names]
    assert observation.strikes["the mean"]
    assert set(observation.sizes.values()) == {400}
    assert observation.methods["the mean"] == "simulated"
