r"""Deep energy-based models: deep belief networks, deep Boltzmann machines, neural energies.

.. math:: p(x) = e^{-E(x)} / Z, \quad Z = \int e^{-E(x)}\, dx

A *deep belief network* is a restricted Boltzmann machine on top of directed layers. In a *deep
Boltzmann machine* all layers are undirected:

.. math:: E(v, h_1, h_2) = -b^\top v - c_1^\top h_1 - c_2^\top h_2 - v^\top W_1 h_1
    - h_1^\top W_2 h_2

A *neural energy* is any function of x; nobody knows its Z, and sampling needs only its gradient.

Read in this order: belief network, Boltzmann machine and its bound, Langevin sampling, the
contrastive loss and its replay buffer, learning with Z by noise contrast, the application,
learning. Arrays may be tensors or NumPy's, all of one dtype, float32 or float64; results have that
dtype. Everything is in nats. `rng` is a `tf.random.Generator`. An energy maps (batch, …) to
(batch,) or (batch, 1).

Notation:
    v                 :math:`v`         (batch, visible), in {0, 1}
    mean1, mean2      :math:`m_1, m_2`  (batch, hidden), of the factorised posterior of h_1, h_2
    W, b, c           :math:`W, b, c`   (below, above), (below,), (above,)
    x                 :math:`x`         (batch, …), real
    noise             :math:`\epsilon`  (step, batch, …), standard normal

References:
    [HOT06] Hinton, Osindero and Teh, A Fast Learning Algorithm for Deep Belief Nets, 2006.
    [SH09] Salakhutdinov and Hinton, Deep Boltzmann Machines, 2009.
    [RT96] Roberts and Tweedie, Exponential Convergence of Langevin Distributions and Their
        Discrete Approximations, 1996.
    [DM19] Du and Mordatch, Implicit Generation and Modeling with Energy-Based Models, 2019,
        arXiv:1903.08689.
    [GH10] Gutmann and Hyvärinen, Noise-Contrastive Estimation, 2010.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from reference.rbm import train_rbm

__all__ = [
    "ReplayBuffer",
    "dbm_log_partition",
    "dbm_lower_bound",
    "dbm_mean_field",
    "dbn_sample",
    "dbn_up",
    "ebm_inpaint",
    "ebm_loss",
    "energy_network",
    "grid_log_likelihood",
    "langevin_sample",
    "nce_loss",
    "train_dbn",
    "train_ebm",
]

Array = tf.Tensor | np.ndarray
Energy = Callable[[Array], tf.Tensor]
Layer = tuple[Array, Array, Array]


def _bernoulli(p: tf.Tensor, rng: tf.random.Generator) -> tf.Tensor:
    """Returns states that are 1 with probability p and 0 otherwise, in shape and dtype of `p`."""
    return tf.cast(rng.uniform(tf.shape(p), dtype=p.dtype) < p, p.dtype)


def dbn_up(v: Array, layers: Sequence[Layer]) -> list[tf.Tensor]:
    r"""Returns what each layer makes of the visible states: probabilities, layer by layer.

    .. math:: p_0 = v, \quad p_l = \sigma(c_l + W_l^\top p_{l-1})

    For the first layer they are exact for its own RBM; from there on an approximation.

    Args:
        v: Visible states. Shape (batch, visible), float.
        layers: W, b and c of each layer, from the bottom; W has the shape (below, above).

    Returns:
        Probabilities of each layer, from the bottom. Shapes (batch, above), dtype of `W`.

    References:
        [HOT06, section 4].
    """
    means = []
    below = v
    for W, _, c in layers:
        below = tf.sigmoid(c + tf.matmul(below, W))
        means.append(below)
    return means


def dbn_sample(
    layers: Sequence[Layer], n: int, n_gibbs: int, rng: tf.random.Generator
) -> tf.Tensor:
    r"""Returns visible states drawn from a deep belief network.

    .. math:: p(v, h_1, \dots, h_L) = p(v \mid h_1) \cdots p(h_{L-2} \mid h_{L-1})\,
        p_{\mathrm{RBM}}(h_{L-1}, h_L)

    The top RBM runs for n_gibbs sweeps, from fair coins; below it states are drawn once, downward.

    Args:
        layers: W, b and c of each layer, from the bottom. Of a layer below the top, c is not used.
        n: Number of rows.
        n_gibbs: Sweeps in the top RBM, each of its upper, then its lower units.
        rng: Source of all draws.

    Returns:
        States, values in {0, 1}. Shape (n, visible), dtype of `W`.

    References:
        [HOT06, section 4].
    """
    W, b, c = layers[-1]
    b = tf.convert_to_tensor(b)
    state = _bernoulli(0.5 * tf.ones((n, b.shape[0]), b.dtype), rng)
    for _ in range(n_gibbs):
        above = _bernoulli(tf.sigmoid(c + tf.matmul(state, W)), rng)
        state = _bernoulli(tf.sigmoid(b + tf.matmul(above, W, transpose_b=True)), rng)
    for W, b, _ in reversed(layers[:-1]):
        state = _bernoulli(tf.sigmoid(b + tf.matmul(state, W, transpose_b=True)), rng)
    return state


def dbm_mean_field(
    v: Array,
    W1: Array,
    W2: Array,
    b: Array,
    c1: Array,
    c2: Array,
    n_iters: int,
    tolerance: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Returns the factorised posterior of the hidden layers of a deep Boltzmann machine.

    .. math:: m_1 = \sigma(c_1 + W_1^\top v + W_2 m_2), \quad m_2 = \sigma(c_2 + W_2^\top m_1)

    in turn, from one half, until no mean moves by more than `tolerance`. Each half of a round
    maximises the bound of `dbm_lower_bound` over one layer, so the bound never falls.

    Args:
        v: Visible states. Shape (batch, visible), float.
        W1: Between visible and first hidden units. Shape (visible, first), float.
        W2: Between first and second hidden units. Shape (first, second), float.
        b: Visible bias, which the posterior does not depend on. Shape (visible,), float.
        c1: Bias of the first hidden units. Shape (first,), float.
        c2: Bias of the second hidden units. Shape (second,), float.
        n_iters: Number of rounds, at most.
        tolerance: Largest move of a mean in the last round that is made.

    Returns:
        Means of h_1 and of h_2. Shapes (batch, first) and (batch, second), dtype of `W1`.

    References:
        [SH09, equations 8 and 9].
    """
    bottom_up = c1 + tf.matmul(v, W1)
    mean1 = 0.5 * tf.ones_like(bottom_up)
    mean2 = 0.5 * tf.ones_like(c2 + tf.matmul(mean1, W2))
    for _ in range(n_iters):
        last1, last2 = mean1, mean2
        mean1 = tf.sigmoid(bottom_up + tf.matmul(mean2, W2, transpose_b=True))
        mean2 = tf.sigmoid(c2 + tf.matmul(mean1, W2))
        moved = tf.maximum(
            tf.reduce_max(tf.abs(mean1 - last1)), tf.reduce_max(tf.abs(mean2 - last2))
        )
        if moved <= tolerance:
            break
    return mean1, mean2


def _entropy(mean: Array) -> tf.Tensor:
    """Returns the entropies of independent units, summed over each row; 0 log 0 is 0."""
    terms = tf.math.xlogy(mean, mean) + tf.math.xlog1py(1.0 - mean, -mean)
    return -tf.reduce_sum(terms, axis=1)


def dbm_lower_bound(
    v: Array,
    mean1: Array,
    mean2: Array,
    parameters: tuple[Array, Array, Array, Array, Array],
    log_z: Array | float,
) -> tf.Tensor:
    r"""Returns the variational lower bound of log p(v) of a deep Boltzmann machine.

    .. math:: b^\top v + c_1^\top m_1 + c_2^\top m_2 + v^\top W_1 m_1 + m_1^\top W_2 m_2
        + H(m_1) + H(m_2) - \log Z \;\le\; \log p(v)

    The difference is the divergence of the factorised posterior from the true one.

    Args:
        v: Visible states. Shape (batch, visible), float.
        mean1: Means of h_1, in [0, 1]. Shape (batch, first), float.
        mean2: Means of h_2, in [0, 1]. Shape (batch, second), float.
        parameters: W1, W2, b, c1 and c2.
        log_z: Logarithm of the partition function, in nats.

    Returns:
        Bounds in nats. Shape (batch,), dtype of `mean1`.

    References:
        [SH09, equation 6].
    """
    W1, W2, b, c1, c2 = parameters
    minus_energy = (
        tf.linalg.matvec(v, b)
        + tf.linalg.matvec(mean1, c1)
        + tf.linalg.matvec(mean2, c2)
        + tf.reduce_sum(tf.matmul(v, W1) * mean1, axis=1)
        + tf.reduce_sum(tf.matmul(mean1, W2) * mean2, axis=1)
    )
    return minus_energy + _entropy(mean1) + _entropy(mean2) - log_z


def dbm_log_partition(W1: Array, W2: Array, b: Array, c1: Array, c2: Array) -> tf.Tensor:
    r"""Returns log Z of a deep Boltzmann machine, summed over all states of h_1.

    .. math:: \log Z = \log \sum_{h_1} \exp\Bigl(c_1^\top h_1
        + \sum_i \operatorname{softplus}(b + W_1 h_1)_i
        + \sum_k \operatorname{softplus}(c_2 + W_2^\top h_1)_k\Bigr)

    Args:
        W1: Shape (visible, first), float; at most 16 first hidden units.
        W2: Shape (first, second), float.
        b: Shape (visible,), float.
        c1: Shape (first,), float.
        c2: Shape (second,), float.

    Returns:
        log Z in nats. Shape (), dtype of `W1`.
    """
    W1 = tf.convert_to_tensor(W1)
    units = W1.shape[1]
    bits = tf.bitwise.right_shift(tf.range(2**units)[:, tf.newaxis], tf.range(units)) % 2
    h1 = tf.cast(bits, W1.dtype)
    visible = tf.nn.softplus(b + tf.matmul(h1, W1, transpose_b=True))
    second = tf.nn.softplus(c2 + tf.matmul(h1, W2))
    log_terms = tf.linalg.matvec(h1, c1) + tf.reduce_sum(visible, 1) + tf.reduce_sum(second, 1)
    return tf.reduce_logsumexp(log_terms)


def langevin_sample(
    energy: Energy, x0: Array, n_steps: int, step_size: float, noise: Array
) -> tf.Tensor:
    r"""Returns where Langevin dynamics leads: downhill, with just enough noise.

    .. math:: x \leftarrow x - \tfrac{h}{2} \nabla E(x) + \sqrt h\, \epsilon

    For small steps the law of x tends to exp(-E) / Z. For a normal distribution of variance
    :math:`s^2` it is normal with variance :math:`s^2 / (1 - h / 4 s^2)`.

    Args:
        energy: Maps (batch, …) to (batch,) or (batch, 1), row by row.
        x0: Where each row starts. Shape (batch, …), float.
        n_steps: Number of steps.
        step_size: :math:`h`.
        noise: Standard normal draws, one array for each step. Shape (n_steps, batch, …), float.

    Returns:
        Rows after the last step, through which no gradient flows. Shape and dtype of `x0`.

    References:
        [RT96].
    """
    x = tf.stop_gradient(tf.convert_to_tensor(x0))
    for step in range(n_steps):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(energy(x))
        slope = tape.gradient(total, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        x = tf.stop_gradient(x - 0.5 * step_size * slope + step_size**0.5 * noise[step])
    return x


def ebm_loss(energy: Energy, x_positive: Array, x_negative: Array, alpha: float) -> tf.Tensor:
    r"""Returns the contrastive loss: data down, samples up, and no energy far from zero.

    .. math:: \frac1B \sum_b E(x_b) - \frac1{B'} \sum_{b'} E(x'_{b'})
        + \alpha \Bigl(\frac1B \sum_b E(x_b)^2 + \frac1{B'} \sum_{b'} E(x'_{b'})^2\Bigr)

    For alpha = 0 and samples of the model its gradient is that of -log p(x).

    Args:
        energy: Maps rows to energies (rows,) or (rows, 1).
        x_positive: Data. Shape (positive, …), float.
        x_negative: Samples of the model; no gradient flows to them. Shape (negative, …), float.
        alpha: Weight of the squares.

    Returns:
        Loss in nats. Shape ().

    References:
        [DM19, section 3.3].
    """
    positive = energy(x_positive)
    negative = energy(tf.stop_gradient(tf.convert_to_tensor(x_negative)))
    contrast = tf.reduce_mean(positive) - tf.reduce_mean(negative)
    return contrast + alpha * (tf.reduce_mean(positive**2) + tf.reduce_mean(negative**2))


class ReplayBuffer:
    """Samples of the model that are kept, so that the next chains start where old ones ended.

    References:
        [DM19, section 3.2].
    """

    def __init__(self, size: int, shape: tuple[int, ...], rng: tf.random.Generator) -> None:
        """Fills the buffer with standard normal numbers, float32.

        Args:
            size: Number of entries.
            shape: Of one entry.
            rng: Source of all draws, also those of `sample`.
        """
        self._rng = rng
        self._entries = rng.normal((size, *shape))

    def sample(self, n: int, reinit_probability: float) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns entries to start from, and where they stand; leaves the buffer as it is.

        Args:
            n: How many, at most the size.
            reinit_probability: With this probability, each by itself, an entry is replaced by
                fresh standard normal numbers in what is returned.

        Returns:
            x0, shape (n, …), float32, and indices of n different entries, shape (n,), int.
        """
        size = self._entries.shape[0]
        indices = tf.argsort(self._rng.uniform((size,)))[:n]
        kept = tf.gather(self._entries, indices)
        fresh = self._rng.normal(kept.shape)
        is_fresh = self._rng.uniform((n, *[1] * (kept.shape.rank - 1))) < reinit_probability
        return tf.where(is_fresh, fresh, kept), indices

    def update(self, indices: Array, x: Array) -> None:
        """Puts rows at their places.

        Args:
            indices: As `sample` returned them. Shape (n,), int.
            x: Shape (n, …), float32.
        """
        places = tf.convert_to_tensor(indices)[:, tf.newaxis]
        self._entries = tf.tensor_scatter_nd_update(self._entries, places, x)


def nce_loss(
    log_model_x: Array, log_noise_x: Array, log_model_y: Array, log_noise_y: Array
) -> tf.Tensor:
    r"""Returns the loss of noise-contrastive estimation: telling data from known noise.

    .. math:: \frac1N \sum_n \mathrm{softplus}(-\Delta(x_n))
        + \frac{\nu}{M} \sum_m \mathrm{softplus}(\Delta(y_m)), \quad
        \Delta = \log p - \log q - \log \nu, \quad \nu = M / N

    p need not be normalised: log Z is learned like any other parameter.

    Args:
        log_model_x: log p at the data, in nats. Shape (N,), float.
        log_noise_x: log q at the data. Shape (N,), float.
        log_model_y: log p at the noise. Shape (M,), float.
        log_noise_y: log q at the noise. Shape (M,), float.

    Returns:
        Loss in nats per row of data. Shape ().

    References:
        [GH10].
    """
    log_model_x, log_model_y = (tf.convert_to_tensor(a) for a in (log_model_x, log_model_y))
    ratio = log_model_y.shape[0] / log_model_x.shape[0]
    of_data = log_model_x - log_noise_x - float(np.log(ratio))
    of_noise = log_model_y - log_noise_y - float(np.log(ratio))
    real, fake = tf.nn.softplus(-of_data), tf.nn.softplus(of_noise)
    return tf.reduce_mean(real) + ratio * tf.reduce_mean(fake)


def ebm_inpaint(
    energy: Energy, x: Array, observed: Array, n_steps: int, step_size: float, noise: Array
) -> tf.Tensor:
    r"""Returns rows whose missing entries follow Langevin dynamics while the others stay.

    .. math:: x_m \leftarrow x_m - \tfrac{h}{2} \nabla_{x_m} E(x_m, x_o) + \sqrt h\, \epsilon_m

    Args:
        energy: Maps (batch, entry) to (batch,) or (batch, 1), row by row.
        x: Rows; where nothing is observed, where the dynamics starts. Shape (batch, entry), float.
        observed: Which entries are known. Shape (batch, entry), bool.
        n_steps: Number of steps.
        step_size: :math:`h`.
        noise: Standard normal draws. Shape (n_steps, batch, entry), float.

    Returns:
        Rows; observed entries are those of `x`. Shape and dtype of `x`.
    """
    filled = given = tf.convert_to_tensor(x)
    for step in range(n_steps):
        moved = langevin_sample(energy, filled, 1, step_size, noise[step : step + 1])
        filled = tf.where(observed, given, moved)
    return filled


def train_dbn(
    images: Array,
    widths: Sequence[int],
    epochs: int = 60,
    learning_rate: float = 0.2,
    seed: int = 0,
) -> list[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """Trains a deep belief network greedily, and returns its layers from the bottom.

    Each layer is an RBM of what the layer below makes of the images; all but the top one are
    trained by CD-1, the top one, which is sampled from, by PCD-1.

    Args:
        images: Shape (batch, pixel), float32, values in {0, 1}.
        widths: Number of units of each layer, from the bottom.
        epochs: Passes over the images, for each layer.
        learning_rate: That of the first step, for each layer.
        seed: Of weights, order and draws.

    References:
        [HOT06, section 5].
    """
    rng = tf.random.Generator.from_seed(seed)
    layers: list[tuple[tf.Tensor, tf.Tensor, tf.Tensor]] = []
    below = tf.convert_to_tensor(images)
    for number, width in enumerate(widths):
        top = number == len(widths) - 1
        layer = train_rbm(
            below,
            width,
            seed=10 * seed + number,
            persistent=top,
            epochs=epochs,
            learning_rate=learning_rate,
        )
        layers.append(layer)
        below = _bernoulli(dbn_up(below, [layer])[0], rng)
    return layers


def energy_network(widths: Sequence[int], seed: int, pull: float = 0.0) -> tf.keras.Model:
    r"""Returns an energy: a fully connected network of one output, plus a parabola.

    .. math:: E(x) = f(x) + \tfrac12 \lambda \|x\|^2

    Args:
        widths: Of its input and of its hidden layers.
        seed: Of the initial weights.
        pull: :math:`\lambda`; keeps samples from running away where f is flat.
    """
    keras = tf.keras
    inputs = outputs = keras.Input((widths[0],))
    for number, width in enumerate((*widths[1:], 1)):
        outputs = keras.layers.Dense(
            width,
            "swish" if number < len(widths) - 1 else None,
            kernel_initializer=keras.initializers.GlorotUniform(100 * seed + number),
        )(outputs)
    parabola = 0.5 * pull * keras.ops.sum(inputs**2, axis=1, keepdims=True)
    return keras.Model(inputs, outputs + parabola)


def train_ebm(
    x: Array,
    energy: tf.keras.Model,
    steps: int,
    *,
    n_langevin: int = 40,
    step_size: float = 0.05,
    alpha: float = 0.01,
    reinit_probability: float = 0.05,
    batch_size: int = 128,
    buffer_size: int = 4000,
    learning_rate: float = 1e-3,
    jitter: float = 0.0,
    seed: int = 0,
) -> ReplayBuffer:
    """Trains an energy on data with Langevin samples from a replay buffer, which it returns.

    The learning rate falls to zero along half a cosine.

    Args:
        x: Data. Shape (row, entry), float32.
        energy: With `trainable_variables`.
        steps: Number of steps of Adam.
        n_langevin: Steps of Langevin dynamics between two of Adam.
        step_size: Of Langevin dynamics.
        alpha: Weight of the squares in the loss.
        reinit_probability: Share of chains that start afresh.
        batch_size: Rows of data, and of samples.
        buffer_size: Chains that are kept.
        learning_rate: Of Adam, at the beginning.
        jitter: Standard deviation of normal noise that is added to data.
        seed: Of order, noise and buffer.
    """
    x = tf.convert_to_tensor(x)
    rng = tf.random.Generator.from_seed(seed)
    buffer = ReplayBuffer(buffer_size, tuple(x.shape[1:]), rng)
    schedule = tf.keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = tf.keras.optimizers.Adam(schedule, beta_1=0.0)
    variables = energy.trainable_variables
    optimizer.build(variables)

    @tf.function
    def one_step(x0: tf.Tensor) -> tf.Tensor:
        rows = rng.uniform((batch_size,), maxval=x.shape[0], dtype=tf.int32)
        data = tf.gather(x, rows)
        data += jitter * rng.normal(data.shape)
        moved = x0
        for _ in tf.range(n_langevin):
            moved = langevin_sample(energy, moved, 1, step_size, rng.normal((1, *x0.shape)))
        with tf.GradientTape() as tape:
            loss = ebm_loss(energy, data, moved, alpha)
        slopes, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 10.0)
        optimizer.apply_gradients(zip(slopes, variables, strict=True))
        return moved

    for _ in range(steps):
        x0, indices = buffer.sample(batch_size, reinit_probability)
        buffer.update(indices, one_step(x0))
    return buffer


def grid_log_likelihood(
    energy: Energy, x: Array, half_width: float = 4.0, points: int = 141
) -> tuple[tf.Tensor, tf.Tensor]:
    r"""Returns the log-likelihood of points in the plane, with Z by summing over a grid.

    Args:
        energy: Maps (rows, 2) to (rows,) or (rows, 1).
        x: Shape (batch, 2), float32.
        half_width: The grid covers this much on each side of 0, on both axes.
        points: Of the grid, along each axis.

    Returns:
        Log densities, shape (batch,), and log Z, shape (), in nats.
    """
    axis = tf.linspace(-half_width, half_width, points)
    places = tf.stack([tf.reshape(one, [-1]) for one in tf.meshgrid(axis, axis)], axis=1)
    cell = 2.0 * float(np.log(2.0 * half_width / (points - 1)))
    log_z = tf.reduce_logsumexp(-tf.reshape(energy(places), [-1])) + cell
    return -tf.reshape(energy(x), [-1]) - log_z, log_z
