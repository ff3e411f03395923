"""``/v1/jobs/{id}/results.csv`` and ``public-links.txt``: a job as a table, its public addresses.

Both are sent while the job is read, a page of photos at a time, so that memory does not grow with the job.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from opal.blobs.names import attachment
from opal.database import items
from opal.database.engine import Database
from opal.database.jobs import Job
from opal.database.public_links import JobLinks, job_links
from opal.database.variants import VariantRow, job_variants
from opal.errors import NotFound, PublicLinksOff
from opal.http.authentication import Tenant, TenantRoute
from opal.http.errors import AddressTooLong
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.file_names import safe_stem, unique_product_stems
from opal.items.item import Item
from opal.items.review import ReviewVerdict
from opal.web_api.parts import JobId, WebParts, find_job
from opal.web_api.public_links import URL_EXAMPLE
from opal.web_api.take import Taken

router = APIRouter(route_class=TenantRoute, tags=["pictures"])

COLUMNS: Final = (
    *("sku", "filename", "state", "preset", "file", "width", "height", "bytes", "format"),
    *("compliance", "broken_rules", "fidelity", "altered", "confidence", "review", "verdict"),
    *("public_url", "error_code", "error_message", "item_id"),
)
_PHOTOS_AT_A_TIME: Final = 100
# Spreadsheets take what begins so for a formula, which may fetch and send (OWASP, CSV injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_MARK: Final = "\ufeff"
"""Without it a spreadsheet reads UTF-8 as if it were its country's old code."""
_EXAMPLE: Final = (
    f"{_MARK}{','.join(COLUMNS)}\r\n"
    "MUG-01,mug.jpg,exported,amazon-main,MUG-01/amazon-main.jpg,2000,2000,412345,jpeg,passed,,0.9996,no,0.97,no,,"
    f"{URL_EXAMPLE},,,item_3b0c5c0e9a1f4d5e6a7b8c9d\r\n"
)


@dataclass(frozen=True, slots=True)
class _Table:
    """What a table is made of; ``stems`` are the photos' names in the archive, by item id."""

    job: Job
    database: Database
    wanted: frozenset[str]
    presets: frozenset[str]
    stems: dict[str, str]
    links: JobLinks
    links_url: str

    async def pages(self) -> AsyncIterator[list[tuple[Item, list[VariantRow]]]]:
        """The wanted photos with their wanted pictures, a page at a time, each page read by itself."""
        last = -1
        while True:
            async with self.database.read() as connection:
                page = await items.list_items(connection, self.job.id, after=last, limit=_PHOTOS_AT_A_TIME)
                shown = [item for item in page if item.id in self.wanted]
                made = await job_variants(connection, self.job.id, [item.id for item in shown])
            if shown:
                yield [
                    (item, [row for row in made.get(item.id, []) if self._has(item, row)]) for item in shown
                ]
            if len(page) < _PHOTOS_AT_A_TIME:
                return
            last = page[-1].position

    def _has(self, item: Item, row: VariantRow) -> bool:
        return row.preset in self.presets and item.verdict is not ReviewVerdict.REJECTED

    def url(self, item: Item, row: VariantRow) -> str:
        """The picture's public address; empty where it has none, or is gone."""
        return (None if row.expired_at else self.links.url(self.links_url, item, row)) or ""

    def named(self, ending: str) -> str:
        """What a download is saved as."""
        return f"opal-{safe_stem(self.job.name + '.') if self.job.name else self.job.id}{ending}"


async def _table(parts: WebParts, tenant_id: Tenant, job_id: JobId, taken: Taken) -> _Table:
    """Everything that can be refused is refused here, before the first line is out."""
    async with parts.database.read() as connection:
        job = await find_job(connection, tenant_id, job_id)
        named = await items.list_names(connection, job.id)
        links = await job_links(connection, job.id)
    stems = unique_product_stems((each.sku, each.filename) for each in named)
    return _Table(
        job,
        parts.database,
        taken.of_items(named),
        taken.of_presets(job.recipe.presets),
        {each.id: stem for each, stem in zip(named, stems, strict=True)},
        links,
        parts.settings.public_links_url,
    )


@router.get(
    "/v1/jobs/{job_id}/results.csv",
    response_class=StreamingResponse,
    summary="Read a job's results as a table",
    responses={
        200: {"description": "A CSV file (RFC 4180).", "content": {"text/csv": {"example": _EXAMPLE}}},
        **problems(*BY_KEY, AddressTooLong, NotFound, *ALWAYS),
    },
)
async def read_results(table: Annotated[_Table, Depends(_table)]) -> StreamingResponse:
    """For spreadsheets and imports: a line per picture, and one for each photo that has none.

    UTF-8 with a byte order mark. What a spreadsheet would take for a formula has an apostrophe before it.
    Of the photos and presets that are named, or of all. Of a photo whose pictures a person rejected there
    is that one line, with the verdict.
    """
    headers = {"Content-Disposition": attachment(table.named(".csv")), "Cache-Control": "private, no-store"}
    return StreamingResponse(_csv(table), 200, headers, media_type="text/csv; charset=utf-8")


@router.get(
    "/v1/jobs/{job_id}/public-links.txt",
    response_class=StreamingResponse,
    summary="List a job's public links",
    responses={
        200: {
            "description": "An address per line, in the order of photos and presets.",
            "content": {"text/plain": {"example": f"{URL_EXAMPLE}\n"}},
        },
        **problems(*BY_KEY, AddressTooLong, NotFound, PublicLinksOff, *ALWAYS),
    },
)
async def list_links(table: Annotated[_Table, Depends(_table)]) -> StreamingResponse:
    """The public address of every picture that is there, for feeds and uploads by address.

    Of the photos and presets that are named, or of all, but what a person rejected. A job whose pictures
    have none is a 409.
    """
    if table.links.key is None:
        raise PublicLinksOff("This job's pictures have no public links.")
    headers = {"Cache-Control": "private, no-store"}
    return StreamingResponse(_addresses(table), 200, headers, media_type="text/plain; charset=utf-8")


async def _addresses(table: _Table) -> AsyncIterator[bytes]:
    async for page in table.pages():
        urls = [table.url(item, row) for item, rows in page for row in rows]
        yield "".join(f"{url}\n" for url in urls if url).encode()


async def _csv(table: _Table) -> AsyncIterator[bytes]:
    yield f"{_MARK}{_text([COLUMNS])}".encode()
    async for page in table.pages():
        yield _text(line for item, rows in page for line in _lines(table, item, rows)).encode()


def _lines(table: _Table, item: Item, rows: Sequence[VariantRow]) -> Iterator[list[str]]:
    pictures = [_of_picture(table, item, row) for row in rows] or [{}]
    for picture in pictures:
        told = {**_of_item(item), **picture}
        yield [_told(told.get(name)) for name in COLUMNS]


def _of_item(item: Item) -> dict[str, Any]:
    return {
        "sku": item.sku,
        "filename": item.filename,
        "state": item.state.value,
        "confidence": item.meta.get("confidence"),
        "review": item.review,
        "verdict": item.verdict,
        "error_code": item.error_code,
        "error_message": item.error_message,
        "item_id": item.id,
    }


def _of_picture(table: _Table, item: Item, row: VariantRow) -> dict[str, Any]:
    broken = [rule["rule"] for rule in row.compliance if not rule["passed"]]
    refused = any(not rule["passed"] and rule.get("level") != "advised" for rule in row.compliance)
    fidelity = row.fidelity or {}
    return {
        "preset": row.preset,
        "file": f"{table.stems[item.id]}/{row.preset}.{row.path.rpartition('.')[2]}",
        "width": row.width,
        "height": row.height,
        "bytes": row.bytes,
        "format": row.format,
        "compliance": "broken" if refused else "advised" if broken else "passed",
        "broken_rules": " ".join(broken),
        "fidelity": fidelity.get("share_within_de1"),
        "altered": fidelity.get("altered"),
        "public_url": table.url(item, row),
    }


def _told(value: object) -> str:
    """``value`` as a cell: nothing of it is ever a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _text(lines: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(lines)
    return written.getvalue()
