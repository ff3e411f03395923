"""Reads a finished picture back from its own bytes, as a marketplace would see it.

Called by export-worker and scoring, so that compliance and fidelity are measured on the file and not on
what was meant to be in it. `existing.py` does the same for files that somebody else made.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.damage import name_damage
from opal.images.limits import describe
from opal.images.loaders import read_header
from opal.images.metadata import told_source_type
from opal.images.profile import embedded_profile, equals_srgb, profile_name
from opal.images.sniff import ImageFormat, sniff

_MM_PER_INCH = 25.4
_UNTOLD_DPI = 72
"""What programs take a picture for that says nothing of its resolution."""
_RESOLUTION_IN_EXIF = frozenset({ImageFormat.WEBP, ImageFormat.AVIF, ImageFormat.HEIC})


@dataclass(frozen=True, slots=True)
class FinishedPicture:
    """A file's facts and its pixels."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) or (H, W, 4), the codes as stored: no colour conversion, no orientation applied.

    Of a file that somebody else made: upright 8-bit sRGB, with alpha only where it tells a product apart."""
    format: str
    bytes: int
    bits: int
    dpi: int | None
    """None where a file that somebody else made states no resolution."""
    colour_space: str
    """`srgb` when the embedded profile is sRGB in effect or there is none on an RGB picture; else the
    profile's name or the colour model."""

    frames: int = 1
    """Pictures in the file; above 1 for an animation or a file of several pages."""
    digital_source_type: str | None = None
    """What its XMP says of its making, as a short name of IPTC's vocabulary."""
    has_alpha: bool = False
    """Whether the file stores an alpha channel."""
    see_through: bool | None = None
    """Whether any pixel is not opaque; None: nobody looked."""
    block: int = 8
    """Side in pixels of what its encoder rounds together; an edge ripples as far as that."""

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.pixels.shape[0])

    @property
    def coverage(self) -> NDArray[np.float32] | None:
        """The product's coverage by the file's own alpha, (H, W), 0..1; None without."""
        if not self.has_alpha or self.pixels.shape[2] < 4:
            return None
        return self.pixels[..., 3].astype(np.float32) / np.float32(255.0)


def read_finished(data: bytes) -> FinishedPicture:
    """Decode a picture that Opal wrote. Raises the InvalidPhoto that says why it cannot be decoded."""
    image_format = sniff(data)
    image = read_header(data, image_format, strict=True)
    try:
        pixels = image.numpy()
    except pyvips.Error as error:
        raise name_damage(data, image_format) from error
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    bits = describe(data, image_format, image).bits
    return FinishedPicture(
        pixels=pixels,
        format=image_format.value,
        bytes=len(data),
        bits=bits,
        dpi=told_dots_per_inch(image, image_format) or _UNTOLD_DPI,
        colour_space=told_colour_space(image),
        frames=int(image.get("n-pages")) if "n-pages" in image.get_fields() else 1,
        digital_source_type=told_source_type(image),
        has_alpha=bool(image.hasalpha()),
        block=block_side(image),
    )


def told_dots_per_inch(image: pyvips.Image, image_format: ImageFormat) -> int | None:
    """The resolution that an opened picture states, None where it states none.

    WebP and AVIF have only EXIF to keep it in, where libvips (8.18) writes but does not look.
    """
    field = "exif-ifd0-XResolution"
    if image_format in _RESOLUTION_IN_EXIF:
        if field not in image.get_fields():
            return None
        # libvips spells an EXIF rational "300000/1000 (300.000, Rational, ...)", here per inch.
        told = re.match(r"(\d+)(?:/(\d+))? ", str(image.get(field)))
        return None if told is None else round(int(told[1]) / max(1, int(told[2] or 1)))
    # 1 pixel per mm is libvips' own figure where a file has none, and no file's wish.
    return None if image.xres == 1.0 else round(float(image.xres) * _MM_PER_INCH)


def stated_dpi(image: pyvips.Image, image_format: ImageFormat) -> int | None:
    """The resolution that somebody else's file states; None also where libvips only assumes one."""
    # It takes a JPEG without resolution for one of 72 dpi; the unit is there only where the file has it.
    if image_format is ImageFormat.JPEG and "resolution-unit" not in image.get_fields():
        return None
    return told_dots_per_inch(image, image_format)


def block_side(image: pyvips.Image) -> int:
    """8 pixels, or 16 where a JPEG stores colour at half resolution."""
    field = "jpeg-chroma-subsample"
    return 16 if field in image.get_fields() and image.get(field) != "4:4:4" else 8


def told_colour_space(image: pyvips.Image) -> str:
    """`srgb`, the embedded profile's name, or the colour model, as `FinishedPicture` says."""
    profile = embedded_profile(image)
    if image.interpretation in {"srgb", "rgb16"}:
        if profile is None or equals_srgb(profile):
            return "srgb"
        return profile_name(profile) or "rgb"
    return str(image.interpretation)
