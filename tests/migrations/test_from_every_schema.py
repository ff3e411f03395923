"""Every earlier schema, with data in it, comes to the newest one with all of it, on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, column, insert, inspect, select, table, update
from sqlalchemy.sql.expression import TableClause
from structlog.testing import capture_logs
from tests.migrations.earlier_rows import ROWS

from opal.database import invariants
from opal.database import migrate as migrate_module
from opal.database.engine import Database
from opal.database.migrate import migrate, schema_version
from opal.database.tables import metadata
from opal.platform_settings import DatabaseSettings

SCRIPTS = Path(migrate_module.__file__).parent / "migrations"
REVISIONS = sorted(path.name.partition("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))
_VERSION = table("alembic_version", column("version_num"))
_STATEFUL = {"outbox_drains"}
"""The rows have a message that waits, which is sound where services run."""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without any schema."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("blank_postgres"))
    return f"sqlite+aiosqlite:///{tmp_path / 'opal.sqlite'}"


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url, DatabaseSettings())
    yield database
    await database.close()


def upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def present(connection: Connection) -> list[TableClause]:
    """The tables of the schema that is there, with its own columns and the types that they have now."""
    there = inspect(connection)
    names = {name: {each["name"] for each in there.get_columns(name)} for name in there.get_table_names()}
    return [
        table(
            name,
            *[column(each.name, each.type) for each in metadata.tables[name].c if each.name in names[name]],
        )
        for name in ROWS
        if name in names
    ]


def taken(schema: TableClause, row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name in schema.c}


@pytest.mark.parametrize("revision", REVISIONS)
async def test_data_of_an_earlier_schema_is_all_there_after_the_newest(
    database: Database, revision: str
) -> None:
    engine = database.engine_for_migrations()
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, revision)
        schemas = await connection.run_sync(present)
        for schema in schemas:
            for row in ROWS[schema.name]:
                await connection.execute(insert(schema).values(**taken(schema, row)))
    await engine.dispose()
    await migrate(database)
    assert await schema_version(database) == (REVISIONS[-1], REVISIONS[-1])
    async with database.read() as connection:
        for schema in schemas:
            expected = [taken(schema, row) for row in ROWS[schema.name]]
            columns = [schema.c[name] for name in expected[0]]
            order = [schema.c[name] for name in ("seq", "id") if name in schema.c]
            found = await connection.execute(select(*columns).order_by(*order))
            assert [row._asdict() for row in found] == expected, schema.name
        verdicts = await invariants.examine(connection)
    assert {each.name for each in verdicts if each.count} <= _STATEFUL
    # And twice changes nothing.
    await migrate(database)


async def test_a_schema_that_a_newer_opal_made_stays_and_is_told(database: Database) -> None:
    """Or else no version could go back after a migration."""
    await migrate(database)
    newer = f"{int(REVISIONS[-1]) + 1:04}"
    async with database.transaction() as connection:
        await connection.execute(update(_VERSION).values(version_num=newer))
    with capture_logs() as logs:
        await migrate(database)
    assert await schema_version(database) == (newer, REVISIONS[-1])
    (told,) = (each for each in logs if each.get("action") == "schema.newer")
    assert (told["present"], told["known"]) == (newer, REVISIONS[-1])


async def test_a_schema_that_is_none_of_ours_is_no_newer_one(database: Database) -> None:
    await migrate(database)
    async with database.transaction() as connection:
        await connection.execute(update(_VERSION).values(version_num="0000"))
    with pytest.raises(CommandError, match="locate revision"):
        await migrate(database)


def test_the_rows_have_every_column_of_every_table() -> None:
    lacking = {
        name: sorted(set(schema.c.keys()) - {"seq"} - set().union(*ROWS.get(name, [{}])))
        for name, schema in metadata.tables.items()
    }
    assert not {name: columns for name, columns in lacking.items() if columns}
