"""One look at the event table for all event streams of a process, and only while there are any."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from opal.database.engine import Database
from opal.database.events import latest_seq
from opal.errors import DependencyError

POLL_S: Final = 0.25

_log = structlog.get_logger(__name__)


class EventTail:
    """Wakes its followers when any event was written. ``stop`` wakes them for good."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers: set[asyncio.Event] = set()
        self._poller: asyncio.Task[None] | None = None
        self.stopped = False
        # Set while nobody listens and nothing is polled.
        self.idle = asyncio.Event()
        self.idle.set()

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set after every change; clear it before reading, wait on it after."""
        follower = asyncio.Event()
        self._followers.add(follower)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="event-tail")
            self.idle.clear()
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers and self._poller is not None:
                self._poller.cancel()
                self._poller = None
                self.idle.set()

    def stop(self) -> None:
        """Let every follower end; new ones end at once."""
        self.stopped = True
        self._wake()

    def _wake(self) -> None:
        for follower in self._followers:
            follower.set()

    async def _poll(self) -> None:
        seen = -1
        while True:
            try:
                async with self._database.read() as connection:
                    latest = await latest_seq(connection)
            except DependencyError as error:
                _log.warning("events cannot be read", action="events.wait", code=error.code)
            else:
                if latest != seen:
                    seen = latest
                    self._wake()
            await asyncio.sleep(POLL_S)
