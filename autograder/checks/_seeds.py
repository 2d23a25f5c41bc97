"""Seeds: derived, never drawn, so that the same submission always gets the same ones."""

import hashlib
import hmac
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Risk", "Seeds", "Stages", "inputs_for", "stages_for"]


@dataclass(frozen=True)
class Risk:
    """One property that was tested by chance.

    Attributes:
        property: What was tested, in a few words.
        bound: The probability, at most, that a correct solution fails it.
    """

    property: str
    bound: float


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


@dataclass(frozen=True)
class Stages:
    """The source of the fresh, independent stages of the statistical tests of one check.

    Attributes:
        seeds: The seeds of the check.
    """

    seeds: Seeds

    def for_student(self, stage: int, purpose: str = "draws") -> int:
        """Returns the seed of the generator handed to student code at a stage."""
        return self.seeds.seed(f"student {purpose}", stage)

    def for_judge(self, stage: int, purpose: str = "draws") -> np.random.Generator:
        """Returns the generator of the judge's own draws at a stage, such as starts."""
        return self.seeds.generator(f"judge {purpose}", stage)

    def tested(self, property: str, bound: float) -> None:
        """Notes that a property was tested by chance."""
        self.seeds.risks.append(Risk(property, bound))


def inputs_for(seeds: Seeds) -> np.random.Generator:
    """Returns what the fixture `inputs` is: the judge's generator for random inputs."""
    return seeds.generator("inputs")


def stages_for(seeds: Seeds) -> Stages:
    """Returns what the fixture `stages` is."""
    return Stages(seeds)
