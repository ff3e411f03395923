"""Real services on real parts in a temporary folder, served by the real server on a free loopback port."""

import asyncio
import atexit
import hashlib
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyvips
import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp

from opal.assembly import Parts, build_parts
from opal.console.app import add_pages
from opal.database import delivery_plan, items, keys, ledger, variants
from opal.database.engine import Database
from opal.database.migrate import migrate
from opal.database.variants import VariantRow
from opal.fidelity import Fidelity
from opal.http.connections import ConnectionLimits
from opal.http.server import HttpServer
from opal.images.matte import encode_matte
from opal.items.item import Item, blob_path
from opal.items.states import ItemState
from opal.marketplaces.compliance import RuleResult
from opal.platform_settings import BlobSettings
from opal.settings import Settings, load_settings
from opal.web_api.app import create_app

# The stock console prints tracebacks with all their variables, which takes seconds each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of loopback: each would read some hundred kilobytes of certificates that it never uses."""

TENANT = "acme"
OTHER = "globex"
CREDITS = 100

# What the workers store, in the shape that they store it in.
FIDELITY: dict[str, Any] = Fidelity(
    pixels_compared=900,
    share_within_de1=0.999,
    max_de=0.2,
    mean_de=0.1,
    ssim=0.999,
    silhouette_iou=0.998,
).model_dump(mode="json")
PLACED: dict[str, Any] = {
    "upscaled": True,
    "capped": False,
    "straightened_degrees": -2.4,
    "offset_x": 0.0,
    "offset_y": 0.0,
}
RULE: dict[str, Any] = RuleResult(rule="width", measured=2000, limit="= 2000", passed=True).model_dump(
    mode="json"
)


@asynccontextmanager
async def served(
    app: ASGIApp, bound: socket.socket, limits: ConnectionLimits | None = None
) -> AsyncIterator[HttpServer]:
    """``app`` behind the server that production uses, on ``bound``."""
    stop = getattr(getattr(app, "state", None), "event_tail", None)
    server = HttpServer(app, "127.0.0.1", 0, stop.stop if stop is not None else None, limits)
    running = asyncio.create_task(server.serve(sockets=[bound]))
    listening = asyncio.create_task(server.listening.wait())
    await asyncio.wait([running, listening], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield server
    finally:
        server.should_exit = True
        await running
        listening.cancel()


def bound_socket() -> tuple[socket.socket, str]:
    """A listening-ready loopback socket and its URL."""
    # With its protocol named, as a service's own: asyncio turns Nagle's algorithm off for such sockets only,
    # and with it on, each answer whose head and body are written apart waits 40 ms for the client's ACK.
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    return bound, f"http://127.0.0.1:{bound.getsockname()[1]}"


@dataclass(frozen=True, slots=True)
class WebApi:
    """A running web-api with a client for each of two tenants."""

    url: str
    parts: Parts
    client: httpx.AsyncClient
    other: httpx.AsyncClient
    anonymous: httpx.AsyncClient
    server: HttpServer
    app: FastAPI

    async def job(self, *filenames: str, **fields: Any) -> dict[str, Any]:
        """A new job with one item per name."""
        body = {"items": [{"filename": name} for name in filenames or ("mug.jpg",)], **fields}
        answer = await self.client.post("/v1/jobs", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def ticket(self, job: dict[str, Any], index: int = 0) -> dict[str, Any]:
        """An upload URL for one item."""
        answer = await self.client.post("/v1/uploads/sas", json=ids(job, index))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def put(self, ticket: dict[str, Any], data: bytes) -> httpx.Response:
        """Send the photo where the ticket says."""
        return await self.anonymous.request(
            ticket["method"], ticket["url"], content=data, headers=ticket["headers"]
        )

    async def complete(self, job: dict[str, Any], index: int = 0, **fields: Any) -> httpx.Response:
        """Say that the photo is there."""
        return await self.client.post("/v1/uploads/complete", json={**ids(job, index), **fields})

    async def upload(self, job: dict[str, Any], data: bytes, index: int = 0) -> httpx.Response:
        """Ask, send, complete."""
        answer = await self.put(await self.ticket(job, index), data)
        assert answer.status_code == 201, answer.text
        return await self.complete(job, index)

    async def backdrop(self, data: bytes | None = None) -> str:
        """The id of a backdrop that is ready."""
        created = (await self.client.post("/v1/backdrops", json={"name": "worktop"})).json()
        answer = await self.put(created["upload"], data or photo(1000, 800))
        assert answer.status_code == 201, answer.text
        answer = await self.client.post(f"/v1/backdrops/{created['id']}/complete")
        assert answer.status_code == 200, answer.text
        return str(created["id"])

    async def credits(self) -> tuple[int, int]:
        """Balance and held credits."""
        answer = (await self.client.get("/v1/credits")).json()
        return answer["balance"], answer["held"]

    async def finish(self, item_id: str, pictures: dict[str, bytes], *, review: bool = False) -> None:
        """Do what the two workers would do: complete and export the item with ``pictures``."""
        async with self.parts.database.read() as connection:
            stored = await items.get_item(connection, item_id)
        assert stored is not None
        for preset, data in pictures.items():
            path = _path(stored, "exports", f"1/{preset}.jpg")
            await self.parts.blobs.write("exports", path, data, content_type="image/jpeg")
        async with self.parts.database.transaction() as connection:
            claimed = await items.claim(connection, item_id, items.Stage.PROCESS, lease_s=60, by="test")
            assert isinstance(claimed, items.Claimed)
            item = claimed.item
            scene, matte = (_path(item, "outputs", f"1-{name}.png") for name in ("scene", "matte"))
            changes = {
                "scene_path": scene,
                "matte_path": matte,
                "review": review,
                "meta": {
                    "photo_width": stored.photo["width"],
                    "photo_height": stored.photo["height"],
                    "confidence": 0.93,
                    "confidence_reasons": [],
                    "fidelity": FIDELITY,
                    "transform": {"scale": 1.25, "tx": 0.0, "ty": 0.0},
                    **PLACED,
                },
            }
            item = await items.move(connection, item, ItemState.COMPLETED, by="test", changes=changes)
            await ledger.debit(connection, item)
            item = await items.move(connection, item, ItemState.EXPORTED, by="test")
            rows = [_row(item, preset, data) for preset, data in pictures.items()]
            for row in rows:
                await variants.record_variant(connection, item, row)
            await delivery_plan.plan_deliveries(connection, item, rows)
        await self.parts.blobs.write("outputs", scene, b"png", content_type="image/png")
        await self.parts.blobs.write("outputs", matte, matte_of_photo(), content_type="image/png")


def ids(job: dict[str, Any], index: int = 0) -> dict[str, str]:
    """What the upload routes want to know of an item."""
    return {"job_id": job["id"], "item_id": job["items"][index]["id"]}


def _path(item: Item, kind: str, name: str) -> str:
    return blob_path(item.tenant_id, item.job_id, item.id, kind, name)


def _row(item: Item, preset: str, data: bytes) -> VariantRow:
    return VariantRow(
        preset=preset,
        path=_path(item, "exports", f"1/{preset}.jpg"),
        format="jpeg",
        content_type="image/jpeg",
        width=2000,
        height=2000,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        compliance=[RULE],
        fidelity=FIDELITY,
        placed={"scale": 1.25, **PLACED},
    )


def settings_of(data_dir: Path, url: str, **groups: Any) -> Settings:
    """Settings of a service whose own address is ``url``."""
    return load_settings(data_dir=data_dir, blob=BlobSettings(public_url=url), **groups)


def client_of(url: str, key: str | None = None) -> httpx.AsyncClient:
    """A client of the service at ``url``."""
    headers = {"X-API-Key": key} if key is not None else {}
    return httpx.AsyncClient(
        base_url=url, headers=headers, trust_env=False, timeout=30, verify=NO_CERTIFICATES
    )


_TEMPLATE: list[Path] = []


async def migrated(settings: Settings) -> None:
    """Give the data folder an empty database; the migrations themselves run once per test process."""
    if settings.database.url is not None:
        return  # PostgreSQL's was made of a template as well
    if not _TEMPLATE:
        folder = Path(tempfile.mkdtemp(prefix="opal-template-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        template = f"sqlite+aiosqlite:///{folder / 'opal.sqlite'}"
        await migrate(Database(template, settings.database))
        _TEMPLATE.append(folder / "opal.sqlite")
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    shutil.copy(_TEMPLATE[0], settings.data_dir / "opal.sqlite")


async def tenants_with_keys(parts: Parts, granted: int = CREDITS) -> tuple[str, str]:
    """Two tenants with credits; returns their API keys."""
    made = []
    async with parts.database.transaction() as connection:
        for tenant in (TENANT, OTHER):
            await keys.ensure_tenant(connection, tenant, tenant.title())
            await ledger.grant(connection, tenant, granted)
            made.append((await keys.create_key(connection, tenant, "test"))[1])
    return made[0], made[1]


@asynccontextmanager
async def running_web_api(
    data_dir: Path, *, granted: int = CREDITS, limits: ConnectionLimits | None = None, **groups: Any
) -> AsyncIterator[WebApi]:
    """web-api on embedded parts under ``data_dir``; ``groups`` replace groups of settings."""
    bound, url = bound_socket()
    settings = settings_of(data_dir, url, **groups)
    await migrated(settings)
    parts = build_parts(settings)
    key, other_key = await tenants_with_keys(parts, granted)
    app = create_app(parts)
    add_pages(app)
    try:
        async with (
            served(app, bound, limits) as server,
            client_of(url, key) as client,
            client_of(url, other_key) as other,
            client_of(url) as anonymous,
        ):
            yield WebApi(url, parts, client, other, anonymous, server, app)
    finally:
        await parts.close()


def matte_of_photo(width: int = 400, height: int = 300) -> bytes:
    """The cut-out of ``photo``: its dark box."""
    matte = np.zeros((height, width), np.float32)
    matte[height // 4 : -height // 4, width // 4 : -width // 4] = 1.0
    return encode_matte(matte)


def photo(width: int = 400, height: int = 300, ending: str = ".jpg") -> bytes:
    """A small real picture: a dark box on white."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[height // 4 : -height // 4, width // 4 : -width // 4] = (40, 60, 90)
    data: bytes = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb").write_to_buffer(ending)
    return data
