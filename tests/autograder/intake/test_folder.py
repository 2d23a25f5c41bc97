"""The folder of a submission: ordinary files only, and what may lie beside the notebook."""

import os

import pytest

from autograder.errors import BadSubmission
from autograder.intake import read_submission
from autograder.intake._folder import own_files
from autograder.intake._words import listed, quoted, size

NAME = "a90_toy.ipynb"


def refusal(course, student="ada"):
    with pytest.raises(BadSubmission) as refused:
        read_submission(course, course.assignment("a90_toy"), student)
    return str(refused.value)


def test_a_notebook_that_is_a_link_is_refused(toy_course, folder):
    (folder / NAME).symlink_to(toy_course.source_folder("a90_toy") / NAME)
    assert "is a link to another place" in refusal(toy_course)


def test_a_notebook_with_a_second_name_is_refused(toy_course, folder):
    os.link(toy_course.source_folder("a90_toy") / NAME, folder / NAME)
    assert "is a hard link" in refusal(toy_course)


def test_a_folder_in_the_notebooks_place_is_refused(toy_course, folder):
    (folder / NAME).mkdir()
    assert f"'{NAME}' is a folder" in refusal(toy_course)


def test_a_pipe_in_the_notebooks_place_is_refused_at_once(toy_course, folder):
    os.mkfifo(folder / NAME)
    assert f"'{NAME}' is no ordinary file" in refusal(toy_course)


@pytest.mark.parametrize("level", ["student", "assignment"])
def test_a_folder_that_is_a_link_is_refused(toy_course, folder, level):
    place = folder if level == "assignment" else folder.parent
    place.rename(toy_course.root / "elsewhere")
    place.symlink_to(toy_course.root / "elsewhere")
    assert "submitted/ada/a90_toy is a link or a file" in refusal(toy_course)


def test_a_file_in_the_folders_place_is_refused(toy_course, folder):
    folder.rmdir()
    folder.write_text("x")
    assert "submitted/ada/a90_toy is a link or a file" in refusal(toy_course)


def test_somebody_who_handed_in_nothing_is_refused(toy_course, folder):
    assert "cannot be read: No such file or directory" in refusal(toy_course, "bob")


def test_a_notebook_over_the_limit_is_refused_unread(toy_course, folder):
    with (folder / NAME).open("wb") as file:
        file.truncate(50_000_000)
    sentence = refusal(toy_course)
    assert "has 50.0 MB; at most 25.0 MB are read" in sentence
    assert "Clear the outputs" in sentence


@pytest.mark.parametrize("student", ["../ada", "-rf", "", "a" * 101, "a b", "a\n", "ünal", "*"])
def test_a_name_that_is_none_is_refused(toy_course, student):
    assert "A student cannot be called" in refusal(toy_course, student)


def test_a_name_in_broken_bytes_can_be_printed(toy_course):
    refusal(toy_course, os.fsdecode(b"a\xff")).encode("utf-8")


def files_of(folder, given, most=1000):
    repairs = []
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return own_files(folder, descriptor, given, most, repairs), repairs
    finally:
        os.close(descriptor)


@pytest.fixture
def given(tmp_path):
    place = tmp_path / "given"
    place.mkdir()
    (place / "logits.csv").write_text("1\n")
    return place


def test_data_and_pictures_are_taken_with_their_folders(folder, given):
    (folder / "more").mkdir()
    for name in ("my data (1).csv", "more/Photo.JPG", NAME):
        (folder / name).write_text("x")
    files, repairs = files_of(folder, given)
    assert files == {name: folder / name for name in ("my data (1).csv", "more/Photo.JPG")}
    assert repairs == []


@pytest.mark.parametrize(
    "name", ["evil.html", "x.svg", "x.js", "model.keras", "x.pickle", "noend", "<b>.csv", "ä.csv"]
)
def test_files_of_other_kinds_and_names_are_left_out(folder, given, name):
    (folder / name).write_text("x")
    files, (repair,) = files_of(folder, given)
    assert files == {}
    assert f"Left out beside the notebook: '{name}'" in repair


def test_links_are_left_out(folder, given, tmp_path):
    (tmp_path / "gradebook.csv").write_text("secret")
    (folder / "a.csv").symlink_to(tmp_path / "gradebook.csv")
    os.link(tmp_path / "gradebook.csv", folder / "b.csv")
    (folder / "c").symlink_to(given)
    os.mkfifo(folder / "d.csv")
    files, (repair,) = files_of(folder, given)
    assert files == {}
    assert "'c', 'a.csv', 'b.csv' and 'd.csv'" in repair


def test_the_files_together_have_a_limit(folder, given):
    for name in ("a.csv", "b.csv"):
        (folder / name).write_bytes(b"x" * 600)
    files, (repair,) = files_of(folder, given)
    assert list(files) == ["a.csv"]
    assert "'b.csv'" in repair


def test_there_are_limits_on_number_and_depth(folder, given):
    for number in range(101):
        (folder / f"{number:03}.csv").touch()
    (folder / "a/b/c/d/e").mkdir(parents=True)
    (folder / "a/b/c/d/deep.csv").touch()
    files, (repair,) = files_of(folder, given)
    assert len(files) == 100
    assert "a/b/c/d" in repair
    assert "'100.csv'" in repair


def test_the_assignments_own_files_win(folder, given):
    (folder / "logits.csv").write_text("1\n")
    assert files_of(folder, given) == ({}, [])
    (folder / "logits.csv").write_text("2\n")
    files, (repair,) = files_of(folder, given)
    assert files == {}
    assert "has its own 'logits.csv'" in repair


def test_what_tools_leave_behind_is_passed_over(folder, given):
    for name in (".ipynb_checkpoints", "__pycache__"):
        (folder / name).mkdir()
        (folder / name / "x.html").touch()
    for name in ("results.json", "timestamp.txt", ".DS_Store", "x.pyc"):
        (folder / name).touch()
    assert files_of(folder, given) == ({}, [])


def test_names_are_quoted_short_and_harmless():
    assert quoted("a\nb\x1b[31mc\u202e") == "'a bc'"
    assert len(quoted("x" * 1000)) == 62


def test_lists_and_sizes_read_as_people_write_them():
    assert [listed("a"), listed("ab"), listed("abc")] == ["a", "a and b", "a, b and c"]
    assert listed("abcdefgh") == "a, b, c, d, e and 3 more"
    assert [size(1), size(99), size(2_500_000)] == ["1 byte", "99 bytes", "2.5 MB"]
