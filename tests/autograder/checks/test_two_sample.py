"""`two_sample`: what a right sampler draws passes; other scales, places and modes fail."""

import numpy as np
import pytest

from autograder.checks import sampling
from autograder.errors import CheckFailed

CENTRES = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]])


def mixture(n, rng):
    return CENTRES[rng.integers(0, 3, n)] + 0.3 * rng.normal(size=(n, 2))


def to_the_nearest(rows):
    return np.linalg.norm(rows[:, np.newaxis] - CENTRES, axis=2).min(1)


LAW = sampling.two_sample(mixture, distance_to_the_nearest_mode=to_the_nearest)


def expect(submit, function, seed="ada"):
    student, stages = submit(f=function, seed=seed)
    sampling.expect_law(sampling.draws(student.f, 500, stages), LAW)
    return student


def test_the_right_law_never_fails(submit):
    for seed in range(200):
        student = expect(submit, mixture, str(seed))
    assert len(student.bounds) == len(LAW.properties)


def ring(n, rng):
    """The mean and covariance of the mixture, but another law."""
    angle = rng.uniform(0, 2 * np.pi, n)
    circle = np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return CENTRES.mean(0) + circle @ np.linalg.cholesky(COVARIANCE).T


COVARIANCE = np.cov(mixture(200_000, np.random.default_rng(0)), rowvar=False)

WRONG = {
    "shift": (lambda n, rng: mixture(n, rng) + [0.6, 0.0], "the mean"),
    "one mode dropped": (
        lambda n, rng: CENTRES[rng.integers(0, 2, n)] + 0.3 * rng.normal(size=(n, 2)),
        "",
    ),
    "one mode twice as likely": (
        lambda n, rng: (
            CENTRES[rng.choice(3, n, p=[0.5, 0.25, 0.25])] + 0.3 * rng.normal(size=(n, 2))
        ),
        "",
    ),
    "ring": (ring, ""),
    "noise forgotten": (lambda n, rng: CENTRES[rng.integers(0, 3, n)], "nearest mode"),
    "wider modes": (
        lambda n, rng: CENTRES[rng.integers(0, 3, n)] + 0.45 * rng.normal(size=(n, 2)),
        "",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_other_laws_fail_under_every_seed(submit, name):
    function, words = WRONG[name]
    for seed in range(5):
        with pytest.raises(CheckFailed) as caught:
            expect(submit, function, str(seed))
        assert words in caught.value.property


def test_the_discrepancy_alone_sees_a_law_of_the_same_moments(submit):
    last = sampling.Law(LAW.sample, LAW.properties[-1:])
    student, stages = submit(f=ring)
    with pytest.raises(CheckFailed, match="as far off as right ones"):
        sampling.expect_law(sampling.draws(student.f, 500, stages), last)
