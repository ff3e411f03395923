"""Which blobs an item's photo was invited to, and until when each invitation holds."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import items
from opal.errors import AlreadyUploaded, Conflict, UploadMissing
from opal.items.item import Item, blob_path
from opal.items.states import ItemState


class TooManyUploads(Conflict):
    """As many upload URLs as may be are out for this photo.

    Use one of them, or wait until the first has ended, which is after 15 minutes at most;
    `OPAL_WEB_UPLOADS_PER_PHOTO` is the number.
    """

    code = "too_many_uploads"
    title = "Too many upload URLs"


def upload_path(item: Item, upload_id: str) -> str:
    """Where the photo of that upload lies, in the container ``raw``."""
    return blob_path(item.tenant_id, item.job_id, item.id, "raw", upload_id)


async def note_upload(
    connection: AsyncConnection, item: Item, upload_id: str, *, until: datetime, most: int
) -> Sequence[str]:
    """Remember where the item's photo may come, ``until`` its URL ends; the last one noted counts.

    Returns the paths of those whose URL has ended: they are forgotten, and their blobs the caller's to remove
    after the commit. Raises ``AlreadyUploaded`` when the item has a photo by now, and ``TooManyUploads`` when
    ``most`` URLs are out.
    """
    mine = (items.c.id == item.id) & (items.c.state == ItemState.CREATED)
    row = (await connection.execute(select(items.c.uploads).where(mine).with_for_update())).one_or_none()
    if row is None:
        raise AlreadyUploaded
    now = utc_now()
    ends = {known: datetime.fromisoformat(end) for known, end in row.uploads.items()}
    out = {known: end for known, end in ends.items() if end > now}
    if len(out) >= most:
        first = min(out.values()).strftime("%H:%M:%S UTC")
        raise TooManyUploads(f"{most} upload URLs are out for this photo; the first ends at {first}.")
    out[upload_id] = until
    told = {known: end.isoformat() for known, end in out.items()}
    values = {"raw_path": upload_path(item, upload_id), "uploads": told}
    await connection.execute(update(items).where(mine).values(**values))
    return [upload_path(item, known) for known in ends.keys() - out.keys()]


async def require_upload(connection: AsyncConnection, item: Item, path: str) -> None:
    """Hold the photo at ``path`` until the transaction ends. Raises ``UploadMissing`` for a forgotten one."""
    query = select(items.c.raw_path, items.c.uploads).where(items.c.id == item.id)
    row = (await connection.execute(query.with_for_update())).one_or_none()
    # The last one counts however long ago its URL ended: nothing is removed before there is another.
    known = () if row is None else (row.raw_path, *(upload_path(item, each) for each in row.uploads))
    if path not in known:
        raise UploadMissing
