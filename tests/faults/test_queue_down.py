"""The queue is away, first refusing connections, then swallowing all that is sent to it.

Played with Service Bus, as the embedded queue is a file beside the database: it is never away alone. web-api,
both workers and the sweeper reach it through a TCP proxy. The API keeps accepting, nothing is lost, and what
came meanwhile is worked off when the queue is back.
"""

import asyncio
import gc
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from tests.faults.faulty_endpoint import FaultyEndpoint, serving
from tests.faults.figures import Figures
from tests.faults.findings import Findings, examine
from tests.faults.line import PRESETS, quiet, settled, with_queues, working
from tests.faults.tcp_proxy import Path as Way
from tests.faults.tcp_proxy import TcpProxy
from tests.servicebus.server import Server, running_server
from tests.services.http_services import (
    bound_socket,
    client_of,
    migrated,
    served,
    settings_of,
    tenants_with_keys,
)
from tests.services.pipeline_world import jpeg

from opal.assembly import Parts, build_parts
from opal.database import outbox
from opal.errors import QueueUnavailable
from opal.outbox_relay import BATCH, CLAIM_S, OutboxRelay
from opal.platform_settings import QueueSettings
from opal.queues.interface import Outgoing
from opal.scoring_client.client import ScoringClient
from opal.settings import ScoringSettings, SweeperSettings, WorkerSettings
from opal.web_api.app import create_app

GRANTED = 500
DRAINS_S = 120.0
"""Longest time from the queue's return to the end of the last photo."""
ANSWER_S = 1.0

pytestmark = [
    # Of a connection that broke the SDK leaves the socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def bus() -> Iterator[Server]:
    with running_server() as server:
        yield server


@dataclass(slots=True)
class Client:
    """Sends photos of one job for as long as it is told to, and counts the API's answers."""

    http: httpx.AsyncClient
    job: dict[str, list[dict[str, str]]]
    sent: int = 0
    answers: Counter[int] = field(default_factory=Counter)

    async def send_until(self, end: float, pause_s: float) -> None:
        """One photo after another."""
        while time.monotonic() < end:
            await self.send()
            await asyncio.sleep(pause_s)

    async def send(self) -> None:
        """Ask for a URL, send the photo there, say that it is there."""
        ids = {"job_id": str(self.job["id"]), "item_id": self.job["items"][self.sent]["id"]}
        self.sent += 1
        asked = await self.http.post("/v1/uploads/sas", json=ids)
        ticket = asked.json()
        put = await self.http.request(
            ticket["method"], ticket["url"], content=jpeg(), headers=ticket["headers"]
        )
        told = await self.http.post("/v1/uploads/complete", json={**ids, "upload_id": ticket["upload_id"]})
        self.answers.update(answer.status_code // 100 for answer in (asked, put, told))


@dataclass(frozen=True, slots=True)
class Run:
    """What a job came to that was sent while the queue was away."""

    findings: Findings
    answers: Counter[int]
    waiting: int
    """Messages in the outbox at the moment when the queue came back."""
    drained_s: float


@asynccontextmanager
async def proxied_parts(
    folder: Path, bus: Server, url: str, relay: type[OutboxRelay]
) -> AsyncIterator[tuple[Parts, TcpProxy]]:
    """Parts that reach the queue through a proxy, with fresh queues behind it."""
    wanted = QueueSettings(lock_s=4, answer_s=ANSWER_S, duplicate_window_s=60)
    queue = bus.namespace.settings_for(wanted, f"{folder.name[-20:].strip('-_').lower().replace('_', '-')}-")
    bus.namespace.create_queues(queue)
    there = bus.namespace.connection_string
    port = int(there.partition("127.0.0.1:")[2].partition(";")[0])
    async with TcpProxy(port) as proxy:
        through = there.replace(f":{port}", f":{proxy.port}", 1)
        groups = {
            "queue": queue.model_copy(
                update={"adapter": "servicebus", "connection_string": SecretStr(through)}
            ),
            "worker": WorkerSettings(concurrency=4, lease_s=20, retry_base_s=0.2, retry_max_s=1),
            # The second net is far below: what is lost here is to be seen.
            "sweeper": SweeperSettings(interval_s=3600, stale_s=3600),
        }
        settings = settings_of(folder, url, **groups)
        await migrated(settings)
        parts = build_parts(settings)
        try:
            yield with_queues(parts, parts.queues, relay), proxy
        finally:
            await parts.close()
            bus.namespace.delete_queues(queue.prefix)


async def play(
    folder: Path, bus: Server, down_s: float, pause_s: float, relay: type[OutboxRelay] = OutboxRelay
) -> Run:
    """Half of ``down_s`` the queue refuses, half it swallows; a photo comes every ``pause_s``."""
    bound, url = bound_socket()
    photos = 3 + 2 * (round(down_s / 2 / pause_s) + 1)
    async with (
        proxied_parts(folder, bus, url, relay) as (parts, proxy),
        serving(FaultyEndpoint()) as endpoint,
        served(create_app(parts), bound),
    ):
        key, _other = await tenants_with_keys(parts, GRANTED)
        scoring = ScoringClient(ScoringSettings(url=endpoint.url, instances=2))
        async with client_of(url, key) as http, working(parts, scoring, loops=False):
            body = {"presets": list(PRESETS), "items": [{"filename": f"{n}.jpg"} for n in range(photos)]}
            client = Client(http, (await http.post("/v1/jobs", json=body)).raise_for_status().json())
            for _ in range(3):
                await client.send()
            for way in (Way.REFUSED, Way.SWALLOWED):
                await proxy.take(way)
                await client.send_until(time.monotonic() + down_s / 2, pause_s)
            async with parts.database.read() as connection:
                waiting, _oldest = await outbox.pending(connection)
            await proxy.take(Way.OPEN)
            while client.sent < photos:
                await client.send()
            if relay is OutboxRelay:
                drained_s = await settled(parts, DRAINS_S)
            else:
                drained_s = 0.0
                await quiet(parts, DRAINS_S)
        await scoring.close()
        findings = await examine(
            parts.database,
            parts.blobs,
            parts.queues,
            str(client.job["id"]),
            presets=PRESETS,
            granted=GRANTED,
        )
        return Run(findings, client.answers, waiting, drained_s)


def played(run: Coroutine[None, None, Run]) -> Run:
    """Play it, and have the sockets that the SDK left behind collected while their warnings are ignored."""
    logging.disable()  # what is logged is held by pytest, tracebacks and sockets included
    try:
        return asyncio.run(run)
    finally:
        logging.disable(logging.NOTSET)
        for _again in range(4):  # what a finaliser frees is found by the next
            gc.collect()


@pytest.mark.parametrize(
    ("down_s", "pause_s"), [(6.0, 0.5), pytest.param(60.0, 0.5, marks=pytest.mark.battery)]
)
def test_the_queue_is_away(
    down_s: float, pause_s: float, bus: Server, tmp_path: Path, figures: Figures
) -> None:
    run = played(play(tmp_path, bus, down_s, pause_s))
    figures(
        f"queue away for {down_s:.0f} s",
        items=run.findings.items,
        lost=run.findings.lost,
        not_2xx=run.answers.total() - run.answers[2],
        waiting=run.waiting,
        drained_s=run.drained_s,
    )
    assert not run.findings.faults, run.findings
    assert set(run.answers) == {2}
    # An outage that kept nothing waiting would prove nothing.
    assert run.waiting > 2


class ForgetfulRelay(OutboxRelay):
    """Forgets rows, then sends their messages: what cannot be sent then is gone."""

    async def publish_pending(self) -> int:
        published = 0
        while True:
            async with self._db.transaction() as connection:
                rows = await outbox.claim_batch(connection, BATCH, CLAIM_S)
                await outbox.mark_published(connection, rows)
            if not rows:
                return published
            for row in rows:
                try:
                    await self._queues.send(row.queue, [Outgoing(row.message_id, row.body)])
                    published += 1
                except QueueUnavailable:
                    continue


def test_control_forgotten_before_it_is_sent(bus: Server, tmp_path: Path, figures: Figures) -> None:
    run = played(play(tmp_path, bus, 4.0, 0.5, ForgetfulRelay))
    figures("control: forgotten before it is sent", lost=run.findings.lost)
    assert run.findings.lost > 0
