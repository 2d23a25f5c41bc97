"""The reference's text, made to run where the reference is not."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from autograder.course.reference_source import inlined, solution_code, standalone
from autograder.errors import UsageError

MODULES = {
    "base": """
        \"\"\"What others use.\"\"\"

        from __future__ import annotations

        HALF = 0.5


        def half(x):
            return HALF * x


        def twice(x):
            return 2.0 * x
        """,
    "upper": '''
        """Uses another module in two ways, and a class."""

        import math
        import os.path as paths

        import numpy as np

        from . import base
        from .base import twice as double
        from reference.base import HALF

        try:
            LIMIT, _ = math.inf, paths.sep
        except ValueError:
            LIMIT = 0.0

        UNUSED = np.random.default_rng


        class Box:
            """Holds a number."""

            def __init__(self, value: "Array") -> None:
                self.value = value


        # A comment that says why.
        Array = np.ndarray


        def area(side):
            """Returns side squared, in a roundabout way. Line\u2028separator: 'x' "y" \\\\ é."""
            return Box(base.half(double(side)) * side).value * min(LIMIT, 2 * HALF)


        def lonely(x):
            return math.sqrt(x)
        ''',
    "circle": "from reference import circle\n",
}


@pytest.fixture
def course(toy_course):
    for name, text in MODULES.items():
        lines = [line.removeprefix("        ") for line in text.split("\n")]
        (toy_course.root / "reference" / f"{name}.py").write_text("\n".join(lines).lstrip())
    return toy_course


def values(snippets: list[tuple[str, str]]) -> list:
    """Evaluates an expression after each code, in one process that has no reference."""
    program = (
        "import json, sys\n"
        "answers = []\n"
        "for code, expression in json.load(sys.stdin):\n"
        "    space = {'__name__': 'notebook'}\n"
        "    exec(code, space)\n"
        "    answers.append(eval(expression, space))\n"
        "assert not any(name.split('.')[0] == 'reference' for name in sys.modules)\n"
        "print(json.dumps(answers))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        input=json.dumps(snippets),
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_inlined_functions_compute_what_the_reference_computes(course):
    entropy = inlined(course, "toy", "entropy")
    area = inlined(course, "upper", "area")
    answers = values([(entropy, "entropy(np.array([0.0, 1.5])).tolist()"), (area, "area(3.0)")])
    p = 1.0 / (1.0 + np.exp(-1.5))
    due = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    assert np.allclose(answers[0], [np.log(2.0), due])
    assert answers[1] == 9.0


def test_inlined_code_holds_what_is_needed_and_no_more(course):
    code = inlined(course, "toy", "sigmoid")
    assert "from scipy import special" in code
    assert "# exp(-LARGE) is 0 in float64" in code
    assert "log_sigmoid" not in code
    assert "__all__" not in code
    code = inlined(course, "upper", "lonely")
    assert code == "import math\n\n\ndef lonely(x):\n    return math.sqrt(x)"


def test_inlined_code_keeps_what_the_module_says_of_the_future(course):
    due = "from __future__ import annotations\n\nHALF = 0.5\n\n\ndef half(x):\n    return HALF * x"
    assert inlined(course, "base", "half") == due


def test_inlined_code_keeps_the_order_of_the_module(course):
    code = inlined(course, "toy", "entropy")
    places = [code.index(f"def {name}(") for name in ("_bounded", "sigmoid", "log_sigmoid")]
    assert places == sorted(places)
    assert places[-1] < code.index("def entropy(")


def test_an_unknown_module_or_function_is_a_sentence(course):
    with pytest.raises(UsageError, match="no module 'vae'. There are: base, circle, toy, upper"):
        inlined(course, "vae", "elbo")
    with pytest.raises(UsageError, match="toy.py defines no 'elbo'"):
        inlined(course, "toy", "elbo")


def test_solution_cells_run_one_after_another_as_in_a_notebook(toy_course):
    exercises = toy_course.assignment("a90_toy").exercises
    cells = "\n\n".join(solution_code(toy_course, exercise) for exercise in exercises)
    expression = "[float(f(np.float64(0.0))) for f in (sigmoid, log_sigmoid, entropy)]"
    (answers,) = values([(cells, expression)])
    assert np.allclose(answers, [0.5, -np.log(2.0), np.log(2.0)])


def test_a_solution_calls_earlier_exercises_instead_of_repeating_them(toy_course):
    first, second = toy_course.assignment("a90_toy").exercises
    code = solution_code(toy_course, second)
    assert "def sigmoid" not in code
    assert "sigmoid(logit)" in code
    # Whoever got the earlier exercise wrong keeps it wrong.
    broken = f"{solution_code(toy_course, first)}\n\ndef sigmoid(logit):\n    return 1.0\n\n{code}"
    (answer,) = values([(broken, "float(sigmoid(0.0))")])
    assert answer == 1.0


def test_a_solution_speaks_of_no_reference(toy_course):
    for exercise in toy_course.assignment("a90_toy").exercises:
        code = solution_code(toy_course, exercise)
        assert "reference" not in code
        assert "SOLUTION" not in code


def replaced_cell(course, source):
    path = course.source_folder("a90_toy") / "a90_toy.ipynb"
    notebook = json.loads(path.read_text())
    (cell,) = (cell for cell in notebook["cells"] if cell["id"] == "entropy")
    cell["source"] = source
    path.write_text(json.dumps(notebook))
    return course.assignment("a90_toy").exercises[1]


def test_a_cell_keeps_what_else_it_defines(course):
    source = (
        "SHIFT = 1.0\n\n\n"
        "def entropy(logit):\n    ### BEGIN SOLUTION\n    from reference import upper\n\n"
        "    return upper.area(logit) + SHIFT\n    ### END SOLUTION\n\n\n"
        "def lonely(x):\n    ### BEGIN SOLUTION\n    from reference import upper\n\n"
        "    return upper.lonely(x)\n    ### END SOLUTION\n"
    )
    code = solution_code(course, replaced_cell(course, source))
    assert values([(code, "[entropy(3.0), lonely(16.0), SHIFT]")]) == [[10.0, 4.0, 1.0]]


def test_arguments_in_another_order_are_not_taken_for_a_hand_on(course):
    text = course.root / "reference" / "toy.py"
    text.write_text(text.read_text() + "\n\ndef minus(a, b):\n    return a - b\n")
    source = (
        "def entropy(logit):\n    ### BEGIN SOLUTION\n    return 0.0\n    ### END SOLUTION\n\n\n"
        "def minus(a, b):\n    ### BEGIN SOLUTION\n    from reference import toy\n\n"
        "    return toy.minus(b, a)\n    ### END SOLUTION\n"
    )
    code = solution_code(course, replaced_cell(course, source))
    assert values([(code, "minus(5, 3)")]) == [-2]


KEEPING = """class Box:
    def __init__(self, size):
        from reference import toy

        self.box = toy.Box(size)

    def put(self, number):
        return self.box.put({handed})
"""


@pytest.mark.parametrize("handed", ["number", "2 * number"])
def test_a_class_that_hands_on_becomes_that_of_the_reference(course, handed):
    text = course.root / "reference" / "toy.py"
    box = "class Box:\n    def __init__(self, size):\n        self.size = size\n\n"
    box += "    def put(self, number):\n        return number + self.size\n"
    text.write_text(f"{text.read_text()}\n\n{box}\n\ndef unneeded():\n    pass\n")
    source = "def entropy(logit):\n    return 0.0\n\n\n" + KEEPING.format(handed=handed)
    code = solution_code(course, replaced_cell(course, source))
    hands_on = handed == "number"
    assert values([(code, "Box(1).put(3)")]) == [4 if hands_on else 7]
    # What keeps its body finds the whole module beside it.
    assert ("self.box" in code, "def unneeded" in code) == (not hands_on, not hands_on)


def test_a_solution_of_two_modules_runs(course):
    source = (
        "def entropy(x):\n    from reference import upper\n\n    return upper.entropy(x)\n\n\n"
        "def half(x):\n    from reference import base\n\n    return base.half(x)\n"
    )
    exercise = replaced_cell(course, source)
    assert values([(solution_code(course, exercise), "half(3.0)")]) == [1.5]


def test_a_solution_that_calls_what_is_not_there_is_refused(course):
    source = "def entropy(x):\n    from reference import base\n\n    return base.entropy(x)\n"
    with pytest.raises(UsageError, match="calls base.entropy, but .*base.py defines no such"):
        solution_code(course, replaced_cell(course, source))


@pytest.mark.parametrize(
    ("code", "expression", "due"),
    [
        ("from reference import base\ny = base.half(3.0)", "y", 1.5),
        ("from reference import base as b, upper", "[b.half(3.0), upper.area(2.0)]", [1.5, 4.0]),
        ("from reference.base import half as h, (\n)".replace(", (\n)", ""), "h(1.0)", 0.5),
        ("from reference.base import (\n    half,\n    twice,\n)", "half(twice(7.0))", 7.0),
        ("import reference.base\ny = reference.base.half(1.0)", "y", 0.5),
        ("import math, reference.base as b; x = math.pi", "[x > 3, b.half(1.0)]", [True, 0.5]),
        ("def f(x):\n    é = 1; from reference import base; return base.half(x)", "f(4.0)", 2.0),
        ('from __future__ import annotations\nfrom reference import base\n', "base.HALF", 0.5),
        ("if True:\n    from reference import upper\n", "upper.area.__doc__[-4:]", "\\ é."),
    ],
)  # fmt: skip
def test_standalone_code_finds_the_reference_in_itself(course, code, expression, due):
    assert values([(standalone(course, code), expression)]) == [due]


def test_standalone_code_can_be_read_by_whoever_traces_it(course):
    code = standalone(course, "import inspect\nfrom reference import base")
    (source,) = values([(code, "inspect.getsource(base.half)")])
    assert source == "def half(x):\n    return HALF * x\n"


def test_code_without_the_reference_stays_as_it_is(toy_course):
    code = "import numpy as np\nfrom references import x  # from reference import toy\n"
    assert standalone(toy_course, code) == code


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from reference.toy import *", "a star hides"),
        ("import reference", "name the module"),
        ("from reference import vae", "no module 'vae'"),
        ("from reference.toy import elbo", "defines no 'elbo'"),
        ("from reference import circle", "in a circle"),
        ("def f(:", "line 1"),
    ],
)
def test_what_cannot_stand_alone_is_a_sentence(course, code, words):
    with pytest.raises(UsageError, match=words):
        standalone(course, code)
