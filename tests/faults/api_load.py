"""A client of the public HTTP API, for the fault tests and the benchmark; and photos for it to send."""

import ssl
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pyvips


def photo(number: int, width: int = 240, height: int = 320) -> bytes:
    """A small JPEG, different for each number: a bright blob on a grey ground."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.hypot((columns - width / 2) / width, (rows - height / 2) / height)
    shade = np.where(radius < 0.375, 230, 90)[..., None] * rng.uniform(0.6, 1.0, 3)
    pixels = np.clip(shade + rng.normal(0, 3, (height, width, 3)), 0, 255).astype(np.uint8)
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")
    data: bytes = image.jpegsave_buffer(Q=90)
    return data


class ApiLoad:
    """One client of web-api; answers that are no success raise with the problem's text."""

    def __init__(self, base_url: str, key: str, trust: ssl.SSLContext | None = None) -> None:
        """``trust``: whose certificates to take; those of the HTTP client where None."""
        self._http = httpx.AsyncClient(
            base_url=base_url, headers={"X-API-Key": key}, timeout=60.0, trust_env=False, verify=trust or True
        )

    async def create_job(self, photos: int, presets: Sequence[str], scene: str) -> dict[str, Any]:
        """A job of ``photos`` items."""
        items = [{"filename": f"photo-{number:04}.jpg"} for number in range(photos)]
        body = {"name": "load", "scene": scene, "presets": list(presets), "items": items}
        return self._json(await self._http.post("/v1/jobs", json=body))

    async def upload(self, job_id: str, item_id: str, data: bytes) -> None:
        """Ask for a URL, send the photo there, say that it is there."""
        ids = {"job_id": job_id, "item_id": item_id}
        ticket = self._json(await self._http.post("/v1/uploads/sas", json=ids))
        sent = await self._http.request(
            ticket["method"], ticket["url"], content=data, headers=ticket["headers"]
        )
        assert sent.is_success, sent.text
        done = {**ids, "upload_id": ticket["upload_id"]}
        self._json(await self._http.post("/v1/uploads/complete", json=done))

    async def job(self, job_id: str) -> dict[str, Any]:
        """The job as a client sees it."""
        return self._json(await self._http.get(f"/v1/jobs/{job_id}"))

    async def variants(self, job_id: str, item_id: str) -> list[tuple[dict[str, Any], bytes]]:
        """What is told of each of the item's pictures, and the picture from its signed URL."""
        told = self._json(await self._http.get(f"/v1/jobs/{job_id}/items/{item_id}/variants"))
        fetched = [await self._http.get(variant["url"]) for variant in told["variants"]]
        assert all(answer.is_success for answer in fetched)
        return [(variant, answer.content) for variant, answer in zip(told["variants"], fetched, strict=True)]

    async def credits(self, billing_url: str) -> dict[str, Any]:
        """The tenant's account, as billing-service tells it."""
        return self._json(await self._http.get(f"{billing_url}/v1/credits"))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @staticmethod
    def _json(answer: httpx.Response) -> dict[str, Any]:
        assert answer.is_success, answer.text
        return dict(answer.json())
