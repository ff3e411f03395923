"""Credits, settings and health as pages without scripts: what they show, what their forms do, who may not."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.services.console_browser import OURS, key_of, send, sign_in, token_of
from tests.services.finished_job import finished_job
from tests.services.http_services import OTHER, TENANT, WebApi, client_of, running_web_api
from tests.services.test_operations import put_aside

from opal.database.keys import TENANT_SCOPES, Scope
from opal.marketplaces.preset_text import line_of_fault, preset_toml
from opal.marketplaces.presets import load_presets, read_own_preset
from opal.outgoing_settings import DeliverySettings, OutgoingSettings

PAGES = (
    "/credits",
    "/settings",
    "/settings/keys",
    "/settings/webhooks",
    "/settings/deliveries",
    "/settings/presets",
    "/settings/presets/edit",
    "/settings/presets/edit?copy=amazon-main",
    "/settings/public-links",
    "/settings/data",
)
OPERATORS = ("/health", "/health/queues/jobs")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    (tmp_path / "root").mkdir()
    async with running_web_api(
        tmp_path / "data",
        outgoing=OutgoingSettings(private_addresses="allow"),
        delivery=DeliverySettings(folder_root=tmp_path / "root"),
    ) as running:
        yield running


@pytest.fixture
async def browser(api: WebApi) -> AsyncIterator[httpx.AsyncClient]:
    """Signed in with a key that may do everything."""
    _, whole = await key_of(api, TENANT, *Scope)
    async with client_of(api.url) as client:
        await sign_in(client, whole)
        yield client


async def test_every_page_shows_and_carries_nothing_inline(api: WebApi, browser: httpx.AsyncClient) -> None:
    await finished_job(api)
    await put_aside(api, b"<script>", reason="<b>")
    for path in (*PAGES, *OPERATORS):
        page = await browser.get(path)
        assert page.status_code == 200, f"{path}: {page.text}"
        assert page.text.count("<h1") == 1, path
        assert " style=" not in page.text, path
        assert "<script>" not in page.text, path
        assert "<b>" not in page.text.replace("<b>read", "") or path != "/health/queues/jobs"


async def test_who_may_only_look_is_told_and_refused(api: WebApi) -> None:
    _, whole = await key_of(api, TENANT, Scope.READ)
    async with client_of(api.url) as client:
        await sign_in(client, whole)
        for path in PAGES[1:]:
            page = await client.get(path)
            assert page.status_code == 200
            assert 'href="/health"' not in page.text
        token = token_of(await client.get("/settings/keys"))
        for path in ("/settings/keys", "/settings/webhooks", "/settings/data", "/settings/public-links"):
            assert 'class="primary"' not in (await client.get(path)).text
            answer = await client.post(path, data={"csrf": token}, headers=OURS)
            assert answer.status_code == 403, path
        for path in OPERATORS:
            assert (await client.get(path)).status_code == 403


async def test_forms_come_from_our_pages(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/settings/keys")
    fields = {"name": "x", "scopes": "read"}
    for data, headers in (
        (fields, OURS),
        ({**fields, "csrf": "x"}, OURS),
        ({**fields, "csrf": token_of(page)}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        assert (await browser.post("/settings/keys", data=data, headers=headers)).status_code == 403
    assert len((await browser.get("/v1/keys")).json()["keys"]) == 2


async def test_a_key_from_the_form_to_its_end(api: WebApi, browser: httpx.AsyncClient) -> None:
    page = await browser.get("/settings/keys")
    faulty = await send(browser, page, "/settings/keys", {"name": "", "scopes": ["read"]})
    assert (faulty.status_code, 'id="fault-name"' in faulty.text) == (422, True)
    wanted: dict[str, str | list[str]] = {"name": "<shop>", "scopes": ["read", "jobs"]}
    made = await send(browser, page, "/settings/keys", wanted)
    found = re.search(r'value="(opal_([0-9a-f]{12})_\w+)"', made.text)
    assert found is not None
    assert "&lt;shop&gt;" in made.text
    async with client_of(api.url, found[1]) as client:
        assert (await client.get("/v1/jobs")).status_code == 200
    # A reload sends the same form again.
    again = await send(browser, page, "/settings/keys", wanted)
    assert "made already" in again.text
    assert found[1] not in again.text
    page = await browser.get("/settings/keys")
    assert found[1] not in page.text
    done = await send(browser, page, f"/settings/keys/{found[2]}/revoke")
    assert "The key is revoked" in done.text
    async with client_of(api.url, found[1]) as client:
        assert (await client.get("/v1/jobs")).status_code == 401


async def test_the_last_key_is_asked_about_twice(api: WebApi, browser: httpx.AsyncClient) -> None:
    ids = [key["id"] for key in (await browser.get("/v1/keys")).json()["keys"]]
    own = next(key["id"] for key in (await browser.get("/v1/keys")).json()["keys"] if key["current"])
    [first] = set(ids) - {own}
    await send(browser, await browser.get("/settings/keys"), f"/settings/keys/{first}/revoke")
    asked = await send(browser, await browser.get("/settings/keys"), f"/settings/keys/{own}/revoke")
    assert (asked.status_code, "last key" in asked.text) == (409, True)
    gone = await send(browser, asked, f"/settings/keys/{own}/revoke")
    assert gone.url.path == "/sign-in"
    assert (await browser.get("/settings")).status_code == 303


async def test_a_webhook_its_secret_and_its_log(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/settings/webhooks")
    faulty = await send(browser, page, "/settings/webhooks", {"url": "not an address", "events": []})
    assert faulty.status_code == 422
    assert 'value="not an address"' in faulty.text
    made = await send(
        browser, page, "/settings/webhooks", {"url": "http://127.0.0.1:1/hook", "events": ["item.failed"]}
    )
    found = re.search(r'value="(whsec_[^"]+)"', made.text)
    here = re.search(r"/settings/webhooks/webhook_[0-9a-f]{24}", made.text)
    assert found is not None
    assert here is not None
    page = await browser.get(here[0])
    assert found[1] not in page.text
    tested = await send(browser, page, f"{here[0]}/test", {"kind": "item.failed"})
    assert "did not arrive" in tested.text
    delivery = re.search(r"/deliveries/delivery_[0-9a-f]{24}/replay", tested.text)
    assert delivery is not None
    assert "on its way again" in (await send(browser, tested, f"{here[0]}{delivery[0]}")).text
    assert "none of these" in (await browser.get(f"{here[0]}?state=delivered")).text
    rotated = await send(browser, page, f"{here[0]}/rotate")
    assert found[1] not in rotated.text
    assert "whsec_" in rotated.text
    gone = await send(browser, page, f"{here[0]}/delete")
    assert "Nobody is told yet" in gone.text


async def test_a_preset_from_a_copy_to_its_end(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/settings/presets/edit?copy=amazon-main")
    toml = preset_toml(load_presets()["amazon-main"], "own-amazon-main")
    broken = toml.replace("width = 2000", "width = 20")
    action = "/settings/presets/edit"
    refused = await send(browser, page, action, {"name": "own-amazon-main", "toml": broken})
    assert refused.status_code == 422
    assert "Line 7:" in refused.text
    assert "width = 20" in refused.text
    sent = {"name": "own-amazon-main", "toml": toml.replace("\n", "\r\n")}
    checked = await send(browser, page, action, {**sent, "intent": "check"})
    assert "Nothing is saved yet" in checked.text
    assert (await browser.get("/v1/presets")).json()["own"] == []
    saved = await send(browser, page, action, sent)
    assert "The preset is saved" in saved.text
    assert "already" not in saved.text
    # A new one of the same name would take its place without a word.
    assert "edit that one" in (await send(browser, page, action, sent)).text
    edit = await browser.get(f"{action}?name=own-amazon-main")
    assert "is saved" in (await send(browser, edit, action, sent)).text
    gone = await send(browser, saved, "/settings/presets/own-amazon-main/delete")
    assert "No presets of your own yet" in gone.text
    assert (await browser.get(f"{action}?name=own-amazon-main")).status_code == 404


@pytest.mark.parametrize("name", sorted(load_presets()))
def test_a_preset_written_down_is_read_as_the_same(name: str) -> None:
    preset = load_presets()[name]
    read = read_own_preset(preset_toml(preset, "own-copy"), "own-copy")
    same = preset.model_copy(update={"name": "own-copy"})
    assert read.model_copy(update={"rules": ()}) == same.model_copy(update={"rules": ()})
    assert len(read.rules) == len(same.rules)
    assert all(rule in read.rules for rule in same.rules)


def test_the_line_of_a_fault() -> None:
    toml = preset_toml(load_presets()["amazon-main"])
    lines = toml.splitlines()
    assert lines[(line_of_fault(toml, "x: presets.0.fill: too large") or 0) - 1].startswith("fill")
    second = line_of_fault(toml, "x: presets.0.rules.1.minimum: Input should be a number")
    assert second is not None
    assert lines[second - 1] == "minimum = 1000"
    assert line_of_fault(toml, "x: not valid TOML") is None
    assert line_of_fault(toml, "x: presets.0.rules.99.minimum: wrong") is None


async def test_public_links_and_deleting_everything(api: WebApi, browser: httpx.AsyncClient) -> None:
    await api.job()
    page = await browser.get("/settings/public-links")
    page = await send(browser, page, "/settings/public-links", {"jobs": "chosen"})
    assert (await browser.get("/v1/public-links")).json()["jobs"] == "chosen"
    forms = page.text.split('<dialog id="off"')[1]
    assert 'name="jobs" value="off"' in forms
    token = token_of(page)
    await browser.post("/settings/public-links", data={"csrf": token, "jobs": "off"}, headers=OURS)
    assert (await browser.get("/v1/public-links")).json()["state"] == "off"
    page = await browser.get("/settings/data")
    refused = await send(browser, page, "/settings/data", {"confirmed": "acne"})
    assert (refused.status_code, "Nothing was deleted" in refused.text) == (422, True)
    done = await send(browser, page, "/settings/data", {"confirmed": TENANT})
    assert "Receipts" in done.text
    assert len((await browser.get("/v1/tenants/me/data/receipts")).json()["receipts"]) == 1


async def test_delivery_targets_and_their_log(api: WebApi, browser: httpx.AsyncClient) -> None:
    body = {"name": "Shop", "destination": {"kind": "folder", "folder": "shop"}}
    target = (await api.client.post("/v1/delivery-targets", json=body)).json()["id"]
    await finished_job(api)
    here = f"/settings/deliveries/{target}"
    page = await browser.get(here)
    assert "square-1x1" in page.text
    assert "It works" in (await send(browser, page, f"{here}/test")).text
    off = await send(browser, page, f"{here}/enabled")
    assert "It is off" in off.text
    assert "It is on again" in (await send(browser, off, f"{here}/enabled")).text
    retry = re.search(rf"{here}/deliveries/delivery_[0-9a-f]{{24}}/retry", page.text)
    assert retry is not None
    assert "on its way again" in (await send(browser, page, retry[0])).text
    assert target not in (await send(browser, page, f"{here}/delete")).text


async def test_operators_mend_queues(api: WebApi, browser: httpx.AsyncClient) -> None:
    await put_aside(api, b"1", b"2")
    await put_aside(api, b"3", reason="other")
    page = await browser.get("/health/queues/jobs")
    assert "3 messages" in page.text
    purge = page.text.split('name="reason" value="other"')
    assert len(purge) == 2
    token = token_of(page)
    fields = {"csrf": token, "reason": "other"}
    await browser.post("/health/queues/jobs/purge", data=fields, headers=OURS)
    assert (await api.parts.queues.depth("jobs")).dead == 2
    done = await send(browser, page, "/health/queues/jobs/redrive")
    assert "No dead letters" in done.text
    assert (await api.parts.queues.depth("jobs")).active == 2


async def test_nothing_of_another_tenant_on_any_page(api: WebApi, browser: httpx.AsyncClient) -> None:
    _, theirs = await key_of(api, OTHER, *TENANT_SCOPES)
    async with client_of(api.url, theirs) as other:
        hook = (await other.post("/v1/webhooks", json={"url": "http://127.0.0.1:1/theirs"})).json()["id"]
        body = {"destination": {"kind": "folder", "folder": "theirs"}}
        target = (await other.post("/v1/delivery-targets", json=body)).json()["id"]
    token = token_of(await browser.get("/settings"))
    for path in (f"/settings/webhooks/{hook}", f"/settings/deliveries/{target}"):
        assert (await browser.get(path)).status_code == 404
        for act in ("test", "enable", "rotate", "delete", "enabled"):
            data = {"csrf": token, "kind": "item.failed", "enabled": "true"}
            answer = await browser.post(f"{path}/{act}", data=data, headers=OURS)
            assert answer.status_code in {404, 405}, f"{path}/{act}"
    for path in PAGES:
        assert "theirs" not in (await browser.get(path)).text
