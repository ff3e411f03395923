"""What colours say where the network hesitates: a brim of the hat's own straw, a gap of the wall's red.

Called by `refine.py` on the low-resolution prediction.
"""

from collections.abc import Callable

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.cutout.working_grid import blur, highest, lowest

_Floats = NDArray[np.float32]

_BINS = 16
_SURE = 0.95
# How far around the product the ground's colours are learned, as a share of the longer side.
_REACH = 0.06
# log-likelihood ratios beyond this say no more; it keeps one odd bin from overruling the network.
_STRONGEST = 2.5
_FEWEST = 200
# The network hesitates where it is this far from 0.5 at most.
_HESITATION = 0.3
# An edge is a pixel or two of hesitation and drawn by other means (`outline.py`); what is this wide is none.
_BROAD = 5
# Colours are judged by small neighbourhoods (sigma in pixels): single pixels are noise.
_SMOOTHING = 1.5


def weigh_colours(prediction: _Floats, colours: Callable[[], _Floats | None]) -> _Floats:
    """Move uncertain predictions by Bayes' rule with the colours of sure product and sure ground.

    `prediction` (h, w) 0..1; `colours` gives its `colour_evidence` and is called only where the network
    hesitates. Pixels that it is sure of come back unchanged, and so do edges.
    """
    unsure = _broad(np.abs(prediction - 0.5) < _HESITATION)
    if not unsure.any():
        return prediction
    ratio = colours()
    if ratio is None:
        return prediction
    evidence = blur(np.clip(ratio, -_STRONGEST, _STRONGEST), _SMOOTHING)
    before = prediction[unsure]
    # Full weight at 0.5, none where the network has all but decided.
    weight = 1.0 - np.abs(before - 0.5) / _HESITATION
    odds = np.log(before / (1.0 - before)) + weight * evidence[unsure]
    weighed = prediction.copy()
    weighed[unsure] = 1.0 / (1.0 + np.exp(-odds))
    return weighed


def colour_evidence(prediction: _Floats, guide: NDArray[np.uint8]) -> _Floats | None:
    """How much likelier each pixel's colour is on the product than on the ground around it, as a logarithm.

    `prediction` (h, w) 0..1 says what is sure to be either, `guide` (h, w, 3) are sRGB codes. (h, w); None
    where too little is sure of one of them.
    """
    product, ground = prediction > _SURE, prediction < 1.0 - _SURE
    near = _near(prediction > 0.5)
    if (ground & near).sum() >= _FEWEST:
        ground &= near
    if product.sum() < _FEWEST or ground.sum() < _FEWEST:
        return None
    bins = (guide // (256 // _BINS)).astype(np.intp)
    code = (bins[..., 0] * _BINS + bins[..., 1]) * _BINS + bins[..., 2]
    ratio = np.log(_density(code[product])) - np.log(_density(code[ground]))
    evidence: _Floats = ratio.astype(np.float32)[code]
    return evidence


def _density(codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """A smoothed colour histogram with a floor, so that unseen colours are unlikely, not impossible."""
    counts = np.bincount(codes, minlength=_BINS**3).astype(np.float64).reshape(_BINS, _BINS, _BINS)
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        before, after = (np.take(padded, range(o, o + _BINS), axis=axis) for o in (0, 2))
        counts = 0.25 * before + 0.5 * counts + 0.25 * after
    density: NDArray[np.float64] = counts.reshape(-1) / counts.sum() + 1e-5
    return density


def _broad(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those parts of a mask that are at least `_BROAD` pixels wide (morphological opening)."""
    return highest(lowest(mask, _BROAD), _BROAD)


def _near(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels within reach of the mask."""
    reach = max(4.0, _REACH * max(mask.shape))
    image = pyvips.Image.new_from_array(mask.astype(np.float32))
    near: NDArray[np.bool_] = image.gaussblur(reach / 2.0, precision="approximate").numpy() > 0.02
    return near
