"""Makes a data folder of a backup: all of it, every byte as it was, or nothing.

Everything is unpacked into a folder beside the one that is wanted and checked there; then that is renamed.
"""

import hashlib
import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from opal.backup import layout
from opal.backup.errors import BackupDamaged, BackupTooNew, DataFolderNotEmpty
from opal.backup.layout import Member
from opal.backup.snapshot import is_sound, schema_of

_PIECE: Final = 1 << 20
_LONGEST_HEAD: Final = 10_000
_LISTING: Final = ".listing"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, and with which schema.

    Not ``summed``: of a backup from before manifests had a sum of their own, so that a wrong time, which is
    part of a blob's ETag, would not have been noticed.
    """

    folder: Path
    schema: str
    members: int
    bytes: int
    summed: bool


def restore_backup(file: Path, data_dir: Path, newest_schema: str) -> Restored:
    """Make ``data_dir``, which is missing or empty, of the backup in ``file``.

    Raises ``DataFolderNotEmpty``, ``BackupDamaged``, ``BackupTooNew``, and OSError as it comes.
    """
    if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise DataFolderNotEmpty(f"{data_dir} has something in it.")
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    staging = data_dir.with_name(f".{data_dir.name}.restoring-{secrets.token_hex(4)}")
    staging.mkdir(mode=0o700)
    try:
        with file.open("rb") as opened, _told_as_damage(file):
            found = _unpack(opened, staging)
        schema = _checked(staging, newest_schema)
        (staging / _LISTING).unlink()
        os.sync()
        # Over a folder that is there and empty as well; it fails when something has come into it meanwhile.
        staging.rename(data_dir)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return Restored(data_dir, schema, found.members, found.bytes, found.summed)


@contextmanager
def _told_as_damage(file: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BackupDamaged(f"{file} is not a whole backup: {error}") from error


@dataclass(frozen=True, slots=True)
class _Unpacked:
    members: int
    bytes: int
    summed: bool


def _unpack(opened: IO[bytes], staging: Path) -> _Unpacked:
    """Write every member and compare what was read with the manifest at the end."""
    count = size = end = 0
    head, verified = b"", False
    read = _Remembering(opened)
    with tarfile.open(fileobj=read, mode="r|") as archive, (staging / _LISTING).open("w+b") as listing:
        for number, info in enumerate(archive):
            content = archive.extractfile(info) if info.isreg() else None
            if content is None or verified:
                raise BackupDamaged(f"It holds {info.name!r}, which no backup does.")
            if number == 0:
                head = _required_head(info, content)
            elif info.name == layout.MANIFEST:
                listing.seek(0)
                _compare(listing, content, head, count, staging)
                verified = True
                end = info.offset_data + info.size
            else:
                listing.write(_unpacked(info, content, staging))
                count, size = count + 1, size + info.size
    if not verified:
        raise BackupDamaged("It was cut off: its manifest is missing.")
    read.require_end(end)
    return _Unpacked(count, size, _is_summed(head))


class _Remembering(io.RawIOBase):
    """The file, whose last kilobytes are remembered: the archive stops reading where its end begins."""

    def __init__(self, opened: IO[bytes]) -> None:
        self._opened = opened
        self._read = 0
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        data = self._opened.read(size)
        self._read += len(data)
        self._last = (self._last + data)[-2 * tarfile.RECORDSIZE :]
        return data

    def require_end(self, end: int) -> None:
        """Raise ``BackupDamaged`` unless an archive's end, whole and nothing else, comes after ``end``."""
        while self.read(tarfile.RECORDSIZE):
            pass
        blocks = -(-end // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE
        whole = -(-blocks // tarfile.RECORDSIZE) * tarfile.RECORDSIZE
        if self._read != whole:
            raise BackupDamaged(f"It has {self._read:,} bytes, not {whole:,}.")
        if any(self._last[end - whole :]):
            raise BackupDamaged("There is something after its end.")


def _required_head(info: tarfile.TarInfo, content: IO[bytes]) -> bytes:
    if info.name != layout.HEAD or info.size > _LONGEST_HEAD:
        raise BackupDamaged("It is no backup of Opal's.")
    head = content.read()
    form = json.loads(head)["format"]
    if type(form) is not int or form not in (layout.UNSUMMED, layout.FORMAT):
        raise BackupTooNew(f"Its format is {form}; this Opal knows {layout.FORMAT}.")
    return head


def _is_summed(head: bytes) -> bool:
    return bool(json.loads(head)["format"] != layout.UNSUMMED)


def _unpacked(info: tarfile.TarInfo, content: IO[bytes], staging: Path) -> bytes:
    """Write one member; its line of the listing: name, size and hash of what was really read."""
    if not layout.is_expected(info.name):
        raise BackupDamaged(f"It holds {info.name!r}, which no backup does.")
    target = staging / info.name
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    # Each name once: "x" refuses a second.
    with open(target, "xb", opener=_for_owner_only) as file:
        while piece := content.read(_PIECE):
            digest.update(piece)
            file.write(piece)
        written = file.tell()
    return Member(info.name, written, digest.hexdigest(), 0).line()


def _compare(listing: IO[bytes], manifest: IO[bytes], head: bytes, count: int, staging: Path) -> None:
    """Line by line, in little memory; every file gets its time, which is part of a blob's ETag."""
    digest = hashlib.sha256(head)
    for line in listing:
        found = Member.read(line)
        read = manifest.readline()
        digest.update(read)
        told = Member.read(read)
        if (found.name, found.size, found.sha256) != (told.name, told.size, told.sha256):
            raise BackupDamaged(f"{found.name} is not as it was backed up.")
        os.utime(staging / found.name, ns=(told.mtime_ns, told.mtime_ns))
    if _is_summed(head) and manifest.readline() != layout.sum_line(digest.hexdigest()):
        raise BackupDamaged("Its manifest is not as it was written.")
    if manifest.readline() != layout.end_line(count) or manifest.read(1):
        raise BackupDamaged("Its manifest names other files than it holds.")


def _checked(staging: Path, newest_schema: str) -> str:
    """The schema of a database that can be used here."""
    database = staging / layout.DATABASE
    if not database.is_file() or not is_sound(database):
        raise BackupDamaged("Its database cannot be read.")
    schema = schema_of(database)
    if schema is None:
        raise BackupDamaged("Its database has no schema.")
    if schema > newest_schema:
        raise BackupTooNew(f"Its database has schema {schema}; this Opal knows {newest_schema}.")
    return schema


def _for_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
