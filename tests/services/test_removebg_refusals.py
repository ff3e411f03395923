"""remove.bg's API over the real server: what is refused, by which code, and that it costs nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message
from tests.services.http_services import WebApi
from tests.services.removebg_world import ask, cut_photo, plain_photo, refused, removebg_api
from tests.unit.photo_files import frames, png_header

from opal.settings import RemoveBgSettings
from opal.web_api.removebg import answered
from opal.web_api.removebg_body import read_body
from opal.web_api.removebg_caller import Told
from opal.web_api.removebg_errors import TITLES
from opal.web_api.removebg_line import WaitingLine

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebApi]:
    async with removebg_api(tmp_path_factory.mktemp("removebg"), granted=10**6) as running:
        yield running


BAD_FIELDS = [
    ("size", "huge", "invalid_size"),
    ("type", "boat", "invalid_type"),
    ("type_level", "9", "invalid_type_level"),
    ("format", "gif", "invalid_format"),
    ("channels", "rgb", "invalid_channels"),
    ("crop", "perhaps", "invalid_crop"),
    ("crop_margin", "wide", "invalid_crop_margin"),
    ("scale", "5%", "invalid_scale"),
    ("position", "left", "invalid_position"),
    ("roi", "everything", "invalid_roi"),
    ("roi", "0px 0px 201px 10px", "roi_exceeds_bounds"),
    ("roi", "50% 50% 50% 50%", "roi_region_empty"),
    ("add_shadow", "some", "invalid_add_shadow"),
    ("shadow_type", "long", "invalid_shadow_type"),
    ("shadow_opacity", "200", "invalid_shadow_opacity"),
    ("semitransparency", "some", "invalid_semitransparency"),
    ("bg_color", "nocolour", "invalid_bg_color"),
    ("image_url", "https://example.com/b.png", "multiple_sources"),
    ("bg_image_url", "no address", "invalid_bg_image_url"),
    ("bg_image_url", "https://127.0.0.1/bg.png", "invalid_bg_image_url"),
]


@pytest.mark.parametrize(("name", "value", "code"), BAD_FIELDS)
async def test_a_bad_field_is_refused_by_its_code(api: WebApi, name: str, value: str, code: str) -> None:
    before = await api.credits()
    assert await refused(await ask(api, **{name: value})) == (400, code)
    assert await api.credits() == before


@pytest.mark.parametrize(
    ("photo", "code"),
    [
        (b"", "failed_to_read_image"),
        (b"no picture", "invalid_file_type"),
        (b"%PDF-1.7", "invalid_file_type"),
        (frames("gif"), "invalid_file_type"),
        (cut_photo()[:300], "failed_to_read_image"),
        (png_header(9000, 9000), "resolution_too_high"),
        (png_header(20_000, 100), "resolution_too_high"),
        (plain_photo("png", 40, 40), "invalid_dimensions"),
    ],
)
async def test_a_picture_that_cannot_be_used_says_why(api: WebApi, photo: bytes, code: str) -> None:
    before = await api.credits()
    assert await refused(await ask(api, photo)) == (400, code)
    assert await api.credits() == before


async def test_where_nothing_stands_out_there_is_no_foreground(api: WebApi) -> None:
    before = await api.credits()
    answer = await ask(api, plain_photo("png"), roi="0px 0px 30px 30px")
    assert await refused(answer) == (400, "unknown_foreground")
    assert await api.credits() == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_source"),
        ({"image_url": "not a url"}, "invalid_image_url"),
        ({"image_url": "http://example.com/a.png"}, "invalid_image_url"),
        ({"image_url": "https://10.0.0.1/a.png"}, "invalid_image_url"),
        ({"image_url": "file:///etc/passwd"}, "invalid_image_url"),
        ({"image_url": "https://no-such-name.invalid/a.png"}, "failed_image_download"),
        ({"image_file_b64": "!"}, "failed_to_read_image"),
        ({"image_file_b64": "é"}, "failed_to_read_image"),
        ({"image_file": "mug.png"}, "invalid_file_type"),
        ({"image_file_b64": "aGk=", "image_url": "https://example.com/a.png"}, "multiple_sources"),
        ({"image_file_b64": ["x"]}, "invalid_request"),
        ([], "invalid_request"),
    ],
)
async def test_a_json_body_that_is_no_request(api: WebApi, body: Any, code: str) -> None:
    assert await refused(await api.client.post("/v1.0/removebg", json=body)) == (400, code)


async def test_two_backgrounds_are_one_too_many(api: WebApi) -> None:
    files = {"image_file": ("mug.png", cut_photo()), "bg_image_file": ("bg.jpg", plain_photo())}
    answer = await api.client.post("/v1.0/removebg", files=files, data={"bg_color": "red"})
    assert await refused(answer) == (400, "multiple_bg_sources")


async def test_a_background_that_cannot_be_read_is_refused(api: WebApi) -> None:
    files = {"image_file": ("mug.png", cut_photo()), "bg_image_file": ("bg.jpg", b"no picture")}
    answer = await api.client.post("/v1.0/removebg", files=files)
    assert await refused(answer) == (400, "invalid_file_type")
    assert "background" in answer.text


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_api_key"),
        ({"X-Api-Key": ""}, "missing_api_key"),
        ({"X-Api-Key": "opal_0_0"}, "auth_failed"),
        ({"Authorization": "Bearer nothing"}, "auth_failed"),
    ],
)
async def test_a_missing_or_wrong_key_is_a_403(api: WebApi, headers: dict[str, str], code: str) -> None:
    for path, method in (("/v1.0/removebg", "POST"), ("/v1.0/account", "GET"), ("/v1.0/improve", "POST")):
        answer = await api.anonymous.request(method, path, headers=headers)
        assert await refused(answer) == (403, code)


async def test_a_key_may_come_as_a_bearer_token(api: WebApi) -> None:
    token = api.client.headers["X-API-Key"]
    answer = await api.anonymous.get("/v1.0/account", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


async def test_the_account_has_exactly_the_contracts_fields(api: WebApi) -> None:
    # The Ruby client takes them as keywords: one more, and it raises.
    document = (await api.client.get("/v1.0/account")).json()
    attributes = document["data"]["attributes"]
    assert set(attributes["credits"]) == {"total", "subscription", "payg", "enterprise"}
    assert set(attributes["api"]) == {"free_calls", "sizes"}
    balance, held = await api.credits()
    assert int(attributes["credits"]["total"]) == balance - held


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1.0/removebg", 405), ("POST", "/v1.0/account", 405), ("GET", "/v1.0/nothing", 404)],
)
async def test_other_addresses_answer_in_the_same_form(
    api: WebApi, method: str, path: str, status: int
) -> None:
    answer = await api.client.request(method, path)
    assert await refused(answer) == (status, "not_found" if status == 404 else "method_not_allowed")
    assert (answer.headers.get("allow") is not None) is (status == 405)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[" * 100_000),
        ("application/json", b"\xff"),
        ("multipart/form-data", b"--x"),
        ("multipart/form-data; boundary=x", b"nothing of the kind"),
        ("text/plain", cut_photo()),
    ],
)
async def test_a_body_that_is_no_form_is_refused(api: WebApi, kind: str, body: bytes) -> None:
    answer = await api.client.post("/v1.0/removebg", content=body, headers={"Content-Type": kind})
    assert await refused(answer) in {(400, "invalid_request"), (400, "missing_source")}


async def test_a_body_that_stays_away_is_waited_for_in_vain() -> None:
    async def nothing() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    headers = [(b"content-type", b"application/json")]
    stalled = Request({"type": "http", "method": "POST", "headers": headers}, nothing)

    async def work(_told: Told) -> Response:
        await read_body(stalled, WaitingLine(RemoveBgSettings()), 100, within_s=0.01)
        raise AssertionError

    assert told(await answered(work)) == (408, "request_timeout")


async def test_what_nobody_expected_is_told_without_its_words() -> None:
    async def work(_told: Told) -> Response:
        raise RuntimeError("a secret")

    answer = await answered(work)
    assert told(answer) == (500, "internal_error")
    assert b"secret" not in answer.body


def told(answer: Response) -> tuple[int, str]:
    [error] = json.loads(bytes(answer.body))["errors"]
    return answer.status_code, error["code"]


async def test_every_code_of_the_contract_has_a_test() -> None:
    suite = "".join(file.read_text("utf-8") for file in Path(__file__).parent.glob("test_rem*bg_*.py"))
    assert [code for code in TITLES if f'"{code}"' not in suite] == []


async def test_openapi_names_every_field_and_every_code(api: WebApi) -> None:
    document = (await api.anonymous.get("/openapi.json")).json()
    operation = document["paths"]["/v1.0/removebg"]["post"]
    fields = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert {"image_file", "image_file_b64", "image_url", "bg_image_file", "roi", "shadow_type"} <= set(fields)
    codes = json.dumps(operation["responses"])
    assert all(code in codes for _, _, code in BAD_FIELDS)
