"""Looks at an uploaded backdrop before products may stand in it: its bytes, and every pixel."""

import asyncio
from dataclasses import dataclass, field

from opal.blobs.interface import Blobs
from opal.database.backdrops import PictureFacts
from opal.errors import BackdropUnusable, BlobNotFound, UploadMissing
from opal.images.limits import Limits
from opal.placement.backdrop import decode_backdrop
from opal.settings import PhotoSettings


@dataclass(frozen=True, slots=True)
class BackdropCheck:
    """Checks backdrops of one blob store, one at a time.

    Unlike a photo a backdrop is decoded whole: a photo that turns out damaged fails one item, a backdrop
    would fail every item of its jobs. One at a time bounds the memory (0.3 GB at 50 megapixels).
    """

    blobs: Blobs
    settings: PhotoSettings
    slot: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    async def inspect(self, path: str) -> PictureFacts:
        """What the picture is; raises ``UploadMissing``, ``BackdropUnusable`` and ``BackdropTooSmall``."""
        try:
            info = await self.blobs.info("raw", path)
        except BlobNotFound as error:
            raise UploadMissing("No picture has been uploaded to this backdrop's URL yet.") from error
        most = self.settings.max_bytes
        if info.size > most:
            raise BackdropUnusable(f"The backdrop has {info.size:,} bytes; at most {most:,} are allowed.")
        async with self.slot:
            data = await self.blobs.read("raw", path, etag=info.etag)
            picture = await asyncio.to_thread(decode_backdrop, data, Limits.of(self.settings))
        return PictureFacts(
            format=picture.source.format.value,
            bytes=info.size,
            width=picture.width,
            height=picture.height,
            sha256=picture.source.sha256,
            etag=info.etag,
        )
