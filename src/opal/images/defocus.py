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

_SHARP = 0.5
"""A disc of this radius lies within its pixel."""


def defocus(pixels: Linear, radius: Field) -> Linear:
    """Blur row y of `pixels` (H, W, C) by a disc of `radius`[y] pixels; the input is not changed.

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
        rows = np.flatnonzero(share)
        first, last = int(rows[0]), int(rows[-1]) + 1
        blurred = _at_level(pixels, radius, share > 0.0, level)[first:last]
        blurred *= share[first:last, None, None]
        result[first:last] += blurred
    return result


def _at_level(pixels: Linear, radius: Field, wanted: NDArray[np.bool_], level: int) -> Linear:
    """The rows `wanted`, blurred on a picture halved `level` times and enlarged again; others as may be.

    Straight between pixels is smooth enough: what is enlarged was averaged over more pixels than that.
    """
    if level == 0:
        return _blur_rows(pixels, radius, wanted)
    height, width = pixels.shape[:2]
    small_height, small_width = max(1, round(height / 2**level)), max(1, round(width / 2**level))
    small = _resized(pixels, small_width, small_height)
    places = (np.arange(small_height) + 0.5) * (height / small_height)
    small_radius = np.interp(places, np.arange(height) + 0.5, radius) * (small_height / height)
    near = np.interp(places, np.arange(height) + 0.5, wanted.astype(float)) > 0.0
    # Enlarging looks at the rows beside.
    near = np.convolve(near, np.ones(3), "same") > 0.0
    blurred = _blur_rows(small, small_radius.astype(np.float32), near)
    return _resized(blurred, width, height)


def _resized(pixels: Linear, width: int, height: int) -> Linear:
    image = resize_to(pyvips.Image.new_from_array(pixels), width, height, "linear")
    # One band would come back without its axis.
    resized: Linear = image.numpy().reshape(height, width, pixels.shape[2])
    return resized


def _blur_rows(pixels: Linear, radius: Field, wanted: NDArray[np.bool_]) -> Linear:
    """Mean over a disc around each pixel of the rows wanted; the other rows stay as they are.

    A disc is a stack of horizontal runs. With the sums of each row up to every column, a run of any length,
    broken pixels included, is the difference of two of them.
    """
    result = pixels.copy()
    rows = np.flatnonzero(wanted & (radius > _SHARP))
    if rows.size == 0:
        return result
    reach = math.ceil(float(radius[rows].max())) + 2
    first, last = max(0, int(rows[0]) - reach), min(len(pixels), int(rows[-1]) + reach + 1)
    padded = np.pad(pixels[first:last], ((0, 0), (reach, reach), (0, 0)), mode="edge")
    sums = np.zeros((last - first, padded.shape[1] + 1, pixels.shape[2]))
    np.cumsum(padded, axis=1, dtype=np.float64, out=sums[:, 1:])
    for row in rows:
        result[row] = _disc_mean(sums, int(row) - first, float(radius[row]), reach, pixels.shape[1])
    return result


def _disc_mean(sums: NDArray[np.float64], row: int, radius: float, reach: int, width: int) -> Field:
    total = np.zeros((width, sums.shape[2]))
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
