"""More calls than credits, all at once: exactly as many succeed as there are credits.

And every look at the account meanwhile finds it covered and equal to its ledger.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update
from tests.faults.figures import Figures

from opal.database import invariants, items, jobs, keys, ledger, tables
from opal.database.engine import Database, DatabaseUnavailable, utc_now
from opal.database.items import Claimed, Stage
from opal.database.jobs import NewItem
from opal.database.migrate import migrate
from opal.errors import InsufficientCredits
from opal.items.item import Recipe
from opal.items.states import ItemState
from opal.platform_settings import DatabaseSettings

TENANT = "acme"
RECIPE = Recipe(scene="white", placement={}, presets=("cutout-png",), prompt="", seed=0)
LOOK_S = 0.01
"""How often the account is looked at meanwhile."""

Call = Callable[[Database, int], Awaitable[None]]
"""The ``n``-th call, for one credit. Raises ``InsufficientCredits``."""


async def create_job(database: Database, number: int) -> None:
    """A job of one photo: a hold. Every third is taken to its debit, every third cancelled again."""
    async with database.transaction() as connection:
        job, [item] = await jobs.create_job(
            connection, TENANT, RECIPE, [NewItem("a.jpg")], name=str(number), correlation_id="c"
        )
    if number % 3 == 0:
        async with database.transaction() as connection:
            await jobs.cancel_job(connection, job, by="test")
        # The credit is free again: whoever finds it takes it.
        await create_job(database, number + 1)
    elif number % 3 == 1:
        async with database.transaction() as connection:
            item = await items.move(connection, item, ItemState.UPLOADED, by="test")
            claimed = await items.claim(connection, item.id, Stage.PROCESS, lease_s=60, by="test")
            assert isinstance(claimed, Claimed)
            item = await items.move(connection, claimed.item, ItemState.COMPLETED, by="test")
            await ledger.debit(connection, item)


async def make_picture(database: Database, number: int) -> None:
    """A single picture: a debit at once."""
    async with database.transaction() as connection:
        await ledger.spend(connection, TENANT, 1, note=str(number))


async def either(database: Database, number: int) -> None:
    """Both kinds of call at the same account."""
    await (create_job if number % 2 else make_picture)(database, number // 2)


async def look_then_spend(database: Database, number: int) -> None:
    """The wrong design: looks at the balance, and writes what it makes of it."""
    async with database.read() as connection:
        found = await ledger.balance(connection, TENANT)
    if found.available < 1:
        raise InsufficientCredits("none left")
    async with database.transaction() as connection:
        row = {"tenant_id": TENANT, "kind": "debit", "amount": -1, "held": 0, "note": str(number)}
        await connection.execute(insert(tables.ledger).values(**row, created_at=utc_now()))
        await connection.execute(
            update(tables.accounts)
            .where(tables.accounts.c.tenant_id == TENANT)
            .values(balance=found.balance - 1)
        )


@dataclass(slots=True)
class Race:
    """Clients that call until all calls are made, and one that looks on."""

    database: Database
    calls: int
    succeeded: int = 0
    refused: int = 0
    looks: int = 0
    wrong_looks: list[str] = field(default_factory=list)
    _next: int = 0

    async def run(self, clients: int, call: Call) -> None:
        """Until the last call is answered."""
        done = asyncio.Event()
        looking = asyncio.create_task(self._look_on(done))
        await asyncio.gather(*(self._client(call) for _ in range(clients)))
        done.set()
        await looking

    async def _client(self, call: Call) -> None:
        while self._next < self.calls:
            number, self._next = self._next, self._next + 1
            try:
                while not await self._answered(call, number):
                    continue
                self.succeeded += 1
            except InsufficientCredits:
                self.refused += 1

    async def _answered(self, call: Call, number: int) -> bool:
        """Whether the call came through; a database that is asked by too many is asked again."""
        try:
            await call(self.database, number)
        except DatabaseUnavailable:
            return False
        return True

    async def _look_on(self, done: asyncio.Event) -> None:
        accounts, rows = tables.accounts.c, tables.ledger.c
        of_tenant = rows.tenant_id == accounts.tenant_id
        # One statement: on PostgreSQL two would see two different moments.
        query = select(
            accounts.balance,
            accounts.held,
            select(func.sum(rows.amount)).where(of_tenant).scalar_subquery().label("amounts"),
            select(func.sum(rows.held)).where(of_tenant).scalar_subquery().label("holds"),
        ).where(accounts.tenant_id == TENANT)
        while not done.is_set():
            async with self.database.read() as connection:
                seen = (await connection.execute(query)).one()
            self.looks += 1
            covered = 0 <= seen.held <= seen.balance
            if not covered or (seen.balance, seen.held) != (seen.amounts, seen.holds):
                self.wrong_looks.append(str(seen))
            await asyncio.sleep(LOOK_S)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'opal.sqlite'}"
    return str(request.getfixturevalue("own_postgres"))


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url, DatabaseSettings(busy_timeout_s=60, connect_timeout_s=60))
    await migrate(database)
    async with database.transaction() as connection:
        await keys.ensure_tenant(connection, TENANT, "Acme")
    yield database
    await database.close()


@dataclass(frozen=True, slots=True)
class Size:
    """So many ``clients`` make ``calls`` for ``granted`` credits."""

    granted: int
    clients: int
    calls: int


async def raced(database: Database, size: Size, call: Call) -> Race:
    """A race of that size."""
    async with database.transaction() as connection:
        await ledger.grant(connection, TENANT, size.granted)
    race = Race(database, size.calls)
    await race.run(size.clients, call)
    return race


@pytest.mark.parametrize(
    "size", [Size(30, 16, 120), pytest.param(Size(1000, 64, 5000), marks=pytest.mark.battery)], ids=str
)
@pytest.mark.parametrize("call", [make_picture, either])
async def test_no_credit_is_spent_twice(call: Call, size: Size, database: Database, figures: Figures) -> None:
    started = time.monotonic()
    race = await raced(database, size, call)
    async with database.read() as connection:
        left = await ledger.balance(connection, TENANT)
        verdicts = await invariants.examine(connection)
    figures(
        f"ledger race, {_name(database)}, {call.__name__.replace('_', ' ')}",
        clients=size.clients,
        credits=size.granted,
        calls=size.calls,
        succeeded=race.succeeded,
        refused=race.refused,
        looks=race.looks,
        wrong_looks=len(race.wrong_looks),
        seconds=round(time.monotonic() - started),
    )
    assert not race.wrong_looks
    assert (race.succeeded, left.available) == (size.granted, 0)
    assert race.refused == size.calls - size.granted
    assert [verdict.name for verdict in verdicts if verdict.count] == []
    assert race.looks > 1


async def test_control_looks_before_it_spends(database: Database, figures: Figures) -> None:
    race = await raced(database, Size(10, 16, 100), look_then_spend)
    figures(
        f"control: looks before it spends, {_name(database)}",
        credits=10,
        succeeded=race.succeeded,
        wrong_looks=len(race.wrong_looks),
    )
    async with database.read() as connection:
        verdicts = {verdict.name: verdict.count for verdict in await invariants.examine(connection)}
    assert race.succeeded > 10
    assert verdicts["balance_is_the_sum"] == 1


def _name(database: Database) -> str:
    return "sqlite" if database.is_sqlite else "postgresql"
