"""The data folder of `opal up`: one supervisor at a time, and the development key kept in it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from opal.errors import OpalError

_LOCK_NAME = "supervisor.lock"
_KEY_NAME = "development-key"


class DataFolderInUse(OpalError):
    """Another `opal up` is running on this data folder.

    Stop that one, or choose another folder with `--data`.
    """

    code: ClassVar[str] = "data_folder_in_use"
    title: ClassVar[str] = "Data folder in use"
    expected: ClassVar[bool] = True


@contextmanager
def claimed(data_dir: Path) -> Iterator[Path]:
    """Hold the data folder for the length of the block; created when missing, private to its owner.

    The lock is the kernel's: it ends with the process however that ends. Raises ``DataFolderInUse``.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data_dir / _LOCK_NAME).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise DataFolderInUse(f"opal is already running on {data_dir} (process {holder}).") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield data_dir


def read_development_key(data_dir: Path) -> str | None:
    """The key that an earlier run left in the folder, or None."""
    path = data_dir / _KEY_NAME
    return path.read_text("utf-8").strip() if path.is_file() else None


def write_development_key(data_dir: Path, key: str) -> Path:
    """Keep ``key`` in the folder, readable by its owner only; returns where."""
    path = data_dir / _KEY_NAME
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        # A file left by someone else's umask keeps its old mode unless told.
        os.fchmod(descriptor, 0o600)
        file.write(key + "\n")
    return path
