"""What a tenant has, and whose each of OpenAPI's parameters is: for the test that keeps tenants apart.

A parameter that this file does not know fails that test, so that a new route says what its parameters name.
"""

import asyncio
import re
from dataclasses import replace
from typing import Any, Final

from tests.services.finished_job import finished_job
from tests.services.http_services import WebApi

HOUSE_PRESET: Final = """
channel = "our shop"
[[presets]]
name = "{name}"
title = "Our shop"
description = "On our grey."
width = 900
height = 900
format = "jpeg"
ground = "white"
fill = 0.8
"""

ELSEWHERE: Final = {
    # Not the tenant's preset, but a scene of everyone's or a picture's file name.
    ("/v1/scenes/{name}/thumbnail", "name"): "scene",
    ("/p/{token}/{name}", "name"): "file",
    # A preset's picture of an item that is asked for by its id; any preset may have none.
    ("/v1/jobs/{job_id}/items/{item_id}/preview", "preset"): "nothing",
    ("/v1/jobs", "cursor"): "job_id",
    ("/v1/backdrops", "cursor"): "backdrop_cursor",
    ("/v1/webhooks/{webhook_id}/deliveries", "cursor"): "delivery_cursor",
    ("/v1/jobs/{job_id}/deliveries", "cursor"): "picture_cursor",
    ("/v1/delivery-targets/{target_id}/deliveries", "cursor"): "picture_cursor",
    ("/v1/delivery-targets/{target_id}/deliveries/{delivery_id}/retry", "delivery_id"): "picture_delivery_id",
    ("/v1/credits", "cursor"): "nothing",
    ("/v1/public-links", "jobs"): "nothing",
    ("/v1/presets/{name}", "name"): "preset",
    ("/v1/backdrops", "name"): "nothing",
    ("/v1/jobs", "name"): "nothing",
    ("/v1/delivery-targets", "name"): "nothing",
    ("/v1/delivery-targets/{target_id}", "name"): "nothing",
    ("/v1/scenes/previews", "scenes"): "scenes_to_preview",
    ("/v1/brand-profiles", "name"): "nothing",
    ("/v1/brand-profiles/{profile_id}", "name"): "nothing",
    ("/v1/jobs", "brand_profile"): "profile_id",
    **{
        (f"/v1/jobs/{{job_id}}/{taken}", name): "nothing"
        for taken in ("archive.zip", "results.csv", "public-links.txt")
        # Ids and names of this job alone: tests/services/test_web_api_take.py asks for another's.
        for name in ("items", "preset")
    },
    ("/v1/keys", "name"): "nothing",
}
"""Parameters whose name alone does not say what they take: what it is in ``everything_of``."""

OWNED: Final = frozenset(
    {
        *("job_id", "item_id", "backdrop_id", "webhook_id", "delivery_id", "target_id", "upload_id"),
        *("preset", "presets", "scene_of_job", "picture_delivery_id", "token", "path", "tenant_id"),
        *("backdrop_cursor", "delivery_cursor", "picture_cursor", "idempotency-key"),
        *("receipt_id", "matte", "x-confirm-delete", "scenes_to_preview", "profile_id"),
        "key_id",
    }
)
"""What belongs to a tenant: another's must be answered as what nobody has."""

SHARED: Final[dict[str, Any]] = {
    "scene": "white",
    "container": "raw",
    "x-ms-blob-type": "BlockBlob",
    "destination": {"kind": "folder", "folder": "shop"},
    "url": "http://127.0.0.1:1/hook",
    "items": [{"filename": "mug.jpg"}],
    "queue": "jobs",
}
"""What is anybody's, where a request needs it."""

PLAIN: Final = frozenset(
    {
        *("nothing", "limit", "page", "state", "review", "type", "events", "enabled", "template", "reports"),
        *("formats", "placement", "prompt", "seed", "public_links", "content_type", "toml", "jobs", "rscd"),
        *("verdict", "based_on", "engine", "photo", "v", "side", "version"),
        *("width", "height", "last-event-id", "after", "if-none-match", "range", "if-range", "om", "bgc"),
        *("scopes", "days", "reason", "x-confirm-revoke"),
    }
)
"""What names nothing: left out, or as the example has it."""


async def everything_of(api: WebApi, tenant: str) -> dict[str, Any]:
    """What ``api.client``'s tenant has, by the names of ``OWNED``, ``SHARED`` and a signature of its own."""
    receipt_id = await _erased(api, tenant)
    preset = f"house-of-{tenant}"
    answer = await api.client.put(f"/v1/presets/{preset}", json={"toml": HOUSE_PRESET.format(name=preset)})
    assert answer.status_code == 201, answer.text
    assert (await api.client.put("/v1/public-links", json={"jobs": "all"})).status_code == 200
    ids = await finished_job(api)
    job = f"/v1/jobs/{ids['job_id']}"
    [picture] = (await api.client.get(f"{job}/items/{ids['item_id']}/variants")).json()["variants"]
    delivery = (await api.client.get(f"{job}/deliveries")).json()["deliveries"][0]
    _, token, file = picture["public_url"].rsplit("/", 2)
    waiting = await api.job()
    ticket = await api.ticket(waiting)
    path, _, query = ticket["url"].partition("/blobs/raw/")[2].partition("?")
    upload = await api.client.post("/v1/uploads/complete", json={k: ids[k] for k in ("job_id", "item_id")})
    key = f"order-of-{tenant}"
    made = await api.client.post(
        "/v1/jobs", json={"items": SHARED["items"]}, headers={"Idempotency-Key": key}
    )
    assert made.status_code == 201, made.text
    created = await api.client.post("/v1/keys", json={"name": "spare", "scopes": ["read"]})
    assert created.status_code == 201, created.text
    signature = dict(each.split("=", 1) for each in query.split("&"))
    size = {"width": 400, "height": 300}
    matte = await api.client.post(f"{job}/items/{ids['item_id']}/mattes", json=size)
    assert matte.status_code == 201, matte.text
    return {
        **SHARED,
        **ids,
        **signature,
        "matte": matte.json()["id"],
        "preset": preset,
        "toml": HOUSE_PRESET.format(name=preset),
        "presets": [preset],
        "scene_of_job": {"kind": "backdrop", "picture": ids["backdrop_id"]},
        "scenes_to_preview": [{"kind": "backdrop", "picture": ids["backdrop_id"]}],
        "picture_delivery_id": delivery["id"],
        "backdrop_cursor": f"1700000000000000-{ids['backdrop_id']}",
        "delivery_cursor": f"1700000000000000-{ids['delivery_id']}",
        "picture_cursor": f"1700000000000000-{delivery['id']}",
        "upload_id": upload.json()["upload_id"],
        "token": token,
        "file": file,
        "path": path,
        "tenant_id": tenant,
        "x-confirm-delete": tenant,
        "receipt_id": receipt_id,
        "key_id": created.json()["id"],
        "idempotency-key": key,
    }


async def _erased(api: WebApi, tenant: str) -> str:
    """The receipt of an erasure that is done, before there is anything that it could delete."""
    answer = await api.client.delete("/v1/tenants/me/data", headers={"X-Confirm-Delete": tenant})
    assert answer.status_code == 202, answer.text
    for _ in range(600):
        if (await api.client.get(answer.headers["Location"])).json()["state"] == "done":
            return str(answer.json()["id"])
        await asyncio.sleep(0.1)
    raise AssertionError("nothing to delete, and not done within a minute")


def foreign(mine: dict[str, Any], theirs: dict[str, Any], name: str) -> Any:
    """The other tenant's value; of a public link, their picture under a seal of one's own."""
    if name == "token":
        return theirs["token"][:24] + mine["token"][24:]
    return theirs[name]


def unknown(value: Any) -> Any:
    """A value of the same form that nobody has."""
    match value:
        case str():
            nobody = re.sub(r"[0-9a-f]{24}|^[0-9a-f]{12}$", lambda each: "0" * len(each[0]), value, count=1)
            return nobody if nobody != value else re.sub("acme|globex", "nobody", value)
        case list():
            return [unknown(each) for each in value]
        case dict():
            return {key: unknown(each) for key, each in value.items()}
        case _:
            raise TypeError(type(value))


def other_side(api: WebApi) -> WebApi:
    """The same service, seen from the other tenant."""
    return replace(api, client=api.other, other=api.client)
