"""What a submission may use and see, and what the processes around it import."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["LAYERS", "MODULES", "Limits", "Policy"]

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

# The layers that a test can leave out, to see that something then gets through.
LAYERS = frozenset({"view", "namespaces", "privileges", "budgets", "landlock", "seccomp", "watch"})


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
        own_code: Whether only the course's own code is run. Then, and only then, it also runs
            where no isolation can be had.
        modules: What the template imports.
        without: Layers that are left out; for tests only.
    """

    limits: Limits
    judge_paths: tuple[Path, ...] = ()
    public_files: tuple[Path, ...] = ()
    own_code: bool = False
    modules: tuple[str, ...] = MODULES
    without: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raises ValueError for a layer that is none."""
        if unknown := self.without - LAYERS:
            raise ValueError(f"layers are {sorted(LAYERS)}. Received: {sorted(unknown)}")
