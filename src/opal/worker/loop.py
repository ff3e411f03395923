"""The one loop of every queue worker: receive, decode, call the handler, settle.

Run by the orchestrator on ``jobs`` and by the export-worker on ``exports``.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

import structlog

from opal.errors import DependencyError, InvalidMessage
from opal.messages.envelope import Envelope
from opal.queues.interface import Queues, Received, Receiver
from opal.settings import WorkerSettings
from opal.telemetry import tracing
from opal.telemetry.metrics import MESSAGE_SECONDS, MESSAGES_IN_HAND, MESSAGES_SETTLED
from opal.telemetry.tracing import span_after
from opal.worker.health import Heartbeat
from opal.worker.settlement import (
    Dead,
    Delivery,
    Later,
    LockRenewal,
    Outcome,
    outcome_of,
    retry_delay,
    settle,
)
from opal.worker.shutdown import drain

_log = structlog.get_logger(__name__)

RECEIVE_S = 5.0
"""Longest wait for a message or a free slot before the heartbeat ticks again."""

M = TypeVar("M", bound=Envelope)
M_contra = TypeVar("M_contra", bound=Envelope, contravariant=True)


class Handler(Protocol[M_contra]):
    """What a worker does with one message. Must be safe to call again with the same message."""

    async def handle(self, message: M_contra, delivery: Delivery) -> Outcome:
        """Do the work and say what becomes of the message; an exception is looked up in settlement.py."""
        ...


class WorkerLoop(Generic[M]):
    """Works on up to ``settings.concurrency`` messages of ``queue`` at a time."""

    def __init__(
        self,
        queues: Queues,
        queue: str,
        message_type: type[M],
        handler: Handler[M],
        *,
        settings: WorkerSettings,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._queues = queues
        self._queue = queue
        self._message_type = message_type
        self._handler = handler
        self._settings = settings
        self._heartbeat = heartbeat or Heartbeat()
        self._in_hand: set[asyncio.Task[None]] = set()
        self._handling: set[asyncio.Task[Outcome]] = set()
        self._interrupted = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; then finish what is in hand for ``grace_s`` and give back the rest."""
        receiver = self._queues.receiver(self._queue)
        _log.info("worker started", action="worker.started", queue=self._queue)
        stopping = asyncio.create_task(stop.wait())
        try:
            await self._receive_until(stopping, receiver)
        finally:
            stopping.cancel()
            await drain(self._in_hand, self._interrupt, self._settings.grace_s)
            await receiver.close()
            _log.info("worker stopped", action="worker.stopped", queue=self._queue)

    async def _receive_until(self, stopping: asyncio.Task[bool], receiver: Receiver) -> None:
        failures = 0
        while not stopping.done():
            self._heartbeat.tick()
            free = self._settings.concurrency - len(self._in_hand)
            if free <= 0:
                await asyncio.wait(
                    {*self._in_hand, stopping}, timeout=RECEIVE_S, return_when=asyncio.FIRST_COMPLETED
                )
                continue
            try:
                messages = await _receive_unless(stopping, receiver, free)
            except DependencyError as error:
                failures += 1
                if failures == 1:
                    _log.warning("queue is away", action="queue.away", queue=self._queue, error=str(error))
                pause = min(retry_delay(failures, self._settings).total_seconds(), RECEIVE_S)
                await asyncio.wait({stopping}, timeout=pause)
                continue
            if failures:
                _log.info("queue is back", action="queue.back", queue=self._queue, failures=failures)
                failures = 0
            for message in messages:
                task = asyncio.create_task(self._work(receiver, message))
                self._in_hand.add(task)
                task.add_done_callback(self._forget)

    async def _work(self, receiver: Receiver, received: Received) -> None:
        """One message from decoding to settlement; a task of its own, whose log context dies with it."""
        structlog.contextvars.bind_contextvars(
            queue=self._queue,
            message_id=received.message_id,
            delivery=received.delivery_count,
            correlation_id=received.correlation_id,
        )
        parent = received.properties.get(tracing.HEADER)
        attributes = {"messaging.operation.type": "process", "messaging.destination.name": self._queue}
        with span_after(parent, f"process {self._queue}", "consumer", attributes) as handling:
            with (
                MESSAGES_IN_HAND.labels(self._queue).track_inprogress(),
                MESSAGE_SECONDS.labels(self._queue).time(),
            ):
                outcome = await self._outcome(receiver, received)
            if isinstance(outcome, Later):
                delay_s = outcome.delay.total_seconds()
                _log.info("message given back", action="message.later", why=outcome.why, delay_s=delay_s)
            settled = outcome is not None and await settle(receiver, received, outcome)
            ended = type(outcome).__name__.lower() if settled else "unsettled"
            handling.note("opal.outcome", ended)
            if isinstance(outcome, Dead):
                handling.fail(outcome.reason)
        MESSAGES_SETTLED.labels(self._queue, ended).inc()

    async def _outcome(self, receiver: Receiver, received: Received) -> Outcome | None:
        """What becomes of the message; None when its lock was lost and another delivery will say so."""
        try:
            message = self._message_type.decode(received.body)
        except InvalidMessage as error:
            return outcome_of(error, received.delivery_count, self._settings)
        structlog.contextvars.bind_contextvars(
            correlation_id=message.correlation_id,
            tenant_id=message.tenant_id,
            job_id=message.job_id,
            item_id=message.item_id,
        )
        delivery = Delivery(
            received.queue,
            received.message_id,
            received.delivery_count,
            received.enqueued_at,
            message.correlation_id,
        )
        # A task of its own, so that a shutdown or a lost lock can interrupt it, but never the settlement.
        handling = asyncio.create_task(self._handler.handle(message, delivery))
        self._handling.add(handling)
        try:
            async with LockRenewal(receiver, received, on_lost=handling.cancel) as renewal:
                await asyncio.wait({handling})
        finally:
            self._handling.discard(handling)
            handling.cancel()
        if handling.cancelled() and renewal.lost:
            return None
        if handling.cancelled():
            # At once when another worker can take it; not so when the handler cancels itself every time.
            delay = timedelta(0) if self._interrupted else retry_delay(1, self._settings)
            return Later(delay, "the handler was interrupted")
        try:
            return handling.result()
        except Exception as error:
            return outcome_of(error, received.delivery_count, self._settings)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._in_hand.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A fault of this loop, not of a handler. The message comes again when its lock ends.
            _log.error("message was dropped", action="message.dropped", exc_info=error)

    def _interrupt(self) -> int:
        self._interrupted = True
        for handling in self._handling:
            handling.cancel()
        return len(self._handling)


async def _receive_unless(stopping: asyncio.Task[bool], receiver: Receiver, limit: int) -> Sequence[Received]:
    """What the queue has; nothing once ``stopping`` is done, whatever was received at that moment."""
    receiving = asyncio.create_task(receiver.receive(limit, RECEIVE_S))
    try:
        await asyncio.wait({receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        receiving.cancel()
        await asyncio.wait({receiving})
    if receiving.cancelled():
        return []
    messages = receiving.result()
    if not stopping.done():
        return messages
    for message in messages:
        await settle(receiver, message, Later(timedelta(0), "the worker was stopped"))
    return []
