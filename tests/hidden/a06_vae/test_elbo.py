"""Exercise 3: the evidence lower bound."""

import numpy as np
import tensorflow as tf

from autograder.checks import alternative, exercise, expect, laws, mistake, probe
from reference import vae

TERMS = ("elbo", "log_px_z", "kl")

# The visible checks: what the test cell of the notebook shows, on the same arrays.
SHOWN_X = np.array([[1, 0, 1, 0, 1], [0, 0, 1, 1, 0], [1, 1, 1, 1, 1]], np.float32)
SHOWN_NOISE = np.ones((2, 3, 2), np.float32)


@probe
def elbo_of(student, x, noise, networks, beta, variance):
    """Returns the three terms for linear networks; variance 0 stands for binary pixels."""
    A, L, W = networks

    def encoder(rows):
        return tf.matmul(rows, A[:-1]) + A[-1], tf.matmul(rows, L[:-1]) + L[-1]

    def decoder(z):
        return tf.matmul(z, W[:-1]) + W[-1]

    if variance:
        result = student.elbo(x, encoder, decoder, noise, beta, variance=variance)
    else:
        result = student.elbo(x, encoder, decoder, noise, beta)
    return [result["elbo"], result["log_px_z"], result["kl"]]


@probe
def elbo_gradients(student, x, noise, networks, beta, weight):
    """Returns the derivatives of sum(weight elbo) by the parameters of both networks."""
    A, L, W = (tf.identity(array) for array in networks)

    def encoder(rows):
        return tf.matmul(rows, A[:-1]) + A[-1], tf.matmul(rows, L[:-1]) + L[-1]

    def decoder(z):
        return tf.matmul(z, W[:-1]) + W[-1]

    with tf.GradientTape() as tape:
        tape.watch([A, L, W])
        total = tf.reduce_sum(weight * student.elbo(x, encoder, decoder, noise, beta)["elbo"])
    zero = tf.UnconnectedGradients.ZERO
    return tape.gradient(total, [A, L, W], unconnected_gradients=zero)


def random_case(inputs, binary=True):
    """Returns x (7, 5), noise (4, 7, 3) and networks, whose last row is the bias; float64."""
    x = inputs.integers(0, 2, (7, 5)).astype(float) if binary else inputs.normal(size=(7, 5))
    networks = (
        inputs.normal(size=(6, 3)),
        0.5 * inputs.normal(size=(6, 3)),
        inputs.normal(size=(4, 5)),
    )
    return x, inputs.normal(size=(4, 7, 3)), networks


def due_of(asked, *arguments):
    """Returns what a probe returns for the reference."""
    tensors = tf.nest.map_structure(
        lambda value: tf.constant(value) if isinstance(value, np.ndarray) else value, arguments
    )
    return [np.asarray(value) for value in asked.function(vae, *tensors)]


def expect_terms(seen, due):
    """Holds that the three terms are those due."""
    for name, one, right in zip(TERMS, expect(seen).parts(3), due, strict=True):
        expect(one, f"the right {name} of each row").matches(right)


def shown_networks(mean):
    """Returns networks that say the same for every x: this mean, variance 1, logits 0."""
    A, L, W = np.zeros((6, 2), np.float32), np.zeros((6, 2), np.float32), np.zeros((3, 5))
    A[-1] = mean
    return A, L, W.astype(np.float32)


@exercise(
    "elbo",
    points=1,
    depends_on=("gaussian_kl", "reparameterize"),
    visible=True,
    mistakes=("elbo_of_the_batch", "elbo_per_sample"),
)
def test_elbo_shown_shapes_and_dtypes(student):
    """All three terms have one number per row, in the dtype of x."""
    for one in elbo_of(student, SHOWN_X, SHOWN_NOISE, shown_networks(0), 1.0, 0.0):
        expect(one).array("B", np.float32, B=3)


@exercise(
    "elbo",
    points=2,
    depends_on=("gaussian_kl", "reparameterize"),
    visible=True,
    mistakes=("elbo_mean_over_pixels", "elbo_logits_as_probabilities", "elbo_sum_over_samples"),
)
def test_elbo_shown_of_a_decoder_that_knows_nothing(student):
    """With all logits 0 each of five pixels costs log 2, whatever the code."""
    _, log_px_z, _ = elbo_of(student, SHOWN_X, SHOWN_NOISE, shown_networks(0), 1.0, 0.0)
    expect(log_px_z).matches(np.full(3, -5 * np.log(2), np.float32))


@exercise(
    "elbo",
    points=2,
    depends_on=("gaussian_kl", "reparameterize"),
    visible=True,
    mistakes=("elbo_kl_added", "beta_on_rec", "elbo_without_beta", "elbo_kl_with_beta"),
)
def test_elbo_shown_weighs_the_divergence(student):
    """With means of 2 in two dimensions the divergence is 4, of which beta = 0.5 takes half."""
    bound, _, kl = elbo_of(student, SHOWN_X, SHOWN_NOISE, shown_networks(2), 0.5, 0.0)
    expect(kl).matches(np.full(3, 4, np.float32))
    expect(bound).matches(np.full(3, -5 * np.log(2) - 2, np.float32))


@exercise(
    "elbo",
    points=4,
    depends_on=("gaussian_kl", "reparameterize"),
    mistakes=(
        "beta_on_rec",
        "elbo_kl_added",
        "same_eps_for_batch",
        "elbo_first_sample_only",
        "elbo_sum_over_samples",
        "elbo_of_the_mean_code",
        "elbo_log_of_the_mean",
        "elbo_mean_over_pixels",
        "elbo_logits_as_probabilities",
        "elbo_with_own_noise",
        "elbo_in_float32",
        "elbo_kl_by_draws",
        "elbo_of_the_mean_output",
    ),
    note="Four samples, beta 0.7, linear networks, float64.",
)
def test_elbo_of_binary_pixels(student, inputs):
    """The bound is the mean log-likelihood of the pixels over the samples, minus beta times KL."""
    case = random_case(inputs)
    expect_terms(elbo_of(student, *case, 0.7, 0.0), due_of(elbo_of, *case, 0.7, 0.0))
    x, noise, networks = case
    one = x, noise[:1], networks
    expect_terms(elbo_of(student, *one, 1.0, 0.0), due_of(elbo_of, *one, 1.0, 0.0))


@exercise(
    "elbo",
    points=2,
    depends_on=("gaussian_kl", "reparameterize"),
    mistakes=(
        "normal_const_D_squared",
        "normal_without_constant",
        "normal_variance_as_deviation",
        "normal_squared_error",
        "normal_ignored",
    ),
    note="Variance 0.3.",
)
def test_elbo_of_normal_pixels(student, inputs):
    """With a variance, the output is the mean of a normal density, constants included."""
    case = random_case(inputs, binary=False)
    expect_terms(elbo_of(student, *case, 0.7, 0.3), due_of(elbo_of, *case, 0.7, 0.3))


@exercise(
    "elbo",
    points=1,
    depends_on=("gaussian_kl", "reparameterize"),
    mistakes=("elbo_without_beta", "beta_on_rec", "elbo_kl_with_beta"),
)
def test_elbo_beta_weighs_the_divergence_only(student, inputs):
    """Another beta changes neither log_px_z nor kl, and the bound by its difference times kl."""
    case = random_case(inputs)
    low, high = elbo_of(student, *case, 0.5, 0.0), elbo_of(student, *case, 3.5, 0.0)
    for one in (1, 2):
        expect(low[one]).array("B", np.float64, B=7).close(np.asarray(high[one]))
    fall = np.asarray(low[0]) - np.asarray(high[0])
    expect(fall, "three times kl, where beta rises by 3").close(3 * np.asarray(low[2]))


@exercise(
    "elbo",
    points=1,
    depends_on=("gaussian_kl", "reparameterize"),
    mistakes=("same_eps_for_batch", "elbo_kl_of_the_batch"),
)
def test_elbo_of_each_row_stands_alone(student, inputs):
    """Each row's terms depend on that row of x and its own noise only."""
    x, noise, networks = random_case(inputs)

    def call(x, noise):
        return elbo_of(student, x, np.swapaxes(noise, 0, 1), networks, 0.7, 0.0)

    laws.expect_rows_independent(call, batched=(x, np.swapaxes(noise, 0, 1)))


@exercise(
    "elbo",
    points=2,
    depends_on=("gaussian_kl", "reparameterize"),
    mistakes=("elbo_stops_at_the_code", "elbo_kl_detached", "elbo_of_the_mean_code"),
)
def test_elbo_has_the_right_gradient(student, inputs):
    """The derivative by both networks is that of the bound: it flows through the draws."""
    x, noise, networks = random_case(inputs)
    case = x, noise, networks, 0.7, inputs.normal(size=7)
    due = due_of(elbo_gradients, *case)
    seen = expect(elbo_gradients(student, *case)).parts(3)
    for one, right in zip(seen, due, strict=True):
        expect(one, "the derivative of the bound").matches(right)


@exercise(
    "elbo",
    points=1,
    depends_on=("gaussian_kl", "reparameterize"),
    mistakes=("elbo_log_of_sigmoid", "elbo_probabilities_clipped"),
    note="float32; log(sigmoid) is -inf or off from logits of about 100 on.",
)
def test_elbo_of_large_logits(student, inputs):
    """With logits of 300 and -300 the log-likelihood is still a finite, right number."""
    signs = inputs.permutation([-1, -1, 1, 1, 1]).astype(np.float32)
    A, L, W = shown_networks(0)
    W[-1] = 300 * signs
    _, log_px_z, _ = elbo_of(student, SHOWN_X, SHOWN_NOISE, (A, L, W), 1.0, 0.0)
    wrong = (SHOWN_X != (signs > 0)).sum(axis=1)
    expect(log_px_z).matches((-300.0 * wrong).astype(np.float32))


@mistake("elbo", kind="concept", hint="beta weighs the divergence, not the reconstruction.")
def beta_on_rec(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, 1.0, variance)
    return {**terms, "elbo": beta * terms["log_px_z"] - terms["kl"]}


@mistake("elbo", kind="concept", hint="The divergence is subtracted: it is what the code costs.")
def elbo_kl_added(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, beta, variance)
    return {**terms, "elbo": terms["log_px_z"] + beta * terms["kl"]}


@mistake("elbo", kind="lazy", hint="beta is not used.")
def elbo_without_beta(x, encoder, decoder, noise, beta=1.0, variance=None):
    return vae.elbo(x, encoder, decoder, noise, 1.0, variance)


@mistake("elbo", kind="concept", hint="kl is the divergence itself; beta enters in elbo only.")
def elbo_kl_with_beta(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, beta, variance)
    return {**terms, "kl": beta * terms["kl"]}


@mistake(
    "elbo",
    kind="scale",
    hint="The constant of the normal density, log(2 pi variance) / 2, counts once per pixel.",
)
def normal_const_D_squared(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, beta, variance)
    if variance is None:
        return terms
    pixels = int(x.shape[1])
    extra = -0.5 * pixels * (pixels - 1) * float(np.log(2 * np.pi * variance))
    return {**terms, "elbo": terms["elbo"] + extra, "log_px_z": terms["log_px_z"] + extra}


@mistake(
    "elbo",
    kind="lazy",
    hint="The normal density has a constant, log(2 pi variance) / 2 per pixel.",
)
def normal_without_constant(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, beta, variance)
    if variance is None:
        return terms
    extra = 0.5 * int(x.shape[1]) * float(np.log(2 * np.pi * variance))
    return {**terms, "elbo": terms["elbo"] + extra, "log_px_z": terms["log_px_z"] + extra}


@mistake("elbo", kind="scale", hint="variance is the variance: it is not squared once more.")
def normal_variance_as_deviation(x, encoder, decoder, noise, beta=1.0, variance=None):
    return vae.elbo(x, encoder, decoder, noise, beta, variance and variance**2)


@mistake(
    "elbo", kind="scale", hint="The squared error alone is no log-density: mind variance and half."
)
def normal_squared_error(x, encoder, decoder, noise, beta=1.0, variance=None):
    if variance is None:
        return vae.elbo(x, encoder, decoder, noise, beta)
    mean, log_var = encoder(x)
    z = reparameterize(mean, log_var, noise)  # noqa: F821
    output = tf.reshape(decoder(tf.reshape(z, (-1, z.shape[2]))), (len(noise), *x.shape))
    log_px_z = -tf.reduce_mean(tf.reduce_sum((x - output) ** 2, axis=2), axis=0)
    kl = gaussian_kl(mean, log_var)  # noqa: F821
    return {"elbo": log_px_z - beta * kl, "log_px_z": log_px_z, "kl": kl}


@mistake("elbo", kind="lazy", hint="With a variance, the decoder's output is no logit but a mean.")
def normal_ignored(x, encoder, decoder, noise, beta=1.0, variance=None):
    return vae.elbo(x, encoder, decoder, noise, beta)


@mistake("elbo", kind="axis", hint="Every row of the batch has noise of its own.")
def same_eps_for_batch(x, encoder, decoder, noise, beta=1.0, variance=None):
    return vae.elbo(x, encoder, decoder, noise[:, :1] + 0.0 * noise, beta, variance)


@mistake("elbo", kind="lazy", hint="Average over all samples, not only the first.")
def elbo_first_sample_only(x, encoder, decoder, noise, beta=1.0, variance=None):
    return vae.elbo(x, encoder, decoder, noise[:1], beta, variance)


@mistake("elbo", kind="scale", hint="Samples are averaged, not added up.")
def elbo_sum_over_samples(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, beta, variance)
    log_px_z = int(noise.shape[0]) * terms["log_px_z"]
    return {**terms, "elbo": log_px_z - beta * terms["kl"], "log_px_z": log_px_z}


@mistake("elbo", kind="concept", hint="The decoder gets a draw of the code, not its mean.")
def elbo_of_the_mean_code(x, encoder, decoder, noise, beta=1.0, variance=None):
    return vae.elbo(x, encoder, decoder, 0.0 * noise, beta, variance)


@mistake(
    "elbo",
    kind="concept",
    hint="The mean of the log-likelihoods is asked for, not the log of their mean.",
)
def elbo_log_of_the_mean(x, encoder, decoder, noise, beta=1.0, variance=None):
    each = [vae.elbo(x, encoder, decoder, one[tf.newaxis], beta, variance) for one in noise]
    several = tf.stack([terms["log_px_z"] for terms in each])
    log_px_z = tf.reduce_logsumexp(several, axis=0) - float(np.log(len(each)))
    return {**each[0], "elbo": log_px_z - beta * each[0]["kl"], "log_px_z": log_px_z}


@mistake(
    "elbo",
    kind="concept",
    hint="Each sample has a likelihood of its own; the outputs are not averaged before.",
)
def elbo_of_the_mean_output(x, encoder, decoder, noise, beta=1.0, variance=None):
    mean, log_var = encoder(x)
    z = reparameterize(mean, log_var, noise)  # noqa: F821
    logits = tf.reduce_mean(tf.stack([decoder(one) for one in tf.unstack(z)]), axis=0)
    log_px_z = tf.reduce_sum(x * logits - tf.nn.softplus(logits), axis=1)
    kl = gaussian_kl(mean, log_var)  # noqa: F821
    return {"elbo": log_px_z - beta * kl, "log_px_z": log_px_z, "kl": kl}


@mistake("elbo", kind="scale", hint="The log-likelihood is the sum over the pixels, not the mean.")
def elbo_mean_over_pixels(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, beta, variance)
    log_px_z = terms["log_px_z"] / int(x.shape[1])
    return {**terms, "elbo": log_px_z - beta * terms["kl"], "log_px_z": log_px_z}


@mistake(
    "elbo",
    kind="concept",
    hint="The decoder returns logits; they pass a sigmoid once, inside the cross-entropy.",
)
def elbo_logits_as_probabilities(x, encoder, decoder, noise, beta=1.0, variance=None):
    if variance is not None:
        return vae.elbo(x, encoder, decoder, noise, beta, variance)
    return vae.elbo(x, encoder, lambda z: tf.sigmoid(decoder(z)), noise, beta)


@mistake(
    "elbo",
    kind="randomness",
    hint="Use the noise that is handed in; nothing is drawn inside.",
)
def elbo_with_own_noise(x, encoder, decoder, noise, beta=1.0, variance=None):
    own = tf.random.normal(tf.shape(noise), dtype=noise.dtype)
    return vae.elbo(x, encoder, decoder, own, beta, variance)


@mistake("elbo", kind="randomness", hint="The divergence has a closed form; it is not sampled.")
def elbo_kl_by_draws(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, beta, variance)
    mean, log_var = encoder(x)
    z = vae.reparameterize(mean, log_var, noise)
    kl = tf.reduce_mean(0.5 * tf.reduce_sum(z**2 - noise**2 - log_var, axis=2), axis=0)
    return {**terms, "elbo": terms["log_px_z"] - beta * kl, "kl": kl}


@mistake("elbo", kind="numerics", hint="Float64 arguments give a float64 result.")
def elbo_in_float32(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, beta, variance)
    return {name: tf.cast(value, tf.float32) for name, value in terms.items()}


@mistake("elbo", kind="axis", hint="Each row has a bound of its own: no batch mean.")
def elbo_of_the_batch(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, beta, variance)
    return {name: tf.reduce_mean(value) for name, value in terms.items()}


@mistake("elbo", kind="axis", hint="The divergence of each row is its own.")
def elbo_kl_of_the_batch(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, beta, variance)
    kl = tf.reduce_mean(terms["kl"]) + 0.0 * terms["kl"]
    return {**terms, "elbo": terms["log_px_z"] - beta * kl, "kl": kl}


@mistake("elbo", kind="axis", hint="The samples still have to be averaged.")
def elbo_per_sample(x, encoder, decoder, noise, beta=1.0, variance=None):
    each = [vae.elbo(x, encoder, decoder, one[tf.newaxis], beta, variance) for one in noise]
    return {name: tf.stack([terms[name] for terms in each]) for name in each[0]}


@mistake("elbo", kind="concept", hint="The gradient has to flow through the draws to the encoder.")
def elbo_stops_at_the_code(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, lambda z: decoder(tf.stop_gradient(z)), noise, beta, variance)
    return terms


@mistake(
    "elbo", kind="concept", hint="The divergence trains the encoder: no stop of its gradient."
)
def elbo_kl_detached(x, encoder, decoder, noise, beta=1.0, variance=None):
    terms = vae.elbo(x, encoder, decoder, noise, beta, variance)
    kl = tf.stop_gradient(terms["kl"])
    return {**terms, "elbo": terms["log_px_z"] - beta * kl}


@mistake(
    "elbo",
    kind="numerics",
    hint="log(sigmoid(a)) is log 0 for large logits: compute it from the logits in one step.",
)
def elbo_log_of_sigmoid(x, encoder, decoder, noise, beta=1.0, variance=None):
    if variance is not None:
        return vae.elbo(x, encoder, decoder, noise, beta, variance)
    mean, log_var = encoder(x)
    z = reparameterize(mean, log_var, noise)  # noqa: F821
    p = tf.sigmoid(tf.stack([decoder(one) for one in tf.unstack(z)]))
    terms = x * tf.math.log(p) + (1.0 - x) * tf.math.log(1.0 - p)
    log_px_z = tf.reduce_mean(tf.reduce_sum(terms, axis=2), axis=0)
    kl = gaussian_kl(mean, log_var)  # noqa: F821
    return {"elbo": log_px_z - beta * kl, "log_px_z": log_px_z, "kl": kl}


@mistake(
    "elbo",
    kind="numerics",
    hint="Clipping the probabilities cuts the cost of a wrong pixel off: use the logits.",
)
def elbo_probabilities_clipped(x, encoder, decoder, noise, beta=1.0, variance=None):
    if variance is not None:
        return vae.elbo(x, encoder, decoder, noise, beta, variance)
    mean, log_var = encoder(x)
    z = reparameterize(mean, log_var, noise)  # noqa: F821
    p = tf.sigmoid(tf.stack([decoder(one) for one in tf.unstack(z)]))
    p = tf.clip_by_value(p, 1e-7, 1.0 - 1e-7)
    terms = x * tf.math.log(p) + (1.0 - x) * tf.math.log(1.0 - p)
    log_px_z = tf.reduce_mean(tf.reduce_sum(terms, axis=2), axis=0)
    kl = gaussian_kl(mean, log_var)  # noqa: F821
    return {"elbo": log_px_z - beta * kl, "log_px_z": log_px_z, "kl": kl}


@alternative("elbo")
def elbo_by_cross_entropy(x, encoder, decoder, noise, beta=1.0, variance=None):
    mean, log_var = encoder(x)
    total = 0.0
    for one in tf.unstack(noise):
        output = decoder(mean + tf.exp(log_var / 2) * one)
        if variance is None:
            terms = -tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=output)
        else:
            terms = -((x - output) ** 2) / (2 * variance) - 0.5 * float(
                np.log(2 * np.pi * variance)
            )
        total += tf.reduce_sum(terms, axis=1)
    log_px_z = total / noise.shape[0]
    kl = -0.5 * tf.reduce_sum(1.0 + log_var - mean**2 - tf.exp(log_var), axis=1)
    return {"kl": kl, "log_px_z": log_px_z, "elbo": log_px_z - beta * kl}


@alternative("elbo")
def elbo_with_repeated_rows(x, encoder, decoder, noise, beta=1.0, variance=None):
    mean, log_var = encoder(x)
    samples, batch, latent = noise.shape
    z = reparameterize(mean, log_var, noise)  # noqa: F821
    # The batch first: all samples of one row, then those of the next.
    output = decoder(tf.reshape(tf.transpose(z, (1, 0, 2)), (batch * samples, latent)))
    rows = tf.repeat(x, samples, axis=0)
    if variance is None:
        terms = rows * tf.math.log_sigmoid(output) + (1 - rows) * tf.math.log_sigmoid(-output)
    else:
        scaled = (rows - output) / variance**0.5
        terms = -0.5 * (scaled**2 + float(np.log(2 * np.pi)) + float(np.log(variance)))
    log_px_z = tf.reduce_mean(tf.reshape(tf.reduce_sum(terms, 1), (batch, samples)), axis=1)
    kl = gaussian_kl(mean, log_var)  # noqa: F821
    return {"elbo": log_px_z - beta * kl, "log_px_z": log_px_z, "kl": kl}


@alternative("elbo")
def elbo_mapped_over_samples(x, encoder, decoder, noise, beta=1.0, variance=None):
    mean, log_var = encoder(x)

    def one(draw):
        output = decoder(reparameterize(mean, log_var, draw))  # noqa: F821
        if variance is None:
            return tf.reduce_sum(x * output - tf.nn.softplus(output), axis=1)
        constant = output.shape[1] * 0.5 * float(np.log(2 * np.pi * variance))
        return -tf.reduce_sum((x - output) ** 2, axis=1) / (2 * variance) - constant

    log_px_z = tf.reduce_mean(tf.map_fn(one, noise), axis=0)
    kl = gaussian_kl(mean, log_var)  # noqa: F821
    return {"elbo": log_px_z - beta * kl, "log_px_z": log_px_z, "kl": kl}


@alternative("elbo")
def elbo_by_keras_loss(x, encoder, decoder, noise, beta=1.0, variance=None):
    mean, log_var = encoder(x)
    kl = gaussian_kl(mean, log_var)  # noqa: F821
    samples = []
    for one in tf.unstack(noise):
        output = decoder(reparameterize(mean, log_var, one))  # noqa: F821
        if variance is None:
            mean_loss = tf.keras.losses.binary_crossentropy(x, output, from_logits=True)
            samples.append(-mean_loss * x.shape[1])
        else:
            log_density = -0.5 * (x - output) ** 2 / variance
            log_density -= 0.5 * float(np.log(2 * np.pi * variance))
            samples.append(tf.reduce_sum(log_density, axis=1))
    log_px_z = tf.add_n(samples) / len(samples)
    return {"elbo": log_px_z - beta * kl, "log_px_z": log_px_z, "kl": kl}


@alternative("elbo")
def elbo_with_the_encoder_asked_twice(x, encoder, decoder, noise, beta=1.0, variance=None):
    kl = gaussian_kl(*encoder(x))  # noqa: F821
    mean, log_var = encoder(x)
    z = reparameterize(mean, log_var, noise)  # noqa: F821
    output = tf.stack([decoder(code) for code in tf.unstack(z)])
    if variance is None:
        signs = 2.0 * x - 1.0
        terms = tf.math.log_sigmoid(signs * output)
    else:
        terms = -0.5 * ((output - x) ** 2 / variance + float(np.log(2.0 * np.pi * variance)))
    log_px_z = tf.einsum("sbd->b", terms) / noise.shape[0]
    return {"elbo": log_px_z - beta * kl, "log_px_z": log_px_z, "kl": kl}
