"""What the course consists of, read from its folder as text; nothing of it is imported.

Read in this order: `_settings` (nbgrader_config.py), `_assignment` (a source notebook), `_checks`
(the declarations beside the hidden checks), `_course` (the folder). `reference_source` puts the
reference's text where the reference itself must not be.
"""

from autograder.course._assignment import (
    MARKERS,
    STUB,
    Assignment,
    Cell,
    Exercise,
    Kind,
    ManualCell,
    read_notebook,
    regions,
)
from autograder.course._checks import CheckInfo, checks_of
from autograder.course._configure import configure, programs_on_path
from autograder.course._course import Course, find_course
from autograder.course._names import is_name
from autograder.course._settings import CONFIG_FILE, Settings, load_config

__all__ = [
    "CONFIG_FILE",
    "MARKERS",
    "STUB",
    "Assignment",
    "Cell",
    "CheckInfo",
    "Course",
    "Exercise",
    "Kind",
    "ManualCell",
    "Settings",
    "checks_of",
    "configure",
    "find_course",
    "is_name",
    "load_config",
    "programs_on_path",
    "read_notebook",
    "regions",
]
