"""Proves the hidden checks: what is right earns everything, what is wrong does not.

Read in this order: `record` (what calibration measured), `proof` (the catalogue, run as
submissions and held to the record), `strikes` and `calibrate` (making the record).
"""

from autograder.verify.proof import AssignmentProof, Diagnosis, ExerciseProof, Trial, verify
from autograder.verify.record import CheckRow, false_fail

__all__ = [
    "AssignmentProof",
    "CheckRow",
    "Diagnosis",
    "ExerciseProof",
    "Trial",
    "false_fail",
    "verify",
]
