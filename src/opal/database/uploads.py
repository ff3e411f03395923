"""Which blob an item's photo was last invited to."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.tables import items
from opal.errors import AlreadyUploaded
from opal.items.item import Item
from opal.items.states import ItemState


async def note_upload(connection: AsyncConnection, item: Item, raw_path: str) -> None:
    """Remember ``raw_path`` as the place of the item's photo; the last one noted counts.

    Raises ``AlreadyUploaded`` when the item has a photo by now.
    """
    result = await connection.execute(
        update(items)
        .where(items.c.id == item.id, items.c.state == ItemState.CREATED)
        .values(raw_path=raw_path)
    )
    if result.rowcount != 1:
        raise AlreadyUploaded
