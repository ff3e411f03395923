"""Pixels to files: JPEG, PNG or WebP with EXIF and ICC, and the alpha as grayscale PNG."""

from pathlib import Path

import numpy as np
from PIL import Image

from studio.model import Array, Encoding
from studio.profiles import display_p3

ORIENTATION, SOFTWARE = 0x0112, 0x0131


def save_photo(picture: Array, file: Path, encoding: Encoding) -> None:
    """Writes 0 to 1 pixels; an orientation of 6 stores them a quarter turn anticlockwise."""
    pixels = np.round(picture * 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    if encoding.orientation == 6:
        # Orientation 6 tells the viewer to turn clockwise, so the stored pixels are turned the other way.
        image = image.transpose(Image.Transpose.ROTATE_90)
    elif encoding.orientation != 1:
        raise ValueError(f"orientation {encoding.orientation} is not one the samples use")
    exif[ORIENTATION] = encoding.orientation
    exif[SOFTWARE] = "opal samples"
    profile = display_p3() if encoding.colour_space == "display-p3" else None
    if encoding.suffix == "jpg":
        image.save(
            file,
            quality=encoding.quality,
            optimize=True,
            progressive=False,
            subsampling="4:2:0",
            exif=exif,
            icc_profile=profile,
        )
    elif encoding.suffix == "webp":
        image.save(file, quality=encoding.quality, method=6, exif=exif, icc_profile=profile)
    else:
        image.save(file, optimize=True, exif=exif, icc_profile=profile)


def save_alpha(coverage: Array, file: Path) -> None:
    """Writes 0 to 1 coverage as 8-bit grayscale, upright."""
    Image.fromarray(np.round(coverage * 255).astype(np.uint8)).save(file, optimize=True)
