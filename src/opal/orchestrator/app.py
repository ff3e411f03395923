"""The orchestrator's process: builds its parts and works until told to stop.

Called by `opal orchestrator`.
"""

from functools import partial

from opal import telemetry
from opal.assembly import Parts, build_parts
from opal.database.items import Stage
from opal.items.item import Item
from opal.messages.job_message import JobMessage
from opal.orchestrator.process_item import BY, Means, process_item
from opal.scoring_client.client import ScoringClient
from opal.settings import Settings
from opal.worker.health import Heartbeat
from opal.worker.item_stage import ItemStage
from opal.worker.loop import WorkerLoop
from opal.worker.process import run_worker


async def main(settings: Settings) -> None:
    """Consume ``jobs`` until SIGTERM or SIGINT."""
    with telemetry.running(settings, BY):
        await _work(settings)


async def _work(settings: Settings) -> None:
    parts = build_parts(settings)
    scoring = ScoringClient(settings.scoring)
    try:
        await run_worker(parts, partial(build_worker, parts, scoring))
    finally:
        await scoring.close()
        await parts.close()


def build_worker(parts: Parts, scoring: ScoringClient, heartbeat: Heartbeat) -> WorkerLoop[JobMessage]:
    """The loop with the orchestrator's stage in it."""
    return WorkerLoop(
        parts.queues,
        JobMessage.QUEUE,
        JobMessage,
        build_stage(parts, scoring),
        settings=parts.settings.worker,
        heartbeat=heartbeat,
    )


def build_stage(parts: Parts, scoring: ScoringClient) -> ItemStage[JobMessage]:
    """The stage around the steps of ``process_item.py``."""
    means = Means(parts.database, parts.blobs, scoring, parts.relay, review_below=parts.settings.review.below)

    async def perform(item: Item, _message: JobMessage) -> None:
        await process_item(means, item)

    return ItemStage(
        parts.database,
        Stage.PROCESS,
        by=BY,
        settings=parts.settings.worker,
        max_deliveries=parts.settings.queue.max_delivery_count,
        perform=perform,
    )
