"""``/v1/jobs/{id}/items/{item_id}/variants``: an item's pictures, with reports and download URLs."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from pydantic import BaseModel, Field

from opal.assembly import Parts
from opal.blobs.interface import Permission
from opal.database import items
from opal.database.public_links import job_links
from opal.database.variants import VariantRow, list_variants
from opal.errors import NotFound
from opal.http.authentication import Tenant, TenantRoute
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.file_names import unique_product_stems
from opal.items.item import Item
from opal.items.states import ItemState
from opal.web_api.job_view import ITEM_ID_EXAMPLE, JOB_ID_EXAMPLE
from opal.web_api.parts import ItemId, JobId, WebParts, find_item
from opal.web_api.public_links import URL_EXAMPLE
from opal.web_api.reports import (
    FIDELITY_EXAMPLE,
    PLACED_EXAMPLE,
    RULE_EXAMPLE,
    FidelityReport,
    PlacedReport,
    RuleReport,
)

router = APIRouter(route_class=TenantRoute, tags=["pictures"])


class Download(BaseModel):
    """A short-lived address; ask again for a fresh one."""

    url: str
    expires_at: datetime


class VariantView(BaseModel):
    """One finished picture; one that was removed for its age has no `url`, but its reports all the same."""

    url: str | None = Field(description="A short-lived address; null for a picture that has expired.")
    expires_at: datetime | None = Field(description="When the address ends.")
    expired_at: datetime | None = Field(
        default=None, description="When the picture was removed for its age; null: it is there."
    )
    preset: str = Field(examples=["amazon-main"])
    filename: str = Field(description="What a download is saved as.", examples=["MUG-01-amazon-main.jpg"])
    format: str = Field(examples=["jpeg"])
    content_type: str = Field(examples=["image/jpeg"])
    width: int = Field(examples=[2000])
    height: int = Field(examples=[2000])
    bytes: int = Field(examples=[412345])
    sha256: str
    compliance: list[RuleReport] = Field(
        description="Rule by rule: what was measured, the limit, and whether it passed."
    )
    fidelity: FidelityReport | None = Field(
        description="Measured proof that the product's pixels were kept in this picture."
    )
    placed: PlacedReport | None = Field(
        default=None, description="Scale and turn of the product; null for pictures of before 0.4."
    )
    public_url: str | None = Field(
        default=None,
        description="Its public link: everybody can fetch it there, without a key or query, until links are "
        "turned off. Null where its job has none (/v1/public-links).",
        examples=[URL_EXAMPLE],
    )


class ItemVariants(BaseModel):
    """Everything that was made of one photo so far."""

    item_id: str
    state: ItemState
    scene: Download | None = Field(
        description="The product in its scene, in the photo's aspect; null also once it has expired."
    )
    matte: Download | None = Field(
        description="The cut-out's matte, at the photo's own size; null also once it has expired."
    )
    variants: list[VariantView]


_QUARTER_PAST = datetime(2026, 3, 2, 12, 15, 0, tzinfo=UTC)
_ITEM_URL = (
    f"http://127.0.0.1:8080/blobs/{{}}/acme/jobs/{JOB_ID_EXAMPLE}/items/{ITEM_ID_EXAMPLE}/{{}}?sp=r&sig=…"
)
_EXAMPLE = ItemVariants(
    item_id=ITEM_ID_EXAMPLE,
    state=ItemState.EXPORTED,
    scene=Download(url=_ITEM_URL.format("outputs", "outputs/1-scene.png"), expires_at=_QUARTER_PAST),
    matte=Download(url=_ITEM_URL.format("outputs", "outputs/1-matte.png"), expires_at=_QUARTER_PAST),
    variants=[
        VariantView(
            url=_ITEM_URL.format("exports", "exports/1/amazon-main.jpg"),
            expires_at=_QUARTER_PAST,
            preset="amazon-main",
            filename="MUG-01-amazon-main.jpg",
            format="jpeg",
            content_type="image/jpeg",
            width=2000,
            height=2000,
            bytes=412345,
            sha256="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
            compliance=[RULE_EXAMPLE],
            fidelity=FIDELITY_EXAMPLE,
            placed=PLACED_EXAMPLE,
            public_url=URL_EXAMPLE,
        )
    ],
)


@router.get(
    "/v1/jobs/{job_id}/items/{item_id}/variants",
    summary="List an item's pictures",
    responses={
        **answer("The item's pictures so far.", _EXAMPLE),
        **problems(*BY_KEY, NotFound, *ALWAYS),
    },
)
async def read_variants(parts: WebParts, tenant_id: Tenant, job_id: JobId, item_id: ItemId) -> ItemVariants:
    """The pictures that are ready; none for an item that is not completed yet."""
    async with parts.database.read() as connection:
        item = await find_item(connection, tenant_id, job_id, item_id)
        rows = await list_variants(connection, item.id)
        named = await items.list_names(connection, job_id)
        links = await job_links(connection, job_id)
    # The whole job's, so that a picture has here the name that it has in the archive.
    stems = unique_product_stems((each.sku, each.filename) for each in named)
    stem = next(stem for each, stem in zip(named, stems, strict=True) if each.id == item.id)
    return ItemVariants(
        item_id=item.id,
        state=item.state,
        scene=await _output(parts, item, item.scene_path, f"{stem}-scene"),
        matte=await _output(parts, item, item.matte_path, f"{stem}-matte"),
        variants=[
            await _variant(parts, row, stem, links.url(parts.settings.public_links_url, item, row))
            for row in rows
        ],
    )


async def _output(parts: Parts, item: Item, path: str | None, stem: str) -> Download | None:
    if path is None or item.outputs_expired_at is not None:
        return None
    name = f"{stem}.{path.rpartition('.')[2]}"
    return await _download(parts, "outputs", path, name)


async def _variant(parts: Parts, row: VariantRow, stem: str, public_url: str | None) -> VariantView:
    name = f"{stem}-{row.preset}.{row.path.rpartition('.')[2]}"
    download = None if row.expired_at else await _download(parts, "exports", row.path, name)
    return VariantView(
        url=download.url if download else None,
        expires_at=download.expires_at if download else None,
        expired_at=row.expired_at,
        preset=row.preset,
        filename=name,
        format=row.format,
        content_type=row.content_type,
        width=row.width,
        height=row.height,
        bytes=row.bytes,
        sha256=row.sha256,
        compliance=[RuleReport.model_validate(rule) for rule in row.compliance],
        fidelity=None if row.fidelity is None else FidelityReport.model_validate(row.fidelity),
        placed=None if row.placed is None else PlacedReport.model_validate(row.placed),
        public_url=public_url,
    )


async def _download(parts: Parts, container: str, path: str, name: str) -> Download:
    lifetime = timedelta(seconds=parts.settings.blob.url_lifetime_s)
    signed = await parts.blobs.signed_url(container, path, Permission.READ, lifetime, download_name=name)
    return Download(url=signed.url, expires_at=signed.expires_at)
