"""The course folder's settings, for `lgm` and for nbgrader's own commands.

What an instructor changes stands here; how nbgrader is set up for it is in `configure`.
"""

from autograder.course import configure

c = get_config()  # noqa: F821  (defined by whoever loads this file)
configure(c)

# One database per term: names of assignments are unique in it.
c.CourseDirectory.course_id = "learning-generative-models"

# release/ is only ever generated, so nbgrader generate_assignment may always replace it.
c.GenerateAssignment.force = True

# What one submission may use.
c.Lgm.cell_seconds = 60
c.Lgm.probe_seconds = 30
c.Lgm.submission_seconds = 600
c.Lgm.memory_mebibytes = 3072
c.Lgm.data_mebibytes = 2048
c.Lgm.processes = 256
c.Lgm.submission_megabytes = 25
