"""Publishes the outbox: kicked after each commit that wrote to it, run as a loop by web-api for left-overs.

At least once: a relay that dies between sending and forgetting sends again, under the same message id.
"""

import asyncio
from itertools import groupby
from operator import attrgetter

import structlog

from opal.database import outbox
from opal.database.engine import Database
from opal.database.outbox import OutboxRow
from opal.errors import OpalError
from opal.queues.interface import Outgoing, Queues

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
            self._task = asyncio.create_task(self._drain(), name="outbox-relay")

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
            for queue, same_queue in groupby(sorted(rows, key=attrgetter("queue")), attrgetter("queue")):
                await self._queues.send(queue, [_outgoing(row) for row in same_queue])
            async with self._db.transaction() as connection:
                await outbox.mark_published(connection, rows)
            published += len(rows)
        return published

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
                _log.warning("outbox waits", action="outbox.waits", code=error.code, reason=error.message)
            else:
                if published:
                    _log.debug("outbox published", action="outbox.published", messages=published)


def _outgoing(row: OutboxRow) -> Outgoing:
    return Outgoing(message_id=row.message_id, body=row.body, correlation_id=row.correlation_id)
