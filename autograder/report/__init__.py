"""Pages for people: a student's feedback, the class report, the proof of the checks.

Pure functions of results, marks and proofs. Read in this order: `_sheet` (one student's facts),
`_class` (the class's facts), `_figures`, `_pages` (facts to files), `_proof`. `plugin` is what
nbgrader's own feedback is redacted with.
"""

from autograder.report._pages import write_feedback, write_report
from autograder.report._proof import write_proof

__all__ = ["write_feedback", "write_proof", "write_report"]
