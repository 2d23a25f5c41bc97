"""All states, and the search for a telling instance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.checks import all_states, search_instance


@given(st.integers(0, 8))
def test_row_i_holds_the_binary_digits_of_i(units):
    states = all_states(units)
    assert states.shape == (2**units, units)
    powers = 2.0 ** np.arange(units)[::-1]
    np.testing.assert_array_equal(states @ powers, np.arange(2**units))


def test_too_many_units_are_refused():
    with pytest.raises(ValueError, match="21"):
        all_states(21)


def test_the_search_maximises_the_smallest_divergence():
    def divergence(instance, wrong):
        return wrong(instance)

    mistakes = {"a": lambda x: x, "b": lambda x: 10 - x}
    assert search_instance(float, mistakes, divergence, tries=11) == (5, 5.0)


def test_nothing_to_search_is_refused():
    with pytest.raises(ValueError, match="nothing to search"):
        search_instance(float, {}, lambda *_: 0.0)
