"""A process is killed while it writes to SQLite: what was committed is there, the rest not in part."""

import asyncio
import random
import signal
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError
from tests.faults.database_writers import ACKED, ITEMS, writes_jobs, writes_jobs_without_journal
from tests.faults.figures import Figures
from tests.faults.process_server import Entry, ProcessServer
from tests.faults.rig import TENANT

from opal.assembly import open_database
from opal.database import invariants, keys, ledger
from opal.settings import load_settings

CREDITS = 10**7


@pytest.mark.sqlite
@pytest.mark.parametrize("kills", [6, pytest.param(40, marks=pytest.mark.battery)])
async def test_a_writer_of_sqlite_is_killed(
    kills: int, tmp_path: Path, process_server: ProcessServer, empty_database: bytes, figures: Figures
) -> None:
    acked, damage = await kill_writers(writes_jobs, kills, tmp_path, process_server, empty_database)
    figures("database crash, SQLite", kills=kills, acked=acked, damaged=damage)
    assert acked > kills
    assert not damage


@pytest.mark.sqlite
async def test_control_a_writer_without_a_journal(
    tmp_path: Path, process_server: ProcessServer, empty_database: bytes, figures: Figures
) -> None:
    writer = writes_jobs_without_journal
    acked, damage = await kill_writers(
        writer, 30, tmp_path, process_server, empty_database, until_damaged=True
    )
    figures("control: SQLite without a journal", acked=acked, damaged=damage)
    assert damage


async def kill_writers(
    writer: Entry,
    kills: int,
    folder: Path,
    server: ProcessServer,
    empty: bytes,
    *,
    until_damaged: bool = False,
) -> tuple[int, int]:
    """How many jobs were acknowledged, and after how many of the ``kills`` the database was damaged."""
    rng, acked, damaged = random.Random(7), 0, 0
    for number in range(kills):
        data = folder / str(number)
        data.mkdir()
        (data / "opal.sqlite").write_bytes(empty)
        opened = open_database(load_settings(data_dir=data), migrated=False)
        async with opened as database, database.transaction() as connection:
            await keys.ensure_tenant(connection, TENANT, "Acme")
            await ledger.grant(connection, TENANT, CREDITS)
        process = server.start(writer, {"OPAL_DATA_DIR": str(data)}, data / "log")
        give_up_at = time.monotonic() + 60.0
        while not acknowledged(data):
            assert process.exit_code() is None, process.tail()
            assert time.monotonic() < give_up_at
            await asyncio.sleep(0.01)
        # The moment of death is what is drawn at random here; nothing is being waited for.
        await asyncio.sleep(rng.uniform(0.0, 0.5))
        process.signal(signal.SIGKILL)
        await process.ended(30.0)
        acked += len(acknowledged(data))
        damaged += await is_damaged(data)
        if damaged and until_damaged:
            break
    return acked, damaged


def acknowledged(data: Path) -> list[str]:
    """The jobs that the writer told of."""
    try:
        return (data / ACKED).read_text().split()
    except FileNotFoundError:
        return []


async def is_damaged(data: Path) -> bool:
    """Whether the file is not whole, a job is missing or not whole, or an invariant is broken."""
    with suppress(sqlite3.DatabaseError, SQLAlchemyError):
        plain = sqlite3.connect(data / "opal.sqlite")
        [[verdict]] = plain.execute("PRAGMA integrity_check(1)")
        sizes = dict(plain.execute("SELECT job_id, count(*) FROM items GROUP BY job_id"))
        found = {job_id for [job_id] in plain.execute("SELECT id FROM jobs")}
        plain.close()
        opened = open_database(load_settings(data_dir=data), migrated=False)
        async with opened as database, database.read() as connection:
            broken = [each for each in await invariants.examine(connection) if each.count]
        whole = set(sizes) == found and set(sizes.values()) <= {ITEMS}
        return verdict != "ok" or bool(broken) or not whole or not found >= set(acknowledged(data))
    return True
