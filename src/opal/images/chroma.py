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
_WINDOW = 64
"""Width of a window in pixels; even."""
_BAND = 4
"""Pairs of lines in a window."""
_MOST_MOVED = 5
"""Pixels of a window, one in a hundred, that may move by more: noise, but no dot. Halving moves more than
five pixels of a window for a mark of three by three whose colour can be told, wherever windows divide it."""

# ITU-R BT.601-7 at full range, as JFIF 1.02 has it; what is added to all (128) drops out of differences.
_CB = np.array([-0.168736, -0.331264, 0.5], np.float32)
_CR = np.array([0.5, -0.418688, -0.081312], np.float32)


def subsampling_shows(pixels: NDArray[np.uint8]) -> bool:
    """Whether 4:2:0 would move colours by more than rounding somewhere in (H, W, 3 or 4) sRGB codes.

    Colour is averaged two by two and laid out again over four blocks (9/16, 3/16, 3/16, 1/16: libjpeg's
    "fancy upsampling", and what browsers do); that is held against the pixels, every one of them, window by
    window from the middle outwards, up to the first one that shows it. A white, grey or black product
    passes, and one whose colours change gently; a label or fine print in colour does not. At most 10 ms for
    4 megapixels.
    """
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        # As encoders do: a last block that is cut in two has its half twice.
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    bands = np.arange(0, pixels.shape[0] // 2, _BAND)
    middle_first = bands[np.argsort(np.abs(4 * bands + 2 * _BAND - height), kind="stable")]
    return bool(_any_window_shows(pixels, middle_first))


@compiled
def _any_window_shows(pixels: NDArray[np.uint8], bands: NDArray[np.int64]) -> bool:
    """`pixels` are whole blocks of two by two; `bands` are their first rows, counted in blocks."""
    rows, blocks = pixels.shape[0] // 2, pixels.shape[1] // 2
    colours = np.empty((_BAND + 2, 2, 2, 2, blocks), np.float32)
    means = np.empty((_BAND + 2, 2, blocks + 2), np.float32)
    moved = np.zeros(blocks, np.int32)
    for band in bands:
        above, below = max(band - 1, 0), min(band + _BAND, rows - 1)
        if _is_of_one_colour(pixels[2 * above : 2 * below + 2]):
            continue
        for k in range(_BAND + 2):
            row = min(max(band + k - 1, 0), rows - 1)
            _split(pixels[2 * row : 2 * row + 2], colours[k], means[k])
        moved[:] = 0
        for k in range(1, min(_BAND, rows - band) + 1):
            _count(colours[k, 0], means[k], means[k - 1], moved)
            _count(colours[k, 1], means[k], means[k + 1], moved)
        for window in range(0, blocks, _WINDOW // 2):
            if moved[window : window + _WINDOW // 2].sum() > _MOST_MOVED:
                return True
    return False


@compiled
def _is_of_one_colour(lines: NDArray[np.uint8]) -> bool:
    """Whether Cb and Cr are the same all over, as on a plain ground: there nothing can move."""
    red_over = np.int16(lines[0, 0, 0]) - np.int16(lines[0, 0, 1])
    blue_over = np.int16(lines[0, 0, 2]) - np.int16(lines[0, 0, 1])
    for y in range(lines.shape[0]):
        differs = np.int16(0)
        for x in range(lines.shape[1]):
            green = np.int16(lines[y, x, 1])
            differs |= (np.int16(lines[y, x, 0]) - green) ^ red_over
            differs |= (np.int16(lines[y, x, 2]) - green) ^ blue_over
        if differs != 0:
            return False
    return True


@compiled
def _split(pair: NDArray[np.uint8], colours: NDArray[np.float32], means: NDArray[np.float32]) -> None:
    """Two lines taken apart into (line, left or right, Cb or Cr, block), and the blocks' means.

    `means` is (Cb or Cr, blocks + 2): the border's own block once more at either end.
    """
    blocks = colours.shape[3]
    for line in range(2):
        codes = pair[line]
        for side in range(2):
            for block in range(blocks):
                x = 2 * block + side
                red, green, blue = np.float32(codes[x, 0]), np.float32(codes[x, 1]), np.float32(codes[x, 2])
                colours[line, side, 0, block] = _CB[0] * red + _CB[1] * green + _CB[2] * blue
                colours[line, side, 1, block] = _CR[0] * red + _CR[1] * green + _CR[2] * blue
    for channel in range(2):
        for block in range(blocks):
            upper = colours[0, 0, channel, block] + colours[0, 1, channel, block]
            lower = colours[1, 0, channel, block] + colours[1, 1, channel, block]
            means[channel, block + 1] = np.float32(0.25) * (upper + lower)
        means[channel, 0] = means[channel, 1]
        means[channel, blocks + 1] = means[channel, blocks]


@compiled
def _count(
    line: NDArray[np.float32], own: NDArray[np.float32], other: NDArray[np.float32], moved: NDArray[np.int32]
) -> None:
    """Add to each block's count the pixels of one line that would move by more than `_ROUNDED`.

    `line` is (left or right, Cb or Cr, block). `own` are the means of the row of blocks that it belongs to,
    `other` those of the one on its other side.
    """
    near, far, limit = np.float32(0.75), np.float32(0.25), np.float32(_ROUNDED)
    blend = near * own + far * other
    for side in range(2):
        beside = blend[:, 2 * side :]
        for block in range(moved.size):
            cb = line[side, 0, block] - near * blend[0, block + 1] - far * beside[0, block]
            cr = line[side, 1, block] - near * blend[1, block + 1] - far * beside[1, block]
            moved[block] += np.int32((abs(cb) > limit) | (abs(cr) > limit))
