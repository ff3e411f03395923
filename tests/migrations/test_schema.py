"""The migrations must add up to exactly the tables that the code declares."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event

from opal.database import migrate as migrate_module
from opal.database.engine import Database
from opal.database.migrate import migrate, schema_version
from opal.database.review_queue import count_waiting, next_waiting
from opal.database.tables import metadata
from opal.platform_settings import DatabaseSettings


def database_in(folder: Path) -> Database:
    return Database(f"sqlite+aiosqlite:///{folder / 'opal.sqlite'}", DatabaseSettings())


# For a process of its own: the folder is its argument.
MIGRATE = """
import asyncio, sys
from pathlib import Path
from opal.database.engine import Database
from opal.database.migrate import migrate
from opal.platform_settings import DatabaseSettings

asyncio.run(migrate(Database(f"sqlite+aiosqlite:///{sys.argv[1]}/opal.sqlite", DatabaseSettings())))
"""


def differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_migrations_equal_the_tables(tmp_path: Path) -> None:
    database = database_in(tmp_path)
    await migrate(database)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_photos_that_wait_for_a_verdict_are_found_by_their_index(tmp_path: Path) -> None:
    database = database_in(tmp_path)
    await migrate(database)
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    async with database.read() as connection:
        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        await count_waiting(connection, "acme", most=10)
        await next_waiting(connection, "acme")
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        for statement, parameters in asked:
            plan = str(
                (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
            )
            assert "USING INDEX ix_items_review_queue" in plan
            assert "B-TREE" not in plan, "the queue's order is the index's"
    await database.close()
    assert len(asked) == 2


async def test_many_processes_may_migrate_at_once(tmp_path: Path) -> None:
    command = (sys.executable, "-c", MIGRATE, str(tmp_path))
    children = [await asyncio.create_subprocess_exec(*command) for _ in range(3)]
    assert [await child.wait() for child in children] == [0, 0, 0]
    present, newest = await schema_version(database_in(tmp_path))
    assert present == newest


async def test_the_newest_revision_is_alembics_head_and_each_comes_after_the_one_before(
    tmp_path: Path,
) -> None:
    _, newest = await schema_version(database_in(tmp_path))
    scripts = ScriptDirectory(str(Path(migrate_module.__file__).parent / "migrations"))
    assert scripts.get_heads() == [newest]
    numbers = [script.revision for script in scripts.walk_revisions()]
    assert numbers == sorted(numbers, reverse=True)


async def test_a_database_that_is_up_to_date_is_told_by_one_query(tmp_path: Path) -> None:
    await migrate(database_in(tmp_path))
    told = MIGRATE + "sys.exit('alembic' in sys.modules)"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", told, str(tmp_path))
    assert await child.wait() == 0
