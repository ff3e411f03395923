"""The placement endpoint's second kind of request: a bare cut-out, photo and matte inside the messages."""

import asyncio
import base64
import threading
from typing import Any

import httpx
import numpy as np
import pytest
from tests.services.http_services import bound_socket, client_of, served
from tests.services.removebg_world import (
    LEFT,
    SUBJECT_HEIGHT,
    SUBJECT_WIDTH,
    TOP,
    DarkThings,
    at_once,
    cut_photo,
    in_base64,
    no_scene,
    plain_photo,
)

from opal.errors import InvalidInput, NoProductFound, UnsupportedFormat
from opal.images.limits import Limits
from opal.images.matte import read_matte
from opal.messages.cutout_contract import CutoutRequest, CutoutResponse, Region
from opal.messages.scoring_contract import ScoreRequest, ScoreResponse
from opal.scoring.app import create_app
from opal.scoring.cut_out import cut_out
from opal.scoring.model_slots import ModelSlots
from opal.settings import ScoringSettings

BODY: dict[str, Any] = {"task": "cutout", "tenant_id": "acme", "image_bytes_b64": in_base64(cut_photo())}
SCENE = {"tenant_id": "acme", "job_id": "j", "item_id": "i", "input_image_sas": "http://127.0.0.1:1/x"}


def cut(photo: bytes, region: Region | None = None) -> CutoutResponse:
    request = CutoutRequest(tenant_id="acme", image_bytes_b64=in_base64(photo), region=region)
    return cut_out(request, DarkThings(), Limits())


def matte_of(answer: CutoutResponse) -> np.ndarray:
    return read_matte(base64.b64decode(answer.matte_bytes_b64))


def test_the_matte_is_the_photos_size_and_says_who_made_it() -> None:
    answer = cut(plain_photo("png"))
    assert matte_of(answer).sum() == SUBJECT_WIDTH * SUBJECT_HEIGHT
    assert (answer.cutout_engine, answer.confidence) == ("dark-things", 1.0)
    assert {"decode", "cut_out", "encode"} <= set(answer.timings)
    # One that brings its own was seen by no engine.
    own = cut(cut_photo())
    assert own.cutout_engine is None
    np.testing.assert_array_equal(matte_of(own), matte_of(answer))


@pytest.mark.parametrize("photo", [plain_photo("png"), cut_photo()])
def test_outside_the_region_there_is_nothing(photo: bytes) -> None:
    matte = matte_of(cut(photo, Region(left=LEFT + 10, top=0, width=10_000, height=TOP + 20)))
    rows, columns = np.nonzero(matte)
    assert (rows.min(), rows.max(), columns.min()) == (TOP, TOP + 19, LEFT + 10)


def test_what_cannot_be_cut_out_says_why() -> None:
    with pytest.raises(NoProductFound):
        cut(plain_photo("png"), Region(left=0, top=0, width=20, height=20))
    with pytest.raises(InvalidInput, match="region"):
        cut(plain_photo("png"), Region(left=5000, top=0, width=20, height=20))
    with pytest.raises(UnsupportedFormat):
        cut(b"no picture")
    with pytest.raises(InvalidInput, match="base64"):
        cut_out(CutoutRequest(tenant_id="a", image_bytes_b64="!"), DarkThings(), Limits())


async def test_over_http_photos_may_be_large_and_scenes_stay_small() -> None:
    slots = ModelSlots(lambda: None, no_scene, 1, at_once)
    await slots.load()
    bound, url = bound_socket()
    async with (
        served(create_app(ScoringSettings(), slots, max_photo_bytes=1_000_000), bound),
        client_of(url) as client,
    ):
        answer = await client.post("/score", json=BODY)
        assert CutoutResponse.model_validate_json(answer.content).confidence == 1.0
        wrong = await client.post("/score", json={**BODY, "task": "paint"})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "invalid_request")
        large = await client.post("/score", content=b" " * 1_700_000)
        assert large.status_code == 413


async def test_an_endpoint_of_scenes_alone_says_so() -> None:
    slots = ModelSlots(lambda: None, no_scene, 1)
    await slots.load()
    with pytest.raises(InvalidInput, match="scenes only"):
        await slots.cut_out(CutoutRequest.model_validate(BODY))


async def test_a_batch_of_scenes_leaves_places_for_cut_outs_and_who_hangs_up_is_not_worked_for() -> None:
    gate, scenes, cuts = threading.Event(), [0], [0]

    def scene(_request: ScoreRequest) -> ScoreResponse:
        scenes[0] += 1
        assert gate.wait(20)
        raise NoProductFound

    def counted(request: CutoutRequest) -> CutoutResponse:
        cuts[0] += 1
        return at_once(request)

    slots = ModelSlots(lambda: None, scene, 1, counted)
    await slots.load()
    bound, url = bound_socket()
    async with served(create_app(ScoringSettings(), slots), bound), client_of(url) as client:
        batch = [asyncio.create_task(client.post("/score", json=SCENE)) for _ in range(2)]
        await _in_hand(client, slots, 2)
        assert (await client.post("/score", json=SCENE)).status_code == 429
        stays = asyncio.create_task(client.post("/score", json=BODY))
        await _in_hand(client, slots, 3)
        leaves = asyncio.create_task(client.post("/score", json=BODY))
        await _in_hand(client, slots, 4)
        leaves.cancel()
        await _in_hand(client, slots, 3)
        gate.set()
        assert (await stays).status_code == 200
        assert {answer.status_code for answer in await asyncio.gather(*batch)} == {422}
        await _in_hand(client, slots, 0)
        assert (scenes[0], cuts[0]) == (2, 1)


async def _in_hand(client: httpx.AsyncClient, slots: ModelSlots, count: int) -> None:
    async with asyncio.timeout(10):
        while slots.in_flight != count:
            await client.get("/healthz")
