"""Derivatives and structure: what a function's gradient is, and what depends on what.

All in float64: in float32 finite differences are never better than 1e-3.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.checks._probe import Call, probe
from autograder.checks._seen import called_as, leaves
from autograder.checks._values import expect
from autograder.checks._words import number
from autograder.errors import CheckFailed

__all__ = [
    "expect_dependencies",
    "expect_gradient",
    "expect_gradient_by_differences",
    "expect_log_det",
    "expect_no_gradient",
    "expect_updates",
]

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")

# A forbidden output moved by less than this, relative to the largest permitted move: rounding.
_STILL = 1e-5


def expect_gradient(
    call: Call,
    arguments: tuple[Any, ...],
    wrt: Sequence[int],
    due: Callable[..., Any],
    tolerance: float | None = None,
) -> None:
    """Holds that the gradient of sum(w f) with random weights w is that of the right function.

    Args:
        call: `student.f`, which returns one tensor.
        arguments: What to call it with; floating point arrays are passed in float64.
        wrt: By which arguments, as indices.
        due: The right function, in TensorFlow.
        tolerance: As for `expect(…).close`.

    Raises:
        CheckFailed: If no gradient flows to an argument, or another one than is due.
    """
    import tensorflow as tf

    arguments = _in_float64(arguments)
    tensors = [tf.constant(a) if isinstance(a, np.ndarray) else a for a in arguments]
    watched = [tensors[index] for index in wrt]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        value = due(*tensors)
        weight = call.student.seeds.generator("judge weights").normal(size=value.shape)
        total = tf.reduce_sum(weight * value)
    right = tape.gradient(total, watched, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    for index, seen, one in zip(wrt, _gradients(call, arguments, wrt, weight), right, strict=True):
        try:
            expect(seen).matches(np.asarray(one), tolerance)
        except CheckFailed as failure:
            words = f"the derivative by the {_ORDINALS[index]} argument"
            due_words = "the derivative of the right function"
            if not failure.due.startswith("the value"):
                due_words = failure.due
            raise CheckFailed(words, failure.seen, due_words, failure.call) from None


def expect_gradient_by_differences(
    call: Call,
    arguments: tuple[Any, ...],
    wrt: Sequence[int],
    directions: int = 3,
    tolerance: float = 1e-6,
) -> None:
    """Holds that the gradient agrees with differences of the submission's own function.

    For functions of which no reference gradient exists. Never where a gradient is stopped on
    purpose: differences do not see that.

    Args:
        call: `student.f`, which returns one tensor.
        arguments: What to call it with; floating point arrays are passed in float64.
        wrt: By which arguments, as indices.
        directions: Random directions for each of them.
        tolerance: Largest deviation, relative to the product of the gradient's and the
            direction's lengths.

    Raises:
        CheckFailed: If the gradient is another one than the differences show.
    """
    arguments = _in_float64(arguments)
    generator = call.student.seeds.generator("judge directions")
    value = call(*arguments)
    expect(value).array(np.shape(value), np.float64).finite()
    weight = generator.normal(size=value.shape)
    gradients = _gradients(call, arguments, wrt, weight)
    for index, gradient in zip(wrt, gradients, strict=True):
        x = np.asarray(arguments[index])
        expect(gradient).array(x.shape, np.float64).finite()
        for _ in range(directions):
            direction = generator.normal(size=x.shape)

            def at(step: float, index: int = index, direction: np.ndarray = direction) -> float:
                moved = list(arguments)
                moved[index] = arguments[index] + step * direction
                return float(np.sum(weight * np.asarray(call(*moved))))

            # Richardson's combination errs by step^4; rounding by 1e-16 / step.
            step = 1e-3 * max(1.0, float(np.max(np.abs(x))))
            one = (at(step) - at(-step)) / (2 * step)
            two = (at(2 * step) - at(-2 * step)) / (4 * step)
            slope = (4 * one - two) / 3
            own = float(np.sum(np.asarray(gradient) * direction))
            size = float(np.linalg.norm(gradient) * np.linalg.norm(direction))
            if not abs(own - slope) <= tolerance * max(size, abs(slope), 1e-8):
                seen = "the gradient leads elsewhere than the function itself"
                if abs(slope) > 1e-8:
                    seen += f": its slope is {number(own / slope)} times the function's"
                raise CheckFailed(
                    f"the derivative by the {_ORDINALS[index]} argument",
                    seen,
                    "the gradient that differences of the function's values show",
                    called_as(gradient),
                )


def _in_float64(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    def wide(value: Any) -> Any:  # noqa: ANN401
        floating = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        return value.astype(np.float64) if floating else value

    return tuple(wide(argument) for argument in arguments)


def _gradients(
    call: Call, arguments: tuple[Any, ...], wrt: Sequence[int], weight: np.ndarray
) -> list[Any]:
    """Returns the gradient of sum(weight f) by each argument, each of which must be connected."""
    text = call.student.call_text(call.name, arguments)
    places = [int(index) for index in wrt]
    found = call.student.run_probe(
        _gradients_there, call.name, places, weight, *arguments, call=text
    )
    expect(found["value"]).array(weight.shape, np.float64)
    for index, connected in zip(places, found["connected"], strict=True):
        if not np.all(connected):
            raise CheckFailed(
                f"the derivative by the {_ORDINALS[index]} argument",
                "no gradient flows back to it",
                "a result that TensorFlow can differentiate, made of TensorFlow operations",
                text,
            )
    return list(found["gradients"])


@probe
def _gradients_there(student, name, wrt, weight, *arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN202
    import tensorflow as tf

    given = [tf.constant(value) if isinstance(value, np.ndarray) else value for value in arguments]
    watched = [given[index] for index in wrt]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        value = tf.convert_to_tensor(getattr(student, name)(*given))
        fits = value.shape == weight.shape and value.dtype == weight.dtype
        total = tf.reduce_sum(weight * value) if fits else None
    if total is None:
        return {"value": value, "connected": [False for _ in wrt], "gradients": []}
    gradients = tape.gradient(total, watched)
    return {
        "value": value,
        "connected": [gradient is not None for gradient in gradients],
        "gradients": [
            tf.zeros_like(x) if gradient is None else tf.convert_to_tensor(gradient)
            for x, gradient in zip(watched, gradients, strict=True)
        ],
    }


def expect_no_gradient(
    probe: Callable[[], Mapping[str, Any]], blocked: Sequence[str], flowing: Sequence[str]
) -> None:
    """Holds where a gradient flows and where it does not.

    Args:
        probe: Returns gradients by name, for example `lambda: gradients_of(student, x)` with a
            `@probe` that uses `unconnected_gradients=tf.UnconnectedGradients.ZERO`.
        blocked: Those that must be zero everywhere: unconnected, or stopped.
        flowing: Those that must be finite and not zero everywhere. At least one of each: a loss
            multiplied by 0 would block everything.

    Raises:
        CheckFailed: If a gradient flows where it must not, or does not where it must.
    """
    if not blocked or not flowing:
        raise ValueError(f"Both are needed. Received: blocked {blocked}, flowing {flowing}")
    found = probe()
    for name in blocked:
        if np.any(np.asarray(found[name]) != 0):
            raise CheckFailed(
                None, f"a gradient flows to {name}", f"none flows to {name}", called_as(found)
            )
    for name in flowing:
        expect(found[name]).finite()
        if not np.any(np.asarray(found[name])):
            raise CheckFailed(
                None, f"no gradient flows to {name}", f"one flows to {name}", called_as(found)
            )


def expect_updates(
    probe: Callable[[], Mapping[str, Any]], changed: Sequence[str], unchanged: Sequence[str]
) -> None:
    """Holds which variables a training step changes; the others stay bitwise.

    Args:
        probe: Takes a step and returns {"before": values by name, "after": values by name}.
        changed: Names of those that must change.
        unchanged: Names of those that must not.

    Raises:
        CheckFailed: If one that must stay has changed, or one that must change has not.
    """
    found = probe()
    for name in (*unchanged, *changed):
        before, after = np.asarray(found["before"][name]), np.asarray(found["after"][name])
        expect(found["after"][name]).array(before.shape, before.dtype).finite()
        moved = before.tobytes() != after.tobytes()
        if moved != (name in changed):
            seen, due = ("changes", "stays") if moved else ("stays", "changes")
            raise CheckFailed(None, f"{name} {seen}", f"{name} {due}", called_as(found))


def expect_dependencies(call: Call, mask: np.ndarray, points: int = 64) -> None:
    """Holds on which inputs each output depends, such as for autoregressive masks.

    At random points each input is moved by 7 up or down; every output that may not depend on it
    must stay, and each that may must move at some point. No NaN is used to trace: 0 x NaN is NaN,
    and a right network would seem to leak.

    Args:
        call: Takes rows (batch, inputs) and returns (batch, outputs, …).
        mask: Whether output i may depend on input j. Shape (outputs, inputs), bool.
        points: Number of random points; dead units hide leaks at few.

    Raises:
        CheckFailed: If an output depends on what it must not, or does not on what it may.
    """
    mask = np.asarray(mask, bool)
    outputs, inputs = mask.shape
    generator = call.student.seeds.generator("judge points")
    x = generator.normal(size=(points, inputs))
    steps = np.where(generator.integers(0, 2, (points, inputs)) == 1, 7.0, -7.0)
    moved = x + steps.T[:, :, np.newaxis] * np.eye(inputs)[:, np.newaxis, :]
    result = call(np.concatenate([x, moved.reshape(-1, inputs)]))
    values = leaves(result)[0]
    if values.shape[:2] != (points * (inputs + 1), outputs):
        due = f"one row of {outputs} outputs for each of the {points * (inputs + 1)} rows"
        raise CheckFailed(None, f"shape {values.shape}", due, called_as(result))
    expect(values).finite()
    wide = np.asarray(values, np.float64).reshape(inputs + 1, points, outputs, -1)
    moves = np.abs(wide[1:] - wide[0]).max(axis=(1, 3)).T
    still = _STILL * np.max(moves[mask], initial=0.0)
    for wrong, seen, due in (
        (~mask & (moves > still), "moves with", "does not depend on"),
        (mask & (moves <= still), "does not move with", "depends on"),
    ):
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            raise CheckFailed(
                None,
                f"output {i} {seen} input {j}, counted from 0 ({int(wrong.sum())} such pairs)",
                f"output {i} {due} input {j}",
                called_as(result),
            )


def expect_log_det(call: Call, points: np.ndarray, tolerance: float = 1e-5) -> None:
    """Holds that the log-determinant that is returned is that of the Jacobian.

    Args:
        call: `student.f`; takes rows (batch, size) and returns the mapped rows and, for each, log
            of the absolute value of the Jacobian's determinant.
        points: Where. Shape (batch, size).
        tolerance: Largest deviation, relative to 1 + |log-determinant|.

    Raises:
        CheckFailed: If it is not; a difference of the function's values stands for the Jacobian.
    """
    x = np.asarray(points, np.float64)
    count, size = x.shape
    # Differences of the function itself, so that a stopped gradient cannot mislead.
    step = 1e-3
    shifts = step * np.eye(size)[:, np.newaxis, :]
    batch = np.concatenate([(x + k * shifts).reshape(-1, size) for k in (1, -1, 2, -2)])
    moved, _ = expect(call(batch)).parts(2)
    expect(moved).array(batch.shape, np.float64).finite()
    near, back, far, behind = np.asarray(moved).reshape(4, size, count, size)
    jacobian = (8 * (near - back) - (far - behind)) / (12 * step)
    _, due = np.linalg.slogdet(jacobian.transpose(1, 2, 0))
    _, seen = expect(call(x)).parts(2)
    expect(seen).array((count,), np.float64).finite()
    wrong = np.abs(np.asarray(seen) - due) > tolerance * (1 + np.abs(due))
    if wrong.any():
        negative = np.allclose(np.asarray(seen), -due, rtol=1e-4, atol=1e-4)
        words = "they have the opposite sign" if negative else "they are those of another map"
        raise CheckFailed(
            "the log-determinant",
            f"{int(wrong.sum())} of {count} rows differ: {words}",
            "log |det| of the derivative of the mapped rows by the rows",
            called_as(seen),
        )
