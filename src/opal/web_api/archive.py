"""``/v1/jobs/{id}/archive.zip``: all pictures of a job in one file, made while it is sent."""

import asyncio
import itertools
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from stream_zip import NO_COMPRESSION_64, ZIP_64, AsyncMemberFile, Method, async_stream_zip

from opal.blobs.interface import Blobs
from opal.blobs.names import attachment
from opal.database import items
from opal.database.jobs import Job
from opal.database.variants import VariantRow, job_variants
from opal.errors import JobNotReady, NotFound, PictureExpired
from opal.http.authentication import Tenant, TenantRoute
from opal.http.errors import AddressTooLong
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.file_names import safe_stem
from opal.report_page.page import render
from opal.web_api.job_page import archive_page
from opal.web_api.job_report import ArchiveReport, job_report
from opal.web_api.parts import JobId, WebParts, find_job
from opal.web_api.take import Taken

router = APIRouter(route_class=TenantRoute, tags=["pictures"])

# Pictures up to this size are read once; larger ones twice, so that memory does not grow with them.
_READ_ONCE_BYTES = 8 << 20
_FILE_MODE = 0o644
# Of the page's text, some kilobytes together.
_PIECES_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class _Archive:
    """What goes into one archive."""

    job: Job
    report: ArchiveReport
    files: list[tuple[str, VariantRow]]
    blobs: Blobs


async def _archive(parts: WebParts, tenant_id: Tenant, job_id: JobId, taken: Taken) -> _Archive:
    """Everything that can be refused is refused here, before the first byte is out."""
    async with parts.database.read() as connection:
        job = await find_job(connection, tenant_id, job_id)
        job_items = await items.list_items(connection, job.id)
        wanted, presets = taken.of_items(job_items), taken.of_presets(job.recipe.presets)
        everything = await job_variants(connection, job.id)
        rows = {
            item_id: [row for row in made if row.preset in presets]
            for item_id, made in everything.items()
            if item_id in wanted
        }
        if not any(rows.values()):
            raise JobNotReady
        links_url = parts.settings.public_links_url
        report = await job_report(connection, job, job_items, rows, public_links_url=links_url)
    files = [
        (variant.path, row)
        for item, told in zip(job_items, report.items, strict=True)
        for variant, row in zip(told.variants, rows.get(item.id, []), strict=True)
        if row.expired_at is None and not variant.rejected
    ]
    if not files:
        if all(variant.expired_at for told in report.items for variant in told.variants):
            raise PictureExpired
        raise JobNotReady("All pictures that there are were rejected.")
    # The whole job's were needed for their names: a photo is called the same in every archive.
    report.items = [told for item, told in zip(job_items, report.items, strict=True) if item.id in wanted]
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
        **problems(*BY_KEY, AddressTooLong, NotFound, JobNotReady, PictureExpired, *ALWAYS),
    },
)
async def download_archive(archive: Annotated[_Archive, Depends(_archive)]) -> StreamingResponse:
    """A ZIP with ``<SKU or photo>/<preset>.<ext>`` for every picture that is ready, and its reports.

    Of the photos and presets that are named, or of all. The reports, of the same photos, are
    ``report.json`` and, for people, ``report.html``, which shows the pictures beside it. Of pictures
    that were removed for their age, or that a person rejected, they only tell; where none is left for its
    age, the answer is 410.
    """
    name = f"opal-{safe_stem(archive.job.name + '.') if archive.job.name else archive.job.id}.zip"
    headers = {"Content-Disposition": attachment(name), "Cache-Control": "private, no-store"}
    return StreamingResponse(async_stream_zip(_members(archive)), 200, headers, media_type="application/zip")


async def _members(archive: _Archive) -> AsyncIterator[AsyncMemberFile]:
    now = datetime.now(UTC)
    report = archive.report.model_dump_json(indent=2).encode()
    # A page is text, and large where there are thousands of photos: it is packed while it is made.
    yield "report.html", now, _FILE_MODE, ZIP_64, _page(archive)
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


async def _page(archive: _Archive) -> AsyncIterator[bytes]:
    """The page in pieces, made off the event loop."""
    pieces = render(archive_page(archive.job, archive.report))
    while text := await asyncio.to_thread(_some_of, pieces):
        yield text.encode()


def _some_of(pieces: Iterator[str]) -> str:
    return "".join(itertools.islice(pieces, _PIECES_AT_A_TIME))


def _stored(size: int, checksum: int) -> Method:
    # Pictures are compressed already: deflating them again costs a core and saves nothing.
    return NO_COMPRESSION_64(size, checksum)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
