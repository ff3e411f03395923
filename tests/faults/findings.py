"""What a run left behind: the product's own invariants, and what a fault test wants to know besides.

Every fault test ends with ``examine``; ``test_findings.py`` holds it against damage that it must see.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select

from opal.blobs.interface import Blobs
from opal.database import invariants, ledger, outbox, tables
from opal.database.engine import Database
from opal.database.invariants import SETTLED, Verdict
from opal.database.items import list_items
from opal.database.jobs import get_job
from opal.database.recorded_blobs import BlobScope
from opal.errors import LeaseLost
from opal.items.events import ItemEvent
from opal.items.states import TERMINAL, ItemState
from opal.queues.interface import Queues
from opal.upkeep.blob_check import Thoroughness, check_blobs


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything but ``items``, ``interrupted`` and ``attempts`` must be zero or empty."""

    items: int
    lost: int
    credits_unaccounted: int
    messages_left: int
    dead_letters: int
    broken: tuple[Verdict, ...]
    """The invariants that do not hold."""
    interrupted: int
    attempts: int

    @property
    def faults(self) -> dict[str, int]:
        """The promises that were broken, by name."""
        figures = ("lost", "credits_unaccounted", "messages_left", "dead_letters")
        told = {name: getattr(self, name) for name in figures if getattr(self, name)}
        return {**told, **{verdict.name: verdict.count for verdict in self.broken}}

    def __str__(self) -> str:
        sound = ", ".join(f"{verdict.name} broken {verdict.count} times" for verdict in self.broken)
        figures = (name for name in self.__slots__ if name != "broken")
        told = ", ".join(f"{name.replace('_', ' ')} {getattr(self, name)}" for name in figures)
        return f"{told}; {sound or 'every invariant holds'}"


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
    """Look at a database where one job, asked for ``presets``, ran and nothing else; it is finished.

    Its tenant was granted ``granted`` credits. Every blob is hashed.
    """
    async with database.read() as connection:
        job = await get_job(connection, job_id)
        assert job is not None
        assert set(job.recipe.presets) == set(presets)
        items = await list_items(connection, job_id)
        balance = await ledger.balance(connection, job.tenant_id)
        events = tables.item_events
        story = (await connection.execute(select(events.c.code, events.c.details))).all()
        attempts = (await connection.execute(select(func.sum(tables.items.c.attempt)))).scalar_one()
    # Taken over by another worker, or given back by the sweeper: a lease ended without a result.
    interrupted = sum(bool(row.details.get("taken_over")) or row.code == LeaseLost.code for row in story)
    exported = [item for item in items if item.state is ItemState.EXPORTED]
    depths = [await queues.depth(queue) for queue in ("jobs", "exports")]
    return Findings(
        items=len(items),
        lost=len(items) - len(exported),
        credits_unaccounted=abs(granted - len(exported) - balance.balance) + balance.held,
        messages_left=sum(depth.active + depth.scheduled for depth in depths),
        dead_letters=sum(depth.dead for depth in depths),
        broken=await broken_invariants(database, blobs),
        interrupted=interrupted,
        attempts=int(attempts),
    )


async def broken_invariants(database: Database, blobs: Blobs) -> tuple[Verdict, ...]:
    """Of a database in which nothing may be under way any more. Every blob is hashed."""
    async with database.read() as connection:
        verdicts = await invariants.examine(connection, patience=SETTLED)
    verdicts.append((await check_blobs(database, blobs, BlobScope(), Thoroughness.HASH)).verdict)
    return tuple(verdict for verdict in verdicts if verdict.count)
