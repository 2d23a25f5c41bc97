r"""Small data: binary digits and what can be damaged in them, densities in the plane, spins.

Nothing is downloaded, and what can be known exactly is. Each distribution of the plane has
`sample`, whose draws are independent, and `log_prob`, in nats; bars-and-stripes and Ising models
come as all their states with the probability of each. `rng` is a `numpy.random.Generator`.

Read in this order: digits, their corruptions, distributions of the plane, enumerated states.

Notation:
    v                (batch, 64), float32, values in {0, 1}; the rows of an 8x8 image, joined
    x                (batch, 2), float64
    states           (state, unit), float64
    probabilities    (state,), float64, sums to 1

References:
    [O44] Onsager, Crystal Statistics I, Physical Review 65:117, 1944.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp
from sklearn.datasets import load_digits

__all__ = [
    "Checkerboard",
    "Digits",
    "GaussianMixture",
    "NoisyCurves",
    "Pinwheel",
    "bars_and_stripes",
    "binary_digits",
    "bottom_half_missing",
    "checkerboard",
    "draw_states",
    "flip_pixels",
    "gaussian",
    "grid",
    "independent_pixels",
    "ising",
    "join_halves",
    "make_split",
    "moons",
    "pinwheel",
    "read_split",
    "ring",
    "spiral",
    "upside_down",
    "write_split",
]

N_DIGITS = 1797
N_TRAIN = 1400
SPLIT_SEED = 2024
SIDE = 8


class Digits(NamedTuple):
    """Images, float32 (batch, 64) with values in {0, 1}, and their labels, int64 (batch,)."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def make_split() -> np.ndarray:
    """Returns the course's permutation of the 1,797 digits: 1,400 to train, then 397 to test."""
    return np.random.default_rng(SPLIT_SEED).permutation(N_DIGITS)


def write_split(path: Path) -> None:
    """Writes the permutation as text, one number a line, to lie beside a notebook."""
    np.savetxt(path, make_split(), fmt="%d")


def read_split(path: Path) -> np.ndarray:
    """Returns the permutation that `write_split` wrote. Shape (1797,), int64.

    Raises:
        ValueError: If the file holds no permutation of 0 to 1796.
    """
    split = np.loadtxt(path, dtype=np.int64, ndmin=1)
    if not np.array_equal(np.sort(split), np.arange(N_DIGITS)):
        raise ValueError(
            f"{path} must hold each number from 0 to {N_DIGITS - 1} once. Received: "
            f"{split.size} numbers, {np.unique(split).size} different ones"
        )
    return split


def binary_digits(split: np.ndarray | None = None) -> Digits:
    """Returns scikit-learn's 8x8 digits with pixels on where the grey level exceeds 7.5 of 16.

    Args:
        split: A permutation of the digits; `make_split()` where none is given.
    """
    split = make_split() if split is None else split
    grey, labels = load_digits(return_X_y=True)
    v, labels = (grey > 7.5).astype(np.float32)[split], labels.astype(np.int64)[split]
    return Digits(v[:N_TRAIN], labels[:N_TRAIN], v[N_TRAIN:], labels[N_TRAIN:])


def bottom_half_missing(count: int) -> np.ndarray:
    """Returns which pixels are observed: the upper four of eight rows. Shape (count, 64), bool."""
    return np.tile(np.arange(SIDE * SIDE) < SIDE * SIDE // 2, (count, 1))


def flip_pixels(v: np.ndarray, probability: float, rng: np.random.Generator) -> np.ndarray:
    """Returns `v` with each pixel exchanged, 0 for 1 and 1 for 0, with this probability."""
    return np.where(rng.random(v.shape) < probability, 1 - v, v).astype(v.dtype)


def upside_down(v: np.ndarray) -> np.ndarray:
    """Returns the images turned by half a turn: the last pixel becomes the first."""
    return v[:, ::-1].copy()


def join_halves(v: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns, for each image, its upper half over the lower half of one with another label.

    Raises:
        ValueError: If all labels are the same.
    """
    if np.unique(labels).size < 2:
        raise ValueError(f"labels must hold two different ones. Received: {np.unique(labels)}")
    partner = np.array([rng.choice(np.flatnonzero(labels != label)) for label in labels])
    return np.where(bottom_half_missing(len(v)), v, v[partner])


def independent_pixels(v: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Returns images whose pixels have the means of `v` and no other relation.

    Shape (count, pixel), dtype of `v`.
    """
    return (rng.random((count, v.shape[1])) < v.mean(axis=0)).astype(v.dtype)


@dataclass(frozen=True)
class GaussianMixture:
    r"""Equally probable normal distributions, :math:`\tfrac1K \sum_k N(x \mid m_k, L_k L_k^\top)`.

    Attributes:
        means: Shape (component, 2).
        factors: A square root of each covariance, :math:`L_k`. Shape (component, 2, 2).
    """

    means: np.ndarray
    factors: np.ndarray

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Returns independent draws. Shape (count, 2)."""
        component = rng.integers(len(self.means), size=count)
        noise = rng.standard_normal((count, 2))
        return self.means[component] + np.einsum("bij,bj->bi", self.factors[component], noise)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Returns the log density in nats. Shape (batch,)."""
        centred = x[:, np.newaxis] - self.means
        standard = np.einsum("kij,bkj->bki", np.linalg.inv(self.factors), centred)
        log_volume = np.log(np.abs(np.linalg.det(self.factors)))
        log_terms = -0.5 * (standard**2).sum(-1) - log_volume
        return logsumexp(log_terms, axis=1) - np.log(2 * np.pi * len(self.means))


@dataclass(frozen=True)
class Pinwheel:
    """A mixture whose points are turned about the origin by an angle that grows with the radius.

    A turn that depends on the radius alone keeps areas, so the density is the mixture's.

    Attributes:
        mixture: The distribution before the turn.
        rate: Angle per unit of radius, in radians.
    """

    mixture: GaussianMixture
    rate: float

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Returns independent draws. Shape (count, 2)."""
        return _turned(self.mixture.sample(count, rng), self.rate)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Returns the log density in nats. Shape (batch,)."""
        return self.mixture.log_prob(_turned(x, -self.rate))


def _turned(x: np.ndarray, rate: float) -> np.ndarray:
    angle = rate * np.linalg.norm(x, axis=1)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([cosine * x[:, 0] - sine * x[:, 1], sine * x[:, 0] + cosine * x[:, 1]], 1)


@dataclass(frozen=True)
class NoisyCurves:
    r"""Equally probable curves, uniform in t, with normal noise in both coordinates.

    .. math:: p(x) = \tfrac1K \sum_k \int_0^1 N\bigl(x \mid f_k(t), \sigma^2 I\bigr)\, dt

    The integral is a Gauss-Legendre sum, which for these smooth curves is exact to ten digits.

    Attributes:
        curves: Each maps t, shape (n,), values in [0, 1], to points, shape (n, 2).
        std: Standard deviation of the noise, :math:`\sigma`.
    """

    curves: tuple[Callable[[np.ndarray], np.ndarray], ...]
    std: float

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Returns independent draws. Shape (count, 2)."""
        t = rng.random(count)
        points = np.stack([curve(t) for curve in self.curves])
        which = rng.integers(len(self.curves), size=count)
        return points[which, np.arange(count)] + self.std * rng.standard_normal((count, 2))

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Returns the log density in nats. Shape (batch,)."""
        nodes, weights = _quadrature()
        points = np.concatenate([curve((nodes + 1) / 2) for curve in self.curves])
        weights = np.tile(weights / 2 / len(self.curves), len(self.curves))
        squares = ((x[:, np.newaxis] - points) ** 2).sum(-1)
        log_terms = -0.5 * squares / self.std**2 - np.log(2 * np.pi * self.std**2)
        return logsumexp(log_terms, axis=1, b=weights)


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Returns nodes and weights of the integral from -1 to 1."""
    return np.polynomial.legendre.leggauss(300)


@dataclass(frozen=True)
class Checkerboard:
    """Uniform on the dark fields of a 4x4 board that covers [-2, 2) x [-2, 2)."""

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Returns independent draws. Shape (count, 2)."""
        row, pair = rng.integers(4, size=count), rng.integers(2, size=count)
        corner = np.stack([row - 2, 2 * pair + row % 2 - 2], axis=1)
        return corner + rng.random((count, 2))

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Returns the log density in nats, minus infinity on light fields. Shape (batch,)."""
        field = np.floor(x)
        dark = (field.sum(axis=1) % 2 == 0) & (field >= -2).all(axis=1) & (field < 2).all(axis=1)
        return np.where(dark, -np.log(8.0), -np.inf)


def gaussian() -> GaussianMixture:
    """Returns a normal distribution with mean (1, -0.5), variances 1 and 2.25, correlation 0.6."""
    factor = np.linalg.cholesky([[1.0, 0.9], [0.9, 2.25]])
    return GaussianMixture(np.array([[1.0, -0.5]]), factor[np.newaxis])


def ring() -> GaussianMixture:
    """Returns eight modes of standard deviation 0.2 on a circle of radius 2."""
    angle = 2 * np.pi * np.arange(8) / 8
    return _round_modes(2 * np.stack([np.cos(angle), np.sin(angle)], axis=1), 0.2)


def grid() -> GaussianMixture:
    """Returns 25 modes of standard deviation 0.1, at the integers from -2 to 2 on both axes."""
    axis = np.arange(-2.0, 3.0)
    return _round_modes(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(25, 2), 0.1)


def _round_modes(means: np.ndarray, std: float) -> GaussianMixture:
    return GaussianMixture(means, np.tile(std * np.eye(2), (len(means), 1, 1)))


def pinwheel() -> Pinwheel:
    """Returns five arms, each a flat normal distribution bent into a blade."""
    angle = 2 * np.pi * np.arange(5) / 5
    outwards = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    across = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    factors = np.stack([0.4 * outwards, 0.12 * across], axis=2)
    return Pinwheel(GaussianMixture(1.5 * outwards, factors), rate=0.8)


def spiral() -> NoisyCurves:
    """Returns a spiral of one and a half turns and outer radius 2, noise 0.1."""

    def curve(t: np.ndarray) -> np.ndarray:
        angle = 3 * np.pi * t
        return 2 * t[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    return NoisyCurves((curve,), 0.1)


def moons() -> NoisyCurves:
    """Returns two half circles, one upside down within the other's reach, noise 0.1.

    The angle along the arc is random, which scikit-learn's moons, equally spaced, are not: two
    batches of those are not independent.
    """

    def upper(t: np.ndarray) -> np.ndarray:
        return np.stack([np.cos(np.pi * t), np.sin(np.pi * t)], axis=1)

    def lower(t: np.ndarray) -> np.ndarray:
        return np.array([1.0, 0.5]) - upper(t)

    return NoisyCurves((upper, lower), 0.1)


def checkerboard() -> Checkerboard:
    """Returns the uniform distribution on the eight dark fields of a 4x4 board."""
    return Checkerboard()


def bars_and_stripes(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns all images made of full rows or of full columns, and how probable each is.

    A coin decides between rows and columns, then one for each of them whether it is on. The all-on
    and all-off images come about both ways and are twice as probable.

    Returns:
        states, values in {0, 1}, shape (2 * 2**side - 2, side**2), and probabilities.
    """
    lines = _binary_numbers(side)
    rows = np.repeat(lines, side, axis=1)
    columns = np.tile(lines, (1, side))
    states, counts = np.unique(np.concatenate([rows, columns]), axis=0, return_counts=True)
    return states, counts / counts.sum()


def ising(side: int, temperature: float) -> tuple[np.ndarray, np.ndarray, float]:
    r"""Returns all states of a square Ising model, how probable each is, and log Z.

    .. math:: p(s) = e^{-E(s) / T} / Z, \quad E(s) = -\sum_{\langle i, j \rangle} s_i s_j

    The sum runs over each site with its right and its lower neighbour; the edges are joined. [O44]

    Returns:
        states, values in {-1, 1}, shape (2**(side**2), side**2), probabilities, and log Z in nats.

    Raises:
        ValueError: If `side` exceeds 4: there would be more than 65,536 states.
    """
    if not 2 <= side <= 4:
        raise ValueError(f"side must lie in [2, 4]. Received: {side}")
    states = 2 * _binary_numbers(side**2) - 1
    lattice = states.reshape(-1, side, side)
    neighbours = np.roll(lattice, -1, axis=1) + np.roll(lattice, -1, axis=2)
    log_weights = (lattice * neighbours).sum(axis=(1, 2)) / temperature
    log_z = logsumexp(log_weights)
    return states, np.exp(log_weights - log_z), float(log_z)


def draw_states(
    states: np.ndarray, probabilities: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns independent draws of enumerated states. Shape (count, unit)."""
    return states[rng.choice(len(states), size=count, p=probabilities)]


def _binary_numbers(units: int) -> np.ndarray:
    """Returns all states of so many 0/1 units. Shape (2**units, units)."""
    return (np.arange(2**units)[:, np.newaxis] >> np.arange(units)[::-1] & 1).astype(float)
