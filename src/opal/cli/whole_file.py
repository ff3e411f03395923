"""Writing a file of results whole or not at all. Used by `process`, `check` and their reports."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, under another name until the block ends: who looks meanwhile sees the old one, whole.

    An exception leaves the old file and nothing beside it. An OSError names the file.
    """
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(path)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            # A failed write does not say where.
            error.filename = str(path)
        raise


def write_whole(path: Path, data: bytes) -> None:
    """`whole_file` for bytes that are there already."""
    with whole_file(path) as file:
        file.write(data)
