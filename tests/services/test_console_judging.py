"""The pages on which people judge pictures, as they come: without a script, each to its own tenant."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update
from tests.services.http_services import WebApi, photo, running_web_api

from opal.console.sign_in_link import make_link
from opal.database import review_queue
from opal.database.engine import utc_now
from opal.database.keys import list_keys
from opal.database.tables import items, variants

REASON = "Parts of the product's outline are uncertain."


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


@pytest.fixture
async def browser(api: WebApi) -> AsyncIterator[httpx.AsyncClient]:
    """Signed in as the first tenant."""
    async with api.parts.database.read() as connection:
        [key] = await list_keys(connection, "acme")
    token = make_link(api.parts.settings.data_dir, key.id)
    async with httpx.AsyncClient(base_url=api.url, trust_env=False, timeout=30) as client:
        assert (await client.get(f"/sign-in/link?token={token}")).status_code == 200
        yield client


async def doubtful(api: WebApi, *names: str, **fields: object) -> tuple[str, list[str]]:
    """A job whose photos are all marked; its id and theirs."""
    job = await api.job(*names, **fields)
    ids = [item["id"] for item in job["items"]]
    for index, item in enumerate(ids):
        await api.upload(job, photo(), index)
        await api.finish(item, {"square-1x1": photo(900, 900), "amazon-main": photo(800, 800)}, review=True)
        async with api.parts.database.transaction() as connection:
            row = (await connection.execute(items.select().where(items.c.id == item))).one()
            meta = {**row.meta, "confidence": 0.61, "confidence_reasons": [REASON]}
            await connection.execute(update(items).where(items.c.id == item).values(meta=meta))
    return job["id"], ids


async def test_an_item_page_shows_photo_pictures_and_reports_without_scripts(
    api: WebApi, browser: httpx.AsyncClient
) -> None:
    job, [first, second, third] = await doubtful(
        api, "<b>mug</b>.jpg", "pot.jpg", "cup.jpg", name="spring", presets=["square-1x1", "amazon-main"]
    )
    page = (await browser.get(f"/jobs/{job}/items/{second}")).text
    assert f"/v1/jobs/{job}/items/{second}/photo?side=1600" in page
    assert f"/v1/jobs/{job}/items/{second}/cutout?side=640" in page
    assert page.index("of-square-1x1") < page.index("of-amazon-main"), "as the job asked for them"
    for told in ("width", "= 2000", "Keeps all 1 rules", "99.90%", "not altered", "not signed"):
        assert told in page, told
    assert REASON.replace("'", "&#39;") in page
    assert "Confidence 61%" in page
    assert "2 of 3" in page
    assert f'rel="prev" href="/jobs/{job}/items/{first}"' in page
    assert f'rel="next" href="/jobs/{job}/items/{third}"' in page
    assert "&lt;b&gt;mug" in (await browser.get(f"/jobs/{job}/items/{first}")).text
    url = page.split('data-src="')[1].split('"')[0].replace("&amp;", "&")
    assert (await api.anonymous.get(url)).status_code == 200


async def test_pages_of_items_that_are_not_done_or_gone(api: WebApi, browser: httpx.AsyncClient) -> None:
    job = await api.job("waiting.jpg", "broken.jpg", "old.jpg")
    waiting, broken, old = (item["id"] for item in job["items"])
    assert (await api.upload(job, photo()[:200], 1)).status_code == 422
    await api.upload(job, photo(), 2)
    await api.finish(old, {"square-1x1": photo(900, 900)})
    async with api.parts.database.transaction() as connection:
        gone = {"raw_expired_at": utc_now(), "outputs_expired_at": utc_now()}
        await connection.execute(update(items).where(items.c.id == old).values(gone))
        await connection.execute(update(variants).values(expired_at=utc_now()))
    assert "has not arrived" in (await browser.get(f"/jobs/{job['id']}/items/{waiting}")).text
    assert "ends before" in (await browser.get(f"/jobs/{job['id']}/items/{broken}")).text
    page = (await browser.get(f"/jobs/{job['id']}/items/{old}")).text
    assert "removed for its age" in page
    assert "Keeps all 1 rules" in page
    for item in (waiting, broken, old):
        touch_up = await browser.get(f"/jobs/{job['id']}/items/{item}/touch-up")
        assert touch_up.status_code == 404


async def test_what_others_have_is_what_nobody_has(api: WebApi, browser: httpx.AsyncClient) -> None:
    made = await api.other.post("/v1/jobs", json={"items": [{"filename": "secret-mug.jpg"}]})
    job, item = made.json()["id"], made.json()["items"][0]["id"]
    for path in (f"/jobs/{job}/items/{item}", f"/jobs/{job}/items/{item}/touch-up", f"/jobs/{job}/review"):
        theirs, nobodys = await browser.get(path), await browser.get(path.replace(job, f"job_{'0' * 24}"))
        assert (theirs.status_code, nobodys.status_code) == (404, 404)
        assert "secret-mug" not in theirs.text
    assert "Nothing waits for you" in (await browser.get(f"/review?after={item}")).text


async def test_the_queue_shows_one_after_the_other_and_begins_anew(
    api: WebApi, browser: httpx.AsyncClient
) -> None:
    assert "Nothing waits for you" in (await browser.get("/review")).text
    job, [first, second] = await doubtful(api, "a.jpg", "b.jpg")
    other, [third] = await doubtful(api, "c.jpg")
    shown = [first, second, third, first]
    path = "/review"
    for item in shown:
        page = (await browser.get(path)).text
        assert f'data-item="{item}"' in page
        assert "3 waiting" in page
        path = f"/review?after={item}"
    assert f'data-item="{third}"' in (await browser.get(f"/jobs/{other}/review")).text
    assert ">3</span>" in (await browser.get("/jobs")).text, "the navigation counts"
    for item in (first, second):
        answer = await api.client.post(f"/v1/jobs/{job}/items/{item}/verdict", json={"verdict": "accepted"})
        assert answer.status_code == 200, answer.text
    assert f'data-item="{third}"' in (await browser.get(f"/review?after={first}")).text
    assert "Nothing waits for you" in (await browser.get(f"/jobs/{job}/review")).text
    assert "Accepted" in (await browser.get(f"/jobs/{job}/items/{first}")).text


async def test_the_count_stops_where_nobody_counts(api: WebApi) -> None:
    job, _ = await doubtful(api, "a.jpg", "b.jpg", "c.jpg")
    async with api.parts.database.read() as connection:
        assert await review_queue.count_waiting(connection, "acme", most=2) == 2
        assert await review_queue.count_waiting(connection, "acme", job, most=9) == 3
        assert await review_queue.count_waiting(connection, "globex", most=9) == 0
