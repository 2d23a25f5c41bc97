"""Results remember their call, and refuse to pass for what they are not."""

import numpy as np
import pytest
from scipy.special import logsumexp

from autograder.checks import remember
from autograder.checks._seen import called_as, described, leaves
from autograder.errors import CheckFailed


def test_slices_arithmetic_and_functions_keep_the_call():
    seen = remember(np.arange(6.0).reshape(2, 3), "f(x)")
    for result in (seen[0], seen + 1, np.exp(seen), np.concatenate([seen, seen]), seen.T):
        assert result.call == "f(x)"


def test_parts_remember_the_call():
    seen = remember((np.ones(2), {"a": [np.zeros(1)]}), "f(x)")
    assert seen[1]["a"][0].call == "f(x)"
    assert called_as(seen[0:]) == "f(x)"
    assert [array.shape for array in leaves(seen)] == [(2,), (1,)]


@pytest.mark.parametrize(
    "use",
    [
        lambda seen: seen + 1,
        lambda seen: np.exp(seen),
        lambda seen: seen == 1,
        lambda seen: seen < 1,
        lambda seen: np.asarray(seen),
        lambda seen: seen[5],
    ],
)
def test_a_tuple_in_place_of_an_array_fails_the_check(use):
    with pytest.raises(CheckFailed, match="a tuple of 2 results"):
        use(remember((np.ones(2), np.ones(2)), "f(x)"))


def test_one_array_in_place_of_several_results_fails_the_check():
    with pytest.raises(CheckFailed, match="an array of shape"):
        _, _ = remember(np.ones((2, 3)), "f(x)")


def test_a_missing_name_fails_the_check():
    with pytest.raises(CheckFailed):
        remember({"a": np.ones(1)}, "f(x)")["b"]


def test_libraries_may_compute_with_a_result():
    assert logsumexp(remember(np.zeros(4), "f(x)")) == pytest.approx(np.log(4))


def test_results_are_described_by_their_form():
    assert described(remember([np.ones(1)], "f")) == "a list of 1 result"
    assert described(np.float64(1)) == "a single number"
