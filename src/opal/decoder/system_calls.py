"""Which system calls a child may make: those that decoding takes. The kernel answers all others with ENOSYS.

Called by ``confine.py`` and ``zygote.py``. A filter by seccomp(2), for Linux on x86-64 and arm64. Numbers are
the kernel's own: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator, Mapping
from functools import cache

PLAIN: Mapping[str, tuple[int, int]] = {
    # memory
    "brk": (12, 214),
    "madvise": (28, 233),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    # files that are open
    "close": (3, 57),
    "dup": (32, 23),
    "fstat": (5, 80),
    "ftruncate": (77, 46),
    "lseek": (8, 62),
    "newfstatat": (262, 79),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "read": (0, 63),
    "readv": (19, 65),
    "recvfrom": (45, 207),
    "sendto": (44, 206),
    "write": (1, 64),
    "writev": (20, 66),
    # threads, and waiting
    "clock_nanosleep": (230, 115),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "futex": (202, 98),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "nanosleep": (35, 101),
    "restart_syscall": (219, 128),
    "rseq": (334, 293),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "set_robust_list": (273, 99),
    # its own signals
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    # what the process may know
    "clock_gettime": (228, 113),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "gettimeofday": (96, 169),
}
"""Allowed whatever they are given. newfstatat says that a path exists; it opens nothing."""

CLONE = (56, 220)
"""Allowed for threads. clone3, whose flags a filter cannot see, is not, so that the C library takes this."""
FCNTL = (72, 25)
PRLIMIT64 = (302, 261)

# fcntl.h: copies of a descriptor and its flags, but no owner for signals.
_DUPFD, _GETFD, _SETFD, _GETFL, _DUPFD_CLOEXEC = 0, 1, 2, 3, 1030
_CLONE_THREAD = 0x10000

# linux/audit.h, by the name that uname has for it; the place of its numbers above.
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# linux/bpf_common.h: load a word, jump if equal, jump if any bit is set, return.
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
# linux/seccomp.h: what to return, and where a call's number, architecture and first arguments lie.
_ALLOW, _REFUSE, _KILL_PROCESS = 0x7FFF0000, 0x00050000 | errno.ENOSYS, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, (16, 24)
_SET_SECCOMP, _FILTER = 22, 2

_Instruction = tuple[int, int, int, int]


@cache
def can_filter() -> bool:
    """Whether this system can hold a process to the calls named here."""
    if _PROGRAM is None:
        return False
    # Without a program: a kernel that has filters finds the address bad, another does not know the request.
    refused = LIBRARY.prctl(_SET_SECCOMP, _FILTER, None, None, None) != 0
    return refused and ctypes.get_errno() == errno.EFAULT


def hold_to_them() -> bool:
    """From here on this process and its threads make no other call. False where that cannot be had.

    The process must have said that it wants no new privileges.
    """
    if _PROGRAM is None:
        return False
    return bool(LIBRARY.prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(_PROGRAM), None, None) == 0)


class _Program(ctypes.Structure):
    """linux/filter.h, struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _assembled() -> _Program | None:
    # The numbers are those of 64-bit programs.
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    architecture = _ARCHITECTURES.get(os.uname().machine)
    if architecture is None:
        return None
    program = list(instructions(*architecture))
    return _Program(len(program), b"".join(struct.pack("=HBBI", *each) for each in program))


def instructions(architecture: int, column: int) -> Iterator[_Instruction]:
    """What the kernel runs at every call; jumps count the instructions to leave out."""
    yield (_LOAD, 0, 0, _ARCHITECTURE)
    yield (_EQUAL, 1, 0, architecture)
    yield (_RETURN, 0, 0, _KILL_PROCESS)
    yield (_LOAD, 0, 0, _NUMBER)
    yield from _if_argument(CLONE[column], 0, _ANY_BIT, [_CLONE_THREAD])
    yield from _if_argument(FCNTL[column], 1, _EQUAL, [_DUPFD, _GETFD, _SETFD, _GETFL, _DUPFD_CLOEXEC])
    # 0 is this process, by whatever number it goes.
    yield from _if_argument(PRLIMIT64[column], 0, _EQUAL, [0])
    for left, numbers in zip(range(len(PLAIN), 0, -1), PLAIN.values(), strict=True):
        yield (_EQUAL, left, 0, numbers[column])
    yield (_RETURN, 0, 0, _REFUSE)
    yield (_RETURN, 0, 0, _ALLOW)


def _if_argument(number: int, argument: int, compare: int, values: list[int]) -> Iterator[_Instruction]:
    """Allow that call where its argument is, or has, one of the values."""
    yield (_EQUAL, 0, 2 * len(values) + 2, number)
    # Of eight bytes the lower four, which come first on both architectures.
    yield (_LOAD, 0, 0, _ARGUMENTS[argument])
    for value in values:
        yield (compare, 0, 1, value)
        yield (_RETURN, 0, 0, _ALLOW)
    yield (_RETURN, 0, 0, _REFUSE)


def _c_library() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        library.prctl.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 4]
    return library


# Made once, so that no child has to.
LIBRARY = _c_library()
"""The C library, for calls that Python has no name for."""
_PROGRAM = _assembled()
