"""``/jobs/{id}/items/{item_id}``: one photo and its pictures, to be judged; and ``touch-up``, its brush."""

from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Request, Response

from opal.console.item_view import find_view, item_view
from opal.console.page import Page, pages_of
from opal.errors import NotFound
from opal.images.geometry import ALIGNMENTS
from opal.images.shadow import ShadowKind
from opal.placement.scene import NAMED_SCENES
from opal.web_api.parts import ItemId, JobId, WebParts, find_item, find_job

router = APIRouter(route_class=Page, include_in_schema=False)


def other_looks(request: Request) -> dict[str, Any]:
    """What the dialog that makes an item's pictures anew lets choose."""
    return {
        "scenes": NAMED_SCENES,
        "shadows": get_args(ShadowKind),
        "alignments": ALIGNMENTS,
        "engines": request.app.state.engines,
    }


@router.get("/jobs/{job_id}/items/{item_id}")
async def read_item(request: Request, parts: WebParts, job_id: JobId, item_id: ItemId) -> Response:
    """The photo, its cut-out, and every picture with its reports."""
    async with parts.database.read() as connection:
        job = await find_job(connection, request.state.tenant_id, job_id)
        item = await find_item(connection, request.state.tenant_id, job_id, item_id)
        found = await find_view(connection, job, item)
    view = await item_view(parts, found)
    return pages_of(request).render(request, "item", item=view, queue=None, **other_looks(request))


@router.get("/jobs/{job_id}/items/{item_id}/touch-up")
async def read_touch_up(
    request: Request,
    parts: WebParts,
    job_id: JobId,
    item_id: ItemId,
    queue: Annotated[Literal["all", "job"] | None, Query()] = None,
) -> Response:
    """The brush that corrects a cut-out; 404 while there is none. ``queue`` is where it was opened from."""
    async with parts.database.read() as connection:
        job = await find_job(connection, request.state.tenant_id, job_id)
        item = await find_item(connection, request.state.tenant_id, job_id, item_id)
        found = await find_view(connection, job, item)
    view = await item_view(parts, found)
    if not (view.has_photo and view.has_cutout):
        raise NotFound("There is no cut-out of this photo to touch up.")
    match queue:
        case "all":
            back = "/review"
        case "job":
            back = f"/jobs/{job_id}/review"
        case None:
            back = f"/jobs/{job_id}/items/{item_id}"
    return pages_of(request).render(request, "touch_up", item=view, back=back)
