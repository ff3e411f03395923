"""Loops over pixels, compiled to machine code by Numba at their first call.

Used by the modules of `images` for what NumPy could only do in many passes over memory. The machine code is
kept beside the source, as Python keeps its own byte code, so only the first process ever waits for it.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def compiled(loop: _Loop) -> _Loop:
    """Compile `loop`, a function of arrays and numbers alone; it lets other threads run meanwhile.

    Where nothing can be kept, on a disk that is read-only, each process compiles for itself. Sums may be
    taken in another order than written, as vector instructions need it; NaN and infinity keep their meaning.
    """
    options: dict[str, Any] = {
        "nogil": True,
        "fastmath": {"contract", "reassoc", "nsz", "arcp"},
        "error_model": "numpy",  # or every division asks for zero and nothing becomes a vector
    }
    try:
        return cast(_Loop, numba.njit(cache=True, **options)(loop))
    except RuntimeError:
        return cast(_Loop, numba.njit(**options)(loop))
