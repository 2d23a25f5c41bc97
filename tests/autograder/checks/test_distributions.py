"""`expect_law`: right samplers pass, wrong ones fail at the property that is wrong."""

import numpy as np
import pytest
from scipy import stats

from autograder.checks import all_states, sampling
from autograder.errors import CheckFailed

MEAN = np.array([1.0, -2.0, 0.5, 3.0])
DEVIATION = np.array([0.5, 1.0, 2.0, 1.5])
STATES = all_states(3)
PROBABILITY = np.array([0.05, 0.1, 0.15, 0.2, 0.2, 0.15, 0.1, 0.05])


def normal_cdf(x):
    return stats.norm.cdf(x, MEAN, DEVIATION)


def exponential_cdf(x):
    return stats.expon.cdf(x)


GAUSSIAN = sampling.moments(MEAN, np.diag(DEVIATION**2), fourth=lambda x: x[:, 0] ** 4)
CONTINUOUS = sampling.continuous(normal_cdf, MEAN, DEVIATION**2)
EXPONENTIAL = sampling.continuous(exponential_cdf, 1.0, 1.0)
DISCRETE = sampling.discrete(np.log(PROBABILITY), STATES, parity=lambda s: s.sum(1) % 2)


def gaussian(n, rng):
    return MEAN + DEVIATION * rng.normal(size=(n, 4))


def states(n, rng):
    return STATES[rng.choice(8, size=n, p=PROBABILITY)]


def expect(submit, function, law, n=1000, seed="ada"):
    student, stages = submit(f=function, seed=seed)
    sampling.expect_law(sampling.draws(student.f, n, stages), law)
    return student


@pytest.mark.parametrize(
    ("function", "law", "runs"),
    [
        (gaussian, GAUSSIAN, 200),
        (gaussian, CONTINUOUS, 200),
        (lambda n, rng: rng.exponential(size=n), EXPONENTIAL, 2000),
        (states, DISCRETE, 500),
    ],
)
def test_right_samplers_never_fail(submit, function, law, runs):
    for seed in range(runs):
        student = expect(submit, function, law, seed=str(seed))
    assert all(bound == pytest.approx(1e-10) for _, bound in student.bounds)
    assert len(student.bounds) == len(law.properties)


@pytest.mark.parametrize("law", [GAUSSIAN, CONTINUOUS, DISCRETE])
def test_each_property_strikes_in_at_most_one_stage_of_a_hundred(law):
    generator = np.random.default_rng(6)
    draw = states if law is DISCRETE else gaussian
    runs = 2000
    strikes = dict.fromkeys((item.name for item in law.properties), 0)
    for _ in range(runs):
        sample = law.sample(draw(1000, generator), None)
        for item in law.properties:
            strikes[item.name] += bool(item.strikes(sample))
    # At a rate of 1 % so many strikes come once in a thousand.
    assert max(strikes.values()) <= stats.binom.ppf(0.999, runs, 0.01), strikes


def _truncated(n, rng):
    return MEAN + DEVIATION * stats.truncnorm(-2, 2).rvs((n, 4), random_state=rng)


WRONG = [
    (lambda n, rng: MEAN + DEVIATION**2 * rng.normal(size=(n, 4)), "the variance"),
    (lambda n, rng: MEAN + DEVIATION * rng.uniform(-(3**0.5), 3**0.5, (n, 4)), "the marginal law"),
    (
        lambda n, rng: MEAN + DEVIATION * rng.normal(size=(1, 4)).repeat(n, 0),
        "independence of the rows",
    ),
    (lambda n, rng: MEAN + DEVIATION * rng.normal(size=(n, 1)), "independence of the columns"),
    (_truncated, "the variance"),
    (lambda n, rng: gaussian(n, rng) + 0.3 * DEVIATION, "the mean"),
    (lambda n, rng: gaussian(n, np.random.default_rng(0)), "fresh draws"),
]


@pytest.mark.parametrize(("function", "name"), WRONG)
def test_wrong_samplers_fail_at_what_is_wrong(submit, function, name):
    for seed in range(6):
        with pytest.raises(CheckFailed) as caught:
            expect(submit, function, CONTINUOUS, n=2000, seed=str(seed))
        assert caught.value.property == name


def test_a_feature_sees_what_mean_and_variance_do_not(submit):
    law = sampling.moments([0.0], [[1.0]], fourth_power=lambda x: x[:, 0] ** 4)
    with pytest.raises(CheckFailed) as caught:
        expect(submit, lambda n, rng: rng.uniform(-(3**0.5), 3**0.5, (n, 1)), law)
    assert caught.value.property == "fourth power"


def test_correlations_that_are_due_are_tested(submit):
    covariance = np.array([[1.0, 0.6], [0.6, 1.0]])
    law = sampling.moments([0.0, 0.0], covariance)
    root = np.linalg.cholesky(covariance)
    expect(submit, lambda n, rng: rng.normal(size=(n, 2)) @ root.T, law)
    with pytest.raises(CheckFailed) as caught:
        expect(submit, lambda n, rng: rng.normal(size=(n, 2)) @ (root.T * [1, 1.4]), law)
    assert caught.value.property in ("the variance", "the correlations")


@pytest.mark.parametrize(
    ("probability", "name"),
    [
        (np.roll(PROBABILITY, 1), "parity"),
        (PROBABILITY[[0, 1, 2, 3, 4, 5, 7, 6]], "parity"),
        (np.array([0.08, 0.1, 0.15, 0.17, 0.17, 0.15, 0.1, 0.08]), "parity"),
        (np.full(8, 0.125), "all states together"),
    ],
)
def test_wrong_probabilities_fail(submit, probability, name):
    def wrong(n, rng):
        return STATES[rng.choice(8, size=n, p=probability)]

    for seed in range(10):
        with pytest.raises(CheckFailed) as caught:
            expect(submit, wrong, DISCRETE, n=3000, seed=str(seed))
        assert caught.value.property in (name, "each unit", "all states together")


def test_the_stated_effect_is_caught_at_the_stated_size(submit):
    # A unit off by e needs n = 26.5 p (1 - p) / e^2 for power 0.995 on the first stage.
    law = sampling.discrete(np.log([0.5, 0.5]), np.array([0, 1]))
    e = 0.08
    n = int(26.5 * 0.25 / e**2)
    caught = 0
    for seed in range(60):
        try:
            expect(submit, lambda n, rng: (rng.random((n,)) * 1 < 0.5 + e) * 1, law, n, str(seed))
        except CheckFailed:
            caught += 1
    assert caught >= 57


def test_what_is_no_state_fails_at_once(submit):
    with pytest.raises(CheckFailed, match="none of the possible states"):
        expect(submit, lambda n, rng: states(n, rng) + 0.5, DISCRETE)


def test_probabilities_that_do_not_sum_to_one_are_the_check_authors_mistake():
    with pytest.raises(ValueError, match="sum"):
        sampling.discrete(np.log(PROBABILITY[:-1]), STATES[:-1])


def test_messages_hold_an_effect_with_its_interval_and_no_more(submit):
    with pytest.raises(CheckFailed) as caught:
        expect(submit, lambda n, rng: MEAN + 1.2 * DEVIATION * rng.normal(size=(n, 4)), CONTINUOUS)
    text = " ".join(str(part) for part in vars(caught.value).values())
    assert "1.4" in caught.value.seen
    assert "between" in caught.value.seen
    assert "p-value" not in text


def test_thresholds_of_one_feature_are_not_those_of_another_of_the_same_name():
    names = [
        sampling.discrete(np.log(PROBABILITY), STATES, feature=function).properties[1]
        for function in (lambda s: s.sum(1) % 2, lambda s: 1e-3 * np.arange(8) ** 3)
    ]
    first, second = (item.thresholds(np.array([1000.0]))[item.name] for item in names)
    assert first != second
