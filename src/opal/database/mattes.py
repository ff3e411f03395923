"""Mattes that clients upload for an item: the place of each, until it is used or a day has passed.

The rows only. What was uploaded is a stranger's file, which `web_api/matte_check.py` reads once; a revision
names what was made of it.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import mattes
from opal.database.uploads import TooManyUploads
from opal.errors import NotFound
from opal.items.item import Item, blob_path, new_id

_ID: Final = "matte_[0-9a-f]{24}"
_KEPT_FOR: Final = timedelta(days=1)


class UnknownMatte(NotFound):
    """The photo has no uploaded matte of that id.

    A matte can be used once; ask for another URL (`POST /v1/jobs/{job_id}/items/{item_id}/mattes`).
    """

    code = "unknown_matte"
    title = "Unknown matte"


@dataclass(frozen=True, slots=True)
class UploadedMatte:
    """A place for a matte, in the container ``raw``; there may be nothing in it yet."""

    id: str
    raw_path: str


async def create_matte(
    connection: AsyncConnection, item: Item, *, lifetime: timedelta, most: int
) -> UploadedMatte:
    """A new place for ``lifetime``; the item's that nobody used for a day are forgotten.

    Raises ``TooManyUploads`` when ``most`` of the locked item's can be written to.
    """
    now = utc_now()
    old = (mattes.c.item_id == item.id) & (mattes.c.created_at < now - _KEPT_FOR)
    await connection.execute(delete(mattes).where(old))
    out = (mattes.c.item_id == item.id) & (mattes.c.created_at > now - lifetime)
    if int(await connection.scalar(select(func.count()).where(out)) or 0) >= most:
        raise TooManyUploads
    made = _matte(item, new_id("matte"))
    of_item = {"item_id": item.id, "job_id": item.job_id, "tenant_id": item.tenant_id}
    await connection.execute(insert(mattes).values(id=made.id, **of_item, created_at=now))
    return made


async def item_matte(connection: AsyncConnection, item: Item, matte_id: str) -> UploadedMatte:
    """The item's place of that id. Raises ``UnknownMatte`` for ids unknown, foreign, used, or none at all."""
    # Also keeps what a database's text type cannot hold away from it.
    if not re.fullmatch(_ID, matte_id):
        raise UnknownMatte
    query = select(mattes.c.id).where(mattes.c.id == matte_id, mattes.c.item_id == item.id)
    if await connection.scalar(query) is None:
        raise UnknownMatte
    return _matte(item, matte_id)


async def use_matte(connection: AsyncConnection, item: Item, matte: UploadedMatte) -> None:
    """Forget the place: what was in it is the revision's now.

    Raises ``UnknownMatte`` where somebody else was first.
    """
    mine = (mattes.c.id == matte.id) & (mattes.c.item_id == item.id)
    if (await connection.execute(delete(mattes).where(mine))).rowcount == 0:
        raise UnknownMatte


def _matte(item: Item, matte_id: str) -> UploadedMatte:
    return UploadedMatte(matte_id, blob_path(item.tenant_id, item.job_id, item.id, "raw", matte_id))
