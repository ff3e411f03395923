"""One Opal under fault: its database, queues and blobs, its services as processes, and jobs on their way."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from tests.faults.api_load import photo
from tests.faults.entries import web_api
from tests.faults.findings import Findings, examine
from tests.faults.process_server import Entry, Process, ProcessServer

from opal.assembly import Parts, build_parts
from opal.cli.ports import free_ports
from opal.database import items, jobs, keys, ledger, outbox, tables
from opal.database.engine import utc_now
from opal.database.jobs import NewItem
from opal.items.item import Item, Recipe, blob_path
from opal.items.states import TERMINAL, ItemState
from opal.messages.job_message import JobMessage, send_job_message
from opal.settings import Settings, load_settings

TENANT = "acme"
PRESETS = ("thumbnail-webp",)
LEASE_S = 2.0
_POLL_S = 0.1
_BATCH = 50


def _nothing(_name: str) -> AbstractContextManager[Mapping[str, str]]:
    return nullcontext({})


@dataclass(frozen=True, slots=True)
class Life:
    """What services live on."""

    name: str
    environment: Mapping[str, str]
    """What tells them of their servers; nothing on a laptop."""
    own: Callable[[str], AbstractContextManager[Mapping[str, str]]] = _nothing
    """Makes what the rig of that name has for itself on these servers, and says what tells of it."""


@dataclass(slots=True)
class Rig:
    """The parts are the test's own, on the same database, queues and blobs as the services."""

    folder: Path
    server: ProcessServer
    environment: Mapping[str, str]
    parts: Parts
    port: int
    life: str
    """Its name."""
    granted: int = 0
    job_id: str = ""
    processes: list[Process] = field(default_factory=list)

    def start(self, entry: Entry, **environment: str) -> Process:
        """Fork a service."""
        log = self.folder / f"{entry.__name__}.log"
        process = self.server.start(entry, {**self.environment, **environment}, log)
        self.processes.append(process)
        return process

    async def start_web_api(self) -> Process:
        """The relay and the sweeper, and the blobs' URLs on a laptop; returns when it is ready."""
        process = self.start(web_api)
        await self.ready(process)
        return process

    async def ready(self, process: Process) -> None:
        """Return when a web-api can work. Raises httpx.TransportError when it died of a signal."""
        url = f"http://127.0.0.1:{self.port}/readyz"
        give_up_at = time.monotonic() + 60.0
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as http:
            while True:
                if (code := process.exit_code()) is not None:
                    assert code < 0, process.tail()
                    raise httpx.ConnectError("it died")
                try:
                    if (await http.get(url)).is_success:
                        return
                except httpx.TransportError:
                    pass
                assert time.monotonic() < give_up_at, process.tail()
                await asyncio.sleep(0.05)

    async def job(
        self, count: int, presets: Sequence[str] = PRESETS, photos: Sequence[bytes] = ()
    ) -> list[Item]:
        """A job whose photos are uploaded; messages wait in the outbox. ``photos`` are taken in turn."""
        recipe = Recipe(scene="white", placement={}, presets=tuple(presets), prompt="", seed=5)
        new = [NewItem(f"{number}.jpg") for number in range(count)]
        async with self.parts.database.transaction() as connection:
            await keys.ensure_tenant(connection, TENANT, "Acme")
            await ledger.grant(connection, TENANT, count)
            job, created = await jobs.create_job(
                connection, TENANT, recipe, new, name="", correlation_id="faults"
            )
        self.granted += count
        self.job_id = job.id
        uploaded: list[Item] = []
        for first in range(0, count, _BATCH):
            several = created[first : first + _BATCH]
            stored = [await self._upload(item, photos or tiny_photos()) for item in several]
            async with self.parts.database.transaction() as connection:
                for item, changes in zip(several, stored, strict=True):
                    moved = await items.move(connection, item, ItemState.UPLOADED, by="test", changes=changes)
                    await send_job_message(outbox.Outbox(connection), JobMessage.of(moved))
                    uploaded.append(moved)
        return uploaded

    async def _upload(self, item: Item, photos: Sequence[bytes]) -> dict[str, Any]:
        path = blob_path(TENANT, item.job_id, item.id, "raw", "upload_1")
        data = photos[item.position % len(photos)]
        info = await self.parts.blobs.write("raw", path, data, content_type="image/jpeg")
        return {"raw_path": path, "photo": {"format": "jpeg", "etag": info.etag}}

    async def unfinished(self) -> int:
        """Items that have not ended."""
        query = select(func.count()).where(tables.items.c.state.not_in(sorted(TERMINAL)))
        async with self.parts.database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def quiet(self) -> bool:
        """Whether no message is under way and nobody has had an item for a lease and its slack."""
        over = utc_now() - timedelta(seconds=self.parts.settings.worker.lease_s)
        leased = select(func.count()).where(tables.items.c.lease_until > over)
        async with self.parts.database.read() as connection:
            waiting, _oldest = await outbox.pending(connection)
            held = (await connection.execute(leased)).scalar_one()
        depths = [await self.parts.queues.depth(queue) for queue in ("jobs", "exports")]
        return not (waiting or held or any(depth.active + depth.scheduled for depth in depths))

    async def at_rest(self) -> bool:
        """Whether every item has ended and no message is under way."""
        return not await self.unfinished() and await self.quiet()

    async def come_to_rest(self, limit_s: float) -> bool:
        """Wait for it; False when it took longer."""
        return await until(self.at_rest, limit_s)

    async def findings(self, presets: Sequence[str] = PRESETS) -> Findings:
        """What the run left behind."""
        parts = self.parts
        return await examine(
            parts.database, parts.blobs, parts.queues, self.job_id, presets=presets, granted=self.granted
        )

    def tails(self) -> str:
        """The ends of the services' logs."""
        logs = sorted({process.log for process in self.processes})
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-4000:]}" for log in logs)


@dataclass(frozen=True, slots=True)
class Rigs:
    """Makes rigs, all on the same servers where their life has any, and none with anything of another's."""

    folder: Path
    server: ProcessServer
    scoring_url: str
    empty: bytes
    """The file of an embedded database with its tables: making it costs more than many an experiment."""
    life: Life

    @property
    def name(self) -> str:
        """Of the life."""
        return self.life.name

    @asynccontextmanager
    async def rig(self, name: str = "opal", **changes: str) -> AsyncIterator[Rig]:
        """A rig with short leases in a folder of its own; ``changes`` are settings without their prefix."""
        folder = self.folder / name
        folder.mkdir()
        async with _in_a_thread(self.life.own(name)) as own, self._rig(folder, {**own, **changes}) as rig:
            yield rig

    @asynccontextmanager
    async def _rig(self, folder: Path, settings: Mapping[str, str]) -> AsyncIterator[Rig]:
        [port] = free_ports(1)
        environment = {
            "OPAL_DATA_DIR": str(folder),
            "OPAL_WEB_PORT": str(port),
            "OPAL_BLOB_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "OPAL_SCORING_URL": self.scoring_url,
            "OPAL_WORKER_LEASE_S": str(LEASE_S),
            "OPAL_WORKER_RETRY_BASE_S": "0.5",
            # On a busy machine a worker may hardly get to its work between two kills.
            "OPAL_WORKER_MAX_INTERRUPTIONS": "1000",
            "OPAL_QUEUE_LOCK_S": str(LEASE_S),
            "OPAL_SWEEPER_INTERVAL_S": "2",
            "OPAL_SWEEPER_STALE_S": "6",
            **self.life.environment,
            **{f"OPAL_{setting}": value for setting, value in settings.items()},
        }
        (folder / "opal.sqlite").write_bytes(self.empty)
        parts = build_parts(settings_of(environment))
        rig = Rig(folder, self.server, environment, parts, port, self.name)
        try:
            yield rig
        finally:
            for process in rig.processes:
                await process.kill()
            await parts.close()


@asynccontextmanager
async def _in_a_thread(block: AbstractContextManager[Mapping[str, str]]) -> AsyncIterator[Mapping[str, str]]:
    """Enter and leave ``block`` where it may wait."""
    entered = await asyncio.to_thread(block.__enter__)
    try:
        yield entered
    finally:
        await asyncio.to_thread(block.__exit__, None, None, None)


async def until(condition: Callable[[], Awaitable[bool]], limit_s: float = 60.0) -> bool:
    """Wait for ``condition``; False when it took longer."""
    give_up_at = time.monotonic() + limit_s
    while not await condition():
        if time.monotonic() > give_up_at:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def settings_of(environment: Mapping[str, str]) -> Settings:
    """The settings of a process in this environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return load_settings()


@lru_cache(maxsize=1)
def tiny_photos() -> list[bytes]:
    """Eight photos that are quickly made into pictures."""
    return [photo(number, 96, 128) for number in range(8)]
