"""An HTTP proxy before a blob store that answers 503, breaks bodies off, loses answers and stalls.

One request per connection, so that each has a fate of its own.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

from tests.faults.listening import listening


class Fate(Enum):
    """What becomes of one request."""

    PASSED = "passed on"
    REFUSED = "503, without asking the store"
    BROKEN_BODY = "the body of the request or of the answer ends half-way"
    ANSWER_LOST = "the store did it, and nobody is told"
    STALLED = "taken in, and nothing happens"


SHARES = {Fate.REFUSED: 0.05, Fate.BROKEN_BODY: 0.05, Fate.ANSWER_LOST: 0.03, Fate.STALLED: 0.01}

_BUSY = b"HTTP/1.1 503 Busy\r\nx-ms-error-code: ServerBusy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(slots=True)
class BlobProxy:
    """Between clients and the store on port ``upstream``; faults only while ``faulty``.

    ``shares`` are those of requests whose head ``strikes`` takes; a request is never struck otherwise.
    """

    upstream: int
    stall_s: float
    seed: int
    faulty: bool = False
    shares: Mapping[Fate, float] = field(default_factory=lambda: SHARES)
    strikes: Callable[[bytes], bool] = lambda _head: True
    fates: Counter[Fate] = field(default_factory=Counter)
    port: int = 0
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            fate = self._fate(head)
            self.fates[fate] += 1
            await self._meet(fate, head, body, reader, writer)

    def _fate(self, head: bytes) -> Fate:
        if not self.faulty or not self.strikes(head):
            return Fate.PASSED
        spared = 1 - sum(self.shares.values())
        return self._rng.choices([*self.shares, Fate.PASSED], [*self.shares.values(), spared])[0]

    async def _meet(
        self,
        fate: Fate,
        head: bytes,
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if fate is Fate.REFUSED:
            writer.write(_BUSY)
            await _sent(writer)
            return
        if fate is Fate.STALLED:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.stall_s):
                    await reader.read()  # until the client hangs up
            return
        if fate is Fate.BROKEN_BODY and body:
            return  # no store takes half a body
        answer = await self._ask(head, body)
        if fate is Fate.ANSWER_LOST:
            return
        if fate is Fate.BROKEN_BODY:
            start = answer.index(b"\r\n\r\n") + 4
            answer = answer[: start + (len(answer) - start) // 2]
        writer.write(answer)
        await _sent(writer)

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        lines.insert(1, b"Connection: close")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            writer.write(b"\r\n".join(lines) + body)
            return await reader.read()
        finally:
            writer.transport.abort()


def _length(head: bytes) -> int:
    value = head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0]
    return int(value) if value else 0


async def _sent(writer: asyncio.StreamWriter) -> None:
    """Wait until the last byte is out, as the connection is aborted next."""
    writer.write_eof()
    await writer.drain()
    with suppress(OSError):
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def blob_proxy(upstream: int, *, stall_s: float, seed: int) -> AsyncIterator[BlobProxy]:
    """A proxy of the store on ``upstream`` until the block ends."""
    proxy = BlobProxy(upstream, stall_s, seed)
    async with listening(proxy.serve) as port:
        proxy.port = port
        yield proxy
