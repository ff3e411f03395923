"""A browser without scripts: follows links and sends forms as they stand on the page."""

import re
from collections.abc import Mapping
from html import unescape

import httpx
from tests.services.http_services import WebApi

from opal.database import keys
from opal.database.keys import Scope

OURS = {"Sec-Fetch-Site": "same-origin"}


async def sign_in(client: httpx.AsyncClient, key: str, **fields: str) -> httpx.Response:
    """The answer to the sign-in page's form."""
    return await client.post("/sign-in", data={"key": key, **fields}, headers=OURS)


async def key_of(api: WebApi, tenant: str, *scopes: Scope, sandbox: bool = False) -> tuple[str, str]:
    """Id and whole of a new key."""
    async with api.parts.database.transaction() as connection:
        made, whole = await keys.create_key(connection, tenant, "test", sandbox=sandbox, scopes=scopes)
    return made.id, whole


def token_of(page: httpx.Response) -> str:
    """What proves that a request is from this page."""
    return page.text.partition('name="csrf-token" content="')[2].partition('"')[0]


async def send(
    client: httpx.AsyncClient,
    page: httpx.Response,
    action: str,
    fields: Mapping[str, str | list[str]] | None = None,
) -> httpx.Response:
    """Send the page's form of that action, its hidden fields as they are; follows the redirect."""
    forms = re.findall(
        rf'<form[^>]*method="post" action="{re.escape(action)}"[^>]*>(.*?)</form>', page.text, re.S
    )
    assert forms, f"no form for {action} on {page.url.path}"
    tags = re.findall(r'<input type="hidden"[^>]*>', forms[0])
    hidden = {
        unescape(name[1]): unescape(value[1])
        for tag in tags
        if (name := re.search(r'name="([^"]*)"', tag)) and (value := re.search(r'value="([^"]*)"', tag))
    }
    answer = await client.post(action, data={**hidden, **(fields or {})}, headers=OURS)
    return await client.get(answer.headers["Location"]) if answer.status_code == 303 else answer
