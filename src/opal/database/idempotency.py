"""Idempotency keys: a repeated POST is answered with the first answer and changes nothing.

The key is taken, the work done and the answer stored in one transaction, so a crash leaves either
nothing or the whole answer.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import idempotency_keys
from opal.errors import IdempotencyKeyInFlight, IdempotencyKeyReused

# As long as Stripe keeps its keys.
KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Stored:
    """The first answer to a key."""

    status: int
    body: str


async def begin(connection: AsyncConnection, tenant_id: str, key: str, request_hash: str) -> Stored | None:
    """Take the key; returns the stored answer when the same request was answered before.

    Raises ``IdempotencyKeyReused`` when the key came with another request, ``IdempotencyKeyInFlight``
    when the first request has no answer yet.
    """
    table = idempotency_keys
    mine = (table.c.tenant_id == tenant_id) & (table.c.key == key)
    await connection.execute(delete(table).where(mine, table.c.created_at < utc_now() - KEPT_FOR))
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    taken = await connection.execute(
        dialect.insert(table)
        .values(tenant_id=tenant_id, key=key, request_hash=request_hash, created_at=utc_now())
        .on_conflict_do_nothing(index_elements=["tenant_id", "key"])
    )
    if taken.rowcount == 1:
        return None
    row = (await connection.execute(select(table).where(mine))).one()
    if row.request_hash != request_hash:
        raise IdempotencyKeyReused
    if row.status is None:
        raise IdempotencyKeyInFlight
    return Stored(row.status, row.body)


async def finish(connection: AsyncConnection, tenant_id: str, key: str, status: int, body: str) -> None:
    """Store the answer to a key taken in this transaction."""
    table = idempotency_keys
    await connection.execute(
        update(table)
        .where(table.c.tenant_id == tenant_id, table.c.key == key)
        .values(status=status, body=body)
    )
