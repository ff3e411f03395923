"""What is out of focus is not the product: blurred things beside a sharp subject are left out.

A photographer focuses on what is for sale. Where the network finds several separate things, their outlines
tell which one that was. Called by `refine.py` at working size.
"""

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.cutout.regions import count_large, label
from opal.cutout.working_grid import highest, lowest

_Floats = NDArray[np.float32]

# Windows in working pixels: contrast is taken over the wide one, which a blurred edge may fill.
_WIDE, _NARROW = 15, 5
# Codes (0..255) of contrast below which an outline says nothing about focus.
_FAINT = 25.0
_FEWEST = 60
# Measured on two pairs of a tin in focus and things behind it: 0.35 to 0.53 of the tin's sharpness.
_BLURRED = 0.6


def leave_out_blurred(shape: _Floats, guide: NDArray[np.uint8]) -> tuple[_Floats, bool]:
    """Clear separate regions whose outlines are much softer than the main one's.

    `shape` (h, w) 0..1 and `guide` (h, w, 3) sRGB codes of the same size. Returns the shape and whether
    anything was left out. The main region is the one with most area times sharpness; regions whose
    outlines are too faint to judge stay, and so does everything where fewer than two can be judged.
    """
    if count_large(shape > 0.5, 0.0) <= 1:
        return shape, False
    labels, areas = label(shape > 0.5)
    if areas.size <= 2:
        return shape, False
    sharpness = _sharpness(labels, areas.size, guide)
    judged = np.isfinite(sharpness)
    if judged.sum() < 2:
        return shape, False
    main = int(np.argmax(np.where(judged, areas * np.nan_to_num(sharpness), 0.0)))
    blurred = judged & (sharpness < _BLURRED * sharpness[main])
    if not blurred.any():
        return shape, False
    # Their soft fringe goes with them: every pixel nearer to a blurred region than to a kept one.
    kept, left = (_near(np.isin(labels, np.flatnonzero(which))) for which in (judged & ~blurred, blurred))
    return np.where(left > kept, np.float32(0.0), shape), True


def _sharpness(labels: NDArray[np.int32], count: int, guide: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Per region the median of steepest step over contrast along its outline; NaN where too faint to say.

    About 0.5 for an edge as sharp as pixels allow; a Gaussian blur of sigma s gives 1 / (2.5 s).
    """
    luma: _Floats = guide.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    down, across = np.gradient(luma)
    steepest = highest(np.hypot(down, across).astype(np.float32), _NARROW)
    contrast = highest(luma, _WIDE) - lowest(luma, _WIDE)
    numbers = labels.astype(np.float32)
    outline = highest(numbers, 3) != lowest(numbers, 3)
    telling = outline & (contrast > _FAINT)
    # On its outer side an outline pixel belongs to the region that touches it.
    owner = highest(numbers, 3).astype(np.intp)[telling]
    ratio = steepest[telling] / contrast[telling]
    found = np.full(count, np.nan)
    for region in range(1, count):
        own = ratio[owner == region]
        if own.size >= _FEWEST:
            found[region] = np.median(own)
    return found


def _near(mask: NDArray[np.bool_]) -> _Floats:
    near: _Floats = pyvips.Image.new_from_array(mask.astype(np.float32)).gaussblur(6.0).numpy()
    return near
