"""What only the sweeper asks: items behind dead letters, and holds that nothing will settle any more."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import items as item_rows
from opal.database.ledger import EntryKind
from opal.database.tables import items, ledger
from opal.items.item import Item
from opal.items.states import ItemState

LOOK_BACK = timedelta(days=7)
"""Holds on items that ended earlier were seen by thousands of sweeps; looking again would only cost time."""

_CHUNK = 500


async def by_id(
    connection: AsyncConnection, item_ids: Sequence[str], states: Collection[ItemState]
) -> list[Item]:
    """Those of the items that are in one of ``states``; unknown ids are left out."""
    found: list[str] = []
    for start in range(0, len(item_ids), _CHUNK):
        chunk = item_ids[start : start + _CHUNK]
        query = select(items.c.id).where(items.c.id.in_(chunk), items.c.state.in_(states))
        found += (await connection.execute(query)).scalars()
    return await _read(connection, found)


async def with_stray_holds(
    connection: AsyncConnection, *, updated_before: datetime, limit: int
) -> list[Item]:
    """Failed or cancelled items whose credit is held, but neither debited nor released."""
    this_round = (ledger.c.item_id == items.c.id) & (ledger.c.round == items.c.round)
    held = exists().where(this_round, ledger.c.kind == EntryKind.HOLD)
    settled = exists().where(this_round, ledger.c.kind.in_([EntryKind.DEBIT, EntryKind.RELEASE]))
    query = (
        select(items.c.id)
        .where(items.c.state.in_([ItemState.FAILED, ItemState.CANCELLED]))
        .where(items.c.updated_at < updated_before, items.c.updated_at > updated_before - LOOK_BACK)
        .where(held, ~settled)
        .order_by(items.c.updated_at)
        .limit(limit)
    )
    return await _read(connection, (await connection.execute(query)).scalars().all())


async def _read(connection: AsyncConnection, item_ids: Sequence[str]) -> list[Item]:
    found = [await item_rows.get_item(connection, item_id) for item_id in item_ids]
    return [item for item in found if item is not None]
