"""Takes from a process what decoding a picture does not need: memory, time, files, network, other processes.

Called by ``jobs.py`` in the child, before the first byte of a picture is looked at. Nothing here can be
undone by the process itself. Linux has all of it; elsewhere what the system knows is used.
"""

import os
import resource
import struct
import sys
from functools import cache

from opal.decoder.bounds import Bounds
from opal.decoder.system_calls import LIBRARY, can_filter, hold_to_them

_OPEN_FILES = 32

# prctl(2)
_SET_PDEATHSIG, _SET_NO_NEW_PRIVS = 1, 38
_SIGKILL = 9

# capset(2) with its structures: the third version's two sets of three words, for this process.
_CAPABILITIES_HEADER = struct.pack("=Ii", 0x20080522, 0)
_NO_CAPABILITY = bytes(24)

# landlock(7): the three system calls have these numbers on every architecture.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_WHICH_VERSION = 1
# Rights over files that each version of Landlock added, and sizes of its structure.
_FILE_RIGHTS = ((5, 16), (3, 15), (2, 14), (1, 13))
_NETWORK, _SIGNALS = 4, 6


def set_bounds(bounds: Bounds, most: Bounds) -> None:
    """Bound this process, which may raise its bounds up to `most`.

    Memory is counted from here on, so call it before anything large exists.
    """
    here = _address_space()
    if here is not None:
        _limit(resource.RLIMIT_AS, here + bounds.memory, here + most.memory)
    spent = _cpu_seconds()
    _limit(resource.RLIMIT_CPU, spent + bounds.cpu_s, spent + most.cpu_s)
    _limit(resource.RLIMIT_FSIZE, bounds.output, most.output)


def raise_bounds(bounds: Bounds, size: int) -> None:
    """Give this process the room that its picture's header asks for; `size` is the file's, bytes."""
    begun = Bounds.of_header(size)
    for kind, more in (
        (resource.RLIMIT_AS, bounds.memory - begun.memory),
        (resource.RLIMIT_CPU, bounds.cpu_s - begun.cpu_s),
        (resource.RLIMIT_FSIZE, bounds.output - begun.output),
    ):
        soft, hard = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY:
            _limit(kind, soft + max(0, more), hard)


def drop_abilities() -> None:
    """No core dump, few files, no privileges, death with the parent; no system call but a few.

    So no path is opened, no process started, none signalled, and nobody talked to. Paths, TCP and signals
    are kept away a second time, by Landlock. What the kernel does not have is left out: `missing` tells.
    """
    _limit(resource.RLIMIT_CORE, 0, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES)
    if sys.platform != "linux":
        return
    LIBRARY.prctl(_SET_PDEATHSIG, _SIGKILL, None, None, None)
    LIBRARY.prctl(_SET_NO_NEW_PRIVS, 1, None, None, None)
    # Root could raise its bounds again.
    LIBRARY.capset(_CAPABILITIES_HEADER, _NO_CAPABILITY)
    _keep_from_machine()
    hold_to_them()


def missing() -> list[str]:
    """What of this a Linux kernel does not have; [] where all holds."""
    protections = {"system calls": can_filter(), "landlock": landlock_version() >= 1}
    return [name for name, there in protections.items() if not there]


def _keep_from_machine() -> None:
    version = landlock_version()
    if version < 1:
        return
    # Every right is named and none is granted.
    files = (1 << next(bits for since, bits in _FILE_RIGHTS if version >= since)) - 1
    rules = struct.pack("Q", files)
    if version >= _NETWORK:
        rules += struct.pack("Q", 0b11)
    if version >= _SIGNALS:
        rules += struct.pack("Q", 0b11)
    ruleset = LIBRARY.syscall(_CREATE_RULESET, rules, len(rules), 0)
    if ruleset >= 0:
        LIBRARY.syscall(_RESTRICT_SELF, ruleset, 0)
        os.close(ruleset)


@cache
def landlock_version() -> int:
    """The kernel's version of Landlock: 1 keeps paths away, 4 also TCP, 6 also signals; below 1 nothing."""
    if sys.platform != "linux":
        return 0
    return int(LIBRARY.syscall(_CREATE_RULESET, None, 0, _WHICH_VERSION))


def _limit(kind: int, soft: int, hard: int) -> None:
    _, ceiling = resource.getrlimit(kind)
    if ceiling != resource.RLIM_INFINITY:
        hard = min(hard, ceiling)
    try:
        resource.setrlimit(kind, (min(soft, hard), hard))
    except (ValueError, OSError):
        # macOS takes no bound on address space.
        if sys.platform == "linux":
            raise


def _address_space() -> int | None:
    """Bytes of address space in use; None where the system does not say."""
    # Once per picture: by the system's own calls, which cost a fiftieth of what a file object does here.
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return None
    told = os.read(statm, 100)
    os.close(statm)
    return int(told.split()[0]) * resource.getpagesize()


def _cpu_seconds() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return int(used.ru_utime + used.ru_stime)
