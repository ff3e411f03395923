"""A product at its own size on transparent pixels: nothing is resized, so nothing but its edge is touched.

Called by `placement/place.py`, where the general way would give the same pixels in several times the time.
"""

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.colour import LINEAR_OF_8_BIT, to_srgb8
from opal.images.foreground import edge_colours
from opal.images.geometry import Box
from opal.images.photo import Photo
from opal.images.resize import to_linear_light


def lay_native(
    photo: Photo, alpha: NDArray[np.float32], source: Box, target: Box, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Lay the product over nothing: (H, W, 4) sRGB codes with straight alpha, for `size` (width, height).

    `photo` has 8 bits per channel; `source` is the product's box in it, `alpha` its coverage (`source`'s
    size, 0..1), `target` the box of the same size on the canvas. Edge colours are cleaned of the old ground;
    colour under alpha 0 is black.
    """
    part = photo.pixels.crop(source.left, source.top, source.width, source.height)
    codes = part.numpy()
    rows, columns = np.nonzero((alpha > 0.0) & (alpha < 1.0))
    scaled = alpha * np.float32(255.0)
    shares = np.rint(scaled, out=scaled).astype(np.uint8)
    # Four bytes at a time: a pixel is one number here.
    joined = part.bandjoin(pyvips.Image.new_from_array(shares)).numpy().view(np.uint32)[..., 0]
    joined[shares == 0] = 0
    canvas = np.zeros((size[1], size[0], 4), np.uint8)
    canvas.view(np.uint32)[target.top : target.bottom, target.left : target.right, 0] = joined
    laid = canvas[target.top : target.bottom, target.left : target.right]
    if rows.size:
        light = to_linear_light(part)
        cleaned = edge_colours(light, alpha, rows, columns, lambda r, c: LINEAR_OF_8_BIT[codes[r, c]])
        shown = shares[rows, columns] > 0
        laid[rows[shown], columns[shown], :3] = to_srgb8(cleaned[shown])
    return canvas
