"""Figures that are read rather than counted: how full queues, database and outbox are.

``/metrics`` of web-api calls ``Stock.take`` before it answers. Reading costs queries over whole tables and a
look through the queues, so that it is done at most so often, whoever asks.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from opal.database import figures
from opal.database.engine import Database
from opal.errors import OpalError
from opal.operations.queues import age_s, depths
from opal.queues.interface import Queues
from opal.telemetry import metrics

FRESH_S = 10.0
"""Figures younger than this are not read anew."""
SHARE = 20
"""Nor are they before this many times what reading them took: a twentieth of the time is spent on it."""
LONGEST_S = 5.0
"""Whoever asks waits no longer, and gets the figures as they were."""

_log = structlog.get_logger(__name__)


class Stock:
    """One per web-api; safe to be asked by many at once."""

    def __init__(self, database: Database, queues: Queues) -> None:
        self._parts = [
            _Part("database", lambda: _count_database(database)),
            _Part("queues", lambda: _count_queues(queues)),
        ]

    async def take(self) -> None:
        """Bring the gauges up to date where they are old; what is away for now keeps its figures."""
        await asyncio.gather(*(part.take() for part in self._parts))


class _Part:
    """Figures that are read together, by one task at a time."""

    def __init__(self, name: str, read: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._read = read
        self._fresh_until = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def take(self) -> None:
        if time.monotonic() < self._fresh_until:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._take(), name=f"stock-{self._name}")
        await asyncio.wait([self._reading], timeout=LONGEST_S)

    async def _take(self) -> None:
        begun = time.monotonic()
        try:
            await self._read()
        except OpalError as error:
            metrics.STOCK_FAILURES.labels(self._name).inc()
            _log.warning("figures not read", action="stock.failed", part=self._name, code=error.code)
        else:
            metrics.STOCK_AT.labels(self._name).set_to_current_time()
        took = time.monotonic() - begun
        metrics.STOCK_SECONDS.labels(self._name).set(took)
        self._fresh_until = time.monotonic() + max(FRESH_S, SHARE * took)


async def _count_database(database: Database) -> None:
    async with database.read() as connection:
        found = await figures.count(connection)
    for state, number in found.items.items():
        metrics.ITEMS.labels(state).set(number)
    # A code whose last item is gone must not stay.
    metrics.ITEMS_FAILED.clear()
    for code, number in found.failed.items():
        metrics.ITEMS_FAILED.labels(metrics.code_label(code)).inc(number)
    for kind in ("granted", "debited", "refunded", "balance", "held"):
        metrics.CREDITS.labels(kind).set(getattr(found, kind))
    metrics.LEDGER_GAP.set(found.gap)
    metrics.OUTBOX_MESSAGES.set(found.outbox)
    metrics.OUTBOX_OLDEST.set(age_s(found.outbox_oldest))


async def _count_queues(queues: Queues) -> None:
    for name, depth in (await depths(queues)).items():
        for kind in ("active", "scheduled", "dead"):
            metrics.QUEUE_MESSAGES.labels(name, kind).set(getattr(depth, kind))
        metrics.QUEUE_OLDEST.labels(name).set(age_s(depth.oldest_active))
