"""Whether colour at half resolution (4:2:0) would be seen in a picture.

Called by `budget.py` for JPEG and AVIF whose preset leaves the choice open.
"""

import numpy as np
from numpy.typing import NDArray

from opal.images.compiled import compiled

_ROUNDED = 0.5
"""Steps of Cb or Cr (0..255) that a pixel may move by: what storing them as whole numbers may do anyway.
Near grey, where the eye is keenest, that is CIEDE2000 0.65; twice as much is above 1, the least that is seen
side by side, and on the samples took up to 5 in a hundred pixels of the product beyond it."""
_MOST_MOVED = 0.01
"""Share of a window's pixels that may move by more: single ones, but no edge."""
_WINDOW = 64
"""Width of a window in pixels: a line of print across it is more than `_MOST_MOVED` of it."""
_BAND = 4
"""Pairs of lines in a window."""
_STEP = 8
"""Of so many pairs of lines one is looked at."""

# ITU-R BT.601-7 at full range, as JFIF 1.02 has it; what is added to all (128) drops out of differences.
_CB = np.array([-0.168736, -0.331264, 0.5], np.float32)
_CR = np.array([0.5, -0.418688, -0.081312], np.float32)


def subsampling_shows(pixels: NDArray[np.uint8]) -> bool:
    """Whether 4:2:0 would move colours by more than rounding somewhere in (H, W, 3 or 4) sRGB codes.

    Colour is averaged two by two and laid out again over four blocks (9/16, 3/16, 3/16, 1/16: libjpeg's
    "fancy upsampling", and what browsers do); that is held against the pixels, window by window from the
    middle outwards, up to the first one that shows it. A white, grey or black product passes, and one whose
    colours change gently; a label in colour does not. 4 ms for 4 megapixels at most.
    """
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    if height < 2 or width < 2:
        return True
    bands = np.arange(0, height, _STEP * _BAND)
    middle_first = bands[np.argsort(np.abs(bands + _STEP * _BAND // 2 - height // 2), kind="stable")]
    return bool(_any_window_shows(pixels, middle_first, height, width))


@compiled
def _any_window_shows(pixels: NDArray[np.uint8], bands: NDArray[np.int64], height: int, width: int) -> bool:
    """`height` and `width` count blocks of two by two pixels."""
    means = np.empty((3, 2, width + 2), np.float32)
    seen = np.zeros((width * 2 - 1) // _WINDOW + 1, np.int64)
    most = int(_MOST_MOVED * _WINDOW * _BAND * 2)
    for band in bands:
        seen[:] = 0
        for row in range(band, min(band + _STEP * _BAND, height), _STEP):
            for k in range(3):
                _average(pixels, min(max(row + k - 1, 0), height - 1), means[k])
            _count(pixels[2 * row], means[1], means[0], seen)
            _count(pixels[2 * row + 1], means[1], means[2], seen)
        if seen.max() > most:
            return True
    return False


@compiled
def _average(pixels: NDArray[np.uint8], row: int, means: NDArray[np.float32]) -> None:
    """Cb and Cr of a row of blocks, (2, blocks + 2): the border's own block once more at either end."""
    upper, lower = pixels[2 * row], pixels[2 * row + 1]
    blocks = means.shape[1] - 2
    for block in range(blocks):
        left, right = 2 * block, 2 * block + 1
        cb = cr = np.float32(0.0)
        for band in range(3):
            total = (
                np.int32(upper[left, band])
                + np.int32(upper[right, band])
                + np.int32(lower[left, band])
                + np.int32(lower[right, band])
            )
            cb += _CB[band] * np.float32(total)
            cr += _CR[band] * np.float32(total)
        means[0, block + 1] = cb * np.float32(0.25)
        means[1, block + 1] = cr * np.float32(0.25)
    for channel in range(2):
        means[channel, 0] = means[channel, 1]
        means[channel, blocks + 1] = means[channel, blocks]


@compiled
def _count(
    line: NDArray[np.uint8], own: NDArray[np.float32], other: NDArray[np.float32], seen: NDArray[np.int64]
) -> None:
    """Add to each window's count the pixels of one line that would move by more than `_ROUNDED`.

    `own` is the row of blocks that the line belongs to, `other` the one on its other side.
    """
    near, far, limit = np.float32(0.75), np.float32(0.25), np.float32(_ROUNDED)
    for x in range(2 * (own.shape[1] - 2)):
        block = x // 2 + 1
        beside = block - 1 if x % 2 == 0 else block + 1
        red, green, blue = np.float32(line[x, 0]), np.float32(line[x, 1]), np.float32(line[x, 2])
        cb = _CB[0] * red + _CB[1] * green + _CB[2] * blue
        cr = _CR[0] * red + _CR[1] * green + _CR[2] * blue
        cb -= near * (near * own[0, block] + far * other[0, block]) + far * (
            near * own[0, beside] + far * other[0, beside]
        )
        cr -= near * (near * own[1, block] + far * other[1, block]) + far * (
            near * own[1, beside] + far * other[1, beside]
        )
        if abs(cb) > limit or abs(cr) > limit:
            seen[x // _WINDOW] += 1
