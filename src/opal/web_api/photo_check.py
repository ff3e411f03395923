"""Looks at an uploaded photo's bytes before its item moves on: size, real type, header, limits."""

import asyncio
from dataclasses import dataclass
from typing import Any

from opal.blobs.interface import Blobs
from opal.decoder.pictures import probe
from opal.errors import BlobNotFound, PhotoCorrupt, PhotoEmpty, PhotoTooLarge, PhotoTruncated, UploadMissing
from opal.images.limits import Header, Limits
from opal.images.sniff import ImageFormat, sniff
from opal.settings import PhotoSettings

_HEAD_BYTES = 256 * 1024
# Their headers stand first. The others count their frames or keep their directory further behind.
_HEADER_FIRST = frozenset({ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.AVIF, ImageFormat.HEIC})


@dataclass(frozen=True, slots=True)
class PhotoCheck:
    """Checks photos of one blob store, a few at a time: a photo may have to be read whole."""

    blobs: Blobs
    settings: PhotoSettings
    slots: asyncio.Semaphore

    async def inspect(self, path: str) -> dict[str, Any]:
        """What the photo is, as kept with its item; width and height are those of the upright photo.

        Raises ``UploadMissing``, or the ``InvalidPhoto`` that names what is wrong.
        """
        try:
            info = await self.blobs.info("raw", path)
        except BlobNotFound as error:
            raise UploadMissing from error
        if info.size == 0:
            raise PhotoEmpty
        most = self.settings.max_bytes
        if info.size > most:
            raise PhotoTooLarge(f"The photo has {info.size:,} bytes; at most {most:,} are allowed.")
        async with self.slots:
            header = await self._header(path, info.size, info.etag)
        width, height = header.upright_size
        return {
            "format": header.format.value,
            "bytes": info.size,
            "width": width,
            "height": height,
            "content_type": header.format.media_type,
            "etag": info.etag,
        }

    async def _header(self, path: str, size: int, etag: str) -> Header:
        limits = Limits.of(self.settings)
        head = await self.blobs.read("raw", path, length=min(_HEAD_BYTES, size), etag=etag)
        if len(head) < size and sniff(head) in _HEADER_FIRST:
            try:
                return await asyncio.to_thread(probe, head, limits)
            except (PhotoCorrupt, PhotoTruncated):
                pass  # A large profile or preview can push the header out of the piece that was read.
        whole = head if len(head) == size else await self.blobs.read("raw", path, etag=etag)
        return await asyncio.to_thread(probe, whole, limits)
