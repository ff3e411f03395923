"""Files without a name, in memory where the system can: how pictures travel to the decoder and back.

Called by ``client.py``.
"""

import mmap
import os
import sys
import tempfile

if sys.platform == "linux":
    import fcntl

    _SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def create() -> int:
    """The descriptor of an empty file; the caller closes it."""
    if sys.platform == "linux":
        return os.memfd_create("picture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def create_with(data: bytes) -> int:
    """The descriptor of a file that holds `data`."""
    descriptor = create()
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_back(descriptor: int, size: int) -> mmap.mmap:
    """The contents that another process wrote, `size` bytes, without a copy; nobody can change them any more.

    Raises OSError where somebody still could, and ValueError for a file of another size.
    """
    if sys.platform == "linux":
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    if os.fstat(descriptor).st_size != size:
        raise ValueError(f"{os.fstat(descriptor).st_size} bytes instead of {size}")
    return mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
