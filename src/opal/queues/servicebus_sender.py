"""Sending to one Service Bus queue; made by ``servicebus.py``."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import structlog
from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch
from azure.servicebus.aio import ServiceBusSender
from azure.servicebus.exceptions import MessageSizeExceededError

from opal.errors import MessageTooLarge, QueueUnavailable
from opal.queues.servicebus_link import ServiceBusLink

_log = structlog.get_logger(__name__)

T = TypeVar("T")


class QueueSender:
    """One long-lived link; calls follow each other, since the SDK's sender is made for one task.

    Every call is tried a second time, which is safe because a repeated message id is dropped.
    """

    def __init__(self, link: ServiceBusLink[ServiceBusSender]) -> None:
        self._link = link
        self._turn = asyncio.Lock()

    async def send(self, messages: Sequence[ServiceBusMessage]) -> None:
        """Send all, in as few batches as the service's limit allows, or raise ``QueueUnavailable``.

        Raises ``MessageTooLarge`` when all but those that no batch has room for are sent.
        """
        left = list(messages)
        too_large: list[str] = []

        async def send_batches(sdk: ServiceBusSender) -> None:
            while left:
                batch = await sdk.create_message_batch()
                if fitting := _fill(batch, left):
                    await sdk.send_messages(batch)
                    del left[:fitting]
                else:
                    too_large.append(str(left.pop(0).message_id))

        await self._call(send_batches)
        if too_large:
            raise MessageTooLarge(f"Larger than the queue takes: {', '.join(too_large)}.", too_large)

    async def schedule(self, message: ServiceBusMessage, due: datetime) -> int:
        """Send ``message`` for ``due``; the number by which it can be taken back."""
        (number,) = await self._call(lambda sdk: sdk.schedule_messages(message, due))
        return int(number)

    async def take_back(self, number: int) -> None:
        """Remove a scheduled message; when that fails, it comes at its time, which does no harm."""
        try:
            await self._link.call(lambda sdk: sdk.cancel_scheduled_messages(number))
        except QueueUnavailable as error:
            _log.info("scheduled copy not taken back", action="queue.copy_stays", error=str(error))

    async def close(self) -> None:
        """Close the link for good."""
        await self._link.close()

    async def _call(self, work: Callable[[ServiceBusSender], Awaitable[T]]) -> T:
        async with self._turn:
            return await self._link.call_again(work)


def _fill(batch: ServiceBusMessageBatch, messages: Sequence[ServiceBusMessage]) -> int:
    """Put messages in until the batch is full; returns how many, 0 when the first is too large for any."""
    for count, message in enumerate(messages):
        try:
            batch.add_message(message)
        except MessageSizeExceededError:
            return count
    return len(messages)
