"""`sigmoid` and `log_sigmoid`: a probability from its logit."""

import numpy as np

from autograder.checks import alternative, exercise, expect, mistake
from reference import toy

LOGIT = np.array([[0.0, 1.5, -2.0], [4.0, -0.25, 7.0]])


@exercise("sigmoid", points=2, visible=True)
def test_sigmoid_of_zero(student):
    """`sigmoid(0)` is one half."""
    expect(student.sigmoid(np.zeros(3))).equals(np.full(3, 0.5))


@exercise("sigmoid", points=3, mistakes=("sign",))
def test_sigmoid_is_the_logistic_function(student):
    """`sigmoid` is the logistic function, element by element."""
    expect(student.sigmoid(LOGIT)).matches(toy.sigmoid(LOGIT))


@exercise("sigmoid", points=1, mistakes=("log_of_sigmoid",))
def test_log_sigmoid_stays_finite(student):
    """`log_sigmoid` stays finite where `sigmoid` is 0."""
    expect(student.log_sigmoid(LOGIT * 1e3)).matches(toy.log_sigmoid(LOGIT * 1e3))


@mistake("sigmoid", kind="concept", hint="The sign of the exponent is minus.")
def sign(logit):
    return 1.0 / (1.0 + np.exp(logit))


@mistake("sigmoid", function="log_sigmoid", kind="numerics", hint="`log(sigmoid(-1000))` is -inf.")
def log_of_sigmoid(logit):
    with np.errstate(all="ignore"):
        return np.log(toy.sigmoid(logit))


@alternative("sigmoid")
def by_tanh(logit):
    return 0.5 * (1.0 + np.tanh(0.5 * logit))
