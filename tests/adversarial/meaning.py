"""D. Gaming the meaning: it behaves otherwise when it is graded, or knows the answers already."""

from tests.adversarial.case import RIGHT, WRONG, Case

__all__ = ["CASES"]

CASES = (
    Case(
        "D01",
        "right only where it is graded",
        answers={
            **RIGHT,
            "sigmoid": "import os\nif os.environ.get('NBGRADER_EXECUTION') != 'autograde':\n"
            "    raise SystemExit\n" + RIGHT["sigmoid"],
        },
    ),
    Case(
        "D03",
        "replay the answers of the first call",
        answers={
            **RIGHT,
            "sigmoid": "first = {}\ndef sigmoid(logit):\n"
            "    return first.setdefault('s', 1 / (1 + np.exp(-np.asarray(logit))))\n"
            "def log_sigmoid(logit):\n"
            "    return first.setdefault('l', -np.logaddexp(0, -logit))\n",
        },
        score=7,
    ),
    Case(
        "D04",
        "find the generators that the judge draws from",
        "import random\nimport numpy as np\n"
        "before = (random.random(), np.random.rand())\n"
        "np.random.seed(0); random.seed(0)\n"
        "attempt('secret', lambda: [n for n in dir(sys.modules['autograder.checks'])])\n",
        answers=WRONG,
        score=0,
    ),
    # What is right is right: that a library did it is for a tutor to see.
    Case(
        "D05",
        "call a library by a hidden name",
        answers={
            **RIGHT,
            "sigmoid": "import base64\n"
            "library = __import__('scipy.special', fromlist=['x'])\n"
            "sigmoid = getattr(library, base64.b64decode('ZXhwaXQ=').decode())\n"
            "log_sigmoid = getattr(library, 'log_' + 'expit')\n",
        },
    ),
    Case(
        "D08",
        "answer as last year",
        answers={
            **RIGHT,
            "sigmoid": "def sigmoid(logit): return np.full(np.shape(logit), 0.5)\n"
            "def log_sigmoid(logit): return np.full(np.shape(logit), -0.6931471805599453)\n",
        },
        score=6,
    ),
    Case(
        "D06",
        "sleep to be measured slow",
        answers={
            **RIGHT,
            "sigmoid": "import time\n"
            + RIGHT["sigmoid"].replace("    return 1", "    time.sleep(0.2)\n    return 1"),
        },
        seconds=20,
    ),
    Case(
        "D09",
        "import the answers from the published framework",
        "from reference.toy import sigmoid, log_sigmoid, entropy",
        answers={**WRONG, "entropy": "pass"},
        score=0,
        ends="error",
    ),
)
