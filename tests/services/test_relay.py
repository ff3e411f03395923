"""The outbox relay: at least once, each row by one relay at a time, nothing lost while a part is away."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import update
from tests.services.pipeline_world import World, world_in

from opal.assembly import build_queues
from opal.database import outbox, tables
from opal.database.engine import utc_now
from opal.errors import MessageTooLarge, QueueUnavailable
from opal.items.states import ItemState
from opal.outbox_relay import OutboxRelay
from opal.queues.interface import Outgoing, Queues


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path) as world:
        yield world


async def test_a_message_is_published_and_its_item_queued(world: World) -> None:
    _job, [item] = await world.job()
    assert await world.parts.relay.publish_pending() == 1
    assert await world.message_ids("jobs") == [f"{item.id}:0"]
    assert await world.in_outbox() == 0
    assert (await world.item(item.id)).state is ItemState.QUEUED
    assert (await world.story(item))[-1].details["by"] == "outbox relay"


async def test_messages_are_published_in_the_order_of_their_commits(world: World) -> None:
    first, second = await world.job(4), await world.job(4)
    assert await world.parts.relay.publish_pending() == 8
    expected = [f"{item.id}:0" for _job, uploaded in (first, second) for item in uploaded]
    assert await world.message_ids("jobs") == expected


async def test_an_item_that_a_worker_has_already_is_left_alone(world: World) -> None:
    _job, [item] = await world.job()
    await world.set(item, state=ItemState.PROCESSING, attempt=1)
    await world.parts.relay.publish_pending()
    assert (await world.item(item.id)).state is ItemState.PROCESSING


async def test_relays_at_the_same_time_publish_each_row_once(world: World) -> None:
    await world.job(8)
    relays = [OutboxRelay(world.parts.database, world.parts.queues) for _ in range(4)]
    published = await asyncio.gather(*(relay.publish_pending() for relay in relays))
    assert sum(published) == 8
    assert len(await world.message_ids("jobs")) == 8


async def test_a_queue_that_is_away_costs_nothing_but_time(world: World) -> None:
    _job, [item] = await world.job()
    away = build_queues(world.parts.settings)
    await away.close()
    with pytest.raises(QueueUnavailable):
        await OutboxRelay(world.parts.database, away).publish_pending()
    assert await world.in_outbox() == 1
    assert (await world.item(item.id)).state is ItemState.UPLOADED
    # The failed relay's claim ends after some seconds; here it ends now.
    await end_claims(world)
    assert await world.parts.relay.publish_pending() == 1


@dataclass(frozen=True)
class Narrow:
    """A queue that takes all messages but one, which is too large for it."""

    inner: Queues
    too_large: str

    async def send(self, queue: str, messages: Sequence[Outgoing]) -> None:
        await self.inner.send(queue, [each for each in messages if each.message_id != self.too_large])
        if any(each.message_id == self.too_large for each in messages):
            raise MessageTooLarge(self.too_large, [self.too_large])


async def test_a_message_too_large_stays_and_all_others_go_on(world: World) -> None:
    _job, [large, other] = await world.job(2)
    narrow = cast(Queues, Narrow(world.parts.queues, f"{large.id}:0"))
    for published in (1, 0):
        assert await OutboxRelay(world.parts.database, narrow).publish_pending() == published
        assert await world.message_ids("jobs") == [f"{other.id}:0"]
        assert await world.in_outbox() == 1
        assert (await world.item(large.id)).state is ItemState.UPLOADED
        assert (await world.item(other.id)).state is ItemState.QUEUED
        await end_claims(world)


async def test_a_relay_that_died_after_sending_sends_no_second_message(world: World) -> None:
    _job, [item] = await world.job()
    await world.parts.relay.publish_pending()
    async with world.parts.database.transaction() as connection:
        message = (await world.parts.queues.peek("jobs"))[0]
        await connection.execute(
            tables.outbox.insert().values(
                queue="jobs",
                message_id=message.message_id,
                item_id=item.id,
                correlation_id="c",
                body=message.body,
                created_at=utc_now(),
            )
        )
    assert await world.parts.relay.publish_pending() == 1
    assert await world.message_ids("jobs") == [f"{item.id}:0"]


async def test_a_kick_publishes_in_the_background(world: World) -> None:
    await world.job(3)
    relay = OutboxRelay(world.parts.database, world.parts.queues)
    relay.kick()
    relay.kick()
    await relay.close()
    assert await world.in_outbox() == 0


async def test_a_kick_survives_a_queue_that_is_away(world: World) -> None:
    await world.job()
    away = build_queues(world.parts.settings)
    await away.close()
    relay = OutboxRelay(world.parts.database, away)
    relay.kick()
    await relay.close()
    assert await world.in_outbox() == 1


async def test_the_loop_publishes_what_others_left(world: World) -> None:
    await world.job(2)
    stop = asyncio.Event()
    running = asyncio.create_task(OutboxRelay(world.parts.database, world.parts.queues).run(stop))
    receiver = world.parts.queues.receiver("jobs")
    received = await receiver.receive(1, 10.0)
    stop.set()
    await running
    await receiver.close()
    assert len(received) == 1
    assert await world.in_outbox() == 0


async def end_claims(world: World) -> None:
    past = utc_now() - timedelta(seconds=1)
    async with world.parts.database.transaction() as connection:
        await connection.execute(update(tables.outbox).values(claimed_until=past))


async def test_a_claimed_row_is_invisible_until_its_claim_ends(world: World) -> None:
    await world.job()
    async with world.parts.database.transaction() as connection:
        assert len(await outbox.claim_batch(connection, 10, 60.0)) == 1
    assert await world.parts.relay.publish_pending() == 0
    await end_claims(world)
    assert await world.parts.relay.publish_pending() == 1
