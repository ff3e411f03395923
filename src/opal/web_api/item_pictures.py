"""``/v1/jobs/{id}/items/{item_id}/photo``, ``matte`` and ``cutout``: what pages show a person to judge by."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from opal.errors import InvalidPhoto, NotFound, PhotoRefused, PictureExpired, StoredPictureUnusable, walk
from opal.http.authentication import Tenant, TenantRoute
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.item import Item
from opal.web_api.parts import ItemId, JobId, WebParts, find_item
from opal.web_api.public_pictures import is_held
from opal.web_api.shown_pictures import ShownPictures

router = APIRouter(route_class=TenantRoute, tags=["pictures"])

LONGEST_SIDE: Final = 4096
_MADE_BY: Final = "1"
"""Raised when the same photo would be shown as other bytes."""
_JPEG, _PNG, _WEBP = "image/jpeg", "image/png", "image/webp"


@dataclass(frozen=True, slots=True)
class _Asked:
    """How large a picture is to be, and what the client has of it."""

    side: int | None
    version: int | None
    held: str | None


def _asked(
    *,
    side: Annotated[
        int | None,
        Query(
            ge=16,
            le=LONGEST_SIDE,
            description="Most pixels of the longer side; left out: the photo's own size. Never enlarged.",
            examples=[1600],
        ),
    ] = None,
    version: Annotated[
        int | None,
        Query(alias="v", ge=0, description="The photo's `revision`: then it may be kept for a while."),
    ] = None,
    held: Annotated[
        str | None, Header(alias="If-None-Match", description="ETags of what the client has already.")
    ] = None,
) -> _Asked:
    return _Asked(side, version, held)


_Wanted = Annotated[_Asked, Depends(_asked)]
_Responses = dict[int | str, dict[str, Any]]
_Make = Callable[[Item, int | None], Awaitable[bytes]]
_UNREADABLE = tuple(kind for kind in walk(InvalidPhoto) if kind is not PhotoRefused)
_REFUSED = problems(*BY_KEY, NotFound, PictureExpired, *_UNREADABLE, StoredPictureUnusable, *ALWAYS)
_SAME: _Responses = {304: {"description": "The version that the client has is the one there is."}}


def _picture(description: str, media_type: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"description": description, "content": content}


@router.get(
    "/v1/jobs/{job_id}/items/{item_id}/photo",
    response_class=Response,
    summary="Show an item's photo",
    responses={200: _picture("The photo, upright and in sRGB, as a JPEG.", _JPEG), **_SAME, **_REFUSED},
)
async def read_photo(
    request: Request,
    parts: WebParts,
    tenant_id: Tenant,
    job_id: JobId,
    item_id: ItemId,
    *,
    asked: _Wanted,
) -> Response:
    """As it was uploaded, but turned upright and in sRGB, so that every browser shows it alike.

    Transparency shows white. 404 before there is a photo, 410 once it was removed for its age.
    """
    async with parts.database.read() as connection:
        item = await find_item(connection, tenant_id, job_id, item_id)
    version = f"photo {item.raw_path} {item.photo.get('etag')} {item.raw_expired_at}"
    return await _answer(_shown(request).photo, item, asked, (version, _JPEG))


@router.get(
    "/v1/jobs/{job_id}/items/{item_id}/matte",
    response_class=Response,
    summary="Show an item's matte",
    responses={
        200: _picture("An 8-bit grey PNG: 0 is ground, 255 is product.", _PNG),
        **_SAME,
        **_REFUSED,
    },
)
async def read_matte(
    request: Request,
    parts: WebParts,
    tenant_id: Tenant,
    job_id: JobId,
    item_id: ItemId,
    *,
    asked: _Wanted,
) -> Response:
    """How much of each of the photo's pixels is product; what a touch-up begins with.

    404 before there is a cut-out, 410 once it was removed for its age.
    """
    async with parts.database.read() as connection:
        item = await find_item(connection, tenant_id, job_id, item_id)
    version = f"matte {item.matte_path} {item.outputs_expired_at}"
    return await _answer(_shown(request).matte, item, asked, (version, _PNG))


@router.get(
    "/v1/jobs/{job_id}/items/{item_id}/cutout",
    response_class=Response,
    summary="Show an item's cut-out",
    responses={
        200: _picture("The product on transparent pixels; longer than 16,383 pixels it is a PNG.", _WEBP),
        **_SAME,
        **_REFUSED,
    },
)
async def read_cut_out(
    request: Request,
    parts: WebParts,
    tenant_id: Tenant,
    job_id: JobId,
    item_id: ItemId,
    *,
    asked: _Wanted,
) -> Response:
    """The photo where the matte says product, on its own frame, its edge free of the old ground.

    404 before there is a cut-out, 410 once photo or cut-out was removed for its age.
    """
    async with parts.database.read() as connection:
        item = await find_item(connection, tenant_id, job_id, item_id)
    expired = f"{item.raw_expired_at} {item.outputs_expired_at}"
    version = f"cut-out {item.raw_path} {item.photo.get('etag')} {item.matte_path} {expired}"
    return await _answer(_shown(request).cut_out, item, asked, (version, _WEBP))


def _shown(request: Request) -> ShownPictures:
    shown = request.app.state.shown_pictures
    assert isinstance(shown, ShownPictures)
    return shown


async def _answer(make: _Make, item: Item, asked: _Asked, made: tuple[str, str]) -> Response:
    """The picture, unless the client has this version: nothing is decoded to find that out.

    ``made`` is what the picture is made of, and its media type. What has expired is another version, so that
    nobody is told that they hold it still.
    """
    version, media_type = made
    digest = hashlib.sha256(f"{_MADE_BY} {item.id} {version} {asked.side}".encode()).hexdigest()[:32]
    headers = {
        # A revision has another matte: only an address that names it may go unasked for an hour.
        "Cache-Control": "private, no-cache" if asked.version is None else "private, max-age=3600",
        "ETag": f'"{digest}"',
        "X-Content-Type-Options": "nosniff",
    }
    if is_held(asked.held, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    data = await make(item, asked.side)
    return Response(data, media_type=_PNG if data.startswith(b"\x89PNG") else media_type, headers=headers)
