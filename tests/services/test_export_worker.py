"""The export-worker's stage on real pictures."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, update
from tests.services.pipeline_world import GRANTED, PRESETS, TENANT, World, delivery, matte_png, world_in
from tests.services.stored_backdrops import forget_backdrop, stored_backdrop

from opal.database import delivery_targets, jobs, picture_deliveries, public_links, tables, variants, webhooks
from opal.database.delivery_targets import DeliveryTarget
from opal.database.engine import utc_now
from opal.database.items import Stage
from opal.database.variants import VariantRow
from opal.errors import LeaseLost
from opal.export_worker.app import build_stage
from opal.export_worker.export_item import STEPS, Means, Work, export_item
from opal.images.finished import read_finished
from opal.images.limits import Limits, probe
from opal.images.metadata import read_digital_source_type
from opal.items.item import Item
from opal.items.states import ItemState
from opal.marketplaces.presets import resolve_presets
from opal.messages.export_message import ExportMessage
from opal.messages.webhook_event import EventType
from opal.sealing import Sealer
from opal.settings import WorkerSettings
from opal.worker.settlement import Dead, Done, Later, Outcome


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path, worker=WorkerSettings(max_failures=2)) as world:
        yield world


async def deliver(world: World, item: Item, count: int = 1) -> Outcome:
    return await build_stage(world.parts).handle(ExportMessage.of(item), delivery(count))


def means(world: World) -> Means:
    return Means(world.parts.database, world.parts.blobs, Limits())


async def rows_of(world: World, item: Item) -> list[VariantRow]:
    async with world.parts.database.read() as connection:
        return await variants.list_variants(connection, item.id)


async def test_an_export_is_delivered_to_every_target_in_the_same_transaction(world: World) -> None:
    place = {"kind": "folder", "folder": "shop"}
    target = DeliveryTarget(
        id="target_" + "1" * 24,
        tenant_id=TENANT,
        name="",
        place=place,
        template="{sku}/{preset}.{ext}",
        reports=True,
        presets=[],
        formats=[],
        state="active",
        disabled_reason=None,
        failures=0,
        failing_since=None,
        created_at=utc_now(),
    )
    async with world.parts.database.transaction() as connection:
        await delivery_targets.create_target(connection, target, None, most=1)
    item = await world.completed()
    assert await deliver(world, item) == Done()
    async with world.parts.database.read() as connection:
        found = await picture_deliveries.list_picture_deliveries(connection, 9, target_id=target.id)
    assert {each.path for each in found} == {
        "0/cutout-png.png",
        "0/cutout-png.json",
        "0/story-9x16.jpg",
        "0/story-9x16.json",
    }


async def test_every_preset_becomes_a_picture_with_its_reports(world: World) -> None:
    item = await world.completed()
    assert await deliver(world, item) == Done()
    exported = await world.item(item.id)
    assert (exported.state, exported.lease_until) == (ItemState.EXPORTED, None)
    rows = await rows_of(world, item)
    assert [row.preset for row in rows] == sorted(PRESETS)
    for row in rows:
        data = await world.parts.blobs.read("exports", row.path)
        header = probe(data)
        assert (header.width, header.height, len(data)) == (row.width, row.height, row.bytes)
        assert hashlib.sha256(data).hexdigest() == row.sha256
        # The second attempt of the item: the first one made scene and matte.
        assert row.path.endswith(f"/exports/2/{row.preset}.{'png' if row.format == 'png' else 'jpg'}")
        assert row.compliance
        assert row.fidelity is not None
    seconds = (await world.story(item))[-1].details["seconds"]
    assert set(seconds) == {step.__name__ for step in STEPS[:-1]}


async def test_webhooks_are_told_the_public_links_of_what_was_exported(world: World) -> None:
    item = await world.completed()
    async with world.parts.database.transaction() as connection:
        await public_links.turn_on(connection, item.tenant_id, "all")
        await webhooks.create_webhook(
            connection,
            Sealer(["A" * 43 + "="]),
            item.tenant_id,
            "https://shop.example",
            (EventType.ITEM_EXPORTED,),
            most=1,
        )
    assert await deliver(world, item) == Done()
    async with world.parts.database.read() as connection:
        body = (await connection.execute(select(tables.webhook_events.c.body))).scalar_one()
        links = await public_links.job_links(connection, item.job_id)
    told = json.loads(body)["data"]["public_pictures"]
    base = world.parts.settings.public_links_url
    rows = await rows_of(world, item)
    assert sorted(told, key=lambda each: str(each["preset"])) == [
        {"preset": row.preset, "url": links.url(base, item, row)} for row in rows
    ]


async def stored_but_not_recorded(world: World, item: Item) -> Work:
    """What an attempt leaves that is killed, or paused, just before its last step."""
    async with world.parts.database.read() as connection:
        job = await jobs.get_job(connection, item.job_id)
    assert job is not None
    work = Work(item=item, recipe=job.recipe)
    for step in STEPS[:-1]:
        work = await step(means(world), work)
    return work


async def test_an_attempt_killed_before_its_last_step_is_made_again_whole(world: World) -> None:
    claimed = await world.claimed(Stage.EXPORT, await world.completed())
    dead = await stored_but_not_recorded(world, claimed)
    assert len(dead.rows) == len(PRESETS)
    assert await rows_of(world, claimed) == []
    await world.set(claimed, lease_until=utc_now() - timedelta(seconds=1))
    assert await deliver(world, claimed, 2) == Done()
    exported = await world.item(claimed.id)
    assert (exported.state, exported.attempt) == (ItemState.EXPORTED, claimed.attempt + 1)
    rows = await rows_of(world, claimed)
    assert [row.preset for row in rows] == sorted(PRESETS)
    assert not {row.path for row in rows} & {row.path for row in dead.rows}
    assert (await world.balance()).balance == GRANTED - 1


async def test_a_worker_that_wakes_up_after_another_exported_changes_nothing(world: World) -> None:
    claimed = await world.claimed(Stage.EXPORT, await world.completed())
    late = await stored_but_not_recorded(world, claimed)
    await world.set(claimed, lease_until=utc_now() - timedelta(seconds=1))
    assert await deliver(world, claimed, 2) == Done()
    before = await rows_of(world, claimed)
    with pytest.raises(LeaseLost):
        await STEPS[-1](means(world), late)
    assert await rows_of(world, claimed) == before


@pytest.mark.parametrize("fault", ["photo missing", "matte missing", "matte damaged", "matte too small"])
async def test_a_picture_that_cannot_be_used_is_tried_again_then_refunded(world: World, fault: str) -> None:
    item = await world.completed(matte_png(width=20, height=20) if fault == "matte too small" else None)
    assert item.raw_path is not None
    assert item.matte_path is not None
    if fault == "photo missing":
        await world.parts.blobs.delete("raw", item.raw_path)
    elif fault == "matte missing":
        await world.parts.blobs.delete("outputs", item.matte_path)
    elif fault == "matte damaged":
        await world.parts.blobs.write(
            "outputs", item.matte_path, matte_png()[:60], content_type="image/png", overwrite=True
        )
    assert isinstance(await deliver(world, item), Later)
    assert (await world.item(item.id)).state is ItemState.COMPLETED
    assert isinstance(await deliver(world, item, 2), Dead)
    failed = await world.item(item.id)
    assert (failed.state, failed.error_code) == (ItemState.FAILED, "stored_picture_unusable")
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED, 0)
    assert await rows_of(world, item) == []


async def test_a_product_stands_on_its_backdrop(world: World) -> None:
    made = await stored_backdrop(world.parts)
    item = await world.completed(scene=made.scene)
    assert await deliver(world, item) == Done()
    story = next(row for row in await rows_of(world, item) if row.preset == "story-9x16")
    data = await world.parts.blobs.read("exports", story.path)
    assert read_digital_source_type(data) == "compositeCapture"
    corner = read_finished(data).pixels[:40, :40].reshape(-1, 3).mean(axis=0)
    assert np.abs(corner - made.colour).max() < 3


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("row gone", "unknown_backdrop"),
        ("blob gone", "stored_picture_unusable"),
        ("blob replaced", "stored_picture_unusable"),
    ],
)
async def test_a_backdrop_that_is_lost_fails_the_item_and_refunds_it(
    world: World, fault: str, code: str
) -> None:
    made = await stored_backdrop(world.parts)
    item = await world.completed(scene=made.scene)
    if fault == "row gone":
        await forget_backdrop(world.parts, made)
    elif fault == "blob gone":
        await world.parts.blobs.delete("raw", made.path)
    else:
        await world.parts.blobs.write("raw", made.path, b"x", content_type="image/png", overwrite=True)
    for count in (1, 2):
        await deliver(world, item, count)
    failed = await world.item(item.id)
    assert (failed.state, failed.error_code) == (ItemState.FAILED, code)
    assert (await world.balance()).balance == GRANTED


async def test_only_the_photo_that_was_checked_is_used(world: World) -> None:
    item = await world.completed()
    assert item.raw_path is not None
    await world.parts.blobs.write(
        "raw", item.raw_path, b"something else", content_type="image/jpeg", overwrite=True
    )
    assert await deliver(world, item) == Done()
    failed = await world.item(item.id)
    assert (failed.state, failed.error_code) == (ItemState.FAILED, "photo_changed")
    assert (await world.balance()).balance == GRANTED


async def test_an_empty_matte_is_final(world: World) -> None:
    item = await world.completed(matte_png(fill=0.0))
    assert await deliver(world, item) == Done()
    failed = await world.item(item.id)
    assert (failed.state, failed.error_code) == (ItemState.FAILED, "no_product_found")
    assert (await world.balance()).balance == GRANTED


async def test_an_exported_item_is_not_exported_again(world: World) -> None:
    item = await world.completed()
    assert await deliver(world, item) == Done()
    before = await rows_of(world, item)
    assert await deliver(world, item, 2) == Done()
    assert await rows_of(world, item) == before


async def test_a_worker_that_lost_its_item_records_nothing(world: World) -> None:
    claimed = await world.claimed(Stage.EXPORT, await world.completed())
    await world.set(claimed, attempt=claimed.attempt + 1)
    with pytest.raises(LeaseLost):
        await export_item(means(world), claimed)
    assert await rows_of(world, claimed) == []
    assert (await world.item(claimed.id)).state is ItemState.COMPLETED


async def test_presets_asked_for_twice_are_made_once(world: World) -> None:
    claimed = await world.claimed(Stage.EXPORT, await world.completed())
    async with world.parts.database.transaction() as connection:
        await connection.execute(update(tables.jobs).values(presets=[PRESETS[0], PRESETS[0]]))
    await export_item(means(world), claimed)
    assert [row.preset for row in await rows_of(world, claimed)] == [PRESETS[0]]


async def test_a_tenants_own_preset_is_the_one_of_its_job(world: World) -> None:
    house = resolve_presets(["square-1x1"])[0].model_copy(
        update={"name": "house", "width": 300, "height": 200, "rules": ()}
    )
    claimed = await world.claimed(Stage.EXPORT, await world.completed())
    async with world.parts.database.transaction() as connection:
        own = house.model_dump(mode="json", exclude_defaults=True)
        await connection.execute(update(tables.jobs).values(presets=["house"], own_presets=[own]))
    await export_item(means(world), claimed)
    [row] = await rows_of(world, claimed)
    assert (row.preset, row.width, row.height) == ("house", 300, 200)
