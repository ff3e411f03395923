"""Age limits and orphans: what is due goes, rows say so, and the invariants know of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.services.pipeline_world import World, world_in
from tests.services.stored_items import blob_paths, ended_at, exported, forget_expiry

from opal.database import invariants
from opal.database.engine import utc_now
from opal.database.invariants import SETTLED
from opal.database.recorded_blobs import BlobScope
from opal.errors import BlobNotFound
from opal.items.item import Item
from opal.settings import RetentionSettings
from opal.upkeep.blob_check import Thoroughness, check_blobs
from opal.upkeep.orphans import REST, Orphans
from opal.upkeep.retention import Retention

DAYS = RetentionSettings(raw_days=10, outputs_days=20, exports_days=30)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path) as world:
        yield world


async def there(world: World, paths: list[tuple[str, str]]) -> list[str]:
    """The containers of those that are there."""
    found = []
    for container, path in paths:
        try:
            await world.parts.blobs.info(container, path)
        except BlobNotFound:
            continue
        found.append(container)
    return found


async def broken(world: World) -> set[str]:
    async with world.parts.database.read() as connection:
        verdicts = await invariants.examine(connection, patience=SETTLED)
    looked = await check_blobs(world.parts.database, world.parts.blobs, BlobScope(), Thoroughness.HASH)
    return {each.name for each in [*verdicts, looked.verdict] if each.count}


def retention(world: World, settings: RetentionSettings = DAYS, batch: int = 2) -> Retention:
    return Retention(world.parts.database, world.parts.blobs, settings, batch=batch)


ALL = ["raw", "outputs", "outputs", "exports", "exports"]


@pytest.mark.parametrize(
    ("age", "left"),
    [(9, ALL), (11, ALL[1:]), (21, ALL[3:]), (31, [])],
    ids=["young", "raw", "outputs", "all"],
)
async def test_each_kind_goes_at_its_own_age_and_rows_say_so(world: World, age: int, left: list[str]) -> None:
    old, young = await exported(world, 2)
    paths, others = await blob_paths(world, old), await blob_paths(world, young)
    await ended_at(world, old, utc_now() - timedelta(days=age))
    assert await retention(world).turn(utc_now()) == len(ALL) - len(left)
    assert await there(world, paths) == left
    assert await there(world, others) == ALL
    assert await broken(world) == set()
    if not left:
        # The check's own control: without the marks every blob is missed.
        await forget_expiry(world)
        assert await broken(world) == {"blobs_as_recorded"}


async def test_nothing_goes_where_no_age_is_set_and_nothing_that_is_under_way(world: World) -> None:
    [done] = await exported(world)
    [queued] = await world.queued()
    long_ago = utc_now() - timedelta(days=4000)
    for item in (done, queued):
        await ended_at(world, item, long_ago)
    assert await retention(world, RetentionSettings()).turn(utc_now()) == 0
    assert await retention(world).turn(utc_now()) == len(ALL)
    assert (await world.item(queued.id)).raw_expired_at is None
    assert await there(world, [("raw", queued.raw_path or "")]) == ["raw"]


async def test_a_backlog_goes_in_batches_and_only_once(world: World) -> None:
    items = await exported(world, 5)
    for number, item in enumerate(items):
        # Some at one moment, so that a page ends among them.
        await ended_at(world, item, utc_now() - timedelta(days=50 + number // 3))
    walker = retention(world)
    removed = [await walker.turn(utc_now()) for _ in range(4)]
    assert removed == [10, 10, 5, 0]
    assert await retention(world).turn(utc_now()) == 0
    await ended_at(world, (await exported(world))[0], utc_now() - timedelta(days=31))
    assert await walker.turn(utc_now()) == len(ALL)


async def test_what_no_row_names_goes_when_it_is_old_enough(world: World) -> None:
    [item] = await exported(world)
    [waiting] = await world.queued()
    named = [*await blob_paths(world, item), ("raw", waiting.raw_path or "")]
    strays = await leave_strays(world, item)
    elsewhere = ("raw", "acme/something-new/logo.png")
    await world.parts.blobs.write(*elsewhere, b"x", content_type="image/png")
    orphans = Orphans(world.parts.database, world.parts.blobs, RetentionSettings(), batch=4)
    now = utc_now()
    assert [await orphans.turn(now) for _ in range(4)] == [0, 0, 0, 0]
    later = now + timedelta(days=8)
    assert sum([await orphans.turn(later) for _ in range(4)]) == len(strays)
    assert await there(world, strays) == []
    assert await there(world, [*named, elsewhere]) == [container for container, _ in [*named, elsewhere]]
    # A walk is not begun again at once.
    await leave_strays(world, item)
    assert sum([await orphans.turn(later) for _ in range(4)]) == 0
    assert sum([await orphans.turn(later + REST) for _ in range(4)]) == len(strays)
    await orphans.close()


async def leave_strays(world: World, item: Item) -> list[tuple[str, str]]:
    """An attempt that died, an upload that was never completed, and blobs of what is not there."""
    base = f"acme/jobs/{item.job_id}/items/{item.id}"
    strays = [
        ("outputs", f"{base}/outputs/9-scene.png"),
        ("raw", f"{base}/raw/upload_9"),
        ("exports", "acme/jobs/job_gone/items/item_gone/exports/1/a.png"),
        ("raw", "acme/backdrops/backdrop_gone/raw/picture"),
    ]
    for container, path in strays:
        await world.parts.blobs.write(container, path, b"x", content_type="image/png")
    return strays


async def test_what_was_marked_and_not_removed_is_an_orphan(world: World) -> None:
    [item] = await exported(world)
    paths = await blob_paths(world, item)
    await world.set(item, raw_expired_at=utc_now(), outputs_expired_at=utc_now())
    orphans = Orphans(world.parts.database, world.parts.blobs, RetentionSettings())
    assert await orphans.turn(utc_now() + timedelta(days=8)) == 3
    assert await there(world, paths) == ["exports", "exports"]
    assert await broken(world) == set()


async def test_the_loop_does_all_of_it_and_stops(tmp_path: Path) -> None:
    async with world_in(tmp_path, retention=DAYS) as world:
        [item] = await exported(world)
        await ended_at(world, item, utc_now() - timedelta(days=31))
        report = await world.parts.upkeep.tend()
        assert (report.blobs_expired, report.orphans_removed, report.erasures_done) == (len(ALL), 0, 0)
