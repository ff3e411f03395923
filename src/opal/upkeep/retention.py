"""Removes pictures that are older than the settings keep them, a batch per kind and turn.

Age counts from the end of the photo's work. What is removed is marked first; should the process die between
mark and removal, the blob is one that no row names, and `orphans.py` finds it.
"""

from datetime import datetime, timedelta
from typing import Final

from opal.blobs.interface import Blobs
from opal.database.engine import Database
from opal.database.expiry import Kind, Place, expire
from opal.settings import RetentionSettings
from opal.upkeep.removal import remove

BATCH: Final = 200
"""Items per kind and turn."""


class Retention:
    """Walks over ended items, oldest first, once and then behind their age."""

    def __init__(
        self, db: Database, blobs: Blobs, settings: RetentionSettings, *, batch: int = BATCH
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._batch = batch
        days = {
            Kind.RAW: settings.raw_days,
            Kind.OUTPUTS: settings.outputs_days,
            Kind.EXPORTS: settings.exports_days,
        }
        self._kept = {kind: timedelta(days=kept) for kind, kept in days.items() if kept is not None}
        # Everything before it is marked, so that no turn looks at it again.
        self._places: dict[Kind, Place] = {}

    async def turn(self, now: datetime) -> int:
        """Mark and remove one batch of each kind; returns how many blobs."""
        removed = 0
        for kind, kept in self._kept.items():
            async with self._db.transaction() as connection:
                paths, place = await expire(connection, kind, now - kept, self._batch, self._places.get(kind))
            if place is not None:
                self._places[kind] = place
            await remove(self._blobs, kind.value, paths)
            removed += len(paths)
        return removed
