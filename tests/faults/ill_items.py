"""Items as deaths and losses may leave them: one of each kind that the sweeper heals."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.faults.inline_endpoint import SIZE
from tests.faults.instant_endpoint import meta, pictures
from tests.faults.rig import TENANT, Rig

from opal.database import items, jobs, ledger, tables
from opal.database.engine import utc_now
from opal.database.items import Claimed, Stage
from opal.database.jobs import NewItem
from opal.items.item import Item, blob_path
from opal.items.states import ItemState
from opal.queues.interface import MAX_DELIVERY_REASON


async def make_ill(rig: Rig) -> None:
    """And one that is well and whose message waits in the outbox."""
    silent, held, lost, unexported, given_up, too_often = await rig.job(6)
    put_aside = {given_up.id: "test", too_often.id: MAX_DELIVERY_REASON}
    await _take_messages(rig, put_aside)
    async with rig.parts.database.transaction() as connection:
        await _claim(connection, silent)
        await items.move(connection, await _now(connection, held), ItemState.FAILED, by="test", code="test")
    await _complete(rig, unexported)
    late = await _never_uploaded(rig)
    old = {"updated_at": utc_now() - timedelta(days=1)}
    ill = [item.id for item in (silent, held, lost, unexported, late)]
    async with rig.parts.database.transaction() as connection:
        await connection.execute(update(tables.items).where(tables.items.c.id.in_(ill)).values(**old))
        # Not so old that it counts as lost: the queue's word is to be heard before it is sent again.
        new = {"updated_at": utc_now() + timedelta(minutes=1)}
        heard = tables.items.c.id.in_(put_aside)
        await connection.execute(update(tables.items).where(heard).values(**new))
        dead = {"lease_until": utc_now() - timedelta(hours=1)}
        await connection.execute(update(tables.items).where(tables.items.c.id == silent.id).values(**dead))
    await rig.job(1)


async def _take_messages(rig: Rig, put_aside: Mapping[str, str]) -> None:
    """All messages are gone, but for those that were put aside: items, and for which reason."""
    await rig.parts.relay.publish_pending()
    receiver = rig.parts.queues.receiver("jobs")
    left = 6
    while left:
        for message in await receiver.receive(left, 5.0):
            left -= 1
            reason = put_aside.get(message.message_id.partition(":")[0])
            if reason is not None:
                await receiver.dead_letter(message, reason, "The queue gave it up.")
            else:
                await receiver.complete(message)
    await receiver.close()


async def _complete(rig: Rig, item: Item) -> None:
    """Processed and charged, and nobody was told."""
    paths = {}
    for name, data in zip(("scene", "matte"), pictures(*SIZE), strict=True):
        paths[f"{name}_path"] = blob_path(TENANT, item.job_id, item.id, "outputs", f"1-{name}.png")
        await rig.parts.blobs.write("outputs", paths[f"{name}_path"], data, content_type="image/png")
    async with rig.parts.database.transaction() as connection:
        claimed = await _claim(connection, item)
        changes = {**paths, "meta": meta(*SIZE, 5)}
        completed = await items.move(connection, claimed, ItemState.COMPLETED, by="test", changes=changes)
        await ledger.debit(connection, completed)


async def _never_uploaded(rig: Rig) -> Item:
    async with rig.parts.database.transaction() as connection:
        job = await jobs.get_job(connection, rig.job_id)
        assert job is not None
        await ledger.grant(connection, TENANT, 1)
        _job, [item] = await jobs.create_job(
            connection, TENANT, job.recipe, [NewItem("late.jpg")], name="", correlation_id="faults"
        )
    return item


async def _claim(connection: AsyncConnection, item: Item) -> Item:
    claim = await items.claim(connection, item.id, Stage.PROCESS, lease_s=1.0, by="test")
    assert isinstance(claim, Claimed)
    return claim.item


async def _now(connection: AsyncConnection, item: Item) -> Item:
    found = await items.get_item(connection, item.id)
    assert found is not None
    return found
