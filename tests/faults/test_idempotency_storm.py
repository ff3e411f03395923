"""Jobs created under idempotency keys, each key ten times at once, while web-api is killed again and again.

Whoever gets no answer asks again. Each key has one effect and one answer; another body under it is refused.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select
from tests.faults import entries, forgetful_api
from tests.faults.figures import Figures
from tests.faults.process_server import Entry, Process, ProcessServer
from tests.services.http_services import NO_CERTIFICATES, TENANT, migrated, settings_of, tenants_with_keys

from opal.assembly import build_parts
from opal.cli.ports import free_ports
from opal.database import invariants, ledger, tables

AT_ONCE = 10
"""Requests of one key."""
KEYS_AT_ONCE = 8
LONGEST_S = 240.0
GRANTED = 2000
PHOTOS = 2
"""Of each job, so that an effect that came half would show."""


@dataclass(slots=True)
class Api:
    """web-api as a process that is killed and started again on the same port."""

    server: ProcessServer
    entry: Entry
    environment: dict[str, str]
    log: Path
    process: Process | None = None
    kills: int = 0

    def start(self) -> None:
        """Fork it; whoever wants it asks until it answers."""
        self.process = self.server.start(self.entry, self.environment, self.log)

    async def kill_until(self, done: asyncio.Event, rng: random.Random, kills: int) -> None:
        """Kill it at moments drawn at random, at most ``kills`` times."""
        while not done.is_set() and self.kills < kills:
            await asyncio.sleep(rng.uniform(0.5, 1.5))
            assert self.process is not None
            self.process.signal(signal.SIGKILL)
            await self.process.ended(30)
            self.kills += 1
            self.start()


@dataclass(frozen=True, slots=True)
class Run:
    """What the keys came to."""

    kills: int
    answers: dict[str, set[tuple[int, str]]]
    """Of each key, all that were different."""
    effects: Counter[str]
    """Jobs per key."""
    refused: int
    """Requests with another body that were told so."""
    held: int
    broken: list[str]
    unanswered: int
    """Requests that the API's end cut off."""

    @property
    def repeated(self) -> int:
        """Effects beyond the first of each key."""
        return self.effects.total() - len(self.answers)


@dataclass(slots=True)
class Clients:
    """Ask until they are answered."""

    http: httpx.AsyncClient
    unanswered: int = 0
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(KEYS_AT_ONCE))

    async def key(self, name: str) -> set[tuple[int, str]]:
        """All different answers to the requests of one key."""
        async with self.places:
            answers = await asyncio.gather(*(self.ask(name, name) for _ in range(AT_ONCE)))
        return {(answer.status_code, answer.text) for answer in answers}

    async def ask(self, key: str, job: str) -> httpx.Response:
        """One request, until it has an answer that is final."""
        body = {"name": job, "items": [{"filename": f"{number}.jpg"} for number in range(PHOTOS)]}
        while True:
            try:
                answer = await self.http.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                self.unanswered += not isinstance(error, httpx.ConnectError)
                await asyncio.sleep(0.1)
                continue
            busy = answer.status_code == 409 and answer.json()["code"] == "idempotency_key_in_flight"
            if not busy and answer.status_code < 500:
                return answer
            await asyncio.sleep(0.05)


async def play(folder: Path, server: ProcessServer, entry: Entry, *, keys: int, kills: int) -> Run:
    """``keys`` keys against an API that is killed ``kills`` times at most."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    settings = settings_of(folder, url)
    await migrated(settings)
    parts = build_parts(settings)
    secret, _other = await tenants_with_keys(parts, GRANTED)
    environment = {"OPAL_DATA_DIR": str(folder), "OPAL_WEB_PORT": str(port), "OPAL_LOG_LEVEL": "WARNING"}
    api = Api(server, entry, environment, folder / "web-api.log")
    api.start()
    names, done = [f"key-{number:03}" for number in range(keys)], asyncio.Event()
    http = httpx.AsyncClient(
        base_url=url,
        headers={"X-API-Key": secret},
        timeout=30,
        trust_env=False,
        verify=NO_CERTIFICATES,
        limits=httpx.Limits(max_connections=AT_ONCE * KEYS_AT_ONCE),
    )
    async with http, asyncio.timeout(LONGEST_S):
        clients = Clients(http)
        killing = asyncio.create_task(api.kill_until(done, random.Random(keys), kills))
        answers = dict(zip(names, await asyncio.gather(*(clients.key(name) for name in names)), strict=True))
        done.set()
        await killing
        others = await asyncio.gather(*(clients.ask(name, "another") for name in names))
    assert api.process is not None
    await api.process.kill()
    async with parts.database.read() as connection:
        query = select(tables.jobs.c.name, func.count()).group_by(tables.jobs.c.name)
        effects = Counter({row[0]: int(row[1]) for row in await connection.execute(query)})
        held = (await ledger.balance(connection, TENANT)).held
        verdicts = await invariants.examine(connection)
    await parts.close()
    return Run(
        api.kills,
        answers,
        effects,
        sum(other.status_code == 422 for other in others),
        held,
        [verdict.name for verdict in verdicts if verdict.count],
        clients.unanswered,
    )


@pytest.fixture(scope="module")
def server() -> Iterator[ProcessServer]:
    with ProcessServer() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.battery)])
def life(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name the database in the environment, for the test's parts and for the API."""
    if request.param == "postgresql":
        monkeypatch.setenv("OPAL_DATABASE_URL", request.getfixturevalue("own_postgres"))
        monkeypatch.setenv("OPAL_DELIVERY_KEY", Fernet.generate_key().decode())
    return str(request.param)


@pytest.mark.parametrize(("keys", "kills"), [(30, 2), pytest.param(500, 10, marks=pytest.mark.battery)])
async def test_one_effect_and_one_answer_per_key(  # noqa: PLR0917 - the size, and the fixtures
    life: str, keys: int, kills: int, server: ProcessServer, tmp_path: Path, figures: Figures
) -> None:
    started = time.monotonic()
    run = await play(tmp_path, server, entries.web_api, keys=keys, kills=kills)
    answers = sum(len(answers) - 1 for answers in run.answers.values())
    figures(
        f"idempotency keys, {life}, {keys} keys",
        requests=AT_ONCE * keys,
        kills=run.kills,
        unanswered=run.unanswered,
        effects=run.effects.total(),
        answers_that_differ=answers,
        other_bodies_refused=run.refused,
        seconds=round(time.monotonic() - started),
    )
    assert run.effects == Counter(dict.fromkeys(run.answers, 1))
    assert answers == 0
    assert {status for answers in run.answers.values() for status, _body in answers} == {201}
    assert run.refused == keys
    assert run.held == PHOTOS * keys
    assert not run.broken
    # An API that never died with requests in hand would prove nothing.
    assert run.kills >= 1
    assert run.unanswered > 0


async def test_control_keys_noted_after_the_answer(
    server: ProcessServer, tmp_path: Path, figures: Figures
) -> None:
    run = await play(tmp_path, server, forgetful_api.web_api, keys=10, kills=0)
    figures("control: keys noted after the answer", effects_repeated=run.repeated)
    assert run.repeated > 0
