"""Erosion of a mask: what lies inside by some pixels. Called by `fidelity.py`."""

import numpy as np
from numpy.typing import NDArray

from opal.images.compiled import compiled


def eroded(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Keep what has `radius` pixels of (H, W) mask on every side; the array's border counts as outside."""
    kept = np.zeros(mask.shape, np.bool_)
    _erode(mask, radius, kept)
    return kept


@compiled
def _erode(mask: NDArray[np.bool_], radius: int, kept: NDArray[np.bool_]) -> None:
    """By the lengths of unbroken runs: across to the right of each pixel, of those then down its column."""
    side = 2 * radius + 1
    down = np.zeros(mask.shape[1], np.int32)
    for y in range(mask.shape[0]):
        across = 0
        for x in range(mask.shape[1]):
            across = across + 1 if mask[y, x] else 0
            if x < radius:
                continue
            middle = x - radius
            down[middle] = down[middle] + 1 if across >= side else 0
            if down[middle] >= side:
                kept[y - radius, middle] = True
