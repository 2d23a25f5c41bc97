"""Makes docs/messages.md: what students read, from real wrong answers to small checks.

python tests/autograder/typical_messages.py
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from autograder.checks import Seeds
from autograder.errors import RunEnded
from autograder.judge.session import collected
from autograder.judge.student import LocalTransport, Student, lost_functions
from autograder.sandbox.wire import Message

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"

HEAD = """# What a failed check says

Below each failed check a student reads the check's own sentence, then at most four lines: the call
that showed it, what was seen, what was due, and, where a catalogued mistake reproduces what came
back, its hint. No line holds a number of the reference, a hidden input or a line of ours.

These are the most typical ones, made by `python tests/autograder/typical_messages.py` from wrong
answers to small checks.
"""

CHECKS = '''
import numpy as np
import tensorflow as tf
from autograder.checks import exercise, expect, gradients, laws, numpy_rng, sampling

X = np.array([[0.5, -1.0], [2.0, 0.25], [1.5, 3.0]])

@exercise("square", points=3)
def test_square(student):
    """Each number is squared."""
    expect(student.square(X)).matches(X**2)

@exercise("energy", points=3)
def test_energy(student):
    """The energy of a row is half its squared length."""
    expect(student.energy(X)).matches(0.5 * (X**2).sum(1))

@exercise("rows", points=2)
def test_rows(student):
    """Each row's energy depends on that row only."""
    laws.expect_rows_independent(student.energy, (X,))

@exercise("inputs", points=1)
def test_inputs(student):
    """The arguments stay as they are."""
    laws.expect_inputs_unchanged(student.energy, (X,))

@exercise("rng", points=1)
def test_rng(student):
    """All randomness comes from the generator that is handed in."""
    laws.expect_rng_contract(student.noise, (50, numpy_rng))

@exercise("slope", points=3)
def test_slope(student):
    """The energy has the right gradient."""
    gradients.expect_gradient(student.slope, (X,), (0,), lambda x: 0.5 * tf.reduce_sum(x**2, 1))

@exercise("coin", points=4)
def test_coin(student, stages):
    """Both coins show heads as often as they should."""
    states = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    law = sampling.discrete(np.log([0.56, 0.14, 0.24, 0.06]), states)
    draws = sampling.draws(lambda n, rng=numpy_rng: student.coin(n, rng), 2000, stages)
    sampling.expect_law(draws, law)

@exercise("noise", points=4)
def test_noise(student, stages):
    """Rows are independent draws from the standard normal distribution."""
    draws = sampling.draws(lambda n, rng=numpy_rng: student.noise(n, rng), 1000, stages)
    sampling.expect_law(draws, sampling.moments(np.zeros(2), np.eye(2)))

@exercise("estimate", points=3)
def test_estimate(student, stages):
    """The estimate is right in the mean."""
    sampling.expect_mean(lambda n, rng=numpy_rng: student.estimate(n, rng), 2.0, stages)
'''

POINTS = {
    "square": 3, "energy": 3, "rows": 2, "inputs": 1, "rng": 1,
    "slope": 3, "coin": 4, "noise": 4, "estimate": 3,
}  # fmt: skip


def heads(first, second):
    """Two coins, with these probabilities of heads."""

    def coin(n, rng):
        return 1.0 * (stats.norm.cdf(rng.normal(size=(n, 2))) < [first, second])

    return coin


def stub(x):
    raise NotImplementedError


def broken(x):
    return x @ np.ones(7)


def works_in_place(x):
    x *= x
    return 0.5 * x.sum(1)


def tensor_slope(factor):
    def slope(x):
        import tensorflow as tf

        return factor * tf.reduce_sum(x**2, axis=1)

    return slope


def through_numpy(x):
    import tensorflow as tf

    return tf.constant(0.5 * (np.asarray(x) ** 2).sum(1))


def half_energy(x):
    return 0.5 * (x**2).sum(1)


# Title, when it comes, exercise, function, the student's function or how its process ended.
CASES: list[tuple[str, str, str, str, Any]] = [
    ("No such function", "Renamed, or indented into a class.", "square", "square", None),
    ("Its cell failed", "An earlier line of the cell raised.", "square", "square", "NameError"),
    ("Nothing written yet", "The stub is still there.", "square", "square", stub),
    ("No `return`", "The last line computes, and returns nothing.", "square", "square",
     lambda x: None),
    ("An exception", "With the cell and the line, where they are known.", "square", "square",
     broken),
    ("The wrong kind of result", "A list of texts, a function, a model.", "square", "square",
     lambda x: "x squared"),
    ("Several results", "A tuple where one array is due.", "square", "square",
     lambda x: (x**2, x)),
    ("The wrong dtype", "Cast on the way.", "square", "square",
     lambda x: (x**2).astype(np.float32)),
    ("The wrong shape", "A sum over the wrong axis.", "energy", "energy",
     lambda x: 0.5 * (x**2).sum(0)),
    ("A column", "It would broadcast without a word.", "energy", "energy",
     lambda x: 0.5 * (x**2).sum(1, keepdims=True)),
    ("Not a number", "A logarithm of 0, a division by 0.", "square", "square",
     lambda x: np.where(x > 1, x**2, np.nan)),
    ("A factor", "Half, twice, the sign, a batch size: said where all entries agree.", "energy",
     "energy", lambda x: (x**2).sum(1)),
    ("Some entries", "A special case is forgotten.", "square", "square",
     lambda x: x * np.abs(x)),
    ("Rows hang together", "A mean over the batch.", "rows", "energy",
     lambda x: half_energy(x - x.mean(0))),
    ("Arguments changed", "Work in place on what was handed in.", "inputs", "energy",
     works_in_place),
    ("A seed inside", "The same draws, whatever generator comes.", "rng", "noise",
     lambda n, rng: np.random.default_rng(1).normal(size=n)),
    ("Other randomness", "A global generator.", "rng", "noise",
     lambda n, rng: np.random.normal(size=n)),
    ("A wrong gradient", "A factor, or a term that is missing.", "slope", "slope",
     tensor_slope(1.0)),
    ("No gradient", "A detour through NumPy.", "slope", "slope", through_numpy),
    ("Impossible states", "Probabilities in the place of draws.", "coin", "coin",
     lambda n, rng: rng.normal(size=(n, 2))),
    ("One unit too often", "A wrong probability.", "coin", "coin", heads(0.3, 0.25)),
    ("The wrong spread", "A variance where a deviation is due.", "noise", "noise",
     lambda n, rng: 1.2 * rng.normal(size=(n, 2))),
    ("Shared noise", "One draw for the whole batch.", "noise", "noise",
     lambda n, rng: rng.normal(size=(1, 2)) + 1e-3 * rng.normal(size=(n, 2))),
    ("A biased estimate", "The mean is another one.", "estimate", "estimate",
     lambda n, rng: 2.2 + rng.normal(size=n)),
    ("Too long", "A loop that does not end.", "square", "square",
     RunEnded("TIMEOUT", "your code: it ran longer than 30 seconds and was stopped")),
    ("Too much memory", "An array of all pairs.", "square", "square",
     RunEnded("MEMORY",
              "your code: it used more memory than a submission may and was stopped")),
]  # fmt: skip


class _Ended:
    """A transport to a process that ends."""

    def __init__(self, how: RunEnded) -> None:
        self._how = how

    def exchange(self, message: Message) -> Message:
        raise self._how


def said(folder: Path) -> dict[str, str]:
    """Returns what a student reads, by the titles of the cases."""
    (folder / "test_small.py").write_text(CHECKS, encoding="utf-8")
    signatures = {
        "square": ["x"], "energy": ["x"], "slope": ["x"],
        "noise": ["n", "rng"], "coin": ["n", "rng"], "estimate": ["n", "rng"],
    }  # fmt: skip

    def use(checks: Any) -> dict[str, str]:
        found = {}
        for title, _, exercise, name, answer in CASES:

            def connect(_: str, check: str, name: str = name, answer: Any = answer) -> Student:
                functions: Mapping[str, Any] = {name: answer} if callable(answer) else {}
                lost = {}
                transport: Any = LocalTransport(functions)
                if isinstance(answer, RunEnded):
                    transport = _Ended(answer)
                elif isinstance(answer, str):
                    lost = lost_functions({"square": ("def square(x):", "error", answer)})
                arrays = "tensorflow" if exercise == "slope" else "numpy"  # noqa: B023
                seeds = Seeds(b"messages", "ada", "a90_small", check)
                return Student(transport, seeds, arrays, signatures, lost)

            (result,), _ = checks.run(connect, [exercise])
            (check,) = result.checks
            function = checks.function(check.id)
            found[title] = f"{function.__doc__}\n{check.message}"
        return found

    return collected(folder, POINTS, use)


def page() -> str:
    """Returns the page."""
    with tempfile.TemporaryDirectory() as folder:
        texts = said(Path(folder))
    parts = [HEAD]
    for title, when, *_ in CASES:
        lines = "\n".join(f"    {line}" for line in texts[title].splitlines())
        parts.append(f"## {title}\n\n{when}\n\n{lines}\n")
    parts.append(TAIL)
    return "\n".join(parts)


TAIL = """## A recognised mistake

The catalogued mistake that alone reproduces what came back adds one line; nothing is guessed.

    hint   Summing out a hidden unit gives softplus, not its sigmoid.

## Follow-through

A check that passes once an earlier, failed exercise is put right has no message: it earns its
points, and feedback says that they came by follow-through.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
