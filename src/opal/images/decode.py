"""From a stranger's bytes to a `Photo`: checked, upright, sRGB. The only place that decodes photos.

Called by `opal.decoder` in a process of its own for each photo; in this process only for what Opal or a test
drew itself. Memory: the decoded pixels twice, at most.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pyvips

from opal.errors import PhotoCorrupt, PhotoTruncated
from opal.images.colour import convert_to_srgb
from opal.images.damage import name_damage
from opal.images.finished import stated_dpi, told_colour_space
from opal.images.limits import Header, Limits, admit, check, describe, read_source
from opal.images.loaders import heic_unsupported, read_header
from opal.images.metadata import told_source_type
from opal.images.photo import Photo, SourceInfo
from opal.images.profile import embedded_profile, profile_name
from opal.images.sniff import ImageFormat, View

# An alpha that hides less than this share is a rounded corner or a watermark, not a cut-out.
_LEAST_HIDDEN = 0.01
_LEAST_SHOWN = 0.001


Keep: TypeAlias = Callable[[pyvips.Image, Literal["pixels", "alpha"]], pyvips.Image]
"""Computes an image, once and in order, and gives it back as one that may be read many times."""


def in_memory(image: pyvips.Image, _part: Literal["pixels", "alpha"]) -> pyvips.Image:
    """Keep an image in this process' memory."""
    return image.copy_memory()


def decode_photo(
    source: View | Path,
    limits: Limits | None = None,
    *,
    unblemished: bool = False,
    keep: Keep = in_memory,
) -> Photo:
    """Decode a photo from bytes or a file.

    Steps: size, format by bytes, header limits, allow-listed strict decoder, EXIF orientation, ICC
    to sRGB once (16 bit kept), own alpha set apart; a photo above `limits.max_pixels` is halved on the way
    where the limits allow it. A JPEG with damage that its decoder steps over is decoded once more and its
    source says `blemished`; `unblemished` refuses it. `keep` says where the pixels go.
    Raises the InvalidPhoto subclass that names what is wrong.
    """
    limits = limits or Limits()
    data = read_source(source, limits)
    image_format = admit(data, limits)
    try:
        return _decode(data, image_format, limits, keep, blemished=False)
    except (PhotoCorrupt, PhotoTruncated):
        if unblemished or image_format is not ImageFormat.JPEG:
            raise
    return _decode(data, image_format, limits, keep, blemished=True)


def _decode(data: View, image_format: ImageFormat, limits: Limits, keep: Keep, *, blemished: bool) -> Photo:
    """`blemished` is whether a JPEG's decoder may go on where it warns."""
    image = read_header(data, image_format, strict=True, unblemished=not blemished)
    header = describe(data, image_format, image)
    check(header, limits)
    halved = header.width * header.height > limits.max_pixels
    info = _source_info(data, header, image, halved=halved, blemished=blemished)
    try:
        pixels, alpha = _computed(image, header.orientation, keep, halved=halved)
    except pyvips.Error as error:
        if image_format is ImageFormat.HEIC:
            raise heic_unsupported() from error
        raise name_damage(data, image_format) from error
    return Photo(pixels=pixels, alpha=alpha, source=info)


def _source_info(
    data: View, header: Header, image: pyvips.Image, *, halved: bool, blemished: bool
) -> SourceInfo:
    return SourceInfo(
        format=header.format,
        bytes=header.bytes,
        width=header.width,
        height=header.height,
        orientation=header.orientation,
        profile=profile_name(embedded_profile(image)),
        bits=header.bits,
        sha256=hashlib.sha256(data).hexdigest(),
        halved=halved,
        digital_source_type=told_source_type(image),
        colour_space=told_colour_space(image),
        dpi=stated_dpi(image, header.format),
        blemished=blemished,
    )


def _computed(
    image: pyvips.Image, orientation: int, keep: Keep, *, halved: bool
) -> tuple[pyvips.Image, pyvips.Image | None]:
    """Upright sRGB pixels and the useful alpha, both computed and kept."""
    if halved and not image.hasalpha():
        image, halved = _halve(convert_to_srgb(image)).copy_memory(), False
    if orientation != 1 or image.hasalpha():
        # Both need pixels out of order; the decoder gives them in order only.
        image = image.copy_memory().autorot()
    colours = 4 if image.interpretation == "cmyk" else 1 if image.bands < 3 else 3
    alpha = _useful_alpha(image[colours]) if image.bands > colours else None
    pixels = convert_to_srgb(image[:colours].copy(interpretation=image.interpretation))
    if halved:
        pixels, alpha = _halve(pixels), None if alpha is None else alpha.shrink(2, 2)
    kept = None if alpha is None else _plain(keep(alpha, "alpha"))
    return _plain(keep(pixels, "pixels")), kept


def _halve(pixels: pyvips.Image) -> pyvips.Image:
    """sRGB pixels averaged two by two in linear light. Lazy, in order: the whole is never in memory."""
    space = "rgb16" if pixels.format == "ushort" else "srgb"
    return pixels.colourspace("scrgb").shrink(2, 2).colourspace(space)


def _plain(image: pyvips.Image) -> pyvips.Image:
    """The image without any metadata: place and time of a photo must not travel on."""
    image = image.copy()
    for field in image.get_fields():
        if image.get_typeof(field) and field not in _STRUCTURE:
            image.remove(field)
    return image


_STRUCTURE = frozenset(
    ("width", "height", "bands", "format", "coding", "interpretation", "xoffset", "yoffset", "xres", "yres")
)


def _useful_alpha(alpha: pyvips.Image) -> pyvips.Image | None:
    """8-bit alpha, not computed yet, if it hides a ground and shows a product, else None."""
    if alpha.format != "uchar":
        # libvips' scales: 65535 for 16 bit, 1.0 for scRGB, 255 for the rest.
        full = 65535.0 if alpha.format == "ushort" else 1.0 if alpha.interpretation == "scrgb" else 255.0
        alpha = (alpha * (255.0 / full)).rint().cast("uchar")
    alpha = alpha.copy(interpretation="b-w")
    counts = alpha.hist_find().numpy().reshape(-1).astype(np.float64)
    counts = np.pad(counts, (0, 256 - counts.size)) / counts.sum()
    hidden, shown = counts[:26].sum(), counts[230:].sum()
    return alpha if hidden >= _LEAST_HIDDEN and shown >= _LEAST_SHOWN else None
