"""Heals what was left half-done: ended leases, lost messages, expired uploads, stray holds, dead letters.

Run every minute by web-api. Every step finds candidates, then moves each one by the same guarded UPDATE as
the workers use, so a second sweeper, or a worker that was quicker, makes it a no-op.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import items, ledger, outbox, unfinished
from opal.database.engine import Database, utc_now
from opal.errors import DeadLettered, LeaseLost, OpalError, TooManyInterruptions, UploadExpired
from opal.items.item import Item
from opal.items.states import ItemState
from opal.messages.export_message import ExportMessage, send_export_message
from opal.messages.job_message import JobMessage, send_job_message
from opal.queues.interface import Peeked, Queues
from opal.settings import Settings

BY = "sweeper"
BATCH = 500
"""Items healed per step and sweep; the oldest come first, the rest have their turn a minute later."""
WINDOW = 10_000
"""Messages looked at per queue. A longer queue hides what is missing from it until it is shorter again."""

_S = ItemState
_STAGES: dict[str, frozenset[ItemState]] = {
    JobMessage.QUEUE: frozenset({_S.QUEUED, _S.PROCESSING}),
    ExportMessage.QUEUE: frozenset({_S.COMPLETED}),
}
"""In which states a queue's message is what the item waits for."""

_log = structlog.get_logger(__name__)

Heal = Callable[[AsyncConnection, Item], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class SweepReport:
    """How many items each step healed; all zero when nothing was wrong."""

    leases_ended: int = 0
    jobs_resent: int = 0
    exports_resent: int = 0
    uploads_expired: int = 0
    dead_letters_failed: int = 0
    holds_released: int = 0

    @property
    def healed(self) -> int:
        """All of them together."""
        return sum(asdict(self).values())


class Sweeper:
    """One per web-api process. It only writes outbox rows; the relay beside it publishes them."""

    def __init__(self, db: Database, queues: Queues, settings: Settings) -> None:
        self._db = db
        self._queues = queues
        self._stale = timedelta(seconds=settings.sweeper.stale_s)
        self._upload_expiry = timedelta(seconds=settings.sweeper.upload_expiry_s)
        self._interval_s = settings.sweeper.interval_s
        # One more lease of patience: the queue's own redelivery takes a dead worker's item over first.
        self._lease_slack = timedelta(seconds=settings.worker.lease_s)
        self._max_interruptions = settings.worker.max_interruptions

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep every ``interval_s`` until ``stop`` is set; a failed sweep is logged and tried again."""
        while not stop.is_set():
            try:
                await self.sweep()
            except OpalError as error:
                _log.warning("sweep failed", action="sweeper.failed", code=error.code, reason=error.message)
            except Exception:
                # The sweeper is the last safety net: a bug in one sweep must not take it down for good.
                _log.exception("sweep failed", action="sweeper.failed")
            try:
                async with asyncio.timeout(self._interval_s):
                    await stop.wait()
            except TimeoutError:
                continue

    async def sweep(self) -> SweepReport:
        """Heal once, step by step; returns what was healed."""
        now = utc_now()
        report = SweepReport(
            leases_ended=await self._end_dead_leases(now),
            jobs_resent=await self._resend_jobs(now),
            exports_resent=await self._resend_exports(now),
            uploads_expired=await self._expire_uploads(now),
            dead_letters_failed=await self._drain_dead_letters(now),
            holds_released=await self._release_stray_holds(now),
        )
        if report.healed:
            _log.warning("sweep healed items", action="sweeper.healed", **asdict(report))
        return report

    async def _end_dead_leases(self, now: datetime) -> int:
        cutoff = now - self._lease_slack
        working = await self._items([_S.PROCESSING], now)
        return await self._heal([item for item in working if not _leased(item, cutoff)], self._end_lease)

    async def _end_lease(self, connection: AsyncConnection, item: Item) -> None:
        interruptions = item.interruptions + 1
        if interruptions > self._max_interruptions:
            error = TooManyInterruptions()
            await items.fail_item(connection, item, code=error.code, message=error.message, by=BY)
            return
        changes = {"epoch": item.epoch + 1, "interruptions": interruptions}
        queued = await items.give_back(
            connection, item, by=BY, changes=changes, code=LeaseLost.code, message="The worker fell silent."
        )
        await send_job_message(outbox.Outbox(connection), _job_message(queued))

    async def _resend_jobs(self, now: datetime) -> int:
        waiting = await self._items([_S.UPLOADED, _S.QUEUED], now - self._stale)
        lost = await self._without_message(JobMessage.QUEUE, waiting)
        return await self._heal(lost, _resend_job)

    async def _resend_exports(self, now: datetime) -> int:
        waiting = await self._items([_S.COMPLETED], now - self._stale)
        idle = [item for item in waiting if not _leased(item, now - self._lease_slack)]
        lost = await self._without_message(ExportMessage.QUEUE, idle)
        return await self._heal(lost, _resend_export)

    async def _without_message(self, queue: str, waiting: list[Item]) -> list[Item]:
        """Those of ``waiting`` that have a message neither on the queue nor in the outbox.

        Looking at the messages themselves, not at their number, resends exactly what is lost: a long
        backlog is left alone, and one lost message is found beside a thousand present ones.
        """
        if not waiting:
            return []
        async with self._db.read() as connection:
            in_outbox = {item.id for item in waiting if await outbox.is_pending(connection, item.id, queue)}
        on_queue = await self._queues.peek(queue, limit=WINDOW)
        if len(on_queue) >= WINDOW:
            _log.warning("queue too long to look for lost messages", action="sweeper.skipped", queue=queue)
            return []
        present = in_outbox | {_item_id(message) for message in on_queue}
        return [item for item in waiting if item.id not in present]

    async def _expire_uploads(self, now: datetime) -> int:
        return await self._heal(await self._items([_S.CREATED], now - self._upload_expiry), _expire_upload)

    async def _drain_dead_letters(self, now: datetime) -> int:
        drained = 0
        for queue, states in _STAGES.items():
            letters = {_item_id(letter): letter for letter in await self._dead_letters(queue)}
            async with self._db.read() as connection:
                found = await unfinished.by_id(connection, list(letters), states)
            given_up = [
                item for item in found if not _leased(item, now) and _epoch(letters[item.id]) >= item.epoch
            ]
            drained += await self._heal(given_up, _fail_as(letters))
        return drained

    async def _dead_letters(self, queue: str) -> Iterable[Peeked]:
        letters = await self._queues.peek(queue, dead=True, limit=WINDOW)
        return sorted(letters, key=_epoch)

    async def _release_stray_holds(self, now: datetime) -> int:
        async with self._db.read() as connection:
            stray = await unfinished.with_stray_holds(connection, updated_before=now, limit=BATCH)
        return await self._heal(stray, ledger.release)

    async def _items(self, states: list[ItemState], updated_before: datetime) -> list[Item]:
        async with self._db.read() as connection:
            return await items.items_in_states(connection, states, updated_before=updated_before, limit=BATCH)

    async def _heal(self, candidates: Iterable[Item], heal: Heal) -> int:
        """Heal each candidate in a transaction of its own; one that has moved on meanwhile is left alone."""
        healed = 0
        for item in candidates:
            try:
                async with self._db.transaction() as connection:
                    await heal(connection, item)
            except LeaseLost:
                continue
            healed += 1
        return healed


async def _resend_job(connection: AsyncConnection, item: Item) -> None:
    raised = await items.raise_epoch(connection, item)
    await send_job_message(outbox.Outbox(connection), _job_message(raised))


async def _resend_export(connection: AsyncConnection, item: Item) -> None:
    raised = await items.raise_epoch(connection, item)
    await send_export_message(outbox.Outbox(connection), _export_message(raised))


async def _expire_upload(connection: AsyncConnection, item: Item) -> None:
    error = UploadExpired()
    await items.fail_item(connection, item, code=error.code, message=error.message, by=BY)


def _fail_as(letters: dict[str, Peeked]) -> Heal:
    async def fail(connection: AsyncConnection, item: Item) -> None:
        letter = letters[item.id]
        reason = letter.dead_letter_description or letter.dead_letter_reason or DeadLettered().message
        await items.fail_item(connection, item, code=DeadLettered.code, message=reason, by=BY)

    return fail


def _leased(item: Item, at: datetime) -> bool:
    return item.lease_until is not None and item.lease_until > at


def _item_id(message: Peeked) -> str:
    return message.message_id.rpartition(":")[0]


def _epoch(message: Peeked) -> int:
    tail = message.message_id.rpartition(":")[2]
    return int(tail) if tail.isdigit() else -1


def _job_message(item: Item) -> JobMessage:
    return JobMessage(
        tenant_id=item.tenant_id,
        job_id=item.job_id,
        item_id=item.id,
        epoch=item.epoch,
        correlation_id=item.correlation_id,
    )


def _export_message(item: Item) -> ExportMessage:
    return ExportMessage(
        tenant_id=item.tenant_id,
        job_id=item.job_id,
        item_id=item.id,
        epoch=item.epoch,
        correlation_id=item.correlation_id,
    )
