"""One real photo through the placement endpoint. Called by `endpoint.py` and `summary.py`."""

import base64
import binascii
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.deploy.azure_cli import AzureCli, DeploymentFailed
from infra.deploy.target import Target, outputs

PHOTO = "samples/photos/stoneware-mug.jpg"
# As long as Azure ML itself waits.
_LONGEST_S = 180.0
_PNG = b"\x89PNG\r\n\x1a\n"


def scoring_smoke(az: AzureCli, target: Target, mask: Callable[[str], None]) -> Callable[[str | None], float]:
    """A smoke test of the endpoint: uploads the photo once, then scores it as often as it is called."""
    url: str = az("ml", "online-endpoint", "show", *target.endpoint)["scoring_uri"]
    key: str = az("ml", "online-endpoint", "get-credentials", *target.endpoint)["primaryKey"]
    mask(key)
    photo = _photo_url(az, outputs(az, target)["learningStorageName"])
    mask(photo)
    return lambda deployment: score(url, key, photo, deployment)


def score(url: str, key: str, photo: str, deployment: str | None) -> float:
    """Ask for one picture, return the seconds. Raises DeploymentFailed for any answer without a PNG."""
    body = {"tenant_id": "smoke", "job_id": "smoke", "item_id": "smoke", "input_image_sas": photo}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    if deployment is not None:
        headers["azureml-model-deployment"] = deployment
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - the endpoint's
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=_LONGEST_S) as answer:  # noqa: S310
            content: Any = json.loads(answer.read())
        picture = base64.b64decode(content["image_bytes_b64"], validate=True)
    except urllib.error.HTTPError as error:
        error.close()
        raise DeploymentFailed(f"The endpoint answered {error.code}.") from error
    except (OSError, ValueError, KeyError, TypeError, binascii.Error) as error:
        raise DeploymentFailed(f"The endpoint gave no picture ({type(error).__name__}).") from error
    if not picture.startswith(_PNG):
        raise DeploymentFailed("The endpoint gave something that is no PNG.")
    return time.monotonic() - began


def _photo_url(az: AzureCli, account: str) -> str:
    """The sample photo in Azure ML's own storage, readable for two hours."""
    where = ("--account-name", account, "--auth-mode", "login")
    az("storage", "container", "create", "--name", "smoke", *where)
    blob = ("--container-name", "smoke", "--name", "photo.jpg", *where)
    az("storage", "blob", "upload", *blob, "--file", PHOTO, "--overwrite")
    until = (datetime.now(UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%MZ")
    reads = ("--as-user", "--permissions", "r", "--expiry", until, "--https-only", "--full-uri")
    url: str = az("storage", "blob", "generate-sas", *blob, *reads)
    return url
