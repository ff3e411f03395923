"""Items in the database, and the one guarded way to move them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import ledger, revisions, webhook_events
from opal.database.engine import utc_now
from opal.database.tables import item_events, items
from opal.errors import IllegalMove, LeaseLost, NotFound, TooManyInterruptions
from opal.items.item import Item
from opal.items.review import ReviewVerdict
from opal.items.states import ItemState, is_legal
from opal.messages.webhook_event import PublicPicture


class Stage(Enum):
    """Which worker asks for an item, and the states in which it may have it."""

    PROCESS = (ItemState.UPLOADED, ItemState.QUEUED, ItemState.PROCESSING)
    EXPORT = (ItemState.COMPLETED,)


@dataclass(frozen=True, slots=True)
class Claimed:
    """The item is the caller's until the lease ends; ``item.attempt`` is its fencing number."""

    item: Item
    taken_over: bool = False
    """Whether another's lease had run out."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Another worker holds a live lease until then."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """The item is past this stage, or terminal."""

    item: Item


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such item."""


Claim = Claimed | Busy | Settled | Missing

_COLUMNS = [items.c[name] for name in Item.__dataclass_fields__]


async def get_item(connection: AsyncConnection, item_id: str, *, lock: bool = False) -> Item | None:
    """The item, or None; with ``lock`` nobody else moves it before the transaction ends."""
    query = select(*_COLUMNS).where(items.c.id == item_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return _item(row) if row else None


async def items_by_id(connection: AsyncConnection, item_ids: Collection[str]) -> dict[str, Item]:
    """Those of the items that are there."""
    if not item_ids:
        return {}
    rows = await connection.execute(select(*_COLUMNS).where(items.c.id.in_(item_ids)))
    return {item.id: item for item in map(_item, rows)}


async def tenant_item(
    connection: AsyncConnection, tenant_id: str, job_id: str, item_id: str, *, lock: bool = False
) -> Item:
    """The tenant's item, see `get_item`. Raises ``NotFound`` for unknown and foreign ids alike."""
    found = await get_item(connection, item_id, lock=lock)
    if found is None or found.tenant_id != tenant_id or found.job_id != job_id:
        raise NotFound(f"There is no item {item_id} in job {job_id}.")
    return found


async def list_items(
    connection: AsyncConnection, job_id: str, *, after: int = -1, limit: int | None = None
) -> list[Item]:
    """The job's items in the order in which they were given; a page of them after position ``after``."""
    query = select(*_COLUMNS).where(items.c.job_id == job_id).order_by(items.c.position).limit(limit)
    if after >= 0:
        query = query.where(items.c.position > after)
    return [_item(row) for row in await connection.execute(query)]


@dataclass(frozen=True, slots=True)
class ItemName:
    """What an item's files are named by."""

    id: str
    filename: str
    sku: str | None


async def list_names(connection: AsyncConnection, job_id: str) -> list[ItemName]:
    """What the job's items are named by, in the order of `list_items`, without reading all of them."""
    rows = await connection.execute(
        select(items.c.id, items.c.filename, items.c.sku)
        .where(items.c.job_id == job_id)
        .order_by(items.c.position)
    )
    return [ItemName(row.id, row.filename, row.sku) for row in rows]


async def items_in_states(
    connection: AsyncConnection,
    states: Sequence[ItemState],
    *,
    updated_before: datetime,
    limit: int,
    unleased_since: datetime | None = None,
    leased_beyond: datetime | None = None,
    after: Item | None = None,
) -> list[Item]:
    """The items longest untouched in ``states``, a page at a time, for the sweeper.

    With ``unleased_since`` only those without a lease, or whose lease was over by then; with
    ``leased_beyond`` only those whose lease ends later than that. ``after`` is the last item of the page
    before.
    """
    query = select(*_COLUMNS).where(items.c.state.in_(states), items.c.updated_at < updated_before)
    if unleased_since is not None:
        query = query.where(or_(items.c.lease_until.is_(None), items.c.lease_until <= unleased_since))
    if leased_beyond is not None:
        query = query.where(items.c.lease_until > leased_beyond)
    if after is not None:
        # The first condition says nothing new; it lets the index find the place.
        query = query.where(
            items.c.updated_at >= after.updated_at,
            or_(items.c.updated_at > after.updated_at, items.c.id > after.id),
        )
    rows = await connection.execute(query.order_by(items.c.updated_at, items.c.id).limit(limit))
    return [_item(row) for row in rows]


async def move(
    connection: AsyncConnection,
    item: Item,
    target: ItemState,
    *,
    by: str,
    changes: Mapping[str, Any] | None = None,
    code: str | None = None,
    message: str | None = None,
    details: Mapping[str, Any] | None = None,
    public_pictures: Sequence[PublicPicture] = (),
    tell: bool = True,
) -> Item:
    """Move ``item`` to ``target``, write one event row, tell webhooks; returns the item as it is now.

    ``public_pictures`` are what webhooks are to be told of besides. Without ``tell`` they are told nothing
    of the item: it has nothing that it had not before.

    The UPDATE names the state and the attempt that the caller saw, so a paused worker that wakes up
    after its lease went to another one changes nothing. Raises ``IllegalMove`` for a move that the
    table of states does not have, ``LeaseLost`` when the item has moved on.
    """
    if not is_legal(item.state, target):
        raise IllegalMove(f"An item that is {item.state} cannot become {target}.")
    values = {"lease_until": None, **(changes or {}), "state": target}
    moved = await _guarded_update(connection, item, values)
    await note(connection, moved, source=item.state, by=by, code=code, message=message, details=details)
    if tell:
        await webhook_events.announce_item(connection, moved, public_pictures)
    if target is ItemState.EXPORTED:
        await webhook_events.announce_job_end(connection, moved.tenant_id, moved.job_id)
    return moved


async def note(
    connection: AsyncConnection,
    item: Item,
    *,
    source: ItemState,
    by: str,
    code: str | None = None,
    message: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write one line of the item's story; ``item`` is as it is after the event."""
    await connection.execute(
        insert(item_events).values(
            tenant_id=item.tenant_id,
            job_id=item.job_id,
            item_id=item.id,
            source=source,
            target=item.state,
            attempt=item.attempt,
            code=code,
            message=message,
            details={"by": by, **_standing(item), **(details or {})},
            at=utc_now(),
        )
    )


def _standing(item: Item) -> dict[str, Any]:
    """Told with every event from when it is so, so that a client who hears of the end hears of it too."""
    return {
        **({"review": True} if item.review else {}),
        **({"verdict": item.verdict} if item.verdict else {}),
        **({"revision": item.revision} if item.revision else {}),
    }


async def claim(
    connection: AsyncConnection,
    item_id: str,
    stage: Stage,
    *,
    lease_s: float,
    by: str,
    max_interruptions: int = 2**31,
) -> Claim:
    """Take the item for ``lease_s`` seconds, or say why not.

    A lease that ran out is taken over and counts as an interruption, not as a failure. An item that
    was interrupted more than ``max_interruptions`` times is failed here and answered as settled.
    """
    # Locked, or the relay, which notes that the message is sent, could come between on PostgreSQL.
    item = await get_item(connection, item_id, lock=True)
    if item is None:
        return Missing()
    if item.state not in stage.value:
        return Settled(item)
    now = utc_now()
    if item.lease_until is not None and item.lease_until > now:
        return Busy(item.lease_until)
    taken_over = item.lease_until is not None
    interruptions = item.interruptions + int(taken_over)
    if interruptions > max_interruptions:
        error = TooManyInterruptions()
        return Settled(await fail_item(connection, item, code=error.code, message=error.message, by=by))
    target = ItemState.PROCESSING if stage is Stage.PROCESS else item.state
    values = {
        "state": target,
        "attempt": item.attempt + 1,
        "lease_until": now + timedelta(seconds=lease_s),
        "interruptions": interruptions,
    }
    claimed = await _guarded_update(connection, item, values)
    details = {"stage": stage.name.lower(), "taken_over": taken_over}
    await note(connection, claimed, source=item.state, by=by, details=details)
    return Claimed(claimed, taken_over)


async def renew_lease(connection: AsyncConnection, item: Item, lease_s: float) -> bool:
    """Hold the item for another ``lease_s`` seconds; False when it is another worker's now."""
    until = utc_now() + timedelta(seconds=lease_s)
    result = await connection.execute(
        update(items)
        .where(items.c.id == item.id, items.c.state == item.state, items.c.attempt == item.attempt)
        .where(items.c.lease_until.is_not(None))
        .values(lease_until=until)
    )
    return result.rowcount == 1


async def raise_epoch(connection: AsyncConnection, item: Item, **changes: int) -> Item:
    """Number the next message of the item anew, so that no duplicate detection drops it; set ``changes``."""
    return await _guarded_update(connection, item, {"epoch": item.epoch + 1, **changes})


async def give_back(
    connection: AsyncConnection,
    item: Item,
    *,
    by: str,
    changes: Mapping[str, Any] | None = None,
    code: str | None = None,
    message: str | None = None,
) -> Item:
    """End the lease without a result: processing becomes queued, an export just waits again."""
    if item.state is ItemState.PROCESSING:
        return await move(
            connection, item, ItemState.QUEUED, by=by, changes=changes, code=code, message=message
        )
    freed = await _guarded_update(connection, item, {"lease_until": None, **(changes or {})})
    await note(connection, freed, source=item.state, by=by, code=code, message=message)
    return freed


async def fail_item(connection: AsyncConnection, item: Item, *, code: str, message: str, by: str) -> Item:
    """Fail the item for good and give its credit back, all in the caller's transaction.

    Where only a revision of it cannot be made, that one fails: the item is exported again, with the pictures
    and the charge that it had.
    """
    if item.pending_revision is not None:
        return await _fail_revision(connection, item, code=code, message=message, by=by)
    # Nothing is left to look at.
    changes = {"error_code": code, "error_message": message, "review": False}
    failed = await move(
        connection, item, ItemState.FAILED, by=by, changes=changes, code=code, message=message
    )
    if item.state is ItemState.COMPLETED:
        await ledger.refund(connection, item)
    else:
        await ledger.release(connection, item)
    # After the account, whose row is locked before a job's wherever both are.
    await webhook_events.announce_job_end(connection, failed.tenant_id, failed.job_id)
    return failed


async def _fail_revision(
    connection: AsyncConnection, item: Item, *, code: str, message: str, by: str
) -> Item:
    number = item.pending_revision
    assert number is not None, "only a revision of it is being made"
    exported = await move(
        connection,
        item,
        ItemState.EXPORTED,
        by=by,
        changes={"pending_revision": None, "failures": 0, "interruptions": 0},
        code=code,
        message=message,
        details={"failed_revision": number},
        tell=False,
    )
    failed = revisions.RevisionState.FAILED
    await revisions.end_revision(connection, item.id, number, failed, code=code, message=message)
    return exported


async def record_failure(
    connection: AsyncConnection, item: Item, *, code: str, message: str, by: str, max_failures: int
) -> bool:
    """Count one retryable failure; True when it was one too many and the item is now failed."""
    failures = item.failures + 1
    if failures >= max_failures:
        counted = await _guarded_update(connection, item, {"failures": failures})
        await fail_item(connection, counted, code=code, message=message, by=by)
        return True
    await give_back(connection, item, by=by, changes={"failures": failures}, code=code, message=message)
    return False


async def _guarded_update(connection: AsyncConnection, item: Item, values: Mapping[str, Any]) -> Item:
    now = utc_now()
    result = await connection.execute(
        update(items)
        .where(items.c.id == item.id, items.c.state == item.state, items.c.attempt == item.attempt)
        .values(**values, updated_at=now)
    )
    if result.rowcount != 1:
        raise LeaseLost(f"Item {item.id} is no longer {item.state} in attempt {item.attempt}.")
    return replace(item, **values, updated_at=now)


def _item(row: Row[Any]) -> Item:
    values = row._asdict()
    verdict = None if values["verdict"] is None else ReviewVerdict(values["verdict"])
    return Item(**{**values, "state": ItemState(values["state"]), "verdict": verdict})
