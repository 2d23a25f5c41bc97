"""Measures diffusion on the 8x8 digits: loss, imputation, guidance, and fewer steps on a ring.

    python tests/reference/measure_diffusion.py --seeds 10

Prints a Markdown table: of each figure the mean, the standard deviation over the seeds, and the
range. The settings are those of the notebook.
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
from sklearn.linear_model import LogisticRegression

from reference import diffusion
from tests.reference.measure_applications import DIGITS, OBSERVED, imputation, measured

DIGIT_SCHEDULE = diffusion.linear_schedule(30, 0.03, 0.4)
RING_SCHEDULE = diffusion.linear_schedule(100, 1e-3, 0.2)
N_CHAINS = 10
ROUNDS = (1, 8)
GUIDANCE = (0.0, 1.0, 4.0)
STEPS = (5, 10, 20, 100)


def ring(count: int, rng: np.random.Generator) -> np.ndarray:
    """Returns points near eight places on a circle of radius 2, deviation 0.15."""
    angle = np.pi / 4 * rng.integers(0, 8, count)
    points = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (points + 0.15 * rng.normal(size=(count, 2))).astype(np.float32)


def energy_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Returns 2 E|a - b| - E|a - a'| - E|b - b'|."""

    def mean(u: np.ndarray, v: np.ndarray) -> float:
        return float(np.linalg.norm(u[:, np.newaxis] - v, axis=2).mean())

    n, m = len(a), len(b)
    return 2 * mean(a, b) - mean(a, a) * n / (n - 1) - mean(b, b) * m / (m - 1)


def of_the_ring(seed: int) -> dict[str, float]:
    """Returns figures of a model of the ring."""
    rng, generator = np.random.default_rng(seed), tf.random.Generator.from_seed(seed)
    start = time.perf_counter()
    labelled = diffusion.train_diffusion(
        ring(4000, rng), np.zeros(4000), RING_SCHEDULE, steps=3000, batch_size=256, seed=seed
    )
    figures = {"ring: seconds": time.perf_counter() - start}

    def model(x: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        return labelled(x, t, 0 * t)

    other = ring(2000, rng)
    figures["ring: 1000 energy distance, data"] = 1e3 * energy_distance(ring(2000, rng), other)
    for eta in (0.0, 1.0):
        for steps in STEPS:
            x = diffusion.sample_ddim(
                model, generator.normal((2000, 2)), steps, RING_SCHEDULE, generator, eta
            )
            name = f"ring: 1000 energy distance, eta {eta:g}, {steps} steps"
            figures[name] = 1e3 * energy_distance(x.numpy(), other)
    return figures


def row(seed: int) -> dict[str, float]:
    """Returns all figures of one seed."""
    figures = of_the_ring(seed)
    rng = tf.random.Generator.from_seed(seed)
    train, test = (2 * x.astype(np.float32) - 1 for x in (DIGITS.train, DIGITS.test))
    start = time.perf_counter()
    labelled = diffusion.train_diffusion(
        train, DIGITS.train_labels, DIGIT_SCHEDULE, 11, 0.5, 192, True, 5000, seed=seed
    )
    figures["digits: seconds"] = time.perf_counter() - start

    def model(x: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        return labelled(x, t, 0 * t + 10)

    for name, x in (("train", train), ("test", test)):
        losses = [
            diffusion.ddpm_loss(
                model, x, tf.fill((len(x),), t), rng.normal(x.shape), DIGIT_SCHEDULE
            )
            for t in range(30)
        ]
        figures[f"digits: {name} loss"] = float(np.mean(losses))

    classifier = LogisticRegression(max_iter=1000).fit(DIGITS.train, DIGITS.train_labels)
    y = np.repeat(np.arange(10), 20).astype(np.int32)
    for guidance in GUIDANCE:

        def guided(x: tf.Tensor, t: tf.Tensor, w: float = guidance) -> tf.Tensor:
            return diffusion.cfg_eps(labelled, x, t, y, w, 10)

        x = diffusion.sample_ddpm(guided, (200, 64), DIGIT_SCHEDULE, rng).numpy()
        bits = (x > 0).reshape(10, 20, 64)
        hits = classifier.predict(bits.reshape(200, 64)) == y
        figures[f"guidance {guidance:g}: right label"] = hits.mean()
        figures[f"guidance {guidance:g}: spread"] = bits.std(axis=1).mean()

    many = np.tile(test, (N_CHAINS, 1)), np.tile(OBSERVED, (N_CHAINS, 1))
    for rounds in ROUNDS:
        start = time.perf_counter()
        filled = diffusion.repaint(model, *many, DIGIT_SCHEDULE, rounds, rng)
        figures[f"repaint, {rounds} rounds: seconds"] = time.perf_counter() - start
        count = (filled.numpy() > 0).reshape(N_CHAINS, -1, 64).sum(axis=0)
        chance = (count + 1) / (N_CHAINS + 2)
        error, cross_entropy = imputation(chance)
        figures[f"repaint, {rounds} rounds: bit error, bottom half"] = error
        figures[f"repaint, {rounds} rounds: cross-entropy, bottom half"] = cross_entropy
    return figures


if __name__ == "__main__":
    measured(row, __doc__.partition("\n")[0])
