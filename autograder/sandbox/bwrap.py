"""A closed box made by bubblewrap, where only that program may make namespaces.

What it gives is a view in namespaces of its own, in which nobody has a capability. So what runs
inside cannot make the view smaller again: the framework's own code stays visible there. Hidden
checks and reference are in a judge's box only.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from autograder.sandbox.namespaces import INSIDE
from autograder.sandbox.view import DEVICES, FILES, HOME, WRITABLE, View

__all__ = ["box_arguments", "box_problem"]

_SECONDS = 20
_MEBIBYTE = 2**20
_ISOLATED = (
    "--unshare-user --unshare-all --die-with-parent --new-session --clearenv --cap-drop ALL "
    "--as-pid-1 --hostname sandbox"
).split()


def box_problem(view: View) -> str:
    """Tries to make a box; returns why there can be none, or ""."""
    if shutil.which("bwrap") is None:
        return "there is no bwrap"
    if os.geteuid() == 0:
        # The kernel counts no processes of who is root outside.
        return "bwrap is for ordinary users"
    with box_arguments(view) as (arguments, descriptors):
        try:
            tried = subprocess.run(  # noqa: S603
                [*arguments, "/usr/bin/env", "true"],
                pass_fds=descriptors,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            return f"bwrap: {problem}"
    return "" if tried.returncode == 0 else tried.stderr.strip()[-300:] or "bwrap failed"


@contextmanager
def box_arguments(view: View) -> Iterator[tuple[list[str], list[int]]]:
    """Yields the beginning of a command line, and the descriptors that it needs."""
    inside = ["--uid", str(INSIDE), "--gid", str(INSIDE)]
    for path, (mebibytes, mode) in WRITABLE.items():
        size = str(mebibytes * _MEBIBYTE)
        inside += ["--perms", f"0{mode}", "--size", size, "--tmpfs", path]
    for source, seen in view.binds:
        inside += ["--dev-bind" if seen in DEVICES else "--ro-bind", source, seen]
    for path in view.hidden:
        inside += ["--size", "4096", "--tmpfs", path, "--remount-ro", path]
    for path, target in view.links:
        inside += ["--symlink", target, path]
    descriptors = []
    try:
        for path, text in FILES.items():
            descriptors.append(os.memfd_create(os.path.basename(path)))
            os.write(descriptors[-1], text.encode("ascii"))
            os.lseek(descriptors[-1], 0, os.SEEK_SET)
            inside += ["--ro-bind-data", str(descriptors[-1]), path]
        inside += ["--proc", "/proc", "--remount-ro", "/", "--chdir", HOME]
        yield [shutil.which("bwrap") or "bwrap", *_ISOLATED, *inside, "--"], descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
