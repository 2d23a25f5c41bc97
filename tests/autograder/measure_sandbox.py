"""What the sandbox costs per submission, and that nothing piles up over many.

    python tests/autograder/measure_sandbox.py [--forks 300] [--light]

Starts and ends student processes by turns with every layer and with none, both forked from
processes that have imported TensorFlow (NumPy only with `--light`). The difference is what locking
a process down, and clearing up after it, costs.
"""

import argparse
import os
import statistics
import time
from contextlib import ExitStack

from autograder.sandbox import watch
from autograder.sandbox.policy import MODULES, Limits, Policy
from autograder.sandbox.run import StudentRun
from autograder.sandbox.slot import Slot
from autograder.sandbox.template import Template


def started(stack: ExitStack, mode: str, modules: tuple[str, ...]) -> Slot:
    """Opens a slot of a mode, whose zygote has been tried out."""
    policy = Policy(Limits(), modes=(mode,), modules=modules)
    template = stack.enter_context(Template(policy))
    slot = stack.enter_context(Slot(template, "autograder.sandbox.selftest:run_cells", {}))
    slot.run({"cells": ["1"]})
    return slot


def milliseconds(slot: Slot) -> float:
    """Returns what starting and ending one student process takes."""
    start = time.monotonic()
    run, connection = StudentRun.start(slot._zygote.channel)  # type: ignore[union-attr]
    connection.close()
    run.close()
    return 1000 * (time.monotonic() - start)


def held(slot: Slot) -> dict[str, int]:
    """Returns what piles up if it is not given back."""
    zygote = watch.pid_of(slot._zygote.pidfd)  # type: ignore[union-attr]
    with open(f"/proc/{zygote}/mountinfo") as file:
        mounts = len(file.readlines())
    return {
        "descriptors here": len(os.listdir("/proc/self/fd")),
        "descriptors of the zygote": len(os.listdir(f"/proc/{zygote}/fd")),
        "processes below": len(watch.processes(os.getpid())),
        "mounts": mounts,
        "MB of the zygote": watch._proportional(zygote) // 2**20,
    }


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forks", type=int, default=300)
    parser.add_argument("--light", action="store_true")
    options = parser.parse_args()
    modules = ("numpy",) if options.light else MODULES
    with ExitStack() as stack:
        slots = {mode: started(stack, mode, modules) for mode in ("full", "none")}
        before = held(slots["full"])
        times: dict[str, list[float]] = {mode: [] for mode in slots}
        for _ in range(options.forks):
            for mode, slot in slots.items():
                times[mode].append(milliseconds(slot))
        after = held(slots["full"])
    medians = {mode: statistics.median(values) for mode, values in times.items()}
    for mode, values in times.items():
        tenth, *_, last = statistics.quantiles(values, n=10)
        print(f"mode {mode}: {medians[mode]:.1f} ms a process (80 % in {tenth:.1f} to {last:.1f})")
    print(f"lock-down and clearing up: {medians['full'] - medians['none']:.1f} ms a submission")
    for what, count in before.items():
        print(f"{what}: {count} before, {after[what]} after {options.forks} processes")


if __name__ == "__main__":
    main()
