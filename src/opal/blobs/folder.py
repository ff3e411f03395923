"""Blobs in a folder of this machine, behind signed URLs that web-api serves.

Built by ``assembly.py`` when ``OPAL_BLOB_ADAPTER=folder``. File calls run in threads, in pieces.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, TypeVar

import structlog

from opal.blobs.folder_files import FolderFiles
from opal.blobs.interface import SIGNED_URL_LIFETIME, BlobInfo, ListedBlob, Permission, SignedUrl, url_expiry
from opal.blobs.names import attachment, check_name
from opal.blobs.signing import Grant, UrlSigner
from opal.errors import (
    BlobExists,
    BlobNotFound,
    BlobStoreUnavailable,
    PhotoTooLarge,
    SignatureInvalid,
    StorageFull,
)
from opal.telemetry.tracing import span

# Azure requires it of a PUT that creates a blob, so our own route does too: one client for both lives.
CREATE_HEADERS = {"x-ms-blob-type": "BlockBlob"}

_log = structlog.get_logger(__name__)
_PIECE = 1 << 20
# For what is on its way when a URL ends.
_GRACE = timedelta(seconds=1)
_ENDED = "The signed URL has expired before all of the photo was there."

T = TypeVar("T")


class FolderBlobs:
    """The containers ``raw``, ``outputs`` and ``exports`` under ``root``; implements ``Blobs``.

    ``base_url`` is where clients reach web-api, without a slash at its end.
    """

    def __init__(self, root: Path, signer: UrlSigner, base_url: str) -> None:
        self._files = FolderFiles(root)
        self._signer = signer
        self._base_url = base_url.rstrip("/")
        try:
            removed = self._files.sweep()
        except OSError as error:
            # check() reports a broken store; building the parts must not fail over it.
            _log.warning("blob leftovers not swept", action="blobs.sweep_failed", error=str(error))
        else:
            if removed:
                _log.info("blob leftovers removed", action="blobs.swept", files=removed)

    async def signed_url(
        self,
        container: str,
        path: str,
        permission: Permission,
        lifetime: timedelta = SIGNED_URL_LIFETIME,
        *,
        download_name: str | None = None,
    ) -> SignedUrl:
        """A URL under ``/blobs/`` that can create or read exactly this blob until it expires."""
        check_name(container, path)
        expires_at = url_expiry(datetime.now(UTC).replace(microsecond=0), lifetime)
        disposition = None if download_name is None else attachment(download_name)
        query = self._signer.sign(container, path, permission, expires_at, disposition)
        creates = permission is Permission.CREATE
        return SignedUrl(
            url=f"{self._base_url}/blobs/{container}/{path}?{query}",
            method="PUT" if creates else "GET",
            headers=dict(CREATE_HEADERS) if creates else {},
            expires_at=expires_at,
        )

    def verify(self, container: str, path: str, query: Mapping[str, str], permission: Permission) -> Grant:
        """What a signed URL's ``query`` grants now; raises ``SignatureInvalid``. For web-api's routes."""
        return self._signer.verify(container, path, query, permission, datetime.now(UTC))

    async def info(self, container: str, path: str) -> BlobInfo:
        """Size, ETag and type of a blob."""

        def look() -> BlobInfo:
            opened, info = self._files.open(container, path)
            opened.close()
            return info

        return await _off_loop(look)

    async def read(
        self, container: str, path: str, *, start: int = 0, length: int | None = None, etag: str | None = None
    ) -> bytes:
        """The blob's bytes or a part; ``BlobNotFound`` also when ``etag`` names another version."""

        def read() -> bytes:
            opened, info = self._files.open(container, path)
            with opened:
                if etag is not None and info.etag != etag:
                    raise BlobNotFound("The blob is no longer the version asked for.")
                opened.seek(start)
                return opened.read(-1 if length is None else length)

        with span("read blob", "client", {"opal.container": container}):
            return await _off_loop(read)

    async def stream(self, container: str, path: str, chunk_size: int = _PIECE) -> AsyncIterator[bytes]:
        """The blob's bytes in pieces, all of one version even if it is replaced meanwhile."""
        opened, _ = await _off_loop(
            lambda: self._files.open(container, path), undo=lambda result: result[0].close()
        )
        try:
            while piece := await _off_loop(lambda: opened.read(chunk_size)):
                yield piece
        finally:
            opened.close()

    async def write(
        self, container: str, path: str, data: bytes, *, content_type: str, overwrite: bool = False
    ) -> BlobInfo:
        """Store ``data`` whole or not at all; ``BlobExists`` unless ``overwrite``."""

        def write() -> BlobInfo:
            file = self._files.incoming()
            try:
                file.write(data)
                return self._files.publish(file, container, path, content_type, overwrite=overwrite)
            finally:
                self._files.discard(file)

        with span("write blob", "client", {"opal.container": container, "opal.bytes": len(data)}):
            return await _off_loop(write)

    async def put_stream(
        self,
        container: str,
        path: str,
        chunks: AsyncIterator[bytes],
        max_bytes: int,
        content_type: str,
        *,
        until: datetime,
    ) -> BlobInfo:
        """Store what ``chunks`` yields as a new blob, in little memory; for web-api's upload route.

        Raises ``PhotoTooLarge`` past ``max_bytes``, ``BlobExists``, and ``SignatureInvalid`` when the blob
        is not whole ``until`` then and some moments later; whatever ends it early, an error or a client that
        hangs up, leaves nothing behind.
        """
        last = until + _GRACE
        if await _off_loop(lambda: self._files.file(container, path).exists()):
            # Said before the body is read; publish() decides when two arrive at once.
            raise BlobExists
        file = await _off_loop(self._files.incoming, undo=self._files.discard)
        try:
            async with asyncio.timeout((last - datetime.now(UTC)).total_seconds()):
                await _copy(chunks, file, max_bytes)

            def publish() -> BlobInfo:
                if datetime.now(UTC) > last:
                    raise SignatureInvalid(_ENDED)
                return self._files.publish(file, container, path, content_type, overwrite=False)

            return await _off_loop(publish)
        except TimeoutError as error:
            raise SignatureInvalid(_ENDED) from error
        finally:
            self._files.discard(file)

    async def delete(self, container: str, path: str) -> None:
        """Remove the blob if it is there."""
        await _off_loop(lambda: self._files.delete(container, path))

    async def walk(self, container: str, prefix: str = "") -> AsyncIterator[ListedBlob]:
        """The container's blobs, folder by folder."""
        folders = [prefix.rstrip("/")]
        while folders:
            folder = folders.pop()
            below, blobs = await _off_loop(lambda folder=folder: self._files.entries(container, folder))  # type: ignore[misc]
            folders += reversed(below)
            for blob in blobs:
                yield blob

    async def check(self) -> None:
        """Return when the folder can be written, else raise ``BlobStoreUnavailable``."""
        await _off_loop(self._files.check)

    async def close(self) -> None:
        """Nothing is held open."""


async def _copy(chunks: AsyncIterator[bytes], file: BinaryIO, max_bytes: int) -> None:
    """Write ``chunks`` to ``file`` in large pieces: servers hand out 64 KiB, a thread call each is dear."""
    total = 0
    gathered = bytearray()
    async for chunk in chunks:
        total += len(chunk)
        if total > max_bytes:
            raise PhotoTooLarge(f"The photo has more than {max_bytes} bytes.")
        gathered += chunk
        if len(gathered) >= _PIECE:
            piece = bytes(gathered)
            gathered.clear()
            await _off_loop(lambda piece=piece: file.write(piece))  # type: ignore[misc]
    await _off_loop(lambda: file.write(gathered))


async def _off_loop(work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
    """Run ``work`` in a thread, its ``OSError`` translated.

    When cancelled, wait for its end first, since the caller is about to close the file it works on,
    and ``undo`` a result that nobody will get.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except OSError as error:
        if StorageFull.caused(error):
            raise StorageFull("The disk of the blob folder has no space left.") from error
        raise BlobStoreUnavailable(f"The blob folder failed: {error.strerror or error}") from error
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if undo is not None and running.exception() is None:
            undo(running.result())
        raise
