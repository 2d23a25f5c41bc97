"""`entropy`: the entropy of a Bernoulli variable."""

import numpy as np

from autograder.checks import alternative, exercise, expect, mistake
from reference import toy

LOGIT = np.array([0.0, 1.5, -2.0, 4.0])


@exercise("entropy", points=1, depends_on=("sigmoid",), visible=True)
def test_entropy_of_a_fair_coin(student):
    """A fair coin has log 2 nats."""
    expect(student.entropy(np.zeros(2))).matches(np.full(2, np.log(2.0)))


@exercise("entropy", points=3, depends_on=("sigmoid",), mistakes=("in_bits", "one_term"))
def test_entropy_matches_the_definition(student):
    """`entropy` is -p log p - (1 - p) log (1 - p), in nats."""
    expect(student.entropy(LOGIT)).matches(toy.entropy(LOGIT))


@mistake("entropy", kind="scale", hint="The natural logarithm gives nats.")
def in_bits(logit):
    return toy.entropy(logit) / np.log(2.0)


@mistake("entropy", kind="concept", hint="Both outcomes count.")
def one_term(logit):
    return -toy.sigmoid(logit) * toy.log_sigmoid(logit)


@alternative("entropy")
def through_the_mean(logit):
    return np.logaddexp(0.0, logit) - logit * sigmoid(logit)  # noqa: F821  (the student's own)
