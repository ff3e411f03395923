"""What blob storage is to Opal: three private containers and URLs that can do one thing to one blob.

``folder.py`` gives it on a folder, with URLs that web-api serves; Azure Blob Storage gives it in Azure.
Both pass ``tests/contracts/test_blobs.py``.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

CONTAINERS = ("raw", "outputs", "exports")

SIGNED_URL_LIFETIME = timedelta(minutes=15)
"""The longest there is."""


class Permission(StrEnum):
    """What a signed URL may do; create never overwrites."""

    CREATE = "c"
    READ = "r"


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What is known of a blob without reading it."""

    size: int
    etag: str
    content_type: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class ListedBlob:
    """A blob as a listing has it."""

    path: str
    size: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """A short-lived URL, the headers a client must send with it, and when it ends."""

    url: str
    method: str
    headers: dict[str, str]
    expires_at: datetime


def url_expiry(now: datetime, lifetime: timedelta) -> datetime:
    """When a URL that is signed ``now`` ends. Raises ``ValueError`` for one that would live too long."""
    if lifetime > SIGNED_URL_LIFETIME:
        raise ValueError(f"a signed URL lives {SIGNED_URL_LIFETIME} at most, not {lifetime}")
    return now + lifetime


class Blobs(Protocol):
    """Blob storage. Raises ``BlobNotFound``, ``BlobExists``, ``BlobStoreUnavailable``, ``StorageFull``
    and, for a container or path that is not plain, ``InvalidBlobPath``.

    Paths are relative, ``/``-separated and made by ``blob_path`` and ``backdrop_path`` in ``items/item.py``.
    """

    async def signed_url(
        self,
        container: str,
        path: str,
        permission: Permission,
        lifetime: timedelta = SIGNED_URL_LIFETIME,
        *,
        download_name: str | None = None,
    ) -> SignedUrl:
        """A URL that can create or read exactly this blob until it expires.

        Awaited, as Azure's are signed with a key that is asked for every few hours.
        """
        ...

    async def info(self, container: str, path: str) -> BlobInfo:
        """Size, ETag and type of a blob."""
        ...

    async def read(
        self, container: str, path: str, *, start: int = 0, length: int | None = None, etag: str | None = None
    ) -> bytes:
        """The blob's bytes, or ``length`` of them from ``start``.

        With ``etag`` only that version: ``BlobNotFound`` when the blob is another one now.
        """
        ...

    def stream(self, container: str, path: str, chunk_size: int = 1 << 20) -> AsyncIterator[bytes]:
        """The blob's bytes in pieces of at most ``chunk_size``."""
        ...

    async def write(
        self, container: str, path: str, data: bytes, *, content_type: str, overwrite: bool = False
    ) -> BlobInfo:
        """Store ``data`` whole or not at all; ``BlobExists`` unless ``overwrite``."""
        ...

    async def delete(self, container: str, path: str) -> None:
        """Remove the blob; removing what is not there is no error."""
        ...

    def walk(self, container: str, prefix: str = "") -> AsyncIterator[ListedBlob]:
        """The container's blobs, or those in the folder ``prefix`` (with a slash at its end), by and by.

        What is written or removed meanwhile may be in it or not. It needs little memory, however many.
        """
        ...

    async def check(self) -> None:
        """Return when the store can be reached and written, else raise ``BlobStoreUnavailable``."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
