"""Reads a picture that somebody else made, so that it can be judged like one of ours.

Called by `opal check`. Pixels are brought to upright 8-bit sRGB, which is what people see; format, colour
space, resolution and bytes are those of the file as it is.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.decode import decode_photo
from opal.images.finished import FinishedPicture, block_side, stated_dpi, told_colour_space
from opal.images.limits import Limits, describe
from opal.images.loaders import read_header
from opal.images.metadata import told_source_type
from opal.images.photo import Photo
from opal.images.sniff import sniff


@dataclass(frozen=True, slots=True)
class ExistingPicture:
    """A file in both of its forms: as a finished picture to judge, and as a photo to cut out."""

    finished: FinishedPicture
    photo: Photo


def read_existing(data: bytes, limits: Limits) -> ExistingPicture:
    """Decode any picture of a supported format, of any number of frames and down to one pixel.

    One above `limits.max_pixels` is refused and never halved, as its own pixels are what is judged. Raises
    the InvalidPhoto that says what is wrong with the file.
    """
    photo = decode_photo(data, replace(limits, halve=False, min_side=1, max_frames=None))
    image_format = sniff(data)
    image = read_header(data, image_format, strict=True)
    header = describe(data, image_format, image)
    pixels = _eight_bit(photo.pixels)
    see_through = False
    if photo.alpha is not None:
        pixels = np.dstack([pixels, _array(photo.alpha)])
        see_through = True
    elif image.hasalpha():
        see_through = _see_through(image)
    finished = FinishedPicture(
        pixels=pixels,
        format=image_format.value,
        bytes=len(data),
        bits=header.bits,
        dpi=stated_dpi(image, image_format),
        colour_space=told_colour_space(image),
        frames=header.frames,
        digital_source_type=told_source_type(image),
        has_alpha=bool(image.hasalpha()),
        see_through=see_through,
        block=block_side(image),
    )
    return ExistingPicture(finished, photo)


def _eight_bit(pixels: pyvips.Image) -> NDArray[np.uint8]:
    return _array(pixels if pixels.format == "uchar" else pixels.colourspace("srgb"))


def _array(image: pyvips.Image) -> NDArray[np.uint8]:
    """(H, W, bands); pyvips gives a lone pixel or a single band fewer dimensions."""
    codes: NDArray[np.uint8] = image.numpy().reshape(image.height, image.width, image.bands)
    return codes


def _see_through(image: pyvips.Image) -> bool:
    """Whether an alpha that tells no product apart hides anything at all."""
    full = {"uchar": 255.0, "ushort": 65535.0}.get(image.format, 1.0)
    return float(image[image.bands - 1].min()) < full
