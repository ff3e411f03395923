"""One photo through a deployed Opal as a client sends it: job, signed URL, upload, pictures.

    python -m infra.deploy.journey --url https://… [--photos 3]

The tenant's key is in OPAL_JOURNEY_KEY. Needs nothing but Python.
"""

import argparse
import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from infra.deploy.azure_cli import DeploymentFailed
from infra.deploy.smoke import PHOTO

PRESETS = ("square-1x1", "amazon-main")
# The measure of success: mean time from upload to pictures, on the stub.
MEAN_S = 30.0
# Workers wake up from nothing: KEDA looks every 15 s, then the image is pulled.
_LONGEST_S = 600.0
_POLL_S = 1.0


class Journey:
    """A client of web-api at ``url`` with a tenant's ``key``."""

    def __init__(self, url: str, key: str, longest_s: float = _LONGEST_S) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._longest_s = longest_s

    def run(self, photo: bytes) -> float:
        """Seconds from the finished upload to downloaded pictures. Raises DeploymentFailed on any fault."""
        job = self._ask(
            "/v1/jobs",
            {"scene": "studio-warm", "presets": list(PRESETS), "items": [{"filename": "journey.jpg"}]},
        )
        ids = {"job_id": job["id"], "item_id": job["items"][0]["id"]}
        upload = self._ask("/v1/uploads/sas", ids)
        _fetch(urllib.request.Request(upload["url"], photo, {"x-ms-blob-type": "BlockBlob"}, method="PUT"))  # noqa: S310
        self._ask("/v1/uploads/complete", ids)
        began = time.monotonic()
        made = self._pictures(ids, began)
        for picture in made["variants"]:
            data = _fetch(urllib.request.Request(picture["url"]))  # noqa: S310
            if hashlib.sha256(data).hexdigest() != picture["sha256"]:
                raise DeploymentFailed(f"The picture for {picture['preset']} arrived damaged.")
        presets = {picture["preset"] for picture in made["variants"]}
        if presets != set(PRESETS):
            raise DeploymentFailed(f"Asked for {sorted(PRESETS)}, got {sorted(presets)}.")
        return time.monotonic() - began

    def _pictures(self, ids: dict[str, str], began: float) -> Any:
        while time.monotonic() - began < self._longest_s:
            made = self._ask(f"/v1/jobs/{ids['job_id']}/items/{ids['item_id']}/variants")
            if made["state"] == "exported":
                return made
            if made["state"] in ("failed", "cancelled"):
                raise DeploymentFailed(f"The photo of job {ids['job_id']} is {made['state']}.")
            time.sleep(_POLL_S)
        raise DeploymentFailed(f"Job {ids['job_id']} was not done within {self._longest_s:.0f} s.")

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"X-API-Key": self._key, "Content-Type": "application/json"}
        if body is not None:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        content = None if body is None else json.dumps(body).encode()
        return json.loads(_fetch(urllib.request.Request(self._url + path, content, headers)))  # noqa: S310


def _fetch(request: urllib.request.Request) -> bytes:
    """The answer's body. The message of a fault names no query, where signatures are."""
    where = request.full_url.partition("?")[0]
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        raise DeploymentFailed(f"{request.get_method()} {where}: {error.code}") from error
    except OSError as error:
        raise DeploymentFailed(f"{request.get_method()} {where}: {type(error).__name__}") from error
    return content


def main(arguments: list[str]) -> int:
    """Run the journey some times; the first wakes the workers up and does not count for the mean."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--photos", type=int, default=3)
    given = parser.parse_args(arguments)
    journey, photo = Journey(given.url, os.environ["OPAL_JOURNEY_KEY"]), Path(PHOTO).read_bytes()
    first, *rest = (journey.run(photo) for _ in range(given.photos + 1))
    mean = sum(rest) / len(rest)
    sys.stdout.write(f"First photo {first:.1f} s, then {mean:.1f} s on average of {len(rest)}.\n")
    if mean >= MEAN_S:
        raise DeploymentFailed(f"{mean:.1f} s on average is more than {MEAN_S:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
