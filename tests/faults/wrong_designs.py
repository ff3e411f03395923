"""Opal as it must not be: each worker here has one fault of design, and works well while nothing happens.

The controls of the experiments, which must find them out. Each runs in a forked process of its own, so what
it bends there is bent nowhere else.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.faults.entries import orchestrator_that, run, slow_orchestrator_of
from tests.faults.passing import Passing

from opal.assembly import Parts, build_parts
from opal.blobs.interface import Blobs
from opal.database import items, ledger, tables
from opal.database.engine import utc_now
from opal.export_worker import app as export_worker_app
from opal.items.item import Item
from opal.orchestrator import app as orchestrator_app
from opal.queues.interface import Queues, Received, Receiver
from opal.scoring_client.client import ScoringClient
from opal.settings import Settings
from opal.worker.health import Heartbeat


def settles_first(settings: Settings) -> None:
    """An orchestrator that removes a message when it receives it, and works afterwards."""
    parts = build_parts(settings)
    parts = replace(parts, queues=cast(Queues, SettlingFirst(parts.queues)))
    asyncio.run(run(orchestrator_app.build_worker(parts, ScoringClient(settings.scoring), Heartbeat()).run))


def charges_first(settings: Settings) -> None:
    """An orchestrator that charges each attempt, in a transaction of its own and before the work."""
    ledger.debit = _charged_before
    asyncio.run(run(orchestrator_that(_charge, settings).run))


def writes_unfenced(settings: Settings) -> None:
    """A slow orchestrator whose writes name no attempt, and which never hears that its lease is lost."""
    items._guarded_update = _unguarded_update
    items.renew_lease = _always_renewed
    asyncio.run(run(slow_orchestrator_of(settings).run))


def stores_behind(settings: Settings) -> None:
    """An export-worker that records pictures before they are stored."""
    parts = build_parts(settings)
    parts = replace(parts, blobs=cast(Blobs, StoringBehind(parts.blobs)))
    asyncio.run(run(export_worker_app.build_worker(parts, Heartbeat()).run))


def dies_of_sigterm(settings: Settings) -> None:
    """An orchestrator that does not listen when it is asked to stop."""
    parts = build_parts(settings)
    worker = orchestrator_app.build_worker(parts, ScoringClient(settings.scoring), Heartbeat())
    asyncio.run(worker.run(asyncio.Event()))


class SettlingFirst(Passing):
    """Queues whose messages are gone as soon as they are received."""

    def receiver(self, queue: str) -> Receiver:
        """A consumer that has nothing left to settle."""
        return cast(Receiver, SettledReceiver(self.inner.receiver(queue)))


class SettledReceiver(Passing):
    """Settles what it receives."""

    async def receive(self, max_messages: int, timeout: float) -> Sequence[Received]:
        """And removes it."""
        messages: Sequence[Received] = await self.inner.receive(max_messages, timeout)
        for message in messages:
            await self.inner.complete(message)
        return messages

    async def complete(self, message: Received) -> None:
        """Done already."""

    async def renew(self, message: Received) -> object:
        """Nothing is locked."""
        return message.locked_until


class StoringBehind(Passing):
    """Blobs that answer before they have stored anything."""

    async def write(self, container: str, path: str, data: bytes, *, content_type: str) -> None:
        """Soon."""
        self._later = asyncio.create_task(self._store(container, path, data, content_type))

    async def _store(self, container: str, path: str, data: bytes, content_type: str) -> None:
        await asyncio.sleep(2.0)
        await self.inner.write(container, path, data, content_type=content_type)


async def _charged_before(connection: AsyncConnection, item: Item) -> bool:
    return True


async def _charge(parts: Parts, item: Item) -> None:
    """The hold ends with the first attempt; a kind per attempt is no defence against the second."""
    held = -1 if item.attempt == 1 else 0
    entry = {"tenant_id": item.tenant_id, "job_id": item.job_id, "item_id": item.id, "note": ""}
    amounts = {"kind": f"debit {item.attempt}", "amount": -1, "held": held, "created_at": utc_now()}
    async with parts.database.transaction() as connection:
        await connection.execute(insert(tables.ledger).values(**entry, **amounts))
        await ledger._shift(connection, item.tenant_id, -1, held)


async def _unguarded_update(connection: AsyncConnection, item: Item, values: Mapping[str, Any]) -> Item:
    now = utc_now()
    await connection.execute(
        update(tables.items).where(tables.items.c.id == item.id).values(**values, updated_at=now)
    )
    return replace(item, **values, updated_at=now)


async def _always_renewed(connection: AsyncConnection, item: Item, lease_s: float) -> bool:
    return True
