"""``/v1/jobs/{id}/items/{item_id}/variants``: an item's pictures, with reports and download URLs."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from opal.assembly import Parts
from opal.blobs.interface import Permission
from opal.database.variants import VariantRow, list_variants
from opal.errors import NotFound, Unauthorized
from opal.http.authentication import Tenant, TenantRoute
from opal.http.problem import ALWAYS, problems
from opal.items.states import ItemState
from opal.web_api.file_names import safe_stem
from opal.web_api.parts import ItemId, JobId, WebParts, find_item

router = APIRouter(route_class=TenantRoute, tags=["pictures"])


class Download(BaseModel):
    """A short-lived address; ask again for a fresh one."""

    url: str
    expires_at: datetime


class VariantView(Download):
    """One finished picture."""

    preset: str = Field(examples=["amazon-main"])
    filename: str = Field(description="What a download is saved as.", examples=["mug-amazon-main.jpg"])
    format: str = Field(examples=["jpeg"])
    content_type: str = Field(examples=["image/jpeg"])
    width: int = Field(examples=[2000])
    height: int = Field(examples=[2000])
    bytes: int = Field(examples=[412345])
    sha256: str
    compliance: list[dict[str, Any]] = Field(
        description="Rule by rule: what was measured, the limit, and whether it passed."
    )
    fidelity: dict[str, Any] | None = Field(description="Measured proof that the product's pixels were kept.")


class ItemVariants(BaseModel):
    """Everything that was made of one photo so far."""

    item_id: str
    state: ItemState
    scene: Download | None = Field(description="The product in its scene, at the photo's own size.")
    matte: Download | None = Field(description="The cut-out's matte, at the photo's own size.")
    variants: list[VariantView]


@router.get(
    "/v1/jobs/{job_id}/items/{item_id}/variants",
    summary="List an item's pictures",
    responses=problems(Unauthorized, NotFound, *ALWAYS),
)
async def read_variants(parts: WebParts, tenant_id: Tenant, job_id: JobId, item_id: ItemId) -> ItemVariants:
    """The pictures that are ready; none for an item that is not completed yet."""
    async with parts.database.read() as connection:
        item = await find_item(connection, tenant_id, job_id, item_id)
        rows = await list_variants(connection, item.id)
    stem = safe_stem(item.filename)
    return ItemVariants(
        item_id=item.id,
        state=item.state,
        scene=_output(parts, item.scene_path, f"{stem}-scene"),
        matte=_output(parts, item.matte_path, f"{stem}-matte"),
        variants=[_variant(parts, row, stem) for row in rows],
    )


def _output(parts: Parts, path: str | None, stem: str) -> Download | None:
    if path is None:
        return None
    name = f"{stem}.{path.rpartition('.')[2]}"
    return _download(parts, "outputs", path, name)


def _variant(parts: Parts, row: VariantRow, stem: str) -> VariantView:
    name = f"{stem}-{row.preset}.{row.path.rpartition('.')[2]}"
    download = _download(parts, "exports", row.path, name)
    return VariantView(
        url=download.url,
        expires_at=download.expires_at,
        preset=row.preset,
        filename=name,
        format=row.format,
        content_type=row.content_type,
        width=row.width,
        height=row.height,
        bytes=row.bytes,
        sha256=row.sha256,
        compliance=row.compliance,
        fidelity=row.fidelity,
    )


def _download(parts: Parts, container: str, path: str, name: str) -> Download:
    lifetime = timedelta(seconds=parts.settings.blob.url_lifetime_s)
    signed = parts.blobs.signed_url(container, path, Permission.READ, lifetime, download_name=name)
    return Download(url=signed.url, expires_at=signed.expires_at)
