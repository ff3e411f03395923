"""The stage that both workers share: what the end of the work does to item and message."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.services.pipeline_world import GRANTED, World, delivery, world_in

from opal.database import erasures, items, outbox
from opal.database.engine import utc_now
from opal.database.items import Stage
from opal.errors import (
    DecoderInterrupted,
    DecoderUnavailable,
    LeaseLost,
    NoProductFound,
    OpalError,
    ScoringUnavailable,
    StoredPictureUnusable,
)
from opal.items.item import Item
from opal.items.states import ItemState
from opal.messages.export_message import ExportMessage
from opal.messages.job_message import JobMessage
from opal.settings import WorkerSettings
from opal.worker.item_stage import ItemStage
from opal.worker.settlement import Dead, Done, Later

SETTINGS = WorkerSettings(lease_s=0.6, max_failures=2, max_interruptions=2, retry_base_s=0.5)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path, worker=SETTINGS) as world:
        yield world


def stage_of(
    world: World, perform: Callable[[Item, JobMessage], Awaitable[None]], stage: Stage = Stage.PROCESS
) -> ItemStage[JobMessage]:
    return ItemStage(
        world.parts.database,
        stage,
        by="test",
        settings=SETTINGS,
        max_deliveries=5,
        perform=perform,
    )


def raising(error: Exception) -> Callable[[Item, JobMessage], Awaitable[None]]:
    async def perform(_item: Item, _message: JobMessage) -> None:
        raise error

    return perform


async def test_a_fault_of_ours_is_counted_and_its_text_stays_in_the_log(world: World) -> None:
    [item] = await world.queued()
    stage = stage_of(world, raising(RuntimeError("secret detail")))
    assert isinstance(await stage.handle(JobMessage.of(item), delivery()), Later)
    assert isinstance(await stage.handle(JobMessage.of(item), delivery(2)), Dead)
    failed = await world.item(item.id)
    assert (failed.state, failed.error_code) == (ItemState.FAILED, "internal_error")
    assert "secret" not in str(failed.error_message)
    assert (await world.balance()).held == 0


async def test_an_export_that_fails_waits_as_completed_and_is_refunded_at_the_end(world: World) -> None:
    item = await world.completed()
    stage = stage_of(world, raising(StoredPictureUnusable()), Stage.EXPORT)
    assert isinstance(await stage.handle(JobMessage.of(item), delivery()), Later)
    waiting = await world.item(item.id)
    assert (waiting.state, waiting.failures, waiting.lease_until) == (ItemState.COMPLETED, 1, None)
    assert isinstance(await stage.handle(JobMessage.of(item), delivery(2)), Dead)
    assert (await world.item(item.id)).state is ItemState.FAILED
    assert (await world.balance()).balance == GRANTED


@pytest.mark.parametrize(("error", "failures"), [(DecoderUnavailable(), 0), (DecoderInterrupted(), 1)])
async def test_an_item_pays_for_its_own_decoder_and_not_for_anothers(
    world: World, error: OpalError, failures: int
) -> None:
    item = await world.completed()
    stage = stage_of(world, raising(error), Stage.EXPORT)
    assert isinstance(await stage.handle(JobMessage.of(item), delivery()), Later)
    waiting = await world.item(item.id)
    assert (waiting.state, waiting.failures) == (ItemState.COMPLETED, failures)


async def test_a_permanent_export_failure_is_refunded_at_once(world: World) -> None:
    item = await world.completed()
    stage = stage_of(world, raising(NoProductFound()), Stage.EXPORT)
    assert await stage.handle(JobMessage.of(item), delivery()) == Done()
    assert (await world.item(item.id)).error_code == "no_product_found"
    assert (await world.balance()).balance == GRANTED


async def test_work_longer_than_a_lease_keeps_it(world: World) -> None:
    [item] = await world.queued()
    leases: list[datetime | None] = []

    async def perform(claimed: Item, _message: JobMessage) -> None:
        # Three renewals are three proofs; each one moves the end of the lease.
        while len(leases) < 4:
            current = (await world.item(claimed.id)).lease_until
            if current not in leases:
                leases.append(current)

    assert await stage_of(world, perform).handle(JobMessage.of(item), delivery()) == Done()
    assert (await world.item(item.id)).attempt == 1


async def test_work_is_stopped_when_its_lease_is_lost(world: World) -> None:
    [item] = await world.queued()
    stopped = asyncio.Event()

    async def perform(claimed: Item, _message: JobMessage) -> None:
        await world.set(claimed, attempt=claimed.attempt + 1)
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    outcome = await stage_of(world, perform).handle(JobMessage.of(item), delivery())
    assert isinstance(outcome, Later)
    assert stopped.is_set()
    untouched = await world.item(item.id)
    assert (untouched.state, untouched.attempt, untouched.failures) == (ItemState.PROCESSING, 2, 0)


async def test_a_lost_lease_is_no_failure(world: World) -> None:
    [item] = await world.queued()
    await stage_of(world, raising(LeaseLost())).handle(JobMessage.of(item), delivery())
    assert (await world.item(item.id)).failures == 0


async def test_a_worker_that_is_stopped_frees_its_item(world: World) -> None:
    [item] = await world.queued()
    working = asyncio.Event()

    async def perform(_item: Item, _message: JobMessage) -> None:
        working.set()
        await asyncio.Event().wait()

    handling = asyncio.create_task(stage_of(world, perform).handle(JobMessage.of(item), delivery()))
    await working.wait()
    handling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handling
    freed = await world.item(item.id)
    assert (freed.state, freed.lease_until, freed.failures) == (ItemState.QUEUED, None, 0)
    assert freed.interruptions == 0


async def test_an_item_that_keeps_killing_its_workers_fails(world: World) -> None:
    [item] = await world.queued()
    claimed = await world.claimed(Stage.PROCESS, item)
    await world.set(claimed, lease_until=utc_now() - timedelta(seconds=1), interruptions=2)
    stage = stage_of(world, raising(RuntimeError("never called")))
    assert await stage.handle(JobMessage.of(item), delivery()) == Done()
    failed = await world.item(item.id)
    assert (failed.state, failed.error_code) == (ItemState.FAILED, "too_many_interruptions")
    assert (await world.balance()).held == 0


async def test_a_message_of_an_unknown_item_is_put_aside_unless_its_tenant_had_its_data_deleted(
    world: World,
) -> None:
    [item] = await world.queued()
    message = JobMessage.of(replace(item, id="item_of_nobody"))
    outcome = await stage_of(world, raising(AssertionError())).handle(message, delivery())
    assert isinstance(outcome, Dead)
    async with world.parts.database.transaction() as connection:
        await erasures.request(connection, item.tenant_id, late=timedelta(0))
    assert await stage_of(world, raising(AssertionError())).handle(message, delivery()) == Done()


async def test_work_on_an_item_that_is_erased_meanwhile_leaves_no_trace(world: World) -> None:
    [item] = await world.queued()

    async def erase(held: Item, _message: JobMessage) -> None:
        async with world.parts.database.transaction() as connection:
            wish = await erasures.request(connection, held.tenant_id, late=timedelta(0))
            await erasures.end_items(connection, wish, 10)
            await erasures.delete_job(connection, wish, held.job_id)
        async with world.parts.database.transaction() as connection:
            await items.move(connection, held, ItemState.COMPLETED, by="test")

    outcome = await stage_of(world, erase).handle(JobMessage.of(item), delivery())
    assert isinstance(outcome, Later)
    assert (await world.balance()).held == 0
    async with world.parts.database.read() as connection:
        assert await items.get_item(connection, item.id) is None


@pytest.mark.parametrize("stage", [Stage.PROCESS, Stage.EXPORT])
async def test_an_outage_may_last_longer_than_the_queue_delivers(world: World, stage: Stage) -> None:
    if stage is Stage.PROCESS:
        queue, [item] = "jobs", await world.queued()
    else:
        queue, item = "exports", await world.completed()
    away = stage_of(world, raising(ScoringUnavailable()), stage)
    message: Any = (JobMessage if stage is Stage.PROCESS else ExportMessage).of(item)
    assert isinstance(await away.handle(message, delivery(4)), Later)
    # The last delivery: another message takes the place of this one.
    last = replace(delivery(5), queue=queue)
    assert await away.handle(message, last) == Done()
    waiting = await world.item(item.id)
    assert (waiting.state, waiting.failures, waiting.epoch) == (item.state, 0, item.epoch + 1)
    async with world.parts.database.read() as connection:
        assert item.id in await outbox.pending_items(connection, queue, 10)
    assert (await world.balance()).balance == GRANTED - (stage is Stage.EXPORT)


async def test_a_message_that_comes_last_while_its_item_is_worked_on_is_replaced(world: World) -> None:
    [item] = await world.queued()
    held = await world.claimed(Stage.PROCESS, item)
    outcome = await stage_of(world, raising(AssertionError())).handle(JobMessage.of(item), delivery(5))
    assert outcome == Done()
    # Whoever has it goes on undisturbed.
    async with world.parts.database.transaction() as connection:
        assert await items.renew_lease(connection, held, 60.0)
