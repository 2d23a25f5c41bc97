"""`expect`: every statement holds for right values and fails for wrong ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.checks import expect, remember
from autograder.errors import CheckFailed

RIGHT = np.array([[1.0, 2.0, 4.0], [-8.0, 16.0, 32.0]])


def failure(statement):
    with pytest.raises(CheckFailed) as caught:
        statement()
    return caught.value


@given(hnp.arrays(np.float64, (3, 2), elements=st.floats(-1e6, 1e6)))
def test_a_value_matches_itself(value):
    expect(value).matches(value)


@given(
    hnp.arrays(np.float64, (4,), elements=st.floats(-1e3, 1e3)),
    st.integers(0, 3),
    st.sampled_from([np.nan, np.inf, -np.inf]),
)
def test_one_value_that_is_not_finite_fails(value, place, wrong):
    seen = value.copy()
    seen[place] = wrong
    assert f"at [{place}]" in failure(lambda: expect(seen).matches(value)).seen


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_deviations_count_relative_to_the_largest_value(dtype):
    tolerance = 1e-5 if dtype is np.float32 else 1e-9
    due = np.array([100.0, 0.0], dtype)
    expect(due + dtype(50 * tolerance)).matches(due)
    failure(lambda: expect(due + dtype(200 * tolerance)).matches(due))


@pytest.mark.parametrize(
    "seen",
    [
        RIGHT.astype(np.float32),
        RIGHT.astype(int),
        RIGHT[0],
        RIGHT[..., np.newaxis],
        RIGHT.T,
        2 * RIGHT,
        (RIGHT,),
        {"a": RIGHT},
    ],
)
def test_another_dtype_shape_or_value_does_not_match(seen):
    failure(lambda: expect(seen).matches(RIGHT))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x / 2, "half of what it should be"),
        (lambda x: 2 * x, "twice what it should be"),
        (lambda x: -x, "the negative"),
        (lambda x: 0 * x, "each is 0"),
        (lambda x: 7 * x, "7 times"),
        (lambda x: x / 7, "1/7 of"),
        (lambda x: x**2, "the square of"),
        (np.exp, "the exponential of"),
        (lambda x: 1 - x, "1 minus"),
    ],
)
def test_what_is_well_known_is_said_in_words(change, words):
    due = np.linspace(0.31, 2.9, 7)
    assert words in failure(lambda: expect(change(due)).matches(due)).seen


def test_no_message_shows_the_right_value_or_how_far_it_is():
    due = np.array([0.123456789, 0.987654321, 0.555444333])
    off = np.array([0.3, 0.1, 0.7])
    text = str(vars(failure(lambda: expect(due + off).matches(due))))
    assert not any(f"{value:.3g}" in text for value in (*due, *off))
    assert "the worst at [2] is 2.26 times what it should be" in text


@pytest.mark.parametrize(
    ("seen", "due", "words"),
    [
        ([1.0, 0.25], [1.0, 0.0], "it at [1] is 0.25 and should be 0"),
        ([1.0, 2.0001], [1.0, 2.0], "it at [1] is off by 5e-05 of its size"),
        ([1.0, 2.6], [1.0, 2.0], "it at [1] is 1.3 times what it should be"),
        ([1.0, 2.6j], [1.0, 2.0], "it at [1] is 1.3 times as large as it should be, and turned"),
    ],
)
def test_the_worst_entry_is_compared_in_words(seen, due, words):
    failed = failure(lambda: expect(np.array(seen)).close(np.array(due)))
    assert failed.seen.endswith(words)


def test_a_lone_number_is_said_without_counting():
    failed = failure(lambda: expect(np.array(-3.8)).within(0, 1))
    assert (failed.seen, failed.due) == ("-3.8", "a number from 0 to 1")
    assert failure(lambda: expect(np.array(0.5)).among((0, 1))).seen == "0.5"
    many = failure(lambda: expect(np.array([0.5, -1.0, 2.0])).within(0, 1))
    assert many.seen == "2 of 3 entries lie outside, such as -1 at [1]"


def test_a_column_in_place_of_a_row_of_numbers_is_told_what_sums_would_become():
    message = failure(lambda: expect(np.zeros((7, 1))).matches(np.zeros(7)))
    assert "(7, 7)" in message.due


def test_a_failure_quotes_the_call():
    seen = remember(np.ones(3), "f(x (3,))")
    assert failure(lambda: expect(seen).equals([1, 1, 2])).call == "f(x (3,))"
    assert failure(lambda: expect(seen[:2] * 2).equals([1, 1])).call == "f(x (3,))"


def test_equals_is_exact_and_counts():
    expect(RIGHT).equals(RIGHT)
    assert failure(lambda: expect(RIGHT + 1e-15 * (RIGHT == 1)).equals(RIGHT)).seen.startswith(
        "1 of 6 entries differs"
    )
    assert (
        "2 of 6 entries differ,"
        in failure(lambda: expect(RIGHT + 1.0 * (abs(RIGHT) < 3)).equals(RIGHT)).seen
    )


def test_named_sizes_are_quoted():
    expect(np.zeros((2, 3))).array("B D", np.float64, B=2, D=3)
    message = failure(lambda: expect(np.zeros((2, 4))).array("B D", np.float64, B=2, D=3))
    assert "(B, D) = (2, 3)" in message.due


def test_support_range_and_sums():
    expect(np.array([0.0, 1.0])).among((0, 1)).within(0, 1).sums_to(1.0)
    failure(lambda: expect(np.array([0.0, 0.5])).among((0, 1)))
    failure(lambda: expect(np.array([0.0, np.nan])).among((0, 1)))
    failure(lambda: expect(np.array([0.0, 1.1])).within(0, 1))
    failure(lambda: expect(np.array([0.0, np.nan])).within(0, 1))
    failure(lambda: expect(np.array([[0.5, 0.4], [0.5, 0.5]])).sums_to(1.0, axis=1))


def test_parts_are_counted():
    first, second = expect((np.ones(2), np.zeros(3))).parts(2)
    assert first.shape == (2,)
    assert second.shape == (3,)
    failure(lambda: expect((np.ones(2),)).parts(2))
    failure(lambda: expect(np.ones(2)).parts(2))
