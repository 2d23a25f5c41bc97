"""Exercise 3: each layer given the other one."""

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from autograder.checks import all_states, alternative, exercise, expect, laws, mistake
from reference import rbm

VISIBLE, HIDDEN = all_states(5), all_states(3)


def random_parameters(inputs):
    """Returns W (5, 3), b (5,), c (3,), float64."""
    return inputs.normal(size=(5, 3)), inputs.normal(size=5), inputs.normal(size=3)


def joint_table(W, b, c):
    """Returns p(v, h) for all states, (32, 8)."""
    energies = [rbm.rbm_energy(VISIBLE, np.tile(h, (32, 1)), W, b, c) for h in HIDDEN]
    negative = -np.stack(energies, axis=1)
    return np.exp(negative - logsumexp(negative))


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_V = np.array([[1, 0, 0, 0, 1], [0, 1, 0, 0, 0]], np.float32)
SHOWN_H = np.array([[1, 0, 1], [0, 1, 1]], np.float32)
SHOWN_W = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0], [0, -1, 0]], np.float32)
SHOWN_W *= np.float32(np.log(3))
SHOWN_B, SHOWN_C = np.zeros(5, np.float32), np.zeros(3, np.float32)


@exercise(
    "p_h_given_v",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    visible=True,
    mistakes=("hidden_activation",),
)
def test_conditionals_shown_shape_dtype_and_range(student):
    """Both functions return one probability for each unit, in the dtype of the arguments."""
    p_hidden = student.p_h_given_v(SHOWN_V, SHOWN_W, SHOWN_C)
    p_visible = student.p_v_given_h(SHOWN_H, SHOWN_W, SHOWN_B)
    expect(p_hidden).array("B H", np.float32, B=2, H=3).within(0, 1)
    expect(p_visible).array("B D", np.float32, B=2, D=5).within(0, 1)


@exercise(
    "p_h_given_v",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    visible=True,
    mistakes=("hidden_by_softmax", "hidden_given_the_opposite", "hidden_states_rounded"),
)
def test_conditionals_shown_hidden_values(student):
    """An activation of log 3 makes a hidden unit three times as likely on as off."""
    due = np.array([[0.75, 0.25, 0.5], [0.5, 0.5, 0.75]], np.float32)
    expect(student.p_h_given_v(SHOWN_V, SHOWN_W, SHOWN_C)).matches(due)


@exercise(
    "p_h_given_v",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    mistakes=(
        "hidden_by_softmax",
        "hidden_given_the_opposite",
        "hidden_without_bias",
        "hidden_activation",
        "hidden_by_tanh",
        "hidden_states_drawn",
        "hidden_states_rounded",
        "hidden_in_float32",
        "hidden_mean_over_visible",
        "hidden_bias_outside",
    ),
    note="Ratios of sums of the joint table of 32 x 8 states, float64.",
)
def test_hidden_conditional_is_that_of_the_joint(student, inputs):
    """p(h_j = 1 | v) is the share of the states with h_j = 1 in all the weight that v has."""
    W, b, c = random_parameters(inputs)
    table = joint_table(W, b, c)
    expect(student.p_h_given_v(VISIBLE, W, c)).matches(table @ HIDDEN / table.sum(1)[:, None])


@exercise(
    "p_h_given_v",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    mistakes=(
        "visible_weights_reshaped",
        "visible_by_softmax",
        "visible_without_bias",
        "visible_states_drawn",
        "visible_scaled",
        "visible_through_w_twice",
        "visible_without_transpose",
        "visible_given_the_opposite",
        "visible_of_the_first_row",
        "visible_with_mean_bias",
    ),
    note="Ratios of sums of the joint table of 32 x 8 states, float64.",
)
def test_visible_conditional_is_that_of_the_joint(student, inputs):
    """p(v_i = 1 | h) is the share of the states with v_i = 1 in all the weight that h has."""
    W, b, c = random_parameters(inputs)
    table = joint_table(W, b, c).T
    expect(student.p_v_given_h(HIDDEN, W, b)).matches(table @ VISIBLE / table.sum(1)[:, None])


@exercise(
    "p_h_given_v",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    mistakes=("hidden_shares_the_batch", "hidden_by_batch_softmax"),
)
def test_conditionals_of_each_row_stand_alone(student, inputs):
    """Each row of probabilities depends on that row of states only."""
    W, b, c = random_parameters(inputs)
    v, h = VISIBLE[inputs.permutation(32)[:7]], HIDDEN[inputs.permutation(8)[:7]]
    laws.expect_rows_independent(student.p_h_given_v, batched=(v,), shared=(W, c))
    laws.expect_rows_independent(student.p_v_given_h, batched=(h,), shared=(W, b))


@exercise(
    "p_h_given_v",
    points=1,
    depends_on=("rbm_energy", "rbm_free_energy"),
    mistakes=("hidden_overflows", "visible_overflows", "hidden_kept_off_the_ends"),
    note="float32, activations of +-800: the probabilities are 0 and 1 to machine precision.",
)
def test_conditionals_of_extreme_activations(student, inputs):
    """With activations of 800 and -800 the probabilities are 1 and 0, not NaN."""
    signs = inputs.permutation(np.repeat([-1.0, 1.0], 9)).reshape(6, 3).astype(np.float32)
    on = (signs > 0).astype(np.float32)
    b, c = np.zeros(6, np.float32), np.zeros(3, np.float32)
    expect(student.p_h_given_v(np.eye(6, dtype=np.float32), 800 * signs, c)).matches(on)
    expect(student.p_v_given_h(np.eye(3, dtype=np.float32), 800 * signs, b)).matches(on.T)


@mistake(
    "p_h_given_v",
    kind="concept",
    hint="Hidden units are independent given v: a sigmoid for each, no softmax over them.",
)
def hidden_by_softmax(v, W, c):
    return tf.nn.softmax(c + v @ W, axis=1)


@mistake("p_h_given_v", kind="axis", hint="Nothing is normalised over the rows of the batch.")
def hidden_by_batch_softmax(v, W, c):
    return tf.nn.softmax(c + v @ W, axis=0)


@mistake("p_h_given_v", kind="axis", hint="Each row has its own activations; do not average rows.")
def hidden_shares_the_batch(v, W, c):
    activation = c + v @ W
    return tf.sigmoid(activation - tf.reduce_mean(activation, axis=0))


@mistake(
    "p_h_given_v",
    kind="concept",
    hint="This is the probability that the unit is off: check the sign in the sigmoid.",
)
def hidden_given_the_opposite(v, W, c):
    return tf.sigmoid(-(c + v @ W))


@mistake("p_h_given_v", kind="lazy", hint="The bias of the hidden units is missing.")
def hidden_without_bias(v, W, c):
    return tf.sigmoid(v @ W)


@mistake("p_h_given_v", kind="lazy", hint="The activation still has to pass the sigmoid.")
def hidden_activation(v, W, c):
    return c + v @ W


@mistake(
    "p_h_given_v",
    kind="scale",
    hint="The sigmoid of a is (1 + tanh(a / 2)) / 2: the half inside is missing.",
)
def hidden_by_tanh(v, W, c):
    return 0.5 * (1.0 + tf.tanh(c + v @ W))


@mistake("p_h_given_v", kind="scale", hint="Activations are sums over the visible units.")
def hidden_mean_over_visible(v, W, c):
    return tf.sigmoid(c + v @ W / tf.cast(tf.shape(W)[0], W.dtype))


@mistake("p_h_given_v", kind="randomness", hint="Return the probabilities, not drawn states.")
def hidden_states_drawn(v, W, c):
    p = tf.sigmoid(c + v @ W)
    return tf.cast(tf.random.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)


@mistake("p_h_given_v", kind="concept", hint="Return the probabilities, not rounded states.")
def hidden_states_rounded(v, W, c):
    return tf.round(tf.sigmoid(c + v @ W))


@mistake("p_h_given_v", kind="numerics", hint="exp(a) / (1 + exp(a)) is NaN for large a.")
def hidden_overflows(v, W, c):
    weight = tf.exp(c + v @ W)
    return weight / (1.0 + weight)


@mistake("p_h_given_v", kind="numerics", hint="Float64 arguments give a float64 result.")
def hidden_in_float32(v, W, c):
    v, W, c = (tf.cast(array, tf.float32) for array in (v, W, c))
    return tf.sigmoid(c + v @ W)


@mistake(
    "p_h_given_v",
    kind="axis",
    hint="W is (D, H): turn it with tf.transpose. A reshape mixes up its entries.",
    function="p_v_given_h",
)
def visible_weights_reshaped(h, W, b):
    return tf.sigmoid(b + h @ tf.reshape(W, (W.shape[1], W.shape[0])))


@mistake(
    "p_h_given_v",
    kind="concept",
    hint="Visible units are independent given h: a sigmoid for each, no softmax over them.",
    function="p_v_given_h",
)
def visible_by_softmax(h, W, b):
    return tf.nn.softmax(b + h @ tf.transpose(W))


@mistake(
    "p_h_given_v",
    kind="lazy",
    hint="The bias of the visible units is missing.",
    function="p_v_given_h",
)
def visible_without_bias(h, W, b):
    return tf.sigmoid(tf.matmul(h, W, transpose_b=True))


@mistake(
    "p_h_given_v",
    kind="randomness",
    hint="Return the probabilities, not drawn states.",
    function="p_v_given_h",
)
def visible_states_drawn(h, W, b):
    p = tf.sigmoid(b + h @ tf.transpose(W))
    return tf.cast(tf.random.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)


@mistake(
    "p_h_given_v",
    kind="scale",
    hint="The energy of this course has no factor 2 before the weights.",
    function="p_v_given_h",
)
def visible_scaled(h, W, b):
    return tf.sigmoid(b + 2.0 * h @ tf.transpose(W))


@mistake(
    "p_h_given_v",
    kind="concept",
    hint="The states h are given: they enter as they are.",
    function="p_v_given_h",
)
def visible_through_w_twice(h, W, b):
    return tf.sigmoid(b + tf.sigmoid(h) @ tf.transpose(W))


@mistake(
    "p_h_given_v",
    kind="numerics",
    hint="exp(a) / (1 + exp(a)) is NaN for large a.",
    function="p_v_given_h",
)
def visible_overflows(h, W, b):
    weight = tf.exp(b + h @ tf.transpose(W))
    return weight / (1.0 + weight)


@mistake(
    "p_h_given_v",
    kind="numerics",
    hint="Return the probability itself, not one that is kept off 0 and 1.",
)
def hidden_kept_off_the_ends(v, W, c):
    return tf.clip_by_value(tf.sigmoid(c + v @ W), 0.001, 0.999)


@mistake("p_h_given_v", kind="concept", hint="The bias is added before the sigmoid, not after.")
def hidden_bias_outside(v, W, c):
    return tf.clip_by_value(tf.sigmoid(v @ W) + c, 0.0, 1.0)


@mistake(
    "p_h_given_v",
    kind="axis",
    hint="For h @ …, W has to be transposed: (B, H) @ (H, D).",
    function="p_v_given_h",
)
def visible_without_transpose(h, W, b):
    return tf.sigmoid(b + h @ W)


@mistake(
    "p_h_given_v",
    kind="concept",
    hint="This is the probability that the unit is off: check the sign in the sigmoid.",
    function="p_v_given_h",
)
def visible_given_the_opposite(h, W, b):
    return tf.sigmoid(-b - tf.matmul(h, W, transpose_b=True))


@mistake(
    "p_h_given_v",
    kind="axis",
    hint="Each row of h has probabilities of its own, not those of the first row.",
    function="p_v_given_h",
)
def visible_of_the_first_row(h, W, b):
    p = tf.sigmoid(b + tf.linalg.matvec(W, h[0]))
    return tf.tile(p[tf.newaxis], (h.shape[0], 1))


@mistake(
    "p_h_given_v",
    kind="axis",
    hint="Each visible unit has a bias of its own, not the mean of all.",
    function="p_v_given_h",
)
def visible_with_mean_bias(h, W, b):
    return tf.sigmoid(tf.reduce_mean(b) + tf.matmul(h, W, transpose_b=True))


@alternative("p_h_given_v")
def hidden_by_tanh_of_half(v, W, c):
    return 0.5 + 0.5 * tf.tanh(0.5 * (tf.matmul(v, W) + c))


@alternative("p_h_given_v")
def hidden_by_inverse(v, W, c):
    return 1.0 / (1.0 + tf.exp(-tf.einsum("bi,ij->bj", v, W) - c))


@alternative("p_h_given_v")
def hidden_in_log_space(v, W, c):
    activation = c + v @ W
    return tf.exp(-tf.nn.softplus(-activation))


@alternative("p_h_given_v")
def hidden_row_by_row(v, W, c):
    rows = []
    for row in range(v.shape[0]):
        rows.append(
            [tf.sigmoid(c[j] + tf.tensordot(v[row], W[:, j], 1)) for j in range(W.shape[1])]
        )
    return tf.stack([tf.stack(row) for row in rows])


@alternative("p_h_given_v")
@tf.function
def hidden_compiled(v, W, c):
    return tf.keras.ops.sigmoid(tf.nn.bias_add(v @ W, c))


@alternative("p_h_given_v")
def hidden_in_float64_inside(v, W, c):
    activation = tf.cast(v, tf.float64) @ tf.cast(W, tf.float64) + tf.cast(c, tf.float64)
    return tf.cast(tf.sigmoid(activation), W.dtype)


@alternative("p_h_given_v")
def hidden_by_softmax_of_two(v, W, c):
    activation = c + v @ W
    return tf.nn.softmax(tf.stack([tf.zeros_like(activation), activation]), axis=0)[1]


@alternative("p_h_given_v", function="p_v_given_h")
def visible_by_transposed_product(h, W, b):
    return tf.sigmoid(tf.matmul(h, W, transpose_b=True) + b[tf.newaxis, :])


@alternative("p_h_given_v", function="p_v_given_h")
def visible_by_the_other_function(h, W, b):
    return p_h_given_v(h, tf.transpose(W), b)  # noqa: F821


@alternative("p_h_given_v", function="p_v_given_h")
def visible_by_einsum(h, W, b):
    return tf.math.reciprocal(1.0 + tf.exp(-(b + tf.einsum("bj,ij->bi", h, W))))


@alternative("p_h_given_v", function="p_v_given_h")
def visible_one_unit_at_a_time(h, W, b):
    columns = [tf.nn.sigmoid(b[i] + tf.linalg.matvec(h, W[i])) for i in range(W.shape[0])]
    return tf.stack(columns, axis=1)
