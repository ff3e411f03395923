"""Sends what is due, many at a time, a few per endpoint; run as a loop by web-api beside the relay.

At least once: a sender that dies before it noted an answer leaves a claim that ends, and the delivery is made
again under the same `webhook-id`. Any number of senders may run on one database.
"""

import asyncio
import random
from collections import Counter
from datetime import datetime, timedelta

import structlog
from structlog.contextvars import bound_contextvars

from opal import __version__
from opal.database import deliveries
from opal.database.deliveries import Delivery, Due, Failed
from opal.database.engine import Database, utc_now
from opal.database.webhook_events import store_test
from opal.database.webhook_secrets import seal_readable
from opal.errors import AddressRefused, OpalError, OutgoingFailed, SecretUnreadable
from opal.messages.webhook_event import WebhookEvent
from opal.outgoing.client import Answer, Outgoing
from opal.outgoing.patience import wait_after
from opal.outgoing.sender_loop import end_within, look_until
from opal.outgoing_settings import WebhookSettings
from opal.sealing import Sealer
from opal.telemetry.metrics import WEBHOOK_TRIES
from opal.telemetry.tracing import span_after
from opal.webhook_sender.schedule import SCHEDULE_S, retry_after
from opal.webhook_sender.settling import Outcome, Settling
from opal.webhook_sender.signing import signed_headers

# What comes back is not looked at; reading a little of it lets a server finish its answer.
_MOST_BODY = 16_384
# After so many one after the other an endpoint with a backlog gives its place to whoever waits.
_IN_A_ROW = 25
_GRACE_S = 1.0
_TIDY_EVERY = timedelta(hours=1)
_GONE = 410

_log = structlog.get_logger(__name__)


class WebhookSender:
    """One per web-api process."""

    def __init__(self, db: Database, outgoing: Outgoing, sealer: Sealer, settings: WebhookSettings) -> None:
        self._db = db
        self._outgoing = outgoing
        self._sealer = sealer
        self._settings = settings
        self._settling = Settling(db, settings)
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self._closing = False
        self._tidy_at = utc_now()

    async def run(self, stop: asyncio.Event) -> None:
        """Look for what is due every ``poll_s``, and whenever a delivery ended, until ``stop`` is set."""
        try:
            await look_until(stop, self._look, self._wake, self._settings.poll_s)
        finally:
            await self.close()

    async def deliver_due(self) -> int:
        """Work off what is due now, and wait for the end; returns how many deliveries it began with."""
        begun = await self._begin()
        await asyncio.gather(*self._tasks)
        return begun

    async def send_test(self, tenant_id: str, webhook_id: str, event: WebhookEvent) -> Delivery:
        """Tell an endpoint of ``event``, which did not happen: now, once, whether it is on or off.

        The delivery returned says how that went. Raises ``UnknownWebhook``.
        """
        async with self._db.transaction() as connection:
            due = await store_test(connection, tenant_id, webhook_id, event, claim_s=self._settling.claim_s)
        with bound_contextvars(correlation_id=due.correlation_id):
            await self._deliver(due, more=False)
        async with self._db.read() as connection:
            return await deliveries.read_delivery(connection, webhook_id, due.id)

    async def close(self) -> None:
        """Give deliveries under way a moment to end; what is cut off is made again when its claim ends."""
        self._closing = True
        await end_within(self._tasks, _GRACE_S)
        await self._settling.close()

    async def _look(self) -> None:
        try:
            await self._begin()
            if utc_now() >= self._tidy_at:
                await self._tidy()
        except OpalError as error:
            _log.warning("webhooks wait", action="webhook.waits", code=error.code, reason=error.message)
        except Exception:
            # A bug that one delivery meets must not silence all the others for good.
            _log.exception("webhooks wait", action="webhook.waits")

    async def _begin(self) -> int:
        """Claim as much as there are places for, and start it."""
        places = self._settings.concurrency - len(self._tasks)
        if places <= 0:
            return 0
        now = utc_now()
        full = [each for each, busy in self._busy.items() if busy >= self._settings.per_endpoint]
        # Looking first keeps an idle system from taking the write lock every second.
        async with self._db.read() as connection:
            # Of those that are failing some have their one delivery under way; they must not hide others.
            due = await deliveries.due_webhooks(connection, now, places + len(self._busy), full)
        shares = {webhook_id: self._share(webhook_id, failures) for webhook_id, failures in due}
        if not any(shares.values()):
            return 0
        claimed: list[Due] = []
        async with self._db.transaction() as connection:
            for webhook_id, share in shares.items():
                limit = min(share, places - len(claimed))
                if limit > 0:
                    claimed += await self._settling.claim(connection, webhook_id, limit)
        for each in claimed:
            self._start(each)
        return len(claimed)

    def _share(self, webhook_id: str, failures: int) -> int:
        """How many more deliveries the endpoint gets at once: one that is failing gets one to try with."""
        return max(0, (1 if failures else self._settings.per_endpoint) - self._busy[webhook_id])

    def _start(self, due: Due) -> None:
        self._busy[due.webhook_id] += 1
        task = asyncio.create_task(self._work_off(due), name=f"webhook-{due.id}")
        self._tasks.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            self._busy[due.webhook_id] -= 1
            if self._busy[due.webhook_id] <= 0:
                del self._busy[due.webhook_id]
            self._wake.set()

        task.add_done_callback(ended)

    async def _work_off(self, due: Due) -> None:
        """Deliver ``due`` and, while that goes well, what else waits for its endpoint."""
        following: Due | None = due
        for left in reversed(range(_IN_A_ROW)):
            if following is not None:
                with bound_contextvars(correlation_id=following.correlation_id):
                    following = await self._deliver(following, more=left > 0)

    async def _deliver(self, due: Due, *, more: bool) -> Due | None:
        """Try once and note how it went; returns the endpoint's next delivery, if ``more`` are wanted."""
        ids = {"webhook_id": due.webhook_id, "delivery_id": due.id, "event_id": due.event_id}
        try:
            attributes = {"opal.webhook_id": due.webhook_id, "opal.event_id": due.event_id}
            with span_after(due.traceparent, "deliver webhook", "client", attributes) as delivering:
                outcome = await self._try(due)
                if isinstance(outcome, Failed):
                    delivering.fail("webhook_failed")
                else:
                    delivering.note("http.response.status_code", outcome)
            settled = await self._settling.settle(due, outcome, more=more and not self._closing)
        except OpalError as error:
            _log.warning("webhook unsettled", action="webhook.unsettled", code=error.code, **ids)
            return None
        except Exception:
            _log.exception("webhook unsettled", action="webhook.unsettled", **ids)
            return None
        if isinstance(outcome, Failed):
            WEBHOOK_TRIES.labels("failed").inc()
            _log.info("webhook failed", action="webhook.failed", reason=outcome.reason, **ids)
        else:
            WEBHOOK_TRIES.labels("delivered").inc()
            _log.info("webhook delivered", action="webhook.delivered", status=outcome, **ids)
        if settled.disabled is not None:
            _log.warning("webhook disabled", action="webhook.disabled", reason=settled.disabled, **ids)
        return settled.following

    async def _try(self, due: Due) -> Outcome:
        """One call; the status of a success, or what went wrong and when to try again."""
        now = utc_now()
        try:
            headers = {
                "Content-Type": "application/json",
                "User-Agent": f"Opal-Webhooks/{__version__}",
                **signed_headers(due.event_id, due.body, due.secrets.open(self._sealer, now), now),
            }
            answer = await self._outgoing.send(
                "POST",
                due.url,
                content=due.body.encode(),
                headers=headers,
                timeout_s=self._settings.timeout_s,
                max_body_bytes=_MOST_BODY,
            )
        except (AddressRefused, OutgoingFailed, SecretUnreadable) as error:
            return _failed(due, None, error.message)
        if 200 <= answer.status < 300:
            return answer.status
        return _refused(due, answer)

    async def _tidy(self) -> None:
        """Forget what is old, and seal secrets that an older web-api left readable."""
        before = utc_now() - timedelta(days=self._settings.keep_days)
        async with self._db.transaction() as connection:
            forgotten = await deliveries.forget_before(connection, before)
        async with self._db.transaction() as connection:
            sealed = await seal_readable(connection, self._sealer)
        self._tidy_at = utc_now() + _TIDY_EVERY
        if sealed:
            _log.info("secrets sealed", action="webhook.sealed", webhooks=sealed)
        if forgotten:
            _log.info("old deliveries forgotten", action="webhook.forgotten", deliveries=forgotten)


def _refused(due: Due, answer: Answer) -> Failed:
    if answer.status == _GONE:
        return Failed(answer.status, "It answered 410 Gone.", None, gone=True)
    redirect = "; redirects are not followed" if 300 <= answer.status < 400 else ""
    asked = retry_after(answer.headers, utc_now())
    return _failed(due, answer.status, f"It answered {answer.status}{redirect}.", asked)


def _failed(due: Due, status: int | None, reason: str, not_before: datetime | None = None) -> Failed:
    wait = wait_after(SCHEDULE_S, due.attempts + 1, random.random())
    if wait is None:
        return Failed(status, reason, None, not_before)
    next_at = utc_now() + wait
    return Failed(status, reason, max(next_at, not_before or next_at), not_before)
