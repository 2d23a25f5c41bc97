"""What one process may use, as the kernel counts it."""

import resource

from autograder.sandbox.policy import Limits

__all__ = ["set_budgets"]

_MEBIBYTE = 2**20
_FILES = 256
_FILE_MEBIBYTES = 256
_ADDRESS_MEBIBYTES = 8192
_STACK_MEBIBYTES = 8
# Wall-clock time is what ends a run; a process with two busy threads uses twice of it.
_CPU_PER_SECOND = 2
# Each holds memory of the kernel's that nobody counts; timers are among them.
_PENDING_SIGNALS = 1024


def set_budgets(limits: Limits) -> None:
    """Sets the limits of this process and of all that it starts; none can be raised again."""
    budgets = {
        resource.RLIMIT_DATA: limits.data_mebibytes * _MEBIBYTE,
        resource.RLIMIT_AS: max(_ADDRESS_MEBIBYTES, 2 * limits.data_mebibytes) * _MEBIBYTE,
        resource.RLIMIT_NPROC: limits.processes,
        resource.RLIMIT_NOFILE: _FILES,
        resource.RLIMIT_FSIZE: _FILE_MEBIBYTES * _MEBIBYTE,
        resource.RLIMIT_CPU: int(_CPU_PER_SECOND * limits.submission_seconds) + 1,
        # Not 0: a crash handler that reads from a pipe ignores that, but honours 1.
        resource.RLIMIT_CORE: 1,
        resource.RLIMIT_STACK: _STACK_MEBIBYTES * _MEBIBYTE,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_SIGPENDING: _PENDING_SIGNALS,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
    }
    for name, value in budgets.items():
        _, ceiling = resource.getrlimit(name)
        value = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
        resource.setrlimit(name, (value, value))
