"""What operators see and mend over the API: services, queues, dead letters; and that nobody else does."""

from collections.abc import AsyncIterator
from pathlib import Path
from zlib import crc32

import httpx
import pytest
from tests.services.http_services import TENANT, WebApi, bound_socket, client_of, running_web_api

from opal.database import keys
from opal.database.keys import Scope
from opal.queues.interface import Outgoing
from opal.telemetry_settings import TelemetrySettings

_DEAD = "/v1/operations/queues/jobs/dead-letters"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    closed, nobody = bound_socket()
    closed.close()
    async with running_web_api(
        tmp_path, telemetry=TelemetrySettings(services=f"orchestrator={nobody},export-worker={nobody}/x")
    ) as running:
        yield running


@pytest.fixture
async def operator(api: WebApi) -> AsyncIterator[httpx.AsyncClient]:
    async with api.parts.database.transaction() as connection:
        _, whole = await keys.create_key(connection, TENANT, "operator", scopes=[Scope.OPERATE])
    async with client_of(api.url, whole) as client:
        yield client


async def put_aside(api: WebApi, *bodies: bytes, reason: str = "InvalidMessage") -> None:
    """Have messages received and dead-lettered, as a worker does."""
    queues = api.parts.queues
    await queues.send("jobs", [Outgoing(f"m{crc32(body)}", body) for body in bodies])
    receiver = queues.receiver("jobs")
    left = len(bodies)
    while left:
        for message in await receiver.receive(10, 5.0):
            if message.body in bodies:
                await receiver.dead_letter(message, reason, "told by a test")
                left -= 1
            else:  # of a job of the test's
                await receiver.complete(message)
    await receiver.close()


async def test_the_whole_of_it_at_one_look(api: WebApi, operator: httpx.AsyncClient) -> None:
    told = (await operator.get("/v1/operations/health")).json()
    assert {each["name"]: each["state"] for each in told["services"]} == {
        "web-api": "ready",
        "orchestrator": "away",
        "export-worker": "away",
    }
    assert [(each["name"], each["dead"], each["fault"]) for each in told["queues"]] == [
        ("jobs", 0, None),
        ("exports", 0, None),
    ]
    assert told["outbox"] == {"fault": None, "messages": 0, "oldest_s": 0}
    await put_aside(api, b"{}")
    told = (await operator.get("/v1/operations/health")).json()
    assert told["queues"][0]["dead"] == 1


async def test_dead_letters_tell_ids_and_reasons_and_nothing_else(
    api: WebApi, operator: httpx.AsyncClient
) -> None:
    job = await api.job("secret-name.jpg")
    item = job["items"][0]["id"]
    body = (
        f'{{"tenant_id":"{TENANT}","job_id":"{job["id"]}","item_id":"{item}","epoch":0,'
        f'"correlation_id":"order-of-acme"}}'
    )
    await put_aside(api, body.encode())
    await put_aside(api, b"no json at all", b"none either", reason="<b>")
    answer = await operator.get(_DEAD)
    told = answer.json()
    assert told["total"] == 3
    assert told["reasons"] == [{"reason": "<b>", "count": 2}, {"reason": "InvalidMessage", "count": 1}]
    first, second, _ = told["letters"]
    assert (first["tenant_id"], first["job_id"], first["item_id"]) == (TENANT, job["id"], item)
    assert (second["tenant_id"], second["item_id"]) == (None, None)
    for hidden in ("secret-name", "order-of-acme", "no json"):
        assert hidden not in answer.text
    assert len((await operator.get(_DEAD, params={"limit": 1})).json()["letters"]) == 1


async def test_dead_letters_are_sent_again_or_removed(api: WebApi, operator: httpx.AsyncClient) -> None:
    await put_aside(api, b"1", b"2", b"3")
    await put_aside(api, b"4", reason="other")
    assert (await operator.post(f"{_DEAD}/redrive", json={"limit": 1})).json() == {"redriven": 1}
    assert (await operator.post(f"{_DEAD}/purge", json={"reason": "other"})).json() == {"purged": 1}
    assert (await operator.post(f"{_DEAD}/purge", json={})).json() == {"purged": 2}
    depth = await api.parts.queues.depth("jobs")
    assert (depth.active, depth.dead) == (1, 0)


async def test_nobody_else_looks_and_operators_see_no_tenant(
    api: WebApi, operator: httpx.AsyncClient
) -> None:
    for path in ("/v1/operations/health", _DEAD):
        answer = await api.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
        assert (await api.anonymous.get(path)).status_code == 401
    for path in ("/v1/jobs", "/v1/credits", "/v1/keys"):
        assert (await operator.get(path)).status_code == 403
