"""What travels on the queue ``exports``: one completed item that wants its variants."""

from typing import ClassVar

from opal.messages.envelope import Envelope, OutboxWriter


class ExportMessage(Envelope):
    """Sent by the orchestrator and the sweeper, consumed by the export-worker only."""

    QUEUE: ClassVar[str] = "exports"


async def send_export_message(outbox: OutboxWriter, message: ExportMessage) -> None:
    """Send ``message`` to ``exports``, if and when the surrounding transaction commits."""
    await outbox.add(ExportMessage.QUEUE, message)
