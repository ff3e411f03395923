"""What a client does about an item that has ended: judge its pictures, have them revised, send it again."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.assembly import Parts
from opal.cutout.offer import choose_engine
from opal.database import revisions, rework
from opal.database.jobs import Job
from opal.database.mattes import UnknownMatte, UploadedMatte, item_matte, use_matte
from opal.database.revisions import Look, Revision, RevisionState
from opal.errors import (
    BackdropNotReady,
    BackdropTooSmall,
    InsufficientCredits,
    InvalidInput,
    InvalidJson,
    InvalidPlacement,
    InvalidScene,
    ItemNotExported,
    ItemNotFailed,
    JobFinished,
    MatteUnusable,
    NotFound,
    OpalError,
    PhotoNeeded,
    RevisionConflict,
    SourcesExpired,
    TooManyRevisions,
    UnknownBackdrop,
    UnknownEngine,
    UnknownScene,
    UploadMissing,
)
from opal.http.authentication import Tenant, TenantRoute
from opal.http.errors import BodyTooLarge, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.item import Item
from opal.items.review import ReviewVerdict
from opal.items.states import ItemState
from opal.placement.placement import resolve_placement
from opal.web_api.job_view import (
    JUDGED_ITEM_EXAMPLE,
    RETRIED_ITEM_EXAMPLE,
    ItemError,
    ItemView,
    item_view,
)
from opal.web_api.matte_check import MatteCheck
from opal.web_api.parts import ItemId, JobId, WebParts, find_item, find_job
from opal.web_api.recipe import (
    checked_scene,
    placement_schema,
    presets_of,
    require_backdrop,
    scene_schema,
    whole,
)

router = APIRouter(route_class=TenantRoute, tags=["review"])

_NO_BODY_PROBLEMS = (*BY_KEY, NotFound)
_BODY_PROBLEMS = (InvalidJson, *_NO_BODY_PROBLEMS, BodyTooLarge, UnsupportedMediaType)


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


class VerdictRequest(BaseModel):
    """What a person says of the pictures."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"verdict": "accepted"}]})

    verdict: ReviewVerdict | None = Field(description="Null takes it back.")


class RevisionRequest(BaseModel):
    """What is to be different; what is left out, or null, stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"scene": "studio-white", "based_on": 0}]}
    )

    scene: Annotated[str | dict[str, Any] | None, WithJsonSchema(_or_null(scene_schema()))] = Field(
        default=None, description="A name from /v1/scenes, or a scene of your own."
    )
    placement: Annotated[dict[str, Any] | None, WithJsonSchema(_or_null(placement_schema()))] = Field(
        default=None, description="How the product stands in the scene, as a whole."
    )
    matte: str | None = Field(
        default=None, description="The id of a matte that was uploaded for this photo.", examples=[None]
    )
    engine: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="A name from /v1/engines: the photo is cut out anew by it, whatever was edited.",
        examples=[None],
    )
    based_on: Annotated[int, BeforeValidator(whole)] = Field(
        strict=True, ge=0, le=rework.MOST_REVISIONS, description="The item's `revision` that you saw."
    )


class RevisionView(BaseModel):
    """One look of an item's pictures."""

    number: int = Field(description="0 is how they first came.")
    state: RevisionState
    scene: str | dict[str, Any]
    placement: dict[str, Any]
    matte: bool = Field(description="Made with a matte that a person edited.")
    engine: str | None = Field(description="The engine that cut the photo out anew for it; null: none did.")
    created_at: datetime
    error: ItemError | None = Field(description="Why it could not be made: the earlier pictures stayed.")


class ItemRevisions(BaseModel):
    """All looks that an item's pictures were given."""

    revisions: list[RevisionView] = Field(description="In their order.")


class RetryRequest(BaseModel):
    """With which photo."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"photo": "same"}]})

    photo: Literal["same", "new"] = Field(
        description="`same`: the stored one, at once. `new`: one that you upload, as the first."
    )


_PENDING_EXAMPLE = RevisionView(
    number=1,
    state=RevisionState.PENDING,
    scene="studio-white",
    placement={},
    matte=False,
    engine=None,
    created_at=datetime(2026, 3, 2, 12, 5, 0, tzinfo=UTC),
    error=None,
)
_FIRST_EXAMPLE = _PENDING_EXAMPLE.model_copy(
    update={
        "number": 0,
        "state": RevisionState.DONE,
        "scene": "white",
        "created_at": datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC),
    }
)


@router.post(
    "/v1/jobs/{job_id}/items/{item_id}/verdict",
    summary="Judge an item's pictures",
    responses={
        **answer("The item as it stands.", JUDGED_ITEM_EXAMPLE),
        **problems(*_BODY_PROBLEMS, ItemNotExported, *ALWAYS),
    },
)
async def judge_item(
    parts: WebParts, tenant_id: Tenant, job_id: JobId, item_id: ItemId, body: VerdictRequest
) -> ItemView:
    """Accept the pictures, reject them, or take the verdict back.

    The machine's mark `review` stays as it is. Rejected pictures are left out of the archive, and of a
    job that is delivered again; its reports tell of them. The same verdict again changes nothing.
    """
    async with parts.database.transaction() as connection:
        item = await find_item(connection, tenant_id, job_id, item_id, lock=True)
        return item_view(await rework.judge(connection, item, body.verdict))


@router.post(
    "/v1/jobs/{job_id}/items/{item_id}/revisions",
    status_code=202,
    summary="Revise an item's pictures",
    responses={
        **answer("The revision that is being made.", _PENDING_EXAMPLE, 202),
        **problems(
            *_BODY_PROBLEMS,
            UnknownBackdrop,
            BackdropNotReady,
            BackdropTooSmall,
            UnknownMatte,
            UploadMissing,
            MatteUnusable,
            RevisionConflict,
            TooManyRevisions,
            SourcesExpired,
            UnknownScene,
            InvalidScene,
            InvalidPlacement,
            UnknownEngine,
            *ALWAYS,
        ),
    },
)
async def create_revision(
    request: Request,
    parts: WebParts,
    tenant_id: Tenant,
    *,
    job_id: JobId,
    item_id: ItemId,
    body: RevisionRequest,
) -> RevisionView:
    """Have all of the item's pictures composed anew; no credit is taken.

    Where an engine is named, the photo is cut out anew first.

    Until they are there, and for good where they cannot be made, the earlier ones stay. Then the item is
    exported again under its new `revision`, without a verdict.
    """
    edited = None
    if body.engine is not None:
        choose_engine(body.engine, request.app.state.engines)
        if body.matte is not None:
            raise InvalidInput("engine: a matte of your own needs none.")
    if body.matte is not None:
        async with parts.database.read() as connection:
            job = await find_job(connection, tenant_id, job_id)
            item = await find_item(connection, tenant_id, job_id, item_id)
            uploaded = await item_matte(connection, item, body.matte)
            # What is sure to be refused costs no decoding; it is asked again under the lock.
            rework.require_revisable(item, body.based_on)
            await _look(connection, job, item, body, None)
        check: MatteCheck = request.app.state.matte_check
        edited = _Edited(uploaded, await check.take_over(item, uploaded))
    try:
        async with parts.database.transaction() as connection:
            job = await find_job(connection, tenant_id, job_id)
            item = await find_item(connection, tenant_id, job_id, item_id, lock=True)
            rework.require_revisable(item, body.based_on)
            look = await _look(connection, job, item, body, edited)
            revision = await rework.ask_for_revision(connection, item, look, based_on=body.based_on)
    except OpalError:
        if edited is not None:
            await _remove(parts, "outputs", edited.path)
        raise
    parts.relay.kick()
    if edited is not None:
        await _remove(parts, "raw", edited.uploaded.raw_path)
    return _view(revision)


@router.get(
    "/v1/jobs/{job_id}/items/{item_id}/revisions",
    summary="List an item's revisions",
    responses={
        **answer(
            "The looks that the pictures were given.",
            ItemRevisions(revisions=[_FIRST_EXAMPLE, _PENDING_EXAMPLE]),
        ),
        **problems(*_NO_BODY_PROBLEMS, *ALWAYS),
    },
)
async def list_revisions(parts: WebParts, tenant_id: Tenant, job_id: JobId, item_id: ItemId) -> ItemRevisions:
    """How the pictures first came, and every revision with what became of it."""
    async with parts.database.read() as connection:
        job = await find_job(connection, tenant_id, job_id)
        item = await find_item(connection, tenant_id, job_id, item_id)
        found = await revisions.list_revisions(connection, item.id)
    return ItemRevisions(revisions=[_first(job, item), *(_view(each) for each in found)])


@router.post(
    "/v1/jobs/{job_id}/items/{item_id}/retry",
    summary="Send a failed item again",
    responses={
        **answer("The item, on its way again.", RETRIED_ITEM_EXAMPLE),
        **problems(
            *_BODY_PROBLEMS,
            InsufficientCredits,
            UnknownBackdrop,
            BackdropNotReady,
            BackdropTooSmall,
            ItemNotFailed,
            JobFinished,
            PhotoNeeded,
            *ALWAYS,
        ),
    },
)
async def retry_item(
    parts: WebParts, tenant_id: Tenant, job_id: JobId, item_id: ItemId, body: RetryRequest
) -> ItemView:
    """Hold a credit anew and begin again: with the stored photo at once, or with one that you upload next.

    For a new photo go on as for the first: `POST /v1/uploads/sas`, then `POST /v1/uploads/complete`.
    """
    async with parts.database.transaction() as connection:
        job = await find_job(connection, tenant_id, job_id)
        if job.cancelled_at is not None:
            raise JobFinished("The job was cancelled; send the photo in a new one.")
        item = await find_item(connection, tenant_id, job_id, item_id, lock=True)
        await require_backdrop(connection, tenant_id, job.recipe)
        begun = await rework.send_again(connection, item, new_photo=body.photo == "new")
    parts.relay.kick()
    return item_view(begun)


@dataclass(frozen=True, slots=True)
class _Edited:
    """A matte that came, and where the same lies as a blob of ours."""

    uploaded: UploadedMatte
    path: str


async def _remove(parts: Parts, container: str, path: str) -> None:
    """Remove what no row names; where that fails, the sweep of orphans does it."""
    with suppress(OpalError):
        await parts.blobs.delete(container, path)


async def _look(
    connection: AsyncConnection, job: Job, item: Item, body: RevisionRequest, edited: _Edited | None
) -> Look:
    """The whole look that is asked for, held against everything that a new job's is."""
    if body.scene is None and body.placement is None and body.matte is None and body.engine is None:
        raise InvalidInput("body: nothing in it that is to be different.")
    if item.raw_expired_at is not None or item.outputs_expired_at is not None:
        raise SourcesExpired
    present = job.recipe.of(item)
    scene = present.scene if body.scene is None else checked_scene(body.scene, presets_of(present))
    placement = present.placement if body.placement is None else body.placement
    resolve_placement(placement)
    await require_backdrop(connection, item.tenant_id, present.with_look(scene, placement))
    if edited is not None:
        await use_matte(connection, item, edited.uploaded)
        return Look(scene, placement, matte_path=edited.path, edited=True)
    if body.engine is not None:
        return Look(scene, placement, engine=body.engine)
    last = await revisions.get_revision(connection, item.id, item.revision)
    return Look(scene, placement, edited=last is not None and last.edited)


def _view(revision: Revision) -> RevisionView:
    error = None
    if revision.error_code is not None:
        error = ItemError(code=revision.error_code, message=revision.error_message or "")
    return RevisionView(
        number=revision.number,
        state=revision.state,
        scene=revision.scene,
        placement=revision.placement,
        matte=revision.edited,
        engine=revision.engine,
        created_at=revision.created_at,
        error=error,
    )


def _first(job: Job, item: Item) -> RevisionView:
    """How the pictures first came; of an item that has none, what is becoming of it."""
    there = item.state is ItemState.EXPORTED or item.pending_revision is not None
    state = RevisionState.DONE if there else RevisionState.PENDING
    error = None
    if item.state in {ItemState.FAILED, ItemState.CANCELLED}:
        state = RevisionState.FAILED
        error = item_view(item).error
    return RevisionView(
        number=0,
        state=state,
        scene=job.recipe.scene,
        placement=job.recipe.placement,
        matte=False,
        engine=None,
        created_at=item.created_at,
        error=error,
    )
