"""The course folder: finding it, what lies where, its secret."""

import os
import stat
import subprocess
import sys

import pytest

from autograder.course import Course, find_course, is_name
from autograder.errors import UsageError


def test_a_course_is_found_from_any_folder_in_it(toy_course):
    assert find_course(toy_course.source_folder("a90_toy")) == toy_course


def test_the_working_directory_is_where_the_search_begins(toy_course, monkeypatch):
    monkeypatch.chdir(toy_course.root / "reference")
    assert find_course() == toy_course


def test_outside_of_a_course_there_is_a_sentence(tmp_path):
    with pytest.raises(UsageError, match="belongs to no course.*nbgrader_config.py"):
        find_course(tmp_path)


def test_assignments_are_the_folders_with_a_notebook_of_their_name(toy_course):
    (toy_course.root / "source" / "a91_empty").mkdir()
    assert [assignment.name for assignment in toy_course.assignments()] == ["a90_toy"]


def test_an_unknown_assignment_lists_those_there_are(toy_course):
    with pytest.raises(UsageError, match="no assignment 'a99'. There are: a90_toy"):
        toy_course.assignment("a99")


def test_folders_are_where_nbgrader_has_them(toy_course):
    root = toy_course.root
    assert toy_course.release_folder("a90_toy") == root / "release" / "a90_toy"
    assert toy_course.submitted_folder("ada", "a90_toy") == root / "submitted" / "ada" / "a90_toy"
    assert toy_course.autograded_folder("ada", "a90_toy") == root / "autograded/ada/a90_toy"
    assert toy_course.feedback_folder == root / "feedback"
    assert toy_course.hidden_folder("a90_toy").is_dir()
    assert toy_course.private == root / ".lgm"


def test_only_an_assignment_with_hidden_checks_is_checked(toy_course):
    assert toy_course.is_checked("a90_toy")
    assert not toy_course.is_checked("a91_plain")


def test_students_are_those_with_something_in_the_place_of_a_submission(toy_course):
    assert toy_course.students("a90_toy") == []
    for student in ("bob", "ada"):
        toy_course.submitted_folder(student, "a90_toy").mkdir(parents=True)
    toy_course.submitted_folder("eve", "a91_other").mkdir(parents=True)
    toy_course.submitted_folder(".hidden", "a90_toy").mkdir(parents=True)
    link = toy_course.submitted_folder("mallory", "a90_toy")
    link.parent.mkdir()
    link.symlink_to("/nowhere")
    assert toy_course.students("a90_toy") == ["ada", "bob", "mallory"]


def test_the_secret_is_made_once_and_for_the_owner_only(toy_course):
    first = toy_course.secret()
    assert len(first) == 32
    assert toy_course.secret() == first
    assert find_course(toy_course.root).secret() == first
    mode = stat.S_IMODE((toy_course.private / "secret").stat().st_mode)
    assert mode == 0o600
    assert os.listdir(toy_course.private) == ["secret"]


def test_two_courses_have_two_secrets(toy_course, tmp_path):
    assert Course(tmp_path, toy_course.settings).secret() != toy_course.secret()


def test_of_two_that_make_the_secret_at_once_the_first_wins(toy_course, monkeypatch):
    def while_another_is_faster(count):
        (toy_course.private / "secret").write_bytes(b"o" * count)
        return b"x" * count

    monkeypatch.setattr("secrets.token_bytes", while_another_is_faster)
    assert toy_course.secret() == b"o" * 32
    assert os.listdir(toy_course.private) == ["secret"]


def test_a_damaged_secret_is_not_used(toy_course):
    toy_course.secret()
    (toy_course.private / "secret").write_bytes(b"short")
    with pytest.raises(UsageError, match="holds 5"):
        toy_course.secret()


@pytest.mark.parametrize("name", ["ada", "s123456", "a.b@c-d+e", "_x", "a" * 100])
def test_names_may_hold_letters_digits_and_a_few_signs(name):
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a*", "a[0]", "{a}", "-a", "ä", "a b", "a\n", "a" * 101]
)
def test_names_hold_nothing_that_paths_globs_or_formats_read(name):
    assert not is_name(name)


def test_the_room_loads_nothing_heavy():
    code = (
        "import sys, autograder.course\n"
        "heavy = {'nbgrader', 'nbformat', 'nbconvert', 'numpy', 'tensorflow', 'traitlets'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
