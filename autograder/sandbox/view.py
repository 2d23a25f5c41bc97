"""The file system that a process sees: an empty root, and in it only what is listed."""

import os
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autograder.sandbox import _linux

__all__ = ["DEVICES", "FILES", "HOME", "LIBRARY", "WRITABLE", "View", "enter", "system_view"]

HOME = "/home/student"
# Where the framework is seen by template and judge, whatever its place outside.
LIBRARY = "/opt/lgm"

DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))
FILES = {
    "/etc/passwd": "student:x:1000:1000::/home/student:/bin/sh\n",
    "/etc/group": "student:x:1000:\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
}
_LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
}
# Where the new root is assembled: any folder will do, its content stays reachable meanwhile.
_PLACES = ("/tmp", "/run", "/mnt", "/var")  # noqa: S108
_OLD = "/.old"

# The folders that can be written to: how large they are, in mebibytes, and their mode.
WRITABLE = {
    HOME: (256, "755"),
    "/tmp": (256, "1777"),  # noqa: S108
    "/dev/shm": (64, "1777"),  # noqa: S108
}
_INODES = 20_000


@dataclass(frozen=True)
class View:
    """What is in a file system.

    Attributes:
        binds: Places outside, and where they are seen; read-only.
        links: Symbolic links, and what they point to.
        hidden: Folders inside `binds` in whose place an empty one is seen.
    """

    binds: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...] = ()
    hidden: tuple[str, ...] = ()

    def with_binds(self, more: Iterable[tuple[str, str]]) -> "View":
        """Returns this view with more in it."""
        return View((*self.binds, *more), self.links, self.hidden)

    def seen_from_itself(self) -> "View":
        """Returns the same view, to be assembled by a process that is in it."""
        return View(tuple((seen, seen) for _, seen in self.binds), self.links, self.hidden)

    def to_json(self) -> dict[str, Any]:
        """Returns what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "View":
        """Reads what `to_json` returned."""
        binds, links = (
            tuple((first, second) for first, second in content[name])
            for name in ("binds", "links")
        )
        return cls(binds, links, tuple(content["hidden"]))


def system_view() -> View:
    """Returns what every process needs: system libraries and programs, Python and its packages."""
    binds = [("/usr", "/usr")]
    links = list(_LINKS.items())
    for name in sorted(os.listdir("/")):
        if name in ("bin", "sbin") or name.startswith("lib"):
            path = f"/{name}"
            if os.path.islink(path):
                links.append((path, os.readlink(path)))
            elif os.path.isdir(path):
                binds.append((path, path))
    for path in ("/etc/ld.so.cache", "/etc/localtime"):
        if os.path.exists(path):
            binds.append((os.path.realpath(path), path))
    binds += [(path, path) for path in DEVICES]
    prefixes = _python_folders()
    binds += [bind for bind in prefixes if not _below(bind[1], ["/usr"])]
    own = str(Path(__file__).parents[1])
    hidden = [own] if _below(own, [seen for _, seen in binds]) else []
    return View(tuple(binds), tuple(links), tuple(hidden))


def _python_folders() -> list[tuple[str, str]]:
    """Python's own folder and the environment's, under the names that Python knows them by."""
    interpreter = Path(os.path.realpath(sys.executable)).parents[1]
    named = [sys.base_prefix, sys.base_exec_prefix, sys.prefix, str(interpreter)]
    named += [sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]]
    binds: list[tuple[str, str]] = []
    for path in sorted(named, key=len):
        for seen in (path, os.path.realpath(path)):
            if not _below(seen, [there for _, there in binds]):
                binds.append((os.path.realpath(path), seen))
    return binds


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def enter(view: View, fresh_processes: bool) -> None:
    """Makes a view this process's root; it needs a mount namespace of its own.

    Args:
        view: What to show.
        fresh_processes: Whether /proc is to show this process's own process namespace, of which
            it must be the first process; otherwise it is the one seen so far.
    """
    place = next(place for place in _PLACES if os.path.isdir(place))
    _linux.mount("none", "/", None, _linux.MS_REC | _linux.MS_PRIVATE)
    flags = _linux.MS_NOSUID | _linux.MS_NODEV
    _linux.mount("tmpfs", place, "tmpfs", flags, "size=1m,nr_inodes=4096,mode=755")
    os.chdir(place)
    os.mkdir(f".{_OLD}")
    _linux.pivot_root(".", f".{_OLD}")
    os.chdir("/")
    for path, (mebibytes, mode) in WRITABLE.items():
        os.makedirs(path)
        options = f"size={mebibytes}m,nr_inodes={_INODES},mode={mode}"
        _linux.mount("tmpfs", path, "tmpfs", flags, options)
    for source, seen in view.binds:
        _bind(f"{_OLD}{source}", seen)
    for path in view.hidden:
        _linux.mount("tmpfs", path, "tmpfs", flags, "size=4k,nr_inodes=1,mode=755")
        _linux.restrict_mount(path)
    for path, target in view.links:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)
    for path, text in FILES.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_text(text, encoding="ascii")
    os.mkdir("/proc")
    if fresh_processes:
        _linux.mount("proc", "/proc", "proc", flags | _linux.MS_NOEXEC, "hidepid=2")
    else:
        _linux.mount(f"{_OLD}/proc", "/proc", None, _linux.MS_BIND | _linux.MS_REC)
    _linux.detach(_OLD)
    os.rmdir(_OLD)
    _linux.restrict_mount("/")
    os.chdir(HOME)


def _bind(source: str, seen: str) -> None:
    if os.path.isdir(source):
        os.makedirs(seen, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(seen), exist_ok=True)
        os.close(os.open(seen, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o444))
    _linux.mount(source, seen, None, _linux.MS_BIND | _linux.MS_REC)
    _linux.restrict_mount(seen, recursive=True, devices=seen.startswith("/dev/"))
