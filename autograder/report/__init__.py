"""Pages for people: a student's feedback, the class report. Pure functions of results and marks.

Read in this order: `_sheet` (one student's facts), `_class` (the class's facts), `_figures`,
`_pages` (facts to files). `plugin` is what nbgrader's own feedback is redacted with.
"""

from autograder.report._pages import write_feedback, write_report

__all__ = ["write_feedback", "write_report"]
