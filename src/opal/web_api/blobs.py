"""``/blobs/…``: the folder store's signed URLs, answering as Azure Blob Storage would, errors as problems."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response

from opal.blobs.folder import FolderBlobs
from opal.blobs.interface import BlobInfo, Permission
from opal.database.engine import Database
from opal.database.expiry import has_expired
from opal.errors import (
    BlobExists,
    BlobNotFound,
    NotFound,
    PhotoTooLarge,
    PictureExpired,
    SignatureInvalid,
)
from opal.http.errors import MissingHeader, RangeNotSatisfiable
from opal.http.problem import ALWAYS, problems
from opal.web_api.blob_answer import StoredBlob, WantedRange, blob_answer, wanted_range
from opal.web_api.job_view import ITEM_ID_EXAMPLE, JOB_ID_EXAMPLE

PREFIX = "/blobs/"
_PATH = "/blobs/{container}/{path:path}"
_PATH_EXAMPLE = f"acme/jobs/{JOB_ID_EXAMPLE}/items/{ITEM_ID_EXAMPLE}/exports/1/amazon-main.jpg"
_BINARY: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_PRIVATE = {
    "Cache-Control": "private, no-store",
    # A photo is never a page: what it is was decided by us, not by the browser.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}

_SIGNATURE: list[dict[str, Any]] = [
    {"name": name, "in": "query", "required": needed, "description": text, "schema": {"type": "string"}}
    for name, needed, text in (
        ("sp", True, "Permission, part of the signed URL."),
        ("se", True, "Expiry, part of the signed URL."),
        ("rscd", False, "Content-Disposition of the answer, part of the signed URL."),
        ("sig", True, "Signature, part of the signed URL."),
    )
]
_BLOB_TYPE: dict[str, Any] = {
    "name": "x-ms-blob-type",
    "in": "header",
    "required": True,
    "description": "As Azure Blob Storage requires it.",
    "schema": {"type": "string", "enum": ["BlockBlob"]},
}
_WHOLE = {"description": "The blob, with its own media type", "content": _BINARY}

_UPLOAD_DOCS: dict[str, Any] = {
    "status_code": 201,
    "response_class": Response,
    "summary": "Upload to a signed URL",
    "responses": {
        201: {"description": "The blob is there; its ETag is in the headers."},
        **problems(MissingHeader, SignatureInvalid, NotFound, BlobExists, PhotoTooLarge, *ALWAYS),
    },
    "openapi_extra": {
        "parameters": [*_SIGNATURE, _BLOB_TYPE],
        "requestBody": {"required": True, "content": _BINARY},
    },
}
_DOWNLOAD_DOCS: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: _WHOLE,
        206: {**_WHOLE, "description": "The part of the blob that was asked for"},
        **problems(SignatureInvalid, NotFound, BlobNotFound, PictureExpired, RangeNotSatisfiable, *ALWAYS),
    },
    "openapi_extra": {"parameters": _SIGNATURE},
}


@dataclass(frozen=True, slots=True)
class _BlobName:
    """Which blob a signed URL names."""

    container: str
    path: str


def _blob_name(
    container: Annotated[str, Path(description="`raw`, `outputs` or `exports`.", examples=["exports"])],
    path: Annotated[str, Path(description="The blob's own path.", examples=[_PATH_EXAMPLE])],
) -> _BlobName:
    return _BlobName(container, path)


_Blob = Annotated[_BlobName, Depends(_blob_name)]
_Wanted = Annotated[WantedRange, Depends(wanted_range)]


def blob_routes(blobs: FolderBlobs, max_bytes: int) -> APIRouter:
    """The routes behind ``blobs``' signed URLs; uploads may have ``max_bytes``."""
    router = APIRouter(tags=["blobs"])

    @router.put(_PATH, **_UPLOAD_DOCS)
    async def put_blob(
        request: Request,
        blob: _Blob,
        x_ms_blob_type: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """Create the one blob that the URL was signed for, once."""
        grant = blobs.verify(blob.container, blob.path, request.query_params, Permission.CREATE)
        if x_ms_blob_type != "BlockBlob":
            raise MissingHeader
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > max_bytes:
            raise PhotoTooLarge(f"The photo has {int(declared):,} bytes; at most {max_bytes:,} are allowed.")
        kind = request.headers.get("content-type", "application/octet-stream")
        info = await blobs.put_stream(
            blob.container, blob.path, request.stream(), max_bytes, kind, until=grant.expires_at
        )
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


async def _answer(request: Request, blobs: FolderBlobs, blob: _BlobName, wanted: WantedRange) -> Response:
    database: Database = request.app.state.database
    grant = blobs.verify(blob.container, blob.path, request.query_params, Permission.READ)
    try:
        info = await blobs.info(blob.container, blob.path)
    except BlobNotFound as error:
        async with database.read() as connection:
            if await has_expired(connection, blob.container, blob.path):
                raise PictureExpired from error
        raise
    headers = {**_PRIVATE, **_version(info)}
    if grant.content_disposition is not None:
        headers["Content-Disposition"] = grant.content_disposition
    blob_there = StoredBlob(blobs, blob.container, blob.path, info)
    return blob_answer(request, blob_there, wanted, headers, media_type=info.content_type)


def _version(info: BlobInfo) -> dict[str, str]:
    modified = info.modified_at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return {"ETag": f'"{info.etag}"', "Last-Modified": modified}
