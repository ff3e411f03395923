"""One item's stay at one worker: claim, keep the lease, do the work, account for how it ended.

The orchestrator and the export-worker each build one around their steps; ``loop.py`` calls ``handle`` for
every message. docs/reliability.md says why each end is what it is.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Generic, TypeVar

import structlog

from opal.database import erasures, items, outbox
from opal.database.engine import Database, DatabaseUnavailable, utc_now
from opal.database.items import Busy, Claimed, Missing, Settled, Stage
from opal.errors import (
    BlobStoreUnavailable,
    DecoderUnavailable,
    Interrupted,
    OpalError,
    QueueUnavailable,
    ScoringBusy,
    ScoringUnavailable,
    StorageFull,
)
from opal.items.item import Item
from opal.messages.envelope import Envelope
from opal.settings import WorkerSettings
from opal.telemetry.metrics import ITEMS_DONE, LEASES_EXPIRED, count_failure
from opal.worker.lease import LeaseKeeper
from opal.worker.settlement import Dead, Delivery, Done, Later, Outcome, retry_delay

OUTAGES: tuple[type[OpalError], ...] = (
    BlobStoreUnavailable,
    DatabaseUnavailable,
    DecoderUnavailable,
    QueueUnavailable,
    ScoringBusy,
    ScoringUnavailable,
    StorageFull,
)
"""A part was away and nobody looked at the photo: the item waits, and no failure of its own is counted."""

GIVE_BACK_S = 2.0
"""Time that a stopped worker takes to free its item, so that another need not wait for the lease to end."""

_BUSY_SLACK = timedelta(seconds=0.2)

M = TypeVar("M", bound=Envelope)

_log = structlog.get_logger(__name__)


class ItemStage(Generic[M]):
    """Implements ``loop.Handler``.

    ``perform`` works on an item that is claimed and whose lease is kept, and moves it on.
    ``max_deliveries`` is the queue's own limit. A message that would have to come again after its last
    delivery is replaced by a new one, so that the queue never gives up what the database has not.
    """

    def __init__(
        self,
        database: Database,
        stage: Stage,
        *,
        by: str,
        settings: WorkerSettings,
        max_deliveries: int,
        perform: Callable[[Item, M], Awaitable[None]],
    ) -> None:
        self._database = database
        self._stage = stage
        self._stage_name = stage.name.lower()
        self._by = by
        self._settings = settings
        self._max_deliveries = max_deliveries
        self._perform = perform

    async def handle(self, message: M, delivery: Delivery) -> Outcome:
        """Answer one delivery by the state in which it finds the item."""
        outcome = await self._answer(message, delivery)
        if isinstance(outcome, Later) and delivery.count >= self._max_deliveries:
            await self._send_anew(message, delivery.queue)
            return Done()
        return outcome

    async def _answer(self, message: M, delivery: Delivery) -> Outcome:
        async with self._database.transaction() as connection:
            claim = await items.claim(
                connection,
                message.item_id,
                self._stage,
                lease_s=self._settings.lease_s,
                by=self._by,
                max_interruptions=self._settings.max_interruptions,
            )
        match claim:
            case Claimed(item, taken_over):
                if taken_over:
                    LEASES_EXPIRED.labels("worker").inc()
                return await self._work(item, message, delivery)
            case Busy(until):
                # Redelivered while its worker lives: look again when that worker has had its time.
                return Later(
                    max(until - utc_now(), timedelta(0)) + _BUSY_SLACK, "another worker has the item"
                )
            case Settled():
                # What comes after the stage was committed with the move that ended it. Should that message
                # be lost, the sweeper sees it: this one, come again, says nothing about the other.
                return Done()
            case Missing():
                if await self._erased(message.tenant_id):
                    return Done()
                return Dead("ItemMissing", f"There is no item {message.item_id}.")

    async def _work(self, item: Item, message: M, delivery: Delivery) -> Outcome:
        try:
            async with LeaseKeeper(lambda: self._renew(item), self._settings.lease_s):
                await self._perform(item, message)
        except Interrupted:
            # The result does not count. Whoever has the item now will settle it; the message looks again.
            _log.info("result dropped", action="item.interrupted", attempt=item.attempt)
            LEASES_EXPIRED.labels("holder").inc()
            return Later(timedelta(seconds=self._settings.retry_base_s), "the lease was lost")
        except asyncio.CancelledError:
            await self._free(item)
            raise
        except OpalError as error:
            return await self._failed(item, error, delivery)
        except Exception:
            # A fault of ours. Its text stays in the log; the client gets a code and counted tries.
            _log.exception("handling failed", action="item.fault", attempt=item.attempt)
            return await self._count(item, OpalError())
        ITEMS_DONE.labels(self._stage_name).inc()
        return Done()

    async def _renew(self, item: Item) -> bool:
        async with self._database.transaction() as connection:
            return await items.renew_lease(connection, item, self._settings.lease_s)

    async def _erased(self, tenant_id: str) -> bool:
        async with self._database.read() as connection:
            return await erasures.any_of(connection, tenant_id)

    async def _free(self, item: Item) -> None:
        # What cannot be freed in time is freed by the end of its lease.
        with suppress(OpalError, TimeoutError):
            async with asyncio.timeout(GIVE_BACK_S), self._database.transaction() as connection:
                await items.give_back(connection, item, by=self._by, code=Interrupted.code)

    async def _failed(self, item: Item, error: OpalError, delivery: Delivery) -> Outcome:
        _log.warning(
            "item failed", action="item.failure", code=error.code, reason=error.message, attempt=item.attempt
        )
        if error.retryable:
            if isinstance(error, OUTAGES):
                return await self._wait_out(item, error, delivery)
            return await self._count(item, error)
        async with self._database.transaction() as connection:
            await items.fail_item(connection, item, code=error.code, message=error.message, by=self._by)
        self._counted(error, final=True)
        # The client's own fault is told to the client; an operator has nothing to look into.
        return Done() if error.expected else Dead(error.code, error.message)

    async def _wait_out(self, item: Item, error: OpalError, delivery: Delivery) -> Outcome:
        async with self._database.transaction() as connection:
            await items.give_back(connection, item, by=self._by, code=error.code, message=error.message)
        self._counted(error, final=False)
        return Later(retry_delay(delivery.count, self._settings), error.message)

    async def _send_anew(self, message: M, queue: str) -> None:
        # Under a raised epoch, as no queue takes an id twice. Whoever has the item now is not disturbed.
        async with self._database.transaction() as connection:
            item = await items.get_item(connection, message.item_id, lock=True)
            if item is not None and item.state in self._stage.value:
                raised = await items.raise_epoch(connection, item)
                await outbox.Outbox(connection).add(queue, type(message).of(raised))

    async def _count(self, item: Item, error: OpalError) -> Outcome:
        async with self._database.transaction() as connection:
            final = await items.record_failure(
                connection,
                item,
                code=error.code,
                message=error.message,
                by=self._by,
                max_failures=self._settings.max_failures,
            )
        self._counted(error, final=final)
        if final:
            return Dead(error.code, error.message)
        return Later(retry_delay(item.failures + 1, self._settings), error.message)

    def _counted(self, error: OpalError, *, final: bool) -> None:
        count_failure(self._stage_name, error.code, final=final, expected=error.expected)
