"""What `opal process` has begun and finished, written down as it happens, so that a killed run loses nothing.

Used by `process_folder.py`. One line of JSON per event in a hidden file of the result folder, which is locked
while a run works there and removed when it ends by itself.
"""

import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ValidationError

from opal.cli.report import ReportItem
from opal.errors import InvalidInput

JOURNAL_NAME = ".opal-process.jsonl"


class KeptSource(BaseModel):
    """What a subfolder was made from; equal hashes mean that it need not be made again."""

    path: str
    sha256: str
    recipe: str


class Entry(BaseModel):
    """A subfolder's photo, and what became of it: None while its files may be half old and half new."""

    folder: str
    source: KeptSource
    item: ReportItem | None = None


class Journal:
    """The journal of one result folder, held by one process at a time."""

    def __init__(self, out: Path) -> None:
        """Open and lock it; raises InvalidInput where another run works in the folder."""
        self._path = out / JOURNAL_NAME
        while True:
            self._file = self._path.open("ab+")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                raise InvalidInput(f"Another `opal process` is working in {out}.") from None
            if os.fstat(self._file.fileno()).st_nlink:
                return
            self._file.close()  # the run before removed it between our opening and our locking

    def entries(self) -> list[Entry]:
        """What earlier runs wrote that did not end by themselves, in order; a torn line ends it."""
        self._file.seek(0)
        entries = []
        whole = 0
        for line in self._file:
            try:
                entries.append(Entry.model_validate_json(line))
            except ValidationError:
                break
            whole += len(line)
        self._file.truncate(whole)
        return entries

    def write(self, entries: Iterable[Entry]) -> None:
        """Add lines; they outlive this process from here on."""
        try:
            self._file.write(b"".join(entry.model_dump_json().encode() + b"\n" for entry in entries))
            self._file.flush()
        except OSError as error:
            error.filename = str(self._path)  # a failed write does not say where
            raise

    def remove(self) -> None:
        """End it: what it says stands in the report."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Unlock it, for the next run to read."""
        with suppress(OSError):  # of a last line for which there was no room
            self._file.close()
