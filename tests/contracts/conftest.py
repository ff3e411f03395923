"""What the contracts run on: SQLite and PostgreSQL, migrated and empty, Azurite, and a Service Bus."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from tests.azurite.server import Azurite, azurite
from tests.contracts.tenants import OTHER, TENANT
from tests.servicebus.namespace import Namespace, another_namespace
from tests.servicebus.server import Server, running_server

from opal.database import keys, ledger
from opal.database.engine import Database
from opal.database.migrate import migrate
from opal.database.tables import metadata
from opal.platform_settings import DatabaseSettings


@pytest.fixture(scope="session")
def azurite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="session")
def service_bus_server() -> Iterator[Server]:
    """Our own server; one process for all tests of a worker."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def service_bus(request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """The namespace that the environment names, else our own server's."""
    another = another_namespace()
    if another is None:
        server: Server = request.getfixturevalue("service_bus_server")
        yield server.namespace
    else:
        yield another
        another.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'opal.sqlite'}"
    return str(request.getfixturevalue("shared_postgres"))


@pytest.fixture
async def empty_database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, DatabaseSettings())
    await migrate(database)
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
