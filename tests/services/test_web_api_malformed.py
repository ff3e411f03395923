"""What is hardly a request at all: every answer is a problem, even where no route was reached."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from tests.services.http_services import WebApi, ids, photo, running_web_api

from opal.http.request_limit import LONGEST_ADDRESS

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
BOTH = HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE = b"Connection: close\r\n\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path_factory.mktemp("malformed")) as running:
        yield running


async def spoken(api: WebApi, sent: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Send raw bytes; the status, headers and problem that come back before the server hangs up."""
    address = httpx.URL(api.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split(" ")[1]), headers, json.loads(body)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"hello\r\n\r\n", 400, "malformed_http"),
        (b"GET /v1/jobs/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_http"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400, "malformed_http"),
        (HEAD + b"Content-Length: many\r\n\r\n", 400, "malformed_http"),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\nX: \0\r\n\r\n", 400, "malformed_http"),
        (b"GET /" + b"a" * 100_000, 431, "request_head_too_large"),
        (HEAD + b"X-Long: " + b"a" * 100_000, 431, "request_head_too_large"),
        (HEAD + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n", 431, "request_head_too_large"),
        (HEAD + b"X-Long: a\r\n" * 10_000 + b"\r\n", 431, "request_head_too_large"),
        (BOTH + b"5\r\nhello\r\n0\r\n\r\n" + HEAD + b"\r\n", 400, "malformed_http"),
        (HEAD.replace(b"1.1", b"9.9") + b"\r\n", 400, "malformed_http"),
        (HEAD.replace(b"1.1", b"2.0") + b"\r\n", 400, "malformed_http"),
        (HEAD.replace(b"1.1", b"0.9") + b"\r\n", 400, "malformed_http"),
    ],
)
async def test_what_is_no_http_is_answered_with_a_problem(
    api: WebApi, sent: bytes, status: int, code: str
) -> None:
    answered, headers, problem = await spoken(api, sent)
    assert (answered, problem["status"], problem["code"]) == (status, status, code)
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert problem["correlation_id"] == headers["x-correlation-id"]
    assert (await api.anonymous.get("/healthz")).status_code == 200


@pytest.mark.parametrize("version", [b"1.0", b"1.1", b"1.9"])
async def test_every_minor_version_of_http_1_is_answered(api: WebApi, version: bytes) -> None:
    sent = HEAD.replace(b"1.1", version) + b"X-Long: " + b"a" * 60_000 + b"\r\n" + CLOSE
    assert (await spoken(api, sent))[0] == 200


@pytest.mark.parametrize("path", [b"/v1.0/removebg", b"/v1.0/account", b"/api/remove"])
@pytest.mark.parametrize(
    ("rest", "status", "code"),
    [
        (b" HTTP/1.1\r\n\r\n", 400, "malformed_http"),
        (b" HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400, "malformed_http"),
        (b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n", 400, "malformed_http"),
        (b" HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000, 431, "request_head_too_large"),
        (b" HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n", 431, "request_head_too_large"),
        (b" HTTP/1.1\r\n" + BOTH.split(b"\r\n", 1)[1] + b"0\r\n\r\n", 400, "malformed_http"),
        (b" HTTP/9.9\r\nHost: x\r\n\r\n", 400, "malformed_http"),
        (b"?a=" + b"a" * LONGEST_ADDRESS + b" HTTP/1.1\r\nHost: x\r\n" + CLOSE, 414, "address_too_long"),
    ],
)
async def test_removebgs_clients_are_told_so_in_their_own_form(
    api: WebApi, path: bytes, rest: bytes, status: int, code: str
) -> None:
    key = api.client.headers["X-API-Key"].encode()
    sent = b"POST " + path + rest.replace(b"Host: x\r\n", b"Host: x\r\nX-API-Key: " + key + b"\r\n")
    answered, headers, document = await spoken(api, sent)
    assert (answered, headers["content-type"]) == (status, "application/json")
    assert set(document) == {"errors"}
    [error] = document["errors"]
    assert error["code"] == code
    assert error["title"]
    assert error["detail"]


async def test_a_broken_body_ends_its_own_connection_only(api: WebApi) -> None:
    key = api.client.headers["X-API-Key"].encode()
    sent = (
        b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nX-API-Key: " + key + b"\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nno number\r\n"
    )
    status, _, problem = await spoken(api, sent)
    assert (status, problem["code"]) == (400, "malformed_http")
    assert (await api.client.get("/v1/jobs")).json()["jobs"] == []


@pytest.mark.parametrize("long", ["/" + "a" * LONGEST_ADDRESS, "/v1/jobs?cursor=" + "a" * LONGEST_ADDRESS])
async def test_an_address_has_a_longest_length(api: WebApi, long: str) -> None:
    with capture_logs() as lines:
        answer = await api.client.get(long)
    assert (answer.status_code, answer.json()["code"]) == (414, "address_too_long")
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.text) < 1000
    assert all(len(str(line)) < 1000 for line in lines)


@pytest.mark.parametrize(
    "path", ["/v1/jobs/%FF%FE", "/v1/jobs/%00", "/v1/jobs/%ED%A0%80", "/v1/jobs?cursor=%FF"]
)
async def test_an_address_that_is_no_utf_8_leads_nowhere(api: WebApi, path: str) -> None:
    answer = await api.client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1/jobs/", "//v1/jobs", "/healthz/", "/V1/jobs"])
async def test_an_address_is_right_or_wrong_and_never_a_redirect(api: WebApi, path: str) -> None:
    answer = await api.client.get(httpx.URL(api.url + path), headers={"Host": "elsewhere.example"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["instance"] == path


@pytest.mark.parametrize("half", ['"\\ud800"', '"\\u0000"'])
@pytest.mark.parametrize(
    "field", ["name", "scene", "prompt", "presets", "filename", "sku", "tenant_id", "seed"]
)
async def test_text_that_no_database_can_hold_is_refused(api: WebApi, field: str, half: str) -> None:
    """Half a surrogate pair and the null character are valid JSON, but neither is text."""
    fields = {"items": '[{"filename": "a.jpg"}]'}
    if field in {"filename", "sku"}:
        fields["items"] = f'[{{"filename": "a.jpg", "{field}": {half}}}]'
    else:
        fields[field] = f"[{half}]" if field == "presets" else half
    body = "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}"
    headers = {"Content-Type": "application/json"}
    answer = await api.client.post("/v1/jobs", content=body, headers=headers)
    assert answer.status_code in {403, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_client_that_hangs_up_half_way_leaves_nothing_and_may_try_again(api: WebApi) -> None:
    job = await api.job()
    ticket = await api.ticket(job)
    url = httpx.URL(ticket["url"])
    data = photo()
    _, writer = await asyncio.open_connection(url.host, url.port)
    head = f"PUT {url.raw_path.decode()} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in ticket["headers"].items())
    writer.write((head + lines + "\r\n").encode() + data[: len(data) // 2])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    missing = await api.complete(job)
    assert (missing.status_code, missing.json()["code"]) == (409, "upload_missing")
    assert (await api.put(ticket, data)).status_code == 201
    answer = await api.client.post("/v1/uploads/complete", json=ids(job))
    assert answer.json()["photo"]["bytes"] == len(data)
