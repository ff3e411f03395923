"""Deliveries: each event's way to each endpoint. ``webhook_sender`` claims and settles, web-api lists them.

A claim is a time until which the delivery is one sender's. That time is its fencing token too: a sender that
comes back after its claim ended, and was taken over, changes nothing.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, Select, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import webhook_deliveries as deliveries
from opal.database.tables import webhook_events as events
from opal.database.tables import webhooks
from opal.errors import UnknownDelivery, WebhookDisabled
from opal.messages.webhook_event import EventType

ID = "delivery_[0-9a-f]{24}"
"""What a delivery's id looks like, as a regular expression."""
LONGEST_REASON = 200

DeliveryState = Literal["waiting", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one event has been getting on with one endpoint. ``attempts`` counts since the last replay."""

    id: str
    webhook_id: str
    event_id: str
    type: EventType
    job_id: str
    item_id: str | None
    state: DeliveryState
    attempts: int
    next_at: datetime
    last_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed delivery with all that sending it needs; ``secrets`` sign it, the newest first."""

    id: str
    webhook_id: str
    event_id: str
    body: str
    url: str
    secrets: tuple[str, ...]
    attempts: int
    claimed_until: datetime

    def __repr__(self) -> str:
        return (
            f"Due({self.id!r}, {self.webhook_id!r}, {self.event_id!r})"  # no secret, wherever it is printed
        )


@dataclass(frozen=True, slots=True)
class Failed:
    """A try that did not succeed; ``next_at`` None: it was the last one.

    ``not_before`` is what the endpoint asked for; ``gone``: it does not want to be called any more.
    """

    status: int | None
    reason: str
    next_at: datetime | None
    not_before: datetime | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """When an endpoint is disabled, and how long it is left alone after so many failures in a row."""

    max_failures: int
    disable_after: timedelta
    pause: Callable[[int], timedelta]


async def due_webhooks(
    connection: AsyncConnection, now: datetime, limit: int, without: Collection[str] = ()
) -> list[tuple[str, int]]:
    """Endpoints that have something due, in no order that favours any, with their failures in a row."""
    query = (
        select(webhooks.c.id, webhooks.c.failures)
        .where(_callable(now), webhooks.c.id.not_in(without))
        .where(exists().where(deliveries.c.webhook_id == webhooks.c.id, _claimable(now)))
        .order_by(func.random())
        .limit(limit)
    )
    return [(row.id, row.failures) for row in await connection.execute(query)]


async def claim(
    connection: AsyncConnection, webhook_id: str, limit: int, *, now: datetime, claim_s: float
) -> list[Due]:
    """Take the endpoint's ``limit`` longest due deliveries that nobody has, for ``claim_s`` seconds.

    None while it is disabled or left alone.
    """
    until = now + timedelta(seconds=claim_s)
    free = (
        select(deliveries.c.id)
        .where(deliveries.c.webhook_id == webhook_id, _claimable(now))
        .where(exists().where(webhooks.c.id == webhook_id, _callable(now)))
        .order_by(deliveries.c.next_at, deliveries.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list((await connection.execute(free)).scalars())
    if not ids:
        return []
    await connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(claimed_until=until))
    query = (
        select(
            deliveries.c.id,
            deliveries.c.webhook_id,
            deliveries.c.event_id,
            deliveries.c.attempts,
            deliveries.c.claimed_until,
            events.c.body,
            *(webhooks.c[name] for name in ("url", "secret", "old_secret", "old_secret_until")),
        )
        .join(events, events.c.id == deliveries.c.event_id)
        .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
        .where(deliveries.c.id.in_(ids))
        .order_by(deliveries.c.next_at, deliveries.c.id)
    )
    return [_due(row, now) for row in await connection.execute(query)]


async def record_success(connection: AsyncConnection, due: Due, status: int) -> bool:
    """Note that the delivery arrived; False when it is another sender's by now."""
    # The endpoint first, as whoever deletes it does. Only where there is something to forget: a
    # healthy endpoint's row is left alone by all its deliveries.
    await connection.execute(
        update(webhooks)
        .where(webhooks.c.id == due.webhook_id, webhooks.c.failures > 0)
        .values(failures=0, failing_since=None, not_before=None)
    )
    settled = await connection.execute(
        update(deliveries)
        .where(_still(due))
        .values(
            state="delivered",
            attempts=due.attempts + 1,
            claimed_until=None,
            last_at=utc_now(),
            last_status=status,
            last_error=None,
        )
    )
    return settled.rowcount == 1


async def record_failure(
    connection: AsyncConnection, due: Due, failed: Failed, policy: FailurePolicy
) -> str | None:
    """Note a failed try, and count it for the endpoint; returns why that is disabled now, or None."""
    # The endpoint first, as whoever deletes it does.
    locked = select(webhooks.c.state, webhooks.c.failures, webhooks.c.failing_since)
    query = locked.where(webhooks.c.id == due.webhook_id).with_for_update(key_share=True)
    webhook = (await connection.execute(query)).one_or_none()
    if webhook is None:
        return None
    now = utc_now()
    settled = await connection.execute(
        update(deliveries)
        .where(_still(due))
        .values(
            state="waiting" if failed.next_at is not None else "failed",
            attempts=due.attempts + 1,
            next_at=failed.next_at or now,
            claimed_until=None,
            last_at=now,
            last_status=failed.status,
            last_error=failed.reason[:LONGEST_REASON],
        )
    )
    if settled.rowcount != 1 or webhook.state != "active":
        return None
    failures = webhook.failures + 1
    since = webhook.failing_since or now
    disabled = None
    if failed.gone:
        disabled = "It answered 410 Gone."
    elif failures >= policy.max_failures and now - since >= policy.disable_after:
        disabled = f"{failures} tries in a row failed, the last one: {failed.reason}"[:LONGEST_REASON]
    await connection.execute(
        update(webhooks)
        .where(webhooks.c.id == due.webhook_id)
        .values(
            failures=failures,
            failing_since=since,
            not_before=max(now + policy.pause(failures), failed.not_before or now),
            state="disabled" if disabled else "active",
            disabled_reason=disabled,
        )
    )
    return disabled


async def list_deliveries(
    connection: AsyncConnection,
    webhook_id: str,
    limit: int,
    before: tuple[datetime, str] | None = None,
    state: DeliveryState | None = None,
) -> list[Delivery]:
    """The endpoint's newest ``limit`` deliveries, or those older than ``before``: a time and an id."""
    query = _rows().where(deliveries.c.webhook_id == webhook_id)
    if state is not None:
        query = query.where(deliveries.c.state == state)
    if before is not None:
        created_at, delivery_id = before
        same_time = and_(deliveries.c.created_at == created_at, deliveries.c.id < delivery_id)
        query = query.where(or_(deliveries.c.created_at < created_at, same_time))
    query = query.order_by(deliveries.c.created_at.desc(), deliveries.c.id.desc()).limit(limit)
    return [_delivery(row) for row in await connection.execute(query)]


async def replay(connection: AsyncConnection, webhook_id: str, delivery_id: str) -> Delivery:
    """Send the delivery again, now, its whole schedule before it; one that waits is only brought forward.

    The caller has made sure whose endpoint it is. Raises ``UnknownDelivery`` and ``WebhookDisabled``.
    """
    # Also keeps what a database's text type cannot hold away from it.
    if not re.fullmatch(ID, delivery_id):
        raise UnknownDelivery
    query = select(webhooks.c.state).where(webhooks.c.id == webhook_id).with_for_update(key_share=True)
    state = (await connection.execute(query)).scalar_one_or_none()
    mine = and_(deliveries.c.id == delivery_id, deliveries.c.webhook_id == webhook_id)
    if (await connection.execute(select(deliveries.c.id).where(mine))).one_or_none() is None:
        raise UnknownDelivery
    if state != "active":
        raise WebhookDisabled
    await connection.execute(
        update(deliveries).where(mine, deliveries.c.state != "waiting").values(state="waiting", attempts=0)
    )
    await connection.execute(update(deliveries).where(mine).values(next_at=utc_now()))
    # Whoever asks for it believes that the endpoint is well again.
    await connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(not_before=None))
    return _delivery((await connection.execute(_rows().where(mine))).one())


async def forget_before(connection: AsyncConnection, before: datetime) -> int:
    """Forget what happened earlier, delivered or not; returns how many deliveries went."""
    gone = await connection.execute(delete(deliveries).where(deliveries.c.created_at < before))
    unused = ~exists().where(deliveries.c.event_id == events.c.id)
    await connection.execute(delete(events).where(events.c.created_at < before, unused))
    return gone.rowcount


def _callable(now: datetime) -> Any:
    """Whether the endpoint is on, and not being left alone after a failure."""
    return and_(
        webhooks.c.state == "active", or_(webhooks.c.not_before.is_(None), webhooks.c.not_before <= now)
    )


def _claimable(now: datetime) -> Any:
    return and_(
        deliveries.c.state == "waiting",
        deliveries.c.next_at <= now,
        or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until <= now),
    )


def _still(due: Due) -> Any:
    return and_(deliveries.c.id == due.id, deliveries.c.claimed_until == due.claimed_until)


def _rows() -> Select[Any]:
    of_event = {"type", "job_id", "item_id"}
    columns = [(events if name in of_event else deliveries).c[name] for name in Delivery.__dataclass_fields__]
    return select(*columns).join(events, events.c.id == deliveries.c.event_id)


def _delivery(row: Row[Any]) -> Delivery:
    values = row._asdict()
    return Delivery(**{**values, "type": EventType(values["type"])})


def _due(row: Row[Any], now: datetime) -> Due:
    secrets = [row.secret]
    if row.old_secret is not None and row.old_secret_until > now:
        secrets.append(row.old_secret)
    return Due(
        id=row.id,
        webhook_id=row.webhook_id,
        event_id=row.event_id,
        body=row.body,
        url=row.url,
        secrets=tuple(secrets),
        attempts=row.attempts,
        claimed_until=row.claimed_until,
    )
