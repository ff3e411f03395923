"""Writes a backup while Opal runs: whole or not at all, in the same memory whatever the folder holds.

A row that names a blob is written when the blob is there. So the database is copied first and the blobs are
read after it: what the copy names exists. Only what is removed meanwhile, for its age or because its tenant
wants it gone, could be missing; then the database, whose rows say so by now, is copied again and what is new
since is added, until the copy names nothing that was not read.
"""

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Final

from opal import __version__
from opal.backup import layout
from opal.backup.errors import NothingToBackUp
from opal.backup.layout import Member
from opal.backup.snapshot import copy_database, named_blobs, schema_of

_MOST_MISSING: Final = 1000
_ROUNDS: Final = 5
"""After so many copies what is still missing is missing from the store, not removed meanwhile."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What was written. ``missing`` are blobs, that the database names and nobody finds."""

    file: Path
    schema: str | None
    members: int
    bytes: int
    missing: tuple[str, ...]


def write_backup(data_dir: Path, file: Path, *, keys: bool = True) -> Backup:
    """Back the folder up into ``file``, which must not be there, readable by its owner only.

    Raises ``NothingToBackUp``, and OSError as it comes.
    """
    database = data_dir / layout.DATABASE
    if not database.is_file():
        raise NothingToBackUp(f"There is no database in {data_dir}.")
    unfinished = file.with_name(f".{file.name}.part")
    if file.exists():
        raise FileExistsError(17, "File exists", str(file))
    try:
        with (
            tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as scratch,
            open(unfinished, "wb", opener=_for_owner_only) as written,
        ):
            backup = _write(data_dir, written, Path(scratch), file, keys=keys)
            written.flush()
            os.fsync(written.fileno())
        unfinished.rename(file)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return backup


def _write(data_dir: Path, written: IO[bytes], scratch: Path, file: Path, *, keys: bool) -> Backup:
    with (
        closing(_Copied(scratch / "copied.sqlite")) as copied,
        (scratch / layout.MANIFEST).open("w+b") as manifest,
        tarfile.open(fileobj=written, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        writer = _Writer(archive, manifest)
        writer.add_head()
        for name in layout.KEYS if keys else ():
            with suppress(FileNotFoundError):
                writer.add(name, data_dir / name)
        missing: tuple[str, ...] = ()
        for _ in range(_ROUNDS):
            if (data_dir / layout.QUEUES).is_file():
                # Before the database: a message of an item that is not there yet would be a dead letter.
                copy_database(data_dir / layout.QUEUES, scratch / layout.QUEUES)
            copy_database(data_dir / layout.DATABASE, scratch / layout.DATABASE)
            _add_blobs(writer, copied, data_dir / layout.BLOBS)
            named = named_blobs(scratch / layout.DATABASE)
            before, missing = missing, tuple(islice(copied.lacking(named), _MOST_MISSING))
            if not missing or missing == before:
                break
        for name in (layout.QUEUES, layout.DATABASE):
            if (scratch / name).is_file():
                writer.add(name, scratch / name)
        writer.add_manifest()
    schema = schema_of(scratch / layout.DATABASE)
    return Backup(file, schema, writer.members, writer.bytes, missing)


def _add_blobs(writer: "_Writer", copied: "_Copied", root: Path) -> None:
    for name in _files(root):
        if copied.has(name):
            continue
        with suppress(FileNotFoundError):  # removed since it was listed
            writer.add(f"{layout.BLOBS}/{name}", root / name)
            copied.note(name)


def _files(root: Path, below: str = "") -> Iterator[str]:
    """Every file of the containers, by its path below ``root``; what is only being written is left out."""
    try:
        entries = sorted(os.scandir(root / below), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _files(root, name)
        elif entry.is_file(follow_symlinks=False) and layout.is_expected(f"{layout.BLOBS}/{name}"):
            yield name


@dataclass(slots=True)
class _Writer:
    """Adds members to the archive and their lines to the manifest."""

    archive: tarfile.TarFile
    manifest: IO[bytes]
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    members: int = field(default=0)
    bytes: int = field(default=0)

    def add_head(self) -> None:
        head = {"format": layout.FORMAT, "opal": __version__, "made_at": datetime.now(UTC).isoformat()}
        text = json.dumps(head).encode()
        self.archive.addfile(_info(layout.HEAD, len(text)), io.BytesIO(text))
        self.digest.update(text)

    def add(self, name: str, path: Path) -> None:
        """Add a file as it is when it is opened. Raises FileNotFoundError before anything is written."""
        with path.open("rb") as opened:
            status = os.fstat(opened.fileno())
            reader = _Hashing(opened)
            self.archive.addfile(_info(name, status.st_size), reader)
        member = Member(name, status.st_size, reader.digest.hexdigest(), status.st_mtime_ns)
        self.manifest.write(member.line())
        self.digest.update(member.line())
        self.members += 1
        self.bytes += status.st_size

    def add_manifest(self) -> None:
        self.manifest.write(layout.sum_line(self.digest.hexdigest()))
        self.manifest.write(layout.end_line(self.members))
        size = self.manifest.tell()
        self.manifest.seek(0)
        self.archive.addfile(_info(layout.MANIFEST, size), self.manifest)


class _Hashing(io.RawIOBase):
    """A file that is hashed while the archive reads it."""

    def __init__(self, opened: IO[bytes]) -> None:
        self._opened = opened
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._opened.read(size)
        self.digest.update(data)
        return data


class _Copied:
    """Which blobs are in the archive; on disk, as there may be millions."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("CREATE TABLE copied (name TEXT PRIMARY KEY) WITHOUT ROWID")

    def has(self, name: str) -> bool:
        return self._db.execute("SELECT 1 FROM copied WHERE name = ?", (name,)).fetchone() is not None

    def note(self, name: str) -> None:
        self._db.execute("INSERT INTO copied VALUES (?)", (name,))

    def lacking(self, names: Iterator[str]) -> Iterator[str]:
        return (name for name in names if not self.has(name))

    def close(self) -> None:
        self._db.close()


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


def _for_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
