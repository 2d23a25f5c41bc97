"""What student code tries has no effect, and the next run is as if nothing had happened."""

import json
import os
import platform
import socket
import time

import pytest

from autograder.sandbox.seccomp import ARCHITECTURES, NUMBERS
from autograder.sandbox.view import WRITABLE
from tests.scan import SCAN_MEMORY

ADD_KEY_NUMBER = NUMBERS["add_key"][ARCHITECTURES[platform.machine()].column]

FIND_FILES = """
import os
found = []
for folder, folders, files in os.walk("/"):
    if folder.startswith(("/proc", "/usr", "/sys")) or "site-packages" in folder:
        folders.clear()
    found += [os.path.join(folder, name) for name in files]
import json
print(json.dumps([path for path in found if {what}]))
"""

SCAN = f"""
import re
pattern = re.compile(b"the-judge-" + b"alone-[k]nows")
{SCAN_MEMORY}
print(len(areas))
"""


def honest(run):
    """The next submission is unaffected."""
    ran = run("import os\nprint(6 * 7, sorted(os.listdir('.')))")
    assert ran.last.text == "42 ['data.csv']\n"
    assert ran.end == {"class": "OK", "signal": None}


# Stealing


def test_hidden_files_are_nowhere(run):
    ran = run(FIND_FILES.format(what="'hidden' in path or 'test_' in path or 'reference' in path"))
    assert [path for path in ran.last.value if "/lib/python" not in path] == []


def test_hidden_files_cannot_be_opened_by_name(run, course_folder):
    path = course_folder / "hidden" / "test_hidden.py"
    ran = run(f"open({str(path)!r}).read()", f"import os; os.listdir({str(course_folder)!r})")
    assert [cell.outputs[0]["ename"] for cell in ran.cells] == ["FileNotFoundError"] * 2


def test_without_a_view_hidden_files_are_found(run_without, course_folder, secret):
    path = course_folder / "hidden" / "test_hidden.py"
    ran = run_without("view")(f"print(open({str(path)!r}).read())")
    assert secret in ran.last.text


def test_the_framework_is_not_in_the_view(run):
    ran = run(FIND_FILES.format(what="'autograder' in path"))
    assert ran.last.value == []


def test_only_own_processes_are_seen(run):
    ran = run(
        "import os, json\n"
        "print(json.dumps([int(p) for p in os.listdir('/proc') if p.isdigit()]), os.getpid())"
    )
    listed, own = ran.last.text.rsplit(maxsplit=1)
    assert set(json.loads(listed)) <= {1, int(own)}


def test_environment_names_no_place_and_no_secret(run, course_folder, secret):
    source = "print(open('/proc/self/environ').read(), open('/proc/self/cmdline').read())"
    text = run(source).last.text
    assert secret not in text
    assert str(course_folder) not in text
    assert (
        set(name.split("=")[0] for name in text.split("\0")) & {"USER", "PWD", "LOGNAME"} == set()
    )


def test_secret_of_the_judge_is_not_in_memory(run):
    assert run(SCAN).last.text == "0\n"


def test_scan_finds_what_is_in_memory(run):
    # So that the scan above can fail.
    planted = "planted = b'the-judge-' + bytes([97, 108, 111, 110, 101]) + b'-knows'"
    assert run(planted, SCAN).last.text != "0\n"


def test_descriptors_lead_nowhere(run):
    source = """
import os, json, stat
kinds = {}
for name in os.listdir("/proc/self/fd"):
    try:
        mode = os.fstat(int(name)).st_mode
    except OSError:
        continue
    kinds[name] = [name for name in ("S_ISDIR", "S_ISREG") if getattr(stat, name)(mode)]
print(json.dumps(kinds))
"""
    kinds = run(source).last.value
    assert set(kinds) == {"0", "1", "2", "3"}
    assert all(kind == [] for kind in kinds.values())


def test_init_cannot_be_looked_into(run):
    ran = run(
        "open('/proc/1/mem', 'rb')",
        "import os; os.listdir('/proc/1/fd')",
        "import ctypes; print(ctypes.CDLL(None).ptrace(16, 1, 0, 0))",
    )
    assert [cell.kind for cell in ran.cells[:2]] == ["error", "error"]
    assert ran.last.text == "-1\n"


# Changing something


def test_nothing_outside_can_be_written(run):
    source = """
import json, os, sys, sysconfig
opened = []
for folder in ("/", "/usr", "/usr/lib", "/etc", "/dev", "/opt", "/proc/sys/kernel", sys.prefix,
               sysconfig.get_paths()["purelib"], os.path.dirname(os.__file__),
               os.path.dirname(os.getcwd())):
    try:
        open(os.path.join(folder, "x"), "w")
        opened.append(folder)
    except OSError:
        pass
for path in ("data.csv", "/etc/passwd", os.__file__):
    try:
        open(path, "r+")
        opened.append(path)
    except OSError:
        pass
    try:
        os.remove(path)
        opened.append(path)
    except OSError:
        pass
print(json.dumps(opened))
"""
    assert run(source).last.value == []


def test_processes_outside_get_no_signal(run, own_pid):
    ran = run(
        f"import os\nos.kill({own_pid}, 0)",
        "os.kill(-1, 9)",
        "os.kill(1, 9)\nos.kill(1, 19)\nprint('init is still there')",
    )
    assert ran.cells[0].outputs[0]["ename"] == "ProcessLookupError"
    honest(run)


def test_killing_its_own_process_ends_only_that(run):
    ran = run("import os; os.kill(os.getpid(), 9)")
    assert ran.last.kind == "ConnectionResetError"
    assert ran.end == {"class": "CRASHED", "signal": "SIGKILL"}
    honest(run)


def test_leaving_ends_only_that_process(run):
    ran = run("import os; os._exit(0)")
    assert ran.end == {"class": "CRASHED", "signal": None}
    honest(run)


def test_crash_says_which_signal(run):
    ran = run("import ctypes; ctypes.string_at(0)")
    assert ran.end == {"class": "CRASHED", "signal": "SIGSEGV"}


def test_deleting_the_working_folder_harms_nobody(run):
    run("import shutil, os\nshutil.rmtree(os.getcwd(), ignore_errors=True)")
    honest(run)


def test_processes_left_behind_end_with_the_run(run):
    # `run` itself asserts that none is left.
    source = """
import os, time
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
"""
    assert run(source).last.kind == "done"


# Network and kernel


def test_a_server_of_this_machine_cannot_be_reached(run):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        ran = run(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=2)")
    assert ran.last.kind == "error"


def test_a_local_socket_of_this_machine_cannot_be_reached(run):
    name = f"\0lgm-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        ran = run(f"import socket\nsocket.socket(socket.AF_UNIX).connect({name!r})")
    assert ran.last.kind == "error"


def test_privileges_cannot_be_had(run):
    source = """
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
got = []
def attempt(name, call):
    try:
        if call() not in (-1, None):
            got.append(name)
    except OSError:
        pass
attempt("mount", lambda: libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None))
attempt("umount", lambda: libc.umount2(b"/home/student", 2))
attempt("user namespace", lambda: libc.unshare(0x10000000))
attempt("mount namespace", lambda: libc.unshare(0x00020000))
attempt("network namespace", lambda: libc.unshare(0x40000000))
attempt("setuid", lambda: os.setuid(0) or 1)
attempt("chroot", lambda: os.chroot("/tmp") or 1)
attempt("host name", lambda: libc.sethostname(b"x", 1))
attempt("device", lambda: os.mknod("/tmp/null", 0o20666, os.makedev(1, 3)) or 1)
attempt("own priority", lambda: os.nice(-5) or 1)
print(json.dumps(got))
"""
    assert run(source).last.value == []


def test_no_capability_is_left(run):
    source = """
with open("/proc/self/status") as file:
    lines = dict(line.split(":", 1) for line in file)
names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
print(*[lines[name].strip() for name in names])
"""
    assert run(source).last.text == " ".join(["0" * 16] * 5 + ["1"]) + "\n"


MOUNT = "import ctypes; print(ctypes.CDLL(None).mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None))"


@pytest.mark.parametrize(
    "layers", [("privileges", "landlock"), ("landlock", "seccomp"), ("privileges", "seccomp")]
)
def test_each_of_three_layers_alone_keeps_the_view_as_it_is(run_without, layers):
    assert run_without(*layers)(MOUNT).last.text == "-1\n"


def test_without_those_three_the_view_can_be_changed(run_without):
    assert run_without("privileges", "landlock", "seccomp")(MOUNT).last.text == "0\n"


def test_without_namespaces_processes_outside_get_signals(run_without):
    # What it was forked from, and what keeps it.
    source = "import os; os.kill(os.getppid(), 0); print(os.getpid() > 2)"
    assert run_without("namespaces")(source).last.text == "True\n"


ADD_KEY = """
import ctypes
print(ctypes.CDLL(None).syscall({number}, b"user", b"lgm", b"x", 1, -3) > 0)
"""


def test_calls_that_no_namespace_keeps_apart_are_denied(run):
    assert run(ADD_KEY.format(number=ADD_KEY_NUMBER)).last.text == "False\n"
    assert run("import socket; socket.socket()").last.outputs[0]["ename"] == "OSError"


def test_without_the_filter_such_calls_are_made(run_without):
    ran = run_without("seccomp")(
        ADD_KEY.format(number=ADD_KEY_NUMBER), "import socket; socket.socket()"
    )
    assert ran.cells[0].text == "True\n"
    assert ran.last.kind == "done"


def test_there_is_no_terminal(run):
    assert run("open('/dev/tty')").last.kind == "error"


# Using too much


def test_an_endless_loop_ends_at_its_limit(run):
    ran = run("while True: pass", seconds=1)
    assert ran.last.kind == "TimeoutError"
    assert ran.seconds < 1 + 2
    honest(run)


def test_a_sleep_that_holds_the_interpreter_ends_at_its_limit(run):
    ran = run("import ctypes; ctypes.PyDLL(None).sleep(1000)", seconds=1)
    assert ran.seconds < 1 + 2


def test_endless_printing_ends_at_its_limit_and_fills_nothing(run, own_pid):
    before = watch_memory(own_pid)
    ran = run("while True: print('x' * 1000)", seconds=2)
    assert ran.last.kind == "TimeoutError"
    assert ran.seconds < 2 + 2
    assert len(ran.last.text) < 2**20 + 100
    assert watch_memory(own_pid) - before < 64 * 2**20
    honest(run)


def test_endless_output_past_python_ends_at_its_limit_and_fills_nothing(run, own_pid):
    before = watch_memory(own_pid)
    ran = run("import os\nwhile True: os.write(1, b'x' * 100_000)", seconds=2)
    assert ran.last.kind == "TimeoutError"
    assert ran.seconds < 2 + 2
    assert len(ran.last.text) < 2**18 + 100
    assert watch_memory(own_pid) - before < 64 * 2**20
    honest(run)


def watch_memory(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))


def test_too_much_memory_in_many_processes_ends_as_memory(run):
    source = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        hog = b"x" * (120 * 2**20)
        time.sleep(1000)
time.sleep(1000)
"""
    ran = run(source)
    assert ran.end == {"class": "MEMORY", "signal": None}
    assert ran.seconds < 5
    honest(run)


def test_nobody_stops_it_without_the_watch(run_without):
    source = "hog = b'x' * (600 * 2**20)\nimport time\ntime.sleep(1)\nprint('done')"
    assert run_without("watch")(source).last.text == "done\n"


def test_too_much_memory_at_once_is_an_error(run):
    assert run("hog = bytearray(2**31)").last.outputs[0]["ename"] == "MemoryError"
    assert run("x = [0] * 10**12").last.outputs[0]["ename"] == "MemoryError"


def test_a_fork_bomb_stays_within_its_number(run):
    source = """
import os, time
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
"""
    start = time.monotonic()
    ran = run(source, seconds=2)
    assert ran.last.kind == "TimeoutError"
    assert time.monotonic() - start < 2 + 3
    honest(run)


COUNT_FORKS = """
import os, time
count = 0
try:
    for _ in range(100):
        if os.fork() == 0:
            time.sleep(1000)
        count += 1
except BlockingIOError:
    pass
print(count)
"""


def test_processes_have_a_limit(run, limits):
    assert 0 < int(run(COUNT_FORKS).last.text) < limits.processes


def test_without_budgets_processes_have_no_limit(run_without):
    assert run_without("budgets")(COUNT_FORKS).last.text == "100\n"


FILL = """
import errno
for attempt in ("sparse", "full"):
    try:
        for number in range(4):
            with open(f"{folder}/{{number}}", "wb") as file:
                if attempt == "sparse":
                    file.truncate(2**40)
                for _ in range(20):
                    file.write(bytes(10 * 2**20))
        print("none")
    except OSError as problem:
        print(errno.errorcode[problem.errno])
"""


@pytest.mark.parametrize("folder", WRITABLE)
def test_files_have_a_limit(run, folder):
    assert set(run(FILL.format(folder=folder)).last.text.split()) <= {"ENOSPC", "EFBIG"}
    honest(run)


def test_files_in_memory_count_as_memory(run):
    source = "\n".join(FILL.format(folder=folder) for folder in WRITABLE)
    ran = run(source + "import time\ntime.sleep(5)")
    assert ran.end == {"class": "MEMORY", "signal": None}
    honest(run)


# What it says of itself


def test_bytes_that_are_no_frame_end_the_run(run):
    ran = run("import os\nwhile True: os.write(3, b'garbage' * 100)", seconds=5)
    assert ran.last.kind == "ProtocolError"
    honest(run)


def test_frames_of_its_own_are_only_outputs(run):
    text = json.dumps({"score": 100})
    ran = run(f"print({text!r})")
    assert ran.last.outputs == [{"output_type": "stream", "name": "stdout", "text": text + "\n"}]


def test_memory_in_files_without_a_name_counts(run):
    source = """
import os, time
for _ in range(20):
    file = os.memfd_create("hog")
    for _ in range(10):
        os.write(file, bytes(10 * 2**20))
time.sleep(1000)
"""
    ran = run(source)
    assert ran.end == {"class": "MEMORY", "signal": None}
    honest(run)


def test_shared_memory_that_nobody_counts_is_denied(run):
    source = "import ctypes; print(ctypes.CDLL(None).shmget(0, 4096, 0o1600))"
    assert run(source).last.text == "-1\n"


def test_busy_threads_stay_on_the_core_of_their_slot(run):
    source = """
import os
own = os.sched_getaffinity(0)
try:
    os.sched_setaffinity(0, range(os.cpu_count()))
except OSError:
    pass
print(len(own), os.sched_getaffinity(0) == own, os.nice(0))
"""
    assert run(source).last.text == f"1 True {min(19, os.nice(0) + 5)}\n"


def test_without_the_filter_a_run_spreads_over_all_cores(run_without):
    source = "import os\nos.sched_setaffinity(0, range(64))\nprint(len(os.sched_getaffinity(0)))"
    assert run_without("seccomp")(source).last.text == f"{len(os.sched_getaffinity(0))}\n"


def test_slots_take_the_cores_in_turn(template):
    cores = sorted(os.sched_getaffinity(0))
    taken = [template.next_core() for _ in range(2 * len(cores))]
    assert sorted(taken) == sorted(2 * cores)
