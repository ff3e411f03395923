"""From a stranger's bytes to a `Photo`: checked, upright, sRGB. The only place that decodes photos.

Called by scoring, export-worker and the command line. Memory: the decoded pixels twice, at most.
"""

import hashlib
from pathlib import Path

import numpy as np
import pyvips

from opal.errors import InvalidPhoto, PhotoCorrupt, PhotoTruncated
from opal.images.colour import convert_to_srgb
from opal.images.limits import Header, Limits, check, describe, read_source
from opal.images.loaders import heic_unsupported, read_header
from opal.images.photo import Photo, SourceInfo
from opal.images.profile import embedded_profile, profile_name
from opal.images.sniff import ImageFormat, sniff

# An alpha that hides less than this share is a rounded corner or a watermark, not a cut-out.
_LEAST_HIDDEN = 0.01
_LEAST_SHOWN = 0.001


def decode_photo(source: bytes | Path, limits: Limits | None = None) -> Photo:
    """Decode a photo from bytes or a file.

    Steps: size, format by bytes, header limits, allow-listed strict decoder, EXIF orientation, ICC
    to sRGB once (16 bit kept), own alpha set apart. Raises the InvalidPhoto subclass that names
    what is wrong.
    """
    limits = limits or Limits()
    data = read_source(source, limits)
    image_format = sniff(data)
    image = read_header(data, image_format, strict=True)
    header = describe(data, image_format, image)
    check(header, limits)
    info = _source_info(data, header, image)
    try:
        pixels, alpha = _to_memory(image, header.orientation)
    except pyvips.Error as error:
        raise _damage(data, image_format) from error
    return Photo(pixels=pixels, alpha=alpha, source=info)


def _source_info(data: bytes, header: Header, image: pyvips.Image) -> SourceInfo:
    return SourceInfo(
        format=header.format,
        bytes=header.bytes,
        width=header.width,
        height=header.height,
        orientation=header.orientation,
        profile=profile_name(embedded_profile(image)),
        bits=header.bits,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _to_memory(image: pyvips.Image, orientation: int) -> tuple[pyvips.Image, pyvips.Image | None]:
    """Upright sRGB pixels and the useful alpha, both computed and in memory."""
    if orientation != 1 or image.hasalpha():
        # Both need pixels out of order; the decoder gives them in order only.
        image = image.copy_memory().autorot()
    colours = 4 if image.interpretation == "cmyk" else 1 if image.bands < 3 else 3
    alpha = _useful_alpha(image[colours]) if image.bands > colours else None
    pixels = convert_to_srgb(image[:colours].copy(interpretation=image.interpretation))
    return _plain(pixels), alpha


def _plain(image: pyvips.Image) -> pyvips.Image:
    """The image in memory without any metadata: place and time of a photo must not travel on."""
    image = image.copy_memory().copy()
    for field in image.get_fields():
        if image.get_typeof(field) and field not in _STRUCTURE:
            image.remove(field)
    return image


_STRUCTURE = frozenset(
    ("width", "height", "bands", "format", "coding", "interpretation", "xoffset", "yoffset", "xres", "yres")
)


def _useful_alpha(alpha: pyvips.Image) -> pyvips.Image | None:
    """8-bit alpha if it hides a ground and shows a product, else None."""
    if alpha.format != "uchar":
        alpha = (alpha / (257.0 if alpha.format == "ushort" else 1.0)).rint().cast("uchar")
    alpha = alpha.copy(interpretation="b-w")
    counts = alpha.hist_find().numpy().reshape(-1).astype(np.float64)
    counts = np.pad(counts, (0, 256 - counts.size)) / counts.sum()
    hidden, shown = counts[:26].sum(), counts[230:].sum()
    return _plain(alpha) if hidden >= _LEAST_HIDDEN and shown >= _LEAST_SHOWN else None


def _damage(data: bytes, image_format: ImageFormat) -> InvalidPhoto:
    """Which error a failed decode is: cut short, damaged inside, or a codec this build lacks."""
    name = image_format.value.upper()
    if image_format is ImageFormat.HEIC:
        return heic_unsupported()
    if _ends_early(data, image_format):
        return PhotoTruncated(f"The {name} file ends before its pixels do; upload it again.")
    return PhotoCorrupt(f"The {name} file is damaged and cannot be decoded.")


def _ends_early(data: bytes, image_format: ImageFormat) -> bool:
    """Whether the file lacks its format's own end mark or declared length."""
    match image_format:
        case ImageFormat.JPEG:
            return b"\xff\xd9" not in data[-64:]
        case ImageFormat.PNG:
            return b"IEND" not in data[-64:]
        case ImageFormat.GIF:
            return not data.rstrip(b"\x00").endswith(b"\x3b")
        case ImageFormat.WEBP:
            return int.from_bytes(data[4:8], "little") + 8 > len(data)
        case ImageFormat.AVIF | ImageFormat.HEIC:
            return _iso_boxes_end(data) > len(data)
        case ImageFormat.TIFF:
            # The offsets of its strips may stand anywhere; damaged is all that can be said cheaply.
            return False


def _iso_boxes_end(data: bytes) -> int:
    """Where the last top-level box of an ISO media file says it ends."""
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size < 8:
            # 0 means "to the end of the file"; less than a header is damage.
            return len(data)
        position += size
    return position
