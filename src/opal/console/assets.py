"""Styles, modules and pictures of the pages, under an address that holds their hash: cached for good.

All of them lie below one hash, so that modules name each other relatively and none is of another version.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, Self

from fastapi import APIRouter, Response

from opal.errors import NotFound

_FOREVER: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Assets:
    """Every file of the folder ``static`` by its name, read once."""

    files: dict[str, bytes]
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
        return cls(files, whole.hexdigest()[:16])

    def address(self, name: str) -> str:
        """Where ``name`` is served. Raises ``KeyError`` for a file that is not there."""
        assert self.files[name] is not None
        return f"/assets/{self.version}/{name}"

    def router(self) -> APIRouter:
        """Serves the files; any other version than this one is a 404, and never cached."""
        router = APIRouter()

        @router.get("/assets/{version}/{name}", include_in_schema=False)
        async def read_asset(version: str, name: str) -> Response:
            if version != self.version or name not in self.files:
                raise NotFound("There is no such file.")
            return Response(self.files[name], media_type=_media_type(name), headers=_FOREVER)

        return router


def _read(folder: Traversable) -> dict[str, bytes]:
    kinds = tuple(_TYPES)
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(kinds)}


def _media_type(name: str) -> str:
    kind = _TYPES[name[name.rindex(".") :]]
    return f"{kind}; charset=utf-8"
