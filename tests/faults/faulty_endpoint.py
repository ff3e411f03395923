"""A placement endpoint on a real socket that fails by a plan, and counts what it is asked.

Spoken by hand, because no HTTP server lets itself be made to break off an answer or to say something else.
"""

import asyncio
import base64
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

import httpx
from tests.faults.instant_endpoint import meta, pictures
from tests.faults.listening import listening
from tests.services.pipeline_world import HEIGHT, WIDTH

from opal.messages.scoring_contract import ScoreError, ScoreErrorBody, ScoreMeta, ScoreRequest, ScoreResponse

_SETTLES_S = 0.05
"""After this long a connection that the client has closed is no longer counted as a request under way."""


class Trouble(Enum):
    """What becomes of one request."""

    NONE = "answered"
    BUSY = 429
    FAILED = 500
    TIMEOUT = 408
    MODEL = 424
    HANG = "never answered"
    GARBAGE = "no JSON"
    NONSENSE = "no HTTP"
    TRUNCATED = "broken off"
    REFUSED = "refused for good"
    WRONG_PICTURE = "a matte that is none"


Plan = Callable[[str, int], Trouble]
"""Of an item and of how often it was asked before."""
Score = Callable[[ScoreRequest], Awaitable[ScoreResponse]]


def never(_item_id: str, _before: int) -> Trouble:
    """The plan of an endpoint that always works."""
    return Trouble.NONE


async def inline(wanted: ScoreRequest) -> ScoreResponse:
    """An ellipse for a cut-out, in the answer itself, for photos as ``pipeline_world`` makes them."""
    scene, matte = (base64.b64encode(data).decode() for data in pictures(WIDTH, HEIGHT))
    told = ScoreMeta.model_validate(meta(WIDTH, HEIGHT, wanted.seed))
    return ScoreResponse(image_bytes_b64=scene, matte_bytes_b64=matte, meta=told)


@dataclass(slots=True)
class FaultyEndpoint:
    """Takes up to ``longest_s`` per request, any number at a time."""

    plan: Plan = never
    longest_s: float = 0.15
    score: Score = inline
    url: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    """By item."""
    troubles: Counter[Trouble] = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0
    _moments: random.Random = field(default_factory=lambda: random.Random(3))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._one(reader, writer):
                continue

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection may carry another."""
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        wanted = ScoreRequest.model_validate_json(await reader.readexactly(length))
        trouble = self.plan(wanted.item_id, self.calls[wanted.item_id])
        self.calls[wanted.item_id] += 1
        self.troubles[trouble] += 1
        self.in_flight += 1
        asyncio.get_running_loop().call_later(_SETTLES_S, self._look)
        try:
            if trouble is Trouble.HANG:
                await reader.read()  # until the client hangs up
                return False
            await asyncio.sleep(self._moments.uniform(_SETTLES_S, self.longest_s))
            answer = await self._answer(wanted, trouble)
        finally:
            self.in_flight -= 1
        last = trouble in {Trouble.TRUNCATED, Trouble.NONSENSE}
        writer.write(answer[: len(answer) * 2 // 3] if trouble is Trouble.TRUNCATED else answer)
        await writer.drain()
        if last:
            writer.close()
            await writer.wait_closed()
        return not last

    async def _answer(self, wanted: ScoreRequest, trouble: Trouble) -> bytes:
        match trouble:
            case Trouble.BUSY | Trouble.FAILED | Trouble.TIMEOUT | Trouble.MODEL:
                return _http(int(trouble.value), b'{"message":"platform"}')
            case Trouble.GARBAGE:
                return _http(200, b"<html>a proxy was here</html>")
            case Trouble.NONSENSE:
                return b"SSH-2.0-OpenSSH_9.7\r\n"
            case Trouble.REFUSED:
                return _error("no_product_found", retryable=False)
        try:
            scored = await self.score(wanted)
        except httpx.HTTPError:
            return _error("photo_unreachable", retryable=True)
        if trouble is Trouble.WRONG_PICTURE:
            scored = scored.model_copy(
                update={"matte_bytes_b64": base64.b64encode(b"\x89PNG no more").decode()}
            )
        return _http(200, scored.model_dump_json(exclude_none=True).encode())

    def _look(self) -> None:
        self.most_in_flight = max(self.most_in_flight, self.in_flight)


def _error(code: str, *, retryable: bool) -> bytes:
    body = ScoreError(error=ScoreErrorBody(code=code, message="Why not.", retryable=retryable))
    return _http(500 if retryable else 422, json.dumps(body.model_dump()).encode())


def _http(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@asynccontextmanager
async def serving(endpoint: FaultyEndpoint) -> AsyncIterator[FaultyEndpoint]:
    """``endpoint`` on a free loopback port."""
    async with listening(endpoint.serve) as port:
        endpoint.url = f"http://127.0.0.1:{port}/score"
        yield endpoint
