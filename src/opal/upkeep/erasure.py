"""Deletes all data of tenants who asked for it: a step at a time, each of which may be done again.

What has been done is in the database, so a process that dies half-way is followed by the next one's turn. The
steps are always begun from the first: one that has nothing left to do costs a query.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from opal.blobs.interface import CONTAINERS, SIGNED_URL_LIFETIME, Blobs
from opal.database import erasures
from opal.database.engine import Database, utc_now
from opal.database.erasures import Erasure
from opal.upkeep.removal import remove

LATE: Final = SIGNED_URL_LIFETIME + timedelta(minutes=5)
"""How long a signed URL that is out, or an attempt that began before, may still write a blob."""

_BATCH: Final = 100
_OWNER = re.compile(r"[^/]+/(?:jobs|backdrops)/([^/]+)/.+")

_log = structlog.get_logger(__name__)


class Eraser:
    """Any number may work on one database. `POST /v1.0/improve` keeps pictures in ``improve_folder``."""

    def __init__(self, db: Database, blobs: Blobs, improve_folder: Path | None) -> None:
        self._db = db
        self._blobs = blobs
        self._improve_folder = improve_folder

    async def turn(self, stop: asyncio.Event) -> int:
        """Go on with every erasure until it is done, waits for late writers, or ``stop`` is set.

        Returns how many were finished.
        """
        async with self._db.read() as connection:
            wishes = await erasures.running(connection)
        return sum([await self._erase(wish, stop) for wish in wishes])

    async def _erase(self, wish: Erasure, stop: asyncio.Event) -> bool:
        async for _step in self._steps(wish):
            if stop.is_set():
                return False
        if utc_now() < wish.late_until:
            return False
        await self._remove_left_blobs(wish)
        async with self._db.transaction() as connection:
            done = await erasures.finish(connection, wish)
        _log.info(
            "data erased",
            action="erasure.done",
            tenant_id=wish.tenant_id,
            receipt=wish.id,
            deleted=dict(done.counts),
        )
        return True

    async def _steps(self, wish: Erasure) -> AsyncIterator[None]:
        """Everything but the blobs that may be written late; one small transaction between two yields."""
        # Receivers first, so that nobody is told of what is ended and deleted now.
        for table in erasures.settings_tables():
            gone = 1
            while gone:
                async with self._db.transaction() as connection:
                    gone = await erasures.delete_settings(connection, wish, table)
                yield
        ended = 1
        while ended:
            async with self._db.transaction() as connection:
                ended = await erasures.end_items(connection, wish, _BATCH)
            yield
        while job_id := await self._next_job(wish):
            await self._remove_below(wish, f"{wish.tenant_id}/jobs/{job_id}/")
            # After its blobs: a job that is there has blobs to remove.
            async with self._db.transaction() as connection:
                await erasures.delete_job(connection, wish, job_id)
            yield
        async with self._db.transaction() as connection:
            await erasures.delete_strays(connection, wish)
        await self._remove_improve_folder(wish)

    async def _next_job(self, wish: Erasure) -> str | None:
        async with self._db.read() as connection:
            return await erasures.next_job(connection, wish)

    async def _remove_below(self, wish: Erasure, prefix: str, there: frozenset[str] | None = None) -> None:
        """Remove the blobs in a folder of every container, but those of what is ``there``."""
        for container in CONTAINERS:
            paths: list[str] = []
            size = 0
            async for blob in self._blobs.walk(container, prefix):
                owner = _OWNER.fullmatch(blob.path)
                later = blob.modified_at > wish.late_until if owner is None else owner[1] in (there or ())
                if later:
                    continue
                paths.append(blob.path)
                size += blob.size
                if len(paths) == _BATCH:
                    await self._remove(wish, container, paths, size)
                    paths, size = [], 0
            await self._remove(wish, container, paths, size)

    async def _remove(self, wish: Erasure, container: str, paths: list[str], size: int) -> None:
        if not paths:
            return
        await remove(self._blobs, container, paths)
        more = Counter({f"blobs_{container}": len(paths), "blob_bytes": size})
        async with self._db.transaction() as connection:
            await erasures.count(connection, wish, more)

    async def _remove_left_blobs(self, wish: Erasure) -> None:
        """What late writers left, and every other blob of the tenant's."""
        async with self._db.read() as connection:
            there = frozenset(await erasures.jobs_there(connection, wish.tenant_id))
        await self._remove_below(wish, f"{wish.tenant_id}/", there)

    async def _remove_improve_folder(self, wish: Erasure) -> None:
        if self._improve_folder is None:
            return
        folder = self._improve_folder / wish.tenant_id
        removed = await asyncio.to_thread(_remove_older, folder, wish.requested_at)
        if removed:
            async with self._db.transaction() as connection:
                await erasures.count(connection, wish, {"improve_files": removed})


def _remove_older(folder: Path, wished_at: datetime) -> int:
    """Remove the files of before, and folders that have none; returns how many files."""
    files = 0
    # What is in a folder comes before it.
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            with suppress(OSError):
                path.rmdir()
        elif path.lstat().st_mtime <= wished_at.timestamp():
            path.unlink(missing_ok=True)
            files += 1
    with suppress(OSError):
        folder.rmdir()
    return files
