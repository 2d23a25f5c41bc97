"""Measures the machine on the 8x8 digits: likelihoods, partition functions, applications.

    python tests/reference/measure_rbm.py --seeds 10

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
from scipy.special import logsumexp

from reference import data, rbm
from tests.reference.measure_applications import DIGITS, OBSERVED, detection, imputation, measured

N_HIDDEN = 16
# The short run is what a check can afford that calls a student's step 4,200 times.
RUNS = {
    "PCD-1": {},
    "PCD-1, 60 epochs": {"epochs": 60},
    "CD-1": {"persistent": False},
}
# One pixel counts as on, and one as off, beside the data.
PIXEL_MEANS = (DIGITS.train.sum(axis=0, dtype=np.float64) + 1) / (len(DIGITS.train) + 2)

Parameters = tuple[tf.Tensor, tf.Tensor, tf.Tensor]


def independent_log_prob(v: np.ndarray) -> np.ndarray:
    """Returns the log-probability under independent pixels. Shape (batch,)."""
    return v @ np.log(PIXEL_MEANS) + (1 - v) @ np.log1p(-PIXEL_MEANS)


def mixture_log_prob(v: np.ndarray, n_components: int, seed: int) -> np.ndarray:
    """Returns the log-probability under a mixture of Bernoullis, trained by 100 steps of EM."""
    train = DIGITS.train.astype(np.float64)
    share = np.random.default_rng(seed).dirichlet(np.ones(n_components), size=len(train))
    for _ in range(100):
        count = share.sum(axis=0)[:, np.newaxis]
        means = (share.T @ train + 0.1) / (count + 0.2)
        # A component may die out.
        log_weights = np.log(count[:, 0] + 1e-12)

        def log_terms(
            rows: np.ndarray, means: np.ndarray = means, log_weights: np.ndarray = log_weights
        ) -> np.ndarray:
            log_probs = rows @ np.log(means).T + (1 - rows) @ np.log1p(-means).T
            return log_probs + log_weights - logsumexp(log_weights)

        terms = log_terms(train)
        share = np.exp(terms - logsumexp(terms, axis=1, keepdims=True))
    return logsumexp(log_terms(v), axis=1)


def nearest_neighbours() -> np.ndarray:
    """Returns, for each test image, the training image with the most similar upper half."""
    test, train = DIGITS.test[:, :32], DIGITS.train[:, :32]
    differences = np.abs(test[:, np.newaxis] - train).sum(axis=2)
    return DIGITS.train[differences.argmin(axis=1)]


def baselines(seed: int) -> dict[str, float]:
    """Returns the figures of what any model should beat."""
    figures = {
        "independent pixels: test nats": independent_log_prob(DIGITS.test).mean(),
        "mixture of 50: test nats": mixture_log_prob(DIGITS.test, 50, seed).mean(),
    }
    guesses = {"column mean": np.tile(PIXEL_MEANS, (len(DIGITS.test), 1))}
    guesses["1-NN"] = nearest_neighbours()
    for name, guess in guesses.items():
        error, cross_entropy = imputation(guess)
        figures[f"{name}: bit error, bottom half"] = error
        figures[f"{name}: cross-entropy, bottom half"] = cross_entropy
    areas = detection(lambda v: -independent_log_prob(v), seed)
    return figures | {f"independent pixels: {name}": area for name, area in areas.items()}


def trained(label: str, seed: int) -> tuple[dict[str, float], Parameters]:
    """Returns likelihoods and seconds of one training run, and its parameters, float64."""
    start = time.perf_counter()
    parameters = rbm.train_rbm(DIGITS.train, N_HIDDEN, seed=seed, **RUNS[label])
    seconds = time.perf_counter() - start
    parameters = tuple(tf.cast(array, tf.float64) for array in parameters)
    figures = {
        f"{label}: {name} nats": float(np.mean(rbm.rbm_log_prob(v.astype(float), *parameters)))
        for name, v in (("test", DIGITS.test), ("train", DIGITS.train))
    }
    return figures | {f"{label}: seconds": seconds}, parameters


def of_the_machine(parameters: Parameters, seed: int) -> dict[str, float]:
    """Returns errors of AIS, and the figures of the applications."""
    rng = tf.random.Generator.from_seed(seed)
    exact, b0 = rbm.exact_log_partition(*parameters), np.log(PIXEL_MEANS / (1 - PIXEL_MEANS))
    figures = {"log Z": float(exact)}
    for n_betas in (100, 1000):
        betas = np.linspace(0, 1, n_betas)
        log_z, _ = rbm.ais_log_partition(*parameters, b0, betas, 100, rng)
        figures[f"AIS error, {n_betas} betas, 100 runs"] = float(log_z - exact)
    test = DIGITS.test.astype(float)
    guess = rbm.rbm_impute(test, OBSERVED, *parameters, 100, 400, rng).numpy()
    error, cross_entropy = imputation(guess)
    figures["Gibbs mean: bit error, bottom half"] = error
    figures["Gibbs mean: cross-entropy, bottom half"] = cross_entropy
    areas = detection(lambda v: rbm.rbm_anomaly_score(v.astype(float), *parameters).numpy(), seed)
    return figures | {f"free energy: {name}": area for name, area in areas.items()}


def bars_and_stripes(seed: int, persistent: bool) -> float:
    """Returns the exact nats per image of 3x3 bars and stripes, as the check of `pcd_step` does.

    20 hidden units, 300 chains, 200 steps on all 14 images at once, float64.
    """
    images = tf.constant(data.bars_and_stripes(3)[0], tf.float64)
    draws, rng = np.random.default_rng(seed), tf.random.Generator.from_seed(seed)
    start = 0.3 * draws.normal(size=(9, 20)), np.zeros(9), np.zeros(20)
    parameters = tuple(tf.constant(array) for array in start)
    chain = tf.constant(draws.integers(0, 2, (300, 9)), tf.float64)
    step = tf.function(rbm.pcd_step, reduce_retracing=True)
    for number in range(200):
        rate = tf.constant(1.5 * (1 - number / 200), tf.float64)
        begin = chain if persistent else images
        parameters, moved = step(parameters, begin, images, 1, rate, rng)
        chain = moved if persistent else chain
    return float(tf.reduce_mean(rbm.rbm_log_prob(images, *parameters)))


def row(seed: int) -> dict[str, float]:
    """Returns all figures of one seed."""
    figures = baselines(seed)
    for label in RUNS:
        likelihoods, parameters = trained(label, seed)
        figures |= likelihoods
        if label == "PCD-1":
            figures |= of_the_machine(parameters, seed)
    figures["PCD-1: nats, bars and stripes"] = bars_and_stripes(seed, persistent=True)
    figures["CD-1: nats, bars and stripes"] = bars_and_stripes(seed, persistent=False)
    return figures


if __name__ == "__main__":
    measured(row, __doc__.partition("\n")[0])
