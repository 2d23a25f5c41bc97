"""Measures deep energies: the ring by its exact likelihood, the 8x8 digits by their applications.

    python tests/reference/measure_deep_ebm.py --seeds 10

Prints a Markdown table: of each figure the mean, the standard deviation over the seeds, and the
range.
"""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import tensorflow as tf

from reference import data, deep_ebm
from tests.reference.measure_applications import (
    DIGITS,
    OBSERVED,
    detection,
    imputation,
    measured,
)

# Pixels become -1 and 1 with this much normal noise: an energy on real numbers has a slope.
JITTER = 0.3
STEP_SIZE = 0.05


def ring(seed: int) -> dict[str, float]:
    """Returns the exact likelihoods of a trained energy, of the truth and of one Gaussian."""
    draws = np.random.default_rng(seed)
    train, test = data.ring().sample(4000, draws), data.ring().sample(4000, draws)
    start = time.perf_counter()
    energy = deep_ebm.energy_network((2, 64, 64), seed, pull=0.2)
    deep_ebm.train_ebm(
        train.astype(np.float32),
        energy,
        1000,
        n_langevin=20,
        step_size=0.02,
        alpha=0.0,
        learning_rate=3e-3,
        seed=seed,
    )
    seconds = time.perf_counter() - start
    log_p, _ = deep_ebm.grid_log_likelihood(energy, test.astype(np.float32))
    centred = test - train.mean(axis=0)
    covariance = np.cov(train.T)
    distance = np.sum(centred @ np.linalg.inv(covariance) * centred, axis=1)
    normal = -0.5 * (distance + np.linalg.slogdet(2 * np.pi * covariance)[1])
    return {
        "ring: seconds": seconds,
        "ring: energy": float(tf.reduce_mean(log_p)),
        "ring: truth": data.ring().log_prob(test).mean(),
        "ring: one Gaussian": normal.mean(),
    }


def digits(seed: int) -> dict[str, float]:
    """Returns what a deep energy on the digits does in the applications."""
    start = time.perf_counter()
    energy = deep_ebm.energy_network((64, 256, 64), seed, pull=0.2)
    deep_ebm.train_ebm(
        2 * DIGITS.train - 1,
        energy,
        1000,
        n_langevin=15,
        step_size=STEP_SIZE,
        learning_rate=3e-3,
        jitter=JITTER,
        seed=seed,
    )
    figures = {"digits: seconds": time.perf_counter() - start}
    rng = tf.random.Generator.from_seed(seed)

    @tf.function
    def rounds(x: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.zeros_like(x)
        for _ in tf.range(count):
            noise = rng.normal((1, *x.shape))
            x = deep_ebm.ebm_inpaint(energy, x, OBSERVED, 1, STEP_SIZE, noise)
            # How probable the state 1 is, of 1 and -1 with this noise.
            total += tf.sigmoid(2 * x / JITTER**2)
        return x, total / tf.cast(count, x.dtype)

    x = np.where(OBSERVED, 2 * DIGITS.test - 1, 0.5 * rng.normal(DIGITS.test.shape))
    x, _ = rounds(tf.constant(x, tf.float32), tf.constant(500))
    _, guess = rounds(x, tf.constant(1000))
    error, cross_entropy = imputation(guess.numpy())
    figures["Langevin mean: bit error, bottom half"] = error
    figures["Langevin mean: cross-entropy, bottom half"] = cross_entropy

    def score(x: np.ndarray) -> np.ndarray:
        return energy((2 * x - 1).astype(np.float32)).numpy()[:, 0]

    return figures | {f"energy: {name}": area for name, area in detection(score, seed).items()}


def row(seed: int) -> dict[str, float]:
    """Returns all figures of one seed."""
    return ring(seed) | digits(seed)


if __name__ == "__main__":
    measured(row, __doc__.partition("\n")[0])
