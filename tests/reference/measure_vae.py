"""Measures the VAE on the 8x8 digits: bounds, applications, a check's short training.

    python tests/reference/measure_vae.py --seeds 10

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

from reference import vae
from tests.reference.measure_applications import (
    DIGITS,
    OBSERVED,
    detection,
    imputation,
    measured,
)

EPOCHS = (50, 150, 300)
N_LATENT = 8
BETAS = (0.3, 3.0)


def bounds(x: np.ndarray, networks: tuple, rng: tf.random.Generator) -> dict[str, float]:
    """Returns the mean bounds of images, and the divergence."""
    noise = rng.normal((100, len(x), N_LATENT))
    terms = vae.elbo(x, *networks, noise)
    figures = {name: float(tf.reduce_mean(value)) for name, value in terms.items()}
    figures["IW-100"] = float(tf.reduce_mean(vae.iwae_bound(x, *networks, noise)))
    return figures


def imputed(networks: tuple, rng: tf.random.Generator) -> np.ndarray:
    """Returns the mean of 100 chains of 20 rounds, as a guess of the lower half."""
    start = np.where(OBSERVED, DIGITS.test, 0.5).astype(np.float32)
    total = sum(vae.vae_impute(start, OBSERVED, *networks, 20, rng).numpy() for _ in range(100))
    return total / 100


def short(seed: int) -> float:
    """Returns IW-100 of test images after the training that the check of `train_step` makes.

    About 400 steps on batches of 100, Adam from 0.01 along half a cosine, beta 1.
    """
    encoder, decoder = vae.train_vae(
        DIGITS.train, N_LATENT, 64, epochs=29, batch_size=100, learning_rate=0.01, seed=seed
    )
    return bounds(DIGITS.test, (encoder, decoder), tf.random.Generator.from_seed(seed))["IW-100"]


def row(seed: int) -> dict[str, float]:
    """Returns all figures of one seed."""
    rng, figures = tf.random.Generator.from_seed(seed), {}
    for epochs in EPOCHS:
        start = time.perf_counter()
        networks = vae.train_vae(DIGITS.train, N_LATENT, epochs=epochs, seed=seed)
        figures[f"{epochs} epochs: seconds"] = time.perf_counter() - start
        for name, value in bounds(DIGITS.test, networks, rng).items():
            figures[f"{epochs} epochs: test {name}"] = value
    noise = rng.normal((1000, len(DIGITS.test), N_LATENT))
    figures["300 epochs: test IW-1000"] = float(
        tf.reduce_mean(vae.iwae_bound(DIGITS.test, *networks, noise))
    )
    error, cross_entropy = imputation(imputed(networks, rng))
    figures["pseudo-Gibbs mean: bit error, bottom half"] = error
    figures["pseudo-Gibbs mean: cross-entropy, bottom half"] = cross_entropy

    def score(x: np.ndarray) -> np.ndarray:
        noise = rng.normal((100, len(x), N_LATENT))
        return vae.vae_anomaly_score(x.astype(np.float32), *networks, noise).numpy()

    figures |= {f"IW-100: {name}": area for name, area in detection(score, seed).items()}
    for beta in BETAS:
        networks = vae.train_vae(DIGITS.train, N_LATENT, epochs=150, beta=beta, seed=seed)
        terms = bounds(DIGITS.test, networks, rng)
        figures[f"beta {beta:g}: test kl"] = terms["kl"]
        figures[f"beta {beta:g}: test log_px_z"] = terms["log_px_z"]
    return figures | {"short training: test IW-100": short(seed)}


if __name__ == "__main__":
    measured(row, __doc__.partition("\n")[0])
