"""How ``folder.py`` keeps a blob as a file: checked names, whole or absent, never half-written.

Plain blocking calls, which ``folder.py`` runs off the event loop and whose ``OSError`` it translates.
"""

import errno
import os
import secrets
import stat
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from opal.blobs.interface import BlobInfo, ListedBlob
from opal.blobs.names import check_name
from opal.errors import BlobExists, BlobNotFound, InvalidBlobPath

_ABANDONED_AFTER_S = 24 * 3600

_TYPES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
    ".zip": "application/zip",
}
_UNKNOWN_TYPE = "application/octet-stream"

_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)


class FolderFiles:
    """The files under ``root``: one folder per container, and ``.incoming`` for what is being written.

    Everything is written to ``.incoming`` first: same file system, so the finished file is linked into
    place in one step, and what a crash left behind is found by listing one folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / ".incoming"

    def sweep(self) -> int:
        """Remove what interrupted writes left more than a day ago; returns how many files."""
        removed = 0
        if self._incoming.is_dir():
            for leftover in self._incoming.iterdir():
                if leftover.stat().st_mtime < time.time() - _ABANDONED_AFTER_S:
                    leftover.unlink(missing_ok=True)
                    removed += 1
        return removed

    def file(self, container: str, path: str) -> Path:
        """Where the blob lies. Raises ``InvalidBlobPath`` for a name that is not plain or leads outside."""
        check_name(container, path)
        home = self._root / container
        file = home / path
        # Plain names cannot climb, but somebody may have put a symbolic link into the folder.
        if not file.parent.resolve().is_relative_to(home.resolve()):
            raise InvalidBlobPath
        return file

    def open(self, container: str, path: str) -> tuple[BinaryIO, BlobInfo]:
        """The blob opened for reading, and what is known of exactly this version; or ``BlobNotFound``."""
        file = self.file(container, path)
        try:
            opened = open(file, "rb", opener=_no_follow)  # noqa: SIM115 - Path.open has no opener
        except OSError as error:
            if error.errno in _NOTHING_THERE:
                raise BlobNotFound from error
            raise
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode):
            opened.close()
            raise BlobNotFound
        return opened, _info(file, status)

    def incoming(self) -> BinaryIO:
        """A new file to write to; ``publish`` it, and ``discard`` it in any case."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        return (self._incoming / secrets.token_hex(16)).open("xb")

    def publish(
        self, written: BinaryIO, container: str, path: str, content_type: str, *, overwrite: bool
    ) -> BlobInfo:
        """Make a fully ``written`` file the blob, durably; ``BlobExists`` unless ``overwrite``."""
        file = self.file(container, path)
        source = Path(written.name)
        written.flush()
        # The clock's full resolution: the kernel's own stamp is the same for some milliseconds, and
        # two versions within it would share an ETag.
        now = time.time_ns()
        os.utime(written.fileno(), ns=(now, now))
        os.fsync(written.fileno())
        status = os.fstat(written.fileno())
        file.parent.mkdir(parents=True, exist_ok=True)
        type_file = _type_file(file, status)
        if content_type != _type_by_name(file):
            # Named by ETag and there before the blob is, so the two can never disagree.
            _write_type(type_file, content_type)
        if overwrite:
            source.replace(file)
            _forget_types(file, keep=type_file)
        else:
            try:
                file.hardlink_to(source)
            except FileExistsError as error:
                type_file.unlink(missing_ok=True)
                raise BlobExists from error
        _sync_folder(file.parent)
        return _info(file, status)

    def discard(self, written: BinaryIO) -> None:
        """Remove a file from ``incoming`` that was not published."""
        with suppress(OSError):
            # What could not be written before cannot be now, and is not wanted any more.
            written.close()
        Path(written.name).unlink(missing_ok=True)

    def delete(self, container: str, path: str) -> None:
        """Remove the blob if it is there."""
        file = self.file(container, path)
        if file.is_file():
            file.unlink(missing_ok=True)
            _forget_types(file, keep=None)

    def entries(self, container: str, folder: str) -> tuple[list[str], list[ListedBlob]]:
        """The folders in a folder, and the blobs, by name; ``folder`` is empty for the container itself."""
        home = self.file(container, folder) if folder else self._root / container
        folders: list[str] = []
        blobs: list[ListedBlob] = []
        try:
            with os.scandir(home) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            if error.errno in _NOTHING_THERE:
                return [], []
            raise
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith("."):
                continue  # a type's, or what is only being written
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    when = datetime.fromtimestamp(status.st_mtime, UTC)
                    blobs.append(ListedBlob(path, status.st_size, when))
        return folders, blobs

    def check(self) -> None:
        """Write and remove a file."""
        file = self.incoming()
        try:
            file.write(b"check")
            file.flush()
        finally:
            self.discard(file)


def _no_follow(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _info(file: Path, status: os.stat_result) -> BlobInfo:
    try:
        content_type = _type_file(file, status).read_text("utf-8")
    except OSError:
        content_type = _type_by_name(file)
    return BlobInfo(status.st_size, _etag(status), content_type, datetime.fromtimestamp(status.st_mtime, UTC))


def _etag(status: os.stat_result) -> str:
    """Time and size, which survive a copied or restored data folder as an inode number would not."""
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _type_file(file: Path, status: os.stat_result) -> Path:
    return file.with_name(f".{file.name}.{_etag(status)}")


def _type_by_name(file: Path) -> str:
    return _TYPES.get(file.suffix.lower(), _UNKNOWN_TYPE)


def _write_type(file: Path, content_type: str) -> None:
    try:
        file.write_text(content_type, "utf-8")
    except OSError:
        file.unlink(missing_ok=True)
        raise


def _forget_types(file: Path, keep: Path | None) -> None:
    for other in file.parent.glob(f".{file.name}.*-*"):
        if other != keep:
            other.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
