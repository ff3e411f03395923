"""The fault tests' own control: what they end with must see the damage that they claim to rule out.

Each invariant's own is in ``tests/contracts/test_invariants.py``.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.faults.findings import Findings, at_rest, examine

from opal.assembly import Parts, build_parts
from opal.database import items, jobs, keys, ledger, outbox, tables, variants
from opal.database.items import Claimed, Stage
from opal.database.jobs import NewItem
from opal.database.migrate import migrate
from opal.database.variants import VariantRow
from opal.items.item import Item, Recipe
from opal.items.states import ItemState
from opal.messages.export_message import ExportMessage, send_export_message
from opal.queues.interface import Outgoing
from opal.settings import load_settings

PRESET = "cutout-png"
PICTURE = b"picture"


@dataclass(frozen=True, slots=True)
class Finished:
    """A job of one item that was exported without any trouble."""

    parts: Parts
    job_id: str
    item: Item

    async def examine(self) -> Findings:
        parts = self.parts
        return await examine(
            parts.database, parts.blobs, parts.queues, self.job_id, presets=[PRESET], granted=10
        )


@pytest.fixture
async def finished(tmp_path: Path) -> AsyncIterator[Finished]:
    settings = load_settings(data_dir=tmp_path)
    parts = build_parts(settings)
    await migrate(parts.database)
    recipe = Recipe(scene="white", placement={}, presets=(PRESET,), prompt="", seed=0)
    async with parts.database.transaction() as connection:
        await keys.ensure_tenant(connection, "acme", "Acme")
        await ledger.grant(connection, "acme", 10)
        job, [item] = await jobs.create_job(
            connection, "acme", recipe, [NewItem("a.jpg")], name="", correlation_id="c"
        )
        item = await items.move(connection, item, ItemState.UPLOADED, by="test")
        claimed = await items.claim(connection, item.id, Stage.PROCESS, lease_s=60, by="test")
        assert isinstance(claimed, Claimed)
        item = await items.move(connection, claimed.item, ItemState.COMPLETED, by="test")
        await ledger.debit(connection, item)
        path = f"acme/jobs/{job.id}/items/{item.id}/exports/1/{PRESET}.png"
        digest = hashlib.sha256(PICTURE).hexdigest()
        row = VariantRow(PRESET, path, "png", "image/png", 1, 1, len(PICTURE), digest, [], None)
        item = await items.move(connection, item, ItemState.EXPORTED, by="test")
        await variants.record_variant(connection, item, row)
    await parts.blobs.write("exports", path, PICTURE, content_type="image/png")
    yield Finished(parts, job.id, item)
    await parts.close()


async def test_a_clean_run_has_no_faults(finished: Finished) -> None:
    assert (await finished.examine()).faults == {}


Damage = Callable[[AsyncConnection, Item], Awaitable[object]]


async def set_back(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(update(tables.items).values(state=ItemState.QUEUED))


async def forget_variant(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(delete(tables.variants))


async def lose_blob(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(update(tables.variants).values(path="acme/not/there.png"))


async def spoil_blob(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(update(tables.variants).values(sha256="0" * 64))


async def forget_charge(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(delete(tables.ledger).where(tables.ledger.c.kind == "debit"))


async def hold_on(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(update(tables.accounts).values(held=1))


async def leave_message(connection: AsyncConnection, item: Item) -> None:
    await send_export_message(outbox.Outbox(connection), ExportMessage.of(item))


@pytest.mark.parametrize(
    ("damage", "seen"),
    [
        (set_back, "lost"),
        (forget_variant, "exactly_its_variants"),
        (lose_blob, "blobs_as_recorded"),
        (spoil_blob, "blobs_as_recorded"),
        (forget_charge, "charged_once"),
        (hold_on, "credits_unaccounted"),
        (leave_message, "outbox_drains"),
    ],
)
async def test_the_checker_sees_damage(finished: Finished, damage: Damage, seen: str) -> None:
    async with finished.parts.database.transaction() as connection:
        await damage(connection, finished.item)
    assert (await finished.examine()).faults[seen] == 1


@pytest.mark.parametrize("damage", [set_back, leave_message], ids=lambda damage: damage.__name__)
async def test_work_that_is_left_is_no_rest(finished: Finished, damage: Damage) -> None:
    parts = finished.parts
    assert await at_rest(parts.database, parts.queues, finished.job_id)
    async with parts.database.transaction() as connection:
        await damage(connection, finished.item)
    assert not await at_rest(parts.database, parts.queues, finished.job_id)


async def test_the_checker_sees_messages_that_nobody_took(finished: Finished) -> None:
    queues = finished.parts.queues
    await queues.send("exports", [Outgoing("a:1", b"{}"), Outgoing("b:1", b"{}")])
    receiver = queues.receiver("exports")
    [first] = await receiver.receive(1, 1.0)
    assert not await at_rest(finished.parts.database, queues, finished.job_id)
    await receiver.dead_letter(first, "Test", "put aside")
    await receiver.close()
    findings = await finished.examine()
    assert (findings.messages_left, findings.dead_letters) == (1, 1)
