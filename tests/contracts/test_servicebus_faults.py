"""What goes wrong between Opal and Service Bus, switch by switch, and what the adapter makes of it.

Each scenario ends with its control: the same fault met by the SDK alone, or with a step left out, does the
harm that the adapter keeps away.
"""

import asyncio
import gc
import logging
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import MessageNotFoundError
from tests.contracts.servicebus_scenarios import SCENARIOS, play_all, scenario
from tests.contracts.servicebus_world import SETTINGS, CountingHandler, HangingHandler, World

from opal.errors import LockLost, QueueUnavailable
from opal.messages.job_message import JobMessage
from opal.queues.interface import Outgoing
from opal.settings import WorkerSettings
from opal.worker.loop import WorkerLoop
from opal.worker.settlement import Done, LockRenewal, settle

pytestmark = [
    # All are played by one worker: most of their time is waiting for links and locks.
    pytest.mark.xdist_group("servicebus_faults"),
    # Of a connection that broke the SDK leaves the socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, BaseException | None]:
    """What each scenario ended with."""
    logging.disable()  # what is logged is held by pytest, tracebacks and sockets included
    try:
        found = asyncio.run(play_all())
    finally:
        logging.disable(logging.NOTSET)
    for _again in range(4):  # what a finaliser frees is found by the next
        gc.collect()
    return found


@scenario
async def a_receiver_whose_link_is_detached_goes_on(world: World) -> None:
    waiting = asyncio.create_task(world.received())
    await asyncio.sleep(0.1)
    await world.throw("detach", queue=world.jobs)
    await world.queues.send("jobs", [Outgoing("item_0:0", b"{}")])
    await world.receiver.complete(await waiting)

    async with world.sdk_alone() as sdk, sdk.get_queue_receiver(world.jobs) as receiver:
        alone = asyncio.create_task(receiver.receive_messages(1, max_wait_time=5))
        await asyncio.sleep(0.1)
        await world.throw("detach", queue=world.jobs)
        with pytest.raises(AzureError, match="inactive for more than the permitted 10 minutes"):
            await alone


@scenario
async def a_sender_whose_link_was_detached_while_idle_sends(world: World) -> None:
    await world.queues.send("jobs", [Outgoing("item_0:0", b"{}")])
    await world.throw("detach", queue=world.jobs)
    await world.queues.send("jobs", [Outgoing("item_1:0", b"{}")])
    assert await world.left() == (2, 0, 0)

    async with world.sdk_alone() as sdk, sdk.get_queue_sender(world.jobs) as sender:
        await world.throw("detach", queue=world.jobs)
        with pytest.raises(AzureError):
            await sender.send_messages(ServiceBusMessage(b"{}", message_id="item_2:0"))
    assert await world.left() == (2, 0, 0)


@scenario
async def a_message_in_hand_when_the_connection_breaks_comes_again(world: World) -> None:
    message = await world.sent_and_received()
    await world.throw("break")
    assert not await settle(world.receiver, message, Done())
    again = await world.received()
    assert (again.message_id, again.delivery_count) == (message.message_id, 2)
    await world.receiver.complete(again)

    async with world.sdk_alone() as sdk, sdk.get_queue_receiver(world.jobs) as receiver:
        await world.queues.send("jobs", [Outgoing("item_1:0", b"{}")])
        (alone,) = await receiver.receive_messages(1, max_wait_time=5)
        await world.throw("break")
        # Neither says LockLost nor QueueUnavailable, which are all that the worker's loop knows.
        with pytest.raises((AzureError, ValueError)):
            await receiver.complete_message(alone)


@scenario
async def a_service_that_restarts_loses_nothing(world: World) -> None:
    await world.queues.send("jobs", [Outgoing(f"item_{n}:0", b"{}") for n in range(3)])
    in_hand = await world.received()
    await world.throw("restart", ms=1500)
    with pytest.raises(QueueUnavailable):
        await world.queues.send("jobs", [Outgoing("item_3:0", b"{}")])
    seen: list[str] = []
    while len(seen) < 3:
        try:
            for message in await world.receiver.receive(1, 5):
                seen.append(message.message_id)
                await world.receiver.complete(message)
        except QueueUnavailable:
            await asyncio.sleep(0.1)
    # The one in hand was locked while the service was away, and came again.
    assert sorted(seen) == ["item_0:0", "item_1:0", "item_2:0"]
    assert in_hand.message_id in seen
    await world.queues.send("jobs", [Outgoing("item_3:0", b"{}")])
    await world.receiver.complete(await world.received())
    assert await world.left() == (0, 0, 0)

    async with world.sdk_alone() as sdk, sdk.get_queue_receiver(world.jobs) as receiver:
        alone = asyncio.create_task(receiver.receive_messages(1, max_wait_time=5))
        await asyncio.sleep(0.1)
        await world.throw("restart", ms=500)
        with pytest.raises(AzureError):
            await alone


@scenario
async def a_send_whose_answer_is_lost_is_not_sent_twice(world: World) -> None:
    await world.queues.send("jobs", [Outgoing("item_0:0", b"{}")])
    await world.throw("faults", sendUnanswered=1)
    await world.queues.send("jobs", [Outgoing("item_1:0", b"{}"), Outgoing("item_2:0", b"{}")])
    assert await world.left() == (3, 0, 0)

    async with world.sdk_alone() as sdk, sdk.get_queue_sender(world.jobs) as sender:
        await world.throw("faults", sendUnanswered=1)
        with pytest.raises(AzureError):
            await sender.send_messages(ServiceBusMessage(b"{}", message_id="one"))
        # Tried again under an id of its own, it is there twice.
        await sender.send_messages(ServiceBusMessage(b"{}", message_id="another"))
    assert await world.left() == (5, 0, 0)


@scenario
async def a_busy_service_is_asked_again(world: World) -> None:
    await world.throw("faults", sendRefused=1)
    await world.queues.send("jobs", [Outgoing("item_0:0", b"{}")])
    assert await world.left() == (1, 0, 0)

    async with world.sdk_alone() as sdk, sdk.get_queue_sender(world.jobs) as sender:
        await world.throw("faults", sendRefused=1)
        with pytest.raises(AzureError, match="busy"):
            await sender.send_messages(ServiceBusMessage(b"{}", message_id="item_1:0"))


@scenario
async def a_settlement_that_never_arrived_is_repeated(world: World) -> None:
    message = await world.sent_and_received()
    await world.throw("faults", settleLost=1)
    assert await settle(world.receiver, message, Done())
    assert await world.left() == (0, 0, 0)

    await world.queues.send("jobs", [Outgoing("item_1:0", b"{}")])
    message = await world.received()
    await world.throw("faults", settleLost=1)
    with pytest.raises(QueueUnavailable):
        await world.receiver.complete(message)
    # Not repeated, it comes again.
    assert (await world.received()).delivery_count == 2


@scenario
async def a_settlement_whose_answer_is_lost_was_done(world: World) -> None:
    message = await world.sent_and_received()
    await world.throw("faults", settleUnanswered=1)
    # The second time it is no longer ours: that is told, and nothing comes of it.
    assert not await settle(world.receiver, message, Done())
    assert await world.left() == (0, 0, 0)

    async with world.sdk_alone() as sdk, sdk.get_queue_receiver(world.jobs) as receiver:
        await world.queues.send("jobs", [Outgoing("item_1:0", b"{}")])
        (alone,) = await receiver.receive_messages(1, max_wait_time=5)
        await world.throw("faults", settleUnanswered=1)
        with pytest.raises(TimeoutError):  # the SDK would wait a whole minute for the answer
            await asyncio.wait_for(receiver.complete_message(alone), 3 * SETTINGS.answer_s)


@scenario
async def a_message_that_comes_twice_is_told_by_its_id(world: World) -> None:
    await world.throw("duplicate", queue=world.jobs, count=1)
    first = await world.sent_and_received()
    await world.receiver.complete(first)
    second = await world.received()
    # Two deliveries with nothing else in common; whoever trusted the lock to mean "once" would work twice.
    assert second.message_id == first.message_id
    assert second.sequence_number != first.sequence_number
    await world.receiver.complete(second)
    assert await world.left() == (0, 0, 0)


@scenario
async def one_slow_answer_does_not_cost_the_message_in_hand(world: World) -> None:
    message = await world.sent_and_received()
    await world.throw("faults", delayMs=round(SETTINGS.answer_s * 1300))
    with pytest.raises(QueueUnavailable):
        await world.receiver.renew(message)
    await world.throw("faults", delayMs=0)
    await world.receiver.complete(message)

    # Had the link been replaced, its lock would be gone with it.
    await world.queues.send("jobs", [Outgoing("item_1:0", b"{}")])
    message = await world.received()
    await world.throw("detach", queue=world.jobs)
    assert not await settle(world.receiver, message, Done())


@scenario
async def a_network_that_swallows_everything_blocks_nobody(world: World) -> None:
    message = await world.sent_and_received()
    await world.throw("freeze", ms=8000)
    async with asyncio.timeout(4 * SETTINGS.answer_s):
        with pytest.raises(QueueUnavailable):
            await world.receiver.complete(message)
        with pytest.raises(QueueUnavailable):
            await world.queues.depth("jobs")

    async with world.sdk_alone() as sdk, sdk.get_queue_receiver(world.jobs) as receiver:
        await receiver.peek_messages(1)
        await world.throw("freeze", ms=8000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receiver.peek_messages(1), 3 * SETTINGS.answer_s)


@scenario
async def a_receiver_whose_network_died_silently_connects_anew(world: World) -> None:
    await world.throw("freeze", ms=15_000)
    async with world.sdk_alone() as sdk, sdk.get_queue_sender(world.jobs) as sender:
        await sender.send_messages(ServiceBusMessage(b"{}", message_id="item_0:0"))
        async with asyncio.timeout(10):
            while not (messages := await world.receiver.receive(1, 0.5)):
                continue
        await world.receiver.complete(messages[0])

        async with sdk.get_queue_receiver(world.jobs) as receiver:
            assert await receiver.receive_messages(1, max_wait_time=0.1) == []
            await world.throw("freeze", ms=15_000)
            async with world.sdk_alone() as other, other.get_queue_sender(world.jobs) as fresh:
                await fresh.send_messages(ServiceBusMessage(b"{}", message_id="item_1:0"))
            # Alone it would go on listening to nothing.
            assert await receiver.receive_messages(1, max_wait_time=3) == []


@scenario
async def a_refused_token_is_a_queue_that_is_away_until_it_is_accepted(world: World) -> None:
    await world.throw("faults", authRefused=2)
    with pytest.raises(QueueUnavailable):
        await world.queues.send("exports", [Outgoing("item_0:0", b"{}")])
    await world.queues.send("exports", [Outgoing("item_0:0", b"{}")])
    assert (await world.queues.depth("exports")).active == 1

    async with world.sdk_alone() as sdk:
        await world.throw("faults", authRefused=1)
        with pytest.raises(AzureError):
            await sdk.get_queue_sender(world.jobs).send_messages(ServiceBusMessage(b"{}"))


@scenario
async def work_longer_than_a_lock_keeps_its_message(world: World) -> None:
    message = await world.sent_and_received()
    async with LockRenewal(world.receiver, message, on_lost=lambda: None) as renewal:
        assert await world.receiver.receive(1, 1.8 * SETTINGS.lock_s) == []
    assert not renewal.lost
    await world.receiver.complete(message)

    await world.queues.send("jobs", [Outgoing("item_1:0", b"{}")])
    await world.received()
    # Not renewed, it comes again meanwhile.
    assert len(await world.receiver.receive(1, 1.8 * SETTINGS.lock_s)) == 1


@scenario
async def a_lock_that_the_service_ended_is_lost_whatever_the_clock_says(world: World) -> None:
    message = await world.sent_and_received()
    await world.throw("expire", queue=world.jobs)
    with pytest.raises(LockLost):
        await world.receiver.renew(message)
    with pytest.raises(LockLost):
        await world.receiver.abandon(message, timedelta(seconds=60))
    # The copy that was to come later is taken back: who has the message now decides.
    assert await world.left() == (1, 0, 0)


@scenario
async def work_whose_lock_is_lost_is_cancelled_and_done_by_the_next_delivery(world: World) -> None:
    handler, stop = HangingHandler(), asyncio.Event()
    loop = WorkerLoop(world.queues, "jobs", JobMessage, handler, settings=WorkerSettings(concurrency=2))
    job = JobMessage(tenant_id="t", job_id="job_1", item_id="item_1", epoch=0, correlation_id="c")
    await world.queues.send("jobs", [Outgoing(job.message_id, job.encode())])
    working = asyncio.create_task(loop.run(stop))
    async with asyncio.timeout(8 * SETTINGS.lock_s):
        await handler.hangs.wait()
        await world.throw("expire", queue=world.jobs)
        await handler.cancelled.wait()
        await handler.again.wait()
    stop.set()
    await working
    assert await world.left() == (0, 0, 0)

    # Where nobody acts on it, the work goes on though another has its message.
    message, lost = await world.sent_and_received(), asyncio.Event()
    async with LockRenewal(world.receiver, message, on_lost=lost.set), asyncio.timeout(2 * SETTINGS.lock_s):
        await world.throw("expire", queue=world.jobs)
        assert (await world.received()).message_id == message.message_id
        await lost.wait()


@scenario
async def giving_back_for_later_twice_sends_one_copy(world: World) -> None:
    message = await world.sent_and_received()
    await world.throw("faults", settleLost=1)
    with pytest.raises(QueueUnavailable):
        await world.receiver.abandon(message, timedelta(seconds=60))
    # As after a crash between the copy and the end of the message: both are there, nothing is lost.
    assert await world.left() == (1, 1, 0)
    await world.receiver.abandon(message, timedelta(seconds=60))
    assert await world.left() == (0, 1, 0)

    # The number of a copy that was dropped is nobody else's: taking it back takes no other message.
    due = datetime.now(UTC) + timedelta(seconds=60)
    async with world.sdk_alone() as sdk, sdk.get_queue_sender(world.jobs) as sender:
        copies = [ServiceBusMessage(b"{}", message_id=each) for each in ("item_1:0", "item_1:0", "item_2:0")]
        numbers = [(await sender.schedule_messages(copy, due))[0] for copy in copies]
        with pytest.raises(MessageNotFoundError):
            await sender.cancel_scheduled_messages(numbers[1])
    assert await world.left() == (0, 3, 0)


@scenario
async def a_trace_that_the_sdk_cannot_read_does_not_poison_its_message(world: World) -> None:
    await world.queues.send("jobs", [Outgoing("item_0:0", b"{}", properties={"traceparent": "00-ä"})])
    message = await world.received()
    await world.receiver.complete(message)
    assert await world.left() == (0, 0, 0)

    async with world.sdk_alone() as sdk, sdk.get_queue_receiver(world.jobs) as receiver:
        await world.queues.send("jobs", [Outgoing("item_1:0", b"{}", properties={"traceparent": "00-ä"})])
        (alone,) = await receiver.receive_messages(1, max_wait_time=5)
        with pytest.raises(UnicodeDecodeError):
            await receiver.complete_message(alone)


@scenario
async def a_worker_loses_nothing_whatever_happens_to_its_links(world: World) -> None:
    """A storm: links detached, connections broken, settlements and answers lost, while a worker works."""
    items = [f"item_{n:03}" for n in range(60)]
    messages = [
        JobMessage(tenant_id="t", job_id="job_1", item_id=item, epoch=0, correlation_id="c") for item in items
    ]
    await world.queues.send("jobs", [Outgoing(each.message_id, each.encode()) for each in messages])
    handler, stop = CountingHandler(), asyncio.Event()
    worker = WorkerSettings(concurrency=4, retry_base_s=0.1, retry_max_s=0.5)
    loop = WorkerLoop(world.queues, "jobs", JobMessage, handler, settings=worker)
    working = asyncio.create_task(loop.run(stop))
    storm: list[tuple[str, dict[str, object]]] = [
        ("faults", {"settleLost": 2}),
        ("detach", {"queue": world.jobs}),
        ("faults", {"settleUnanswered": 2}),
        ("break", {}),
        ("duplicate", {"queue": world.jobs, "count": 3}),
        ("restart", {"ms": 300}),
    ]
    async with asyncio.timeout(60):
        for switch, values in storm:
            await asyncio.sleep(0.7)
            await world.throw(switch, **values)
        while len(handler.seen) < len(items) or await world.anything_left():
            await handler.saw_one()
    stop.set()
    await working
    assert set(handler.seen) == set(items)
    assert await world.left() == (0, 0, 0)
    # The storm did strike: without it, each message is seen once.
    assert handler.seen.total() > len(items)


@pytest.mark.parametrize("name", SCENARIOS)
def test_fault(outcomes: dict[str, BaseException | None], name: str) -> None:
    error = outcomes[name]
    if error is not None:
        raise error
