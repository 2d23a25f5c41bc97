"""What every family is measured by on the binary digits: the same tasks, the same figures."""

import argparse
import sys
from collections.abc import Callable

import numpy as np
from sklearn.metrics import roc_auc_score

from reference import data

__all__ = ["DIGITS", "OBSERVED", "detection", "imputation", "measured"]

# A probability of 0 or 1 that is wrong would cost infinitely many nats.
SMALLEST = 1e-3

DIGITS = data.binary_digits()
OBSERVED = data.bottom_half_missing(len(DIGITS.test))

Score = Callable[[np.ndarray], np.ndarray]


def imputation(guess: np.ndarray) -> tuple[float, float]:
    """Returns the share of missing pixels guessed wrong, and their cross-entropy in nats."""
    v, p = DIGITS.test[~OBSERVED], np.clip(guess[~OBSERVED], SMALLEST, 1 - SMALLEST)
    return ((p > 0.5) != v).mean(), -(v * np.log(p) + (1 - v) * np.log1p(-p)).mean()


def detection(score: Score, seed: int) -> dict[str, float]:
    """Returns the area under the ROC curve for each kind of anomaly, against the test images."""
    rng, normal = np.random.default_rng(seed), DIGITS.test
    anomalies = {
        "10 % flips": data.flip_pixels(normal, 0.1, rng),
        "upside down": data.upside_down(normal),
        "joined halves": data.join_halves(normal, DIGITS.test_labels, rng),
        "independent pixels": data.independent_pixels(DIGITS.train, len(normal), rng),
    }
    truth = np.repeat([0, 1], len(normal))
    return {
        f"AUROC, {name}": roc_auc_score(truth, np.concatenate([score(normal), score(strange)]))
        for name, strange in anomalies.items()
    }


def measured(row: Callable[[int], dict[str, float]], description: str) -> None:
    """Measures once for each seed, and prints a Markdown table of mean, deviation and range."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds, from 0")
    seeds = parser.parse_args().seeds
    if seeds < 2:
        parser.error(f"argument --seeds: at least 2, for a standard deviation. Received: {seeds}")
    rows = []
    for seed in range(seeds):
        print(f"seed {seed}", file=sys.stderr)
        rows.append(row(seed))
    print(f"| figure ({seeds} seeds) | mean | sd | min | max |\n|---|---|---|---|---|")
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        cells = values.mean(), values.std(ddof=1), values.min(), values.max()
        print(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")
