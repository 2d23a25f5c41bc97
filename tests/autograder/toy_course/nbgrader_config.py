"""The course folder of the framework's own tests."""

from autograder.course import configure

c = get_config()  # noqa: F821  (defined by whoever loads this file)
configure(c)

c.CourseDirectory.course_id = "toy-course"
c.GenerateAssignment.force = True
