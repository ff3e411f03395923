"""Reads a picture that somebody else made, so that it can be judged like one of ours.

Called for `opal check`, `look_at_existing` in a process of `opal.decoder`. Pixels are brought to upright
8-bit sRGB, which is what people see; the rest (format, colour space, resolution) is the file's own.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.decode import Keep, decode_photo, in_memory
from opal.images.finished import FinishedPicture, block_side, stated_dpi, told_colour_space
from opal.images.limits import Limits, describe, whole_file
from opal.images.loaders import read_header
from opal.images.metadata import told_source_type
from opal.images.photo import Photo
from opal.images.sniff import HEAD_BYTES, View, sniff


@dataclass(frozen=True, slots=True)
class ExistingPicture:
    """A file in both of its forms: as a finished picture to judge, and as a photo to cut out."""

    finished: FinishedPicture
    photo: Photo


@dataclass(frozen=True, slots=True)
class ExistingFacts:
    """What is told of the file besides its photo; the names are those of `FinishedPicture`."""

    format: str
    bytes: int
    bits: int
    dpi: int | None
    colour_space: str
    frames: int
    digital_source_type: str | None
    has_alpha: bool
    see_through: bool
    block: int


def look_at_existing(data: View, limits: Limits, keep: Keep = in_memory) -> tuple[Photo, ExistingFacts]:
    """Decode any picture of a supported format, of any number of frames and down to one pixel.

    One above `limits.max_pixels` is refused and never halved, as its own pixels are what is judged. Raises
    the InvalidPhoto that says what is wrong with the file.
    """
    photo = decode_photo(data, replace(whole_file(limits), halve=False), keep=keep)
    image_format = sniff(data[:HEAD_BYTES])
    image = read_header(data, image_format, strict=True)
    header = describe(data, image_format, image)
    return photo, ExistingFacts(
        format=image_format.value,
        bytes=len(data),
        bits=header.bits,
        dpi=stated_dpi(image, image_format),
        colour_space=told_colour_space(image),
        frames=header.frames,
        digital_source_type=told_source_type(image),
        has_alpha=bool(image.hasalpha()),
        see_through=photo.alpha is not None or (bool(image.hasalpha()) and _see_through(image)),
        block=block_side(image),
    )


def to_existing(photo: Photo, facts: ExistingFacts) -> ExistingPicture:
    """Both forms of a file that has been looked at."""
    pixels = _eight_bit(photo.pixels)
    if photo.alpha is not None:
        pixels = np.dstack([pixels, _array(photo.alpha)])
    told = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return ExistingPicture(FinishedPicture(pixels=pixels, **told), photo)


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
