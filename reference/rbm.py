r"""Restricted Boltzmann machine with binary units.

.. math::
    E(v, h) &= -b^\top v - c^\top h - v^\top W h, \quad v \in \{0,1\}^D,\ h \in \{0,1\}^H \\
    p(v, h) &= e^{-E(v, h)} / Z, \quad Z = \sum_{v, h} e^{-E(v, h)} \\
    p(v) &= e^{-F(v)} / Z, \quad F(v) = -\log \sum_h e^{-E(v, h)}

Without connections inside a layer, the units of one layer are independent given the other.

Read in this order: the energies, the conditionals, sampling, learning, the partition function, the
applications. Arrays may be tensors or NumPy's, all of one dtype, float32 or float64; results have
that dtype. Energies and log-probabilities are in nats. `rng` is a `tf.random.Generator`.

Notation:
    v     :math:`v`     (batch, visible), values in {0, 1}
    h     :math:`h`     (batch, hidden), values in {0, 1}
    W     :math:`W`     (visible, hidden)
    b, c  :math:`b, c`  (visible,), (hidden,)

References:
    [H02] Hinton, Training Products of Experts by Minimizing Contrastive Divergence, 2002.
    [T08] Tieleman, Training Restricted Boltzmann Machines using Approximations to the Likelihood
        Gradient, 2008.
    [N01] Neal, Annealed Importance Sampling, 2001, arXiv:physics/9803008.
    [SM08] Salakhutdinov and Murray, On the Quantitative Analysis of Deep Belief Networks, 2008.
"""

import numpy as np
import tensorflow as tf

__all__ = [
    "ais_log_partition",
    "cd_gradient",
    "exact_log_partition",
    "gibbs_k",
    "p_h_given_v",
    "p_v_given_h",
    "pcd_step",
    "rbm_anomaly_score",
    "rbm_energy",
    "rbm_free_energy",
    "rbm_impute",
    "rbm_log_prob",
    "train_rbm",
]

Array = tf.Tensor | np.ndarray
Parameters = tuple[Array, Array, Array]

# 2**20 states of the smaller layer take seconds; each further unit doubles that.
MAX_SUMMED_UNITS = 20
# So many states are held in memory at a time.
BLOCK = 2**14


def rbm_energy(v: Array, h: Array, W: Array, b: Array, c: Array) -> tf.Tensor:
    r"""Returns the energy of each pair of states.

    .. math:: E(v, h) = -b^\top v - c^\top h - v^\top W h

    Args:
        v: Visible states. Shape (batch, visible), float.
        h: Hidden states. Shape (batch, hidden), float.
        W: Weights. Shape (visible, hidden), float.
        b: Visible bias. Shape (visible,), float.
        c: Hidden bias. Shape (hidden,), float.

    Returns:
        Energies in nats. Shape (batch,), dtype of `W`.
    """
    interaction = tf.reduce_sum(tf.matmul(v, W) * h, axis=1)
    return -tf.linalg.matvec(v, b) - tf.linalg.matvec(h, c) - interaction


def rbm_free_energy(v: Array, W: Array, b: Array, c: Array) -> tf.Tensor:
    r"""Returns the free energy of each visible state: minus the log of its weight in Z.

    .. math:: F(v) = -\log \sum_h e^{-E(v, h)} = -b^\top v
        - \sum_j \operatorname{softplus}\bigl(c_j + (v^\top W)_j\bigr)

    The sum over h factorises. softplus(a) = log(1 + exp(a)) neither overflows for large a nor
    loses exp(a) for very negative ones.

    Args:
        v: Visible states. Shape (batch, visible), float.
        W: Weights. Shape (visible, hidden), float.
        b: Visible bias. Shape (visible,), float.
        c: Hidden bias. Shape (hidden,), float.

    Returns:
        Free energies in nats. Shape (batch,), dtype of `W`.
    """
    return -tf.linalg.matvec(v, b) - tf.reduce_sum(tf.nn.softplus(c + tf.matmul(v, W)), axis=1)


def p_h_given_v(v: Array, W: Array, c: Array) -> tf.Tensor:
    r"""Returns the probability that each hidden unit is on, given the visible ones.

    .. math:: p(h_j = 1 \mid v) = \sigma\bigl(c_j + (v^\top W)_j\bigr)

    Args:
        v: Visible states. Shape (batch, visible), float.
        W: Weights. Shape (visible, hidden), float.
        c: Hidden bias. Shape (hidden,), float.

    Returns:
        Probabilities in [0, 1]. Shape (batch, hidden), dtype of `W`.
    """
    return tf.sigmoid(c + tf.matmul(v, W))


def p_v_given_h(h: Array, W: Array, b: Array) -> tf.Tensor:
    r"""Returns the probability that each visible unit is on, given the hidden ones.

    .. math:: p(v_i = 1 \mid h) = \sigma\bigl(b_i + (W h)_i\bigr)

    Args:
        h: Hidden states. Shape (batch, hidden), float.
        W: Weights. Shape (visible, hidden), float.
        b: Visible bias. Shape (visible,), float.

    Returns:
        Probabilities in [0, 1]. Shape (batch, visible), dtype of `W`.
    """
    return tf.sigmoid(b + tf.matmul(h, W, transpose_b=True))


def _bernoulli(p: tf.Tensor, rng: tf.random.Generator) -> tf.Tensor:
    """Returns states that are 1 with probability p and 0 otherwise, in shape and dtype of `p`."""
    return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)


def gibbs_k(
    v0: Array, W: Array, b: Array, c: Array, k: int, rng: tf.random.Generator
) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Returns the states after k sweeps of block Gibbs sampling.

    .. math:: h_t \sim p(h \mid v_t), \quad v_{t+1} \sim p(v \mid h_t), \quad t = 0, \dots, k-1;
        \qquad h_k \sim p(h \mid v_k)

    Args:
        v0: Where each chain starts. Shape (batch, visible), float.
        W: Weights. Shape (visible, hidden), float.
        b: Visible bias. Shape (visible,), float.
        c: Hidden bias. Shape (hidden,), float.
        k: Number of sweeps.
        rng: Source of all draws.

    Returns:
        v_k and h_k, values in {0, 1}. Shapes (batch, visible) and (batch, hidden), dtype of `W`.
    """
    v = tf.convert_to_tensor(v0)
    h = _bernoulli(p_h_given_v(v, W, c), rng)
    for _ in range(k):
        v = _bernoulli(p_v_given_h(h, W, b), rng)
        h = _bernoulli(p_h_given_v(v, W, c), rng)
    return v, h


def cd_gradient(
    v_positive: Array, v_negative: Array, W: Array, b: Array, c: Array
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    r"""Returns the direction in which the data's likelihood rises, estimated from samples.

    .. math:: \Delta W = \langle v\, p(h \mid v)^\top \rangle_{+}
        - \langle v\, p(h \mid v)^\top \rangle_{-}, \quad
        \Delta b = \langle v \rangle_{+} - \langle v \rangle_{-}, \quad
        \Delta c = \langle p(h \mid v) \rangle_{+} - \langle p(h \mid v) \rangle_{-}

    It is minus the gradient of mean F(v_positive) - mean F(v_negative), samples held fixed.

    Args:
        v_positive: Data. Shape (batch, visible), float.
        v_negative: Samples of the model. Shape (chain, visible), float.
        W: Weights. Shape (visible, hidden), float.
        b: Visible bias, on which the direction does not depend. Shape (visible,), float.
        c: Hidden bias. Shape (hidden,), float.

    Returns:
        The directions of `W`, `b` and `c`, in their shapes and dtype.

    References:
        [H02].
    """

    def means(v: Array) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        p = p_h_given_v(v, W, c)
        products = tf.matmul(v, p, transpose_a=True) / tf.cast(tf.shape(v)[0], p.dtype)
        return products, tf.reduce_mean(v, axis=0), tf.reduce_mean(p, axis=0)

    pairs = zip(means(v_positive), means(v_negative), strict=True)
    return tuple(positive - negative for positive, negative in pairs)


def pcd_step(
    parameters: Parameters,
    chain: Array,
    v_batch: Array,
    k: int,
    learning_rate: float,
    rng: tf.random.Generator,
) -> tuple[Parameters, tf.Tensor]:
    r"""Returns parameters and chain after one step of persistent contrastive divergence.

    .. math:: \tilde v \leftarrow \text{k sweeps from } \tilde v, \qquad
        \theta \leftarrow \theta + \eta\, \Delta\theta(v, \tilde v)

    The chain moves first, with the old parameters, and is handed on to the next step. Nothing
    given is changed.

    Args:
        parameters: W, b and c.
        chain: Where the last step left the chains. Shape (chain, visible), float.
        v_batch: Data. Shape (batch, visible), float.
        k: Number of sweeps.
        learning_rate: Length of the step, :math:`\eta`.
        rng: Source of all draws.

    Returns:
        The new W, b and c, as a tuple, and the new chain. Shapes and dtype as given.

    References:
        [T08].
    """
    chain, _ = gibbs_k(chain, *parameters, k, rng)
    directions = cd_gradient(v_batch, chain, *parameters)
    pairs = zip(parameters, directions, strict=True)
    return tuple(old + learning_rate * direction for old, direction in pairs), chain


def train_rbm(
    v: Array,
    n_hidden: int,
    *,
    seed: int,
    persistent: bool = True,
    k: int = 1,
    epochs: int = 200,
    batch_size: int = 20,
    n_chains: int = 100,
    learning_rate: float = 0.5,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns W, b and c of a machine trained by PCD-k, or by CD-k.

    CD is a persistent step whose chain starts at the batch. The visible bias starts where
    independent pixels have the means of the data; the learning rate falls linearly to zero.

    Args:
        v: Data. Shape (batch, visible), float.
        n_hidden: Number of hidden units.
        seed: Same seed, same result on the same machine.
        persistent: Whether chains go on (PCD) or start anew at each batch (CD).
        k: Number of Gibbs sweeps per step.
        epochs: Passes over the data; each leaves out what does not fill its last batch.
        batch_size: Rows per step.
        n_chains: Number of persistent chains.
        learning_rate: That of the first step.

    Returns:
        W, b and c. Dtype of `v`.

    Raises:
        ValueError: If `batch_size` exceeds the number of rows.
    """
    v = tf.convert_to_tensor(v)
    if batch_size > len(v):
        raise ValueError(f"batch_size must be at most the {len(v)} rows. Received: {batch_size}")
    rng = tf.random.Generator.from_seed(seed)
    n_steps = len(v) // batch_size
    # One pixel counts as on, and one as off, beside the data: no logit is infinite.
    mean = (tf.reduce_sum(v, axis=0) + 1) / (len(v) + 2)
    b = tf.math.log(mean) - tf.math.log1p(-mean)
    W = 0.01 * rng.normal((v.shape[1], n_hidden), dtype=v.dtype)
    c = tf.zeros(n_hidden, v.dtype)
    chain = _bernoulli(tf.tile(mean[tf.newaxis], (n_chains, 1)), rng)

    @tf.function
    def one_epoch(parameters: Parameters, chain: tf.Tensor, rate: tf.Tensor) -> tuple:
        order = tf.argsort(rng.uniform([len(v)]))

        def one_step(step: tf.Tensor, parameters: Parameters, chain: tf.Tensor) -> tuple:
            v_batch = tf.gather(v, order[step * batch_size : (step + 1) * batch_size])
            start = chain if persistent else v_batch
            parameters, moved = pcd_step(parameters, start, v_batch, k, rate, rng)
            return step + 1, parameters, moved if persistent else chain

        start = tf.constant(0), parameters, chain
        _, parameters, chain = tf.while_loop(lambda step, *_: step < n_steps, one_step, start)
        return parameters, chain

    parameters = W, b, c
    for epoch in range(epochs):
        rate = tf.constant(learning_rate * (1 - epoch / epochs), v.dtype)
        parameters, chain = one_epoch(parameters, chain, rate)
    return parameters


def exact_log_partition(W: Array, b: Array, c: Array) -> tf.Tensor:
    r"""Returns log Z, summed over all states of the smaller layer.

    .. math:: \log Z = \log \sum_h \exp\Bigl(c^\top h
        + \sum_i \operatorname{softplus}\bigl(b_i + (W h)_i\bigr)\Bigr)

    The larger layer is summed in closed form. The sum runs in log space, since Z itself would
    overflow.

    Args:
        W: Weights. Shape (visible, hidden), float.
        b: Visible bias. Shape (visible,), float.
        c: Hidden bias. Shape (hidden,), float.

    Returns:
        log Z in nats. Scalar, dtype of `W`.

    Raises:
        ValueError: If both layers have more than 20 units; the message holds the smaller number.
    """
    if b.shape[0] < c.shape[0]:
        # Exchanging the layers leaves the energy as it is.
        W, b, c = tf.transpose(W), c, b
    n_units = c.shape[0]
    if n_units > MAX_SUMMED_UNITS:
        raise ValueError(
            f"The smaller layer must have at most {MAX_SUMMED_UNITS} units, for a sum over all "
            f"its states. Received: {n_units}"
        )
    log_sums = []
    for start in range(0, 2**n_units, BLOCK):
        numbers = tf.range(start, min(start + BLOCK, 2**n_units))
        bits = tf.bitwise.right_shift(numbers[:, tf.newaxis], tf.range(n_units)) % 2
        h = tf.cast(bits, W.dtype)
        larger_layer = tf.nn.softplus(b + tf.matmul(h, W, transpose_b=True))
        log_terms = tf.linalg.matvec(h, c) + tf.reduce_sum(larger_layer, axis=1)
        log_sums.append(tf.reduce_logsumexp(log_terms))
    return tf.reduce_logsumexp(log_sums)


def rbm_log_prob(v: Array, W: Array, b: Array, c: Array) -> tf.Tensor:
    r"""Returns the exact log-probability of each visible state, :math:`-F(v) - \log Z`.

    Args:
        v: Visible states. Shape (batch, visible), float.
        W: Weights. Shape (visible, hidden), float.
        b: Visible bias. Shape (visible,), float.
        c: Hidden bias. Shape (hidden,), float.

    Returns:
        Log-probabilities in nats. Shape (batch,), dtype of `W`.

    Raises:
        ValueError: If both layers have more than 20 units.
    """
    return -rbm_free_energy(v, W, b, c) - exact_log_partition(W, b, c)


def ais_log_partition(
    W: Array,
    b: Array,
    c: Array,
    b0: Array,
    betas: Array,
    n_runs: int,
    rng: tf.random.Generator,
) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Returns an estimate of log Z by annealed importance sampling, and the runs' log weights.

    .. math::
        F_\beta(v) &= -\bigl((1-\beta) b_0 + \beta b\bigr)^\top v
            - \sum_j \operatorname{softplus}\bigl(\beta (c_j + (v^\top W)_j)\bigr) \\
        \log w &= \sum_{t=1}^{T-1} F_{\beta_{t-1}}(v_t) - F_{\beta_t}(v_t), \quad
            v_{t+1} \sim K_{\beta_t}(\cdot \mid v_t) \\
        \log Z &\approx \log Z_0 + \log \tfrac1R \sum_r w_r, \quad
            \log Z_0 = \sum_i \operatorname{softplus}(b_{0,i}) + H \log 2

    A run starts from the base model of independent pixels and is weighed, then moved, at each
    beta; :math:`K_\beta` is one Gibbs sweep. The mean weight is Z / Z_0, whatever the betas.

    Args:
        W: Weights. Shape (visible, hidden), float.
        b: Visible bias. Shape (visible,), float.
        c: Hidden bias. Shape (hidden,), float.
        b0: Visible bias of the base model. Shape (visible,), float.
        betas: Rising from 0 to 1. Shape (beta,), float.
        n_runs: Number of independent runs.
        rng: Source of all draws.

    Returns:
        log_z, a scalar in nats, and log_w, shape (n_runs,), relative to Z_0. Dtype of `W`.

    References:
        [N01]; [SM08], section 4.1.
    """
    W, b, c, b0, betas = (tf.convert_to_tensor(array) for array in (W, b, c, b0, betas))

    def annealed(beta: tf.Tensor) -> Parameters:
        return beta * W, (1 - beta) * b0 + beta * b, beta * c

    v = _bernoulli(tf.tile(tf.sigmoid(b0)[tf.newaxis], (n_runs, 1)), rng)
    log_w = tf.zeros(n_runs, W.dtype)
    last = annealed(betas[0])
    for beta in tf.unstack(betas[1:]):
        W_beta, b_beta, c_beta = annealed(beta)
        log_w += rbm_free_energy(v, *last) - rbm_free_energy(v, W_beta, b_beta, c_beta)
        h = _bernoulli(p_h_given_v(v, W_beta, c_beta), rng)
        v = _bernoulli(p_v_given_h(h, W_beta, b_beta), rng)
        last = W_beta, b_beta, c_beta
    log_z0 = tf.reduce_sum(tf.nn.softplus(b0)) + c.shape[0] * np.log(2.0)
    return log_z0 + tf.reduce_logsumexp(log_w) - np.log(n_runs), log_w


def rbm_impute(
    v: Array,
    observed: Array,
    W: Array,
    b: Array,
    c: Array,
    n_burn: int,
    n_keep: int,
    rng: tf.random.Generator,
) -> tf.Tensor:
    r"""Returns each row with the expected values of its missing entries, given the others.

    .. math:: \mathbb{E}[v_i \mid v_{\text{observed}}] \approx
        \tfrac1n \sum_{t=1}^{n} p(v_i = 1 \mid h_t)

    Gibbs sampling with the observed entries held. What is averaged are the probabilities, which
    scatter less than the states drawn from them.

    Args:
        v: States; what stands at missing entries does not matter. Shape (batch, visible), float.
        observed: Which entries are known. Shape (batch, visible), bool.
        W: Weights. Shape (visible, hidden), float.
        b: Visible bias. Shape (visible,), float.
        c: Hidden bias. Shape (hidden,), float.
        n_burn: Sweeps before the first that counts.
        n_keep: Sweeps that are averaged, at least 1.
        rng: Source of all draws.

    Returns:
        Values in [0, 1], those of `v` where observed. Shape (batch, visible), dtype of `W`.

    Raises:
        ValueError: If `n_keep` is less than 1; the message holds it.
    """
    if n_keep < 1:
        raise ValueError(f"n_keep must be at least 1. Received: {n_keep}")
    v = tf.convert_to_tensor(v)
    sample = tf.where(observed, v, _bernoulli(0.5 * tf.ones_like(v), rng))
    total = tf.zeros_like(v)
    for sweep in range(n_burn + n_keep):
        h = _bernoulli(p_h_given_v(sample, W, c), rng)
        p = p_v_given_h(h, W, b)
        sample = tf.where(observed, v, _bernoulli(p, rng))
        if sweep >= n_burn:
            total += p
    return tf.where(observed, v, total / n_keep)


def rbm_anomaly_score(v: Array, W: Array, b: Array, c: Array) -> tf.Tensor:
    r"""Returns how unlikely each state is: its free energy, :math:`-\log p(v) - \log Z`.

    Args:
        v: Visible states. Shape (batch, visible), float.
        W: Weights. Shape (visible, hidden), float.
        b: Visible bias. Shape (visible,), float.
        c: Hidden bias. Shape (hidden,), float.

    Returns:
        Scores in nats, higher for what the model finds stranger. Shape (batch,), dtype of `W`.
    """
    return rbm_free_energy(v, W, b, c)
