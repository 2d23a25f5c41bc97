"""Laws: deterministic identities, which correct work never fails by chance."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autograder.checks._enumerate import ExactLaw, enumerate_draws
from autograder.checks._probe import Call, drawing, drawn, probe, reports_of
from autograder.checks._seen import called_as, described, leaves
from autograder.checks._values import default_tolerance, expect, rounding, widened
from autograder.checks._words import argument, counted, number
from autograder.errors import CheckFailed

__all__ = [
    "ExactLaw",
    "enumerate_draws",
    "expect_inputs_unchanged",
    "expect_inverse",
    "expect_normalised",
    "expect_rng_contract",
    "expect_rows_independent",
]

# Draws may coincide by chance; this often in a row they do not.
TRIES = 5


def expect_rows_independent(
    call: Callable[..., Any], batched: tuple[np.ndarray, ...], shared: tuple[Any, ...] = ()
) -> None:
    """Holds that each row of the result depends on that row of the arguments only.

    The same rows in another order, half of them, one alone, and one among copies of another must
    all give what they gave before. Rows are reused, never invented, so they stay in the domain.

    Args:
        call: Takes the batched arguments, then the shared ones; draws nothing.
        batched: Arrays with at least two rows each, the first axis.
        shared: What all rows have in common.

    Raises:
        CheckFailed: If a row's result depends on another row, by more than rounding (1e-5 of the
            largest, 1e-9 in float64); if there is not one per row, in one form for any batch.
        ValueError: If there are fewer than two rows, or not as many in each array.
    """
    count = len(batched[0])
    if count < 2 or any(len(array) != count for array in batched):
        raise ValueError(f"There are at least two rows. Received: {[len(a) for a in batched]}")
    last = count - 1
    among_copies = np.full(count, last)
    among_copies[0] = 0
    together, whole_call = _row_results(call, batched, shared, np.arange(count))
    for words, rows in (
        ("the same rows come in another order", np.arange(count)[::-1]),
        ("only the first half of the rows is passed", np.arange(count)[: (count + 1) // 2]),
        ("a row is passed alone", np.array([last])),
        ("other rows of the batch change", among_copies),
    ):
        parts, part_call = _row_results(call, batched, shared, rows)
        # The new row i is the old row rows[i].
        before = [whole[rows] for whole in together]
        if [array.shape for array in parts] != [array.shape for array in before]:
            seen = f"{_forms(parts)} when {words}, {_forms(before)} before"
            raise CheckFailed(None, seen, "the same form for any batch", part_call)
        for part, whole in zip(parts, before, strict=True):
            wrong = np.any(_wrong(part, whole).reshape(len(rows), -1), axis=1)
            if wrong.any():
                verb = "gives another result" if wrong.sum() == 1 else "give other results"
                seen = f"{counted(np.asarray(wrong), 'row')} {verb} when {words}"
                due = "each row's result depends on that row only"
                raise CheckFailed(None, seen, due, whole_call)


def _forms(arrays: list[np.ndarray]) -> str:
    """Says the shapes of the first few results."""
    words = " and ".join(str(array.shape) for array in arrays[:3])
    return f"shape{'' if len(arrays) == 1 else 's'} {words}{' …' if len(arrays) > 3 else ''}"


def _row_results(
    call: Callable[..., Any],
    batched: tuple[np.ndarray, ...],
    shared: tuple[Any, ...],
    rows: np.ndarray,
) -> tuple[list[np.ndarray], str | None]:
    """Returns the arrays of a result, each with one entry per row, and the call."""
    result = call(*(array[rows] for array in batched), *shared)
    arrays = [np.asarray(array) for array in leaves(result)]
    due = f"one entry per row, {len(rows)} along the first axis"
    for array in arrays:
        if array.shape[:1] != rows.shape:
            raise CheckFailed(None, f"shape {array.shape}", due, called_as(result))
    if not arrays:
        raise CheckFailed(None, described(result), due, called_as(result))
    return arrays, called_as(result)


def _wrong(seen: np.ndarray, due: np.ndarray) -> np.ndarray:
    """Returns where two results of the same shape are not as close as rounding leaves them."""
    tolerance = max(default_tolerance(seen.dtype), default_tolerance(due.dtype))
    seen, due = widened(seen), widened(due)
    scale = float(np.max(np.abs(due[np.isfinite(due)]), initial=0.0)) or 1.0
    with np.errstate(all="ignore"):
        close = np.abs(seen - due) <= tolerance * scale
    same = close | (seen == due) | (np.isnan(seen) & np.isnan(due))
    return np.asarray(~same)


def expect_inputs_unchanged(call: Call, arguments: tuple[Any, ...]) -> None:
    """Holds that a call leaves its arguments bitwise as they were.

    Args:
        call: `student.f`.
        arguments: What to call it with: arrays, and tuples, lists and dicts of them; whatever
            else is among them is not looked at.

    Raises:
        CheckFailed: If an array among them has changed, in dtype, shape or any bit.
    """
    text = call.student.call_text(call.name, arguments)
    after = call.student.run_probe(_arguments_after, call.name, *arguments, call=text)
    for place, given in enumerate(arguments):
        before = [np.asarray(array) for array in _arrays_in(given)]
        now = [np.asarray(array) for array in leaves(after[place])]
        same = len(before) == len(now) and all(
            a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
            for a, b in zip(before, now, strict=True)
        )
        if not same:
            name = argument(call.student.argument_names(call.name), place)
            due = "the call leaves its arguments as they are: it works on a copy"
            raise CheckFailed(None, f"{name} is another after the call", due, text)


@probe
def _arguments_after(student, name, *arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN202
    def arrays(value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, (tuple, list)):
            return [array for item in value for array in arrays(item)]  # type: ignore[no-untyped-call]
        return [np.array(value)] if hasattr(value, "__array__") else []

    getattr(student, name)(*arguments)
    return [arrays(argument) for argument in arguments]  # type: ignore[no-untyped-call]


def _arrays_in(value: Any) -> list[np.ndarray]:  # noqa: ANN401
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return [array for item in value for array in _arrays_in(item)]
    return [value] if hasattr(value, "__array__") else []


def expect_rng_contract(call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Holds that all randomness comes from the generator that is passed.

    The same generator state gives the same result (up to rounding), whatever the global
    generators are seeded with; another state gives another; a second call with the same generator
    goes on in its stream; the global states of Python, NumPy and TensorFlow stay as they were.

    Results may coincide by chance, so they are compared up to five times, bitwise: with the 34
    bits of randomness that discrete results should hold, correct work fails with a chance of
    1e-51.

    Args:
        call: `student.f`, or a function of the check with the parameter `rng`.
        arguments: What to call it with; a marker stands for the generator.

    Raises:
        CheckFailed: If the result is not made from the generator, and from it alone.
    """
    marker = drawing(call, arguments)
    detour = _twice_with_tensorflow if marker.library == "tensorflow" else _twice

    def twice(seed: int) -> tuple[Any, dict[str, Any]]:
        counted_marker = marker.counted(seed, detour)
        result = drawn(call, arguments, counted_marker)
        return result, reports_of(counted_marker)[0]

    # Each call of the student process finds its global generators seeded anew.
    first, report = twice(1)
    again, _ = twice(1)
    text = called_as(first)
    if not _same(first, again):
        raise CheckFailed(
            None,
            "one generator in one state gave two results: is something drawn without it?",
            "all randomness comes from the generator that is passed",
            text,
        )
    if all(_identical(first, twice(seed)[0]) for seed in range(2, 2 + TRIES)):
        raise CheckFailed(
            None,
            "generators in different states gave the same result: is a seed set inside?",
            "the numbers are drawn from the generator that is passed",
            text,
        )
    others = (twice(seed)[1] for seed in range(2, 1 + TRIES))
    pairs = itertools.chain([report], others)
    if all(_identical(pair["result"], pair.get("again", ())) for pair in pairs):
        raise CheckFailed(
            None,
            "two calls with one generator gave the same result: is it copied or seeded anew?",
            "each call goes on where the generator's stream stands",
            text,
        )
    for name in ("python", "numpy", "tensorflow"):
        if not np.all(report.get(name, True)):
            words = {"python": "Python", "numpy": "NumPy", "tensorflow": "TensorFlow"}[name]
            raise CheckFailed(
                None,
                f"the call changed the global random state of {words}",
                "global generators stay as they are",
                text,
            )


def _identical(first: Any, second: Any) -> bool:  # noqa: ANN401
    """Whether two results agree in every bit."""
    one, other = leaves(first), leaves(second)
    return len(one) == len(other) and all(
        (a.shape, a.dtype, a.tobytes()) == (b.shape, b.dtype, b.tobytes())
        for a, b in zip(one, other, strict=True)
    )


def _same(first: Any, second: Any) -> bool:  # noqa: ANN401
    """Whether two results agree up to rounding."""
    one, other = leaves(first), leaves(second)
    return len(one) == len(other) and all(
        a.shape == b.shape and not _wrong(a, b).any() for a, b in zip(one, other, strict=True)
    )


@probe
def _twice(student, name, *arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN202
    import random

    function = getattr(student, name)
    python, legacy = random.getstate(), np.random.get_state()
    result = function(*arguments)
    later = np.random.get_state()
    return {
        "result": result,
        "python": random.getstate() == python,
        "numpy": all(np.array_equal(a, b) for a, b in zip(legacy, later, strict=True)),
        "again": function(*arguments),
    }


@probe
def _twice_with_tensorflow(student, name, *arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN202
    import random

    import tensorflow as tf

    function = getattr(student, name)
    # What is drawn without a generator after the call: the same as if there had been no call. The
    # seed is another one in each probe, like those of all global generators.
    seed = int(np.random.randint(2**31 - 1))
    tf.random.set_seed(seed)
    due = tf.random.uniform([4]).numpy()
    tf.random.set_seed(seed)
    python, legacy = random.getstate(), np.random.get_state()
    state = tf.random.get_global_generator().state.numpy()
    result = function(*arguments)
    later = np.random.get_state()
    untouched = np.array_equal(state, tf.random.get_global_generator().state.numpy())
    return {
        "result": result,
        "python": random.getstate() == python,
        "numpy": all(np.array_equal(a, b) for a, b in zip(legacy, later, strict=True)),
        "tensorflow": untouched and np.array_equal(tf.random.uniform([4]).numpy(), due),
        "again": function(*arguments),
    }


def expect_inverse(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    x: np.ndarray,
    tolerance: float | None = None,
) -> None:
    """Holds that `backward` undoes `forward`, and the other way round.

    Args:
        forward: Takes x; of several results the first counts (a log-determinant may follow).
        backward: Likewise.
        x: Points in the domain of both, float.
        tolerance: As for `expect(…).close`; by default 100 times the usual one, for the rounding
            of a round trip.

    Raises:
        CheckFailed: If a round trip returns another shape, or does not return x.
        ValueError: As for `expect(…).close`.
    """
    if tolerance is None:
        tolerance = 100 * default_tolerance(np.asarray(x).dtype)
    for there, back, words in (
        (forward, backward, "there and back"),
        (backward, forward, "back and there"),
    ):
        end = _first(back(np.asarray(_first(there(x)))))
        try:
            expect(end, "the round trip returns what it began with").close(x, tolerance)
        except CheckFailed as failure:
            failure.property = f"the round trip, {words}"
            raise


def _first(result: Any) -> Any:  # noqa: ANN401
    return result[0] if isinstance(result, tuple | list) else result


def expect_normalised(
    call: Callable[..., Any],
    states: ArrayLike | None = None,
    grid: tuple[np.ndarray, ...] | None = None,
    log: bool = False,
    tolerance: float | None = None,
) -> None:
    """Holds that probabilities sum to 1, or that a density integrates to 1.

    Args:
        call: Takes points and returns one number for each: a probability or a density.
        states: All states, for probabilities. Shape (states, …).
        grid: For a density: the grid's points along each axis, evenly spaced, so wide that the
            density vanishes at its ends. The call gets all grid points, shape (points, axes).
        log: Whether the call returns logarithms, in nats.
        tolerance: Largest deviation from 1. By default 1e-5 (1e-9 in float64), or what the
            rounding of so many terms leaves, for states; and 1e-3 for a grid, whose sum is an
            approximation.

    Raises:
        CheckFailed: If they do not; if one is negative or NaN, or there is not one real number
            per point.
        ValueError: If not exactly one of `states` and `grid` is passed, or an axis of the grid is
            not evenly spaced.
    """
    if (states is None) == (grid is None):
        raise ValueError("One of states and grid is passed.")
    if grid is None:
        points, cell = np.asarray(states), 1.0
    else:
        steps = [np.diff(axis) for axis in grid]
        if not all(np.allclose(step, step[0]) for step in steps):
            raise ValueError("The points of a grid are evenly spaced along each axis.")
        points = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, len(grid))
        cell = float(np.prod([step[0] for step in steps]))
    result = call(points)
    dtype = leaves(result)[0].dtype if leaves(result) else np.float64
    words, low = ("logarithms", -np.inf) if log else ("never negative", -default_tolerance(dtype))
    expect(result, words).array("B", dtype, B=len(points)).within(low, np.inf)
    if tolerance is None:
        usual = max(default_tolerance(dtype), rounding(dtype, len(points)))
        tolerance = usual if grid is None else 1e-3
    with np.errstate(over="ignore"):
        values = np.exp(widened(result)) if log else widened(result)
        total = float(np.sum(values)) * cell
    if not abs(total - 1) <= tolerance:
        due = "the probabilities of all states sum to 1" if grid is None else "it integrates to 1"
        verb = "sum" if grid is None else "integral"
        off = f"1 {'+' if total > 1 else '-'} {abs(total - 1):.0e}"
        words = off if abs(total - 1) < 5e-3 else number(total)
        raise CheckFailed(None, f"the {verb} is {words}", due, called_as(result))
