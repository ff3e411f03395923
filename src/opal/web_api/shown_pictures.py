"""Makes what people are shown of an item: photo, matte and cut-out, a few at a time for all requests.

Photos are strangers' files, and a matte may be a person's own: both are decoded in the bounded decoder.
Used by ``item_pictures.py``.
"""

import asyncio
from typing import Final

import numpy as np

from opal.blobs.interface import Blobs
from opal.decoder.pictures import decode_photo
from opal.errors import BlobNotFound, InvalidPhoto, NotFound, PictureExpired, StoredPictureUnusable
from opal.images.limits import Limits
from opal.images.photo import Photo
from opal.images.shown import cutout_webp, matte_png, photo_jpeg
from opal.items.item import Item
from opal.settings import PhotoSettings

_AT_A_TIME: Final = 2
"""A photo of 50 megapixels takes some 0.5 GB while its cut-out is made."""


class ShownPictures:
    """Raises ``NotFound`` before there is a picture, ``PictureExpired`` once it was removed for its age, and
    the ``InvalidPhoto`` that names what is wrong with a photo that cannot be decoded.
    """

    def __init__(self, blobs: Blobs, photo: PhotoSettings) -> None:
        self._blobs = blobs
        self._limits = Limits.of(photo)
        self._turn = asyncio.Semaphore(_AT_A_TIME)

    async def photo(self, item: Item, side: int | None) -> bytes:
        """The photo as a JPEG: upright, sRGB; ``side`` bounds its longer side in pixels."""
        async with self._turn:
            photo = await self._photo(item)
            return await asyncio.to_thread(photo_jpeg, photo, side)

    async def matte(self, item: Item, side: int | None) -> bytes:
        """The matte as an 8-bit grey PNG; the stored file itself where ``side`` is None."""
        data = await self._matte(item)
        if side is None:
            return data
        async with self._turn:
            decoded = await self._decoded_matte(data)
            return await asyncio.to_thread(matte_png, decoded.pixels, side)

    async def cut_out(self, item: Item, side: int | None) -> bytes:
        """The product on transparent pixels, as a WebP (or, longer than 16,383 pixels, a PNG)."""
        async with self._turn:
            data = await self._matte(item)
            photo = await self._photo(item)
            decoded = await self._decoded_matte(data)
            return await asyncio.to_thread(_cut_out, photo, decoded, side)

    async def _photo(self, item: Item) -> Photo:
        if item.raw_expired_at is not None:
            raise PictureExpired("The photo was removed for its age.")
        if item.raw_path is None or not item.photo:
            raise NotFound("There is no photo yet.")
        try:
            data = await self._blobs.read("raw", item.raw_path, etag=item.photo.get("etag"))
        except BlobNotFound as error:
            raise NotFound("The photo is not there any more.") from error
        return await asyncio.to_thread(decode_photo, data, self._limits)

    async def _matte(self, item: Item) -> bytes:
        if item.outputs_expired_at is not None:
            raise PictureExpired("The cut-out was removed for its age.")
        if item.matte_path is None:
            raise NotFound("There is no cut-out yet.")
        try:
            return await self._blobs.read("outputs", item.matte_path)
        except BlobNotFound as error:
            raise NotFound("The cut-out is not there any more.") from error

    async def _decoded_matte(self, data: bytes) -> Photo:
        try:
            return await asyncio.to_thread(decode_photo, data, self._limits)
        except InvalidPhoto as error:
            # The photo, which the client knows, is not to blame.
            raise StoredPictureUnusable(f"The stored matte cannot be read: {error.message}") from error


def _cut_out(photo: Photo, decoded: Photo, side: int | None) -> bytes:
    if (decoded.width, decoded.height) != (photo.width, photo.height):
        raise StoredPictureUnusable(
            f"The matte is {decoded.width} × {decoded.height}, the photo {photo.width} × {photo.height}."
        )
    codes = decoded.pixels[0].numpy().reshape(photo.height, photo.width)
    top = np.float32(255.0 if codes.dtype == np.uint8 else 65535.0)
    return cutout_webp(photo, codes.astype(np.float32) / top, side)
