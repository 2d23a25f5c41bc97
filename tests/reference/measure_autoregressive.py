"""Measures the autoregressive models on the 8x8 digits: likelihood, applications.

    python tests/reference/measure_autoregressive.py --seeds 10

Prints a Markdown table: of each figure the mean, the standard deviation over the seeds, and the
range. The results, and what is made of them, are in docs/reference_numbers.md. The settings are
those of the notebook, where about a minute must do for all three models.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import tensorflow as tf

from reference import autoregressive
from tests.reference.measure_applications import (
    DIGITS,
    OBSERVED,
    detection,
    imputation,
    measured,
)

# Epochs, learning rate, and how often each half is completed.
SETTINGS = {"MADE": (60, 3e-3, 20), "PixelCNN": (30, 5e-3, 10), "transformer": (20, 1e-2, 10)}

Logits = Callable[[tf.Tensor], tf.Tensor]


def model(name: str, seed: int) -> tuple[list[tf.Variable], Logits]:
    """Returns variables, and logits of all pixels (batch, 64), of images (batch, 64)."""
    if name == "MADE":
        return autoregressive.made(64, [256], seed)
    if name == "PixelCNN":
        return autoregressive.pixelcnn(8, 3, 24, seed)
    variables, logits = autoregressive.transformer(64, 2, 1, 32, 4, seed)

    def of_ones(x: tf.Tensor) -> tf.Tensor:
        both = logits(x)
        return both[..., 1] - both[..., 0]

    return variables, of_ones


def completed(logits: Logits, times: int, rng: tf.random.Generator) -> np.ndarray:
    """Returns the mean over completions of the probabilities with which pixels are drawn."""

    @tf.function
    def of_tokens(tokens: tf.Tensor) -> tf.Tensor:
        ones = logits(tf.cast(tokens, tf.float32))
        return tf.stack([tf.zeros_like(ones), ones], axis=-1)

    given, known = (np.tile(array, (times, 1)) for array in (DIGITS.test, OBSERVED))
    tokens = autoregressive.sample_autoregressive(
        of_tokens, given.shape, rng, initial=given, observed=known
    )
    p = tf.nn.softmax(of_tokens(tokens))[..., 1].numpy()
    return p.reshape(times, *DIGITS.test.shape).mean(axis=0)


def row(seed: int) -> dict[str, float]:
    """Returns all figures of one seed."""
    figures = {}
    for name, (epochs, learning_rate, times) in SETTINGS.items():
        variables, logits = model(name, seed)

        def log_prob(x: tf.Tensor, logits: Logits = logits) -> tf.Tensor:
            return autoregressive.bernoulli_log_prob(x, logits(x))

        start = time.perf_counter()
        autoregressive.train_autoregressive(
            log_prob, variables, DIGITS.train, epochs, 50, learning_rate, seed
        )
        figures[f"{name}: seconds of training"] = time.perf_counter() - start
        for part, x in (("training", DIGITS.train), ("test", DIGITS.test)):
            figures[f"{name}: {part} log-probability"] = float(tf.reduce_mean(log_prob(x)))
        guess = completed(logits, times, tf.random.Generator.from_seed(seed))
        error, cross_entropy = imputation(guess)
        figures[f"{name}: bit error, bottom half"] = error
        figures[f"{name}: cross-entropy, bottom half"] = cross_entropy

        def score(x: np.ndarray, log_prob: Callable = log_prob) -> np.ndarray:
            return -log_prob(x.astype(np.float32)).numpy()

        areas = detection(score, seed)
        figures |= {f"{name}: {kind}": area for kind, area in areas.items()}
    return figures


if __name__ == "__main__":
    measured(row, __doc__.partition("\n")[0])
