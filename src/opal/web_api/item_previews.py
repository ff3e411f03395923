"""``/v1/jobs/{id}/items/{item_id}/preview``: a finished picture, small enough to show hundreds of."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from opal.database.variants import VariantRow, list_variants
from opal.errors import NotFound, PictureExpired
from opal.http.authentication import Tenant, TenantRoute
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.web_api.conditional import NOT_MODIFIED, HeldTags, Version, is_held, private_headers
from opal.web_api.job_reports import LARGEST_SHOWN, Previews
from opal.web_api.parts import ItemId, JobId, WebParts, find_item, find_job

router = APIRouter(route_class=TenantRoute, tags=["pictures"])

_SIDE: Final = 480
"""Pixels of the longer side, unless asked for; shown at half of that, it is sharp on dense screens too."""
_LONGEST_SIDE: Final = 4096
_MEDIA_TYPE: Final = "image/webp"


@router.get(
    "/v1/jobs/{job_id}/items/{item_id}/preview",
    response_class=Response,
    summary="Show one of an item's pictures, small",
    responses={
        200: {
            "description": f"The picture as a WebP of at most {_SIDE} pixels, or of `side`.",
            "content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        **NOT_MODIFIED,
        **problems(*BY_KEY, NotFound, PictureExpired, *ALWAYS),
    },
)
async def read_preview(
    request: Request,
    parts: WebParts,
    tenant_id: Tenant,
    job_id: JobId,
    item_id: ItemId,
    *,
    preset: Annotated[
        str | None,
        Query(max_length=64, description="Whose picture; left out: the first preset's that the job names."),
    ] = None,
    side: Annotated[int, Query(ge=16, le=_LONGEST_SIDE, description="Its longer side at most.")] = _SIDE,
    version: Version = None,
    held: HeldTags = None,
) -> Response:
    """For pages that show many, and pictures that browsers cannot show themselves, such as TIFF.

    404 while there is no picture, or where it is too large to be shown small.
    """
    async with parts.database.read() as connection:
        job = await find_job(connection, tenant_id, job_id)
        item = await find_item(connection, tenant_id, job_id, item_id)
        rows = await list_variants(connection, item.id)
    shown = _first_shown(rows, job.recipe.presets) if preset is None else _shown_of(rows, preset)
    if shown is None:
        raise NotFound("There is no picture of this photo to show.")
    headers = private_headers(f"{shown.sha256[:32]}-{side}", version)
    if is_held(held, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    previews: Previews = request.app.state.previews
    small = await previews.webp(shown, side, LARGEST_SHOWN)
    if small is None:
        raise NotFound("There is no picture of this photo to show.")
    return Response(small, media_type=_MEDIA_TYPE, headers=headers)


def _first_shown(rows: Sequence[VariantRow], presets: Sequence[str]) -> VariantRow | None:
    """That of the first preset asked for, so that all of a job's previews are alike."""
    there = {row.preset: row for row in rows if row.expired_at is None}
    return next((there[preset] for preset in presets if preset in there), None)


def _shown_of(rows: Sequence[VariantRow], preset: str) -> VariantRow | None:
    """That of one preset. Raises ``PictureExpired`` for one that was removed for its age."""
    found = next((row for row in rows if row.preset == preset), None)
    if found is not None and found.expired_at is not None:
        raise PictureExpired
    return found
