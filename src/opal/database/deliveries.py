"""Deliveries: each event's way to each endpoint. ``webhook_sender`` claims and settles, web-api lists them.

A claim is a time until which the delivery is one sender's. That time is its fencing token too: a sender that
comes back after its claim ended, and was taken over, changes nothing.
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

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
from opal.database.tables import webhook_deliveries as deliveries
from opal.database.tables import webhook_events as events
from opal.database.tables import webhooks
from opal.database.webhook_secrets import COLUMNS, KeptSecrets, kept
from opal.errors import UnknownDelivery, WebhookDisabled
from opal.messages.webhook_event import EventType

ID = "delivery_[0-9a-f]{24}"
"""What a delivery's id looks like, as a regular expression."""

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
    test: bool
    state: DeliveryState
    attempts: int
    next_at: datetime
    last_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed delivery with all that sending it needs. A ``test`` is tried once and counts for nothing."""

    id: str
    webhook_id: str
    event_id: str
    body: str
    test: bool
    url: str
    secrets: KeptSecrets
    attempts: int
    claimed_until: datetime
    traceparent: str | None = None
    """The span that wrote the event."""

    @property
    def correlation_id(self) -> str:
        """The one that the event tells."""
        return str(json.loads(self.body)["data"]["correlation_id"])

    def __repr__(self) -> str:
        # Neither secret nor URL, wherever it is printed.
        return f"Due({self.id!r}, {self.webhook_id!r}, {self.event_id!r})"


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


async def due_webhooks(
    connection: AsyncConnection, now: datetime, limit: int, without: Collection[str] = ()
) -> list[tuple[str, int]]:
    """Endpoints that have something due, in no order that favours any, with their failures in a row."""
    query = (
        select(webhooks.c.id, webhooks.c.failures)
        .where(is_open(webhooks, now), webhooks.c.id.not_in(without))
        .where(exists().where(deliveries.c.webhook_id == webhooks.c.id, is_claimable(deliveries, now)))
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
        .where(deliveries.c.webhook_id == webhook_id, is_claimable(deliveries, now))
        .where(exists().where(webhooks.c.id == webhook_id, is_open(webhooks, now)))
        .order_by(deliveries.c.next_at, deliveries.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list((await connection.execute(free)).scalars())
    if not ids:
        return []
    await connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(claimed_until=until))
    return await read_due(connection, ids)


async def read_due(connection: AsyncConnection, ids: Collection[str]) -> list[Due]:
    """Deliveries that the caller has claimed in this transaction, the longest due first."""
    query = (
        select(
            deliveries.c.id,
            deliveries.c.webhook_id,
            deliveries.c.event_id,
            deliveries.c.attempts,
            deliveries.c.claimed_until,
            events.c.body,
            events.c.test,
            events.c.traceparent,
            webhooks.c.url,
            *COLUMNS,
        )
        .join(events, events.c.id == deliveries.c.event_id)
        .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
        .where(deliveries.c.id.in_(ids))
        .order_by(deliveries.c.next_at, deliveries.c.id)
    )
    return [_due(row) for row in await connection.execute(query)]


async def record_success(connection: AsyncConnection, due: Due, status: int) -> bool:
    """Note that the delivery arrived; False when it is another sender's by now."""
    await forget_failures(connection, webhooks, due.webhook_id)
    settled = await connection.execute(
        update(deliveries)
        .where(is_still(deliveries, due))
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
    """Note a failed try, and count it for the endpoint; returns why that is disabled now, or None.

    A test has no further try, and is not counted.
    """
    webhook = await lock_receiver(connection, webhooks, due.webhook_id)
    if webhook is None:
        return None
    now = utc_now()
    settled = await connection.execute(
        update(deliveries)
        .where(is_still(deliveries, due))
        .values(
            state="failed" if due.test or failed.next_at is None else "waiting",
            attempts=due.attempts + 1,
            next_at=failed.next_at or now,
            claimed_until=None,
            last_at=now,
            last_status=failed.status,
            last_error=failed.reason[:LONGEST_REASON],
        )
    )
    if settled.rowcount != 1 or due.test:
        return None
    gone = "It answered 410 Gone." if failed.gone else None
    return await count_failure(
        connection, webhooks, webhook, failed.reason, policy, gone=gone, not_before=failed.not_before
    )


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
    page = newest_first(query, deliveries, limit, before)
    return [_delivery(row) for row in await connection.execute(page)]


async def read_delivery(connection: AsyncConnection, webhook_id: str, delivery_id: str) -> Delivery:
    """The delivery. The caller has made sure whose endpoint it is. Raises ``UnknownDelivery``."""
    row = (await connection.execute(_rows().where(_is(webhook_id, delivery_id)))).one_or_none()
    if row is None:
        raise UnknownDelivery
    return _delivery(row)


async def replay(connection: AsyncConnection, webhook_id: str, delivery_id: str) -> Delivery:
    """Send the delivery again, now, its whole schedule before it; one that waits is only brought forward.

    The caller has made sure whose endpoint it is. Raises ``UnknownDelivery`` and ``WebhookDisabled``.
    """
    mine = _is(webhook_id, delivery_id)
    webhook = await lock_receiver(connection, webhooks, webhook_id)
    await read_delivery(connection, webhook_id, delivery_id)
    if webhook is None or webhook.state != "active":
        raise WebhookDisabled
    await connection.execute(
        update(deliveries).where(mine, deliveries.c.state != "waiting").values(state="waiting", attempts=0)
    )
    await connection.execute(update(deliveries).where(mine).values(next_at=utc_now()))
    await stop_resting(connection, webhooks, webhook_id)
    return await read_delivery(connection, webhook_id, delivery_id)


async def forget_before(connection: AsyncConnection, before: datetime) -> int:
    """Forget what happened earlier, delivered or not; returns how many deliveries went."""
    gone = await connection.execute(delete(deliveries).where(deliveries.c.created_at < before))
    unused = ~exists().where(deliveries.c.event_id == events.c.id)
    await connection.execute(delete(events).where(events.c.created_at < before, unused))
    return gone.rowcount


def _is(webhook_id: str, delivery_id: str) -> ColumnElement[bool]:
    # Also keeps what a database's text type cannot hold away from it.
    if not re.fullmatch(ID, delivery_id):
        raise UnknownDelivery
    return and_(deliveries.c.id == delivery_id, deliveries.c.webhook_id == webhook_id)


def _rows() -> Select[Any]:
    of_event = {"type", "job_id", "item_id", "test"}
    columns = [(events if name in of_event else deliveries).c[name] for name in Delivery.__dataclass_fields__]
    return select(*columns).join(events, events.c.id == deliveries.c.event_id)


def _delivery(row: Row[Any]) -> Delivery:
    values = row._asdict()
    return Delivery(**{**values, "type": EventType(values["type"])})


def _due(row: Row[Any]) -> Due:
    return Due(
        id=row.id,
        webhook_id=row.webhook_id,
        event_id=row.event_id,
        body=row.body,
        test=row.test,
        url=row.url,
        secrets=kept(row.webhook_id, row),
        attempts=row.attempts,
        claimed_until=row.claimed_until,
        traceparent=row.traceparent,
    )
