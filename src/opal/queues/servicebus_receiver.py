"""A consumer of one Service Bus queue; made by ``servicebus.py``."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusReceiver

from opal.errors import LockLost, QueueUnavailable
from opal.platform_settings import QueueSettings
from opal.queues.interface import MAX_DELIVERY_REASON, Received
from opal.queues.servicebus_link import ServiceBusLink
from opal.queues.servicebus_messages import delayed_copy, drop_unreadable_trace, received
from opal.queues.servicebus_sender import QueueSender

_SHORTEST_WAIT_S = 0.01
_LONGER_THAN_ASKED_S = 5.0
_CANCEL_AGAIN_S = 0.1

Settle = Callable[[ServiceBusReceiver, ServiceBusReceivedMessage], Awaitable[None]]


class QueueReceiver:
    """Implements ``Receiver`` on one long-lived link; ``receive`` from one task, settle from any.

    A ``receive`` takes one message, however many are asked for: the SDK would wait 0.2 s for a second one,
    and a message that waits here is locked and worked on by nobody.
    """

    def __init__(
        self,
        queue: str,
        link: ServiceBusLink[ServiceBusReceiver],
        sender: QueueSender,
        settings: QueueSettings,
    ) -> None:
        self._queue = queue
        self._link = link
        self._sender = sender
        self._max_delivery_count = settings.max_delivery_count
        self._idle_s = settings.idle_s
        self._held: dict[str, ServiceBusReceivedMessage] = {}
        self._receiving: asyncio.Task[Sequence[Received]] | None = None
        self._last_came = asyncio.get_running_loop().time()
        self._closed = False

    async def receive(self, max_messages: int, timeout: float) -> Sequence[Received]:
        """One message, waiting for it at most ``timeout`` seconds once the link is open; or none."""
        if self._closed:
            raise QueueUnavailable("the receiver is closed")
        # A task of its own, so that close can end it.
        receiving = self._receiving = asyncio.create_task(self._receive(max_messages, timeout))
        try:
            await asyncio.wait({receiving})
        except asyncio.CancelledError:
            await _end(receiving)
            if not receiving.cancelled() and receiving.exception() is None:
                for message in receiving.result():  # it came in that very moment
                    with suppress(LockLost, QueueUnavailable):
                        await self.abandon(message)
            raise
        finally:
            self._receiving = None
        return [] if receiving.cancelled() else receiving.result()

    async def complete(self, message: Received) -> None:
        """Remove the message for good; returns when Service Bus has confirmed it."""
        await self._settle(message, lambda sdk, held: sdk.complete_message(held))

    async def abandon(self, message: Received, delay: timedelta = timedelta(0)) -> None:
        """Give the message back; with a ``delay`` a scheduled copy of it takes its place."""
        held = self._of(message)
        last = message.delivery_count >= self._max_delivery_count
        # Service Bus itself ends a message after its last delivery, but it counts those of one copy only, and
        # the copy for later would be a new one.
        service_counts_on = (held.delivery_count or 0) + 1 == message.delivery_count and not delay
        if last and not service_counts_on:
            await self.dead_letter(message, MAX_DELIVERY_REASON, f"delivered {message.delivery_count} times")
        elif delay > timedelta(0):
            await self._replace_by_copy(message, datetime.now(UTC) + delay)
        else:
            await self._settle(message, lambda sdk, held: sdk.abandon_message(held))

    async def dead_letter(self, message: Received, reason: str, description: str) -> None:
        """Put the message aside for an operator."""

        def put_aside(sdk: ServiceBusReceiver, held: ServiceBusReceivedMessage) -> Awaitable[None]:
            return sdk.dead_letter_message(held, reason=reason, error_description=description)

        await self._settle(message, put_aside)

    async def renew(self, message: Received) -> datetime:
        """Lock the message for another lock period from now."""
        held = self._of(message)
        return await self._link.call(lambda sdk: sdk.renew_message_lock(held))

    async def close(self) -> None:
        """Stop receiving; a ``receive`` that waits returns without messages."""
        self._closed = True
        if self._receiving is not None:
            await _end(self._receiving)
        self._held.clear()
        await self._link.close()

    async def _receive(self, max_messages: int, timeout: float) -> Sequence[Received]:
        if max_messages <= 0:
            return []
        loop = asyncio.get_running_loop()
        give_up_at: float | None = None
        broken = False
        while True:
            await self._opened()
            give_up_at = give_up_at or loop.time() + timeout
            try:
                messages = await self._next(max(give_up_at - loop.time(), _SHORTEST_WAIT_S))
            except QueueUnavailable:
                # Links do break; only when the new one breaks too is the queue away.
                if broken:
                    raise
                broken = True
                continue
            kept = [ours for message in messages if (ours := await self._kept(message))]
            # What came too often is a dead letter by now; another may wait behind it.
            if kept or not messages:
                return kept

    async def _next(self, wait_s: float) -> list[ServiceBusReceivedMessage]:
        return await self._link.call(
            lambda sdk: sdk.receive_messages(max_message_count=1, max_wait_time=wait_s),
            within_s=wait_s + _LONGER_THAN_ASKED_S,
        )

    async def _opened(self) -> None:
        """Open the link; anew when it has brought nothing for long and no message of it is in hand.

        Whether it is alive cannot be seen from here, and Service Bus detaches idle ones after ten minutes.
        """
        now = asyncio.get_running_loop().time()
        for token in [token for token, held in self._held.items() if _ended(held)]:
            del self._held[token]
        sdk = await self._link.open()
        if now - self._last_came > self._idle_s and not self._held:
            self._link.replace(sdk)
            self._last_came = now
            await self._link.open()

    async def _kept(self, message: ServiceBusReceivedMessage) -> Received | None:
        """Ours for the message; None when it was delivered too often and became a dead letter instead."""
        ours = received(self._queue, message)
        drop_unreadable_trace(message)
        self._last_came = asyncio.get_running_loop().time()
        self._held[ours.lock_token] = message
        if ours.delivery_count <= self._max_delivery_count:
            return ours
        await self.dead_letter(ours, MAX_DELIVERY_REASON, f"delivered {ours.delivery_count - 1} times")
        return None

    async def _replace_by_copy(self, message: Received, due: datetime) -> None:
        """First the copy, then the end of the message: whatever dies in between, one of the two comes again.

        Both may come, as at any redelivery. When the message turns out not to be ours any more, the copy is
        taken back, since whoever has the message decides about it.
        """
        self._of(message)
        scheduled = await self._sender.schedule(delayed_copy(message), due)
        try:
            await self.complete(message)
        except LockLost:
            await self._sender.take_back(scheduled)
            raise

    async def _settle(self, message: Received, settle: Settle) -> None:
        held = self._of(message)
        try:
            await self._link.call(lambda sdk: settle(sdk, held))
        except LockLost:
            self._held.pop(message.lock_token, None)
            raise
        self._held.pop(message.lock_token, None)

    def _of(self, message: Received) -> ServiceBusReceivedMessage:
        """The SDK's message; raises ``LockLost`` when it was settled or its lock has ended."""
        held = self._held.get(message.lock_token)
        if held is None or _ended(held):
            raise LockLost
        return held


async def _end(task: asyncio.Task[Sequence[Received]]) -> None:
    """Cancel until it has ended: the SDK swallows a cancellation that meets a frame."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_AGAIN_S)


def _ended(held: ServiceBusReceivedMessage) -> bool:
    return held.locked_until_utc is not None and held.locked_until_utc <= datetime.now(UTC)
