"""The sweeper: each kind of half-done work is healed once, and healthy work is left alone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update
from tests.services.pipeline_world import World, world_in

from opal import sweeper
from opal.assembly import build_queues
from opal.database import items, jobs, tables
from opal.database.engine import utc_now
from opal.database.items import Stage
from opal.items.item import Item
from opal.items.states import TERMINAL, ItemState
from opal.messages.job_message import JobMessage
from opal.queues.interface import MAX_DELIVERY_REASON, Received
from opal.settings import SweeperSettings, WorkerSettings
from opal.sweeper import Sweeper, SweepReport

LEASE_S = 2.0
STALE_S = 30.0
BATCH = 3
NOTHING = SweepReport()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    worker = WorkerSettings(lease_s=LEASE_S, max_interruptions=3)
    often = SweeperSettings(stale_s=STALE_S, upload_expiry_s=3600, interval_s=0.05)
    async with world_in(tmp_path, worker=worker, sweeper=often) as world:
        yield world


def small_sweeper(world: World) -> Sweeper:
    return Sweeper(world.parts.database, world.parts.queues, world.parts.settings, batch=BATCH)


async def lose_messages(world: World, queue: str, *, only: Item | None = None) -> None:
    receiver = world.parts.queues.receiver(queue)
    kept: list[Received] = []
    while received := await receiver.receive(10, 0.0):
        for message in received:
            if only is None or message.message_id == JobMessage.of(only).message_id:
                await receiver.complete(message)
            else:
                kept.append(message)
    for message in kept:
        await receiver.abandon(message)
    await receiver.close()


async def lease_ended(world: World, item: Item, ago_s: float) -> Item:
    return await world.set(item, lease_until=utc_now() - timedelta(seconds=ago_s))


async def published(world: World, queue: str) -> list[str]:
    await world.parts.relay.publish_pending()
    return await world.message_ids(queue)


async def test_a_healthy_system_is_left_alone(world: World) -> None:
    await world.job(1)
    [queued, working] = await world.queued(2)
    await world.claimed(Stage.PROCESS, working)
    await world.completed()
    before = [await world.item(item.id) for item in (queued, working)]
    assert await world.parts.sweeper.sweep() == NOTHING
    assert [await world.item(item.id) for item in (queued, working)] == before


async def test_a_dead_workers_item_is_queued_again_under_a_new_epoch(world: World) -> None:
    [item] = await world.queued()
    item = await world.claimed(Stage.PROCESS, item)
    await lose_messages(world, "jobs")
    await lease_ended(world, item, LEASE_S + 1)
    assert await world.parts.sweeper.sweep() == SweepReport(leases_ended=1)
    healed = await world.item(item.id)
    assert (healed.state, healed.epoch, healed.interruptions, healed.failures) == (ItemState.QUEUED, 1, 1, 0)
    assert healed.lease_until is None
    assert await published(world, "jobs") == [f"{item.id}:1"]
    assert (await world.story(item))[-1].code == "lease_lost"


@pytest.mark.parametrize("state", [each for each in ItemState if each not in TERMINAL])
async def test_a_lease_without_end_is_ended(world: World, state: ItemState) -> None:
    [item] = await world.queued()
    item = await world.set(item, state=state, lease_until=datetime(3000, 1, 1, tzinfo=UTC))
    for queue in ("jobs", "exports"):
        await lose_messages(world, queue)
    assert (await world.parts.sweeper.sweep()).leases_ended == 1
    freed = await world.item(item.id)
    assert freed.lease_until is None
    queue = "exports" if state is ItemState.COMPLETED else "jobs"
    sent = [] if state is ItemState.CREATED else [f"{item.id}:1"]
    assert await published(world, queue) == sent
    assert await world.parts.sweeper.sweep() == NOTHING


async def test_the_longest_lease_there_is_is_left_alone(world: World) -> None:
    [item] = await world.queued()
    await world.claimed(Stage.PROCESS, item, lease_s=1800)
    assert await world.parts.sweeper.sweep() == NOTHING


async def test_the_queues_own_redelivery_comes_first(world: World) -> None:
    [item] = await world.queued()
    item = await world.claimed(Stage.PROCESS, item)
    await lease_ended(world, item, LEASE_S / 2)
    assert await world.parts.sweeper.sweep() == NOTHING


async def test_an_item_that_kills_its_workers_fails_in_the_end(world: World) -> None:
    [item] = await world.queued()
    item = await world.claimed(Stage.PROCESS, item)
    await world.set(item, interruptions=3)
    await lease_ended(world, item, LEASE_S + 1)
    await world.parts.sweeper.sweep()
    failed = await world.item(item.id)
    assert (failed.state, failed.error_code) == (ItemState.FAILED, "too_many_interruptions")
    assert (await world.balance()).held == 0


@pytest.mark.parametrize("state", [ItemState.UPLOADED, ItemState.QUEUED])
async def test_a_lost_job_message_is_sent_again(world: World, state: ItemState) -> None:
    [item, present] = await world.queued(2)
    await lose_messages(world, "jobs")
    async with world.parts.database.transaction() as connection:
        await connection.execute(delete(tables.outbox))
    # Its neighbour's message is there: only what is lost is sent again.
    _job, [waiting] = await world.job()
    await world.set(item, state=state)
    for each in (item, waiting):
        await world.aged(each, STALE_S + 1)
    await world.set(present, state=ItemState.CANCELLED)
    report = await world.parts.sweeper.sweep()
    assert report.jobs_resent == 1
    assert sorted(await published(world, "jobs")) == sorted([f"{item.id}:1", f"{waiting.id}:0"])


async def test_a_long_backlog_is_no_reason_to_send_again(world: World) -> None:
    for item in await world.queued(6):
        await world.aged(item, STALE_S * 10)
    receiver = world.parts.queues.receiver("jobs")
    # Locked and delayed messages count as present, too.
    locked, delayed = await receiver.receive(2, 1.0)
    await receiver.abandon(delayed, timedelta(minutes=5))
    assert await world.parts.sweeper.sweep() == NOTHING
    await receiver.complete(locked)
    await receiver.close()
    assert (await world.parts.sweeper.sweep()).jobs_resent == 1


@pytest.mark.parametrize("same_age", [False, True])
async def test_a_lost_message_is_found_behind_any_number_of_healthy_items(
    world: World, same_age: bool
) -> None:
    *healthy, lost = await world.queued(2 * BATCH + 2)
    await lose_messages(world, "jobs", only=lost)
    at = utc_now() - timedelta(seconds=STALE_S * 2)
    for number, item in enumerate((*healthy, lost)):
        await world.set(item, updated_at=at if same_age else at + timedelta(seconds=number))
    assert await small_sweeper(world).sweep() == SweepReport(jobs_resent=1)
    assert (await world.item(lost.id)).epoch == 1
    assert await small_sweeper(world).sweep() == NOTHING


async def test_a_dead_lease_is_found_behind_any_number_of_live_ones(world: World) -> None:
    claimed = [await world.claimed(Stage.PROCESS, item) for item in await world.queued(BATCH + 1)]
    await lease_ended(world, claimed[-1], LEASE_S + 1)
    assert await small_sweeper(world).sweep() == SweepReport(leases_ended=1)
    assert (await world.item(claimed[-1].id)).state is ItemState.QUEUED


async def test_a_lost_export_message_is_found_behind_exports_under_way(world: World) -> None:
    for number in range(BATCH):
        working = await world.claimed(Stage.EXPORT, await world.completed())
        await world.aged(working, STALE_S * 2 - number)
    lost = await world.completed()
    await world.aged(lost, STALE_S + 1)
    assert await small_sweeper(world).sweep() == SweepReport(exports_resent=1)
    assert await published(world, "exports") == [f"{lost.id}:1"]


async def test_one_sweep_heals_a_batch_and_the_oldest_first(world: World) -> None:
    waiting = await world.queued(BATCH + 1)
    await lose_messages(world, "jobs")
    for number, item in enumerate(waiting):
        await world.aged(item, STALE_S + 1 + number)
    youngest, *older = waiting
    assert await small_sweeper(world).sweep() == SweepReport(jobs_resent=BATCH)
    assert sorted(await published(world, "jobs")) == sorted(f"{item.id}:1" for item in older)
    assert await small_sweeper(world).sweep() == SweepReport(jobs_resent=1)
    assert (await world.item(youngest.id)).epoch == 1


@pytest.mark.parametrize("where", ["queue", "outbox"])
async def test_a_backlog_too_long_to_look_at_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    [lost, *_others] = await world.queued(3)
    await lose_messages(world, "jobs", only=lost)
    if where == "outbox":
        await lose_messages(world, "jobs")
        await world.job(2)
    await world.aged(lost, STALE_S + 1)
    monkeypatch.setattr(sweeper, "WINDOW", 2)
    assert await world.parts.sweeper.sweep() == NOTHING
    monkeypatch.setattr(sweeper, "WINDOW", 3)
    assert await world.parts.sweeper.sweep() == SweepReport(jobs_resent=1)


async def test_a_message_that_waits_in_the_outbox_is_not_lost(world: World) -> None:
    _job, [item] = await world.job()
    await world.aged(item, STALE_S + 1)
    assert await world.parts.sweeper.sweep() == NOTHING


async def test_a_fresh_item_is_given_time(world: World) -> None:
    await world.queued()
    await lose_messages(world, "jobs")
    assert await world.parts.sweeper.sweep() == NOTHING


async def test_a_lost_export_message_is_sent_again(world: World) -> None:
    item = await world.completed()
    await world.aged(item, STALE_S + 1)
    assert await world.parts.sweeper.sweep() == SweepReport(exports_resent=1)
    assert await published(world, "exports") == [f"{item.id}:1"]
    await world.aged(item, STALE_S + 1)
    assert await world.parts.sweeper.sweep() == NOTHING


async def test_an_export_under_way_is_left_alone(world: World) -> None:
    item = await world.claimed(Stage.EXPORT, await world.completed())
    await world.aged(item, STALE_S + 1)
    assert await world.parts.sweeper.sweep() == NOTHING
    await lease_ended(world, item, LEASE_S + 1)
    await world.aged(item, STALE_S + 1)
    assert (await world.parts.sweeper.sweep()).exports_resent == 1


async def test_a_photo_that_never_came_gives_its_credit_back(world: World) -> None:
    _job, [item, other] = await world.job(2)
    for each in (item, other):
        await world.set(each, state=ItemState.CREATED)
    await world.aged(item, 3601)
    assert await world.parts.sweeper.sweep() == SweepReport(uploads_expired=1)
    expired = await world.item(item.id)
    assert (expired.state, expired.error_code) == (ItemState.FAILED, "upload_expired")
    assert (await world.item(other.id)).state is ItemState.CREATED
    assert (await world.balance()).held == 1


@pytest.mark.parametrize("state", [ItemState.FAILED, ItemState.CANCELLED])
async def test_a_hold_on_an_ended_item_is_released(world: World, state: ItemState) -> None:
    [item, _other] = await world.queued(2)
    await world.set(item, state=state)
    assert await world.parts.sweeper.sweep() == SweepReport(holds_released=1)
    balance = await world.balance()
    assert (balance.balance, balance.held) == (10, 1)
    assert await world.parts.sweeper.sweep() == NOTHING


async def dead_letter(world: World, queue: str, description: str, reason: str = "photo_strange") -> None:
    receiver = world.parts.queues.receiver(queue)
    [message] = await receiver.receive(1, 1.0)
    await receiver.dead_letter(message, reason, description)
    await receiver.close()


async def test_a_dead_letter_ends_its_item_and_stays_for_the_operator(world: World) -> None:
    [item] = await world.queued()
    await dead_letter(world, "jobs", "nobody can read it")
    assert await world.parts.sweeper.sweep() == SweepReport(dead_letters_failed=1)
    failed = await world.item(item.id)
    assert failed.state is ItemState.FAILED
    assert (failed.error_code, failed.error_message) == ("dead_lettered", "nobody can read it")
    assert (await world.balance()).held == 0
    assert (await world.parts.queues.depth("jobs")).dead == 1
    assert await world.parts.sweeper.sweep() == NOTHING


async def test_a_dead_export_is_refunded(world: World) -> None:
    item = await world.completed()
    await world.aged(item, STALE_S + 1)
    await world.parts.sweeper.sweep()
    await published(world, "exports")
    await dead_letter(world, "exports", "nobody can read it")
    assert await world.parts.sweeper.sweep() == SweepReport(dead_letters_failed=1)
    assert (await world.item(item.id)).state is ItemState.FAILED
    assert (await world.balance()).balance == 10


@pytest.mark.parametrize("stage", [Stage.PROCESS, Stage.EXPORT])
async def test_what_the_queue_gave_up_is_sent_anew_until_it_was_too_often(world: World, stage: Stage) -> None:
    if stage is Stage.PROCESS:
        queue, [item] = "jobs", await world.queued()
    else:
        queue, item = "exports", await world.completed()
        await world.aged(item, STALE_S + 1)
        await world.parts.sweeper.sweep()
        await published(world, queue)
    for time in range(1, world.parts.settings.worker.max_interruptions + 1):
        await dead_letter(world, queue, "delivered 30 times", MAX_DELIVERY_REASON)
        assert await world.parts.sweeper.sweep() == SweepReport(dead_letters_resent=1)
        again = await world.item(item.id)
        assert (again.state, again.interruptions, again.failures) == (item.state, time, 0)
        await published(world, queue)
    await dead_letter(world, queue, "delivered 30 times", MAX_DELIVERY_REASON)
    await world.parts.sweeper.sweep()
    ended = await world.item(item.id)
    assert (ended.state, ended.error_code) == (ItemState.FAILED, "too_many_interruptions")
    balance = await world.balance()
    assert (balance.balance, balance.held) == (10, 0)


async def test_an_old_dead_letter_does_not_end_an_item_that_was_sent_again(world: World) -> None:
    [item] = await world.queued()
    await dead_letter(world, "jobs", "old")
    async with world.parts.database.transaction() as connection:
        await items.raise_epoch(connection, await world.item(item.id))
    assert await world.parts.sweeper.sweep() == NOTHING


async def test_a_dead_job_message_does_not_end_an_item_that_went_on(world: World) -> None:
    [item] = await world.queued()
    await dead_letter(world, "jobs", "late")
    await world.claimed(Stage.PROCESS, item)
    assert await world.parts.sweeper.sweep() == NOTHING


async def test_two_sweepers_at_once_heal_once(world: World) -> None:
    [item] = await world.queued()
    item = await world.claimed(Stage.PROCESS, item)
    await lease_ended(world, item, LEASE_S + 1)
    reports = await asyncio.gather(*(world.parts.sweeper.sweep() for _ in range(3)))
    assert sum(report.leases_ended for report in reports) == 1
    assert (await world.item(item.id)).interruptions == 1


async def test_dropping_a_whole_queue_loses_nothing(world: World) -> None:
    waiting = await world.queued(5)
    await lose_messages(world, "jobs")
    for item in waiting:
        await world.aged(item, STALE_S + 1)
    assert (await world.parts.sweeper.sweep()).jobs_resent == 5
    assert sorted(await published(world, "jobs")) == sorted(f"{item.id}:1" for item in waiting)


async def test_the_same_message_id_would_have_been_dropped(world: World) -> None:
    # The control: without a new epoch the queue's duplicate detection swallows the second message.
    [item] = await world.queued()
    await lose_messages(world, "jobs")
    async with world.parts.database.transaction() as connection:
        await connection.execute(
            tables.outbox.insert().values(
                queue="jobs",
                message_id=JobMessage.of(item).message_id,
                item_id=item.id,
                correlation_id="c",
                body=JobMessage.of(item).encode(),
                created_at=utc_now(),
            )
        )
    assert await published(world, "jobs") == []


async def test_the_loop_outlives_a_failed_sweep(world: World) -> None:
    parts = world.parts
    away = build_queues(parts.settings)
    await away.close()
    [item] = await world.queued()
    await world.aged(item, STALE_S + 1)
    stop = asyncio.Event()
    running = asyncio.create_task(Sweeper(parts.database, away, parts.settings).run(stop))
    # Leases are looked at before the queue is; the lease of a second item ends after the first failure.
    working = await world.claimed(Stage.PROCESS, (await world.queued())[0])
    await lease_ended(world, working, LEASE_S + 1)
    async with asyncio.timeout(20):
        while (await world.item(working.id)).state is not ItemState.QUEUED:
            await parts.relay.publish_pending()
    stop.set()
    await running


async def test_a_cancelled_job_is_not_brought_back(world: World) -> None:
    job, [item] = await world.job()
    await world.parts.relay.publish_pending()
    await world.claimed(Stage.PROCESS, await world.item(item.id))
    async with world.parts.database.transaction() as connection:
        await jobs.cancel_job(connection, job, by="test")
        await connection.execute(update(tables.items).values(lease_until=utc_now() - timedelta(seconds=60)))
    assert await world.parts.sweeper.sweep() == NOTHING
    assert (await world.item(item.id)).state is ItemState.CANCELLED
