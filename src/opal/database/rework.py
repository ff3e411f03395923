"""What a client may do about an item that has ended: judge its pictures, have them revised, send it again.

Called by web-api, each function within one transaction on an item that is locked (``items.get_item``). What
the workers have to do is in the outbox when it commits, under a new epoch.
"""

from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import items as item_rows
from opal.database import ledger
from opal.database.engine import utc_now
from opal.database.outbox import Outbox
from opal.database.revisions import Look, Revision, add_revision, highest_number
from opal.database.tables import items
from opal.errors import ItemNotExported, ItemNotFailed, PhotoNeeded, RevisionConflict, TooManyRevisions
from opal.items.item import Item
from opal.items.next_steps import NextStep, next_steps
from opal.items.review import ReviewVerdict
from opal.items.states import ItemState
from opal.messages.export_message import ExportMessage, send_export_message
from opal.messages.job_message import JobMessage, send_job_message
from opal.telemetry.tracing import traceparent

MOST_REVISIONS = 20
"""Per item; those that failed count too."""

_BY = "web-api"


async def judge(connection: AsyncConnection, item: Item, verdict: ReviewVerdict | None) -> Item:
    """Note what a person says of the pictures; None takes it back. The same again changes nothing.

    Raises ``ItemNotExported``.
    """
    if item.state is not ItemState.EXPORTED:
        raise ItemNotExported
    if item.verdict is verdict:
        return item
    at = None if verdict is None else utc_now()
    # Not a move, and no work: the time of its last change stays, from which the pictures' age is counted.
    await connection.execute(
        update(items).where(items.c.id == item.id).values(verdict=verdict, verdict_at=at)
    )
    judged = await item_rows.get_item(connection, item.id)
    assert judged is not None, "it is locked"
    await item_rows.note(
        connection, judged, source=ItemState.EXPORTED, by=_BY, details={"verdict": verdict, "judged": True}
    )
    return judged


def require_revisable(item: Item, based_on: int) -> None:
    """Raises ``RevisionConflict`` for an item whose pictures are not those of revision ``based_on``."""
    if item.state is not ItemState.EXPORTED:
        raise RevisionConflict("The photo has no finished pictures at the moment.")
    if item.revision != based_on:
        raise RevisionConflict(f"The pictures are of revision {item.revision} by now, not {based_on}.")


async def ask_for_revision(connection: AsyncConnection, item: Item, look: Look, *, based_on: int) -> Revision:
    """Have the pictures composed anew with ``look``; they and their charge stay until that is done.

    A look with an engine begins at the orchestrator, which has the photo cut out anew. Raises
    ``RevisionConflict`` and ``TooManyRevisions``.
    """
    require_revisable(item, based_on)
    number = await highest_number(connection, item.id) + 1
    if number > MOST_REVISIONS:
        raise TooManyRevisions
    revision = await add_revision(connection, item, number, look)
    changes = {
        "pending_revision": number,
        "epoch": item.epoch + 1,
        "failures": 0,
        "interruptions": 0,
    }
    target = ItemState.COMPLETED if look.engine is None else ItemState.UPLOADED
    moved = await item_rows.move(connection, item, target, by=_BY, changes=changes, tell=False)
    if look.engine is None:
        await send_export_message(Outbox(connection), ExportMessage.of(moved, traceparent()))
    else:
        await send_job_message(Outbox(connection), JobMessage.of(moved, traceparent()))
    return revision


async def send_again(connection: AsyncConnection, item: Item, *, new_photo: bool) -> Item:
    """Begin a failed item anew, as a round of its own: a credit is held, and nothing is left of the last.

    Its own photo goes straight to the queue; a new one is uploaded first. Raises ``ItemNotFailed``,
    ``PhotoNeeded`` and ``InsufficientCredits``.
    """
    if item.state is not ItemState.FAILED:
        raise ItemNotFailed
    if not new_photo and NextStep.RETRY not in next_steps(item):
        raise PhotoNeeded
    changes: dict[str, Any] = {
        "round": item.round + 1,
        # Messages of the round before, dead letters too, are not this one's.
        "epoch": item.epoch + 1,
        "failures": 0,
        "interruptions": 0,
        "scene_path": None,
        "matte_path": None,
        "outputs_expired_at": None,
        "meta": {},
        "error_code": None,
        "error_message": None,
    }
    if new_photo:
        changes |= {"raw_path": None, "raw_expired_at": None, "photo": {}}
    target = ItemState.CREATED if new_photo else ItemState.UPLOADED
    begun = await item_rows.move(connection, item, target, by=_BY, changes=changes)
    await ledger.hold(connection, item.tenant_id, item.job_id, [item.id], round_=begun.round)
    if not new_photo:
        await send_job_message(Outbox(connection), JobMessage.of(begun, traceparent()))
    return begun
