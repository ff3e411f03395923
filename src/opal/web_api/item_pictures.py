"""``/v1/jobs/{id}/items/{item_id}/photo``, ``matte`` and ``cutout``: what pages show a person to judge by."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from opal.errors import InvalidPhoto, NotFound, PhotoRefused, PictureExpired, StoredPictureUnusable, walk
from opal.http.authentication import Tenant, TenantRoute
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.item import Item
from opal.web_api.conditional import NOT_MODIFIED, HeldTags, Version, is_held, private_headers
from opal.web_api.parts import ItemId, JobId, WebParts, find_item
from opal.web_api.shown_pictures import ShownPictures

router = APIRouter(route_class=TenantRoute, tags=["pictures"])

LONGEST_SIDE: Final = 4096
_MADE_BY: Final = "1"
"""Raised when the same photo would be shown as other bytes."""
_JPEG, _PNG, _WEBP = "image/jpeg", "image/png", "image/webp"


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose picture, how large it is to be, and what the client has of it."""

    item: Item
    shown: ShownPictures
    side: int | None
    version: int | None
    held: str | None


async def _asked(
    request: Request,
    parts: WebParts,
    tenant_id: Tenant,
    job_id: JobId,
    item_id: ItemId,
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
    version: Version = None,
    held: HeldTags = None,
) -> _Asked:
    async with parts.database.read() as connection:
        item = await find_item(connection, tenant_id, job_id, item_id)
    return _Asked(item, request.app.state.shown_pictures, side, version, held)


_Wanted = Annotated[_Asked, Depends(_asked)]
_Make = Callable[[Item, int | None], Awaitable[bytes]]
_UNREADABLE = tuple(kind for kind in walk(InvalidPhoto) if kind is not PhotoRefused)
_REFUSED = problems(*BY_KEY, NotFound, PictureExpired, *_UNREADABLE, StoredPictureUnusable, *ALWAYS)


def _picture(description: str, media_type: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"description": description, "content": content}


@router.get(
    "/v1/jobs/{job_id}/items/{item_id}/photo",
    response_class=Response,
    summary="Show an item's photo",
    responses={
        200: _picture("The photo, upright and in sRGB, as a JPEG.", _JPEG),
        **NOT_MODIFIED,
        **_REFUSED,
    },
)
async def read_photo(asked: _Wanted) -> Response:
    """As it was uploaded, but turned upright and in sRGB, so that every browser shows it alike.

    Transparency shows white. 404 before there is a photo, 410 once it was removed for its age.
    """
    item = asked.item
    version = f"photo {item.raw_path} {item.photo.get('etag')} {item.raw_expired_at}"
    return await _answer(asked.shown.photo, asked, (version, _JPEG))


@router.get(
    "/v1/jobs/{job_id}/items/{item_id}/matte",
    response_class=Response,
    summary="Show an item's matte",
    responses={
        200: _picture("An 8-bit grey PNG: 0 is ground, 255 is product.", _PNG),
        **NOT_MODIFIED,
        **_REFUSED,
    },
)
async def read_matte(asked: _Wanted) -> Response:
    """How much of each of the photo's pixels is product; what a touch-up begins with.

    404 before there is a cut-out, 410 once it was removed for its age.
    """
    version = f"matte {asked.item.matte_path} {asked.item.outputs_expired_at}"
    return await _answer(asked.shown.matte, asked, (version, _PNG))


@router.get(
    "/v1/jobs/{job_id}/items/{item_id}/cutout",
    response_class=Response,
    summary="Show an item's cut-out",
    responses={
        200: _picture("The product on transparent pixels; longer than 16,383 pixels it is a PNG.", _WEBP),
        **NOT_MODIFIED,
        **_REFUSED,
    },
)
async def read_cut_out(asked: _Wanted) -> Response:
    """The photo where the matte says product, on its own frame, its edge free of the old ground.

    404 before there is a cut-out, 410 once photo or cut-out was removed for its age.
    """
    item = asked.item
    expired = f"{item.raw_expired_at} {item.outputs_expired_at}"
    version = f"cut-out {item.raw_path} {item.photo.get('etag')} {item.matte_path} {expired}"
    return await _answer(asked.shown.cut_out, asked, (version, _WEBP))


async def _answer(make: _Make, asked: _Asked, made: tuple[str, str]) -> Response:
    """The picture, unless the client has this version: nothing is decoded to find that out.

    ``made`` is what the picture is made of, and its media type. What has expired is another version, so that
    nobody is told that they hold it still.
    """
    version, media_type = made
    digest = hashlib.sha256(f"{_MADE_BY} {asked.item.id} {version} {asked.side}".encode()).hexdigest()[:32]
    headers = private_headers(digest, asked.version)
    if is_held(asked.held, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    data = await make(asked.item, asked.side)
    return Response(data, media_type=_PNG if data.startswith(b"\x89PNG") else media_type, headers=headers)
