"""``/v1/jobs``: create, list, read and cancel jobs."""

import hashlib
import json
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import idempotency, items, jobs, public_links
from opal.database.brand_profiles import UnknownBrandProfile
from opal.database.jobs import NewItem
from opal.errors import (
    BackdropNotReady,
    BackdropTooSmall,
    IdempotencyKeyInFlight,
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidInput,
    InvalidJson,
    InvalidPlacement,
    InvalidScene,
    JobFinished,
    LeaseLost,
    NotFound,
    PublicLinksOff,
    UnknownBackdrop,
    UnknownPreset,
    UnknownScene,
)
from opal.faults import PRINTABLE
from opal.http.authentication import Tenant, TenantRoute, require_same_tenant
from opal.http.errors import BodyTooLarge, TenantMismatch, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, correlation_id_of, problems
from opal.items.states import TERMINAL
from opal.web_api.brand_profiles import job_recipe
from opal.web_api.idempotency_key import IdempotencyKey
from opal.web_api.job_view import (
    CANCELLED_JOB_EXAMPLE,
    FINISHED_JOB_EXAMPLE,
    NEW_JOB_EXAMPLE,
    SUMMARY_EXAMPLE,
    JobDetail,
    JobSummary,
    job_detail,
    job_summary,
)
from opal.web_api.parts import JobId, WebParts, find_job
from opal.web_api.recipe import RecipeRequest

router = APIRouter(route_class=TenantRoute, tags=["jobs"])

_CANCEL_TRIES = 5


class NewPhoto(BaseModel):
    """A photo that will be uploaded."""

    model_config = ConfigDict(extra="forbid")

    filename: str = Field(
        min_length=1,
        max_length=255,
        pattern=PRINTABLE,
        description="Names the results where there is no SKU; no path is made of it.",
    )
    sku: str | None = Field(
        default=None,
        max_length=64,
        pattern=PRINTABLE,
        description="Your product number or GTIN; names the results.",
    )


class NewJob(RecipeRequest):
    """Photos and what to do with them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "spring mugs",
                    "scene": "studio-white",
                    "presets": ["square-1x1", "amazon-main"],
                    "items": [{"filename": "mug.jpg", "sku": "MUG-01"}],
                }
            ]
        },
    )

    name: str = Field(default="", max_length=200, pattern=PRINTABLE)
    brand_profile: str | None = Field(
        default=None,
        description="The id of a brand profile, for what the job does not say of scene, placement, presets, "
        "prompt and seed.",
    )
    public_links: bool | None = Field(
        default=None,
        strict=True,
        description="Whether its pictures have public links; left out: as /v1/public-links "
        "says. True needs them to be on.",
    )
    tenant_id: str | None = Field(default=None, description="May be left out; else it must be the key's own.")
    items: list[NewPhoto] = Field(min_length=1, description="One entry per photo.")


class JobPage(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobSummary]
    next_cursor: str | None = Field(description="Pass as `cursor` for older jobs; null at the end.")


@router.post(
    "/v1/jobs",
    status_code=201,
    response_model=JobDetail,
    summary="Create a job",
    responses={
        **answer("The new job, with the ids under which its photos are uploaded.", NEW_JOB_EXAMPLE, 201),
        **problems(
            InvalidJson,
            *BY_KEY,
            InsufficientCredits,
            TenantMismatch,
            UnknownBackdrop,
            UnknownBrandProfile,
            BackdropNotReady,
            PublicLinksOff,
            IdempotencyKeyInFlight,
            BodyTooLarge,
            UnsupportedMediaType,
            UnknownScene,
            InvalidScene,
            BackdropTooSmall,
            InvalidPlacement,
            UnknownPreset,
            IdempotencyKeyReused,
            *ALWAYS,
        ),
    },
)
async def create_job(
    request: Request,
    parts: WebParts,
    tenant_id: Tenant,
    body: NewJob,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Hold one credit per photo and answer with the ids under which the photos are uploaded."""
    require_same_tenant(tenant_id, body.tenant_id)
    most = parts.settings.web.max_items_per_job
    if len(body.items) > most:
        raise InvalidInput(f"body.items: {len(body.items)} photos; a job may have at most {most}.")
    hashed = request_hash(await request.body())
    async with parts.database.transaction() as connection:
        if idempotency_key is not None:
            stored = await idempotency.begin(connection, tenant_id, idempotency_key, hashed)
            if stored is not None:
                return _created(stored.status, stored.body, replayed=True)
        recipe = await job_recipe(connection, tenant_id, body, body.brand_profile)
        if body.public_links and await public_links.read_setting(connection, tenant_id) is None:
            raise PublicLinksOff
        job, new_items = await jobs.create_job(
            connection,
            tenant_id,
            recipe,
            [NewItem(photo.filename, photo.sku) for photo in body.items],
            name=body.name,
            correlation_id=correlation_id_of(request),
            public_links=body.public_links,
        )
        created = job_detail(job, new_items).model_dump_json()
        if idempotency_key is not None:
            await idempotency.finish(connection, tenant_id, idempotency_key, 201, created)
    return _created(201, created, replayed=False)


@router.get(
    "/v1/jobs",
    summary="List jobs",
    responses={
        **answer("One page of jobs.", JobPage(jobs=[SUMMARY_EXAMPLE], next_cursor=None)),
        **problems(*BY_KEY, NotFound, *ALWAYS),
    },
)
async def list_jobs(
    parts: WebParts,
    tenant_id: Tenant,
    limit: Annotated[int, Query(ge=1, le=200, description="Jobs per page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="From `next_cursor`.")] = None,
) -> JobPage:
    """The tenant's jobs, newest first, without their items."""
    async with parts.database.read() as connection:
        if cursor is not None:
            await find_job(connection, tenant_id, cursor)
        found = await jobs.list_jobs(connection, tenant_id, limit + 1, cursor)
        page = found[:limit]
        counts = await jobs.state_counts(connection, [job.id for job in page])
        marked = await jobs.review_counts(connection, [job.id for job in page])
    return JobPage(
        jobs=[job_summary(job, counts[job.id], marked[job.id]) for job in page],
        next_cursor=page[-1].id if len(found) > limit else None,
    )


@router.get(
    "/v1/jobs/{job_id}",
    summary="Read a job",
    responses={
        **answer("The job as it stands.", FINISHED_JOB_EXAMPLE),
        **problems(*BY_KEY, NotFound, *ALWAYS),
    },
)
async def read_job(
    parts: WebParts,
    tenant_id: Tenant,
    job_id: JobId,
    review: Annotated[
        bool | None,
        Query(description="Show only the photos that are (or are not) marked for review; counts are of all."),
    ] = None,
) -> JobDetail:
    """The job's status, counts and items, each with its error or its figures."""
    async with parts.database.read() as connection:
        job = await find_job(connection, tenant_id, job_id)
        return job_detail(job, await items.list_items(connection, job.id), review=review)


@router.delete(
    "/v1/jobs/{job_id}",
    summary="Cancel a job",
    responses={
        **answer("The job, cancelled.", CANCELLED_JOB_EXAMPLE),
        **problems(*BY_KEY, NotFound, JobFinished, *ALWAYS),
    },
)
async def cancel_job(parts: WebParts, tenant_id: Tenant, job_id: JobId) -> JobDetail:
    """Cancel every photo that is not completed yet and release its credit.

    Completed photos keep their pictures. Cancelling again answers the same; a job that ended by itself
    cannot be cancelled any more.
    """
    for _ in range(_CANCEL_TRIES):
        try:
            async with parts.database.transaction() as connection:
                return await _cancel(connection, tenant_id, job_id)
        except LeaseLost:
            continue  # A worker moved an item in between: look again.
    raise LeaseLost


async def _cancel(connection: AsyncConnection, tenant_id: str, job_id: str) -> JobDetail:
    job = await find_job(connection, tenant_id, job_id)
    # One of which a revision is being made has its pictures: there is nothing left of the job to cancel.
    every = await items.list_items(connection, job.id)
    ended = all(item.state in TERMINAL or item.pending_revision is not None for item in every)
    if job.cancelled_at is None and ended:
        raise JobFinished
    await jobs.cancel_job(connection, job, by="web-api")
    job = await find_job(connection, tenant_id, job_id)
    return job_detail(job, await items.list_items(connection, job.id))


def _created(status: int, body: str, *, replayed: bool) -> Response:
    headers = {"Location": f"/v1/jobs/{json.loads(body)['id']}"}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def request_hash(body: bytes) -> str:
    """What a repeated ``POST /v1/jobs`` is recognised by.

    The same for bodies that differ only in white space or the order of their keys.
    """
    canonical = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"POST /v1/jobs\n" + canonical.encode()).hexdigest()
