"""Processes that write to an embedded database as fast as they can, and say what was committed."""

import asyncio
import os
from typing import Any

from sqlalchemy import event
from tests.faults.rig import TENANT

from opal.assembly import build_database
from opal.database import jobs
from opal.database.engine import Database
from opal.database.jobs import NewItem
from opal.items.item import Recipe
from opal.settings import Settings

ACKED = "acked"
"""A file in the data folder: a line per job whose transaction was committed."""
ITEMS = 40
"""Items of each job, so that a transaction writes many pages."""


def writes_jobs(settings: Settings) -> None:
    """As web-api does."""
    asyncio.run(_write(settings, build_database(settings)))


def writes_jobs_without_journal(settings: Settings) -> None:
    """On a database that keeps no record of what it changes."""
    database = build_database(settings)
    event.listen(database.engine.sync_engine, "connect", _trust_to_luck)
    asyncio.run(_write(settings, database))


async def _write(settings: Settings, database: Database) -> None:
    recipe = Recipe(scene="white", placement={}, presets=("cutout-png",), prompt="", seed=5)
    new = [NewItem(f"{number}.jpg") for number in range(ITEMS)]
    acked = os.open(settings.data_dir / ACKED, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        async with database.transaction() as connection:
            job, _items = await jobs.create_job(connection, TENANT, recipe, new, name="", correlation_id="")
        os.write(acked, f"{job.id}\n".encode())


def _trust_to_luck(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=DELETE", "journal_mode=OFF", "cache_size=5"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
