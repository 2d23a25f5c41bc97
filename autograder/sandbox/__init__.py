"""Starts, locks down, watches and ends untrusted processes.

Read in this order: `policy` (what is allowed), `_linux` (the kernel's calls); the layers, a file
each: `view` (the file system a process sees), `namespaces` (what it can name at all),
`privileges`, `budgets`, `landlock` and `seccomp` (what it may use, touch and call), `watch` and
`cgroup` (what it uses); `channel` (how our own processes speak), `wire` and `probes` (how the
judge speaks to student code), `agent` (the student's end), `zygote` (what student processes are
forked from), `link` and `outputs` (the judge's end), `preload` (the one process that imports
TensorFlow), `launch` and `bwrap` (in what it starts), `template` (who has it started, in the
strongest mode there is), `run` and `slot` (who starts, watches and ends a run), `attacks` and
`selftest` (whether all of it holds on this machine).
"""
