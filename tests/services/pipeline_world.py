"""Real parts in a temporary folder with jobs on their way, for the tests of workers, relay and sweeper."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from sqlalchemy import update

from opal.assembly import Parts, build_parts
from opal.database import items, jobs, keys, ledger, outbox, tables
from opal.database.engine import utc_now
from opal.database.events import item_story
from opal.database.items import Claimed, Stage
from opal.database.jobs import Job, NewItem
from opal.database.ledger import Balance
from opal.database.migrate import migrate
from opal.images.matte import encode_matte
from opal.items.events import ItemEvent
from opal.items.item import Item, Recipe, blob_path
from opal.items.states import ItemState
from opal.messages.job_message import JobMessage, send_job_message
from opal.settings import load_settings
from opal.worker.settlement import Delivery

TENANT = "acme"
GRANTED = 10
WIDTH, HEIGHT = 160, 200
Scene = str | dict[str, Any]
PRESETS = ("cutout-png", "story-9x16")


def jpeg() -> bytes:
    """A photo: a bright blob on grey, WIDTH x HEIGHT."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    radius = np.hypot((columns - WIDTH / 2) / WIDTH, (rows - HEIGHT / 2) / HEIGHT)
    pixels = np.repeat(np.where(radius < 0.375, 220, 90)[..., None], 3, axis=2).astype(np.uint8)
    data: bytes = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb").jpegsave_buffer(Q=90)
    return data


def matte_png(fill: float = 0.375, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """The blob's matte; ``fill`` 0 is an empty one."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.hypot((columns - width / 2) / width, (rows - height / 2) / height)
    return encode_matte((radius < fill).astype(np.float32))


@dataclass(frozen=True, slots=True)
class World:
    """The parts, and short ways to bring items into a state and to look at them."""

    parts: Parts

    async def job(
        self, count: int = 1, presets: tuple[str, ...] = PRESETS, scene: Scene = "white"
    ) -> tuple[Job, list[Item]]:
        """A job whose photos are uploaded and whose messages wait in the outbox."""
        recipe = Recipe(scene=scene, placement={}, presets=presets, prompt="", seed=5)
        async with self.parts.database.transaction() as connection:
            job, created = await jobs.create_job(
                connection,
                TENANT,
                recipe,
                [NewItem(f"{number}.jpg") for number in range(count)],
                name="",
                correlation_id="corr-1",
            )
        uploaded = []
        for item in created:
            path = blob_path(TENANT, job.id, item.id, "raw", "upload_1")
            info = await self.parts.blobs.write("raw", path, jpeg(), content_type="image/jpeg")
            changes = {"raw_path": path, "photo": {"format": "jpeg", "etag": info.etag}}
            async with self.parts.database.transaction() as connection:
                moved = await items.move(connection, item, ItemState.UPLOADED, by="test", changes=changes)
                await send_job_message(outbox.Outbox(connection), JobMessage.of(moved))
            uploaded.append(moved)
        return job, uploaded

    async def queued(self, count: int = 1, scene: Scene = "white") -> list[Item]:
        """Items whose messages are on the queue."""
        _job, uploaded = await self.job(count, scene=scene)
        await self.parts.relay.publish_pending()
        return [await self.item(item.id) for item in uploaded]

    async def claimed(self, stage: Stage, item: Item, lease_s: float = 60.0) -> Item:
        """The item in the hands of some worker."""
        async with self.parts.database.transaction() as connection:
            claim = await items.claim(connection, item.id, stage, lease_s=lease_s, by="another worker")
        assert isinstance(claim, Claimed)
        return claim.item

    async def completed(self, matte: bytes | None = None, scene: Scene = "white") -> Item:
        """An item that waits for its export, charged, without a message."""
        [item] = await self.queued(scene=scene)
        item = await self.claimed(Stage.PROCESS, item)
        path = blob_path(TENANT, item.job_id, item.id, "outputs", "1-matte.png")
        await self.parts.blobs.write("outputs", path, matte or matte_png(), content_type="image/png")
        changes = {"matte_path": path, "scene_path": path, "meta": {"seed": 5}}
        async with self.parts.database.transaction() as connection:
            item = await items.move(connection, item, ItemState.COMPLETED, by="test", changes=changes)
            await ledger.debit(connection, item)
        return item

    async def item(self, item_id: str) -> Item:
        """The item as it is now."""
        async with self.parts.database.read() as connection:
            item = await items.get_item(connection, item_id)
        assert item is not None
        return item

    async def set(self, item: Item, **values: Any) -> Item:
        """Write columns behind everybody's back."""
        async with self.parts.database.transaction() as connection:
            await connection.execute(
                update(tables.items).where(tables.items.c.id == item.id).values(**values)
            )
        return await self.item(item.id)

    async def aged(self, item: Item, seconds: float) -> Item:
        """The item as if nothing had touched it for ``seconds``."""
        return await self.set(item, updated_at=utc_now() - timedelta(seconds=seconds))

    async def balance(self) -> Balance:
        """The tenant's credits."""
        async with self.parts.database.read() as connection:
            return await ledger.balance(connection, TENANT)

    async def story(self, item: Item) -> list[ItemEvent]:
        """The item's events."""
        async with self.parts.database.read() as connection:
            return await item_story(connection, item.id)

    async def in_outbox(self) -> int:
        """Messages that wait to be published."""
        async with self.parts.database.read() as connection:
            return (await outbox.pending(connection))[0]

    async def message_ids(self, queue: str) -> list[str]:
        """What is on the queue, oldest first."""
        return [message.message_id for message in await self.parts.queues.peek(queue)]


@asynccontextmanager
async def world_in(folder: Path, **settings: Any) -> AsyncIterator[World]:
    """A world with one tenant that has ``GRANTED`` credits."""
    loaded = load_settings(data_dir=folder, **settings)
    parts = build_parts(loaded)
    try:
        await migrate(parts.database)
        async with parts.database.transaction() as connection:
            await keys.ensure_tenant(connection, TENANT, "Acme")
            await ledger.grant(connection, TENANT, GRANTED)
        yield World(parts)
    finally:
        await parts.close()


def delivery(count: int = 1) -> Delivery:
    """The ``count``-th delivery of a message."""
    return Delivery("jobs", "m", count, datetime.now(UTC), "corr-1")
