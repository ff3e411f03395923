"""``/v1/jobs/{id}/report.html`` and ``report.json``: what became of every photo, rule by rule."""

import asyncio
import base64
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Final

import pyvips
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from opal.blobs.interface import Blobs
from opal.database import items
from opal.database.variants import VariantRow, job_variants
from opal.errors import BlobNotFound, NotFound
from opal.http.authentication import Tenant, TenantRoute
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.images.preview import SIDE, preview_of_file
from opal.items.item import Item
from opal.items.states import ItemState
from opal.report_page.page import ReportPage, render
from opal.web_api.job_page import job_page
from opal.web_api.job_report import ArchivedItem, ArchivedVariant, ArchiveReport, job_report
from opal.web_api.job_view import JOB_ID_EXAMPLE
from opal.web_api.parts import JobId, WebParts, find_job
from opal.web_api.public_links import URL_EXAMPLE
from opal.web_api.reports import FIDELITY_EXAMPLE, PLACED_EXAMPLE, RULE_EXAMPLE

router = APIRouter(route_class=TenantRoute, tags=["pictures"])

# In a page of many, larger files, such as those for print, have no preview, so that memory stays small.
_LARGEST_PREVIEWED = 8 << 20
LARGEST_SHOWN = 64 << 20
"""Bytes of the largest file that is shown small where it alone is asked for."""
_AT_A_TIME: Final = 2
_PAGE_HEADERS: Final = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # All that the page needs is in it; what a name may hold never runs.
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
}
_EXAMPLE = ArchiveReport(
    opal="0.5.0",
    job_id=JOB_ID_EXAMPLE,
    seconds=6.1,
    items=[
        ArchivedItem(
            source="mug.jpg",
            sku="MUG-01",
            status="exported",
            seconds=6.1,
            error=None,
            confidence=0.97,
            confidence_reasons=[],
            review=False,
            fidelity=FIDELITY_EXAMPLE,
            variants=[
                ArchivedVariant(
                    preset="amazon-main",
                    path="MUG-01/amazon-main.jpg",
                    width=2000,
                    height=2000,
                    bytes=412345,
                    format="jpeg",
                    sha256="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                    compliance=[RULE_EXAMPLE],
                    fidelity=FIDELITY_EXAMPLE,
                    placed=PLACED_EXAMPLE,
                    public_url=URL_EXAMPLE,
                )
            ],
        )
    ],
)


@dataclass(frozen=True, slots=True)
class _Part:
    """Which of a job's photos a page has, where they do not fit on one."""

    page: int
    limit: int

    def of(self, everything: Sequence[Item]) -> Sequence[Item]:
        return everything[(self.page - 1) * self.limit : self.page * self.limit]

    def pages(self, total: int) -> int:
        return -(-total // self.limit)

    def address(self, page: int, total: int) -> str | None:
        """Another page's, beside this one; None where there is none."""
        return f"report.html?page={page}&limit={self.limit}" if 1 <= page <= self.pages(total) else None

    def counted(self, total: int) -> str:
        photos = f"{total:,} photo{'' if total == 1 else 's'}"
        return f"{photos}, page {self.page} of {self.pages(total)}" if self.pages(total) > 1 else photos


def _part(
    page: Annotated[int, Query(ge=1, le=1_000_000, description="Which page, from 1.")] = 1,
    limit: Annotated[int, Query(ge=1, le=100, description="Photos per page.")] = 25,
) -> _Part:
    return _Part(page, limit)


_SEVERAL = "The counts are of this page. What failed is on the first pages, then what wants a look."


class Previews:
    """Makes small pictures of finished ones, a few at a time for all requests together."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._turn = asyncio.Semaphore(_AT_A_TIME)

    async def of(self, rows: Sequence[VariantRow]) -> dict[str, str]:
        """A ``data:`` address per picture's path; one that is too large, gone or no picture is left out."""
        made = await asyncio.gather(*(self._of_one(row) for row in rows))
        return {row.path: url for row, url in zip(rows, made, strict=True) if url is not None}

    async def webp(self, row: VariantRow, side: int, most_bytes: int = _LARGEST_PREVIEWED) -> bytes | None:
        """The picture with ``side`` as its longer side in pixels; None where there is no preview of it."""
        if row.bytes > most_bytes or row.expired_at is not None:
            return None
        async with self._turn:
            with suppress(BlobNotFound, pyvips.Error):
                data = await self._blobs.read("exports", row.path)
                return await asyncio.to_thread(preview_of_file, data, side)
        return None

    async def _of_one(self, row: VariantRow) -> str | None:
        small = await self.webp(row, SIDE)
        return None if small is None else f"data:image/webp;base64,{base64.b64encode(small).decode()}"


@router.get(
    "/v1/jobs/{job_id}/report.json",
    summary="Read a job's report",
    response_model=ArchiveReport,
    responses={
        **answer("The report of what there is so far.", _EXAMPLE),
        **problems(*BY_KEY, NotFound, *ALWAYS),
    },
)
async def read_job_report(parts: WebParts, tenant_id: Tenant, job_id: JobId) -> Response:
    """Every photo with its error or its pictures, each with every rule's measure and limit.

    The same as the archive's `report.json`, and there before any picture is.
    """
    async with parts.database.read() as connection:
        job = await find_job(connection, tenant_id, job_id)
        job_items = await items.list_items(connection, job.id)
        rows = await job_variants(connection, job.id)
        links_url = parts.settings.public_links_url
        report = await job_report(connection, job, job_items, rows, public_links_url=links_url)
    text = await asyncio.to_thread(report.model_dump_json)
    return Response(text, media_type="application/json", headers={"Cache-Control": "private, no-store"})


@router.get(
    "/v1/jobs/{job_id}/report.html",
    summary="Read a job's report as a page",
    response_class=HTMLResponse,
    responses={
        200: {
            "description": "One HTML page with everything in it, to look at or print.",
            "content": {"text/html": {"example": '<!doctype html>\n<html lang="en">…'}},
        },
        **problems(*BY_KEY, NotFound, *ALWAYS),
    },
)
async def read_job_page(
    request: Request,
    parts: WebParts,
    tenant_id: Tenant,
    job_id: JobId,
    part: Annotated[_Part, Depends(_part)],
) -> HTMLResponse:
    """For people: photos with small previews, each rule's measure beside its limit, and what was fixed.

    Photos that failed come first, then those that want a look, then all others. Nothing is loaded from
    anywhere. The archive has the same page of the whole job.
    """
    async with parts.database.read() as connection:
        job = await find_job(connection, tenant_id, job_id)
        everything = sorted(await items.list_items(connection, job.id), key=_urgency)
        shown = part.of(everything)
        rows = await job_variants(connection, job.id, [item.id for item in shown])
        links_url = parts.settings.public_links_url
        report = await job_report(connection, job, shown, rows, public_links_url=links_url)
    report.seconds = max((_seconds(item) for item in everything), default=0.0)
    flat = [row for item in shown for row in rows.get(item.id, [])]
    previews: Previews = request.app.state.previews
    small = await previews.of(flat)
    listed = [variant for item in report.items for variant in item.variants]
    thumbnails = {variant.path: small.get(row.path) for variant, row in zip(listed, flat, strict=True)}
    made = job_page(
        job,
        report,
        href=lambda variant: None if variant.expired_at else variant.public_url,
        thumbnail=lambda variant: thumbnails[variant.path],
        counted=part.counted(len(everything)),
        notes=[_SEVERAL] if part.pages(len(everything)) > 1 else [],
        embedded=True,
        before=part.address(part.page - 1, len(everything)),
        after=part.address(part.page + 1, len(everything)),
    )
    return HTMLResponse(await asyncio.to_thread(_text, made), headers=_PAGE_HEADERS)


def _text(page: ReportPage) -> str:
    return "".join(render(page))


def _urgency(item: Item) -> tuple[int, int]:
    """What a person has to act on comes first, of the whole job and not only of a page."""
    to_review = item.review and item.verdict is None
    return 0 if item.state is ItemState.FAILED else 1 if to_review else 2, item.position


def _seconds(item: Item) -> float:
    return (item.updated_at - item.created_at).total_seconds()
