"""Backdrops over HTTP: made, checked, listed, used by jobs, deleted; and every picture that will not do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pyvips
from tests.services.http_services import CREDITS, TENANT, WebApi, photo, running_web_api

from opal.errors import BlobNotFound
from opal.settings import PhotoSettings, WebSettings

UNKNOWN = "backdrop_" + "0" * 24


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    limits = PhotoSettings(max_bytes=500_000, max_pixels=2_000_000, max_side=2500)
    async with running_web_api(tmp_path, photo=limits) as running:
        yield running


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def created(api: WebApi, name: str = "worktop") -> dict[str, Any]:
    answer = await api.client.post("/v1/backdrops", json={"name": name})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/v1/backdrops/{answer.json()['id']}"
    return dict(answer.json())


async def complete(api: WebApi, backdrop_id: str) -> httpx.Response:
    return await api.client.post(f"/v1/backdrops/{backdrop_id}/complete")


def scene(backdrop_id: str) -> dict[str, Any]:
    return {"kind": "backdrop", "picture": backdrop_id, "ground": 0.8, "blur": 0.4}


def see_through() -> bytes:
    image = pyvips.Image.new_from_buffer(photo(900, 700), "")
    data: bytes = image.bandjoin((image[0] > 100).cast("uchar")).pngsave_buffer()
    return data


async def test_a_picture_is_uploaded_checked_and_read_again(api: WebApi) -> None:
    made = await created(api)
    assert (made["ready"], made["picture"]) == (False, None)
    data = photo(1000, 800)
    assert (await api.put(made["upload"], data)).status_code == 201
    again = await api.put(made["upload"], b"other")
    assert problem(again) == (409, "blob_already_exists")
    done = await complete(api, made["id"])
    assert done.status_code == 200
    assert done.json()["picture"] == {
        "format": "jpeg",
        "bytes": len(data),
        "width": 1000,
        "height": 800,
        "sha256": done.json()["picture"]["sha256"],
    }
    assert (await complete(api, made["id"])).text == done.text
    detail = (await api.client.get(f"/v1/backdrops/{made['id']}")).json()
    read = await api.anonymous.get(detail["download"]["url"])
    assert read.content == data
    # What a client called it is never shown by a browser as a page of ours.
    assert read.headers["Content-Disposition"].startswith("attachment")


async def test_completing_at_once_gets_one_answer(api: WebApi) -> None:
    made = await created(api)
    await api.put(made["upload"], photo(1000, 800))
    answers = await asyncio.gather(*(complete(api, made["id"]) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1


def damaged_jpeg() -> bytes:
    data = photo(1000, 800)
    middle = len(data) // 2
    return data[:middle] + b"\xff" * 200 + data[middle + 200 :]


BAD: list[tuple[str, Callable[[], bytes], str]] = [
    ("no bytes", lambda: b"", "backdrop_unusable"),
    ("a document", lambda: b"%PDF-1.7 " + b"x" * 200, "backdrop_unusable"),
    ("pixels cut short", lambda: photo(1000, 800, ".png")[:1500], "backdrop_unusable"),
    ("a JPEG damaged inside", damaged_jpeg, "backdrop_unusable"),
    ("too many pixels", lambda: photo(1600, 1500), "backdrop_unusable"),
    ("transparent", see_through, "backdrop_unusable"),
    ("too small", lambda: photo(511, 900), "backdrop_too_small"),
]


@pytest.mark.parametrize(("make", "code"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_a_picture_that_cannot_be_used_is_told_each_time_and_can_be_deleted(
    api: WebApi, make: Callable[[], bytes], code: str
) -> None:
    made = await created(api)
    await api.put(made["upload"], make())
    first, second = await complete(api, made["id"]), await complete(api, made["id"])
    assert problem(first) == problem(second) == (422, code)
    assert first.json()["detail"] == second.json()["detail"]
    refused = await api.client.post(
        "/v1/jobs", json={"scene": scene(made["id"]), "items": [{"filename": "a"}]}
    )
    assert problem(refused) == (409, "backdrop_not_ready")
    assert await api.credits() == (CREDITS, 0)
    assert (await api.client.delete(f"/v1/backdrops/{made['id']}")).status_code == 204


async def test_nothing_uploaded_is_no_fault_of_the_picture(api: WebApi) -> None:
    made = await created(api)
    assert problem(await complete(api, made["id"])) == (409, "upload_missing")
    await api.put(made["upload"], photo(1000, 800))
    assert (await complete(api, made["id"])).status_code == 200


async def test_a_tenant_has_so_many_backdrops_and_so_many_bytes_of_them(tmp_path: Path) -> None:
    web = WebSettings(backdrops_per_tenant=4, backdrop_bytes_per_tenant=1_200_000)
    async with running_web_api(tmp_path, photo=PhotoSettings(max_bytes=500_000), web=web) as api:
        # Until their pictures are there, they may become as large as any.
        made = [await created(api) for _ in range(2)]
        full = await api.client.post("/v1/backdrops", json={"name": "one more"})
        assert problem(full) == (409, "backdrops_too_large")
        for each in made:
            await api.put(each["upload"], photo(600, 600))
            assert (await complete(api, each["id"])).status_code == 200
        asked = [api.client.post("/v1/backdrops", json={"name": "at once"}) for _ in range(4)]
        answers = await asyncio.gather(*asked)
        refused = [problem(answer)[1] for answer in answers if answer.status_code != 201]
        assert refused == ["too_many_backdrops"] * 2
        full = await api.client.post("/v1/backdrops", json={"name": "one more"})
        assert problem(full) == (409, "too_many_backdrops")
        assert (await api.other.post("/v1/backdrops", json={"name": "theirs"})).status_code == 201
        assert (await api.client.delete(f"/v1/backdrops/{made[0]['id']}")).status_code == 204
        again = await api.client.post("/v1/backdrops", json={"name": "one more"})
        assert problem(again) == (409, "backdrops_too_large")


async def test_lists_go_newest_first_page_by_page(api: WebApi) -> None:
    ids = [(await created(api, f"number {number}"))["id"] for number in range(3)]
    first = (await api.client.get("/v1/backdrops?limit=2")).json()
    assert [each["id"] for each in first["backdrops"]] == [ids[2], ids[1]]
    rest = (await api.client.get(f"/v1/backdrops?limit=2&cursor={first['next_cursor']}")).json()
    assert ([each["id"] for each in rest["backdrops"]], rest["next_cursor"]) == ([ids[0]], None)
    assert (await api.other.get("/v1/backdrops")).json() == {"backdrops": [], "next_cursor": None}


async def test_a_page_goes_on_after_a_backdrop_that_was_deleted(api: WebApi) -> None:
    ids = [(await created(api))["id"] for _ in range(3)]
    cursor = (await api.client.get("/v1/backdrops?limit=2")).json()["next_cursor"]
    assert (await api.client.delete(f"/v1/backdrops/{ids[1]}")).status_code == 204
    rest = await api.client.get("/v1/backdrops", params={"cursor": cursor})
    assert [each["id"] for each in rest.json()["backdrops"]] == [ids[0]]
    # It names a place in time, so another tenant learns nothing by it.
    assert (await api.other.get("/v1/backdrops", params={"cursor": cursor})).json()["backdrops"] == []


@pytest.mark.parametrize(
    "cursor", ["", UNKNOWN, "é", f"-{UNKNOWN}", f"{10**17}-{UNKNOWN}", f"٣-{UNKNOWN}", f"1-{UNKNOWN}\n"]
)
async def test_a_cursor_that_is_none_is_a_fault_of_the_request(api: WebApi, cursor: str) -> None:
    answer = await api.client.get("/v1/backdrops", params={"cursor": cursor})
    assert problem(answer) == (422, "invalid_request")
    assert "query.cursor" in answer.json()["detail"]


async def test_foreign_and_unknown_backdrops_are_not_found(api: WebApi) -> None:
    mine = await api.backdrop()
    for client, backdrop_id in ((api.other, mine), (api.client, UNKNOWN), (api.client, "nonsense")):
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/complete")):
            answer = await client.request(method, f"/v1/backdrops/{backdrop_id}{path}")
            assert problem(answer) == (404, "unknown_backdrop"), (method, path)
        job = {"scene": scene(backdrop_id), "items": [{"filename": "a.jpg"}]}
        assert problem(await client.post("/v1/jobs", json=job)) == (404, "unknown_backdrop")
    named = await api.client.post("/v1/backdrops", json={"name": "x", "tenant_id": "globex"})
    assert problem(named) == (403, "tenant_mismatch")


async def test_a_job_keeps_its_backdrop_until_it_ends(api: WebApi) -> None:
    backdrop_id = await api.backdrop()
    job = await api.job(scene=scene(backdrop_id))
    assert job["scene"] == scene(backdrop_id)
    refused = await api.client.delete(f"/v1/backdrops/{backdrop_id}")
    assert problem(refused) == (409, "backdrop_in_use")
    url = (await api.client.get(f"/v1/backdrops/{backdrop_id}")).json()["download"]["url"]
    await api.client.delete(f"/v1/jobs/{job['id']}")
    assert (await api.client.delete(f"/v1/backdrops/{backdrop_id}")).status_code == 204
    assert problem(await api.anonymous.get(url)) == (404, "blob_not_found")
    assert problem(await api.client.get(f"/v1/backdrops/{backdrop_id}")) == (404, "unknown_backdrop")


async def test_a_picture_that_came_after_its_backdrop_was_deleted_is_removed(api: WebApi) -> None:
    made = await created(api)
    assert (await api.client.delete(f"/v1/backdrops/{made['id']}")).status_code == 204
    assert (await api.put(made["upload"], photo(1000, 800))).status_code == 201
    path = f"{TENANT}/backdrops/{made['id']}/raw/picture"
    # Nobody else's completion reaches it.
    assert problem(await api.other.post(f"/v1/backdrops/{made['id']}/complete")) == (404, "unknown_backdrop")
    assert (await api.parts.blobs.info("raw", path)).size > 0
    assert problem(await complete(api, made["id"])) == (404, "unknown_backdrop")
    with pytest.raises(BlobNotFound):
        await api.parts.blobs.info("raw", path)


async def test_a_refused_job_does_not_use_up_its_key_and_a_repeat_outlives_the_backdrop(
    api: WebApi,
) -> None:
    made = await created(api)
    body = {"scene": scene(made["id"]), "items": [{"filename": "a.jpg"}]}
    headers = {"Idempotency-Key": "one"}
    refused = await api.client.post("/v1/jobs", json=body, headers=headers)
    assert problem(refused) == (409, "backdrop_not_ready")
    await api.put(made["upload"], photo(1000, 800))
    await complete(api, made["id"])
    job = await api.client.post("/v1/jobs", json=body, headers=headers)
    assert job.status_code == 201
    await api.client.delete(f"/v1/jobs/{job.json()['id']}")
    await api.client.delete(f"/v1/backdrops/{made['id']}")
    assert (await api.client.post("/v1/jobs", json=body, headers=headers)).text == job.text


@pytest.mark.parametrize(
    ("change", "said"), [({"ground": 2.0}, "ground"), ({"angle": 3}, "angle"), ({"match": "much"}, "match")]
)
async def test_a_scene_that_is_wrong_is_told_before_its_backdrop_is_looked_for(
    api: WebApi, change: dict[str, Any], said: str
) -> None:
    body = {"scene": {**scene(UNKNOWN), **change}, "items": [{"filename": "a.jpg"}]}
    answer = await api.client.post("/v1/jobs", json=body)
    assert problem(answer) == (422, "invalid_scene")
    assert said in answer.json()["detail"]
