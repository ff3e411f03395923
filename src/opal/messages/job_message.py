"""What travels on the queue ``jobs``: one uploaded item that wants to be cut out and placed."""

from typing import ClassVar

from opal.messages.envelope import Envelope, OutboxWriter


class JobMessage(Envelope):
    """Sent by web-api and the sweeper, consumed by the orchestrator only."""

    QUEUE: ClassVar[str] = "jobs"


async def send_job_message(outbox: OutboxWriter, message: JobMessage) -> None:
    """Send ``message`` to ``jobs``, if and when the surrounding transaction commits."""
    await outbox.add(JobMessage.QUEUE, message)
