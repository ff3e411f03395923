"""Credits over HTTP, the same figures in billing-service and in web-api."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.services.http_services import (
    CREDITS,
    WebApi,
    bound_socket,
    client_of,
    photo,
    running_web_api,
    served,
)

from opal.billing_service.app import create_app
from opal.settings import WebSettings


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


@pytest.fixture
async def billing(api: WebApi) -> AsyncIterator[httpx.AsyncClient]:
    bound, url = bound_socket()
    key = api.client.headers["X-API-Key"]
    async with served(create_app(api.parts.database, WebSettings()), bound), client_of(url, key) as client:
        yield client


async def test_a_job_s_credits_from_hold_to_charge(api: WebApi, billing: httpx.AsyncClient) -> None:
    job = await api.job("a.jpg", "b.jpg", "c.jpg")
    await api.upload(job, photo())
    await api.upload(job, b"no photo", 1)
    await api.finish(job["items"][0]["id"], {"square-1x1": b"jpeg"})
    answer = (await billing.get("/v1/credits")).json()
    assert (answer["balance"], answer["held"], answer["available"]) == (CREDITS - 1, 1, CREDITS - 2)
    kinds = [entry["kind"] for entry in answer["entries"]]
    assert kinds == ["debit", "release", "hold", "hold", "hold", "grant"]
    assert answer == (await api.client.get("/v1/credits")).json()
    assert (await api.other.get("/v1/credits")).json()["balance"] == CREDITS


async def test_the_ledger_is_paged_without_gaps(api: WebApi, billing: httpx.AsyncClient) -> None:
    await api.job("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    seen: list[int] = []
    cursor: int | None = None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor is not None else {})}
        page = (await billing.get("/v1/credits", params=query)).json()
        seen += [entry["seq"] for entry in page["entries"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    whole = (await billing.get("/v1/credits", params={"limit": 200})).json()["entries"]
    assert seen == [entry["seq"] for entry in whole]
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 5


async def test_billing_has_keys_health_and_problems_like_any_service(billing: httpx.AsyncClient) -> None:
    assert (await billing.get("/healthz")).json() == {"status": "alive"}
    assert (await billing.get("/readyz")).json() == {"status": "ready", "checks": ["database"]}
    assert "opal_http_request_seconds" in (await billing.get("/metrics")).text
    refused = await billing.get("/v1/credits", headers={"X-API-Key": "wrong"})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert (await billing.get("/v1/jobs")).json()["code"] == "not_found"
