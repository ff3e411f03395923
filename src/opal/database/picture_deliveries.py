"""Deliveries of pictures: ``delivery_sender`` claims and settles, web-api lists them.

A claim is a time until which the delivery is one sender's, and its fencing token, as with webhooks
(``deliveries.py``). A newer picture of the same path waits until no older one is on its way any more.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, Select, and_, case, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.delivery_plan import make_due
from opal.database.engine import utc_now
from opal.database.tables import delivery_targets as targets
from opal.database.tables import items, variants
from opal.database.tables import picture_deliveries as deliveries
from opal.database.variants import VariantRow
from opal.errors import DeliveryTargetDisabled, UnknownDelivery

ID = "delivery_[0-9a-f]{24}"
"""What a delivery's id looks like, as a regular expression."""
LONGEST_REASON = 200

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
    """A claimed delivery with what is delivered; ``filename`` and ``sku`` are the item's, for the report."""

    id: str
    target_id: str
    job_id: str
    item_id: str
    content: DeliveryContent
    path: str
    attempts: int
    claimed_until: datetime
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


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """When a target is disabled, and how long it is left alone after so many failures in a row."""

    max_failures: int
    disable_after: timedelta
    pause: Callable[[int], timedelta]


async def due_targets(
    connection: AsyncConnection, now: datetime, limit: int, without: Collection[str] = ()
) -> list[DueTarget]:
    """Targets that have something due, in no order that favours any."""
    columns = [targets.c[name] for name in DueTarget.__dataclass_fields__]
    query = (
        select(*columns)
        .where(_open(now), targets.c.id.not_in(without))
        .where(exists().where(deliveries.c.target_id == targets.c.id, _claimable(now)))
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
        .where(deliveries.c.target_id == target_id, _claimable(now), ~on_its_way)
        .where(exists().where(targets.c.id == target_id, _open(now)))
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
        select(*own, items.c.filename, items.c.sku, *of_picture)
        .join(variants, same)
        .join(items, items.c.id == deliveries.c.item_id)
        .where(deliveries.c.id.in_(ids))
        .order_by(deliveries.c.next_at, deliveries.c.id)
    )
    return [_due(row) for row in await connection.execute(query)]


async def record_arrival(connection: AsyncConnection, due: DuePicture, etag: str) -> bool:
    """Note that the file lies there; False when the delivery is another sender's by now."""
    # The target first, as whoever deletes it does, and only where there is something to forget.
    await connection.execute(
        update(targets)
        .where(targets.c.id == due.target_id, targets.c.failures > 0)
        .values(failures=0, failing_since=None, not_before=None)
    )
    return await _settle(connection, due, "delivered", last_error=None, etag=etag[:LONGEST_REASON])


async def record_failed_try(
    connection: AsyncConnection, due: DuePicture, failed: PictureFailed, policy: TargetPolicy
) -> str | None:
    """Note a failed try, and count it for the target; returns why that is disabled now, or None."""
    locked = select(targets.c.state, targets.c.failures, targets.c.failing_since)
    query = locked.where(targets.c.id == due.target_id).with_for_update(key_share=True)
    target = (await connection.execute(query)).one_or_none()
    if target is None:
        return None
    now = utc_now()
    state = "waiting" if failed.next_at is not None else "failed"
    reason = failed.reason[:LONGEST_REASON]
    mine = await _settle(connection, due, state, last_error=reason, next_at=failed.next_at or now)
    if not mine or failed.ours or target.state != "active":
        return None
    failures = target.failures + 1
    since = target.failing_since or now
    disabled = None
    if failures >= policy.max_failures and now - since >= policy.disable_after:
        disabled = f"{failures} tries in a row failed, the last one: {failed.reason}"[:LONGEST_REASON]
    await connection.execute(
        update(targets)
        .where(targets.c.id == due.target_id)
        .values(
            failures=failures,
            failing_since=since,
            not_before=now + policy.pause(failures),
            state="disabled" if disabled else "active",
            disabled_reason=disabled,
        )
    )
    return disabled


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
    if before is not None:
        created_at, delivery_id = before
        same_time = and_(deliveries.c.created_at == created_at, deliveries.c.id < delivery_id)
        query = query.where(or_(deliveries.c.created_at < created_at, same_time))
    query = query.order_by(deliveries.c.created_at.desc(), deliveries.c.id.desc()).limit(limit)
    return [PictureDelivery(**row._asdict()) for row in await connection.execute(query)]


async def retry_picture(connection: AsyncConnection, target_id: str, delivery_id: str) -> PictureDelivery:
    """Deliver again, now, whatever its state. The caller has made sure whose target it is.

    Raises ``UnknownDelivery`` and ``DeliveryTargetDisabled``.
    """
    # Also keeps what a database's text type cannot hold away from it.
    if not re.fullmatch(ID, delivery_id):
        raise UnknownDelivery
    query = select(targets.c.state).where(targets.c.id == target_id).with_for_update(key_share=True)
    state = (await connection.execute(query)).scalar_one_or_none()
    mine = and_(deliveries.c.id == delivery_id, deliveries.c.target_id == target_id)
    path_key = (await connection.execute(select(deliveries.c.path_key).where(mine))).scalar_one_or_none()
    if path_key is None:
        raise UnknownDelivery
    if state != "active":
        raise DeliveryTargetDisabled
    await make_due(connection, target_id, delivery_id, path_key)
    # Whoever asks for it believes that the target is well again.
    await connection.execute(update(targets).where(targets.c.id == target_id).values(not_before=None))
    return PictureDelivery(**(await connection.execute(_rows().where(mine))).one()._asdict())


async def _settle(connection: AsyncConnection, due: DuePicture, state: str, **values: Any) -> bool:
    """End the claim; what was superseded meanwhile stays so. False when the claim is another's by now."""
    still = and_(deliveries.c.id == due.id, deliveries.c.claimed_until == due.claimed_until)
    settled = await connection.execute(
        update(deliveries)
        .where(still)
        .values(
            state=case((deliveries.c.state == "waiting", state), else_=deliveries.c.state),
            attempts=due.attempts + 1,
            claimed_until=None,
            last_at=utc_now(),
            **values,
        )
    )
    return settled.rowcount == 1


def _open(now: datetime) -> Any:
    """Whether the target is on, and not being left alone after a failure."""
    return and_(targets.c.state == "active", or_(targets.c.not_before.is_(None), targets.c.not_before <= now))


def _claimable(now: datetime) -> Any:
    return and_(
        deliveries.c.state == "waiting",
        deliveries.c.next_at <= now,
        or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until <= now),
    )


def _rows() -> Select[Any]:
    return select(*[deliveries.c[name] for name in PictureDelivery.__dataclass_fields__])


def _due(row: Row[*tuple[Any, ...]]) -> DuePicture:
    values = row._asdict()
    picture = VariantRow(**{name: values.pop(f"picture_{name}") for name in VariantRow.__dataclass_fields__})
    return DuePicture(**values, picture=picture)
