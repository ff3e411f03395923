"""A real HTTP server on loopback that notes what it is sent and answers as it is told, badly too."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    """A plain answer."""
    lines = [f"HTTP/1.1 {status} Told", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes
    tls_name: str | None


@dataclass(slots=True)
class Receiver:
    """``say`` is what is answered; None: nothing at all. ``forever`` is repeated after it without end."""

    port: int = 0
    say: bytes | None = OK
    forever: bytes = b""
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most_open: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    tls_name: str | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    async def wait_for(self, count: int, timeout_s: float = 60.0) -> list[Received]:
        """The requests, once there are ``count``."""
        async with asyncio.timeout(timeout_s):
            while len(self.received) < count:
                self.heard.clear()
                await self.heard.wait()
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request, one answer, closed."""
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer_one(reader, writer)
        finally:
            self.open -= 1
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.received.append(Received(head[0], headers, body, self.tls_name))
        self.heard.set()
        if self.say is None:
            await self.let_go.wait()
            return
        writer.write(self.say)
        await writer.drain()
        while self.forever:
            writer.write(self.forever)
            await writer.drain()
            await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: setattr(receiver, "tls_name", name)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.let_go.set()
        receiver.forever = b""
        server.close()
        await server.wait_closed()
