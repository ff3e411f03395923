"""Heals what was left half-done: ended leases, lost messages, expired uploads, stray holds, dead letters.

Run every minute by web-api. Every step looks at all its candidates, a page at a time, and moves those that
need it by the same guarded UPDATE as the workers use, so a second sweeper, or a worker that was quicker,
makes it a no-op.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import items, ledger, outbox, unfinished
from opal.database.engine import Database, utc_now
from opal.errors import DeadLettered, LeaseLost, OpalError, TooManyInterruptions, UploadExpired
from opal.items.item import LONGEST_LEASE, Item
from opal.items.states import TERMINAL, ItemState
from opal.messages.export_message import ExportMessage, send_export_message
from opal.messages.job_message import JobMessage, send_job_message
from opal.numerals import natural
from opal.queues.interface import MAX_DELIVERY_REASON, Peeked, Queues
from opal.settings import Settings
from opal.telemetry.metrics import LEASES_EXPIRED, SWEEP_HEALED, SWEEPS, count_failure

BY = "sweeper"
BATCH = 500
"""Items read at a time, and the most that one step heals per sweep: the oldest come first, the rest have
their turn a minute later. Healthy items do not count, however many stand in front."""
WINDOW = 10_000
"""Messages looked at per queue and its outbox. A longer one hides what is missing from it until it is
shorter again."""

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
    dead_letters_resent: int = 0
    dead_letters_failed: int = 0
    holds_released: int = 0

    @property
    def healed(self) -> int:
        """All of them together."""
        return sum(asdict(self).values())


class Sweeper:
    """One per web-api process. It only writes outbox rows; the relay beside it publishes them."""

    def __init__(self, db: Database, queues: Queues, settings: Settings, *, batch: int = BATCH) -> None:
        self._db = db
        self._queues = queues
        self._batch = batch
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
                SWEEPS.labels("done").inc()
            except OpalError as error:
                SWEEPS.labels("failed").inc()
                _log.warning("sweep failed", action="sweeper.failed", code=error.code, reason=error.message)
            except Exception:
                # The sweeper is the last safety net: a bug in one sweep must not take it down for good.
                SWEEPS.labels("failed").inc()
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
            leases_ended=await self._end_dead_leases(now) + await self._end_endless_leases(now),
            uploads_expired=await self._expire_uploads(now),
            holds_released=await self._release_stray_holds(now),
            # These ask the queues; what comes before them is healed even when those are away.
            jobs_resent=await self._resend_jobs(now),
            exports_resent=await self._resend_exports(now),
            dead_letters_resent=await self._resend_dead_letters(now),
            dead_letters_failed=await self._fail_dead_letters(now),
        )
        if report.healed:
            _log.warning("sweep healed items", action="sweeper.healed", **asdict(report))
            for step, healed in asdict(report).items():
                SWEEP_HEALED.labels(step).inc(healed)
            LEASES_EXPIRED.labels("sweeper").inc(report.leases_ended)
            count_failure(BY, UploadExpired.code, final=True, expected=True, times=report.uploads_expired)
            count_failure(BY, DeadLettered.code, final=True, expected=False, times=report.dead_letters_failed)
        return report

    async def _end_dead_leases(self, now: datetime) -> int:
        return await self._heal_all(
            [_S.PROCESSING], self._end_lease, updated_before=now, unleased_since=now - self._lease_slack
        )

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
        await send_job_message(outbox.Outbox(connection), JobMessage.of(queued))

    async def _end_endless_leases(self, now: datetime) -> int:
        """Leases that end later than any worker asks for: nobody renews them, and nobody would end them."""
        return await self._heal_all(
            [state for state in _S if state not in TERMINAL],
            self._end_endless_lease,
            updated_before=now,
            leased_beyond=now + LONGEST_LEASE,
        )

    async def _end_endless_lease(self, connection: AsyncConnection, item: Item) -> None:
        if item.state is _S.PROCESSING:
            await self._end_lease(connection, item)
            return
        freed = await items.give_back(
            connection,
            item,
            by=BY,
            changes={"epoch": item.epoch + 1},
            code=LeaseLost.code,
            message="The lease was longer than any worker's.",
        )
        if freed.state is not _S.CREATED:
            await _send(connection, freed)

    async def _resend_jobs(self, now: datetime) -> int:
        present = await self._items_with_message(JobMessage.QUEUE)
        if present is None:
            return 0
        return await self._heal_all(
            [_S.UPLOADED, _S.QUEUED], _resend_job, updated_before=now - self._stale, healthy=present
        )

    async def _resend_exports(self, now: datetime) -> int:
        present = await self._items_with_message(ExportMessage.QUEUE)
        if present is None:
            return 0
        return await self._heal_all(
            [_S.COMPLETED],
            _resend_export,
            updated_before=now - self._stale,
            unleased_since=now - self._lease_slack,
            healthy=present,
        )

    async def _items_with_message(self, queue: str) -> frozenset[str] | None:
        """The items that have a message in the outbox or on the queue; None when there are too many to tell.

        Looking at the messages themselves, not at their number, resends exactly what is lost: a long
        backlog is left alone, and one lost message is found beside thousands of present ones. The order
        matters twice. A message goes from the outbox to the queue, so in this order it is seen in one or in
        both. And the items are read later: those that nothing has touched since before this look had their
        message by then, or have none.
        """
        async with self._db.read() as connection:
            in_outbox = await outbox.pending_items(connection, queue, WINDOW)
        on_queue = await self._queues.peek(queue, limit=WINDOW)
        if max(len(in_outbox), len(on_queue)) >= WINDOW:
            _log.warning("queue too long to look for lost messages", action="sweeper.skipped", queue=queue)
            return None
        return frozenset(in_outbox).union(map(_item_id, on_queue))

    async def _expire_uploads(self, now: datetime) -> int:
        return await self._heal_all([_S.CREATED], _expire_upload, updated_before=now - self._upload_expiry)

    async def _resend_dead_letters(self, now: datetime) -> int:
        # The queue counts deliveries, the database failures: what came again and again because a part was
        # away is sent anew, as often as a worker may die over it.
        return await self._drain_dead_letters(now, by_queue=True, heal_of=lambda _letters: self._send_anew)

    async def _fail_dead_letters(self, now: datetime) -> int:
        return await self._drain_dead_letters(now, by_queue=False, heal_of=_fail_as)

    async def _drain_dead_letters(
        self, now: datetime, *, by_queue: bool, heal_of: Callable[[dict[str, Peeked]], Heal]
    ) -> int:
        """Heal what waits for a message that the queue itself put aside (``by_queue``), or a worker did."""
        drained = 0
        for queue, states in _STAGES.items():
            letters = {
                _item_id(letter): letter
                for letter in await self._dead_letters(queue)
                if (letter.dead_letter_reason == MAX_DELIVERY_REASON) is by_queue
            }
            async with self._db.read() as connection:
                found = await unfinished.by_id(connection, list(letters), states)
            given_up = [
                item for item in found if not _leased(item, now) and _epoch(letters[item.id]) >= item.epoch
            ]
            drained += await self._heal(given_up[: self._batch - drained], heal_of(letters))
        return drained

    async def _send_anew(self, connection: AsyncConnection, item: Item) -> None:
        if item.interruptions >= self._max_interruptions:
            error = TooManyInterruptions()
            await items.fail_item(connection, item, code=error.code, message=error.message, by=BY)
            return
        await _send(
            connection, await items.raise_epoch(connection, item, interruptions=item.interruptions + 1)
        )

    async def _dead_letters(self, queue: str) -> Iterable[Peeked]:
        letters = await self._queues.peek(queue, dead=True, limit=WINDOW)
        return sorted(letters, key=_epoch)

    async def _release_stray_holds(self, now: datetime) -> int:
        async with self._db.read() as connection:
            stray = await unfinished.with_stray_holds(connection, updated_before=now, limit=self._batch)
        return await self._heal(stray, ledger.release)

    async def _heal_all(
        self,
        states: Sequence[ItemState],
        heal: Heal,
        *,
        updated_before: datetime,
        unleased_since: datetime | None = None,
        leased_beyond: datetime | None = None,
        healthy: Collection[str] = frozenset(),
    ) -> int:
        """Look at all items of ``states``, oldest first; heal up to a batch of those not ``healthy``."""
        healed = 0
        last: Item | None = None
        while healed < self._batch:
            async with self._db.read() as connection:
                page = await items.items_in_states(
                    connection,
                    states,
                    updated_before=updated_before,
                    unleased_since=unleased_since,
                    leased_beyond=leased_beyond,
                    after=last,
                    limit=self._batch,
                )
            ill = [item for item in page if item.id not in healthy]
            healed += await self._heal(ill[: self._batch - healed], heal)
            if len(page) < self._batch:
                break
            last = page[-1]
        return healed

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


async def _send(connection: AsyncConnection, item: Item) -> None:
    """The message that the item waits for."""
    if item.state is _S.COMPLETED:
        await send_export_message(outbox.Outbox(connection), ExportMessage.of(item))
    else:
        await send_job_message(outbox.Outbox(connection), JobMessage.of(item))


async def _resend_job(connection: AsyncConnection, item: Item) -> None:
    await _send(connection, await items.raise_epoch(connection, item))


async def _resend_export(connection: AsyncConnection, item: Item) -> None:
    await _send(connection, await items.raise_epoch(connection, item))


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
    epoch = natural(message.message_id.rpartition(":")[2])
    return -1 if epoch is None else epoch
