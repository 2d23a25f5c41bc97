"""Proves the hidden checks: what is right earns everything, what is wrong does not.

Read in this order: `proof` (the catalogue, run as submissions), then the record of calibration.
"""

from autograder.verify.proof import AssignmentProof, Diagnosis, ExerciseProof, Trial, verify

__all__ = ["AssignmentProof", "Diagnosis", "ExerciseProof", "Trial", "verify"]
