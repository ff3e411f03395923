"""Gaussian blur of floating-point maps with any number of bands.

Called by `fidelity.py` and `alteration.py`, which blur five and seven maps of every finished picture at once;
libvips convolves floating-point pixels without vector instructions.
"""

import math

import numpy as np
from numpy.typing import NDArray

from opal.images.compiled import compiled

_Floats = NDArray[np.float32]


def gaussian_blur(values: _Floats, sigma: float, least: float = 0.01) -> _Floats:
    """Blur (H, W, bands) by `sigma` pixels; edges are extended.

    The Gaussian is cut where it falls below `least` of its peak.
    """
    reach = max(1, math.floor(sigma * math.sqrt(-2.0 * math.log(least))))
    at = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (at / sigma) ** 2)
    blurred = np.empty_like(values)
    _blur(np.ascontiguousarray(values), (weights / weights.sum()).astype(np.float32), blurred)
    return blurred


@compiled
def _blur(values: _Floats, weights: _Floats, blurred: _Floats) -> None:
    """One row at a time: down the columns into a row with room at both ends, then along it.

    Bands lie side by side, so along a row a step of one pixel is a step of as many numbers.
    """
    height, width, bands = values.shape
    reach = weights.size // 2
    inset, length = reach * bands, width * bands
    source, target = values.reshape(height, length), blurred.reshape(height, length)
    line = np.empty(length + 2 * inset, np.float32)
    for y in range(height):
        line[:] = 0.0
        for tap in range(weights.size):
            weight, row = weights[tap], source[min(max(y + tap - reach, 0), height - 1)]
            for i in range(length):
                line[inset + i] += weight * row[i]
        for i in range(inset):
            line[i] = line[inset + i % bands]
            line[inset + length + i] = line[length + inset - bands + i % bands]
        out = target[y]
        out[:] = 0.0
        for tap in range(weights.size):
            weight, first = weights[tap], tap * bands
            for i in range(length):
                out[i] += weight * line[first + i]
