"""Every page of the console, found by its route: a new one is looked at by itself.

Used by the tests of the pages' quality, by `benchmarks/console.py` and by `docs/generate/screenshots.py`.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
from fastapi.routing import APIRoute

from opal.console.app import PAGES
from opal.console.page import Page

_QUERY: Final = {"/sign-in/link": "?token=used"}
"""What makes a page of a route that leads on otherwise."""
_NO_PAGE: Final = frozenset({"/jobs/{job_id}/cover"})
"""Routes among the pages that answer with something else."""
_WAIT_S: Final = 120


@dataclass(frozen=True)
class ConsolePage:
    """One page: its route, where it is, and whether it is for who is signed in."""

    route: str
    address: str
    signed_in: bool

    @property
    def name(self) -> str:
        """The route as a file's name: `jobs-job`, `start` for the first page."""
        plain = re.sub(r"(_id)?[{}]", "", self.route)
        return plain.strip("/").replace("/", "-") or "start"


def console_pages(ids: Mapping[str, str]) -> list[ConsolePage]:
    """All pages, ``ids`` in place of their parameters such as `job_id`; ``KeyError`` for one unknown."""
    found = []
    for module in PAGES:
        for route in module.router.routes:
            if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and route.path not in _NO_PAGE:
                address = route.path.format(**ids) + _QUERY.get(route.path, "")
                found.append(ConsolePage(route.path, address, isinstance(route, Page)))
    return found


def finished_job(
    client: httpx.Client, photos: Sequence[tuple[str, bytes]], **recipe: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """A job of these photos, sent through the API and waited for, and ids for ``console_pages``."""
    body = {"items": [{"filename": name} for name, _ in photos], **recipe}
    job = client.post("/v1/jobs", json=body).raise_for_status().json()
    for item, (_, data) in zip(job["items"], photos, strict=True):
        which = {"job_id": job["id"], "item_id": item["id"]}
        ticket = client.post("/v1/uploads/sas", json=which).raise_for_status().json()
        client.put(ticket["url"], content=data, headers=ticket["headers"]).raise_for_status()
        # A photo that cannot be used is answered with its error, and its item fails.
        client.post("/v1/uploads/complete", json=which)
    until = time.monotonic() + _WAIT_S
    address = f"/v1/jobs/{job['id']}"
    while any(state not in {"exported", "failed"} for state in client.get(address).json()["counts"]):
        assert time.monotonic() < until, client.get(address).json()["counts"]
        time.sleep(0.25)
    told = client.get(address).json()
    exported = [item for item in told["items"] if item["state"] == "exported"]
    return told, {"job_id": told["id"], "item_id": exported[0]["id"]}


def settings_ids(client: httpx.Client) -> dict[str, str]:
    """A webhook, a target and a key for ``console_pages``; made after the jobs: nothing is sent there."""
    # An address without a name: looking one up would need the network.
    far = "https://93.184.216.34"
    place = {"kind": "s3", "bucket": "pictures", "endpoint": far}
    place |= {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "nobodys"}
    hook = client.post("/v1/webhooks", json={"url": far}).raise_for_status().json()
    target = client.post("/v1/delivery-targets", json={"destination": place}).raise_for_status().json()
    key = client.get("/v1/keys").raise_for_status().json()["keys"][0]
    return {"webhook_id": hook["id"], "target_id": target["id"], "key_id": key["id"], "queue": "jobs"}


def api_client(url: str, key: str) -> httpx.Client:
    """A client of the API of the Opal at ``url``."""
    return httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60, trust_env=False)
