"""What a key may do and how often: scopes, limits, last use, revocation, over the real server."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from tests.services.http_services import (
    TENANT,
    WebApi,
    bound_socket,
    client_of,
    photo,
    running_web_api,
    served,
)

from opal.assembly import build_parts
from opal.billing_service.app import create_app as create_billing
from opal.database import keys
from opal.database.keys import Scope
from opal.errors import InvalidSettings
from opal.settings import RemoveBgSettings, WebSettings, load_settings
from opal.web_api.app import create_app

_LEFT = re.compile(r'"key";r=(\d+);t=(\d+), "tenant";r=(\d+);t=(\d+)')
_SETTINGS = (
    "/v1/presets",
    "/v1/webhooks",
    "/v1/delivery-targets",
    "/v1/public-links",
    "/v1/tenants",
    "/v1/keys",
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


async def key_of(api: WebApi, tenant: str = TENANT, *scopes: Scope) -> str:
    async with api.parts.database.transaction() as connection:
        return (await keys.create_key(connection, tenant, "test", scopes=scopes or keys.TENANT_SCOPES))[1]


def left(answer: httpx.Response) -> tuple[int, int]:
    """What the headers say is left for the key and for the tenant."""
    found = _LEFT.fullmatch(answer.headers["ratelimit"])
    assert found is not None, answer.headers["ratelimit"]
    assert all(1 <= int(seconds) <= 60 for seconds in (found[2], found[4]))
    return int(found[1]), int(found[3])


def needed_for(method: str, path: str) -> Scope:
    """As docs/api.md says it, in words."""
    if path.startswith("/v1/operations"):
        return Scope.OPERATE
    if method in {"get", "head"}:
        return Scope.READ
    delivers = path.startswith("/v1/delivery-targets/{target_id}/deliveries")
    return Scope.SETTINGS if path.startswith(_SETTINGS) and not delivers else Scope.JOBS


async def test_every_operation_names_its_scope_and_refuses_keys_without_it(api: WebApi) -> None:
    document = (await api.anonymous.get("/openapi.json")).json()
    with_key = {scope: {"X-API-Key": await key_of(api, TENANT, scope)} for scope in Scope}
    asked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            [security] = operation.get("security", [{}])
            if not path.startswith("/v1/") or not security:
                continue
            needed = needed_for(method, path)
            assert security == {"APIKeyHeader": [needed]}, f"{method} {path}"
            for scope, headers in with_key.items():
                address = re.sub(r"\{\w+\}", "nothing", path.replace("{queue}", "jobs"))
                answer = await api.anonymous.request(method, address, headers=headers)
                refused = answer.status_code == 403 and answer.json()["code"] == "scope_missing"
                assert refused is (scope is not needed), f"{method} {path} with {scope}: {answer.text}"
                assert not refused or f"`{needed}`" in answer.json()["detail"]
                asked += 1
    assert asked > 100


async def test_a_key_that_only_reads_has_no_pictures_made(api: WebApi) -> None:
    headers = {"X-Api-Key": await key_of(api, TENANT, Scope.READ)}
    assert (await api.anonymous.get("/v1.0/account", headers=headers)).status_code == 200
    for path, field in (("/v1.0/removebg", "image_file"), ("/api/remove", "file")):
        answer = await api.anonymous.post(path, headers=headers, files={field: photo()})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "auth_failed")
        assert "scope jobs" in answer.json()["errors"][0]["detail"]


async def test_a_revoked_key_ends_at_once_and_its_last_use_is_known(api: WebApi) -> None:
    presented = await key_of(api)
    async with client_of(api.url, presented) as client:
        assert (await client.get("/v1/credits")).status_code == 200
        async with api.parts.database.transaction() as connection:
            used = (await keys.list_keys(connection, TENANT))[-1]
            assert used.last_used_at is not None
            await keys.revoke_key(connection, used.id)
        assert (await client.get("/v1/credits")).status_code == 401


async def test_keys_and_tenants_have_limits_of_their_own(tmp_path: Path) -> None:
    web = WebSettings(requests_per_key=4, requests_per_tenant=6)
    async with running_web_api(tmp_path, web=web) as api:
        answers = [await api.client.get("/v1/credits") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 4 + [429]
        assert [left(answer) for answer in answers] == [(3, 5), (2, 4), (1, 3), (0, 2), (0, 2)]
        policy = '"key";q=4;w=60, "tenant";q=6;w=60'
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {policy}
        refused = answers[-1]
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == "too_many_requests"
        assert refused.json()["detail"] == "This key may send 4 requests a minute."
        assert 1 <= int(refused.headers["retry-after"]) <= 60

        # Another key of the tenant has what the tenant has left; another tenant does not notice.
        async with client_of(api.url, await key_of(api)) as second:
            statuses = [(await second.get("/v1/jobs")).status_code for _ in range(2)]
            # A faulty request counts as well, and is told what is left; so is one in remove.bg's form.
            over = await second.get("/v1/nothing-there")
            last = await second.get("/v1/jobs/x")
            account = await second.get("/v1.0/account")
        assert (statuses, over.status_code) == ([200, 200], 404)
        assert (last.status_code, last.json()["detail"]) == (429, "This tenant may send 6 requests a minute.")
        assert (account.status_code, account.json()["errors"][0]["code"]) == (429, "rate_limit_exceeded")
        assert 1 <= int(account.headers["retry-after"]) <= 60
        assert left(await api.other.get("/v1/jobs/x")) == (3, 5)


async def test_two_processes_count_together(tmp_path: Path) -> None:
    web = WebSettings(requests_per_key=6, requests_per_tenant=100)
    async with running_web_api(tmp_path, web=web) as api:
        bound, url = bound_socket()
        async with (
            served(create_app(api.parts), bound),
            client_of(url, api.client.headers["X-API-Key"]) as elsewhere,
        ):
            answers = [await client.get("/v1/credits") for client in (api.client, elsewhere) * 4]
    assert sorted(answer.status_code for answer in answers) == [200] * 6 + [429] * 2


async def test_counting_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    web = WebSettings(requests_per_key=3)
    async with running_web_api(tmp_path, web=web) as api:
        billing = create_billing(api.parts.database, web)
        bound, url = bound_socket()
        async with served(billing, bound), client_of(url, api.client.headers["X-API-Key"]) as client:
            answers = [await client.get("/v1/credits") for _ in range(4)]
        async with api.parts.database.read() as connection:
            counted = await connection.scalar(text("SELECT count(*) FROM request_windows"))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert counted == 0, "billing-service may only read"


async def test_what_needs_no_key_is_not_served_to_other_machines(tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path,
        web=WebSettings(host="0.0.0.0"),
        removebg=RemoveBgSettings(open_tenant=TENANT),
    )
    parts = build_parts(settings)
    try:
        with pytest.raises(InvalidSettings, match="OPAL_REMOVEBG_OPEN_TENANT"):
            create_app(parts)
    finally:
        await parts.close()
