"""Keeps a process that handles many pictures from holding memory it no longer uses. Called by those that
hold pictures in their own memory: export-worker, scoring, and web-api for remove.bg's routes.

glibc gives threads heaps of their own, up to eight per core, and each keeps much of the most it ever held. As
pictures are made by many threads in turn, such a process holds far more than it uses and creeps upwards for
hundreds of items (`benchmarks/worker_memory.py`).
"""

import ctypes
import sys

_M_ARENA_MAX = -8
"""`mallopt(3)`; takes effect for heaps that do not exist yet."""
HEAPS = 2


def limit_heaps() -> bool:
    """Let all threads of this process share `HEAPS` heaps; False where the C library is not glibc.

    To be called before threads start. `MALLOC_ARENA_MAX` in the environment says the same from outside.
    """
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(library.mallopt(_M_ARENA_MAX, HEAPS))
