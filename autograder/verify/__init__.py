"""Proves the hidden checks: what is right earns everything, what is wrong does not.

Read in this order: `catalogue` (mistakes and alternatives, as text), `proof` (running them).
"""

from autograder.verify.proof import AssignmentProof, ExerciseProof, Trial, verify

__all__ = ["AssignmentProof", "ExerciseProof", "Trial", "verify"]
