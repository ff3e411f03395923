"""Finished pixels to files: JPEG, PNG, WebP, AVIF, TIFF with an embedded sRGB profile and Opal's metadata.

Called by scoring (scene pictures) and export-worker (variants).
"""

from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.metadata import PictureMetadata, xmp_packet

Chroma: TypeAlias = Literal["4:4:4", "4:2:0"]

Effort: TypeAlias = Literal["quick", "small"]
"""What a JPEG of one quality is made for: the encoder's time, or the file's bytes."""

OutputFormat: TypeAlias = Literal["jpeg", "png", "webp", "avif", "tiff"]

EXTENSION: dict[OutputFormat, str] = {
    "jpeg": "jpg",
    "png": "png",
    "webp": "webp",
    "avif": "avif",
    "tiff": "tif",
}
"""File name extension per format, without dot; some marketplaces refuse any other."""

MEDIA_TYPE: dict[OutputFormat, str] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
    "tiff": "image/tiff",
}

_MM_PER_INCH = 25.4
_LARGE_WEBP = 12_000_000
"""Pixels above which WebP is written quickly: within 1 % of the bytes on the samples."""


def encode(
    pixels: NDArray[np.uint8],
    format: OutputFormat,  # noqa: A002 - the word every caller and every preset uses
    quality: int = 92,
    *,
    dpi: int = 72,
    chroma: Chroma = "4:4:4",
    progressive: bool = False,
    effort: Effort = "quick",
    metadata: PictureMetadata | None = None,
) -> bytes:
    """Encode (H, W, 3) or (H, W, 4) sRGB codes; straight (not premultiplied) alpha.

    `quality` 1..100 is for JPEG, WebP and AVIF; 100 makes the latter two lossless. `chroma` is that of JPEG
    and AVIF: 4:4:4 keeps red labels sharp. `progressive` and `effort` are JPEG's. JPEG has no alpha: four
    bands raise ValueError, as the caller has to choose a ground.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in {3, 4}:
        raise ValueError(f"encode takes uint8 (H, W, 3 or 4), got {pixels.dtype} {pixels.shape}")
    if format == "jpeg" and pixels.shape[2] == 4:
        raise ValueError("JPEG has no alpha; compose on a ground first")
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
    image = image.copy(interpretation="srgb", xres=dpi / _MM_PER_INCH, yres=dpi / _MM_PER_INCH)
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", _srgb_profile())
    # libvips would write 65535, "uncalibrated", and some shops believe EXIF before the profile.
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd2-ColorSpace", "1")
    image.set_type(pyvips.GValue.blob_type, "xmp-data", xmp_packet(metadata or PictureMetadata()))
    data: bytes = getattr(image, _SAVER[format])(
        keep="exif:icc:xmp",
        **_options(format, quality, chroma, progressive, effort, area=image.width * image.height),
    )
    return data


_SAVER: dict[OutputFormat, str] = {
    "jpeg": "jpegsave_buffer",
    "png": "pngsave_buffer",
    "webp": "webpsave_buffer",
    "avif": "heifsave_buffer",
    "tiff": "tiffsave_buffer",
}


_ROBIDOUX = 3
"""The quantisation table of N. Robidoux that libvips has under this number (mozjpeg's own choice too). It is
as fine for colour as for light: at one quality the product's colours stay closer than with the tables of the
standard's annex K, in files of 91 % of the bytes (docs/decisions/0012)."""


def _options(
    format: OutputFormat,  # noqa: A002
    quality: int,
    chroma: Chroma,
    progressive: bool,
    effort: Effort,
    *,
    area: int,
) -> dict[str, Any]:
    subsample = "off" if chroma == "4:4:4" else "on"
    match format:
        case "jpeg":
            small = effort == "small"
            return {
                "Q": quality,
                "subsample_mode": subsample,
                "quant_table": _ROBIDOUX,
                # Huffman tables of the picture's own take a second pass and three times as long, for 8 %.
                "optimize_coding": small,
                "trellis_quant": small,
                "interlace": progressive,
                "optimize_scans": small and progressive,
            }
        case "png":
            # Level 2 with rows as differences: about as small as level 3 with a filter chosen row by row,
            # in half its time; level 1 is half as large again.
            return {"compression": 2, "filter": "up"}
        case "webp":
            # Searching, and colour that is halved with care, take six times as long. They tell where a pixel
            # can be seen; a picture of so many would be a minute's work.
            careful = area <= _LARGE_WEBP
            return {
                "Q": quality,
                "lossless": quality >= 100,
                "effort": 4 if careful else 1,
                "smart_subsample": careful,
            }
        case "avif":
            lossless = quality >= 100
            return {
                "Q": quality,
                "lossless": lossless,
                "compression": "av1",
                # Effort 4 takes four times as long, for 5 %.
                "effort": 3,
                "subsample_mode": subsample,
            }
        case "tiff":
            # Level 3 for the same reason: a quarter of the default's time, for 7 %.
            return {"compression": "deflate", "predictor": "horizontal", "level": 3}


@cache
def _srgb_profile() -> bytes:
    profile: bytes = pyvips.Operation.call("profile_load", "srgb")
    return profile
