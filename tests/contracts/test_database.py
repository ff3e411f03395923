"""What the database must do, on SQLite and on PostgreSQL alike."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from opal.database import idempotency, items, jobs, keys, ledger, outbox, presets, public_links, variants
from opal.database.engine import Database, utc_now
from opal.database.events import events_after, item_story, latest_seq
from opal.database.tables import idempotency_keys
from opal.database.tables import items as item_table
from opal.errors import (
    IdempotencyKeyReused,
    IllegalMove,
    InsufficientCredits,
    LeaseLost,
    NotFound,
)
from opal.items.item import Item, Recipe
from opal.items.states import ItemState
from opal.messages.job_message import JobMessage, send_job_message

TENANT = "acme"
RECIPE = Recipe(scene="white", placement={}, presets=("square-1x1",), prompt="", seed=0)


@pytest.fixture
async def database(empty_database: Database) -> Database:
    async with empty_database.transaction() as connection:
        await keys.ensure_tenant(connection, TENANT, "Acme")
        await ledger.grant(connection, TENANT, 10)
    return empty_database


async def new_job(database: Database, count: int = 1) -> tuple[jobs.Job, list[Item]]:
    async with database.transaction() as connection:
        new = [jobs.NewItem(f"{number}.jpg") for number in range(count)]
        return await jobs.create_job(connection, TENANT, RECIPE, new, name="test", correlation_id="c")


async def uploaded(database: Database) -> Item:
    _job, [item] = await new_job(database)
    async with database.transaction() as connection:
        return await items.move(connection, item, ItemState.UPLOADED, by="test")


async def claimed(database: Database, item: Item, lease_s: float = 60) -> Item:
    async with database.transaction() as connection:
        claim = await items.claim(connection, item.id, items.Stage.PROCESS, lease_s=lease_s, by="test")
    assert isinstance(claim, items.Claimed)
    return claim.item


async def figures(database: Database) -> tuple[ledger.Balance, ledger.Balance]:
    async with database.read() as connection:
        return await ledger.balance(connection, TENANT), await ledger.summed(connection, TENANT)


async def test_a_job_holds_one_credit_per_photo(database: Database) -> None:
    job, made = await new_job(database, 3)
    assert [item.position for item in made] == [0, 1, 2]
    stored, summed = await figures(database)
    assert stored == summed == ledger.Balance(10, 3)
    async with database.read() as connection:
        assert (await jobs.state_counts(connection, [job.id]))[job.id] == {ItemState.CREATED: 3}
        assert await jobs.tenant_job(connection, TENANT, job.id) == job
        with pytest.raises(NotFound):
            await jobs.tenant_job(connection, "other", job.id)


async def test_a_job_beyond_the_balance_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(InsufficientCredits, match="11 credits are needed; 10"):
        await new_job(database, 11)
    async with database.read() as connection:
        assert await jobs.list_jobs(connection, TENANT, 10) == []
    stored, summed = await figures(database)
    assert stored == summed == ledger.Balance(10, 0)


async def test_the_last_credit_goes_to_one_of_many(database: Database) -> None:
    results = await asyncio.gather(*(new_job(database, 4) for _ in range(8)), return_exceptions=True)
    won = [result for result in results if not isinstance(result, BaseException)]
    assert len(won) == 2
    assert all(isinstance(r, InsufficientCredits) for r in results if isinstance(r, BaseException))
    stored, summed = await figures(database)
    assert stored == summed == ledger.Balance(10, 8)


async def test_an_item_is_charged_once(database: Database) -> None:
    item = await claimed(database, await uploaded(database))
    async with database.transaction() as connection:
        assert await ledger.debit(connection, item)
    async with database.transaction() as connection:
        assert not await ledger.debit(connection, item)
        assert not await ledger.release(connection, item)
    stored, summed = await figures(database)
    assert stored == summed == ledger.Balance(9, 0)


async def test_a_failed_item_costs_nothing(database: Database) -> None:
    item = await claimed(database, await uploaded(database))
    async with database.transaction() as connection:
        failed = await items.fail_item(connection, item, code="image_corrupt", message="bad", by="test")
    assert (failed.state, failed.error_code, failed.lease_until) == (ItemState.FAILED, "image_corrupt", None)
    stored, summed = await figures(database)
    assert stored == summed == ledger.Balance(10, 0)


async def test_a_failed_export_is_refunded_once(database: Database) -> None:
    item = await claimed(database, await uploaded(database))
    async with database.transaction() as connection:
        done = await items.move(connection, item, ItemState.COMPLETED, by="test")
        await ledger.debit(connection, done)
        failed = await items.fail_item(connection, done, code="x", message="y", by="test")
        assert not await ledger.refund(connection, failed)
    stored, summed = await figures(database)
    assert stored == summed == ledger.Balance(10, 0)


async def test_a_stale_writer_changes_nothing(database: Database) -> None:
    first = await claimed(database, await uploaded(database), lease_s=0)
    second = await claimed(database, first)
    assert (second.attempt, second.interruptions) == (first.attempt + 1, 1)
    with pytest.raises(LeaseLost):
        async with database.transaction() as connection:
            await items.move(connection, first, ItemState.COMPLETED, by="zombie")
    async with database.transaction() as connection:
        assert not await items.renew_lease(connection, first, 60)
        assert await items.renew_lease(connection, second, 60)


async def test_a_live_lease_keeps_others_away(database: Database) -> None:
    item = await claimed(database, await uploaded(database))
    async with database.transaction() as connection:
        claim = await items.claim(connection, item.id, items.Stage.PROCESS, lease_s=1, by="other")
        assert isinstance(claim, items.Busy)
        claim = await items.claim(connection, item.id, items.Stage.EXPORT, lease_s=1, by="other")
        assert isinstance(claim, items.Settled)
        claim = await items.claim(connection, "item_none", items.Stage.PROCESS, lease_s=1, by="other")
        assert isinstance(claim, items.Missing)


async def test_one_of_many_claims_wins(database: Database) -> None:
    item = await uploaded(database)
    results = await asyncio.gather(*(claimed(database, item) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(result, Item) for result in results) == 1


async def test_too_many_interruptions_fail_the_item(database: Database) -> None:
    item = await claimed(database, await uploaded(database), lease_s=0)
    async with database.transaction() as connection:
        claim = await items.claim(
            connection, item.id, items.Stage.PROCESS, lease_s=1, by="test", max_interruptions=0
        )
    assert isinstance(claim, items.Settled)
    assert claim.item.error_code == "too_many_interruptions"


async def test_failures_are_counted_until_the_last(database: Database) -> None:
    item = await uploaded(database)
    for number in range(1, 4):
        item = await claimed(database, item)
        async with database.transaction() as connection:
            over = await items.record_failure(
                connection, item, code="scoring_busy", message="busy", by="test", max_failures=3
            )
            found = await items.get_item(connection, item.id)
        assert found is not None
        assert (over, found.failures) == (number == 3, number)
        item = found
    assert (item.state, item.error_code) == (ItemState.FAILED, "scoring_busy")


async def test_an_illegal_move_is_refused(database: Database) -> None:
    item = await uploaded(database)
    with pytest.raises(IllegalMove):
        async with database.transaction() as connection:
            await items.move(connection, item, ItemState.COMPLETED, by="test")


async def test_state_and_message_commit_together(database: Database) -> None:
    item = await uploaded(database)
    message = JobMessage.of(item)
    with pytest.raises(RuntimeError):  # noqa: PT012 (the crash comes after the send)
        async with database.transaction() as connection:
            await send_job_message(outbox.Outbox(connection), message)
            raise RuntimeError("crash before the commit")
    async with database.transaction() as connection:
        assert await outbox.pending(connection) == (0, None)
        await send_job_message(outbox.Outbox(connection), message)
    async with database.transaction() as connection:
        [row] = await outbox.claim_batch(connection, 10, claim_s=60)
        assert await outbox.claim_batch(connection, 10, claim_s=60) == []
        assert JobMessage.decode(row.body) == message
        assert await outbox.pending_items(connection, "jobs", 10) == [item.id]
    async with database.transaction() as connection:
        await outbox.mark_published(connection, [row])
        found = await items.get_item(connection, item.id)
    assert found is not None
    assert found.state is ItemState.QUEUED


async def test_cancelling_releases_what_is_not_done(database: Database) -> None:
    job, made = await new_job(database, 2)
    async with database.transaction() as connection:
        await items.move(connection, made[0], ItemState.UPLOADED, by="test")
        assert await jobs.cancel_job(connection, job, by="test") == 2
        assert await jobs.cancel_job(connection, job, by="test") == 0
    stored, summed = await figures(database)
    assert stored == summed == ledger.Balance(10, 0)


async def test_marks_for_review_are_counted_until_the_item_fails(database: Database) -> None:
    job, [first, second] = await new_job(database, 2)
    done = []
    for item in (first, second):
        async with database.transaction() as connection:
            await items.move(connection, item, ItemState.UPLOADED, by="test")
        taken = await claimed(database, item)
        async with database.transaction() as connection:
            move = items.move(connection, taken, ItemState.COMPLETED, by="test", changes={"review": True})
            done.append(await move)
            await ledger.debit(connection, done[-1])
    async with database.read() as connection:
        # Before it is exported there is nothing to judge.
        assert await jobs.review_counts(connection, [job.id, "job_none"]) == {job.id: (2, 0)}
        assert (await item_story(connection, first.id))[-1].details["review"] is True
    async with database.transaction() as connection:
        failed = await items.fail_item(connection, done[0], code="x", message="y", by="test")
        assert not failed.review
        assert await jobs.review_counts(connection, [job.id]) == {job.id: (1, 0)}
        assert [item.review for item in await items.list_items(connection, job.id)] == [False, True]


async def test_events_can_be_resumed(database: Database) -> None:
    item = await uploaded(database)
    async with database.read() as connection:
        story = await item_story(connection, item.id)
        assert [event.target for event in story] == [ItemState.CREATED, ItemState.UPLOADED]
        assert await events_after(connection, item.job_id, story[0].seq) == story[1:]
        assert await latest_seq(connection) == story[-1].seq


async def test_an_item_has_one_variant_per_preset(database: Database) -> None:
    item = await claimed(database, await uploaded(database))
    first, second = (
        variants.VariantRow(
            preset, "path", "jpeg", "image/jpeg", 1, 1, 1, "0" * 64, [{"rule": "w"}], None, placed
        )
        for preset, placed in (("p", None), ("q", {"scale": 1.5, "upscaled": True}))
    )
    async with database.transaction() as connection:
        for row in (second, first):
            await variants.record_variant(connection, item, row)
        assert await variants.list_variants(connection, item.id) == [first, second]
        assert await variants.job_variants(connection, item.job_id) == {item.id: [first, second]}
    with pytest.raises(IntegrityError):
        async with database.transaction() as connection:
            await variants.record_variant(connection, item, replace(first, path="another"))


async def test_idempotency_keys_answer_alike_and_expire(database: Database) -> None:
    async with database.transaction() as connection:
        assert await idempotency.begin(connection, TENANT, "k", "hash") is None
        await idempotency.finish(connection, TENANT, "k", 201, "body")
    async with database.transaction() as connection:
        assert await idempotency.begin(connection, TENANT, "k", "hash") == idempotency.Stored(201, "body")
        with pytest.raises(IdempotencyKeyReused):
            await idempotency.begin(connection, TENANT, "k", "other")
        old = utc_now() - timedelta(hours=25)
        await connection.execute(update(idempotency_keys).values(created_at=old))
        assert await idempotency.begin(connection, TENANT, "k", "other") is None


async def test_api_keys_authenticate_until_revoked(database: Database) -> None:
    async with database.transaction() as connection:
        key, presented = await keys.create_key(connection, TENANT, "dev")
    async with database.transaction() as connection:
        assert await keys.authenticate(connection, presented) == key
        for wrong in ("", "opal_x_y", presented[:-1], f"{presented}0", presented.upper()):
            assert await keys.authenticate(connection, wrong) is None
        await keys.revoke_key(connection, key.id)
        assert await keys.authenticate(connection, presented) is None
        with pytest.raises(NotFound):
            await keys.revoke_key(connection, "none")


async def test_the_sweeper_finds_the_longest_untouched(database: Database) -> None:
    item = await uploaded(database)
    async with database.transaction() as connection:
        old = utc_now() - timedelta(hours=1)
        await connection.execute(update(item_table).where(item_table.c.id == item.id).values(updated_at=old))
        recent = utc_now() - timedelta(minutes=1)
        found = await items.items_in_states(connection, [ItemState.UPLOADED], updated_before=recent, limit=10)
    assert [each.id for each in found] == [item.id]


@pytest.mark.parametrize("ages_min", [(4, 3, 2, 1), (2, 2, 2, 2), (3, 1, 3, 1)])
async def test_the_sweeper_sees_every_item_once_page_by_page(
    database: Database, ages_min: tuple[int, ...]
) -> None:
    _job, made = await new_job(database, len(ages_min))
    now = utc_now()
    async with database.transaction() as connection:
        for item, minutes in zip(made, ages_min, strict=True):
            changed = update(item_table).where(item_table.c.id == item.id)
            await connection.execute(changed.values(updated_at=now - timedelta(minutes=minutes)))
    seen: list[Item] = []
    async with database.read() as connection:
        while page := await items.items_in_states(
            connection, [ItemState.CREATED], updated_before=now, after=seen[-1] if seen else None, limit=1
        ):
            seen += page
    assert {item.id for item in seen} == {item.id for item in made}
    assert len(seen) == len(made)
    assert seen == sorted(seen, key=lambda item: (item.updated_at, item.id))


async def test_the_sweeper_asks_for_items_whose_lease_is_over(database: Database) -> None:
    now = utc_now()
    ends = {"live": now + timedelta(minutes=1), "over": now - timedelta(minutes=1), "none": None}
    _job, made = await new_job(database, len(ends))
    async with database.transaction() as connection:
        for item, until in zip(made, ends.values(), strict=True):
            changed = update(item_table).where(item_table.c.id == item.id)
            await connection.execute(changed.values(lease_until=until))
        found = await items.items_in_states(
            connection,
            [ItemState.CREATED],
            updated_before=now + timedelta(minutes=1),
            unleased_since=now,
            limit=10,
        )
    assert {item.id for item in found} == {item.id for item in made[1:]}


async def test_a_tenants_presets_are_kept_replaced_and_forgotten(database: Database) -> None:
    async with database.transaction() as connection:
        assert await presets.save_preset(connection, TENANT, "house", {"name": "house", "width": 900})
        assert not await presets.save_preset(connection, TENANT, "house", {"name": "house", "width": 1000})
        assert await presets.save_preset(connection, TENANT, "a", {"name": "a", "fill": 0.85})
    async with database.read() as connection:
        kept = await presets.list_presets(connection, TENANT)
        assert kept == [{"name": "a", "fill": 0.85}, {"name": "house", "width": 1000}]
        assert await presets.list_presets(connection, "other") == []
    for name in ("house", "a"):
        async with database.transaction() as connection:
            await presets.delete_preset(connection, TENANT, name)
    async with database.transaction() as connection:
        with pytest.raises(NotFound):
            await presets.delete_preset(connection, TENANT, "house")


async def test_public_links_follow_the_tenant_unless_the_job_says_otherwise(database: Database) -> None:
    async with database.transaction() as connection:
        made = {
            wish: (
                await jobs.create_job(
                    connection,
                    TENANT,
                    RECIPE,
                    [jobs.NewItem("a.jpg")],
                    name="",
                    correlation_id="c",
                    public_links=wish,
                )
            )[0]
            for wish in (None, True, False)
        }

    async def linked() -> list[bool | None]:
        async with database.read() as connection:
            links = {wish: await public_links.job_links(connection, job.id) for wish, job in made.items()}
        return [wish for wish, each in links.items() if each.key is not None]

    assert await linked() == []
    for which, wishes in (("chosen", [True]), ("all", [None, True])):
        async with database.transaction() as connection:
            await public_links.turn_on(connection, TENANT, which)  # type: ignore[arg-type]  # both are known
        assert await linked() == wishes
    async with database.transaction() as connection:
        await jobs.cancel_job(connection, made[True], by="test")
    assert await linked() == [None]
    async with database.transaction() as connection:
        await public_links.turn_off(connection, TENANT)
    assert await linked() == []
