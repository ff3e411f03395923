"""Real destinations of every kind on this machine, for the contracts and for the sender."""

import atexit
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from moto.server import ThreadedMotoServer
from tests.services.azure_container import ACCOUNT, KEY, SAS, azure_container
from tests.services.http_services import NO_CERTIFICATES

from opal.destinations.places import place_of

KINDS = ("folder", "azure", "azure-key", "s3")
TENANT = "acme"
BUCKET = "acme-pictures"
# The server looks at whose it is, not whether it is right.
_SCOPE = "AKIAEXAMPLE/20260101/us-east-1/s3/aws4_request"
_SIGNED = {"Authorization": f"AWS4-HMAC-SHA256 Credential={_SCOPE}, SignedHeaders=host, Signature=0"}

Place = Any


@dataclass(frozen=True, slots=True)
class Given:
    """A place with its secret; ``read`` is what lies there, with its type where the place knows types."""

    place: Place
    secret: dict[str, str]
    read: Callable[[str], tuple[bytes, str | None] | None]

    @property
    def new(self) -> dict[str, Any]:
        """As a client gives it to the API."""
        return {**self.place.model_dump(exclude_none=True), **self.secret}


@contextmanager
def given_place(kind: str, root: Path) -> Iterator[Given]:
    """A place of this kind; a folder lies below ``root``."""
    match kind:
        case "folder":
            root.mkdir(exist_ok=True)
            yield Given(place_of({"kind": "folder", "folder": "shop"}), {}, lambda path: _file(root, path))
        case "s3":
            url = s3_server()
            stored = {"kind": "s3", "bucket": BUCKET, "endpoint": url, "access_key_id": "AKIAEXAMPLE"}
            yield Given(place_of(stored), {"secret_access_key": "example"}, lambda path: s3_object(url, path))
        case _:
            with azure_container() as container:
                stored = {"kind": "azure", "container_url": container.url, "account": ACCOUNT}
                secret = {"sas": SAS} if kind == "azure" else {"account_key": KEY}

                def blob(path: str) -> tuple[bytes, str | None] | None:
                    found = container.blobs.get(path)
                    return None if found is None else (found.data, found.content_type)

                yield Given(place_of(stored), secret, blob)


@cache
def _moto() -> str:
    """S3 by moto, started once per test process; its URL."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    atexit.register(server.stop)
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


def s3_server() -> str:
    """The URL of an S3 with an empty bucket and nothing else."""
    url = _moto()
    _ask("POST", f"{url}/moto-api/reset")
    made = _ask("PUT", f"{url}/{BUCKET}")
    assert made.status_code == 200, made.text
    return url


def _file(root: Path, path: str) -> tuple[bytes, str | None] | None:
    file = root / TENANT / "shop" / path
    return (file.read_bytes(), None) if file.exists() else None


def s3_object(url: str, path: str) -> tuple[bytes, str | None] | None:
    """What lies at ``path`` of the bucket, with its type."""
    answer = _ask("GET", f"{url}/{BUCKET}/{path}")
    return (answer.content, answer.headers["content-type"]) if answer.status_code == 200 else None


def _ask(method: str, url: str) -> httpx.Response:
    return httpx.request(method, url, headers=_SIGNED, trust_env=False, verify=NO_CERTIFICATES)
