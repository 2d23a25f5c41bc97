"""Whatever a submission returns, a check passes or fails with a short message: nothing else."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.checks import Seeds, expect, gradients, laws, numpy_rng, remember
from autograder.checks._probe import Call
from autograder.errors import CheckFailed
from autograder.judge.session import message

# Nobody writes these by chance, so that one in a message has come from here.
RIGHT = np.array([[731.40521, -86.912377], [0.053172941, 4189.6223], [-67.328814, 0.92467315]])
X = np.arange(12.0).reshape(6, 2)

DTYPES = [
    np.dtype(name)
    for name in ("?", "i1", "i8", "u1", "u8", "f2", "f4", "f8", "c8", "c16", ml_dtypes.bfloat16)
]
SHAPES = st.sampled_from(
    [(), (0,), (1,), (3,), (6,), (2,), (3, 2), (2, 3), (6, 2), (3, 1), (6, 1), (1, 1), (0, 2)]
    + [(6, 2, 2), (2, 1, 2, 1, 2, 1, 2, 1), (200_000,), (6, 50_000)]
)
FILLS = ("normal", "zeros", "ones", "tiny", "huge", "nan", "some nan", "infinite", "some infinite")


def filled(shape, dtype, fill, seed):
    values = np.random.default_rng(seed).normal(size=shape)
    values = np.asarray({"zeros": 0 * values, "ones": 0 * values + 1}.get(fill, values))
    values = values * {"tiny": 1e-310, "huge": 1e300}.get(fill, 1.0)
    wrong = {"nan": np.nan, "infinite": -np.inf}.get(fill.removeprefix("some "))
    if wrong is not None:
        some = fill.startswith("some") and np.random.default_rng(seed + 1).random(shape) < 0.5
        values = np.where(some, values, wrong)
    with np.errstate(all="ignore"):
        return np.asarray(values, dtype if dtype.kind != "u" else np.int64).astype(dtype)


arrays = st.builds(
    filled, SHAPES, st.sampled_from(DTYPES), st.sampled_from(FILLS), st.integers(0, 2**31)
)
near = st.builds(
    lambda factor, seed: (
        np.where(filled((3, 2), DTYPES[7], "normal", seed) > 0, RIGHT, 1) * factor
    ),
    st.sampled_from([1.0, 0.5, 1 + 1e-4, 1 + 1e-7, -1.0, 0.0, 1j]),
    st.integers(0, 2**31),
)
# What laws ask for, in form; and forms that come close.
rows = st.builds(
    filled,
    st.sampled_from([(6, 2), (6,), (6, 2, 2), (30, 2), (6, 1)]),
    st.sampled_from([np.dtype("f8"), np.dtype("f4"), np.dtype("c16")]),
    st.sampled_from(FILLS),
    st.integers(0, 2**31),
)
pairs = st.tuples(rows, rows)
reports = st.fixed_dictionaries(
    {
        "value": rows,
        "connected": pairs | rows | st.just((np.array(True),)),
        "gradients": pairs | st.tuples(rows) | rows,
        "jacobian": rows,
        "w": rows,
        "before": st.fixed_dictionaries({"w": rows, "value": rows}) | rows,
        "after": st.fixed_dictionaries({"w": rows, "value": rows}) | rows,
    }
)
results = (
    rows
    | pairs
    | reports
    | st.recursive(
        arrays | near,
        lambda parts: (
            st.lists(parts, max_size=3)
            | st.lists(parts, max_size=3).map(tuple)
            | st.dictionaries(
                st.sampled_from(["value", "connected", "w", "result"]), parts, max_size=3
            )
        ),
        max_leaves=4,
    )
)
fuzzed = settings(max_examples=50, deadline=None, derandomize=True)


def passes_or_fails(statement):
    """Makes a statement, and holds that its message is fit for a student."""
    failure = failure_of(statement)
    if failure is None:
        return
    text = message(failure)
    for line in text.split("\n"):
        assert len(line) <= 200, line
        assert line.isprintable(), line
    assert failure.seen
    assert failure.due
    for number in np.abs(RIGHT).ravel():
        # Four digits of a right number are more than any ratio shows.
        assert f"{number:.4g}" not in text, text


def failure_of(statement):
    try:
        statement()
    except CheckFailed as failure:
        return failure
    return None


STATEMENTS = {
    "matches": lambda seen: expect(seen).matches(RIGHT),
    "matches in float32": lambda seen: expect(seen).matches(RIGHT.astype("float32")),
    "matches a number": lambda seen: expect(seen).matches(RIGHT[0, 0]),
    "matches integers": lambda seen: expect(seen).matches(np.array([1, 2, 3])),
    "matches nothing": lambda seen: expect(seen).matches(np.zeros((0, 2))),
    "matches booleans": lambda seen: expect(seen).matches(RIGHT > 0),
    "matches complex": lambda seen: expect(seen).matches(RIGHT * 1j),
    "close": lambda seen: expect(seen).close(RIGHT),
    "close to zero": lambda seen: expect(seen).close(np.zeros((3, 2))),
    "close to itself": lambda seen: expect(seen).close(seen, 1e-6),
    "equals": lambda seen: expect(seen).equals(RIGHT),
    "equals true": lambda seen: expect(seen, "it is so").equals(True),
    "parts": lambda seen: [expect(part).finite() for part in expect(seen).parts(2)],
    "named shape": lambda seen: expect(seen).array("B D", np.float64, B=6, D=2),
    "any shape": lambda seen: expect(seen).array(np.shape(seen), np.float64).finite(),
    "finite": lambda seen: expect(seen).finite(),
    "among": lambda seen: expect(seen).among((0, 1)),
    "within": lambda seen: expect(seen).within(0, 1),
    "at least": lambda seen: expect(seen).within(0, np.inf),
    "sums": lambda seen: expect(seen).sums_to(1.0),
    "sums over an axis": lambda seen: expect(seen).sums_to(1.0, axis=1),
    "entry": lambda seen: expect(seen[1]).finite(),
    "name": lambda seen: expect(seen["value"]).finite(),
    "masked": lambda seen: expect(seen[RIGHT > 0]).finite(),
}


@pytest.mark.parametrize("name", STATEMENTS)
@fuzzed
@given(seen=results)
def test_every_statement_about_any_result_holds_or_fails(name, seen):
    passes_or_fails(lambda: STATEMENTS[name](remember(seen, "f(x (6, 2))")))


class Answering(Call):
    """A submission of which each call and each probe returns the next of some results."""

    arrays_as = "numpy"
    name = "f"

    def __init__(self, answers):
        self.seeds = Seeds(b"secret of the tests", "ada", "a90_toy", "test_check")
        self.student = self
        self._answers = answers
        self._count = 0

    def run_probe(self, probe, *arguments, call=None):
        self._count += 1
        return remember(self._answers[(self._count - 1) % len(self._answers)], call)

    def __call__(self, *arguments):
        return self.run_probe(None, *arguments, call=self.call_text("f", arguments))

    def call_text(self, name, arguments):
        return f"{name}(x (6, 2))"

    def argument_names(self, name):
        return ("x",)


LAWS = {
    "rows": lambda f: laws.expect_rows_independent(f, (X,)),
    "unchanged": lambda f: laws.expect_inputs_unchanged(f, (X, [X])),
    "inverse": lambda f: laws.expect_inverse(f, f, X),
    "states": lambda f: laws.expect_normalised(f, X),
    "logarithms": lambda f: laws.expect_normalised(f, X, log=True),
    "grid": lambda f: laws.expect_normalised(f, grid=(np.arange(3.0), np.arange(2.0))),
    "dependencies": lambda f: gradients.expect_dependencies(f, np.eye(2, dtype=bool), points=2),
    "differences": lambda f: gradients.expect_gradient_by_differences(f, (X,), (0,)),
    "no gradient": lambda f: gradients.expect_no_gradient(f, ("w",), ("value",)),
    "updates": lambda f: gradients.expect_updates(f, ("w",), ("value",)),
    "log det": lambda f: gradients.expect_log_det(f, X),
}


@pytest.mark.parametrize("name", LAWS)
@fuzzed
@given(answers=st.lists(results, min_size=1, max_size=3))
def test_every_law_of_any_function_holds_or_fails(name, answers):
    passes_or_fails(lambda: LAWS[name](Answering(answers)))


@fuzzed
@given(answers=st.lists(results, min_size=1, max_size=3))
def test_the_rng_contract_of_any_function_holds_or_fails(answers):
    function = Answering(answers)

    def drawing(x, rng=numpy_rng):
        result, again = function(x), function(x)
        report = {"result": result, "again": again, "python": again, "numpy": np.array(True)}
        rng.ledger.reports.append(report)
        return result

    passes_or_fails(lambda: laws.expect_rng_contract(drawing, (X,)))


def test_a_gradient_of_any_function_holds_or_fails():
    import tensorflow as tf

    @fuzzed
    @given(answers=st.lists(results, min_size=1, max_size=3))
    def holds_or_fails(answers):
        function = Answering(answers)

        def due(x):
            return tf.reduce_sum(tf.square(x), 1)

        passes_or_fails(lambda: gradients.expect_gradient(function, (X,), (0,), due))

    holds_or_fails()
