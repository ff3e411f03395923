"""The region of interest, in which alone something is cut out. Called by ``removebg_work.py``."""

import math
from typing import Final

from opal.cutout_pictures.wanted import Lengths
from opal.messages.cutout_contract import Region
from opal.web_api.removebg_errors import Refused

_SMALLEST_ROI: Final = 8
# A bound that was rounded down from a percentage may be half a pixel out.
_ROUNDING: Final = 0.5


def region_of(roi: Lengths | None, width: int, height: int) -> Region | None:
    """The region of interest on an upright photo of this size; None is the whole photo.

    Raises ``Refused`` for one that leaves the photo or has nothing in it.
    """
    if roi is None:
        return None
    left, top, right, bottom = roi[0].of(width), roi[1].of(height), roi[2].of(width), roi[3].of(height)
    if max(left, right) > width + _ROUNDING or max(top, bottom) > height + _ROUNDING:
        raise Refused("roi_exceeds_bounds", f"roi must lie inside the image, which is {width} x {height} px.")
    box = (math.floor(left), math.floor(top), min(width, math.ceil(right)), min(height, math.ceil(bottom)))
    if box[2] - box[0] < _SMALLEST_ROI or box[3] - box[1] < _SMALLEST_ROI:
        raise Refused("roi_region_empty", f"roi must be at least {_SMALLEST_ROI} px wide and high.")
    if box == (0, 0, width, height):
        return None
    return Region(left=box[0], top=box[1], width=box[2] - box[0], height=box[3] - box[1])
