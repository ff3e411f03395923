"""A blob store whose calls are timed, and one that takes its failures for successes."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from opal.blobs.interface import SIGNED_URL_LIFETIME, BlobInfo, Blobs, ListedBlob, Permission, SignedUrl
from opal.errors import BlobStoreUnavailable


@dataclass(slots=True)
class TimedBlobs:
    """Implements ``Blobs``; its owner closes ``inner``."""

    inner: Blobs
    longest_s: float = 0.0
    calls: int = 0
    failed: int = 0

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.monotonic()
        self.calls += 1
        try:
            yield
        except BlobStoreUnavailable:
            self.failed += 1
            raise
        finally:
            self.longest_s = max(self.longest_s, time.monotonic() - started)

    async def signed_url(
        self,
        container: str,
        path: str,
        permission: Permission,
        lifetime: timedelta = SIGNED_URL_LIFETIME,
        *,
        download_name: str | None = None,
    ) -> SignedUrl:
        """Timed."""
        with self._timed():
            return await self.inner.signed_url(
                container, path, permission, lifetime, download_name=download_name
            )

    async def info(self, container: str, path: str) -> BlobInfo:
        """Timed."""
        with self._timed():
            return await self.inner.info(container, path)

    async def read(
        self, container: str, path: str, *, start: int = 0, length: int | None = None, etag: str | None = None
    ) -> bytes:
        """Timed."""
        with self._timed():
            return await self.inner.read(container, path, start=start, length=length, etag=etag)

    def stream(self, container: str, path: str, chunk_size: int = 1 << 20) -> AsyncIterator[bytes]:
        """Not timed: a slow reader is no fault of the store."""
        return self.inner.stream(container, path, chunk_size)

    async def write(
        self, container: str, path: str, data: bytes, *, content_type: str, overwrite: bool = False
    ) -> BlobInfo:
        """Timed."""
        with self._timed():
            return await self.inner.write(
                container, path, data, content_type=content_type, overwrite=overwrite
            )

    async def delete(self, container: str, path: str) -> None:
        """Timed."""
        with self._timed():
            await self.inner.delete(container, path)

    def walk(self, container: str, prefix: str = "") -> AsyncIterator[ListedBlob]:
        """Not timed: it takes as long as there are blobs."""
        return self.inner.walk(container, prefix)

    async def check(self) -> None:
        """Timed."""
        with self._timed():
            await self.inner.check()

    async def close(self) -> None:
        """Nothing: the owner does it."""


class CarelessBlobs(TimedBlobs):
    """Takes a write that failed for one that was done."""

    async def write(
        self, container: str, path: str, data: bytes, *, content_type: str, overwrite: bool = False
    ) -> BlobInfo:
        """Never fails."""
        try:
            return await super().write(container, path, data, content_type=content_type, overwrite=overwrite)
        except BlobStoreUnavailable:
            return BlobInfo(len(data), "made-up", content_type, datetime.now(UTC))
