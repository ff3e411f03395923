"""Cropping and resizing a photo with its matte in linear light.

Called by placement (premultiplied) and by `foreground.cut_product` (straight).
"""

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.colour import LINEAR_OF_8_BIT, LINEAR_OF_16_BIT, Linear
from opal.images.geometry import Box
from opal.images.matte import Matte

# Lanczos keeps label text crisp; its overshoot is clipped below.
_KERNEL = "lanczos3"


def crop_resize_linear(
    pixels: pyvips.Image, alpha: Matte, box: Box, width: int, height: int
) -> tuple[Linear, NDArray[np.float32]]:
    """Crop to `box` and resize to `width` × `height`, premultiplied by alpha before resizing.

    `pixels` is `Photo.pixels`, `alpha` (H, W) of the same size. Returns premultiplied linear RGB
    (height, width, 3) and alpha (height, width), float32, 0..1, RGB never above alpha.
    """
    linear = _linear(_crop(pixels, box))
    matte = _matte_image(alpha, box)
    stacked = _resize((linear * matte).bandjoin(matte), width, height)
    coverage = np.clip(stacked[..., 3], 0.0, 1.0)
    colours = np.clip(stacked[..., :3], 0.0, coverage[..., None])
    return colours, coverage


def crop_resize_straight(
    pixels: pyvips.Image, alpha: Matte, box: Box, width: int, height: int
) -> tuple[Linear, NDArray[np.float32]]:
    """As `crop_resize_linear`, but the photo as it is, ground included, not multiplied by alpha.

    Colour = alpha × product + (1 − alpha) × ground holds again after resizing, which is what
    foreground estimation needs.
    """
    stacked = _resize(_linear(_crop(pixels, box)).bandjoin(_matte_image(alpha, box)), width, height)
    np.clip(stacked, 0.0, 1.0, out=stacked)
    return np.ascontiguousarray(stacked[..., :3]), np.ascontiguousarray(stacked[..., 3])


def _crop(pixels: pyvips.Image, box: Box) -> pyvips.Image:
    return pixels.crop(box.left, box.top, box.width, box.height)


def _linear(pixels: pyvips.Image) -> pyvips.Image:
    """Codes to linear light by table, band by band, as float."""
    table = LINEAR_OF_16_BIT if pixels.format == "ushort" else LINEAR_OF_8_BIT
    return pixels.maplut(pyvips.Image.new_from_array(table.reshape(1, -1)))


def _matte_image(alpha: Matte, box: Box) -> pyvips.Image:
    part = alpha[box.top : box.bottom, box.left : box.right]
    return pyvips.Image.new_from_array(np.ascontiguousarray(part, dtype=np.float32))


def _resize(image: pyvips.Image, width: int, height: int) -> NDArray[np.float32]:
    resized = image.resize(width / image.width, vscale=height / image.height, kernel=_KERNEL)
    if (resized.width, resized.height) != (width, height):
        # vips rounds the target size itself; a pixel may be missing or too many.
        resized = resized.gravity("north-west", width, height, extend="copy")
    result: NDArray[np.float32] = resized.numpy()
    return result
