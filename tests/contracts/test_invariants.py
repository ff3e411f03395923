"""The invariants, each with damage that it must see, on both databases; a sound database has none."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.contracts.tenants import OTHER, TENANT

from opal.database import items, jobs, keys, ledger, outbox, revisions, tables, variants
from opal.database.engine import Database, act_for_platform, utc_now
from opal.database.invariants import EVERYTHING, INVARIANTS, SETTLED, Patience, Scope, examine
from opal.database.items import Claimed, Stage
from opal.database.jobs import NewItem
from opal.database.variants import VariantRow
from opal.items.item import Item, Recipe
from opal.items.states import ItemState
from opal.messages.export_message import ExportMessage, send_export_message

PRESETS = ("cutout-png", "story-9x16")


async def finished(connection: AsyncConnection) -> Item:
    """An exported item; beside it a failed one whose debit came back, and a cancelled one."""
    recipe = Recipe(scene="white", placement={}, presets=PRESETS, prompt="", seed=0)
    job, created = await jobs.create_job(
        connection, TENANT, recipe, [NewItem(f"{each}.jpg") for each in "abc"], name="", correlation_id="c"
    )
    done = []
    for item in created[:2]:
        moved = await items.move(connection, item, ItemState.UPLOADED, by="test")
        claimed = await items.claim(connection, moved.id, Stage.PROCESS, lease_s=60, by="test")
        assert isinstance(claimed, Claimed)
        moved = await items.move(connection, claimed.item, ItemState.COMPLETED, by="test")
        await ledger.debit(connection, moved)
        done.append(moved)
    exported = await items.move(connection, done[0], ItemState.EXPORTED, by="test")
    for preset in PRESETS:
        path = f"{TENANT}/jobs/{job.id}/items/{exported.id}/exports/1/{preset}.png"
        row = VariantRow(preset, path, "png", "image/png", 1, 1, 1, "0" * 64, [], None)
        await variants.record_variant(connection, exported, row)
    await items.fail_item(connection, done[1], code="scoring_failed", message="", by="test")
    await jobs.cancel_job(connection, job, by="test")
    return exported


Damage = Callable[[AsyncConnection, Item], Awaitable[object]]


async def charge_again(connection: AsyncConnection, item: Item) -> None:
    # Under another kind, since the ledger itself refuses a second debit.
    await entry(connection, item.id, "other", amount=-1)
    await connection.execute(update(tables.accounts).values(balance=tables.accounts.c.balance - 1))


async def entry(
    connection: AsyncConnection,
    item_id: str | None,
    kind: str,
    *,
    amount: int = 0,
    held: int = 0,
    **values: object,
) -> None:
    row = {"tenant_id": TENANT, "item_id": item_id, "kind": kind, "amount": amount, "held": held, **values}
    await connection.execute(insert(tables.ledger).values(**row, note="", created_at=utc_now()))


async def forget_charge(connection: AsyncConnection, item: Item) -> None:
    await connection.execute(
        delete(tables.ledger).where(tables.ledger.c.item_id == item.id, tables.ledger.c.kind == "debit")
    )


async def forget_refund(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(delete(tables.ledger).where(tables.ledger.c.kind == "refund"))


async def forget_release(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(delete(tables.ledger).where(tables.ledger.c.kind == "release"))


async def charge_for_nothing(connection: AsyncConnection, _item: Item) -> None:
    await entry(connection, "item_of_nobody", "debit", amount=-1)


async def charge_another_job(connection: AsyncConnection, item: Item) -> None:
    mine = tables.ledger.c.item_id == item.id
    await connection.execute(update(tables.ledger).where(mine).values(job_id="job_of_nobody"))


async def erase_before_it_was_held(connection: AsyncConnection, item: Item) -> None:
    """As if it had been deleted, by a wish that its job came after."""
    await begin_erasure(connection, item)
    await delete_item(connection, item)


async def charge_for_what_never_was(connection: AsyncConnection, item: Item) -> None:
    """A debit of an item that nothing was held for, while data is erased."""
    await begin_erasure(connection, item)
    await connection.execute(update(tables.erasures).values(requested_at=utc_now()))
    await charge_for_nothing(connection, item)


async def erase_what_is_held(connection: AsyncConnection, item: Item) -> None:
    await begin_erasure(connection, item)
    await connection.execute(update(tables.erasures).values(requested_at=utc_now()))
    await delete_item(connection, item)
    await entry(connection, item.id, "hold", held=1, round=1)


async def delete_item(connection: AsyncConnection, item: Item) -> None:
    for table in (tables.variants, tables.item_events):
        await connection.execute(delete(table).where(table.c.item_id == item.id))
    await connection.execute(delete(tables.items).where(tables.items.c.id == item.id))


async def charge_for_no_item(connection: AsyncConnection, item: Item) -> None:
    await entry(connection, None, "debit", amount=-1, job_id=item.job_id)


async def prepay_twice(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(update(tables.accounts).values(prepaid_quarters=6))


async def owe_quarters(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(update(tables.accounts).values(prepaid_quarters=-1))


async def charge_another(connection: AsyncConnection, item: Item) -> None:
    mine = tables.ledger.c.item_id == item.id
    await connection.execute(update(tables.ledger).where(mine).values(tenant_id=OTHER))


async def change_balance(connection: AsyncConnection, _item: Item) -> None:
    mine = tables.accounts.c.tenant_id == TENANT
    await connection.execute(update(tables.accounts).where(mine).values(balance=7))


async def hold_on(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(update(tables.accounts).values(held=1))


async def lose_account(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(delete(tables.accounts).where(tables.accounts.c.tenant_id == TENANT))


async def overspend(connection: AsyncConnection, _item: Item) -> None:
    await entry(connection, None, "debit", amount=-1000)
    await entry(connection, None, "grant", amount=1000)


async def hold_below_zero(connection: AsyncConnection, _item: Item) -> None:
    await entry(connection, None, "release", held=-1)
    await entry(connection, None, "hold", held=1)


async def keep_lease(connection: AsyncConnection, item: Item) -> None:
    await change(connection, item, lease_until=utc_now() + timedelta(hours=1))


async def lease_for_ever(connection: AsyncConnection, item: Item) -> None:
    far = datetime(3000, 1, 1, tzinfo=UTC)
    await change(connection, item, state=ItemState.COMPLETED, lease_until=far)


async def lease_what_waits(connection: AsyncConnection, item: Item) -> None:
    soon = utc_now() + timedelta(seconds=30)
    await change(connection, item, state=ItemState.QUEUED, lease_until=soon)


async def change(connection: AsyncConnection, item: Item, **values: object) -> None:
    await connection.execute(update(tables.items).where(tables.items.c.id == item.id).values(**values))


async def lose_variant(connection: AsyncConnection, _item: Item) -> None:
    await connection.execute(delete(tables.variants).where(tables.variants.c.preset == PRESETS[0]))


async def make_another(connection: AsyncConnection, _item: Item) -> None:
    mine = tables.variants.c.preset == PRESETS[0]
    await connection.execute(update(tables.variants).where(mine).values(preset="square-1x1"))


async def lose_item_of_variants(connection: AsyncConnection, item: Item) -> None:
    await connection.execute(delete(tables.items).where(tables.items.c.id == item.id))


async def set_back(connection: AsyncConnection, item: Item) -> None:
    await change(connection, item, state=ItemState.QUEUED, updated_at=utc_now() - timedelta(days=2))


async def lose_events(connection: AsyncConnection, item: Item) -> None:
    await connection.execute(delete(tables.item_events).where(tables.item_events.c.item_id == item.id))


async def lose_an_event(connection: AsyncConnection, item: Item) -> None:
    lost = (tables.item_events.c.item_id == item.id) & (tables.item_events.c.target == "completed")
    await connection.execute(delete(tables.item_events).where(lost))


async def tell_twice(connection: AsyncConnection, item: Item) -> None:
    """Completed and exported once more, which nothing else would show."""
    names = [each.name for each in tables.item_events.c if each.name != "seq"]
    columns = [tables.item_events.c[name] for name in names]
    twice = (tables.item_events.c.item_id == item.id) & tables.item_events.c.target.in_(
        ["completed", "exported"]
    )
    again = select(*columns).where(twice).order_by(tables.item_events.c.seq)
    await connection.execute(insert(tables.item_events).from_select(names, again))


async def leap(connection: AsyncConnection, item: Item) -> None:
    """From its beginning to its end at once."""
    mine = tables.item_events.c.item_id == item.id
    between = tables.item_events.c.target.not_in(["created", "exported"])
    await connection.execute(delete(tables.item_events).where(mine, between))
    last = tables.item_events.c.target == "exported"
    await connection.execute(update(tables.item_events).where(mine, last).values(source="created"))


async def give_away(connection: AsyncConnection, item: Item) -> None:
    await change(connection, item, tenant_id=OTHER)


async def mix_events(connection: AsyncConnection, item: Item) -> None:
    mine = tables.item_events.c.item_id == item.id
    await connection.execute(update(tables.item_events).where(mine).values(tenant_id=OTHER))


async def send_again_unsettled(connection: AsyncConnection, item: Item) -> None:
    await change(connection, item, round=1)


async def wait_for_no_revision(connection: AsyncConnection, item: Item) -> None:
    await change(connection, item, state=ItemState.COMPLETED, pending_revision=1)


async def show_no_revision(connection: AsyncConnection, item: Item) -> None:
    await change(connection, item, revision=1)


async def revise_unasked(connection: AsyncConnection, item: Item) -> None:
    await revisions.add_revision(connection, item, 1, revisions.Look("white", {}))


async def mix_revisions(connection: AsyncConnection, item: Item) -> None:
    await revise_unasked(connection, item)
    await connection.execute(update(tables.revisions).values(tenant_id=OTHER))


async def begin_erasure(connection: AsyncConnection, _item: Item) -> None:
    then = utc_now() - timedelta(days=2)
    row = {"id": "erasure_1", "tenant_id": TENANT, "state": "running", "requested_at": then}
    await connection.execute(insert(tables.erasures).values(**row, late_until=then))


async def leave_message(connection: AsyncConnection, item: Item) -> None:
    await send_export_message(outbox.Outbox(connection), ExportMessage.of(item))
    await connection.execute(update(tables.outbox).values(created_at=utc_now() - timedelta(hours=1)))


DAMAGES: tuple[tuple[Damage, str], ...] = (
    (charge_again, "charged_once"),
    (forget_charge, "charged_once"),
    (forget_refund, "charged_once"),
    (forget_release, "held_while_waiting"),
    (set_back, "held_while_waiting"),
    (send_again_unsettled, "rounds_settled"),
    (charge_for_nothing, "charged_for_an_item"),
    (charge_another, "charged_for_an_item"),
    (charge_another_job, "charged_for_an_item"),
    (erase_before_it_was_held, "charged_for_an_item"),
    (charge_for_what_never_was, "charged_for_an_item"),
    (erase_what_is_held, "erased_and_settled"),
    (charge_again, "entries_are_whole"),
    (charge_for_no_item, "entries_are_whole"),
    (hold_below_zero, "entries_are_whole"),
    (change_balance, "balance_is_the_sum"),
    (hold_on, "balance_is_the_sum"),
    (lose_account, "balance_is_the_sum"),
    (overspend, "never_below_zero"),
    (hold_below_zero, "never_below_zero"),
    (prepay_twice, "prepaid_is_less_than_a_credit"),
    (owe_quarters, "prepaid_is_less_than_a_credit"),
    (keep_lease, "no_lease_on_finished"),
    (lease_for_ever, "leases_end"),
    (lease_what_waits, "leases_end"),
    (lose_variant, "exactly_its_variants"),
    (make_another, "exactly_its_variants"),
    (set_back, "exactly_its_variants"),
    (lose_item_of_variants, "exactly_its_variants"),
    (wait_for_no_revision, "revisions_agree"),
    (show_no_revision, "revisions_agree"),
    (revise_unasked, "revisions_agree"),
    (set_back, "story_agrees"),
    (lose_events, "story_agrees"),
    (lose_an_event, "story_is_unbroken"),
    (tell_twice, "story_is_unbroken"),
    (leap, "story_is_unbroken"),
    (give_away, "one_tenant"),
    (mix_events, "one_tenant"),
    (mix_revisions, "one_tenant"),
    (set_back, "work_ends"),
    (begin_erasure, "erasures_end"),
    (leave_message, "outbox_drains"),
)


async def broken(
    connection: AsyncConnection, scope: Scope = EVERYTHING, patience: Patience = SETTLED
) -> set[str]:
    return {each.name for each in await examine(connection, scope, patience) if each.count}


def test_every_invariant_has_damage_that_it_must_see() -> None:
    assert {seen for _damage, seen in DAMAGES} == {each.name for each in INVARIANTS}
    assert all(each.rule for each in INVARIANTS)


async def test_each_invariant_sees_its_damage_and_none_where_there_is_none(database: Database) -> None:
    async with database.transaction() as connection:
        item = await finished(connection)
    async with database.read() as connection:
        assert await broken(connection) == set()
    for damage, seen in DAMAGES:
        async with database.engine.connect() as connection:
            await connection.run_sync(act_for_platform)
            await damage(connection, item)
            for patience in (SETTLED, Patience()):
                assert seen in await broken(connection, patience=patience), damage.__name__
            await connection.rollback()
    async with database.read() as connection:
        assert await broken(connection) == set()


async def test_work_under_way_is_no_fault_until_it_takes_too_long(database: Database) -> None:
    async with database.transaction() as connection:
        await finished(connection)
        recipe = Recipe(scene="white", placement={}, presets=PRESETS, prompt="", seed=0)
        _job, [item] = await jobs.create_job(
            connection, TENANT, recipe, [NewItem("a.jpg")], name="", correlation_id="c"
        )
        await send_export_message(outbox.Outbox(connection), ExportMessage.of(item))
    async with database.read() as connection:
        assert await broken(connection, patience=Patience()) == set()
        assert await broken(connection) == {"work_ends", "outbox_drains"}


async def test_a_scope_leaves_out_what_others_have(database: Database) -> None:
    async with database.transaction() as connection:
        item, another = await finished(connection), await finished(connection)
        await keep_lease(connection, item)
        await change_balance(connection, item)
    async with database.read() as connection:
        assert await broken(connection) == {"no_lease_on_finished", "balance_is_the_sum"}
        assert await broken(connection, Scope(tenant_id=OTHER)) == set()
        assert await broken(connection, Scope(job_id=another.job_id)) == {"balance_is_the_sum"}
        assert len(await broken(connection, Scope(TENANT, item.job_id))) == 2
        [verdict] = [each for each in await examine(connection) if each.name == "no_lease_on_finished"]
    assert (verdict.count, verdict.first[0].subject, verdict.first[0].tenant_id) == (1, item.id, TENANT)


async def test_a_database_without_anything_in_it_is_sound(empty_database: Database) -> None:
    async with empty_database.transaction() as connection:
        await keys.ensure_tenant(connection, "new", "New")
        assert await broken(connection) == set()


@pytest.mark.parametrize("count", [1, 3])
async def test_only_the_first_offenders_are_told(database: Database, count: int) -> None:
    async with database.transaction() as connection:
        for _ in range(4):
            await keep_lease(connection, await finished(connection))
        verdicts = await examine(connection, most=count)
    [lease] = [each for each in verdicts if each.count]
    assert (lease.count, len(lease.first)) == (4, count)
