"""``/v1/backdrops``: pictures of the tenant's own for products to stand in."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from opal.assembly import Parts
from opal.blobs.interface import Permission
from opal.database import backdrops
from opal.database.backdrops import Backdrop, BackdropsTooLarge, PictureFacts, Room, TooManyBackdrops
from opal.errors import (
    BackdropInUse,
    BackdropTooSmall,
    BackdropUnusable,
    InvalidJson,
    UnknownBackdrop,
    UploadMissing,
)
from opal.faults import PRINTABLE
from opal.http.authentication import Tenant, TenantRoute, require_same_tenant
from opal.http.errors import BodyTooLarge, TenantMismatch, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.file_names import safe_stem
from opal.items.item import backdrop_path
from opal.web_api.backdrop_check import BackdropCheck
from opal.web_api.page_cursor import PageCursor, PageLimit, page_of, place_of
from opal.web_api.parts import WebParts

router = APIRouter(route_class=TenantRoute, tags=["backdrops"])

_ID = "backdrop_4c1d2e3f5a6b7c8d9e0f1a2b"
BackdropId = Annotated[str, Path(description="The backdrop's id.", examples=[_ID])]


class NewBackdrop(BaseModel):
    """A picture that will be uploaded."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "kitchen worktop"}]})

    name: str = Field(
        min_length=1, max_length=200, pattern=PRINTABLE, description="For people to know it by."
    )
    tenant_id: str | None = Field(default=None, description="May be left out; else it must be the key's own.")


class BackdropPicture(BaseModel):
    """What the uploaded picture was found to be; width and height as it is looked at."""

    format: str = Field(examples=["jpeg"])
    bytes: int
    width: int = Field(description="Pixels, upright.")
    height: int = Field(description="Pixels, upright.")
    sha256: str


class BackdropView(BaseModel):
    """A backdrop; a scene names it by its id once it is ready."""

    id: str = Field(examples=[_ID])
    name: str
    ready: bool = Field(description="Whether its picture has been uploaded and checked.")
    picture: BackdropPicture | None = Field(description="Null until it is ready.")
    created_at: datetime
    completed_at: datetime | None = Field(description="When it became ready.")


class PictureUpload(BaseModel):
    """Where to send the picture: one request, once."""

    url: str = Field(description="Send the picture's bytes here; the URL can write this one blob, once.")
    method: str = Field(examples=["PUT"])
    headers: dict[str, str] = Field(description="Headers to send with it.")
    expires_at: datetime


class CreatedBackdrop(BackdropView):
    """A new backdrop and where its picture goes."""

    upload: PictureUpload


class PictureDownload(BaseModel):
    """Where the picture can be read for a while; ask again for a fresh address."""

    url: str
    expires_at: datetime


class BackdropDetail(BackdropView):
    """A backdrop with its picture to look at."""

    download: PictureDownload | None = Field(description="Null until it is ready.")


class BackdropPage(BaseModel):
    """Backdrops, newest first."""

    backdrops: list[BackdropView]
    next_cursor: str | None = Field(description="Pass as `cursor` for older ones; null at the end.")


_NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
_SHA = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
_URL = f"http://127.0.0.1:8080/blobs/raw/acme/backdrops/{_ID}/raw/picture?sp={{}}&se=1772453700&sig=…"
_READY = Backdrop(
    _ID,
    "acme",
    "kitchen worktop",
    "",
    PictureFacts("jpeg", 2812345, 4000, 3000, _SHA, ""),
    _NOON,
    _NOON + timedelta(seconds=9),
)
_WAITING = Backdrop(_ID, "acme", "kitchen worktop", "", None, _NOON, None)


def _view(backdrop: Backdrop) -> BackdropView:
    found = backdrop.picture
    picture = None
    if found is not None:
        picture = BackdropPicture(
            format=found.format,
            bytes=found.bytes,
            width=found.width,
            height=found.height,
            sha256=found.sha256,
        )
    return BackdropView(
        id=backdrop.id,
        name=backdrop.name,
        ready=picture is not None,
        picture=picture,
        created_at=backdrop.created_at,
        completed_at=backdrop.completed_at,
    )


_CREATED_EXAMPLE = CreatedBackdrop(
    **_view(_WAITING).model_dump(),
    upload=PictureUpload(
        url=_URL.format("c"),
        method="PUT",
        headers={"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"},
        expires_at=_NOON + timedelta(minutes=15),
    ),
)
_DETAIL_EXAMPLE = BackdropDetail(
    **_view(_READY).model_dump(),
    download=PictureDownload(url=_URL.format("r"), expires_at=_NOON + timedelta(minutes=15)),
)


@router.post(
    "/v1/backdrops",
    status_code=201,
    summary="Create a backdrop",
    responses={
        **answer("The new backdrop, and where its picture goes.", _CREATED_EXAMPLE, 201),
        **problems(
            InvalidJson,
            *BY_KEY,
            TenantMismatch,
            TooManyBackdrops,
            BackdropsTooLarge,
            BodyTooLarge,
            UnsupportedMediaType,
            *ALWAYS,
        ),
    },
)
async def create_backdrop(
    parts: WebParts, tenant_id: Tenant, body: NewBackdrop, response: Response
) -> CreatedBackdrop:
    """Answer with an id and a URL that can create the picture's blob for 15 minutes."""
    require_same_tenant(tenant_id, body.tenant_id)
    web = parts.settings.web
    room = Room(web.backdrops_per_tenant, web.backdrop_bytes_per_tenant, parts.settings.photo.max_bytes)
    async with parts.database.transaction() as connection:
        created = await backdrops.create_backdrop(connection, tenant_id, body.name, room)
    signed = await parts.blobs.signed_url("raw", created.raw_path, Permission.CREATE, _lifetime(parts))
    response.headers["Location"] = f"/v1/backdrops/{created.id}"
    return CreatedBackdrop(
        **_view(created).model_dump(),
        upload=PictureUpload(
            url=signed.url,
            method=signed.method,
            headers={**signed.headers, "Content-Type": "application/octet-stream"},
            expires_at=signed.expires_at,
        ),
    )


@router.post(
    "/v1/backdrops/{backdrop_id}/complete",
    summary="Say that a backdrop's picture is uploaded",
    responses={
        **answer("The backdrop, ready for use.", _view(_READY)),
        **problems(*BY_KEY, UnknownBackdrop, UploadMissing, BackdropUnusable, BackdropTooSmall, *ALWAYS),
    },
)
async def complete_backdrop(
    request: Request, parts: WebParts, tenant_id: Tenant, backdrop_id: BackdropId
) -> BackdropView:
    """Check the picture: its size, its real type, and every pixel.

    Saying it again gets the same answer, also for a picture that cannot be used: its URL writes once, so
    another picture needs a backdrop of its own.
    """
    try:
        async with parts.database.read() as connection:
            found = await backdrops.tenant_backdrop(connection, tenant_id, backdrop_id)
    except UnknownBackdrop:
        await _remove_late_picture(parts, tenant_id, backdrop_id)
        raise
    if found.picture is None:
        check: BackdropCheck = request.app.state.backdrop_check
        picture = await check.inspect(found.raw_path)
        async with parts.database.transaction() as connection:
            found = await backdrops.complete_backdrop(connection, tenant_id, backdrop_id, picture)
    return _view(found)


@router.get(
    "/v1/backdrops",
    summary="List backdrops",
    responses={
        **answer("One page of backdrops.", BackdropPage(backdrops=[_view(_READY)], next_cursor=None)),
        **problems(*BY_KEY, *ALWAYS),
    },
)
async def list_backdrops(
    parts: WebParts,
    tenant_id: Tenant,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
) -> BackdropPage:
    """The tenant's backdrops, newest first, also those whose picture never came."""
    async with parts.database.read() as connection:
        found = await backdrops.list_backdrops(connection, tenant_id, limit + 1, place_of(cursor))
    page, more = page_of(found, limit)
    return BackdropPage(backdrops=[_view(each) for each in page], next_cursor=more)


@router.get(
    "/v1/backdrops/{backdrop_id}",
    summary="Read a backdrop",
    responses={
        **answer("The backdrop with its picture.", _DETAIL_EXAMPLE),
        **problems(*BY_KEY, UnknownBackdrop, *ALWAYS),
    },
)
async def read_backdrop(parts: WebParts, tenant_id: Tenant, backdrop_id: BackdropId) -> BackdropDetail:
    """What the backdrop is, and a short-lived URL of its picture."""
    async with parts.database.read() as connection:
        found = await backdrops.tenant_backdrop(connection, tenant_id, backdrop_id)
    return BackdropDetail(**_view(found).model_dump(), download=await _download(parts, found))


@router.delete(
    "/v1/backdrops/{backdrop_id}",
    status_code=204,
    summary="Delete a backdrop",
    responses={
        204: {"description": "The backdrop and its picture are gone."},
        **problems(*BY_KEY, UnknownBackdrop, BackdropInUse, *ALWAYS),
    },
)
async def delete_backdrop(parts: WebParts, tenant_id: Tenant, backdrop_id: BackdropId) -> None:
    """Delete the backdrop and its picture, unless a job that is not finished still needs it.

    Finished pictures stay as they are.
    """
    async with parts.database.transaction() as connection:
        deleted = await backdrops.delete_backdrop(connection, tenant_id, backdrop_id)
    # After the commit: a blob without a row is only litter, a row without its blob a broken promise.
    await parts.blobs.delete("raw", deleted.raw_path)


async def _remove_late_picture(parts: Parts, tenant_id: str, backdrop_id: str) -> None:
    """Remove what was uploaded after the backdrop was deleted: its URL works until it expires."""
    if re.fullmatch(backdrops.ID, backdrop_id):
        # Only the tenant's own folder: a foreign backdrop has nothing there.
        await parts.blobs.delete("raw", backdrop_path(tenant_id, backdrop_id))


async def _download(parts: Parts, backdrop: Backdrop) -> PictureDownload | None:
    if backdrop.picture is None:
        return None
    name = f"{safe_stem(backdrop.name)}.{backdrop.picture.format}"
    signed = await parts.blobs.signed_url(
        "raw", backdrop.raw_path, Permission.READ, _lifetime(parts), download_name=name
    )
    return PictureDownload(url=signed.url, expires_at=signed.expires_at)


def _lifetime(parts: Parts) -> timedelta:
    return timedelta(seconds=parts.settings.blob.url_lifetime_s)
