"""Measures GANs on the ring of eight modes and on the 8x8 digits.

    python tests/reference/measure_gan.py --seeds 5

Prints a Markdown table: of each figure the mean, the standard deviation over the seeds, and the
range. The results, and what is made of them, are in docs/reference_numbers.md.
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

from reference import data, gan
from tests.reference.measure_applications import DIGITS, OBSERVED, imputation, measured

N_POINTS = 2000
STARTS, STEPS, PRIOR_WEIGHT = 8, 200, 0.5
RING = data.ring()


def modes(generator: tf.keras.Model, name: str) -> dict[str, float]:
    """Returns how 2,000 generated points spread over the modes; near is within 0.6."""
    z = np.random.default_rng(1).normal(size=(N_POINTS, 8)).astype(np.float32)
    distance = np.linalg.norm(generator(z).numpy()[:, np.newaxis] - RING.means, axis=2)
    near = distance.min(axis=1) < 0.6
    counts = np.bincount(distance.argmin(axis=1)[near], minlength=8)
    return {
        f"{name}: modes with at least 20 points": np.sum(counts >= 20),
        f"{name}: fewest points near a mode": counts.min(),
        f"{name}: most points near a mode": counts.max(),
        f"{name}: share of points near a mode": near.mean(),
    }


def inpainted(generator: tf.keras.Model, seed: int) -> np.ndarray:
    """Returns the test images, missing pixels filled in from the best of several starts."""
    x, latent = tf.constant(DIGITS.test), generator.input_shape[1]

    @tf.function
    def descended(z: tf.Tensor) -> tuple[tf.Tensor, ...]:
        filled, z = gan.gan_inpaint(generator, x, OBSERVED, z, 20, 0.05, PRIOR_WEIGHT)
        misfit = tf.reduce_sum(tf.where(OBSERVED, x - generator(z), 0.0) ** 2, axis=1)
        return filled, z, misfit + 0.5 * PRIOR_WEIGHT * tf.reduce_sum(z**2, axis=1)

    best, lowest = np.zeros_like(DIGITS.test), np.full(len(DIGITS.test), np.inf)
    rng = np.random.default_rng(seed)
    for _ in range(STARTS):
        z = tf.constant(rng.normal(size=(len(DIGITS.test), latent)), tf.float32)
        for _ in range(STEPS // 20):
            filled, z, objective = descended(z)
        better = objective.numpy() < lowest
        best[better], lowest[better] = filled.numpy()[better], objective.numpy()[better]
    return best


def row(seed: int) -> dict[str, float]:
    """Trains with this seed and returns all figures."""
    x = RING.sample(10_000, np.random.default_rng(seed)).astype(np.float32)
    figures = {}
    for name, train in (("GAN", gan.train_gan), ("WGAN-GP", gan.train_wgan)):
        generator = gan.network((8, 128, 128, 2), 2 * seed)
        begun = time.perf_counter()
        train(x, generator, gan.network((2, 128, 128, 1), 2 * seed + 1), seed=seed)
        figures[f"{name}: seconds"] = time.perf_counter() - begun
        figures |= modes(generator, name)
    generator = gan.network((16, 128, 128, 64), 2 * seed, last="sigmoid")
    critic = gan.network((64, 128, 128, 1), 2 * seed + 1)
    begun = time.perf_counter()
    gan.train_wgan(DIGITS.train, generator, critic, batch_size=100, penalty_weight=10.0, seed=seed)
    figures["digits: seconds"] = time.perf_counter() - begun
    error, surprise = imputation(inpainted(generator, seed))
    figures["digits: bit error, bottom half"] = error
    figures["digits: cross-entropy, bottom half"] = surprise
    return figures


if __name__ == "__main__":
    measured(row, __doc__.splitlines()[0])
