"""What became of every photo of a job, as data: `report.json`, alone and in the archive."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from opal import __version__
from opal.database.jobs import Job
from opal.database.public_links import job_links
from opal.database.variants import VariantRow
from opal.items.file_names import unique_product_stems
from opal.items.item import Item
from opal.items.review import ReviewVerdict
from opal.web_api.job_view import ItemError, item_view
from opal.web_api.reports import FidelityReport, PlacedReport, RuleReport


class ArchivedVariant(BaseModel):
    """One picture of the job; `path` is where it lies in the archive."""

    preset: str
    path: str
    width: int
    height: int
    bytes: int
    format: str
    sha256: str
    compliance: list[RuleReport]
    fidelity: FidelityReport | None
    placed: PlacedReport | None
    public_url: str | None = Field(description="Its public link; null where its job has none.")
    expired_at: datetime | None = Field(
        default=None, description="When the picture was removed for its age; null: it is there."
    )
    rejected: bool = Field(
        default=False, description="A person rejected it, so that it is left out of the archive."
    )


class ArchivedItem(BaseModel):
    """One photo of the job; ``seconds`` runs from the job's creation to the item's last change."""

    source: str
    sku: str | None
    status: str
    seconds: float
    error: ItemError | None
    confidence: float | None
    confidence_reasons: list[str]
    review: bool
    verdict: ReviewVerdict | None = Field(
        default=None, description="What a person says of the pictures; null: nothing."
    )
    revision: int = Field(default=0, description="Which revision the pictures are; 0: as they first came.")
    fidelity: FidelityReport | None
    variants: list[ArchivedVariant]


class ArchiveReport(BaseModel):
    """A job's `report.json`, alone and in its archive."""

    opal: str
    job_id: str
    seconds: float
    items: list[ArchivedItem]


async def job_report(
    connection: AsyncConnection,
    job: Job,
    items: Sequence[Item],
    rows: Mapping[str, Sequence[VariantRow]],
    *,
    public_links_url: str,
) -> ArchiveReport:
    """The report of all ``items`` of the job, in their order; ``rows`` are their variants by item."""
    links = await job_links(connection, job.id)
    stems = unique_product_stems((item.sku, item.filename) for item in items)
    reports = [
        _archived_item(item, stem, rows.get(item.id, []), partial(links.url, public_links_url, item))
        for item, stem in zip(items, stems, strict=True)
    ]
    seconds = max((report.seconds for report in reports), default=0.0)
    return ArchiveReport(opal=__version__, job_id=job.id, seconds=seconds, items=reports)


def _archived_item(
    item: Item, stem: str, rows: Sequence[VariantRow], public_url: Callable[[VariantRow], str | None]
) -> ArchivedItem:
    view = item_view(item)
    return ArchivedItem(
        source=item.filename,
        sku=item.sku,
        status=item.state,
        seconds=round((item.updated_at - item.created_at).total_seconds(), 3),
        error=view.error,
        confidence=view.confidence,
        confidence_reasons=view.confidence_reasons,
        review=view.review,
        verdict=view.verdict,
        revision=view.revision,
        fidelity=view.fidelity,
        variants=[
            ArchivedVariant(
                preset=row.preset,
                path=f"{stem}/{row.preset}.{row.path.rpartition('.')[2]}",
                width=row.width,
                height=row.height,
                bytes=row.bytes,
                format=row.format,
                sha256=row.sha256,
                compliance=[RuleReport.model_validate(rule) for rule in row.compliance],
                fidelity=None if row.fidelity is None else FidelityReport.model_validate(row.fidelity),
                placed=None if row.placed is None else PlacedReport.model_validate(row.placed),
                public_url=public_url(row),
                expired_at=row.expired_at,
                rejected=item.verdict is ReviewVerdict.REJECTED,
            )
            for row in rows
        ],
    )
