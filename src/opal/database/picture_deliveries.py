"""Deliveries of pictures: ``delivery_sender`` claims and settles, web-api lists them.

A claim is a time until which the delivery is one sender's, and its fencing token, as with webhooks
(``deliveries.py``). A newer picture of the same path waits until no older one is on its way any more.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, Select, and_, case, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.delivery_plan import make_due
from opal.database.engine import utc_now
from opal.database.pages import newest_first
from opal.database.receivers import (
    LONGEST_REASON,
    FailurePolicy,
    count_failure,
    forget_failures,
    is_claimable,
    is_open,
    is_still,
    lock_receiver,
    stop_resting,
)
from opal.database.tables import delivery_targets as targets
from opal.database.tables import items, variants
from opal.database.tables import picture_deliveries as deliveries
from opal.database.variants import VariantRow
from opal.errors import DeliveryTargetDisabled, UnknownDelivery

ID = "delivery_[0-9a-f]{24}"
"""What a delivery's id looks like, as a regular expression."""

PictureDeliveryState = Literal["waiting", "delivered", "failed", "superseded"]
DeliveryContent = Literal["picture", "report"]


@dataclass(frozen=True, slots=True)
class PictureDelivery:
    """How one file has been getting on with one target. ``attempts`` counts since it was last made due."""

    id: str
    target_id: str
    job_id: str
    item_id: str
    preset: str
    content: DeliveryContent
    path: str
    state: PictureDeliveryState
    attempts: int
    next_at: datetime
    last_at: datetime | None
    last_error: str | None
    etag: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DuePicture:
    """A claimed delivery with what is delivered; ``filename`` and ``sku`` are the item's."""

    id: str
    target_id: str
    job_id: str
    item_id: str
    content: DeliveryContent
    revision: int
    path: str
    attempts: int
    claimed_until: datetime
    traceparent: str | None
    correlation_id: str
    filename: str
    sku: str | None
    picture: VariantRow


@dataclass(frozen=True, slots=True)
class DueTarget:
    """A target that has something due, with all that opening it needs."""

    id: str
    tenant_id: str
    place: dict[str, Any]
    sealed: str | None
    failures: int

    def __repr__(self) -> str:
        return f"DueTarget({self.id!r}, {self.tenant_id!r})"  # nothing secret, sealed or not


@dataclass(frozen=True, slots=True)
class PictureFailed:
    """A try that did not succeed; ``next_at`` None: it was the last. ``ours``: the target is not to blame."""

    reason: str
    next_at: datetime | None
    ours: bool = False


async def due_targets(
    connection: AsyncConnection, now: datetime, limit: int, without: Collection[str] = ()
) -> list[DueTarget]:
    """Targets that have something due, in no order that favours any."""
    columns = [targets.c[name] for name in DueTarget.__dataclass_fields__]
    query = (
        select(*columns)
        .where(is_open(targets, now), targets.c.id.not_in(without))
        .where(exists().where(deliveries.c.target_id == targets.c.id, is_claimable(deliveries, now)))
        .order_by(func.random())
        .limit(limit)
    )
    return [DueTarget(*row) for row in await connection.execute(query)]


async def claim_pictures(
    connection: AsyncConnection, target_id: str, limit: int, *, now: datetime, claim_s: float
) -> list[DuePicture]:
    """Take the target's ``limit`` longest due deliveries that nobody has, for ``claim_s`` seconds.

    None while it is disabled or left alone.
    """
    until = now + timedelta(seconds=claim_s)
    others = deliveries.alias()
    on_its_way = exists().where(
        others.c.target_id == deliveries.c.target_id,
        others.c.path_key == deliveries.c.path_key,
        others.c.id != deliveries.c.id,
        others.c.claimed_until > now,
    )
    free = (
        select(deliveries.c.id)
        .where(deliveries.c.target_id == target_id, is_claimable(deliveries, now), ~on_its_way)
        .where(exists().where(targets.c.id == target_id, is_open(targets, now)))
        .order_by(deliveries.c.next_at, deliveries.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=deliveries)
    )
    ids = list((await connection.execute(free)).scalars())
    if not ids:
        return []
    await connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(claimed_until=until))
    own = [deliveries.c[name] for name in DuePicture.__dataclass_fields__ if name in deliveries.c]
    of_picture = [variants.c[name].label(f"picture_{name}") for name in VariantRow.__dataclass_fields__]
    same = and_(variants.c.item_id == deliveries.c.item_id, variants.c.preset == deliveries.c.preset)
    query = (
        select(*own, items.c.correlation_id, items.c.filename, items.c.sku, *of_picture)
        .join(variants, same)
        .join(items, items.c.id == deliveries.c.item_id)
        .where(deliveries.c.id.in_(ids))
        .order_by(deliveries.c.next_at, deliveries.c.id)
    )
    return [_due(row) for row in await connection.execute(query)]


async def record_arrival(connection: AsyncConnection, due: DuePicture, etag: str) -> bool:
    """Note that the file lies there; False when the delivery is another sender's by now."""
    await forget_failures(connection, targets, due.target_id)
    return await _settle(connection, due, "delivered", last_error=None, etag=etag[:LONGEST_REASON])


async def record_failed_try(
    connection: AsyncConnection, due: DuePicture, failed: PictureFailed, policy: FailurePolicy
) -> str | None:
    """Note a failed try, and count it for the target; returns why that is disabled now, or None."""
    target = await lock_receiver(connection, targets, due.target_id)
    if target is None:
        return None
    state = "waiting" if failed.next_at is not None else "failed"
    reason = failed.reason[:LONGEST_REASON]
    mine = await _settle(connection, due, state, last_error=reason, next_at=failed.next_at or utc_now())
    if not mine or failed.ours:
        return None
    return await count_failure(connection, targets, target, failed.reason, policy)


async def list_picture_deliveries(
    connection: AsyncConnection,
    limit: int,
    before: tuple[datetime, str] | None = None,
    *,
    target_id: str | None = None,
    job_id: str | None = None,
    state: PictureDeliveryState | None = None,
) -> list[PictureDelivery]:
    """Up to ``limit``, newest first, of a target or a job; ``before``: time and id of the last seen.

    The caller has made sure whose target and job they are.
    """
    query = _rows()
    for column, value in (("target_id", target_id), ("job_id", job_id), ("state", state)):
        if value is not None:
            query = query.where(deliveries.c[column] == value)
    page = newest_first(query, deliveries, limit, before)
    return [PictureDelivery(**row._asdict()) for row in await connection.execute(page)]


async def retry_picture(connection: AsyncConnection, target_id: str, delivery_id: str) -> PictureDelivery:
    """Deliver again, now, whatever its state. The caller has made sure whose target it is.

    Raises ``UnknownDelivery`` and ``DeliveryTargetDisabled``.
    """
    # Also keeps what a database's text type cannot hold away from it.
    if not re.fullmatch(ID, delivery_id):
        raise UnknownDelivery
    target = await lock_receiver(connection, targets, target_id)
    mine = and_(deliveries.c.id == delivery_id, deliveries.c.target_id == target_id)
    path_key = (await connection.execute(select(deliveries.c.path_key).where(mine))).scalar_one_or_none()
    if path_key is None:
        raise UnknownDelivery
    if target is None or target.state != "active":
        raise DeliveryTargetDisabled
    await make_due(connection, target_id, delivery_id, path_key)
    await stop_resting(connection, targets, target_id)
    return PictureDelivery(**(await connection.execute(_rows().where(mine))).one()._asdict())


async def _settle(connection: AsyncConnection, due: DuePicture, state: str, **values: Any) -> bool:
    """End the claim; what was superseded meanwhile stays so. False when the claim is another's by now.

    What is to be a later revision by now stays due, whatever became of the earlier one.
    """
    mine = is_still(deliveries, due)
    later = update(deliveries).where(mine, deliveries.c.revision != due.revision)
    if (await connection.execute(later.values(claimed_until=None, last_at=utc_now()))).rowcount == 1:
        return False
    settled = await connection.execute(
        update(deliveries)
        .where(mine)
        .values(
            state=case((deliveries.c.state == "waiting", state), else_=deliveries.c.state),
            attempts=due.attempts + 1,
            claimed_until=None,
            last_at=utc_now(),
            **values,
        )
    )
    return settled.rowcount == 1


def _rows() -> Select[Any]:
    return select(*[deliveries.c[name] for name in PictureDelivery.__dataclass_fields__])


def _due(row: Row[*tuple[Any, ...]]) -> DuePicture:
    values = row._asdict()
    picture = VariantRow(**{name: values.pop(f"picture_{name}") for name in VariantRow.__dataclass_fields__})
    return DuePicture(**values, picture=picture)
