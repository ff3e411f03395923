"""Previews of scenes: a small photo of one's own in each, cut out once, for no credit and within limits."""

import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.services.http_services import WebApi, photo, running_web_api
from tests.services.removebg_world import cut_photo, in_base64, pixels_of, plain_photo, removebg_api

from opal.placement.scene import SCENES
from opal.placement.thumbnail import PREVIEW_HEIGHT, PREVIEW_WIDTH
from opal.settings import ScoringSettings, WebSettings

UNKNOWN = "backdrop_" + "0" * 24


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with removebg_api(tmp_path) as running:
        yield running


async def ask(api: WebApi, data: bytes, **fields: Any) -> httpx.Response:
    return await api.client.post("/v1/scenes/previews", json={"photo": in_base64(data), **fields})


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/jsonl")
    return [json.loads(line) for line in io.StringIO(answer.text)]


def picture(line: dict[str, Any]) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    found = pixels_of(base64.b64decode(line["picture"]))
    assert found.shape == (PREVIEW_HEIGHT, PREVIEW_WIDTH, 3)
    return found


async def test_a_photo_is_cut_out_once_and_shown_in_every_scene(api: WebApi) -> None:
    first, *shown = lines(await ask(api, plain_photo("jpg", 600, 480)))
    assert [line["index"] for line in shown] == list(range(len(SCENES)))
    white = picture(shown[list(SCENES).index("white")])
    assert white[4, 4].min() >= 250
    assert white[PREVIEW_HEIGHT // 2, PREVIEW_WIDTH // 2].max() < 80, "the dark block stands in the middle"
    assert first["confidence"] == 1.0
    # What came back spares cutting out again, and looks the same.
    cutout = base64.b64decode(first["cutout"])
    [again] = lines(await ask(api, cutout, scenes=["white"]))
    assert np.abs(picture(again).astype(float) - white).mean() < 3.0
    assert await api.credits() == (100, 0)


async def test_placement_moves_the_product(api: WebApi) -> None:
    [line] = lines(
        await ask(api, cut_photo(), scenes=["white"], placement={"margin": 0.3, "alignment": "left"})
    )
    dark = np.argwhere(picture(line).min(axis=2) < 200)
    assert dark[:, 1].max() < PREVIEW_WIDTH * 0.7
    assert dark[:, 1].min() > 60


async def test_scenes_of_ones_own_and_a_backdrop(api: WebApi) -> None:
    backdrop = {"kind": "backdrop", "picture": await api.backdrop(), "ground": 0.9}
    red = {"kind": "solid", "colour": "#c81e1e"}
    shown = lines(await ask(api, cut_photo(), scenes=[red, backdrop, "studio-oak"]))
    assert picture(shown[0])[3, 3].tolist() == pytest.approx([200, 30, 30], abs=6)
    assert picture(shown[1])[3, 3].min() > 240
    foreign = await api.other.post(
        "/v1/scenes/previews", json={"photo": in_base64(cut_photo()), "scenes": [backdrop]}
    )
    assert (foreign.status_code, foreign.json()["code"]) == (404, "unknown_backdrop")


async def test_a_backdrop_is_shown_small(api: WebApi) -> None:
    address = f"/v1/backdrops/{await api.backdrop(photo(2000, 1000))}/preview"
    shown = await api.client.get(address)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
    assert pixels_of(shown.content).shape == (480, 960, 3)
    again = await api.client.get(address, headers={"If-None-Match": shown.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await api.other.get(address)).json()["code"] == "unknown_backdrop"


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"photo": "%%%"}, 422, "invalid_request"),
        ({"photo": in_base64(b"no picture")}, 415, "unsupported_format"),
        ({"photo": in_base64(photo(2100, 300))}, 422, "image_side_too_long"),
        ({"photo": in_base64(photo(300, 200)[:400])}, 422, "image_truncated"),
        ({"photo": "A" * 300_000}, 413, "body_too_large"),
        ({"scenes": ["moon"]}, 422, "unknown_scene"),
        ({"scenes": [{"kind": "backdrop", "picture": UNKNOWN}]}, 404, "unknown_backdrop"),
        ({"scenes": [{"kind": "solid", "colour": "red"}]}, 422, "invalid_scene"),
        ({"scenes": ["white"] * 33}, 422, "invalid_request"),
        ({"placement": {"margin": 2}}, 422, "invalid_placement"),
    ],
)
async def test_what_is_wrong_is_told_before_the_first_line(
    api: WebApi, fields: dict[str, Any], status: int, code: str
) -> None:
    body = {"photo": in_base64(cut_photo()), **fields}
    answer = await api.client.post("/v1/scenes/previews", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_minutes_previews_are_counted_for_the_tenant(tmp_path: Path) -> None:
    async with removebg_api(tmp_path, web=WebSettings(previews_per_tenant=5)) as api:
        assert (await ask(api, plain_photo(), scenes=["white"])).status_code == 200
        assert (await ask(api, cut_photo(), scenes=["white"])).status_code == 200
        refused = await ask(api, cut_photo(), scenes=["white"])
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert int(refused.headers["retry-after"]) >= 1
        other = {"photo": in_base64(cut_photo()), "scenes": ["white"]}
        assert (await api.other.post("/v1/scenes/previews", json=other)).status_code == 200


async def test_without_an_endpoint_it_says_so(tmp_path: Path) -> None:
    nowhere = ScoringSettings(url="http://127.0.0.1:9/score")
    async with running_web_api(tmp_path, scoring=nowhere) as alone:
        answer = await ask(alone, plain_photo(), scenes=["white"])
        assert (answer.status_code, answer.json()["code"]) == (503, "scoring_unavailable")
        assert (await ask(alone, cut_photo(), scenes=["white"])).status_code == 200
