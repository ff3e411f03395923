"""``/v1/jobs/{id}/events``: a job's story as server-sent events, resumable, ending when the job ends."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from opal.database import events, items, jobs
from opal.database.engine import Database
from opal.database.jobs import ReviewCounts
from opal.errors import NotFound
from opal.http.authentication import Tenant, TenantRoute
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.events import ItemEvent
from opal.items.item import Item
from opal.items.next_steps import NextStep, next_steps
from opal.items.review import ReviewVerdict
from opal.items.states import ItemState, JobStatus, job_status
from opal.web_api.event_tail import EventTail
from opal.web_api.job_view import is_finished
from opal.web_api.parts import JobId, WebParts, find_job

router = APIRouter(route_class=TenantRoute, tags=["jobs"])

_PAGE = 500
_LEAVES_STEPS = frozenset({ItemState.EXPORTED, ItemState.FAILED})


class ItemChange(BaseModel):
    """Data of an ``item`` event: one photo moved, or tried again."""

    item_id: str
    state: ItemState
    attempt: int
    code: str | None
    message: str | None
    review: bool = Field(description="The photo is marked for review.")
    verdict: ReviewVerdict | None = Field(default=None, description="What a person says of the pictures.")
    revision: int = Field(
        default=0, description="Which of the photo's revisions its pictures are; 0: as they first came."
    )
    next_steps: list[NextStep] = Field(
        default=[],
        description="What is sensible about the photo, as in the job's `items`; empty once it has moved on.",
    )
    at: datetime


class JobChange(BaseModel):
    """Data of a ``job`` event: where the job stands after the events before it."""

    job_id: str
    status: JobStatus
    counts: dict[ItemState, int]
    review: int = Field(description="Photos marked for review, judged or not.")
    to_review: int = Field(default=0, description="Those of them that wait for a verdict.")
    finished: bool


_EXAMPLE = (
    "event: item\n"
    'data: {"item_id": "item_3b0c5c0e9a1f4d5e6a7b8c9d", "state": "exported", "attempt": 1, "code": null, '
    '"message": null, "review": false, "verdict": null, "revision": 0, "next_steps": [], '
    '"at": "2026-03-02T12:00:06Z"}\n'
    "id: 57\n\n"
    "event: job\n"
    'data: {"job_id": "job_9f1c2d3e4a5b6c7d8e9f0a1b", "status": "finished", "counts": {"exported": 1}, '
    '"review": 0, "to_review": 0, "finished": true}\n'
    "id: 57\n\n"
)


@dataclass(frozen=True, slots=True)
class _Start:
    """A job to follow, from after event ``seq`` on."""

    job_id: str
    seq: int
    database: Database
    tail: EventTail


async def _start(
    request: Request,
    parts: WebParts,
    tenant_id: Tenant,
    job_id: JobId,
    *,
    last_event_id: Annotated[
        int,
        Header(ge=0, le=2**63 - 1, description="Resume after this event; browsers send it by themselves."),
    ] = 0,
    after: Annotated[
        int,
        Query(ge=0, le=2**63 - 1, description="The same for an EventSource made anew; the larger counts."),
    ] = 0,
) -> _Start:
    """Everything that can be refused is refused here, before the stream has begun."""
    seen = max(last_event_id, after)
    async with parts.database.read() as connection:
        job = await find_job(connection, tenant_id, job_id)
        if seen:
            counts = await jobs.state_counts(connection, [job.id])
            if is_finished(counts[job.id]) and not await events.events_after(connection, job.id, seen, 1):
                # The one answer that keeps an EventSource from connecting again and again.
                raise HTTPException(204)
    return _Start(job.id, seen, parts.database, request.app.state.event_tail)


@router.get(
    "/v1/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    summary="Follow a job",
    responses={
        200: {
            "description": "Events as they happen: `item` with an ItemChange, `job` with a JobChange.",
            "content": {"text/event-stream": {"example": _EXAMPLE}},
        },
        204: {"description": "The job is finished and the client has seen all of it."},
        **problems(*BY_KEY, NotFound, *ALWAYS),
    },
)
async def follow_job(start: Annotated[_Start, Depends(_start)]) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: ``item`` for every change of a photo, ``job`` when the job's figures change.

    Ids grow; a client that comes back with ``Last-Event-ID`` misses nothing. Comments keep the
    connection open. The stream ends with a ``job`` event whose ``finished`` is true.
    """
    seq = start.seq
    told: JobChange | None = None
    async with start.tail.follow() as changed:
        while not start.tail.stopped:
            changed.clear()
            read = await _read(start.database, start.job_id, seq, start.tail.settled)
            for event in read.page:
                seq = event.seq
                change = _item_change(event, read.standing.get(event.item_id))
                yield ServerSentEvent(event="item", id=str(seq), data=change)
            if len(read.page) == _PAGE:
                continue
            now = _job_change(start.job_id, read.counts, read.review)
            if now != told:
                told = now
                yield ServerSentEvent(event="job", id=str(seq), data=now)
            if now.finished:
                return
            await changed.wait()


@dataclass(frozen=True, slots=True)
class _Read:
    """Events of a job, its figures, and how those of their items stand that may leave something to do."""

    page: list[ItemEvent]
    counts: Counter[ItemState]
    review: ReviewCounts
    standing: dict[str, Item]


async def _read(database: Database, job_id: str, seq: int, settled: int) -> _Read:
    """The job's counts and marks, then its events: when nothing more can happen, all of them are there."""
    async with database.read() as connection:
        counts = (await jobs.state_counts(connection, [job_id]))[job_id]
        review = (await jobs.review_counts(connection, [job_id]))[job_id]
        up_to = None if is_finished(counts) else settled
        page = await events.events_after(connection, job_id, seq, _PAGE, up_to=up_to)
        ended = {event.item_id for event in page if event.target in _LEAVES_STEPS}
        return _Read(page, counts, review, await items.items_by_id(connection, ended))


def _item_change(event: ItemEvent, item: Item | None) -> ItemChange:
    """``item``: as it stands now, where it ended with one of the events."""
    return ItemChange(
        item_id=event.item_id,
        state=event.target,
        attempt=event.attempt,
        code=event.code,
        message=event.message,
        review=bool(event.details.get("review")),
        verdict=event.details.get("verdict"),
        revision=event.details.get("revision", 0),
        next_steps=next_steps(item) if item is not None and item.state is event.target else [],
        at=event.at,
    )


def _job_change(job_id: str, counts: Counter[ItemState], review: ReviewCounts) -> JobChange:
    return JobChange(
        job_id=job_id,
        status=job_status(counts.elements()),
        counts=dict(counts),
        review=review.marked,
        to_review=review.to_review,
        finished=is_finished(counts),
    )
