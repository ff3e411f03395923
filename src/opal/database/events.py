"""Reading what happened, in order, from any point on."""

from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.tables import item_events
from opal.items.events import ItemEvent
from opal.items.states import ItemState

_COLUMNS = [item_events.c[name] for name in ItemEvent.__dataclass_fields__]


async def events_after(
    connection: AsyncConnection, job_id: str, seq: int, limit: int = 1000
) -> list[ItemEvent]:
    """The job's events after number ``seq``, oldest first."""
    query = select(*_COLUMNS).where(item_events.c.job_id == job_id, item_events.c.seq > seq)
    return await _events(connection, query.order_by(item_events.c.seq).limit(limit))


async def item_story(connection: AsyncConnection, item_id: str) -> list[ItemEvent]:
    """Everything that happened to one item, oldest first."""
    query = select(*_COLUMNS).where(item_events.c.item_id == item_id)
    return await _events(connection, query.order_by(item_events.c.seq))


async def latest_seq(connection: AsyncConnection) -> int:
    """The number of the newest event of the whole database; 0 when there is none."""
    return int((await connection.execute(select(func.coalesce(func.max(item_events.c.seq), 0)))).scalar_one())


async def _events(connection: AsyncConnection, query: Select[Any]) -> list[ItemEvent]:
    return [_event(row) for row in await connection.execute(query)]


def _event(row: Row[Any]) -> ItemEvent:
    values = row._asdict()
    source = ItemState(values["source"]) if values["source"] else None
    return ItemEvent(**{**values, "source": source, "target": ItemState(values["target"])})
