"""Public links: off unless turned on, the same answer to all that is not there, and ended for good."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from tests.services.http_services import WebApi, photo, running_web_api

from opal.items.public_link import item_of_token, new_link_key, public_path
from opal.settings import WebSettings
from opal.web_api.conditional import is_held

PICTURE = bytes(range(256)) * 40
SWITCH = "/v1/public-links"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


async def made(api: WebApi, **fields: Any) -> dict[str, Any]:
    """A job with one photo whose picture is there."""
    job = await api.job(items=[{"filename": "secret plan.jpg", "sku": "MÜG 01/a"}], **fields)
    await api.upload(job, photo())
    await api.finish(job["items"][0]["id"], {"amazon-main": PICTURE})
    return job


async def link(api: WebApi, job: dict[str, Any]) -> str | None:
    item_id = job["items"][0]["id"]
    answer = await api.client.get(f"/v1/jobs/{job['id']}/items/{item_id}/variants")
    url: str | None = answer.json()["variants"][0]["public_url"]
    return url


async def turned_on(api: WebApi, which: str = "all") -> None:
    answer = await api.client.put(SWITCH, json={"jobs": which})
    assert answer.json()["state"] == "on"


def same_but_for_its_path(answer: httpx.Response) -> dict[str, Any]:
    told = answer.json()
    return {name: told[name] for name in told if name not in {"instance", "correlation_id"}}


async def test_a_picture_is_public_only_while_its_tenant_wants_it(api: WebApi) -> None:
    job = await made(api)
    assert (await api.client.get(SWITCH)).json() == {"state": "off", "jobs": None, "since": None}
    assert await link(api, job) is None
    await turned_on(api)
    url = await link(api, job)
    assert url is not None
    assert url.endswith("/MUG-01-a-amazon-main.jpg")
    await turned_on(api)
    assert await link(api, job) == url, "asked twice, the addresses stay"
    assert (await api.anonymous.get(url)).content == PICTURE
    assert (await api.client.delete(SWITCH)).status_code == 204
    assert (await api.client.delete(SWITCH)).status_code == 204
    assert (await api.anonymous.get(url)).status_code == 404
    await turned_on(api)
    assert (await api.anonymous.get(url)).status_code == 404, "what was ended stays ended"
    assert await link(api, job) not in {None, url}


async def test_it_is_sent_as_marketplaces_and_caches_need_it(api: WebApi) -> None:
    await turned_on(api)
    url = str(await link(api, await made(api)))
    assert "?" not in url
    whole = await api.anonymous.get(url)
    headers = dict(whole.headers)
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["content-type"] == "image/jpeg"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"] == "inline"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["content-length"] == str(len(PICTURE))
    assert "set-cookie" not in headers
    head = await api.anonymous.head(url)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", headers["etag"])
    held = await api.anonymous.get(url, headers={"If-None-Match": f'"other", W/{headers["etag"]}'})
    assert (held.status_code, held.content) == (304, b"")
    assert held.headers["cache-control"] == headers["cache-control"]
    part = await api.anonymous.get(url, headers={"Range": "bytes=10-19", "If-Range": headers["etag"]})
    assert (part.status_code, part.content) == (206, PICTURE[10:20])
    assert (await api.anonymous.get(url, headers={"Range": "bytes=999999-"})).status_code == 416


async def test_everything_that_is_not_there_is_answered_alike_and_kept_by_no_cache(api: WebApi) -> None:
    await turned_on(api)
    job = await made(api)
    url = str(await link(api, job))
    silent = str(await link(api, await made(api)))
    token, _, name = url.rpartition("/p/")[2].partition("/")
    blob = f"acme/jobs/{job['id']}/items/{job['items'][0]['id']}/exports/1/amazon-main.jpg"
    forged = f"{token[:-1]}{'0' if token[-1] != '0' else '1'}"
    wrong = [f"/p/{forged}/{name}", f"/p/{token}/MUG-amazon-main.jpg", f"/p/{token}/{name}x", f"/p/x/{name}"]
    wrong += [f"/p/{'0' * 64}/{name}", f"/p/{token}/%00%ff", f"/p/{token.upper()}/{name}"]
    answers = [await api.anonymous.get(path) for path in wrong]
    await api.parts.blobs.delete("exports", blob)
    answers.append(await api.anonymous.get(url))
    await api.client.delete(SWITCH)
    answers.append(await api.anonymous.get(silent))
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert all(same_but_for_its_path(answer) == same_but_for_its_path(answers[0]) for answer in answers)


async def test_a_job_may_have_it_otherwise_and_a_cancelled_one_has_no_links(api: WebApi) -> None:
    refused = await api.client.post("/v1/jobs", json={"items": [{"filename": "a.jpg"}], "public_links": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "public_links_off")
    await turned_on(api, "chosen")
    by_default, open_job, closed = (
        await made(api),
        await made(api, public_links=True),
        await made(api, public_links=False),
    )
    assert [await link(api, job) is None for job in (by_default, open_job, closed)] == [True, False, True]
    await turned_on(api, "all")
    assert [await link(api, job) is None for job in (by_default, open_job, closed)] == [False, False, True]
    half = await api.job("a.jpg", "b.jpg")
    await api.upload(half, photo())
    await api.finish(half["items"][0]["id"], {"amazon-main": PICTURE})
    url = str(await link(api, half))
    assert (await api.anonymous.get(url)).status_code == 200
    await api.client.delete(f"/v1/jobs/{half['id']}")
    assert await link(api, half) is None
    assert (await api.anonymous.get(url)).status_code == 404
    assert (await api.other.get(SWITCH)).json()["state"] == "off", "another tenant's is its own"


async def test_more_downloads_than_may_be_are_told_to_come_back(tmp_path: Path) -> None:
    async with running_web_api(tmp_path, web=WebSettings(public_downloads=1)) as api:
        await turned_on(api)
        url = str(await link(api, await made(api)))
        with ExitStack() as downloads:
            downloads.enter_context(api.server.config.app.state.public_pace.running())  # type: ignore[union-attr]
            busy = await api.anonymous.get(url)
            assert (busy.status_code, busy.json()["code"]) == (503, "downloads_busy")
            assert (busy.headers["retry-after"], busy.headers["cache-control"]) == ("5", "no-store")
        assert (await api.anonymous.get(url)).status_code == 200


async def test_the_log_never_has_what_opens_a_picture(api: WebApi) -> None:
    await turned_on(api)
    url = str(await link(api, await made(api)))
    with capture_logs() as lines:
        await api.anonymous.get(url)
    token = url.rpartition("/p/")[2].partition("/")[0]
    paths = [line["path"] for line in lines if line.get("action") == "http.answered"]
    assert paths == [f"/p/{token[:24]}…/MUG-01-a-amazon-main.jpg"]


def test_an_address_depends_on_everything_that_makes_a_picture() -> None:
    key, item = new_link_key(), "item_" + "0a" * 12
    told = {"item_id": item, "sku": "A", "preset": "p", "sha256": "f" * 64, "extension": "jpg"}
    path = public_path(key, **told)
    others = [told | {name: "x" if name == "sku" else "item_" + "0b" * 12} for name in ("item_id", "sku")]
    others += [told | {"preset": "q"}, told | {"sha256": "e" * 64}, told | {"extension": "png"}]
    paths = {path, public_path(new_link_key(), **told), *(public_path(key, **other) for other in others)}
    assert len({each.split("/")[2] for each in paths}) == 7
    assert item_of_token(path.split("/")[2]) == item
    assert public_path(key, **told | {"sku": "日本/?"}).endswith("/p.jpg"), "no letter that a channel takes"


@pytest.mark.parametrize(
    ("header", "held"),
    [
        (None, False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
    ],
)
def test_if_none_match_is_read_as_rfc_9110_says(header: str | None, held: bool) -> None:
    assert is_held(header, '"a"') is held
