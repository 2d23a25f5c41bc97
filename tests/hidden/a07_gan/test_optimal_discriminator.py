"""Exercise 2: the best discriminator, and the divergence that it measures."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake
from reference import gan

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_LOG_P = np.log(np.array([0.5, 0.3, 0.2], np.float32))
SHOWN_LOG_Q = np.log(np.array([0.5, 0.1, 0.6], np.float32))


@exercise(
    "optimal_discriminator",
    depends_on=("d_loss",),
    points=1,
    visible=True,
    mistakes=("optimal_of_the_fakes", "optimal_logit"),
)
def test_optimum_shown_values(student):
    """Where data are three times as likely as fakes, the best answer is 3/4."""
    seen = student.optimal_discriminator(SHOWN_LOG_P, SHOWN_LOG_Q)
    expect(seen).array("B", np.float32, B=3)
    expect(seen).close(np.array([0.5, 0.75, 0.25], np.float32))


@exercise(
    "optimal_discriminator",
    depends_on=("d_loss",),
    points=1,
    visible=True,
    mistakes=("jsd_without_log_2", "jsd_of_rows"),
)
def test_divergence_shown_of_equals(student):
    """Where the best discriminator can only guess, the divergence is 0."""
    seen = student.jsd_from_optimal(np.zeros(3, np.float32), np.zeros(2, np.float32))
    expect(seen).array((), np.float32).close(0, tolerance=1e-6)


@exercise(
    "optimal_discriminator",
    depends_on=("d_loss",),
    points=1,
    mistakes=(
        "optimal_of_the_fakes",
        "optimal_ratio",
        "optimal_in_float32",
        "optimal_of_densities",
    ),
)
def test_optimum_is_the_probability_of_being_real(student, inputs):
    """The best discriminator says p / (p + q), from the log densities."""
    log_p, log_q = inputs.normal(size=7), inputs.normal(size=7)
    due = 1 / (1 + np.exp(log_q - log_p))
    expect(student.optimal_discriminator(log_p, log_q)).matches(due)
    laws.expect_rows_independent(student.optimal_discriminator, batched=(log_p, log_q))


@exercise(
    "optimal_discriminator",
    depends_on=("d_loss",),
    points=2,
    mistakes=(
        "jsd_without_half",
        "jsd_quarter",
        "jsd_sides_exchanged",
        "jsd_in_bits",
        "jsd_sign",
        "jsd_mean_of_all",
        "jsd_in_float32",
        "jsd_of_probabilities",
    ),
    note="Seven logits of data, five of fakes; and mid-point quantiles of N(0, 1) and N(1, 1).",
)
def test_divergence_is_log_2_less_half_the_best_loss(student, inputs):
    """The divergence of N(0, 1) and N(1, 1) is 0.1114, and that of any logits what they say."""
    logits_p, logits_q = inputs.normal(size=7), inputs.normal(size=5)
    due = gan.jsd_from_optimal(logits_p, logits_q).numpy()
    expect(student.jsd_from_optimal(logits_p, logits_q)).matches(due)
    quantiles = golden_quantiles()
    # The logit of N(0, 1) against N(1, 1) at x is 1/2 - x.
    seen = student.jsd_from_optimal(0.5 - quantiles, -0.5 - quantiles)
    expect(seen).close(0.1114214822, tolerance=2e-3)


@exercise(
    "optimal_discriminator",
    depends_on=("d_loss",),
    points=1,
    mistakes=("optimal_of_densities", "jsd_by_log_of_sigmoid", "optimal_exponentials"),
    note="Log densities of -900 and of -2000, float64: e to that power is 0.",
)
def test_optimum_of_unlikely_points(student):
    """Where both densities are too small for a computer, the answers are still right."""
    log_p, log_q = np.array([-2000.0, -900.0, -900.0]), np.array([-2000.0, -902.0, -898.0])
    seen = student.optimal_discriminator(log_p, log_q)
    expect(seen).matches(1 / (1 + np.exp(log_q - log_p)))
    far = student.jsd_from_optimal(np.array([900.0, 800.0]), np.array([-900.0, -800.0]))
    expect(far).matches(np.float64(np.log(2)))


def golden_quantiles(count=2000):
    """Returns mid-point quantiles of N(0, 1)."""
    from scipy.special import ndtri

    return ndtri((np.arange(count) + 0.5) / count)


@mistake("optimal_discriminator", kind="concept", hint="Data belong on top: p / (p + q).")
def optimal_of_the_fakes(log_p, log_q):
    return gan.optimal_discriminator(log_q, log_p)


@mistake(
    "optimal_discriminator", kind="concept", hint="A probability is asked for, not its logit."
)
def optimal_logit(log_p, log_q):
    return log_p - log_q


@mistake(
    "optimal_discriminator", kind="concept", hint="p / q is a ratio; the answer is p / (p + q)."
)
def optimal_ratio(log_p, log_q):
    return tf.exp(log_p - log_q)


@mistake("optimal_discriminator", kind="concept", hint="Logarithms of densities come in.")
def optimal_of_densities(log_p, log_q):
    return log_p / (log_p + log_q)


@mistake(
    "optimal_discriminator",
    kind="numerics",
    hint="e to -900 is 0: subtract the logarithms first, then take the sigmoid.",
)
def optimal_exponentials(log_p, log_q):
    return tf.exp(log_p) / (tf.exp(log_p) + tf.exp(log_q))


@mistake("optimal_discriminator", kind="numerics", hint="Float64 arguments give a float64 result.")
def optimal_in_float32(log_p, log_q):
    return tf.cast(gan.optimal_discriminator(log_p, log_q), tf.float32)


@mistake(
    "optimal_discriminator",
    kind="scale",
    function="jsd_from_optimal",
    hint="Half of the loss is subtracted from log 2.",
)
def jsd_without_half(logits_p, logits_q):
    return float(np.log(2)) - gan.d_loss(logits_p, logits_q)


@mistake(
    "optimal_discriminator",
    kind="scale",
    function="jsd_from_optimal",
    hint="One factor one half is enough: the two means are added, then halved.",
)
def jsd_quarter(logits_p, logits_q):
    return float(np.log(2)) - gan.d_loss(logits_p, logits_q) / 4


@mistake(
    "optimal_discriminator",
    kind="lazy",
    function="jsd_from_optimal",
    hint="log 2 is missing: the divergence of equals is 0.",
)
def jsd_without_log_2(logits_p, logits_q):
    return -0.5 * gan.d_loss(logits_p, logits_q)


@mistake(
    "optimal_discriminator",
    kind="concept",
    function="jsd_from_optimal",
    hint="softplus(-l) belongs to points of p, softplus(l) to points of q.",
)
def jsd_sides_exchanged(logits_p, logits_q):
    return gan.jsd_from_optimal(logits_q, logits_p)


@mistake(
    "optimal_discriminator",
    kind="scale",
    function="jsd_from_optimal",
    hint="The result is in nats: no division by log 2.",
)
def jsd_in_bits(logits_p, logits_q):
    return gan.jsd_from_optimal(logits_p, logits_q) / float(np.log(2))


@mistake(
    "optimal_discriminator",
    kind="concept",
    function="jsd_from_optimal",
    hint="A divergence is at least 0: check the overall sign.",
)
def jsd_sign(logits_p, logits_q):
    return -gan.jsd_from_optimal(logits_p, logits_q)


@mistake(
    "optimal_discriminator",
    kind="scale",
    function="jsd_from_optimal",
    hint="Points of p and of q have a mean each; there may be more of one of them.",
)
def jsd_mean_of_all(logits_p, logits_q):
    terms = tf.concat([tf.nn.softplus(-logits_p), tf.nn.softplus(logits_q)], axis=0)
    return float(np.log(2)) - tf.reduce_mean(terms)


@mistake(
    "optimal_discriminator",
    kind="axis",
    function="jsd_from_optimal",
    hint="The divergence is a single number: average over the points.",
)
def jsd_of_rows(logits_p, logits_q):
    return float(np.log(2)) - tf.nn.softplus(-logits_p)


@mistake(
    "optimal_discriminator",
    kind="numerics",
    function="jsd_from_optimal",
    hint="Float64 arguments give a float64 result.",
)
def jsd_in_float32(logits_p, logits_q):
    return tf.cast(gan.jsd_from_optimal(logits_p, logits_q), tf.float32)


@mistake(
    "optimal_discriminator",
    kind="concept",
    function="jsd_from_optimal",
    hint="Logits come in: no sigmoid before the softplus.",
)
def jsd_of_probabilities(logits_p, logits_q):
    return gan.jsd_from_optimal(tf.sigmoid(logits_p), tf.sigmoid(logits_q))


@mistake(
    "optimal_discriminator",
    kind="numerics",
    function="jsd_from_optimal",
    hint="The logarithm of 1 - sigmoid(l) loses its digits, or is minus infinity: use softplus.",
)
def jsd_by_log_of_sigmoid(logits_p, logits_q):
    real = tf.math.log(1.0 - tf.sigmoid(-logits_p))
    fake = 0.0 * logits_q + tf.math.log(tf.exp(-logits_q) / (1.0 + tf.exp(-logits_q)))
    return float(np.log(2)) + 0.5 * (tf.reduce_mean(real) + tf.reduce_mean(fake))


@alternative("optimal_discriminator")
def optimal_by_softmax(log_p, log_q):
    return tf.nn.softmax(tf.stack([log_p, log_q], axis=-1))[..., 0]


@alternative("optimal_discriminator")
def optimal_by_log_sum(log_p, log_q):
    return tf.exp(log_p - tf.reduce_logsumexp(tf.stack([log_p, log_q]), axis=0))


@alternative("optimal_discriminator")
def optimal_by_reciprocal(log_p, log_q):
    return 1.0 / (1.0 + tf.exp(log_q - log_p))


@alternative("optimal_discriminator", function="jsd_from_optimal")
def jsd_by_the_loss(logits_p, logits_q):
    return float(np.log(2)) - d_loss(logits_p, logits_q) / 2  # noqa: F821


@alternative("optimal_discriminator", function="jsd_from_optimal")
def jsd_by_log_sigmoid(logits_p, logits_q):
    log_2 = float(np.log(2))
    real = tf.reduce_mean(log_2 + tf.math.log_sigmoid(logits_p))
    return 0.5 * (real + tf.reduce_mean(log_2 + tf.math.log_sigmoid(-logits_q)))
