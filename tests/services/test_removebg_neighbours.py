"""One tenant's slow connections, and slow servers that it names, keep no other tenant from its pictures."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from tests.services.http_services import WebApi
from tests.services.removebg_world import cut_photo, in_base64, removebg_api
from tests.services.webhook_receiver import listening

from opal.outgoing_settings import OutgoingSettings
from opal.settings import RemoveBgSettings

# Eight in the line, of one tenant four: as many as there are turns, downloads and bodies in memory.
LIMITS = RemoveBgSettings(rate_limit=10**6, concurrency=4, waiting=4)
SOON_S = 60
"""On a busy machine, and less than what a slow body or server is waited for."""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    private = OutgoingSettings(private_addresses="allow")
    longest = LIMITS.model_copy(update={"download_timeout_s": 120.0})
    async with removebg_api(tmp_path, removebg=longest, outgoing=private) as running:
        yield running


async def in_line(api: WebApi, count: int) -> None:
    async with asyncio.timeout(SOON_S):
        while api.app.state.studio.line.inside < count:  # noqa: ASYNC110 - counted by the server's tasks
            await asyncio.sleep(0.02)


async def begun(api: WebApi, lines: AsyncExitStack, kind: str) -> asyncio.StreamReader:
    """The beginning of a request by the first tenant, whose body then does not move."""
    address = httpx.URL(api.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    lines.callback(writer.close)
    head = ["POST /v1.0/removebg HTTP/1.1", "Host: x", f"X-API-Key: {api.client.headers['X-API-Key']}"]
    writer.write("\r\n".join([*head, f"Content-Type: {kind}", "Content-Length: 9000", "", "-"]).encode())
    return reader


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
async def test_bodies_that_do_not_move(api: WebApi, kind: str) -> None:
    async with AsyncExitStack() as lines, asyncio.timeout(SOON_S):
        for _ in range(4):
            await begun(api, lines, kind)
        await in_line(api, 4)
        # One more of theirs has no place, whatever others do.
        refused = await (await begun(api, lines, kind)).readline()
        assert refused.startswith(b"HTTP/1.1 429")
        theirs = await asyncio.gather(*(send(api.other) for send in FORMS))
        assert [answer.status_code for answer in theirs] == [200] * len(FORMS)


async def test_servers_that_do_not_answer(api: WebApi) -> None:
    async with listening() as receiver, asyncio.timeout(SOON_S):
        receiver.say = None
        form = {"image_url": receiver.url}
        slow = [asyncio.create_task(api.client.post("/v1.0/removebg", data=form)) for _ in range(4)]
        await in_line(api, 4)
        await receiver.wait_for(2)
        async with listening() as quick:
            body = cut_photo()
            quick.say = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            fetched = await api.other.post("/v1.0/removebg", data={"image_url": quick.url})
        theirs = await asyncio.gather(*(send(api.other) for send in FORMS))
        assert [answer.status_code for answer in (fetched, *theirs)] == [200] * (1 + len(FORMS))
        assert receiver.connections == 2
        for each in slow:
            each.cancel()
        await asyncio.wait(slow)


async def _as_file(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/v1.0/removebg", files={"image_file": cut_photo()})


async def _as_form(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/v1.0/removebg", data={"image_file_b64": in_base64(cut_photo())})


async def _as_json(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/v1.0/removebg", json={"image_file_b64": in_base64(cut_photo())})


FORMS = (_as_file, _as_form, _as_json)
