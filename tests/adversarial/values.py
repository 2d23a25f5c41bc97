"""C. Returned values: whatever comes back is a plain array, or is refused."""

from tests.adversarial.case import RIGHT, Case

__all__ = ["CASES"]


def _returns(expression: str, before: str = "") -> dict[str, str]:
    """Answers whose `sigmoid` returns what an expression says; `right` is the right result."""
    return {
        "sigmoid": f"{before}\ndef sigmoid(logit):\n"
        "    right = 1 / (1 + np.exp(-np.clip(logit, -700, 700)))\n"
        f"    return {expression}\n"
        "def log_sigmoid(logit):\n    return -np.logaddexp(0, -logit)\n",
        "entropy": "def entropy(logit):\n"
        "    return np.logaddexp(0, logit) - logit / (1 + np.exp(-logit))\n",
    }


_LIAR = """
class Liar:
    __class__ = property(lambda self: np.ndarray)
    dtype, shape, ndim = np.dtype("f8"), (3,), 1
    def __init__(self, *a): pass
    def __eq__(self, other): return True
    def __len__(self): return 3
    def __float__(self): return 0.5
    def __lt__(self, other): return True
    def __array__(self, dtype=None, copy=None): return np.array([None] * 3)
    def __getattr__(self, name): return lambda *a, **k: self
"""
_HANGS = """
class Hangs:
    def __array__(self, dtype=None, copy=None):
        while True: pass
    def __del__(self):
        while True: pass
"""


def _case(title, expression, score, before="", says="", **more):
    return Case("C05", title, answers=_returns(expression, before), score=score, says=says, **more)


CASES = (
    Case(
        "C01",
        "an object that lies",
        answers=_returns("Liar()", _LIAR),
        score=5,
        tensorflow=True,
        seconds=20,
    ),
    Case(
        "C01",
        "a class that claims to be all",
        answers=_returns(
            "Claims()",
            "class Meta(type):\n    def __instancecheck__(self, x): return True\n"
            "    def __subclasscheck__(self, x): return True\n"
            "class Claims(metaclass=Meta):\n    def __array_ufunc__(self, *a, **k): return True\n",
        ),
        score=5,
    ),
    # A function of the exercise that has hung twice is not asked again.
    Case("C04", "conversion that hangs", answers=_returns("Hangs()", _HANGS), score=4, seconds=30),
    Case(
        "C04",
        "a generator without end",
        answers=_returns("(x for x in iter(int, 1))"),
        score=5,
        seconds=30,
    ),
    _case("a scalar for an array", "np.float64(0.5)", 5, says="due"),
    _case("integers", "right.astype(int)", 5),
    _case("foreign byte order", "right.astype('>f8')", 10),
    _case("strides that go backwards", "right[..., ::-1].copy()[..., ::-1]", 10),
    _case("complex numbers", "right.astype(complex)", 7),
    _case("structured", "np.zeros(3, 'f8, i4')", 5),
    _case("objects", "right.astype(object)", 5),
    _case("texts", "right.astype(str)", 5),
    _case("dates", "np.array(['2020-01-01'] * 3, 'M8[D]')", 5),
    _case("too many dimensions", "right[(None,) * 20]", 5, says="ndarray of 21 dimensions"),
    Case("C06", "not a number", answers=_returns("np.full_like(right, np.nan)"), score=5),
    Case("C06", "infinite", answers=_returns("np.full_like(right, np.inf)"), score=5),
    Case(
        "C06",
        "denormals and minus zero",
        answers=_returns("np.where(np.isfinite(right), -0.0, 5e-324)"),
        score=5,
    ),
    Case(
        "C07",
        "an array of gigabytes",
        answers=_returns("np.broadcast_to(np.float64(0.5), (2**28,))"),
        score=5,
        seconds=20,
    ),
    Case(
        "C07",
        "empty with enormous dimensions",
        answers=_returns("np.empty((0, 10**9))"),
        score=5,
        says="more than 64 MB",
    ),
    Case(
        "C07",
        "a million small arrays",
        answers=_returns("[np.zeros(1)] * 10**6"),
        score=5,
        seconds=20,
    ),
    Case(
        "C07",
        "a list that holds itself",
        answers=_returns("own", "own = []\nown.append(own)"),
        score=5,
        seconds=20,
    ),
    Case(
        "C09",
        "a header that claims petabytes",
        "os.write(3, struct.pack('<4sIQ', b'LGM1', 100, 2**53))\ntime.sleep(100)",
        ends="protocol",
    ),
    Case("C09", "one byte and then silence", "os.write(3, b'L')\ntime.sleep(100)", ends="timeout"),
    Case(
        "C09",
        "half a frame",
        "os.write(3, struct.pack('<4sIQ', b'LGM1', 1000, 1000) + b'{')\nos.close(3)\n"
        "time.sleep(100)",
        ends="protocol",
        seconds=12,
    ),
    Case(
        "C09",
        "never read",
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n"
        "while True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass",
        ends="timeout",
    ),
    Case(
        "C10",
        "an exception that hangs when read",
        answers={
            **RIGHT,
            "sigmoid": "class Slow(Exception):\n    def __str__(self):\n        while True: pass\n"
            "    __repr__ = __str__\n"
            "def sigmoid(logit): raise Slow\n"
            "def log_sigmoid(logit): return -np.logaddexp(0, -logit)\n",
        },
        score=4,
        seconds=40,
    ),
    Case(
        "C10",
        "an exception of a gigabyte",
        answers={
            **RIGHT,
            "sigmoid": "def sigmoid(logit): raise ValueError('x' * 2**28)\n"
            "def log_sigmoid(logit):\n"
            "    raise type('E' * 10**6, (Exception,), {})('\\ud800\\x1b[31m')\n",
        },
        score=4,
        seconds=30,
    ),
    Case(
        "C12",
        "constants for what the notebook shows",
        answers={
            "sigmoid": "def sigmoid(logit):\n    return np.full(np.shape(logit), 0.5)\n"
            "def log_sigmoid(logit):\n    return np.full(np.shape(logit), np.log(0.5))\n",
            "entropy": "def entropy(logit):\n    return np.full(np.shape(logit), np.log(2.0))\n",
        },
        score=3,
    ),
)
