"""Messages that no Opal sent: whatever lies in a queue is shown, counted and put aside, and ends nobody."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage
from pydantic import SecretStr
from tests.servicebus.namespace import Namespace
from tests.servicebus.queues import servicebus_queues
from tests.services.pipeline_world import World, world_in

from opal.errors import MessageTooLarge, QueueUnavailable
from opal.messages.job_message import JobMessage
from opal.platform_settings import QueueSettings
from opal.queues.interface import Outgoing
from opal.queues.servicebus import ServiceBusQueues
from opal.queues.servicebus_messages import peeked
from opal.settings import WorkerSettings
from opal.sweeper import SweepReport
from opal.worker.loop import WorkerLoop
from opal.worker.settlement import Delivery, Done, Outcome

pytestmark = pytest.mark.xdist_group("servicebus")


def _with(**sections: Any) -> AmqpAnnotatedMessage:
    return AmqpAnnotatedMessage(data_body=[b"{}"], **sections)


def _properties(**values: Any) -> AmqpAnnotatedMessage:
    return _with(application_properties={name.replace("_", "-"): value for name, value in values.items()})


FOREIGN = {
    "text": AmqpAnnotatedMessage(value_body="hello"),
    "number": AmqpAnnotatedMessage(value_body=5),
    "map": AmqpAnnotatedMessage(value_body={"a": 1}),
    "sequence": AmqpAnnotatedMessage(sequence_body=[[1, 2], ["x"]]),
    "empty": AmqpAnnotatedMessage(data_body=[b""]),
    "two sections": AmqpAnnotatedMessage(data_body=[b"{", b"}"]),
    "deep": AmqpAnnotatedMessage(data_body=[b"[" * 50_000]),
    "ids as numbers": _with(properties={"message_id": 5, "correlation_id": 7}),
    "ids as UUIDs": _with(properties={"message_id": uuid.uuid4(), "correlation_id": uuid.uuid4()}),
    "ids as bytes": _with(properties={"message_id": b"\xff", "correlation_id": b"\xff"}),
    "longest id": _with(properties={"message_id": "i" * 128}),
    "no epoch": _with(properties={"message_id": "item_1:²"}),
    "endless epoch": _properties(opal_message_id="item_1:" + "9" * 5000),
    "endless deliveries": _properties(opal_deliveries="9" * 5000),
    "no deliveries": _properties(opal_deliveries="²"),
    "a time without a zone": _properties(opal_enqueued_at="2020-01-01T00:00:00"),
    "the first time": _properties(opal_enqueued_at="0001-01-01T00:00:00+14:00"),
    "no time": _properties(opal_enqueued_at="yesterday"),
    "other properties": _properties(traceparent=5, tracestate="ä", x=1.5, b=b"\x00", n=None),
    "a reason of its own": _properties(DeadLetterReason=5, DeadLetterErrorDescription=b"x"),
}


class Working:
    """A handler that no foreign message may reach."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def handle(self, message: JobMessage, _delivery: Delivery) -> Outcome:
        self.done.append(message.item_id)
        return Done()


@pytest.fixture
async def world(service_bus: Namespace, tmp_path: Path) -> AsyncIterator[World]:
    wanted = QueueSettings(max_delivery_count=3, duplicate_window_s=0.0)
    with servicebus_queues(service_bus, wanted) as (unused, settings):
        await unused.close()
        async with world_in(tmp_path, queue=settings) as world:
            yield world


async def _send(service_bus: Namespace, queue: str, messages: list[AmqpAnnotatedMessage]) -> None:
    async with (
        ServiceBusClient.from_connection_string(service_bus.connection_string) as client,
        client.get_queue_sender(queue) as sender,
    ):
        for message in messages:
            await sender.send_messages(message)


async def test_whatever_lies_in_a_queue_is_shown_counted_and_put_aside(
    world: World, service_bus: Namespace
) -> None:
    queues, prefix = world.parts.queues, world.parts.settings.queue.prefix
    await _send(service_bus, prefix + "jobs", list(FOREIGN.values()))
    await queues.check()
    assert len(await queues.peek("jobs")) == len(FOREIGN)
    depth = await queues.depth("jobs")
    assert (depth.active, depth.dead) == (len(FOREIGN), 0)
    assert await world.parts.sweeper.sweep() == SweepReport()

    job = JobMessage(tenant_id="t", job_id="job_1", item_id="item_1", epoch=0, correlation_id="c")
    await queues.send("jobs", [Outgoing(job.message_id, job.encode())])
    handler, stop = Working(), asyncio.Event()
    loop = WorkerLoop(queues, "jobs", JobMessage, handler, settings=WorkerSettings())
    working = asyncio.create_task(loop.run(stop))
    async with asyncio.timeout(60):
        while (await queues.depth("jobs")).active:
            # Ends at once with a worker that does.
            done, _ = await asyncio.wait({working}, timeout=0.2)
            assert not done
    stop.set()
    await working
    # The worker went on past all of them to the one that it knows.
    assert handler.done == ["item_1"]
    dead = await queues.peek("jobs", dead=True)
    assert [letter.dead_letter_reason for letter in dead] == ["InvalidMessage"] * len(FOREIGN)
    assert await world.parts.sweeper.sweep() == SweepReport()
    assert await queues.redrive("jobs") == len(FOREIGN)
    assert (await queues.depth("jobs")).active == len(FOREIGN)


def test_a_message_without_a_body_has_an_empty_one() -> None:
    bare = ServiceBusReceivedMessage.from_bytes(b"\x00\x53\x73\x45")  # properties, none of them set
    assert (peeked(bare).message_id, peeked(bare).body) == ("", b"")


async def test_a_message_too_large_is_named_and_holds_no_other_up(world: World) -> None:
    large = [Outgoing(f"large_{n}:0", b"x" * 300_000) for n in range(2)]
    with pytest.raises(MessageTooLarge, match=r"large_0:0, large_1:0") as told:
        await world.parts.queues.send("jobs", [large[0], Outgoing("item_1:0", b"{}"), large[1]])
    assert told.value.message_ids == {"large_0:0", "large_1:0"}
    assert await world.message_ids("jobs") == ["item_1:0"]


async def test_closed_queues_stay_closed() -> None:
    nowhere = SecretStr("Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=n;SharedAccessKey=k")
    queues = ServiceBusQueues(QueueSettings(connection_string=nowhere))
    await queues.close()
    for call in (
        queues.send("jobs", [Outgoing("item_1:0", b"{}")]),
        queues.peek("jobs"),
        queues.depth("jobs"),
    ):
        with pytest.raises(QueueUnavailable, match="are closed"):
            await call
    with pytest.raises(QueueUnavailable, match="are closed"):
        queues.receiver("jobs")
