"""Thousands of photos through real processes: memory and open files of each stay what they are.

`make soak` sends 20 000 (OPAL_SOAK_ITEMS), which takes an hour: a run of minutes is over before caches are
full. A process that leaks a little is watched beside them and must be found out.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.faults.api_load import ApiLoad, photo
from tests.faults.figures import Figures
from tests.faults.line import PRESETS
from tests.faults.running_services import InstantEndpoint, RunningServices
from tests.faults.soak_sampling import Watched
from tests.services.http_services import TENANT, migrated, settings_of

from opal.assembly import Parts, build_parts
from opal.cli.ports import free_ports
from opal.database import invariants, keys, ledger
from opal.database.invariants import SETTLED
from opal.database.tables import items
from opal.items.states import TERMINAL, ItemState

ITEMS = int(os.environ.get("OPAL_SOAK_ITEMS", "20000"))
PER_JOB = 500
UNDER_WAY = 60
"""Photos that are uploaded and not finished, at the most."""
LOOK_S = 2.0
MOST_GROWTH_MB = 1.0
"""Per ten minutes, once warm."""
SECONDS_PER_ITEM = 1.5
"""More than a busy machine needs."""

LEAK = """
import os, time
held, files = [], []
while True:
    time.sleep(1)
    held.append(os.urandom(40_000))
    if len(held) % 10 == 0:
        files.append(open("/dev/null"))
"""
"""24 MB in ten minutes, and a file every ten seconds."""

SERVICES = ("web-api", "orchestrator", "export-worker")


@dataclass(slots=True)
class Feed:
    """Uploads photos, never more at a time than the line has use for."""

    load: ApiLoad
    parts: Parts
    uploaded: int = 0
    started: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        """All of them, to their end."""
        pictures = [photo(number, 120, 160) for number in range(16)]
        for first in range(0, ITEMS, PER_JOB):
            job = await self.load.create_job(min(PER_JOB, ITEMS - first), PRESETS, "white")
            for item in job["items"]:
                while self.uploaded - await self.ended() >= UNDER_WAY:  # noqa: ASYNC110 - other processes'
                    await asyncio.sleep(0.2)
                await self.load.upload(str(job["id"]), item["id"], pictures[self.uploaded % len(pictures)])
                self.uploaded += 1
        while await self.ended() < ITEMS:  # noqa: ASYNC110 - other processes' work
            await asyncio.sleep(0.2)

    async def ended(self) -> int:
        """How many have come to an end."""
        query = select(func.count()).where(items.c.state.in_(sorted(TERMINAL)))
        async with self.parts.database.read() as connection:
            return int((await connection.execute(query)).scalar_one())


@asynccontextmanager
async def everything(folder: Path) -> AsyncIterator[tuple[list[Watched], Feed]]:
    """All services as processes of their own, with an instant endpoint; and what is to be watched."""
    [port] = free_ports(1)
    settings = settings_of(folder, f"http://127.0.0.1:{port}")
    await migrated(settings)
    parts = build_parts(settings)
    async with parts.database.transaction() as connection:
        await keys.ensure_tenant(connection, TENANT, "Acme")
        _key, secret = await keys.create_key(connection, TENANT, "soak")
        await ledger.grant(connection, TENANT, ITEMS)
    endpoint = InstantEndpoint.start()
    environment = {
        "OPAL_DATA_DIR": str(folder),
        "OPAL_WEB_PORT": str(port),
        "OPAL_SCORING_URL": endpoint.url,
        "OPAL_LOG_LEVEL": "WARNING",
    }
    running = RunningServices(folder, port, environment)
    load = ApiLoad(f"http://127.0.0.1:{port}", secret)
    try:
        running.start(*SERVICES)
        running.wait_ready()
        watched = [Watched(name, _pid(service.process)) for name, service in running.services.items()]
        yield watched, Feed(load, parts)
    finally:
        await load.close()
        running.stop()
        endpoint.end()
        await parts.close()


@contextmanager
def leaking() -> Iterator[Watched]:
    """The control: a process that keeps a little of everything."""
    with subprocess.Popen([sys.executable, "-c", LEAK]) as process:
        try:
            yield Watched("leak", process.pid)
        finally:
            process.kill()


@pytest.mark.battery
async def test_memory_and_files_stay_what_they_are(tmp_path: Path, figures: Figures) -> None:
    async with everything(tmp_path) as (watched, feed):
        with leaking() as leak:
            async with asyncio.timeout(60 + SECONDS_PER_ITEM * ITEMS):
                feeding = asyncio.create_task(feed.run())
                while not feeding.done():
                    await asyncio.wait({feeding}, timeout=LOOK_S)
                    for each in (*watched, leak):
                        each.look()
                await feeding
        async with feed.parts.database.read() as connection:
            query = select(func.count()).where(items.c.state == ItemState.EXPORTED)
            exported = int((await connection.execute(query)).scalar_one())
            verdicts = await invariants.examine(connection, patience=SETTLED)
    minutes = (time.monotonic() - feed.started) / 60
    for each in watched:
        figures(
            f"soak, {each.name}",
            items=exported,
            minutes=minutes,
            growth_mb_per_10_min=each.growth_mb,
            resident_mb=each.looks[-1].resident / 1e6,
            files=each.looks[-1].files,
            more_files=each.more_files,
        )
    figures("control: a process that leaks", growth_mb_per_10_min=leak.growth_mb, more_files=leak.more_files)
    assert exported == ITEMS
    assert not [verdict for verdict in verdicts if verdict.count]
    for each in watched:
        assert each.growth_mb < MOST_GROWTH_MB, each
        assert each.more_files <= 2, each
    assert leak.growth_mb > MOST_GROWTH_MB
    assert leak.more_files > 2


def _pid(process: "subprocess.Popen[bytes] | None") -> int:
    assert process is not None
    return process.pid
