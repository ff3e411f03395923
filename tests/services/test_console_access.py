"""Who gets into the console and what a session may do: cookie, links, forms from elsewhere, other tenants."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from tests.services.console_browser import OURS, key_of, sign_in, token_of
from tests.services.http_services import TENANT, WebApi, client_of, photo, running_web_api

from opal.console import sign_in_link
from opal.console.assets import Assets
from opal.console.sign_in_link import make_link
from opal.database import ended_sessions, keys
from opal.database.engine import utc_now
from opal.database.keys import Scope
from opal.http.sessions import Session


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


@pytest.fixture
async def browser(api: WebApi) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps cookies, signed in as the first tenant."""
    async with client_of(api.url) as client:
        await sign_in(client, api.client.headers["X-API-Key"])
        yield client


@pytest.mark.parametrize("path", ["/", "/jobs", "/jobs/job_9f1c2d3e4a5b6c7d8e9f0a1b"])
async def test_a_page_without_a_session_leads_to_the_door_and_back(api: WebApi, path: str) -> None:
    answer = await api.anonymous.get(path)
    assert answer.status_code == 303
    door = answer.headers["Location"]
    assert door == ("/sign-in" if path == "/" else f"/sign-in?next={path}")
    page = await api.anonymous.get(door)
    assert f'name="after" value="{path}"' in page.text
    # A key in a header is for the API: pages are for sessions.
    assert (await api.client.get(path)).status_code == 303


async def test_what_was_looked_for_is_kept_at_the_door(api: WebApi) -> None:
    path = "/jobs?find=blue%20mug&before="
    door = (await api.anonymous.get(path)).headers["Location"]
    page = await api.anonymous.get(door)
    assert f'name="after" value="{path.replace("&", "&amp;")}"' in page.text
    answer = await sign_in(api.anonymous, api.client.headers["X-API-Key"], after=path)
    assert answer.headers["Location"] == path


@pytest.mark.parametrize("path", ["/nope", "/settings/nope", "/jobs/", "/sign-out"])
async def test_people_are_told_on_a_page_that_there_is_none(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.status_code in {404, 307}
    if answer.status_code == 404:
        assert "There is no page at this address." in answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    told = await browser.get(path)
    if told.status_code != 307:
        assert told.headers["Content-Type"] == "application/problem+json"
    unknown = await browser.get("/v1/nope", headers={"Accept": "text/html"})
    assert unknown.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", [f"/jobs?find={'a' * 300}", "/jobs/job_9f1c2d3e4a5b6c7d8e9f0a1b?page=-5"])
async def test_an_address_of_a_wrong_form_is_told_on_a_page(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "not of the form that this page takes" in answer.text


async def test_the_cookie_is_for_this_server_and_no_script(api: WebApi) -> None:
    answer = await sign_in(api.anonymous, api.client.headers["X-API-Key"], after="/jobs")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/jobs")
    cookie = answer.headers["Set-Cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= set(cookie.split("; "))
    assert "secure" not in cookie  # on loopback there is no HTTPS
    assert api.client.headers["X-API-Key"] not in cookie


@pytest.mark.parametrize("after", ["//evil.test", "/\\evil.test", "https://evil.test", "jobs", "/a?b=//c"])
async def test_nobody_is_sent_elsewhere(api: WebApi, after: str) -> None:
    answer = await sign_in(api.anonymous, api.client.headers["X-API-Key"], after=after)
    assert answer.headers["Location"] == "/"


async def test_keys_that_do_not_open(api: WebApi) -> None:
    _, sandbox = await key_of(api, TENANT, *Scope, sandbox=True)
    for key, words in (("opal_wrong", "not known here"), ("", "first"), (sandbox, "sandbox")):
        answer = await sign_in(api.anonymous, key)
        assert answer.status_code == 401
        assert words in answer.text
        assert "Set-Cookie" not in answer.headers
    _, settings_only = await key_of(api, TENANT, Scope.SETTINGS)
    async with client_of(api.url) as client:
        await sign_in(client, settings_only)
        page = await client.get("/")
    assert page.status_code == 403
    assert "scope `read`" in page.text


async def test_pages_carry_a_policy_without_exceptions(browser: httpx.AsyncClient) -> None:
    for path in ("/", "/jobs", "/jobs/job_9f1c2d3e4a5b6c7d8e9f0a1b", "/sign-in/link?token=x"):
        page = await browser.get(path)
        policy = page.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Cache-Control"] == "private, no-store"
        assert " style=" not in page.text
        assert "<script>" not in page.text


async def test_a_revoked_key_ends_its_sessions(api: WebApi) -> None:
    key_id, whole = await key_of(api, TENANT, *Scope)
    async with client_of(api.url) as client:
        await sign_in(client, whole)
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/v1/jobs")).status_code == 200
        async with api.parts.database.transaction() as connection:
            await keys.revoke_key(connection, key_id)
        assert (await client.get("/")).status_code == 303
        assert (await client.get("/v1/jobs")).status_code == 401


async def test_a_session_ends_by_itself_and_cannot_be_forged(api: WebApi) -> None:
    sealer = api.app.state.sealer
    ended = Session("s", "k", "c", utc_now() - timedelta(seconds=1))
    key_id = api.client.headers["X-API-Key"].split("_")[1]
    told = {"id": "s", "key": key_id, "csrf": "c", "ends": ended.ends_at.isoformat()}
    without_id = {"key": key_id, "csrf": "c", "ends": (utc_now() + timedelta(hours=1)).isoformat()}
    name = api.app.state.sessions.cookie
    for forged in (
        sealer.seal("console-session", told),
        sealer.seal("target_1", told),
        sealer.seal("console-session", without_id),
        "x",
        "é",
    ):
        answer = await api.anonymous.get("/v1/jobs", headers={b"Cookie": f"{name}={forged}".encode()})
        assert answer.status_code == 401


async def test_what_changes_something_comes_from_our_page(api: WebApi, browser: httpx.AsyncClient) -> None:
    token = token_of(await browser.get("/"))
    body = {"items": [{"filename": "mug.jpg"}]}
    proof = {"X-CSRF-Token": token}
    origin = {"Origin": api.url}
    for refused in (
        {},
        OURS,
        proof,
        {**OURS, "X-CSRF-Token": "x"},
        {**proof, "Sec-Fetch-Site": "same-site"},
        {**proof, "Sec-Fetch-Site": "cross-site", **origin},
        {**proof, "Origin": "http://127.0.0.1:1"},
        {**proof, "Origin": "null"},
    ):
        answer = await browser.post("/v1/jobs", json=body, headers=refused)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request"), refused
    for accepted in ({**OURS, **proof}, {**origin, **proof}):
        assert (await browser.post("/v1/jobs", json=body, headers=accepted)).status_code == 201


async def test_a_form_elsewhere_signs_nobody_in_or_out(api: WebApi, browser: httpx.AsyncClient) -> None:
    key = api.client.headers["X-API-Key"]
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    answer = await api.anonymous.post("/sign-in", data={"key": key}, headers=elsewhere)
    assert answer.status_code == 403
    assert (await browser.post("/sign-out", headers=OURS)).status_code == 403
    token = token_of(await browser.get("/"))
    assert (await browser.post("/sign-out", data={"csrf": token}, headers=elsewhere)).status_code == 403
    answer = await browser.post("/sign-out", data={"csrf": token}, headers=OURS)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert (await browser.get("/jobs")).status_code == 303


async def test_who_signs_out_ends_the_session_for_every_copy_of_its_cookie(
    api: WebApi, browser: httpx.AsyncClient
) -> None:
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    token = token_of(await browser.get("/"))
    async with client_of(api.url) as elsewhere:
        await sign_in(elsewhere, api.client.headers["X-API-Key"])
        assert (await api.anonymous.get("/v1/jobs", headers=cookie)).status_code == 200
        answer = await browser.post("/sign-out", data={"csrf": token}, headers=OURS)
        assert answer.status_code == 303
        # The copy is worth nothing, for pages and for the API, nor does it open the sign-in page's way on.
        assert (await api.anonymous.get("/v1/jobs", headers=cookie)).status_code == 401
        assert (await api.anonymous.get("/jobs", headers=cookie)).status_code == 303
        assert (await api.anonymous.get("/sign-in", headers=cookie)).status_code == 200
        proof = {**cookie, **OURS, "X-CSRF-Token": token}
        assert (await api.anonymous.post("/v1/jobs", json={}, headers=proof)).status_code == 401
        # Another session of the same key goes on, as the key does.
        assert (await elsewhere.get("/v1/jobs")).status_code == 200
    assert (await api.client.get("/v1/jobs")).status_code == 200
    async with api.parts.database.transaction() as connection:
        long_ago = utc_now() - timedelta(days=1)
        await ended_sessions.end(connection, TENANT, "old", long_ago)
        await ended_sessions.end(connection, TENANT, "new", utc_now() + timedelta(hours=1))
        await ended_sessions.end(connection, TENANT, "new", utc_now() + timedelta(hours=1))
        assert not await ended_sessions.has_ended(connection, "old")
        assert await ended_sessions.has_ended(connection, "new")


async def test_the_link_opens_once(api: WebApi, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = api.parts.settings.data_dir
    key_id = api.client.headers["X-API-Key"].split("_")[1]
    token = make_link(folder, key_id)
    assert (folder / "sign-in-link").stat().st_mode & 0o077 == 0
    assert token not in (folder / "sign-in-link").read_text("utf-8")
    assert (await api.anonymous.get("/sign-in/link?token=wrong")).status_code == 401
    async with client_of(api.url) as client:
        assert (await client.get(f"/sign-in/link?token={token}")).status_code == 200
        assert (await client.get("/")).status_code == 200
    assert (await api.anonymous.get(f"/sign-in/link?token={token}")).status_code == 401
    monkeypatch.setattr(sign_in_link, "LASTS", timedelta(0))
    late = make_link(folder, key_id)
    assert (await api.anonymous.get(f"/sign-in/link?token={late}")).status_code == 401


async def test_another_tenants_job_is_a_job_that_nobody_has(api: WebApi, browser: httpx.AsyncClient) -> None:
    made = await api.other.post("/v1/jobs", json={"items": [{"filename": "secret-mug.jpg"}]})
    job, item = made.json()["id"], made.json()["items"][0]["id"]
    nobody = f"job_{'0' * 24}"
    for path in ("/jobs/{}", "/jobs?before={}", f"/v1/jobs/{{}}/items/{item}/preview"):
        theirs, nobodys = await browser.get(path.format(job)), await browser.get(path.format(nobody))
        assert (theirs.status_code, nobodys.status_code) == (404, 404)
        assert "secret-mug" not in theirs.text
    assert job not in (await browser.get("/jobs")).text


async def test_pages_of_a_job_work_without_scripts(api: WebApi, browser: httpx.AsyncClient) -> None:
    assert "No jobs yet" in (await browser.get("/jobs")).text
    job = await api.job(
        "<b>mug</b>.jpg", "broken.jpg", *(f"{number}.jpg" for number in range(50)), name="<i>"
    )
    await api.upload(job, photo())
    await api.finish(job["items"][0]["id"], {"square-1x1": photo(900, 900)})
    assert (await api.upload(job, photo()[:200], 1)).status_code == 422
    listed = (await browser.get("/jobs")).text
    assert "&lt;i&gt;" in listed
    assert f"/items/{job['items'][0]['id']}/preview" in listed
    page = (await browser.get(f"/jobs/{job['id']}")).text
    assert "&lt;b&gt;mug&lt;/b&gt;.jpg" in page
    assert "ends before" in page
    assert page.count('data-state="created"') == 22
    for number, created in ((2, 24), (3, 4)):
        page = (await browser.get(f"/jobs/{job['id']}?page={number}")).text
        assert page.count('data-state="created"') == created


async def test_a_preview_is_small_and_kept_by_the_browser(api: WebApi) -> None:
    job = await api.job(presets=["square-1x1", "amazon-main"])
    path = f"/v1/jobs/{job['id']}/items/{job['items'][0]['id']}/preview"
    assert (await api.client.get(path)).status_code == 404
    await api.upload(job, photo())
    pictures = {"square-1x1": photo(900, 600), "amazon-main": b"no picture"}
    await api.finish(job["items"][0]["id"], pictures)
    answer = await api.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.headers["cache-control"].startswith("private")
    held = {"If-None-Match": answer.headers["etag"]}
    assert (await api.client.get(path, headers=held)).status_code == 304
    other = await api.other.get(path)
    assert other.status_code == 404


async def test_assets_are_cached_for_good_under_their_hash(api: WebApi) -> None:
    assets = Assets.of_package()
    answer = await api.anonymous.get(assets.address("opal.css"))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    for refusal in ("identity", "gzip;q=0", "br"):
        plain = await api.anonymous.get(assets.address("opal.css"), headers={"Accept-Encoding": refusal})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content
    # A page holds its session's token: compressed beside words of whoever asks, it could be guessed (BREACH).
    assert "content-encoding" not in (await api.anonymous.get("/sign-in")).headers
    for path in (f"/assets/{'0' * 16}/opal.css", f"/assets/{assets.version}/app.py", "/assets/x/..%2fapp.py"):
        answer = await api.anonymous.get(path)
        assert answer.status_code == 404
        assert "immutable" not in answer.headers.get("cache-control", "")
