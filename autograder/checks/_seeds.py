"""Seeds: derived, never drawn, so that the same submission always gets the same ones."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

__all__ = ["Method", "Observation", "Risk", "Seeds", "Stages", "inputs_for", "stages_for"]

# How the 1 % of a stage is reached: by an exact distribution, by simulated right draws, by an
# approximation that calibration has to confirm; or by betting, in one test without stages.
Method = Literal["exact", "simulated", "asymptotic", "betting"]


@dataclass(frozen=True)
class Risk:
    """One property that was tested by chance.

    Attributes:
        property: What was tested, in a few words.
        bound: The probability, at most, that a correct solution fails it.
        method: How that is reached.
    """

    property: str
    bound: float
    method: Method


@dataclass(frozen=True)
class Seeds:
    """The seeds of one check of one submission.

    Attributes:
        secret: The course's secret; without it no seed can be foretold.
        student: Whose submission it is. Not the submission's content: an edited space would give
            new seeds, and so a new chance.
        assignment: The assignment's name.
        check: The check's id.
        risks: What was tested with these seeds by chance; a statistical test adds itself here.
    """

    secret: bytes
    student: str
    assignment: str
    check: str
    risks: list[Risk] = field(default_factory=list, compare=False)

    def seed(self, purpose: str, stage: int = 0) -> int:
        """Returns the seed of one stage for one purpose, below 2**63.

        Purposes are independent: a seed sent to the student process tells nothing about the
        judge's own draws.
        """
        # Each part is preceded by its length, so that no two lists of parts read the same.
        parts = (purpose, self.student, self.assignment, self.check, str(stage))
        text = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
        return int.from_bytes(hmac.digest(self.secret, text, hashlib.sha256)[:8], "big") >> 1

    def generator(self, purpose: str, stage: int = 0) -> np.random.Generator:
        """Returns a fresh generator, of the judge's own, for one purpose and stage."""
        return np.random.default_rng(self.seed(purpose, stage))


@dataclass
class Observation:
    """What calibration wants to see of a check: whether each property strikes on one stage.

    While it is set, nothing is enumerated and nothing fails: each property is tested once, by
    chance, on that stage.

    Attributes:
        stage: Which stage: 0, of n rows, or a later one.
        strikes: By property, whether right draws looked improbable.
        sizes: By property, how many rows the stage had.
        methods: By property, how its threshold was found.
    """

    stage: int
    strikes: dict[str, bool] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)

    def note(self, property: str, strikes: bool, size: int, method: Method) -> None:
        """Keeps what one property showed; a second one of its name gets a number."""
        name, number = property, 2
        while name in self.strikes:
            name, number = f"{property} ({number})", number + 1
        self.strikes[name], self.sizes[name], self.methods[name] = strikes, size, method


@dataclass(frozen=True)
class Stages:
    """The source of the fresh, independent stages of the statistical tests of one check.

    Attributes:
        seeds: The seeds of the check.
        observation: What calibration collects, or None where a submission is judged.
    """

    seeds: Seeds
    observation: Observation | None = None

    def for_student(self, stage: int, purpose: str = "draws") -> int:
        """Returns the seed of the generator handed to student code at a stage."""
        return self.seeds.seed(f"student {purpose}", stage)

    def for_judge(self, stage: int, purpose: str = "draws") -> np.random.Generator:
        """Returns the generator of the judge's own draws at a stage, such as starts."""
        return self.seeds.generator(f"judge {purpose}", stage)

    def tested(self, property: str, bound: float, method: Method) -> None:
        """Notes that a property was tested by chance."""
        self.seeds.risks.append(Risk(property, bound, method))


def inputs_for(seeds: Seeds) -> np.random.Generator:
    """Returns what the fixture `inputs` is: the judge's generator for random inputs."""
    return seeds.generator("inputs")


def stages_for(seeds: Seeds) -> Stages:
    """Returns what the fixture `stages` is."""
    return Stages(seeds)
