"""What a photo, its matte and its cut-out look like to people: files a browser can show, of any size.

Called by web-api in a thread, with pictures that the bounded decoder has read. Pure: pixels in, bytes out.
"""

import numpy as np
import pyvips

from opal.images.contact import product_box
from opal.images.geometry import Box
from opal.images.matte import Matte, encode_matte
from opal.images.native import lay_native
from opal.images.photo import Photo

PHOTO_QUALITY = 90
CUTOUT_QUALITY = 92
LONGEST_WEBP = 16_383
"""Pixels of the longest side that the format can hold."""
_WHITE = 255


def photo_jpeg(photo: Photo, side: int | None) -> bytes:
    """The photo as a JPEG, its longer side at most ``side`` pixels (None: its own size), on white.

    What a transparent photo hides is not shown.
    """
    eight = photo.pixels if photo.pixels.format == "uchar" else photo.pixels.colourspace("srgb")
    if photo.alpha is not None:
        eight = eight.bandjoin(photo.alpha).flatten(background=_WHITE)
    if side is not None:
        eight = eight.thumbnail_image(side, height=side, size="down")
    chroma = "on" if side is not None else "off"
    data: bytes = eight.jpegsave_buffer(Q=PHOTO_QUALITY, subsample_mode=chroma, keep="none")
    return data


def matte_png(matte: pyvips.Image, side: int) -> bytes:
    """A decoded matte, of which the first band counts, as an 8-bit grey PNG of at most ``side`` pixels."""
    grey = matte[0] if matte.format == "uchar" else (matte[0] / 257).rint().cast("uchar")
    small = grey.copy(interpretation="b-w").thumbnail_image(side, height=side, size="down")
    return encode_matte(small.numpy().reshape(small.height, small.width).astype(np.float32) / np.float32(255))


def cutout_webp(photo: Photo, matte: Matte, side: int | None) -> bytes:
    """The product on transparent pixels as a WebP, its edge free of the old ground.

    ``matte`` is (H, W) at the photo's size. To look at, not to work with: it is encoded quickly. What is too
    long for WebP becomes a PNG.
    """
    eight = photo.pixels if photo.pixels.format == "uchar" else photo.pixels.colourspace("srgb")
    shares = np.rint(matte * np.float32(_WHITE)).astype(np.uint8)
    coverage = pyvips.Image.new_from_array(shares).copy(interpretation="b-w")
    if side is not None and side < max(photo.width, photo.height):
        eight = eight.thumbnail_image(side, height=side, size="down")
        coverage = coverage.thumbnail_image(eight.width, height=eight.height, size="force")
        matte = coverage.numpy().reshape(eight.height, eight.width).astype(np.float32) / np.float32(_WHITE)
    box = product_box(matte) or Box(0, 0, 1, 1)
    alpha = np.ascontiguousarray(matte[box.top : box.bottom, box.left : box.right])
    part = Photo(eight.copy_memory(), None, photo.source)
    codes = lay_native(part, alpha, box, box, (eight.width, eight.height))
    image = pyvips.Image.new_from_array(codes).copy(interpretation="srgb")
    data: bytes
    if max(image.width, image.height) > LONGEST_WEBP:
        data = image.pngsave_buffer(compression=1, filter="up", keep="none")
    else:
        data = image.webpsave_buffer(Q=CUTOUT_QUALITY, effort=0, alpha_q=100, keep="none")
    return data
