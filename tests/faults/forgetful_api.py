"""A web-api that looks whether a key was answered before, and notes its answer when it has given it.

The wrong design that ``test_idempotency_storm.py`` must find out: between look and note another request may
come, or the process's end.
"""

import asyncio

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.assembly import build_database
from opal.console import app as web_api_app
from opal.database import idempotency
from opal.database.engine import Database, utc_now
from opal.database.idempotency import Stored
from opal.database.tables import idempotency_keys
from opal.settings import Settings

_UNDER_WAY: set[asyncio.Task[None]] = set()


def web_api(settings: Settings) -> None:
    """`opal web-api`, with keys that are noted too late."""
    database = build_database(settings)

    async def finish(connection: AsyncConnection, tenant_id: str, key: str, status: int, body: str) -> None:
        del connection  # the answer is noted by itself, when it is given
        noting = asyncio.create_task(_note(database, tenant_id, key, Stored(status, body)))
        _UNDER_WAY.add(noting)
        noting.add_done_callback(_UNDER_WAY.discard)

    idempotency.begin = _look
    idempotency.finish = finish
    web_api_app.serve(settings)


async def _look(connection: AsyncConnection, tenant_id: str, key: str, request_hash: str) -> Stored | None:
    del request_hash
    table = idempotency_keys
    query = select(table.c.status, table.c.body).where(table.c.tenant_id == tenant_id, table.c.key == key)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Stored(row.status, row.body)


async def _note(database: Database, tenant_id: str, key: str, answer: Stored) -> None:
    async with database.transaction() as connection:
        dialect = sqlite if database.is_sqlite else postgresql
        await connection.execute(
            dialect.insert(idempotency_keys)
            .values(
                tenant_id=tenant_id,
                key=key,
                request_hash="",
                created_at=utc_now(),
                status=answer.status,
                body=answer.body,
            )
            .on_conflict_do_nothing(index_elements=["tenant_id", "key"])
        )
