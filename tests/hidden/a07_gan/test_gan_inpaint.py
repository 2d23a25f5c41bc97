"""Exercise 9: filling in what is missing, by looking for the right noise."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake, probe
from reference import gan

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.array([[2, 9, 0], [1, 9, 1]], np.float32)
SHOWN_OBSERVED = np.array([[True, False, True], [True, False, True]])
SHOWN_A = np.array([[1, 0], [1, 1], [0, 1]], np.float32)


@probe
def filled_in(student, x, observed, z0, steps, learning_rate, prior_weight, A, curvature):
    """Returns what a generator z -> A z + curvature (A z)^2 makes of the rows, and the last z."""

    def generator(z):
        linear = tf.matmul(z, A, transpose_b=True)
        return linear + curvature * linear**2

    return student.gan_inpaint(generator, x, observed, z0, int(steps), learning_rate, prior_weight)


def random_case(inputs):
    """Returns rows (7, 6), which entries are known, z0 (7, 3) and A (6, 3), float64."""
    A, _ = np.linalg.qr(inputs.normal(size=(6, 3)))
    observed = np.ones((7, 6), bool)
    for row in observed:
        row[inputs.permutation(6)[:2]] = False
    return inputs.normal(size=(7, 6)), observed, inputs.normal(size=(7, 3)), 1.3 * A


def due_of(x, observed, z0, *rest):
    """Returns rows and noise that are due."""
    *numbers, A, curvature = rest
    arrays = tf.constant(x), tf.constant(observed), tf.constant(z0)
    filled, z = filled_in.function(gan, *arrays, *numbers, tf.constant(A), curvature)
    return filled.numpy(), z.numpy()


@exercise(
    "gan_inpaint",
    points=1,
    visible=True,
    mistakes=("inpaint_overwrites_observed", "inpaint_returns_rows_only"),
)
def test_inpaint_shown_keeps_what_is_observed(student):
    """Rows and noise come back in their shapes; observed entries stay."""
    z0 = np.zeros((2, 2), np.float32)
    seen = filled_in(student, SHOWN_X, SHOWN_OBSERVED, z0, 3, 0.1, 0.0, SHOWN_A, 0.0)
    filled, z = expect(seen).parts(2)
    expect(filled).array("B D", np.float32, B=2, D=3)
    expect(z).array("B Z", np.float32, B=2, Z=2)
    expect(np.asarray(filled)[SHOWN_OBSERVED]).equals(SHOWN_X[SHOWN_OBSERVED])


@exercise(
    "gan_inpaint",
    points=1,
    visible=True,
    mistakes=("inpaint_of_inverted_mask", "inpaint_uses_everything", "inpaint_uphill"),
)
def test_inpaint_shown_finds_the_missing_number(student):
    """A generator (z1, z1 + z2, z2) fills the sum of its neighbours into the middle."""
    z0 = np.zeros((2, 2), np.float32)
    seen = filled_in(student, SHOWN_X, SHOWN_OBSERVED, z0, 60, 0.3, 0.0, SHOWN_A, 0.0)
    filled, z = expect(seen).parts(2)
    expect(filled).close(np.array([[2, 2, 0], [1, 2, 1]], np.float32), tolerance=1e-4)
    expect(z).close(np.array([[2, 0], [1, 1]], np.float32), tolerance=1e-4)


@exercise(
    "gan_inpaint",
    points=1,
    mistakes=(
        "inpaint_without_prior",
        "inpaint_prior_twice",
        "inpaint_uses_everything",
        "inpaint_of_inverted_mask",
        "inpaint_starts_at_zero",
        "inpaint_one_step",
        "inpaint_uphill",
        "inpaint_mean_over_batch",
        "inpaint_mean_over_entries",
        "inpaint_half_distance",
        "inpaint_in_float32",
    ),
    note="One step and three, of a generator that is not linear, float64.",
)
def test_inpaint_steps_downhill(student, inputs):
    """Each step moves z by the learning rate times the gradient of its own row's objective."""
    x, observed, z0, A = random_case(inputs)
    for steps in (1, 3):
        case = x, observed, z0, steps, 0.05, 0.8, A, 0.2
        for one, right in zip(
            expect(filled_in(student, *case)).parts(2), due_of(*case), strict=True
        ):
            expect(one).matches(right)


@exercise(
    "gan_inpaint",
    points=1,
    mistakes=("inpaint_without_prior", "inpaint_prior_twice", "inpaint_one_step"),
    note="A linear generator, 120 steps: ridge regression on the observed entries.",
)
def test_inpaint_ends_at_the_ridge_solution(student, inputs):
    """With a linear generator, z ends where ridge regression on what is observed puts it."""
    x, observed, z0, A = random_case(inputs)
    _, z = expect(filled_in(student, x, observed, z0, 120, 0.2, 1.0, A, 0.0)).parts(2)
    due = np.stack(
        [
            np.linalg.solve(A[seen].T @ A[seen] + 0.5 * np.eye(3), A[seen].T @ row[seen])
            for row, seen in zip(x, observed, strict=True)
        ]
    )
    expect(z).close(due, tolerance=1e-6)


@exercise(
    "gan_inpaint",
    points=1,
    mistakes=("inpaint_overwrites_observed", "inpaint_uses_everything", "inpaint_fills_the_old"),
    note="The same rows with other numbers at their missing entries; and no step at all.",
)
def test_inpaint_looks_at_nothing_missing(student, inputs):
    """What stands at missing entries changes nothing; without a step z stays where it is."""
    x, observed, z0, A = random_case(inputs)
    other = np.where(observed, x, 50.0)
    for rows in (x, other):
        case = rows, observed, z0, 2, 0.05, 0.8, A, 0.2
        filled, _ = expect(filled_in(student, *case)).parts(2)
        expect(np.asarray(filled)[observed]).equals(x[observed])
        expect(filled).matches(due_of(x, *case[1:])[0])
    case = x, observed, z0, 0, 0.05, 0.8, A, 0.2
    filled, z = expect(filled_in(student, *case)).parts(2)
    expect(z).equals(z0)
    expect(filled).matches(due_of(*case)[0])


@exercise(
    "gan_inpaint",
    points=1,
    mistakes=("inpaint_mean_over_batch", "inpaint_one_z_for_all", "inpaint_observed_of_first_row"),
)
def test_inpaint_of_each_row_stands_alone(student, inputs):
    """Each row is filled in by itself."""
    x, observed, z0, A = random_case(inputs)

    def call(x, observed, z0):
        return expect(filled_in(student, x, observed, z0, 3, 0.05, 0.8, A, 0.2)).parts(2)[0]

    laws.expect_rows_independent(call, batched=(x, observed, z0))


@mistake("gan_inpaint", kind="concept", hint="Observed entries stay exactly what they are in x.")
def inpaint_overwrites_observed(generator, x, observed, z0, steps, learning_rate, prior_weight):
    _, z = gan.gan_inpaint(generator, x, observed, z0, steps, learning_rate, prior_weight)
    return generator(z), z


@mistake("gan_inpaint", kind="lazy", hint="Both are returned: the rows, and the last z.")
def inpaint_returns_rows_only(generator, x, observed, z0, steps, learning_rate, prior_weight):
    return gan.gan_inpaint(generator, x, observed, z0, steps, learning_rate, prior_weight)[0]


@mistake(
    "gan_inpaint", kind="concept", hint="True means observed: the other entries are filled in."
)
def inpaint_of_inverted_mask(generator, x, observed, z0, steps, learning_rate, prior_weight):
    return gan.gan_inpaint(generator, x, ~observed, z0, steps, learning_rate, prior_weight)


@mistake("gan_inpaint", kind="concept", hint="Only observed entries may enter the distance.")
def inpaint_uses_everything(generator, x, observed, z0, steps, learning_rate, prior_weight):
    everything = tf.ones_like(observed)
    _, z = gan.gan_inpaint(generator, x, everything, z0, steps, learning_rate, prior_weight)
    return tf.where(observed, x, generator(z)), z


@mistake("gan_inpaint", kind="concept", hint="z goes downhill: subtract the gradient.")
def inpaint_uphill(generator, x, observed, z0, steps, learning_rate, prior_weight):
    return gan.gan_inpaint(generator, x, observed, z0, steps, -learning_rate, prior_weight)


@mistake("gan_inpaint", kind="lazy", hint="The term of the prior is missing.")
def inpaint_without_prior(generator, x, observed, z0, steps, learning_rate, prior_weight):
    return gan.gan_inpaint(generator, x, observed, z0, steps, learning_rate, 0.0)


@mistake("gan_inpaint", kind="scale", hint="The prior has a factor one half: weight |z|^2 / 2.")
def inpaint_prior_twice(generator, x, observed, z0, steps, learning_rate, prior_weight):
    return gan.gan_inpaint(generator, x, observed, z0, steps, learning_rate, 2.0 * prior_weight)


@mistake("gan_inpaint", kind="concept", hint="The descent starts from z0.")
def inpaint_starts_at_zero(generator, x, observed, z0, steps, learning_rate, prior_weight):
    start = tf.zeros_like(z0)
    return gan.gan_inpaint(generator, x, observed, start, steps, learning_rate, prior_weight)


@mistake("gan_inpaint", kind="lazy", hint="All steps are made, not one.")
def inpaint_one_step(generator, x, observed, z0, steps, learning_rate, prior_weight):
    return gan.gan_inpaint(generator, x, observed, z0, min(steps, 1), learning_rate, prior_weight)


@mistake(
    "gan_inpaint",
    kind="scale",
    hint="Rows are added up, not averaged: a row's step does not depend on how many there are.",
)
def inpaint_mean_over_batch(generator, x, observed, z0, steps, learning_rate, prior_weight):
    rate = learning_rate / x.shape[0]
    return gan.gan_inpaint(generator, x, observed, z0, steps, rate, prior_weight)


@mistake("gan_inpaint", kind="scale", hint="Squares of entries are added up, not averaged.")
def inpaint_mean_over_entries(generator, x, observed, z0, steps, learning_rate, prior_weight):
    entries = int(x.shape[1])
    rate, weight = learning_rate / entries, prior_weight * entries
    return gan.gan_inpaint(generator, x, observed, z0, steps, rate, weight)


@mistake("gan_inpaint", kind="scale", hint="The distance has no factor one half, only the prior.")
def inpaint_half_distance(generator, x, observed, z0, steps, learning_rate, prior_weight):
    rate, weight = learning_rate / 2.0, 2.0 * prior_weight
    return gan.gan_inpaint(generator, x, observed, z0, steps, rate, weight)


@mistake("gan_inpaint", kind="numerics", hint="Float64 rows give float64 results.")
def inpaint_in_float32(generator, x, observed, z0, steps, learning_rate, prior_weight):
    pair = gan.gan_inpaint(generator, x, observed, z0, steps, learning_rate, prior_weight)
    return tuple(tf.cast(one, tf.float32) for one in pair)


@mistake("gan_inpaint", kind="lazy", hint="The generated entries are filled in, not those of x.")
def inpaint_fills_the_old(generator, x, observed, z0, steps, learning_rate, prior_weight):
    _, z = gan.gan_inpaint(generator, x, observed, z0, steps, learning_rate, prior_weight)
    return x, z


@mistake("gan_inpaint", kind="axis", hint="Each row has a z of its own.")
def inpaint_one_z_for_all(generator, x, observed, z0, steps, learning_rate, prior_weight):
    start = z0[:1] + 0.0 * z0
    return gan.gan_inpaint(generator, x, observed, start, steps, learning_rate, prior_weight)


@mistake("gan_inpaint", kind="axis", hint="Each row has observed entries of its own.")
def inpaint_observed_of_first_row(generator, x, observed, z0, steps, learning_rate, prior_weight):
    mask = tf.repeat(observed[:1], x.shape[0], axis=0)
    return gan.gan_inpaint(generator, x, mask, z0, steps, learning_rate, prior_weight)


@alternative("gan_inpaint")
def inpaint_by_a_variable(generator, x, observed, z0, steps, learning_rate, prior_weight):
    known, z = tf.cast(observed, x.dtype), tf.Variable(z0)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            distance = tf.reduce_sum(known * (generator(z) - x) ** 2)
            loss = distance + prior_weight * tf.nn.l2_loss(z)
        z.assign_sub(learning_rate * tape.gradient(loss, z))
    filled = known * x + (1 - known) * generator(z)
    return filled, tf.convert_to_tensor(z)


@alternative("gan_inpaint")
def inpaint_row_losses(generator, x, observed, z0, steps, learning_rate, prior_weight):
    z = z0
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(z)
            squares = tf.where(observed, tf.math.squared_difference(x, generator(z)), 0.0)
            losses = tf.reduce_sum(squares, 1) + prior_weight * tf.reduce_sum(z**2, 1) / 2
        z -= learning_rate * tape.gradient(losses, z)
    return tf.where(observed, x, generator(z)), z


@alternative("gan_inpaint")
def inpaint_compiled(generator, x, observed, z0, steps, learning_rate, prior_weight):
    @tf.function
    def step(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            difference = tf.boolean_mask(x - generator(z), observed)
            loss = tf.tensordot(difference, difference, 1)
        return z - learning_rate * (tape.gradient(loss, z) + prior_weight * z)

    z = tf.identity(z0)
    for _ in range(steps):
        z = step(z)
    return tf.where(observed, x, generator(z)), z
