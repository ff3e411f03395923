"""``GET /v1/credits``: what a tenant has and how it came about; the same in both HTTP services."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from opal.database import ledger
from opal.database.engine import Database
from opal.database.ledger import EntryKind
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
