"""A proxy on loopback through which libraries with a client of their own go out, under the same rules.

A library that looks names up itself could be led to a private address between our look and its own. It is
given this gate as its proxy instead: the gate looks up, judges and connects (``client.py``); of TLS it sees
only the encrypted bytes. Used by ``destinations/object_store.py``.
"""

import asyncio
import base64
import hmac
import secrets
from contextlib import suppress

import structlog

from opal.errors import AddressRefused, OutgoingFailed
from opal.outgoing.client import Outgoing

_HEAD_S = 10.0
_LONGEST_HEAD = 65_536
_PIECE = 65_536
# Hop-by-hop, and the gate's own password: none of the destination's business.
_KEPT_BACK = (b"proxy-authorization", b"proxy-connection", b"connection", b"keep-alive")

_log = structlog.get_logger(__name__)


class Gate:
    """One per process, listening from the first use on; only who knows its password may pass."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._password = secrets.token_hex(16)
        word = base64.b64encode(f"opal:{self._password}".encode())
        self._expected = b"Basic " + word
        self._starting = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def url(self) -> str:
        """The proxy's URL, password and all; never logged."""
        async with self._starting:
            if self._server is None:
                self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_LONGEST_HEAD)
        port = self._server.sockets[0].getsockname()[1]
        return f"http://opal:{self._password}@127.0.0.1:{port}"

    async def close(self) -> None:
        """Let nobody in any more, and end what is under way."""
        if self._server is not None:
            self._server.close()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="outgoing-gate")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError
            ):
                await self._pass_on(reader, writer)
        finally:
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_S):
            head = await reader.readuntil(b"\r\n\r\n")
        request, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        headers = [(_name(line), line) for line in lines]
        words = [line.partition(b":")[2].strip() for name, line in headers if name == b"proxy-authorization"]
        if len(words) != 1 or not hmac.compare_digest(words[0], self._expected):
            return await _refuse(writer, b"407 Proxy Authentication Required")
        try:
            method, target, version = request.split(b" ")
            tunnel = method == b"CONNECT"
            url = (b"https://" + target + b"/" if tunnel else target).decode("ascii")
        except ValueError:
            return await _refuse(writer, b"400 Bad Request")
        try:
            there, upstream = await self._outgoing.connect(url)
        except AddressRefused as error:
            _log.warning("outgoing refused", action="outgoing.refused", reason=error.message)
            return await _refuse(writer, b"403 Forbidden")
        except OutgoingFailed:
            return await _refuse(writer, b"502 Bad Gateway")
        try:
            if tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                # One request per connection, so that none after it passes the gate unread.
                kept = [line for name, line in headers if name not in _KEPT_BACK]
                first = b" ".join((method, _path_of(target), version))
                upstream.write(b"\r\n".join((first, *kept, b"Connection: close")) + b"\r\n\r\n")
            await _both_ways(reader, writer, there, upstream, tunnel=tunnel)
        finally:
            upstream.close()


def _name(header: bytes) -> bytes:
    return header.partition(b":")[0].strip().lower()


def _path_of(target: bytes) -> bytes:
    """Path and query of an absolute URL, as they were written: a signature covers them."""
    rest = target.partition(b"://")[2]
    slash = rest.find(b"/")
    return rest[slash:] if slash >= 0 else b"/"


async def _both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there: asyncio.StreamReader,
    upstream: asyncio.StreamWriter,
    *,
    tunnel: bool,
) -> None:
    """Until the destination is done; a client that has said all may still be waiting for its answer."""
    sending = asyncio.create_task(_copy(reader, upstream))
    try:
        if not tunnel:
            # Said to the client too, or it would send its next request while this connection closes.
            status, *lines = (await there.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n").split(b"\r\n")
            kept = [line for line in lines if _name(line) not in _KEPT_BACK]
            writer.write(b"\r\n".join((status, *kept, b"Connection: close")) + b"\r\n\r\n")
        await _copy(there, writer)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE):
        sink.write(piece)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()


async def _refuse(writer: asyncio.StreamWriter, status: bytes) -> None:
    writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
