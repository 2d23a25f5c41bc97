"""Exercise 7: averaged weights."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, mistake, probe
from reference import gan

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_EMA = [np.array([0, 10], np.float32), np.array([[4]], np.float32)]
SHOWN_WEIGHTS = [np.array([10, 20], np.float32), np.array([[0]], np.float32)]


@probe
def updated(student, ema, weights, decay, times):
    """Returns averages and weights after so many updates."""
    averages = [tf.Variable(array) for array in ema]
    variables = [tf.Variable(array) for array in weights]
    for _ in range(int(times)):
        student.ema_update(averages, variables, decay)
    return [one.numpy() for one in averages], [one.numpy() for one in variables]


def random_case(inputs):
    """Returns averages and weights of three shapes, float64."""
    shapes = (3,), (4, 2), (2, 3, 2)
    return [[inputs.normal(size=shape) for shape in shapes] for _ in range(2)]


@exercise(
    "ema_update",
    points=1,
    visible=True,
    mistakes=("ema_swapped", "ema_returns_only", "ema_adds"),
)
def test_average_shown_values(student):
    """With decay 0.9 an average of 0 moves a tenth of the way to a weight of 10."""
    seen, _ = expect(updated(student, SHOWN_EMA, SHOWN_WEIGHTS, 0.9, 1)).parts(2)
    due = np.array([1, 11], np.float32), np.array([[3.6]], np.float32)
    for one, right in zip(expect(seen).parts(2), due, strict=True):
        expect(one).matches(right)


@exercise(
    "ema_update",
    points=1,
    mistakes=("ema_swapped", "ema_first_only", "ema_fixed_decay", "ema_copies", "ema_adds"),
    note="Three shapes, decay 0.7, from averages that are not 0.",
)
def test_average_moves_towards_the_weights(student, inputs):
    """Each average becomes decay times itself plus 1 - decay times its weight."""
    ema, weights = random_case(inputs)
    seen, _ = expect(updated(student, ema, weights, 0.7, 1)).parts(2)
    for one, old, new in zip(expect(seen).parts(3), ema, weights, strict=True):
        expect(one).matches(0.7 * old + 0.3 * new)


@exercise(
    "ema_update",
    points=1,
    mistakes=("ema_moves_the_weights", "ema_into_the_weights"),
)
def test_average_leaves_the_weights_alone(student, inputs):
    """The weights stay exactly what they are."""
    ema, weights = random_case(inputs)
    seen, after = expect(updated(student, ema, weights, 0.7, 1)).parts(2)
    for one, right in zip(expect(after).parts(3), weights, strict=True):
        expect(one, "a weight after the update").equals(right)
    moved = all(np.any(np.asarray(one) != old) for one, old in zip(seen, ema, strict=True))
    expect(moved, "all averages move").equals(True)


@exercise(
    "ema_update",
    points=1,
    mistakes=("ema_swapped", "ema_fixed_decay", "ema_bias_corrected", "ema_copies"),
    note="Twelve updates in a row.",
)
def test_average_over_many_updates(student, inputs):
    """After n updates the weight has the share 1 - decay^n."""
    ema, weights = random_case(inputs)
    seen, _ = expect(updated(student, ema, weights, 0.8, 12)).parts(2)
    for one, old, new in zip(expect(seen).parts(3), ema, weights, strict=True):
        expect(one).close(0.8**12 * old + (1 - 0.8**12) * new)


@mistake(
    "ema_update", kind="concept", hint="decay belongs to the average, 1 - decay to the weight."
)
def ema_swapped(ema, parameters, decay):
    for average, parameter in zip(ema, parameters, strict=True):
        average.assign((1.0 - decay) * average + decay * parameter)


@mistake("ema_update", kind="lazy", hint="The averages are changed in place, by assign.")
def ema_returns_only(ema, parameters, decay):
    return [decay * a + (1.0 - decay) * p for a, p in zip(ema, parameters, strict=True)]


@mistake("ema_update", kind="scale", hint="The old average shrinks by decay before adding.")
def ema_adds(ema, parameters, decay):
    for average, parameter in zip(ema, parameters, strict=True):
        average.assign_add((1.0 - decay) * parameter)


@mistake("ema_update", kind="lazy", hint="All variables of the list are averaged.")
def ema_first_only(ema, parameters, decay):
    ema[0].assign(decay * ema[0] + (1.0 - decay) * parameters[0])


@mistake("ema_update", kind="lazy", hint="decay comes in as an argument.")
def ema_fixed_decay(ema, parameters, decay):
    for average, parameter in zip(ema, parameters, strict=True):
        average.assign(0.99 * average + 0.01 * parameter)


@mistake("ema_update", kind="concept", hint="An average remembers: it is no copy of the weight.")
def ema_copies(ema, parameters, decay):
    for average, parameter in zip(ema, parameters, strict=True):
        average.assign(parameter)


@mistake(
    "ema_update", kind="concept", hint="The weights are not touched; the averages follow them."
)
def ema_moves_the_weights(ema, parameters, decay):
    for average, parameter in zip(ema, parameters, strict=True):
        average.assign(decay * average + (1.0 - decay) * parameter)
        parameter.assign(average)


@mistake(
    "ema_update", kind="concept", hint="The weights are not touched; the averages follow them."
)
def ema_into_the_weights(ema, parameters, decay):
    gan.ema_update(parameters, ema, decay)


@mistake(
    "ema_update", kind="concept", hint="No correction for the start: the plain average is due."
)
def ema_bias_corrected(ema, parameters, decay):
    for average, parameter in zip(ema, parameters, strict=True):
        average.assign((decay * average + (1.0 - decay) * parameter) / (1.0 - decay**12))


@alternative("ema_update")
def ema_by_difference(ema, parameters, decay):
    for average, parameter in zip(ema, parameters, strict=True):
        average.assign_sub((1 - decay) * (average - parameter))


@alternative("ema_update")
def ema_by_index(ema, parameters, decay):
    for i in range(len(ema)):
        ema[i].assign(parameters[i] + decay * (ema[i] - parameters[i]))


@alternative("ema_update")
def ema_returns_them_too(ema, parameters, decay):
    new = [tf.add(a * decay, p * (1 - decay)) for a, p in zip(ema, parameters, strict=True)]
    for average, value in zip(ema, new, strict=True):
        average.assign(value)
    return ema
