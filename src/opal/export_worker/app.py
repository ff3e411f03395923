"""The export-worker's process: builds its parts and works until told to stop.

Called by `opal export-worker`.
"""

from functools import partial

from opal import telemetry
from opal.assembly import Parts, build_parts
from opal.content_credentials.sign import PictureSigner
from opal.database.items import Stage
from opal.decoder.client import start_decoder
from opal.export_worker.export_item import BY, Means, export_item
from opal.heap import limit_heaps
from opal.images.limits import Limits
from opal.items.item import Item
from opal.messages.export_message import ExportMessage
from opal.settings import Settings
from opal.worker.health import Heartbeat
from opal.worker.item_stage import ItemStage
from opal.worker.loop import WorkerLoop
from opal.worker.process import run_worker


async def main(settings: Settings) -> None:
    """Consume ``exports`` until SIGTERM or SIGINT."""
    limit_heaps()
    with telemetry.running(settings, BY):
        await _work(settings)


async def _work(settings: Settings) -> None:
    start_decoder()
    parts = build_parts(settings)
    try:
        await run_worker(parts, partial(build_worker, parts))
    finally:
        await parts.close()


def build_worker(parts: Parts, heartbeat: Heartbeat) -> WorkerLoop[ExportMessage]:
    """The loop with the export-worker's stage in it."""
    return WorkerLoop(
        parts.queues,
        ExportMessage.QUEUE,
        ExportMessage,
        build_stage(parts),
        settings=parts.settings.worker,
        heartbeat=heartbeat,
    )


def build_stage(parts: Parts) -> ItemStage[ExportMessage]:
    """The stage around the steps of ``export_item.py``.

    Raises InvalidSettings for a certificate that cannot sign.
    """
    signer = PictureSigner.of(parts.settings.signing)
    means = Means(
        parts.database,
        parts.blobs,
        Limits.of(parts.settings.photo),
        signer,
        public_links_url=parts.settings.public_links_url,
    )

    async def perform(item: Item, _message: ExportMessage) -> None:
        await export_item(means, item)

    return ItemStage(
        parts.database,
        Stage.EXPORT,
        by=BY,
        settings=parts.settings.worker,
        max_deliveries=parts.settings.queue.max_delivery_count,
        perform=perform,
    )
