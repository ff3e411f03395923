"""``…/mattes``: where a matte that a person edited is uploaded, for a revision to be made with it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from opal.blobs.interface import Permission
from opal.database import mattes
from opal.database.uploads import TooManyUploads
from opal.errors import (
    InvalidJson,
    ItemNotExported,
    MatteUnusable,
    NotFound,
    SourcesExpired,
)
from opal.http.authentication import Tenant, TenantRoute
from opal.http.errors import BodyTooLarge, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.item import Item
from opal.items.states import ItemState
from opal.web_api.backdrops import PictureUpload
from opal.web_api.matte_check import working_size
from opal.web_api.parts import ItemId, JobId, WebParts, find_item, find_job
from opal.web_api.recipe import whole

router = APIRouter(route_class=TenantRoute, tags=["review"])

_ID = "matte_7b8c9d0e1f2a3b4c5d6e7f80"


class NewMatte(BaseModel):
    """A matte that will be uploaded: one 8-bit grey PNG, 255 where the product is, 0 where it is not."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"width": 4000, "height": 3000}]}
    )

    width: Annotated[int, BeforeValidator(whole)] = Field(
        strict=True, ge=1, le=65_535, description="Pixels: the matte's that there is now."
    )
    height: Annotated[int, BeforeValidator(whole)] = Field(
        strict=True, ge=1, le=65_535, description="Pixels: the matte's that there is now."
    )


class CreatedMatte(BaseModel):
    """A new matte and where its file goes."""

    id: str = Field(description="For a revision's `matte`, once.", examples=[_ID])
    upload: PictureUpload


_EXAMPLE = CreatedMatte(
    id=_ID,
    upload=PictureUpload(
        url="http://127.0.0.1:8080/blobs/raw/acme/jobs/job_9f1c0a7be2d44c55a1b0c3d2/items/"
        f"item_1a2b3c4d5e6f708192a3b4c5/raw/{_ID}?sp=c&se=1772453700&sig=…",
        method="PUT",
        headers={"x-ms-blob-type": "BlockBlob", "Content-Type": "image/png"},
        expires_at=datetime(2026, 3, 2, 12, 15, 0, tzinfo=UTC),
    ),
)


@router.post(
    "/v1/jobs/{job_id}/items/{item_id}/mattes",
    status_code=201,
    summary="Ask where to upload an edited matte",
    responses={
        **answer("The matte's id, and where its file goes.", _EXAMPLE, 201),
        **problems(
            InvalidJson,
            *BY_KEY,
            NotFound,
            ItemNotExported,
            SourcesExpired,
            MatteUnusable,
            TooManyUploads,
            BodyTooLarge,
            UnsupportedMediaType,
            *ALWAYS,
        ),
    },
)
async def create_matte(
    parts: WebParts, tenant_id: Tenant, job_id: JobId, item_id: ItemId, body: NewMatte
) -> CreatedMatte:
    """Answer with an id and a URL that can create the matte's blob for 15 minutes.

    The size is that in which the photo is worked on, which is half of what was uploaded for the very large.
    """
    lifetime = timedelta(seconds=parts.settings.blob.url_lifetime_s)
    async with parts.database.transaction() as connection:
        await find_job(connection, tenant_id, job_id)
        # Locked, so that an erasure that deletes the item leaves no row behind.
        item = await find_item(connection, tenant_id, job_id, item_id, lock=True)
        _require_editable(item, body)
        most = parts.settings.web.uploads_per_photo
        made = await mattes.create_matte(connection, item, lifetime=lifetime, most=most)
    signed = await parts.blobs.signed_url("raw", made.raw_path, Permission.CREATE, lifetime)
    return CreatedMatte(
        id=made.id,
        upload=PictureUpload(
            url=signed.url,
            method=signed.method,
            headers={**signed.headers, "Content-Type": "image/png"},
            expires_at=signed.expires_at,
        ),
    )


def _require_editable(item: Item, body: NewMatte) -> None:
    if item.state is not ItemState.EXPORTED:
        raise ItemNotExported("The photo has no finished pictures at the moment.")
    if item.raw_expired_at is not None or item.outputs_expired_at is not None:
        raise SourcesExpired
    width, height = working_size(item)
    if (body.width, body.height) != (width, height):
        raise MatteUnusable(f"A matte of this photo has {width} × {height} pixels.")
