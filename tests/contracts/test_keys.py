"""Keys and the counts of their requests, on SQLite and on PostgreSQL alike."""

from datetime import timedelta
from hashlib import sha256

from sqlalchemy import update
from tests.contracts.tenants import OTHER, TENANT

from opal.database import keys, rate_limit
from opal.database.engine import Database, utc_now
from opal.database.keys import TENANT_SCOPES, Scope
from opal.database.tables import api_keys, request_windows


async def test_a_mistyped_key_is_told_without_a_query(database: Database) -> None:
    async with database.transaction() as connection:
        key, presented = await keys.create_key(connection, TENANT, "dev")
        assert await keys.authenticate(connection, presented) == key
    # A closed connection could not be asked.
    for place in range(len(presented)):
        mistyped = presented[:place] + ("0" if presented[place] != "0" else "1") + presented[place + 1 :]
        assert await keys.authenticate(connection, mistyped) is None
    for other in (
        presented[:-1],
        f"{presented}0",
        presented.upper(),
        f" {presented}",
        presented.replace("_", ""),
    ):
        assert await keys.authenticate(connection, other) is None


async def test_a_key_of_before_checksums_goes_on_working(database: Database) -> None:
    async with database.transaction() as connection:
        key, presented = await keys.create_key(connection, TENANT, "old")
        old = presented[:-8]
        secret_hash = sha256(old.rpartition("_")[2].encode()).hexdigest()
        await connection.execute(
            update(api_keys).where(api_keys.c.id == key.id).values(secret_hash=secret_hash)
        )
        found = await keys.authenticate(connection, old)
        assert found == key
        assert await keys.authenticate(connection, presented) is None


async def test_a_key_has_the_scopes_it_was_made_with_or_all(database: Database) -> None:
    async with database.transaction() as connection:
        whole, _ = await keys.create_key(connection, TENANT, "whole")
        some, presented = await keys.create_key(
            connection, TENANT, "some", scopes=[Scope.JOBS, Scope.READ, Scope.JOBS]
        )
        assert (whole.scopes, some.scopes) == (TENANT_SCOPES, (Scope.READ, Scope.JOBS))
        assert await keys.authenticate(connection, presented) == some
        assert await keys.list_keys(connection, TENANT) == [whole, some]


async def test_the_last_use_is_written_once_a_minute(database: Database) -> None:
    async with database.transaction() as connection:
        key, presented = await keys.create_key(connection, TENANT, "dev")
        await keys.note_use(connection, key)
        first = (await keys.list_keys(connection, TENANT))[0].last_used_at
        await keys.note_use(connection, key)
        assert (await keys.list_keys(connection, TENANT))[0].last_used_at == first
        earlier = utc_now() - timedelta(seconds=61)
        await connection.execute(update(api_keys).values(last_used_at=earlier))
        await keys.note_use(connection, key)
        found = await keys.authenticate(connection, presented)
    assert first is not None
    assert found is not None
    assert found.last_used_at is not None
    assert found.last_used_at >= first


async def test_requests_are_counted_by_subject_and_minute(database: Database) -> None:
    async with database.transaction() as connection:
        first = await rate_limit.take_requests(connection, TENANT, "k1", 3, 5)
        assert (first.granted, first.remaining) == (True, 2)
        assert not (await rate_limit.take_requests(connection, TENANT, "k1", 3, 5)).granted
        for tenant, subject in ((TENANT, "k2"), (OTHER, "k1")):
            assert (await rate_limit.take_requests(connection, tenant, subject, 5, 5)).granted
        assert (await rate_limit.take_requests(connection, TENANT, "k1", 2, 5)).remaining == 0
        over = utc_now() - rate_limit.WINDOW
        await connection.execute(update(request_windows).values(started_at=over))
        assert (await rate_limit.take_requests(connection, TENANT, "k1", 3, 5)).remaining == 2
