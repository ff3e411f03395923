"""Azure's life, every part a process of its own: photos from upload to export, then each worker is killed.

PostgreSQL; Azurite over HTTPS, where the services sign in with a managed identity; the tests' Service Bus;
and `azureml/score.py` with the real network under Azure ML's own inference server. What was made while nobody
was killed is the measure of what is made when somebody is.
"""

import asyncio
import hashlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pyvips
from tests.azureml.server import InferenceServer, inference_server
from tests.azurite.account import opened_blobs
from tests.faults.api_load import ApiLoad
from tests.faults.azure_life import AzureLife, azure_life
from tests.faults.findings import Findings, at_rest, claimed_by, examine
from tests.faults.running_services import RunningServices

from opal.cli.ports import free_ports
from opal.database import keys, ledger
from opal.database.engine import Database
from opal.database.events import events_after, latest_seq
from opal.items.states import TERMINAL, ItemState
from opal.platform_settings import DatabaseSettings
from opal.queues.servicebus import ServiceBusQueues

pytestmark = pytest.mark.xdist_group("network")

PHOTOS = ("stoneware-mug", "glass-bottle")
LONG_SIDE = 480
SCENE = "studio-warm"
PRESETS = ("meta-catalogue", "thumbnail-webp")
GRANTED = 20
KEY = "endpoint-key"
LEASE_S = 4.0
LONGEST_S = 240.0
"""For a machine that is busy with other things; a free one needs a fifth."""

WORKERS = ("orchestrator", "export-worker")
_SAMPLES = Path(__file__).parents[2] / "samples" / "photos"
_POLL_S = 0.05
_AT_WORK_S = 0.2
"""Processor time after which the endpoint, asked for a photo, is certainly looking at it."""

Made = dict[str, str]
"""SHA-256 of each preset's picture."""


@dataclass(slots=True)
class Journey:
    """One client's job on the running parts."""

    running: RunningServices
    endpoint: InferenceServer
    load: ApiLoad
    database: Database
    billing_url: str
    photos: list[bytes]
    job_id: str = ""
    waiting: list[str] = field(default_factory=list)
    """Items of the job that have no photo yet."""

    async def create(self, rounds: int) -> None:
        """A job with room for every photo in each of the ``rounds``."""
        job = await self.load.create_job(rounds * len(self.photos), PRESETS, SCENE)
        self.job_id = str(job["id"])
        self.waiting = [str(item["id"]) for item in job["items"]]

    async def upload(self) -> list[str]:
        """Every photo once, straight to the store; returns their items."""
        items, self.waiting = self.waiting[: len(self.photos)], self.waiting[len(self.photos) :]
        for item, photo in zip(items, self.photos, strict=True):
            await self.load.upload(self.job_id, item, photo)
        return items

    async def exported(self, items: Sequence[str]) -> list[Made]:
        """Wait for the items, fetch and check what was made of them."""

        async def ended() -> bool:
            job = await self.load.job(self.job_id)
            states = {item["id"]: ItemState(item["state"]) for item in job["items"]}
            return all(states[item] in TERMINAL for item in items)

        await self.until(ended)
        return [_checked(await self.load.variants(self.job_id, item)) for item in items]

    async def claimed(self, worker: str, since: int) -> None:
        """Wait until ``worker`` has taken an item after event ``since``."""

        async def taken() -> bool:
            async with self.database.read() as connection:
                fresh = await events_after(connection, self.job_id, since)
            return any(claimed_by(worker, event) for event in fresh)

        await self.until(taken)

    async def latest_event(self) -> int:
        """The number of the newest event."""
        async with self.database.read() as connection:
            return await latest_seq(connection)

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Return when ``condition`` holds; fails with the logs' ends when time is up or a part has died."""
        give_up_at = time.monotonic() + LONGEST_S
        while not await condition():
            assert all(service.running for service in self.running.services.values()), self.told()
            assert time.monotonic() < give_up_at, self.told()
            await asyncio.sleep(_POLL_S)

    def told(self) -> str:
        """The last lines of every log."""
        tails = [f"== {name}\n{self.running.tail(name)}" for name in self.running.services]
        return "\n".join([*tails, f"== endpoint\n{self.endpoint.log.read_text(errors='replace')[-4000:]}"])

    async def kill_worker(self, name: str) -> list[Made]:
        """Kill a worker that has just taken an item; returns what was made all the same."""
        since = await self.latest_event()
        items = await self.upload()
        await self.claimed(name, since)
        self.running.services[name].end(signal.SIGKILL)
        self.running.services[name].start()
        return await self.exported(items)

    async def kill_endpoint(self) -> list[Made]:
        """Kill the inference server that is looking at a photo; returns what was made all the same."""
        since = await self.latest_event()
        items = await self.upload()
        await self.claimed("orchestrator", since)
        idle = self.endpoint.processor_s()

        async def at_work() -> bool:
            return self.endpoint.processor_s() > idle + _AT_WORK_S

        await self.until(at_work)
        self.endpoint.kill()
        self.endpoint.start()
        made = await self.exported(items)
        assert "placement endpoint is asked again" in self.running.services["orchestrator"].log.read_text()
        return made


def _checked(variants: Sequence[tuple[dict[str, Any], bytes]]) -> Made:
    """Every preset is there, its picture is what its row says, and its reports are good."""
    assert {told["preset"] for told, _data in variants} == set(PRESETS)
    for told, data in variants:
        assert hashlib.sha256(data).hexdigest() == told["sha256"]
        required = [rule for rule in told["compliance"] if rule["level"] == "required"]
        assert required
        assert [rule for rule in required if not rule["passed"]] == []
        assert told["fidelity"]["silhouette_iou"] > 0.95
    return {told["preset"]: told["sha256"] for told, _data in variants}


def _photo(name: str) -> bytes:
    small = pyvips.Image.thumbnail(str(_SAMPLES / f"{name}.jpg"), LONG_SIDE)
    data: bytes = small.jpegsave_buffer(Q=92)
    return data


@asynccontextmanager
async def journey(folder: Path, life: AzureLife, endpoint: InferenceServer) -> AsyncIterator[Journey]:
    """The four services with short leases on the servers of ``life``, and a client with a key."""
    port, billing_port = free_ports(2)
    database = Database(life.environment["OPAL_DATABASE_URL"], DatabaseSettings())
    async with database.transaction() as connection:
        await keys.ensure_tenant(connection, "acme", "Acme")
        _key, secret = await keys.create_key(connection, "acme", "journey")
        await ledger.grant(connection, "acme", GRANTED)
    environment = {
        **life.environment,
        "OPAL_DATA_DIR": str(folder),
        "OPAL_WEB_PORT": str(port),
        "OPAL_WEB_BILLING_PORT": str(billing_port),
        "OPAL_SCORING_URL": f"{endpoint.url}/score",
        "OPAL_SCORING_KEY": KEY,
        "OPAL_WORKER_LEASE_S": str(LEASE_S),
        "OPAL_WORKER_RETRY_BASE_S": "0.5",
        "OPAL_QUEUE_LOCK_S": str(LEASE_S),
        "OPAL_SWEEPER_INTERVAL_S": "2",
    }
    running = RunningServices(folder, port, environment)
    load = ApiLoad(f"http://127.0.0.1:{port}", secret, life.store.trust())
    try:
        # One after the other: what the first has compiled, the others read.
        running.start("web-api")
        running.wait_ready(LONGEST_S)
        running.start("billing-service", *WORKERS)
        photos = [_photo(name) for name in PHOTOS]
        yield Journey(running, endpoint, load, database, f"http://127.0.0.1:{billing_port}", photos)
    finally:
        await load.close()
        running.stop()
        await database.close()


async def _left_behind(made: Journey, life: AzureLife) -> Findings:
    """The findings, once everything rests."""
    queues = ServiceBusQueues(life.queues)

    async def rests() -> bool:
        return await at_rest(made.database, queues, made.job_id)

    try:
        await made.until(rests)
        async with opened_blobs(life.store) as blobs:
            return await examine(made.database, blobs, queues, made.job_id, presets=PRESETS, granted=GRANTED)
    finally:
        await queues.close()


@pytest.fixture
def servers(tmp_path: Path, own_postgres: str) -> Iterator[tuple[AzureLife, InferenceServer]]:
    """What the services stand on."""
    with azure_life(tmp_path, own_postgres, LEASE_S) as life:
        settings = {"OPAL_SCORING_KEY": KEY, "SSL_CERT_FILE": str(life.store.certificate)}
        with inference_server(tmp_path, **settings) as endpoint:
            yield life, endpoint


async def test_nothing_is_lost_or_charged_twice_whoever_is_killed_in_azure(
    servers: tuple[AzureLife, InferenceServer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    life, endpoint = servers
    started = time.monotonic()
    async with journey(tmp_path, life, endpoint) as client:
        await client.create(rounds=2 + len(WORKERS))
        undisturbed = await client.exported(await client.upload())
        seconds = time.monotonic() - started
        for name in WORKERS:
            assert await client.kill_worker(name) == undisturbed, name
        assert await client.kill_endpoint() == undisturbed
        findings = await _left_behind(client, life)
        account = await client.load.credits(client.billing_url)
        told = client.told()
    with capsys.disabled():
        whole = time.monotonic() - started
        print(f"\nAzure journey: undisturbed {seconds:.0f} s, all {whole:.0f} s: {findings}")  # noqa: T201
    assert not findings.faults, told
    assert findings.items == len(PHOTOS) * (2 + len(WORKERS))
    # A kill that interrupted nothing would prove nothing.
    assert findings.interrupted >= len(WORKERS)
    assert (account["balance"], account["held"]) == (GRANTED - findings.items, 0)
