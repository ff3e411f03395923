"""Takes over an uploaded matte: reads the stranger's file once, bounded, and stores what it says as ours."""

import asyncio
from dataclasses import dataclass, field

from opal.blobs.interface import Blobs
from opal.database.mattes import UploadedMatte
from opal.decoder.pictures import read_codes
from opal.errors import BlobNotFound, InvalidPhoto, MatteUnusable, UploadMissing
from opal.images.limits import Limits
from opal.images.matte import encode_codes
from opal.items.item import Item, blob_path, new_id
from opal.settings import PhotoSettings

# Deflate's stored blocks add 5 bytes to 16 KB at the worst; the rest is for a header and some text.
_MOST_PER_BYTE = 1.001
_HEADER_ROOM = 65_536


@dataclass(frozen=True, slots=True)
class MatteCheck:
    """Takes mattes over in one blob store, one at a time, as each may have 50 MB of codes."""

    blobs: Blobs
    settings: PhotoSettings
    slot: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    async def take_over(self, item: Item, uploaded: UploadedMatte) -> str:
        """The path of a new blob of ours in ``outputs`` with the same codes.

        Raises ``UploadMissing`` and ``MatteUnusable``.
        """
        try:
            info = await self.blobs.info("raw", uploaded.raw_path)
            width, height = working_size(item)
            most = int(height * (width + 1) * _MOST_PER_BYTE) + _HEADER_ROOM
            if info.size > most:
                raise MatteUnusable(f"The matte has {info.size:,} bytes; at most {most:,} are needed.")
            async with self.slot:
                data = await self.blobs.read("raw", uploaded.raw_path, etag=info.etag)
                png = await asyncio.to_thread(self._as_ours, data, width, height)
        except BlobNotFound as error:
            raise UploadMissing("No matte has been uploaded to this URL yet.") from error
        except InvalidPhoto as error:
            raise MatteUnusable(f"The matte cannot be used: {error.message}") from error
        path = blob_path(item.tenant_id, item.job_id, item.id, "outputs", f"{new_id('edited')}-matte.png")
        await self.blobs.write("outputs", path, png, content_type="image/png")
        return path

    def _as_ours(self, data: bytes, width: int, height: int) -> bytes:
        return encode_codes(read_codes(data, width, height, Limits.of(self.settings)))


def working_size(item: Item) -> tuple[int, int]:
    """Width and height in which the photo is worked on, upright: half of a halved photo's."""
    return int(item.meta["photo_width"]), int(item.meta["photo_height"])
