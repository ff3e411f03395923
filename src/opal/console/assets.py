"""Styles, modules and pictures of the pages, under an address that holds their hash: cached for good.

All of them lie below one hash, so that modules name each other relatively and none is of another version.
They are sent compressed. Pages are not: a page holds its session's token beside words of whoever asks, and
the length of such a thing, compressed, tells the token by and by (BREACH).
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, Self

from fastapi import APIRouter, Request, Response

from opal.errors import NotFound

_FOREVER: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept-Encoding",
}
_PACKED: Final = {**_FOREVER, "Content-Encoding": "gzip"}
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Assets:
    """Every file of the folder ``static`` by its name, read once."""

    files: dict[str, bytes]
    packed: dict[str, bytes]
    """The same, gzipped."""
    version: str
    """The first digits of a hash over all of them."""

    @classmethod
    @lru_cache(maxsize=1)
    def of_package(cls) -> Self:
        """Those that Opal ships."""
        files = _read(resources.files("opal.console") / "static")
        whole = hashlib.sha256()
        for name, data in sorted(files.items()):
            whole.update(f"{name} {len(data)}\n".encode() + data)
        packed = {name: gzip.compress(data, mtime=0) for name, data in files.items()}
        return cls(files, packed, whole.hexdigest()[:16])

    def address(self, name: str) -> str:
        """Where ``name`` is served. Raises ``KeyError`` for a file that is not there."""
        assert self.files[name] is not None
        return f"/assets/{self.version}/{name}"

    def router(self) -> APIRouter:
        """Serves the files; any other version than this one is a 404, and never cached."""
        router = APIRouter()

        @router.get("/assets/{version}/{name}", include_in_schema=False)
        async def read_asset(request: Request, version: str, name: str) -> Response:
            if version != self.version or name not in self.files:
                raise NotFound("There is no such file.")
            if _takes_gzip(request.headers.get("Accept-Encoding", "")):
                return Response(self.packed[name], media_type=_media_type(name), headers=_PACKED)
            return Response(self.files[name], media_type=_media_type(name), headers=_FOREVER)

        return router


def _takes_gzip(accepted: str) -> bool:
    """Whether an ``Accept-Encoding`` names gzip, and not to refuse it (RFC 9110, 12.5.3)."""
    for each in accepted.split(","):
        name, _, weight = each.replace(" ", "").lower().partition(";q=")
        if name == "gzip":
            return not re.fullmatch(r"0(\.0*)?", weight)
    return False


def _read(folder: Traversable) -> dict[str, bytes]:
    kinds = tuple(_TYPES)
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(kinds)}


def _media_type(name: str) -> str:
    kind = _TYPES[name[name.rindex(".") :]]
    return f"{kind}; charset=utf-8"
