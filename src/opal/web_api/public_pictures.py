"""``/p/{token}/{name}``: finished pictures for everybody who has their address. No key, no query, cacheable.

The bytes go through web-api in pieces: a redirect to blob storage would bring a query with it, which some
channels refuse. What is unknown, turned off, cancelled or mistyped is answered alike.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Path, Request, Response

from opal.database.public_links import PublicPicture, public_picture
from opal.errors import BlobNotFound, NotFound, PictureExpired
from opal.http.errors import DownloadsBusy, RangeNotSatisfiable
from opal.http.problem import ALWAYS, problem_of, problems
from opal.web_api.blob_answer import Pace, StoredBlob, WantedRange, blob_answer, wanted_range
from opal.web_api.conditional import NOT_MODIFIED, HeldTags, is_held
from opal.web_api.parts import PlatformParts
from opal.web_api.public_links import TOKEN_EXAMPLE

router = APIRouter(tags=["pictures"])

_PATH = "/p/{token}/{name}"
_UNCACHED: Final = {"Cache-Control": "no-store"}
_PUBLIC: Final = {
    # The address seals the picture's hash: what lies there never changes.
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Disposition": "inline",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    # Shops show and edit pictures in pages of their own; no cookie or key is ever looked at here.
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}

_WHOLE: dict[str, Any] = {
    "description": "The picture",
    "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
}
_DOCS: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: _WHOLE,
        206: {**_WHOLE, "description": "The part of the picture that was asked for"},
        **NOT_MODIFIED,
        **problems(NotFound, PictureExpired, RangeNotSatisfiable, DownloadsBusy, *ALWAYS),
    },
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Address:
    """What a public link says."""

    token: str
    name: str


def _address(
    token: Annotated[str, Path(description="Which picture, and the proof of it.", examples=[TOKEN_EXAMPLE])],
    name: Annotated[
        str, Path(description="The picture's name with its ending.", examples=["MUG-01-amazon-main.jpg"])
    ],
) -> _Address:
    return _Address(token, name)


_Asked = Annotated[_Address, Depends(_address)]
_Wanted = Annotated[WantedRange, Depends(wanted_range)]


@router.get(_PATH, **_DOCS, summary="Fetch a picture by its public link")
async def get_public_picture(
    request: Request, parts: PlatformParts, asked: _Asked, wanted: _Wanted, held: HeldTags = None
) -> Response:
    """The finished picture, for everybody; only while its tenant has public links turned on."""
    return await _answer(request, parts, asked, wanted, held)


@router.head(_PATH, **_DOCS, summary="Look at a picture by its public link")
async def head_public_picture(
    request: Request, parts: PlatformParts, asked: _Asked, wanted: _Wanted, held: HeldTags = None
) -> Response:
    """The headers of the picture without its bytes."""
    return await _answer(request, parts, asked, wanted, held)


async def _answer(
    request: Request, parts: PlatformParts, asked: _Address, wanted: WantedRange, held: str | None
) -> Response:
    async with parts.database.read() as connection:
        picture = await public_picture(connection, asked.token, asked.name)
    if picture is None:
        return problem_of(request, NotFound(), headers=_UNCACHED)
    if picture.expired_at is not None:
        return problem_of(request, PictureExpired(), headers=_UNCACHED)
    headers = {**_PUBLIC, "ETag": f'"{picture.sha256}"'}
    if is_held(held, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    pace: Pace = request.app.state.public_pace
    if request.method == "GET" and pace.full:
        return problem_of(request, DownloadsBusy(), headers=_UNCACHED)
    blob = await _stored(parts, picture)
    if blob is None:
        return problem_of(request, NotFound(), headers=_UNCACHED)
    return blob_answer(request, blob, wanted, headers, media_type=picture.content_type, pace=pace)


async def _stored(parts: PlatformParts, picture: PublicPicture) -> StoredBlob | None:
    """The picture's blob; None where it is gone, or is not the one that the row tells of."""
    try:
        info = await parts.blobs.info("exports", picture.path)
    except BlobNotFound:
        info = None
    if info is None or info.size != picture.bytes:
        _log.error("public picture is gone", action="public_picture.gone", path=picture.path)
        return None
    return StoredBlob(parts.blobs, "exports", picture.path, info)
