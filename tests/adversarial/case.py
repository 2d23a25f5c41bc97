"""What a case of the catalogue is: what is handed in, and what must come of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.course import Course

__all__ = ["PRELUDE", "RIGHT", "WRONG", "Case", "HandIn", "cells_of"]

RIGHT = {
    "sigmoid": (
        "def sigmoid(logit):\n    return 1 / (1 + np.exp(-np.clip(logit, -700, 700)))\n"
        "def log_sigmoid(logit):\n    return -np.logaddexp(0, -logit)\n"
    ),
    "entropy": "def entropy(logit):\n    return np.logaddexp(0, logit) - logit * sigmoid(logit)\n",
}
# Wrong answers, so that an attack on the score has something to gain.
WRONG = {
    "sigmoid": (
        "def sigmoid(logit):\n    return np.full_like(logit, 0.25)\n"
        "def log_sigmoid(logit):\n    return np.full_like(logit, -9.0)\n"
    ),
    "entropy": "def entropy(logit):\n    return np.full_like(logit, 3.0)\n",
}

# In front of every attack: it lists what it has got hold of, and says so at the end.
PRELUDE = """\
import ctypes, errno, glob, json, os, pathlib, re, signal, socket, stat, struct, subprocess, sys
import threading, time
libc = ctypes.CDLL(None, use_errno=True)
obtained = []
def attempt(name, call):
    try:
        got = call()
    except BaseException as problem:
        return
    if got is None or (got is not False and got != -1 and got not in ("", [], b"")):
        obtained.append(name)
"""
_EPILOGUE = "\nprint('OBTAINED', json.dumps(obtained))\n"

HandIn = Callable[[Course, Path], None]


@dataclass(frozen=True)
class Case:
    """One row of the catalogue, or one way to try it.

    Attributes:
        id: The row's id, which is stable.
        title: What is tried, in a few words.
        attack: The source of a cell between the two exercises; it appends to `obtained` whatever
            it gets, or calls `attempt(name, call)`.
        answers: The exercises' answers, right ones by default; with `WRONG` ones, the attack is
            on the score.
        score: What the submission earns, in points, of 10; None if it is refused.
        at_most: Whether it may earn less, or be refused.
        ends: How the attack's cell ends: "done", "error", or a class in lower case; ways that a
            race decides between are joined by "or".
        stops: The layers that stop it, each by itself: with all of them left out it succeeds.
        hand_in: For attacks by file: changes the submission's folder, which holds an honest one.
        says: What the repairs, the reason or a message say.
        hides: What must not stand on the feedback page.
        tensorflow: Whether it needs TensorFlow.
        seconds: Wall clock it may take, in all.
    """

    id: str
    title: str
    attack: str = ""
    answers: Mapping[str, str] | None = None
    score: float | None = 10
    at_most: bool = False
    ends: str = "done"
    stops: tuple[str, ...] = ()
    hand_in: HandIn | None = None
    says: str = ""
    hides: str = ""
    tensorflow: bool = False
    seconds: float = 8.0

    @property
    def name(self) -> str:
        """Names the case in the tests, and its student."""
        return f"{self.id}-{self.title.replace(' ', '-')}"


def cells_of(case: Case) -> dict[str, str]:
    """Returns the sources of the cells that a case hands in, by the place where they stand."""
    answers = dict(RIGHT if case.answers is None else case.answers)
    attack = f"{PRELUDE}{case.attack}{_EPILOGUE}" if case.attack else "pass"
    return {"sigmoid": answers["sigmoid"], "attack": attack, "entropy": answers["entropy"]}
