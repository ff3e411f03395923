"""Deliveries of pictures on SQLite and on PostgreSQL alike: whose path, whose claim, how it ends."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from tests.contracts.tenants import OTHER, TENANT

from opal.database import delivery_targets as targets
from opal.database import items, jobs, variants
from opal.database import picture_deliveries as deliveries
from opal.database.delivery_plan import plan_deliveries, plan_job
from opal.database.delivery_targets import DeliveryTarget
from opal.database.engine import Database, utc_now
from opal.database.picture_deliveries import DuePicture, PictureDelivery, PictureFailed
from opal.database.receivers import FailurePolicy
from opal.database.tables import delivery_targets as target_table
from opal.database.tables import picture_deliveries as delivery_table
from opal.database.variants import VariantRow
from opal.errors import (
    DeliveryTargetDisabled,
    TooManyDeliveryTargets,
    UnknownDelivery,
    UnknownDeliveryTarget,
)
from opal.items.item import Item, Recipe, new_id
from opal.items.states import ItemState

RECIPE = Recipe(scene="white", placement={}, presets=("square-1x1",), prompt="", seed=0)
NEVER = FailurePolicy(10**6, timedelta(0), lambda _failures: timedelta(0))
PLACE = {"kind": "folder", "folder": "shop"}


async def target(
    database: Database, template: str = "{sku}/{preset}.{ext}", tenant: str = TENANT, **fields: Any
) -> str:
    most = fields.pop("most", 10)
    made = DeliveryTarget(
        id=new_id("target"),
        tenant_id=tenant,
        name="",
        place=PLACE,
        template=template,
        reports=False,
        presets=[],
        formats=[],
        state="active",
        disabled_reason=None,
        failures=0,
        failing_since=None,
        created_at=utc_now(),
    )
    async with database.transaction() as connection:
        await targets.create_target(connection, replace(made, **fields), "sealed", most=most)
    return made.id


def picture(item: Item, preset: str, ext: str = "jpg") -> VariantRow:
    path = f"{item.tenant_id}/jobs/{item.job_id}/items/{item.id}/exports/1/{preset}.{ext}"
    size = {"width": 10, "height": 10, "bytes": 4, "sha256": "0" * 64}
    form, kind = ("jpeg", "image/jpeg") if ext == "jpg" else (ext, f"image/{ext}")
    return VariantRow(preset, path, form, kind, **size, compliance=[], fidelity=None, placed=None)  # type: ignore[arg-type]


async def export(
    database: Database, *products: tuple[str, str | None], presets: tuple[str, ...] = ("square-1x1",)
) -> list[Item]:
    """A job of products, as file name and SKU, whose pictures are finished."""
    made = []
    async with database.transaction() as connection:
        new = [jobs.NewItem(filename, sku) for filename, sku in products]
        _, created = await jobs.create_job(connection, TENANT, RECIPE, new, name="", correlation_id="c")
        for each in created:
            item = each
            for step in (
                ItemState.UPLOADED,
                ItemState.PROCESSING,
                ItemState.COMPLETED,
                ItemState.EXPORTED,
            ):
                item = await items.move(connection, item, step, by="test")
            rows = [picture(item, preset, "png" if preset == "cutout-png" else "jpg") for preset in presets]
            for row in rows:
                await variants.record_variant(connection, item, row)
            await plan_deliveries(connection, item, rows)
            made.append(item)
    return made


async def listed(database: Database, target_id: str) -> list[PictureDelivery]:
    async with database.read() as connection:
        found = await deliveries.list_picture_deliveries(connection, 1000, target_id=target_id)
    return sorted(found, key=lambda each: each.path)


async def claim(database: Database, target_id: str, limit: int = 10, claim_s: float = 60) -> list[DuePicture]:
    async with database.transaction() as connection:
        return await deliveries.claim_pictures(connection, target_id, limit, now=utc_now(), claim_s=claim_s)


async def arrive(database: Database, due: DuePicture) -> bool:
    async with database.transaction() as connection:
        return await deliveries.record_arrival(connection, due, '"etag"')


async def test_every_picture_and_report_goes_to_every_target_that_is_on(database: Database) -> None:
    plain, off, foreign = (
        await target(database),
        await target(database, state="disabled"),
        await target(database, tenant=OTHER),
    )
    reports = await target(database, "{job}/{name}.{ext}", reports=True)
    [item] = await export(database, ("mug.jpg", "MUG-01"), presets=("amazon-main", "square-1x1"))
    assert [each.path for each in await listed(database, plain)] == [
        "MUG-01/amazon-main.jpg",
        "MUG-01/square-1x1.jpg",
    ]
    found = [(each.path, each.content) for each in await listed(database, reports)]
    assert found == [
        (f"{item.job_id}/MUG-01-amazon-main.jpg", "picture"),
        (f"{item.job_id}/MUG-01-amazon-main.json", "report"),
        (f"{item.job_id}/MUG-01-square-1x1.jpg", "picture"),
        (f"{item.job_id}/MUG-01-square-1x1.json", "report"),
    ]
    assert await listed(database, off) == await listed(database, foreign) == []
    [first, *_] = await claim(database, reports)
    assert (first.filename, first.sku, first.picture.bytes) == ("mug.jpg", "MUG-01", 4)


async def test_a_target_gets_the_presets_and_formats_that_it_takes(database: Database) -> None:
    taken = {
        await target(database, presets=["square-1x1", "cutout-png"]): ["cutout-png", "square-1x1"],
        await target(database, formats=["jpeg"]): ["amazon-main", "square-1x1"],
        await target(database, presets=["cutout-png"], formats=["jpeg", "webp"]): [],
        await target(database): ["amazon-main", "cutout-png", "square-1x1"],
    }
    every = ("amazon-main", "cutout-png", "square-1x1")
    made = await export(database, ("a.jpg", "A"), presets=every)
    for here, presets in taken.items():
        assert [each.preset for each in await listed(database, here)] == presets
    # What it takes no more is not made due again; what it takes from now on is.
    here, *_ = taken
    async with database.transaction() as connection:
        await targets.change_target(connection, TENANT, here, {"presets": ["amazon-main", "square-1x1"]})
        await connection.execute(update(delivery_table).values(state="delivered"))
        assert await plan_job(connection, here, made) == 2
    states = {each.preset: each.state for each in await listed(database, here)}
    assert states == {"amazon-main": "waiting", "cutout-png": "delivered", "square-1x1": "waiting"}


async def test_no_product_takes_the_place_of_another(database: Database) -> None:
    """By case, by number, by file name: each gets a place of its own, and keeps it."""
    here = await target(database)
    await export(database, ("a.jpg", "MUG"), ("b.jpg", "MUG"), ("c.jpg", "mug-2"), ("IMG_1.jpg", None))
    await export(database, ("IMG_1.jpg", None), ("d.jpg", "MUG-2"), ("e.jpg", "IMG_1"))
    found = await listed(database, here)
    assert len({each.path.casefold() for each in found}) == 7
    assert {each.path for each in found} >= {"MUG/square-1x1.jpg", "IMG_1/square-1x1.jpg"}
    assert all(each.state == "waiting" for each in found)
    # The same products once more: the same places, and only the new pictures are still to come.
    before = {each.path for each in found}
    await export(database, ("a.jpg", "MUG"), ("b.jpg", "MUG"), ("c.jpg", "mug-2"))
    found = await listed(database, here)
    assert {each.path for each in found} == before
    assert sorted(each.state for each in found) == ["superseded"] * 3 + ["waiting"] * 7


async def test_products_that_end_side_by_side_share_no_place(database: Database) -> None:
    here = await target(database, "{photo}/{preset}.{ext}")
    await asyncio.gather(*(export(database, ("IMG_1.jpg", None)) for _ in range(12)))
    assert len({each.path for each in await listed(database, here)}) == 12


async def test_a_picture_that_was_replaced_does_not_arrive_late(database: Database) -> None:
    here = await target(database)
    await export(database, ("a.jpg", "MUG"))
    [old] = await claim(database, here)
    await export(database, ("a.jpg", "MUG"))
    # The old one is on its way still: the new one waits for its end.
    assert await claim(database, here) == []
    async with database.transaction() as connection:
        again = PictureFailed("It answered 500.", utc_now())
        assert await deliveries.record_failed_try(connection, old, again, NEVER) is None
    [new] = await claim(database, here)
    assert new.item_id != old.item_id
    assert await arrive(database, new)
    states = {each.item_id: each.state for each in await listed(database, here)}
    assert states == {old.item_id: "superseded", new.item_id: "delivered"}


async def test_a_claim_is_one_senders_and_ends(database: Database) -> None:
    here = await target(database)
    await export(database, *((f"{number}.jpg", None) for number in range(8)))
    taken = await asyncio.gather(*(claim(database, here, 3) for _ in range(4)))
    ids = [due.id for batch in taken for due in batch]
    assert len(ids) == len(set(ids))
    async with database.transaction() as connection:
        await connection.execute(update(delivery_table).values(claimed_until=utc_now() - timedelta(1)))
    [slow] = await claim(database, here, 1, claim_s=-1)
    again = next(due for due in await claim(database, here, 8) if due.id == slow.id)
    assert not await arrive(database, slow)
    assert await arrive(database, again)


async def test_failures_count_until_one_arrives_and_disable_when_they_last(database: Database) -> None:
    here = await target(database)
    await export(database, *((f"{number}.jpg", None) for number in range(5)))
    first, second, third, fourth, fifth = await claim(database, here)
    policy = FailurePolicy(2, timedelta(hours=1), lambda failures: timedelta(minutes=failures))
    failed = PictureFailed("The disk is full.", None)

    async def fail(due: DuePicture, **fields: Any) -> str | None:
        async with database.transaction() as connection:
            return await deliveries.record_failed_try(connection, due, replace(failed, **fields), policy)

    assert await fail(first) is None
    assert await arrive(database, second)
    # What is our own fault is not counted.
    assert await fail(third, ours=True) is None
    assert await fail(fourth) is None
    async with database.transaction() as connection:
        assert (await targets.tenant_target(connection, TENANT, here)).failures == 1
        assert await deliveries.due_targets(connection, utc_now(), 9) == []
        long_ago = utc_now() - timedelta(hours=2)
        await connection.execute(update(target_table).values(failing_since=long_ago))
    reason = "2 tries in a row failed, the last one: The disk is full."
    assert await fail(fifth) == reason
    async with database.transaction() as connection:
        seen = await targets.tenant_target(connection, TENANT, here)
        assert (seen.state, seen.disabled_reason) == ("disabled", reason)
        with pytest.raises(DeliveryTargetDisabled):
            await deliveries.retry_picture(connection, here, first.id)
    assert await export(database, ("new.jpg", None))
    assert len(await listed(database, here)) == 5
    async with database.transaction() as connection:
        on = await targets.change_target(connection, TENANT, here, {"name": "x"}, enabled=True)
        assert (on.state, on.failures, on.name) == ("active", 0, "x")
        again = await deliveries.retry_picture(connection, here, first.id)
        assert (again.state, again.attempts) == ("waiting", 0)
        # A job that ended while it was off, and what failed.
        made = await items.list_items(connection, again.job_id)
        assert await plan_job(connection, here, made) == 5
    assert len(await claim(database, here)) == 5


async def test_tenants_see_their_own_targets_only_and_have_so_many(database: Database) -> None:
    here = await target(database)
    for tenant, target_id in ((OTHER, here), (TENANT, "target_" + "0" * 24), (TENANT, "x\0y")):
        async with database.transaction() as connection:
            for call in (targets.tenant_target, targets.delete_target):
                with pytest.raises(UnknownDeliveryTarget):
                    await call(connection, tenant, target_id)
            with pytest.raises(UnknownDeliveryTarget):
                await targets.change_target(connection, tenant, target_id, {"name": "mine"})
    async with database.transaction() as connection:
        for delivery_id in ("delivery_" + "0" * 24, "x\0y"):
            with pytest.raises(UnknownDelivery):
                await deliveries.retry_picture(connection, here, delivery_id)
    made = await asyncio.gather(*(target(database, most=3) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, TooManyDeliveryTargets) for each in made) == 2


async def test_deleting_a_target_never_breaks_an_export(database: Database) -> None:
    for _ in range(3):
        here = await target(database)

        async def delete(target_id: str = here) -> None:
            async with database.transaction() as connection:
                await targets.delete_target(connection, TENANT, target_id)

        await asyncio.gather(*(export(database, (f"{each}.jpg", None)) for each in range(3)), delete())
        assert await listed(database, here) == []
