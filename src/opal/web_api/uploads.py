"""``/v1/uploads``: a short-lived URL for a photo, and the word that the photo is there."""

import contextlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.assembly import Parts
from opal.blobs.interface import Permission
from opal.database import items
from opal.database.engine import utc_now
from opal.database.outbox import Outbox
from opal.database.uploads import TooManyUploads, note_upload, require_upload, upload_path
from opal.errors import (
    AlreadyUploaded,
    DependencyError,
    InvalidJson,
    InvalidPhoto,
    LeaseLost,
    NotFound,
    OpalError,
    PhotoRefused,
    UploadMissing,
    walk,
)
from opal.faults import in_words
from opal.http.authentication import Tenant, TenantRoute, require_same_tenant
from opal.http.errors import BodyTooLarge, ItemFinished, TenantMismatch, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.item import Item, new_id
from opal.items.states import ItemState
from opal.messages.job_message import JobMessage, send_job_message
from opal.telemetry.metrics import count_failure
from opal.telemetry.tracing import span, traceparent
from opal.web_api.job_view import ITEM_ID_EXAMPLE, JOB_ID_EXAMPLE, public_photo
from opal.web_api.parts import WebParts, find_item
from opal.web_api.photo_check import PhotoCheck
from opal.web_api.reports import PHOTO_EXAMPLE, PhotoFacts

router = APIRouter(route_class=TenantRoute, tags=["uploads"])

_BY = "web-api"
_JOB, _ITEM = JOB_ID_EXAMPLE, ITEM_ID_EXAMPLE
_UPLOAD = "upload_5d6e7f8091a2b3c4d5e6f708"
_UPLOAD_ID = re.compile(r"upload_[0-9a-f]{24}")
_BODY_PROBLEMS = (InvalidJson, *BY_KEY, TenantMismatch, NotFound, BodyTooLarge, UnsupportedMediaType)
_BY_CODE = {kind.code: kind for kind in reversed(walk(InvalidPhoto))}


class UploadRequest(BaseModel):
    """Which photo is to be uploaded."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"job_id": _JOB, "item_id": _ITEM}]}
    )

    job_id: str = Field(max_length=64)
    item_id: str = Field(max_length=64)
    content_type: str = Field(
        default="application/octet-stream",
        max_length=100,
        pattern=in_words(r"^[a-zA-Z0-9!#$&^_.+-]+/[a-zA-Z0-9!#$&^_.+-]+$", "a media type such as image/jpeg"),
        description="Sent along with the photo; what it is, is told from its bytes.",
    )
    tenant_id: str | None = None


class UploadTicket(BaseModel):
    """Where to send the photo: one request, once."""

    upload_id: str = Field(examples=[_UPLOAD])
    url: str = Field(description="Send the photo's bytes here; the URL can write this one blob, once.")
    method: str = Field(examples=["PUT"])
    headers: dict[str, str] = Field(description="Headers to send with it.")
    expires_at: datetime


class CompleteRequest(BaseModel):
    """Which photo has been uploaded."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"job_id": _JOB, "item_id": _ITEM, "upload_id": _UPLOAD}]},
    )

    job_id: str = Field(max_length=64)
    item_id: str = Field(max_length=64)
    upload_id: str | None = Field(
        default=None, max_length=64, description="Left out: the upload that was asked for last."
    )
    tenant_id: str | None = None


class CompletedUpload(BaseModel):
    """The photo is accepted and on its way."""

    job_id: str
    item_id: str
    upload_id: str
    photo: PhotoFacts | None


_TICKET_EXAMPLE = UploadTicket(
    upload_id=_UPLOAD,
    url=f"http://127.0.0.1:8080/blobs/raw/acme/jobs/{_JOB}/items/{_ITEM}/raw/{_UPLOAD}"
    "?sp=c&se=1772453700&sig=mIYQW8pT3xn2cVbS0uKf7aR1zLh5eGdJ9oXwNtBqCyU",
    method="PUT",
    headers={"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"},
    expires_at=datetime(2026, 3, 2, 12, 15, 0, tzinfo=UTC),
)
_COMPLETED_EXAMPLE = CompletedUpload(job_id=_JOB, item_id=_ITEM, upload_id=_UPLOAD, photo=PHOTO_EXAMPLE)


@router.post(
    "/v1/uploads/sas",
    summary="Ask for an upload URL",
    responses={
        **answer("Where to send the photo.", _TICKET_EXAMPLE),
        **problems(*_BODY_PROBLEMS, AlreadyUploaded, TooManyUploads, ItemFinished, *ALWAYS),
    },
)
async def create_upload(parts: WebParts, tenant_id: Tenant, body: UploadRequest) -> UploadTicket:
    """A URL that can create one blob for 15 minutes. A photo that never arrived may be given a new one.

    What came by a URL that had ended by then, and was never completed, is removed.
    """
    require_same_tenant(tenant_id, body.tenant_id)
    upload_id = new_id("upload")
    lifetime = timedelta(seconds=parts.settings.blob.url_lifetime_s)
    async with parts.database.transaction() as connection:
        item = await find_item(connection, tenant_id, body.job_id, body.item_id)
        if item.state is not ItemState.CREATED:
            over = item.state in {ItemState.FAILED, ItemState.CANCELLED}
            raise ItemFinished if over else AlreadyUploaded
        ended = await note_upload(
            connection,
            item,
            upload_id,
            until=utc_now() + lifetime,
            most=parts.settings.web.uploads_per_photo,
        )
    with contextlib.suppress(DependencyError):  # litter, which upkeep removes in the end
        for path in ended:
            await parts.blobs.delete("raw", path)
    path = upload_path(item, upload_id)
    signed = await parts.blobs.signed_url("raw", path, Permission.CREATE, lifetime)
    return UploadTicket(
        upload_id=upload_id,
        url=signed.url,
        method=signed.method,
        headers={**signed.headers, "Content-Type": body.content_type},
        expires_at=signed.expires_at,
    )


@router.post(
    "/v1/uploads/complete",
    summary="Say that a photo is uploaded",
    responses={
        **answer("The photo is accepted and queued.", _COMPLETED_EXAMPLE),
        **problems(
            *_BODY_PROBLEMS,
            UploadMissing,
            AlreadyUploaded,
            ItemFinished,
            *(kind for kind in walk(InvalidPhoto) if kind is not PhotoRefused),
            *ALWAYS,
        ),
    },
)
async def complete_upload(
    request: Request, parts: WebParts, tenant_id: Tenant, body: CompleteRequest
) -> CompletedUpload:
    """Check the photo's size, type and header, and send it on.

    A photo that cannot be used fails its item, releases the credit and is answered with its own code.
    Saying it again gets the same answer.
    """
    require_same_tenant(tenant_id, body.tenant_id)
    async with parts.database.read() as connection:
        item = await find_item(connection, tenant_id, body.job_id, body.item_id)
    if item.state is not ItemState.CREATED:
        return _answer_again(item, body.upload_id)
    path = _uploaded_path(item, body.upload_id)
    check: PhotoCheck = request.app.state.photo_check
    try:
        with span("check photo"):
            photo = await check.inspect(path)
    except InvalidPhoto as error:
        await _refuse(parts, item, error)
        raise
    try:
        async with parts.database.transaction() as connection:
            item = await _accept(connection, item, path, photo)
    except LeaseLost:
        # Somebody else completed or cancelled it in this moment.
        async with parts.database.read() as connection:
            item = await find_item(connection, tenant_id, body.job_id, body.item_id)
        return _answer_again(item, body.upload_id)
    parts.relay.kick()
    return _completed(item)


def _uploaded_path(item: Item, upload_id: str | None) -> str:
    if upload_id is None:
        if item.raw_path is None:
            raise UploadMissing
        return item.raw_path
    # It becomes part of a path: nothing but an id of ours may.
    if not _UPLOAD_ID.fullmatch(upload_id):
        raise UploadMissing
    return upload_path(item, upload_id)


async def _accept(connection: AsyncConnection, item: Item, path: str, photo: dict[str, Any]) -> Item:
    """Move the item on and announce it, together."""
    await require_upload(connection, item, path)
    changes = {"raw_path": path, "photo": photo}
    uploaded = await items.move(connection, item, ItemState.UPLOADED, by=_BY, changes=changes)
    await send_job_message(Outbox(connection), JobMessage.of(uploaded, traceparent()))
    return uploaded


async def _refuse(parts: Parts, item: Item, error: InvalidPhoto) -> None:
    with contextlib.suppress(LeaseLost):  # cancelled meanwhile, which released the credit as well
        async with parts.database.transaction() as connection:
            await items.fail_item(connection, item, code=error.code, message=error.message, by=_BY)
        count_failure("upload", error.code, final=True, expected=error.expected)


def _answer_again(item: Item, upload_id: str | None) -> CompletedUpload:
    """The answer to an item that is past its upload: the first answer once more."""
    if item.photo:
        if upload_id is not None and upload_id != _upload_id(item.raw_path or ""):
            raise AlreadyUploaded
        return _completed(item)
    raise _first_refusal(item)


def _first_refusal(item: Item) -> OpalError:
    kind = _BY_CODE.get(item.error_code or "")
    return kind(item.error_message) if kind is not None else ItemFinished()


def _completed(item: Item) -> CompletedUpload:
    return CompletedUpload(
        job_id=item.job_id,
        item_id=item.id,
        upload_id=_upload_id(item.raw_path or ""),
        photo=public_photo(item),
    )


def _upload_id(raw_path: str) -> str:
    return raw_path.rpartition("/")[2]
