"""Exercise 7: noise-contrastive estimation."""

import numpy as np
import tensorflow as tf
from scipy.stats import norm

from autograder.checks import alternative, exercise, expect, gradients, mistake, probe
from reference import deep_ebm

# The visible checks: what the test cell of the notebook shows, on the same arrays.
LOG3 = np.float32(np.log(3))
SHOWN_X = np.zeros(2, np.float32)
SHOWN_Y = np.zeros(6, np.float32)


@probe
def losses_of_constants(student, constants, *logs):
    """Returns the loss with each constant subtracted from the model's log density."""
    model_x, noise_x, model_y, noise_y = logs
    return tf.stack(
        [
            student.nce_loss(model_x - c, noise_x, model_y - c, noise_y)
            for c in tf.unstack(constants)
        ]
    )


@probe
def slope_of_a_constant(student, *logs):
    """Returns the derivative of the loss by a constant added to the model's log density."""
    model_x, noise_x, model_y, noise_y = logs
    constant = tf.zeros((), model_x.dtype)
    with tf.GradientTape() as tape:
        tape.watch(constant)
        loss = student.nce_loss(model_x + constant, noise_x, model_y + constant, noise_y)
    return tape.gradient(loss, constant, unconnected_gradients="zero")


def quantiles(std, count):
    """Returns points that stand for equal shares of N(0, std^2)."""
    return norm(0, std).ppf((np.arange(count) + 0.5) / count)


def random_logs(inputs):
    """Returns log densities at 7 rows of data and at 17 of noise, float64."""
    return tuple(2 * inputs.normal(size=size) for size in (7, 7, 17, 17))


def naive(model_x, noise_x, model_y, noise_y):
    """Returns the loss by its definition, from odds."""
    ratio = len(model_y) / len(model_x)
    odds_x, odds_y = np.exp(model_x - noise_x) / ratio, np.exp(model_y - noise_y) / ratio
    return np.mean(np.log1p(1 / odds_x)) + ratio * np.mean(np.log1p(odds_y))


@exercise("nce_loss", points=1, visible=True, mistakes=("nce_of_each_row",))
def test_nce_shown_shape_and_dtype(student):
    """The loss is a single number of the dtype of the log densities."""
    seen = student.nce_loss(SHOWN_X, SHOWN_X, SHOWN_X, SHOWN_X)
    expect(seen).array((), np.float32)


@exercise(
    "nce_loss",
    points=1,
    visible=True,
    mistakes=("nce_no_nu", "nce_noise_not_weighted", "nce_average_of_both"),
)
def test_nce_shown_of_equal_densities(student):
    """Where model and noise agree and there is three times as much noise, a row is data by 1/4."""
    seen = student.nce_loss(SHOWN_X, SHOWN_X, SHOWN_X, SHOWN_X)
    expect(seen).close(np.float32(2 * np.log(2)))
    seen = student.nce_loss(SHOWN_X, SHOWN_X, SHOWN_Y, SHOWN_Y)
    expect(seen).close(np.float32(np.log(4) + 3 * np.log(4 / 3)))


@exercise(
    "nce_loss",
    points=2,
    mistakes=(
        "nce_no_nu",
        "nce_noise_not_weighted",
        "nce_ratio_upside_down",
        "nce_nu_added",
        "nce_labels_exchanged",
        "nce_without_noise_density",
        "nce_average_of_both",
        "nce_sum_over_rows",
        "nce_pools_rows",
        "nce_in_float32",
        "nce_data_only",
    ),
    note="Seven rows of data, seventeen of noise, float64.",
)
def test_nce_is_the_cross_entropy(student, inputs):
    """The loss is the cross-entropy of data from noise, per row of data."""
    logs = random_logs(inputs)
    expect(student.nce_loss(*logs)).matches(naive(*logs), tolerance=1e-6)


@exercise(
    "nce_loss",
    points=1,
    mistakes=("nce_no_nu", "nce_stops_the_noise", "nce_through_numpy", "nce_noise_not_weighted"),
)
def test_nce_has_the_right_gradients(student, inputs):
    """The derivatives by the model's log densities, at data and at noise, are right."""
    gradients.expect_gradient(
        student.nce_loss,
        random_logs(inputs),
        wrt=(0, 2),
        due=deep_ebm.nce_loss,
        tolerance=1e-6,
    )


@exercise(
    "nce_loss",
    points=1,
    mistakes=("nce_no_nu", "nce_ratio_upside_down", "nce_noise_not_weighted", "nce_pools_rows"),
    note="N(0, 2) from N(0, 4), at quantiles, twice as many of the noise.",
)
def test_nce_is_flat_at_the_true_density(student):
    """At the true density the slope by an added constant is 0, however much noise there is."""
    for count in (1500, 6000):
        x, y = quantiles(2**0.5, 3000), quantiles(2, count)
        p, q = norm(0, 2**0.5), norm(0, 2)
        logs = p.logpdf(x), q.logpdf(x), p.logpdf(y), q.logpdf(y)
        seen = slope_of_a_constant(student, *logs)
        expect(seen).array((), np.float64).within(-1e-3, 1e-3)
        # With a constant that is wrong by 1 it has a slope.
        shifted = logs[0] + 1, logs[1], logs[2] + 1, logs[3]
        seen = slope_of_a_constant(student, *shifted)
        expect(seen).matches(_slope(*shifted), tolerance=1e-6)


def _slope(*logs):
    """Returns the derivative that is due."""
    return slope_of_a_constant.function(deep_ebm, *map(tf.constant, logs)).numpy()


@exercise(
    "nce_loss",
    points=1,
    mistakes=("nce_no_nu", "nce_labels_exchanged", "nce_data_only"),
    note="Candidates for log Z at steps of 0.01.",
)
def test_nce_learns_the_logarithm_of_z(student):
    """Of many candidates for log Z of a normal density, the loss is least at the true one."""
    x, y = quantiles(2**0.5, 2000), quantiles(2, 4000)
    q = norm(0, 2)
    true = 0.5 * np.log(2 * np.pi * 2)
    candidates = true + np.linspace(-0.4, 0.4, 81)
    logs = -(x**2) / 4, q.logpdf(x), -(y**2) / 4, q.logpdf(y)
    seen = losses_of_constants(student, candidates, *logs)
    expect(seen).array("K", np.float64, K=81).finite()
    best = candidates[np.argmin(np.asarray(seen))]
    expect(bool(abs(best - true) < 0.02), "the least loss is at the true log Z").equals(True)


@exercise(
    "nce_loss",
    points=1,
    mistakes=("nce_log_of_sigmoid", "nce_clipped"),
    note="float32, differences of 1000.",
)
def test_nce_of_extreme_densities(student):
    """Log densities of 1000 and -1000 give the right, finite loss."""
    far = np.array([-1000, 1000], np.float32)
    seen = student.nce_loss(far, 0 * far, far, 0 * far)
    expect(seen).matches(np.float32(1000))


@mistake(
    "nce_loss",
    kind="concept",
    hint="nu counts in the odds: with more noise than data, a row is noise more often.",
)
def nce_no_nu(log_model_x, log_noise_x, log_model_y, log_noise_y):
    nu = log_model_y.shape[0] / log_model_x.shape[0]
    of_data, of_noise = log_model_x - log_noise_x, log_model_y - log_noise_y
    return tf.reduce_mean(tf.nn.softplus(-of_data)) + nu * tf.reduce_mean(tf.nn.softplus(of_noise))


@mistake("nce_loss", kind="scale", hint="The mean over the noise is multiplied by nu.")
def nce_noise_not_weighted(log_model_x, log_noise_x, log_model_y, log_noise_y):
    log_nu = float(np.log(log_model_y.shape[0] / log_model_x.shape[0]))
    of_data = log_model_x - log_noise_x - log_nu
    of_noise = log_model_y - log_noise_y - log_nu
    return tf.reduce_mean(tf.nn.softplus(-of_data)) + tf.reduce_mean(tf.nn.softplus(of_noise))


@mistake("nce_loss", kind="concept", hint="nu is M / N: rows of noise for each row of data.")
def nce_ratio_upside_down(log_model_x, log_noise_x, log_model_y, log_noise_y):
    nu = log_model_x.shape[0] / log_model_y.shape[0]
    log_nu = float(np.log(nu))
    of_data = log_model_x - log_noise_x - log_nu
    of_noise = log_model_y - log_noise_y - log_nu
    return tf.reduce_mean(tf.nn.softplus(-of_data)) + nu * tf.reduce_mean(tf.nn.softplus(of_noise))


@mistake("nce_loss", kind="concept", hint="log nu is subtracted: noise competes with the model.")
def nce_nu_added(log_model_x, log_noise_x, log_model_y, log_noise_y):
    nu = log_model_y.shape[0] / log_model_x.shape[0]
    log_nu = float(np.log(nu))
    of_data = log_model_x - log_noise_x + log_nu
    of_noise = log_model_y - log_noise_y + log_nu
    return tf.reduce_mean(tf.nn.softplus(-of_data)) + nu * tf.reduce_mean(tf.nn.softplus(of_noise))


@mistake(
    "nce_loss", kind="concept", hint="Data are to have high odds, noise low ones: mind signs."
)
def nce_labels_exchanged(log_model_x, log_noise_x, log_model_y, log_noise_y):
    nu = log_model_y.shape[0] / log_model_x.shape[0]
    log_nu = float(np.log(nu))
    of_data = log_model_x - log_noise_x - log_nu
    of_noise = log_model_y - log_noise_y - log_nu
    return tf.reduce_mean(tf.nn.softplus(of_data)) + nu * tf.reduce_mean(tf.nn.softplus(-of_noise))


@mistake("nce_loss", kind="lazy", hint="The odds compare the model with the noise density.")
def nce_without_noise_density(log_model_x, log_noise_x, log_model_y, log_noise_y):
    return deep_ebm.nce_loss(log_model_x, 0.0 * log_noise_x, log_model_y, 0.0 * log_noise_y)


@mistake("nce_loss", kind="lazy", hint="Both terms count: data, and noise.")
def nce_data_only(log_model_x, log_noise_x, log_model_y, log_noise_y):
    log_nu = float(np.log(log_model_y.shape[0] / log_model_x.shape[0]))
    return tf.reduce_mean(tf.nn.softplus(-(log_model_x - log_noise_x - log_nu)))


@mistake("nce_loss", kind="scale", hint="The two terms are added, not averaged.")
def nce_average_of_both(log_model_x, log_noise_x, log_model_y, log_noise_y):
    return 0.5 * deep_ebm.nce_loss(log_model_x, log_noise_x, log_model_y, log_noise_y)


@mistake("nce_loss", kind="scale", hint="The loss is per row of data: a mean, not a sum.")
def nce_sum_over_rows(log_model_x, log_noise_x, log_model_y, log_noise_y):
    loss = deep_ebm.nce_loss(log_model_x, log_noise_x, log_model_y, log_noise_y)
    return log_model_x.shape[0] * loss


@mistake("nce_loss", kind="scale", hint="Divide by the rows of data, not by all rows.")
def nce_pools_rows(log_model_x, log_noise_x, log_model_y, log_noise_y):
    loss = deep_ebm.nce_loss(log_model_x, log_noise_x, log_model_y, log_noise_y)
    n, m = log_model_x.shape[0], log_model_y.shape[0]
    return loss * n / (n + m)


@mistake("nce_loss", kind="axis", hint="The loss is a single number: average over the rows.")
def nce_of_each_row(log_model_x, log_noise_x, log_model_y, log_noise_y):
    nu = log_model_y.shape[0] / log_model_x.shape[0]
    log_nu = float(np.log(nu))
    of_data = log_model_x - log_noise_x - log_nu
    of_noise = log_model_y - log_noise_y - log_nu
    return tf.nn.softplus(-of_data) + nu * tf.reduce_mean(tf.nn.softplus(of_noise))


@mistake("nce_loss", kind="numerics", hint="Float64 arguments give a float64 loss.")
def nce_in_float32(log_model_x, log_noise_x, log_model_y, log_noise_y):
    loss = deep_ebm.nce_loss(log_model_x, log_noise_x, log_model_y, log_noise_y)
    return tf.cast(loss, tf.float32)


@mistake("nce_loss", kind="concept", hint="The model learns from the noise, too: no stop there.")
def nce_stops_the_noise(log_model_x, log_noise_x, log_model_y, log_noise_y):
    fixed = tf.stop_gradient(log_model_y)
    return deep_ebm.nce_loss(log_model_x, log_noise_x, fixed, log_noise_y)


@mistake(
    "nce_loss",
    kind="numerics",
    hint="Stay with TensorFlow operations: no gradient flows through NumPy.",
)
def nce_through_numpy(log_model_x, log_noise_x, log_model_y, log_noise_y):
    arrays = [np.asarray(a) for a in (log_model_x, log_noise_x, log_model_y, log_noise_y)]
    return tf.constant(deep_ebm.nce_loss(*arrays).numpy())


@mistake(
    "nce_loss",
    kind="numerics",
    hint="log(sigmoid(a)) is log 0 for large odds: softplus does it in one step.",
)
def nce_log_of_sigmoid(log_model_x, log_noise_x, log_model_y, log_noise_y):
    nu = log_model_y.shape[0] / log_model_x.shape[0]
    log_nu = float(np.log(nu))
    p_data = tf.sigmoid(log_model_x - log_noise_x - log_nu)
    p_noise = tf.sigmoid(-(log_model_y - log_noise_y - log_nu))
    real, fake = tf.reduce_mean(tf.math.log(p_data)), tf.reduce_mean(tf.math.log(p_noise))
    return -real - nu * fake


@mistake("nce_loss", kind="numerics", hint="Clipping the odds cuts the cost of what is far off.")
def nce_clipped(log_model_x, log_noise_x, log_model_y, log_noise_y):
    model_x = tf.clip_by_value(log_model_x, -50.0, 50.0)
    model_y = tf.clip_by_value(log_model_y, -50.0, 50.0)
    return deep_ebm.nce_loss(model_x, log_noise_x, model_y, log_noise_y)


@alternative("nce_loss")
def nce_by_cross_entropy(log_model_x, log_noise_x, log_model_y, log_noise_y):
    nu = log_model_y.shape[0] / log_model_x.shape[0]
    logits = tf.concat([log_model_x - log_noise_x, log_model_y - log_noise_y], axis=0)
    labels = tf.concat([tf.ones_like(log_model_x), tf.zeros_like(log_model_y)], axis=0)
    each = tf.nn.sigmoid_cross_entropy_with_logits(
        labels=labels, logits=logits - float(np.log(nu))
    )
    return tf.reduce_sum(each) / log_model_x.shape[0]


@alternative("nce_loss")
def nce_by_logaddexp(log_model_x, log_noise_x, log_model_y, log_noise_y):
    n, m = log_model_x.shape[0], log_model_y.shape[0]
    nu = tf.cast(m / n, log_model_x.dtype)

    def total(model, noise):
        pair = tf.stack([model, noise + tf.math.log(nu)])
        return pair, tf.reduce_logsumexp(pair, axis=0)

    (pair_x, both_x), (pair_y, both_y) = (
        total(log_model_x, log_noise_x),
        total(log_model_y, log_noise_y),
    )
    return tf.reduce_mean(both_x - pair_x[0]) + nu * tf.reduce_mean(both_y - pair_y[1])


@alternative("nce_loss")
@tf.function
def nce_by_log_sigmoid(log_model_x, log_noise_x, log_model_y, log_noise_y):
    n = tf.cast(tf.shape(log_model_x)[0], log_model_x.dtype)
    m = tf.cast(tf.shape(log_model_y)[0], log_model_x.dtype)
    log_nu = tf.math.log(m) - tf.math.log(n)
    real = tf.math.log_sigmoid(log_model_x - log_noise_x - log_nu)
    fake = tf.math.log_sigmoid(log_nu + log_noise_y - log_model_y)
    return -(tf.reduce_sum(real) + tf.reduce_sum(fake)) / n
