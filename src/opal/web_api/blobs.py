"""``/blobs/…``: the folder store's signed URLs, answering as Azure Blob Storage would, errors as problems."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from opal.blobs.folder import FolderBlobs
from opal.blobs.interface import BlobInfo, Permission
from opal.errors import BlobExists, BlobNotFound, NotFound, PhotoTooLarge, SignatureInvalid
from opal.http.errors import MissingHeader, RangeNotSatisfiable
from opal.http.problem import ALWAYS, problem_of, problems

PREFIX = "/blobs/"
_PATH = "/blobs/{container}/{path:path}"
_PIECE = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_BINARY: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_PRIVATE = {
    "Cache-Control": "private, no-store",
    # A photo is never a page: what it is was decided by us, not by the browser.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}

_UPLOAD_DOCS: dict[str, Any] = {
    "status_code": 201,
    "response_class": Response,
    "summary": "Upload to a signed URL",
    "responses": problems(MissingHeader, SignatureInvalid, NotFound, BlobExists, PhotoTooLarge, *ALWAYS),
    "openapi_extra": {"requestBody": {"required": True, "content": _BINARY}},
}
_DOWNLOAD_DOCS: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: {"content": _BINARY},
        206: {"content": _BINARY, "description": "The part asked for"},
        **problems(SignatureInvalid, NotFound, BlobNotFound, RangeNotSatisfiable, *ALWAYS),
    },
}


@dataclass(frozen=True, slots=True)
class _BlobName:
    """Which blob a signed URL names."""

    container: str
    path: str


@dataclass(frozen=True, slots=True)
class _Range:
    """Which part of it a client wants."""

    byte_range: str | None
    if_range: str | None


def _blob_name(
    container: str,
    path: str,
    _sp: Annotated[str, Query(alias="sp", description="Permission, part of the signed URL.")] = "",
    _se: Annotated[str, Query(alias="se", description="Expiry, part of the signed URL.")] = "",
    _sig: Annotated[str, Query(alias="sig", description="Signature, part of the signed URL.")] = "",
) -> _BlobName:
    return _BlobName(container, path)


def _range(
    byte_range: Annotated[str | None, Header(alias="Range", examples=["bytes=0-1023"])] = None,
    if_range: Annotated[str | None, Header(alias="If-Range")] = None,
) -> _Range:
    return _Range(byte_range, if_range)


_Blob = Annotated[_BlobName, Depends(_blob_name)]
_Wanted = Annotated[_Range, Depends(_range)]


def blob_routes(blobs: FolderBlobs, max_bytes: int) -> APIRouter:
    """The routes behind ``blobs``' signed URLs; uploads may have ``max_bytes``."""
    router = APIRouter(tags=["blobs"])

    @router.put(_PATH, **_UPLOAD_DOCS)
    async def put_blob(
        request: Request,
        blob: _Blob,
        x_ms_blob_type: Annotated[str, Header(description="`BlockBlob`, as Azure requires it.")] = "",
    ) -> Response:
        """Create the one blob that the URL was signed for, once."""
        blobs.verify(blob.container, blob.path, request.query_params, Permission.CREATE)
        if x_ms_blob_type != "BlockBlob":
            raise MissingHeader
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > max_bytes:
            raise PhotoTooLarge(f"The photo has {int(declared):,} bytes; at most {max_bytes:,} are allowed.")
        kind = request.headers.get("content-type", "application/octet-stream")
        info = await blobs.put_stream(blob.container, blob.path, request.stream(), max_bytes, kind)
        return Response(status_code=201, headers=_version(info))

    @router.get(_PATH, **_DOWNLOAD_DOCS, summary="Download from a signed URL")
    async def get_blob(request: Request, blob: _Blob, wanted: _Wanted) -> Response:
        """Read the one blob that the URL was signed for, whole or one range of it."""
        return await _answer(request, blobs, blob, wanted)

    @router.head(_PATH, **_DOWNLOAD_DOCS, summary="Look at what a signed URL leads to")
    async def head_blob(request: Request, blob: _Blob, wanted: _Wanted) -> Response:
        """The headers of a download without the bytes."""
        return await _answer(request, blobs, blob, wanted)

    return router


async def _answer(request: Request, blobs: FolderBlobs, blob: _BlobName, wanted: _Range) -> Response:
    grant = blobs.verify(blob.container, blob.path, request.query_params, Permission.READ)
    info = await blobs.info(blob.container, blob.path)
    headers = {**_PRIVATE, **_version(info), "Accept-Ranges": "bytes"}
    if grant.content_disposition is not None:
        headers["Content-Disposition"] = grant.content_disposition
    byte_range = wanted.byte_range if wanted.if_range in (None, headers["ETag"]) else None
    try:
        span = requested_span(byte_range, info.size)
    except RangeNotSatisfiable as error:
        return problem_of(request, error, headers={"Content-Range": f"bytes */{info.size}"})
    start, end = span or (0, info.size)
    headers["Content-Length"] = str(end - start)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{info.size}"
    status = 200 if span is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=info.content_type)
    read = partial(blobs.read, blob.container, blob.path, etag=info.etag)
    return StreamingResponse(_pieces(read, start, end), status, headers, media_type=info.content_type)


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


def _version(info: BlobInfo) -> dict[str, str]:
    modified = info.modified_at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return {"ETag": f'"{info.etag}"', "Last-Modified": modified}
