"""The data: digits and their corruptions, densities in the plane, enumerated states."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from reference import data

PLANES = {
    "gaussian": data.gaussian(),
    "ring": data.ring(),
    "grid": data.grid(),
    "pinwheel": data.pinwheel(),
    "spiral": data.spiral(),
    "moons": data.moons(),
    "checkerboard": data.checkerboard(),
}


@pytest.fixture(scope="module", params=PLANES.values(), ids=PLANES)
def plane(request):
    return request.param


@pytest.fixture(scope="module")
def digits():
    return data.binary_digits()


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def squares(plane):
    """Midpoints of small squares that cover the plane, and the probability of each."""
    # Edges of squares fall on the edges of the board's fields. Beyond, all densities vanish.
    step, reach = 1 / 20, 8.0 if plane is PLANES["gaussian"] else 4.0
    axis = np.arange(-reach, reach, step) + step / 2
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    log_prob = np.concatenate([plane.log_prob(part) for part in np.array_split(points, 20)])
    return points, np.exp(log_prob) * step**2


def test_digits_are_binary_float32_and_split_1400_to_397(digits):
    assert digits.train.shape == (1400, 64)
    assert digits.test.shape == (397, 64)
    assert digits.train.dtype == digits.test.dtype == np.float32
    assert digits.train_labels.dtype == digits.test_labels.dtype == np.int64
    assert set(np.unique(digits.train)) == {0.0, 1.0}


def test_digits_are_all_of_scikit_learns_above_the_middle_grey(digits):
    grey, labels = load_digits(return_X_y=True)
    split = data.make_split()
    joined = np.concatenate([digits.train, digits.test])
    np.testing.assert_array_equal(joined, grey[split] > 7.5)
    joined = np.concatenate([digits.train_labels, digits.test_labels])
    np.testing.assert_array_equal(joined, labels[split])


def test_the_split_never_changes():
    split = data.make_split()
    assert split[:6].tolist() == [1244, 1593, 1167, 1118, 948, 1516]
    assert sorted(split) == list(range(1797))
    # A sum that depends on the order of all.
    assert int((split * np.arange(1797)).sum()) == 1426172577


def test_a_written_split_is_read_back(tmp_path):
    path = tmp_path / "split.txt"
    data.write_split(path)
    np.testing.assert_array_equal(data.read_split(path), data.make_split())
    assert path.read_text().count("\n") == 1797


def test_the_same_split_lies_beside_every_notebook_that_has_one():
    written = list(Path(__file__).parents[2].glob("source/*/digits_split.txt"))
    assert written
    for path in written:
        np.testing.assert_array_equal(data.read_split(path), data.make_split())


@pytest.mark.parametrize("text", ["3\n1\n", "0\n" * 1797, ""])
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_file_that_is_no_permutation_is_refused(tmp_path, text):
    path = tmp_path / "split.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"each number from 0 to 1796 once. Received: "):
        data.read_split(path)


def test_another_split_gives_the_digits_in_another_order(digits):
    reversed_split = data.make_split()[::-1]
    other = data.binary_digits(reversed_split)
    np.testing.assert_array_equal(other.train[:397], digits.test[::-1])


def test_the_bottom_half_is_the_last_four_rows():
    observed = data.bottom_half_missing(3).reshape(3, 8, 8)
    assert observed.dtype == bool
    assert observed[:, :4].all()
    assert not observed[:, 4:].any()


def test_pixels_flip_with_the_probability_given(digits, rng):
    flipped = data.flip_pixels(digits.train, 0.1, rng)
    assert flipped.dtype == np.float32
    assert set(np.unique(flipped)) == {0.0, 1.0}
    changed = (flipped != digits.train).mean()
    assert abs(changed - 0.1) < 5 * np.sqrt(0.1 * 0.9 / digits.train.size)


def test_upside_down_turns_by_half_a_turn(digits):
    turned = data.upside_down(digits.test)
    images = digits.test.reshape(-1, 8, 8)
    np.testing.assert_array_equal(turned.reshape(-1, 8, 8), np.rot90(images, 2, axes=(1, 2)))
    np.testing.assert_array_equal(data.upside_down(turned), digits.test)


def test_joined_halves_come_from_different_digits(rng):
    # Each image repeats its label, so that the halves tell where they are from.
    labels = np.array([0, 1, 2, 2, 1, 0, 2])
    v = np.repeat(labels[:, np.newaxis], 64, axis=1).astype(np.float32)
    joined = data.join_halves(v, labels, rng)
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined[:, :32], v[:, :32])
    assert (joined[:, 32] != labels).all()
    assert (joined[:, 32:] == joined[:, 32:33]).all()


def test_halves_of_one_digit_cannot_be_joined(rng):
    with pytest.raises(ValueError, match=r"two different ones. Received: \[3\]"):
        data.join_halves(np.zeros((2, 64)), np.array([3, 3]), rng)


def test_independent_pixels_keep_the_means_and_nothing_else(digits, rng):
    drawn = data.independent_pixels(digits.train, 20_000, rng)
    assert drawn.dtype == np.float32
    mean = digits.train.mean(axis=0)
    error = np.sqrt(mean * (1 - mean) / 20_000)
    assert (np.abs(drawn.mean(axis=0) - mean) <= 6 * error + 1e-9).all()
    covariance = np.cov(drawn, rowvar=False)
    np.fill_diagonal(covariance, 0.0)
    # Each entry has a standard deviation of at most 1/4 / sqrt(20,000).
    assert np.abs(covariance).max() < 6 * 0.25 / np.sqrt(20_000)


def test_densities_integrate_to_one(squares):
    _, probability = squares
    assert abs(probability.sum() - 1) < 1e-6


def test_draws_have_the_moments_of_the_density(plane, squares, rng):
    points, probability = squares
    x = plane.sample(100_000, rng)
    assert x.shape == (100_000, 2)
    assert x.dtype == np.float64
    for powers in [(1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3)]:
        values = (x**powers).prod(axis=1)
        due = probability @ (points**powers).prod(axis=1)
        # A midpoint stands for its square: on the board's flat fields that costs step**2 / 12.
        assert abs(values.mean() - due) < 5 * values.std() / np.sqrt(len(x)) + 1e-3, powers


def test_draws_fall_into_cells_as_the_density_says(plane, squares, rng):
    points, probability = squares
    count, cells = 50_000, np.linspace(-8, 8, 41)
    due = count * np.histogram2d(*points.T, bins=cells, weights=probability)[0]
    seen = np.histogram2d(*plane.sample(count, rng).T, bins=cells)[0]
    assert (np.abs(seen - due) < 5 * np.sqrt(due) + 5).all()


def test_the_same_generator_gives_the_same_draws(plane):
    first, second, other = (plane.sample(5, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_the_gaussian_has_the_textbook_density():
    from scipy.stats import multivariate_normal

    x = np.array([[0.0, 0.0], [1.0, -0.5], [3.0, 2.0]])
    law = multivariate_normal([1.0, -0.5], [[1.0, 0.9], [0.9, 2.25]])
    np.testing.assert_allclose(data.gaussian().log_prob(x), law.logpdf(x), rtol=1e-12)


@pytest.mark.parametrize("curves", [data.spiral(), data.moons()], ids=["spiral", "moons"])
def test_the_curves_integral_is_exact_to_ten_digits(curves):
    """By the midpoint rule with many nodes, at points on, near and off the curves."""
    t = (np.arange(200_000) + 0.5) / 200_000
    x = np.array([[0.3, 0.2], [1.0, 0.1], [-1.2, 0.9]])
    due = np.zeros(3)
    for curve in curves.curves:
        squares = ((x[:, np.newaxis] - curve(t)) ** 2).sum(-1)
        normal = np.exp(-squares / (2 * curves.std**2)) / (2 * np.pi * curves.std**2)
        due += normal.mean(axis=1) / len(curves.curves)
    np.testing.assert_allclose(np.exp(curves.log_prob(x)), due, rtol=1e-9)


def test_light_fields_of_the_board_have_no_density():
    dark = np.array([[-2.0, -2.0], [-0.5, -0.5], [0.5, 0.5], [-1.5, 0.5]])
    light = np.array([[-0.5, -1.5], [0.5, -0.5], [2.5, 0.5], [3.0, -3.0]])
    assert (data.checkerboard().log_prob(dark) == -np.log(8)).all()
    assert (data.checkerboard().log_prob(light) == -np.inf).all()


@pytest.mark.parametrize(("side", "count"), [(3, 14), (4, 30)])
def test_bars_and_stripes_are_full_rows_or_full_columns(side, count):
    states, probabilities = data.bars_and_stripes(side)
    assert states.shape == (count, side**2)
    assert len(np.unique(states, axis=0)) == count
    images = states.reshape(-1, side, side)
    of_rows = (images == images[:, :, :1]).all(axis=(1, 2))
    of_columns = (images == images[:, :1, :]).all(axis=(1, 2))
    assert (of_rows | of_columns).all()
    # Only the two plain images are both, and count twice.
    np.testing.assert_allclose(probabilities, (1 + (of_rows & of_columns)) / 2 ** (side + 1))
    assert abs(probabilities.sum() - 1) < 1e-12


CRITICAL = 2 / np.log(1 + np.sqrt(2))
# Temperature, side, log Z, energy per site, mean absolute magnetisation per site.
ISING = [
    (1.5, 3, 12.74567569, -1.94901453, 0.98533554),
    (1.5, 4, 22.11701391, -1.95064256, 0.98617330),
    (2.0, 3, 9.92515037, -1.76767847, 0.92598478),
    (2.0, 4, 17.10536712, -1.75538029, 0.91894327),
    (CRITICAL, 3, 9.02021340, -1.61124638, 0.87107194),
    (CRITICAL, 4, 15.52191546, -1.56562379, 0.84386044),
    (3.0, 3, 7.66832236, -1.15488580, 0.70116709),
    (3.0, 4, 13.28103346, -1.01706963, 0.60129133),
]


@pytest.mark.parametrize(("temperature", "side", "log_z", "energy", "magnetisation"), ISING)
def test_ising_states_have_the_enumerated_averages(
    temperature, side, log_z, energy, magnetisation
):
    states, probabilities, seen_log_z = data.ising(side, temperature)
    assert states.shape == (2**side**2, side**2)
    assert set(np.unique(states)) == {-1.0, 1.0}
    assert abs(seen_log_z - log_z) < 1e-7
    assert abs(probabilities.sum() - 1) < 1e-12
    seen = probabilities @ np.abs(states.mean(axis=1))
    assert abs(seen - magnetisation) < 1e-7
    # Each bond once, site by site, as the definition says.
    total = np.zeros(len(states))
    for row in range(side):
        for column in range(side):
            site = states[:, side * row + column]
            right = states[:, side * row + (column + 1) % side]
            below = states[:, side * ((row + 1) % side) + column]
            total -= site * (right + below)
    assert abs(probabilities @ total / side**2 - energy) < 1e-7


@pytest.mark.parametrize("side", [1, 5])
def test_an_ising_model_too_large_to_enumerate_is_refused(side):
    with pytest.raises(ValueError, match=rf"\[2, 4\]. Received: {side}"):
        data.ising(side, 2.0)


def test_drawn_states_are_as_probable_as_enumerated(rng):
    states, probabilities = data.bars_and_stripes(3)
    drawn = data.draw_states(states, probabilities, 40_000, rng)
    seen = (drawn[:, np.newaxis] == states).all(axis=2).mean(axis=0)
    error = np.sqrt(probabilities * (1 - probabilities) / 40_000)
    assert (np.abs(seen - probabilities) < 5 * error).all()


def test_all_public_names_exist():
    assert sorted(data.__all__) == data.__all__
    assert all(hasattr(data, name) for name in data.__all__)
