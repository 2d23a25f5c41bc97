"""`nbgrader_config.py`: what it sets, and what it says when that makes no sense."""

import dataclasses
from pathlib import Path

import pytest

from autograder.course import Course, Settings, find_course
from autograder.errors import UsageError


def append(course: Course, text: str) -> Course:
    config = course.root / "nbgrader_config.py"
    config.write_text(config.read_text() + text)
    return find_course(course.root)


def test_defaults_hold_where_nothing_is_set(toy_course):
    due = Settings("toy-course", f"sqlite:///{toy_course.root / 'gradebook.db'}")
    assert toy_course.settings == due


def test_every_limit_can_be_set(toy_course):
    fields = [field.name for field in dataclasses.fields(Settings)]
    limits = {name: 65 + place for place, name in enumerate(fields[2:])}
    limits |= {"memory_mebibytes": 4000, "data_mebibytes": 3000}
    assert len(limits) == 7
    settings = append(
        toy_course, "".join(f"c.Lgm.{k} = {v}\n" for k, v in limits.items())
    ).settings
    assert {name: getattr(settings, name) for name in limits} == limits


def test_a_gradebook_elsewhere_is_taken(toy_course):
    text = "c.CourseDirectory.db_url = 'postgresql://host/grades'\n"
    assert append(toy_course, text).settings.db_url == "postgresql://host/grades"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("c.Lgm.cell_second = 3", ["c.Lgm.cell_second in", "is no setting", "cell_seconds"]),
        ("c.Lgm.cell_seconds = '60'", ["a number from 1 to 3600", "Received: '60'"]),
        ("c.Lgm.cell_seconds = float('nan')", ["Received: nan"]),
        ("c.Lgm.cell_seconds = True", ["Received: True"]),
        ("c.Lgm.cell_seconds = 0", ["Received: 0"]),
        ("c.Lgm.processes = 100.5", ["a whole number", "Received: 100.5"]),
        ("c.Lgm.memory_mebibytes = 10**9", ["from 512 to 65536"]),
    ],
)
def test_a_wrong_limit_is_one_sentence(toy_course, line, words):
    with pytest.raises(UsageError) as caught:
        append(toy_course, f"{line}\n")
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("c.Lgm.cell_seconds = 1 / 0", "line 10: ZeroDivisionError"),
        ("c.Lgm.cell_seconds = = 3", "line 10: SyntaxError"),
        ("import no_such_module", "line 10: ModuleNotFoundError"),
    ],
)
def test_a_broken_file_names_its_line(toy_course, line, words):
    config = toy_course.root / "nbgrader_config.py"
    assert len(config.read_text().split("\n")) == 10
    with pytest.raises(UsageError, match=words):
        append(toy_course, f"{line}\n")


def test_the_course_of_this_repository_has_the_defaults():
    root = Path(__file__).parents[3]
    settings = find_course(root).settings
    assert settings == Settings(settings.course_id, settings.db_url)
    assert settings.course_id
