"""Deliveries of pictures, by job and by target: how each is getting on, and doing it again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import delivery_targets as targets
from opal.database import items, picture_deliveries
from opal.database.delivery_plan import plan_job
from opal.database.picture_deliveries import DeliveryContent, PictureDelivery, PictureDeliveryState
from opal.errors import (
    DeliveryTargetDisabled,
    InvalidJson,
    NotFound,
    UnknownDelivery,
    UnknownDeliveryTarget,
)
from opal.http.authentication import Tenant, TenantRoute
from opal.http.errors import BodyTooLarge, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.review import ReviewVerdict
from opal.items.states import ItemState
from opal.web_api.delivery_targets import TARGET_ID_EXAMPLE, TargetId
from opal.web_api.job_view import ITEM_ID_EXAMPLE, JOB_ID_EXAMPLE
from opal.web_api.page_cursor import PageCursor, PageLimit, page_of, place_of
from opal.web_api.parts import JobId, WebParts, find_job

router = APIRouter(route_class=TenantRoute, tags=["delivery"])

_ID = "delivery_1e2f3a4b5c6d7e8f9a0b1c2d"
DeliveryId = Annotated[str, Path(description="The delivery's id.", examples=[_ID])]


class PictureDeliveryView(BaseModel):
    """One file's way to one target."""

    id: str = Field(examples=[_ID])
    target_id: str
    job_id: str
    item_id: str
    preset: str
    content: DeliveryContent
    path: str = Field(description="Where it goes, in the target.", examples=["MUG-01/amazon-main.jpg"])
    state: PictureDeliveryState = Field(
        description="`waiting` for its first or next try, `delivered`, `failed`: every try was made, or "
        "`superseded`: a newer picture of the same product took its place before it arrived."
    )
    attempts: int = Field(description="Tries made so far, since it was last made due.")
    next_at: datetime | None = Field(description="When the next try is due; null unless it waits.")
    last_at: datetime | None = Field(description="When the last try ended.")
    last_error: str | None = Field(description="Why the last try did not succeed.")
    etag: str | None = Field(description="What the target calls this version of the file.")
    created_at: datetime


class PictureDeliveryPage(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[PictureDeliveryView]
    next_cursor: str | None = Field(description="Pass as `cursor` for older ones; null at the end.")


class JobToDeliver(BaseModel):
    """Where to."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"target_id": TARGET_ID_EXAMPLE}]}
    )

    target_id: str = Field(max_length=64, examples=[TARGET_ID_EXAMPLE])


class JobDue(BaseModel):
    """What is due now."""

    deliveries: int = Field(description="Files of the job that are due at the target, reports among them.")


_NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
_EXAMPLE = PictureDelivery(
    id=_ID,
    target_id=TARGET_ID_EXAMPLE,
    job_id=JOB_ID_EXAMPLE,
    item_id=ITEM_ID_EXAMPLE,
    preset="amazon-main",
    content="picture",
    path="MUG-01/amazon-main.jpg",
    state="waiting",
    attempts=1,
    next_at=_NOON + timedelta(seconds=5),
    last_at=_NOON,
    last_error="It answered 503.",
    etag=None,
    created_at=_NOON,
)


def _view(delivery: PictureDelivery) -> PictureDeliveryView:
    values = {name: getattr(delivery, name) for name in PictureDeliveryView.model_fields}
    return PictureDeliveryView(
        **{**values, "next_at": delivery.next_at if delivery.state == "waiting" else None}
    )


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list."""

    state: PictureDeliveryState | None
    limit: int
    cursor: str | None


def _part(
    state: Annotated[PictureDeliveryState | None, Query(description="Only those in this state.")] = None,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
) -> Part:
    return Part(state, limit, cursor)


Wanted = Annotated[Part, Depends(_part)]


async def _page(connection: AsyncConnection, wanted: Part, **of: str) -> PictureDeliveryPage:
    """Deliveries of what ``of`` names by its id: a job, a target, or both."""
    found = await picture_deliveries.list_picture_deliveries(
        connection, wanted.limit + 1, place_of(wanted.cursor), state=wanted.state, **of
    )
    page, more = page_of(found, wanted.limit)
    return PictureDeliveryPage(deliveries=[_view(each) for each in page], next_cursor=more)


_PAGE = answer("One page of deliveries.", PictureDeliveryPage(deliveries=[_view(_EXAMPLE)], next_cursor=None))


@router.get(
    "/v1/jobs/{job_id}/deliveries",
    summary="List a job's deliveries",
    responses={**_PAGE, **problems(*BY_KEY, NotFound, UnknownDeliveryTarget, *ALWAYS)},
)
async def list_job_deliveries(
    parts: WebParts,
    tenant_id: Tenant,
    job_id: JobId,
    wanted: Wanted,
    target_id: Annotated[str | None, Query(description="Only those to this target.")] = None,
) -> PictureDeliveryPage:
    """Every finished picture of the job on its way to every target, newest first."""
    async with parts.database.read() as connection:
        job = await find_job(connection, tenant_id, job_id)
        if target_id is None:
            return await _page(connection, wanted, job_id=job.id)
        target = await targets.tenant_target(connection, tenant_id, target_id)
        return await _page(connection, wanted, job_id=job.id, target_id=target.id)


@router.post(
    "/v1/jobs/{job_id}/deliveries",
    status_code=202,
    summary="Deliver a job",
    responses={
        **answer("What is due now.", JobDue(deliveries=16), 202),
        **problems(
            InvalidJson,
            *BY_KEY,
            NotFound,
            UnknownDeliveryTarget,
            DeliveryTargetDisabled,
            BodyTooLarge,
            UnsupportedMediaType,
            *ALWAYS,
        ),
    },
)
async def deliver_job(parts: WebParts, tenant_id: Tenant, job_id: JobId, body: JobToDeliver) -> JobDue:
    """Deliver the job's finished pictures to the target, which may be younger than the job.

    Those that a person rejected are left out.

    Failed ones are tried again, and what was deleted there is put back; what lies there already is not sent
    again.
    """
    async with parts.database.transaction() as connection:
        job = await find_job(connection, tenant_id, job_id)
        target = await targets.tenant_target(connection, tenant_id, body.target_id)
        if target.state != "active":
            raise DeliveryTargetDisabled
        every = await items.list_items(connection, job.id)
        finished = [
            item
            for item in every
            if item.state is ItemState.EXPORTED and item.verdict is not ReviewVerdict.REJECTED
        ]
        return JobDue(deliveries=await plan_job(connection, target.id, finished))


@router.get(
    "/v1/delivery-targets/{target_id}/deliveries",
    summary="List a target's deliveries",
    responses={**_PAGE, **problems(*BY_KEY, UnknownDeliveryTarget, *ALWAYS)},
)
async def list_target_deliveries(
    parts: WebParts, tenant_id: Tenant, target_id: TargetId, wanted: Wanted
) -> PictureDeliveryPage:
    """What was and is to be delivered there, newest first."""
    async with parts.database.read() as connection:
        target = await targets.tenant_target(connection, tenant_id, target_id)
        return await _page(connection, wanted, target_id=target.id)


@router.post(
    "/v1/delivery-targets/{target_id}/deliveries/{delivery_id}/retry",
    status_code=202,
    summary="Deliver a file again",
    responses={
        **answer("The delivery, due now.", _view(_EXAMPLE), 202),
        **problems(*BY_KEY, UnknownDeliveryTarget, UnknownDelivery, DeliveryTargetDisabled, *ALWAYS),
    },
)
async def retry_delivery(
    parts: WebParts, tenant_id: Tenant, target_id: TargetId, delivery_id: DeliveryId
) -> PictureDeliveryView:
    """Deliver the file within a second or so, whatever its state; its schedule begins anew."""
    async with parts.database.transaction() as connection:
        await targets.tenant_target(connection, tenant_id, target_id)
        return _view(await picture_deliveries.retry_picture(connection, target_id, delivery_id))
