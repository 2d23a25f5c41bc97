"""A. Stealing: hidden checks, the reference, other submissions, whatever is the grader's."""

import os
import shutil

from tests.adversarial.case import Case
from tests.scan import SCAN_MEMORY

__all__ = ["CASES"]

_WALK = """
wanted = re.compile("test_.*[.]py$|reference|[.]ipynb$|gradebook|autograder|hidden|id_rsa")
packages = tuple({p for p in sys.path if "packages" in p} | {sys.base_prefix, "/usr", "/proc"})
for folder, folders, files in os.walk("/"):
    if folder.startswith(packages):
        folders.clear()
        continue
    obtained += [f"{folder}/{name}" for name in files + folders if wanted.search(name)]
"""
_CANARY = 'canary = re.compile(b"lgm-can" + b"ary-[a-z]")\n'
_SCAN = f"{_CANARY}pattern = canary\n{SCAN_MEMORY}\nobtained += areas"


def _links(course, folder):
    home = os.environ["HOME"]
    (folder / "data.csv").symlink_to(course.root / "gradebook.db")
    (folder / "key.txt").symlink_to(f"{home}/.ssh/id_rsa")
    os.link(course.root / "gradebook.db", folder / "hard.csv")
    (folder / "folder").symlink_to(course.root)
    (folder / "logits.csv").symlink_to("/etc/passwd")


def _notebook_is_a_link(course, folder):
    notebook = folder / f"{folder.name}.ipynb"
    notebook.replace(course.root / "elsewhere.ipynb")
    notebook.symlink_to(course.root / "elsewhere.ipynb")


def _folder_is_a_link(course, folder):
    place = course.root / "elsewhere"
    shutil.rmtree(place, ignore_errors=True)
    folder.rename(place)
    folder.symlink_to(place)


CASES = (
    Case("A01", "walk over all files", _WALK, stops=("view",)),
    Case(
        "A01",
        "open what the judge has by its name",
        "for path in ('/opt/lgm', '/opt/lgm/autograder/judge', '/opt', '/var', '/sys', '/boot'):\n"
        "    attempt(path, lambda: os.listdir(path))\n"
        "attempt('/etc', lambda: set(os.listdir('/etc')) - {'passwd', 'group', 'hosts',"
        " 'nsswitch.conf', 'ld.so.cache', 'localtime'} or False)",
    ),
    Case(
        "A02",
        "look at other processes",
        "for pid in [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]:\n"
        "    for name in ('environ', 'maps', 'mem', 'cmdline'):\n"
        "        attempt((pid, name), lambda: pid != '1' and open(f'/proc/{pid}/{name}', 'rb')"
        ".read(10))\n"
        "    for name in ('root', 'cwd', 'exe'):\n"
        "        attempt((pid, name), lambda: os.readlink(f'/proc/{pid}/{name}'))\n"
        "    attempt((pid, 'fd'), lambda: os.listdir(f'/proc/{pid}/fd'))\n"
        "    attempt((pid, 'fd'), lambda: os.listdir(f'/proc/{pid}/map_files'))",
    ),
    Case(
        "A03",
        "read the environment",
        _CANARY + "import inspect\n"
        "seen = [str(os.environ), str(sys.orig_argv), str(sys.argv), os.getcwd()]\n"
        "for name in ('environ', 'cmdline', 'status', 'stat', 'cgroup', 'sched'):\n"
        "    try:\n        seen.append(open(f'/proc/self/{name}').read())\n"
        "    except OSError:\n        pass\n"
        "text = ' '.join(seen)\n"
        "obtained += [word for word in ('TOKEN', 'LOGNAME', 'SUDO', 'course', 'pytest', 'hidden')"
        " if word in text]\n"
        "if canary.search(text.encode()): obtained.append('canary')",
    ),
    Case("A04", "scan its own memory", _SCAN, seconds=20),
    Case(
        "A04",
        "ask the garbage collector",
        _CANARY + "import gc\n"
        "for thing in gc.get_objects():\n"
        "    if isinstance(thing, (dict, list, tuple)):\n"
        "        try:\n            text = str(list(thing.values()) if isinstance(thing, dict) else"
        " thing)[:5000]\n"
        "        except Exception:\n            continue\n"
        "        if canary.search(text.encode('utf-8', 'replace')): obtained.append(text[:100])",
        seconds=30,
    ),
    Case(
        "A05",
        "climb the stack and the modules",
        "import gc, inspect, linecache\n"
        "frame = sys._getframe()\n"
        "while frame is not None:\n"
        "    names = set(frame.f_locals) | set(frame.f_globals)\n"
        "    obtained += [n for n in names if n in ('checks', 'reference', 'secret', 'judge',"
        " 'gradebook', 'points', 'expected')]\n"
        "    frame = frame.f_back\n"
        "obtained += [n for n in sys.modules if n.startswith(('reference', 'autograder.judge',"
        " 'autograder.checks', 'autograder.course', 'tests.', 'test_', '_pytest'))]\n"
        "obtained += [n for n in linecache.cache if 'test_' in n or 'reference' in n]\n"
        "obtained += [t.name for t in threading.enumerate() if t.name != 'MainThread']\n"
        "import __main__\n"
        "obtained += [n for n in vars(__main__) if 'secret' in n.lower()]",
    ),
    Case(
        "A06",
        "reopen descriptors",
        "import fcntl\n"
        "for number in range(1024):\n"
        "    try:\n        mode = os.fstat(number).st_mode\n"
        "    except OSError:\n        continue\n"
        "    if stat.S_ISDIR(mode) or stat.S_ISREG(mode): obtained.append(number)\n"
        "    if number > 3 and not stat.S_ISCHR(mode): obtained.append((number, oct(mode)))\n"
        "    attempt((number, 'up'), lambda: os.listdir(f'/proc/self/fd/{number}/..'))\n"
        "    attempt((number, 'openat'), lambda: os.open('../etc/passwd', 0, dir_fd=number))\n"
        "    attempt((number, 'chdir'), lambda: os.fchdir(number) or True)\n"
        "    if stat.S_ISSOCK(mode):\n"
        "        attempt((number, 'reopen'), lambda: os.open(f'/proc/self/fd/{number}', 2))",
    ),
    Case(
        "A06",
        "change what the kernel keeps of it",
        "def write(name, text):\n"
        "    with open(f'/proc/self/{name}', 'w') as file:\n        return file.write(text)\n"
        "attempt('oom_score_adj', lambda: write('oom_score_adj', '0'))\n"
        "attempt('timerslack', lambda: write('timerslack_ns', '1'))\n"
        "attempt('comm', lambda: write('comm', 'lgm'))\n"
        "attempt('coredump_filter', lambda: write('coredump_filter', '0x7f'))\n",
    ),
    Case(
        "A08",
        "import the framework and the reference",
        "import importlib\n"
        "for name in ('reference', 'reference.toy', 'autograder.judge', 'autograder.checks',"
        " 'autograder.course', 'autograder.sandbox.slot', 'tests.hidden', 'lgm'):\n"
        "    attempt(name, lambda: importlib.import_module(name))\n"
        "sys.path += ['/opt/lgm', os.getcwd(), '..']\n"
        "for name in ('reference', 'autograder.judge.process'):\n"
        "    attempt(name, lambda: importlib.import_module(name))",
    ),
    Case(
        "A10",
        "show every question it is asked",
        answers={
            "sigmoid": "import sys\nasked = []\ndef sigmoid(logit):\n    asked.append(logit)\n"
            "    print('ASKED', logit, file=sys.__stdout__, flush=True)\n"
            "    print('ASKED', logit)\n"
            "    raise ValueError('ASKED ' + repr(logit))\n"
            "def log_sigmoid(logit):\n    class Shown(Exception):\n"
            "        def __str__(self): return 'ASKED ' * 10**6\n"
            "    raise Shown\n",
            "entropy": "def entropy(logit):\n    from IPython.display import display, HTML\n"
            "    display(HTML(f'ASKED {logit}')); display(logit)\n"
            "    return np.logaddexp(0, logit) - logit / (1 + np.exp(-logit))\n",
        },
        attack="obtained = []",
        score=4,
        hides="ASKED",
    ),
    Case(
        "A11",
        "tell what was asked by the name of an exception",
        answers={
            "sigmoid": "def told(values):\n"
            "    digits = '_'.join(f'{abs(x):.0f}' for x in np.ravel(values))\n"
            "    raise type(f'ASKED_{digits}', (Exception,), {})\n"
            "def sigmoid(logit): told(logit)\n"
            "def log_sigmoid(logit): told(logit)\n",
            "entropy": "class ASKED(Exception): pass\n"
            "def entropy(logit): raise ASKED(str(logit)) from ValueError('ASKED')\n",
        },
        score=0,
        hides="ASKED",
    ),
    Case("A13", "links beside the notebook", hand_in=_links, says="Left out beside the notebook"),
    Case(
        "A13",
        "the notebook is a link",
        hand_in=_notebook_is_a_link,
        score=None,
        ends="refused",
        says="is a link to another place",
    ),
    Case(
        "A13",
        "the folder is a link",
        hand_in=_folder_is_a_link,
        score=None,
        ends="refused",
        says="is a link or a file",
    ),
    Case(
        "A14",
        "ask for the history and the connection",
        "shell = get_ipython()\n"
        "attempt('kernel', lambda: shell.kernel.session.key)\n"
        "attempt('database', lambda: os.path.exists(shell.history_manager.hist_file))\n"
        "attempt('sessions', lambda: [s for s in shell.history_manager.get_tail(100)"
        " if 'OBTAINED' not in s[2]])\n"
        "attempt('file', lambda: glob.glob('/**/kernel-*.json', recursive=False))\n"
        "from ipykernel import get_connection_file\n"
        "attempt('connection', get_connection_file)",
    ),
)
