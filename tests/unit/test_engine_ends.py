"""A process whose statement was cut off can end: nothing waits for a thread that is gone."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from opal.database.engine import Database
from opal.platform_settings import DatabaseSettings

HELD_S = 1.0
LONGEST_S = 60.0

pytestmark = pytest.mark.sqlite


async def cut_off(file: Path) -> None:
    """A task that waits for SQLite's write lock is cancelled, its clean-up as well, and the rest by `run`."""
    database = Database(f"sqlite+aiosqlite:///{file}", DatabaseSettings())
    async with database.transaction() as connection:
        await connection.execute(text("CREATE TABLE things (thing INTEGER)"))
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(HELD_S, other.close).start()

    async def write() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("INSERT INTO things VALUES (1)"))

    writing = asyncio.create_task(write())
    await asyncio.sleep(HELD_S / 4)
    # As a time limit and then the end of the work cut off the renewal of a lease.
    for _ in range(2):
        writing.cancel()
        await asyncio.sleep(HELD_S / 8)
    await database.close()


def test_a_process_ends_after_a_statement_was_cut_off(tmp_path: Path) -> None:
    # A process of its own: it may not end, and its thread for SQLite does so after its loop.
    subprocess.run([sys.executable, __file__, str(tmp_path / "x.sqlite")], timeout=LONGEST_S, check=True)


if __name__ == "__main__":
    asyncio.run(cut_off(Path(sys.argv[1])))
