"""The outbox: messages that wait, committed together with the state that they announce.

``outbox_relay.py`` publishes them at least once; a row lives until its message is on the queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import items
from opal.database.engine import utc_now
from opal.database.tables import outbox
from opal.errors import LeaseLost
from opal.items.states import ItemState
from opal.messages.envelope import Envelope


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message to publish."""

    seq: int
    queue: str
    message_id: str
    item_id: str
    correlation_id: str
    body: bytes
    traceparent: str | None


class Outbox:
    """The outbox seen from inside one transaction; implements ``OutboxWriter``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, queue: str, message: Envelope) -> None:
        """Store ``message`` for ``queue``."""
        await self._connection.execute(
            insert(outbox).values(
                queue=queue,
                message_id=message.message_id,
                item_id=message.item_id,
                correlation_id=message.correlation_id,
                body=message.encode(),
                traceparent=message.traceparent,
                created_at=utc_now(),
            )
        )


async def claim_batch(connection: AsyncConnection, limit: int, claim_s: float) -> list[OutboxRow]:
    """Take the oldest rows that no other relay is publishing, for ``claim_s`` seconds."""
    now = utc_now()
    names = OutboxRow.__dataclass_fields__
    rows = await connection.execute(
        select(*[outbox.c[name] for name in names])
        .where(or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until < now))
        .order_by(outbox.c.seq)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    batch = [OutboxRow(**row._asdict()) for row in rows]
    if batch:
        await connection.execute(
            update(outbox)
            .where(outbox.c.seq.in_([row.seq for row in batch]))
            .values(claimed_until=now + timedelta(seconds=claim_s))
        )
    return batch


async def mark_published(connection: AsyncConnection, rows: Sequence[OutboxRow]) -> None:
    """Forget rows whose messages are on their queue, and note it on items that waited for it."""
    await connection.execute(delete(outbox).where(outbox.c.seq.in_([row.seq for row in rows])))
    for row in rows:
        item = await items.get_item(connection, row.item_id)
        if item is None or item.state is not ItemState.UPLOADED:
            continue
        try:
            await items.move(connection, item, ItemState.QUEUED, by="outbox relay")
        except LeaseLost:
            continue  # A worker was quicker; its move is the later one.


async def pending_items(connection: AsyncConnection, queue: str, limit: int) -> list[str]:
    """The items of the ``limit`` oldest messages that still wait for ``queue``."""
    query = select(outbox.c.item_id).where(outbox.c.queue == queue).order_by(outbox.c.seq).limit(limit)
    return list((await connection.execute(query)).scalars())


async def pending(connection: AsyncConnection) -> tuple[int, datetime | None]:
    """How many messages wait, and since when the oldest does."""
    row = (await connection.execute(select(func.count(), func.min(outbox.c.created_at)))).one()
    return int(row[0]), row[1]
