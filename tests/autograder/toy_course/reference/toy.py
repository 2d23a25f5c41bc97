r"""Bernoulli variables by their logit.

.. math:: p = \sigma(\ell) = \frac{1}{1 + e^{-\ell}}, \quad H(p) = -p \log p - (1 - p) \log (1 - p)

All values are in nats.
"""

import numpy as np
from scipy import special

__all__ = ["entropy", "log_sigmoid", "sigmoid"]

Array = np.ndarray | float

# exp(-LARGE) is 0 in float64, so nothing is lost beyond it.
LARGE = 750.0


def _bounded(logit: Array) -> np.ndarray:
    return np.clip(np.asarray(logit), -LARGE, LARGE)


def sigmoid(logit: Array) -> np.ndarray:
    r"""Returns :math:`\sigma(\ell)`, in [0, 1]. Shape and dtype of `logit`."""
    return special.expit(_bounded(logit))


def log_sigmoid(logit: Array) -> np.ndarray:
    r"""Returns :math:`\log \sigma(\ell)`, at most 0, in nats. Shape and dtype of `logit`."""
    return -np.logaddexp(0.0, -np.asarray(logit))


def entropy(logit: Array) -> np.ndarray:
    r"""Returns :math:`H(\sigma(\ell))`, in [0, log 2] nats. Shape and dtype of `logit`."""
    probability = sigmoid(logit)
    return -(probability * log_sigmoid(logit) + (1.0 - probability) * log_sigmoid(-logit))
