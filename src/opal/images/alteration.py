"""Where a picture was changed: differences averaged over a few pixels, beside each other.

Called by `fidelity.py`. What an encoder does to every pixel, now this way, now that, averages out; what
somebody repainted, shifted or recoloured does not, be it one letter.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.blur import gaussian_blur
from opal.images.colour import LINEAR_OF_8_BIT, Linear
from opal.images.compiled import compiled
from opal.images.difference import difference_of_planes, lab_of

SEEN = 1.5
"""CIEDE2000 of local means above which a pixel counts as changed."""

# Two by two pixels, then a Gaussian of one of those: together one of two pixels.
_SIGMA = 1.0
_STRIP = 512
"""Rows whose means are blurred at a time: a large picture's would take as much memory as all the rest."""
_REACH = 4
"""Rows of means on either side that the blur reaches."""
_STRUCTURE_SIGMA = 4.0

_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ColourDifference:
    """CIEDE2000 between a picture and its reference: pixel by pixel, and of local means."""

    within: int
    """Pixels with at most the difference asked for."""
    max_de: float
    total_de: float
    local_de: float
    """The largest local difference."""
    altered_pixels: int
    """The largest connected area in which a local difference is seen; it counts four pixels at a time."""


def colour_difference(
    shown: NDArray[np.uint8], reference: Linear, inside: NDArray[np.bool_], bound: float
) -> ColourDifference:
    """Compare colours as CIE L*a*b* where `inside`; pixels within `bound` are counted.

    `shown` is (H, W, 3) sRGB codes, `reference` (H, W, 3) linear light, `inside` (H, W). Local means are
    taken over pixels inside only.
    """
    tally = _Tally(bound)
    local = np.zeros((inside.shape[0] // 2, inside.shape[1] // 2), np.float32)
    before, here, top = np.empty((0, local.shape[1], 7), np.float32), None, 0
    for after in chain(_strips(shown, reference, inside, tally), [None]):
        if here is not None:
            above, below = before[-_REACH:], here[:0] if after is None else after[:_REACH]
            _local_difference(np.concatenate([above, here, below]), len(above), local[top : top + len(here)])
            before, top = here, top + len(here)
        here = after
    highest = float(local.max()) if local.size else 0.0
    return ColourDifference(
        tally.within, tally.highest, tally.total, highest, 4 * _largest_region(local > SEEN)
    )


@dataclass(slots=True)
class _Tally:
    """What single pixels differ by."""

    bound: float
    within: int = 0
    highest: float = 0.0
    total: float = 0.0

    def add(self, within: int, highest: float, total: float) -> None:
        self.within += within
        self.highest = max(self.highest, highest)
        self.total += total


def _strips(
    shown: NDArray[np.uint8], reference: Linear, inside: NDArray[np.bool_], tally: _Tally
) -> Iterator[_Floats]:
    """L*a*b* of both and the share inside, means of two by two pixels: (rows, W / 2, 7), strip by strip."""
    for start in range(0, len(inside), _STRIP):
        rows = slice(start, start + _STRIP)
        strip = inside[rows]
        sums = np.zeros((len(strip) // 2, strip.shape[1] // 2, 7), np.float32)
        tally.add(*_compare(shown[rows], reference[rows], strip, tally.bound, sums))
        yield sums


@compiled
def _compare(
    shown: NDArray[np.uint8], reference: Linear, inside: NDArray[np.bool_], bound: float, sums: _Floats
) -> tuple[int, float, float]:
    """Pixels within `bound`, highest and summed difference where `inside`; adds means to `sums`."""
    height, width = inside.shape
    one, other = np.empty((3, width), np.float32), np.empty((3, width), np.float32)
    apart = np.empty(width, np.float32)
    within, highest, total = 0, 0.0, 0.0
    for y in range(height):
        columns = np.flatnonzero(inside[y])
        if columns.size == 0:
            continue
        for i in range(columns.size):
            x = columns[i]
            red, green, blue = shown[y, x, 0], shown[y, x, 1], shown[y, x, 2]
            one[0, i], one[1, i], one[2, i] = lab_of(
                LINEAR_OF_8_BIT[red], LINEAR_OF_8_BIT[green], LINEAR_OF_8_BIT[blue]
            )
            other[0, i], other[1, i], other[2, i] = lab_of(
                reference[y, x, 0], reference[y, x, 1], reference[y, x, 2]
            )
        found = apart[: columns.size]
        difference_of_planes(one, other, found)
        whole = y // 2 < sums.shape[0]
        for i in range(columns.size):
            within += found[i] <= bound
            highest = max(highest, found[i])
            total += found[i]
            cell = columns[i] // 2
            if whole and cell < sums.shape[1]:
                for band in range(3):
                    sums[y // 2, cell, band] += np.float32(0.25) * one[band, i]
                    sums[y // 2, cell, 3 + band] += np.float32(0.25) * other[band, i]
                sums[y // 2, cell, 6] += np.float32(0.25)
    return within, highest, total


def _local_difference(sums: _Floats, above: int, local: _Floats) -> None:
    """Fill a strip's part of the map; `sums` has `above` rows of the strip before and some of the next."""
    own = slice(above, above + len(local))
    product = sums[own, :, 6] >= 0.5
    if not product.any():
        return
    _compare_means(gaussian_blur(sums, _SIGMA)[own], product, local)


@compiled
def _compare_means(blurred: _Floats, product: NDArray[np.bool_], local: _Floats) -> None:
    """Difference of the two colours in (h, W, 7), both sums over a share that comes last, where `product`."""
    one, other = np.empty((3, product.shape[1]), np.float32), np.empty((3, product.shape[1]), np.float32)
    apart = np.empty(product.shape[1], np.float32)
    for y in range(product.shape[0]):
        columns = np.flatnonzero(product[y])
        if columns.size == 0:
            continue
        for i in range(columns.size):
            sums = blurred[y, columns[i]]
            share = np.float32(1.0) / sums[6]
            for band in range(3):
                one[band, i], other[band, i] = sums[band] * share, sums[3 + band] * share
        found = apart[: columns.size]
        difference_of_planes(one, other, found)
        for i in range(columns.size):
            local[y, columns[i]] = found[i]


def local_structure(similarity: _Floats, windows: NDArray[np.bool_]) -> float:
    """Lowest local mean of a map of structural similarity (H, W) over the `windows` that count."""
    both = np.empty((*similarity.shape, 2), np.float32)
    np.subtract(np.float32(1.0), similarity, out=both[..., 0])
    both[..., 1] = windows
    both[..., 0] *= both[..., 1]
    means = gaussian_blur(both, _STRUCTURE_SIGMA)
    return 1.0 - _highest_ratio(means, windows)


@compiled
def _highest_ratio(means: _Floats, windows: NDArray[np.bool_]) -> float:
    """Of the first band to the second (H, W, 2), over the `windows`."""
    highest = 0.0
    for y in range(means.shape[0]):
        for x in range(means.shape[1]):
            if windows[y, x]:
                highest = max(highest, means[y, x, 0] / means[y, x, 1])
    return highest


def halve(values: _Floats) -> _Floats:
    """Mean of each 2 x 2 pixels; an odd last row or column is left out."""
    height, width = values.shape[0] // 2 * 2, values.shape[1] // 2 * 2
    lines = values[:height:2, :width] + values[1:height:2, :width]
    return (lines[:, ::2] + lines[:, 1::2]) * np.float32(0.25)


def _largest_region(mask: NDArray[np.bool_]) -> int:
    """Pixels of the largest connected region; 0 when there is none."""
    if not mask.any():
        return 0
    numbers = pyvips.Image.new_from_array(mask.astype(np.uint8)).labelregions().numpy()
    return int(np.bincount(numbers[mask]).max())
