"""Markers for generators: what a check passes where student code expects a generator."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from autograder.checks._probe import Probe

__all__ = ["Ledger", "NotEnumerable", "Rng", "numpy_rng", "tensorflow_rng"]


class NotEnumerable(Exception):
    """The draws of a call cannot be enumerated; a statistical test takes over."""


@dataclass
class Ledger:
    """What became of one marker: for the laws and tests that pass it through a call.

    Attributes:
        uses: How many generators it has stood for.
        reports: What else came back beside each result, by name.
    """

    uses: int = 0
    reports: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Rng:
    """Stands for a generator in the arguments of a call; the student process makes a fresh one.

    Attributes:
        library: Whose generator: "tensorflow" or "numpy".
        seed: Its seed, below 2**63, or None for a new one in every call.
        bits: Outcomes (rows, width), uint8, to hand out instead of random numbers, or None.
        detour: A probe (student, name, *arguments) that the call goes through, or None; it
            returns a dict of which "result" becomes the call's result.
        ledger: Where uses are counted, or None. The second generator of a counted marker gets a
            seed of its own, so that a function that asks twice draws afresh.
    """

    library: Literal["numpy", "tensorflow"]
    seed: int | None = None
    bits: np.ndarray | None = None
    detour: "Probe | None" = None
    ledger: Ledger | None = None

    def seeded(self, seed: int) -> "Rng":
        """Returns the marker for a generator with this seed."""
        return replace(self, seed=seed)

    def counted(self, seed: int, detour: "Probe | None" = None) -> "Rng":
        """Returns a marker whose uses are counted, for one call of a function of a check."""
        return replace(self, seed=seed, detour=detour, ledger=Ledger())

    def enumerating(self, bits: np.ndarray) -> "Rng":
        """Returns the marker for a generator whose draws are these outcomes."""
        return replace(self, seed=0, bits=bits, ledger=Ledger())


numpy_rng = Rng("numpy")
tensorflow_rng = Rng("tensorflow")
