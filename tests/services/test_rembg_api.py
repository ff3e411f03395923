"""rembg's HTTP server, and the pictures that an operator keeps to look at."""

import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.services.http_services import TENANT, bound_socket, served
from tests.services.removebg_world import (
    COLOUR,
    HEIGHT,
    SUBJECT_HEIGHT,
    SUBJECT_WIDTH,
    WIDTH,
    cut_photo,
    in_base64,
    pixels_of,
    plain_photo,
    removebg_api,
)

from opal.outgoing_settings import OutgoingSettings
from opal.settings import RemoveBgSettings
from opal.web_api import removebg_improve

OPEN = RemoveBgSettings(open_tenant=TENANT)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


async def test_rembgs_parameters_give_what_rembg_gives(tmp_path: Path) -> None:
    async with removebg_api(tmp_path, removebg=OPEN) as api:
        post = api.anonymous.post
        whole = await post("/api/remove", files={"file": cut_photo()}, data={"model": "u2net", "a": "true"})
        assert whole.headers["content-type"] == "image/png"
        pixels = pixels_of(whole.content)
        assert pixels.shape == (HEIGHT, WIDTH, 4)
        assert int((pixels[..., 3] == 255).sum()) == SUBJECT_WIDTH * SUBJECT_HEIGHT
        mask = pixels_of(
            (await post("/api/remove", files={"file": cut_photo()}, data={"om": "true"})).content
        )
        np.testing.assert_array_equal(mask[..., 0], pixels[..., 3])
        coloured = await post("/api/remove?bgc=255,0,0,255", files={"file": cut_photo()})
        assert tuple(pixels_of(coloured.content)[0, 0]) == (255, 0, 0)
        large = await post("/api/remove", files={"file": cut_photo("png", 4000, 3200)})
        assert pixels_of(large.content).shape == (3200, 4000, 4)
        assert await api.credits() == (96, 0)
        assert code(await post("/api/remove", data={"om": "true"})) == (400, "missing_source")
        for bad in ("1,2,3", "1,2,3,300", "a,b,c,d"):
            answer = await post(f"/api/remove?bgc={bad}", files={"file": cut_photo()})
            assert code(answer) == (400, "invalid_bg_color")


async def mug(_request: Request) -> Response:
    return Response(cut_photo(), media_type="image/png")


async def test_rembgs_address_is_fetched(tmp_path: Path) -> None:
    bound, url = bound_socket()
    outgoing = OutgoingSettings(private_addresses="allow")
    async with (
        served(Starlette(routes=[Route("/mug.png", mug)]), bound),
        removebg_api(tmp_path, removebg=OPEN, outgoing=outgoing) as api,
    ):
        answer = await api.anonymous.get("/api/remove", params={"url": f"{url}/mug.png"})
        assert answer.status_code == 200, answer.text
        assert tuple(pixels_of(answer.content)[HEIGHT // 2, WIDTH // 2 - 5]) == (*COLOUR, 255)
        assert code(await api.anonymous.get("/api/remove")) == (400, "missing_source")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://shop.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "rebound.example"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Api-Key": "opal_0_0"},
    ],
)
async def test_without_a_key_only_programs_of_this_machine_may_ask(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with removebg_api(tmp_path, removebg=OPEN) as api:
        answer = await api.anonymous.post("/api/remove", files={"file": cut_photo()}, headers=headers)
        assert code(answer)[0] == 403
        assert await api.credits() == (100, 0)


async def test_unless_a_tenant_is_named_a_key_is_needed(tmp_path: Path) -> None:
    async with removebg_api(tmp_path) as api:
        assert code(await api.anonymous.post("/api/remove", files={"file": cut_photo()}))[0] == 403
        assert (await api.client.post("/api/remove", files={"file": cut_photo()})).status_code == 200


async def test_pictures_are_kept_to_look_at_only_where_that_is_switched_on(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    async with removebg_api(tmp_path / "off") as api:
        answer = await api.client.post("/v1.0/improve", files={"image_file": plain_photo()})
        assert code(answer) == (403, "improve_disabled")
    async with removebg_api(tmp_path / "on", removebg=RemoveBgSettings(improve_folder=kept)) as api:
        before = await api.credits()
        data = {"image_filename": "mug.jpg", "tag": "handles"}
        answer = await api.client.post("/v1.0/improve", files={"image_file": plain_photo()}, data=data)
        assert answer.status_code == 200
        [note] = kept.glob(f"{TENANT}/*/{answer.json()['id']}.json")
        assert json.loads(note.read_text()) == {"filename": "mug.jpg", "tag": "handles", "tenant_id": TENANT}
        assert note.with_suffix(".jpeg").read_bytes() == plain_photo()
        body = {"image_file_b64": in_base64(cut_photo())}
        assert (await api.client.post("/v1.0/improve", json=body)).status_code == 200
        for fields, expected in (({"tag": "t" * 65}, "invalid_tag"), ({}, "missing_source")):
            files = {"image_file": plain_photo()} if fields else None
            assert code(await api.client.post("/v1.0/improve", files=files, data=fields))[1] == expected
        for number in range(removebg_improve.MOST_PER_DAY):
            (note.parent / f"{number}.json").touch()
        answer = await api.client.post("/v1.0/improve", files={"image_file": plain_photo()})
        assert code(answer) == (429, "rate_limit_exceeded")
        assert await api.credits() == before
