"""The embedded queue: peek-lock on a SQLite file, for any number of processes on one machine.

Built by ``assembly.py`` when ``OPAL_QUEUE_ADAPTER=local``. For more than one machine use Service Bus.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import structlog

from opal.errors import QueueUnavailable
from opal.platform_settings import QueueSettings
from opal.queues.doorbell import Doorbell, ring
from opal.queues.interface import Depth, Outgoing, Peeked, Received
from opal.queues.local_store import LocalStore

_log = structlog.get_logger(__name__)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")

T = TypeVar("T")


class LocalQueues:
    """All queues of one data folder, in the file ``path``; implements ``Queues``.

    SQLite is called in one thread of its own, so the event loop never waits for the disk and the
    calls of this process follow each other in order.
    """

    def __init__(self, path: Path, runtime_dir: Path, settings: QueueSettings) -> None:
        self._store = LocalStore(path, settings)
        self._runtime_dir = runtime_dir
        self._settings = settings
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="opal-queue")
        self._closed = False

    async def send(self, queue: str, messages: Sequence[Outgoing]) -> None:
        """Send all or none; ids sent within the duplicate window are dropped."""
        name = _checked(queue)
        if messages:
            await self.call(lambda: self._store.send(name, messages), rings=name)

    def receiver(self, queue: str) -> "LocalReceiver":
        """A new consumer of ``queue``."""
        return LocalReceiver(self, self._store, self._settings, self._runtime_dir, _checked(queue))

    async def peek(self, queue: str, *, dead: bool = False, limit: int = 50) -> Sequence[Peeked]:
        """The oldest messages or dead letters, unlocked."""
        name = _checked(queue)
        return await self.call(lambda: self._store.peek(name, dead=dead, limit=limit))

    async def redrive(self, queue: str, limit: int = 100) -> int:
        """Send dead letters again, oldest first; returns how many."""
        name = _checked(queue)
        return await self.call(lambda: self._store.redrive(name, limit), rings=name)

    async def purge(self, queue: str, limit: int = 100, *, reason: str | None = None) -> int:
        """Remove dead letters for good, oldest first; returns how many."""
        name = _checked(queue)
        return await self.call(lambda: self._store.purge(name, limit, reason))

    async def depth(self, queue: str) -> Depth:
        """How full the queue is."""
        name = _checked(queue)
        return await self.call(lambda: self._store.depth(name))

    async def check(self) -> None:
        """Return when the file can be written, else raise ``QueueUnavailable``."""
        await self.call(self._store.check)

    async def close(self) -> None:
        """Close the file; later calls raise ``QueueUnavailable``."""
        if not self._closed:
            closing = self.submit(self._store.close)
            self._closed = True
            await asyncio.shield(asyncio.wrap_future(closing))
            self._thread.shutdown(wait=False)

    def submit(self, work: Callable[[], T], rings: str | None = None) -> Future[T]:
        """Queue ``work`` for the SQLite thread; after it, wake the receivers of the queue ``rings``."""
        if self._closed:
            raise QueueUnavailable("the queues are closed")

        def run() -> T:
            result = work()
            if rings is not None:
                ring(self._runtime_dir, rings)
            return result

        return self._thread.submit(run)

    async def call(self, work: Callable[[], T], rings: str | None = None) -> T:
        """Run ``work`` in the SQLite thread; when we are cancelled, it is not run or runs to its end."""
        return await asyncio.wrap_future(self.submit(work, rings))


class LocalReceiver:
    """A consumer of one embedded queue; ``receive`` from one task, settle from any."""

    def __init__(
        self, queues: LocalQueues, store: LocalStore, settings: QueueSettings, runtime_dir: Path, queue: str
    ) -> None:
        self._queues = queues
        self._store = store
        self._settings = settings
        self._runtime_dir = runtime_dir
        self._queue = queue
        self._bell: Doorbell | None = None
        self._closed = False

    async def receive(self, max_messages: int, timeout: float) -> Sequence[Received]:
        """Up to ``max_messages``, waiting for the first: for a ring, the next due time or the safety poll."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + timeout
        if self._closed:
            raise QueueUnavailable("the receiver is closed")
        if self._bell is None:
            self._bell = Doorbell(self._runtime_dir, self._queue)
        bell = self._bell
        while True:
            bell.reset()
            due = await self._queues.call(lambda: self._store.next_due(self._queue))
            wait = self._settings.poll_s
            if due is not None:
                wait = min(wait, (due - datetime.now(UTC)).total_seconds())
            if wait <= 0 and (messages := await self._claim(max_messages)):
                return messages
            left = give_up_at - loop.time()
            if left <= 0:
                return []
            await bell.wait(min(wait, left))
            if self._closed:
                return []

    async def complete(self, message: Received) -> None:
        """Remove the message for good."""
        await self._queues.call(lambda: self._store.complete(message))

    async def abandon(self, message: Received, delay: timedelta = timedelta(0)) -> None:
        """Give the message back, visible again after ``delay``."""
        await self._queues.call(lambda: self._store.abandon(message, delay), rings=self._queue)

    async def dead_letter(self, message: Received, reason: str, description: str) -> None:
        """Put the message aside for an operator."""
        await self._queues.call(lambda: self._store.dead_letter(message, reason, description))

    async def renew(self, message: Received) -> datetime:
        """Lock the message for another lock period from now."""
        return await self._queues.call(lambda: self._store.renew(message))

    async def close(self) -> None:
        """Stop receiving; a ``receive`` that waits returns without messages."""
        self._closed = True
        if self._bell is not None:
            self._bell.wake()
            self._bell.close()
            self._bell = None

    async def _claim(self, limit: int) -> list[Received]:
        claiming = self._queues.submit(lambda: self._store.claim(self._queue, limit))
        try:
            return await asyncio.wrap_future(claiming)
        except asyncio.CancelledError:
            # Nobody will ever see these messages: the thread works in order, so right after the
            # claim it gives them back, instead of leaving them locked for a whole lock period.
            with suppress(QueueUnavailable):
                self._queues.submit(lambda: self._give_back(claiming), rings=self._queue)
            raise

    def _give_back(self, claiming: "Future[list[Received]]") -> None:
        if claiming.cancelled() or claiming.exception() is not None:
            return
        try:
            self._store.give_back(claiming.result())
        except QueueUnavailable as error:
            _log.warning(
                "messages not given back",
                action="queue.give_back_failed",
                queue=self._queue,
                error=str(error),
            )


def _checked(queue: str) -> str:
    """The name goes into socket names, so it stays plain."""
    if not _NAME.fullmatch(queue):
        raise ValueError(f"not a queue name: {queue!r}")
    return queue
