"""``/review`` and ``/jobs/{id}/review``: one doubtful cut-out after the other, until none waits."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.console.item_page import other_looks
from opal.console.item_view import find_view, item_view, job_title
from opal.console.page import Page, pages_of
from opal.database import jobs, review_queue
from opal.database.items import get_item
from opal.items.item import Item
from opal.web_api.parts import JobId, WebParts, find_job

router = APIRouter(route_class=Page, include_in_schema=False)

MOST_COUNTED: Final = 1000
_After = Annotated[str | None, Query(max_length=64)]


@dataclass(frozen=True, slots=True)
class Queue:
    """The place in the queue that the page is at."""

    address: str
    job_title: str | None
    count: int
    """At most ``MOST_COUNTED`` are counted."""
    following: Item | None
    """The one behind this one; its pictures are fetched ahead."""

    @property
    def told(self) -> str:
        """The count for people."""
        return f"{MOST_COUNTED:,}+" if self.count >= MOST_COUNTED else f"{self.count:,}"


@router.get("/review")
async def read_review(request: Request, parts: WebParts, after: _After = None) -> Response:
    """The tenant's photo that has waited longest, or the first behind ``after``."""
    return await _review(request, parts, None, after)


@router.get("/jobs/{job_id}/review")
async def read_job_review(request: Request, parts: WebParts, job_id: JobId, after: _After = None) -> Response:
    """The same of one job."""
    return await _review(request, parts, job_id, after)


async def _review(request: Request, parts: WebParts, job_id: str | None, after: str | None) -> Response:
    tenant_id: str = request.state.tenant_id
    address = "/review" if job_id is None else f"/jobs/{job_id}/review"
    async with parts.database.read() as connection:
        asked = None if job_id is None else await find_job(connection, tenant_id, job_id)
        title = None if asked is None else job_title(asked)
        item = await _next(connection, tenant_id, job_id, after)
        if item is None:
            return pages_of(request).render(request, "review_empty", job_id=job_id, job_title=title)
        count = await review_queue.count_waiting(connection, tenant_id, job_id, most=MOST_COUNTED)
        following = await review_queue.next_waiting(connection, tenant_id, job_id, item)
        job = await jobs.tenant_job(connection, tenant_id, item.job_id)
        found = await find_view(connection, job, item)
    view = await item_view(parts, found)
    queue = Queue(address, title, count, following)
    return pages_of(request).render(request, "item", item=view, queue=queue, **other_looks(request))


async def _next(
    connection: AsyncConnection, tenant_id: str, job_id: str | None, after: str | None
) -> Item | None:
    """Behind the last one the queue begins anew: what was put off comes again."""
    seen = None if after is None else await get_item(connection, after)
    if seen is not None and seen.tenant_id == tenant_id:
        behind = await review_queue.next_waiting(connection, tenant_id, job_id, seen)
        if behind is not None:
            return behind
    return await review_queue.next_waiting(connection, tenant_id, job_id)
