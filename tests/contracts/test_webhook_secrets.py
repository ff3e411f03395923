"""Webhooks' secrets and tests in the database, on SQLite and on PostgreSQL alike."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select
from tests.contracts.tenants import OTHER, TENANT
from tests.contracts.webhook_rows import SEALER, claim, endpoint, listed, told

from opal.database import deliveries, webhooks
from opal.database.deliveries import Failed
from opal.database.engine import Database, utc_now
from opal.database.receivers import FailurePolicy
from opal.database.tables import webhooks as webhook_table
from opal.database.webhook_events import store_test
from opal.database.webhook_secrets import seal_readable
from opal.errors import SecretUnreadable, UnknownWebhook
from opal.items.states import JobStatus
from opal.messages.webhook_event import EventType, JobNews, WebhookEvent
from opal.sealing import Sealer


async def test_the_old_secret_signs_beside_the_new_one_for_a_while(database: Database) -> None:
    hook = await told(database, 2)
    [first] = await claim(database, hook, 1)
    async with database.transaction() as connection:
        until, secret = await webhooks.rotate_secret(
            connection, SEALER, TENANT, hook.id, old_for=timedelta(hours=1)
        )
        due = await deliveries.claim(connection, hook.id, 1, now=utc_now(), claim_s=-7200)
        [old] = first.secrets.open(SEALER, utc_now())
        assert due[0].secrets.open(SEALER, utc_now()) == (secret, old)
        assert due[0].secrets.open(SEALER, until) == (secret,)


async def test_secrets_lie_sealed_and_readable_ones_are_found(database: Database) -> None:
    """Readable: of before migration 0009; made, or rotated, by an older web-api that runs beside this one."""
    old, made, rotated, sealed = [await told(database) for _ in range(4)]
    past, plain, ends = "whsec_AAAA", "whsec_BBBB", utc_now() + timedelta(hours=1)
    async with database.transaction() as connection:
        for hook, values in (
            (old, {"sealed": None, "secret": plain, "old_secret": past, "old_secret_until": ends}),
            (made, {"sealed": None, "secret": plain}),
            (rotated, {"secret": plain, "old_secret": "", "old_secret_until": ends}),
        ):
            await connection.execute(
                webhook_table.update().where(webhook_table.c.id == hook.id).values(**values)
            )
    expected = {old.id: (plain, past), made.id: (plain,), rotated.id: (plain,)}
    for found in (3, 0):
        for hook in (old, made, rotated):
            [due] = await claim(database, hook, 1, claim_s=-1)
            assert due.secrets.open(SEALER, utc_now()) == expected[hook.id]
            assert due.secrets.open(SEALER, ends) == (plain,)
            assert "whsec" not in repr(due)
        async with database.transaction() as connection:
            assert await seal_readable(connection, SEALER) == found
    async with database.read() as connection:
        rows = (await connection.execute(select(webhook_table))).all()
    assert len({row.sealed for row in rows}) == 4
    assert "whsec" not in str(rows)
    [due] = await claim(database, sealed, 1)
    with pytest.raises(SecretUnreadable):
        due.secrets.open(Sealer(["B" * 42 + "A="]), utc_now())
    # A key that is lost is made up for by a new secret.
    async with database.transaction() as connection:
        other = Sealer(["C" * 42 + "A="])
        _, secret = await webhooks.rotate_secret(
            connection, other, TENANT, sealed.id, old_for=timedelta(hours=1)
        )
        [due] = await deliveries.claim(
            connection, sealed.id, 1, now=utc_now() + timedelta(minutes=2), claim_s=60
        )
    assert due.secrets.open(other, utc_now()) == (secret,)


async def test_a_test_is_one_endpoints_claimed_and_counts_for_nothing(database: Database) -> None:
    hook, other = await endpoint(database), await endpoint(database)
    news = JobNews(
        job_id="job_1", name="", status=JobStatus.FINISHED, total=1, counts={}, review=0, correlation_id="c"
    )
    event = WebhookEvent(type=EventType.JOB_FINISHED, timestamp=utc_now(), test=True, data=news)
    async with database.transaction() as connection:
        with pytest.raises(UnknownWebhook):
            await store_test(connection, OTHER, hook.id, event, claim_s=60)
        due = await store_test(connection, TENANT, hook.id, event, claim_s=60)
    assert json.loads(due.body)["test"] is True
    assert await claim(database, hook) == []
    assert await listed(database, other) == []
    policy = FailurePolicy(1, timedelta(0), lambda _failures: timedelta(hours=1))
    async with database.transaction() as connection:
        failed = Failed(410, "It answered 410 Gone.", utc_now(), gone=True)
        assert await deliveries.record_failure(connection, due, failed, policy) is None
        seen = await webhooks.tenant_webhook(connection, TENANT, hook.id)
    assert (seen.state, seen.failures) == ("active", 0)
    [delivery] = await listed(database, hook)
    assert (delivery.test, delivery.state, delivery.attempts) == (True, "failed", 1)
    # One that nobody ended is tried once when its claim is over.
    async with database.transaction() as connection:
        await store_test(connection, TENANT, hook.id, event, claim_s=-1)
    [again] = await claim(database, hook)
    assert again.test
