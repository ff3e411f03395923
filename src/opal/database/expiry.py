"""Marks what is too old to be kept. The mark comes first, the blob goes after it: no row ever names a blob
that was removed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import items, variants
from opal.items.states import TERMINAL

_OF_ITEM = re.compile(r"[^/]+/jobs/[^/]+/items/(item_[0-9a-f]{24})/.+")


class Kind(Enum):
    """What is kept for a time of its own."""

    RAW = "raw"
    OUTPUTS = "outputs"
    EXPORTS = "exports"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk over ended items has come, oldest first."""

    ended_at: datetime
    item_id: str


def _kept(kind: Kind) -> ColumnElement[bool]:
    """Items that have something of the kind which is not marked yet."""
    match kind:
        case Kind.RAW:
            return items.c.raw_path.is_not(None) & items.c.raw_expired_at.is_(None)
        case Kind.OUTPUTS:
            named = or_(items.c.scene_path.is_not(None), items.c.matte_path.is_not(None))
            return named & items.c.outputs_expired_at.is_(None)
        case Kind.EXPORTS:
            mine = (variants.c.item_id == items.c.id) & variants.c.expired_at.is_(None)
            return select(variants.c.item_id).where(mine).exists()


async def expire(
    connection: AsyncConnection, kind: Kind, ended_before: datetime, limit: int, after: Place | None = None
) -> tuple[list[str], Place | None]:
    """Mark the blobs of up to ``limit`` items that ended before then, oldest first.

    Returns the paths of what was marked, which is the caller's to remove after the commit, and how far the
    walk has come; None when there was nothing left.
    """
    query = select(items.c.id, items.c.updated_at, items.c.raw_path, items.c.scene_path, items.c.matte_path)
    query = query.where(items.c.state.in_(sorted(TERMINAL)), items.c.updated_at < ended_before, _kept(kind))
    if after is not None:
        query = query.where(
            items.c.updated_at >= after.ended_at,
            or_(items.c.updated_at > after.ended_at, items.c.id > after.item_id),
        )
    query = query.order_by(items.c.updated_at, items.c.id).limit(limit)
    # Nobody takes an item up again between the look and the mark.
    rows = (await connection.execute(query.with_for_update(of=items))).all()
    if not rows:
        return [], None
    paths = await _mark(connection, kind, rows)
    return paths, Place(rows[-1].updated_at, rows[-1].id)


async def has_expired(connection: AsyncConnection, container: str, path: str) -> bool:
    """Whether the blob is one that was removed for its age, of an item that is still known."""
    match = _OF_ITEM.fullmatch(path)
    if match is None:
        return False
    if container == Kind.EXPORTS.value:
        mine = (variants.c.item_id == match[1]) & (variants.c.path == path)
        query = select(variants.c.expired_at).where(mine)
        return await connection.scalar(query) is not None
    raw = container == Kind.RAW.value
    query = select(items.c.raw_expired_at if raw else items.c.outputs_expired_at)
    named = items.c.raw_path == path if raw else or_(items.c.scene_path == path, items.c.matte_path == path)
    return await connection.scalar(query.where(items.c.id == match[1], named)) is not None


async def _mark(connection: AsyncConnection, kind: Kind, rows: Sequence[Any]) -> list[str]:
    now, ids = utc_now(), [row.id for row in rows]
    if kind is Kind.EXPORTS:
        mine = variants.c.item_id.in_(ids) & variants.c.expired_at.is_(None)
        paths = (await connection.execute(select(variants.c.path).where(mine))).scalars().all()
        await connection.execute(update(variants).where(mine).values(expired_at=now))
        return list(paths)
    column = "raw_expired_at" if kind is Kind.RAW else "outputs_expired_at"
    await connection.execute(update(items).where(items.c.id.in_(ids)).values({column: now}))
    if kind is Kind.RAW:
        return [row.raw_path for row in rows]
    return [path for row in rows for path in (row.scene_path, row.matte_path) if path]
