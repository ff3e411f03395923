"""A TCP proxy on loopback whose far side can be away: refused, or swallowed without a word."""

import asyncio
import contextlib
from collections.abc import Iterator
from enum import Enum
from typing import Self


class Path(Enum):
    """What becomes of bytes and connections."""

    OPEN = "passed on"
    REFUSED = "connections end and none is accepted"
    SWALLOWED = "connections stay and are accepted, nothing arrives"


class TcpProxy:
    """Between clients of ``port`` and a server on ``upstream``; used as an ``async with`` block."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._connections: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._open.set()
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.take(Path.REFUSED)

    async def take(self, path: Path) -> None:
        """From now on. Bytes that were swallowed are passed on late, as a network does that comes back."""
        if path is Path.OPEN:
            self._open.set()
        else:
            self._open.clear()
        if path is Path.REFUSED:
            if self._server is not None:
                self._server.close()
                self._server = None
            for writer in list(self._connections):
                writer.transport.abort()
        elif self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._held(writer), contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
            with self._held(far_writer):
                ways = {
                    asyncio.create_task(self._pass(reader, far_writer)),
                    asyncio.create_task(self._pass(far_reader, writer)),
                }
                # Either end's end is both ends'.
                _done, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in left:
                    way.cancel()
                await asyncio.wait(ways)

    @contextlib.contextmanager
    def _held(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._connections.add(writer)
        try:
            yield
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
