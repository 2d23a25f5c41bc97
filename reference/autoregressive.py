r"""Autoregressive models.

.. math::
    p(x) = \prod_{d=1}^{D} p(x_d \mid x_1, \dots, x_{d-1})

Each factor is a classifier that sees what came before, so the likelihood is exact, and a sample is
made one entry after another. Models differ in how the past is kept apart from the future: by a
recursion (NADE), by masks on weights (MADE, PixelCNN), by a mask on attention.

Read in this order: a recursion, masks on layers, masks on convolutions, attention, sequences,
choosing and sampling, learning. Arrays may be tensors or NumPy's, all of one dtype, float32 or
float64; results have that dtype. Log-probabilities are in nats. Indices begin at 0.

Notation:
    x            :math:`x`             (batch, D), values in {0, 1}
    tokens                             (batch, T), int, from 0 to V - 1
    logits                             (…, V), or (…) for binary entries

References:
    [LM11] Larochelle and Murray, The Neural Autoregressive Distribution Estimator, 2011.
    [G15] Germain et al., MADE: Masked Autoencoder for Distribution Estimation, 2015,
        arXiv:1502.03509.
    [O16] van den Oord, Kalchbrenner and Kavukcuoglu, Pixel Recurrent Neural Networks, 2016,
        arXiv:1601.06759.
    [V17] Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762.
    [F18] Fan, Lewis and Dauphin, Hierarchical Neural Story Generation, 2018, arXiv:1805.04833.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import tensorflow as tf

__all__ = [
    "bernoulli_log_prob",
    "causal_attention",
    "made",
    "made_log_prob",
    "made_masks",
    "masked_conv",
    "nade_log_prob",
    "pixelcnn",
    "pixelcnn_mask",
    "sample_autoregressive",
    "sequence_nll",
    "shift_right",
    "temperature_scale",
    "top_k_filter",
    "train_autoregressive",
    "transformer",
]

Array = tf.Tensor | np.ndarray
Layer = tuple[Array, Array]
Logits = Callable[[Array], tf.Tensor]


def bernoulli_log_prob(x: Array, logits: Array) -> tf.Tensor:
    """Returns the log-probability of each row of independent binary entries. Shape (batch,)."""
    # x l - softplus(l) is log sigmoid(l) for x = 1 and log sigmoid(-l) for x = 0.
    return tf.reduce_sum(x * logits - tf.nn.softplus(logits), axis=-1)


def nade_log_prob(x: Array, W: Array, V: Array, b: Array, c: Array) -> tf.Tensor:
    r"""Returns the log-probability of each row under NADE.

    .. math:: a_1 = c, \quad a_{d+1} = a_d + W_{:, d}\, x_d, \quad
        p(x_d = 1 \mid x_{<d}) = \sigma(b_d + V_{d, :}\, \sigma(a_d))

    All activations are running sums, so the cost is O(D H) per row.

    Args:
        x: Binary data. Shape (batch, D), float.
        W: Weights from entries to hidden units. Shape (H, D), float.
        V: Weights from hidden units to entries. Shape (D, H), float.
        b: Biases of entries. Shape (D,), float.
        c: Biases of hidden units. Shape (H,), float.

    Returns:
        Log-probabilities. Shape (batch,).

    References:
        [LM11, algorithm 1].
    """
    x = tf.convert_to_tensor(x)
    added = x[:, :, tf.newaxis] * tf.transpose(W)
    activations = c + tf.cumsum(added, axis=1, exclusive=True)
    logits = b + tf.reduce_sum(V * tf.sigmoid(activations), axis=-1)
    return bernoulli_log_prob(x, logits)


def made_masks(
    D: int, hidden: Sequence[int], order: Sequence[int] | np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    r"""Returns masks that make a fully connected network autoregressive.

    Each hidden unit k has a degree m(k): the highest rank of an entry that it may see. Degrees are
    drawn uniformly, and never too low for a unit to see anything.

    .. math:: M_{jk} = [m(k) \ge m(j)] \text{ to a hidden layer, } [\text{order}_k > m(j)]
        \text{ to the output}

    Args:
        D: Number of entries, at least 2.
        hidden: Widths of the hidden layers.
        order: The rank of each entry, from 0 to D - 1: entry i is seen by those of higher rank.
            Shape (D,), int.
        rng: A `numpy.random.Generator`, the source of all degrees.

    Returns:
        One mask per layer, 0 or 1, shape (in, out), float32; the last one leads to D logits.

    References:
        [G15, equations 12 and 13].
    """
    ranks = np.asarray(order)
    degrees = [ranks]
    for width in hidden:
        degrees.append(rng.integers(degrees[-1].min(), D - 1, size=width))
    masks = [below[:, np.newaxis] <= above for below, above in pairwise(degrees)]
    masks.append(degrees[-1][:, np.newaxis] < ranks)
    return [mask.astype(np.float32) for mask in masks]


def _made_logits(x: Array, weights: Sequence[Layer], masks: Sequence[Array]) -> tf.Tensor:
    outputs = x
    for number, ((W, b), mask) in enumerate(zip(weights, masks, strict=True)):
        outputs = tf.matmul(outputs, W * tf.cast(mask, W.dtype)) + b
        if number < len(weights) - 1:
            outputs = tf.nn.relu(outputs)
    return outputs


def made_log_prob(x: Array, weights: Sequence[Layer], masks: Sequence[Array]) -> tf.Tensor:
    r"""Returns the log-probability of each row under MADE.

    .. math:: h_\ell = \mathrm{relu}(h_{\ell-1} (W_\ell \odot M_\ell) + b_\ell), \quad
        \text{logits} = h_L (W_{L+1} \odot M_{L+1}) + b_{L+1}

    Args:
        x: Binary data. Shape (batch, D), float.
        weights: Kernel (in, out) and bias (out,) of each layer.
        masks: As `made_masks` returns them.

    Returns:
        Log-probabilities. Shape (batch,).

    References:
        [G15, section 4].
    """
    return bernoulli_log_prob(x, _made_logits(x, weights, masks))


def pixelcnn_mask(
    kernel_height: int,
    kernel_width: int,
    channels_in: int,
    channels_out: int,
    n_colors: int,
    mask_type: str,
) -> np.ndarray:
    """Returns the mask of a convolution that sees what comes before a pixel in reading order.

    Channels come in `n_colors` blocks of equal size, one after the other. At the centre, type "A"
    lets a colour see the colours before it, type "B" itself, too.

    Args:
        kernel_height: Odd.
        kernel_width: Odd.
        channels_in: A multiple of `n_colors`.
        channels_out: A multiple of `n_colors`.
        n_colors: Number of colours.
        mask_type: "A", for the first layer, or "B".

    Returns:
        0 or 1. Shape (kernel_height, kernel_width, channels_in, channels_out), float32.

    References:
        [O16, section 3.4].
    """
    mask = np.zeros((kernel_height, kernel_width, channels_in, channels_out), np.float32)
    row, column = kernel_height // 2, kernel_width // 2
    mask[:row] = 1
    mask[row, :column] = 1
    color_in = np.arange(channels_in) * n_colors // channels_in
    color_out = np.arange(channels_out) * n_colors // channels_out
    before = np.less if mask_type == "A" else np.less_equal
    mask[row, column] = before(color_in[:, np.newaxis], color_out)
    return mask


def masked_conv(x: Array, kernel: Array, bias: Array, mask: Array) -> tf.Tensor:
    """Returns a convolution with a masked kernel, of stride 1 and same padding.

    Args:
        x: Images. Shape (batch, height, width, channels_in), float.
        kernel: Shape (kernel_height, kernel_width, channels_in, channels_out), float.
        bias: Shape (channels_out,), float.
        mask: As `pixelcnn_mask` returns it; applied at every call.

    Returns:
        Shape (batch, height, width, channels_out).
    """
    masked = kernel * tf.cast(mask, kernel.dtype)
    return tf.nn.conv2d(x, masked, strides=1, padding="SAME") + bias


def causal_attention(
    x: Array, Wq: Array, Wk: Array, Wv: Array, Wo: Array, n_heads: int
) -> tf.Tensor:
    r"""Returns what each position makes of itself and of those before it.

    .. math:: \mathrm{softmax}\Bigl(\frac{Q K^\top}{\sqrt{d / n}} + M\Bigr) V, \quad
        M_{ts} = 0 \text{ for } s \le t, \text{ else } -\infty

    Heads are consecutive blocks of d / n columns; their results, joined, are multiplied by Wo.

    Args:
        x: Shape (batch, T, d), float.
        Wq: Shape (d, d), float; so are the others.
        Wk: Keys.
        Wv: Values.
        Wo: Output.
        n_heads: :math:`n`, a divisor of d.

    Returns:
        Shape (batch, T, d).

    References:
        [V17, section 3.2].
    """
    x = tf.convert_to_tensor(x)
    batch, length, width = tf.shape(x)[0], x.shape[1], x.shape[2]
    size = width // n_heads

    def heads(W: Array) -> tf.Tensor:
        split = tf.reshape(tf.matmul(x, W), (batch, length, n_heads, size))
        return tf.transpose(split, (0, 2, 1, 3))

    scores = tf.matmul(heads(Wq), heads(Wk), transpose_b=True) / math.sqrt(size)
    past = np.tril(np.ones((length, length), bool))
    scores = tf.where(past, scores, tf.constant(-np.inf, scores.dtype))
    mixed = tf.transpose(tf.matmul(tf.nn.softmax(scores), heads(Wv)), (0, 2, 1, 3))
    return tf.matmul(tf.reshape(mixed, (batch, length, width)), Wo)


def shift_right(tokens: Array, start_token: int) -> tf.Tensor:
    """Returns the input from which each token is predicted: the start, then all but the last.

    Args:
        tokens: Shape (batch, T), int.
        start_token: What stands before the first one.

    Returns:
        Shape (batch, T), dtype of `tokens`.
    """
    tokens = tf.convert_to_tensor(tokens)
    start = tf.fill((tf.shape(tokens)[0], 1), tf.cast(start_token, tokens.dtype))
    return tf.concat([start, tokens[:, :-1]], axis=1)


def sequence_nll(logits: Array, tokens: Array) -> tf.Tensor:
    r"""Returns minus the log-probability of each sequence.

    .. math:: -\sum_t \log \mathrm{softmax}(\text{logits}_t)_{\text{token}_t}

    Args:
        logits: Shape (batch, T, V), float.
        tokens: Shape (batch, T), int.

    Returns:
        Nats, summed over positions. Shape (batch,).
    """
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(tokens, logits)
    return tf.reduce_sum(each, axis=1)


def top_k_filter(logits: Array, k: int) -> tf.Tensor:
    """Returns logits of which only the k largest are left; the others are minus infinity.

    Args:
        logits: Shape (batch, V), float.
        k: From 1 to V. Of equal logits those with lower indices are kept.

    Returns:
        Shape (batch, V).

    References:
        [F18, section 5.4].
    """
    logits = tf.convert_to_tensor(logits)
    # A stable sort keeps the order of equal ones.
    ranks = tf.argsort(tf.argsort(-logits, stable=True), stable=True)
    return tf.where(ranks < k, logits, tf.constant(-np.inf, logits.dtype))


def temperature_scale(logits: Array, temperature: float) -> tf.Tensor:
    """Returns logits of a distribution that is sharper below temperature 1 and flatter above.

    Args:
        logits: Shape (…, V), float.
        temperature: More than 0.
    """
    return tf.convert_to_tensor(logits) / temperature


def sample_autoregressive(
    logits_function: Logits,
    shape: Sequence[int],
    rng: tf.random.Generator,
    temperature: float = 1.0,
    top_k: int | None = None,
    initial: Array | None = None,
    observed: Array | None = None,
) -> tf.Tensor:
    r"""Returns sequences drawn one position after another.

    .. math:: x_t \sim \mathrm{softmax}(\text{logits}(x_{<t}) / \text{temperature})

    Args:
        logits_function: Maps tokens (batch, T) to logits (batch, T, V); those of a position
            depend on tokens before it only.
        shape: (batch, T).
        rng: Source of all draws.
        temperature: As for `temperature_scale`.
        top_k: As k of `top_k_filter`, after the temperature; None for all.
        initial: Tokens that the observed positions hold. Shape (batch, T), int.
        observed: Which positions are known, and stay. Shape (batch, T), bool; None for none.

    Returns:
        Tokens. Shape (batch, T), int32.
    """
    batch, length = shape
    zeros = tf.zeros((batch, length), tf.int32)
    given = zeros if initial is None else tf.cast(initial, tf.int32)
    known = tf.zeros((batch, length), tf.bool) if observed is None else tf.cast(observed, tf.bool)
    tokens = given
    for t in range(length):
        logits = temperature_scale(logits_function(tokens)[:, t], temperature)
        if top_k is not None:
            logits = top_k_filter(logits, top_k)
        # The largest of logits with Gumbel noise has the law of the softmax.
        uniform = rng.uniform(tf.shape(logits), minval=1e-12, dtype=tf.float64)
        gumbel = tf.cast(-tf.math.log(-tf.math.log(uniform)), logits.dtype)
        drawn = tf.argmax(logits + gumbel, axis=-1, output_type=tf.int32)
        column = tf.where(known[:, t], given[:, t], drawn)
        tokens = tf.concat([tokens[:, :t], column[:, tf.newaxis], tokens[:, t + 1 :]], axis=1)
    return tokens


def _starting(seed: int) -> Callable[[tuple[int, ...]], tf.Variable]:
    """Returns what makes kernels, each with a normal start of variance 1 / inputs."""
    rng = np.random.default_rng(seed)

    def kernel(shape: tuple[int, ...]) -> tf.Variable:
        spread = 1.0 / math.sqrt(math.prod(shape[:-1]))
        return tf.Variable(tf.cast(spread * rng.normal(size=shape), tf.float32))

    return kernel


def made(D: int, hidden: Sequence[int], seed: int) -> tuple[list[tf.Variable], Logits]:
    """Returns the variables of a MADE with the order of its entries, and its logits.

    Args:
        D: Number of entries.
        hidden: Widths of the hidden layers.
        seed: Of weights and masks.
    """
    kernel, widths = _starting(seed), [D, *hidden, D]
    masks = made_masks(D, hidden, np.arange(D), np.random.default_rng(seed))
    weights = [(kernel(shape), tf.Variable(tf.zeros(shape[1]))) for shape in pairwise(widths)]
    return [v for layer in weights for v in layer], lambda x: _made_logits(x, weights, masks)


def pixelcnn(
    side: int, n_layers: int, channels: int, seed: int
) -> tuple[list[tf.Variable], Logits]:
    """Returns the variables of a PixelCNN for binary images of one colour, and its logits.

    A 5x5 layer of type A, residual 3x3 layers of type B, a 1x1 layer; relu in between.

    Args:
        side: Height and width of the images, which come as rows of side x side pixels.
        n_layers: Number of layers of type B.
        channels: Of the hidden layers.
        seed: Of the weights.
    """
    kernel = _starting(seed)
    shapes = [(5, 5, 1, channels), *[(3, 3, channels, channels)] * n_layers, (1, 1, channels, 1)]
    masks = [pixelcnn_mask(*shape, 1, "B" if n else "A") for n, shape in enumerate(shapes)]
    layers = [(kernel(shape), tf.Variable(tf.zeros(shape[-1]))) for shape in shapes]

    def logits(x: Array) -> tf.Tensor:
        hidden = masked_conv(tf.reshape(x, (-1, side, side, 1)), *layers[0], masks[0])
        for layer, mask in zip(layers[1:-1], masks[1:-1], strict=True):
            hidden += masked_conv(tf.nn.relu(hidden), *layer, mask)
        out = masked_conv(tf.nn.relu(hidden), *layers[-1], masks[-1])
        return tf.reshape(out, (-1, side * side))

    return [v for layer in layers for v in layer], logits


def transformer(
    length: int, n_tokens: int, n_layers: int, width: int, n_heads: int, seed: int
) -> tuple[list[tf.Variable], Logits]:
    """Returns the variables of a causal transformer, and its logits (batch, T, V) of tokens.

    Token and position are embedded; each layer adds attention and a network of two layers, each
    after its input has been normalised.

    Args:
        length: T.
        n_tokens: V; the start is one more token.
        n_layers: Number of layers.
        width: Of the embedding, a multiple of `n_heads`.
        n_heads: Heads of each layer.
        seed: Of the weights.
    """
    kernel = _starting(seed)
    # Of variance 1: where positions differ little, attention does not tell them apart for long.
    words, places = (
        tf.Variable(tf.reshape(kernel((1, count * width)), (count, width)))
        for count in (n_tokens + 1, length)
    )
    shapes = [(width, width)] * 4 + [(width, 2 * width), (2 * width, width)]
    blocks = [[kernel(shape) for shape in shapes] for _ in range(n_layers)]
    out = kernel((width, n_tokens))

    def normalised(x: tf.Tensor) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-5)

    def logits(tokens: Array) -> tf.Tensor:
        x = tf.gather(words, shift_right(tf.cast(tokens, tf.int32), n_tokens)) + places
        for *attention, up, down in blocks:
            x += causal_attention(normalised(x), *attention, n_heads)
            x += tf.matmul(tf.nn.relu(tf.matmul(normalised(x), up)), down)
        return tf.matmul(normalised(x), out)

    return [words, places, *(v for block in blocks for v in block), out], logits


def train_autoregressive(
    log_prob: Callable[[tf.Tensor], tf.Tensor],
    variables: Sequence[tf.Variable],
    images: Array,
    epochs: int,
    batch_size: int = 50,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> None:
    """Raises the mean log-probability of images by Adam, with a rate that falls to zero.

    Args:
        log_prob: Maps images (batch, D) to their log-probabilities (batch,).
        variables: What is learned, in place.
        images: Shape (row, D), float32.
        epochs: Passes over the images.
        batch_size: Rows per step; the last rows of a pass may be left out.
        learning_rate: At the beginning; it falls along half a cosine.
        seed: Of the order.
    """
    images = tf.convert_to_tensor(images)
    rng, n_batches = tf.random.Generator.from_seed(seed), images.shape[0] // batch_size
    schedule = tf.keras.optimizers.schedules.CosineDecay(learning_rate, epochs * n_batches)
    optimizer = tf.keras.optimizers.Adam(schedule)
    optimizer.build(variables)

    @tf.function
    def epoch() -> None:
        order = tf.argsort(rng.uniform((images.shape[0],)))[: n_batches * batch_size]
        for rows in tf.reshape(order, (n_batches, batch_size)):
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(log_prob(tf.gather(images, rows)))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for _ in range(epochs):
        epoch()
