"""From the network's 1024 × 1024 guess to a matte at the photo's own resolution.

Called by the engines. The list in `refine` is the order of work; each step is a pure function.
"""

from dataclasses import dataclass

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.cutout.evidence import weigh_colours
from opal.cutout.focus import leave_out_blurred
from opal.cutout.guided import blur, fit
from opal.cutout.regions import close_specks, remove_islands
from opal.images.colour import LINEAR_OF_8_BIT, LINEAR_OF_16_BIT, to_linear
from opal.images.matte import Matte
from opal.images.photo import Photo
from opal.images.resize import resize_to

_Floats = NDArray[np.float32]

WORKING_SIDE = 1024
"""Longest side, in pixels, at which shape is decided; edges are drawn at full resolution."""

# Window of the guided filter and half width of the edge band, in working pixels. The network's own
# edges are two or three pixels soft.
_WINDOW = 2.0
_BAND = 2.5
_EPSILON = 5e-3
_CLEAR, _SOLID = 0.06, 0.94
_HARDNESS = 3.0
# Blurred shape: 0.5 on the outline. The photo's edges count fully between the inner pair (1.7 working
# pixels off it), the shape alone beyond the outer pair (3.9).
_INNER, _OUTER = 0.25, 0.06


@dataclass(frozen=True, slots=True)
class Refined:
    """The matte at (photo.height, photo.width), and what judging it needs."""

    matte: Matte
    shape: _Floats
    """The working-size shape it was drawn from, (h, w), 0..1."""
    left_out: bool
    """Whether things out of focus were taken out of the network's answer."""


def refine(prediction: _Floats, photo: Photo) -> Refined:
    """Draw the matte; `prediction` is square, 0..1, the whole photo squeezed into it."""
    guide, mask = _to_working_size(prediction, photo)
    shape = close_specks(remove_islands(weigh_colours(mask, guide)))
    shape, left_out = leave_out_blurred(_harden(shape), guide)
    if left_out:
        # What was worth keeping beside a large neighbour may be a speck beside the product.
        shape = remove_islands(shape)
    return Refined(_draw_edges(shape, guide, photo), shape, left_out)


def _to_working_size(prediction: _Floats, photo: Photo) -> tuple[NDArray[np.uint8], _Floats]:
    """Photo (8-bit codes) and prediction in the photo's aspect, never larger than the photo."""
    scale = min(1.0, WORKING_SIDE / max(photo.width, photo.height))
    width, height = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    pixels = photo.pixels
    if pixels.format == "ushort":
        pixels = pixels.colourspace("srgb")
    guide = resize_exactly(pixels, width, height).numpy()
    mask = resize_exactly(pyvips.Image.new_from_array(prediction), width, height).numpy()
    return guide, np.clip(mask, 0.0, 1.0)


def resize_exactly(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Resize bilinearly to exactly this size, whatever the aspect."""
    return resize_to(image, width, height, "linear")


def _harden(shape: _Floats) -> _Floats:
    """Broad half-sure areas become product or ground; what is soft should be edges only."""
    sharpened: _Floats = np.clip((shape - 0.5) * _HARDNESS + 0.5, 0.0, 1.0).astype(np.float32)
    return sharpened


def _draw_edges(shape: _Floats, guide: NDArray[np.uint8], photo: Photo) -> Matte:
    """Shape at full size: solid inside, clear outside, guided by the photo's own edges between."""
    model = fit(to_linear(guide), shape, _WINDOW, _EPSILON)
    width, height = photo.width, photo.height
    closeness = blur((shape > 0.5).astype(np.float32), _BAND)
    nearness = np.minimum(closeness, 1.0 - closeness)
    band = np.clip((nearness - _OUTER) / (_INNER - _OUTER), 0.0, 1.0).astype(np.float32)
    full = resize_exactly(pyvips.Image.new_from_array(shape), width, height).numpy()
    matte: Matte = np.clip(full, 0.0, 1.0)
    band_full = resize_exactly(pyvips.Image.new_from_array(band), width, height).numpy()
    rows, columns = np.nonzero(band_full > 0.0)
    if rows.size == 0:
        return matte
    codes = photo.pixels.numpy()[rows, columns]
    table = LINEAR_OF_16_BIT if codes.dtype == np.uint16 else LINEAR_OF_8_BIT
    guided = model.apply(table[codes], rows, columns, height, width)
    guided = (guided - _CLEAR) / (_SOLID - _CLEAR)
    weight = band_full[rows, columns]
    matte[rows, columns] = np.clip(weight * guided + (1 - weight) * matte[rows, columns], 0.0, 1.0)
    return matte
