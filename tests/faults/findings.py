"""What a run left behind, read from the database and the blobs: the promises as figures.

Used by the kill test and the Azure journey; ``test_findings.py`` holds it against damage that it must see.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select

from opal.blobs.interface import Blobs
from opal.database import ledger, outbox, tables, variants
from opal.database.engine import Database
from opal.database.items import list_items
from opal.errors import BlobNotFound, LeaseLost
from opal.items.events import ItemEvent
from opal.items.states import TERMINAL, ItemState
from opal.queues.interface import Queues


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything but ``items``, ``interrupted`` and ``attempts`` must be zero."""

    items: int
    lost: int
    charged_twice: int
    uncharged: int
    variants_missing: int
    variants_damaged: int
    credits_unaccounted: int
    holds_left: int
    outbox_left: int
    messages_left: int
    dead_letters: int
    interrupted: int
    attempts: int

    @property
    def faults(self) -> dict[str, int]:
        """The promises that were broken, by name."""
        told = {"items", "interrupted", "attempts"}
        return {
            name: getattr(self, name) for name in self.__slots__ if name not in told and getattr(self, name)
        }

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {getattr(self, name)}" for name in self.__slots__)


def claimed_by(worker: str, event: ItemEvent) -> bool:
    """Whether the event is that ``worker`` has taken an item to work on."""
    return event.details.get("by") == worker and "stage" in event.details


async def at_rest(database: Database, queues: Queues, job_id: str) -> bool:
    """Whether every item of the job has ended and no message waits, neither to be sent nor to be received.

    Looked at in this order: a message goes from the outbox to its queue, and would be missed in the other.
    """
    async with database.read() as connection:
        ended = all(item.state in TERMINAL for item in await list_items(connection, job_id))
        unsent, _oldest = await outbox.pending(connection)
    depths = [await queues.depth(queue) for queue in ("jobs", "exports")]
    return ended and not unsent and not any(depth.active + depth.scheduled for depth in depths)


async def examine(
    database: Database, blobs: Blobs, queues: Queues, job_id: str, *, presets: Iterable[str], granted: int
) -> Findings:
    """Look at one finished job of a tenant that was granted ``granted`` credits and ran nothing else."""
    wanted = frozenset(presets)
    async with database.read() as connection:
        items = await list_items(connection, job_id)
        tenant_id = items[0].tenant_id
        debits = Counter(
            (await connection.execute(select(tables.ledger.c.item_id).where(tables.ledger.c.amount == -1)))
            .scalars()
            .all()
        )
        balance = await ledger.balance(connection, tenant_id)
        summed = await ledger.summed(connection, tenant_id)
        outbox_left, _oldest = await outbox.pending(connection)
        made = await variants.job_variants(connection, job_id)
        story = (
            await connection.execute(select(tables.item_events.c.code, tables.item_events.c.details))
        ).all()
        attempts = (await connection.execute(select(func.sum(tables.items.c.attempt)))).scalar_one()
    # Taken over by another worker, or given back by the sweeper: a lease ended without a result.
    interrupted = sum(bool(row.details.get("taken_over")) or row.code == LeaseLost.code for row in story)
    exported = [item for item in items if item.state is ItemState.EXPORTED]
    missing = damaged = 0
    for item in exported:
        rows = made.get(item.id, [])
        missing += len(wanted - {row.preset for row in rows})
        for row in rows:
            try:
                data = await blobs.read("exports", row.path)
            except BlobNotFound:
                missing += 1
                continue
            damaged += hashlib.sha256(data).hexdigest() != row.sha256
    depths = [await queues.depth(queue) for queue in ("jobs", "exports")]
    return Findings(
        items=len(items),
        lost=len(items) - len(exported),
        charged_twice=sum(count - 1 for count in debits.values() if count > 1),
        uncharged=sum(item.id not in debits for item in exported),
        variants_missing=missing,
        variants_damaged=damaged,
        credits_unaccounted=abs(granted - len(exported) - balance.balance)
        + abs(summed.balance - balance.balance),
        holds_left=abs(balance.held) + abs(summed.held),
        outbox_left=outbox_left,
        messages_left=sum(depth.active + depth.scheduled for depth in depths),
        dead_letters=sum(depth.dead for depth in depths),
        interrupted=interrupted,
        attempts=int(attempts),
    )
