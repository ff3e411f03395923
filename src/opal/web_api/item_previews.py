"""``/v1/jobs/{id}/items/{item_id}/preview``: a finished picture, small enough to show hundreds of."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response

from opal.database.variants import VariantRow, list_variants
from opal.errors import NotFound
from opal.http.authentication import Tenant, TenantRoute
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.web_api.job_reports import Previews
from opal.web_api.parts import ItemId, JobId, WebParts, find_item, find_job
from opal.web_api.public_pictures import is_held

router = APIRouter(route_class=TenantRoute, tags=["pictures"])

_SIDE: Final = 480
"""Pixels of the longer side; shown at half of that, it is sharp on dense screens too."""
_MEDIA_TYPE: Final = "image/webp"


@router.get(
    "/v1/jobs/{job_id}/items/{item_id}/preview",
    response_class=Response,
    summary="Show an item's first picture, small",
    responses={
        200: {
            "description": f"The picture of the job's first preset as a WebP of at most {_SIDE} pixels.",
            "content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        304: {"description": "The version that the client has is the one there is."},
        **problems(*BY_KEY, NotFound, *ALWAYS),
    },
)
async def read_preview(
    request: Request,
    parts: WebParts,
    tenant_id: Tenant,
    job_id: JobId,
    item_id: ItemId,
    *,
    held: Annotated[
        str | None, Header(alias="If-None-Match", description="ETags of what the client has already.")
    ] = None,
) -> Response:
    """For pages that show many: 404 while there is no picture, or where it is too large to be shown small."""
    async with parts.database.read() as connection:
        job = await find_job(connection, tenant_id, job_id)
        item = await find_item(connection, tenant_id, job_id, item_id)
        rows = await list_variants(connection, item.id)
    shown = _first_shown(rows, job.recipe.presets)
    if shown is None:
        raise NotFound("There is no picture of this photo to show.")
    # An item's picture never changes once it is there; asked for after an hour, it is only confirmed.
    headers = {
        "Cache-Control": "private, max-age=3600",
        "ETag": f'"{shown.sha256[:32]}-{_SIDE}"',
        "X-Content-Type-Options": "nosniff",
    }
    if is_held(held, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    previews: Previews = request.app.state.previews
    small = await previews.webp(shown, _SIDE)
    if small is None:
        raise NotFound("There is no picture of this photo to show.")
    return Response(small, media_type=_MEDIA_TYPE, headers=headers)


def _first_shown(rows: Sequence[VariantRow], presets: Sequence[str]) -> VariantRow | None:
    """That of the first preset asked for, so that all of a job's previews are alike."""
    there = {row.preset: row for row in rows if row.expired_at is None}
    return next((there[preset] for preset in presets if preset in there), None)
