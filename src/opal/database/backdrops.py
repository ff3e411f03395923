"""Backdrops: a tenant's own pictures for products to stand in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.pages import newest_first
from opal.database.receivers import require_room
from opal.database.revisions import RevisionState
from opal.database.tables import backdrops, items, jobs, revisions
from opal.errors import BackdropInUse, BackdropNotReady, Conflict, UnknownBackdrop
from opal.items.item import backdrop_path, new_id
from opal.items.states import TERMINAL

ID = "backdrop_[0-9a-f]{24}"
"""What a backdrop's id looks like, as a regular expression."""


class TooManyBackdrops(Conflict):
    """The tenant has as many backdrops as it may have.

    Delete one that is not needed any more; those whose picture never came count too.
    `OPAL_WEB_BACKDROPS_PER_TENANT` is the number.
    """

    code = "too_many_backdrops"
    title = "Too many backdrops"


class BackdropsTooLarge(Conflict):
    """The tenant's backdrops have as many bytes together as they may have.

    Delete one that is not needed any more. One whose picture has not come yet counts as the largest that may
    come; `OPAL_WEB_BACKDROP_BYTES_PER_TENANT` is the number.
    """

    code = "backdrops_too_large"
    title = "Backdrops are too large together"


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What an uploaded backdrop was found to be; width and height upright, ``etag`` that of its blob."""

    format: str
    bytes: int
    width: int
    height: int
    sha256: str
    etag: str


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A backdrop; ``picture`` is None until it has been uploaded and checked."""

    id: str
    tenant_id: str
    name: str
    raw_path: str
    picture: PictureFacts | None
    created_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReadyBackdrop:
    """What somebody who uses a backdrop has to know."""

    raw_path: str
    etag: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Room:
    """How many backdrops a tenant may have, and of how many bytes together; ``largest`` of one picture."""

    backdrops: int
    bytes: int
    largest: int


async def create_backdrop(connection: AsyncConnection, tenant_id: str, name: str, room: Room) -> Backdrop:
    """A new backdrop that waits for its picture. Raises ``TooManyBackdrops`` and ``BackdropsTooLarge``."""
    await require_room(connection, backdrops, tenant_id, room.backdrops, TooManyBackdrops)
    await _require_bytes(connection, tenant_id, room)
    backdrop_id = new_id("backdrop")
    path = backdrop_path(tenant_id, backdrop_id)
    created = Backdrop(backdrop_id, tenant_id, name, path, None, utc_now(), None)
    await connection.execute(
        insert(backdrops).values(
            id=created.id,
            tenant_id=tenant_id,
            name=name,
            raw_path=path,
            created_at=created.created_at,
        )
    )
    return created


async def _require_bytes(connection: AsyncConnection, tenant_id: str, room: Room) -> None:
    """With nobody else creating one, see `require_room`."""
    size = func.sum(func.coalesce(backdrops.c.bytes, room.largest))
    used = await connection.scalar(select(size).where(backdrops.c.tenant_id == tenant_id))
    if int(used or 0) + room.largest > room.bytes:
        raise BackdropsTooLarge


async def tenant_backdrop(connection: AsyncConnection, tenant_id: str, backdrop_id: str) -> Backdrop:
    """The tenant's backdrop. Raises ``UnknownBackdrop`` for ids that are unknown, foreign or none at all."""
    return _backdrop(await _one(connection, _of(tenant_id, backdrop_id)))


async def ready_backdrop(
    connection: AsyncConnection, tenant_id: str, backdrop_id: str, *, keep: bool = False
) -> ReadyBackdrop:
    """The tenant's backdrop for use; with ``keep`` nobody can delete it before the transaction ends.

    Raises ``UnknownBackdrop`` and ``BackdropNotReady``.
    """
    query = _of(tenant_id, backdrop_id)
    # A shared lock: jobs may be created side by side. SQLite needs none, a transaction there is alone.
    found = _backdrop(await _one(connection, query.with_for_update(read=True) if keep else query))
    if found.picture is None:
        raise BackdropNotReady
    picture = found.picture
    return ReadyBackdrop(found.raw_path, picture.etag, picture.width, picture.height)


async def list_backdrops(
    connection: AsyncConnection, tenant_id: str, limit: int, before: tuple[datetime, str] | None = None
) -> Sequence[Backdrop]:
    """The tenant's newest ``limit`` backdrops, or those older than ``before``, see ``pages.py``."""
    query = select(backdrops).where(backdrops.c.tenant_id == tenant_id)
    page = newest_first(query, backdrops, limit, before)
    return [_backdrop(row) for row in await connection.execute(page)]


async def complete_backdrop(
    connection: AsyncConnection, tenant_id: str, backdrop_id: str, picture: PictureFacts
) -> Backdrop:
    """Note what the picture is; the first one who does so counts. Raises ``UnknownBackdrop``."""
    await connection.execute(
        update(backdrops)
        .where(backdrops.c.id == backdrop_id, backdrops.c.completed_at.is_(None))
        .values(
            format=picture.format,
            bytes=picture.bytes,
            width=picture.width,
            height=picture.height,
            sha256=picture.sha256,
            etag=picture.etag,
            completed_at=utc_now(),
        )
    )
    return await tenant_backdrop(connection, tenant_id, backdrop_id)


async def delete_backdrop(connection: AsyncConnection, tenant_id: str, backdrop_id: str) -> Backdrop:
    """Forget the backdrop; its blob is the caller's to delete after the commit.

    Raises ``UnknownBackdrop``, and ``BackdropInUse`` while an item that may still be worked on needs it.
    """
    found = _backdrop(await _one(connection, _of(tenant_id, backdrop_id).with_for_update()))
    used = await connection.scalar(select(exists().where(_needs(tenant_id, backdrop_id))))
    if used:
        raise BackdropInUse
    await connection.execute(delete(backdrops).where(backdrops.c.id == backdrop_id))
    return found


def _needs(tenant_id: str, backdrop_id: str) -> ColumnElement[bool]:
    """Items that have not ended, whose job's scene, or whose revision's, names the backdrop."""
    revised = (
        exists()
        .where(revisions.c.item_id == items.c.id, revisions.c.state == RevisionState.PENDING)
        .where(revisions.c.scene["picture"].as_string() == backdrop_id)
    )
    return and_(
        jobs.c.tenant_id == tenant_id,
        or_(jobs.c.scene["picture"].as_string() == backdrop_id, revised),
        items.c.job_id == jobs.c.id,
        items.c.state.not_in(TERMINAL),
    )


def _of(tenant_id: str, backdrop_id: str) -> Select[Any]:
    # Also keeps what a database's text type cannot hold away from it.
    if not re.fullmatch(ID, backdrop_id):
        raise UnknownBackdrop
    return select(backdrops).where(backdrops.c.id == backdrop_id, backdrops.c.tenant_id == tenant_id)


async def _one(connection: AsyncConnection, query: Select[Any]) -> Row[Any]:
    row: Row[Any] | None = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UnknownBackdrop
    return row


def _backdrop(row: Row[Any]) -> Backdrop:
    picture = None
    if row.completed_at is not None:
        picture = PictureFacts(row.format, row.bytes, row.width, row.height, row.sha256, row.etag)
    return Backdrop(row.id, row.tenant_id, row.name, row.raw_path, picture, row.created_at, row.completed_at)
