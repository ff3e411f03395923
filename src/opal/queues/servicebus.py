"""The queues in Azure: Service Bus through its own SDK, with long-lived links.

Built by ``assembly.py`` when ``OPAL_QUEUE_ADAPTER=servicebus``. What it needs there is in ``docs/azure.md``.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

from opal.azure_identity import AzureIdentity
from opal.errors import QueueUnavailable
from opal.platform_settings import QueueSettings
from opal.queues.interface import Depth, Outgoing, Peeked
from opal.queues.servicebus_link import ServiceBusLink
from opal.queues.servicebus_messages import drop_unreadable_trace, outgoing, peeked, redriven_copy
from opal.queues.servicebus_receiver import QueueReceiver
from opal.queues.servicebus_sender import QueueSender
from opal.settings import QUEUE_NAMES

SOCKET_S = 0.05
"""How long the SDK waits for a frame before it lets another task use the link: a settlement waits at most so
long for a receive that waits too. Chosen with ``benchmarks/queues.py``; the SDK's own is 0.2."""

_PAGE = 250
"""Most messages that Service Bus shows at a time."""

_REDRIVE_WAIT_S = 2.0
_REDRIVE_BATCH = 32
_LONGEST_PURGE = 10_000
"""Dead letters that one purge looks through."""

S = TypeVar("S", ServiceBusReceiver, ServiceBusSender)
T = TypeVar("T")
Use = Callable[[ServiceBusReceiver], Awaitable[T]]


class ServiceBusQueues:
    """All queues of one namespace, names beginning with ``settings.prefix``; implements ``Queues``.

    ``identity`` is needed unless the settings have a connection string; whoever built it closes it.
    """

    def __init__(self, settings: QueueSettings, identity: AzureIdentity | None = None) -> None:
        self._settings = settings
        self._client = _client(settings, identity)
        self._senders: dict[str, QueueSender] = {}
        self._onlookers: dict[tuple[str, bool], ServiceBusLink[ServiceBusReceiver]] = {}
        self._closed = False

    async def send(self, queue: str, messages: Sequence[Outgoing]) -> None:
        """Send all ``messages``, or raise; ids sent within the queue's duplicate window are dropped.

        ``MessageTooLarge`` names those that can never be sent; all others are.
        """
        if messages:
            await self._sender(queue).send([outgoing(message) for message in messages])

    def receiver(self, queue: str) -> QueueReceiver:
        """A new consumer of ``queue``."""
        return QueueReceiver(queue, self._receiving_link(queue), self._sender(queue), self._settings)

    async def peek(self, queue: str, *, dead: bool = False, limit: int = 50) -> Sequence[Peeked]:
        """The oldest messages or dead letters, unlocked."""
        return [each async for each in self._peeked(queue, dead=dead, limit=limit)]

    async def redrive(self, queue: str, limit: int = 100) -> int:
        """Send dead letters again, oldest first; returns how many.

        Each is first sent, then removed. Dying in between leaves both; a repeat within the duplicate window
        sends no second one.
        """
        waiting = len(await self.peek(queue, dead=True, limit=limit))
        if not waiting:
            return 0
        link = self._receiving_link(queue, dead=True)
        try:
            return await self._redrive(queue, link, waiting)
        finally:
            await link.close()

    async def purge(self, queue: str, limit: int = 100, *, reason: str | None = None) -> int:
        """Remove dead letters for good, oldest first; returns how many.

        Those of another reason are locked while it lasts and then given back. Dying meanwhile leaves what is
        not removed yet.
        """
        waiting = len(await self.peek(queue, dead=True, limit=_LONGEST_PURGE))
        if not waiting:
            return 0
        link = self._receiving_link(queue, dead=True)
        try:
            return await _purge(link, waiting, limit, reason)
        finally:
            await link.close()

    async def depth(self, queue: str) -> Depth:
        """How full the queue is, counted by looking through it.

        Service Bus tells its own counts only to identities that may also delete the queue, which no service
        of ours may.
        """
        (active, scheduled, oldest), (dead, *_) = await asyncio.gather(
            self._counted(queue), self._counted(queue, dead=True)
        )
        return Depth(active, scheduled, dead, oldest)

    async def check(self) -> None:
        """Return when the namespace answers and lets us in, else raise ``QueueUnavailable``."""
        await self.peek(QUEUE_NAMES[0], limit=1)

    async def close(self) -> None:
        """Close all links but those of receivers, which their owners close; later calls raise."""
        self._closed = True
        # The client has no connection of its own; each link has one.
        closing = [sender.close() for sender in self._senders.values()]
        closing += [onlooker.close() for onlooker in self._onlookers.values()]
        await asyncio.gather(*closing)

    async def _peeked(
        self, queue: str, *, dead: bool = False, limit: int | None = None
    ) -> AsyncIterator[Peeked]:
        link = self._onlooker(queue, dead=dead)
        seen, sequence_number = 0, 1
        while limit is None or seen < limit:
            count = _PAGE if limit is None else min(_PAGE, limit - seen)
            page = await link.call_again(_peek(count, sequence_number))
            if not page:
                return
            for message in page:
                yield peeked(message)
            seen += len(page)
            sequence_number = (page[-1].sequence_number or 0) + 1

    async def _counted(self, queue: str, *, dead: bool = False) -> tuple[int, int, datetime | None]:
        """How many can be received or are locked, how many are scheduled, and since when the oldest waits."""
        active = scheduled = 0
        oldest: datetime | None = None
        async for message in self._peeked(queue, dead=dead):
            if message.scheduled_for is None:
                active += 1
                oldest = min(oldest or message.enqueued_at, message.enqueued_at)
            else:
                scheduled += 1
        return active, scheduled, oldest

    async def _redrive(self, queue: str, link: ServiceBusLink[ServiceBusReceiver], waiting: int) -> int:
        redriven = 0
        while redriven < waiting:
            letters = await link.call(_receive(min(_REDRIVE_BATCH, waiting - redriven)))
            if not letters:
                break  # others took or hold the rest
            await self._sender(queue).send([redriven_copy(letter) for letter in letters])
            for letter in letters:
                await link.call(_complete(letter))
            redriven += len(letters)
        return redriven

    def _sender(self, queue: str) -> QueueSender:
        if queue not in self._senders:
            name = self._settings.prefix + queue

            def make() -> ServiceBusSender:
                return self._client.get_queue_sender(name, socket_timeout=SOCKET_S)

            self._senders[queue] = QueueSender(self._link(f"sender of {name}", make))
        return self._senders[queue]

    def _onlooker(self, queue: str, *, dead: bool) -> ServiceBusLink[ServiceBusReceiver]:
        """A link for peeking: without credit, so that nothing is ever locked by it."""
        if (queue, dead) not in self._onlookers:
            self._onlookers[queue, dead] = self._receiving_link(queue, dead=dead)
        return self._onlookers[queue, dead]

    def _receiving_link(self, queue: str, *, dead: bool = False) -> ServiceBusLink[ServiceBusReceiver]:
        name = self._settings.prefix + queue
        sub_queue = ServiceBusSubQueue.DEAD_LETTER if dead else None

        def make() -> ServiceBusReceiver:
            return self._client.get_queue_receiver(
                name, sub_queue=sub_queue, prefetch_count=0, socket_timeout=SOCKET_S
            )

        return self._link(f"receiver of {name}", make)

    def _link(self, name: str, make: Callable[[], S]) -> ServiceBusLink[S]:
        if self._closed:
            raise QueueUnavailable(f"{name}: the queues are closed")
        return ServiceBusLink(name, make, self._settings.answer_s)


async def _purge(
    link: ServiceBusLink[ServiceBusReceiver], waiting: int, limit: int, reason: str | None
) -> int:
    removed = 0
    spared: list[ServiceBusReceivedMessage] = []
    while removed < limit and removed + len(spared) < waiting:
        most = min(_REDRIVE_BATCH, limit - removed, waiting - removed - len(spared))
        letters = await link.call(_receive(most))
        if not letters:
            break  # others took or hold the rest
        for letter in letters:
            if reason is None or peeked(letter).dead_letter_reason == reason:
                await link.call(_complete(letter))
                removed += 1
            else:
                spared.append(letter)
    for letter in spared:
        await link.call(_abandon(letter))
    return removed


def _peek(count: int, sequence_number: int) -> Use[list[ServiceBusReceivedMessage]]:
    return lambda sdk: sdk.peek_messages(count, sequence_number=sequence_number)


def _receive(count: int) -> Use[list[ServiceBusReceivedMessage]]:
    async def receive(sdk: ServiceBusReceiver) -> list[ServiceBusReceivedMessage]:
        letters = await sdk.receive_messages(count, max_wait_time=_REDRIVE_WAIT_S)
        for letter in letters:
            drop_unreadable_trace(letter)
        return letters

    return receive


def _complete(message: ServiceBusReceivedMessage) -> Use[None]:
    return lambda sdk: sdk.complete_message(message)


def _abandon(message: ServiceBusReceivedMessage) -> Use[None]:
    return lambda sdk: sdk.abandon_message(message)


def _client(settings: QueueSettings, identity: AzureIdentity | None) -> ServiceBusClient:
    # Links are opened again by ServiceBusLink, so the SDK does not retry.
    options: dict[str, Any] = {"retry_total": 0, "try_timeout": settings.answer_s}
    if settings.connection_string is not None:
        secret = settings.connection_string.get_secret_value()
        return ServiceBusClient.from_connection_string(secret, **options)
    assert settings.namespace is not None
    assert identity is not None
    return ServiceBusClient(settings.namespace, identity, **options)
