"""Heaps are limited in a process of its own, as the limit outlives the call."""

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import re, sys, threading
sys.path.insert(0, {source!r})
from opal.worker.heap import limit_heaps
import ctypes
if {limited} and not limit_heaps():
    sys.exit(77)
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


def heaps(limited: bool) -> int:
    """How many heaps twelve threads at once make."""
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(source=source, limited=limited)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("not glibc")
    assert done.returncode == 0, done.stderr
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_many_threads_share_two_heaps() -> None:
    assert heaps(limited=True) <= 2
    assert heaps(limited=False) > 2
