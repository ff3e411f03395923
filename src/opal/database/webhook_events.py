"""Writes what webhooks tell, in the transaction of the move that they tell of: both are kept, or neither.

Called by ``items.py`` and ``jobs.py``; for tests, which tell of nothing, by the sender. Where no endpoint
wants to know it costs one query and writes nothing. A job's row is locked last, after items and account, so
that no two transactions wait in a circle.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.deliveries import Due, read_due
from opal.database.engine import utc_now
from opal.database.tables import items, jobs, webhook_deliveries, webhook_events, webhooks
from opal.database.webhooks import tenant_webhook
from opal.items.item import Item, new_id
from opal.items.states import TERMINAL, ItemState, job_status
from opal.messages.webhook_event import (
    ITEM_EVENTS,
    LONGEST_MESSAGE,
    EventType,
    Failure,
    ItemNews,
    JobNews,
    PublicPicture,
    WebhookEvent,
    event_id,
    item_subject,
    job_subject,
)
from opal.telemetry.tracing import traceparent


async def announce_item(
    connection: AsyncConnection, item: Item, public_pictures: Sequence[PublicPicture] = ()
) -> None:
    """Tell of the state that ``item`` has just reached, if it is one that is told of."""
    kind = ITEM_EVENTS.get(item.state)
    if kind is None:
        return
    listening = await _listening(connection, item.tenant_id, kind)
    if not listening:
        return
    error = None
    if item.error_code is not None:
        error = Failure(code=item.error_code, message=(item.error_message or "")[:LONGEST_MESSAGE])
    news = ItemNews(
        job_id=item.job_id,
        item_id=item.id,
        filename=item.filename,
        sku=item.sku,
        state=item.state,
        review=item.review,
        error=error,
        public_pictures=list(public_pictures) or None,
        revision=item.revision,
        correlation_id=item.correlation_id,
    )
    event = WebhookEvent(type=kind, timestamp=utc_now(), data=news)
    subject = item_subject(item.id, item.round, item.revision)
    await _store(connection, item.tenant_id, event, subject, listening)


async def announce_job_end(connection: AsyncConnection, tenant_id: str, job_id: str) -> None:
    """Tell that the job is finished, if the caller's move was the last there was to make.

    The job's row is locked first. Of two transactions that end the last two items side by side neither sees
    the other's move; so the second one waits here for the first one's commit, and then sees both.
    """
    listening = await _listening(connection, tenant_id, EventType.JOB_FINISHED)
    if not listening:
        return
    locked = select(jobs.c.name, jobs.c.correlation_id).where(jobs.c.id == job_id)
    job = (await connection.execute(locked.with_for_update(key_share=True))).one()
    columns = (items.c.state, items.c.review, func.count(), func.sum(items.c.round))
    query = select(*columns).where(items.c.job_id == job_id).group_by(items.c.state, items.c.review)
    counts: Counter[ItemState] = Counter()
    review = rounds = 0
    for state, marked, count, sent_again in await connection.execute(query):
        counts[ItemState(state)] += count
        review += count if marked else 0
        rounds += int(sent_again)
    if not TERMINAL.issuperset(counts):
        return
    news = JobNews(
        job_id=job_id,
        name=job.name,
        status=job_status(counts.elements()),
        total=counts.total(),
        counts=dict(counts),
        review=review,
        correlation_id=job.correlation_id,
    )
    event = WebhookEvent(type=EventType.JOB_FINISHED, timestamp=utc_now(), data=news)
    await _store(connection, tenant_id, event, job_subject(job_id, rounds), listening)


async def store_test(
    connection: AsyncConnection, tenant_id: str, webhook_id: str, event: WebhookEvent, *, claim_s: float
) -> Due:
    """An event that did not happen, for this endpoint alone, on or off; claimed for ``claim_s`` seconds.

    Should the caller die before it has sent it, a sender does when the claim ends. Raises ``UnknownWebhook``.
    """
    await tenant_webhook(connection, tenant_id, webhook_id, keep=True)
    now = utc_now()
    # Not derived: every test is an event of its own.
    values = _event(new_id("evt"), tenant_id, event, now)
    await connection.execute(insert(webhook_events).values(values))
    delivery = _delivery(tenant_id, webhook_id, values["id"], now)
    claimed = {**delivery, "claimed_until": now + timedelta(seconds=claim_s)}
    await connection.execute(insert(webhook_deliveries).values(claimed))
    [due] = await read_due(connection, [delivery["id"]])
    return due


async def _listening(connection: AsyncConnection, tenant_id: str, kind: EventType) -> list[str]:
    """The tenant's endpoints that want to know, kept from deletion until the transaction ends.

    A delivery to an endpoint that is gone would break the foreign key, and with it the move.
    """
    query = (
        select(webhooks.c.id, webhooks.c.events)
        .where(webhooks.c.tenant_id == tenant_id, webhooks.c.state == "active")
        .order_by(webhooks.c.id)
        .with_for_update(read=True, key_share=True)
    )
    return [row.id for row in await connection.execute(query) if kind in row.events]


async def _store(
    connection: AsyncConnection, tenant_id: str, event: WebhookEvent, subject: str, listening: Sequence[str]
) -> None:
    now = utc_now()
    told = event_id(event.type, subject)
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    stored = await connection.execute(
        dialect.insert(webhook_events)
        .values(_event(told, tenant_id, event, now))
        .on_conflict_do_nothing(index_elements=["id"])
    )
    if stored.rowcount == 1:
        rows = [_delivery(tenant_id, webhook_id, told, now) for webhook_id in listening]
        await connection.execute(insert(webhook_deliveries), rows)


def _event(told: str, tenant_id: str, event: WebhookEvent, now: datetime) -> dict[str, Any]:
    return {
        "id": told,
        "tenant_id": tenant_id,
        "type": event.type,
        "job_id": event.data.job_id,
        "item_id": event.data.item_id if isinstance(event.data, ItemNews) else None,
        "test": event.test,
        "body": event.model_dump_json(),
        "traceparent": traceparent(),
        "created_at": now,
    }


def _delivery(tenant_id: str, webhook_id: str, told: str, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id("delivery"),
        "tenant_id": tenant_id,
        "webhook_id": webhook_id,
        "event_id": told,
        "state": "waiting",
        "next_at": now,
        "created_at": now,
    }
