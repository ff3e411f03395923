"""``/v1/backdrops/{id}/preview``: a backdrop small enough to choose it by, and to set its ground line on."""

import asyncio
from typing import Final

from fastapi import APIRouter, Request, Response

from opal.database import backdrops
from opal.errors import BackdropNotReady, BackdropUnusable, UnknownBackdrop
from opal.http.authentication import Tenant, TenantRoute
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.images.preview import small_webp
from opal.web_api.backdrops import BackdropId
from opal.web_api.conditional import NOT_MODIFIED, HeldTags, is_held
from opal.web_api.parts import WebParts
from opal.web_api.preview_work import PreviewWork

router = APIRouter(route_class=TenantRoute, tags=["backdrops"])

_SIDE: Final = 960
_MEDIA_TYPE: Final = "image/webp"


@router.get(
    "/v1/backdrops/{backdrop_id}/preview",
    response_class=Response,
    summary="Show a backdrop, small",
    responses={
        200: {
            "description": f"The whole picture as a WebP of at most {_SIDE} pixels.",
            "content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        **NOT_MODIFIED,
        **problems(*BY_KEY, UnknownBackdrop, BackdropNotReady, BackdropUnusable, *ALWAYS),
    },
)
async def read_backdrop_preview(
    request: Request,
    parts: WebParts,
    tenant_id: Tenant,
    backdrop_id: BackdropId,
    *,
    held: HeldTags = None,
) -> Response:
    """For pages that show what there is to choose from."""
    async with parts.database.read() as connection:
        stored = await backdrops.ready_backdrop(connection, tenant_id, backdrop_id)
    # A backdrop's picture never changes once it is there.
    headers = {
        "Cache-Control": "private, max-age=86400, immutable",
        "ETag": f'"{backdrop_id}-{_SIDE}"',
        "X-Content-Type-Options": "nosniff",
    }
    if is_held(held, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    work: PreviewWork = request.app.state.preview_work
    picture = await work.backdrop(stored)
    small = await asyncio.to_thread(small_webp, picture.pixels, _SIDE)
    return Response(small, media_type=_MEDIA_TYPE, headers=headers)
