"""Copies of SQLite files that are in use, and which blobs such a copy of the database names."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

# Container, table, column of the path, column that says that it has expired, condition. A backup may be made
# of an older schema, so columns are looked for first.
_NAMED = (
    ("raw", "items", "raw_path", "raw_expired_at", "state NOT IN ('created', 'failed', 'cancelled')"),
    ("outputs", "items", "scene_path", "outputs_expired_at", "1"),
    ("outputs", "items", "matte_path", "outputs_expired_at", "1"),
    ("outputs", "revisions", "matte_path", "", "state = 'pending'"),
    ("exports", "variants", "path", "expired_at", "1"),
    ("raw", "backdrops", "raw_path", "", "completed_at IS NOT NULL"),
)


def copy_database(source: Path, copy: Path) -> None:
    """SQLite's own online backup: one moment's state, while others read and write."""
    copy.unlink(missing_ok=True)
    with closing(_read_only(source)) as origin, closing(sqlite3.connect(copy)) as target:
        origin.backup(target)
        # A single file, without a log beside it.
        target.execute("PRAGMA journal_mode=DELETE")


def schema_of(database: Path) -> str | None:
    """The revision of a database file; None for one without any."""
    with closing(_read_only(database)) as connection:
        if not _columns(connection, "alembic_version"):
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def is_sound(database: Path) -> bool:
    """Whether SQLite finds its own structures in order."""
    try:
        with closing(_read_only(database)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False


def named_blobs(database: Path) -> Iterator[str]:
    """``<container>/<path>`` of every blob that must be there."""
    with closing(_read_only(database)) as connection:
        for container, table, path, expired, condition in _NAMED:
            columns = _columns(connection, table)
            if path not in columns:
                continue
            kept = f"{expired} IS NULL" if expired in columns else "1"
            query = f"SELECT {path} FROM {table} WHERE {path} IS NOT NULL AND {kept} AND {condition}"  # noqa: S608
            for (name,) in connection.execute(query):
                yield f"{container}/{name}"


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0)


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
