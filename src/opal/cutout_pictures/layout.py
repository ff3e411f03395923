"""Where the subject goes and how large the result is: crop, margin, scale, position, limit. Pure arithmetic.

Called by ``picture.py``.
"""

import math
from dataclasses import dataclass
from typing import Final

from opal.cutout_pictures.wanted import Lengths, Wanted
from opal.images.geometry import Box

LARGEST_MARGIN_SHARE: Final = 0.5
LARGEST_MARGIN_PX: Final = 500
_LONGEST_SIDE: Final = {"webp": 16_383}
_LONGEST_OTHER_SIDE: Final = 65_500


@dataclass(frozen=True, slots=True)
class Layout:
    """The result's size, and the subject's box in it."""

    width: int
    height: int
    subject: Box


def lay_out(wanted: Wanted, width: int, height: int, subject: Box, limit: float) -> Layout:
    """Place the subject, whose box on the ``width`` x ``height`` photo is given, on its canvas.

    The result has at most ``limit`` pixels; it is reduced to that, and never enlarged.
    """
    left, top = float(subject.left), float(subject.top)
    across, down = float(width), float(height)
    if wanted.crop:
        above, right, below, before = _margins(wanted.margins, subject)
        left, top = before, above
        across, down = subject.width + before + right, subject.height + above + below
    scale = 1.0
    if wanted.scale is not None:
        scale = wanted.scale * min(across / subject.width, down / subject.height)
        left += subject.width * (1.0 - scale) / 2
        top += subject.height * (1.0 - scale) / 2
    free_across, free_down = across - subject.width * scale, down - subject.height * scale
    if wanted.position is not None:
        left, top = free_across * wanted.position[0], free_down * wanted.position[1]
    left, top = min(max(0.0, left), free_across), min(max(0.0, top), free_down)
    longest = _LONGEST_SIDE.get(wanted.format, _LONGEST_OTHER_SIDE)
    factor = min(1.0, math.sqrt(limit / (across * down)), longest / max(across, down))
    return _whole_pixels(across * factor, down * factor, left, top, subject, factor, scale)


def _whole_pixels(  # noqa: PLR0917 - the same figures once more, as pixels
    across: float, down: float, left: float, top: float, subject: Box, factor: float, scale: float
) -> Layout:
    # Down where it is reduced, so that the limit holds.
    to_pixels = math.floor if factor < 1.0 else round
    width, height = max(1, to_pixels(across)), max(1, to_pixels(down))
    box_width = min(width, max(1, round(subject.width * scale * factor)))
    box_height = min(height, max(1, round(subject.height * scale * factor)))
    box_left = min(round(left * factor), width - box_width)
    box_top = min(round(top * factor), height - box_height)
    return Layout(width, height, Box(box_left, box_top, box_width, box_height))


def _margins(margins: Lengths, subject: Box) -> tuple[float, float, float, float]:
    sides = (subject.height, subject.width, subject.height, subject.width)
    top, right, bottom, left = (
        min(margin.of(side), LARGEST_MARGIN_SHARE * side, LARGEST_MARGIN_PX)
        for margin, side in zip(margins, sides, strict=True)
    )
    return round(top), round(right), round(bottom), round(left)
