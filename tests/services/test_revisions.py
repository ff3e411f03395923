"""Items that have ended are judged, revised and sent again, through the real export-worker."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.services.pipeline_world import GRANTED, PRESETS, TENANT, World, delivery, world_in

from opal.database import invariants, items, revisions, rework, tables, variants, webhooks
from opal.database.engine import utc_now
from opal.database.items import Stage
from opal.database.recorded_blobs import BlobScope
from opal.database.revisions import Look, RevisionState
from opal.database.variants import VariantRow
from opal.errors import (
    ItemNotExported,
    ItemNotFailed,
    LeaseLost,
    PhotoNeeded,
    RevisionConflict,
    TooManyRevisions,
)
from opal.export_worker.app import build_stage
from opal.export_worker.export_item import STEPS, Means, Work
from opal.images.finished import read_finished
from opal.images.limits import Limits
from opal.items.item import Item, Recipe
from opal.items.review import ReviewVerdict
from opal.items.states import ItemState
from opal.messages.export_message import ExportMessage
from opal.messages.webhook_event import EventType
from opal.sealing import Sealer
from opal.settings import WorkerSettings
from opal.upkeep.blob_check import Thoroughness, check_blobs
from opal.worker.settlement import Done, Outcome

RED = Look({"kind": "solid", "colour": "#cc0000"}, {"margin": 0.2})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path, worker=WorkerSettings(max_failures=2)) as world:
        yield world
        await all_holds(world)


async def all_holds(world: World) -> None:
    async with world.parts.database.read() as connection:
        verdicts = await invariants.examine(connection)
    looked = await check_blobs(world.parts.database, world.parts.blobs, BlobScope(), Thoroughness.HASH)
    broken = [each for each in (*verdicts, looked.verdict) if each.count]
    assert not broken, broken


async def deliver(world: World, item: Item, count: int = 1) -> Outcome:
    return await build_stage(world.parts).handle(ExportMessage.of(item), delivery(count))


async def exported(world: World) -> Item:
    item = await world.completed()
    assert await deliver(world, item) == Done()
    return await world.item(item.id)


async def ask(world: World, item: Item, look: Look = RED, based_on: int | None = None) -> Item:
    """Have the item revised; returns it as it waits for that."""
    async with world.parts.database.transaction() as connection:
        present = await items.get_item(connection, item.id, lock=True)
        assert present is not None
        base = present.revision if based_on is None else based_on
        await rework.ask_for_revision(connection, present, look, based_on=base)
    return await world.item(item.id)


async def rows_of(world: World, item: Item) -> list[VariantRow]:
    async with world.parts.database.read() as connection:
        return await variants.list_variants(connection, item.id)


async def revision_of(world: World, item: Item, number: int) -> revisions.Revision:
    async with world.parts.database.read() as connection:
        found = await revisions.get_revision(connection, item.id, number)
    assert found is not None
    return found


async def test_a_revision_replaces_pictures_look_and_scene_in_one_step(world: World) -> None:
    item = await exported(world)
    before = await rows_of(world, item)
    waiting = await ask(world, item)
    assert (waiting.state, waiting.pending_revision, waiting.revision) == (ItemState.COMPLETED, 1, 0)
    assert await rows_of(world, item) == before
    assert await deliver(world, waiting) == Done()
    made = await world.item(item.id)
    assert (made.state, made.revision, made.pending_revision) == (ItemState.EXPORTED, 1, None)
    assert (made.scene, made.placement) == (RED.scene, RED.placement)
    rows = await rows_of(world, item)
    assert [row.preset for row in rows] == sorted(PRESETS)
    assert not {row.path for row in rows} & {row.path for row in before}
    story = next(row for row in rows if row.preset == "story-9x16")
    corner = read_finished(await world.parts.blobs.read("exports", story.path)).pixels[5, 5]
    assert corner[0] > 180
    assert max(corner[1:]) < 40
    assert made.scene_path is not None
    scene = read_finished(await world.parts.blobs.read("outputs", made.scene_path))
    assert scene.pixels[2, 2][0] > 180
    assert made.meta["canvas_width"] == scene.width
    # No blob of before is touched: whoever reads one reads on, and the sweep of orphans has it later.
    for row in before:
        assert await world.parts.blobs.read("exports", row.path)
    assert (await revision_of(world, item, 1)).state is RevisionState.DONE
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED - 1, 0)
    [*_, last] = await world.story(item)
    assert (last.target, last.details["revision"]) == (ItemState.EXPORTED, 1)


async def test_a_revision_that_cannot_be_made_leaves_everything_as_it_was(world: World) -> None:
    item = await exported(world)
    before = await rows_of(world, item)
    lost = Look({"kind": "backdrop", "picture": "backdrop_" + "0" * 24}, {})
    waiting = await ask(world, item, lost)
    assert await deliver(world, waiting) == Done()
    after = await world.item(item.id)
    assert (after.state, after.revision, after.pending_revision) == (ItemState.EXPORTED, 0, None)
    assert (after.error_code, after.scene, after.scene_path) == (None, None, item.scene_path)
    assert await rows_of(world, item) == before
    failed = await revision_of(world, item, 1)
    assert (failed.state, failed.error_code) == (RevisionState.FAILED, "unknown_backdrop")
    assert (await world.story(item))[-1].code == "unknown_backdrop"
    # The next one is numbered on, and based on the pictures that there are.
    again = await ask(world, item)
    assert (again.pending_revision, again.revision) == (2, 0)
    assert await deliver(world, again) == Done()
    assert (await world.item(item.id)).revision == 2
    assert (await world.balance()).balance == GRANTED - 1


async def test_an_attempt_at_a_revision_that_died_is_made_again_whole(world: World) -> None:
    item = await exported(world)
    before = await rows_of(world, item)
    claimed = await world.claimed(Stage.EXPORT, await ask(world, item))
    dead = Work(item=claimed, recipe=Recipe(**RECIPE), revision=await revision_of(world, item, 1))
    means = Means(world.parts.database, world.parts.blobs, Limits())
    for step in STEPS[:-1]:
        dead = await step(means, dead)
    assert await rows_of(world, item) == before
    await world.set(claimed, lease_until=utc_now() - timedelta(seconds=1))
    assert await deliver(world, claimed, 2) == Done()
    after = await rows_of(world, item)
    with pytest.raises(LeaseLost):
        await STEPS[-1](means, dead)
    assert await rows_of(world, item) == after
    assert not {row.path for row in after} & {row.path for row in dead.rows}


RECIPE: dict[str, Any] = {
    "scene": RED.scene,
    "placement": RED.placement,
    "presets": PRESETS,
    "prompt": "",
    "seed": 5,
}


async def test_of_two_revisions_of_the_same_pictures_one_is_made(world: World) -> None:
    item = await exported(world)
    await ask(world, item)
    with pytest.raises(RevisionConflict):
        await ask(world, item)
    assert await deliver(world, await world.item(item.id)) == Done()
    with pytest.raises(RevisionConflict):
        await ask(world, item, based_on=0)
    assert (await ask(world, item, based_on=1)).pending_revision == 2


async def test_revisions_come_to_an_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rework, "MOST_REVISIONS", 1)
    item = await exported(world)
    assert await deliver(world, await ask(world, item)) == Done()
    with pytest.raises(TooManyRevisions):
        await ask(world, item)


async def test_the_sweeper_gives_a_revision_up_as_it_would_an_export(world: World) -> None:
    item = await exported(world)
    waiting = await ask(world, item)
    await world.parts.relay.publish_pending()
    assert waiting.epoch == item.epoch + 1
    assert f"{item.id}:{waiting.epoch}" in await world.message_ids("exports")
    # Its message is lost: another comes, under a number of its own.
    receiver = world.parts.queues.receiver("exports")
    for message in await receiver.receive(10, 0.0):
        await receiver.complete(message)
    await receiver.close()
    await world.aged(waiting, 3600)
    report = await world.parts.sweeper.sweep()
    assert report.exports_resent == 1
    await world.parts.relay.publish_pending()
    assert f"{item.id}:{waiting.epoch + 1}" in await world.message_ids("exports")


async def test_webhooks_are_told_of_every_revision_and_of_nothing_else(world: World) -> None:
    kinds = (EventType.ITEM_COMPLETED, EventType.ITEM_EXPORTED, EventType.ITEM_FAILED, EventType.JOB_FINISHED)
    item = await world.completed()
    async with world.parts.database.transaction() as connection:
        sealer = Sealer(["A" * 43 + "="])
        await webhooks.create_webhook(connection, sealer, TENANT, "https://shop.example", kinds, most=1)
    assert await deliver(world, item) == Done()
    for look in (RED, Look("no such scene", {}), RED):
        await deliver(world, await ask(world, item, look))
    async with world.parts.database.read() as connection:
        rows = await connection.execute(select(tables.webhook_events.c.type, tables.webhook_events.c.body))
        told = [(row.type, json.loads(row.body)["data"].get("revision")) for row in rows]
    assert sorted(told, key=str) == [
        ("item.exported", 0),
        ("item.exported", 1),
        ("item.exported", 3),
        ("job.finished", None),
    ]


async def judged(world: World, item: Item, verdict: ReviewVerdict | None) -> Item:
    async with world.parts.database.transaction() as connection:
        present = await items.get_item(connection, item.id, lock=True)
        assert present is not None
        return await rework.judge(connection, present, verdict)


async def test_a_verdict_is_kept_until_there_are_other_pictures(world: World) -> None:
    item = await exported(world)
    rejected = await judged(world, item, ReviewVerdict.REJECTED)
    assert rejected.verdict_at is not None
    again = await judged(world, item, ReviewVerdict.REJECTED)
    assert (again.verdict_at, again.updated_at) == (rejected.verdict_at, item.updated_at)
    story = await world.story(item)
    assert [event.details.get("verdict") for event in story[-2:]] == [None, "rejected"]
    waiting = await ask(world, item)
    with pytest.raises(ItemNotExported):
        await judged(world, waiting, ReviewVerdict.ACCEPTED)
    await deliver(world, waiting)
    made = await world.item(item.id)
    assert (made.verdict, made.verdict_at) == (None, None)
    assert (await judged(world, item, ReviewVerdict.ACCEPTED)).verdict is ReviewVerdict.ACCEPTED
    assert (await judged(world, item, None)).verdict is None


async def failed(world: World, code: str = "scoring_failed") -> Item:
    [item] = await world.queued()
    claimed = await world.claimed(Stage.PROCESS, item)
    async with world.parts.database.transaction() as connection:
        return await items.fail_item(connection, claimed, code=code, message="no", by="test")


async def again(world: World, item: Item, *, new_photo: bool) -> Item:
    async with world.parts.database.transaction() as connection:
        present = await items.get_item(connection, item.id, lock=True)
        assert present is not None
        return await rework.send_again(connection, present, new_photo=new_photo)


async def test_a_failed_photo_is_tried_again_for_a_credit_of_its_own(world: World) -> None:
    item = await failed(world)
    assert (await world.balance()).held == 0
    begun = await again(world, item, new_photo=False)
    assert (begun.state, begun.round, begun.epoch) == (ItemState.UPLOADED, 1, item.epoch + 1)
    assert (begun.error_code, begun.failures) == (None, 0)
    assert (await world.balance()).held == 1
    with pytest.raises(ItemNotFailed):
        await again(world, item, new_photo=False)
    await world.parts.relay.publish_pending()
    assert f"{item.id}:{begun.epoch}" in await world.message_ids("jobs")
    claimed = await world.claimed(Stage.PROCESS, begun)
    async with world.parts.database.transaction() as connection:
        await items.fail_item(connection, claimed, code="scoring_failed", message="no", by="test")
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED, 0)
    assert (await again(world, item, new_photo=True)).round == 2


async def test_another_photo_takes_the_place_of_one_that_failed(world: World) -> None:
    item = await failed(world, "no_product_found")
    with pytest.raises(PhotoNeeded):
        await again(world, item, new_photo=False)
    begun = await again(world, item, new_photo=True)
    assert (begun.state, begun.raw_path, begun.photo) == (ItemState.CREATED, None, {})
    assert await world.in_outbox() == 0
