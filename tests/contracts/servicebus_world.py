"""What the scenarios of ``test_servicebus_faults.py`` are played on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from azure.servicebus.aio import ServiceBusClient
from tests.servicebus.queues import servicebus_queues
from tests.servicebus.server import Server, Switches

from opal.errors import QueueUnavailable
from opal.messages.job_message import JobMessage
from opal.platform_settings import QueueSettings
from opal.queues.interface import Outgoing, Received
from opal.queues.servicebus import ServiceBusQueues
from opal.queues.servicebus_receiver import QueueReceiver
from opal.worker.settlement import Delivery, Done, Outcome

SETTINGS = QueueSettings(lock_s=4.0, max_delivery_count=20, duplicate_window_s=60.0, answer_s=2.0, idle_s=2.0)


@dataclass(frozen=True)
class World:
    """Queues on our own server, a receiver of ``jobs`` with its link open, and the switches."""

    queues: ServiceBusQueues
    receiver: QueueReceiver
    switch: Switches
    jobs: str
    """The queue's name on the server."""
    connection_string: str

    async def throw(self, switch: str, **values: object) -> None:
        """Have something go wrong."""
        await asyncio.to_thread(self.switch, switch, **values)

    async def received(self, timeout: float = 10.0) -> Received:
        (message,) = await self.receiver.receive(1, timeout)
        return message

    async def sent_and_received(self) -> Received:
        await self.queues.send("jobs", [Outgoing("item_0:0", b"{}")])
        return await self.received()

    async def left(self) -> tuple[int, int, int]:
        """Active, scheduled and dead messages."""
        depth = await self.queues.depth("jobs")
        return depth.active, depth.scheduled, depth.dead

    async def anything_left(self) -> bool:
        """Whether a message waits or is locked; while the service is away, maybe."""
        try:
            return (await self.left())[0] > 0
        except QueueUnavailable:
            return True

    @asynccontextmanager
    async def sdk_alone(self, **options: Any) -> AsyncIterator[ServiceBusClient]:
        """The SDK as it comes, not retrying unless told to."""
        settings: dict[str, Any] = {"retry_total": 0, **options}
        async with ServiceBusClient.from_connection_string(self.connection_string, **settings) as client:
            yield client


class CountingHandler:
    """A handler that needs a moment, and counts how often it saw each item."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self._news = asyncio.Event()

    async def saw_one(self) -> None:
        """Wait for the next message, a second at the most."""
        self._news.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), 1)

    async def handle(self, message: JobMessage, _delivery: Delivery) -> Outcome:
        await asyncio.sleep(0.25)
        self.seen[message.item_id] += 1
        self._news.set()
        return Done()


class HangingHandler:
    """A handler that works on its first message until it is cancelled, and is done with others at once."""

    def __init__(self) -> None:
        self.hangs = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.again = asyncio.Event()

    async def handle(self, _message: JobMessage, _delivery: Delivery) -> Outcome:
        if self.hangs.is_set():
            self.again.set()
            return Done()
        self.hangs.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        return Done()


@asynccontextmanager
async def opened_world(server: Server) -> AsyncIterator[World]:
    """A world on fresh queues, with its links open; closed at the end of the block."""
    namespace = server.namespace
    with servicebus_queues(namespace, SETTINGS) as (queues, settings):
        receiver = queues.receiver("jobs")
        await _opened(receiver, queues)
        jobs = f"{settings.prefix}jobs"
        try:
            yield World(queues, receiver, server.switch, jobs, namespace.connection_string)
        finally:
            await asyncio.to_thread(server.switch, "clear")
            await asyncio.gather(receiver.close(), queues.close())


async def _opened(receiver: QueueReceiver, queues: ServiceBusQueues) -> None:
    """Open the links, trying until they are: a busy machine may need longer than the scenarios allow."""
    async with asyncio.timeout(60):
        while True:
            with suppress(QueueUnavailable):
                await receiver.receive(1, 0.01)
                return await queues.check()
