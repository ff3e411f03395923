"""What a lens leaves out of focus: every row blurred by a disc of its own radius, in linear light.

Called by `placement/backdrop.py`. A disc and not a Gaussian, as an open aperture gives: points of light
become discs, and edges end.
"""

import math

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.colour import Linear
from opal.images.resize import resize_to

Field = NDArray[np.float32]

_FINE = 6.0
"""Radius in pixels up to which a disc is summed at full size; a wider one is summed on a picture halved until
it has no more than twice this, which the eye cannot tell and costs a fraction."""


def defocus(pixels: Linear, radius: Field) -> Linear:
    """Blur row y of `pixels` (H, W, 3) by a disc of `radius`[y] pixels; the input is not changed.

    Beyond the border the picture is taken to go on as it ends. A radius below half a pixel leaves its row
    as it is.
    """
    halvings = np.log2(np.maximum(radius, _FINE) / _FINE)
    result = np.zeros_like(pixels)
    for level in range(math.ceil(float(halvings.max())) + 1):
        # Two neighbouring sizes share the rows between them, so that no step shows.
        share = np.clip(1.0 - np.abs(halvings - level), 0.0, 1.0).astype(np.float32)
        if not share.any():
            continue
        blurred = _at_level(pixels, radius, share > 0.0, level)
        rows = np.flatnonzero(share)
        result[rows] += share[rows, None, None] * blurred[rows]
    return result


def _at_level(pixels: Linear, radius: Field, wanted: NDArray[np.bool_], level: int) -> Linear:
    """The rows `wanted`, blurred on a picture halved `level` times and enlarged again; others as may be."""
    if level == 0:
        return _blur_rows(pixels, radius, wanted)
    height, width = pixels.shape[:2]
    small_height, small_width = max(1, round(height / 2**level)), max(1, round(width / 2**level))
    small = resize_to(pyvips.Image.new_from_array(pixels), small_width, small_height, "linear").numpy()
    places = (np.arange(small_height) + 0.5) * (height / small_height)
    small_radius = np.interp(places, np.arange(height) + 0.5, radius) * (small_height / height)
    # Enlarging looks two rows to either side.
    near = np.interp(places, np.arange(height) + 0.5, wanted.astype(float)) > 0.0
    near = np.convolve(near, np.ones(5), "same") > 0.0
    blurred = _blur_rows(small, small_radius.astype(np.float32), near)
    enlarged: Linear = resize_to(pyvips.Image.new_from_array(blurred), width, height, "lanczos2").numpy()
    return np.maximum(enlarged, 0.0)


def _blur_rows(pixels: Linear, radius: Field, wanted: NDArray[np.bool_]) -> Linear:
    """Mean over a disc around each pixel of the rows wanted; the other rows stay as they are.

    A disc is a stack of horizontal runs. With the sums of each row up to every column, a run of any length,
    broken pixels included, is the difference of two of them.
    """
    height, width = pixels.shape[:2]
    reach = math.ceil(float(radius[wanted].max())) + 2 if wanted.any() else 0
    padded = np.pad(pixels, ((0, 0), (reach, reach), (0, 0)), mode="edge").astype(np.float64)
    sums = np.zeros((height, width + 2 * reach + 1, 3))
    np.cumsum(padded, axis=1, out=sums[:, 1:])
    result = pixels.copy()
    for row in np.flatnonzero(wanted & (radius > 0.5)):
        result[row] = _disc_mean(sums, int(row), float(radius[row]), reach, width)
    return result


def _disc_mean(sums: NDArray[np.float64], row: int, radius: float, reach: int, width: int) -> Field:
    total = np.zeros((width, 3))
    area = 0.0
    for away in range(-math.floor(radius), math.floor(radius) + 1):
        half = math.sqrt(radius * radius - away * away)
        line = sums[min(max(row + away, 0), len(sums) - 1)]
        # From half a pixel right of a pixel's left edge: columns of the sums are pixels' left edges.
        whole, part = divmod(half + 0.5, 1.0)
        right = reach + int(whole)
        left = reach + 1 - int(whole)
        total += (1.0 - part) * line[right : right + width] + part * line[right + 1 : right + 1 + width]
        total -= (1.0 - part) * line[left : left + width] + part * line[left - 1 : left - 1 + width]
        area += 2.0 * half
    return (total / area).astype(np.float32)
