"""Opal's line of work on one event loop: relay, sweeper and workers, on parts of which any may be wrapped.

For experiments in which no process dies, but a part in between lies, fails or is away. What the line leaves
behind is judged by ``findings.py``.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from tests.services.http_services import migrated
from tests.services.pipeline_world import TENANT, World

from opal.assembly import Parts, build_parts
from opal.blobs.interface import Blobs
from opal.database import keys, ledger, outbox
from opal.database.tables import items
from opal.export_worker.app import build_worker as build_exports
from opal.items.states import TERMINAL
from opal.messages.job_message import JobMessage
from opal.orchestrator.app import build_stage
from opal.outbox_relay import OutboxRelay
from opal.queues.interface import Queues
from opal.scoring_client.client import ScoringClient
from opal.settings import load_settings
from opal.sweeper import Sweeper
from opal.worker.health import Heartbeat
from opal.worker.loop import Handler, WorkerLoop

PRESETS = ("thumbnail-webp",)
"""One small picture per photo: what is looked at here is the way, not the pictures."""


@asynccontextmanager
async def opened_parts(folder: Path, granted: int, **groups: Any) -> AsyncIterator[World]:
    """Parts in ``folder`` whose tenant has ``granted`` credits; ``groups`` replace groups of settings."""
    settings = load_settings(data_dir=folder, **groups)
    await migrated(settings)
    parts = build_parts(settings)
    try:
        async with parts.database.transaction() as connection:
            await keys.ensure_tenant(connection, TENANT, "Acme")
            await ledger.grant(connection, TENANT, granted)
        yield World(parts)
    finally:
        await parts.close()


def with_queues(parts: Parts, queues: Queues, relay: type[OutboxRelay] = OutboxRelay) -> Parts:
    """The parts with other queues, and with what stands on them."""
    return replace(
        parts,
        queues=queues,
        relay=relay(parts.database, queues),
        sweeper=Sweeper(parts.database, queues, parts.settings),
    )


def with_blobs(parts: Parts, blobs: Blobs) -> Parts:
    """The parts with another store."""
    return replace(parts, blobs=blobs)


MakeHandler = Callable[[Parts, ScoringClient], Handler[JobMessage]]


@asynccontextmanager
async def working(
    parts: Parts, scoring: ScoringClient, *, handler: MakeHandler = build_stage, loops: bool = True
) -> AsyncIterator[None]:
    """Both workers, and the relay's and the sweeper's ``loops`` unless another service runs them.

    ``handler`` takes the place of the orchestrator's stage.
    """
    stop = asyncio.Event()
    jobs = WorkerLoop(
        parts.queues,
        JobMessage.QUEUE,
        JobMessage,
        handler(parts, scoring),
        settings=parts.settings.worker,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(jobs.run(stop))
        tasks.create_task(build_exports(parts, Heartbeat()).run(stop))
        if loops:
            tasks.create_task(parts.relay.run(stop))
            tasks.create_task(parts.sweeper.run(stop))
        try:
            yield
        finally:
            stop.set()


async def unfinished(parts: Parts) -> int:
    """Items that have not ended."""
    async with parts.database.read() as connection:
        query = select(func.count()).where(items.c.state.not_in(sorted(TERMINAL)))
        return int((await connection.execute(query)).scalar_one())


async def messages_left(parts: Parts) -> int:
    """Messages in the outbox and on the queues, dead letters aside."""
    async with parts.database.read() as connection:
        waiting, _oldest = await outbox.pending(connection)
    depths = [await parts.queues.depth(queue) for queue in ("jobs", "exports")]
    return waiting + sum(depth.active + depth.scheduled for depth in depths)


async def settled(parts: Parts, within_s: float) -> float:
    """Wait until every item has ended and no message is left; returns the seconds that it took.

    Returns as well when time is up: what is left then is found by whoever looks.
    """
    started = time.monotonic()
    while time.monotonic() < started + within_s:
        if not await unfinished(parts) and not await messages_left(parts):
            break
        await asyncio.sleep(0.1)
    return time.monotonic() - started


async def quiet(parts: Parts, within_s: float) -> None:
    """Wait until no message is left, whatever the items wait for."""
    give_up_at = time.monotonic() + within_s
    # The databases tell nobody when they change.
    while time.monotonic() < give_up_at and await messages_left(parts):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
