"""The loop that keeps the store in order; run by web-api beside the sweeper, which heals work half-done.

Each part has its turn every minute, and what fails in one does not hold up the others.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

import structlog

from opal.blobs.interface import Blobs
from opal.database.engine import Database, utc_now
from opal.errors import OpalError
from opal.settings import Settings
from opal.upkeep.erasure import Eraser
from opal.upkeep.orphans import Orphans
from opal.upkeep.retention import Retention

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """What one turn did; all zero when there was nothing to do."""

    blobs_expired: int = 0
    orphans_removed: int = 0
    erasures_done: int = 0


class Upkeep:
    """One per web-api process."""

    def __init__(self, db: Database, blobs: Blobs, settings: Settings) -> None:
        self._interval_s = settings.sweeper.interval_s
        self._eraser = Eraser(db, blobs, settings.removebg.improve_folder)
        self._retention = Retention(db, blobs, settings.retention)
        self._orphans = Orphans(db, blobs, settings.retention)
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()

    def kick(self) -> None:
        """Have a turn now: somebody asked for an erasure."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Have a turn every ``interval_s``, and when kicked, until ``stop`` is set."""
        stopping = asyncio.create_task(self._pass_on(stop))
        try:
            while not stop.is_set():
                self._wake.clear()
                await self.tend()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._interval_s):
                        await self._wake.wait()
        finally:
            stopping.cancel()
            await self._orphans.close()

    async def tend(self) -> UpkeepReport:
        """One turn of each part."""
        now = utc_now()
        report = UpkeepReport(
            erasures_done=await _counted("erasure", lambda: self._eraser.turn(self._stop)),
            blobs_expired=await _counted("retention", lambda: self._retention.turn(now)),
            orphans_removed=await _counted("orphans", lambda: self._orphans.turn(now)),
        )
        if report != UpkeepReport():
            _log.info("upkeep done", action="upkeep.done", **asdict(report))
        return report

    async def _pass_on(self, stop: asyncio.Event) -> None:
        """Wake the loop, and end a long erasure after its step."""
        await stop.wait()
        self._stop.set()
        self._wake.set()


async def _counted(part: str, turn: Callable[[], Awaitable[int]]) -> int:
    """What the turn did; nothing where it failed, which is logged and tried again."""
    try:
        return await turn()
    except OpalError as error:
        told = {"part": part, "code": error.code, "reason": error.message}
        _log.warning("upkeep failed", action="upkeep.failed", **told)
    except Exception:
        # A bug in one part must not end the others for good.
        _log.exception("upkeep failed", action="upkeep.failed", part=part)
    return 0
