"""The filter does with each call what the table says, on every processor it knows."""

import errno
import struct

import pytest

from autograder.sandbox.seccomp import ALLOW, ARCHITECTURES, KILL, NUMBERS, filter_program

EPERM, ENOSYS, NO_FAMILY = (
    0x50000 | number for number in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT)
)
# Calls by machine: clone, clone3, socket, socketpair, ioctl, setrlimit, prlimit64, read.
CALLS = {
    "x86_64": (56, 435, 41, 53, 16, 160, 302, 0),
    "aarch64": (220, 435, 198, 199, 29, 164, 261, 63),
}


def answer(machine, number, *arguments, audit=None):
    """Interprets the filter as the kernel does: the word it returns for one call."""
    audit = ARCHITECTURES[machine].audit if audit is None else audit
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    call = struct.pack("<IIQ6Q", number, audit, 0, *padded)
    program = list(struct.iter_unpack("=HBBI", filter_program(machine)))
    accumulator, place = 0, 0
    while True:
        code, if_true, if_false, value = program[place]
        place += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", call, value)
        elif code == 0x06:
            return value
        else:
            holds = {
                0x15: accumulator == value,
                0x25: accumulator > value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[code]
            place += if_true if holds else if_false


@pytest.fixture(params=CALLS)
def machine(request):
    return request.param


def test_what_is_not_listed_is_allowed(machine):
    denied = {numbers[ARCHITECTURES[machine].column] for numbers in NUMBERS.values()}
    special = set(CALLS[machine][:-1])
    for number in range(463):
        if number not in denied | special:
            assert answer(machine, number) == ALLOW, number


def test_every_listed_call_is_denied(machine):
    for name, numbers in NUMBERS.items():
        number = numbers[ARCHITECTURES[machine].column]
        if number is not None:
            assert answer(machine, number) == EPERM, name


def test_no_number_stands_twice(machine):
    numbers = [both[ARCHITECTURES[machine].column] for both in NUMBERS.values()]
    numbers = [number for number in numbers if number is not None] + list(CALLS[machine][:-1])
    assert len(numbers) == len(set(numbers))


def test_calls_newer_than_the_table_do_not_exist(machine):
    assert answer(machine, 463) == ENOSYS
    assert answer(machine, 0x3FFFFFFF) == ENOSYS


def test_other_tables_of_calls_kill(machine):
    assert answer(machine, 0x40000000) == KILL
    assert answer(machine, 0, audit=0x40000003) == KILL


def test_new_namespaces_are_denied_and_threads_are_not(machine):
    clone, clone3, *_ = CALLS[machine]
    assert answer(machine, clone, 0x003D0F00) == ALLOW
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(machine, clone, flag | 17) == EPERM
    assert answer(machine, clone3) == ENOSYS


def test_only_pairs_of_local_sockets_are_made(machine):
    _, _, socket, socketpair, *_ = CALLS[machine]
    assert [answer(machine, socket, family) for family in (1, 2, 10, 16, 38)] == [NO_FAMILY] * 5
    assert answer(machine, socketpair, 1) == ALLOW
    assert answer(machine, socketpair, 16) == NO_FAMILY


def test_nothing_is_typed_into_a_terminal(machine):
    ioctl = CALLS[machine][4]
    assert answer(machine, ioctl, 0, 0x5401) == ALLOW
    assert answer(machine, ioctl, 0, 0x5412) == EPERM
    # The kernel looks at the lower half only.
    assert answer(machine, ioctl, 0, 0x1_0000_5412) == EPERM
    assert answer(machine, ioctl, 0, 0x541C) == EPERM


def test_the_limit_on_core_files_stays(machine):
    setrlimit, prlimit = CALLS[machine][5:7]
    assert answer(machine, setrlimit, 4) == EPERM
    assert answer(machine, setrlimit, 7) == ALLOW
    assert answer(machine, prlimit, 0, 4, 0) == ALLOW
    assert answer(machine, prlimit, 0, 4, 1) == EPERM
    assert answer(machine, prlimit, 0, 4, 1 << 32) == EPERM
    assert answer(machine, prlimit, 0, 7, 1) == ALLOW
