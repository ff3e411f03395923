"""Reading what happened, in order, from any point on."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.tables import item_events
from opal.items.events import ItemEvent
from opal.items.states import ItemState

_COLUMNS = [item_events.c[name] for name in ItemEvent.__dataclass_fields__]


async def events_after(
    connection: AsyncConnection, job_id: str, seq: int, limit: int = 1000, *, up_to: int | None = None
) -> list[ItemEvent]:
    """The job's events after number ``seq``, at most to number ``up_to``, oldest first."""
    query = select(*_COLUMNS).where(item_events.c.job_id == job_id, item_events.c.seq > seq)
    if up_to is not None:
        query = query.where(item_events.c.seq <= up_to)
    return await _events(connection, query.order_by(item_events.c.seq).limit(limit))


async def item_story(connection: AsyncConnection, item_id: str) -> list[ItemEvent]:
    """Everything that happened to one item, oldest first."""
    query = select(*_COLUMNS).where(item_events.c.item_id == item_id)
    return await _events(connection, query.order_by(item_events.c.seq))


async def latest_seq(connection: AsyncConnection) -> int:
    """The number of the newest event of the whole database; 0 when there is none."""
    return int((await connection.execute(select(func.coalesce(func.max(item_events.c.seq), 0)))).scalar_one())


async def numbers_after(connection: AsyncConnection, seq: int, limit: int) -> list[tuple[int, datetime]]:
    """Number and time of the whole database's events after number ``seq``, oldest first."""
    query = select(item_events.c.seq, item_events.c.at).where(item_events.c.seq > seq)
    rows = await connection.execute(query.order_by(item_events.c.seq).limit(limit))
    return [(row.seq, row.at) for row in rows]


async def _events(connection: AsyncConnection, query: Select[Any]) -> list[ItemEvent]:
    return [_event(row) for row in await connection.execute(query)]


def _event(row: Row[Any]) -> ItemEvent:
    values = row._asdict()
    source = ItemState(values["source"]) if values["source"] else None
    return ItemEvent(**{**values, "source": source, "target": ItemState(values["target"])})
