"""Gaussian blur of floating-point maps with any number of bands.

Called by `fidelity.py` and `alteration.py`, which blur five and seven maps of every finished picture at once;
libvips convolves floating-point pixels without vector instructions.
"""

import math

import numpy as np
from numpy.typing import NDArray

from opal.images.compiled import compiled

_Floats = NDArray[np.float32]

_PIECE = 2048
"""Numbers summed up at a time: with the rows they come from, what a core's first cache holds."""


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

    Bands lie side by side, so along a row a step of one pixel is a step of as many numbers. The two rows, or
    the two pixels, that are as far from the middle share a weight.
    """
    height, width, bands = values.shape
    reach = weights.size // 2
    inset, length = reach * bands, width * bands
    source, target = values.reshape(height, length), blurred.reshape(height, length)
    line = np.empty(length + 2 * inset, np.float32)
    for y in range(height):
        for start in range(0, length, _PIECE):
            piece = slice(start, min(start + _PIECE, length))
            out = line[inset:][piece]
            _weigh(weights[reach], source[y][piece], out)
            for step in range(1, reach + 1):
                above, below = source[max(y - step, 0)][piece], source[min(y + step, height - 1)][piece]
                _add_pair(weights[reach + step], above, below, out)
        for i in range(inset):
            line[i] = line[inset + i % bands]
            line[inset + length + i] = line[length + inset - bands + i % bands]
        for start in range(0, length, _PIECE):
            piece = slice(start, min(start + _PIECE, length))
            out = target[y][piece]
            _weigh(weights[reach], line[inset:][piece], out)
            for step in range(1, reach + 1):
                before, after = line[inset - step * bands :][piece], line[inset + step * bands :][piece]
                _add_pair(weights[reach + step], before, after, out)


@compiled
def _weigh(weight: np.float32, values: _Floats, out: _Floats) -> None:
    for i in range(out.size):
        out[i] = weight * values[i]


@compiled
def _add_pair(weight: np.float32, one: _Floats, other: _Floats, out: _Floats) -> None:
    for i in range(out.size):
        out[i] += weight * (one[i] + other[i])
