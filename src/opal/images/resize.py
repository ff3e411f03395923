"""Resizing with libvips, and its way from codes to linear light.

`resize_to` is called by the cut-out's refinement, backdrops and shadows; a product's own pixels are
resized by `resample.py`.
"""

from typing import Literal

import pyvips

from opal.images.colour import LINEAR_OF_8_BIT, LINEAR_OF_16_BIT


def resize_to(
    image: pyvips.Image, width: int, height: int, kernel: Literal["linear", "lanczos2", "lanczos3"]
) -> pyvips.Image:
    """Resize to exactly this size, whatever the aspect; edges are extended. Lazy.

    Pixel corners map to pixel corners. libvips' own enlargement lies half an output pixel to the lower
    right of that (8.18, `vips_resize`), so only its reduction is used; Lanczos enlarges bicubically.
    """
    across, down = width / image.width, height / image.height
    resized = image.resize(min(1.0, across), vscale=min(1.0, down), kernel=kernel)
    if across <= 1.0 and down <= 1.0:
        return resized
    return resized.affine(
        [max(1.0, across), 0.0, 0.0, max(1.0, down)],
        interpolate=pyvips.Interpolate.new("bilinear" if kernel == "linear" else "bicubic"),
        # Affine counts from pixel centres: half a pixel to the corner before scaling, and back after.
        idx=0.5,
        idy=0.5,
        odx=-0.5,
        ody=-0.5,
        oarea=[0, 0, width, height],
        extend="copy",
    )


def to_linear_light(pixels: pyvips.Image) -> pyvips.Image:
    """sRGB codes (8 or 16 bit) to linear light by table, band by band, as float. Lazy."""
    table = LINEAR_OF_16_BIT if pixels.format == "ushort" else LINEAR_OF_8_BIT
    return pixels.maplut(pyvips.Image.new_from_array(table.reshape(1, -1)))
