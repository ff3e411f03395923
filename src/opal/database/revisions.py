"""Revisions: the looks that an item's pictures were given after they first came, and how each was made.

The rows only; items move in ``items.py`` and ``rework.py``. One at most is pending, and its item names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import revisions
from opal.items.item import Item


class RevisionState(StrEnum):
    """How far a revision is."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Look:
    """What a revision's pictures are made with, as a whole."""

    scene: str | dict[str, Any]
    placement: dict[str, Any]
    matte_path: str | None = None
    """A matte of the revision's own; None: the item's."""
    edited: bool = False
    """Whether a person edited the matte that it is made with."""
    engine: str | None = None
    """The cut-out engine that is to find the matte anew; None: it is not found anew."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of an item, numbered from 1."""

    item_id: str
    number: int
    state: RevisionState
    scene: str | dict[str, Any]
    placement: dict[str, Any]
    matte_path: str | None
    edited: bool
    engine: str | None
    meta: dict[str, Any] | None
    """What was found when it was cut out anew."""
    review: bool | None
    error_code: str | None
    error_message: str | None
    created_at: datetime


_COLUMNS = [revisions.c[name] for name in Revision.__dataclass_fields__]


async def add_revision(connection: AsyncConnection, item: Item, number: int, look: Look) -> Revision:
    """Store revision ``number`` of the item as pending; nobody else may be adding one (lock the item)."""
    now = utc_now()
    made = Revision(
        item_id=item.id,
        number=number,
        state=RevisionState.PENDING,
        scene=look.scene,
        placement=look.placement,
        matte_path=look.matte_path,
        edited=look.edited,
        engine=look.engine,
        meta=None,
        review=None,
        error_code=None,
        error_message=None,
        created_at=now,
    )
    values = {name: getattr(made, name) for name in Revision.__dataclass_fields__}
    await connection.execute(insert(revisions).values(**values, job_id=item.job_id, tenant_id=item.tenant_id))
    return made


async def highest_number(connection: AsyncConnection, item_id: str) -> int:
    """The number of the item's last revision; 0 when it has none."""
    query = select(func.coalesce(func.max(revisions.c.number), 0)).where(revisions.c.item_id == item_id)
    return int((await connection.execute(query)).scalar_one())


async def get_revision(connection: AsyncConnection, item_id: str, number: int) -> Revision | None:
    """That revision of the item, or None."""
    query = select(*_COLUMNS).where(revisions.c.item_id == item_id, revisions.c.number == number)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _revision(row)


async def list_revisions(connection: AsyncConnection, item_id: str) -> list[Revision]:
    """The item's revisions in their order."""
    query = select(*_COLUMNS).where(revisions.c.item_id == item_id).order_by(revisions.c.number)
    return [_revision(row) for row in await connection.execute(query)]


async def cut_out_anew(
    connection: AsyncConnection,
    item_id: str,
    number: int,
    *,
    matte_path: str,
    meta: Mapping[str, Any],
    review: bool,
) -> None:
    """Note what a pending revision's engine found. Move the item first: that is the fence."""
    mine = (revisions.c.item_id == item_id) & (revisions.c.number == number)
    values = {"matte_path": matte_path, "meta": dict(meta), "review": review}
    pending = revisions.c.state == RevisionState.PENDING
    await connection.execute(update(revisions).where(mine, pending).values(**values))


async def end_revision(
    connection: AsyncConnection,
    item_id: str,
    number: int,
    state: RevisionState,
    *,
    code: str | None = None,
    message: str | None = None,
) -> None:
    """Note how the revision ended. Move the item first: that is the fence."""
    mine = (revisions.c.item_id == item_id) & (revisions.c.number == number)
    values = {"state": state, "error_code": code, "error_message": message, "ended_at": utc_now()}
    pending = revisions.c.state == RevisionState.PENDING
    await connection.execute(update(revisions).where(mine, pending).values(**values))


def _revision(row: Row[Any]) -> Revision:
    values = row._asdict()
    return Revision(**{**values, "state": RevisionState(values["state"])})
