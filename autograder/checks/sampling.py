"""Samples: the law of random draws, tested so that correct work fails less than once in 10^9.

Use values or exact enumeration where they can say it. What is tested by chance is noted with
`stages`, so that a check's bound is the sum over its properties.
"""

from collections.abc import Callable
from typing import Any

from autograder.checks._conditional import conditional
from autograder.checks._distributions import Law, continuous, discrete, expect_law, moments
from autograder.checks._kernel import expect_kernel
from autograder.checks._mean import expect_mean, expect_mean_at_most
from autograder.checks._seeds import Stages
from autograder.checks._staged import Draws
from autograder.checks._two_sample import two_sample

__all__ = [
    "Draws",
    "Law",
    "conditional",
    "continuous",
    "discrete",
    "draws",
    "expect_kernel",
    "expect_law",
    "expect_mean",
    "expect_mean_at_most",
    "moments",
    "two_sample",
]


def draws(call: Callable[..., Any], n: int, stages: Stages) -> Draws:
    """Returns the draws of a check: n rows at first, four times as many on later stages.

    They are made when needed, once, and shared by all properties.

    Args:
        call: `student.f`, or a function of the check with the parameter `rng`; takes a number of
            rows, and a generator; returns independent rows.
        n: Rows of the first stage.
        stages: The source of seeds.
    """
    return Draws(call, n, stages)
