"""Webhooks in the database, on SQLite and on PostgreSQL alike: endpoints, what is told, deliveries."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, select, text
from tests.contracts.tenants import OTHER, TENANT
from tests.contracts.webhook_rows import SEALER, claim, endpoint, listed, new_items, told

from opal.database import deliveries, items, jobs, webhooks
from opal.database.deliveries import Delivery, Due, Failed
from opal.database.engine import Database, act_for_platform, utc_now
from opal.database.receivers import FailurePolicy
from opal.database.tables import metadata
from opal.database.tables import webhook_deliveries as delivery_table
from opal.database.tables import webhooks as webhook_table
from opal.database.webhooks import Webhook
from opal.errors import (
    LeaseLost,
    TooManyWebhooks,
    UnknownDelivery,
    UnknownWebhook,
    WebhookDisabled,
)
from opal.items.item import Item
from opal.items.states import ItemState
from opal.messages.webhook_event import EventType

NEVER = FailurePolicy(10**6, timedelta(0), lambda _failures: timedelta(0))
_S = ItemState


async def move(database: Database, item: Item, target: ItemState) -> Item:
    async with database.transaction() as connection:
        return await items.move(connection, item, target, by="test")


async def fail(database: Database, item: Item) -> None:
    async with database.transaction() as connection:
        await items.fail_item(connection, item, code="image_corrupt", message="Damaged.", by="test")


async def types(database: Database, webhook: Webhook) -> list[str]:
    return sorted(each.type for each in await listed(database, webhook))


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_the_migrations_add_up_to_the_tables(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_every_end_is_told_and_nothing_else(database: Database) -> None:
    hook = await endpoint(database)
    good, bad = await new_items(database, 2)
    assert await types(database, hook) == []
    good = await move(database, good, _S.COMPLETED)
    assert await types(database, hook) == ["item.completed"]
    await fail(database, bad)
    await move(database, good, _S.EXPORTED)
    assert await types(database, hook) == ["item.completed", "item.exported", "item.failed", "job.finished"]
    bodies = {due.event_id: json.loads(due.body) for due in await claim(database, hook)}
    by_type = {body["type"]: body["data"] for body in bodies.values()}
    assert by_type["item.failed"] == {
        "job_id": bad.job_id,
        "item_id": bad.id,
        "filename": "1.jpg",
        "sku": "SKU",
        "public_pictures": None,
        "revision": 0,
        "state": "failed",
        "review": False,
        "error": {"code": "image_corrupt", "message": "Damaged."},
        "correlation_id": "c-1",
    }
    assert by_type["job.finished"] == {
        "job_id": good.job_id,
        "name": "mugs",
        "status": "finished_with_failures",
        "total": 2,
        "counts": {"exported": 1, "failed": 1},
        "review": 0,
        "correlation_id": "c-1",
    }
    assert all(datetime.fromisoformat(body["timestamp"]).tzinfo for body in bodies.values())


async def test_only_what_was_asked_for_and_only_the_tenants_own(database: Database) -> None:
    ends = await endpoint(database, (EventType.JOB_FINISHED,))
    fails = await endpoint(database, (EventType.ITEM_FAILED, EventType.ITEM_EXPORTED))
    foreign = await endpoint(database, tenant=OTHER)
    [item] = await new_items(database, state=_S.COMPLETED)
    await move(database, item, _S.EXPORTED)
    assert await types(database, ends) == ["job.finished"]
    assert await types(database, fails) == ["item.exported"]
    assert await listed(database, foreign) == []


async def test_a_move_that_is_undone_tells_nothing(database: Database) -> None:
    hook = await endpoint(database)
    [item] = await new_items(database)
    async with database.engine.connect() as connection:
        await connection.run_sync(act_for_platform)
        await items.move(connection, item, _S.COMPLETED, by="test")
        await connection.rollback()
    stale = replace(item, attempt=7)
    with pytest.raises(LeaseLost):
        await fail(database, stale)
    assert await listed(database, hook) == []


async def test_a_cancelled_job_is_told_once(database: Database) -> None:
    hook = await endpoint(database)
    [item, *_] = await new_items(database, 5)
    for _ in range(2):
        async with database.transaction() as connection:
            job = await jobs.get_job(connection, item.job_id)
            assert job is not None
            await jobs.cancel_job(connection, job, by="test")
    assert await types(database, hook) == ["job.finished"]
    [due] = await claim(database, hook)
    assert json.loads(due.body)["data"]["status"] == "cancelled"


async def test_items_that_end_side_by_side_end_their_job_once(database: Database) -> None:
    hook = await endpoint(database, (EventType.JOB_FINISHED,))
    for _ in range(4):
        made = await new_items(database, 6, _S.COMPLETED)
        await asyncio.gather(
            *(move(database, item, _S.EXPORTED) for item in made[:3]),
            *(fail(database, item) for item in made[3:]),
        )
    assert await types(database, hook) == ["job.finished"] * 4
    assert len({each.job_id for each in await listed(database, hook)}) == 4


async def test_a_tenant_has_so_many_and_no_more(database: Database) -> None:
    made = await asyncio.gather(*(endpoint(database, most=2) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(each, TooManyWebhooks) for each in made) == 3
    assert (await endpoint(database, tenant=OTHER, most=1)).tenant_id == OTHER


async def test_unknown_foreign_and_malformed_ids_are_the_same(database: Database) -> None:
    hook = await endpoint(database)
    for tenant, webhook_id in ((OTHER, hook.id), (TENANT, "webhook_" + "0" * 24), (TENANT, "x\0y")):
        for call in (webhooks.tenant_webhook, webhooks.delete_webhook, webhooks.enable_webhook):
            with pytest.raises(UnknownWebhook):
                async with database.transaction() as connection:
                    await call(connection, tenant, webhook_id)
        with pytest.raises(UnknownWebhook):
            async with database.transaction() as connection:
                await webhooks.rotate_secret(connection, SEALER, tenant, webhook_id, old_for=timedelta(1))
    async with database.transaction() as connection:
        for delivery_id in ("delivery_" + "0" * 24, "x\0y"):
            with pytest.raises(UnknownDelivery):
                await deliveries.replay(connection, hook.id, delivery_id)


async def test_a_delivery_is_one_senders_until_its_claim_ends(database: Database) -> None:
    hook = await told(database, 10)
    taken = await asyncio.gather(*(claim(database, hook, 3) for _ in range(6)))
    ids = [due.id for batch in taken for due in batch]
    # Senders that looked at the same rows may come away with fewer, never with the same.
    assert len(ids) == len(set(ids))
    await claim(database, hook, 100)
    assert await claim(database, hook, 100) == []
    async with database.read() as connection:
        assert await deliveries.due_webhooks(connection, utc_now(), 10) == []
        later = utc_now() + timedelta(seconds=61)
        assert await deliveries.due_webhooks(connection, later, 10) == [(hook.id, 0)]
        assert await deliveries.due_webhooks(connection, later, 10, {hook.id}) == []


async def test_a_sender_whose_claim_was_taken_over_changes_nothing(database: Database) -> None:
    hook = await told(database)
    [slow] = await claim(database, hook, claim_s=-1)
    [quick] = await claim(database, hook)
    async with database.transaction() as connection:
        failed = Failed(500, "late", utc_now())
        assert await deliveries.record_failure(connection, slow, failed, NEVER) is None
        assert not await deliveries.record_success(connection, slow, 200)
        assert await deliveries.record_success(connection, quick, 202)
    [delivery] = await listed(database, hook)
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("delivered", 1, 202)
    assert "whsec" not in repr(quick)


async def test_failures_count_until_one_succeeds_and_disable_when_they_last(database: Database) -> None:
    hook = await told(database, 4)
    policy = FailurePolicy(3, timedelta(hours=1), lambda failures: timedelta(minutes=failures))
    first, second, third, fourth = await claim(database, hook)

    async def failing(due: Due, **fields: object) -> str | None:
        async with database.transaction() as connection:
            failed = replace(Failed(500, "It answered 500.", None), **fields)  # type: ignore[arg-type]
            return await deliveries.record_failure(connection, due, failed, policy)

    assert await failing(first) is None
    async with database.transaction() as connection:
        assert await deliveries.due_webhooks(connection, utc_now(), 9) == []
        await deliveries.record_success(connection, second, 200)
        assert (await webhooks.tenant_webhook(connection, TENANT, hook.id)).failures == 0
        row = (
            await connection.execute(select(webhook_table.c.not_before, webhook_table.c.failing_since))
        ).one()
        assert tuple(row) == (None, None)
    assert await failing(third) is None
    long_ago = utc_now() - timedelta(hours=2)
    async with database.transaction() as connection:
        await connection.execute(webhook_table.update().values(failures=2, failing_since=long_ago))
    reason = await failing(fourth)
    assert reason == "3 tries in a row failed, the last one: It answered 500."
    async with database.transaction() as connection:
        disabled = await webhooks.tenant_webhook(connection, TENANT, hook.id)
        assert (disabled.state, disabled.disabled_reason) == ("disabled", reason)
        with pytest.raises(WebhookDisabled):
            await deliveries.replay(connection, hook.id, first.id)
        # Nothing is written for it while it is off.
        await connection.execute(delivery_table.delete())
    await new_items(database, 1, _S.COMPLETED)
    assert await listed(database, hook) == []
    async with database.transaction() as connection:
        again = await webhooks.enable_webhook(connection, TENANT, hook.id)
    assert (again.state, again.failures, again.disabled_reason) == ("active", 0, None)


async def test_enabling_makes_all_that_waits_due(database: Database) -> None:
    hook = await told(database, 3)
    first, second, _ = await claim(database, hook)
    policy = FailurePolicy(1, timedelta(0), lambda _failures: timedelta(hours=1))
    async with database.transaction() as connection:
        await deliveries.record_success(connection, first, 200)
        later = Failed(500, "It answered 500.", utc_now() + timedelta(hours=20))
        assert await deliveries.record_failure(connection, second, later, policy) is not None
        await connection.execute(delivery_table.update().values(claimed_until=None))
    assert await claim(database, hook) == []
    async with database.transaction() as connection:
        await webhooks.enable_webhook(connection, TENANT, hook.id)
    assert len(await claim(database, hook)) == 2


async def test_many_failures_in_a_short_outage_disable_nothing(database: Database) -> None:
    hook = await told(database, 20)
    policy = FailurePolicy(3, timedelta(hours=1), lambda _failures: timedelta(0))
    for due in await claim(database, hook, 20):
        async with database.transaction() as connection:
            assert await deliveries.record_failure(connection, due, Failed(503, "x", None), policy) is None
    async with database.read() as connection:
        assert (await webhooks.tenant_webhook(connection, TENANT, hook.id)).failures == 20


async def test_a_replay_begins_the_schedule_again(database: Database) -> None:
    hook = await told(database)
    [due] = await claim(database, hook)
    async with database.transaction() as connection:
        failed = Failed(None, "No answer within 15 s.", None)
        await deliveries.record_failure(connection, replace(due, attempts=9), failed, NEVER)
    [before] = await listed(database, hook)
    assert (before.state, before.attempts, before.last_error) == ("failed", 10, "No answer within 15 s.")
    assert await claim(database, hook) == []
    async with database.transaction() as connection:
        replayed = await deliveries.replay(connection, hook.id, due.id)
    assert (replayed.state, replayed.attempts, replayed.event_id) == ("waiting", 0, before.event_id)
    [again] = await claim(database, hook)
    assert (again.event_id, again.body) == (due.event_id, due.body)


async def test_deleting_an_endpoint_never_breaks_a_move(database: Database) -> None:
    for _ in range(4):
        hook = await endpoint(database)
        made = await new_items(database, 4)

        async def delete(webhook_id: str = hook.id) -> None:
            async with database.transaction() as connection:
                await webhooks.delete_webhook(connection, TENANT, webhook_id)

        await asyncio.gather(*(move(database, item, _S.COMPLETED) for item in made), delete())
        assert await listed(database, hook) == []


async def test_what_is_old_is_forgotten(database: Database) -> None:
    hook = await told(database, 3)
    async with database.transaction() as connection:
        assert await deliveries.forget_before(connection, utc_now() - timedelta(hours=1)) == 0
        assert await deliveries.forget_before(connection, utc_now() + timedelta(hours=1)) == 3
        assert (await connection.execute(text("SELECT count(*) FROM webhook_events"))).scalar_one() == 0
    assert await listed(database, hook) == []


async def test_pages_hold_every_delivery_once_newest_first(database: Database) -> None:
    hook = await told(database, 5)
    seen: list[Delivery] = []
    before: tuple[datetime, str] | None = None
    async with database.read() as connection:
        while page := await deliveries.list_deliveries(connection, hook.id, 2, before):
            seen += page
            before = (page[-1].created_at, page[-1].id)
        assert seen == await deliveries.list_deliveries(connection, hook.id, 100)
        assert len({each.id for each in seen}) == 5
        assert await deliveries.list_deliveries(connection, hook.id, 9, state="failed") == []
        assert len(await deliveries.list_deliveries(connection, hook.id, 9, state="waiting")) == 5
