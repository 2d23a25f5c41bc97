"""From source to release.

Read in this order: `leaks` (what a release must not hold), `release` (building it). `plugin` is
what `nbgrader generate_assignment` calls; it is never imported here.
"""

from autograder.term.release import build, release, release_leaks

__all__ = ["build", "release", "release_leaks"]
