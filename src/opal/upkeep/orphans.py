"""Removes blobs that no row names: attempts that died, uploads that were never completed, what was marked as
expired and not removed.

A walk through the whole store goes on a little in each turn, and begins again a day after its end.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime, timedelta
from typing import Final

from opal.blobs.interface import CONTAINERS, Blobs, ListedBlob
from opal.database import recorded_blobs
from opal.database.engine import Database
from opal.settings import RetentionSettings
from opal.upkeep.removal import remove

BATCH: Final = 500
"""Blobs looked at per turn."""
REST: Final = timedelta(days=1)


class Orphans:
    """One walk per process; a second process's is harmless."""

    def __init__(
        self, db: Database, blobs: Blobs, settings: RetentionSettings, *, batch: int = BATCH
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._batch = batch
        self._age = timedelta(days=settings.orphans_days)
        self._walk: AsyncGenerator[tuple[str, ListedBlob], None] | None = None
        self._next_walk: datetime | None = None

    async def turn(self, now: datetime) -> int:
        """Look at one batch; returns how many blobs were removed."""
        if self._walk is None:
            if self._next_walk is not None and now < self._next_walk:
                return 0
            self._walk = self._everything()
        old: dict[str, list[str]] = {}
        try:
            for _ in range(self._batch):
                container, blob = await anext(self._walk)
                if blob.modified_at < now - self._age:
                    old.setdefault(container, []).append(blob.path)
        except StopAsyncIteration:
            self._walk, self._next_walk = None, now + REST
        except BaseException:
            # A listing that failed cannot go on.
            await self.close()
            raise
        return sum([await self._remove(container, paths) for container, paths in old.items()])

    async def close(self) -> None:
        """Give the walk up; the next turn begins a new one."""
        if self._walk is not None:
            await self._walk.aclose()
            self._walk = None

    async def _remove(self, container: str, paths: list[str]) -> int:
        async with self._db.read() as connection:
            orphans = await recorded_blobs.unnamed(connection, container, paths)
        await remove(self._blobs, container, orphans)
        return len(orphans)

    async def _everything(self) -> AsyncGenerator[tuple[str, ListedBlob], None]:
        for container in CONTAINERS:
            listed: AsyncIterator[ListedBlob] = self._blobs.walk(container)
            async for blob in listed:
                yield container, blob
