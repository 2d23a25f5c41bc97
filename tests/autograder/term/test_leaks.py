"""Each kind of leak, seeded into a clean release, and seen."""

import base64
import copy

import pytest

from autograder.course import STUB, CheckInfo, checks_of, read_notebook
from autograder.term.leaks import find_breaches, find_leaks, function_lines, secret_lines

SOLUTION_LINE = "return toy.entropy(logit)"


@pytest.fixture
def source(toy_course):
    return read_notebook(toy_course.source_folder("a90_toy") / "a90_toy.ipynb")


@pytest.fixture
def assignment(toy_course):
    return toy_course.assignment("a90_toy")


@pytest.fixture
def checks(toy_course, assignment):
    return checks_of(toy_course, assignment)


@pytest.fixture
def released(source, assignment):
    """What nbgrader would make of the source, as far as leaks are concerned."""
    notebook = copy.deepcopy(source)
    for cell, known in zip(notebook["cells"], assignment.cells, strict=True):
        cell["source"] = known.released
    return notebook


def cell(notebook, identity):
    (found,) = (cell for cell in notebook["cells"] if cell["id"] == identity)
    return found


def test_a_clean_release_has_no_leaks(source, released, assignment, checks):
    assert find_leaks(source, released, {"logits.csv": b"logit\n0.0\n"}) == []
    assert find_breaches(assignment, checks, released) == []


def test_secrets_are_the_lines_of_solutions_and_mark_schemes(source):
    secrets = secret_lines(source)
    assert secrets["returntoy.entropy(logit)"] == "the solution of entropy"
    assert secrets["Twopointsfortheplace,threeforthereason."] == (
        "the mark scheme of manual_reflection"
    )
    assert not any("BEGIN" in line or "SHIFT" in line for line in secrets)


def test_a_hidden_test_is_a_secret(source):
    test = cell(source, "test_entropy")
    test["source"] += "\n### BEGIN HIDDEN TESTS\nassert entropy(3.0) < 1.0\n### END HIDDEN TESTS"
    assert secret_lines(source)["assertentropy(3.0)<1.0"] == "the hidden test of test_entropy"


def test_a_solution_cell_without_markers_is_a_secret_whole(source):
    cell(source, "entropy")["source"] = "def entropy(logit):\n    return 0.5 * logit"
    assert "defentropy(logit):" in secret_lines(source)


def in_given_code(notebook):
    cell(notebook, "given-imports")["source"] += f"\n{SOLUTION_LINE}"


def in_other_blanks(notebook):
    cell(notebook, "given-imports")["source"] += "\n  return  toy . entropy( logit )  # so"


def in_markdown(notebook):
    cell(notebook, "title")["source"] += f"\n\n`{SOLUTION_LINE}`"


def in_cell_metadata(notebook):
    cell(notebook, "title")["metadata"]["comment"] = {"old": [SOLUTION_LINE]}


def in_notebook_metadata(notebook):
    notebook["metadata"]["history"] = [f"{SOLUTION_LINE}\n"]


def in_an_attachment(notebook):
    content = base64.b64encode(f"GIF89a {SOLUTION_LINE}".encode()).decode()
    cell(notebook, "title")["attachments"] = {"a.gif": {"image/gif": content}}


def in_an_attachment_name(notebook):
    cell(notebook, "title")["attachments"] = {SOLUTION_LINE: {"image/gif": ""}}


def in_an_output(notebook):
    cell(notebook, "slow-figure")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": ["x = 3\n", f"{SOLUTION_LINE}\n"]}
    ]


@pytest.mark.parametrize(
    "seed",
    [
        in_given_code,
        in_other_blanks,
        in_markdown,
        in_cell_metadata,
        in_notebook_metadata,
        in_an_attachment,
        in_an_attachment_name,
        in_an_output,
    ],
)
def test_a_solution_line_is_seen_wherever_it_stands(source, released, seed):
    seed(released)
    leaks = find_leaks(source, released, {})
    assert any("holds a line of the solution of entropy" in leak for leak in leaks)


def test_a_mark_scheme_is_seen(source, released):
    cell(released, "manual_reflection")["source"] += (
        "Two points for the place, three for the reason."
    )
    (leak,) = find_leaks(source, released, {})
    assert "the mark scheme of manual_reflection" in leak


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("notes.txt", b"hint: return toy.entropy(logit)"),
        ("return toy.entropy(logit).csv", b"0"),
        ("data/raw.npy", b"\x93NUMPY\x00\xff return toy.entropy(logit)\x00"),
    ],
)
def test_a_solution_line_in_another_file_is_seen(source, released, path, content):
    (leak,) = find_leaks(source, released, {path: content})
    assert path in leak
    assert "the solution of entropy" in leak


@pytest.mark.parametrize(
    "path", ["helper.py", "marking.md", "extra.ipynb", "reference.zip", "noext", ".DS_Store"]
)
def test_only_data_and_figures_lie_beside_the_notebook(source, released, path):
    (leak,) = find_leaks(source, released, {path: b""})
    assert path in leak
    assert ".csv" in leak


@pytest.mark.parametrize(
    "line",
    [
        "from reference import toy",
        "    from reference.toy import entropy",
        "import reference",
        "import numpy, reference.toy as r",
        "from autograder.checks import expect",
        "import autograder",
        "toy = importlib.import_module('reference.toy')",
        '__import__("reference")',
    ],
)
def test_an_import_of_ours_is_seen(source, released, line):
    cell(released, "given-imports")["source"] += f"\n{line}"
    leaks = find_leaks(source, released, {})
    assert any("imports what students do not have" in leak for leak in leaks)


def test_an_import_of_ours_in_a_file_is_seen(source, released):
    (leak,) = find_leaks(source, released, {"notes.txt": b"first\nimport reference.toy\n"})
    assert "The file notes.txt imports" in leak


@pytest.mark.parametrize(
    "line",
    [
        "The reference for this formula is [KW14], from reference books.",
        "import numpy as np  # as in the reference",
        "import preference",
        "reference = entropy(LOGITS)",
    ],
)
def test_the_word_reference_alone_is_no_import(source, released, line):
    cell(released, "given-imports")["source"] += f"\n{line}"
    assert find_leaks(source, released, {}) == []


@pytest.mark.parametrize(
    "line",
    [
        "### BEGIN SOLUTON",
        "### BEGN SOLUTION",
        "### Begin Solution",
        "# end solutions",
        "    ### BEGIN HIDDEN TEST",
        "### BEGIN_HIDDEN_TESTS",
        "### BEGINSOLUTION",
        "=== BEGIN MARKSCHEME ===",
        "== END MARK SCHEMA ==",
        "### BEGIN SOLUTION",
        "so far; END HIDDEN TESTS",
    ],
)
def test_a_marker_or_what_nearly_is_one_is_seen(source, released, line):
    cell(released, "given-imports")["source"] += f"\n{line}"
    (leak,) = find_leaks(source, released, {})
    assert "looks like a marker" in leak
    assert line.strip() in leak


@pytest.mark.parametrize(
    "line",
    [
        "We begin the solution with a sketch.",
        "# The solution of the mean-field equations",
        "## 3. Tests that begin hidden in plain sight",
        "BEGINNING OF THE CHAIN",
        "# Solution",
        "=== RESULTS ===",
    ],
)
def test_prose_is_no_marker(source, released, line):
    cell(released, "title")["source"] += f"\n{line}"
    assert find_leaks(source, released, {}) == []


def test_an_ordinary_import_in_a_solution_is_no_secret(source):
    entropy = cell(source, "entropy")
    entropy["source"] = entropy["source"].replace(
        "from reference import toy", "import numpy as np"
    )
    assert "importnumpyasnp" not in secret_lines(source)


def test_outputs_and_counts_are_seen(source, released):
    cell(released, "given-imports")["execution_count"] = 3
    cell(released, "slow-figure")["outputs"] = [{"output_type": "stream", "text": "1"}]
    leaks = find_leaks(source, released, {})
    assert [leak.split(" has ")[0] for leak in leaks] == [
        "Cell given_imports",
        "Cell slow-figure",
    ]


def test_further_secrets_are_looked_for(source, released):
    text = (
        "def f(x):\n    '''A docstring of more than thirty-two characters is no secret.'''\n"
        "    short = x\n    return (x - 1.0) ** 2 / (x + 1.0) ** 3 + x ** 4\n"
    )
    lines = function_lines(text, {"f"}, "reference/toy.py")
    assert lines == {"return(x-1.0)**2/(x+1.0)**3+x**4": "f in reference/toy.py"}
    cell(released, "title")["source"] += "\n    return (x - 1.0)**2 / (x + 1.0)**3 + x**4"
    (leak,) = find_leaks(source, released, {}, lines)
    assert "f in reference/toy.py" in leak
    assert function_lines(text, {"g"}, "reference/toy.py") == {}


def test_the_methods_of_a_class_are_secrets_without_their_docstrings():
    text = (
        "class F:\n    '''A docstring of more than thirty-two characters is no secret.'''\n"
        "    table = {0: 'a value of the class that is not short'}\n\n"
        "    def value_of_many_arguments(self, first, second, third):\n"
        "        '''A docstring of more than thirty-two characters is no secret.'''\n"
        "        return (first - 1.0) ** 2 / (second + 1.0) ** 3 + third\n"
    )
    assert set(function_lines(text, {"F"}, "reference/toy.py")) == {
        "table={0:'avalueoftheclassthatisnotshort'}",
        "return(first-1.0)**2/(second+1.0)**3+third",
    }


@pytest.mark.parametrize(
    ("methods", "breaches"),
    [((STUB, STUB), 0), ((STUB, "return 1"), 1), (("return 1", STUB), 1), ((), 1)],
)
def test_a_class_has_the_stub_in_each_method(released, assignment, checks, methods, breaches):
    bodies = "".join(f"    def f{n}(self):\n        {body}\n" for n, body in enumerate(methods))
    cell(released, "entropy")["source"] = f"class entropy:\n    size = 1\n{bodies}"
    found = find_breaches(assignment, checks, released)
    assert sum("does not end in the stub" in words for words in found) == breaches


def no_stub(notebook):
    cell(notebook, "sigmoid")["source"] = cell(notebook, "sigmoid")["source"].replace(
        STUB, "return 0.5", 1
    )


def other_sentence(notebook):
    entropy = cell(notebook, "entropy")
    entropy["source"] = entropy["source"].replace("Write your code here", "To do")


def function_gone(notebook):
    cell(notebook, "entropy")["source"] = STUB


@pytest.mark.parametrize(
    ("change", "name"),
    [(no_stub, "sigmoid"), (other_sentence, "entropy"), (function_gone, "entropy")],
)
def test_a_function_without_its_stub_is_seen(assignment, checks, released, change, name):
    change(released)
    breaches = find_breaches(assignment, checks, released)
    assert any(f"{name}: the function {name} does not end in the stub" in b for b in breaches)


def test_points_that_differ_are_seen(assignment, checks, released):
    cell(released, "test_entropy")["metadata"]["nbgrader"]["points"] = 5
    (breach,) = find_breaches(assignment, checks, released)
    assert "entropy: its test cell is worth 4 points in the source, 5 in the release" in breach


def test_points_that_checks_do_not_give_are_seen(assignment, checks, released):
    more = (*checks, CheckInfo("test_x", "sigmoid", 2, False, "x"))
    (breach,) = find_breaches(assignment, more, released)
    assert "its checks add up to 8" in breach


def test_a_missing_or_changed_cell_is_seen(assignment, checks, released):
    cell(released, "title")["source"] += "!"
    (breach,) = find_breaches(assignment, checks, released)
    assert breach.startswith("Cell title is not what the source makes of it")
    released["cells"].pop(0)
    (breach,) = find_breaches(assignment, checks, released)
    assert breach.startswith("The release has not the cells")
