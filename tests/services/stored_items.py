"""Exported items with their blobs, stored as the workers store them, without making pictures."""

import hashlib
from datetime import datetime

from sqlalchemy import update
from tests.services.pipeline_world import PRESETS, TENANT, World

from opal.database import items, ledger, outbox, tables, variants
from opal.database.items import Stage
from opal.database.variants import VariantRow
from opal.items.item import Item, blob_path
from opal.items.states import ItemState


async def exported(world: World, count: int = 1) -> list[Item]:
    """Items of one job, each with a photo, scene and matte, and one picture per preset; no message waits."""
    _job, uploaded = await world.job(count)
    return [await _export(world, item) for item in uploaded]


async def _export(world: World, item: Item) -> Item:
    blobs = world.parts.blobs
    item = await world.claimed(Stage.PROCESS, item)
    paths = {}
    for name in ("scene", "matte"):
        paths[f"{name}_path"] = blob_path(TENANT, item.job_id, item.id, "outputs", f"1-{name}.png")
        await blobs.write("outputs", paths[f"{name}_path"], name.encode(), content_type="image/png")
    rows = []
    for preset in PRESETS:
        path = blob_path(TENANT, item.job_id, item.id, "exports", f"1/{preset}.png")
        data = f"{item.id} {preset}".encode()
        await blobs.write("exports", path, data, content_type="image/png")
        digest = hashlib.sha256(data).hexdigest()
        rows.append(VariantRow(preset, path, "png", "image/png", 8, 8, len(data), digest, [], None))
    async with world.parts.database.transaction() as connection:
        await outbox.mark_published(connection, await outbox.claim_batch(connection, 100, 60.0))
        item = await items.move(connection, item, ItemState.COMPLETED, by="test", changes=paths)
        await ledger.debit(connection, item)
        item = await items.move(connection, item, ItemState.EXPORTED, by="test")
        for row in rows:
            await variants.record_variant(connection, item, row)
    return item


async def ended_at(world: World, item: Item, when: datetime) -> Item:
    """The item as if it had ended then."""
    return await world.set(item, updated_at=when)


async def blob_paths(world: World, item: Item) -> list[tuple[str, str]]:
    """Container and path of everything that the item's rows name."""
    async with world.parts.database.read() as connection:
        made = await variants.list_variants(connection, item.id)
    item = await world.item(item.id)
    outputs = [path for path in (item.scene_path, item.matte_path) if path]
    named = [("raw", item.raw_path or ""), *(("outputs", path) for path in outputs)]
    return [*named, *(("exports", row.path) for row in made)]


async def forget_expiry(world: World) -> None:
    """Rows that claim every blob is there."""
    async with world.parts.database.transaction() as connection:
        gone = {"raw_expired_at": None, "outputs_expired_at": None}
        await connection.execute(update(tables.items).values(**gone))
        await connection.execute(update(tables.variants).values(expired_at=None))
