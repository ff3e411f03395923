"""From a network's guess to a matte at the photo's own resolution.

Called by the engines. The list in `refine` is the order of work; each step is a pure function.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.cutout.evidence import colour_evidence, weigh_colours
from opal.cutout.focus import leave_out_blurred
from opal.cutout.holes import close_false_holes
from opal.cutout.outline import draw_outline
from opal.cutout.regions import remove_islands
from opal.images.matte import Matte
from opal.images.resize import resize_to

_Floats = NDArray[np.float32]

WORKING_SIDE = 896
"""Longest side, in pixels, at which shape is decided; edges are drawn at full resolution."""

_HARDNESS = 1.5


@dataclass(frozen=True, slots=True)
class Refined:
    """The matte at the size of the pixels it was drawn for, and what judging it needs."""

    matte: Matte
    shape: _Floats
    """The working-size shape it was drawn from, (h, w), 0..1."""
    left_out: bool
    """Whether things out of focus were taken out of the network's answer."""


def refine(prediction: _Floats, pixels: pyvips.Image) -> Refined:
    """Draw the matte of `pixels` (upright, 3 bands, 8 or 16 bit, sRGB).

    `prediction` (h, w) 0..1 is the network's answer, `pixels` squeezed to any size.
    """
    guide, mask = _to_working_size(prediction, pixels)
    colours = cache(lambda: colour_evidence(mask, guide))
    shape = remove_islands(weigh_colours(mask, colours))
    shape = close_false_holes(shape, mask, colours)
    shape, left_out = leave_out_blurred(_harden(shape), guide)
    # What hung together by a thread may be crumbs by now, and what was worth keeping beside a large neighbour
    # a speck beside the product.
    shape = remove_islands(shape, joined_by=0.5)
    return Refined(draw_outline(shape, pixels), shape, left_out)


def _to_working_size(prediction: _Floats, pixels: pyvips.Image) -> tuple[NDArray[np.uint8], _Floats]:
    """Pixels (8-bit codes) and prediction in the pixels' own aspect, never larger than they are."""
    scale = min(1.0, WORKING_SIDE / max(pixels.width, pixels.height))
    width, height = max(1, round(pixels.width * scale)), max(1, round(pixels.height * scale))
    codes = pixels if pixels.format == "uchar" else pixels.colourspace("srgb")
    guide = resize_to(codes, width, height, "linear").numpy()
    mask = resize_to(pyvips.Image.new_from_array(prediction), width, height, "lanczos2").numpy()
    return guide, np.clip(mask, 0.0, 1.0)


def _harden(shape: _Floats) -> _Floats:
    """Broad half-sure areas become product or ground; what is soft should be edges only."""
    sharpened: _Floats = np.clip((shape - 0.5) * _HARDNESS + 0.5, 0.0, 1.0).astype(np.float32)
    return sharpened
