"""What grading leaves behind for people: nbgrader's database and the autograded notebooks.

Read in this order: `submitted` (what this room needs of a submission), `verdict` (an exercise's
outcome as a page shows it), `notebook` (the autograded notebook), `files` (its folder), `rows`
(what the database says), `book` (one transaction per submission). `plugin` is what `nbgrader
autograde` calls; it is never imported here.
"""

from autograder.gradebook.book import Book
from autograder.gradebook.files import write_autograded
from autograder.gradebook.notebook import autograded_notebook
from autograder.gradebook.verdict import verdict_html, verdict_text

__all__ = ["Book", "autograded_notebook", "verdict_html", "verdict_text", "write_autograded"]
