"""The gate: only with its password, only to addresses that may be called, one request at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit

import httpx
import pytest
from tests.services.webhook_receiver import answer, listening

from opal.outgoing.client import Outgoing
from opal.outgoing.gate import Gate
from opal.outgoing_settings import OutgoingSettings


@asynccontextmanager
async def gate(addresses: Literal["refuse", "allow"]) -> AsyncIterator[str]:
    outgoing = Outgoing(OutgoingSettings(private_addresses=addresses))
    running = Gate(outgoing)
    try:
        yield await running.url()
    finally:
        await running.close()
        await outgoing.close()


async def said(proxy: str, request: str, password: str | None = None) -> bytes:
    """The first line that the gate answers to a raw request."""
    parts = urlsplit(proxy)
    word = httpx.BasicAuth("opal", password or parts.password or "")
    authorization = word._auth_header
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"{request} HTTP/1.1\r\nProxy-Authorization: {authorization}\r\n\r\n".encode())
    line = await reader.readline()
    writer.close()
    return line


@pytest.mark.parametrize(
    "request_line",
    [
        "CONNECT 127.0.0.1:443",
        "CONNECT localhost:443",
        "CONNECT 10.1.2.3:8443",
        "CONNECT [::1]:443",
        "CONNECT 169.254.169.254:443",
        "CONNECT example.com:22",
        "GET http://127.0.0.1/",
        "GET http://example.com/",
    ],
)
async def test_private_addresses_other_ports_and_plain_http_are_refused(request_line: str) -> None:
    async with gate("refuse") as proxy:
        assert b" 403 " in await said(proxy, request_line)


async def test_metadata_stays_closed_and_strangers_stay_out() -> None:
    async with gate("allow") as proxy, listening() as receiver:
        for address in ("169.254.169.254:80", "168.63.129.16:80", "[fd00:ec2::254]:80"):
            assert b" 403 " in await said(proxy, f"GET http://{address}/")
        assert b" 407 " in await said(proxy, f"GET {receiver.url}", password="guessed")
        assert b" 400 " in await said(proxy, "nonsense")
        assert b" 502 " in await said(proxy, "CONNECT 127.0.0.1:1")
        assert receiver.connections == 0


async def test_a_request_passes_without_the_gates_password() -> None:
    async with gate("allow") as proxy, listening() as receiver:
        receiver.say = answer(200, body=b"hello")
        async with httpx.AsyncClient(proxy=proxy, trust_env=False) as client:
            for _ in range(2):
                got = await client.post(receiver.url + "?a=%2F", content=b"x" * 300_000)
                assert (got.status_code, got.content) == (200, b"hello")
        for request in receiver.received:
            assert request.line == "POST /hook?a=%2F HTTP/1.1"
            assert (len(request.body), request.headers["connection"]) == (300_000, "close")
            assert "proxy-authorization" not in request.headers


async def test_a_tunnel_carries_bytes_both_ways() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(5))
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with gate("allow") as proxy:
        parts = urlsplit(proxy)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        word = httpx.BasicAuth("opal", parts.password or "")._auth_header
        writer.write(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nProxy-Authorization: {word}\r\n\r\n".encode())
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"bytes")
        assert await reader.read() == b"bytes"
        writer.close()
    server.close()
    await server.wait_closed()
