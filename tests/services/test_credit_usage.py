"""Credits by day and the ledger as a file: the same figures as the ledger's own, on both services."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from tests.services.http_services import (
    CREDITS,
    OTHER,
    TENANT,
    WebApi,
    bound_socket,
    client_of,
    running_web_api,
    served,
)

from opal.billing_service.app import create_app
from opal.database import ledger
from opal.database.engine import utc_now
from opal.database.tables import ledger as rows
from opal.settings import WebSettings


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


async def entered(
    api: WebApi, days_ago: int, kind: str, amount: int, *, tenant: str = TENANT, item: str = ""
) -> None:
    """A row of the ledger as it would have been written then."""
    when = utc_now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)
    async with api.parts.database.transaction() as connection:
        await connection.execute(
            insert(rows).values(
                tenant_id=tenant,
                kind=kind,
                amount=amount,
                held=0,
                note=f"={item}",
                item_id=item or None,
                created_at=when,
            )
        )


async def test_days_are_sums_of_the_ledger(api: WebApi) -> None:
    await entered(api, 0, "debit", -3)
    await entered(api, 2, "debit", -1, item="item_a")
    await entered(api, 2, "refund", 1, item="item_a")
    await entered(api, 2, "hold", 0, item="item_b")
    await entered(api, 30, "debit", -50)
    await entered(api, 0, "debit", -7, tenant=OTHER)
    told = (await api.client.get("/v1/credits/usage")).json()
    assert len(told["days"]) == 30
    used = {(day["debited"], day["refunded"], day["granted"]) for day in told["days"]}
    assert used == {(3, 0, CREDITS), (1, 1, 0), (0, 0, 0)}
    assert told["days"][-1]["debited"] == 3
    assert told["days"][-1]["day"] == utc_now().date().isoformat()
    assert (told["debited"], told["refunded"], told["granted"]) == (4, 1, CREDITS)
    longer = (await api.client.get("/v1/credits/usage?days=31")).json()
    assert (longer["debited"], longer["days"][0]["debited"]) == (54, 50)
    bound, url = bound_socket()
    billing = create_app(api.parts.database, WebSettings())
    async with served(billing, bound), client_of(url, api.client.headers["X-API-Key"]) as client:
        assert (await client.get("/v1/credits/usage")).json() == told


async def test_the_ledger_as_a_file_has_every_entry_once(
    api: WebApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opal.http.credits._ROWS_AT_A_TIME", 2)
    for number in range(4):
        await entered(api, number, "debit", -1)
    answer = await api.client.get("/v1/credits/ledger.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="opal-credits.csv"' in answer.headers["content-disposition"]
    read = list(csv.DictReader(io.StringIO(answer.text)))
    async with api.parts.database.read() as connection:
        kept = await ledger.entries(connection, TENANT, 100)
    assert [int(row["seq"]) for row in read] == [entry.seq for entry in kept]
    assert sum(int(row["amount"]) for row in read) == CREDITS - 4
    # A spreadsheet would run it.
    assert {row["note"] for row in read if row["kind"] == "debit"} == {"'="}
