"""The answer that is a blob, or one range of it, in little memory.

Used by `blobs.py` and `public_pictures.py`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Header, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Message, Send

from opal.blobs.interface import BlobInfo, Blobs
from opal.errors import BlobNotFound
from opal.http.errors import RangeNotSatisfiable
from opal.http.problem import problem_of

_PIECE = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


@dataclass(frozen=True, slots=True)
class WantedRange:
    """Which part of a blob a client wants."""

    byte_range: str | None
    if_range: str | None


def wanted_range(
    byte_range: Annotated[
        str | None, Header(alias="Range", description="One range of bytes.", examples=["bytes=0-1023"])
    ] = None,
    if_range: Annotated[
        str | None, Header(alias="If-Range", description="The range only of this version, else the whole.")
    ] = None,
) -> WantedRange:
    """What the request's headers ask for; a FastAPI dependency."""
    return WantedRange(byte_range, if_range)


class Pace:
    """Bounds downloads that need no key: how many at a time, and how slow a client may be."""

    def __init__(self, most: int, *, send_within_s: float = 30.0) -> None:
        self.send_within_s = send_within_s
        self._most = most
        self._running = 0

    @property
    def full(self) -> bool:
        """Whether there are as many as may be."""
        return self._running >= self._most

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts one download while it lasts."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """Which version of which blob is to be sent."""

    blobs: Blobs
    container: str
    path: str
    info: BlobInfo


def blob_answer(
    request: Request,
    blob: StoredBlob,
    wanted: WantedRange,
    headers: Mapping[str, str],
    *,
    media_type: str,
    pace: Pace | None = None,
) -> Response:
    """The blob or one range of it; ``headers`` hold its ETag. A HEAD gets the headers alone.

    With ``pace`` it is counted there, and a client that stops taking bytes is left.
    """
    size = blob.info.size
    sent = {**headers, "Accept-Ranges": "bytes"}
    byte_range = wanted.byte_range if wanted.if_range in (None, headers["ETag"]) else None
    try:
        span = requested_span(byte_range, size)
    except RangeNotSatisfiable as error:
        return problem_of(request, error, headers={"Content-Range": f"bytes */{size}"})
    start, end = span or (0, size)
    sent["Content-Length"] = str(end - start)
    if span is not None:
        sent["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    status = 200 if span is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=sent, media_type=media_type)
    read = partial(blob.blobs.read, blob.container, blob.path, etag=blob.info.etag)
    pieces = _pieces(read, start, end)
    if pace is None:
        return StreamingResponse(pieces, status, sent, media_type=media_type)
    return _PacedStream(pieces, pace, status, sent, media_type)


class _PacedStream(StreamingResponse):
    """A stream that is counted, and gives up a client that takes no more bytes."""

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        pace: Pace,
        status: int,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        super().__init__(pieces, status, headers, media_type=media_type)
        self._pace = pace

    async def stream_response(self, send: Send) -> None:
        """Send the pieces, each within the pace's time."""

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._pace.send_within_s):
                    await send(message)
            except TimeoutError as error:
                # What a server raises when the client is gone.
                raise OSError("The client takes no more bytes.") from error

        with self._pace.running():
            await super().stream_response(send_in_time)


def requested_span(header: str | None, size: int) -> tuple[int, int] | None:
    """The bytes ``[start, end)`` that a ``Range`` header asks for; None stands for all of them.

    One range only: several, or what is no byte range, may be answered with the whole (RFC 9110, 14.2).
    Raises ``RangeNotSatisfiable`` for a range that begins behind the end.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size or start >= end:
        raise RangeNotSatisfiable
    return start, end


async def _pieces(read: Callable[..., Awaitable[bytes]], start: int, end: int) -> AsyncIterator[bytes]:
    """Bytes ``[start, end)`` piece by piece; ``read`` is bound to one version of one blob."""
    while start < end:
        piece = await read(start=start, length=min(_PIECE, end - start))
        if not piece:
            raise BlobNotFound
        start += len(piece)
        yield piece
