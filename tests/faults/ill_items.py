"""Items as deaths and losses may leave them: one of each kind that the sweeper heals."""

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


async def make_ill(rig: Rig) -> None:
    """And one that is well and whose message waits in the outbox."""
    silent, held, lost, unexported, given_up = await rig.job(5)
    await _take_messages(rig, given_up)
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
        await connection.execute(update(tables.items).where(tables.items.c.id == given_up.id).values(**new))
        dead = {"lease_until": utc_now() - timedelta(hours=1)}
        await connection.execute(update(tables.items).where(tables.items.c.id == silent.id).values(**dead))
    await rig.job(1)


async def _take_messages(rig: Rig, given_up: Item) -> None:
    """All messages are gone, but for one that the queue has put aside."""
    await rig.parts.relay.publish_pending()
    receiver = rig.parts.queues.receiver("jobs")
    left = 5
    while left:
        for message in await receiver.receive(left, 5.0):
            left -= 1
            if message.message_id.startswith(given_up.id):
                await receiver.dead_letter(message, "test", "The queue gave it up.")
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
