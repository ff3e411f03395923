"""Where a picture was changed: differences averaged over a few pixels, beside each other.

Called by `fidelity.py`. What an encoder does to every pixel, now this way, now that, averages out; what
somebody repainted, shifted or recoloured does not, be it one letter.
"""

from dataclasses import dataclass

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.colour import LINEAR_OF_8_BIT, Linear
from opal.images.difference import delta_e2000, linear_to_lab

SEEN = 1.5
"""CIEDE2000 of local means above which a pixel counts as changed."""

# Two by two pixels, then a Gaussian of one of those: together one of two pixels.
_SIGMA = 1.0
_ROWS = 16
"""Rows worked on at a time, so that the intermediate arrays stay in the processor's cache; even."""
_STRIP, _SIGMA_REACH = 256, 4
"""Rows blurred at a time, and how many more on either side the blur reaches: a large picture's sums would
take as much memory as all else together."""
_STRUCTURE_SIGMA = 4.0

_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LocalColour:
    """The largest local difference, and the largest connected area in which it is seen."""

    max_de: float
    pixels: int


def local_colour(shown: NDArray[np.uint8], reference: Linear, inside: NDArray[np.bool_]) -> LocalColour:
    """Compare local mean colours, CIE L*a*b*, where `inside`.

    `shown` is (H, W, 3) sRGB codes, `reference` (H, W, 3) linear light, `inside` (H, W). Means are taken over
    pixels inside only. An area counts four pixels at a time.
    """
    height, width = inside.shape[0] // 2 * 2, inside.shape[1] // 2 * 2
    if min(height, width) == 0:
        return LocalColour(0.0, 0)
    difference = np.zeros((height // 2, width // 2), np.float32)
    for top in range(0, height // 2, _STRIP):
        bottom = min(height // 2, top + _STRIP)
        above, below = max(0, top - _SIGMA_REACH), min(height // 2, bottom + _SIGMA_REACH)
        rows = slice(2 * above, 2 * below)
        sums = _sums(shown[rows, :width], reference[rows, :width], inside[rows, :width])
        blurred = pyvips.Image.new_from_array(sums).gaussblur(_SIGMA, min_ampl=0.01, precision="float")
        own = slice(top - above, bottom - above)
        product = sums[own, :, 6] >= 0.5
        means = blurred.numpy()[own][product]
        means = means[:, :6] / means[:, 6:]
        difference[top:bottom][product] = delta_e2000(means[:, :3], means[:, 3:])
    return LocalColour(float(difference.max()), 4 * _largest_region(difference > SEEN))


def _sums(shown: NDArray[np.uint8], reference: Linear, inside: NDArray[np.bool_]) -> _Floats:
    """L*a*b* of both and the share inside, as means of two by two pixels: (h / 2, w / 2, 7)."""
    height, width = inside.shape
    sums = np.empty((height // 2, width // 2, 7), np.float32)
    for top in range(0, height, _ROWS):
        rows = slice(top, min(height, top + _ROWS))
        share = inside[rows].astype(np.float32)[..., None]
        one = _lab(LINEAR_OF_8_BIT[shown[rows]]) * share
        other = _lab(reference[rows]) * share
        sums[rows.start // 2 : rows.stop // 2] = halve(np.concatenate([one, other, share], axis=2))
    return sums


def local_structure(similarity: _Floats, windows: NDArray[np.bool_]) -> float:
    """Lowest local mean of a map of structural similarity (H, W) over the `windows` that count."""
    loss = np.where(windows, 1.0 - similarity, 0.0).astype(np.float32)
    both = np.stack([loss, windows.astype(np.float32)], axis=-1)
    means = (
        pyvips.Image.new_from_array(both)
        .gaussblur(_STRUCTURE_SIGMA, min_ampl=0.01, precision="float")
        .numpy()[windows]
    )
    return float(1.0 - (means[:, 0] / means[:, 1]).max())


def halve(values: _Floats) -> _Floats:
    """Mean of each 2 x 2 pixels; an odd last row or column is left out."""
    height, width = values.shape[0] // 2 * 2, values.shape[1] // 2 * 2
    lines = values[:height:2, :width] + values[1:height:2, :width]
    return (lines[:, ::2] + lines[:, 1::2]) * np.float32(0.25)


def _lab(linear: Linear) -> _Floats:
    return linear_to_lab(linear.reshape(-1, 3)).reshape(linear.shape)


def _largest_region(mask: NDArray[np.bool_]) -> int:
    """Pixels of the largest connected region; 0 when there is none."""
    if not mask.any():
        return 0
    numbers = pyvips.Image.new_from_array(mask.astype(np.uint8)).labelregions().numpy()
    return int(np.bincount(numbers[mask]).max())
