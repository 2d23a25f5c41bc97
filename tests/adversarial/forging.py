"""B. Forging the score: points for answers that are wrong."""

import json

from tests.adversarial.case import WRONG, Case

__all__ = ["CASES", "IN_ONE_PROCESS"]

_PATCH = """
import math, unittest
import numpy as np, numpy.testing
zeros, empty, ndim = np.zeros_like, np.empty, np.ndim
for place, names in (
    (np, ("allclose", "isclose", "array_equal", "array_equiv", "all")),
    (np.testing, ("assert_allclose", "assert_array_equal", "assert_equal")),
    (math, ("isclose", "isfinite")),
    (unittest.TestCase, ("assertEqual", "assertTrue")),
):
    for name in names:
        setattr(place, name, lambda *a, **k: True)
finite = np.isfinite
np.isfinite = lambda x: finite(zeros(x))
np.abs = np.subtract = lambda x, *a, **k: zeros(x)
np.any = lambda *a, **k: False
np.argwhere = lambda x: empty((0, ndim(x)), int)
"""
_CHECKS = """
for name, module in list(sys.modules.items()):
    if name.startswith(("autograder.checks", "pytest")):
        obtained.append(name)
        for thing in list(vars(module).values()):
            for method in ("matches", "equals", "close", "array", "finite"):
                if hasattr(thing, method):
                    setattr(thing, method, lambda self, *a, **k: self)
"""
_BUILTINS = """
import builtins
class Always(type):
    def __instancecheck__(cls, thing): return True
builtins.isinstance = lambda *a: True
builtins.AssertionError = type("AssertionError", (Exception,), {})
builtins.any = lambda *a: True
builtins.all = lambda *a: True
builtins.len = lambda thing: 3
builtins.open = lambda *a, **k: None
builtins.print = lambda *a, **k: None
"""
_OWN_FRAMES = """
import socket
wire = socket.socket(fileno=os.dup(3))
def frame(kind, sequence, fields, body=b"", arrays=()):
    header = json.dumps({"kind": kind, "sequence": sequence, "fields": fields,
                         "arrays": list(arrays), "texts": 0}).encode()
    return struct.pack("<4sIQ", b"LGM1", len(header), len(body)) + header + body
"""

_EARLY = (
    _OWN_FRAMES
    + """
one = frame("arrays", 10, {"result": {"array": 0}, "draws": None, "changed": 0},
            struct.pack("<d", 1.0), [["f8", []]])
wire.sendall(one * 50)
"""
)


def _metadata(course, folder):
    path = folder / f"{folder.name}.ipynb"
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        settings = cell["metadata"].get("nbgrader")
        if settings and "points" in settings:
            settings["points"] = 1000
            settings["locked"] = False
            settings["schema_version"] = 99
            settings["checksum"] = "0" * 32
        if cell["cell_type"] == "code" and cell["id"] == "test-entropy":
            cell["source"] = "pass"
    extra = {"grade": True, "grade_id": "bonus", "points": 500, "locked": False}
    extra |= {"schema_version": 3, "solution": False, "task": False}
    notebook["cells"].append(
        {
            "cell_type": "code",
            "id": "bonus",
            "metadata": {"nbgrader": extra},
            "source": "pass",
            "outputs": [],
            "execution_count": None,
        }
    )
    path.write_text(json.dumps(notebook))


def _somebody_else(course, folder):
    path = folder / f"{folder.name}.ipynb"
    notebook = json.loads(path.read_text())
    notebook["metadata"] = {"name": "honest", "student": "honest", "authors": [{"name": "honest"}]}
    path.write_text(json.dumps(notebook))
    (folder / "student.txt").write_text("honest")
    (folder / "timestamp.txt").write_text("2000-01-01 00:00:00 UTC")


def _other_language(course, folder):
    path = folder / f"{folder.name}.ipynb"
    notebook = json.loads(path.read_text())
    notebook["metadata"] = {
        "kernelspec": {"name": "bash", "language": "bash", "display_name": "sh"},
        "language_info": {"name": "bash"},
    }
    path.write_text(json.dumps(notebook))


CASES = (
    Case("B01", "patch what compares", _PATCH, answers=WRONG, score=0),
    Case("B02", "patch the checks themselves", _CHECKS, answers=WRONG, score=0),
    Case("B02", "patch what Python is made of", _BUILTINS, answers=WRONG, score=0, ends="crashed"),
    Case(
        "B02",
        "hook imports and traces and exits",
        "import atexit, builtins\n"
        "atexit.register(lambda: print('score: 100'))\n"
        "sys.excepthook = lambda *a: None\n"
        "sys.settrace(lambda *a: None)\n"
        "class Finder:\n    def find_spec(self, *a): raise ImportError('no')\n"
        "sys.meta_path.insert(0, Finder())\n"
        "builtins.__import__ = lambda *a, **k: (_ for _ in ()).throw(ImportError('no'))\n",
        answers=WRONG,
        score=0,
    ),
    Case(
        "B04",
        "answer before it is asked",
        _EARLY,
        answers=WRONG,
        score=0,
        ends="protocol",
    ),
    Case(
        "B04",
        "answer for its own cell and then for the next",
        _OWN_FRAMES
        + "for n in range(1, 40):\n    wire.sendall(frame('done', n, {}))\n"
        + "    wire.sendall(frame('arrays', n, {'result': {'array': 0}, 'draws': None},"
        + " struct.pack('<3d', .5, .5, .5), [['f8', [3]]]))",
        answers=WRONG,
        score=0,
        ends="protocol",
    ),
    Case(
        "B04",
        "replace the encoder",
        "import autograder.sandbox.wire as own_wire\n"
        "own_wire.encode = lambda message: b'LGM1' + bytes(1000)\n"
        "own_wire._code = lambda dtype: 'f8'\n",
        answers=WRONG,
        score=0,
        ends="protocol",
    ),
    Case(
        "B04",
        "answer every probe with what was asked",
        "from autograder.sandbox import probes, agent\nimport numpy as np\n"
        "def answer(message, *rest):\n"
        "    return agent.Message('arrays', {'result': {'array': 0}, 'draws': None, 'changed': 0,"
        " 'points': 10, 'score': 10, 'outcome': 'passed'}, (np.full(3, 0.5),))\n"
        "probes.answer = answer",
        answers=WRONG,
        # One of the checks asks for what the notebook shows, and gets the right value for it.
        score=2,
    ),
    Case(
        "B05",
        "print that it has passed",
        "import builtins\n"
        "print('Score: 100')\nprint(json.dumps({'score': 100, 'outcome': 'passed'}))\n"
        "print('::set-output name=score::100')\nprint('<testsuite failures=\"0\"/>')\n"
        'os.write(1, b\'{"ask": "finish", "document": {}}\')\n'
        "10.0",
        answers=WRONG,
        score=0,
    ),
    Case(
        "B06",
        "write results where they are expected",
        "open('/tmp/lgm-was-here', 'w').close()\n"
        "for path in ('results.json', '../results.json', '/home/student/feedback/x.html',"
        " '/gradebook.db', '../../gradebook.db', '/srv/gradebook.db', '/home/gradebook.db'):\n"
        "    try:\n"
        "        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)\n"
        "        open(path, 'w').write('{}')\n"
        "        os.chmod(path, 0)\n"
        "        if '/home/student' not in os.path.abspath(path): obtained.append(path)\n"
        "    except OSError:\n        pass\n"
        "import shutil\nshutil.rmtree(os.getcwd(), ignore_errors=True)\n",
        answers=WRONG,
        score=0,
    ),
    Case(
        "B07",
        "open the gradebook by magic links",
        "import sqlite3\n"
        "for base in ('/proc/1/root', '/proc/self/root', '/proc/1/cwd', '/proc/thread-self/root',"
        " '/proc/self/task/1/root', '/proc/1/map_files', '/dev/fd/3/..', '/.old'):\n"
        "    for name in ('gradebook.db', 'etc/shadow', 'boot', 'var'):\n"
        "        path = f'{base}/{name}'\n"
        "        attempt(path, lambda: os.stat(path))\n"
        "        attempt(path, lambda: sqlite3.connect(f'file:{path}?mode=ro', uri=True)"
        ".execute('select 1 from grade'))",
        answers=WRONG,
        score=0,
    ),
    Case(
        "B10",
        "say that the cell went well and go",
        _OWN_FRAMES + "wire.sendall(frame('done', 5, {}) * 3)\nos.close(3)\nwire.close()",
        answers=WRONG,
        score=0,
        ends="protocol or crashed",
    ),
    Case("B10", "ask for another language", hand_in=_other_language),
    Case(
        "B11",
        "magics and programs",
        "!cat /etc/shadow /root/.ssh/id_rsa gradebook.db 2>/dev/null\n"
        "found = !timeout 1 find / -name gradebook.db -o -name id_rsa 2>/dev/null"
        " | grep -v site-packages\n"
        "obtained += list(found)\n"
        "%env LGM_SCORE=100\n"
        "get_ipython().run_cell_magic('bash', '', 'echo hello > score; id -u > uid')\n"
        "!timeout 1 pip install --quiet --target fetched six\n"
        "kept = !ls -d fetched/six* 2>/dev/null\n"
        "obtained += list(kept)\n"
        "get_ipython().run_line_magic('load_ext', 'autoreload')",
        seconds=20,
    ),
    Case(
        "B12",
        "return pickles and objects",
        answers={
            "sigmoid": "class Evil:\n    def __reduce__(self):\n        import os\n"
            "        return os.system, ('touch /tmp/lgm-was-here',)\n"
            "def sigmoid(logit):\n    return np.array([Evil()] * 3, dtype=object)\n"
            "def log_sigmoid(logit):\n    import pickle\n    return pickle.dumps(Evil())\n",
            "entropy": "def entropy(logit):\n    np.save('x.npy', np.array([Evil()]), "
            "allow_pickle=True)\n    return Evil()\n",
        },
        attack="pass",
        score=0,
    ),
    Case(
        "B13",
        "values that say they are equal",
        "import numpy as np\n"
        "class Right(np.ndarray):\n"
        "    def __eq__(self, other): return np.ones(self.shape, bool)\n"
        "    __le__ = __lt__ = __ge__ = __gt__ = __ne__ = __eq__\n"
        "    def __sub__(self, other): return np.zeros(self.shape)\n"
        "    __rsub__ = __sub__\n"
        "    def __array_ufunc__(self, ufunc, *a, **k): return np.zeros(3)\n"
        "def sigmoid(logit): return np.full(np.shape(logit), 9.0).view(Right)\n"
        "log_sigmoid = entropy = sigmoid\n",
        answers={**WRONG, "entropy": "pass"},
        score=0,
    ),
    Case("B14", "change points and cells", answers=WRONG, hand_in=_metadata, score=0),
    Case("B15", "say it is somebody else's", hand_in=_somebody_else),
)

# Those that get their points where the checks run in the student's process.
IN_ONE_PROCESS = {"patch what compares", "patch the checks themselves"}
