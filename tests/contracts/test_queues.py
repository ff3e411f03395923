"""What every queue implementation must do; ``queue_rigs.py`` names them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contracts.queue_rigs import IMPLEMENTATIONS, PATIENT, SETTINGS, Factory, Rig

from opal.errors import LockLost
from opal.queues.interface import Outgoing, Received, Receiver


@pytest.fixture(params=IMPLEMENTATIONS)
def factory(request: pytest.FixtureRequest) -> Factory:
    return IMPLEMENTATIONS[request.param](request)


@pytest.fixture
async def rig(factory: Factory, tmp_path: Path) -> AsyncIterator[Rig]:
    async with factory(tmp_path, SETTINGS) as rig:
        yield rig
        await rig.close()


@pytest.fixture
async def patient(factory: Factory, tmp_path: Path) -> AsyncIterator[Rig]:
    """Locks and the duplicate window never end within a test."""
    async with factory(tmp_path, PATIENT) as rig:
        yield rig
        await rig.close()


@pytest.fixture
async def receiver(rig: Rig) -> Receiver:
    return await _ready(rig)


@pytest.fixture
async def patient_receiver(patient: Rig) -> Receiver:
    return await _ready(patient)


async def _ready(rig: Rig) -> Receiver:
    """A receiver after whatever connecting takes, so that no test measures that."""
    receiver = rig.receiver("jobs")
    await asyncio.gather(receiver.receive(1, 0.01), rig.queues.check())
    return receiver


def _message(number: int = 0, *, not_before: datetime | None = None) -> Outgoing:
    return Outgoing(f"item_{number}:0", b"body %d" % number, not_before=not_before)


async def _one(receiver: Receiver, timeout: float = 5.0) -> Received:
    (message,) = await receiver.receive(1, timeout)
    return message


async def _all(receiver: Receiver, count: int) -> list[Received]:
    got: list[Received] = []
    while len(got) < count:
        some = await receiver.receive(count - len(got), 5)
        assert some, f"only {len(got)} of {count} came"
        got += some
    return got


async def test_a_message_arrives_as_it_was_sent(patient: Rig, patient_receiver: Receiver) -> None:
    before = datetime.now(UTC)
    await patient.queues.send("jobs", [Outgoing("item_1:0", b"\x00\xff", "corr", {"traceparent": "00-ä"})])
    message = await _one(patient_receiver)
    assert (message.queue, message.message_id, message.body) == ("jobs", "item_1:0", b"\x00\xff")
    assert (message.correlation_id, dict(message.properties)) == ("corr", {"traceparent": "00-ä"})
    assert message.delivery_count == 1
    assert before - timedelta(seconds=1) <= message.enqueued_at <= datetime.now(UTC)
    assert message.locked_until > datetime.now(UTC) + timedelta(seconds=250)


async def test_messages_come_in_the_order_of_sending(patient: Rig, patient_receiver: Receiver) -> None:
    await patient.queues.send("jobs", [_message(n) for n in range(10)])
    await patient.queues.send("jobs", [_message(n) for n in range(10, 20)])
    got: list[Received] = []
    while len(got) < 20:
        got += await patient_receiver.receive(7, 5)
    assert [message.message_id for message in got] == [f"item_{n}:0" for n in range(20)]


async def test_receive_gives_no_more_than_asked_and_nothing_after_its_timeout(
    patient: Rig, patient_receiver: Receiver
) -> None:
    await patient.queues.send("jobs", [_message(n) for n in range(3)])
    got: list[Received] = []
    while len(got) < 3:
        some = await patient_receiver.receive(2, 5)
        # Fewer than there are is allowed: Service Bus would have to wait to see whether more come.
        assert 1 <= len(some) <= 2
        got += some
    started = time.monotonic()
    assert await patient_receiver.receive(2, 0.2) == []
    assert 0.19 <= time.monotonic() - started < 5


async def test_a_waiting_receiver_gets_a_message_sent_later(patient: Rig, patient_receiver: Receiver) -> None:
    waiting = asyncio.create_task(_one(patient_receiver, 30))
    await asyncio.sleep(0)
    await patient.queues.send("jobs", [_message()])
    assert (await waiting).message_id == "item_0:0"


async def test_a_locked_message_is_hidden_from_others_until_completed_for_good(
    patient: Rig, patient_receiver: Receiver
) -> None:
    other = patient.receiver("jobs")
    await patient.queues.send("jobs", [_message()])
    message = await _one(patient_receiver)
    assert await other.receive(1, 0.1) == []
    await patient_receiver.complete(message)
    assert (await patient.queues.depth("jobs")).active == 0
    assert await other.receive(1, 0.1) == []


async def test_queues_are_apart(patient: Rig, patient_receiver: Receiver) -> None:
    await patient.queues.send("exports", [_message()])
    assert await patient_receiver.receive(1, 0.1) == []
    assert (await patient.queues.depth("exports")).active == 1


async def test_an_abandoned_message_comes_back_at_once_in_its_old_place(
    patient: Rig, patient_receiver: Receiver
) -> None:
    await patient.queues.send("jobs", [_message(0), _message(1)])
    await patient_receiver.abandon(await _one(patient_receiver))
    again = await _one(patient_receiver)
    assert (again.message_id, again.delivery_count) == ("item_0:0", 2)


async def test_an_abandoned_message_stays_hidden_for_its_delay(
    patient: Rig, patient_receiver: Receiver
) -> None:
    await patient.queues.send("jobs", [_message()])
    message = await _one(patient_receiver)
    abandoned_at = time.monotonic()
    await patient_receiver.abandon(message, timedelta(seconds=1.5))
    assert (await patient.queues.depth("jobs")).scheduled == 1
    again = await _one(patient_receiver)
    assert time.monotonic() - abandoned_at >= 1.49
    assert again.delivery_count == 2


async def test_a_scheduled_message_comes_at_its_time_and_holds_nobody_up(
    patient: Rig, patient_receiver: Receiver
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=1.5)
    await patient.queues.send("jobs", [_message(0, not_before=due), _message(1)])
    assert (await _one(patient_receiver)).message_id == "item_1:0"
    (peeked, _locked) = await patient.queues.peek("jobs")
    assert peeked.scheduled_for is not None
    assert abs(peeked.scheduled_for - due) < timedelta(milliseconds=1)
    assert (await _one(patient_receiver)).message_id == "item_0:0"
    assert datetime.now(UTC) >= due


async def test_a_lock_that_ends_gives_the_message_to_the_next(rig: Rig, receiver: Receiver) -> None:
    await rig.queues.send("jobs", [_message()])
    first = await _one(receiver)
    second = await _one(receiver)
    assert (second.message_id, second.delivery_count) == (first.message_id, 2)
    assert second.lock_token != first.lock_token
    assert datetime.now(UTC) >= first.locked_until


SETTLEMENTS: dict[str, Callable[[Receiver, Received], Awaitable[object]]] = {
    "complete": lambda receiver, message: receiver.complete(message),
    "abandon": lambda receiver, message: receiver.abandon(message),
    "dead_letter": lambda receiver, message: receiver.dead_letter(message, "Poison", ""),
    "renew": lambda receiver, message: receiver.renew(message),
}


async def _lost_for_every_settlement(receiver: Receiver, messages: Sequence[Received]) -> None:
    lost = []
    for (name, settle), message in zip(SETTLEMENTS.items(), messages, strict=True):
        try:
            await settle(receiver, message)
        except LockLost:
            lost.append(name)
    assert lost == list(SETTLEMENTS)


async def test_who_lost_the_lock_can_settle_no_more(rig: Rig, receiver: Receiver) -> None:
    await rig.queues.send("jobs", [_message(n) for n in range(4)])
    first = await _all(receiver, 4)
    second = await _all(receiver, 4)
    await _lost_for_every_settlement(receiver, first)
    for message in second:
        await receiver.complete(message)


async def test_a_lock_that_ended_is_lost_even_if_nobody_took_the_message(
    rig: Rig, receiver: Receiver
) -> None:
    await rig.queues.send("jobs", [_message(n) for n in range(4)])
    messages = await _all(receiver, 4)
    assert await rig.receiver("exports").receive(1, rig.settings.lock_s + 0.1) == []
    await _lost_for_every_settlement(receiver, messages)


async def test_a_settled_message_cannot_be_settled_again(patient: Rig, patient_receiver: Receiver) -> None:
    await patient.queues.send("jobs", [_message(n) for n in range(4)])
    messages = await _all(patient_receiver, 4)
    for message in messages:
        await patient_receiver.complete(message)
    await _lost_for_every_settlement(patient_receiver, messages)


async def test_a_renewed_lock_lasts_longer(rig: Rig, receiver: Receiver) -> None:
    await rig.queues.send("jobs", [_message()])
    message = await _one(receiver)
    assert await receiver.receive(1, rig.settings.lock_s * 0.7) == []
    renewed_until = await receiver.renew(message)
    assert renewed_until > message.locked_until
    assert await receiver.receive(1, rig.settings.lock_s * 0.7) == []
    assert datetime.now(UTC) > message.locked_until
    await receiver.complete(message)


async def test_a_dead_letter_waits_with_its_reason_and_can_be_redriven(
    patient: Rig, patient_receiver: Receiver
) -> None:
    await patient.queues.send("jobs", [_message(0), _message(1)])
    for _ in range(2):
        message = await _one(patient_receiver)
        await patient_receiver.dead_letter(message, "InvalidMessage", f"bad {message.message_id}")
    assert await patient_receiver.receive(1, 0.1) == []
    dead = await patient.queues.peek("jobs", dead=True)
    assert [(one.message_id, one.dead_letter_reason, one.dead_letter_description) for one in dead] == [
        ("item_0:0", "InvalidMessage", "bad item_0:0"),
        ("item_1:0", "InvalidMessage", "bad item_1:0"),
    ]
    assert await patient.queues.redrive("jobs", limit=1) == 1
    # The id was sent within the duplicate window, yet the redriven message arrives.
    again = await _one(patient_receiver)
    assert (again.message_id, again.body, again.delivery_count) == ("item_0:0", b"body 0", 1)
    assert (await patient.queues.depth("jobs")).dead == 1
    assert await patient.queues.redrive("jobs") == 1
    assert await patient.queues.redrive("jobs") == 0


async def test_dead_letters_are_purged_by_reason_and_nothing_else_is(
    patient: Rig, patient_receiver: Receiver
) -> None:
    await patient.queues.send("jobs", [_message(number) for number in range(5)])
    for message in await _all(patient_receiver, 4):
        odd = int(message.message_id.partition(":")[0][-1]) % 2
        await patient_receiver.dead_letter(message, "Poison" if odd else "ItemMissing", "put aside")
    assert await patient.queues.purge("jobs", reason="NoSuchReason") == 0
    assert await patient.queues.purge("jobs", limit=1, reason="Poison") == 1
    left = [letter.dead_letter_reason for letter in await patient.queues.peek("jobs", dead=True)]
    assert sorted(filter(None, left)) == ["ItemMissing", "ItemMissing", "Poison"]
    assert await patient.queues.purge("jobs") == 3
    assert await patient.queues.purge("jobs") == 0
    depth = await patient.queues.depth("jobs")
    assert (depth.active, depth.dead) == (1, 0)


async def test_a_message_abandoned_too_often_becomes_a_dead_letter(
    patient: Rig, patient_receiver: Receiver
) -> None:
    await patient.queues.send("jobs", [_message()])
    for delivery in (1, 2, 3):
        message = await _one(patient_receiver)
        assert message.delivery_count == delivery
        await patient_receiver.abandon(message)
    assert await patient_receiver.receive(1, 0.1) == []
    (dead,) = await patient.queues.peek("jobs", dead=True)
    assert (dead.dead_letter_reason, dead.delivery_count) == ("MaxDeliveryCountExceeded", 3)


async def test_late_give_backs_count_as_deliveries_of_the_same_message(
    patient: Rig, patient_receiver: Receiver
) -> None:
    await patient.queues.send("jobs", [Outgoing("item_0:0", b"body", "corr", {"note": "ä"})])
    first = await _one(patient_receiver)
    message = first
    for delivery in (1, 2, 3):
        assert message.delivery_count == delivery
        assert (message.message_id, message.body, message.correlation_id) == ("item_0:0", b"body", "corr")
        assert (dict(message.properties), message.enqueued_at) == ({"note": "ä"}, first.enqueued_at)
        await patient_receiver.abandon(message, timedelta(seconds=0.05))
        if delivery < 3:
            message = await _one(patient_receiver)
    (dead,) = await patient.queues.peek("jobs", dead=True)
    assert (dead.message_id, dead.dead_letter_reason) == ("item_0:0", "MaxDeliveryCountExceeded")
    assert await patient.queues.redrive("jobs") == 1
    again = await _one(patient_receiver)
    assert (again.message_id, again.delivery_count, dict(again.properties)) == ("item_0:0", 1, {"note": "ä"})


async def test_a_message_that_kills_its_receivers_becomes_a_dead_letter(rig: Rig, receiver: Receiver) -> None:
    await rig.queues.send("jobs", [_message()])
    for delivery in (1, 2, 3):
        assert (await _one(receiver)).delivery_count == delivery
    assert await receiver.receive(1, rig.settings.lock_s + 0.2) == []
    (dead,) = await rig.queues.peek("jobs", dead=True)
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"


async def test_a_repeated_id_is_dropped_even_after_completion(
    patient: Rig, patient_receiver: Receiver
) -> None:
    await patient.queues.send("jobs", [_message(0), _message(0)])
    await patient.queues.send("jobs", [_message(0), _message(1)])
    assert (await patient.queues.depth("jobs")).active == 2
    await patient_receiver.complete(await _one(patient_receiver))
    await patient.queues.send("jobs", [_message(0)])
    assert (await _one(patient_receiver)).message_id == "item_1:0"
    assert (await patient.queues.depth("jobs")).active == 1


async def test_the_same_id_may_be_sent_to_another_queue(patient: Rig) -> None:
    await patient.queues.send("jobs", [_message(0)])
    await patient.queues.send("exports", [_message(0)])
    assert (await patient.queues.depth("exports")).active == 1


async def test_after_the_duplicate_window_an_id_is_new_again(rig: Rig, receiver: Receiver) -> None:
    await rig.queues.send("jobs", [_message(0)])
    await receiver.complete(await _one(receiver))
    assert await receiver.receive(1, rig.settings.duplicate_window_s + 0.1) == []
    await rig.queues.send("jobs", [_message(0)])
    assert (await _one(receiver)).delivery_count == 1


async def test_depth_counts_locked_messages_as_active(patient: Rig, patient_receiver: Receiver) -> None:
    empty = await patient.queues.depth("jobs")
    assert (empty.active, empty.scheduled, empty.dead, empty.oldest_active) == (0, 0, 0, None)
    later = datetime.now(UTC) + timedelta(hours=1)
    await patient.queues.send("jobs", [_message(0), _message(1), _message(2), _message(3, not_before=later)])
    await _one(patient_receiver)
    await patient_receiver.dead_letter(await _one(patient_receiver), "Poison", "")
    depth = await patient.queues.depth("jobs")
    assert (depth.active, depth.scheduled, depth.dead) == (2, 1, 1)
    assert depth.oldest_active is not None
    assert depth.oldest_active <= datetime.now(UTC)


async def test_peek_locks_nothing(patient: Rig, patient_receiver: Receiver) -> None:
    await patient.queues.send("jobs", [_message(n) for n in range(3)])
    peeked = await patient.queues.peek("jobs", limit=2)
    assert [(one.message_id, one.body, one.delivery_count) for one in peeked] == [
        ("item_0:0", b"body 0", 0),
        ("item_1:0", b"body 1", 0),
    ]
    assert all(one.scheduled_for is None and one.dead_letter_reason is None for one in peeked)
    assert (await _one(patient_receiver)).delivery_count == 1


async def test_a_cancelled_receive_leaves_no_message_locked(patient: Rig) -> None:
    """Cancel at many stages of a receive; afterwards each message is there, its delivery not counted."""
    await patient.queues.send("jobs", [_message(n) for n in range(5)])
    receiver = patient.receiver("jobs")
    for stage in range(60):
        task = asyncio.create_task(receiver.receive(5, 5))
        for _turn in range(stage * 5):
            await asyncio.sleep(0)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            for message in task.result():
                await receiver.abandon(message)
            break
    await receiver.close()
    got = await _all(patient.receiver("jobs"), 5)
    assert max(message.delivery_count for message in got) <= 2


async def test_closing_ends_a_waiting_receive(patient: Rig) -> None:
    receiver = patient.receiver("jobs")
    waiting = asyncio.create_task(receiver.receive(1, 60))
    await asyncio.sleep(0)
    await patient.queues.depth("jobs")
    await receiver.close()
    async with asyncio.timeout(10):
        assert await waiting == []


async def test_check_returns_when_all_is_well(patient: Rig) -> None:
    await patient.queues.check()
