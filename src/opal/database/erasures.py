"""A tenant's wish that all its data be deleted: asked for, carried out in small steps, answered by a receipt.

Called by web-api and `upkeep/erasure.py`. What was made before the wish goes: jobs one by one, and settings
such as webhooks and presets; what is made after it stays. The ledger stays, as money is never unwritten: its
rows name ids that lead nowhere any more. Every step can be done again.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, Table, delete, insert, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import items as item_rows
from opal.database import ledger
from opal.database.engine import utc_now
from opal.database.tables import (
    backdrops,
    erasures,
    items,
    jobs,
    mattes,
    metadata,
    picture_charges,
    tenants,
    webhook_deliveries,
    webhook_events,
)
from opal.errors import DataErased, UnknownReceipt
from opal.items.item import new_id
from opal.items.states import CANCELLABLE, TERMINAL, ItemState

ID = "erasure_[0-9a-f]{24}"
"""What an erasure's id looks like, as a regular expression."""

KEPT: Final = frozenset(
    {
        *("tenants", "api_keys", "ended_sessions", "accounts", "ledger"),
        *("rate_windows", "request_windows", "erasures"),
    }
)
"""Tables whose rows stay: who the tenant is, its keys and what was signed out, its money and limits, and its
receipts."""

BY: Final = "erasure"
_ROWS: Final = 500

State = Literal["running", "done"]


@dataclass(frozen=True, slots=True)
class Erasure:
    """One wish; ``receipt`` and its ``sha256`` are there when it is done."""

    id: str
    tenant_id: str
    state: State
    requested_at: datetime
    late_until: datetime
    finished_at: datetime | None
    counts: dict[str, int]
    receipt: str | None
    sha256: str | None


_COLUMNS = [erasures.c[name] for name in Erasure.__dataclass_fields__]


async def request(connection: AsyncConnection, tenant_id: str, *, late: timedelta) -> Erasure:
    """The tenant's running erasure, a new one, or the last one where nothing is left to delete.

    ``late`` is how long a worker that is under way, or a signed URL, may still write a blob.
    """
    # One at a time per tenant: two at once would make two receipts of one wish.
    await connection.execute(select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update())
    last = next(iter(await of_tenant(connection, tenant_id, 1)), None)
    if last is not None and (last.state == "running" or not await _anything(connection, tenant_id)):
        return last
    now = utc_now()
    until = now + late if await _may_write(connection, tenant_id, now - late) else now
    wish = {"id": new_id("erasure"), "tenant_id": tenant_id, "state": "running", "counts": {}}
    await connection.execute(insert(erasures).values(**wish, requested_at=now, late_until=until))
    [made] = await of_tenant(connection, tenant_id, 1)
    return made


async def of_tenant(connection: AsyncConnection, tenant_id: str, limit: int) -> list[Erasure]:
    """The tenant's erasures, newest first."""
    query = select(*_COLUMNS).where(erasures.c.tenant_id == tenant_id)
    rows = await connection.execute(
        query.order_by(erasures.c.requested_at.desc(), erasures.c.id.desc()).limit(limit)
    )
    return [Erasure(**row._asdict()) for row in rows]


async def tenant_erasure(connection: AsyncConnection, tenant_id: str, erasure_id: str) -> Erasure:
    """The tenant's erasure. Raises ``UnknownReceipt`` for unknown and foreign ids alike."""
    query = select(*_COLUMNS).where(erasures.c.tenant_id == tenant_id, erasures.c.id == erasure_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UnknownReceipt
    return Erasure(**row._asdict())


async def running(connection: AsyncConnection) -> list[Erasure]:
    """Those that are not done, oldest first."""
    query = select(*_COLUMNS).where(erasures.c.state == "running").order_by(erasures.c.requested_at)
    return [Erasure(**row._asdict()) for row in await connection.execute(query)]


async def any_of(connection: AsyncConnection, tenant_id: str) -> bool:
    """Whether the tenant ever asked for it: a message may then name an item that is not there."""
    query = select(erasures.c.id).where(erasures.c.tenant_id == tenant_id).limit(1)
    return (await connection.execute(query)).one_or_none() is not None


async def count(connection: AsyncConnection, erasure: Erasure, more: Mapping[str, int]) -> None:
    """Add to the receipt's figures, in the transaction of what is counted."""
    query = select(erasures.c.counts).where(erasures.c.id == erasure.id).with_for_update()
    so_far = Counter((await connection.execute(query)).scalar_one())
    so_far.update(more)
    counts = dict(sorted(so_far.items()))
    await connection.execute(update(erasures).where(erasures.c.id == erasure.id).values(counts=counts))


async def end_items(connection: AsyncConnection, erasure: Erasure, limit: int) -> int:
    """Cancel what is under way and release its credits; a photo that waits for its pictures gets its back.

    Returns how many items were ended, at most ``limit``.
    """
    query = (
        select(items.c.id)
        .select_from(items.join(jobs, jobs.c.id == items.c.job_id))
        .where(_mine(erasure), items.c.state.not_in(sorted(TERMINAL)))
        .order_by(items.c.id)
        .limit(limit)
    )
    found = (await connection.execute(query)).scalars().all()
    return await _end(connection, erasure, found)


async def _end(connection: AsyncConnection, erasure: Erasure, item_ids: Sequence[str]) -> int:
    ended: Counter[str] = Counter()
    for item_id in item_ids:
        item = await item_rows.get_item(connection, item_id, lock=True)
        if item is None or item.state in TERMINAL:
            continue
        error = DataErased()
        told = {"code": error.code, "message": error.message, "by": BY}
        if item.pending_revision is not None:
            # Its pictures are there and paid for; they go with the job.
            await item_rows.fail_item(connection, item, **told)
        elif item.state in CANCELLABLE:
            await item_rows.move(connection, item, ItemState.CANCELLED, by=BY, code=error.code)
            ended["credits_released"] += await ledger.release(connection, item)
        else:
            await item_rows.fail_item(connection, item, **told)
            ended["credits_refunded"] += 1
        ended["items_ended"] += 1
    if ended:
        await count(connection, erasure, ended)
    return ended["items_ended"]


async def next_job(connection: AsyncConnection, erasure: Erasure) -> str | None:
    """A job that is still there."""
    return await connection.scalar(select(jobs.c.id).where(_mine(erasure)).order_by(jobs.c.id).limit(1))


async def delete_job(connection: AsyncConnection, erasure: Erasure, job_id: str) -> None:
    """Delete the job with all its rows in every table that has any."""
    its_items = select(items.c.id).where(items.c.job_id == job_id)
    # Nobody can take one up again from here on; what a client did between is ended, or its hold would stay.
    there = (await connection.execute(its_items.order_by(items.c.id).with_for_update())).scalars().all()
    await _end(connection, erasure, there)
    deleted: Counter[str] = Counter()
    deleted["webhook_deliveries"] += await _delete_deliveries(connection, webhook_events.c.job_id == job_id)
    for table in reversed(metadata.sorted_tables):
        if table.name in KEPT:
            continue
        if table is jobs:
            mine = jobs.c.id == job_id
        elif "job_id" in table.c:
            mine = table.c.job_id == job_id
        elif "item_id" in table.c:
            mine = table.c.item_id.in_(its_items)
        else:
            continue
        deleted[table.name] += (await connection.execute(delete(table).where(mine))).rowcount
    await count(connection, erasure, +deleted)


def settings_tables() -> list[Table]:
    """Tables of what the tenant set up, and of what it sent or was charged, children first."""
    of_jobs = {"items", "item_events", "variants", "revisions", "mattes", "jobs", "webhook_events"}
    kept = KEPT | of_jobs
    tables = reversed(metadata.sorted_tables)
    return [table for table in tables if "tenant_id" in table.c and table.name not in kept]


async def delete_settings(connection: AsyncConnection, erasure: Erasure, table: Table) -> int:
    """Delete some rows of a table of `settings_tables` that are from before the wish, or of what is.

    Returns how many, 0 when none is left.
    """
    key = tuple_(*table.primary_key.columns)
    mine = (table.c.tenant_id == erasure.tenant_id) & _from_before(erasure, table)
    some = select(*table.primary_key.columns).where(mine).limit(_ROWS)
    gone = (await connection.execute(delete(table).where(key.in_(some)))).rowcount
    if gone:
        await count(connection, erasure, {table.name: gone})
    return gone


def _from_before(erasure: Erasure, table: Table) -> ColumnElement[bool]:
    """Rows made before the wish, or of a parent that was: a new job's delivery to an old webhook goes too."""
    made = table.c.charged_at if table is picture_charges else table.c.created_at
    of_old = [
        key.parent.in_(select(key.column).where(_from_before(erasure, parent)))
        for key in table.foreign_keys
        for parent in settings_tables()
        if key.column.table is parent
    ]
    return or_(made <= erasure.requested_at, *of_old)


async def delete_strays(connection: AsyncConnection, erasure: Erasure) -> None:
    """Delete events from before the wish that name no job of the tenant's: they were only examples."""
    events = webhook_events
    there = select(jobs.c.id)
    mine = (events.c.tenant_id == erasure.tenant_id) & (events.c.created_at <= erasure.requested_at)
    stray = mine & events.c.job_id.not_in(there)
    deliveries = await _delete_deliveries(connection, stray)
    gone = (await connection.execute(delete(events).where(stray))).rowcount
    if gone:
        told = Counter({events.name: gone, webhook_deliveries.name: deliveries})
        await count(connection, erasure, +told)


async def _delete_deliveries(connection: AsyncConnection, of_events: ColumnElement[bool]) -> int:
    """Delete deliveries of these events, which a webhook from after the wish may have; returns how many."""
    events = select(webhook_events.c.id).where(of_events)
    mine = webhook_deliveries.c.event_id.in_(events)
    return (await connection.execute(delete(webhook_deliveries).where(mine))).rowcount


async def jobs_there(connection: AsyncConnection, tenant_id: str) -> set[str]:
    """Ids of jobs and backdrops that came after the wish: their blobs stay."""
    found: set[str] = set()
    for table in (jobs, backdrops):
        query = select(table.c.id).where(table.c.tenant_id == tenant_id)
        found.update((await connection.execute(query)).scalars())
    return found


async def finish(connection: AsyncConnection, erasure: Erasure) -> Erasure:
    """Write the receipt, once."""
    now = utc_now()
    present = await tenant_erasure(connection, erasure.tenant_id, erasure.id)
    told = {
        "receipt": erasure.id,
        "tenant_id": erasure.tenant_id,
        "requested_at": erasure.requested_at.isoformat(),
        "finished_at": now.isoformat(),
        "deleted": present.counts,
        "kept": sorted(KEPT),
    }
    text = json.dumps(told, indent=2, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    still = (erasures.c.id == erasure.id) & (erasures.c.state == "running")
    values = {"state": "done", "finished_at": now, "receipt": text, "sha256": digest}
    await connection.execute(update(erasures).where(still).values(**values))
    return await tenant_erasure(connection, erasure.tenant_id, erasure.id)


def _mine(erasure: Erasure) -> ColumnElement[bool]:
    return (jobs.c.tenant_id == erasure.tenant_id) & (jobs.c.created_at <= erasure.requested_at)


async def _anything(connection: AsyncConnection, tenant_id: str) -> bool:
    """Whether the tenant has anything that an erasure would delete."""
    for table in (jobs, *settings_tables()):
        query = select(literal(1)).select_from(table).where(table.c.tenant_id == tenant_id).limit(1)
        if await connection.scalar(query) is not None:
            return True
    return False


async def _may_write(connection: AsyncConnection, tenant_id: str, since: datetime) -> bool:
    """Whether a worker or a client may be about to write a blob of the tenant's."""
    recent = or_(items.c.state.not_in(sorted(TERMINAL)), items.c.updated_at > since)
    mine = select(literal(1)).select_from(items).where(items.c.tenant_id == tenant_id, recent)
    asked = [mine]
    for table in (backdrops, mattes):
        theirs = (table.c.tenant_id == tenant_id) & (table.c.created_at > since)
        asked.append(select(literal(1)).select_from(table).where(theirs))
    return any([await connection.scalar(query.limit(1)) is not None for query in asked])
