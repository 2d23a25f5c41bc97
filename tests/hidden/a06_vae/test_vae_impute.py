"""Exercise 8: the applications: missing pixels, and unusual rows."""

import numpy as np
import tensorflow as tf

from autograder.checks import (
    alternative,
    exercise,
    expect,
    laws,
    mistake,
    probe,
    sampling,
    tensorflow_rng,
)
from reference import vae

# A linear decoder of two codes and four pixels, with its exact posterior as encoder: the columns
# are orthogonal. Pixels 0 and 2 are observed.
VARIANCE = 0.4
W = np.array([[1.2, 0.5], [-0.6, 1.0], [0.8, 0.2], [0.5, -0.68]])
B = np.array([0.5, -1.0, 0.3, 0.8])
X = np.array([[1.4, 0.9, -1.1, -0.4]])
OBSERVED = np.array([[True, False, True, False]])
SPREAD = 1 / (1 + (W**2).sum(axis=0) / VARIANCE)
GAIN = W * SPREAD / VARIANCE

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.array([[1, 0, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]], np.float32)
SHOWN_OBSERVED = np.array([[True, False, True, False], [False, True, True, True], [True] * 4])


@probe
def imputed(student, x, observed, networks, n_iters, variance, rng):
    """Imputes with linear networks, whose last row is the bias; variance 0 for binary pixels."""
    A, L, D = networks

    def encoder(rows):
        return tf.matmul(rows, A[:-1]) + A[-1], tf.matmul(rows, L[:-1]) + L[-1]

    def decoder(z):
        return tf.matmul(z, D[:-1]) + D[-1]

    if variance:
        return student.vae_impute(x, observed, encoder, decoder, n_iters, rng, variance=variance)
    return student.vae_impute(x, observed, encoder, decoder, n_iters, rng)


@probe
def scores(student, x, noise, networks, variance):
    """Returns scores with linear networks."""
    A, L, D = networks

    def encoder(rows):
        return tf.matmul(rows, A[:-1]) + A[-1], tf.matmul(rows, L[:-1]) + L[-1]

    def decoder(z):
        return tf.matmul(z, D[:-1]) + D[-1]

    if variance:
        return student.vae_anomaly_score(x, encoder, decoder, noise, variance=variance)
    return student.vae_anomaly_score(x, encoder, decoder, noise)


def exact_networks():
    """Returns the linear decoder and its posterior as networks."""
    A = np.concatenate([GAIN, -B[np.newaxis] @ GAIN])
    L = np.concatenate([np.zeros((4, 2)), np.log(SPREAD)[np.newaxis]])
    return A, L, np.concatenate([W.T, B[np.newaxis]])


def law_after(rounds):
    """Returns mean and covariance of pixels 1 and 3 after so many rounds from X."""
    missing = ~OBSERVED[0]
    mean, covariance = X[0].copy(), np.zeros((4, 4))
    for _ in range(rounds):
        code = GAIN.T @ (mean - B)
        spread = GAIN.T @ covariance @ GAIN + np.diag(SPREAD)
        mean[missing] = (B + W @ code)[missing]
        fresh = W @ spread @ W.T + VARIANCE * np.eye(4)
        covariance = np.where(np.outer(missing, missing), fresh, 0)
    return mean[missing], covariance[np.ix_(missing, missing)]


def random_networks(inputs, dtype=np.float64):
    """Returns networks of 5 pixels and 3 codes."""
    arrays = (
        inputs.normal(size=(6, 3)),
        0.5 * inputs.normal(size=(6, 3)),
        inputs.normal(size=(4, 5)),
    )
    return tuple(array.astype(dtype) for array in arrays)


def shown_networks():
    """Returns networks of zeros, of 4 pixels and 2 codes."""
    return tuple(np.zeros(shape, np.float32) for shape in ((5, 2), (5, 2), (3, 4)))


@exercise(
    "vae_impute",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo", "iwae_bound"),
    visible=True,
    mistakes=("impute_overwrites_observed",),
)
def test_impute_shown_keeps_what_is_observed(student):
    """The result has the shape and dtype of x, and its observed pixels."""
    seen = imputed(
        student, SHOWN_X, SHOWN_OBSERVED, shown_networks(), 2, 0.0, tensorflow_rng.seeded(1)
    )
    expect(seen).array("B D", np.float32, B=3, D=4)
    expect(np.asarray(seen)[SHOWN_OBSERVED]).equals(SHOWN_X[SHOWN_OBSERVED])


@exercise(
    "vae_impute",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo", "iwae_bound"),
    visible=True,
    mistakes=("impute_probabilities",),
)
def test_impute_shown_draws_states(student):
    """Missing binary pixels are drawn: 0 or 1."""
    seen = imputed(
        student, SHOWN_X, SHOWN_OBSERVED, shown_networks(), 2, 0.0, tensorflow_rng.seeded(1)
    )
    expect(seen).array("B D", np.float32, B=3, D=4).among((0, 1))


@exercise(
    "vae_impute",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo", "iwae_bound"),
    visible=True,
    mistakes=("score_sign",),
)
def test_score_shown_of_networks_that_know_nothing(student):
    """Networks of zeros give each row of four pixels the score 4 log 2."""
    noise = np.ones((2, 3, 2), np.float32)
    seen = scores(student, SHOWN_X, noise, shown_networks(), 0.0)
    expect(seen).matches(np.full(3, 4 * np.log(2), np.float32))


@exercise(
    "vae_impute",
    points=2,
    depends_on=("gaussian_kl", "reparameterize", "elbo", "iwae_bound"),
    mistakes=(
        "impute_mean_code",
        "impute_mean_pixels",
        "impute_variance_as_deviation",
        "impute_starts_elsewhere",
        "impute_one_code_for_all",
        "impute_one_round_more",
        "impute_forgets_the_variance",
    ),
    note="A linear model with its exact encoder: after one round the law is normal, "
    "with known mean and covariance. 4,000 rows see a standard deviation off by 7 %.",
)
def test_one_round_has_the_law_of_the_model(student, stages):
    """After one round the missing pixels follow p(x_m | z) with z drawn from q(z | x)."""
    networks, (mean, covariance) = exact_networks(), law_after(1)

    def rows(count, rng=tensorflow_rng):
        x, observed = np.repeat(X, count, axis=0), np.repeat(OBSERVED, count, axis=0)
        seen = imputed(student, x, observed, networks, 1, VARIANCE, rng)
        expect(seen).array("B D", np.float64, B=count, D=4).finite()
        return seen[:, [1, 3]]

    law = sampling.moments(mean, covariance)
    sampling.expect_law(sampling.draws(rows, 4000, stages), law)


@exercise(
    "vae_impute",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo", "iwae_bound"),
    mistakes=(
        "impute_one_round_whatever",
        "impute_without_restoring",
        "impute_each_round_from_the_start",
        "impute_one_round_more",
    ),
    note="As for one round; three rounds.",
)
def test_three_rounds_have_the_law_of_the_model(student, stages):
    """In each round the code is drawn given the last pixels, with the observed ones restored."""
    networks, (mean, covariance) = exact_networks(), law_after(3)

    def rows(count, rng=tensorflow_rng):
        x, observed = np.repeat(X, count, axis=0), np.repeat(OBSERVED, count, axis=0)
        seen = imputed(student, x, observed, networks, 3, VARIANCE, rng)
        expect(seen).array("B D", np.float64, B=count, D=4).finite()
        return seen[:, [1, 3]]

    law = sampling.moments(mean, covariance)
    sampling.expect_law(sampling.draws(rows, 6000, stages), law)


@exercise(
    "vae_impute",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo", "iwae_bound"),
    mistakes=("impute_rounded", "impute_logits_as_probabilities", "impute_one_uniform_for_all"),
    note="A decoder that ignores the code: three missing pixels, independent, 1,500 rows.",
)
def test_binary_pixels_are_drawn_with_their_probabilities(student, stages):
    """A missing binary pixel is on with the sigmoid of its logit, each by itself."""
    logits = np.array([1.2, -0.7, 0.4, -1.9])
    networks = np.zeros((5, 2)), np.zeros((5, 2)), np.concatenate([np.zeros((2, 4)), [logits]])
    states = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), -1).reshape(8, 3)
    p = 1 / (1 + np.exp(-logits[1:]))
    log_probability = np.log(np.where(states == 1, p, 1 - p)).sum(axis=1)

    def rows(count, rng=tensorflow_rng):
        x, observed = np.zeros((count, 4)), np.tile([True, False, False, False], (count, 1))
        seen = imputed(student, x, observed, networks, 1, 0.0, rng)
        expect(seen).array("B D", np.float64, B=count, D=4).among((0, 1))
        return seen[:, 1:]

    law = sampling.discrete(log_probability, states)
    sampling.expect_law(sampling.draws(rows, 1500, stages), law)


@exercise(
    "vae_impute",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo", "iwae_bound"),
    mistakes=("impute_overwrites_observed", "impute_of_inverted_mask"),
)
def test_impute_touches_nothing_that_is_observed(student, inputs):
    """Observed pixels come back exactly; without a round, all pixels do."""
    x, networks = inputs.normal(size=(7, 5)), random_networks(inputs)
    observed = inputs.permutation(np.arange(35) < 17).reshape(7, 5)
    seen = imputed(student, x, observed, networks, 2, 0.3, tensorflow_rng)
    expect(seen).array("B D", np.float64, B=7, D=5).finite()
    expect(np.asarray(seen)[observed]).equals(x[observed])
    moved = bool(np.all(np.asarray(seen)[~observed] != x[~observed]))
    expect(moved, "all missing pixels are drawn").equals(True)
    expect(imputed(student, x, observed, networks, 0, 0.3, tensorflow_rng)).equals(x)


@exercise(
    "vae_impute",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo", "iwae_bound"),
    mistakes=("impute_global_generator", "impute_seed_inside"),
)
def test_impute_draws_from_the_generator(student, inputs):
    """All randomness comes from rng: the same state gives the same result, another a new one."""
    x, networks = inputs.normal(size=(7, 5)), random_networks(inputs)
    observed = inputs.permutation(np.arange(35) < 17).reshape(7, 5)

    def call(rng=tensorflow_rng):
        return imputed(student, x, observed, networks, 2, 0.3, rng)

    laws.expect_rng_contract(call, ())


@exercise(
    "vae_impute",
    points=1,
    depends_on=("gaussian_kl", "reparameterize", "elbo", "iwae_bound"),
    mistakes=("score_sign", "score_by_the_elbo", "score_of_the_batch", "score_reconstruction"),
)
def test_score_is_minus_the_bound(student, inputs):
    """The score of each row is minus its importance weighted bound."""
    networks, noise = random_networks(inputs), inputs.normal(size=(4, 7, 3))
    A, L, D = networks

    def encoder(rows):
        return rows @ A[:-1] + A[-1], rows @ L[:-1] + L[-1]

    for x, variance in (
        (inputs.integers(0, 2, (7, 5)).astype(float), 0.0),
        (inputs.normal(size=(7, 5)), 0.3),
    ):
        due = vae.vae_anomaly_score(
            x, encoder, lambda z: z @ D[:-1] + D[-1], noise, variance or None
        )
        expect(scores(student, x, noise, networks, variance)).matches(due)


@mistake("vae_impute", kind="concept", hint="Observed pixels stay exactly what they are in x.")
def impute_overwrites_observed(x, observed, encoder, decoder, n_iters, rng, variance=None):
    nothing = tf.zeros_like(observed)
    return vae.vae_impute(x, nothing, encoder, decoder, n_iters, rng, variance)


@mistake("vae_impute", kind="concept", hint="True means observed: the other pixels are drawn.")
def impute_of_inverted_mask(x, observed, encoder, decoder, n_iters, rng, variance=None):
    return vae.vae_impute(x, ~observed, encoder, decoder, n_iters, rng, variance)


@mistake("vae_impute", kind="randomness", hint="The code is drawn from q, not set to its mean.")
def impute_mean_code(x, observed, encoder, decoder, n_iters, rng, variance=None):
    def sure(rows):
        mean, log_var = encoder(rows)
        return mean, log_var - 80.0

    return vae.vae_impute(x, observed, sure, decoder, n_iters, rng, variance)


@mistake("vae_impute", kind="randomness", hint="The pixels are drawn, not set to their mean.")
def impute_mean_pixels(x, observed, encoder, decoder, n_iters, rng, variance=None):
    if variance is None:
        return vae.vae_impute(x, observed, encoder, decoder, n_iters, rng)
    return vae.vae_impute(x, observed, encoder, decoder, n_iters, rng, 1e-20)


@mistake("vae_impute", kind="randomness", hint="Binary pixels are drawn: 0 or 1, no probability.")
def impute_probabilities(x, observed, encoder, decoder, n_iters, rng, variance=None):
    filled = vae.vae_impute(x, observed, encoder, decoder, n_iters - 1, rng, variance)
    mean, log_var = encoder(filled)
    output = decoder(reparameterize(mean, log_var, rng.normal(tf.shape(mean), dtype=mean.dtype)))  # noqa: F821
    return tf.where(observed, x, tf.sigmoid(output) if variance is None else output)


@mistake("vae_impute", kind="randomness", hint="Rounding a probability is no draw.")
def impute_rounded(x, observed, encoder, decoder, n_iters, rng, variance=None):
    def certain(z):
        return 1e4 * decoder(z) if variance is None else decoder(z)

    return vae.vae_impute(x, observed, encoder, certain, n_iters, rng, variance)


@mistake("vae_impute", kind="concept", hint="The decoder returns logits: a sigmoid comes first.")
def impute_logits_as_probabilities(x, observed, encoder, decoder, n_iters, rng, variance=None):
    if variance is not None:
        return vae.vae_impute(x, observed, encoder, decoder, n_iters, rng, variance)

    def clipped(z):
        p = tf.clip_by_value(decoder(z), 1e-6, 1.0 - 1e-6)
        return tf.math.log(p / (1.0 - p))

    return vae.vae_impute(x, observed, encoder, clipped, n_iters, rng)


@mistake("vae_impute", kind="axis", hint="Each row and pixel needs a random number of its own.")
def impute_one_uniform_for_all(x, observed, encoder, decoder, n_iters, rng, variance=None):
    if variance is not None:
        return vae.vae_impute(x, observed, encoder, decoder, n_iters, rng, variance)
    filled = x
    for _ in range(n_iters):
        mean, log_var = encoder(filled)
        z = reparameterize(mean, log_var, rng.normal(tf.shape(mean), dtype=mean.dtype))  # noqa: F821
        uniform = rng.uniform((x.shape[0], 1), dtype=x.dtype)
        filled = tf.where(observed, x, tf.cast(uniform < tf.sigmoid(decoder(z)), x.dtype))
    return filled


@mistake("vae_impute", kind="axis", hint="Each row has a code of its own.")
def impute_one_code_for_all(x, observed, encoder, decoder, n_iters, rng, variance=None):
    def same(z):
        return decoder(z[:1] + 0.0 * z)

    return vae.vae_impute(x, observed, encoder, same, n_iters, rng, variance)


@mistake(
    "vae_impute", kind="scale", hint="A normal draw is scaled by the deviation, sqrt(variance)."
)
def impute_variance_as_deviation(x, observed, encoder, decoder, n_iters, rng, variance=None):
    variance = variance and variance**2
    return vae.vae_impute(x, observed, encoder, decoder, n_iters, rng, variance)


@mistake("vae_impute", kind="lazy", hint="Normal pixels have the variance that is given, not 1.")
def impute_forgets_the_variance(x, observed, encoder, decoder, n_iters, rng, variance=None):
    variance = variance and 1.0
    return vae.vae_impute(x, observed, encoder, decoder, n_iters, rng, variance)


@mistake("vae_impute", kind="concept", hint="The chain starts from the x that is given.")
def impute_starts_elsewhere(x, observed, encoder, decoder, n_iters, rng, variance=None):
    x = tf.where(observed, x, tf.zeros_like(x))
    return vae.vae_impute(x, observed, encoder, decoder, n_iters, rng, variance)


@mistake("vae_impute", kind="lazy", hint="n_iters rounds are asked for, not one.")
def impute_one_round_whatever(x, observed, encoder, decoder, n_iters, rng, variance=None):
    return vae.vae_impute(x, observed, encoder, decoder, min(n_iters, 1), rng, variance)


@mistake("vae_impute", kind="concept", hint="Count the rounds: here is one more than n_iters.")
def impute_one_round_more(x, observed, encoder, decoder, n_iters, rng, variance=None):
    return vae.vae_impute(x, observed, encoder, decoder, n_iters + 1, rng, variance)


@mistake("vae_impute", kind="concept", hint="Each round goes on from the pixels drawn before.")
def impute_each_round_from_the_start(x, observed, encoder, decoder, n_iters, rng, variance=None):
    filled = x
    for _ in range(n_iters):
        filled = vae.vae_impute(x, observed, encoder, decoder, 1, rng, variance)
    return filled


@mistake(
    "vae_impute",
    kind="concept",
    hint="Observed pixels are put back in every round, not only at the end.",
)
def impute_without_restoring(x, observed, encoder, decoder, n_iters, rng, variance=None):
    nothing = tf.zeros_like(observed)
    filled = vae.vae_impute(x, nothing, encoder, decoder, n_iters, rng, variance)
    return tf.where(observed, x, filled)


@mistake("vae_impute", kind="randomness", hint="Draw from rng, not from the global generator.")
def impute_global_generator(x, observed, encoder, decoder, n_iters, rng, variance=None):
    own = tf.random.get_global_generator()
    return vae.vae_impute(x, observed, encoder, decoder, n_iters, own, variance)


@mistake(
    "vae_impute", kind="randomness", hint="A seed inside the function makes all draws the same."
)
def impute_seed_inside(x, observed, encoder, decoder, n_iters, rng, variance=None):
    own = tf.random.Generator.from_seed(1)
    return vae.vae_impute(x, observed, encoder, decoder, n_iters, own, variance)


@mistake(
    "vae_impute",
    kind="concept",
    function="vae_anomaly_score",
    hint="An unusual row has a high score: minus the bound.",
)
def score_sign(x, encoder, decoder, noise, variance=None):
    return vae.iwae_bound(x, encoder, decoder, noise, variance)


@mistake(
    "vae_impute",
    kind="concept",
    function="vae_anomaly_score",
    hint="The score is minus the importance weighted bound, not minus the usual one.",
)
def score_by_the_elbo(x, encoder, decoder, noise, variance=None):
    return -vae.elbo(x, encoder, decoder, noise, 1.0, variance)["elbo"]


@mistake(
    "vae_impute",
    kind="concept",
    function="vae_anomaly_score",
    hint="The reconstruction alone forgets how unusual the code is.",
)
def score_reconstruction(x, encoder, decoder, noise, variance=None):
    return -vae.elbo(x, encoder, decoder, noise, 1.0, variance)["log_px_z"]


@mistake(
    "vae_impute",
    kind="axis",
    function="vae_anomaly_score",
    hint="Each row has a score of its own.",
)
def score_of_the_batch(x, encoder, decoder, noise, variance=None):
    bound = vae.iwae_bound(x, encoder, decoder, noise, variance)
    return -tf.reduce_mean(bound) + 0.0 * bound


@alternative("vae_impute")
def impute_by_floats(x, observed, encoder, decoder, n_iters, rng, variance=None):
    known = tf.cast(observed, x.dtype)
    filled = x
    for _ in range(n_iters):
        mean, log_var = encoder(filled)
        z = mean + tf.exp(log_var / 2) * rng.normal(mean.shape, dtype=mean.dtype)
        output = decoder(z)
        if variance is None:
            u = rng.uniform(output.shape, dtype=output.dtype)
            drawn = tf.cast(tf.math.log(u) - tf.math.log1p(-u) < output, x.dtype)
        else:
            drawn = rng.normal(output.shape, output, float(np.sqrt(variance)), dtype=x.dtype)
        filled = known * x + (1 - known) * drawn
    return filled


@alternative("vae_impute")
def impute_all_draws_first(x, observed, encoder, decoder, n_iters, rng, variance=None):
    latent = encoder(x)[0].shape[1]
    codes = rng.normal((n_iters, x.shape[0], latent), dtype=x.dtype)
    filled = x
    for noise in codes:
        output = decoder(reparameterize(*encoder(filled), noise))  # noqa: F821
        if variance is None:
            p = tf.sigmoid(output)
            drawn = tf.where(
                rng.uniform(p.shape, dtype=p.dtype) < p, tf.ones_like(x), tf.zeros_like(x)
            )
        else:
            drawn = output + tf.sqrt(tf.cast(variance, x.dtype)) * rng.normal(
                x.shape, dtype=x.dtype
            )
        filled = tf.where(observed, x, drawn)
    return filled


@alternative("vae_impute")
def impute_recursively(x, observed, encoder, decoder, n_iters, rng, variance=None):
    if n_iters == 0:
        return x
    x_before = vae_impute(x, observed, encoder, decoder, n_iters - 1, rng, variance)  # noqa: F821
    mean, log_var = encoder(x_before)
    output = decoder(reparameterize(mean, log_var, rng.normal(tf.shape(mean), dtype=x.dtype)))  # noqa: F821
    if variance is None:
        u = rng.uniform(tf.shape(output), dtype=x.dtype)
        drawn = tf.cast(tf.math.greater(tf.sigmoid(output), u), x.dtype)
    else:
        drawn = output + variance**0.5 * rng.normal(tf.shape(output), dtype=x.dtype)
    return tf.where(observed, x, drawn)


@alternative("vae_impute", function="vae_anomaly_score")
def score_by_the_formula(x, encoder, decoder, noise, variance=None):
    return tf.negative(iwae_bound(x, encoder, decoder, noise, variance=variance))  # noqa: F821


@alternative("vae_impute", function="vae_anomaly_score")
def score_row_by_row(x, encoder, decoder, noise, variance=None):
    rows = [
        iwae_bound(x[n : n + 1], encoder, decoder, noise[:, n : n + 1], variance)  # noqa: F821
        for n in range(x.shape[0])
    ]
    return -tf.concat(rows, axis=0)
