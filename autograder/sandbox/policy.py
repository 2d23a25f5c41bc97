"""What a submission may use and see, and what the processes around it import."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["ACCEPTED", "ISOLATIONS", "LAYERS", "LAYERS_OF", "MODES", "MODULES", "Limits", "Policy"]

# What notebooks use. Imported once, in the template; none of them runs an operation on import.
MODULES = (
    "numpy",
    "scipy",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.special",
    "scipy.stats",
    "sklearn.datasets",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "matplotlib.pyplot",
    "tensorflow",
    "keras",
)

# From the strongest to the weakest.
#   full  every submission has a closed machine of its own
#   jail  submissions run one after another inside one closed box
#   weak  no view, no namespaces; only filters on files and calls
#   none  resource limits only
MODES = ("full", "jail", "weak", "none")

# Those in which the kernel keeps submissions apart from everything that is not theirs.
ACCEPTED = ("full", "jail")

# A student process is forked from one that has imported everything, or imports by itself.
ISOLATIONS = ("fork", "exec")

# The layers of each mode.
LAYERS_OF = {
    "full": ("view", "namespaces", "privileges", "budgets", "landlock", "seccomp", "watch"),
    "jail": ("view", "privileges", "budgets", "landlock", "seccomp", "watch"),
    "weak": ("budgets", "landlock", "seccomp", "watch"),
    "none": ("budgets", "watch"),
}

# Each can be left out by a test, to see that something then gets through.
LAYERS = frozenset(LAYERS_OF["full"])


@dataclass(frozen=True)
class Limits:
    """What one submission may use; seconds are wall-clock.

    Attributes:
        memory_mebibytes: Memory of all its processes together.
        data_mebibytes: Data segment of one process.
        processes: Processes and threads.
    """

    cell_seconds: float = 60
    probe_seconds: float = 30
    submission_seconds: float = 600
    memory_mebibytes: int = 3072
    data_mebibytes: int = 2048
    processes: int = 256


@dataclass(frozen=True)
class Policy:
    """How submissions are isolated.

    Attributes:
        judge_paths: What only the judge sees: hidden checks and reference.
        public_files: What lies, read-only, in the folder that cells run in.
        modes: Those that are accepted; the strongest that this machine permits is taken.
        isolation: "fork", or "exec" for a fresh Python per student process.
        modules: What the template imports.
        without: Layers that are left out; for tests only.
    """

    limits: Limits
    judge_paths: tuple[Path, ...] = ()
    public_files: tuple[Path, ...] = ()
    modes: tuple[str, ...] = ACCEPTED
    isolation: str = "fork"
    modules: tuple[str, ...] = MODULES
    without: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raises ValueError for a layer, a mode or an isolation that is none."""
        if unknown_modes := set(self.modes) - set(MODES):
            raise ValueError(f"modes are {MODES}. Received: {sorted(unknown_modes)}")
        if self.isolation not in ISOLATIONS:
            raise ValueError(f"isolation is one of {ISOLATIONS}. Received: {self.isolation!r}")
        if unknown := self.without - LAYERS:
            raise ValueError(f"layers are {sorted(LAYERS)}. Received: {sorted(unknown)}")
