"""Good and bad photos in one job, through HTTP and both workers: what fails, fails alone and unpaid."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from tests.services.http_services import CREDITS, WebApi, photo
from tests.services.whole_way import everything


async def followed(api: WebApi, job_id: str) -> dict[str, Any]:
    """The job once its event stream has ended."""
    async with asyncio.timeout(60), api.client.stream("GET", f"/v1/jobs/{job_id}/events") as stream:
        async for _ in stream.aiter_lines():
            pass
    return dict((await api.client.get(f"/v1/jobs/{job_id}")).json())


def cut(data: bytes) -> bytes:
    return data[: len(data) * 6 // 10]


def noisy(ending: str) -> bytes:
    """A photo whose pixels fill its file, so that what is cut off are pixels."""
    pixels = np.random.default_rng(3).integers(0, 255, (200, 240, 3), np.uint8)
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")
    data: bytes = image.write_to_buffer(ending)
    return data


def cmyk() -> bytes:
    image = pyvips.Image.new_from_buffer(photo(), "")
    data: bytes = image.icc_transform("cmyk", input_profile="srgb").jpegsave_buffer()
    return data


def sixteen_bit() -> bytes:
    pixels = np.random.default_rng(4).integers(0, 65535, (200, 240, 3), np.uint16)
    data: bytes = pyvips.Image.new_from_array(pixels).copy(interpretation="rgb16").pngsave_buffer(bitdepth=16)
    return data


def blank() -> bytes:
    data: bytes = pyvips.Image.black(200, 200, bands=3).copy(interpretation="srgb").pngsave_buffer()
    return data


# name, bytes, status of the completion, code in the end (None: exported)
PHOTOS: list[tuple[str, Callable[[], bytes], int, str | None]] = [
    ("good.jpg", photo, 200, None),
    ("cut.jpg", lambda: cut(noisy(".jpg")), 200, "image_truncated"),
    ("cut.png", lambda: cut(noisy(".png")), 200, "image_truncated"),
    ("text.jpg", lambda: b"not a photo at all " * 20, 415, "unsupported_format"),
    ("nothing.jpg", lambda: b"", 422, "image_empty"),
    ("no-product.png", blank, 200, "no_product_found"),
    ("cmyk.jpg", cmyk, 200, None),
    ("sixteen-bit.png", sixteen_bit, 200, None),
]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with everything(tmp_path) as running:
        yield running


async def test_what_is_wrong_with_one_photo_is_no_other_s_concern(api: WebApi) -> None:
    job = await api.job(*(name for name, *_ in PHOTOS), presets=["square-1x1", "cutout-png"])
    for index, (name, make, status, code) in enumerate(PHOTOS):
        answer = await api.upload(job, make(), index)
        assert answer.status_code == status, f"{name}: {answer.text}"
        if status != 200:
            assert answer.json()["code"] == code
    seen = await followed(api, job["id"])
    assert seen["status"] == "finished_with_failures"
    found = {item["filename"]: (item["error"] or {}).get("code") for item in seen["items"]}
    assert found == {name: code for name, _, _, code in PHOTOS}
    assert all(item["error"]["message"].endswith(".") for item in seen["items"] if item["error"])
    good = [name for name, _, _, code in PHOTOS if code is None]
    assert await api.credits() == (CREDITS - len(good), 0)
    archive = await api.client.get(f"/v1/jobs/{job['id']}/archive.zip")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert opened.testzip() is None
        stems = {name.partition("/")[0] for name in opened.namelist() if "/" in name}
        report = json.loads(opened.read("report.json"))
    assert stems == {name.partition(".")[0] for name in good}
    assert {item["source"]: (item["error"] or {}).get("code") for item in report["items"]} == found


async def test_an_item_is_charged_once_and_its_pictures_are_what_their_rows_say(api: WebApi) -> None:
    job = await api.job(presets=["square-1x1", "amazon-main"])
    await api.upload(job, photo(1200, 900))
    await followed(api, job["id"])
    path = f"/v1/jobs/{job['id']}/items/{job['items'][0]['id']}/variants"
    answer = (await api.client.get(path)).json()
    assert {variant["preset"] for variant in answer["variants"]} == {"square-1x1", "amazon-main"}
    for variant in answer["variants"]:
        download = await api.anonymous.get(variant["url"])
        picture = pyvips.Image.new_from_buffer(download.content, "")
        assert (picture.width, picture.height) == (variant["width"], variant["height"])
        assert len(download.content) == variant["bytes"]
        assert download.headers["content-type"] == variant["content_type"]
        assert f'filename="{variant["filename"]}"' in download.headers["content-disposition"]
        assert variant["compliance"]
    kinds = [entry["kind"] for entry in (await api.client.get("/v1/credits")).json()["entries"]]
    assert kinds == ["debit", "hold", "grant"]


async def test_a_job_may_be_cancelled_while_it_runs(api: WebApi) -> None:
    job = await api.job("first.jpg", "never-sent.jpg")
    await api.upload(job, photo())
    answer = await api.client.delete(f"/v1/jobs/{job['id']}")
    assert answer.status_code == 200
    seen = await followed(api, job["id"])
    first, second = (item["state"] for item in seen["items"])
    assert (first in {"cancelled", "exported"}, second) == (True, "cancelled")
    assert await api.credits() == (CREDITS - (first == "exported"), 0)
