"""``/v1/jobs/{id}/archive.zip``: all pictures of a job in one file, made while it is sent."""

import zlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from stream_zip import NO_COMPRESSION_64, AsyncMemberFile, Method, async_stream_zip

from opal import __version__
from opal.blobs.interface import Blobs
from opal.blobs.signing import attachment
from opal.database import items
from opal.database.jobs import Job
from opal.database.variants import VariantRow, job_variants
from opal.errors import JobNotReady, NotFound, Unauthorized
from opal.http.authentication import Tenant, TenantRoute
from opal.http.problem import ALWAYS, problems
from opal.items.file_names import safe_stem, unique_product_stems
from opal.items.item import Item
from opal.web_api.job_view import ItemError, item_view
from opal.web_api.parts import JobId, WebParts, find_job
from opal.web_api.reports import FidelityReport, PlacedReport, RuleReport

router = APIRouter(route_class=TenantRoute, tags=["pictures"])

# Pictures up to this size are read once; larger ones twice, so that memory does not grow with them.
_READ_ONCE_BYTES = 8 << 20
_FILE_MODE = 0o644


class ArchivedVariant(BaseModel):
    """One picture of the archive."""

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
    fidelity: FidelityReport | None
    variants: list[ArchivedVariant]


class ArchiveReport(BaseModel):
    """The archive's ``report.json``."""

    opal: str
    job_id: str
    seconds: float
    items: list[ArchivedItem]


@dataclass(frozen=True, slots=True)
class _Archive:
    """What goes into one archive."""

    job: Job
    report: ArchiveReport
    files: list[tuple[str, VariantRow]]
    blobs: Blobs


async def _archive(parts: WebParts, tenant_id: Tenant, job_id: JobId) -> _Archive:
    """Everything that can be refused is refused here, before the first byte is out."""
    async with parts.database.read() as connection:
        job = await find_job(connection, tenant_id, job_id)
        job_items = await items.list_items(connection, job.id)
        rows = await job_variants(connection, job.id)
    if not rows:
        raise JobNotReady
    files = []
    reports = []
    stems = unique_product_stems((item.sku, item.filename) for item in job_items)
    for item, stem in zip(job_items, stems, strict=True):
        named = [(f"{stem}/{row.preset}.{row.path.rpartition('.')[2]}", row) for row in rows.get(item.id, [])]
        files += named
        reports.append(_archived_item(item, named))
    seconds = max((report.seconds for report in reports), default=0.0)
    report = ArchiveReport(opal=__version__, job_id=job.id, seconds=seconds, items=reports)
    return _Archive(job, report, files, parts.blobs)


@router.get(
    "/v1/jobs/{job_id}/archive.zip",
    response_class=StreamingResponse,
    summary="Download all pictures",
    responses={
        200: {
            "description": "A ZIP file; its `report.json` is described by ArchiveReport.",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems(Unauthorized, NotFound, JobNotReady, *ALWAYS),
    },
)
async def download_archive(archive: Annotated[_Archive, Depends(_archive)]) -> StreamingResponse:
    """A ZIP with ``<SKU or photo>/<preset>.<ext>`` for every picture that is ready, and ``report.json``."""
    name = f"opal-{safe_stem(archive.job.name + '.') if archive.job.name else archive.job.id}.zip"
    headers = {"Content-Disposition": attachment(name), "Cache-Control": "private, no-store"}
    return StreamingResponse(async_stream_zip(_members(archive)), 200, headers, media_type="application/zip")


async def _members(archive: _Archive) -> AsyncIterator[AsyncMemberFile]:
    now = datetime.now(UTC)
    report = archive.report.model_dump_json(indent=2).encode()
    yield "report.json", now, _FILE_MODE, _stored(len(report), zlib.crc32(report)), _once(report)
    for name, row in archive.files:
        content: AsyncIterable[bytes]
        if row.bytes <= _READ_ONCE_BYTES:
            data = await archive.blobs.read("exports", row.path)
            method, content = _stored(len(data), zlib.crc32(data)), _once(data)
        else:
            method, content = await _stored_large(archive.blobs, row.path)
        yield name, now, _FILE_MODE, method, content


async def _stored_large(blobs: Blobs, path: str) -> tuple[Method, AsyncIterable[bytes]]:
    """A stored member states its checksum before its bytes, so it is read once for that."""
    size = checksum = 0
    async for piece in blobs.stream("exports", path):
        size += len(piece)
        checksum = zlib.crc32(piece, checksum)
    return _stored(size, checksum), blobs.stream("exports", path)


def _stored(size: int, checksum: int) -> Method:
    # Pictures are compressed already: deflating them again costs a core and saves nothing.
    return NO_COMPRESSION_64(size, checksum)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _archived_item(item: Item, named: list[tuple[str, VariantRow]]) -> ArchivedItem:
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
        fidelity=view.fidelity,
        variants=[
            ArchivedVariant(
                preset=row.preset,
                path=name,
                width=row.width,
                height=row.height,
                bytes=row.bytes,
                format=row.format,
                sha256=row.sha256,
                compliance=[RuleReport.model_validate(rule) for rule in row.compliance],
                fidelity=None if row.fidelity is None else FidelityReport.model_validate(row.fidelity),
                placed=None if row.placed is None else PlacedReport.model_validate(row.placed),
            )
            for name, row in named
        ],
    )
