"""Short work on the database for commands: open, do, close."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from opal.assembly import open_database
from opal.settings import Settings

T = TypeVar("T")


def in_transaction(settings: Settings, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Run ``work`` in one transaction on the migrated database and return its result."""
    return asyncio.run(in_transaction_async(settings, work))


async def in_transaction_async(settings: Settings, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """The same, for callers that have an event loop already."""
    async with open_database(settings) as database, database.transaction() as connection:
        return await work(connection)
