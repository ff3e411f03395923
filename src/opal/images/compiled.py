"""Loops over pixels, compiled to machine code by Numba at their first call.

Used by the modules of `images` for what NumPy could only do in many passes over memory. The machine code is
kept beside the source, as Python keeps its own byte code, so only the first process ever waits for it. A
container's image has it from the start, on a disk that nobody can write to.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import numba
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

_Loop = TypeVar("_Loop", bound=Callable[..., Any])


class _MadeBefore(InTreeCacheLocator):  # type: ignore[misc]  # numba has no types
    """Machine code beside a source that cannot be written to: Numba's own locators pass it by."""

    def ensure_cache_path(self) -> None:
        if not any(Path(self.get_cache_path()).glob("*.nbi")):
            raise FileNotFoundError(self.get_cache_path())


class _Places(CompileResultCacheImpl):  # type: ignore[misc]  # numba has no types
    _locator_classes: ClassVar[list[type]] = [
        UserProvidedCacheLocator,
        InTreeCacheLocator,
        _MadeBefore,
        UserWideCacheLocator,
    ]


class _MachineCode(FunctionCache):  # type: ignore[misc]  # numba has no types
    _impl_class = _Places

    def save_overload(self, sig: Any, data: Any) -> None:
        # What cannot be kept works all the same, for as long as this process lives.
        with suppress(OSError):
            super().save_overload(sig, data)


def compiled(loop: _Loop) -> _Loop:
    """Compile `loop`, a function of arrays and numbers alone; it lets other threads run meanwhile.

    Where nothing can be kept and nothing was, each process compiles for itself. Sums may be taken in another
    order than written, as vector instructions need it; NaN and infinity keep their meaning.
    """
    dispatcher = numba.njit(
        nogil=True,
        fastmath={"contract", "reassoc", "nsz", "arcp"},
        error_model="numpy",  # or every division asks for zero and nothing becomes a vector
    )(loop)
    with suppress(RuntimeError):  # no place at all
        # What `enable_caching` does, with a cache that can also live on a read-only disk.
        dispatcher._cache = _MachineCode(loop)
    return cast(_Loop, dispatcher)
