"""The language in which hidden checks are written.

A check is a pytest function with points, declared by `exercise`, that asks a `student` for arrays
and states what is true of them. `expect` states values, `gradients` derivatives, `laws`
deterministic identities, `sampling` the law of random draws; use the first that can say it.
"""

from autograder.checks._declaring import (
    Alternative,
    Declared,
    Exercise,
    Mistake,
    NearMiss,
    alternative,
    declared,
    exercise,
    mistake,
    near_miss,
)
from autograder.checks._evidence import Evidence
from autograder.checks._instances import all_states, search_instance
from autograder.checks._probe import Probe, probe
from autograder.checks._rng import NotEnumerable, Rng, numpy_rng, tensorflow_rng
from autograder.checks._seeds import Method, Observation, Seeds, Stages, inputs_for, stages_for
from autograder.checks._seen import remember
from autograder.checks._values import Expectation, default_tolerance, expect

from . import gradients, laws, sampling

__all__ = [
    "Alternative",
    "Declared",
    "Evidence",
    "Exercise",
    "Expectation",
    "Method",
    "Mistake",
    "NearMiss",
    "NotEnumerable",
    "Observation",
    "Probe",
    "Rng",
    "Seeds",
    "Stages",
    "all_states",
    "alternative",
    "declared",
    "default_tolerance",
    "exercise",
    "expect",
    "gradients",
    "inputs_for",
    "laws",
    "mistake",
    "near_miss",
    "numpy_rng",
    "probe",
    "remember",
    "sampling",
    "search_instance",
    "stages_for",
    "tensorflow_rng",
]
