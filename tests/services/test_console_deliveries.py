"""The form of a new delivery target: every kind, faults at their fields, secrets that are never shown."""

import re
from typing import Any

import httpx
import pytest
from tests.services.console_browser import key_of, send, sign_in
from tests.services.delivery_places import given_place
from tests.services.http_services import TENANT, WebApi, client_of, running_web_api
from tests.services.test_console_settings import api, browser

from opal.database.keys import Scope

__all__ = ["api", "browser"]

PATH = "/settings/deliveries"
SECRETS = {
    "sas": "sv=2024&sp=cw&sig=c2VjcmV0",
    "account_key": "not base64!",
    "secret_access_key": "very secret",
    "session_token": "a very secret token",
}


@pytest.mark.parametrize("kind", ["folder", "azure", "azure-key", "s3"])
async def test_a_target_of_every_kind_is_made_tested_and_deleted(
    api: WebApi, browser: httpx.AsyncClient, kind: str
) -> None:
    root = api.parts.settings.delivery.folder_root
    assert root is not None
    page = await browser.get(PATH)
    with given_place(kind, root) as given:
        sent = {**given.new, "name": "Our <shop>", "template": "{sku}/{preset}.{ext}", "reports": "true"}
        made = await send(browser, page, PATH, sent)
        assert made.status_code == 200, made.text
        assert "Test it." in made.text
        assert "Our &lt;shop&gt;" in made.text
        for secret in given.secret.values():
            assert secret not in made.text
        [target] = (await browser.get("/v1/delivery-targets")).json()["targets"]
        assert (target["template"], target["reports"]) == ("{sku}/{preset}.{ext}", True)
        here = f"{PATH}/{target['id']}"
        assert "It works" in (await send(browser, made, f"{here}/test")).text
        assert given.read("opal-test.txt") is not None
    assert "Pictures stay here" in (await send(browser, made, f"{here}/delete")).text


FAULTS: list[tuple[dict[str, str], str, str]] = [
    ({"kind": "s3", "access_key_id": "AKIA", "secret_access_key": "x"}, "bucket", "needed"),
    ({"kind": "s3", "bucket": "acme", "access_key_id": "AKIA"}, "secret_access_key", "needed"),
    ({"kind": "s3", "bucket": "NO", "access_key_id": "A", "secret_access_key": "x"}, "bucket", "small"),
    (
        {"kind": "s3", "bucket": "acme", "access_key_id": "A", "secret_access_key": "x", "endpoint": "ftp"},
        "endpoint",
        "http",
    ),
    ({"kind": "azure", "sas": "sig=x"}, "container_url", "needed"),
    ({"kind": "azure", "container_url": "https://acme.example/pictures"}, "sas", "Give either"),
    ({"kind": "azure", "container_url": "https://acme.example/pictures", "sas": "sv=1"}, "sas", "`sig`"),
    ({"kind": "azure", "container_url": "https://acme.example/", "sas": "sig=1"}, "container_url", "end"),
    ({"kind": "folder", "folder": "../x"}, "folder", "names"),
    ({"kind": "folder", "folder": "shop", "template": "{nothing}"}, "template", "nothing"),
    ({"kind": "folder", "folder": "shop", "name": "x" * 201}, "name", "200"),
]


@pytest.mark.parametrize(("sent", "field", "words"), FAULTS)
async def test_what_is_wrong_is_told_at_its_field(
    browser: httpx.AsyncClient, sent: dict[str, str], field: str, words: str
) -> None:
    page = await browser.get(PATH)
    refused = await send(browser, page, PATH, sent)
    assert refused.status_code == 422
    told = dict(re.findall(r'id="fault-(\w+)"[^>]*>([^<]+)<', refused.text))
    assert told.keys() == {field}, told
    assert words in told[field]
    marked: Any = re.search(rf'<input id="{field}"[^>]*>', refused.text)
    assert 'aria-invalid="true"' in marked[0]
    assert f"fault-{field}" in marked[0]
    for name, value in sent.items():
        if name not in {"kind", *SECRETS}:
            assert f'value="{value}"' in refused.text
    assert (await browser.get("/v1/delivery-targets")).json()["targets"] == []


@pytest.mark.parametrize("kind", ["azure", "s3"])
async def test_secrets_are_not_put_back_into_the_form(browser: httpx.AsyncClient, kind: str) -> None:
    page = await browser.get(PATH)
    refused = await send(browser, page, PATH, {"kind": kind, **SECRETS})
    assert refused.status_code == 422
    for secret in SECRETS.values():
        assert secret not in refused.text
        assert secret.replace("&", "&amp;") not in refused.text


async def test_a_kind_that_there_is_not_here_is_not_offered(tmp_path: Any) -> None:
    async with running_web_api(tmp_path) as running:
        _, whole = await key_of(running, TENANT, *Scope)
        async with client_of(running.url) as client:
            await sign_in(client, whole)
            page = await client.get(PATH)
            assert 'value="azure"' in page.text
            assert 'value="folder"' not in page.text
            sent = {"kind": "folder", "folder": "shop"}
            assert "does not deliver to folders" in (await send(client, page, PATH, sent)).text
            # An address of one's own network is refused where it was entered.
            sent = {"kind": "azure", "container_url": "https://127.0.0.1/pictures", "sas": "sig=x"}
            assert 'id="fault-container_url"' in (await send(client, page, PATH, sent)).text


async def test_who_may_only_look_has_no_form(api: WebApi) -> None:
    _, whole = await key_of(api, TENANT, Scope.READ)
    async with client_of(api.url) as client:
        await sign_in(client, whole)
        page = await client.get(PATH)
        assert 'name="kind"' not in page.text
        assert "lacks the scope" in page.text
