"""Which notebook of a folder is read, and what of the folder comes along."""

import json
import shutil

import pytest

from autograder.errors import BadSubmission
from autograder.intake import read_submission

NAME = "a90_toy.ipynb"


@pytest.fixture
def put(folder, released):
    """Writes the release, or a text, under a name."""

    def put(name, text=None):
        (folder / name).write_text(json.dumps(released) if text is None else text)

    return put


@pytest.fixture
def take(toy_course, folder):
    return lambda: read_submission(toy_course, toy_course.assignment("a90_toy"), "ada")


def refusal(take):
    with pytest.raises(BadSubmission) as refused:
        take()
    return str(refused.value)


def test_an_empty_folder_is_refused(take):
    assert refusal(take) == f"Nothing was handed in: the folder is empty. Expected: {NAME}."


def test_what_tools_leave_behind_is_nothing(take, put):
    put("timestamp.txt", "2026-11-25 02:00:00 UTC")
    put(".DS_Store", "")
    assert "Nothing was handed in" in refusal(take)


def test_a_folder_without_a_notebook_is_refused_with_what_was_found(take, put):
    put("answers.zip", "")
    put("notes.txt", "")
    assert "No notebook was handed in, only 'answers.zip' and 'notes.txt'" in refusal(take)


def test_the_notebook_of_the_expected_name_is_read_and_others_are_named(take, put):
    put(NAME)
    put("old.ipynb", "not json")
    assert take().repairs == (f"Only {NAME} is graded, not 'old.ipynb'.",)


def test_the_only_notebook_is_recognised_by_its_cells(take, put):
    put("a90_toy (1).ipynb")
    (repair,) = take().repairs
    assert repair.startswith("The notebook was handed in as 'a90_toy (1).ipynb' and recognised")


def test_a_notebook_of_another_name_and_other_cells_is_refused(take, put, released):
    released["cells"] = [{"cell_type": "code", "metadata": {}, "source": "def entropy(x): pass"}]
    put("homework.ipynb")
    assert "is called 'homework.ipynb' and none of its cells belongs" in refusal(take)


def test_of_several_notebooks_none_is_guessed(take, put):
    put("a.ipynb")
    put("b.ipynb")
    sentence = refusal(take)
    assert f"none is called {NAME}: 'a.ipynb' and 'b.ipynb'" in sentence


def test_who_handed_in_is_said_by_the_folder_alone(take, put, released):
    released["metadata"] = {"student": "bob", "name": "a91_other"}
    put(NAME)
    submission = take()
    assert (submission.student, submission.assignment) == ("ada", "a90_toy")


def test_files_come_along(take, put, folder):
    put(NAME)
    put("mine.csv", "1")
    put("evil.html", "<script>")
    put("logits.csv", "changed")
    put("results.json", "{}")
    submission = take()
    assert submission.files == {"mine.csv": folder / "mine.csv"}
    assert [repair.split(",")[0] for repair in submission.repairs] == [
        "The assignment has its own 'logits.csv'",
        "Left out beside the notebook: 'evil.html'. Ordinary files are taken",
    ]


def test_nothing_in_the_folder_is_changed(take, put, folder, tmp_path):
    put(NAME)
    put("evil.html", "<script>")
    shutil.copytree(folder, tmp_path / "before")
    take()
    for path in (tmp_path / "before").iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_the_same_file_gives_the_same_submission(take, put, released):
    for cell in released["cells"]:
        del cell["id"]
    put(NAME)
    assert take() == take()


def test_a_repair_is_one_line_that_can_be_printed(take, put, released):
    released["cells"].append(
        {
            "cell_type": "code",
            "source": "",
            "metadata": {"nbgrader": {"grade_id": "a\n\x1b[2J\ud800"}},
        }
    )
    put(NAME)
    for repair in take().repairs:
        assert repair.isprintable()
        repair.encode("utf-8")
