"""From what a student handed in to a clean notebook; refuses or repairs what is damaged.

Read in this order: `_records` (what comes out), `_words` (how repairs speak), `_folder` (files,
without being led astray by links), `_notebook` (bytes to cells, under limits), `_answers` (which
functions a cell answers), `_restore` (the cells against the assignment's), `_document` (a notebook
that is safe to show), `_submission` (all of it). `plugin` is what `nbgrader autograde` calls; it
is never imported here.
"""

from autograder.intake._records import Submission, SubmittedCell
from autograder.intake._submission import read_submission

__all__ = ["Submission", "SubmittedCell", "read_submission"]
