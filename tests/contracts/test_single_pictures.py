"""Paying for pictures at once, and their rate limit, on SQLite and on PostgreSQL alike."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from opal.database import keys, ledger, picture_charges, rate_limit
from opal.database.engine import Database, utc_now
from opal.database.invariants import examine
from opal.database.tables import picture_charges as charge_table
from opal.database.tables import rate_windows
from opal.errors import InsufficientCredits

TENANT = "acme"


@pytest.fixture
async def database(empty_database: Database) -> Database:
    async with empty_database.transaction() as connection:
        await keys.ensure_tenant(connection, TENANT, "Acme")
        await ledger.grant(connection, TENANT, 2)
    return empty_database


async def charge(database: Database, request: str, quarters: int) -> int:
    async with database.transaction() as connection:
        return await picture_charges.charge(connection, TENANT, request, quarters, "test")


async def funds(database: Database) -> int:
    async with database.read() as connection:
        assert await ledger.balance(connection, TENANT) == await ledger.summed(connection, TENANT)
        return await picture_charges.funds(connection, TENANT)


async def test_quarters_are_charged_exactly_and_never_below_nothing(database: Database) -> None:
    assert [await charge(database, str(number), 1) for number in range(4)] == [1, 1, 1, 1]
    assert await funds(database) == 4
    assert await charge(database, "whole", 4) == 4
    for quarters in (1, 4):
        with pytest.raises(InsufficientCredits):
            await charge(database, f"one more {quarters}", quarters)
    assert await funds(database) == 0


async def test_the_same_request_is_charged_again_only_after_a_while(database: Database) -> None:
    assert [await charge(database, "same", 4) for _ in range(2)] == [4, 0]
    async with database.transaction() as connection:
        assert await picture_charges.is_paid(connection, TENANT, "same")
        past = utc_now() - picture_charges.PAID_FOR - timedelta(seconds=1)
        await connection.execute(update(charge_table).values(charged_at=past))
        assert not await picture_charges.is_paid(connection, TENANT, "same")
    assert await charge(database, "same", 4) == 4


async def test_at_the_same_time_it_is_charged_once(database: Database) -> None:
    assert sorted(await asyncio.gather(*(charge(database, "same", 4) for _ in range(5)))) == [0, 0, 0, 0, 4]
    assert await funds(database) == 4


async def test_quarters_at_the_same_time_share_their_credits(database: Database) -> None:
    async with database.transaction() as connection:
        await ledger.grant(connection, TENANT, 8)
    for turn in range(5):
        await asyncio.gather(*(charge(database, f"{turn}-{number}", 1) for number in range(4)))
    async with database.read() as connection:
        assert (await ledger.balance(connection, TENANT)).balance == 5
        assert [each.name for each in await examine(connection) if each.count] == []


async def take(database: Database, cost: int) -> rate_limit.Allowance:
    async with database.transaction() as connection:
        return await rate_limit.take(connection, TENANT, cost, 10)


async def test_a_minute_holds_its_limit_and_no_more(database: Database) -> None:
    allowances = await asyncio.gather(*(take(database, 3) for _ in range(5)))
    assert sorted(each.granted for each in allowances) == [False, False, True, True, True]
    left = await take(database, 1)
    assert (left.granted, left.remaining, left.limit) == (True, 0, 10)
    assert 1 <= left.resets_in_s <= 60
    async with database.transaction() as connection:
        past = utc_now() - rate_limit.WINDOW
        await connection.execute(update(rate_windows).values(started_at=past))
    fresh = await take(database, 99)
    assert (fresh.granted, fresh.remaining) == (True, 0)
    assert not (await take(database, 1)).granted


async def test_a_sandbox_key_stays_one(database: Database) -> None:
    async with database.transaction() as connection:
        _, secret = await keys.create_key(connection, TENANT, "trying", sandbox=True)
        _, other = await keys.create_key(connection, TENANT, "working")
    async with database.read() as connection:
        found = [await keys.authenticate(connection, presented) for presented in (secret, other)]
        assert [key is not None and key.sandbox for key in found] == [True, False]
        assert [key.sandbox for key in await keys.list_keys(connection, TENANT)] == [True, False]
