"""Mattes: how much of each pixel is product. The type, and its PNG form in blobs.

Called by cutout, placement, scoring and export-worker.
"""

from typing import Literal, TypeAlias

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.errors import InvalidPhoto, PhotoCorrupt, UnsupportedFormat
from opal.images.damage import name_damage
from opal.images.decode import Keep
from opal.images.loaders import read_header
from opal.images.sniff import HEAD_BYTES, ImageFormat, View, sniff

Matte: TypeAlias = NDArray[np.float32]
"""(H, W), 0 ground .. 1 product, at the photo's upright size."""


def encode_matte(matte: Matte, bits: Literal[8, 16] = 8) -> bytes:
    """A matte as single-band PNG; 8 bit is what blending into 8-bit pictures can show."""
    top = 255.0 if bits == 8 else 65535.0
    kind = np.uint8 if bits == 8 else np.uint16
    codes = (np.clip(matte, 0.0, 1.0) * np.float32(top) + np.float32(0.5)).astype(kind)
    image = pyvips.Image.new_from_array(codes)
    return encode_codes(image.copy(interpretation="b-w" if bits == 8 else "grey16"))


def encode_codes(image: pyvips.Image) -> bytes:
    """The same of a matte's codes, one band of 8 or 16 bits."""
    data: bytes = image.pngsave_buffer(compression=3, filter="sub", keep="none")
    return data


def read_codes(data: View, width: int, height: int, keep: Keep) -> pyvips.Image:
    """A stranger's matte as codes, one band of 8 bits and exactly that size; `keep` says where they go.

    Raises InvalidPhoto for another size, UnsupportedFormat for any other picture, PhotoTruncated or
    PhotoCorrupt.
    """
    image_format = sniff(data[:HEAD_BYTES])
    image = read_header(data, image_format, strict=True)
    if image_format is not ImageFormat.PNG or (image.bands, image.format) != (1, "uchar"):
        raise UnsupportedFormat("The file is not an 8-bit grey PNG.")
    if (image.width, image.height) != (width, height):
        raise InvalidPhoto(f"It is {image.width} × {image.height}, the photo {width} × {height}.")
    try:
        return keep(image.copy(interpretation="b-w"), "pixels")
    except pyvips.Error as error:
        raise name_damage(data, image_format) from error


def read_matte(data: bytes) -> Matte:
    """Read a matte written by `encode_matte` (or any 8 or 16 bit grey PNG).

    Raises UnsupportedFormat, PhotoEmpty, PhotoTruncated or PhotoCorrupt.
    """
    image_format = sniff(data)
    image = read_header(data, image_format, strict=True)
    if image_format is not ImageFormat.PNG or image.bands != 1:
        raise PhotoCorrupt("A matte is a single-band PNG.")
    try:
        # pyvips gives a lone pixel no dimensions.
        codes = image.numpy().reshape(image.height, image.width)
    except pyvips.Error as error:
        raise name_damage(data, image_format) from error
    top = np.float32(65535.0 if codes.dtype == np.uint16 else 255.0)
    matte: Matte = codes.astype(np.float32) / top
    return matte
