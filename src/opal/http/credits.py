"""``/v1/credits``: what a tenant has and how it came about; the same in both HTTP services."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from opal.database import ledger, usage
from opal.database.engine import Database, utc_now
from opal.database.ledger import EntryKind, LedgerEntry
from opal.http.authentication import Tenant, TenantRoute
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems

router = APIRouter(route_class=TenantRoute, tags=["credits"])


class CreditEntry(BaseModel):
    """One row of the ledger; rows are never changed."""

    seq: int
    kind: EntryKind
    amount: int = Field(description="Change of the balance.")
    held: int = Field(description="Change of what is held.")
    job_id: str | None
    item_id: str | None
    note: str
    created_at: datetime


class Credits(BaseModel):
    """One credit pays for one photo: held when its job is accepted, debited when it is done."""

    balance: int = Field(description="Credits not spent yet.", examples=[97])
    held: int = Field(description="Of these, promised to jobs that are not done.", examples=[2])
    available: int = Field(description="What a new job may use.", examples=[95])
    entries: list[CreditEntry] = Field(description="Newest first.")
    next_cursor: int | None = Field(description="Pass as `cursor` for older entries; null at the end.")


class CreditDay(BaseModel):
    """What happened on one day, in UTC."""

    day: date
    debited: int = Field(description="Spent on photos that were done.")
    refunded: int = Field(description="Given back, for photos that failed after they had been charged.")
    granted: int


class CreditUsage(BaseModel):
    """Every day up to today, oldest first."""

    days: list[CreditDay]
    debited: int = Field(description="On all of these days together.")
    refunded: int
    granted: int


_USAGE_EXAMPLE = CreditUsage(
    days=[CreditDay(day=date(2026, 3, 2), debited=120, refunded=1, granted=0)],
    debited=120,
    refunded=1,
    granted=0,
)
_ROWS_AT_A_TIME = 1000
_COLUMNS = ("seq", "created_at", "kind", "amount", "held", "job_id", "item_id", "note")
_CSV_EXAMPLE = (
    "seq,created_at,kind,amount,held,job_id,item_id,note\r\n"
    "41,2026-03-02T09:30:12+00:00,debit,-1,-1,job_9f1c2d3e4a5b6c7d8e9f0a1b,item_3b0c5c0e9a1f4d5e6a7b8c9d,\r\n"
)

_EXAMPLE = Credits(
    balance=97,
    held=2,
    available=95,
    entries=[
        CreditEntry(
            seq=41,
            kind=EntryKind.DEBIT,
            amount=-1,
            held=-1,
            job_id="job_9f1c2d3e4a5b6c7d8e9f0a1b",
            item_id="item_3b0c5c0e9a1f4d5e6a7b8c9d",
            note="",
            created_at=datetime(2026, 3, 2, 9, 30, 12, tzinfo=UTC),
        )
    ],
    next_cursor=41,
)


@router.get(
    "/v1/credits",
    summary="Balance and ledger",
    responses={**answer("What the tenant has.", _EXAMPLE), **problems(*BY_KEY, *ALWAYS)},
)
async def read_credits(
    request: Request,
    tenant_id: Tenant,
    limit: Annotated[int, Query(ge=1, le=200, description="Entries per page.")] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="From `next_cursor`.")] = None,
) -> Credits:
    """Balance, held and available credits, and the ledger's entries, newest first."""
    database: Database = request.app.state.database
    async with database.for_tenant(tenant_id).read() as connection:
        balance = await ledger.balance(connection, tenant_id)
        rows = await ledger.entries(connection, tenant_id, limit + 1, cursor)
    page = rows[:limit]
    return Credits(
        balance=balance.balance,
        held=balance.held,
        available=balance.available,
        entries=[
            CreditEntry(**{name: getattr(row, name) for name in CreditEntry.model_fields}) for row in page
        ],
        next_cursor=page[-1].seq if len(rows) > limit else None,
    )


@router.get(
    "/v1/credits/usage",
    summary="Credits per day",
    responses={**answer("The days.", _USAGE_EXAMPLE), **problems(*BY_KEY, *ALWAYS)},
)
async def read_usage(
    request: Request,
    tenant_id: Tenant,
    days: Annotated[int, Query(ge=1, le=366, description="How many, today included.")] = 30,
) -> CreditUsage:
    """What was debited, refunded and granted on each of the last days, summed from the ledger."""
    database: Database = request.app.state.database
    async with database.for_tenant(tenant_id).read() as connection:
        found = await usage.by_day(connection, tenant_id, utc_now().date(), days)
    return CreditUsage(
        days=[
            CreditDay(day=each.day, debited=each.debited, refunded=each.refunded, granted=each.granted)
            for each in found
        ],
        debited=sum(each.debited for each in found),
        refunded=sum(each.refunded for each in found),
        granted=sum(each.granted for each in found),
    )


@router.get(
    "/v1/credits/ledger.csv",
    summary="The whole ledger as CSV",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Every entry, newest first, with a line of names.",
            "content": {"text/csv": {"schema": {"type": "string"}, "example": _CSV_EXAMPLE}},
        },
        **problems(*BY_KEY, *ALWAYS),
    },
)
async def read_ledger(request: Request, tenant_id: Tenant) -> StreamingResponse:
    """For a spreadsheet, in UTF-8 (RFC 4180). Entries that are made meanwhile are left out."""
    database: Database = request.app.state.database
    lines = _csv(database.for_tenant(tenant_id), tenant_id)
    headers = {"Content-Disposition": 'attachment; filename="opal-credits.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(lines, media_type="text/csv", headers=headers)


async def _csv(database: Database, tenant_id: str) -> AsyncIterator[str]:
    before: int | None = None
    yield _lines([_COLUMNS])
    while True:
        # A read of its own for each part: who downloads slowly keeps no connection.
        async with database.read() as connection:
            rows = await ledger.entries(connection, tenant_id, _ROWS_AT_A_TIME, before)
        if not rows:
            return
        yield _lines([_cells(row) for row in rows])
        before = rows[-1].seq


def _cells(row: LedgerEntry) -> list[str]:
    # A note could else be taken for a formula by a spreadsheet.
    note = f"'{row.note}" if row.note.startswith(("=", "+", "-", "@", "\t", "\r")) else row.note
    plain = (row.kind, row.amount, row.held, row.job_id or "", row.item_id or "", note)
    return [str(row.seq), row.created_at.isoformat(), *map(str, plain)]


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
