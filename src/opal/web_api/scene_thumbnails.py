"""The scenes' thumbnails, which Opal ships: they depend on nothing but its code. Used by ``scenes.py``.

Drawn by ``placement/thumbnail.py``; tests/golden holds the files to it and renews them.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from opal.placement.scene import SCENES

FOLDER = "thumbnails"


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG and the tag that a client can ask again with."""

    data: bytes
    etag: str


@cache
def scene_thumbnail(name: str) -> Thumbnail:
    """The thumbnail of the ready-made scene ``name``. Raises ``KeyError`` for a name that is none."""
    if name not in SCENES:
        raise KeyError(name)
    data = (resources.files("opal.web_api") / FOLDER / f"{name}.jpg").read_bytes()
    return Thumbnail(data, f'"{hashlib.sha256(data).hexdigest()[:32]}"')
