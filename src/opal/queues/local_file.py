"""The file behind the embedded queue: its tables, its one connection, its transactions.

Used by ``local_store.py`` from one thread; any number of processes may hold the same file.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opal.errors import QueueUnavailable

_VERSION = 1
_BUSY_TIMEOUT_S = 10.0

# Times are whole microseconds since 1970 in UTC, the resolution of datetime.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    sequence_number INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    message_id TEXT NOT NULL,
    body BLOB NOT NULL,
    correlation_id TEXT NOT NULL,
    properties TEXT NOT NULL,
    enqueued_at INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    delivery_count INTEGER NOT NULL DEFAULT 0,
    lock_token TEXT,
    dead_reason TEXT,
    dead_description TEXT
);
CREATE INDEX IF NOT EXISTS messages_due ON messages (queue, visible_at, sequence_number)
    WHERE dead_reason IS NULL;
CREATE INDEX IF NOT EXISTS messages_dead ON messages (queue, sequence_number)
    WHERE dead_reason IS NOT NULL;
CREATE TABLE IF NOT EXISTS sent_ids (
    queue TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    PRIMARY KEY (queue, message_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sent_ids_age ON sent_ids (sent_at);
"""


class LocalFile:
    """One process's connection; opened on first use, and anew after any failure.

    Both contexts raise ``QueueUnavailable`` when SQLite or the file system fails.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that writes: committed at the end of the block, undone on any exception."""
        # IMMEDIATE: a read followed by a write can then never fail because another process wrote.
        with self.reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, each statement a view of its own."""
        try:
            yield self._open()
        except (sqlite3.Error, OSError) as error:
            # Whatever state the connection is in now, the next call starts from a fresh one.
            self.close()
            raise QueueUnavailable(f"{self._path.name}: {error}") from error

    def close(self) -> None:
        """Close the file; a later call would open it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        """The connection, made again when the file was removed or replaced under us."""
        if self._connection is not None:
            try:
                if self._path.stat().st_ino == self._inode:
                    return self._connection
            except FileNotFoundError:
                pass
            self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        give_up_at = time.monotonic() + _BUSY_TIMEOUT_S
        while True:
            connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
            try:
                _prepare(connection)
            except sqlite3.OperationalError as error:
                connection.close()
                # Switching a new file to WAL does not wait for other processes doing the same.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                    raise
                time.sleep(0.01)
                continue
            except BaseException:
                connection.close()
                raise
            self._connection, self._inode = connection, self._path.stat().st_ino
            return connection


def _prepare(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        db.execute("PRAGMA journal_mode = WAL")
    # NORMAL: a power cut may lose the last commits (never a process crash). The database is the truth
    # and the sweeper sends again, see docs/decisions/0002-queue-file.md.
    db.execute("PRAGMA synchronous = NORMAL")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > _VERSION:
        raise QueueUnavailable(f"the queue file has version {version}, newer than this Opal's {_VERSION}")
    if version < _VERSION:
        db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {_VERSION};COMMIT;")
