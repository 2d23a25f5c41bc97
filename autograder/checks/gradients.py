"""Derivatives and structure: what a function's gradient is, and what depends on what.

All in float64: in float32 finite differences are never better than 1e-3.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from autograder.checks._probe import Call, probe
from autograder.checks._seen import called_as, described, leaves
from autograder.checks._values import expect, rounding
from autograder.checks._words import argument, counted, number
from autograder.errors import CheckFailed

__all__ = [
    "expect_dependencies",
    "expect_gradient",
    "expect_gradient_by_differences",
    "expect_log_det",
    "expect_no_gradient",
    "expect_updates",
]

# Of the largest size of a point. A smaller step has more rounding, but meets fewer of the kinks
# that a piecewise linear function has: a wrong gradient agrees at none.
_STEPS = (1e-3, 1e-4, 1e-5, 1e-6)

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
        call: `student.f`, which returns one float64 tensor.
        arguments: What to call it with; floating point arrays are passed in float64.
        wrt: By which arguments, as indices.
        due: The right function, in TensorFlow, differentiable by each of them.
        tolerance: As for `expect(…).close`.

    Raises:
        CheckFailed: If the value has another dtype or shape, if no gradient flows back to an
            argument, or another one than is due.
        ValueError: If the right function has no gradient by an argument.
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
    right = tape.gradient(total, watched)
    if any(one is None for one in right):
        raise ValueError(
            f"By each argument in wrt the right function has a gradient. Received: wrt={wrt}; "
            "for gradients that must not flow there is expect_no_gradient."
        )
    for index, seen, one in zip(wrt, _gradients(call, arguments, wrt, weight), right, strict=True):
        with _about(_derivative(call, index)):
            # A gathered argument has a sparse gradient.
            plain = np.asarray(tf.convert_to_tensor(one))
            expect(seen, "the derivative of the right function").matches(plain, tolerance)


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
        call: `student.f`, which returns one float64 tensor.
        arguments: What to call it with; floating point arrays are passed in float64.
        wrt: By which arguments, as indices.
        directions: Random directions for each of them.
        tolerance: Largest deviation, relative to the product of the gradient's and the
            direction's lengths; the rounding of the differences is added.

    Raises:
        CheckFailed: If a value is not finite or changes its form, if no gradient flows back, or
            another one than the differences show.
    """
    arguments = _in_float64(arguments)
    generator = call.student.seeds.generator("judge directions")
    value = call(*arguments)
    expect(value).array(np.shape(value), np.float64).finite()
    shape = np.shape(value)
    weight = generator.normal(size=shape)
    gradients = _gradients(call, arguments, wrt, weight)
    for index, gradient in zip(wrt, gradients, strict=True):
        x = np.asarray(arguments[index])
        with _about(_derivative(call, index)):
            expect(gradient).array(x.shape, np.float64).finite()
        for _ in range(directions):
            direction = generator.normal(size=x.shape)

            def at(step: float, index: int = index, direction: np.ndarray = direction) -> Any:  # noqa: ANN401
                moved = list(arguments)
                moved[index] = arguments[index] + step * direction
                result = call(*moved)
                expect(result).array(shape, np.float64).finite()
                return weight * np.asarray(result)

            own = float(np.sum(np.asarray(gradient) * direction))
            size = float(np.linalg.norm(gradient) * np.linalg.norm(direction))
            for step in _STEPS:
                far = step * max(1.0, float(np.max(np.abs(x), initial=0.0)))
                slopes, noise = _differences(at, far)
                slope = float(np.sum(slopes))
                allowed = tolerance * max(size, abs(slope)) + noise
                if abs(own - slope) <= allowed:
                    break
            else:
                seen = "the gradient leads elsewhere than the function itself"
                if abs(slope) > allowed:
                    seen += f": its slope is {number(own / slope)} times the function's"
                due = "the gradient that differences of the function's values show"
                raise CheckFailed(_derivative(call, index), seen, due, called_as(gradient))


def _differences(at: Callable[[float], np.ndarray], step: float) -> tuple[np.ndarray, float]:
    """Returns the slope of a function at 0, and how much of its sum may be rounding.

    Richardson's combination of central differences errs by step^4; rounding by 1e-16 / step.
    """
    near, back, far, behind = (at(shift * step) for shift in (1, -1, 2, -2))
    slopes = (8 * (near - back) - (far - behind)) / (12 * step)
    noise = rounding(np.float64) * float(np.sum(np.abs(near) + np.abs(far))) / step
    return slopes, noise


@contextmanager
def _about(property: str) -> Iterator[None]:
    """Says of a failure what it is about."""
    try:
        yield
    except CheckFailed as failure:
        failure.property = property
        raise


def _derivative(call: Call, index: int) -> str:
    return f"the derivative by {argument(call.student.argument_names(call.name), index)}"


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
    flows = expect(found["connected"]).parts(len(places))
    for index, connected in zip(places, flows, strict=True):
        if not np.all(connected):
            raise CheckFailed(
                _derivative(call, index),
                "no gradient flows back to it",
                "a result that TensorFlow can differentiate, made of TensorFlow operations",
                text,
            )
    return list(expect(found["gradients"]).parts(len(places)))


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
    values = _one_real_array(result)
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
    """Holds that the log-determinant that is returned is that of the autodiff Jacobian.

    The Jacobian itself is compared with one central difference, along a random direction, so that
    a stopped gradient cannot mislead. Piecewise linear maps have kinks, near which differences
    are no derivatives: it must agree at half of the points.

    Args:
        call: `student.f`; takes rows (batch, size) in float64 and returns the mapped rows and,
            for each, log of the absolute value of the Jacobian's determinant, in nats (batch,).
        points: Where. Shape (batch, size), in the domain with a margin of 0.01.
        tolerance: Largest deviation, relative to 1 + |log-determinant|.

    Raises:
        CheckFailed: If it is not; if a dtype or shape is another, or a value not finite; if no
            gradient flows through the map, or another one than the differences show.
    """
    x = np.asarray(points, np.float64)
    count, size = x.shape
    moved, seen = expect(call(x)).parts(2)
    expect(moved).array("B D", np.float64, B=count, D=size).finite()
    expect(seen).array("B", np.float64, B=count).finite()
    jacobian = _jacobian(call, x)
    direction = call.student.seeds.generator("judge directions").normal(size=x.shape)

    def at(step: float) -> np.ndarray:
        moved, _ = expect(call(x + step * direction)).parts(2)
        expect(moved).array("B D", np.float64, B=count, D=size).finite()
        return np.asarray(moved)

    slopes, noise = _differences(at, _STEPS[0])
    own = np.einsum("bij,bj->bi", jacobian, direction)
    scale = np.max(np.abs(slopes), axis=1, initial=0.0) + np.max(np.abs(own), axis=1, initial=0.0)
    agree = np.max(np.abs(own - slopes), axis=1, initial=0.0) <= 1e-5 * scale + noise
    if 2 * agree.sum() < count:
        raise CheckFailed(
            "the derivative of the mapped rows by the rows",
            f"at {counted(~agree, 'point')} the gradient leads elsewhere than the map",
            "the gradient that differences of the mapped rows show",
            called_as(moved),
        )
    _, due = np.linalg.slogdet(jacobian)
    flat = ~np.isfinite(due)
    if flat.any():
        words = f"the determinant is 0 at {counted(flat, 'point')}"
        raise CheckFailed(None, words, "a map that can be inverted", called_as(moved))
    off = np.abs(np.asarray(seen) - due)
    wrong = ~(off <= tolerance * (1 + np.abs(due)))
    if wrong.any():
        negative = np.allclose(np.asarray(seen), -due, rtol=1e-4, atol=1e-4)
        words = "they have the opposite sign" if negative else "they are those of another map"
        raise CheckFailed(
            "the log-determinant",
            f"{counted(wrong, 'row')} differ: {words}",
            "log |det| of the derivative of the mapped rows by the rows",
            called_as(seen),
        )


def _jacobian(call: Call, x: np.ndarray) -> np.ndarray:
    """Returns the derivative of each mapped row by that row. Shape (batch, size, size)."""
    text = call.student.call_text(call.name, (x,))
    found = call.student.run_probe(_jacobian_there, call.name, x, call=text)
    if not np.all(np.asarray(found["connected"])):
        raise CheckFailed(
            "the derivative of the mapped rows by the rows",
            "no gradient flows back to the rows",
            "mapped rows that TensorFlow can differentiate, made of TensorFlow operations",
            text,
        )
    expect(found["jacobian"]).array((*x.shape, x.shape[1]), np.float64).finite()
    return np.asarray(found["jacobian"])


@probe
def _jacobian_there(student, name, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    import tensorflow as tf

    rows = tf.constant(x)
    # One gradient for each column: the rows are apart, so its sum over them mixes nothing.
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(rows)
        moved = tf.convert_to_tensor(getattr(student, name)(rows)[0])
        columns = tf.unstack(moved, axis=1)
    found = [tape.gradient(column, rows) for column in columns]
    return {
        "connected": np.array([gradient is not None for gradient in found]),
        "jacobian": tf.stack([tf.zeros_like(rows) if g is None else g for g in found], axis=1),
    }


def _one_real_array(result: Any) -> np.ndarray:  # noqa: ANN401
    """Returns the first array of a result, which holds real numbers."""
    arrays = leaves(result)
    if not arrays or arrays[0].dtype.kind == "c":
        seen = f"dtype {arrays[0].dtype}" if arrays else described(result)
        raise CheckFailed(None, seen, "an array of real numbers", called_as(result))
    return arrays[0]
