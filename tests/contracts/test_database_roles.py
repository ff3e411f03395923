"""`opal migrate --app … --reader …`: what each role may do afterwards, on a real PostgreSQL.

Azure's function that ties a role to a managed identity is stood in for by one that makes a plain role.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from opal.database.engine import Database
from opal.database.migrate import migrate
from opal.database.roles import give_access
from opal.errors import InvalidInput
from opal.platform_settings import DatabaseSettings

_APP, _READER = "opal-web-api-test", "opal-billing-service-test"

_AZURES_FUNCTION = """
CREATE OR REPLACE FUNCTION pgaadauth_create_principal(name text, administrator boolean, mfa boolean)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF administrator OR mfa THEN RAISE EXCEPTION 'too much'; END IF;
  EXECUTE format('CREATE ROLE %I LOGIN', name);
  RETURN name;
END $$
"""


async def _on(url: str, *statements: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture
async def with_roles(postgres: str) -> AsyncIterator[Database]:
    database = Database(postgres, DatabaseSettings())
    await migrate(database)
    home = make_url(postgres).set(database="postgres").render_as_string(hide_password=False)
    await _on(home, _AZURES_FUNCTION)
    # Twice: the second time the roles are there already.
    for _ in range(2):
        await give_access(database, [_APP], [_READER])
    yield database
    await database.close()
    for name in (_APP, _READER):
        await _on(postgres, f'DROP OWNED BY "{name}"', f'DROP ROLE "{name}"')
    await _on(home, "DROP FUNCTION pgaadauth_create_principal")


@pytest.mark.parametrize(
    ("role", "statement", "allowed"),
    [
        (_APP, "INSERT INTO tenants SELECT * FROM tenants WHERE false", True),
        (_APP, "DELETE FROM items WHERE false", True),
        (_APP, "SELECT version_num FROM alembic_version", True),
        (_APP, "CREATE TABLE theirs (id int)", False),
        (_APP, "DROP TABLE items", False),
        (_APP, "CREATE ROLE another", False),
        (_READER, "SELECT 1 FROM tenants", True),
        (_READER, "SELECT version_num FROM alembic_version", True),
        (_READER, "DELETE FROM tenants WHERE false", False),
    ],
)
async def test_what_a_role_may_do(with_roles: Database, role: str, statement: str, allowed: bool) -> None:
    async with with_roles.engine.connect() as connection:
        await connection.execute(text(f'SET ROLE "{role}"'))
        if allowed:
            await connection.execute(text(statement))
        else:
            with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
                await connection.execute(text(statement))
        await connection.rollback()


async def test_sqlite_has_no_roles(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'opal.sqlite'}", DatabaseSettings())
    with pytest.raises(InvalidInput, match="need PostgreSQL"):
        await give_access(database, [_APP], [])
    await database.close()
