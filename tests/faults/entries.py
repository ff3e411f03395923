"""The mains of Opal's services, and slow workers, as `process_server.py` starts them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

from tests.faults.inline_endpoint import InlineEndpoint, is_slow
from tests.faults.passing import SlowlyRead

from opal.assembly import Parts, build_parts
from opal.blobs.interface import Blobs
from opal.console import app as web_api_app
from opal.database.items import Stage
from opal.export_worker import app as export_worker_app
from opal.items.item import Item
from opal.messages.export_message import ExportMessage
from opal.messages.job_message import JobMessage
from opal.orchestrator import app as orchestrator_app
from opal.orchestrator.process_item import BY, Means, process_item
from opal.scoring_client.client import ScoringClient
from opal.settings import Settings
from opal.worker.health import Heartbeat
from opal.worker.item_stage import ItemStage
from opal.worker.loop import WorkerLoop
from opal.worker.shutdown import stop_on_signals

Before = Callable[[Parts, Item], Awaitable[None]]


def orchestrator(settings: Settings) -> None:
    """`opal orchestrator`."""
    asyncio.run(orchestrator_app.main(settings))


def export_worker(settings: Settings) -> None:
    """`opal export-worker`."""
    asyncio.run(export_worker_app.main(settings))


def web_api(settings: Settings) -> None:
    """`opal web-api`, with relay and sweeper."""
    web_api_app.serve(settings)


def slow_orchestrator(settings: Settings) -> None:
    """An orchestrator whose endpoint keeps it waiting."""
    asyncio.run(run(slow_orchestrator_of(settings).run))


def slow_export_worker(settings: Settings) -> None:
    """An export-worker whose blobs keep it waiting."""
    asyncio.run(run(slow_export_worker_of(settings).run))


def slow_orchestrator_of(settings: Settings) -> WorkerLoop[JobMessage]:
    """Its loop."""
    return orchestrator_app.build_worker(build_parts(settings), InlineEndpoint(is_slow), Heartbeat())


def slow_export_worker_of(settings: Settings) -> WorkerLoop[ExportMessage]:
    """Its loop."""
    parts = build_parts(settings)
    return export_worker_app.build_worker(
        replace(parts, blobs=cast(Blobs, SlowlyRead(parts.blobs))), Heartbeat()
    )


def orchestrator_that(before: Before, settings: Settings) -> WorkerLoop[JobMessage]:
    """An orchestrator's loop in which something happens before an item's steps."""
    parts = build_parts(settings)
    scoring = ScoringClient(settings.scoring)
    means = Means(parts.database, parts.blobs, scoring, parts.relay, review_below=settings.review.below)

    async def perform(item: Item, _message: JobMessage) -> None:
        await before(parts, item)
        await process_item(means, item)

    stage = ItemStage(
        parts.database,
        Stage.PROCESS,
        by=BY,
        settings=settings.worker,
        max_deliveries=settings.queue.max_delivery_count,
        perform=perform,
    )
    return WorkerLoop(parts.queues, JobMessage.QUEUE, JobMessage, stage, settings=settings.worker)


async def run(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Until SIGTERM."""
    with stop_on_signals() as stop:
        await work(stop)
