"""Everything that the database knows of one item, for `opal items show`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import events, items, jobs, variants
from opal.database.jobs import Job
from opal.database.ledger import EntryKind, LedgerEntry
from opal.database.revisions import Revision, list_revisions
from opal.database.tables import (
    delivery_targets,
    ledger,
    outbox,
    picture_deliveries,
    webhook_deliveries,
    webhook_events,
    webhooks,
)
from opal.database.variants import VariantRow
from opal.errors import NotFound
from opal.items.events import ItemEvent
from opal.items.item import Item


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox; ``claimed_until``: a relay is publishing it."""

    queue: str
    message_id: str
    created_at: datetime
    claimed_until: datetime | None


@dataclass(frozen=True, slots=True)
class Told:
    """One webhook event's way to one endpoint; an event that nobody listened to has no row."""

    type: str
    url: str
    state: str
    attempts: int
    last_status: int | None
    last_error: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivered:
    """One file's way to one delivery target."""

    target: str
    content: str
    path: str
    state: str
    attempts: int
    last_error: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ItemStory:
    """One photo from its first to its last row."""

    item: Item
    job: Job
    photos: int
    """Of the whole job."""
    events: Sequence[ItemEvent]
    variants: Sequence[VariantRow]
    revisions: Sequence[Revision]
    ledger: Sequence[LedgerEntry]
    outbox: Sequence[Waiting]
    webhooks: Sequence[Told]
    deliveries: Sequence[Delivered]


async def read_story(connection: AsyncConnection, item_id: str) -> ItemStory:
    """The story of the item, whosever it is. Raises ``NotFound``."""
    item = await items.get_item(connection, item_id)
    if item is None:
        raise NotFound(f"There is no item {item_id}.")
    job = await jobs.get_job(connection, item.job_id)
    assert job is not None, "an item's job is never deleted before it"
    return ItemStory(
        item=item,
        job=job,
        photos=len(await items.list_names(connection, job.id)),
        events=await events.item_story(connection, item_id),
        variants=await variants.list_variants(connection, item_id),
        revisions=await list_revisions(connection, item_id),
        ledger=await _ledger(connection, item_id),
        outbox=await _outbox(connection, item_id),
        webhooks=await _webhooks(connection, item_id),
        deliveries=await _deliveries(connection, item_id),
    )


def _columns(kind: type[Any], table: Table) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in kind.__dataclass_fields__]


async def _ledger(connection: AsyncConnection, item_id: str) -> list[LedgerEntry]:
    query = select(*_columns(LedgerEntry, ledger)).where(ledger.c.item_id == item_id).order_by(ledger.c.seq)
    rows = await connection.execute(query)
    return [LedgerEntry(**{**row._asdict(), "kind": EntryKind(row.kind)}) for row in rows]


async def _outbox(connection: AsyncConnection, item_id: str) -> list[Waiting]:
    query = select(*_columns(Waiting, outbox)).where(outbox.c.item_id == item_id).order_by(outbox.c.seq)
    return [Waiting(**row._asdict()) for row in await connection.execute(query)]


async def _webhooks(connection: AsyncConnection, item_id: str) -> list[Told]:
    sent = webhook_deliveries.c
    query = (
        select(
            webhook_events.c.type,
            webhooks.c.url,
            sent.state,
            sent.attempts,
            sent.last_status,
            sent.last_error,
            sent.created_at,
        )
        .select_from(
            webhook_deliveries.join(webhook_events, webhook_events.c.id == sent.event_id).join(
                webhooks, webhooks.c.id == sent.webhook_id
            )
        )
        .where(webhook_events.c.item_id == item_id, webhook_events.c.test.is_(False))
        .order_by(sent.created_at, sent.id)
    )
    return [Told(*row) for row in await connection.execute(query)]


async def _deliveries(connection: AsyncConnection, item_id: str) -> list[Delivered]:
    sent = picture_deliveries.c
    query = (
        select(
            delivery_targets.c.name,
            sent.content,
            sent.path,
            sent.state,
            sent.attempts,
            sent.last_error,
            sent.created_at,
        )
        .select_from(picture_deliveries.join(delivery_targets, delivery_targets.c.id == sent.target_id))
        .where(sent.item_id == item_id)
        .order_by(sent.created_at, sent.id)
    )
    return [Delivered(*row) for row in await connection.execute(query)]
