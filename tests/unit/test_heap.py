"""Heaps are limited in a process of its own, as the limit outlives the call."""

import platform
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import re, sys, threading
sys.path.insert(0, {source!r})
from opal.heap import limit_heaps
import ctypes
if {limited} and limit_heaps() is not {glibc}:
    sys.exit('it says otherwise')
if not {glibc}:
    sys.exit()
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
here = threading.Barrier(12)
def hold():
    here.wait()
    library.malloc(1000)
    here.wait()
threads = [threading.Thread(target=hold) for _ in range(12)]
for each in threads: each.start()
for each in threads: each.join()
sys.stdout.flush()
library.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
library.fflush(None)
"""

GLIBC = platform.libc_ver()[0] == "glibc"


def heaps(limited: bool) -> int:
    """How many heaps twelve threads at once make."""
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(source=source, limited=limited, glibc=GLIBC)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.count("<heap nr=")


def test_many_threads_share_two_heaps_where_the_c_library_has_heaps_to_share() -> None:
    assert heaps(limited=True) <= 2
    assert not GLIBC or heaps(limited=False) > 2
