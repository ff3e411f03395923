"""What a destination is to Opal: a place that takes whole files, and says whether it has one already.

``folder.py`` writes to a folder of this machine, ``object_store.py`` to Azure containers and S3 buckets. All
pass ``tests/contracts/test_destinations.py``.
"""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from opal.errors import StoredPictureUnusable


@dataclass(frozen=True, slots=True)
class Content:
    """A file to deliver. ``pieces`` opens it anew at each call; they add up to ``size`` and ``sha256``."""

    size: int
    sha256: str
    content_type: str
    pieces: Callable[[], AsyncIterator[bytes]]

    async def checked(self) -> AsyncIterator[bytes]:
        """The pieces. Raises ``StoredPictureUnusable`` before the last one is given if they are not the file.

        Held back by one, so that nobody takes a damaged file for a whole one and finishes it.
        """
        digest, size = hashlib.sha256(), 0
        last = b""
        async for piece in self.pieces():
            if last:
                yield last
            digest.update(piece)
            size += len(piece)
            last = piece
        if size != self.size or digest.hexdigest() != self.sha256:
            raise StoredPictureUnusable("The stored picture is not the one that was recorded.")
        yield last


def content_of(data: bytes, content_type: str) -> Content:
    """A file that is in memory already."""

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    return Content(len(data), hashlib.sha256(data).hexdigest(), content_type, pieces)


class Destination(Protocol):
    """One place. Paths are relative, ``/``-separated and made by ``items/delivery_path.py``.

    Raises ``DestinationFailed``, with a sentence for people that gives no secret away, when the place is at
    fault; whatever ``Content`` raises passes through, and leaves nothing behind.
    """

    async def holds(self, path: str, content: Content) -> str | None:
        """The file's ETag if this very content lies at ``path``; None if not, or where we may not look."""
        ...

    async def put(self, path: str, content: Content) -> str:
        """Store the file whole or not at all, in place of what was there; returns its ETag."""
        ...

    async def close(self) -> None:
        """Release what is held open."""
        ...
