"""``/credits``: what there is, what it was spent on day by day, and the ledger behind it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from opal.console.page import Page, pages_of
from opal.console.usage_chart import HEIGHT, usage_chart
from opal.http.credits import read_credits, read_usage

router = APIRouter(route_class=Page, include_in_schema=False)

_DAYS = 30
_ENTRIES_A_PAGE = 30


@router.get("/credits")
async def show_credits(
    request: Request, before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None
) -> Response:
    """Figures, chart and a page of the ledger; all of them the API's own."""
    tenant_id: str = request.state.tenant_id
    return pages_of(request).render(
        request,
        "credits",
        account=await read_credits(request, tenant_id, _ENTRIES_A_PAGE, before),
        used=(used := await read_usage(request, tenant_id, _DAYS)),
        chart=usage_chart(used.days),
        chart_height=HEIGHT,
        first=before is None,
    )
