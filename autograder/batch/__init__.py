"""Many submissions: slots in parallel, one writer, nothing lost.

Read in this order: `lock` (one grader per course), `one` (a submission from file to result),
`grade` (all of them). `plugin` is what `nbgrader autograde` calls; it is never imported here.
"""

from autograder.batch.grade import grade

__all__ = ["grade"]
