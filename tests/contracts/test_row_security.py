"""PostgreSQL keeps tenants apart by itself, whatever a query forgets: for an app's role and for the owner.

SQLite has no such thing; there the queries alone do it, which `tests/services/test_tenant_isolation.py` asks.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.contracts.tenants import OTHER, TENANT

from opal.database.column_types import UtcDateTime
from opal.database.engine import Database, utc_now
from opal.database.tables import metadata
from opal.platform_settings import DatabaseSettings

_TABLES = metadata.sorted_tables
_APP = "opal_row_security_app"


@pytest.fixture(params=["app", "owner"])
async def filled(request: pytest.FixtureRequest, own_postgres: str, postgres: str) -> AsyncIterator[Database]:
    """Every table with a row of each tenant, as a role sees it; names itself in the URL."""
    owner = make_url(own_postgres)
    administrator = _database(make_url(postgres).set(database=owner.database))
    async with administrator.transaction() as connection:
        await connection.execute(text(f"CREATE ROLE {_APP} LOGIN"))
        rights = "SELECT, INSERT, UPDATE, DELETE"
        await connection.execute(text(f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {_APP}"))
        await connection.execute(text(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {_APP}"))
        for table in _TABLES:
            for tenant in (TENANT, OTHER):
                await connection.execute(table.insert().values(_row(table, tenant)))
    database = _database(owner if request.param == "owner" else owner.set(username=_APP))
    yield database
    await database.close()
    async with administrator.transaction() as connection:
        await connection.execute(text(f"DROP OWNED BY {_APP}"))
        await connection.execute(text(f"DROP ROLE {_APP}"))
    await administrator.close()


def _database(url: Any) -> Database:
    return Database(url.render_as_string(hide_password=False), DatabaseSettings())


def _row(table: Table, tenant: str, mark: str = "") -> dict[str, Any]:
    """A row of the tenant; with another ``mark`` it is another row."""
    return {
        column.name: _value(table, column, tenant, mark)
        for column in table.columns
        if not column.nullable and column.autoincrement is not True
    }


def _value(table: Table, column: Column[Any], tenant: str, mark: str) -> Any:
    if column.name == "tenant_id":
        return tenant
    if column.primary_key and column.name == "id":
        return mark + (tenant if table.name == "tenants" else f"{table.name} of {tenant}")
    for key in column.foreign_keys:
        return f"{key.column.table.name} of {tenant}"
    if column.name == "item_id":
        return f"items of {tenant}"
    kinds: tuple[tuple[Any, Any], ...] = (
        (Boolean, False),
        ((BigInteger, Integer), 0),
        (String, mark + tenant),
        (LargeBinary, b""),
        (UtcDateTime, utc_now()),
    )
    return next((value for kind, value in kinds if isinstance(column.type, kind)), {})


async def _seen(connection: AsyncConnection, table: Table) -> int:
    return int(await connection.scalar(text(f"SELECT count(*) FROM {table.name}")) or 0)


async def _changed(connection: AsyncConnection, table: Table) -> int:
    """How many rows a query reaches that forgets whose they are."""
    column = next(iter(table.primary_key.columns)).name
    updated = await connection.execute(text(f"UPDATE {table.name} SET {column} = {column}"))
    return updated.rowcount


async def test_every_table_is_guarded_its_owner_included(filled: Database) -> None:
    query = (
        "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    async with filled.read() as connection:
        guarded = {row[0]: row[1] for row in await connection.execute(text(query))}
    assert {name for name, forced in guarded.items() if not forced} == {"alembic_version"}
    assert set(guarded) - {"alembic_version"} == {table.name for table in _TABLES}


async def test_without_a_tenant_nothing_is_there(filled: Database) -> None:
    async with filled.for_nobody().transaction() as connection:
        for table in _TABLES:
            assert (await _seen(connection, table), await _changed(connection, table)) == (0, 0), table.name
            deleted = await connection.execute(text(f"DELETE FROM {table.name}"))
            assert deleted.rowcount == 0, table.name


async def test_a_tenant_reaches_its_own_rows_alone(filled: Database) -> None:
    async with filled.for_tenant(TENANT).transaction() as connection:
        for table in _TABLES:
            assert (await _seen(connection, table), await _changed(connection, table)) == (1, 1), table.name
            for theirs in await connection.execute(table.select()):
                owner = theirs.id if table.name == "tenants" else getattr(theirs, "tenant_id", TENANT)
                assert owner == TENANT
    async with filled.read() as connection:
        for table in _TABLES:
            assert await _seen(connection, table) == 2, "the platform sees both"


async def test_rows_of_another_tenant_cannot_be_written(filled: Database) -> None:
    for table in _TABLES:
        with pytest.raises(DBAPIError, match="row-level security"):
            async with filled.for_tenant(TENANT).transaction() as connection:
                await connection.execute(table.insert().values(_row(table, OTHER, "new ")))
        if "tenant_id" in table.c:
            with pytest.raises(DBAPIError, match="row-level security"):
                async with filled.for_tenant(TENANT).transaction() as connection:
                    await connection.execute(table.update().values(tenant_id=OTHER))


async def test_a_connection_that_is_used_again_has_forgotten_for_whom(filled: Database) -> None:
    async with filled.engine.connect() as connection:
        for name, value in (("opal.tenant", TENANT), ("opal.platform", "on")):
            async with connection.begin():
                await connection.execute(text(f"SELECT set_config('{name}', '{value}', true)"))
                assert await connection.scalar(text("SELECT count(*) FROM jobs"))
            async with connection.begin():
                assert await connection.scalar(text("SELECT count(*) FROM jobs")) == 0


async def test_with_row_security_off_the_same_queries_reach_everything(
    filled: Database, own_postgres: str
) -> None:
    """The control: it is the policies that the tests above meet, and nothing else."""
    owner = _database(make_url(own_postgres))
    async with owner.transaction() as connection:
        for table in _TABLES:
            await connection.execute(text(f"ALTER TABLE {table.name} DISABLE ROW LEVEL SECURITY"))
    await owner.close()
    async with filled.for_tenant(TENANT).transaction() as connection:
        for table in _TABLES:
            assert (await _seen(connection, table), await _changed(connection, table)) == (2, 2), table.name
    async with filled.for_nobody().transaction() as connection:
        for table in _TABLES:
            assert await _seen(connection, table) == 2
