"""A tenant's own keys over the API: shown once, never stronger than their maker, never all gone unasked."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.services.http_services import TENANT, WebApi, client_of, running_web_api

from opal.database import keys, tenant_keys
from opal.database.keys import Scope


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


async def key_of(api: WebApi, *scopes: Scope) -> tuple[str, str]:
    async with api.parts.database.transaction() as connection:
        made, whole = await keys.create_key(connection, TENANT, "test", scopes=scopes)
    return made.id, whole


async def test_a_key_is_shown_once_and_works_until_it_is_revoked(api: WebApi) -> None:
    made = (await api.client.post("/v1/keys", json={"name": "shop", "scopes": ["jobs", "read"]})).json()
    assert (made["name"], made["scopes"], made["current"]) == ("shop", ["read", "jobs"], False)
    async with client_of(api.url, made["key"]) as client:
        assert (await client.get("/v1/jobs")).status_code == 200
        assert (await client.post("/v1/keys", json={"name": "x", "scopes": ["read"]})).status_code == 403
        listed = await api.client.get("/v1/keys")
        assert made["key"].rpartition("_")[2] not in listed.text
        [shop] = [each for each in listed.json()["keys"] if each["id"] == made["id"]]
        assert shop["last_used_at"] is not None
        for _ in range(2):
            assert (await api.client.delete(f"/v1/keys/{made['id']}")).status_code == 204
        assert (await client.get("/v1/jobs")).status_code == 401
    assert (await api.client.get(f"/v1/keys/{made['id']}")).json()["revoked_at"] is not None
    # Those that work come first.
    assert [bool(each["revoked_at"]) for each in (await api.client.get("/v1/keys")).json()["keys"]] == [
        False,
        True,
    ]


async def test_a_key_gives_nothing_that_it_has_not(api: WebApi) -> None:
    refused = await api.client.post("/v1/keys", json={"name": "more", "scopes": ["read", "operate"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert "`operate`" in refused.json()["detail"]
    _, settings_only = await key_of(api, Scope.SETTINGS)
    async with client_of(api.url, settings_only) as client:
        for scopes, status in ((["settings"], 201), (["jobs"], 403), (["settings", "read"], 403)):
            answer = await client.post("/v1/keys", json={"name": "child", "scopes": scopes})
            assert answer.status_code == status, scopes
    for body in ({"name": "", "scopes": ["read"]}, {"name": "x", "scopes": []}, {"name": "x"}):
        assert (await api.client.post("/v1/keys", json=body)).status_code == 422


async def test_a_repeat_makes_no_second_key_and_shows_none(api: WebApi) -> None:
    body, once = {"name": "shop", "scopes": ["read"]}, {"Idempotency-Key": "form-1"}
    answers = await asyncio.gather(*(api.client.post("/v1/keys", json=body, headers=once) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [201] * 3
    shown = [answer.json()["key"] for answer in answers]
    assert sum(key is not None for key in shown) == 1
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 2
    other = await api.client.post("/v1/keys", json={**body, "name": "till"}, headers=once)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_the_last_key_for_settings_goes_only_when_that_is_said(api: WebApi) -> None:
    own = api.client.headers["X-API-Key"].split("_")[1]
    second, whole = await key_of(api, Scope.SETTINGS)
    async with client_of(api.url, whole) as client:
        both = await asyncio.gather(api.client.delete(f"/v1/keys/{second}"), client.delete(f"/v1/keys/{own}"))
    # One of them was quicker; the other one is the last, or is revoked before it could ask.
    assert sorted(answer.status_code for answer in both) in ([204, 409], [204, 401])
    left = own if both[0].status_code == 204 else second
    async with client_of(api.url, whole if left == second else api.client.headers["X-API-Key"]) as client:
        refused = await client.delete(f"/v1/keys/{left}")
        assert (refused.status_code, refused.json()["code"]) == (409, "last_settings_key")
        wrong = await client.delete(f"/v1/keys/{left}", headers={"X-Confirm-Revoke": "yes"})
        assert wrong.status_code == 409
        done = await client.delete(f"/v1/keys/{left}", headers={"X-Confirm-Revoke": left})
        assert done.status_code == 204
        assert (await client.get("/v1/jobs")).status_code == 401


async def test_there_is_an_end_to_keys(api: WebApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_keys, "MOST", 2)
    answers = [await api.client.post("/v1/keys", json={"name": "x", "scopes": ["read"]}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 409]
    assert answers[1].json()["code"] == "too_many_keys"


async def test_anothers_key_is_a_key_that_nobody_has(api: WebApi) -> None:
    theirs = api.other.headers["X-API-Key"].split("_")[1]
    for key_id in (theirs, "0" * 12, "nothing", "%00"):
        for method in ("GET", "DELETE"):
            answer = await api.client.request(method, f"/v1/keys/{key_id}")
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown_key")
    assert (await api.other.get("/v1/jobs")).status_code == 200
