"""One Azure container on loopback: Put Blob, Put Block, Put Block List, Get Blob Properties, both keys.

Written after Microsoft's reference of the Blob service: a blob of blocks appears with its list, a request
without a right signature is answered 403.
"""

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

ACCOUNT = "acmeshop"
KEY = base64.b64encode(b"a key of an account that is nobody's").decode()
SAS = "sv=2023-11-03&sr=c&sp=rcw&sig=abc%2Fdef%3D"
_SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


@dataclass(frozen=True, slots=True)
class Blob:
    """A finished blob."""

    data: bytes
    content_type: str
    metadata: dict[str, str]

    @property
    def etag(self) -> str:
        """Of these bytes."""
        return f'"0x{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}"'


@dataclass(slots=True)
class Container:
    """What it holds, and what it was asked. ``may_read`` False: the key may only write."""

    port: int = 0
    blobs: dict[str, Blob] = field(default_factory=dict)
    blocks: dict[tuple[str, str], bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    may_read: bool = True

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}/pictures"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    container: Container

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        path, query = self._asked()
        if not self._signed():
            return self._answer(403)
        kept = self.container
        match query.get("comp"):
            case "block":
                kept.blocks[path, query["blockid"]] = body
                return self._answer(201)
            case "blocklist":
                ids = [str(latest.text) for latest in ET.fromstring(body)]
                body = b"".join(kept.blocks.pop((path, block)) for block in ids)
            case None:
                assert self.headers["x-ms-blob-type"] == "BlockBlob"
        metadata = {
            name.removeprefix("x-ms-meta-"): value
            for name, value in self.headers.items()
            if name.startswith("x-ms-meta-")
        }
        kept.blobs[path] = Blob(body, self.headers["x-ms-blob-content-type"], metadata)
        return self._answer(201, {"ETag": kept.blobs[path].etag})

    def do_HEAD(self) -> None:
        path, _ = self._asked()
        if not self._signed() or not self.container.may_read:
            return self._answer(403)
        blob = self.container.blobs.get(path)
        if blob is None:
            return self._answer(404)
        headers = {f"x-ms-meta-{name}": value for name, value in blob.metadata.items()}
        headers |= {"ETag": blob.etag, "Content-Type": blob.content_type, "x-ms-blob-type": "BlockBlob"}
        headers["Last-Modified"] = self.date_time_string()
        return self._answer(200, headers, length=len(blob.data))

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = unquote(parts.path).removeprefix("/pictures/")
        self.container.asked.append(f"{self.command} {query.get('comp', 'blob')} {path}")
        return path, query

    def _signed(self) -> bool:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        given = self.headers.get("Authorization")
        if given is None:
            return query.get("sig") == parse_qs(SAS)["sig"]
        values = [self.headers.get(name, "") for name in _SIGNED_HEADERS]
        values = ["" if (name, value) == ("content-length", "0") else value
                  for name, value in zip(_SIGNED_HEADERS, values, strict=True)]  # fmt: skip
        named = sorted(
            (name.lower(), value) for name, value in self.headers.items() if name.lower().startswith("x-ms-")
        )
        resource = [f"/{ACCOUNT}{parts.path}"]
        resource += [f"{name}:{','.join(values)}" for name, values in sorted(query.items())]
        lines = [self.command, *values, *(f"{name}:{value}" for name, value in named), *resource]
        digest = hmac.new(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256).digest()
        return given == f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"

    def _answer(self, status: int, headers: dict[str, str] | None = None, length: int = 0) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def azure_container() -> Iterator[Container]:
    """A container on a free port."""
    container = Container()
    handler = type("Handler", (_Handler,), {"container": container})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    container.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield container
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
