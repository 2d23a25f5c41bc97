"""Exercise 5: the gradient of contrastive divergence."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, mistake
from reference import rbm

# tf.cast turns a Python float, such as 1 / 7, into float32 on its way to float64.
TOLERANCE = 4e-6


def random_case(inputs, dtype=np.float64):
    """Returns v_positive (7, 5), v_negative (4, 5), W (5, 3), b (5,), c (3,)."""
    states = inputs.integers(0, 2, (7, 5)), inputs.integers(0, 2, (4, 5))
    parameters = inputs.normal(size=(5, 3)), inputs.normal(size=5), inputs.normal(size=3)
    return tuple(array.astype(dtype) for array in (*states, *parameters))


def free_energy_gradient(v_positive, v_negative, W, b, c):
    """Returns minus the gradient of mean F(v_positive) - mean F(v_negative) by W, b and c."""
    parameters = [tf.constant(array) for array in (W, b, c)]
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        positive = tf.reduce_mean(rbm.rbm_free_energy(v_positive, *parameters))
        loss = positive - tf.reduce_mean(rbm.rbm_free_energy(v_negative, *parameters))
    return [-gradient.numpy() for gradient in tape.gradient(loss, parameters)]


def expect_all(result, due):
    """Holds that three results are those due, one after the other."""
    for seen, right in zip(expect(result).parts(3), due, strict=True):
        # Differences of means of numbers up to 1, of which nothing but rounding may be left.
        expect(seen).matches(right, TOLERANCE, scale=1.0)


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_DATA = np.array([[1, 0, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1]], np.float32)
SHOWN_CHAIN = np.array([[0, 0, 1], [1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 1, 0]], np.float32)
SHOWN_W = np.array([[0.5, -1], [1, 0.25], [-0.75, 0.5]], np.float32)
SHOWN = SHOWN_W, np.array([0.1, -0.2, 0.3], np.float32), np.array([-0.4, 0.2], np.float32)


@exercise(
    "cd_gradient",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    visible=True,
    mistakes=("cd_transposed", "cd_bias_per_row", "cd_always_float64"),
)
def test_cd_shown_shapes_and_dtypes(student):
    """The three directions have the shapes and the dtype of W, b and c."""
    result = student.cd_gradient(SHOWN_DATA, SHOWN_CHAIN, *SHOWN)
    for seen, parameter in zip(expect(result).parts(3), SHOWN, strict=True):
        expect(seen).array(parameter.shape, np.float32)


@exercise(
    "cd_gradient",
    points=2,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    visible=True,
    mistakes=("cd_no_batch_mean", "cd_downhill", "cd_without_negative_phase"),
)
def test_cd_shown_visible_bias(student):
    """For b, the direction is the share of ones in the data minus that in the chain."""
    _, db, _ = expect(student.cd_gradient(SHOWN_DATA, SHOWN_CHAIN[:4], *SHOWN)).parts(3)
    expect(db).matches(np.array([0.75, 0, -0.5], np.float32))


@exercise(
    "cd_gradient",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    visible=True,
    mistakes=("cd_without_negative_phase",),
)
def test_cd_shown_where_the_chain_is_the_data(student):
    """Where the chain holds the data, all three directions are 0."""
    for seen in expect(student.cd_gradient(SHOWN_DATA, SHOWN_DATA, *SHOWN)).parts(3):
        expect(seen).finite().close(np.zeros(seen.shape), tolerance=1e-5)


@exercise(
    "cd_gradient",
    points=4,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    mistakes=(
        "cd_no_batch_mean",
        "cd_negative_over_batch",
        "cd_downhill",
        "cd_without_negative_phase",
        "cd_product_of_means",
        "cd_hidden_rounded",
        "cd_hidden_drawn",
        "cd_without_hidden_bias",
        "cd_without_sigmoid",
        "cd_mean_over_all_entries",
        "cd_weight_decay",
        "cd_in_float32",
        "cd_hidden_bias_downhill",
        "cd_weights_summed",
        "cd_by_tape_through_probabilities",
        "cd_negative_reconstructed",
        "cd_over_the_mean_size",
    ),
    note="By tf.GradientTape through the reference's free energy; 7 against 4 rows, float64.",
)
def test_cd_is_minus_the_slope_of_the_free_energies(student, inputs):
    """The direction is minus the gradient of mean F(v_positive) - mean F(v_negative)."""
    case = random_case(inputs)
    expect_all(student.cd_gradient(*case), free_energy_gradient(*case))


@exercise(
    "cd_gradient",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    mistakes=("cd_no_batch_mean", "cd_negative_over_batch", "cd_weight_decay"),
)
def test_cd_vanishes_where_both_batches_are_the_same_data(student, inputs):
    """Where the negative batch holds the data, three times over, nothing is left to learn."""
    v, _, *parameters = random_case(inputs)
    for seen in expect(student.cd_gradient(v, np.tile(v, (3, 1)), *parameters)).parts(3):
        expect(seen).finite().close(np.zeros(seen.shape), tolerance=TOLERANCE)


@exercise(
    "cd_gradient",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    mistakes=("cd_bias_per_row", "cd_transposed"),
    note="Single rows, more negatives than data; catches what a squeeze or B = L would hide.",
)
def test_cd_of_a_single_row(student, inputs):
    """The three results have the shapes of W, b and c and are right for one row of data, too."""
    v_positive, v_negative, *parameters = random_case(inputs)
    case = v_positive[:1], v_negative, *parameters
    expect_all(student.cd_gradient(*case), free_energy_gradient(*case))


@exercise(
    "cd_gradient",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    mistakes=("cd_always_float64",),
    note="The same arrays for all: random ones may cancel to what float32 cannot hold.",
)
def test_cd_keeps_float32(student):
    """From float32 arrays come the right results, in float32."""
    case = random_case(np.random.default_rng(3), np.float32)
    expect_all(student.cd_gradient(*case), free_energy_gradient(*case))


@exercise(
    "cd_gradient",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy", "p_h_given_v"),
    mistakes=("cd_overflows",),
)
def test_cd_of_extreme_weights(student, inputs):
    """With activations in the hundreds the results are still finite and right."""
    v_positive, v_negative, W, b, c = random_case(inputs)
    case = v_positive, v_negative, 1000 * np.sign(W), b, c
    expect_all(student.cd_gradient(*case), free_energy_gradient(*case))


@mistake("cd_gradient", kind="scale", hint="Both phases are means over their rows, not sums.")
def cd_no_batch_mean(v_positive, v_negative, W, b, c):
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    dW = tf.transpose(v_positive) @ p - tf.transpose(v_negative) @ q
    db = tf.reduce_sum(v_positive, axis=0) - tf.reduce_sum(v_negative, axis=0)
    return dW, db, tf.reduce_sum(p, axis=0) - tf.reduce_sum(q, axis=0)


@mistake(
    "cd_gradient",
    kind="scale",
    hint="The negative phase is a mean over its own L rows, not over the B rows of data.",
)
def cd_negative_over_batch(v_positive, v_negative, W, b, c):
    size = tf.cast(tf.shape(v_positive)[0], W.dtype)
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    dW = (tf.transpose(v_positive) @ p - tf.transpose(v_negative) @ q) / size
    db = (tf.reduce_sum(v_positive, axis=0) - tf.reduce_sum(v_negative, axis=0)) / size
    return dW, db, (tf.reduce_sum(p, axis=0) - tf.reduce_sum(q, axis=0)) / size


@mistake(
    "cd_gradient",
    kind="concept",
    hint="The direction leads uphill in likelihood: data minus model.",
)
def cd_downhill(v_positive, v_negative, W, b, c):
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_negative) @ q / L - tf.transpose(v_positive) @ p / B
    db = tf.reduce_mean(v_negative, axis=0) - tf.reduce_mean(v_positive, axis=0)
    return dW, db, tf.reduce_mean(q, axis=0) - tf.reduce_mean(p, axis=0)


@mistake(
    "cd_gradient", kind="lazy", hint="The negative phase, which keeps Z in check, is missing."
)
def cd_without_negative_phase(v_positive, v_negative, W, b, c):
    p = tf.sigmoid(c + v_positive @ W)
    dW = tf.transpose(v_positive) @ p / v_positive.shape[0]
    return dW, tf.reduce_mean(v_positive, axis=0), tf.reduce_mean(p, axis=0)


@mistake(
    "cd_gradient",
    kind="concept",
    hint="The mean of the products v p(h|v) is not the product of the means.",
)
def cd_product_of_means(v_positive, v_negative, W, b, c):
    v, p = tf.reduce_mean(v_positive, 0), tf.reduce_mean(tf.sigmoid(c + v_positive @ W), 0)
    u, q = tf.reduce_mean(v_negative, 0), tf.reduce_mean(tf.sigmoid(c + v_negative @ W), 0)
    return tf.tensordot(v, p, 0) - tf.tensordot(u, q, 0), v - u, p - q


@mistake("cd_gradient", kind="concept", hint="Use the probabilities p(h|v), not rounded states.")
def cd_hidden_rounded(v_positive, v_negative, W, b, c):
    p = tf.round(tf.sigmoid(c + v_positive @ W))
    q = tf.round(tf.sigmoid(c + v_negative @ W))
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake("cd_gradient", kind="randomness", hint="Use the probabilities p(h|v); draw nothing here.")
def cd_hidden_drawn(v_positive, v_negative, W, b, c):
    def drawn(p):
        return tf.cast(tf.random.uniform(p.shape, dtype=p.dtype) < p, p.dtype)

    p, q = drawn(tf.sigmoid(c + v_positive @ W)), drawn(tf.sigmoid(c + v_negative @ W))
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake("cd_gradient", kind="lazy", hint="The hidden bias belongs into p(h|v).")
def cd_without_hidden_bias(v_positive, v_negative, W, b, c):
    p, q = tf.sigmoid(v_positive @ W), tf.sigmoid(v_negative @ W)
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake("cd_gradient", kind="lazy", hint="The hidden activations still have to pass the sigmoid.")
def cd_without_sigmoid(v_positive, v_negative, W, b, c):
    p, q = c + v_positive @ W, c + v_negative @ W
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake("cd_gradient", kind="axis", hint="The mean runs over the rows only, never over units.")
def cd_mean_over_all_entries(v_positive, v_negative, W, b, c):
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    B, L = tf.size(v_positive, W.dtype), tf.size(v_negative, W.dtype)
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L
    db = tf.reduce_sum(v_positive, axis=0) / B - tf.reduce_sum(v_negative, axis=0) / L
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake("cd_gradient", kind="axis", hint="The bias directions are means over the rows, too.")
def cd_bias_per_row(v_positive, v_negative, W, b, c):
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L
    return dW, v_positive - tf.reduce_mean(v_negative, 0), p - tf.reduce_mean(q, 0)


@mistake("cd_gradient", kind="axis", hint="dW has the shape of W: (D, H), not (H, D).")
def cd_transposed(v_positive, v_negative, W, b, c):
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(p) @ v_positive / B - tf.transpose(q) @ v_negative / L
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake("cd_gradient", kind="concept", hint="Weight decay is not part of this gradient.")
def cd_weight_decay(v_positive, v_negative, W, b, c):
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L - 0.0002 * W
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake("cd_gradient", kind="numerics", hint="Float64 arguments give float64 results.")
def cd_in_float32(v_positive, v_negative, W, b, c):
    arrays = (v_positive, v_negative, W, b, c)
    v_positive, v_negative, W, b, c = (tf.cast(array, tf.float32) for array in arrays)
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake("cd_gradient", kind="numerics", hint="Float32 arguments give float32 results.")
def cd_always_float64(v_positive, v_negative, W, b, c):
    arrays = (v_positive, v_negative, W, b, c)
    v_positive, v_negative, W, b, c = (tf.cast(array, tf.float64) for array in arrays)
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake("cd_gradient", kind="numerics", hint="exp(a) / (1 + exp(a)) is NaN for large a.")
def cd_overflows(v_positive, v_negative, W, b, c):
    p, q = tf.exp(c + v_positive @ W), tf.exp(c + v_negative @ W)
    p, q = p / (1 + p), q / (1 + q)
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake("cd_gradient", kind="concept", hint="For c, too, the direction is data minus model.")
def cd_hidden_bias_downhill(v_positive, v_negative, W, b, c):
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(q, axis=0) - tf.reduce_mean(p, axis=0)


@mistake(
    "cd_gradient",
    kind="scale",
    hint="dW is a mean over the rows, as db and dc are: a product of matrices is a sum.",
)
def cd_weights_summed(v_positive, v_negative, W, b, c):
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    dW = tf.transpose(v_positive) @ p - tf.transpose(v_negative) @ q
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake(
    "cd_gradient",
    kind="concept",
    hint="Here the tape goes through p(h|v), too. Differentiate the free energy, or hold p fixed.",
)
def cd_by_tape_through_probabilities(v_positive, v_negative, W, b, c):
    W, b, c = (tf.convert_to_tensor(array) for array in (W, b, c))

    def mean_energy(v):
        p = tf.sigmoid(c + v @ W)
        return tf.reduce_mean(-tf.linalg.matvec(v, b) - tf.reduce_sum((c + v @ W) * p, axis=1))

    with tf.GradientTape() as tape:
        tape.watch((W, b, c))
        rise = mean_energy(v_negative) - mean_energy(v_positive)
    return tape.gradient(rise, (W, b, c))


@mistake(
    "cd_gradient",
    kind="concept",
    hint="The negative samples enter as they are; no further half-step is made from them.",
)
def cd_negative_reconstructed(v_positive, v_negative, W, b, c):
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    v_negative = tf.sigmoid(b + tf.matmul(q, W, transpose_b=True))
    B, L = v_positive.shape[0], v_negative.shape[0]
    dW = tf.transpose(v_positive) @ p / B - tf.transpose(v_negative) @ q / L
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    return dW, db, tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)


@mistake(
    "cd_gradient",
    kind="scale",
    hint="Each phase is divided by the number of its own rows, not both by their mean.",
)
def cd_over_the_mean_size(v_positive, v_negative, W, b, c):
    size = (v_positive.shape[0] + v_negative.shape[0]) / 2
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    dW = (tf.transpose(v_positive) @ p - tf.transpose(v_negative) @ q) / size
    db = (tf.reduce_sum(v_positive, axis=0) - tf.reduce_sum(v_negative, axis=0)) / size
    return dW, db, (tf.reduce_sum(p, axis=0) - tf.reduce_sum(q, axis=0)) / size


@alternative("cd_gradient")
def cd_by_tape(v_positive, v_negative, W, b, c):
    with tf.GradientTape() as tape:
        tape.watch([W, b, c])
        negative = tf.stop_gradient(v_negative)
        loss = tf.reduce_mean(rbm_free_energy(v_positive, W, b, c)) - tf.reduce_mean(  # noqa: F821
            rbm_free_energy(negative, W, b, c)  # noqa: F821
        )
    dW, db, dc = tape.gradient(loss, [W, b, c])
    return -dW, -db, -dc


@alternative("cd_gradient")
def cd_by_tape_of_own_energy(v_positive, v_negative, W, b, c):
    rows = tf.concat([v_positive, v_negative], axis=0)
    weights = tf.concat(
        [
            tf.fill([v_positive.shape[0]], tf.constant(1 / v_positive.shape[0], W.dtype)),
            tf.fill([v_negative.shape[0]], tf.constant(-1 / v_negative.shape[0], W.dtype)),
        ],
        axis=0,
    )
    with tf.GradientTape() as tape:
        tape.watch((W, b, c))
        negative = tf.linalg.matvec(rows, b) + tf.reduce_sum(tf.nn.softplus(c + rows @ W), axis=1)
        likelihood = tf.reduce_sum(weights * negative)
    return tape.gradient(likelihood, (W, b, c))


@alternative("cd_gradient")
def cd_by_einsum(v_positive, v_negative, W, b, c):
    def phase(v):
        p = p_h_given_v(v, W, c)  # noqa: F821
        products = tf.einsum("bi,bj->bij", v, p)
        return [tf.reduce_mean(part, axis=0) for part in (products, v, p)]

    return [x - y for x, y in zip(phase(v_positive), phase(v_negative), strict=True)]


@alternative("cd_gradient")
def cd_row_by_row(v_positive, v_negative, W, b, c):
    dW, db, dc = tf.zeros_like(W), tf.zeros_like(b), tf.zeros_like(c)
    for sign, rows in ((1.0, v_positive), (-1.0, v_negative)):
        for row in rows:
            p = tf.sigmoid(c + tf.linalg.matvec(W, row, transpose_a=True))
            dW += sign * tf.tensordot(row, p, 0) / len(rows)
            db += sign * row / len(rows)
            dc += sign * p / len(rows)
    return dW, db, dc


@alternative("cd_gradient")
@tf.function
def cd_compiled(v_positive, v_negative, W, b, c):
    def phase(v):
        p = tf.sigmoid(c + v @ W)
        size = tf.cast(tf.shape(v)[0], W.dtype)
        return tf.matmul(v, p, transpose_a=True) / size, tf.reduce_mean(v, 0), tf.reduce_mean(p, 0)

    (W_data, b_data, c_data), (W_model, b_model, c_model) = phase(v_positive), phase(v_negative)
    return W_data - W_model, b_data - b_model, c_data - c_model


@alternative("cd_gradient")
def cd_in_numpy(v_positive, v_negative, W, b, c):
    def phase(v):
        v, p = np.asarray(v), 1 / (1 + np.exp(-np.clip(np.asarray(c + v @ W), -700, 700)))
        return v.T @ p / len(v), v.mean(0), p.mean(0)

    pairs = zip(phase(v_positive), phase(v_negative), strict=True)
    return tuple(tf.constant(data - model, W.dtype) for data, model in pairs)


@alternative("cd_gradient")
def cd_in_float64_inside(v_positive, v_negative, W, b, c):
    dtype = W.dtype
    arrays = (v_positive, v_negative, W, c)
    v_positive, v_negative, W, c = (tf.cast(array, tf.float64) for array in arrays)
    p, q = tf.sigmoid(c + v_positive @ W), tf.sigmoid(c + v_negative @ W)
    dW = tf.transpose(v_positive) @ p / len(v_positive)
    dW -= tf.transpose(v_negative) @ q / len(v_negative)
    db = tf.reduce_mean(v_positive, axis=0) - tf.reduce_mean(v_negative, axis=0)
    dc = tf.reduce_mean(p, axis=0) - tf.reduce_mean(q, axis=0)
    return tf.cast(dW, dtype), tf.cast(db, dtype), tf.cast(dc, dtype)


@alternative("cd_gradient")
def cd_by_signed_weights(v_positive, v_negative, W, b, c):
    B, L = len(v_positive), len(v_negative)
    plus, minus = tf.cast(1 / B, W.dtype), tf.cast(-1 / L, W.dtype)
    weight = tf.concat([tf.fill([B], plus), tf.fill([L], minus)], axis=0)
    v = tf.concat([v_positive, v_negative], axis=0)
    p = tf.sigmoid(c + v @ W)
    db = tf.linalg.matvec(v, weight, transpose_a=True)
    return (
        tf.einsum("n,ni,nj->ij", weight, v, p),
        db,
        tf.linalg.matvec(p, weight, transpose_a=True),
    )


@alternative("cd_gradient")
def cd_by_tape_with_variables(v_positive, v_negative, W, b, c):
    parameters = [tf.Variable(array) for array in (W, b, c)]
    with tf.GradientTape() as tape:
        rise = tf.reduce_mean(rbm_free_energy(v_negative, *parameters))  # noqa: F821
        rise -= tf.reduce_mean(rbm_free_energy(v_positive, *parameters))  # noqa: F821
    return tape.gradient(rise, parameters)


@alternative("cd_gradient")
def cd_by_tape_of_the_energy(v_positive, v_negative, W, b, c):
    p, q = p_h_given_v(v_positive, W, c), p_h_given_v(v_negative, W, c)  # noqa: F821
    W, b, c = (tf.convert_to_tensor(array) for array in (W, b, c))
    with tf.GradientTape() as tape:
        tape.watch((W, b, c))
        rise = tf.reduce_mean(rbm_energy(v_negative, q, W, b, c))  # noqa: F821
        rise -= tf.reduce_mean(rbm_energy(v_positive, p, W, b, c))  # noqa: F821
    return tape.gradient(rise, (W, b, c))
