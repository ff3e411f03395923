"""A matte that a person edited: uploaded, taken over, and seen in the pictures that are made with it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from sqlalchemy import update
from tests.services.http_services import CREDITS, WebApi, photo, running_web_api
from tests.services.test_web_api_rework import item_of, path_of, post
from tests.services.test_web_api_whole_way import followed
from tests.services.whole_way import everything

from opal.database import items, mattes, tables
from opal.database.engine import utc_now
from opal.database.recorded_blobs import BlobScope
from opal.upkeep.blob_check import Thoroughness, check_blobs

WIDTH, HEIGHT = 400, 300


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with everything(tmp_path) as running:
        yield running


@pytest.fixture
async def still(tmp_path: Path) -> AsyncIterator[WebApi]:
    """web-api alone: nobody does what is asked."""
    async with running_web_api(tmp_path) as running:
        yield running


async def exported(still: WebApi) -> dict[str, Any]:
    job = await still.job()
    await still.upload(job, photo(WIDTH, HEIGHT))
    await still.finish(job["items"][0]["id"], {"square-1x1": photo()})
    return job


def grey(codes: NDArray[Any], **save: Any) -> bytes:
    data: bytes = pyvips.Image.new_from_array(codes).pngsave_buffer(**save)
    return data


def deep(codes: NDArray[Any]) -> bytes:
    data: bytes = pyvips.Image.new_from_array(codes).copy(interpretation="grey16").pngsave_buffer()
    return data


def left_half() -> NDArray[np.uint8]:
    codes = np.zeros((HEIGHT, WIDTH), np.uint8)
    codes[60:240, 80:200] = 255
    return codes


async def uploaded(api: WebApi, job: dict[str, Any], data: bytes | None = None) -> str:
    answer = await post(api, job, "mattes", width=WIDTH, height=HEIGHT)
    assert answer.status_code == 201, answer.text
    if data is not None:
        put = await api.put(answer.json()["upload"], data)
        assert put.status_code == 201, put.text
    return str(answer.json()["id"])


def raw_path(job: dict[str, Any], matte: str) -> str:
    return f"acme/jobs/{job['id']}/items/{job['items'][0]['id']}/raw/{matte}"


async def blobs_in(api: WebApi, container: str, job: dict[str, Any]) -> set[str]:
    return {each.path async for each in api.parts.blobs.walk(container, f"acme/jobs/{job['id']}/")}


async def product_of(api: WebApi, job: dict[str, Any]) -> NDArray[Any]:
    """Where the product is in the one picture, on transparent ground."""
    [picture] = (await api.client.get(f"{path_of(job)}/variants")).json()["variants"]
    data = (await api.anonymous.get(picture["url"])).content
    codes: NDArray[Any] = pyvips.Image.new_from_buffer(data, "").numpy()[..., 3]
    return codes


def breadth(alpha: NDArray[Any]) -> float:
    """The product's width by its height."""
    rows, columns = np.nonzero(alpha > 127)
    return float(np.ptp(columns) / np.ptp(rows))


async def test_pictures_are_made_with_the_matte_and_keep_it(api: WebApi) -> None:
    job = await api.job(presets=["cutout-png"])
    await api.upload(job, photo(WIDTH, HEIGHT))
    await followed(api, job["id"])
    whole = breadth(await product_of(api, job))
    matte = await uploaded(api, job, grey(left_half()))
    answer = await post(api, job, "revisions", matte=matte, based_on=0)
    assert (answer.status_code, answer.json()["matte"]) == (202, True), answer.text
    await followed(api, job["id"])
    assert (await item_of(api, job))["revision"] == 1
    edited = breadth(await product_of(api, job))
    # 120 by 180 pixels of product, where there was a lying ellipse.
    assert edited == pytest.approx(120 / 180, rel=0.03)
    assert whole > 1
    shown = (await api.client.get(f"{path_of(job)}/matte")).content
    codes = pyvips.Image.new_from_buffer(shown, "").numpy()
    assert np.array_equal(codes.reshape(HEIGHT, WIDTH), left_half())
    # A stranger's file is not kept; what is, is what rows name.
    assert raw_path(job, matte) not in await blobs_in(api, "raw", job)
    assert (await post(api, job, "revisions", matte=matte, based_on=1)).json()["code"] == "unknown_matte"
    assert (await post(api, job, "revisions", scene="white", based_on=1)).status_code == 202
    await followed(api, job["id"])
    assert breadth(await product_of(api, job)) == pytest.approx(edited, rel=0.03)
    told = (await api.client.get(f"{path_of(job)}/revisions")).json()["revisions"]
    assert [(each["state"], each["matte"]) for each in told] == [
        ("done", False),
        ("done", True),
        ("done", True),
    ]
    looked = await check_blobs(api.parts.database, api.parts.blobs, BlobScope(), Thoroughness.HASH)
    assert not looked.verdict.count, looked.verdict
    assert await api.credits() == (CREDITS - 1, 0)


async def test_a_matte_is_the_same_however_it_was_packed(still: WebApi) -> None:
    job = await exported(still)
    matte = await uploaded(still, job, grey(left_half(), interlace=True, compression=9))
    assert (await post(still, job, "revisions", matte=matte, based_on=0)).status_code == 202
    [path] = [each for each in await blobs_in(still, "outputs", job) if "/edited_" in each]
    ours = pyvips.Image.new_from_buffer(await still.parts.blobs.read("outputs", path), "")
    assert np.array_equal(ours.numpy().reshape(HEIGHT, WIDTH), left_half())
    assert (await item_of(still, job))["state"] == "completed"


_WRONG = {
    "size": grey(left_half()[1:]),
    "bits": deep(left_half().astype(np.uint16) * 257),
    "colour": grey(np.dstack([left_half()] * 3)),
    "photo": photo(WIDTH, HEIGHT),
    "cut short": grey(left_half(), compression=0)[:40_000],
    "no picture": b"hello",
    "empty": b"",
    "far too large": grey(left_half()) + bytes(400_000),
}


@pytest.mark.parametrize("what", _WRONG)
async def test_what_is_no_matte_of_the_photo_is_refused_and_leaves_nothing(still: WebApi, what: str) -> None:
    job = await exported(still)
    before = await blobs_in(still, "outputs", job)
    matte = await uploaded(still, job, _WRONG[what])
    answer = await post(still, job, "revisions", matte=matte, based_on=0)
    assert (answer.status_code, answer.json()["code"]) == (422, "matte_unusable"), answer.text
    item = await item_of(still, job)
    assert (item["state"], item["revision"]) == ("exported", 0)
    assert await blobs_in(still, "outputs", job) == before
    assert (await still.client.get(f"{path_of(job)}/revisions")).json()["revisions"][1:] == []


async def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_mattes_that_are_not_there_are_told_apart(still: WebApi) -> None:
    job, other = await exported(still), await exported(still)
    waiting = await uploaded(still, job)
    theirs = await uploaded(still, other, grey(left_half()))
    ask = {"based_on": 0}
    assert await refused(await post(still, job, "revisions", matte=waiting, **ask)) == (409, "upload_missing")
    for nobodys in (theirs, "matte_" + "0" * 24, "no id", "../../scene"):
        answer = await post(still, job, "revisions", matte=nobodys, **ask)
        assert await refused(answer) == (404, "unknown_matte")
    late = await post(still, job, "revisions", matte=waiting, based_on=4)
    assert await refused(late) == (409, "revision_conflict")


async def test_of_two_who_use_a_matte_at_once_one_does(still: WebApi) -> None:
    job = await exported(still)
    before = await blobs_in(still, "outputs", job)
    matte = await uploaded(still, job, grey(left_half()))
    asked = [post(still, job, "revisions", matte=matte, based_on=0) for _ in range(3)]
    answers = await asyncio.gather(*asked)
    assert sorted(each.status_code for each in answers)[0] == 202
    assert {each.status_code for each in answers} <= {202, 404, 409}
    assert len([each for each in answers if each.status_code == 202]) == 1
    assert len(await blobs_in(still, "outputs", job) - before) == 1


async def test_a_place_is_given_for_what_can_be_edited_alone(still: WebApi) -> None:
    job = await still.job()
    early = await post(still, job, "mattes", width=WIDTH, height=HEIGHT)
    assert await refused(early) == (409, "item_not_exported")
    job = await exported(still)
    turned = await post(still, job, "mattes", width=HEIGHT, height=WIDTH)
    assert await refused(turned) == (422, "matte_unusable")
    assert "400 × 300" in turned.json()["detail"]
    matte = await uploaded(still, job, grey(left_half()))
    async with still.parts.database.transaction() as connection:
        item = await items.get_item(connection, job["items"][0]["id"])
        assert item is not None
        gone = update(tables.items).where(tables.items.c.id == item.id)
        await connection.execute(gone.values(raw_expired_at=datetime.now(UTC)))
    late = await post(still, job, "mattes", width=WIDTH, height=HEIGHT)
    assert await refused(late) == (409, "sources_expired")
    answer = await post(still, job, "revisions", matte=matte, based_on=0)
    assert await refused(answer) == (409, "sources_expired")


async def test_places_that_nobody_used_are_forgotten(still: WebApi, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await exported(still)
    old = await uploaded(still, job, grey(left_half()))
    monkeypatch.setattr(mattes, "_KEPT_FOR", -mattes._KEPT_FOR)
    await uploaded(still, job)
    answer = await post(still, job, "revisions", matte=old, based_on=0)
    assert await refused(answer) == (404, "unknown_matte")


async def test_few_urls_are_out_for_a_photos_mattes_at_a_time(still: WebApi) -> None:
    job = await exported(still)
    most = still.parts.settings.web.uploads_per_photo
    asked = [post(still, job, "mattes", width=WIDTH, height=HEIGHT) for _ in range(2 * most)]
    answers = await asyncio.gather(*asked)
    told = [answer.json()["code"] for answer in answers if answer.status_code != 201]
    assert told == ["too_many_uploads"] * most
    async with still.parts.database.transaction() as connection:
        past = utc_now() - timedelta(minutes=16)
        await connection.execute(update(tables.mattes).values(created_at=past))
    await uploaded(still, job)
