"""``/jobs``: all jobs; ``/jobs/{id}``: one job's photos, first as they stand, then live."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from opal.console import sift
from opal.console.page import Page, pages_of
from opal.console.security import HEADERS
from opal.console.sift import ORDERS, SHOWN, Sifted
from opal.console.words import words
from opal.database import items, jobs
from opal.errors import NotFound
from opal.items.item import Item
from opal.items.next_steps import waits_for_review
from opal.items.states import TERMINAL, ItemState, JobStatus
from opal.web_api.job_view import JobSummary, is_finished, job_summary, review_counts_of
from opal.web_api.parts import JobId, WebParts, find_job
from opal.web_api.recipe import presets_of

router = APIRouter(route_class=Page, include_in_schema=False)

_JOBS_A_PAGE: Final = 30
_CARDS_A_PAGE: Final = 24
_ENDED: Final = frozenset({JobStatus.FINISHED, JobStatus.FINISHED_WITH_FAILURES, JobStatus.FAILED})


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in the list."""

    id: str
    title: str
    status: JobStatus
    created_at: datetime
    total: int
    done: int
    failed: int
    cancelled: int
    to_review: int
    cover: str | None
    """The item whose picture stands for the job; None while there is no picture."""


@dataclass(frozen=True, slots=True)
class ItemCard:
    """A photo of a job, ready to show."""

    id: str
    name: str
    state: ItemState
    error: str | None
    review: bool
    revision: int
    took: str | None


@router.get("/jobs")
async def read_jobs(
    request: Request,
    parts: WebParts,
    before: Annotated[str | None, Query(max_length=64)] = None,
    find: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The tenant's jobs, newest first; with ``find`` those that are called so, or have a photo called so."""
    tenant_id: str = request.state.tenant_id
    find = find.strip()
    async with parts.database.read() as connection:
        if before is not None:
            await find_job(connection, tenant_id, before)
        found = await jobs.list_jobs(connection, tenant_id, _JOBS_A_PAGE + 1, before, find=find)
        page = found[:_JOBS_A_PAGE]
        ids = [job.id for job in page]
        counts = await jobs.state_counts(connection, ids)
        marked = await jobs.review_counts(connection, ids)
        covers = await jobs.first_exported(connection, ids)
    rows = [_row(job_summary(job, counts[job.id], marked[job.id]), covers.get(job.id)) for job in page]
    older = page[-1].id if len(found) > _JOBS_A_PAGE else None
    return pages_of(request).render(
        request,
        "jobs",
        rows=rows,
        older=older,
        first=before is None,
        find=find,
        kept_days=parts.settings.retention.exports_days,
    )


@router.get("/jobs/{job_id}/cover")
async def read_cover(request: Request, parts: WebParts, job_id: JobId) -> Response:
    """To the picture that stands for the job; for a list that stays open until there is one."""
    async with parts.database.read() as connection:
        job = await find_job(connection, request.state.tenant_id, job_id)
        covers = await jobs.first_exported(connection, [job.id])
    if job.id not in covers:
        raise NotFound("This job has no picture yet.")
    address = f"/v1/jobs/{job.id}/items/{covers[job.id]}/preview"
    return RedirectResponse(address, status_code=307, headers=HEADERS)


@router.get("/jobs/{job_id}")
async def read_job(
    request: Request,
    parts: WebParts,
    job_id: JobId,
    sifted: Sifted,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """One job; a page of its photos, which a browser with scripts replaces by all of them, live."""
    async with parts.database.read() as connection:
        job = await find_job(connection, request.state.tenant_id, job_id)
        everything = await items.list_items(connection, job.id)
        counts = (await jobs.state_counts(connection, [job.id]))[job.id]
    summary = job_summary(job, counts, review_counts_of(everything))
    found = sifted.of(everything)
    shown = found[(page - 1) * _CARDS_A_PAGE : page * _CARDS_A_PAGE]
    scene = job.recipe.scene
    presets = presets_of(job.recipe)
    return pages_of(request).render(
        request,
        "job",
        job=_row(summary, None),
        finished=is_finished(counts),
        ended=summary.status in _ENDED,
        cards=[_card(item) for item in shown],
        scene=scene if isinstance(scene, str) else words().say(f"scene_kind.{scene['kind']}"),
        presets=presets,
        exported=counts[ItemState.EXPORTED],
        waiting=counts[ItemState.CREATED],
        sifted=sifted,
        ways=list(SHOWN),
        orders=ORDERS,
        sifted_counts=sift.counts(everything),
        page=page,
        pages=-(-len(found) // _CARDS_A_PAGE),
        most_bytes=parts.settings.photo.max_bytes,
        blobs_here=parts.settings.blob.adapter == "folder",
    )


def _row(job: JobSummary, cover: str | None) -> JobRow:
    done = sum(count for state, count in job.counts.items() if state in TERMINAL)
    return JobRow(
        id=job.id,
        title=job.name or words().say("jobs.unnamed", day=f"{job.created_at:%-d %B}"),
        status=job.status,
        created_at=job.created_at,
        total=job.total,
        done=done,
        failed=job.counts.get(ItemState.FAILED, 0),
        cancelled=job.counts.get(ItemState.CANCELLED, 0),
        to_review=job.to_review,
        cover=cover,
    )


def _card(item: Item) -> ItemCard:
    # Of one that was judged or changed since, nothing says when its pictures were ready.
    timed = item.state in TERMINAL and item.error_code is None and not item.revision and item.verdict is None
    seconds = (item.updated_at - item.created_at).total_seconds()
    return ItemCard(
        id=item.id,
        name=item.sku or item.filename,
        state=item.state,
        error=item.error_message,
        review=waits_for_review(item),
        revision=item.revision,
        took=words().say("job.took", seconds=f"{seconds:.1f}") if timed else None,
    )
