"""The list of system calls of a decoding child, against what the kernel's own headers call them."""

import re
from pathlib import Path

import pytest

from opal.decoder import system_calls
from opal.decoder.system_calls import CLONE, FCNTL, PLAIN, PRLIMIT64

HEADERS = (
    Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    Path("/usr/include/asm-generic/unistd.h"),
)
ALL = {**PLAIN, "clone": CLONE, "fcntl": FCNTL, "prlimit64": PRLIMIT64}
# The generic table has one name for the calls of 32 and of 64 bits.
GENERIC = {"newfstatat": "fstatat"}


@pytest.mark.parametrize("column", [0, 1])
def test_every_number_is_the_kernels(column: int) -> None:
    if not HEADERS[column].exists():
        pytest.skip("no header of the kernel's here")
    text = HEADERS[column].read_text("ascii")
    numbers = {name: int(number) for name, number in re.findall(r"__NR(?:3264)?_(\w+)\s+(\d+)", text)}
    for name, places in ALL.items():
        known = numbers.get(name, numbers.get(GENERIC.get(name, "")))
        assert known == places[column], name


def test_jumps_stay_within_what_a_filter_can_jump() -> None:
    for column in (0, 1):
        program = list(system_calls.instructions(0xC000003E, column))
        for at, (_, if_true, if_false, _) in enumerate(program):
            assert max(if_true, if_false) < 256
            assert at + 1 + max(if_true, if_false) < len(program) or program[at][0] == 0x06
