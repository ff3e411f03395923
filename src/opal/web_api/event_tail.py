"""One look at the event table for all event streams of a process, and only while there are any."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from opal.database.engine import Database, utc_now
from opal.database.events import latest_seq, numbers_after
from opal.errors import DependencyError

POLL_S: Final = 0.25
LONGEST_COMMIT: Final = timedelta(seconds=10)
"""A number that is missing for so long belongs to a transaction that was rolled back."""
_LOOK: Final = 5000

_log = structlog.get_logger(__name__)


class EventTail:
    """Wakes its followers when any event was written. ``stop`` wakes them for good.

    PostgreSQL hands out numbers before their transactions commit, so number 7 may be seen before
    number 6. A follower that resumes after 7 would never hear of 6; it therefore reads only up to
    ``settled``, before which nothing can appear any more. SQLite's writers take turns and leave no gaps.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers: set[asyncio.Event] = set()
        self._poller: asyncio.Task[None] | None = None
        self._latest = -1
        self.settled = 0
        self.stopped = False
        # Set while nobody listens and nothing is polled.
        self.idle = asyncio.Event()
        self.idle.set()

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set after every change; clear it before reading, wait on it after."""
        follower = asyncio.Event()
        self._followers.add(follower)
        self.idle.clear()
        try:
            if self._poller is None:
                await self._look()
            if self._poller is None:
                self._poller = asyncio.create_task(self._poll(), name="event-tail")
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers:
                if self._poller is not None:
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
        while True:
            await asyncio.sleep(POLL_S)
            before = (self._latest, self.settled)
            try:
                await self._look()
            except DependencyError as error:
                _log.warning("events cannot be read", action="events.wait", code=error.code)
            if (self._latest, self.settled) != before:
                self._wake()

    async def _look(self) -> None:
        """Find the newest event, and how far nothing is missing."""
        async with self._database.read() as connection:
            self._latest = await latest_seq(connection)
            # After a pause there may be many; what lies far back has settled long ago.
            self.settled = max(self.settled, self._latest - _LOOK)
            for number, at in await numbers_after(connection, self.settled, _LOOK):
                if number != self.settled + 1 and at > utc_now() - LONGEST_COMMIT:
                    break
                self.settled = number
