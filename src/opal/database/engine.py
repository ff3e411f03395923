"""Connections and transactions, the same on SQLite and PostgreSQL."""

import copy
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from opal.errors import DependencyError, StorageFull
from opal.outgoing.authorities import authorities
from opal.platform_settings import DatabaseSettings
from opal.setting_addresses import VERIFIED

Password: TypeAlias = Callable[[], Awaitable[str]]
"""Asked for each new connection: a managed identity's is a token that ends."""

_READ_ONLY = "opal_read_only"

# What a transaction says of itself, and PostgreSQL's row security asks (migration 0011). Local to the
# transaction: a connection that goes back into the pool has forgotten it.
_ACTS_FOR = text("SELECT set_config(:name, :value, true)")
_PLATFORM: Final = {"name": "opal.platform", "value": "on"}

# PostgreSQL, Appendix A: classes of connection exception, transaction rollback, insufficient resources,
# operator intervention (a statement's time limit, a server that stops) and system error.
_PG_PASSING = {"08", "40", "53", "57", "58"}
_PG_DISK_FULL = "53100"


class DatabaseUnavailable(DependencyError):
    """The database cannot be reached."""

    code = "database_unavailable"
    title = "Database unavailable"


def utc_now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)


class Database:
    """One engine per process; ``password`` takes the place of one in the ``url``.

    ``transaction()`` writes: on SQLite it takes the write lock at once (``BEGIN IMMEDIATE``), so that a
    read followed by a write never fails half-way because another process wrote in between.

    It acts for the platform, as workers, the relay and the sweeper do, and sees every tenant's rows.
    ``for_tenant`` and ``for_nobody`` give the same database with less in sight; on PostgreSQL the server
    itself holds them to it.
    """

    def __init__(self, url: str, settings: DatabaseSettings, password: Password | None = None) -> None:
        self.url = url
        self._settings = settings
        self._password = password
        self._acts_for: dict[str, str] | None = _PLATFORM
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            waits = {"timeout": settings.busy_timeout_s}
            self.engine = create_async_engine(url, pool_size=settings.pool_size, connect_args=waits)
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)
        else:
            self.engine = create_async_engine(
                url,
                pool_size=settings.pool_size,
                pool_timeout=settings.connect_timeout_s,
                pool_pre_ping=True,
                connect_args=self._connect_arguments(_limits(settings)),
            )

    def for_tenant(self, tenant_id: str) -> Self:
        """The same connections, whose transactions see and change the rows of this tenant alone."""
        bound = copy.copy(self)
        bound._acts_for = {"name": "opal.tenant", "value": tenant_id}
        return bound

    def for_nobody(self) -> Self:
        """The same connections, whose transactions see no tenant's rows."""
        bound = copy.copy(self)
        bound._acts_for = None
        return bound

    def engine_for_migrations(self, name: str | None = None) -> AsyncEngine:
        """A connection at a time, without time limits and without our way of beginning transactions.

        ``name`` is another database of the same server.
        """
        arguments = {} if self.is_sqlite else self._connect_arguments({})
        url = make_url(self.url)
        return create_async_engine(
            url.set(database=name) if name else url, poolclass=NullPool, connect_args=arguments
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A read-write transaction: committed at the end of the block, rolled back on an exception."""
        with _translated():
            async with self.engine.begin() as connection:
                await self._say_who_acts(connection)
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view for reading; takes no write lock."""
        with _translated():
            async with self.engine.connect() as plain:
                connection = await plain.execution_options(**{_READ_ONLY: True})
                async with connection.begin():
                    await self._say_who_acts(connection)
                    yield connection

    async def _say_who_acts(self, connection: AsyncConnection) -> None:
        if self._acts_for is not None and not self.is_sqlite:
            await connection.execute(_ACTS_FOR, self._acts_for)

    def _connect_arguments(self, server_settings: dict[str, str]) -> dict[str, Any]:
        """Of asyncpg, which asks for the password at each new connection."""
        arguments: dict[str, Any] = {
            "timeout": self._settings.connect_timeout_s,
            "server_settings": {"application_name": "opal", **server_settings},
        }
        if make_url(self.url).query.get("ssl") == VERIFIED:
            # By itself asyncpg trusts only a file in the home directory, which no container has.
            arguments["ssl"] = authorities()
        return arguments if self._password is None else {**arguments, "password": self._password}

    async def check(self) -> None:
        """Return when the database answers and has its tables, else raise ``DatabaseUnavailable``."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1 FROM tenants LIMIT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def act_for_platform(connection: Connection) -> None:
    """Let the running transaction of a connection that is not ``Database``'s see every tenant's rows."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ACTS_FOR, _PLATFORM)


def _limits(settings: DatabaseSettings) -> dict[str, str]:
    """What the server itself ends: a statement that hangs, and a transaction that its process forgot."""
    longest = f"{settings.statement_timeout_s * 1000:.0f}"
    return {"statement_timeout": longest, "idle_in_transaction_session_timeout": longest}


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's passing faults into ours; what is wrong for good stays what it is."""
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError) as error:
        if _disk_full(error):
            raise StorageFull("The disk of the database has no space left.") from error
        if not _unavailable(error):
            raise
        raise DatabaseUnavailable(str(error).splitlines()[0]) from error


def _disk_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return StorageFull.caused(error)
    cause = getattr(error, "orig", None)
    code: int = getattr(cause, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_FULL or getattr(cause, "sqlstate", None) == _PG_DISK_FULL


def _unavailable(error: Exception) -> bool:
    """Whether the same may work later; a broken rule (IntegrityError) or a wrong statement will not."""
    if not isinstance(error, DBAPIError) or isinstance(error, OperationalError | InterfaceError):
        return True
    state = getattr(error.orig, "sqlstate", None) or ""
    return state[:2] in _PG_PASSING


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself; _begin_sqlite does.
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL: a commit that was answered survives a power cut, which a ledger needs.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    _stop_once(connection.driver_connection)


def _stop_once(driver: Any) -> None:
    """Let a second request to stop a connection's thread be none.

    Where a statement is cancelled, and its clean-up too, SQLAlchemy and aiosqlite both stop the thread. Who
    does so second would wait for ever for an answer of a thread that is gone, and the process could not end.
    """
    stop, stopped = driver.stop, False

    def stop_unless_stopped() -> Any:
        nonlocal stopped
        if stopped:
            return None
        stopped = True
        return stop()

    driver.stop = stop_unless_stopped


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
