"""An assignment lies in its four places, and the framework knows none of them by name."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ASSIGNMENT = re.compile(r"\ba\d\d_[a-z]+")


def strings_and_names(path):
    """Yields what a module says in code: not comments, docstrings and help texts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and ast.get_docstring(node)
    }
    told |= {
        id(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg in ("help", "epilog")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value
        elif isinstance(node, ast.Name):
            yield node.id


def test_the_framework_names_no_assignment():
    for path in sorted((ROOT / "autograder").rglob("*.py")):
        for text in strings_and_names(path):
            assert not _ASSIGNMENT.search(text), f"{path}: {text}"


def test_no_setting_names_an_assignment():
    for name in ("nbgrader_config.py", "Makefile", "pyproject.toml", ".ci/run"):
        assert not _ASSIGNMENT.search((ROOT / name).read_text(encoding="utf-8")), name


def test_every_assignment_has_its_places(course, assignment):
    assert course.is_checked(assignment.name)
    assert (course.release_folder(assignment.name) / f"{assignment.name}.ipynb").is_file()
    topic = assignment.name.partition("_")[2]
    assert (ROOT / "reference" / f"{topic}.py").is_file()
    assert (ROOT / "tests" / "reference" / f"test_{topic}.py").is_file()


def test_every_folder_of_hidden_checks_belongs_to_an_assignment(course):
    names = {assignment.name for assignment in course.assignments()}
    folders = (ROOT / "tests" / "hidden").glob("a[0-9]*")
    assert {folder.name for folder in folders} == names


def test_points_add_up_to_a_hundred(assignment):
    assert assignment.automatic_points == 80
    assert sum(cell.points for cell in assignment.manual) == 20
