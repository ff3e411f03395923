"""The migrations must add up to exactly the tables that the code declares."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from opal.database import migrate as migrate_module
from opal.database.migrate import migrate, schema_version
from opal.database.tables import metadata


def differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_migrations_equal_the_tables(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'opal.sqlite'}"
    await migrate(url)
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_many_processes_may_migrate_at_once(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'opal.sqlite'}"
    command = f"import asyncio; from opal.database.migrate import migrate; asyncio.run(migrate({url!r}))"
    children = [await asyncio.create_subprocess_exec(sys.executable, "-c", command) for _ in range(3)]
    assert [await child.wait() for child in children] == [0, 0, 0]
    present, newest = await schema_version(url)
    assert present == newest


async def test_the_newest_revision_is_alembics_head_and_each_comes_after_the_one_before(
    tmp_path: Path,
) -> None:
    _, newest = await schema_version(f"sqlite+aiosqlite:///{tmp_path / 'opal.sqlite'}")
    scripts = ScriptDirectory(str(Path(migrate_module.__file__).parent / "migrations"))
    assert scripts.get_heads() == [newest]
    numbers = [script.revision for script in scripts.walk_revisions()]
    assert numbers == sorted(numbers, reverse=True)


async def test_a_database_that_is_up_to_date_is_told_by_one_query(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'opal.sqlite'}"
    await migrate(url)
    command = (
        "import asyncio, sys\nfrom opal.database.migrate import migrate\n"
        f"asyncio.run(migrate({url!r}))\nsys.exit('alembic' in sys.modules)"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", command)
    assert await child.wait() == 0
