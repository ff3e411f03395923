"""Colours of a cut-out carried on beyond its edge, for files that keep colour and alpha apart.

Called by web-api's remove.bg routes. A JPEG of a product on black would carry the black back over its edge.
"""

import numpy as np
import pyvips
from numpy.typing import NDArray

_CELL = 8
"""A JPEG's block: what lies in the same one is compressed together."""
_COARSER = 4


def spread_colours(product: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) sRGB codes with straight alpha to (H, W, 3): where alpha is 0, the nearest colours' mean.

    Where alpha is above 0 the codes stay as they are. With nothing to carry on, all is black.
    """
    height, width = product.shape[:2]
    image = pyvips.Image.new_from_array(np.ascontiguousarray(product)).copy(interpretation="srgb")
    sums = image.premultiply().shrink(_CELL, _CELL, ceil=True)
    levels = [sums.numpy()]
    while max(levels[-1].shape[:2]) > 1:
        coarser = pyvips.Image.new_from_array(levels[-1]).shrink(_COARSER, _COARSER, ceil=True)
        levels.append(coarser.numpy().reshape(-1, max(1, coarser.width), 4))
    filled = _colours(levels[-1], np.zeros((1, 1, 3), np.float32))
    for level in reversed(levels[:-1]):
        wide = filled.repeat(_COARSER, axis=0).repeat(_COARSER, axis=1)
        filled = _colours(level, wide[: level.shape[0], : level.shape[1]])
    cells = np.rint(filled).astype(np.uint8)
    result = np.ascontiguousarray(product[..., :3])
    for row in range(cells.shape[0]):
        rows = slice(row * _CELL, min(height, (row + 1) * _CELL))
        empty = product[rows, :, 3] == 0
        line = cells[row].repeat(_CELL, axis=0)[:width]
        result[rows][empty] = np.broadcast_to(line, (*empty.shape, 3))[empty]
    return result


def _colours(sums: NDArray[np.float32], otherwise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean colours of cells from sums of alpha × colour and alpha; `otherwise` where there is no alpha."""
    weight = sums[..., 3:]
    mean = sums[..., :3] * np.float32(255.0) / np.maximum(weight, np.float32(1e-6))
    return np.where(weight > 0.25, np.clip(mean, 0.0, 255.0), otherwise)
