"""Revisions for which a photo is cut out anew, through the orchestrator's and the export-worker's stages."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.services.pipeline_world import GRANTED, TENANT, World, matte_png, world_in
from tests.services.scripted_endpoint import META, Answer, own_error
from tests.services.test_orchestrator_process_item import orchestrator, storing
from tests.services.test_revisions import all_holds, ask, deliver, exported, revision_of, rows_of

from opal.database import items, jobs, tables, webhooks
from opal.database.engine import utc_now
from opal.database.items import Stage
from opal.database.revisions import Look, RevisionState
from opal.errors import LeaseLost
from opal.items.item import Item
from opal.items.states import ItemState
from opal.messages.scoring_contract import ScoreRequest
from opal.messages.webhook_event import EventType
from opal.sealing import Sealer
from opal.settings import WorkerSettings
from opal.worker.settlement import Done

RED = {"kind": "solid", "colour": "#cc0000"}
ANEW = Look(RED, {"margin": 0.2}, engine="isnet-small")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path, worker=WorkerSettings(max_failures=2, max_interruptions=1)) as world:
        yield world
        await all_holds(world)


def cutting(world: World, *, confidence: float = 0.5) -> Answer:
    """What the true endpoint does, with a smaller blob for a product than the item's first matte has."""

    async def answer(request: Request) -> Response:
        wanted = ScoreRequest.model_validate_json(await request.body())
        assert wanted.output_sas is not None
        for url in (wanted.output_sas.scene, wanted.output_sas.matte):
            path = url.split("?")[0].partition("/blobs/outputs/")[2]
            await world.parts.blobs.write("outputs", path, matte_png(0.3), content_type="image/png")
        told = {**META, "cutout_engine": wanted.engine, "confidence": confidence}
        return JSONResponse({"meta": told})

    return answer


async def queued(world: World) -> tuple[Item, Item]:
    """An exported item, and the same as it waits on the queue to be cut out anew."""
    item = await exported(world)
    waiting = await ask(world, item, ANEW)
    assert (waiting.state, waiting.pending_revision, waiting.revision) == (ItemState.UPLOADED, 1, 0)
    await world.parts.relay.publish_pending()
    assert await world.message_ids("jobs") == [f"{item.id}:0", f"{item.id}:{waiting.epoch}"]
    return item, await world.item(item.id)


async def test_the_photo_is_cut_out_by_the_engine_asked_for_and_the_pictures_follow(world: World) -> None:
    item, waiting = await queued(world)
    before = await rows_of(world, item)
    async with orchestrator(world, cutting(world)) as worker:
        assert await worker.deliver(waiting) == Done()
        [body] = worker.endpoint.bodies
    sent = ScoreRequest.model_validate_json(body)
    assert (sent.engine, sent.scene, sent.placement) == ("isnet-small", RED, {"margin": 0.2})
    cut = await world.item(item.id)
    # Until there are other pictures, everything is as it was.
    assert (cut.state, cut.pending_revision, cut.revision) == (ItemState.COMPLETED, 1, 0)
    assert (cut.matte_path, cut.meta, cut.review) == (item.matte_path, item.meta, False)
    assert await rows_of(world, item) == before
    assert await world.message_ids("exports") == [f"{item.id}:{waiting.epoch}"]
    assert await deliver(world, cut) == Done()
    made = await world.item(item.id)
    assert (made.state, made.revision, made.pending_revision) == (ItemState.EXPORTED, 1, None)
    assert made.matte_path not in {None, item.matte_path}
    assert (made.meta["cutout_engine"], made.meta["confidence"], made.review) == ("isnet-small", 0.5, True)
    assert (made.scene, made.placement) == (RED, {"margin": 0.2})
    assert not {row.path for row in await rows_of(world, item)} & {row.path for row in before}
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED - 1, 0)
    # The next look is made with what was found last.
    assert await deliver(world, await ask(world, made, Look("white", {}))) == Done()
    assert (await world.item(item.id)).matte_path == made.matte_path


async def test_an_engine_that_finds_nothing_leaves_pictures_and_charge_as_they_were(world: World) -> None:
    item, waiting = await queued(world)
    before = await rows_of(world, item)
    async with orchestrator(world, own_error(422, "no_product_found", retryable=False)) as worker:
        await worker.deliver(waiting)
    after = await world.item(item.id)
    assert (after.state, after.revision, after.pending_revision) == (ItemState.EXPORTED, 0, None)
    assert (after.error_code, after.matte_path, after.meta) == (None, item.matte_path, item.meta)
    assert await rows_of(world, item) == before
    failed = await revision_of(world, item, 1)
    assert (failed.state, failed.error_code) == (RevisionState.FAILED, "no_product_found")
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED - 1, 0)


async def test_an_endpoint_that_fails_again_and_again_fails_the_revision(world: World) -> None:
    item, waiting = await queued(world)
    async with orchestrator(world, own_error(424, "scoring_failed", retryable=True)) as worker:
        await worker.deliver(waiting)
        again = await world.item(item.id)
        assert (again.state, again.failures) == (ItemState.QUEUED, 1)
        await worker.deliver(again, 2)
    after = await world.item(item.id)
    assert (after.state, after.failures) == (ItemState.EXPORTED, 0)
    assert (await revision_of(world, item, 1)).error_code == "scoring_failed"


async def test_a_worker_that_dies_over_it_is_followed_by_another(world: World) -> None:
    item, waiting = await queued(world)
    dead = await world.claimed(Stage.PROCESS, waiting)
    await world.set(dead, lease_until=utc_now() - timedelta(seconds=1))
    async with orchestrator(world, cutting(world)) as worker:
        assert await worker.deliver(waiting, 2) == Done()
    with pytest.raises(LeaseLost):
        async with world.parts.database.transaction() as connection:
            await items.move(connection, dead, ItemState.COMPLETED, by="the dead")
    assert await deliver(world, await world.item(item.id)) == Done()
    assert (await world.item(item.id)).revision == 1


async def test_workers_that_die_again_and_again_end_it(world: World) -> None:
    item, waiting = await queued(world)
    for _ in range(2):
        claimed = await world.claimed(Stage.PROCESS, waiting)
        await world.set(claimed, lease_until=utc_now() - timedelta(hours=1))
    await world.aged(waiting, 7200)
    await world.parts.sweeper.sweep()
    after = await world.item(item.id)
    assert (after.state, after.pending_revision) == (ItemState.EXPORTED, None)
    assert (await revision_of(world, item, 1)).error_code == "too_many_interruptions"


async def test_its_message_is_sent_anew_when_it_is_lost(world: World) -> None:
    item, waiting = await queued(world)
    receiver = world.parts.queues.receiver("jobs")
    for message in await receiver.receive(10, 0.0):
        await receiver.complete(message)
    await receiver.close()
    await world.aged(waiting, 3600)
    assert (await world.parts.sweeper.sweep()).jobs_resent == 1
    await world.parts.relay.publish_pending()
    assert await world.message_ids("jobs") == [f"{item.id}:{waiting.epoch + 1}"]


async def test_a_job_that_is_cancelled_meanwhile_keeps_its_pictures(world: World) -> None:
    item, waiting = await queued(world)
    async with world.parts.database.transaction() as connection:
        job = await jobs.get_job(connection, item.job_id)
        assert job is not None
        assert await jobs.cancel_job(connection, job, by="web-api") == 0
    async with orchestrator(world, storing(world)) as worker:
        assert await worker.deliver(waiting) == Done()
    assert await deliver(world, await world.item(item.id)) == Done()
    assert (await world.item(item.id)).state is ItemState.EXPORTED


async def test_webhooks_hear_of_the_new_pictures_alone(world: World) -> None:
    item = await exported(world)
    kinds = (EventType.ITEM_COMPLETED, EventType.ITEM_EXPORTED, EventType.ITEM_FAILED)
    async with world.parts.database.transaction() as connection:
        sealer = Sealer(["A" * 43 + "="])
        await webhooks.create_webhook(connection, sealer, TENANT, "https://shop.example", kinds, most=1)
    async with orchestrator(
        world, cutting(world), own_error(422, "no_product_found", retryable=False)
    ) as worker:
        await worker.deliver(await ask(world, item, ANEW))
        await deliver(world, await world.item(item.id))
        await worker.deliver(await ask(world, item, ANEW))
    async with world.parts.database.read() as connection:
        rows = await connection.execute(select(tables.webhook_events.c.type, tables.webhook_events.c.body))
        told = [(row.type, json.loads(row.body)["data"]["revision"]) for row in rows]
    assert told == [("item.exported", 1)]
