"""Jobs over HTTP: creating, idempotency, paging, reading, cancelling, and everything that is refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.services.http_services import CREDITS, FIDELITY, PLACED, TENANT, WebApi, photo, running_web_api

from opal.database import idempotency
from opal.database.engine import utc_now
from opal.database.tables import idempotency_keys
from opal.settings import WebSettings
from opal.web_api.jobs import request_hash

BODY: dict[str, Any] = {
    "name": "spring",
    "scene": "studio-white",
    "presets": ["square-1x1", "amazon-main", "square-1x1"],
    "items": [{"filename": "mug.jpg", "sku": "M-1"}, {"filename": "bag.png"}],
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    web = WebSettings(max_body_bytes=4096, max_items_per_job=5)
    async with running_web_api(tmp_path, web=web) as running:
        yield running


async def test_a_new_job_has_ids_for_its_photos_and_holds_their_credits(api: WebApi) -> None:
    answer = await api.client.post("/v1/jobs", json=BODY, headers={"X-Correlation-Id": "order-7"})
    job = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert answer.headers["x-correlation-id"] == job["correlation_id"] == "order-7"
    assert [item["state"] for item in job["items"]] == ["created", "created"]
    assert job["presets"] == ["square-1x1", "amazon-main"]
    assert (job["status"], job["counts"], job["total"]) == ("created", {"created": 2}, 2)
    assert await api.credits() == (CREDITS, 2)
    assert (await api.client.get(f"/v1/jobs/{job['id']}")).json() == job


async def test_twenty_posts_with_one_key_make_one_job(api: WebApi) -> None:
    headers = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(
        *(api.client.post("/v1/jobs", json=BODY, headers=headers) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert len((await api.client.get("/v1/jobs")).json()["jobs"]) == 1
    assert await api.credits() == (CREDITS, 2)


async def test_a_key_with_another_body_is_refused_and_white_space_is_no_other_body(api: WebApi) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    first = await api.client.post("/v1/jobs", content=json.dumps(BODY), headers=headers)
    same = await api.client.post("/v1/jobs", content=json.dumps(BODY, indent=3), headers=headers)
    other = await api.client.post("/v1/jobs", json={**BODY, "seed": 9}, headers=headers)
    foreign = await api.other.post("/v1/jobs", json={**BODY, "seed": 9}, headers=headers)
    assert same.json() == first.json()
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert foreign.status_code == 201


async def test_a_key_whose_first_request_has_no_answer_yet_is_told_to_come_back(api: WebApi) -> None:
    async with api.parts.database.transaction() as connection:
        await idempotency.begin(connection, TENANT, "k", "of another request that is still at work")
    answer = await api.client.post("/v1/jobs", json=BODY, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    async with api.parts.database.transaction() as connection:
        await connection.execute(
            update(idempotency_keys).values(request_hash=request_hash(json.dumps(BODY).encode()))
        )
    answer = await api.client.post("/v1/jobs", json=BODY, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_in_flight")
    assert answer.headers["retry-after"]
    assert await api.credits() == (CREDITS, 0)


async def test_a_key_is_forgotten_after_a_day(api: WebApi) -> None:
    headers = {"Idempotency-Key": "k"}
    first = await api.client.post("/v1/jobs", json=BODY, headers=headers)
    async with api.parts.database.transaction() as connection:
        aged = utc_now() - timedelta(hours=25)
        await connection.execute(update(idempotency_keys).values(created_at=aged))
    later = await api.client.post("/v1/jobs", json={**BODY, "seed": 9}, headers=headers)
    assert (first.status_code, later.status_code) == (201, 201)
    assert later.json()["id"] != first.json()["id"]


async def test_a_refused_post_does_not_use_up_its_key(api: WebApi) -> None:
    headers = {"Idempotency-Key": "k"}
    refused = await api.client.post("/v1/jobs", json={**BODY, "scene": "moon"}, headers=headers)
    accepted = await api.client.post("/v1/jobs", json=BODY, headers=headers)
    assert (refused.status_code, accepted.status_code) == (422, 201)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"scene": "moon"}, 422, "unknown_scene"),
        ({"scene": {"kind": "solid", "colour": "red"}}, 422, "invalid_scene"),
        ({"scene": "transparent"}, 422, "invalid_scene"),
        ({"scene": {"kind": "transparent"}, "presets": ["square-1x1"]}, 422, "invalid_scene"),
        ({"placement": {"fill": 0.9, "margin": 0.1}}, 422, "invalid_placement"),
        ({"presets": ["square-1x1", "etsy"]}, 422, "unknown_preset"),
        ({"presets": []}, 422, "invalid_request"),
        ({"items": []}, 422, "invalid_request"),
        ({"items": [{"filename": "x.jpg"}] * 6}, 422, "invalid_request"),
        ({"items": [{"filename": "a\x00b"}]}, 422, "invalid_request"),
        ({"seed": -1}, 422, "invalid_request"),
        ({"seed": False}, 422, "invalid_request"),
        ({"placement": {"margin": True}}, 422, "invalid_placement"),
        ({"scene": {"kind": "gradient", "angle": "90"}}, 422, "invalid_scene"),
        ({"surprise": 1}, 422, "invalid_request"),
        ({"tenant_id": "globex"}, 403, "tenant_mismatch"),
    ],
)
async def test_a_job_that_cannot_be_is_refused_with_its_own_code(
    api: WebApi, change: dict[str, Any], status: int, code: str
) -> None:
    answer = await api.client.post("/v1/jobs", json={**BODY, **change})
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    assert await api.credits() == (CREDITS, 0)


async def test_a_whole_number_may_have_a_point(api: WebApi) -> None:
    scene = {"kind": "studio", "look": "warm", "seed": 3.0}
    job = (await api.client.post("/v1/jobs", json={**BODY, "seed": 7.0, "scene": scene})).json()
    assert (job["seed"], job["scene"]["seed"]) == (7, 3)


async def test_a_body_may_repeat_its_own_tenant(api: WebApi) -> None:
    assert (await api.client.post("/v1/jobs", json={**BODY, "tenant_id": TENANT})).status_code == 201


async def test_a_faulty_field_is_named(api: WebApi) -> None:
    answer = await api.client.post("/v1/jobs", json={**BODY, "items": [{"sku": "1"}]})
    assert answer.json()["errors"] == [{"where": "body.items.0.filename", "message": "Field required"}]


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 3000, b'{"a": }'])
async def test_a_body_that_is_no_json(api: WebApi, body: bytes) -> None:
    answer = await api.client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


async def test_a_body_that_is_not_called_json(api: WebApi) -> None:
    answer = await api.client.post("/v1/jobs", content=b"{}", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_large_body_is_refused_declared_or_streamed(api: WebApi) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 1000

    headers = {"Content-Type": "application/json"}
    declared = await api.client.post("/v1/jobs", content=b" " * 5000, headers=headers)
    streamed = await api.client.post("/v1/jobs", content=chunks(), headers=headers)
    for answer in (declared, streamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_more_photos_than_credits(tmp_path: Path) -> None:
    async with running_web_api(tmp_path, granted=1) as api:
        answer = await api.client.post("/v1/jobs", json=BODY)
        assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_credits")
        assert (await api.client.get("/v1/jobs")).json()["jobs"] == []
        assert await api.credits() == (1, 0)


async def test_a_list_is_paged_newest_first(api: WebApi) -> None:
    made = [(await api.job())["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await api.client.get("/v1/jobs", params=query)).json()
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


async def test_ids_that_are_unknown_foreign_or_nonsense_look_the_same(api: WebApi) -> None:
    job = await api.job()
    paths = ["", "/events", "/archive.zip", f"/items/{job['items'][0]['id']}/variants"]
    for path in paths:
        for client, job_id in (
            (api.other, job["id"]),
            (api.client, "job_" + "0" * 24),
            (api.client, "x%00"),
        ):
            answer = await client.get(f"/v1/jobs/{job_id}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert (await api.other.delete(f"/v1/jobs/{job['id']}")).status_code == 404
    assert (await api.client.get("/v1/jobs", params={"cursor": "x"})).status_code == 404


async def test_cancelling_releases_what_is_not_done_and_may_be_said_twice(api: WebApi) -> None:
    job = await api.job("a.jpg", "b.jpg", "c.jpg")
    for index in (0, 1):
        assert (await api.upload(job, photo(), index)).status_code == 200
    await api.finish(job["items"][0]["id"], {"square-1x1": b"jpeg"})
    first = await api.client.delete(f"/v1/jobs/{job['id']}")
    second = await api.client.delete(f"/v1/jobs/{job['id']}")
    assert (first.status_code, second.status_code) == (200, 200)
    assert [item["state"] for item in first.json()["items"]] == ["exported", "cancelled", "cancelled"]
    assert second.json() == first.json()
    assert await api.credits() == (CREDITS - 1, 0)


async def test_a_job_that_ended_by_itself_cannot_be_cancelled(api: WebApi) -> None:
    job = await api.job()
    await api.upload(job, photo())
    await api.finish(job["items"][0]["id"], {"square-1x1": b"jpeg"})
    answer = await api.client.delete(f"/v1/jobs/{job['id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "job_finished")


async def test_a_finished_item_shows_its_figures(api: WebApi) -> None:
    job = await api.job()
    await api.upload(job, photo())
    await api.finish(job["items"][0]["id"], {"square-1x1": b"jpeg"})
    seen = (await api.client.get(f"/v1/jobs/{job['id']}")).json()
    item = seen["items"][0]
    assert (seen["status"], seen["counts"]) == ("finished", {"exported": 1})
    assert (item["confidence"], item["fidelity"]) == (0.93, FIDELITY)
    assert item["placed"] == {"scale": 1.25, **PLACED}
    assert item["photo"]["width"] == 400


async def test_photos_marked_for_review_are_counted_shown_and_can_be_asked_for(api: WebApi) -> None:
    job = await api.job("sure.jpg", "doubtful.jpg", "waiting.jpg")
    for index, review in enumerate((False, True)):
        await api.upload(job, photo(), index)
        await api.finish(job["items"][index]["id"], {"square-1x1": b"jpeg"}, review=review)
    path = f"/v1/jobs/{job['id']}"
    seen = (await api.client.get(path)).json()
    assert [item["review"] for item in seen["items"]] == [False, True, False]
    assert (seen["total"], seen["review"]) == (3, 1)
    [summary] = (await api.client.get("/v1/jobs")).json()["jobs"]
    assert (summary["review"], summary["counts"]) == (1, {"exported": 2, "created": 1})
    for asked, names in (("true", ["doubtful.jpg"]), ("false", ["sure.jpg", "waiting.jpg"])):
        part = (await api.client.get(path, params={"review": asked})).json()
        assert [item["filename"] for item in part["items"]] == names
        assert (part["total"], part["review"]) == (3, 1), "the figures are the whole job's"
    assert (await api.client.get(path, params={"review": "perhaps"})).status_code == 422
