"""Seeds whatever global generators there are, so that no answer depends on earlier calls.

TensorFlow's own way, `tf.random.set_seed`, forgets every compiled kernel, because operations such
as `tf.random.normal` keep their state there: the next call of each operation takes several times
as long. As long as no such operation has been made, its seed is set and nothing is forgotten.
"""

import random
import sys
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["reseed", "tensorflow_generator"]


class _Kept:
    """Whether kernels may keep the state of random numbers: None until TensorFlow is watched."""

    state: bool | None = None


def reseed(seed: int) -> None:
    """Seeds the global generators of Python, NumPy and, where imported, TensorFlow and Keras.

    To be called first before any code of a submission runs.
    """
    # As Keras, which takes no larger ones, does it.
    random.seed(seed % 2**32)
    np.random.seed(seed % 2**32)
    # Not imported here: a process that runs no TensorFlow need not load it.
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        # Imported by the submission later, it may have been used before it is watched.
        _Kept.state = True
        return
    if _Kept.state is None:
        _Kept.state = not _watched()
        _forgetting(tensorflow, seed)
    elif _Kept.state or not _set_alone(seed):
        _forgetting(tensorflow, seed)
    tensorflow.random.set_global_generator(tensorflow_generator(tensorflow, seed))


def tensorflow_generator(tensorflow: ModuleType, seed: int) -> Any:  # noqa: ANN401
    """Returns `tf.random.Generator.from_seed(seed)`, in a third of its time."""
    # No array: its memory would become the state's, and some draws would not move it on.
    signed = seed - 2**64 if seed >= 2**63 else seed
    return tensorflow.random.Generator.from_state([signed, 0, 0], alg="philox")


def _watched() -> bool:
    """Notes from now on whether an operation is made that draws from seeds of its own.

    Inside a `tf.function` it keeps its state for good, so that one is enough.
    """
    try:
        from tensorflow.python.framework import random_seed

        get_seed = random_seed.get_seed

        def noting(op_seed: Any) -> Any:  # noqa: ANN401
            _Kept.state = True
            return get_seed(op_seed)

        random_seed.get_seed = noting
    except (ImportError, AttributeError):
        return False
    return True


def _forgetting(tensorflow: ModuleType, seed: int) -> None:
    tensorflow.random.set_seed(seed)
    if (keras := sys.modules.get("keras")) is not None:
        keras.utils.set_random_seed(seed % 2**32)


def _set_alone(seed: int) -> bool:
    """Sets the seeds of TensorFlow and Keras alone; says whether it knows how."""
    try:
        from tensorflow.python.eager.context import context

        eager = context()
        if not hasattr(eager, "_seed"):
            return False
        if "keras" in sys.modules:
            from keras.src.backend.common import global_state
            from keras.src.random import seed_generator
            from keras.src.utils.rng_utils import GLOBAL_RANDOM_SEED

            global_state.set_global_attribute(GLOBAL_RANDOM_SEED, seed % 2**32)
            global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, None)
            seed %= 2**32
        eager._seed, eager._rng = seed, random.Random(seed)  # noqa: S311 (no secret)
    except (ImportError, AttributeError):
        return False
    return True
