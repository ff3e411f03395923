"""The export-worker's stage on real pictures."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.services.pipeline_world import GRANTED, PRESETS, World, delivery, matte_png, message_for, world_in

from opal.database import variants
from opal.database.items import Stage
from opal.database.variants import VariantRow
from opal.errors import LeaseLost
from opal.export_worker.app import build_stage
from opal.export_worker.export_item import STEPS, Means, Work, export_item, find_missing_presets
from opal.images.limits import Limits, probe
from opal.items.item import Item, Recipe
from opal.items.states import ItemState
from opal.messages.export_message import ExportMessage
from opal.settings import WorkerSettings
from opal.worker.settlement import Dead, Done, Later, Outcome


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path, worker=WorkerSettings(max_failures=2)) as world:
        yield world


async def deliver(world: World, item: Item, count: int = 1) -> Outcome:
    message = ExportMessage.model_validate(message_for(item).model_dump())
    return await build_stage(world.parts).handle(message, delivery(count))


async def rows_of(world: World, item: Item) -> list[VariantRow]:
    async with world.parts.database.read() as connection:
        return await variants.list_variants(connection, item.id)


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


async def test_what_an_earlier_attempt_made_is_kept(world: World) -> None:
    item = await world.completed()
    claimed = await world.claimed(Stage.EXPORT, item)
    made = VariantRow(PRESETS[0], "earlier", "png", "image/png", 1, 1, 1, "0" * 64, [], None)
    async with world.parts.database.transaction() as connection:
        await variants.record_variant(connection, claimed, made)
    await world.set(claimed, lease_until=None)
    assert await deliver(world, item, 2) == Done()
    rows = {row.preset: row for row in await rows_of(world, item)}
    assert rows[PRESETS[0]] == made
    assert rows[PRESETS[1]].width == 1080


async def test_an_item_whose_pictures_are_all_made_is_only_moved_on(world: World) -> None:
    item = await world.completed()
    claimed = await world.claimed(Stage.EXPORT, item)
    async with world.parts.database.transaction() as connection:
        for preset in PRESETS:
            row = VariantRow(preset, "earlier", "png", "image/png", 1, 1, 1, "0" * 64, [], None)
            await variants.record_variant(connection, claimed, row)
    await world.set(claimed, lease_until=None)
    assert item.matte_path is not None
    await world.parts.blobs.delete("outputs", item.matte_path)
    assert await deliver(world, item, 2) == Done()
    assert (await world.item(item.id)).state is ItemState.EXPORTED


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


async def test_only_the_photo_that_was_checked_is_used(world: World) -> None:
    item = await world.completed()
    assert item.raw_path is not None
    await world.parts.blobs.write(
        "raw", item.raw_path, b"something else", content_type="image/jpeg", overwrite=True
    )
    assert isinstance(await deliver(world, item), Later)
    assert (await world.item(item.id)).failures == 1


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
    means = Means(world.parts.database, world.parts.blobs, Limits())
    with pytest.raises(LeaseLost):
        await export_item(means, claimed)
    assert await rows_of(world, claimed) == []
    assert (await world.item(claimed.id)).state is ItemState.COMPLETED


async def test_presets_asked_for_twice_are_made_once(world: World) -> None:
    item = await world.completed()
    recipe = Recipe(scene="white", placement={}, presets=(PRESETS[0], PRESETS[0]), prompt="", seed=0)
    means = Means(world.parts.database, world.parts.blobs, Limits())
    work = await find_missing_presets(means, Work(item, replace(recipe)))
    assert [preset.name for preset in work.presets] == [PRESETS[0]]
