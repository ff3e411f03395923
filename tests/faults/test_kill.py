"""The promise "nothing is lost and nothing is charged twice, whatever dies", held against SIGKILL."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.faults.api_load import ApiLoad, photo
from tests.faults.azure_life import azure_life
from tests.faults.findings import at_rest, claimed_by, examine
from tests.faults.running_services import InstantEndpoint, RunningServices, Service

from opal.assembly import Parts, build_parts
from opal.cli.ports import free_ports
from opal.database import keys, ledger
from opal.database.events import events_after
from opal.database.migrate import migrate
from opal.platform_settings import BlobSettings
from opal.settings import load_settings

SIZES = {"laptop": (60, 10), "azure": (24, 3)}
"""Per life: items, and kills of each worker. Azure's takes a second longer to start."""
AZURE_TOO = os.environ.get("OPAL_TEST_AZURE_LIFE") == "1"
"""On PostgreSQL, Azurite and the tests' Service Bus as well: a minute and a half."""
PRESETS = ("cutout-png", "story-9x16")
GRANTED = 100
LEASE_S = 2.0
LONGEST_S = 240.0
"""For the storm, and again for what is left to do after it; a machine that is free needs a quarter."""

CLAIM_S = 15.0
"""Longest wait for a worker that has started to find something to claim, before it is killed all the same."""

WORKERS = ("orchestrator", "export-worker")


@dataclass(slots=True)
class Storm:
    """Kills a worker a moment after it has begun to work, starts it again, and lets more photos in."""

    rng: random.Random
    parts: Parts
    job_id: str
    strikes: int
    """Kills of each worker."""
    kills: int = 0
    while_working: int = 0
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    async def strike(self, service: Service) -> None:
        """``strikes`` times."""
        for _ in range(self.strikes):
            at_work = await self._has_claimed(service)
            self.while_working += at_work
            # The moment of death is what is drawn at random here; nothing is being waited for.
            await asyncio.sleep(self.rng.uniform(0.0, 0.8))
            service.end(signal.SIGKILL)
            self.kills += 1
            self.killed.set()
            service.start()

    async def _has_claimed(self, service: Service) -> bool:
        """Whether the service, since its start, has claimed an item; False when there was none to claim."""
        seen = await self._latest()
        while service.log.read_text().count("worker started") < service.starts:
            assert service.running, service.log.read_text()[-4000:]
            await asyncio.sleep(0.05)
        give_up_at = time.monotonic() + CLAIM_S
        while time.monotonic() < give_up_at:
            assert service.running, service.log.read_text()[-4000:]
            async with self.parts.database.read() as connection:
                fresh = await events_after(connection, self.job_id, seen, 1000)
            if any(claimed_by(service.name, event) for event in fresh):
                return True
            seen = fresh[-1].seq if fresh else seen
            await asyncio.sleep(0.02)
        return False

    async def _latest(self) -> int:
        async with self.parts.database.read() as connection:
            events = await events_after(connection, self.job_id, 0, 100_000)
        return events[-1].seq


@asynccontextmanager
async def opal_running(data_dir: Path) -> AsyncIterator[tuple[RunningServices, Parts, ApiLoad]]:
    """web-api and both workers with short leases, the instant endpoint, and a client with a key.

    ``data_dir`` is there.
    """
    [port] = free_ports(1)
    settings = load_settings(data_dir=data_dir, blob=BlobSettings(public_url=f"http://127.0.0.1:{port}"))
    parts = build_parts(settings)
    await migrate(parts.database)
    async with parts.database.transaction() as connection:
        await keys.ensure_tenant(connection, "acme", "Acme")
        _key, secret = await keys.create_key(connection, "acme", "kill test")
        await ledger.grant(connection, "acme", GRANTED)
    endpoint = InstantEndpoint.start()
    environment = {
        "OPAL_DATA_DIR": str(data_dir),
        "OPAL_WEB_PORT": str(port),
        "OPAL_SCORING_URL": endpoint.url,
        "OPAL_WORKER_LEASE_S": str(LEASE_S),
        "OPAL_WORKER_RETRY_BASE_S": "0.5",
        "OPAL_QUEUE_LOCK_S": str(LEASE_S),
        "OPAL_SWEEPER_INTERVAL_S": "2",
        "OPAL_SWEEPER_STALE_S": "6",
    }
    running = RunningServices(data_dir, port, environment)
    load = ApiLoad(f"http://127.0.0.1:{port}", secret)
    try:
        # One after the other: what the first has compiled, the others read.
        running.start("web-api")
        running.wait_ready(LONGEST_S)
        running.start(*WORKERS)
        yield running, parts, load
    finally:
        await load.close()
        running.stop()
        endpoint.end()
        await parts.close()


async def feed(load: ApiLoad, job: dict[str, list[dict[str, str]]], storm: Storm) -> None:
    """Six photos, then three more after every kill, so that every kill finds work in hand."""
    for number, item in enumerate(job["items"]):
        while number >= 6 + 3 * storm.kills:
            await storm.killed.wait()
            storm.killed.clear()
        await load.upload(storm.job_id, item["id"], photo(number))


async def rest(parts: Parts, job_id: str) -> None:
    """Return when all work has ended, or when time is up, which begins now, however long the storm took."""
    give_up_at = time.monotonic() + LONGEST_S
    while time.monotonic() < give_up_at:
        if await at_rest(parts.database, parts.queues, job_id):
            return
        await asyncio.sleep(0.2)


@pytest.fixture(params=SIZES if AZURE_TOO else ["laptop"])
def life(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, int]]:
    """Items and kills of a life whose servers run, and are named in the environment."""
    if request.param == "laptop":
        yield SIZES["laptop"]
        return
    (tmp_path / "servers").mkdir()
    database_url = request.getfixturevalue("own_postgres")
    with azure_life(tmp_path / "servers", database_url, LEASE_S, keyed=True) as azure:
        for name, value in azure.environment.items():
            monkeypatch.setenv(name, value)
        yield SIZES["azure"]


@pytest.mark.faults
async def test_nothing_is_lost_or_charged_twice_when_workers_are_killed(
    life: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    items, strikes = life
    async with opal_running(tmp_path) as (running, parts, load):
        job = await load.create_job(items, PRESETS, "white")
        storm = Storm(random.Random(20261124), parts, str(job["id"]), strikes)
        async with asyncio.timeout(LONGEST_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(feed(load, job, storm))
            for name in WORKERS:
                tasks.create_task(storm.strike(running.services[name]))
        await rest(parts, storm.job_id)
        findings = await examine(
            parts.database, parts.blobs, parts.queues, storm.job_id, presets=PRESETS, granted=GRANTED
        )
        left = [await parts.queues.peek(queue) for queue in ("jobs", "exports")]
        tails = f"{left}\n" + "\n".join(f"== {name}\n{running.tail(name)}" for name in running.services)
    seconds = time.monotonic() - started
    with capsys.disabled():
        told = f"{storm.kills} kills, {storm.while_working} of them at work, {seconds:.0f} s: {findings}"
        print(f"\nkill test: {told}")  # noqa: T201 - the figures are what this test is run for
    assert findings.items == items
    assert storm.kills == strikes * len(WORKERS)
    # A storm that interrupted nothing would prove nothing.
    assert findings.interrupted >= strikes
    assert not findings.faults, tails
