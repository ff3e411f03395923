"""Delivers what is due, a few targets at a time; run as a loop by web-api beside the sender of webhooks.

At least once, and once in effect: a sender that dies before it noted an arrival leaves a claim that ends; the
next one finds the very file at its place and sends nothing. Any number of senders may run on one database.
"""

import asyncio
import random
from datetime import timedelta
from functools import partial

import structlog
from structlog.contextvars import bound_contextvars

from opal.blobs.interface import Blobs
from opal.database import picture_deliveries as deliveries
from opal.database.engine import Database, utc_now
from opal.database.picture_deliveries import DuePicture, DueTarget, PictureFailed
from opal.database.receivers import FailurePolicy
from opal.delivery_sender.content import picture_content, report_content
from opal.delivery_sender.schedule import SCHEDULE_S
from opal.destinations.interface import Destination
from opal.destinations.opening import Destinations
from opal.destinations.places import place_of
from opal.errors import (
    AddressRefused,
    BlobNotFound,
    DestinationFailed,
    InvalidDeliveryTarget,
    OpalError,
    SecretUnreadable,
    StoredPictureUnusable,
)
from opal.outgoing.patience import pause_after, wait_after
from opal.outgoing.sender_loop import end_within, look_until
from opal.outgoing_settings import DeliverySettings
from opal.sealing import Sealer
from opal.telemetry.metrics import DELIVERY_TRIES
from opal.telemetry.tracing import span_after

# What the tenant or the target is to blame for, and can mend.
_TARGETS_FAULT = (DestinationFailed, AddressRefused, InvalidDeliveryTarget)
# What no further try will mend.
_GONE = (BlobNotFound, StoredPictureUnusable)
# After so many rounds a target with a backlog gives its place to whoever waits.
_ROUNDS = 25
_SETTLING_S = 15.0
_GRACE_S = 1.0

Outcome = str | PictureFailed
"""The ETag of what lies there now, or what went wrong."""

_log = structlog.get_logger(__name__)


class DeliverySender:
    """One per web-api process."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        destinations: Destinations,
        sealer: Sealer,
        settings: DeliverySettings,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._destinations = destinations
        self._sealer = sealer
        self._settings = settings
        # Long enough to look, to send, and to note it.
        self._claim_s = settings.timeout_s + _SETTLING_S
        self._policy = FailurePolicy(
            settings.max_failures, timedelta(seconds=settings.disable_after_s), pause_after
        )
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._closing = False

    async def run(self, stop: asyncio.Event) -> None:
        """Look for what is due every ``poll_s``, and whenever a target is done, until ``stop`` is set."""
        try:
            await look_until(stop, self._look, self._wake, self._settings.poll_s)
        finally:
            await self.close()

    async def deliver_due(self) -> int:
        """Work off what is due now, and wait for the end; returns how many targets it began with."""
        begun = await self._begin()
        await asyncio.gather(*self._tasks.values())
        return begun

    async def close(self) -> None:
        """Give what is under way a moment to end; what is cut off is made again when its claim ends."""
        self._closing = True
        await end_within(self._tasks.values(), _GRACE_S)

    async def _look(self) -> None:
        try:
            await self._begin()
        except OpalError as error:
            _log.warning("deliveries wait", action="delivery.waits", code=error.code, reason=error.message)
        except Exception:
            # A bug that one delivery meets must not silence all the others for good.
            _log.exception("deliveries wait", action="delivery.waits")

    async def _begin(self) -> int:
        """Start a task for as many targets with something due as there are places for."""
        places = self._settings.concurrency - len(self._tasks)
        if places <= 0:
            return 0
        async with self._db.read() as connection:
            due = await deliveries.due_targets(connection, utc_now(), places, list(self._tasks))
        for target in due:
            task = asyncio.create_task(self._work_off(target), name=f"delivery-{target.id}")
            self._tasks[target.id] = task
            task.add_done_callback(partial(self._ended, target.id))
        return len(due)

    def _ended(self, target_id: str, _done: asyncio.Task[None]) -> None:
        del self._tasks[target_id]
        self._wake.set()

    async def _work_off(self, target: DueTarget) -> None:
        """Deliver what is due to one target, a few files at a time, for as long as that goes well."""
        # One that is failing gets one file to try with.
        share = 1 if target.failures else self._settings.per_target
        try:
            for _ in range(_ROUNDS):
                claimed = await self._claim(target.id, share)
                if not claimed or not await self._deliver_all(target, claimed) or self._closing:
                    return
                share = self._settings.per_target
        except OpalError as error:
            _log.warning(
                "deliveries unsettled", action="delivery.unsettled", code=error.code, target_id=target.id
            )
        except Exception:
            _log.exception("deliveries unsettled", action="delivery.unsettled", target_id=target.id)

    async def _claim(self, target_id: str, limit: int) -> list[DuePicture]:
        async with self._db.transaction() as connection:
            return await deliveries.claim_pictures(
                connection, target_id, limit, now=utc_now(), claim_s=self._claim_s
            )

    async def _deliver_all(self, target: DueTarget, claimed: list[DuePicture]) -> bool:
        """Deliver side by side; whether all arrived."""
        try:
            destination = await self._open(target)
        except (*_TARGETS_FAULT, SecretUnreadable) as error:
            failures = [_failed(due, error.message) for due in claimed]
            for due, failed in zip(claimed, failures, strict=True):
                await self._settle(due, failed)
            return False
        try:
            return all(await asyncio.gather(*(self._deliver(destination, due) for due in claimed)))
        finally:
            await destination.close()

    async def _open(self, target: DueTarget) -> Destination:
        secret = {} if target.sealed is None else self._sealer.open(target.id, target.sealed)
        return await self._destinations.open(target.tenant_id, place_of(target.place), secret)

    async def _deliver(self, destination: Destination, due: DuePicture) -> bool:
        attributes = {"opal.item_id": due.item_id, "opal.target_id": due.target_id}
        with bound_contextvars(correlation_id=due.correlation_id):
            with span_after(due.traceparent, "deliver picture", "client", attributes) as delivering:
                outcome = await self._try(destination, due)
                if isinstance(outcome, PictureFailed):
                    delivering.fail("delivery_failed")
            await self._settle(due, outcome)
        return isinstance(outcome, str)

    async def _try(self, destination: Destination, due: DuePicture) -> Outcome:
        """One try; the file's ETag, or what went wrong and when to try again."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                content = (
                    report_content(due) if due.content == "report" else picture_content(self._blobs, due)
                )
                return await destination.holds(due.path, content) or await destination.put(due.path, content)
        except TimeoutError:
            return _failed(due, f"Not delivered within {self._settings.timeout_s:g} s.")
        except _TARGETS_FAULT as error:
            return _failed(due, error.message)
        except _GONE as error:
            return PictureFailed(error.message, None, ours=True)
        except OpalError as error:
            return _failed(due, error.message, ours=True)

    async def _settle(self, due: DuePicture, outcome: Outcome) -> None:
        """Note how it went."""
        ids = {"target_id": due.target_id, "delivery_id": due.id, "item_id": due.item_id}
        disabled = None
        async with self._db.transaction() as connection:
            if isinstance(outcome, str):
                await deliveries.record_arrival(connection, due, outcome)
            else:
                disabled = await deliveries.record_failed_try(connection, due, outcome, self._policy)
        if isinstance(outcome, str):
            DELIVERY_TRIES.labels("delivered").inc()
            _log.info("picture delivered", action="delivery.delivered", **ids)
        else:
            DELIVERY_TRIES.labels("failed").inc()
            _log.info("delivery failed", action="delivery.failed", reason=outcome.reason, **ids)
        if disabled is not None:
            _log.warning("target disabled", action="delivery.target_disabled", reason=disabled, **ids)


def _failed(due: DuePicture, reason: str, *, ours: bool = False) -> PictureFailed:
    wait = wait_after(SCHEDULE_S, due.attempts + 1, random.random())
    return PictureFailed(reason, None if wait is None else utc_now() + wait, ours=ours)
