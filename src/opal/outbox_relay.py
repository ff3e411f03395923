"""Publishes the outbox: kicked after each commit that wrote to it, run as a loop by web-api for left-overs.

At least once: a relay that dies between sending and forgetting sends again, under the same message id.
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from contextvars import Context
from itertools import groupby
from operator import attrgetter

import structlog

from opal.database import outbox
from opal.database.engine import Database
from opal.database.outbox import OutboxRow
from opal.errors import MessageTooLarge, OpalError
from opal.queues.interface import Outgoing, Queues
from opal.telemetry import tracing
from opal.telemetry.metrics import OUTBOX_FAILURES, OUTBOX_PUBLISHED
from opal.telemetry.tracing import span_after

BATCH = 100
CLAIM_S = 5.0
"""How long a batch belongs to one relay. Too short costs a duplicate, too long a delay after a crash."""
INTERVAL_S = 2.0

_log = structlog.get_logger(__name__)


class OutboxRelay:
    """One per process that writes outbox rows. Many may run at once: each claims its own rows."""

    def __init__(self, db: Database, queues: Queues) -> None:
        self._db = db
        self._queues = queues
        self._wanted = False
        self._task: asyncio.Task[None] | None = None

    def kick(self) -> None:
        """Publish soon, in the background; call right after a commit. Never fails, never blocks."""
        self._wanted = True
        if self._task is None or self._task.done():
            # In a context of its own: what it publishes is not only the caller's.
            self._task = asyncio.create_task(self._drain(), name="outbox-relay", context=Context())

    async def run(self, stop: asyncio.Event) -> None:
        """Publish what others left behind, every two seconds until ``stop`` is set."""
        while not stop.is_set():
            self.kick()
            try:
                async with asyncio.timeout(INTERVAL_S):
                    await stop.wait()
            except TimeoutError:
                continue
        await self.close()

    async def close(self) -> None:
        """Wait for a publication that is under way; rows that remain are another relay's."""
        if self._task is not None:
            await self._task

    async def publish_pending(self) -> int:
        """Publish until nothing is claimable; returns how many messages were sent.

        Raises ``QueueUnavailable`` or ``DatabaseUnavailable``; the rows are then claimable again soon.
        """
        published = 0
        while rows := await self._claim():
            sent: list[OutboxRow] = []
            for queue, same_queue in groupby(sorted(rows, key=attrgetter("queue")), attrgetter("queue")):
                sent += await self._send(queue, list(same_queue))
            async with self._db.transaction() as connection:
                await outbox.mark_published(connection, sent)
            published += len(sent)
        return published

    async def _send(self, queue: str, rows: Sequence[OutboxRow]) -> Sequence[OutboxRow]:
        """Send the messages of ``rows``; returns them without those too large for their queue, which stay.

        Claimed like all, these hold nobody up; each time their turn comes, they are told again.
        """
        with ExitStack() as sending:
            try:
                await self._queues.send(queue, [_outgoing(row, sending) for row in rows])
            except MessageTooLarge as error:
                rows = [row for row in rows if row.message_id not in error.message_ids]
                OUTBOX_FAILURES.labels(error.code).inc()
                _log.error("message too large", action="outbox.stays", code=error.code, reason=error.message)
        OUTBOX_PUBLISHED.labels(queue).inc(len(rows))
        return rows

    async def _claim(self) -> list[OutboxRow]:
        # Looking first keeps an idle system from taking the write lock every two seconds.
        async with self._db.read() as connection:
            waiting, _oldest = await outbox.pending(connection)
        if not waiting:
            return []
        async with self._db.transaction() as connection:
            return await outbox.claim_batch(connection, BATCH, CLAIM_S)

    async def _drain(self) -> None:
        while self._wanted:
            self._wanted = False
            try:
                published = await self.publish_pending()
            except OpalError as error:
                OUTBOX_FAILURES.labels(error.code).inc()
                _log.warning("outbox waits", action="outbox.waits", code=error.code, reason=error.message)
            else:
                if published:
                    _log.debug("outbox published", action="outbox.published", messages=published)


def _outgoing(row: OutboxRow, sending: ExitStack) -> Outgoing:
    """The message of ``row`` with a span of its own, which lasts as long as the block of ``sending``."""
    attributes = {
        "messaging.operation.type": "send",
        "messaging.destination.name": row.queue,
        "opal.message_id": row.message_id,
        "opal.item_id": row.item_id,
        "opal.correlation_id": row.correlation_id,
    }
    entered = span_after(row.traceparent, f"send {row.queue}", "producer", attributes)
    trace = sending.enter_context(entered).traceparent
    return Outgoing(
        message_id=row.message_id,
        body=row.body,
        correlation_id=row.correlation_id,
        properties={} if trace is None else {tracing.HEADER: trace},
    )
