"""Exercise 1: the divergence of a diagonal normal distribution from its prior."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, gradients, laws, mistake
from reference import vae


def random_case(inputs):
    """Returns mean, log_var, prior_mean, prior_log_var, each (7, 3), float64."""
    return tuple(inputs.normal(size=(7, 3)) for _ in range(4))


# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_MEAN = np.array([[0, 0], [2, 0], [0, 0]], np.float32)
SHOWN_LOG_VAR = np.array([[0, 0], [0, 0], [0, 1]], np.float32)


@exercise(
    "gaussian_kl",
    points=1,
    visible=True,
    mistakes=("kl_of_the_batch", "kl_as_column", "kl_per_dimension"),
)
def test_kl_shown_shape_and_dtype(student):
    """Three rows give three divergences, in the dtype of the arguments."""
    expect(student.gaussian_kl(SHOWN_MEAN, SHOWN_LOG_VAR)).array("B", np.float32, B=3)


@exercise("gaussian_kl", points=2, visible=True, mistakes=("kl_no_half", "kl_without_the_one"))
def test_kl_shown_values(student):
    """The divergence is 0 for the prior itself, 2 where one mean is 2; the third row holds e."""
    due = np.array([0, 2, (np.e - 2) / 2], np.float32)
    expect(student.gaussian_kl(SHOWN_MEAN, SHOWN_LOG_VAR)).matches(due)


@exercise(
    "gaussian_kl",
    points=3,
    mistakes=(
        "kl_no_half",
        "kl_sigma_not_var",
        "kl_sign",
        "kl_without_the_one",
        "kl_mean_over_latent",
        "kl_reversed",
        "kl_of_the_standard_prior",
        "kl_distance_in_prior_units_missing",
        "kl_by_draws",
        "kl_in_float32",
        "kl_in_bits",
    ),
    note="The closed form with a prior of its own for each entry, float64.",
)
def test_kl_from_any_normal_prior(student, inputs):
    """The divergence is that of two normal distributions, also where the prior is not N(0, 1)."""
    case = random_case(inputs)
    expect(student.gaussian_kl(*case)).matches(vae.gaussian_kl(*case))
    golden = student.gaussian_kl(np.array([[1.0]]), np.log(np.array([[0.25]])))
    expect(golden).close([0.8181471806])


@exercise("gaussian_kl", points=1, mistakes=("kl_sign", "kl_sigma_not_var", "kl_without_the_one"))
def test_kl_is_zero_for_the_prior_only(student, inputs):
    """The divergence from itself is 0, and more than 0 from anything else."""
    mean, log_var, *_ = random_case(inputs)
    zero = student.gaussian_kl(mean, log_var, mean, log_var)
    expect(zero).array("B", np.float64, B=7).close(np.zeros(7), tolerance=1e-9)
    for prior in ((mean + 0.3, log_var), (mean, log_var + 0.3), (mean, log_var - 0.3)):
        expect(student.gaussian_kl(mean, log_var, *prior)).within(1e-6, np.inf)


@exercise(
    "gaussian_kl", points=1, mistakes=("kl_of_the_batch", "kl_as_column", "kl_mean_over_batch")
)
def test_kl_of_each_row_stands_alone(student, inputs):
    """Each row has a divergence of its own, which depends on that row only."""
    case = random_case(inputs)
    expect(student.gaussian_kl(*case)).array("B", np.float64, B=7)
    laws.expect_rows_independent(student.gaussian_kl, batched=case)


@exercise(
    "gaussian_kl",
    points=1,
    mistakes=("kl_sigma_not_var", "kl_sign", "kl_stops_the_variance", "kl_through_numpy"),
)
def test_kl_has_the_right_gradient(student, inputs):
    """The derivative by mean and log_var, which trains the encoder, is that of the divergence."""
    gradients.expect_gradient(
        student.gaussian_kl, random_case(inputs), wrt=(0, 1), due=vae.gaussian_kl
    )


@exercise(
    "gaussian_kl",
    points=1,
    mistakes=("kl_clipped", "kl_with_epsilon"),
    note="Log-variances of +-40 in float32; e^40 is 2e17.",
)
def test_kl_of_extreme_variances(student):
    """With log-variances of 40 and -40 the divergence is still a finite, right number."""
    mean, log_var = np.zeros((3, 2), np.float32), np.float32([[40, 0], [-40, 0], [-40, -40]])
    due = np.array([(np.exp(40) - 41) / 2, 19.5, 39], np.float32)
    seen = student.gaussian_kl(mean, log_var)
    expect(seen).array("B", np.float32, B=3).finite()
    expect(np.asarray(seen)[1:]).close(due[1:])
    expect(np.asarray(seen)[:1]).close(due[:1])


@mistake("gaussian_kl", kind="scale", hint="The factor one half in front of the sum is missing.")
def kl_no_half(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    return 2.0 * vae.gaussian_kl(mean, log_var, prior_mean, prior_log_var)


@mistake(
    "gaussian_kl",
    kind="scale",
    hint="e to the log-variance is the variance; with half the exponent it is the deviation.",
)
def kl_sigma_not_var(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    ratio = tf.exp(0.5 * (log_var - prior_log_var))
    distance = (mean - prior_mean) ** 2 / tf.exp(prior_log_var + 0.0 * mean)
    return 0.5 * tf.reduce_sum(prior_log_var - log_var + ratio + distance - 1.0, axis=1)


@mistake(
    "gaussian_kl", kind="concept", hint="A divergence is never negative: check the overall sign."
)
def kl_sign(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    return -vae.gaussian_kl(mean, log_var, prior_mean, prior_log_var)


@mistake("gaussian_kl", kind="concept", hint="For each dimension 1 is subtracted.")
def kl_without_the_one(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    latent = tf.cast(tf.shape(mean)[1], mean.dtype)
    return vae.gaussian_kl(mean, log_var, prior_mean, prior_log_var) + 0.5 * latent


@mistake("gaussian_kl", kind="scale", hint="Sum over the dimensions of z; do not average.")
def kl_mean_over_latent(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    latent = tf.cast(tf.shape(mean)[1], mean.dtype)
    return vae.gaussian_kl(mean, log_var, prior_mean, prior_log_var) / latent


@mistake("gaussian_kl", kind="axis", hint="Each row has a divergence of its own: no batch mean.")
def kl_of_the_batch(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    return tf.reduce_mean(vae.gaussian_kl(mean, log_var, prior_mean, prior_log_var))


@mistake(
    "gaussian_kl", kind="axis", hint="Rows are not averaged, not even with their number kept."
)
def kl_mean_over_batch(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    kl = vae.gaussian_kl(mean, log_var, prior_mean, prior_log_var)
    return tf.reduce_mean(kl) + 0.0 * kl


@mistake("gaussian_kl", kind="axis", hint="One number per row has the shape (B,), not (B, 1).")
def kl_as_column(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    return vae.gaussian_kl(mean, log_var, prior_mean, prior_log_var)[:, tf.newaxis]


@mistake("gaussian_kl", kind="axis", hint="The dimensions of z still have to be added up.")
def kl_per_dimension(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    distance = (mean - prior_mean) ** 2 / tf.exp(prior_log_var + 0.0 * mean)
    return 0.5 * (prior_log_var - log_var + tf.exp(log_var - prior_log_var) + distance - 1.0)


@mistake(
    "gaussian_kl",
    kind="concept",
    hint="This is the divergence of the prior from q: the roles are exchanged.",
)
def kl_reversed(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    shape = tf.zeros_like(mean)
    return vae.gaussian_kl(prior_mean + shape, prior_log_var + shape, mean, log_var)


@mistake("gaussian_kl", kind="lazy", hint="The prior may have another mean and variance.")
def kl_of_the_standard_prior(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    return vae.gaussian_kl(mean, log_var)


@mistake(
    "gaussian_kl",
    kind="concept",
    hint="The squared distance of the means is divided by the variance of the prior.",
)
def kl_distance_in_prior_units_missing(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    terms = prior_log_var - log_var + tf.exp(log_var - prior_log_var) - 1.0
    return 0.5 * tf.reduce_sum(terms + (mean - prior_mean) ** 2, axis=1)


@mistake(
    "gaussian_kl",
    kind="randomness",
    hint="The closed form needs no draws; an estimate is another number each time.",
)
def kl_by_draws(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    noise = tf.random.normal(tf.shape(mean), dtype=mean.dtype)
    z = mean + tf.exp(0.5 * log_var) * noise
    prior = prior_log_var + (z - prior_mean) ** 2 / tf.exp(prior_log_var + 0.0 * mean)
    return 0.5 * tf.reduce_sum(prior - log_var - noise**2, axis=1)


@mistake("gaussian_kl", kind="numerics", hint="Float64 arguments give a float64 result.")
def kl_in_float32(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    arrays = (mean, log_var, prior_mean, prior_log_var)
    return vae.gaussian_kl(*(tf.cast(array, tf.float32) for array in arrays))


@mistake("gaussian_kl", kind="scale", hint="Logarithms are natural here: no division by log 2.")
def kl_in_bits(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    return vae.gaussian_kl(mean, log_var, prior_mean, prior_log_var) / np.log(2)


@mistake(
    "gaussian_kl",
    kind="numerics",
    hint="The log-variance is cut off too early: values of 40 in size must still be right.",
)
def kl_clipped(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    return vae.gaussian_kl(mean, tf.clip_by_value(log_var, -10.0, 10.0), prior_mean, prior_log_var)


@mistake(
    "gaussian_kl",
    kind="numerics",
    hint="The logarithm of a variance plus epsilon cuts small variances off: log_var is at hand.",
)
def kl_with_epsilon(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    variance = tf.exp(log_var)
    correction = 0.5 * tf.reduce_sum(log_var - tf.math.log(variance + 1e-8), axis=1)
    return vae.gaussian_kl(mean, log_var, prior_mean, prior_log_var) + correction


@mistake("gaussian_kl", kind="lazy", hint="A gradient has to flow to log_var, too.")
def kl_stops_the_variance(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    log_var = tf.stop_gradient(log_var) + 0.0 * log_var
    return vae.gaussian_kl(mean, log_var, prior_mean, prior_log_var)


@mistake(
    "gaussian_kl",
    kind="numerics",
    hint="Stay with TensorFlow operations: no gradient flows through NumPy.",
)
def kl_through_numpy(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    return tf.constant(vae.gaussian_kl(mean, log_var, prior_mean, prior_log_var).numpy())


@alternative("gaussian_kl")
def kl_by_standard_deviations(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    s, prior_s = tf.exp(log_var / 2), tf.exp(prior_log_var * tf.ones_like(mean) / 2)
    terms = tf.math.log(prior_s / s) + (s**2 + (mean - prior_mean) ** 2) / (2 * prior_s**2) - 0.5
    return tf.reduce_sum(terms, axis=1)


@alternative("gaussian_kl")
def kl_dimension_by_dimension(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    prior_mean, prior_log_var = prior_mean + 0.0 * mean, prior_log_var + 0.0 * mean
    total = tf.zeros(tf.shape(mean)[0], mean.dtype)
    for d in range(mean.shape[1]):
        inverse = tf.exp(-prior_log_var[:, d])
        total += prior_log_var[:, d] - log_var[:, d] + tf.exp(log_var[:, d]) * inverse
        total += (mean[:, d] - prior_mean[:, d]) ** 2 * inverse - 1.0
    return total / 2


@alternative("gaussian_kl")
@tf.function
def kl_compiled(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    ratio = tf.keras.ops.exp(log_var - prior_log_var)
    scaled = tf.square(mean - prior_mean) / tf.exp(prior_log_var * tf.ones_like(mean))
    return -0.5 * tf.reduce_sum(1.0 + log_var - prior_log_var - ratio - scaled, axis=-1)


@alternative("gaussian_kl")
def kl_by_expm1(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    shift = log_var - prior_log_var
    distance = ((mean - prior_mean) * tf.exp(-0.5 * prior_log_var + 0.0 * mean)) ** 2
    return 0.5 * tf.einsum("bz->b", tf.math.expm1(shift) - shift + distance)


@alternative("gaussian_kl")
def kl_of_cross_entropy_and_entropy(mean, log_var, prior_mean=0.0, prior_log_var=0.0):
    log_2_pi = float(np.log(2 * np.pi))
    spread = (tf.exp(log_var) + (mean - prior_mean) ** 2) / tf.exp(prior_log_var + 0.0 * mean)
    cross = 0.5 * tf.reduce_sum(log_2_pi + prior_log_var + spread, axis=1)
    return cross - 0.5 * tf.reduce_sum(log_2_pi + 1.0 + log_var, axis=1)
