"""Whether the sandbox holds on this machine: attacks from inside, before anything is graded."""

import json
import os
import re
import secrets
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.errors import GraderError, ProtocolError, SandboxUnavailable
from autograder.sandbox import wire
from autograder.sandbox.link import Link
from autograder.sandbox.outputs import Outputs
from autograder.sandbox.policy import MODES, Limits, Policy
from autograder.sandbox.slot import Slot
from autograder.sandbox.template import Template
from autograder.sandbox.view import HOME, LIBRARY

__all__ = ["Probe", "require", "run_cells", "self_test"]

_CELL_SECONDS = 20.0
_ATTACKS = Path(__file__).with_name("attacks.py").read_text(encoding="utf-8")
_SECRET_START = "lgm-canary-"  # noqa: S105
# What a mode does not deny, by the names of attacks.
_POSSIBLE = {
    "full": frozenset[str](),
    "jail": frozenset[str](),
    "weak": frozenset(
        {
            "name_hidden_files",
            "name_host_files",
            "list_processes",
            # Useless without new privileges, which are forbidden.
            "leave_a_way_to_capabilities",
        }
    ),
}
_NO_SANDBOX = (
    "Use Linux 5.14 or later. Ubuntu 24.04 and later: an administrator permits user namespaces "
    "for this Python with an AppArmor profile. In a container: start it with user namespaces and "
    "mounts permitted, or grade outside of it."
)
_REPORT = "Do not grade on this machine. Please report it, with the output of `lgm doctor`."


def run_cells(link: Link, settings: Mapping[str, Any]) -> None:
    """A judge that judges nothing: runs cells and hands over what they show.

    A job has `cells`, a list of sources, and perhaps `seconds` for each. The document has `cells`,
    for each the kind of its last message, or of the exception, and its outputs; and `end`.
    """
    while (job := link.next_job()) is not None:
        connection = link.spawn()
        cells = []
        for number, source in enumerate(job["cells"]):
            deadline = time.monotonic() + job.get("seconds", _CELL_SECONDS)
            shown: list[dict[str, Any]] = []
            outputs = Outputs(shown)
            request = wire.Message("cell", {"id": f"cell-{number}", "source": source})
            try:
                wire.send(connection, request, deadline)
                while (reply := wire.receive(connection, deadline)).kind == "output":
                    outputs.add(reply.fields)
                kind = reply.kind
            except (OSError, ProtocolError) as problem:
                kind = type(problem).__name__
            cells.append({"kind": kind, "outputs": shown + link.printed()})
        connection.close()
        link.finish({"cells": cells, "end": link.end()})


@dataclass(frozen=True)
class Probe:
    """One thing that was tried.

    Attributes:
        name: Of what was tried, in one or two words.
        tried: What was tried, as a sentence.
        outcome: What came of it, in a few words.
        ok: Whether it is as it must be.
        remedy: What to do if it is not, else None.
    """

    name: str
    tried: str
    outcome: str
    ok: bool
    remedy: str | None = None


def self_test(template: Template | None = None) -> tuple[str, list[Probe]]:
    """Tries in a real sandbox what student code might try.

    Args:
        template: What to fork it from; a light one of its own if None.

    Returns:
        The mode, "none" if anything got through, and one record per attempt; the first of them
        is about the start.
    """
    if template is not None:
        return _tested(template)
    limits = Limits(processes=128, data_mebibytes=1024)
    with tempfile.TemporaryDirectory() as folder:
        hidden = Path(folder) / "hidden"
        hidden.mkdir()
        (hidden / "test_hidden.py").write_text("", encoding="utf-8")
        try:
            policy = Policy(limits, (hidden,), modes=MODES, modules=("numpy",))
            with Template(policy) as own:
                return _tested(own)
        except GraderError as problem:
            return "none", [Probe("start", "Start a sandbox.", str(problem), False, _NO_SANDBOX)]


def _tested(template: Template) -> tuple[str, list[Probe]]:
    probes = _probes(template)
    return (template.mode if all(probe.ok for probe in probes) else "none"), probes


def require(template: Template) -> None:
    """Refuses to go on in a sandbox that does not hold what its mode says.

    Raises:
        SandboxUnavailable: If an attempt got through.
    """
    if template.mode == "none":
        return
    _, probes = self_test(template)
    if failed := [probe for probe in probes if not probe.ok]:
        found = "; ".join(f"{probe.name}: {probe.outcome}" for probe in failed)
        raise SandboxUnavailable(
            f"The sandbox does not hold on this machine ({found}). Nothing was graded. "
            "`lgm doctor` shows every attempt, and what to do."
        )


def _probes(template: Template) -> list[Probe]:
    mode = template.mode
    stronger = MODES[: MODES.index(mode)]
    reasons = "; ".join(f"{m}: {why}" for m, why in template.refused.items() if m in stronger)
    counts = "watch" if template.groups is None else "kernel, in a control group"
    outcome = f"mode {mode}{f' ({reasons})' if reasons else ''}; memory is counted by the {counts}"
    remedy = None if mode == "full" else _NO_SANDBOX
    started = Probe("start", "Start a sandbox.", outcome, mode != "none", remedy)
    if mode == "none":
        return [started]
    secret = _SECRET_START + secrets.token_hex(8)
    server = socket.create_server(("127.0.0.1", 0))
    local = socket.socket(socket.AF_UNIX)
    with server, local, Slot(template, f"{__name__}:run_cells", {"secret": secret}) as slot:
        name = f"lgm-{secrets.token_hex(8)}"
        local.bind("\0" + name)
        local.listen()
        targets = _targets(template) | {"port": server.getsockname()[1], "socket": name}
        source = f"TARGETS = {targets!r}\n{_ATTACKS}"
        names = re.findall(r"^def (\w+)\(\) -> object:", _ATTACKS, re.MULTILINE)
        first = _run(slot, [source, f"report({names!r})"])
        # What one run leaves, the next one would find.
        second = _run(slot, [source, "report(['leave_something'])"])
    if first is None or second is None:
        return [started, Probe("run", "Run code.", "it did not run", False, _REPORT)]
    return [started, *(_probe(n, first[n] or second.get(n), mode) for n in names)]


def _targets(template: Template) -> dict[str, Any]:
    policy = template.policy
    own = str(Path(__file__).parents[1])
    # Whatever lies there is published, and a box by bwrap cannot be made smaller.
    library = [] if template.boxed else [LIBRARY]
    paths = [own, *library, *(str(path) for path in policy.judge_paths)]
    return {
        "paths": paths,
        "public": [f"{HOME}/{path.name}" for path in policy.public_files],
        "words": [own, *(str(path) for path in policy.judge_paths)],
        "grader": os.getpid(),
        "secret_start": _SECRET_START,
        "processes": policy.limits.processes,
        "data": policy.limits.data_mebibytes * 2**20,
    }


def _run(slot: Slot, cells: list[str]) -> dict[str, Any] | None:
    """Runs cells of ours, and returns what the last one printed."""
    shown = slot.run({"cells": cells})["cells"][-1]["outputs"]
    text = "".join(output.get("text", "") for output in shown)
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _probe(name: str, obtained: str | None, mode: str) -> Probe:
    (docstring,) = re.findall(
        rf'^def {name}\(\) -> object:\n    """(.*?)"""', _ATTACKS, re.MULTILINE
    )
    words = name.replace("_", " ")
    if obtained is None:
        return Probe(words, docstring, "denied", True)
    if name in _POSSIBLE[mode]:
        return Probe(words, docstring, f"possible in mode {mode}: {obtained}", True)
    return Probe(words, docstring, f"got through: {obtained}", False, _REPORT)
