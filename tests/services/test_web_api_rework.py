"""A photo judged, revised and sent again through HTTP, with the workers that do what is asked."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pyvips
from tests.services.http_services import CREDITS, WebApi, photo, running_web_api
from tests.services.test_web_api_whole_way import blank, followed
from tests.services.whole_way import everything

from opal.database import items


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with everything(tmp_path) as running:
        yield running


@pytest.fixture
async def still(tmp_path: Path) -> AsyncIterator[WebApi]:
    """web-api alone: nobody does what is asked."""
    async with running_web_api(tmp_path) as running:
        yield running


async def post(api: WebApi, job: dict[str, Any], what: str, index: int = 0, **body: Any) -> httpx.Response:
    return await api.client.post(path_of(job, index) + f"/{what}", json=body)


def path_of(job: dict[str, Any], index: int = 0) -> str:
    return f"/v1/jobs/{job['id']}/items/{job['items'][index]['id']}"


async def item_of(api: WebApi, job: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return dict((await api.client.get(f"/v1/jobs/{job['id']}")).json()["items"][index])


async def archived(api: WebApi, job: dict[str, Any]) -> tuple[set[str], dict[str, Any]]:
    """The pictures in the archive, and its report."""
    answer = await api.client.get(f"/v1/jobs/{job['id']}/archive.zip")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        pictures = {name for name in opened.namelist() if "/" in name}
        return pictures, json.loads(opened.read("report.json"))


async def test_pictures_are_revised_for_nothing_and_told_as_they_were_asked_for(api: WebApi) -> None:
    job = await api.job(presets=["square-1x1"])
    await api.upload(job, photo())
    await followed(api, job["id"])
    [before] = (await api.client.get(f"{path_of(job)}/variants")).json()["variants"]
    red = {"kind": "solid", "colour": "#cc0000"}
    answer = await post(api, job, "revisions", scene=red, placement={"margin": 0.2}, based_on=0)
    assert (answer.status_code, answer.json()["number"]) == (202, 1), answer.text
    await followed(api, job["id"])
    item = await item_of(api, job)
    assert (item["state"], item["revision"], item["verdict"]) == ("exported", 1, None)
    [after] = (await api.client.get(f"{path_of(job)}/variants")).json()["variants"]
    assert after["sha256"] != before["sha256"]
    picture = pyvips.Image.new_from_buffer((await api.anonymous.get(after["url"])).content, "")
    assert picture(5, 5)[0] > 180
    assert picture(5, 5)[1] < 60
    told = (await api.client.get(f"{path_of(job)}/revisions")).json()["revisions"]
    assert [(each["number"], each["state"], each["scene"], each["placement"]) for each in told] == [
        (0, "done", "studio-white", {}),
        (1, "done", red, {"margin": 0.2}),
    ]
    assert await api.credits() == (CREDITS - 1, 0)
    late = await post(api, job, "revisions", scene="white", based_on=0)
    assert (late.status_code, late.json()["code"]) == (409, "revision_conflict")
    pictures, report = await archived(api, job)
    assert (len(pictures), report["items"][0]["revision"]) == (1, 1)


async def test_a_revision_that_fails_is_told_and_changes_nothing(api: WebApi) -> None:
    job = await api.job(presets=["square-1x1"])
    await api.upload(job, photo())
    await followed(api, job["id"])
    [before] = (await api.client.get(f"{path_of(job)}/variants")).json()["variants"]
    backdrop = await api.backdrop(photo(1200, 1200))
    scene = {"kind": "backdrop", "picture": backdrop}
    assert (await post(api, job, "revisions", scene=scene, based_on=0)).status_code == 202
    blob = await api.parts.blobs.info("raw", f"acme/backdrops/{backdrop}/raw/picture")
    assert blob.size
    await followed(api, job["id"])
    assert (await item_of(api, job))["revision"] == 1
    deleted = await api.client.delete(f"/v1/backdrops/{backdrop}")
    assert deleted.status_code == 204
    gone = await post(api, job, "revisions", placement={"margin": 0.3}, based_on=1)
    assert gone.json()["code"] == "unknown_backdrop"
    [after] = (await api.client.get(f"{path_of(job)}/variants")).json()["variants"]
    assert after["sha256"] != before["sha256"]


async def test_a_photo_that_failed_is_replaced_for_a_credit_of_its_own(api: WebApi) -> None:
    job = await api.job("mug.jpg", presets=["square-1x1"])
    await api.upload(job, blank())
    await followed(api, job["id"])
    item = await item_of(api, job)
    assert (item["error"]["code"], item["next_steps"]) == ("no_product_found", ["replace"])
    assert await api.credits() == (CREDITS, 0)
    same = await post(api, job, "retry", photo="same")
    assert (same.status_code, same.json()["code"]) == (409, "photo_needed")
    answer = await post(api, job, "retry", photo="new")
    assert (answer.status_code, answer.json()["state"], answer.json()["photo"]) == (200, "created", None)
    # Of a failure that is overcome nothing is left to be done.
    async with api.client.stream("GET", f"/v1/jobs/{job['id']}/events") as told:
        async for line in told.aiter_lines():
            if line.startswith("data: ") and '"failed"' in line:
                assert json.loads(line.removeprefix("data: "))["next_steps"] == []
                break
    assert await api.credits() == (CREDITS, 1)
    assert (await post(api, job, "retry", photo="new")).json()["code"] == "item_not_failed"
    assert (await api.upload(job, photo())).status_code == 200
    seen = await followed(api, job["id"])
    assert (seen["status"], seen["items"][0]["error"]) == ("finished", None)
    assert await api.credits() == (CREDITS - 1, 0)


async def test_a_photo_is_tried_again_as_it_is(still: WebApi) -> None:
    job = await still.job("mug.jpg")
    await still.upload(job, photo())
    async with still.parts.database.transaction() as connection:
        item = await items.get_item(connection, job["items"][0]["id"])
        assert item is not None
        claim = await items.claim(connection, item.id, items.Stage.PROCESS, lease_s=60, by="test")
        assert isinstance(claim, items.Claimed)
        await items.fail_item(connection, claim.item, code="scoring_failed", message="No.", by="test")
    assert (await item_of(still, job))["next_steps"] == ["retry", "replace"]
    answer = await post(still, job, "retry", photo="same")
    assert (answer.status_code, answer.json()["state"]) == (200, "uploaded")
    assert await still.credits() == (CREDITS, 1)
    await still.client.delete(f"/v1/jobs/{job['id']}")
    assert await still.credits() == (CREDITS, 0)


async def review_counts(api: WebApi, job: dict[str, Any]) -> list[tuple[int, int]]:
    """How many photos are marked and how many of them wait, in the list and in the job itself."""
    listed = (await api.client.get("/v1/jobs")).json()["jobs"][0]
    told = (await api.client.get(f"/v1/jobs/{job['id']}")).json()
    return [(each["review"], each["to_review"]) for each in (listed, told)]


async def test_a_verdict_is_told_and_rejected_pictures_are_left_out(still: WebApi) -> None:
    job = await still.job("a.jpg", "b.jpg")
    for index in (0, 1):
        await still.upload(job, photo(), index)
        assert (await post(still, job, "verdict", index, verdict="accepted")).status_code == 409
        await still.finish(job["items"][index]["id"], {"square-1x1": photo()}, review=True)
    assert (await item_of(still, job))["next_steps"] == ["review"]
    assert await review_counts(still, job) == [(2, 2), (2, 2)]
    answer = await post(still, job, "verdict", 0, verdict="rejected")
    assert await review_counts(still, job) == [(2, 1), (2, 1)]
    assert (answer.status_code, answer.json()["verdict"], answer.json()["review"]) == (200, "rejected", True)
    assert answer.json()["next_steps"] == []
    pictures, report = await archived(still, job)
    assert pictures == {"b/square-1x1.jpg"}
    assert [item["verdict"] for item in report["items"]] == ["rejected", None]
    assert [item["variants"][0]["rejected"] for item in report["items"]] == [True, False]
    page = (await still.client.get(f"/v1/jobs/{job['id']}/report.html")).text
    assert "rejected by a person" in page
    await post(still, job, "verdict", 1, verdict="rejected")
    nothing = await still.client.get(f"/v1/jobs/{job['id']}/archive.zip")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "job_not_ready")
    back = await post(still, job, "verdict", 1, verdict=None)
    assert (back.json()["verdict"], back.json()["verdict_at"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"based_on": 0}, 422, "invalid_request"),
        ({"scene": "white"}, 422, "invalid_request"),
        ({"scene": "no such", "based_on": 0}, 422, "unknown_scene"),
        ({"scene": {"kind": "solid", "colour": "mauve"}, "based_on": 0}, 422, "invalid_scene"),
        ({"placement": {"fill": 7}, "based_on": 0}, 422, "invalid_placement"),
        ({"scene": "white", "based_on": 3}, 409, "revision_conflict"),
    ],
)
async def test_a_revision_that_makes_no_sense_is_refused(
    still: WebApi, body: dict[str, Any], status: int, code: str
) -> None:
    job = await still.job()
    await still.upload(job, photo())
    await still.finish(job["items"][0]["id"], {"square-1x1": photo()})
    answer = await still.client.post(f"{path_of(job)}/revisions", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert (await item_of(still, job))["state"] == "exported"


async def test_what_is_being_revised_keeps_its_pictures_and_cannot_be_cancelled(still: WebApi) -> None:
    job = await still.job()
    await still.upload(job, photo())
    await still.finish(job["items"][0]["id"], {"square-1x1": photo()})
    assert (await post(still, job, "revisions", scene="white", based_on=0)).status_code == 202
    assert (await item_of(still, job))["state"] == "completed"
    assert len((await archived(still, job))[0]) == 1
    cancelled = await still.client.delete(f"/v1/jobs/{job['id']}")
    assert cancelled.json()["code"] == "job_finished"


async def test_the_engines_are_listed_and_no_other_is_taken(still: WebApi) -> None:
    answer = await still.client.get("/v1/engines")
    assert [(each["name"], each["default"]) for each in answer.json()["engines"]] == [("isnet", True)]
    assert (await still.anonymous.get("/v1/engines")).status_code == 401
    job = await still.job()
    refused = await post(still, job, "revisions", engine="isnet-small", based_on=0)
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_engine")
    assert "isnet" in refused.json()["detail"]


async def test_a_photo_is_cut_out_anew_by_another_engine(api: WebApi) -> None:
    offered = (await api.client.get("/v1/engines")).json()["engines"]
    assert [(each["name"], each["default"]) for each in offered] == [("isnet", True), ("isnet-small", False)]
    job = await api.job(presets=["square-1x1"])
    await api.upload(job, photo())
    await followed(api, job["id"])
    both = await post(api, job, "revisions", matte="matte_" + "0" * 24, engine="isnet", based_on=0)
    assert (both.status_code, both.json()["code"]) == (422, "invalid_request"), both.text
    answer = await post(api, job, "revisions", engine="isnet-small", based_on=0)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["engine"], answer.json()["scene"]) == ("isnet-small", "studio-white")
    done = await followed(api, job["id"])
    assert (done["status"], done["items"][0]["revision"]) == ("finished", 1)
    async with api.parts.database.read() as connection:
        item = await items.get_item(connection, job["items"][0]["id"])
    assert item is not None
    assert item.meta["cutout_engine"] == "isnet-small"
    told = (await api.client.get(f"{path_of(job)}/revisions")).json()["revisions"]
    assert [(each["number"], each["state"], each["engine"]) for each in told] == [
        (0, "done", None),
        (1, "done", "isnet-small"),
    ]
    assert await api.credits() == (CREDITS - 1, 0)
