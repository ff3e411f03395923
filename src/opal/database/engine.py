"""Connections and transactions, the same on SQLite and PostgreSQL."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from opal.errors import DependencyError, StorageFull
from opal.settings import DatabaseSettings

_READ_ONLY = "opal_read_only"


class DatabaseUnavailable(DependencyError):
    """The database cannot be reached."""

    code = "database_unavailable"
    title = "Database unavailable"


def utc_now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)


class Database:
    """One engine per process.

    ``transaction()`` writes: on SQLite it takes the write lock at once (``BEGIN IMMEDIATE``), so that a
    read followed by a write never fails half-way because another process wrote in between.
    """

    def __init__(self, url: str, settings: DatabaseSettings) -> None:
        self.url = url
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {"pool_size": settings.pool_size}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": settings.busy_timeout_s}
        else:
            options["pool_pre_ping"] = True
        self.engine = create_async_engine(url, **options)
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A read-write transaction: committed at the end of the block, rolled back on an exception."""
        with _translated():
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view for reading; takes no write lock."""
        with _translated():
            async with self.engine.connect() as plain:
                connection = await plain.execution_options(**{_READ_ONLY: True})
                async with connection.begin():
                    yield connection

    async def check(self) -> None:
        """Return when the database answers and has its tables, else raise ``DatabaseUnavailable``."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1 FROM tenants LIMIT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's connection faults into ours; a broken rule (IntegrityError) stays what it is."""
    try:
        yield
    except (OperationalError, InterfaceError, OSError) as error:
        if _disk_full(error):
            raise StorageFull("The disk of the database has no space left.") from error
        raise DatabaseUnavailable(str(error).splitlines()[0]) from error


def _disk_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return StorageFull.caused(error)
    code: int = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_FULL


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself; _begin_sqlite does.
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL: a commit that was answered survives a power cut, which a ledger needs.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
