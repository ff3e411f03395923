"""The rules of items, pictures and messages, part of `invariants.py`. A function's docstring is its rule."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from opal.database.revisions import RevisionState
from opal.database.tables import erasures, item_events, items, jobs, outbox, revisions, variants
from opal.items.states import LEGAL, TERMINAL, ItemState


def of_item(found: ColumnElement[str]) -> Select[Any]:
    """Rows of ``items`` as what was ``found``; the caller says of which."""
    return select(
        items.c.id.label("subject"), items.c.tenant_id, items.c.job_id.label("job_id"), found.label("found")
    )


def no_lease_on_finished(_dialect: str, _before: datetime) -> Select[Any]:
    """No worker has an item that is finished."""
    finished = items.c.state.in_(sorted(TERMINAL))
    return of_item(items.c.state + " with a lease").where(finished, items.c.lease_until.is_not(None))


def leases_end(_dialect: str, latest: datetime) -> Select[Any]:
    """Only an item that is worked on has a lease, and none ends later than any worker asks for."""
    worked_on = items.c.state.in_([ItemState.PROCESSING, ItemState.COMPLETED])
    waits = items.c.state.not_in(sorted(TERMINAL)) & ~worked_on
    return of_item(items.c.state + " with a lease until " + cast(items.c.lease_until, String)).where(
        or_(waits & items.c.lease_until.is_not(None), worked_on & (items.c.lease_until > latest))
    )


def exactly_its_variants(dialect: str, _before: datetime) -> Select[Any]:
    """An exported item has one variant for each preset of its job and no other; no other item has any.

    One of which a revision is being made keeps those that it has.
    """
    exported = (items.c.state == ItemState.EXPORTED) | items.c.pending_revision.is_not(None)
    if dialect == "sqlite":
        asked = func.json_each(jobs.c.presets).table_valued("value", name="asked")
    else:
        asked = func.jsonb_array_elements_text(jobs.c.presets).table_valued("value", name="asked")
    made = and_(variants.c.item_id == items.c.id, variants.c.preset == asked.c.value)
    missing = (
        of_item(literal("no variant ") + asked.c.value)
        .select_from(items.join(jobs, jobs.c.id == items.c.job_id).join(asked, literal(True)))
        .where(exported, ~select(variants.c.item_id).where(made).exists())
    )
    wanted = select(asked.c.value).where(asked.c.value == variants.c.preset)
    found = (
        literal("variant ")
        + variants.c.preset
        + case(
            (items.c.id.is_(None), " of no item"),
            (~exported, " of an item that is not exported"),
            else_=" not asked for",
        )
    )
    excess = (
        select(
            variants.c.item_id.label("subject"),
            variants.c.tenant_id.label("tenant_id"),
            variants.c.job_id.label("job_id"),
            found.label("found"),
        )
        .select_from(
            variants.outerjoin(items, items.c.id == variants.c.item_id).outerjoin(
                jobs, jobs.c.id == items.c.job_id
            )
        )
        .where(or_(items.c.id.is_(None), ~exported, ~wanted.correlate(jobs, variants).exists()))
    )
    return select(union_all(missing, excess).subquery())


def revisions_agree(_dialect: str, _before: datetime) -> Select[Any]:
    """A revision is pending if and only if its item says so; the one that the pictures are of is done."""
    mine = revisions.c.item_id == items.c.id
    pending = revisions.c.state == RevisionState.PENDING
    number = cast(revisions.c.number, String)
    named = revisions.c.number == func.coalesce(items.c.pending_revision, -1)
    stray = (
        select(
            revisions.c.item_id.label("subject"),
            revisions.c.tenant_id.label("tenant_id"),
            revisions.c.job_id.label("job_id"),
            (literal("revision ") + number + " is pending, and not its item's").label("found"),
        )
        .select_from(revisions.outerjoin(items, mine))
        .where(pending, or_(items.c.id.is_(None), ~named))
    )
    of_pending = (mine, pending, revisions.c.number == items.c.pending_revision)
    missing = of_item(literal("waits for a revision that is not pending")).where(
        items.c.pending_revision.is_not(None),
        or_(
            ~select(revisions.c.item_id).where(*of_pending).exists(),
            items.c.state.in_([ItemState.EXPORTED, ItemState.FAILED, ItemState.CANCELLED]),
        ),
    )
    done = (mine, revisions.c.state == RevisionState.DONE, revisions.c.number == items.c.revision)
    unmade = of_item(literal("its pictures are of a revision that is not done")).where(
        items.c.revision > 0, ~select(revisions.c.item_id).where(*done).exists()
    )
    return select(union_all(stray, missing, unmade).subquery())


def story_agrees(_dialect: str, _before: datetime) -> Select[Any]:
    """The last event of every item says the state that it is in."""
    last = (
        select(item_events.c.item_id, func.max(item_events.c.seq).label("seq"))
        .group_by(item_events.c.item_id)
        .subquery()
    )
    found = items.c.state + ", last event " + func.coalesce(item_events.c.target, "missing")
    return (
        of_item(found)
        .select_from(
            items.outerjoin(last, last.c.item_id == items.c.id).outerjoin(
                item_events, item_events.c.seq == last.c.seq
            )
        )
        .where(func.coalesce(item_events.c.target, "") != items.c.state)
    )


def story_is_unbroken(_dialect: str, _before: datetime) -> Select[Any]:
    """Each event of an item begins in the state where the one before ended, and is a move that there is."""
    before = func.lag(item_events.c.target).over(
        partition_by=item_events.c.item_id, order_by=item_events.c.seq
    )
    names = ("item_id", "tenant_id", "job_id", "source", "target")
    told = select(*[item_events.c[name] for name in names], before.label("before")).subquery()
    source, ended = func.coalesce(told.c.source, ""), func.coalesce(told.c.before, "")
    move = source + ">" + told.c.target
    legal = [
        f">{ItemState.CREATED}",
        *(f"{a}>{b}" for a, b in sorted(LEGAL)),
        *(f"{a}>{a}" for a in ItemState),
    ]
    return select(
        told.c.item_id.label("subject"),
        told.c.tenant_id,
        told.c.job_id.label("job_id"),
        (move + " after " + ended).label("found"),
    ).where(or_(source != ended, move.not_in(legal)))


def one_tenant(_dialect: str, _before: datetime) -> Select[Any]:
    """A job, its items, their events, variants and revisions belong to one tenant."""
    foreign_items = (
        of_item(literal("item of a job of ") + jobs.c.tenant_id)
        .select_from(items.join(jobs, jobs.c.id == items.c.job_id))
        .where(items.c.tenant_id != jobs.c.tenant_id)
    )
    foreign_rows = [
        of_item(literal(f"{name} of ") + table.c.tenant_id)
        .select_from(items.join(table, table.c.item_id == items.c.id))
        .where(or_(table.c.tenant_id != items.c.tenant_id, table.c.job_id != items.c.job_id))
        for name, table in (("event", item_events), ("variant", variants), ("revision", revisions))
    ]
    return select(union_all(foreign_items, *foreign_rows).subquery())


def work_ends(_dialect: str, before: datetime) -> Select[Any]:
    """Every item comes to an end: none waits for long without anything happening."""
    return of_item(items.c.state + " and untouched").where(
        items.c.state.not_in(sorted(TERMINAL)),
        items.c.updated_at <= before,
        or_(items.c.lease_until.is_(None), items.c.lease_until <= before),
    )


def erasures_end(_dialect: str, before: datetime) -> Select[Any]:
    """What a tenant asked to have deleted is deleted."""
    return select(
        erasures.c.id.label("subject"),
        erasures.c.tenant_id,
        cast(null(), String).label("job_id"),
        erasures.c.state.label("found"),
    ).where(erasures.c.finished_at.is_(None), erasures.c.requested_at <= before)


def outbox_drains(_dialect: str, before: datetime) -> Select[Any]:
    """Messages leave the outbox."""
    return (
        select(
            outbox.c.message_id.label("subject"),
            func.coalesce(items.c.tenant_id, "").label("tenant_id"),
            items.c.job_id.label("job_id"),
            (literal("for ") + outbox.c.queue).label("found"),
        )
        .select_from(outbox.outerjoin(items, items.c.id == outbox.c.item_id))
        .where(outbox.c.created_at <= before)
    )
