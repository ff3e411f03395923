"""Jobs: what a client asked for, with one item per photo."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, case, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import items as item_rows
from opal.database import ledger, webhook_events
from opal.database.engine import utc_now
from opal.database.review_queue import waits_for_review
from opal.database.tables import item_events, items, jobs
from opal.errors import NotFound
from opal.items.item import Item, Recipe, new_id
from opal.items.states import CANCELLABLE, ItemState


@dataclass(frozen=True, slots=True)
class Job:
    """A job; its status follows from its items (``opal.items.states.job_status``)."""

    id: str
    tenant_id: str
    name: str
    correlation_id: str
    recipe: Recipe
    created_at: datetime
    cancelled_at: datetime | None
    public_links: bool | None = None
    """Whether its pictures have public links, for a tenant that has them; None: as the tenant has it."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """A photo that the client is going to upload."""

    filename: str
    sku: str | None = None


async def create_job(
    connection: AsyncConnection,
    tenant_id: str,
    recipe: Recipe,
    new_items: Sequence[NewItem],
    *,
    name: str,
    correlation_id: str,
    public_links: bool | None = None,
) -> tuple[Job, list[Item]]:
    """Store the job and its items and hold one credit per item.

    Raises ``InsufficientCredits``; the caller's transaction must then be rolled back.
    """
    now = utc_now()
    job = Job(new_id("job"), tenant_id, name, correlation_id, recipe, now, None, public_links)
    await connection.execute(insert(jobs).values(**_job_values(job)))
    rows = [_new_item_values(job, position, new) for position, new in enumerate(new_items)]
    await connection.execute(insert(items), rows)
    await connection.execute(insert(item_events), [_created_event(row) for row in rows])
    await ledger.hold(connection, tenant_id, job.id, [row["id"] for row in rows], at=now)
    return job, await item_rows.list_items(connection, job.id)


async def get_job(connection: AsyncConnection, job_id: str) -> Job | None:
    """The job, or None."""
    row = (await connection.execute(select(jobs).where(jobs.c.id == job_id))).one_or_none()
    return _job(row) if row else None


async def tenant_job(connection: AsyncConnection, tenant_id: str, job_id: str) -> Job:
    """The tenant's job. Raises ``NotFound`` for unknown and foreign ids alike."""
    job = await get_job(connection, job_id)
    if job is None or job.tenant_id != tenant_id:
        raise NotFound(f"There is no job {job_id}.")
    return job


async def list_jobs(
    connection: AsyncConnection, tenant_id: str, limit: int, before: str | None = None, *, find: str = ""
) -> list[Job]:
    """The tenant's newest ``limit`` jobs, or those older than job ``before``.

    With ``find`` only those that are called so, or have a photo or SKU called so; a part of the name will do.
    """
    query = select(jobs).where(jobs.c.tenant_id == tenant_id)
    if find:
        names = (items.c.filename, items.c.sku)
        named = or_(*(name.icontains(find, autoescape=True) for name in names))
        query = query.where(
            or_(
                jobs.c.name.icontains(find, autoescape=True),
                exists().where(items.c.job_id == jobs.c.id, named),
            )
        )
    if before is not None:
        edge = await tenant_job(connection, tenant_id, before)
        older = jobs.c.created_at < edge.created_at
        query = query.where(or_(older, and_(jobs.c.created_at == edge.created_at, jobs.c.id < edge.id)))
    query = query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)
    return [_job(row) for row in await connection.execute(query)]


async def state_counts(connection: AsyncConnection, job_ids: Sequence[str]) -> dict[str, Counter[ItemState]]:
    """How many items of each job are in each state."""
    query = select(items.c.job_id, items.c.state, func.count()).where(items.c.job_id.in_(job_ids))
    counts: dict[str, Counter[ItemState]] = defaultdict(Counter)
    for job_id, state, count in await connection.execute(query.group_by(items.c.job_id, items.c.state)):
        counts[job_id][ItemState(state)] = count
    return counts


class ReviewCounts(NamedTuple):
    """How many items of a job are marked for review, and how many of those wait for a verdict."""

    marked: int = 0
    to_review: int = 0


async def review_counts(connection: AsyncConnection, job_ids: Sequence[str]) -> dict[str, ReviewCounts]:
    """Those of each job; zeros for one of which nothing is marked."""
    waits = case((waits_for_review(), 1), else_=0)
    query = select(items.c.job_id, func.count(), func.sum(waits))
    query = query.where(items.c.job_id.in_(job_ids), items.c.review.is_(True))
    counts: dict[str, ReviewCounts] = defaultdict(ReviewCounts)
    for job_id, marked, to_review in await connection.execute(query.group_by(items.c.job_id)):
        counts[job_id] = ReviewCounts(int(marked), int(to_review))
    return counts


async def first_exported(connection: AsyncConnection, job_ids: Sequence[str]) -> dict[str, str]:
    """The first item of each job that has all its pictures; jobs without one are left out."""
    of_jobs = (items.c.job_id.in_(job_ids), items.c.state == ItemState.EXPORTED)
    first = (
        select(items.c.job_id, func.min(items.c.position).label("position"))
        .where(*of_jobs)
        .group_by(items.c.job_id)
        .subquery()
    )
    there = and_(items.c.job_id == first.c.job_id, items.c.position == first.c.position)
    rows = await connection.execute(select(items.c.job_id, items.c.id).join(first, there))
    return {str(job_id): str(item_id) for job_id, item_id in rows}


async def cancel_job(connection: AsyncConnection, job: Job, *, by: str) -> int:
    """Cancel every item that is not completed yet and release its credit; returns how many.

    Completed items keep their pictures and their charge. Cancelling twice changes nothing.
    """
    cancelled = 0
    for item in await item_rows.list_items(connection, job.id):
        # Of one that is only revised the pictures are there: what is asked for is all but done.
        if item.state in CANCELLABLE and item.pending_revision is None:
            await item_rows.move(connection, item, ItemState.CANCELLED, by=by)
            await ledger.release(connection, item)
            cancelled += 1
    if job.cancelled_at is None:
        await connection.execute(update(jobs).where(jobs.c.id == job.id).values(cancelled_at=utc_now()))
    if cancelled:
        # Once for all of them: thousands may be cancelled together.
        await webhook_events.announce_job_end(connection, job.tenant_id, job.id)
    return cancelled


def _job_values(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "tenant_id": job.tenant_id,
        "name": job.name,
        "correlation_id": job.correlation_id,
        "scene": job.recipe.scene,
        "placement": job.recipe.placement,
        "presets": list(job.recipe.presets),
        "own_presets": list(job.recipe.own_presets),
        "prompt": job.recipe.prompt,
        "seed": job.recipe.seed,
        "created_at": job.created_at,
        "cancelled_at": job.cancelled_at,
        "public_links": job.public_links,
    }


def _new_item_values(job: Job, position: int, new: NewItem) -> dict[str, Any]:
    return {
        "id": new_id("item"),
        "job_id": job.id,
        "tenant_id": job.tenant_id,
        "position": position,
        "filename": new.filename,
        "sku": new.sku,
        "state": ItemState.CREATED,
        "correlation_id": job.correlation_id,
        "created_at": job.created_at,
        "updated_at": job.created_at,
    }


def _created_event(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "tenant_id": row["tenant_id"],
        "job_id": row["job_id"],
        "item_id": row["id"],
        "target": ItemState.CREATED,
        "attempt": 0,
        "at": row["created_at"],
    }


def _job(row: Row[Any]) -> Job:
    recipe = Recipe(
        scene=row.scene,
        placement=row.placement,
        presets=tuple(row.presets),
        own_presets=tuple(row.own_presets),
        prompt=row.prompt,
        seed=row.seed,
    )
    return Job(
        row.id,
        row.tenant_id,
        row.name,
        row.correlation_id,
        recipe,
        row.created_at,
        row.cancelled_at,
        row.public_links,
    )
