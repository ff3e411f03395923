"""Who opens connections and sends nothing, or a byte now and then, is sent away, and keeps nobody out."""

import asyncio
import json
import resource
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
import pytest_asyncio
from starlette.types import Message, Receive, Scope, Send
from tests.services.http_services import WebApi, bound_socket, client_of, photo, running_web_api, served

from opal.http.connections import ConnectionLimits, connections_within_files
from opal.settings import WebSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")
# A head may take a second; a body as well, and from then on 100 bytes a second, for 3 s in all.
QUICK = ConnectionLimits(head_s=1, body_grace_s=1, body_bytes_per_s=100, body_s=3, untaken_s=2)
HALF = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
PATIENCE_S = 60


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path_factory.mktemp("slow"), limits=QUICK) as running:
        yield running


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection without a client's good manners."""
    address = httpx.URL(url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def dripped(url: str, *parts: bytes, every_s: float = 0.3) -> tuple[bytes, float]:
    """Send the first part at once, then the others again and again; what came back, and after how long."""
    begun = time.monotonic()
    async with asyncio.timeout(PATIENCE_S), line_to(url) as (reader, writer):
        writer.write(parts[0])
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            await asyncio.wait([answer], timeout=every_s)
            for part in parts[1:]:
                writer.write(part)
        try:
            return answer.result(), time.monotonic() - begun
        except ConnectionError:
            return b"", time.monotonic() - begun


def problem_in(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), str(json.loads(body)["code"])


def asked(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


async def test_who_says_nothing_or_little_is_sent_away_in_time(api: WebApi) -> None:
    """All at the same time, each in its own way."""
    more = b"X-More: a\r\n"
    whole = asked("GET", "/healthz")
    key = f"X-API-Key: {api.client.headers['X-API-Key']}"
    body = ["Content-Type: application/json", "Content-Length: 200000"]
    form = ["Content-Type: application/x-www-form-urlencoded", "Content-Length: 5000"]
    job = asked("POST", "/v1/jobs", key, *body) + b"{"
    sign_in = asked("POST", "/sign-in", "Sec-Fetch-Site: same-origin", *form) + b"key="
    picture = asked("POST", "/v1.0/removebg", key, *body) + b"{"
    slow = b"request_timeout"
    # What is sent at once; what is sent again and again; the statuses and the code that come back; the time.
    cases: list[tuple[bytes, bytes, list[int], bytes, float]] = [
        (b"", b"", [], b"", QUICK.head_s),
        (HALF, b"", [408], slow, QUICK.head_s),
        (HALF, more, [408], slow, QUICK.head_s),
        (whole, b"", [200], b"alive", 0),
        (whole + HALF, more, [200, 408], slow, QUICK.head_s),
        *(
            (begun, drip, [408], slow, QUICK.body_grace_s)
            for begun in (job, sign_in, picture)
            for drip in (b"", b" ")
        ),
        # Fast enough, and without an end.
        (job, b" " * 200, [408], slow, QUICK.body_s),
        # Refused before its body was read: the rest is thrown away, but not for ever.
        (asked("POST", "/v1/jobs", *body), b" ", [401], b"unauthorized", QUICK.body_grace_s),
    ]
    answers = await asyncio.gather(*(dripped(api.url, begun, drip) for begun, drip, *_ in cases))
    for (answer, seconds), (begun, drip, statuses, code, least) in zip(answers, cases, strict=True):
        said = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
        assert (said, code in answer) == (statuses, True), (begun, drip, answer)
        assert seconds >= least, (begun, drip)
    assert (await api.client.get("/v1/jobs")).json()["jobs"] == []


async def test_a_photo_over_a_slow_line_arrives_and_half_a_photo_leaves_nothing(api: WebApi) -> None:
    job = await api.job("slow.jpg", "stalled.jpg")
    data = photo()
    for index, pace in ((0, len(data) // 5), (1, 0)):
        ticket = await api.ticket(job, index)
        url = httpx.URL(ticket["url"])
        lines = [f"{name}: {value}" for name, value in ticket["headers"].items()]
        lines += [f"Content-Length: {len(data)}", "Connection: close"]
        head = asked("PUT", url.raw_path.decode(), *lines)
        parts = [data[at : at + pace] for at in range(0, len(data), pace)] if pace else [data[:100]]
        async with asyncio.timeout(PATIENCE_S), line_to(api.url) as (reader, writer):
            writer.write(head)
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.4)
            answer = await reader.read()
        assert int(answer.split(b" ")[1]) == (201 if pace else 408)
    assert (await api.complete(job, 0)).status_code == 200
    assert (await api.complete(job, 1)).json()["code"] == "upload_missing"
    incoming = api.parts.settings.data_dir / "blobs" / ".incoming"
    async with asyncio.timeout(PATIENCE_S):
        while any(incoming.iterdir()):  # noqa: ASYNC110 - removed by a thread
            await asyncio.sleep(0.05)


async def test_events_are_followed_for_longer_than_any_of_these_times(api: WebApi) -> None:
    job = await api.job()
    begun = time.monotonic()
    async with api.client.stream("GET", f"/v1/jobs/{job['id']}/events", timeout=PATIENCE_S) as stream:
        lines = stream.aiter_lines()
        await anext(lines)
        await asyncio.sleep(QUICK.body_s + 1)
        assert (await api.client.delete(f"/v1/jobs/{job['id']}")).status_code == 200
        assert [line async for line in lines if "cancelled" in line]
    assert time.monotonic() - begun > QUICK.body_s


class Pictures:
    """An application that answers as long as it is asked to."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.busy = 0
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        self.busy += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            if scope["path"] == "/large":
                for _ in range(400):
                    await send(self._piece(b"x" * 100_000, more=True))
            else:
                await self.go_on.wait()
            await send(self._piece(b"", more=False))
        finally:
            self.busy -= 1
            self.ended.set()

    def _piece(self, body: bytes, *, more: bool) -> Message:
        return {"type": "http.response.body", "body": body, "more_body": more}

    async def has(self, busy: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.busy != busy:  # noqa: ASYNC110 - counted by the server's tasks
                await asyncio.sleep(0.02)


async def test_an_answer_that_nobody_takes_is_given_up_and_one_that_is_taken_slowly_is_not() -> None:
    app = Pictures()
    bound, url = bound_socket()
    async with served(app, bound, QUICK), asyncio.timeout(PATIENCE_S):
        async with line_to(url) as (reader, writer):
            writer.write(asked("GET", "/large", "Connection: close"))
            taken = 0
            begun = time.monotonic()
            # A part per second and then all of it: 40 MB over longer than a silence may be.
            while time.monotonic() - begun < 2 * QUICK.untaken_s:
                taken += len(await reader.readexactly(4_000_000))
                await asyncio.sleep(0.5)
            taken += len(await reader.read())
        assert taken > 40_000_000
        app.ended.clear()
        async with line_to(url) as (reader, writer):
            writer.write(asked("GET", "/large"))
            await app.ended.wait()


async def test_half_heads_give_way_to_who_has_something_to_say() -> None:
    app = Pictures()
    app.go_on.set()
    bound, url = bound_socket()
    async with served(app, bound, ConnectionLimits(connections=8)), AsyncExitStack() as lines:
        for _ in range(40):
            _, writer = await lines.enter_async_context(line_to(url))
            writer.write(HALF)
        async with client_of(url) as client:
            assert (await client.get("/")).status_code == 200


async def test_requests_under_way_do_not_and_more_are_told_so() -> None:
    app = Pictures()
    bound, url = bound_socket()
    async with served(app, bound, ConnectionLimits(connections=2)), client_of(url) as client:
        first = [asyncio.create_task(client.get("/")) for _ in range(2)]
        await app.has(2)
        answer, _ = await dripped(url, asked("GET", "/"))
        assert problem_in(answer) == (503, "too_many_connections")
        app.go_on.set()
        assert [(await each).status_code for each in first] == [200, 200]


async def test_one_address_takes_no_more_than_its_part() -> None:
    app = Pictures()
    bound, url = bound_socket()
    limits = ConnectionLimits(connections=100, per_address=2)
    async with served(app, bound, limits), client_of(url) as client:
        first = [asyncio.create_task(client.get("/")) for _ in range(2)]
        await app.has(2)
        answer, _ = await dripped(url, asked("GET", "/"))
        assert problem_in(answer) == (503, "too_many_connections")
        # From elsewhere there is room.
        address = httpx.URL(url)
        reader, writer = await asyncio.open_connection(
            address.host, address.port, local_addr=("127.0.0.2", 0)
        )
        writer.write(asked("GET", "/", "Connection: close"))
        await app.has(3)
        app.go_on.set()
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        assert [(await each).status_code for each in first] == [200, 200]


async def test_there_are_fewer_connections_than_files() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert connections_within_files(10) == 10
        hard = before[1] if before[1] != resource.RLIM_INFINITY else 1 << 40
        assert connections_within_files(hard) <= (hard - 256) // 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert ConnectionLimits.of(WebSettings(connections=20, connections_per_address=3)) == ConnectionLimits(
        20, 3
    )
