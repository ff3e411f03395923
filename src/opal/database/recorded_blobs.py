"""Which blobs the rows name: what must be there, with what is recorded of it.

Asked by the blob check, the sweep of orphans and the backup. A blob whose row says that it has expired is not
named by it any more.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.revisions import RevisionState
from opal.database.tables import backdrops, items, revisions, variants
from opal.items.states import ItemState

# An id of ours in a blob's path, and whose rows name what lies there.
_OF_ITEM = re.compile(r"[^/]+/jobs/[^/]+/items/([^/]+)/.+")
_OF_BACKDROP = re.compile(r"[^/]+/backdrops/([^/]+)/.+")


@dataclass(frozen=True, slots=True)
class RecordedBlob:
    """A blob as its row knows it; ``bytes`` and ``sha256`` where they are recorded."""

    subject: str
    """The item or backdrop whose blob it is."""
    tenant_id: str
    container: str
    path: str
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class BlobScope:
    """Whose blobs: everybody's, one tenant's, or one job's; of ``sample`` exported items drawn at random."""

    tenant_id: str | None = None
    job_id: str | None = None
    sample: int | None = None


async def exported_items(
    connection: AsyncConnection, scope: BlobScope, after: str, limit: int
) -> Sequence[str]:
    """Ids of exported items, a page at a time in their order; a sample is one page, in no order."""
    query = select(items.c.id).where(items.c.state == ItemState.EXPORTED)
    if scope.tenant_id is not None:
        query = query.where(items.c.tenant_id == scope.tenant_id)
    if scope.job_id is not None:
        query = query.where(items.c.job_id == scope.job_id)
    if scope.sample is not None:
        query = query.order_by(func.random()).limit(scope.sample)
    else:
        query = query.where(items.c.id > after).order_by(items.c.id).limit(limit)
    return (await connection.execute(query)).scalars().all()


async def blobs_of_items(connection: AsyncConnection, item_ids: Collection[str]) -> list[RecordedBlob]:
    """Photo, scene, matte and every variant of these items, in whatever state, but what has expired; and
    what a revision that is being made needs."""
    found: list[RecordedBlob] = []
    for row in await connection.execute(select(items).where(items.c.id.in_(item_ids))):
        if row.raw_path and row.raw_expired_at is None:
            size = row.photo.get("bytes")
            found.append(RecordedBlob(row.id, row.tenant_id, "raw", row.raw_path, size))
        if row.outputs_expired_at is None:
            for path in dict.fromkeys(filter(None, (row.scene_path, row.matte_path))):
                found.append(RecordedBlob(row.id, row.tenant_id, "outputs", path))
    waiting = revisions.c
    of_pending = select(waiting.item_id, waiting.tenant_id, waiting.matte_path).where(
        waiting.item_id.in_(item_ids),
        waiting.state == RevisionState.PENDING,
        waiting.matte_path.is_not(None),
    )
    for row in await connection.execute(of_pending):
        found.append(RecordedBlob(row.item_id, row.tenant_id, "outputs", row.matte_path))
    rows = variants.c
    query = select(rows.item_id, rows.tenant_id, rows.path, rows.bytes, rows.sha256)
    named = query.where(rows.item_id.in_(item_ids), rows.expired_at.is_(None))
    for row in await connection.execute(named):
        found.append(RecordedBlob(row.item_id, row.tenant_id, "exports", row.path, row.bytes, row.sha256))
    return found


async def blobs_of_backdrops(
    connection: AsyncConnection, tenant_id: str | None, after: str, limit: int
) -> list[RecordedBlob]:
    """The pictures of backdrops that are ready, a page at a time by id."""
    query = _backdrops().where(backdrops.c.completed_at.is_not(None), backdrops.c.id > after)
    if tenant_id is not None:
        query = query.where(backdrops.c.tenant_id == tenant_id)
    rows = await connection.execute(query.order_by(backdrops.c.id).limit(limit))
    return [_backdrop(row) for row in rows]


async def unnamed(connection: AsyncConnection, container: str, paths: Sequence[str]) -> list[str]:
    """Those of ``paths`` that no row names. What lies elsewhere than items' and backdrops' blobs is not ours
    to judge and counts as named."""
    of_item = {path: match[1] for path in paths if (match := _OF_ITEM.fullmatch(path))}
    of_backdrop = {path: match[1] for path in paths if (match := _OF_BACKDROP.fullmatch(path))}
    named = {
        blob.path
        for blob in await blobs_of_items(connection, set(of_item.values()))
        if blob.container == container
    }
    if container == "raw" and of_backdrop:
        there = _backdrops().where(backdrops.c.id.in_(set(of_backdrop.values())))
        named.update(row.raw_path for row in await connection.execute(there))
    return [path for path in (*of_item, *of_backdrop) if path not in named]


def _backdrops() -> Select[Any]:
    row = backdrops.c
    return select(row.id, row.tenant_id, row.raw_path, row.bytes, row.sha256)


def _backdrop(row: Any) -> RecordedBlob:
    return RecordedBlob(row.id, row.tenant_id, "raw", row.raw_path, row.bytes, row.sha256)
