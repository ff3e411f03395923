"""Where a network looks: once at the whole photo, small, then closely at the part that holds the product.

What a network sees of a product is bounded by the pixels it is given, so they are better spent on the product
than on the wall around it. Called by `network.py`; arithmetic only.
"""

import math

import numpy as np
from numpy.typing import NDArray

from opal.cutout.regions import label
from opal.images.geometry import Box

_Floats = NDArray[np.float32]

GRID = 64
"""A network that takes any size takes multiples of this: it halves its input six times."""
FIRST_PIXELS = 448 * 448
"""Of the first look: enough to find every part of a product, and to know it from a neighbour."""
AGAIN_SIZE = (640, 640)
"""Of another look at the whole photo, where the close one left doubts: squeezed into a square, as networks
are trained. On the samples a larger one was surer of wrong things, and took three times as long."""
# What is this likely product, and how faintly seen what hangs on it may be: aerials are hardly more.
_LIKELY, _FAINT = 0.3, 0.02
# Room left around the product, as a share of its longer side: what surrounds it tells what it is.
_ROOM = 0.1
# Pixels of the second look: as many as a plain outline needs, up to what wires and straps do.
_PLAIN, _INTRICATE = 640_000, 1_000_000
# Length of the outline over the root of the area: 3.5 for a disc, 4 to 6 for boxes and pots, 76 for a basket.
_PLAIN_OUTLINE, _INTRICATE_OUTLINE = 6.0, 9.0
_LONGEST = 1280
_LEAST = 256
# Sides of the second look are multiples of this: the network keeps memory for every size that it has met.
_STEP = 128
# Networks are trained on photos squeezed into a square; half way there serves better than the true aspect.
_SQUEEZE = 0.5
_MOST_ENLARGED = 1.5
# Pixels of the second look, side by side on an edge of the part, at which the product goes on beyond it.
_CUT = 3


def first_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the first look at a photo of this size, pixels."""
    scale = min(1.0, math.sqrt(FIRST_PIXELS / (width * height)))
    return _within(width * scale, GRID, GRID), _within(height * scale, GRID, GRID)


def part_to_look_at(prediction: _Floats, width: int, height: int) -> Box:
    """The part of the photo that holds whatever may be product, with room around it.

    `prediction` (h, w) 0..1 is the first look at the whole photo of `width` × `height`. The whole photo where
    the first look saw nothing.
    """
    regions, _ = label(prediction > _FAINT)
    likely = np.zeros(regions.max() + 1, bool)
    likely[regions[prediction > _LIKELY]] = True
    seen = likely[regions]
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if rows.size == 0:
        return Box(0, 0, width, height)
    down, across = height / prediction.shape[0], width / prediction.shape[1]
    top, bottom = rows[0] * down, (rows[-1] + 1) * down
    left, right = columns[0] * across, (columns[-1] + 1) * across
    room = _ROOM * max(right - left, bottom - top)
    x, y = max(0, math.floor(left - room)), max(0, math.floor(top - room))
    x_end, y_end = min(width, math.ceil(right + room)), min(height, math.ceil(bottom + room))
    return Box(x, y, x_end - x, y_end - y)


def second_size(part: Box, prediction: _Floats) -> tuple[int, int]:
    """Width and height at which to look at `part`, pixels.

    More for an outline that is intricate in the first look, `prediction` (h, w).
    """
    pixels = min(_pixels(prediction), _MOST_ENLARGED**2 * part.width * part.height)
    aspect = (part.width / part.height) ** (1.0 - _SQUEEZE)
    width, height = math.sqrt(pixels * aspect), math.sqrt(pixels / aspect)
    longer = _within(max(width, height), _LEAST, _STEP)
    shorter = min(longer, _within(min(pixels / longer, 1.2 * min(width, height)), _LEAST, _STEP))
    return (longer, shorter) if width >= height else (shorter, longer)


def leaves(prediction: _Floats, part: Box, width: int, height: int) -> bool:
    """Whether the product goes on beyond `part` inside the photo: the first look had missed some of it."""
    product = prediction > 0.5
    inside = (
        (product[0], part.top > 0),
        (product[-1], part.bottom < height),
        (product[:, 0], part.left > 0),
        (product[:, -1], part.right < width),
    )
    return any(cut and _longest_run(side) >= _CUT for side, cut in inside)


def _longest_run(line: NDArray[np.bool_]) -> int:
    """The most neighbours in a row that are set."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(np.int8)))
    return int((ends[1::2] - ends[::2]).max()) if ends.size else 0


def _pixels(prediction: _Floats) -> float:
    product = prediction > 0.5
    area = int(product.sum())
    if area == 0:
        return _INTRICATE
    crossings = int((product[:, 1:] != product[:, :-1]).sum() + (product[1:] != product[:-1]).sum())
    # Steps along the grid are longer than the outline they follow, by 4 / π on average over all directions.
    outline = crossings * math.pi / 4 / math.sqrt(area)
    share = (outline - _PLAIN_OUTLINE) / (_INTRICATE_OUTLINE - _PLAIN_OUTLINE)
    return _PLAIN + min(1.0, max(0.0, share)) * (_INTRICATE - _PLAIN)


def _within(length: float, least: int, step: int) -> int:
    """The nearest multiple of `step` that is neither too small nor too long to look at."""
    return min(_LONGEST, max(least, round(length / step) * step))
