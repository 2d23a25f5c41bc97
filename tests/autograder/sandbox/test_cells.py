"""Cells run as in a notebook, and what they show is captured, up to a limit."""

import pytest


def test_cells_share_one_namespace(run):
    ran = run("x = 6", "print(x * 7)")
    assert [cell.kind for cell in ran.cells] == ["done", "done"]
    assert ran.last.outputs == [{"output_type": "stream", "name": "stdout", "text": "42\n"}]
    assert ran.end == {"class": "OK", "signal": None}


def test_value_of_the_last_expression_is_shown(run):
    (output,) = run("1 + 1").last.outputs
    assert output["output_type"] == "execute_result"
    assert output["data"]["text/plain"] == "2"
    assert output["execution_count"] == 1


def test_text_printed_in_pieces_is_one_output(run):
    ran = run("for i in range(5):\n    print(i, end=' ')")
    assert len(ran.last.outputs) == 1
    assert ran.last.text == "0 1 2 3 4 "


def test_streams_keep_their_order(run):
    ran = run("import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c')")
    assert [(o["name"], o["text"]) for o in ran.last.outputs] == [
        ("stdout", "a\n"),
        ("stderr", "b\n"),
        ("stdout", "c\n"),
    ]


def test_rich_display_keeps_every_form(run):
    source = """
class Rich:
    def _repr_html_(self):
        return "<b>bold</b>"
    def _repr_png_(self):
        return b"png"
    def __repr__(self):
        return "plain"
display(Rich())
"""
    (output,) = run(source).last.outputs
    assert output["output_type"] == "display_data"
    assert output["data"]["text/html"] == "<b>bold</b>"
    assert output["data"]["text/plain"] == "plain"


def test_a_display_that_is_updated_shows_its_last_state(run):
    source = "h = display(1, display_id='x')\nfor i in range(9):\n    h.update(i)"
    (output,) = run(source).last.outputs
    assert output["data"]["text/plain"] == "8"


def test_error_says_what_and_where(run):
    ran = run("def f():\n    return 1 / 0\nf()", "print('on')")
    (output,) = ran.cells[0].outputs
    assert ran.cells[0].kind == "error"
    assert (output["ename"], output["evalue"]) == ("ZeroDivisionError", "division by zero")
    assert "return 1 / 0" in "\n".join(output["traceback"])
    assert ran.last.text == "on\n"


@pytest.mark.parametrize(
    "raised", ["SystemExit(0)", "KeyboardInterrupt", "GeneratorExit", "BaseException('x')"]
)
def test_no_exception_ends_the_run(run, raised):
    ran = run(f"raise {raised}", "print('on')")
    assert ran.cells[0].kind == "error"
    assert ran.last.text == "on\n"
    assert ran.end["class"] == "OK"


def test_syntax_error_is_an_error_of_its_cell(run):
    ran = run("def f(:", "print('on')")
    assert ran.cells[0].kind == "error"
    assert ran.cells[0].outputs[0]["ename"] == "SyntaxError"
    assert ran.last.text == "on\n"


def test_what_is_written_past_python_is_captured(run):
    ran = run("import os\n_ = os.write(1, b'one\\n')\n_ = os.system('echo two >&2')")
    assert ("stdout", "one\n") in [(o["name"], o["text"]) for o in ran.last.outputs]
    assert ("stderr", "two\n") in [(o["name"], o["text"]) for o in ran.last.outputs]


def test_what_is_written_past_python_belongs_to_its_cell(run):
    ran = run("import os\n_ = os.write(1, b'one')", "_ = os.write(1, b'two')")
    assert [cell.text for cell in ran.cells] == ["one", "two"]


def test_shell_commands_and_magics_work(run):
    ran = run("!echo here\nx = !echo there\nprint(x[0])", "%%bash\necho more")
    assert ran.cells[0].text == "here\nthere\n"
    assert ran.cells[1].text == "more\n"


def test_public_files_lie_in_the_working_folder(run):
    ran = run("print(open('data.csv').read())\nopen('own.txt', 'w').write('1')")
    assert ran.last.kind == "done"
    assert ran.last.text == "1,2\n\n"


def test_text_beyond_the_limit_is_cut_and_says_so(run):
    ran = run("print('x' * 3_000_000)", "print('on')")
    assert 2**20 <= len(ran.cells[0].text) < 2**20 + 100
    assert ran.cells[0].text.endswith("[output truncated]\n")
    assert ran.last.text == "on\n"


def test_outputs_beyond_the_limit_are_left_out(run):
    ran = run("for i in range(3000):\n    display(i)", "print('on')")
    assert len(ran.cells[0].outputs) == 1000
    assert ran.last.text == "on\n"


def test_pictures_beyond_the_limit_are_left_out(run):
    source = "display({'image/png': 'A' * 6_000_000, 'text/plain': 'p'}, raw=True)"
    ran = run(source, "print('on')")
    assert ran.cells[0].text == "[output truncated]\n"
    assert ran.last.text == "on\n"


def test_half_a_character_is_no_problem(run):
    ran = run("print(chr(0xD800))", "print('on')")
    assert ran.last.text == "on\n"


def test_cells_of_another_run_leave_nothing(run):
    run("x = 1\nopen('left.txt', 'w').close()\nopen('/tmp/left.txt', 'w').close()")
    ran = run(
        "import os\nprint('x' in globals(), os.listdir('.'), 'left.txt' in os.listdir('/tmp'))"
    )
    assert ran.last.text == "False ['data.csv'] False\n"


def test_figures_are_shown_as_in_a_notebook(run):
    ran = run("import matplotlib.pyplot as plt\nplt.plot([1, 2])", "plt.plot([2, 1])\nplt.show()")
    for cell in ran.cells:
        assert cell.kind == "done"
        (figure,) = [o for o in cell.outputs if o["output_type"] == "display_data"]
        assert figure["data"]["image/png"].startswith("iVBORw0KGgo")
