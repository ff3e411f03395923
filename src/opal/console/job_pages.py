"""``/jobs``: all jobs; ``/jobs/{id}``: one job's photos, first as they stand, then live."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from opal.console.page import Page, pages_of
from opal.console.words import words
from opal.database import items, jobs
from opal.items.item import Item
from opal.items.states import TERMINAL, ItemState, JobStatus
from opal.marketplaces.presets import Preset
from opal.web_api.job_view import JobSummary, is_finished, job_summary
from opal.web_api.parts import JobId, WebParts, find_job
from opal.web_api.recipe import presets_of

router = APIRouter(route_class=Page, include_in_schema=False)

_JOBS_A_PAGE: Final = 30
_CARDS_A_PAGE: Final = 48
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
    review: int
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
    took: str | None


@router.get("/jobs")
async def read_jobs(
    request: Request, parts: WebParts, before: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """The tenant's jobs, newest first."""
    tenant_id: str = request.state.tenant_id
    async with parts.database.read() as connection:
        if before is not None:
            await find_job(connection, tenant_id, before)
        found = await jobs.list_jobs(connection, tenant_id, _JOBS_A_PAGE + 1, before)
        page = found[:_JOBS_A_PAGE]
        ids = [job.id for job in page]
        counts = await jobs.state_counts(connection, ids)
        marked = await jobs.review_counts(connection, ids)
        covers = await jobs.first_exported(connection, ids)
    rows = [_row(job_summary(job, counts[job.id], marked[job.id]), covers.get(job.id)) for job in page]
    older = page[-1].id if len(found) > _JOBS_A_PAGE else None
    return pages_of(request).render(request, "jobs", rows=rows, older=older, first=before is None)


@router.get("/jobs/{job_id}")
async def read_job(
    request: Request,
    parts: WebParts,
    job_id: JobId,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """One job; a page of its photos, which a browser with scripts replaces by all of them, live."""
    async with parts.database.read() as connection:
        job = await find_job(connection, request.state.tenant_id, job_id)
        everything = await items.list_items(connection, job.id)
        counts = (await jobs.state_counts(connection, [job.id]))[job.id]
    summary = job_summary(job, counts, sum(item.review for item in everything))
    shown = everything[(page - 1) * _CARDS_A_PAGE : page * _CARDS_A_PAGE]
    scene = job.recipe.scene
    return pages_of(request).render(
        request,
        "job",
        job=_row(summary, None),
        finished=is_finished(counts),
        ended=summary.status in _ENDED,
        cards=[_card(item) for item in shown],
        scene=scene if isinstance(scene, str) else words().say(f"scene_kind.{scene['kind']}"),
        presets=[_preset_name(preset) for preset in presets_of(job.recipe)],
        exported=counts[ItemState.EXPORTED],
        waiting=counts[ItemState.CREATED],
        most_bytes=parts.settings.photo.max_bytes,
        blobs_here=parts.settings.blob.adapter == "folder",
        page=page,
        pages=-(-len(everything) // _CARDS_A_PAGE),
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
        review=job.review,
        cover=cover,
    )


def _card(item: Item) -> ItemCard:
    ended = item.state in TERMINAL
    seconds = (item.updated_at - item.created_at).total_seconds()
    return ItemCard(
        id=item.id,
        name=item.sku or item.filename,
        state=item.state,
        error=item.error_message,
        review=item.review,
        took=words().say("job.took", seconds=f"{seconds:.1f}") if ended and item.error_code is None else None,
    )


def _preset_name(preset: Preset) -> str:
    return preset.title
